"""The ledger: append-only evidence, each entry chained to the one before it.

An entry is a JSON object. Its canonical form has its keys sorted, no blanks, and every character outside printable
ASCII (below U+0020, and from U+007F on) escaped, as `\\n`, `\\r`, `\\t`, `\\b`, `\\f` or `\\uXXXX` with lower
case digits; its hash is the SHA-256 of that form in hexadecimal. The object holds `prev`, the hash of the entry
before it (64 zeros for the first), and `seq`, which counts from 1. So anybody can check an export without this
program: take `hash` off a line, write the rest in canonical form, hash, compare, and compare `prev` with the line
before. A chain cannot show that its end was cut off; for that its head is logged, and `verify` takes such a head.

Every entry has `seq`, `at` (UTC), `kind`, `number`, `text`, `contact`, `company` and `prev`; the rest depends on
its kind:

    message   a text that is evidence: line, conversation, message, sent, intent, rule, rules, starts,
              last_outbound, doubt, seen (its own date could not be used: sent is when it was seen)
    outbound  a text of ours, found late, that shows an earlier text to be a reply: sent
    company   an approval state that changed: name, before, after
    contact   who a contact is, whenever that changed: name, numbers, active, shown
    staff     a person changed the opt-in field in the PSA: before, after
    review    what a person decided about a text: of, decision, by
    write     the opt-in field was written: before, after, clause, reason, because, result
    brake     a pass was held, released or resumed: what, detail
    rules     the policy settings from here on
    restore   this ledger was restored from a backup: head (of the backup), replaced (the head of the ledger whose
              place it took; null: none could be read), by. Heads of that one, logged later, hold no more
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, or_, select

from syncd.store.schema import ledger
from syncd.store.times import stamp

GENESIS = "0" * 64


# Built once: building a statement costs more than carrying it out.
_HEAD = select(ledger.c.seq, ledger.c.hash).order_by(ledger.c.seq.desc()).limit(1)
_ADD = insert(ledger)
_ENTRIES = select(ledger.c.seq, ledger.c.body, ledger.c.hash).where(ledger.c.seq > bindparam("after"))
_PAGE = _ENTRIES.order_by(ledger.c.seq).limit(bindparam("page"))
_PAGE_OF = (
    _ENTRIES.where(
        or_(ledger.c.number == bindparam("number"), ledger.c.contact.in_(bindparam("contacts", expanding=True)))
    )
    .order_by(ledger.c.seq)
    .limit(bindparam("page"))
)


@dataclass(frozen=True, slots=True)
class Head:
    """Where the ledger ends."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


def canonical(entry: dict[str, Any]) -> str:
    """The form that the hash covers."""
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(body: str) -> str:
    """The hash of an entry in canonical form."""
    return hashlib.sha256(body.encode("ascii")).hexdigest()


def head(connection: Connection) -> Head:
    """The last entry; seq 0 for an empty ledger."""
    row = connection.execute(_HEAD).first()
    return Head(row.seq, row.hash) if row else Head(0, GENESIS)


def append(connection: Connection, now: datetime, kind: str, **facts: Any) -> int:
    """Add one entry; returns its sequence number."""
    return append_all(connection, now, [{"kind": kind, **facts}])[0]


def append_all(connection: Connection, now: datetime, entries: Sequence[dict[str, Any]]) -> list[int]:
    """Add several entries in their order; returns their sequence numbers."""
    if not entries:
        return []
    last = head(connection)
    rows = []
    for facts in entries:
        entry = {"number": None, "text": None, "contact": None, "company": None, **facts}
        entry |= {"seq": last.seq + 1, "at": stamp(now), "prev": last.hash}
        body = canonical(entry)
        last = Head(last.seq + 1, digest(body))
        columns = {name: entry[name] for name in ("seq", "at", "kind", "number", "contact", "company")}
        rows.append(columns | {"body": body, "hash": last.hash})
    connection.execute(_ADD, rows)
    return [row["seq"] for row in rows]


def entries(
    connection: Connection,
    *,
    after: int = 0,
    number: str | None = None,
    contacts: Collection[str] = (),
    page: int = 1000,
) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Entries in order as (entry, stored body, stored hash): all, or those of a number and of contacts."""
    while True:
        which = {"after": after, "page": page}
        if number is None:
            rows = connection.execute(_PAGE, which).all()
        else:
            rows = connection.execute(_PAGE_OF, which | {"number": number, "contacts": list(contacts)}).all()
        for row in rows:
            yield json.loads(row.body), row.body, row.hash
            after = row.seq
        if len(rows) < page:
            return


@dataclass(frozen=True, slots=True)
class Fault:
    """Where the chain is broken, and how."""

    seq: int
    what: str


def verify(connection: Connection, known: Head | None = None) -> tuple[Head, list[Fault]]:
    """Check every link, and that the entry `known` (from a log line) is still what it was."""
    last = Head(0, GENESIS)
    faults: list[Fault] = []
    known_seen = known is None or known.seq == 0
    stored = select(ledger).order_by(ledger.c.seq).execution_options(yield_per=1000)
    for row in connection.execute(stored):
        faults += _faults(last, row.seq, row.body, row.hash, row)
        last = Head(row.seq, row.hash)
        if known and known.seq == row.seq:
            known_seen = True
            if known.hash != row.hash:
                faults.append(Fault(row.seq, "its hash is not the one that was logged: the ledger was rewritten"))
    if known and not known_seen:
        faults.append(Fault(known.seq, f"is missing: the ledger ends at {last.seq}, its tail was cut off"))
    return last, faults


def _faults(last: Head, seq: int, body: Any, stored_hash: str, row: Any) -> Iterable[Fault]:
    if seq != last.seq + 1:
        yield Fault(seq, f"follows {last.seq}: entries between them are missing")
    if digest(str(body).encode("ascii", "backslashreplace").decode()) != stored_hash:
        yield Fault(seq, "its content does not match its hash: it was changed")
        return
    try:
        entry = json.loads(body)
        missing = {"seq", "at", "kind", "number", "contact", "company", "prev"} - entry.keys()
    except (ValueError, TypeError, AttributeError, RecursionError):
        entry, missing = {}, {"everything"}
    if missing:
        yield Fault(seq, f"it is no ledger entry (without {', '.join(sorted(missing))}): it was replaced")
        return
    if entry["prev"] != last.hash:
        yield Fault(seq, "does not continue the entry before it")
    for column in ("seq", "at", "kind", "number", "contact", "company"):
        if getattr(row, column) != entry[column]:
            yield Fault(seq, f"its column '{column}' was changed")
