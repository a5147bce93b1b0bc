"""The mirror of the PSA: companies, contacts, who belonged where, and what is to be written."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, and_, bindparam, case, delete, func, insert, or_, select, update

from syncd.model import Cause, Company, CompanyState, Consent, Contact, Verdict, storable
from syncd.plan import Lane, Mirror
from syncd.store.evidence import mark_stale, mirror_columns, mirror_of, parts
from syncd.store.schema import companies, company_steps, contact_numbers, contacts, facts, memberships
from syncd.store.times import stamp


@dataclass(frozen=True, slots=True)
class KnownCompany:
    """A company as recorded; `listed` tells whether the last good list had it."""

    id: str
    name: str
    state: CompanyState
    listed: bool


@dataclass(frozen=True, slots=True)
class KnownContact:
    """A contact as mirrored."""

    contact: Contact
    gone: bool
    mirror: Mirror


# Statements are built once: building one costs more than carrying it out.
_COMPANIES = select(companies)
_ADD_COMPANIES, _ADD_STEPS = insert(companies), insert(company_steps)
_CHANGE_COMPANY = update(companies).where(companies.c.id == bindparam("the_id"))
_ALL = select(contacts)
_ONE = select(contacts).where(contacts.c.id == bindparam("the_id"))
_SOME = select(contacts).where(
    or_(contacts.c.company == bindparam("company"), contacts.c.id.in_(bindparam("ids", expanding=True)))
)
_NUMBERS = select(contact_numbers)
_NUMBERS_OF_SOME = _NUMBERS.where(contact_numbers.c.contact.in_(_SOME.with_only_columns(contacts.c.id)))
_ADD_CONTACTS, _ADD_MEMBERSHIPS, _ADD_NUMBERS = insert(contacts), insert(memberships), insert(contact_numbers)
_DROP_NUMBERS = delete(contact_numbers).where(contact_numbers.c.contact == bindparam("the_id"))
_OWNERS = select(contact_numbers.c.contact).where(
    contact_numbers.c.number.in_(bindparam("numbers", expanding=True))
)
_CHANGE = update(contacts).where(contacts.c.id == bindparam("the_id"))
_NOT_OPTED_OUT = (
    select(contacts.c.company, func.count())
    .where(contacts.c.company.in_(bindparam("companies", expanding=True)), contacts.c.gone.is_(False))
    .where(or_(contacts.c.shown.is_(None), contacts.c.shown != Consent.OPTED_OUT.value))
    .group_by(contacts.c.company)
)
_EVER_IN = (
    update(contacts)
    .where(
        contacts.c.id.in_(select(memberships.c.contact).where(memberships.c.company == bindparam("the_company")))
    )
    .values(stale=True)
)
_STALE = select(contacts.c.id).where(contacts.c.stale.is_(True)).limit(bindparam("most"))
_FACT = select(facts.c.value).where(facts.c.name == bindparam("the_name"))
_DROP_FACT = delete(facts).where(facts.c.name == bindparam("the_name"))
_CHANGE_FACT = update(facts).where(facts.c.name == bindparam("the_name"))
_ADD_FACT = insert(facts)
_BRAKES = select(facts).where(facts.c.name.like("brake:%"))


# --- companies -------------------------------------------------------------------------------------------


def known_companies(connection: Connection) -> dict[str, KnownCompany]:
    """Every company ever seen."""
    rows = connection.execute(_COMPANIES)
    return {row.id: KnownCompany(row.id, row.name, CompanyState(row.state), row.listed) for row in rows}


def save_companies(connection: Connection, found: Iterable[tuple[Company, bool]], known: Collection[str]) -> None:
    """Store what the list showed of companies, and whether it had them. `known`: those that are stored already."""
    new: list[dict[str, object]] = []
    changed: list[dict[str, object]] = []
    for company, listed in found:
        values: dict[str, object] = {"name": company.name, "state": company.state.value, "listed": listed}
        if company.id in known:
            changed.append(values | {"the_id": company.id})
        else:
            new.append(values | {"id": company.id})
    if new:
        connection.execute(_ADD_COMPANIES, new)
    if changed:
        connection.execute(_CHANGE_COMPANY, changed)


def save_steps(connection: Connection, now: datetime, changed: Sequence[Company], seqs: Sequence[int]) -> None:
    """Store changes of companies' states, each with its ledger entry; whoever was ever in one is decided again."""
    if not changed:
        return
    steps = [
        {"company": company.id, "seq": seq, "at": stamp(now), "state": company.state.value}
        for company, seq in zip(changed, seqs, strict=True)
    ]
    connection.execute(_ADD_STEPS, steps)
    connection.execute(_EVER_IN, [{"the_company": company.id} for company in changed])


