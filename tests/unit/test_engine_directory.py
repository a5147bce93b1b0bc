"""Companies, contacts, people's edits and the brake: what the PSA shows, and what the daemon makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import ANN, APPROVED, BOB, COMPANY_OUT, CY, DEE, IN, OUT, UNSET, World

from syncd.directory import release_brake
from syncd.errors import ShapeChanged, Transient
from syncd.model import CompanyState, Consent
from syncd.plan import BrakeLimits


def build(folder: Path, **options: object) -> World:
    made = World(folder, **options)  # type: ignore[arg-type]
    made.psa.add_company("1")
    made.psa.add_company("2")
    made.psa.add("ann", ANN)
    made.psa.add("bob", BOB)
    made.step()
    return made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two approved companies, Ann and Bob in the first one; everything was read once."""
    made = build(tmp_path)
    yield made
    assert made.intact()
    made.close()


def go(world: World, number: str) -> None:
    world.clock.advance(5)
    world.vox.text(number, "#Go")
    world.step()


# --- company cascade -------------------------------------------------------------------------------------


def test_company_opt_out_reaches_everybody(world: World) -> None:
    world.psa.add("cy", CY, active=False)
    world.psa.add("dee", company="1")
    go(world, ANN)
    world.psa.add_company("1", COMPANY_OUT)
    world.step()
    assert {world.psa.shows(one) for one in world.psa.people} == {OUT}


def test_contact_moved_to_an_opted_out_company_while_the_clock_was_set_back(world: World) -> None:
    world.psa.add_company("2", COMPANY_OUT)
    world.look()
    go(world, ANN)
    assert world.psa.shows("ann") is IN
    world.psa.edit("ann", company_id="2")
    world.clock.wall -= timedelta(days=2)
    world.steps(2)
    assert world.psa.shows("ann") is OUT


def test_contacts_created_or_moved_there_later_are_opted_out(world: World) -> None:
    world.psa.add("dee", DEE, company="2")
    go(world, DEE)
    assert world.psa.shows("dee") is IN
    world.psa.add_company("1", COMPANY_OUT)
    world.step()
    world.psa.add("cy", CY)
    world.psa.edit("dee", company_id="1")
    world.step()
    assert (world.psa.shows("cy"), world.psa.shows("dee")) == (OUT, OUT)


def test_opt_out_of_the_company_goes_along_with_those_who_leave(world: World) -> None:
    go(world, ANN)
    world.psa.add_company("1", COMPANY_OUT)
    world.step()
    world.psa.edit("ann", company_id="2")
    world.step()
    assert world.psa.shows("ann") is OUT
    go(world, ANN)
    assert world.psa.shows("ann") is IN


def test_approval_brings_back_only_those_who_opt_in_after_the_opt_out(world: World) -> None:
    go(world, ANN)
    go(world, BOB)
    world.psa.add_company("1", COMPANY_OUT)
    world.step()
    go(world, BOB)
    assert (world.psa.shows("bob"), world.status()["held"]) == (OUT, 1)
    world.psa.add_company("1", APPROVED)
    world.steps(2)
    assert (world.psa.shows("ann"), world.psa.shows("bob")) == (OUT, IN)


@pytest.mark.parametrize("lost", ["unset", "gone from the list"])
def test_lost_approval_is_an_opt_out(world: World, lost: str) -> None:
    for company in ("3", "4", "5"):
        world.psa.add_company(company)
    go(world, ANN)
    if lost == "unset":
        world.psa.add_company("1", UNSET)
    else:
        del world.psa.company["1"]
    world.step()
    assert (world.psa.shows("ann"), world.psa.shows("bob")) == (OUT, OUT)


def test_company_never_approved_opts_nobody_out(world: World) -> None:
    world.psa.add_company("3", UNSET)
    world.psa.add("cy", CY, company="3", shown=IN)
    world.steps(2)
    assert world.psa.written == []


def test_cascade_does_not_wait_for_the_next_reading_of_all_contacts(world: World) -> None:
    world.psa.add("cy", CY)  # created a moment ago: the mirror does not have it yet
    world.psa.add_company("1", COMPANY_OUT)
    world.engine.watch_companies()
    world.deliver()
    assert world.psa.shows("cy") is OUT


