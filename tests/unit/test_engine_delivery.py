"""Writing to the PSA: the order, the last look before a request leaves, refusals, and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import ANN, BOB, COMPANY_OUT, CY, IN, OUT, POLL, World
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from syncd.connector import Change
from syncd.errors import AuthRefused, ConfigProblem, Permanent, ShapeChanged, Transient
from syncd.pace import urgent
from syncd.plan import Lane

REST = (Lane.CASCADE, Lane.OPT_IN)


def build(folder: Path, *, batch: int = 5) -> World:
    made = World(folder, batch=batch)
    made.psa.add_company("1")
    made.psa.add_company("2")
    made.psa.add("ann", ANN)
    made.psa.add("bob", BOB)
    made.psa.add("cy", CY, company="2")
    made.step()
    return made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two approved companies: Ann and Bob, and Cy."""
    made = build(tmp_path)
    yield made
    assert made.intact()
    made.close()


def crowd(world: World, count: int) -> list[str]:
    """Contacts of company 1 with numbers of their own."""
    names = [f"p{index:03}" for index in range(count)]
    for index, name in enumerate(names):
        world.psa.add(name, f"+120255502{index:02}")
    world.look()
    return names


def number_of(name: str) -> str:
    return f"+120255502{int(name[1:]):02}"


def opt_out_with_a_lost_answer(world: World) -> None:
    """Ann's STOP is written, and nobody hears of it."""
    world.vox.text(ANN, "STOP")

    def lost() -> Exception:
        world.psa.edit("ann", consent=OUT)
        world.psa.fails.clear()
        return Transient("sent, and the answer was lost")

    world.psa.fails["ann"] = lost
    world.poll()
    world.deliver()
    world.clock.advance(POLL)


# --- order -----------------------------------------------------------------------------------------------


def test_opt_outs_go_before_the_cascade_and_that_before_opt_ins(world: World) -> None:
    world.vox.text(ANN, "#Go")
    world.psa.add("dee", company="2")
    world.look()
    world.poll()
    world.psa.add_company("2", COMPANY_OUT)
    world.look()
    world.vox.text(BOB, "STOP")
    world.poll()
    world.engine.deliver()
    assert [one for one, _ in world.psa.written[:1]] == ["bob"]
    assert {one for one, _ in world.psa.written[1:3]} == {"cy", "dee"}
    assert world.psa.written[3:] == [("ann", IN)]


def test_stop_that_comes_during_a_cascade_goes_next(world: World) -> None:
    crowd(world, 20)
    world.psa.add_company("1", COMPANY_OUT)
    world.look()

    def stop(change: Change) -> None:
        world.psa.on_write = lambda change: None
        world.vox.text(CY, "STOP")
        world.poll()

    world.psa.on_write = stop
    world.engine.deliver()
    assert [one for one, _ in world.psa.written].index("cy") == 5  # right after the batch that was on its way


def test_only_opt_outs_of_persons_are_urgent_to_the_psa(world: World) -> None:
    """`pace` lets urgent calls pass all that wait."""
    hurried: dict[str, bool] = {}
    world.psa.on_write = lambda change: hurried.update({change.contact_id: urgent.get()})
    world.vox.text(ANN, "STOP")
    world.vox.text(BOB, "#Go")
    world.poll()
    world.psa.add_company("2", COMPANY_OUT)
    world.look()
    world.engine.deliver((Lane.OPT_OUT,))
    assert not urgent.get()
    world.engine.deliver(REST)
    assert hurried == {"ann": True, "bob": False, "cy": False}


def test_a_contact_that_is_being_written_is_taken_by_no_other_loop(world: World) -> None:
    world.vox.text(ANN, "STOP")
    world.poll()
    asked: list[int] = []

    def other_loop(change: Change) -> None:
        world.engine.deliver()
        asked.append(world.psa.asked.count("ann"))

    world.psa.on_write = other_loop
    world.engine.deliver()
    assert asked == [1]
    assert world.psa.written == [("ann", OUT)]


# --- the last look ---------------------------------------------------------------------------------------


