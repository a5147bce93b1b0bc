"""`staff_opt_in: accept`: staff may overrule an opt-out that they could know of, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import ANN, BOB, IN, OUT, World

from syncd.model import Rules


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One approved company, Ann and Bob in it; everything was read once."""
    made = World(tmp_path, rules=Rules(staff_opt_in="accept"))
    made.psa.add_company("1")
    made.psa.add("ann", ANN)
    made.psa.add("bob", BOB)
    made.step()
    yield made
    assert made.intact()
    made.close()


def stop(world: World) -> None:
    world.clock.advance(1)
    world.vox.text(ANN, "STOP")
    world.poll()
    world.clock.advance(1)


def opted_in_by_hand(world: World) -> None:
    world.psa.edit("ann", consent=IN)
    world.clock.advance(1)


def test_staff_overrules_an_opt_out_that_the_psa_shows(world: World) -> None:
    stop(world)
    world.step()
    opted_in_by_hand(world)
    world.steps(2)
    assert world.psa.shows("ann") is IN
    stop(world)
    world.step()
    assert world.psa.shows("ann") is OUT


def test_also_when_no_list_was_read_in_between(world: World) -> None:
    stop(world)
    world.deliver()
    opted_in_by_hand(world)
    world.look()
    world.deliver()
    assert world.psa.shows("ann") is IN


def test_also_an_opt_out_of_staff_that_the_last_list_has_shown(world: World) -> None:
    world.psa.edit("ann", consent=OUT)
    world.look()
    opted_in_by_hand(world)
    world.steps(2)
    assert [one["after"] for one in world.ledger("staff")] == [OUT, IN]
    assert world.psa.shows("ann") is IN


def test_an_edit_made_before_a_stop_that_was_read_first_does_not_beat_it(world: World) -> None:
    opted_in_by_hand(world)
    stop(world)
    world.look()
    world.steps(2)
    assert [one["after"] for one in world.ledger("staff")] == [IN]
    assert world.psa.shows("ann") is OUT


def test_an_edit_listed_before_a_stop_does_not_beat_it(world: World) -> None:
    def meanwhile() -> None:
        world.psa.after_list = lambda: None
        stop(world)

    opted_in_by_hand(world)
    world.psa.after_list = meanwhile
    world.look()
    world.steps(2)
    assert [one["after"] for one in world.ledger("staff")] == [IN]
    assert world.psa.shows("ann") is OUT


def test_a_list_that_lacks_people_tells_nothing_of_when(world: World) -> None:
    opted_in_by_hand(world)
    stop(world)
    everybody = dict(world.psa.people)
    world.psa.people.clear()
    world.look()  # a permission was lost: nobody is taken for deleted
    world.psa.people.update(everybody)
    world.look()
    world.steps(2)
    assert world.psa.shows("ann") is OUT


def test_an_edit_made_after_the_list_was_asked_for_is_not_dated_by_what_came_of_that_list(world: World) -> None:
    def meanwhile() -> None:
        world.psa.after_list = lambda: None
        opted_in_by_hand(world)
        stop(world)

    world.psa.edit("bob", consent=OUT)
    world.psa.after_list = meanwhile
    world.look()  # it shows what Bob's field is now, and Ann's was
    world.look()
    world.steps(2)
    assert [one["contact"] for one in world.ledger("staff")] == ["bob", "ann"]
    assert world.psa.shows("ann") is OUT


def test_who_comes_back_opted_in_was_so_before(world: World) -> None:
    opted_in_by_hand(world)
    stop(world)
    ann = world.psa.people.pop("ann")
    world.look()
    world.look()
    world.psa.people["ann"] = ann
    world.steps(3)
    assert world.psa.shows("ann") is OUT
