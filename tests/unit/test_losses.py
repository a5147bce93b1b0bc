"""What a kill, a lost disk, a lost PSA cost: the engine after each loss, against the engine that lost nothing.

Every row of the table in SECURITY.md names tests of this file. `lives` plays the same days twice: once to their
end, once with the loss in between.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fakes import ANN, APPROVED, BOB, COMPANY_OUT, CY, DEE, IN, OUT, UNSET, World

from syncd import backup
from syncd.errors import AuthRefused, Transient
from syncd.model import Consent, Rules

DAY = 86_400.0
PEOPLE = {"a": ANN, "b": BOB, "c": CY, "d": DEE}


def shop(folder: Path, rules: Rules = Rules(), **more: bool) -> World:  # noqa: B008  frozen
    """Two approved companies; Ann (a) and Cy (c) in the first, Bob (b) and Dee (d) in the second."""
    folder.mkdir(exist_ok=True)
    world = World(folder, rules=rules, **more)
    for company in ("1", "2"):
        world.psa.add_company(company)
    for contact, number in PEOPLE.items():
        world.psa.add(contact, number, company="1" if contact in "ac" else "2")
    world.step()
    return world


def all_shown(world: World) -> dict[str, Consent | None]:
    return {contact: world.psa.shows(contact) for contact in sorted(world.psa.people)}


def text(world: World, number: str, words: str) -> None:
    world.clock.advance(2)
    world.vox.text(number, words)


def back_up(world: World) -> Path:
    """A backup of this moment."""
    copy = Path(world.url.removeprefix("sqlite:///")).with_name("backup.db")
    backup.back_up(world.url, copy)
    return copy


def restore(world: World, copy: Path) -> None:
    """The database is lost; the backup takes its place, and syncd is started."""
    world.close()
    backup.restore(world.url, copy, world.clock.now(), by="ann", force=True)
    world.open()


def must_rest(world: World) -> None:
    """Nothing is left to write, one more pass writes nothing, and the chain is whole."""
    world.step(900.0)  # the longest that anything waits for its next try
    world.steps(3)
    before = len(world.psa.asked)
    world.step()
    assert len(world.psa.asked) == before
    assert world.status()["pending"] == 0
    assert world.intact()


# --- an old backup restored --------------------------------------------------------------------------------


def days_after_the_backup(world: World) -> None:
    """Whatever can happen, all of it carried out in the PSA before the loss."""
    text(world, ANN, "#Go")
    text(world, BOB, "STOP")
    world.step()
    text(world, CY, "Hi, the printer is jammed")
    text(world, BOB, "#Go")
    text(world, DEE, "#Go")
    world.step()
    text(world, ANN, "please stop texting me")
    world.psa.edit("d", consent=OUT)
    world.psa.add("e", "+12025550114", company="1")
    world.vox.text("+12025550114", "#Go")
    world.steps(2)
    world.psa.add_company("2", COMPANY_OUT)
    world.steps(2, DAY)


def days_after_the_loss(world: World) -> None:
    text(world, CY, "STOP")
    text(world, "+12025550114", "Quit")
    world.psa.add("f", "+12025550115", company="2")
    world.steps(3)


def test_after_a_restore_the_state_is_that_of_a_run_that_lost_nothing(tmp_path: Path) -> None:
    whole, lost = shop(tmp_path / "whole"), shop(tmp_path / "lost")
    copy = back_up(lost)
    for world in (whole, lost):
        days_after_the_backup(world)
    assert all_shown(lost) == {"a": OUT, "b": OUT, "c": IN, "d": OUT, "e": IN}
    restore(lost, copy)
    for world in (whole, lost):
        days_after_the_loss(world)
        must_rest(world)
    assert all_shown(lost) == all_shown(whole) == {"a": OUT, "b": OUT, "c": OUT, "d": OUT, "e": OUT, "f": OUT}
    words = [{entry["text"] for entry in world.ledger("message")} for world in (whole, lost)]
    assert words[0] == words[1], "the evidence is in the ledger again"


@pytest.mark.parametrize("first", ["deliver", "look", "poll"])
def test_what_happened_while_nothing_ran_is_read_whatever_the_daemon_does_first(
    tmp_path: Path, first: str
) -> None:
    world = shop(tmp_path)
    text(world, ANN, "#Go")
    world.step()
    copy = back_up(world)
    world.close()
    text(world, ANN, "STOP")
    text(world, BOB, "#Go")
    world.psa.edit("c", consent=OUT)
    world.clock.advance(DAY)
    restore(world, copy)
    getattr(world, first)()
    must_rest(world)
    assert all_shown(world) == {"a": OUT, "b": IN, "c": OUT, "d": None}


@pytest.mark.parametrize("first", ["deliver", "look", "poll"])
@pytest.mark.parametrize("before", [None, OUT])
def test_an_opt_out_by_staff_after_the_backup_is_not_undone_by_an_opt_in_before_it(
    tmp_path: Path, before: Consent | None, first: str
) -> None:
    """The backup has the contact opted out, or nothing of it; since then it texted #Go, and staff opted it out."""
    world = shop(tmp_path)
    if before is OUT:
        text(world, ANN, "STOP")
        world.step()
    copy = back_up(world)
    text(world, ANN, "#Go")
    world.steps(2)
    assert world.psa.shows("a") is IN
    world.psa.edit("a", consent=OUT)
    world.steps(2)
    restore(world, copy)
    world.psa.written.clear()
    getattr(world, first)()
    must_rest(world)
    assert world.psa.shows("a") is OUT
    assert ("a", IN) not in world.psa.written, "not for a moment"
    text(world, ANN, "#Go")
    world.steps(2)
    assert world.psa.shows("a") is IN, "their own later word counts"