def not_opted_out(connection: Connection, ids: Collection[str]) -> dict[str, int]:
    """How many contacts of each of these companies do not show opted out."""
    found: dict[str, int] = {}
    for part in parts(ids):
        found |= {row[0]: row[1] for row in connection.execute(_NOT_OPTED_OUT, {"companies": part})}
    return found


# --- contacts --------------------------------------------------------------------------------------------


def known_contacts(
    connection: Connection, *, company: str | None = None, ids: Sequence[str] = ()
) -> dict[str, KnownContact]:
    """Mirrored contacts: of one company or with these ids, or all when neither is given."""
    some = company is not None or ids
    which = {"company": company, "ids": list(ids)} if some else {}
    rows = {row.id: row for row in connection.execute(_SOME if some else _ALL, which)}
    numbers: dict[str, list[Any]] = {contact_id: [] for contact_id in rows}
    for row in connection.execute(_NUMBERS_OF_SOME if some else _NUMBERS, which):
        numbers[row.contact].append(row.number)
    return {
        row.id: KnownContact(
            Contact(
                row.id,
                row.company,
                row.name,
                tuple(sorted(numbers[row.id])),
                row.active,
                Consent(row.shown) if row.shown else None,
            ),
            row.gone,
            mirror_of(row),
        )
        for row in rows.values()
    }


def add_contacts(connection: Connection, found: Sequence[tuple[Contact, Mirror, int]], now: datetime) -> None:
    """Store contacts seen for the first time, each with the ledger entry that tells of it."""
    if not found:
        return
    fresh = {
        "gone": False,
        "stale": True,
        "desired": None,
        "cause": "nobody",
        "clause": "",
        "reason": "",
        "evidence": "[]",
        "held": False,
        "review": "[]",
        "attempts": 0,
    }
    connection.execute(
        _ADD_CONTACTS,
        [fresh | _facts_of(contact) | {"id": contact.id} | mirror_columns(mirror) for contact, mirror, _ in found],
    )
    connection.execute(
        _ADD_MEMBERSHIPS,
        [_membership(contact, seq, now) for contact, _, seq in found],
    )
    _add_numbers(connection, [contact for contact, _, _ in found])


def change_contact(
    connection: Connection, before: KnownContact, contact: Contact, seq: int, now: datetime
) -> None:
    """Store who a contact is now: name, company, numbers, active. `seq` is the ledger entry that tells it."""
    values = _facts_of(contact) | {"gone": False, "stale": True}
    connection.execute(_CHANGE, values | {"the_id": contact.id})
    if contact.company_id != before.contact.company_id:
        connection.execute(_ADD_MEMBERSHIPS, _membership(contact, seq, now))
    if set(contact.numbers) != set(before.contact.numbers):
        connection.execute(_DROP_NUMBERS, {"the_id": contact.id})
        _add_numbers(connection, [contact])
        mark_stale(connection, before.contact.numbers)
    mark_stale(connection, contact.numbers)


def mark_gone(connection: Connection, known: KnownContact) -> None:
    """The PSA no longer has this contact; its evidence stays, and so does its row."""
    connection.execute(_CHANGE, {"the_id": known.contact.id, "gone": True, "stale": True})
    mark_stale(connection, known.contact.numbers)