def test_contacts_of_a_cascade_that_cannot_be_read_are_read_soon(world: World) -> None:
    def broken(company: str | None = None, changed_since: object = None) -> Iterator[object]:
        raise Transient("HTTP 500")

    good, world.psa.contacts = world.psa.contacts, broken  # type: ignore[method-assign, assignment]
    world.psa.add("cy", CY)
    world.psa.add_company("1", COMPANY_OUT)
    world.engine.refresh_soon.clear()
    assert world.engine.watch_companies()
    assert world.engine.refresh_soon.is_set()
    world.deliver()
    assert world.psa.shows("ann") is OUT
    world.psa.contacts = good  # type: ignore[method-assign]
    world.step()
    assert world.psa.shows("cy") is OUT


def test_filter_that_the_psa_ignores_changes_nothing(world: World) -> None:
    world.psa.add("dee", DEE, company="2")
    world.step()
    everybody = world.psa.contacts
    world.psa.contacts = lambda company=None, changed_since=None: everybody()  # type: ignore[method-assign]
    with pytest.raises(ShapeChanged):
        world.engine._directory.refresh_contacts("1")


def test_list_that_breaks_off_changes_nothing(world: World) -> None:
    def half() -> Iterator[object]:
        yield world.psa.company["1"]
        raise Transient("HTTP 500")

    world.psa.companies = half  # type: ignore[method-assign, assignment]
    before = world.ledger()
    assert world.engine.watch_companies() is False
    assert world.ledger() == before
    assert world.status()["psa"]["companies"]["error"] == "HTTP 500"


# --- what people do in the PSA ---------------------------------------------------------------------------


def test_staff_opt_out_counts_and_only_a_later_opt_in_ends_it(world: World) -> None:
    go(world, ANN)
    world.psa.edit("ann", consent=OUT)
    world.steps(2)
    assert world.psa.shows("ann") is OUT
    assert [(one["before"], one["after"]) for one in world.ledger("staff")] == [("opted_in", "opted_out")]
    go(world, ANN)
    assert world.psa.shows("ann") is IN


def test_staff_opt_in_against_a_live_opt_out_is_put_back_and_reported(world: World) -> None:
    world.vox.text(ANN, "STOP")
    world.step()
    world.psa.edit("ann", consent=IN)
    world.steps(2)
    assert world.psa.shows("ann") is OUT
    assert any("put back" in event for event in world.log.events("warning"))


def test_staff_opt_in_without_an_opt_out_is_left_alone(world: World) -> None:
    world.psa.edit("ann", consent=IN)
    world.steps(2)
    assert (world.psa.shows("ann"), world.psa.written) == (IN, [])


def test_cleared_field_is_set_again(world: World) -> None:
    world.vox.text(ANN, "STOP")
    world.step()
    world.psa.edit("ann", consent=None)
    world.step()
    assert world.psa.shows("ann") is OUT
    assert world.ledger("staff") == []


def test_contact_first_seen_opted_out_stays_so(world: World) -> None:
    world.vox.text(CY, "#Go")
    world.step()
    world.psa.add("cy", CY, shown=OUT)
    world.steps(2)
    assert world.psa.shows("cy") is OUT
    go(world, CY)
    assert world.psa.shows("cy") is IN


@pytest.mark.parametrize(("first", "then", "value"), [("#Go", "STOP", OUT), ("STOP", "#Go", IN)])
def test_list_that_was_read_before_our_write_is_no_edit(
    world: World, first: str, then: str, value: Consent
) -> None:
    """The PSA's list is on its way while a write goes through: what it shows of that contact is old."""
    world.clock.advance(5)
    world.vox.text(ANN, first)
    world.step()

    def meanwhile() -> None:
        world.psa.after_list = lambda: None
        world.poll()
        world.deliver()

    world.clock.advance(5)
    world.vox.text(ANN, then)
    world.psa.after_list = meanwhile
    world.clock.advance(30)
    world.engine.refresh_directory()
    assert world.psa.shows("ann") is value
    assert world.ledger("staff") == []
    kept = len(world.psa.written)
    world.steps(2)
    assert (world.psa.shows("ann"), len(world.psa.written)) == (value, kept)


def test_read_that_lags_behind_our_write_is_no_edit(world: World) -> None:
    """The write left and its answer was lost; the PSA shows the old value once more, then the new one."""
    go(world, ANN)
    world.vox.text(ANN, "STOP")
    world.psa.fails["ann"] = lambda: Transient("lost")
    world.step()
    world.psa.fails.clear()
    world.clock.advance(600)
    world.engine.refresh_directory()  # still opted in
    world.psa.edit("ann", consent=OUT)  # the lost write arrives
    world.steps(2)
    assert world.ledger("staff") == []
    go(world, ANN)
    assert world.psa.shows("ann") is IN


# --- contacts that go ------------------------------------------------------------------------------------