@pytest.mark.parametrize("staff_opt_in", ["reassert", "accept"])
@pytest.mark.parametrize("first", ["deliver", "look", "poll"])
def test_an_opt_in_that_syncd_wrote_after_the_backup_is_not_taken_for_a_persons(
    tmp_path: Path, first: str, staff_opt_in: str
) -> None:
    world = shop(tmp_path, Rules(staff_opt_in=staff_opt_in))  # type: ignore[arg-type]
    copy = back_up(world)
    text(world, ANN, "#Go")
    world.steps(2)
    world.close()
    text(world, ANN, "STOP")
    world.clock.advance(60)
    restore(world, copy)
    getattr(world, first)()
    must_rest(world)
    assert world.psa.shows("a") is OUT
    assert world.ledger("staff") == []


def test_an_opt_in_that_waited_in_the_backup_undoes_no_opt_out_since(tmp_path: Path) -> None:
    world = shop(tmp_path)
    text(world, ANN, "STOP")
    world.step()
    world.psa.down = Transient("down")
    text(world, ANN, "#Go")
    world.step()
    assert world.status()["pending"] == 1
    copy = back_up(world)
    world.psa.down = None
    world.steps(2)
    assert world.psa.shows("a") is IN
    text(world, ANN, "STOP")
    world.steps(2)
    restore(world, copy)
    world.psa.written.clear()
    world.deliver()
    assert world.psa.written == [], "nobody is written to before the PSA and PrimeVOX were read"
    must_rest(world)
    assert world.psa.shows("a") is OUT
    assert ("a", IN) not in world.psa.written


def test_an_opt_out_that_waited_in_the_backup_hides_no_later_one_by_staff(tmp_path: Path) -> None:
    """Written again at once, it would find the staff's value there, and take it for its own."""
    world = shop(tmp_path)
    world.psa.down = Transient("down")
    text(world, ANN, "STOP")
    world.step()
    copy = back_up(world)
    world.psa.down = None
    world.steps(2)
    text(world, ANN, "#Go")
    world.steps(2)
    assert world.psa.shows("a") is IN
    world.psa.edit("a", consent=OUT)
    world.steps(2)
    restore(world, copy)
    world.psa.written.clear()
    world.deliver()
    must_rest(world)
    assert world.psa.shows("a") is OUT
    assert world.psa.written == []


