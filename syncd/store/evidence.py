"""Everything that the policy needs to know about a contact, read from the ledger and the mirror."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)

from syncd.membership import Membership, Step, history
from syncd.model import (
    CompanyHistory,
    CompanyState,
    Consent,
    Contact,
    Evidence,
    Intent,
    PhoneNumber,
    StaffEdited,
    Texted,
)
from syncd.plan import Mirror
from syncd.store.schema import company_steps, contact_numbers, contacts, ledger, memberships, reviews
from syncd.store.times import moment

SHARED = "shared number"
T = TypeVar("T")


_SOME: BindParameter[Any] = bindparam("some", expanding=True)


class _Rows:
    """Rows by a column. One contact at a time is the usual case, and cheaper to ask for than a list of one."""

    def __init__(self, wanted: Select[Any], column: ColumnElement[Any]) -> None:
        self._one = wanted.where(column == bindparam("some"))
        self._many = wanted.where(column.in_(_SOME))

    def of(self, connection: Connection, some: Collection[Any]) -> Iterator[Any]:
        """The rows for these values, however many they are."""
        if len(some) == 1:
            yield from connection.execute(self._one, {"some": next(iter(some))})
        else:
            for part in parts(some):
                yield from connection.execute(self._many, {"some": part})


# Built once: building a statement costs more than carrying it out.
_CONTACTS = _Rows(select(contacts), contacts.c.id)
_TEXTS = _Rows(
    select(ledger.c.number, ledger.c.body).where(or_(ledger.c.kind == "message", ledger.c.kind == "outbound")),
    ledger.c.number,
)
_DECISIONS = _Rows(select(reviews), reviews.c.seq)
_DECIDE = insert(reviews)
_NUMBERS = _Rows(select(contact_numbers), contact_numbers.c.contact)
_OWNERS = _Rows(
    select(contact_numbers.c.number, contacts.c.company)
    .join(contacts, contacts.c.id == contact_numbers.c.contact)
    .where(contacts.c.active.is_(True), contacts.c.gone.is_(False)),
    contact_numbers.c.number,
)
_STAFF = _Rows(select(ledger.c.contact, ledger.c.body).where(ledger.c.kind == "staff"), ledger.c.contact)
_WRITES = (
    select(ledger.c.body)
    .where(ledger.c.kind == "write", ledger.c.contact == bindparam("contact"))
    .order_by(ledger.c.seq.desc())
)
_MEMBERSHIPS = _Rows(select(memberships).order_by(memberships.c.seq), memberships.c.contact)
_STEPS = _Rows(select(company_steps).order_by(company_steps.c.seq), company_steps.c.company)
_MARK_STALE = (
    update(contacts)
    .where(contacts.c.id.in_(select(contact_numbers.c.contact).where(contact_numbers.c.number.in_(_SOME))))
    .values(stale=True)
)
_RELATED = (
    select(contact_numbers.c.number)
    .where(
        contact_numbers.c.contact.in_(
            select(contact_numbers.c.contact).where(contact_numbers.c.number == bindparam("number"))
        )
    )
    .distinct()
)


@dataclass(frozen=True, slots=True)
class Case:
    """One contact with all that counts for it."""

    contact: Contact
    mirror: Mirror
    evidence: tuple[Evidence, ...]
    company: CompanyHistory


def cases(connection: Connection, ids: Sequence[str]) -> list[Case]:
    """The cases of these contacts; a handful of queries however many they are."""
    rows = {row.id: row for row in _CONTACTS.of(connection, ids)}
    numbers = _numbers_of(connection, rows)
    all_numbers = {number for own in numbers.values() for number in own}
    texts = texts_of(connection, all_numbers)
    shared = _shared_numbers(connection, all_numbers)
    staff = _staff_edits(connection, rows)
    belonged = _memberships(connection, rows)
    steps = steps_of(connection, {m.company_id for own in belonged.values() for m in own if m.company_id})
    found = []
    for contact_id, row in rows.items():
        company, opt_outs = history(belonged[contact_id], steps)
        own_texts = [
            replace(text, doubt=text.doubt or SHARED) if number in shared else text
            for number in numbers[contact_id]
            for text in texts[number]
        ]
        evidence: tuple[Evidence, ...] = (*own_texts, *staff[contact_id], *opt_outs)
        found.append(Case(_contact(row, numbers[contact_id]), mirror_of(row), evidence, company))
    return found


def mirror_of(row: Any) -> Mirror:
    """The mirror of one contact from its row."""
    echoes = frozenset(_consent(value or None) for value in json.loads(row.echoes))
    return Mirror(_consent(row.shown), _consent(row.pending), echoes)


def mirror_columns(mirror: Mirror) -> dict[str, object]:
    """The columns that keep a mirror."""
    echoes = sorted(value.value if value else "" for value in mirror.echoes)
    return {"shown": mirror.shown, "pending": mirror.pending, "echoes": json.dumps(echoes)}


def texts_of(connection: Connection, numbers: Collection[str]) -> dict[str, list[Texted]]:
    """The texts of these numbers that are evidence, each with what a person decided about it."""
    bodies: dict[str, list[dict[str, Any]]] = defaultdict(list)
    late_replies: dict[str, list[datetime]] = defaultdict(list)
    for row in _TEXTS.of(connection, numbers):
        entry = json.loads(row.body)
        if entry["kind"] == "outbound":
            late_replies[row.number].append(moment(entry["sent"]))
        else:
            bodies[row.number].append(entry)
    decided = _decisions(connection, [entry["seq"] for found in bodies.values() for entry in found])
    texts: dict[str, list[Texted]] = defaultdict(list)
    for number, entries in bodies.items():
        replies = sorted(late_replies[number])
        texts[number] = [_texted(entry, replies, decided) for entry in entries]
    return texts


def _texted(entry: dict[str, Any], replies: Sequence[datetime], decided: Mapping[int, Any]) -> Texted:
    sent = moment(entry["sent"])
    last = moment(entry["last_outbound"]) if entry["last_outbound"] else None
    late = last_at_or_before(replies, sent)
    return Texted(
        seq=entry["seq"],
        at=sent,
        number=entry["number"],
        message_id=entry["message"],
        intent=Intent(entry["intent"]),
        starts=entry["starts"],
        last_outbound=max((when for when in (last, late) if when), default=None),
        doubt=entry["doubt"],
        decision=decided.get(entry["seq"]),
        seen=entry["seen"],
    )


def last_at_or_before(times: Sequence[datetime], when: datetime) -> datetime | None:
    """The latest of sorted `times` up to the end of the second of `when`: in doubt a text of ours came first."""
    index = bisect_left(times, when.replace(microsecond=0) + timedelta(seconds=1))
    return times[index - 1] if index else None


def _decisions(connection: Connection, seqs: Collection[int]) -> dict[int, Any]:
    return {row.seq: row.decision for row in _DECISIONS.of(connection, seqs)}


def text_at(connection: Connection, seq: int) -> tuple[str | None, Intent | None]:
    """The number whose text this ledger entry is, and how it was read; (None, None) when it is no text."""
    wanted = select(ledger.c.body).where(ledger.c.seq == seq, ledger.c.kind == "message")
    body = connection.execute(wanted).scalar()
    if body is None:
        return None, None
    entry = json.loads(body)
    return entry["number"], Intent(entry["intent"])


def decision_on(connection: Connection, seq: int) -> Any:
    """What a person decided about a text, as a row with `decision` and `decided`; None when nobody has."""
    return connection.execute(select(reviews).where(reviews.c.seq == seq)).first()


def save_decision(connection: Connection, seq: int, decision: str, decided: int) -> None:
    """Store what a person made of a text; `decided` is the ledger entry that says so. The last one counts."""
    connection.execute(delete(reviews).where(reviews.c.seq == seq))
    connection.execute(_DECIDE, {"seq": seq, "decision": decision, "decided": decided})


def numbers_of_person(connection: Connection, number: str) -> list[str]:
    """The number, and the other numbers of every contact that has it: a reply may come from another phone."""
    return sorted({number, *connection.execute(_RELATED, {"number": number}).scalars()})


def _numbers_of(connection: Connection, ids: Collection[str]) -> dict[str, list[PhoneNumber]]:
    found: dict[str, list[PhoneNumber]] = defaultdict(list)
    for row in _NUMBERS.of(connection, ids):
        found[row.contact].append(PhoneNumber(row.number))
    return found


def _shared_numbers(connection: Connection, numbers: Collection[str]) -> set[str]:
    """Numbers whose active contacts belong to more than one company; none at all counts as one of its own."""
    owners: dict[str, set[str | None]] = defaultdict(set)
    for row in _OWNERS.of(connection, numbers):
        owners[row.number].add(row.company)
    return {number for number, companies in owners.items() if len(companies) > 1}


def _staff_edits(connection: Connection, ids: Collection[str]) -> dict[str, list[StaffEdited]]:
    found: dict[str, list[StaffEdited]] = defaultdict(list)
    for row in _STAFF.of(connection, ids):
        entry = json.loads(row.body)
        edit = StaffEdited(entry["seq"], moment(entry["at"]), Consent(entry["after"]), entry.get("known"))
        found[row.contact].append(edit)
    return found


def carried_out(connection: Connection, contact: str) -> int:
    """The latest ledger entry that the last confirmed write to a contact carried out; 0 for none."""
    for row in connection.execute(_WRITES, {"contact": contact}):
        entry = json.loads(row.body)
        # One that was only seen to have arrived, some time, says nothing about what came before it.
        if entry["result"] == "applied" or (entry["result"] == "already" and not entry["said"]):
            return max(entry["because"], default=0)
    return 0


def _memberships(connection: Connection, ids: Collection[str]) -> dict[str, list[Membership]]:
    found: dict[str, list[Membership]] = defaultdict(list)
    for row in _MEMBERSHIPS.of(connection, ids):
        found[row.contact].append(Membership(row.seq, moment(row.at), row.company))
    return found


def steps_of(connection: Connection, ids: Collection[str]) -> dict[str, list[Step]]:
    """The recorded approval states of these companies, oldest first."""
    found: dict[str, list[Step]] = defaultdict(list)
    for row in _STEPS.of(connection, ids):
        found[row.company].append(Step(row.seq, moment(row.at), CompanyState(row.state)))
    return found


def mark_stale(connection: Connection, numbers: Iterable[str]) -> int:
    """Make the verdicts of every contact with one of these numbers again; returns how many there are."""
    count = 0
    for part in parts(set(numbers)):
        count += connection.execute(_MARK_STALE, {"some": part}).rowcount
    return count


def _contact(row: Any, numbers: Sequence[PhoneNumber]) -> Contact:
    return Contact(row.id, row.company, row.name, tuple(numbers), row.active and not row.gone, _consent(row.shown))


def _consent(value: str | None) -> Consent | None:
    return Consent(value) if value else None


def parts(values: Collection[T]) -> Iterable[list[T]]:
    """Slices small enough for one IN list on any database."""
    ordered = list(values)
    return (ordered[start : start + 500] for start in range(0, len(ordered), 500))