def test_stop_between_taking_and_sending_stops_the_opt_in(world: World) -> None:
    world.vox.text(ANN, "#Go")
    world.clock.advance(5)
    world.poll()

    def stop(change: Change) -> None:
        world.psa.on_write = lambda change: None
        world.vox.text(ANN, "STOP")
        world.poll()

    world.psa.on_write = stop
    world.engine.deliver()
    assert world.psa.written == [("ann", OUT)]


def test_company_opt_out_between_taking_and_sending_stops_the_opt_in(world: World) -> None:
    world.vox.text(ANN, "#Go")
    world.clock.advance(5)
    world.poll()

    def opt_out(change: Change) -> None:
        world.psa.on_write = lambda change: None
        world.psa.add_company("1", COMPANY_OUT)
        world.engine.watch_companies()

    world.psa.on_write = opt_out
    world.engine.deliver(REST)
    world.deliver()
    assert ("ann", IN) not in world.psa.written
    assert world.psa.shows("ann") is OUT


def test_newer_go_does_not_hold_back_an_opt_out_on_its_way(world: World) -> None:
    world.vox.text(ANN, "STOP")
    world.poll()

    def go(change: Change) -> None:
        world.psa.on_write = lambda change: None
        world.clock.advance(5)
        world.vox.text(ANN, "#Go")
        world.poll()

    world.psa.on_write = go
    world.deliver()
    assert world.psa.written == [("ann", OUT), ("ann", IN)]


# --- somebody else was there first -----------------------------------------------------------------------


def test_opt_out_by_staff_that_was_not_seen_yet_is_not_overwritten(world: World) -> None:
    world.vox.text(ANN, "#Go")
    world.clock.advance(5)
    world.poll()
    world.psa.edit("ann", consent=OUT)
    world.deliver()
    assert world.psa.written == []
    assert [one["after"] for one in world.ledger("staff")] == ["opted_out"]
    world.steps(3)
    assert world.psa.shows("ann") is OUT


def test_our_own_late_opt_out_is_not_taken_for_staff(world: World) -> None:
    """The opt-out was sent and its answer lost; the person opts in; then the opt-out shows."""
    opt_out_with_a_lost_answer(world)
    world.vox.text(ANN, "#Go")
    world.poll()
    world.engine.deliver()
    assert world.psa.written == [("ann", IN)]
    assert world.ledger("staff") == []


@pytest.mark.parametrize("first", ["STOP", "#Go"])
def test_opt_out_by_staff_after_an_emptied_field_is_no_late_read(world: World, first: str) -> None:
    """Our opt-in is refused; somebody empties the field that said opted out; later somebody opts her out again."""
    if first == "STOP":
        world.vox.text(ANN, "STOP")
        world.step()
    else:
        world.psa.add("ann", ANN, shown=OUT)
        world.look()
    world.steps(2)
    world.psa.refuses["ann"] = "a required field is empty"
    world.vox.text(ANN, "#Go")
    world.step()
    world.psa.edit("ann", consent=None)
    world.steps(2, 3600)
    world.psa.edit("ann", consent=OUT)
    world.look()
    world.psa.refuses.clear()
    world.steps(3, 3600)
    assert (world.psa.shows("ann"), world.psa.written.count(("ann", IN))) == (OUT, 0)
    assert world.ledger("staff")[-1]["after"] == OUT


def test_what_is_taken_is_decided_by_what_came_meanwhile(world: World) -> None:
    world.vox.text(ANN, "STOP")
    world.poll()
    lanes = world.engine._delivery.settle(list(Lane))
    world.clock.advance(60)
    world.vox.text(ANN, "#Go")
    world.poll()
    world.engine._delivery.batch(lanes[0])
    assert world.psa.written == [("ann", IN)]


def test_value_that_shows_already_is_written_by_nobody(world: World) -> None:
    world.vox.text(ANN, "STOP")
    world.poll()
    world.psa.edit("ann", consent=OUT)
    world.deliver()
    assert world.psa.written == []
    assert [one["result"] for one in world.ledger("write")] == ["already"]


