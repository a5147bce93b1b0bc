"""A write whose end we did not see: the ledger tells of it all the same, and once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import ANN, BOB, IN, OUT, World

from syncd.connector import Change, Outcome
from syncd.errors import Ambiguous, Transient


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Ann opted out, and nothing was written yet."""
    made = World(tmp_path)
    made.psa.add_company("1")
    made.psa.add("ann", ANN)
    made.step()
    made.vox.text(ANN, "STOP")
    made.poll()
    yield made
    assert made.intact()
    made.close()


def writes(world: World) -> list[tuple[Any, ...]]:
    return [(one["contact"], one["before"], one["after"], one["clause"]) for one in world.ledger("write")]


def lose_the_answer(world: World) -> None:
    def lost() -> Exception:
        world.psa.edit("ann", consent=OUT)
        return Ambiguous("the answer was lost", contact="ann")

    world.psa.fails["ann"] = lost
    world.deliver()
    world.psa.fails.clear()


def test_a_write_that_a_list_shows_after_a_restart_is_in_the_ledger(world: World) -> None:
    lose_the_answer(world)
    assert (world.psa.shows("ann"), writes(world)) == (OUT, [])
    world.restart()
    world.look()
    assert writes(world) == [("ann", None, OUT, "3.3.2")]
    assert world.ledger("write")[0]["because"] == [world.ledger("message")[0]["seq"]]
    world.steps(2)
    assert (world.ledger("staff"), world.status()["pending"]) == ([], 0)
    assert (len(writes(world)), world.psa.written) == (1, [])


def test_a_write_that_did_not_arrive_is_not_in_the_ledger_before_it_has(world: World) -> None:
    world.psa.fails["ann"] = lambda: Transient("reset", contact="ann")
    world.deliver()
    world.psa.fails.clear()
    world.restart()
    world.look()
    assert writes(world) == []
    world.deliver()
    assert writes(world) == [("ann", None, OUT, "3.3.2")]


def test_a_write_that_a_list_shows_while_it_is_under_way_is_told_once(world: World) -> None:
    write = world.psa._one

    def seen_meanwhile(change: Change) -> Outcome:
        outcome = write(change)
        world.engine.refresh_directory()
        return outcome

    world.psa._one = seen_meanwhile  # type: ignore[method-assign]
    world.deliver()
    assert writes(world) == [("ann", None, OUT, "3.3.2")]


def test_a_field_emptied_by_a_person_is_no_arrival(world: World) -> None:
    """Bob shows opted out; while our opt-in is on its way a list shows that somebody emptied the field."""
    world.psa.add("bob", BOB, shown=OUT)
    world.look()
    world.deliver()
    world.clock.advance(60)
    world.vox.text(BOB, "#Go")
    world.poll()
    write = world.psa._one

    def looked_at_meanwhile(change: Change) -> Outcome:
        world.psa.edit("bob", consent=None)
        world.engine.refresh_directory()
        outcome = write(change)
        world.engine.refresh_directory()
        return outcome

    world.psa._one = looked_at_meanwhile  # type: ignore[method-assign]
    world.deliver()
    arrived = [facts["contact"] for _, event, facts in world.log.lines if "has arrived" in event]
    assert arrived.count("bob") == 1
    assert [(one["contact"], one["after"]) for one in world.ledger("staff")] == [("bob", OUT)]
    assert writes(world)[1:] == [("bob", None, IN, "3.2.3, 3.2.4")]


def test_a_write_that_nothing_calls_for_any_more_is_told_without_a_reason(world: World) -> None:
    lose_the_answer(world)
    world.vox.text(ANN, "#Go", ago=-1)
    world.poll()
    world.engine.settle()
    world.look()
    assert writes(world) == [("ann", None, OUT, "")]
    world.step()
    assert writes(world)[1:] == [("ann", OUT, IN, "3.2.3, 3.2.4")]