def test_contact_that_is_gone_is_not_written_and_blocks_nothing(world: World) -> None:
    for index in range(3):
        world.psa.add(f"x{index}")
    world.look()
    world.vox.text(ANN, "STOP")
    world.vox.text(BOB, "STOP")
    world.poll()
    del world.psa.people["ann"]
    world.deliver()
    assert world.psa.written == [("bob", OUT)]
    world.steps(2)
    assert world.status()["pending"] == 0
    assert world.status()["unmatched"] == 1
    world.psa.add("ann", ANN)
    world.step()
    assert world.psa.shows("ann") is OUT


def test_contact_that_is_deleted_is_noted_and_merging_moves_its_number(world: World) -> None:
    for index in range(8):
        world.psa.add(f"x{index}")
    world.vox.text(ANN, "STOP")
    world.step()
    del world.psa.people["ann"]
    world.psa.edit("bob", numbers=(BOB, ANN))
    world.step()
    assert world.psa.shows("bob") is OUT
    assert [one["contact"] for one in world.ledger("contact") if one.get("gone")] == ["ann"]


def test_list_of_one_company_takes_nobody_for_deleted(world: World) -> None:
    ann = world.psa.people.pop("ann")
    world.psa.add_company("1", COMPANY_OUT)
    world.engine.watch_companies()  # reads the people of that company only
    assert [one for one in world.ledger("contact") if one.get("gone")] == []
    world.psa.people["ann"] = ann
    world.steps(2)
    assert world.psa.shows("ann") is OUT


def test_ledger_tells_what_became_of_a_company(world: World) -> None:
    for company in ("3", "4", "5"):  # else the brake holds a list that lacks one of two
        world.psa.add_company(company)
    world.psa.add_company("1", COMPANY_OUT)
    world.step()
    del world.psa.company["2"]
    world.step()
    told = [
        (one["company"], one["before"], one["after"], one["listed"], one["opt_out"])
        for one in world.ledger("company")
        if one["company"] in ("1", "2")
    ]
    assert told == [
        ("1", None, "approved", True, False),
        ("2", None, "approved", True, False),
        ("1", "approved", "opted_out", True, True),
        ("2", "approved", "unset", False, True),
    ]
    heads = [fields["head"] for _, event, fields in world.log.lines if event == "ledger head"]
    assert heads, "a head leaves the machine at each company's opt-out"


def test_shrunken_list_of_contacts_takes_nobody_for_deleted(world: World) -> None:
    for index in range(8):
        world.psa.add(f"x{index}")
    world.step()
    everybody, world.psa.people = world.psa.people, {"ann": world.psa.people["ann"]}
    world.step()
    assert world.status()["contacts"] == 10
    world.psa.people = everybody
    world.step()
    assert world.status()["contacts"] == 10


def test_name_with_half_an_emoji_stops_nothing(world: World) -> None:
    world.psa.add("cy", CY)
    world.psa.edit("cy", name="Cy \ud83d")
    world.vox.text(CY, "STOP")
    world.step()
    assert world.psa.shows("cy") is OUT


def test_company_name_with_a_nul_stops_nothing(world: World) -> None:
    company = type(world.psa.company["1"])
    world.psa.company["3"] = company("3", "A\0B", CompanyState.APPROVED)
    world.psa.add("cy", CY, company="3")
    go(world, CY)
    assert world.psa.shows("cy") is IN


# --- brake -----------------------------------------------------------------------------------------------


def with_companies(folder: Path, count: int, **limits: int) -> World:
    made = World(folder, brake=BrakeLimits(**limits))
    for index in range(count):
        made.psa.add_company(str(index))
        made.psa.add(f"p{index}", f"+120255502{index:02}", company=str(index))
    made.step()
    return made


def release(world: World) -> list[str]:
    with world.db.begin() as connection:
        return release_brake(connection, world.clock.now(), "ann")


def test_too_many_companies_are_held_until_released(tmp_path: Path) -> None:
    world = with_companies(tmp_path, 10, companies=3)
    world.vox.text("+12025550209", "STOP")
    for index in range(4):
        world.psa.add_company(str(index), COMPANY_OUT)
    world.steps(3)
    assert world.psa.written == [("p9", OUT)]  # people's own opt-outs are never braked
    brake = world.status()["brake"]
    assert (brake["what"], brake["released"]) == ("too many companies", False)
    assert world.log.alerts().count("a pass is held by the brake") == 1
    assert release(world)
    assert release(world) == []
    world.step()
    assert sorted(world.psa.written) == sorted([("p9", OUT), *((f"p{index}", OUT) for index in range(4))])
    assert world.status()["brake"] is None
    assert [entry["what"] for entry in world.ledger("brake")] == [
        "held: too many companies",
        "released by ann",
        "resumed",
    ]