def test_an_opt_in_texted_while_nothing_ran_by_who_shows_opted_out_must_come_again(tmp_path: Path) -> None:
    """The safe side: the value may be a member of staff's, set after that text."""
    world = shop(tmp_path)
    text(world, ANN, "STOP")
    world.step()
    copy = back_up(world)
    world.close()
    text(world, ANN, "#Go")
    world.clock.advance(60)
    restore(world, copy)
    must_rest(world)
    assert world.psa.shows("a") is OUT
    text(world, ANN, "#Go")
    world.steps(2)
    assert world.psa.shows("a") is IN


def test_a_decision_in_review_after_the_backup_is_asked_for_again(tmp_path: Path) -> None:
    from syncd import desk

    world = shop(tmp_path)
    copy = back_up(world)
    text(world, ANN, "no more alerts until Monday")
    world.step()
    [waiting] = world.review()
    with world.db.begin() as connection:
        desk.carry_out(
            connection, world.clock, {"do": "review", "seq": waiting["seq"], "decision": "opt_out", "by": "x"}
        )
    world.steps(2)
    assert (world.psa.shows("a"), world.review()) == (OUT, [])
    restore(world, copy)
    must_rest(world)
    assert world.psa.shows("a") is OUT, "as the PSA showed it"
    assert len(world.review()) == 1


def test_what_only_the_lost_ledger_knew_is_lost(tmp_path: Path) -> None:
    """A company's opt-out that was lifted again and a staff opt-out that was emptied, both after the backup."""
    world = shop(tmp_path)
    copy = back_up(world)
    world.psa.add_company("1", COMPANY_OUT)
    world.psa.edit("b", consent=OUT)
    world.steps(2)
    world.psa.add_company("1", APPROVED)
    world.step()
    world.close()
    world.psa.edit("b", consent=None)
    world.psa.edit("d", company_id="1")
    restore(world, copy)
    must_rest(world)
    assert all_shown(world) == {"a": OUT, "b": None, "c": OUT, "d": None}, "intact, b and d would be opted out"


@dataclass(frozen=True)
class Story:
    """What happens, as steps on a world; backup, loss and restore come before the steps with these numbers."""

    steps: list[tuple[str, str, object]]
    backup: int
    lost: int
    restored: int
    first: str


def story(seed: int) -> Story:
    """After the backup nothing is taken back that only a ledger could remember (see the test above)."""
    dice = random.Random(seed)
    count = dice.randrange(12, 40)
    at = dice.randrange(0, count - 3)
    lost = dice.randrange(at + 1, count - 1)
    restored = dice.randrange(lost + 1, count)
    steps: list[tuple[str, str, object]] = []
    for index in range(count):
        contact, company = dice.choice("abcd"), dice.choice("12")
        words = dice.choice(["STOP", "STOP", "#Go", "#Go", "Hi, my printer is jammed", "no more until Monday"])
        staff = [OUT] if index >= at else [OUT, IN, None]
        states = [COMPANY_OUT] if index >= at else [APPROVED, APPROVED, COMPANY_OUT, UNSET]
        possible: list[tuple[str, str, object]] = [
            *[("text", contact, words)] * 9,
            ("ours", contact, "It is repaired"),
            ("company", company, dice.choice(states)),
            ("move", contact, company),
            ("down", "", dice.random() < 0.5),
            *[("step", "", dice.choice([1.0, 30.0, 600.0, 90_000.0]))] * 5,
        ]
        if index < restored:
            possible.append(("staff", contact, dice.choice(staff)))
        steps.append(dice.choice(possible))
    return Story(steps, at, lost, restored, dice.choice(["deliver", "look", "poll"]))