# --- refusals --------------------------------------------------------------------------------------------


def test_refused_contact_parks_after_three_and_is_tried_without_end(world: World) -> None:
    world.psa.refuses["ann"] = "the record is read-only"
    world.vox.text(ANN, "STOP")
    world.vox.text(BOB, "STOP")
    world.step()
    assert world.psa.shows("bob") is OUT
    assert world.status()["parked"] == []
    world.steps(12)
    [parked] = world.status()["parked"]
    assert (parked["contact"], parked["reason"]) == ("ann", "the record is read-only")
    assert world.log.alerts() == ["a contact cannot be written"]
    tried = world.psa.asked.count("ann")
    assert tried >= 3
    world.steps(30)
    assert world.psa.asked.count("ann") in range(tried + 2, tried + 5)
    world.psa.refuses.clear()
    world.steps(10)
    assert world.psa.shows("ann") is OUT
    assert world.status()["parked"] == []


def test_restart_tries_a_parked_contact_at_once(world: World) -> None:
    world.psa.refuses["ann"] = "the record is read-only"
    world.vox.text(ANN, "STOP")
    world.steps(20)
    world.psa.refuses.clear()
    world.restart()
    world.deliver()
    assert world.psa.shows("ann") is OUT


def test_postponed_opt_in_delays_no_later_opt_out(world: World) -> None:
    world.psa.refuses["ann"] = "the record is read-only"
    world.vox.text(ANN, "#Go")
    world.steps(20)
    assert world.status()["parked"]
    world.psa.refuses.clear()
    world.vox.text(ANN, "STOP")
    world.poll()
    world.engine.deliver((Lane.OPT_OUT,))
    assert world.psa.shows("ann") is OUT


@pytest.mark.parametrize("how", ["refused", "failed"])
def test_opt_in_that_fails_while_a_stop_comes_in_does_not_delay_it(world: World, how: str) -> None:
    """Another thread makes the verdict while the opt-in is on its way; then the PSA says no to the opt-in."""
    world.vox.text(ANN, "#Go")
    world.clock.advance(5)
    world.poll()

    def meanwhile() -> None:
        world.vox.text(ANN, "STOP")
        world.poll()
        world.engine.settle()

    def no() -> Exception:
        meanwhile()
        return Permanent("the record is locked", contact="ann")

    def refusing(changes: Iterator[Change]) -> Iterator[object]:
        from syncd.connector import refused

        for change in changes:
            meanwhile()
            yield change.contact_id, refused("the record is locked")

    if how == "failed":
        world.psa.fails["ann"] = no
    else:
        good, world.psa.write = world.psa.write, refusing  # type: ignore[method-assign, assignment]
    world.engine.deliver((Lane.OPT_IN,))
    world.psa.fails.clear()
    if how == "refused":
        world.psa.write = good  # type: ignore[method-assign]
    world.engine.deliver((Lane.OPT_OUT,))
    assert world.psa.shows("ann") is OUT


def test_ledger_says_why_a_write_was_made_even_when_a_stop_came_in_meanwhile(world: World) -> None:
    world.vox.text(ANN, "#Go")
    world.clock.advance(5)
    world.poll()
    good = world.psa.write

    def slow(changes: Iterator[Change]) -> Iterator[object]:
        for one in good(changes):
            world.vox.text(ANN, "STOP")  # the opt-in has left already
            world.poll()
            world.engine.settle()
            yield one

    world.psa.write = slow  # type: ignore[method-assign, assignment]
    world.engine.deliver((Lane.OPT_IN,))
    [write] = world.ledger("write")
    assert write["after"] == "opted_in"
    assert (write["clause"], write["because"]) == ("3.2.3, 3.2.4", [world.ledger("message")[0]["seq"]])