def save_mirror(connection: Connection, contact_id: str, mirror: Mirror, *, stale: bool = False) -> None:
    """Store what is known of the opt-in field."""
    values: dict[str, object] = mirror_columns(mirror)
    if stale:
        values["stale"] = True
    connection.execute(_CHANGE, values | {"the_id": contact_id})


def _membership(contact: Contact, seq: int, now: datetime) -> dict[str, object]:
    return {"contact": contact.id, "seq": seq, "at": stamp(now), "company": contact.company_id}


def _facts_of(contact: Contact) -> dict[str, object]:
    return {"company": contact.company_id, "name": contact.name, "active": contact.active}


def _add_numbers(connection: Connection, found: Iterable[Contact]) -> None:
    rows = [{"number": number, "contact": contact.id} for contact in found for number in set(contact.numbers)]
    if rows:
        connection.execute(_ADD_NUMBERS, rows)
        mark_stale(connection, {str(row["number"]) for row in rows})


# --- verdicts and writes ---------------------------------------------------------------------------------


def stale_contacts(connection: Connection, limit: int) -> list[str]:
    """Contacts whose verdict must be made again."""
    return [row.id for row in connection.execute(_STALE, {"most": limit})]


def everything_stale(connection: Connection) -> None:
    """The rules changed: make every verdict again."""
    connection.execute(update(contacts).values(stale=True))


_SAME = contacts.c.desired.is_not_distinct_from(bindparam("wanted", type_=String))
_VERDICT_WAITS = _CHANGE.values(
    attempts=case((_SAME, contacts.c.attempts), else_=0),
    trouble=case((_SAME, contacts.c.trouble), else_=None),
    wanted_since=func.coalesce(contacts.c.wanted_since, bindparam("now", type_=String)),
)


def save_verdict(connection: Connection, contact_id: str, verdict: Verdict, *, waits: bool, now: datetime) -> None:
    """Store a verdict; `waits` when the PSA must be told about it."""
    values: dict[str, object] = {
        "the_id": contact_id,
        "stale": False,
        "desired": verdict.desired,
        "cause": verdict.cause.value,
        "clause": verdict.clause,
        "reason": verdict.reason,
        "evidence": json.dumps(verdict.evidence),
        "held": verdict.held,
        "review": json.dumps(verdict.review),
    }
    if waits:
        connection.execute(_VERDICT_WAITS, values | {"wanted": verdict.desired, "now": stamp(now)})
    else:
        connection.execute(_CHANGE, values | {"wanted_since": None, "attempts": 0, "trouble": None})


@dataclass(frozen=True, slots=True)
class Waiting:
    """A contact whose field must be written. `stale`: there is evidence that the verdict does not know yet."""

    id: str
    company_id: str | None
    verdict: Verdict
    mirror: Mirror
    attempts: int
    stale: bool


_WAITING = and_(contacts.c.wanted_since.is_not(None), contacts.c.gone.is_(False))
_OPT_IN = contacts.c.desired == Consent.OPTED_IN.value
_CASCADE = and_(contacts.c.desired == Consent.OPTED_OUT.value, contacts.c.cause == Cause.COMPANY.value)
_OPT_OUT = and_(contacts.c.desired == Consent.OPTED_OUT.value, contacts.c.cause != Cause.COMPANY.value)
_LANES = {Lane.OPT_OUT: _OPT_OUT, Lane.CASCADE: _CASCADE, Lane.OPT_IN: _OPT_IN}
_IN_LANE = {
    lane: select(contacts)
    .where(_WAITING, wanted)
    .order_by(contacts.c.attempts, contacts.c.wanted_since, contacts.c.id)
    .limit(bindparam("most"))
    for lane, wanted in _LANES.items()
}
_WAITING_ONE = _ONE.where(_WAITING)
_TO_DO = (
    select(contacts.c.id).where(or_(contacts.c.stale.is_(True), contacts.c.wanted_since.is_not(None))).limit(1)
)


def waiting(connection: Connection, lane: Lane, *, limit: int) -> list[Waiting]:
    """What must be written in this lane: what never failed before what did, the longest waiting first."""
    return [_waiting(row) for row in connection.execute(_IN_LANE[lane], {"most": limit})]