def happen(world: World, what: str, whom: str, value: object, *, running: bool) -> None:
    """One step of a story."""
    match what:
        case "text":
            text(world, PEOPLE[whom], str(value))
        case "ours":
            world.clock.advance(2)
            world.vox.text(PEOPLE[whom], str(value), outbound=True)
        case "staff":
            world.psa.edit(whom, consent=value)
        case "company":
            world.psa.add_company(whom, value)  # type: ignore[arg-type]
        case "move":
            world.psa.edit(whom, company_id=value)
        case "down":
            world.psa.down = Transient("down") if value else None
        case "step" if running:
            world.step(float(str(value)))
        case "step":
            world.clock.advance(float(str(value)))


def live(
    folder: Path, told: Story, rules: Rules, again: Callable[[World, Path], None]
) -> dict[str, Consent | None]:
    """Play a story; `again` starts syncd after the loss. Returns what the PSA shows at rest."""
    world = shop(folder, rules)
    copy = Path()
    for index, (what, whom, value) in enumerate(told.steps):
        if index == told.backup:
            copy = back_up(world)
        if index == told.lost:
            world.close()
        if index == told.restored:
            world.psa.down = None
            again(world, copy)
            getattr(world, told.first)()
        happen(world, what, whom, value, running=not told.lost <= index < told.restored)
    world.psa.down = None
    must_rest(world)
    world.close()
    return all_shown(world)


def compare(folder: Path, seed: int) -> int:
    """Nobody may be less opted out for the restore than after a mere restart; returns for how many it was more."""
    told = story(seed)
    rules = Rules(staff_opt_in="accept" if seed % 4 == 0 else "reassert")
    intact = live(folder / "intact", told, rules, lambda world, _: world.open())
    restored = live(folder / "restored", told, rules, restore)
    undone = [one for one in intact if intact[one] is OUT and restored[one] is not OUT]
    assert not undone, (seed, undone, intact, restored, told)
    return sum(intact[one] is not restored[one] for one in intact)


@pytest.mark.parametrize("seed", range(12))
def test_a_restore_undoes_no_opt_out_that_a_restart_would_have_kept(tmp_path: Path, seed: int) -> None:
    compare(tmp_path, seed)


# --- everything lost ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("review_history", [True, False])
@pytest.mark.parametrize("first", ["deliver", "look", "poll"])
def test_a_database_lost_without_a_backup_costs_the_proof_but_undoes_no_opt_out(
    tmp_path: Path, first: str, review_history: bool
) -> None:
    world = shop(tmp_path, review_history=review_history)
    days_after_the_backup(world)
    before = all_shown(world)
    world.close()
    for file in tmp_path.glob("state.db*"):
        file.unlink()
    text(world, CY, "STOP")
    world.open()
    world.psa.written.clear()
    getattr(world, first)()
    must_rest(world)
    assert all_shown(world) == before | {"c": OUT}
    assert [one for one in world.psa.written if one[1] is IN] == []
    found = {entry["contact"] for entry in world.ledger("staff")}
    assert found == {"a", "b", "d"}, "who shows opted out counts as opted out by staff from now on"


def test_an_emptied_field_of_the_psa_is_filled_again(tmp_path: Path) -> None:
    world = shop(tmp_path)
    days_after_the_backup(world)
    before = all_shown(world)
    for contact in before:
        world.psa.edit(contact, consent=None)
    must_rest(world)
    assert all_shown(world) == before