# --- poison ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (Permanent, True),
        (Permanent, False),
        (ShapeChanged, True),
        pytest.param(ShapeChanged, False),
        (ValueError, False),
    ],
)
def test_poison_in_a_batch_costs_nobody_else(world: World, error: type[Exception], named: bool) -> None:
    names = crowd(world, 8)
    for name in names:
        world.vox.text(number_of(name), "STOP")
    bad = names[2]
    facts = {"contact": bad} if named else {}
    world.psa.fails[bad] = lambda: error("no", **facts)
    world.steps(4)
    assert {name for name in names if world.psa.shows(name) is not OUT} == {bad}
    assert world.status()["pending"] == 1


@pytest.mark.parametrize("error", [Permanent, ShapeChanged])
def test_poison_that_nobody_names_blocks_no_later_opt_out(world: World, error: type[Exception]) -> None:
    world.psa.fails["ann"] = lambda: error("no")
    world.vox.text(ANN, "STOP")
    world.steps(3)
    world.vox.text(BOB, "STOP")
    world.steps(10)
    assert world.psa.shows("bob") is OUT


@pytest.mark.parametrize("count", [3, 7, 20])
def test_many_poisoned_contacts_block_no_later_opt_out(world: World, count: int) -> None:
    for name in crowd(world, count):
        world.psa.fails[name] = partial(Permanent, "no", contact=name)
        world.vox.text(number_of(name), "STOP")
    world.step()
    world.vox.text(ANN, "STOP")
    world.steps(60)
    assert world.psa.shows("ann") is OUT


def test_connector_that_forgets_an_outcome_is_not_asked_without_end(world: World) -> None:
    world.psa.silent.add("ann")
    world.vox.text(ANN, "STOP")
    world.vox.text(BOB, "STOP")
    world.step()
    assert world.psa.shows("bob") is OUT
    assert world.psa.asked.count("ann") < 10


def test_outcome_of_a_contact_that_nobody_asked_for_costs_nobody_else(world: World) -> None:
    good = world.psa.write

    def odd(changes: Iterator[Change]) -> Iterator[object]:
        from syncd.connector import APPLIED

        yield "who?", APPLIED
        yield from good(changes)

    world.vox.text(ANN, "STOP")
    world.psa.write = odd  # type: ignore[method-assign, assignment]
    world.step()
    world.psa.write = good  # type: ignore[method-assign]
    world.steps(12)
    assert world.psa.shows("ann") is OUT


# --- the PSA as a whole ----------------------------------------------------------------------------------


def test_psa_that_is_down_delays_and_loses_nothing(world: World) -> None:
    world.psa.down = Transient("HTTP 503")
    world.vox.text(ANN, "STOP")
    world.steps(20)
    assert world.status()["pending"] == 1
    assert world.status()["parked"] == []
    world.psa.down = None
    world.steps(11)
    assert world.psa.shows("ann") is OUT
    assert "works again" in world.log.events("info")


def test_three_contacts_that_fail_in_a_row_are_a_psa_that_is_down(world: World) -> None:
    """One that failed before says nothing new, and one that is written says that the PSA works."""
    for name in crowd(world, 9):
        world.vox.text(number_of(name), "STOP")
        world.psa.fails[name] = partial(Transient, "HTTP 500", contact=name)
    world.poll()
    before = len(world.psa.calls)
    world.engine.deliver((Lane.OPT_OUT,))
    assert world.psa.calls[before:] == ["write"] * 3
    world.psa.fails.clear()
    world.steps(20)
    assert world.status()["pending"] == 0


def test_psa_that_asks_for_patience_gets_it(world: World) -> None:
    world.psa.down = Transient("HTTP 429", retry_after=300)
    world.vox.text(ANN, "STOP")
    world.poll()
    world.deliver()
    before = len(world.psa.calls)
    for _ in range(9):
        world.clock.advance(POLL)
        world.engine.deliver((Lane.OPT_OUT,))
    assert len(world.psa.calls) == before
    world.psa.down = None
    world.clock.advance(POLL)
    world.deliver()
    assert world.psa.shows("ann") is OUT


