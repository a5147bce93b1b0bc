"""Killed anywhere, the engine comes to the same end; and the ledger alone tells what every verdict is."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fakes import ANN, APPROVED, BOB, COMPANY_OUT, CY, DEE, IN, OURS, OURS_TOO, OUT, UNSET, World, fresh_database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from syncd.engine import Engine
from syncd.model import CompanyState, Consent, Contact, PhoneNumber
from syncd.plan import Mirror
from syncd.store import ledger, mirror
from syncd.store.database import open_writing
from syncd.store.schema import contacts
from syncd.store.times import moment

DAY = 24 * 3600.0


class Killed(BaseException):
    """The process ends here."""


# --- killed at every commit and every call ---------------------------------------------------------------


def arranged(folder: Path) -> World:
    """An MSP with a little of everything left to do."""
    world = World(folder, lines=(OURS, OURS_TOO), batch=2)
    world.psa.add_company("1")
    world.psa.add_company("2")
    world.psa.add("ann", ANN)
    world.psa.add("bob", BOB)
    world.psa.add("cy", CY, company="2", shown=IN)
    world.psa.add("dee", DEE, company="2", shown=OUT)
    world.step()
    world.vox.text(ANN, "#Go")
    world.vox.text(BOB, "my printer is broken", line=OURS_TOO)
    world.vox.text(BOB, "STOP", ago=-1)
    world.psa.add_company("2", COMPANY_OUT)
    world.psa.add("eve", CY, company="2")
    return world


def outcome(world: World) -> tuple[Any, ...]:
    shown = {one: contact.consent for one, contact in world.psa.people.items()}
    kinds = sorted((one["kind"], str(one["contact"]), str(one["text"])) for one in world.ledger() if _lasting(one))
    return shown, kinds, world.status()["pending"], world.intact()


def _lasting(entry: dict[str, Any]) -> bool:
    return entry["kind"] in ("message", "company", "contact", "staff", "outbound")


def killing(world: World, at: int) -> Callable[[], None]:
    """Count every commit and every call of the neighbours; end the process at the one numbered `at`."""
    seen = 0

    def tick(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == at:
            raise Killed

    event.listen(world.db._engine, "commit", tick)
    whole = (world.vox.listing, world.vox.thread, world.psa._one, world.psa._reach)

    def around(job: Callable[..., Any]) -> Callable[..., Any]:
        def called(*values: Any) -> Any:
            tick()  # and the commit after it is where its answer was not kept yet
            return job(*values)

        return called

    world.vox.listing, world.vox.thread, world.psa._one, world.psa._reach = map(around, whole)  # type: ignore[method-assign]

    def undo() -> None:
        world.vox.listing, world.vox.thread, world.psa._one, world.psa._reach = whole  # type: ignore[method-assign]
        event.remove(world.db._engine, "commit", tick)

    return undo


def test_killed_anywhere_it_comes_to_the_same_end(tmp_path: Path) -> None:
    def fresh(name: str) -> World:
        (tmp_path / name).mkdir()
        return arranged(tmp_path / name)

    clean = fresh("clean")
    clean.steps(3)
    expected = outcome(clean)
    assert expected[0] == {"ann": IN, "bob": OUT, "cy": OUT, "dee": OUT, "eve": OUT}
    clean.close()
    at, killed = 0, True
    while killed:
        at += 1
        world = fresh(str(at))
        undo = killing(world, at)
        try:
            world.step()
            killed = False
        except Killed:
            pass
        undo()
        world.restart()
        world.step()
        assert outcome(world) == expected, f"killed at step {at}"
        written = list(world.psa.written)
        world.step()
        assert world.psa.written == written
        world.close()
    assert at > 30


# --- the ledger alone ------------------------------------------------------------------------------------


PEOPLE = ("ann", "bob", "cy")
NUMBERS = (ANN, BOB, CY)
WORDS = ("STOP", "#Go", "my printer is broken", "do not text me until Monday", "thanks")
FIRMS = ("1", "2", "3")

_number = st.sampled_from(NUMBERS)
_person = st.sampled_from(PEOPLE)
EVENTS = st.one_of(
    st.tuples(
        st.just("text"), _number, st.sampled_from(WORDS), st.sampled_from((0.0, 0.0, 20.0, 3600.0, 2 * DAY))
    ),
    st.tuples(st.just("ours"), _number, st.sampled_from((0.0, 3600.0))),
    st.tuples(st.just("company"), st.sampled_from(FIRMS), st.sampled_from((APPROVED, COMPANY_OUT, UNSET))),
    st.tuples(st.just("move"), _person, st.sampled_from((*FIRMS, None))),
    st.tuples(st.just("numbers"), _person, st.lists(_number, max_size=2, unique=True)),
    st.tuples(st.just("active"), _person, st.booleans()),
    st.tuples(st.just("staff"), _person, st.sampled_from((IN, OUT, None))),
    st.tuples(st.just("refuse"), _person, st.booleans()),
    st.tuples(st.just("review"), st.sampled_from(("opt_in", "opt_out", "nothing"))),
    st.tuples(st.just("wait"), st.sampled_from((5.0, 4000.0, 2 * DAY))),
    st.tuples(st.just("only"), st.sampled_from(("poll", "look", "deliver", "restart"))),
)


def happen(world: World, what: tuple[Any, ...]) -> None:  # noqa: C901
    match what:
        case ("text", number, words, ago):
            world.vox.text(number, words, ago=ago)
        case ("ours", number, ago):
            world.vox.text(number, "Is it fixed?", ago=ago, outbound=True, line=OURS_TOO)
        case ("company", company, state):
            world.psa.add_company(company, state)
        case ("move", person, company):
            world.psa.edit(person, company_id=company)
        case ("numbers", person, numbers):
            world.psa.edit(person, numbers=tuple(map(PhoneNumber, numbers)))
        case ("active", person, active):
            world.psa.edit(person, active=active)
        case ("staff", person, consent):
            world.psa.edit(person, consent=consent)
        case ("refuse", person, yes):
            world.psa.refuses.pop(person, None)
            if yes:
                world.psa.refuses[person] = "no"
        case ("review", decision):
            decide_first(world, decision)
        case ("wait", seconds):
            world.clock.advance(seconds)
        case ("only", job):
            getattr(world, job)()
            return
    world.step()


def decide_first(world: World, decision: str) -> None:
    from syncd.desk import NotDone, carry_out

    waiting = world.review()
    if waiting:
        wish = {"do": "review", "seq": waiting[0]["seq"], "decision": decision, "by": "ann"}
        try:
            with world.db.begin() as connection:
                carry_out(connection, world.clock, wish)
        except NotDone:
            pass  # not every text may be decided in every way


def verdicts(engine_database: Any) -> dict[str, tuple[Any, ...]]:
    columns = ("desired", "clause", "cause", "evidence", "held", "review", "reason")
    with engine_database.begin() as connection:
        rows = connection.execute(select(contacts).order_by(contacts.c.id))
        return {row.id: tuple(getattr(row, name) for name in columns) for row in rows}


def refolded(world: World, folder: Path) -> dict[str, tuple[Any, ...]]:
    """The verdicts that come out when a new database has nothing but the entries of the ledger to go by."""
    database = open_writing(fresh_database(folder / "again.db"))
    with database.begin() as connection:
        for entry in world.ledger():
            plain = {key: value for key, value in entry.items() if key not in ("seq", "at", "prev", "kind")}
            assert ledger.append(connection, moment(entry["at"]), entry["kind"], **plain) == entry["seq"]
            _replay(connection, entry)
    engine = Engine(database, world.vox, world.psa, world.clock, world.log, world.setup)  # type: ignore[arg-type]
    engine.settle()
    found = verdicts(database)
    database.close()
    return found


def _replay(connection: Any, entry: dict[str, Any]) -> None:
    from syncd.model import Company
    from syncd.store.evidence import save_decision

    at = moment(entry["at"])
    match entry["kind"]:
        case "company":
            known = mirror.known_companies(connection)
            state = CompanyState(entry["after"])
            company = Company(entry["company"], entry["name"], state)
            mirror.save_companies(connection, [(company, True)], known)
            mirror.save_steps(connection, at, [company], [entry["seq"]])
        case "contact":
            shown = Consent(entry["shown"]) if entry["shown"] else None
            numbers = tuple(PhoneNumber(number) for number in entry["numbers"])
            contact = Contact(entry["contact"], entry["company"], entry["name"], numbers, entry["active"], shown)
            before = mirror.known_contacts(connection, ids=[contact.id]).get(contact.id)
            if before is None:
                mirror.add_contacts(connection, [(contact, Mirror(shown), entry["seq"])], at)
            elif entry.get("gone"):
                mirror.mark_gone(connection, before)
            else:
                mirror.change_contact(connection, before, contact, entry["seq"], at)
        case "review":
            save_decision(connection, entry["of"], entry["decision"], entry["seq"])


@given(st.lists(EVENTS, min_size=4, max_size=14))
@settings(max_examples=20, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_ledger_alone_tells_every_verdict(history: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        world = World(Path(name), lines=(OURS, OURS_TOO))
        for company in FIRMS:
            world.psa.add_company(company)
        for person, number in zip(PEOPLE, NUMBERS, strict=True):
            world.psa.add(person, number)
        world.step()
        for what in history:
            happen(world, what)
        world.psa.refuses.clear()
        world.restart()
        world.steps(3)
        # what the PSA shows is what it should show, and it stays so
        wanted = {one: row[0] for one, row in verdicts(world.db).items()}
        assert {one: world.psa.shows(one) for one, desired in wanted.items() if desired} == {
            one: desired for one, desired in wanted.items() if desired
        }
        written = list(world.psa.written)
        world.steps(2)
        assert world.psa.written == written
        # and the ledger tells why
        assert refolded(world, Path(name)) == verdicts(world.db)
        assert world.intact()
        world.close()