def test_release_covers_only_what_was_held(tmp_path: Path) -> None:
    world = with_companies(tmp_path, 20, companies=3)
    for index in range(4):
        world.psa.add_company(str(index), COMPANY_OUT)
    world.step()
    release(world)
    for index in range(4, 8):
        world.psa.add_company(str(index), COMPANY_OUT)
    world.step()
    assert world.psa.written == []
    assert not world.status()["brake"]["released"]


def test_brake_lets_go_by_itself_when_the_psa_is_mended(tmp_path: Path) -> None:
    world = with_companies(tmp_path, 10, companies=3)
    for index in range(4):
        world.psa.add_company(str(index), UNSET)
    world.step()
    assert world.status()["brake"]
    for index in range(4):
        world.psa.add_company(str(index))
    world.step()
    assert (world.status()["brake"], world.psa.written) == (None, [])


@pytest.mark.parametrize("left", [0, 6])
def test_shrunken_or_empty_company_list_is_held(tmp_path: Path, left: int) -> None:
    world = with_companies(tmp_path, 10, companies=8)
    for index in range(left, 10):
        del world.psa.company[str(index)]
    world.steps(2)
    assert world.psa.written == []
    assert world.status()["brake"]["what"] == "company list shrank"
    world.restart()
    world.step()
    assert world.psa.written == []
    release(world)
    world.step()
    if left:  # four are fewer than the limit
        assert len(world.psa.written) == 10 - left


def test_one_company_with_too_many_contacts_is_held(tmp_path: Path) -> None:
    world = with_companies(tmp_path, 3, contacts=4)
    for index in range(5):
        world.psa.add(f"x{index}", company="0")
    world.step()
    world.psa.add_company("0", COMPANY_OUT)
    world.steps(2)
    assert world.psa.written == []
    release(world)
    world.step()
    assert len(world.psa.written) == 6


def test_too_many_contacts_moved_into_opted_out_companies_are_held(tmp_path: Path) -> None:
    world = with_companies(tmp_path, 3, contacts=2)
    world.psa.add_company("0", COMPANY_OUT)
    world.step()
    for index in range(3):
        world.psa.add(f"x{index}", f"+120255503{index:02}", company="0")
    world.steps(2)
    assert world.psa.written == [("p0", OUT)]
    assert world.status()["brake"]["what"] == "too many contacts"
    release(world)
    world.step()
    assert len(world.psa.written) == 4


def test_stop_of_a_contact_that_the_brake_holds_back_is_not_held(tmp_path: Path) -> None:
    world = with_companies(tmp_path, 3, contacts=2)
    world.psa.add_company("0", COMPANY_OUT)
    world.step()
    for index in range(3):
        world.psa.add(f"x{index}", f"+120255503{index:02}", company="0")
    world.vox.text("+12025550300", "STOP")
    world.steps(2)
    assert world.psa.shows("x0") is OUT


def test_reading_one_company_does_not_let_a_held_pass_go(tmp_path: Path) -> None:
    world = with_companies(tmp_path, 5, contacts=2)
    world.psa.add_company("0", COMPANY_OUT)
    world.step()
    for index in range(3):
        world.psa.add(f"x{index}", company="0")
    world.step()
    assert world.status()["brake"]
    release(world)
    world.psa.add_company("1", COMPANY_OUT)
    world.engine.watch_companies()  # reads the contacts of company 1 only
    assert world.status()["brake"]
    world.step()
    assert {world.psa.shows(f"x{index}") for index in range(3)} == {OUT}


def test_release_is_kept_over_a_restart(tmp_path: Path) -> None:
    world = with_companies(tmp_path, 10, companies=3)
    for index in range(4):
        world.psa.add_company(str(index), COMPANY_OUT)
    world.step()
    release(world)
    world.restart()
    world.step()
    assert len(world.psa.written) == 4


def test_both_brakes_are_shown(tmp_path: Path) -> None:
    world = with_companies(tmp_path, 10, contacts=2, companies=3)
    world.psa.add_company("0", COMPANY_OUT)
    world.step()
    for index in range(3):
        world.psa.add(f"x{index}", company="0")
    for index in range(1, 6):
        world.psa.add_company(str(index), COMPANY_OUT)
    world.step()
    shown = str(world.status())
    assert "contacts appeared in opted-out companies" in shown
    assert "companies would be opted out" in shown
