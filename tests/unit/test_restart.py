"""After a stop, however long: what was waiting then must not overtake what people have said since."""

from __future__ import annotations

from pathlib import Path

from fakes import ANN, BOB, IN, OURS, OURS_TOO, OUT, World

from syncd.errors import Transient


def with_a_waiting_opt_in(folder: Path, **more: object) -> World:
    """Ann opted out, then in again; the opt-in waits because the PSA was down, when syncd was stopped."""
    world = World(folder, **more)  # type: ignore[arg-type]
    world.psa.add_company("1")
    world.psa.add("a", ANN)
    world.psa.add("b", BOB)
    world.step()
    world.vox.text(ANN, "STOP")
    world.step()
    assert world.psa.shows("a") is OUT
    world.psa.down = Transient("down")
    world.vox.text(ANN, "#Go")
    world.clock.advance(60)
    world.poll()
    world.deliver()
    world.close()
    world.psa.down = None
    world.clock.advance(86_400)
    return world


def test_an_opt_in_that_waited_does_not_undo_an_opt_out_texted_while_syncd_was_stopped(tmp_path: Path) -> None:
    world = with_a_waiting_opt_in(tmp_path)
    world.vox.text(ANN, "Stop texting me")
    world.clock.advance(5)
    before = len(world.psa.written)
    world.open()
    world.deliver()
    assert world.psa.shows("a") is OUT, "nothing is known yet of what was texted meanwhile"
    world.poll()
    world.deliver()
    assert world.psa.shows("a") is OUT
    assert len(world.psa.written) == before


def test_it_is_written_once_every_line_was_read(tmp_path: Path) -> None:
    world = with_a_waiting_opt_in(tmp_path, lines=(OURS, OURS_TOO))
    world.open()
    world.engine.poll(world.lines[0])
    world.deliver()
    assert world.psa.shows("a") is OUT, "an opt-out may be on the other line"
    world.engine.work.clear()
    world.engine.poll(world.lines[1])
    assert world.engine.work.is_set(), "delivery is told at once"
    world.deliver()
    assert world.psa.shows("a") is IN


def test_a_line_that_cannot_be_read_holds_up_no_opt_in_of_another(tmp_path: Path) -> None:
    world = with_a_waiting_opt_in(tmp_path, lines=(OURS, OURS_TOO))
    world.vox.list_error[OURS_TOO] = Transient("down")
    world.open()
    world.poll()
    world.deliver()
    assert world.psa.shows("a") is IN


def test_opt_outs_wait_for_nothing(tmp_path: Path) -> None:
    world = with_a_waiting_opt_in(tmp_path)
    world.open()
    world.psa.down = Transient("down")
    world.vox.text(BOB, "STOP")
    world.clock.advance(60)
    world.poll()
    world.deliver()
    world.psa.down = None
    world.restart()
    world.clock.advance(600)
    world.deliver()
    assert world.psa.shows("b") is OUT