def owners_of(connection: Connection, numbers: Collection[str]) -> set[str]:
    """The contacts that have one of these numbers."""
    found: set[str] = set()
    for part in parts(numbers):
        found.update(connection.execute(_OWNERS, {"numbers": part}).scalars())
    return found


def anything_to_do(connection: Connection) -> bool:
    """Whether a verdict must be made again, or anything be written, in whatever lane."""
    return connection.execute(_TO_DO).first() is not None


def waiting_one(connection: Connection, contact_id: str) -> Waiting | None:
    """The same for one contact, in whatever lane."""
    row = connection.execute(_WAITING_ONE, {"the_id": contact_id}).first()
    return _waiting(row) if row else None


def _waiting(row: Any) -> Waiting:
    return Waiting(row.id, row.company, verdict_of(row), mirror_of(row), row.attempts, row.stale)


def verdict_of(row: Any) -> Verdict:
    """The stored verdict of a contact from its row."""
    return Verdict(
        Consent(row.desired) if row.desired else None,
        row.clause,
        row.reason,
        Cause(row.cause),
        tuple(json.loads(row.evidence)),
        row.held,
        tuple(json.loads(row.review)),
    )


def verdicts(connection: Connection) -> dict[str, Verdict]:
    """The stored verdict of every contact."""
    return {row.id: verdict_of(row) for row in connection.execute(_ALL)}


def so_far(connection: Connection, contact_id: str, value: Consent) -> tuple[Mirror, int]:
    """What is known of a contact's field, and how many writes of this value have failed in a row."""
    row = connection.execute(_ONE, {"the_id": contact_id}).one()
    return mirror_of(row), int(row.attempts) if row.desired == value.value else 0


def save_trouble(connection: Connection, contact_id: str, value: Consent, attempts: int, trouble: str) -> None:
    """Record why a write did not succeed, unless another value is wanted by now."""
    wanted = and_(contacts.c.id == contact_id, contacts.c.desired == value.value)
    connection.execute(update(contacts).where(wanted).values(attempts=attempts, trouble=storable(trouble)))


def count_waiting(connection: Connection, lane: Lane | None = None) -> int:
    """How many contacts must still be written, parked ones included; in one lane or all."""
    wanted = select(func.count()).select_from(contacts).where(_WAITING)
    return int(connection.execute(wanted if lane is None else wanted.where(_LANES[lane])).scalar_one())


# --- small facts -----------------------------------------------------------------------------------------


def fact(connection: Connection, name: str) -> Any:
    """A stored fact, or None."""
    value = connection.execute(_FACT, {"the_name": name}).scalar()
    return None if value is None else json.loads(value)


def set_fact(connection: Connection, name: str, value: Any) -> None:
    """Store a fact; None removes it."""
    if value is None:
        connection.execute(_DROP_FACT, {"the_name": name})
        return
    text = json.dumps(value, sort_keys=True)
    if connection.execute(_CHANGE_FACT, {"the_name": name, "value": text}).rowcount == 0:
        connection.execute(_ADD_FACT, {"name": name, "value": text})


def unread(connection: Connection) -> dict[str, list[str]]:
    """Whose conversations could not be read the last time, by our number."""
    return fact(connection, "unread") or {}


def save_unread(connection: Connection, line: str, theirs: Sequence[str]) -> None:
    """Keep whose conversations on one of our numbers could not be read."""
    set_fact(connection, "unread", {**unread(connection), line: list(theirs)})


def forget_unread(connection: Connection, configured: Collection[str]) -> None:
    """Drop what is kept of numbers that are no longer configured."""
    known = unread(connection)
    if known.keys() - set(configured):
        set_fact(connection, "unread", {line: theirs for line, theirs in known.items() if line in configured})


def braked(connection: Connection) -> dict[str, Any]:
    """The passes that are held, by kind."""
    return {row.name.removeprefix("brake:"): json.loads(row.value) for row in connection.execute(_BRAKES)}
