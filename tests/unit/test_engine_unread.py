"""What cannot be read: it is told, it holds up opt-ins of that person, and nothing is proven meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import ANN, BOB, IN, OURS, OURS_TOO, OUT, World

from syncd.account import explain
from syncd.errors import ShapeChanged
from syncd.keywords import Vocabulary, read
from syncd.model import Intent, Rules
from syncd.store import mirror

UNCLEAR = "no more alerts until Monday"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Ann and Bob opted in; then Ann's conversation cannot be read any more."""
    made = World(tmp_path)
    made.psa.add_company("1")
    made.psa.add("ann", ANN)
    made.psa.add("bob", BOB)
    made.step()
    made.vox.text(ANN, "#Go")
    made.vox.text(BOB, "#Go")
    made.steps(2)
    yield made
    assert made.intact()
    made.close()


def break_it(world: World) -> None:
    world.vox.thread_error["c0110"] = ShapeChanged("the answer is too long")
    world.vox.text(ANN, "STOP")
    world.step()


def may_text(world: World, number: str) -> Any:
    with world.db.begin() as connection:
        found = explain(connection, number, Rules())  # type: ignore[arg-type]
    return found["may_text"], found["reason"]


def test_it_is_an_alert_from_the_third_time_on_and_once(world: World) -> None:
    break_it(world)
    assert world.log.alerts() == []
    world.steps(12)
    assert world.log.alerts() == ["a conversation cannot be read"]


def test_nothing_is_proven_of_that_person_meanwhile(world: World) -> None:
    assert may_text(world, ANN)[0] is True
    break_it(world)
    assert may_text(world, ANN) == (
        False,
        "not proven: a conversation with them cannot be read now, and may hold an opt-out",
    )
    assert may_text(world, BOB)[0] is True
    world.restart()
    assert may_text(world, ANN)[0] is False
    world.vox.thread_error.clear()
    world.steps(3)
    assert world.psa.shows("ann") is OUT
    world.clock.advance(60)
    world.vox.text(ANN, "#Go")
    world.steps(3)
    assert (world.psa.shows("ann"), may_text(world, ANN)[0]) == (IN, True)


def test_after_a_restart_it_is_known_to_be_read_again(world: World) -> None:
    break_it(world)
    world.vox.thread_error.clear()
    world.vox.text(ANN, "#Go", ago=-1)
    world.restart()
    world.steps(3)
    assert may_text(world, ANN)[0] is True


def test_a_number_that_is_no_longer_ours_is_forgotten(tmp_path: Path) -> None:
    world = World(tmp_path, lines=(OURS, OURS_TOO))
    with world.db.begin() as connection:
        mirror.save_unread(connection, OURS_TOO, [ANN])
        mirror.forget_unread(connection, [OURS, OURS_TOO])
        assert mirror.unread(connection)[OURS_TOO] == [ANN]
        mirror.forget_unread(connection, [OURS])
        assert OURS_TOO not in mirror.unread(connection)
    world.close()


def test_an_unclear_text_without_a_readable_date_waits_for_a_person(world: World) -> None:
    world.vox.text(ANN, UNCLEAR, undated=True)
    world.steps(3)
    assert [one["text"] for one in world.review()] == [UNCLEAR]
    assert world.log.alerts() == ["dates of messages cannot be read"]


def test_asking_a_hundred_times_in_one_text_is_doubt_and_takes_no_seconds() -> None:
    began = time.process_time()
    reading = read("stop, a. " * 1100, Vocabulary())
    assert time.process_time() - began < 1.5
    assert reading.intent is Intent.UNCLEAR