def test_refused_credentials_are_tried_every_five_minutes_by_all_together(world: World) -> None:
    world.psa.down = AuthRefused("401")
    world.vox.text(ANN, "STOP")
    world.poll()
    world.psa.calls.clear()
    for _ in range(int(3600 / POLL)):
        world.step()
    assert len(world.psa.calls) <= 13
    world.psa.down = None
    world.steps(22)
    assert world.psa.shows("ann") is OUT


def test_delivery_with_nothing_to_write_does_not_take_the_credentials_for_good(world: World) -> None:
    world.psa.down = AuthRefused("401")
    world.look()
    world.psa.calls.clear()
    world.clock.advance(301)
    world.deliver()  # calls nobody
    assert world.psa.calls == []
    entered = [world.engine.psa_health[what].enter() for what in ("companies", "contacts")]
    assert entered.count(True) <= 1


@pytest.mark.parametrize(
    "error",
    [
        lambda: ConfigProblem("the field has no value Opted-In any more"),
        lambda: Transient("HTTP 500 for this one"),
        lambda: Permanent("no", contact="ann"),
    ],
    ids=["value renamed", "server error", "three named"],
)
def test_opt_ins_that_fail_delay_no_company_opt_out(world: World, error: object) -> None:
    assert callable(error)
    for name, number in (("ann", ANN), ("bob", BOB)):
        world.psa.fails[name] = error
        world.vox.text(number, "#Go")
    if error().__class__ is Permanent:
        for name in crowd(world, 12):
            world.psa.fails[name] = partial(Permanent, "no", contact=name)
            world.vox.text(number_of(name), "#Go")
    world.steps(8)
    world.psa.add_company("2", COMPANY_OUT)
    world.step()
    assert world.psa.shows("cy") is OUT


def test_store_that_refuses_is_no_end_of_the_engine(world: World) -> None:
    world.vox.text(ANN, "STOP")
    world.poll()
    with world.db.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1")
    for index in range(20):
        world.vox.text(BOB, f"#Go {'x ' * 10_000}", ago=index)
    world.vox.text(BOB, "STOP")
    world.step()
    with world.db.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1073741823")
    assert world.ledger("message")[-1]["number"] == ANN
    world.steps(3)
    assert (world.psa.shows("ann"), world.psa.shows("bob")) == (OUT, OUT)


def test_a_batch_whose_pick_the_database_refused_is_written_later(world: World) -> None:
    world.vox.text(ANN, "STOP")
    world.clock.advance(1)
    world.poll()
    delivery = world.engine._delivery
    pick = delivery._pick

    def full(_connection: object) -> None:
        event.remove(world.db._engine, "commit", full)
        raise OperationalError("COMMIT", None, Exception("database or disk is full"))

    def pick_on_a_full_disk(*args: Any) -> Any:
        event.listen(world.db._engine, "commit", full)
        delivery._pick = pick  # type: ignore[method-assign]
        return pick(*args)

    delivery._pick = pick_on_a_full_disk  # type: ignore[method-assign]
    world.deliver()
    assert world.psa.shows("ann") is None
    world.step()
    assert world.psa.shows("ann") is OUT


def test_nobody_is_opted_in_while_a_conversation_of_theirs_cannot_be_read(world: World) -> None:
    world.vox.text(ANN, "#Go")
    world.vox.text(BOB, "#Go")
    world.vox.text(ANN, "STOP", conversation="another")
    world.vox.thread_error["another"] = Transient("it drips")
    world.restart()
    world.step()
    assert (world.psa.shows("ann"), world.psa.shows("bob")) == (None, IN)
    world.vox.thread_error.clear()
    world.steps(2)
    assert ("ann", IN) not in world.psa.written
    assert world.psa.shows("ann") is OUT


def test_an_opt_in_goes_on_once_the_conversation_was_read(world: World) -> None:
    world.vox.text(ANN, "#Go")
    world.vox.text(ANN, "thanks", conversation="another")
    world.vox.thread_error["another"] = Transient("it drips")
    world.step()
    assert world.psa.shows("ann") is None
    world.vox.thread_error.clear()
    world.steps(3)
    assert world.psa.shows("ann") is IN