@pytest.mark.parametrize("staff_opt_in", ["reassert", "accept"])
def test_an_old_copy_of_the_psa_is_brought_up_to_date(tmp_path: Path, staff_opt_in: str) -> None:
    world = shop(tmp_path, Rules(staff_opt_in=staff_opt_in))  # type: ignore[arg-type]
    text(world, ANN, "#Go")
    text(world, BOB, "STOP")
    world.steps(2)
    copy = all_shown(world)
    text(world, ANN, "STOP")
    world.clock.advance(DAY)
    text(world, BOB, "#Go")
    world.steps(2)
    for contact, value in copy.items():
        world.psa.edit(contact, consent=value)
    must_rest(world)
    assert world.psa.shows("a") is OUT
    # Opted out by the copy is opted out by staff; it cannot be told from a person's decision.
    assert world.psa.shows("b") is OUT


def test_contacts_made_anew_under_other_ids_are_opted_out_by_their_numbers(tmp_path: Path) -> None:
    world = shop(tmp_path)
    text(world, ANN, "STOP")
    text(world, BOB, "#Go")
    world.steps(2)
    world.psa.people.clear()
    for contact, number, company in (("x", ANN, "1"), ("y", BOB, "2"), ("z", CY, "1")):
        world.psa.add(contact, number, company=company)
    must_rest(world)
    assert all_shown(world) == {"x": OUT, "y": IN, "z": None}


def test_conversations_that_primevox_lost_change_nothing_and_are_told(tmp_path: Path) -> None:
    world = shop(tmp_path)
    text(world, ANN, "STOP")
    text(world, BOB, "#Go")
    world.steps(2)
    world.vox.threads.clear()
    must_rest(world)
    assert all_shown(world) == {"a": OUT, "b": IN, "c": None, "d": None}
    assert "no longer listed" in str(world.status()["numbers"][0]["gap"])


def test_refused_credentials_lose_nothing(tmp_path: Path) -> None:
    world = shop(tmp_path)
    text(world, ANN, "#Go")
    world.steps(2)
    world.psa.down = AuthRefused("refused")
    text(world, ANN, "STOP")
    world.step()
    world.vox.list_error[world.lines[0].number] = AuthRefused("refused")
    text(world, BOB, "STOP")
    world.steps(3)
    assert world.psa.shows("a") is IN
    world.psa.down = None
    world.vox.list_error.clear()
    world.restart()
    must_rest(world)
    assert all_shown(world) == {"a": OUT, "b": OUT, "c": None, "d": None}


def test_a_kill_costs_nothing(tmp_path: Path) -> None:
    """`test_engine_crash.py` kills at every step; this is the row of the table in its plainest form."""
    whole, killed = shop(tmp_path / "whole"), shop(tmp_path / "killed")
    for world in (whole, killed):
        for number, words in ((ANN, "#Go"), (BOB, "STOP"), (CY, "Hi, the printer is jammed"), (ANN, "STOP")):
            text(world, number, words)
            world.poll()
            if world is killed:
                world.restart()
            world.step()
        must_rest(world)
    assert all_shown(whole) == all_shown(killed)


def test_a_lost_configuration_stops_the_daemon_and_touches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from syncd import cli

    world = shop(tmp_path)
    text(world, ANN, "STOP")
    world.steps(2)
    world.close()
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    for command in ("run", "once", "check", "status"):
        assert cli.main([command, "-c", str(tmp_path / "syncd.yaml")]) == cli.CONFIG
    assert "syncd.yaml: does not exist" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_other_settings_make_verdicts_anew_and_the_ledger_says_so(tmp_path: Path) -> None:
    world = shop(tmp_path)
    text(world, ANN, "Hi, the printer is jammed")
    text(world, BOB, "STOP")
    world.steps(2)
    assert all_shown(world) == {"a": IN, "b": OUT, "c": None, "d": None}
    rules = len(world.ledger("rules"))
    tacit = replace(world.setup.rules.tacit, enabled=False)
    world.setup = replace(world.setup, rules=Rules(tacit))
    world.restart()
    must_rest(world)
    assert len(world.ledger("rules")) == rules + 1
    assert all_shown(world) == {"a": IN, "b": OUT, "c": None, "d": None}
    assert world.status()["unproven"] == 1
