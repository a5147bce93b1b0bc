"""Our lines, their conversations and messages: the cursors of polling."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from syncd.model import Direction, Message, PhoneNumber
from syncd.store.schema import conversations, ledger, lines, messages
from syncd.store.times import moment, stamp

# A conversation is read again 1, 4, 16, 64 ... polls after its last change; past this many steps the sweep has
# long taken over, whatever the intervals.
LAST_REREAD = 12


@dataclass(frozen=True, slots=True)
class LineState:
    """What is known of one of our numbers. `first_poll` divides history from live texts."""

    number: PhoneNumber
    first_poll: datetime
    polls: int
    complete: bool
    error: str | None
    gap: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """A conversation as stored."""

    id: str
    theirs: str
    marker: str
    changed_poll: int
    rereads: int
    missing: bool


def open_line(connection: Connection, number: PhoneNumber, now: datetime) -> LineState:
    """The state of a line, made at its first poll."""
    row = connection.execute(select(lines).where(lines.c.number == number)).first()
    if row is None:
        fresh = {"number": number, "first_poll": stamp(now), "polls": 0, "complete": False}
        connection.execute(insert(lines).values(fresh))
        return LineState(number, now, 0, complete=False, error=None, gap=None)
    return LineState(number, moment(row.first_poll), row.polls, row.complete, row.error, row.gap)


def close_pass(
    connection: Connection,
    number: PhoneNumber,
    *,
    polls: int,
    error: str | None,
    gap: str | None,
    complete: bool,
    good: datetime | None,
) -> None:
    """Record how a pass ended. `complete`: every change was looked at; `good`: when, if nothing failed."""
    values: dict[str, object] = {"polls": polls, "error": error, "gap": gap}
    if complete:
        values["complete"] = True
    if good is not None:
        values["last_good_pass"] = stamp(good)
    connection.execute(update(lines).where(lines.c.number == number).values(values))


def fail_pass(connection: Connection, number: PhoneNumber, error: str) -> None:
    """Record that the list could not be read."""
    connection.execute(update(lines).where(lines.c.number == number).values(error=error))


def forget_lines(connection: Connection, configured: Iterable[PhoneNumber]) -> None:
    """Drop the state of lines that are no longer configured from `status`; their messages and evidence stay."""
    connection.execute(delete(lines).where(lines.c.number.not_in(list(configured))))


def incomplete_lines(connection: Connection, configured: Sequence[PhoneNumber]) -> list[str]:
    """Lines whose history was never read through."""
    complete = select(lines.c.number).where(lines.c.complete.is_(True), lines.c.number.in_(configured))
    done = {row.number for row in connection.execute(complete)}
    return [number for number in configured if number not in done]


def lines_in_trouble(connection: Connection) -> int:
    """How many lines could not be read wholly in their last pass."""
    wanted = select(func.count()).select_from(lines).where(lines.c.error.is_not(None))
    return int(connection.execute(wanted).scalar_one())


def known(connection: Connection, number: PhoneNumber) -> dict[str, Known]:
    """All stored conversations of a line."""
    wanted = select(conversations).where(conversations.c.line == number)
    return {row.id: _known(row) for row in connection.execute(wanted)}


def due(
    connection: Connection, number: PhoneNumber, poll: int, sweep_before: datetime
) -> list[tuple[Known, datetime]]:
    """Conversations to read although their marker stands still, with when they were read last.

    Those whose next re-read has come (1, 4, 16, 64 ... polls after the last change), then those last read before
    `sweep_before`, the oldest first.
    """
    wanted = (
        select(conversations)
        .where(conversations.c.line == number, conversations.c.missing.is_(False))
        .where(or_(conversations.c.due_poll <= poll, conversations.c.read_at <= stamp(sweep_before)))
        .order_by(conversations.c.read_at)
    )
    return [(_known(row), moment(row.read_at)) for row in connection.execute(wanted)]


def mark_missing(connection: Connection, number: PhoneNumber, ids: Sequence[str], missing: bool) -> None:
    """Remember that conversations vanished from the list, or came back."""
    for start in range(0, len(ids), 500):
        part = ids[start : start + 500]
        wanted = and_(conversations.c.line == number, conversations.c.id.in_(part))
        connection.execute(update(conversations).where(wanted).values(missing=missing))


def save_conversation(
    connection: Connection, number: PhoneNumber, now: datetime, conversation: Known, *, fresh: bool
) -> None:
    """Store the cursor. Call it in the transaction that stores the messages it covers."""
    values = {
        "theirs": conversation.theirs,
        "marker": conversation.marker,
        "changed_poll": conversation.changed_poll,
        "rereads": conversation.rereads,
        "due_poll": None
        if conversation.rereads > LAST_REREAD
        else conversation.changed_poll + 4**conversation.rereads,
        "read_at": stamp(now),
        "missing": False,
    }
    if fresh:
        connection.execute(insert(conversations).values(line=number, id=conversation.id, **values))
        return
    wanted = and_(conversations.c.line == number, conversations.c.id == conversation.id)
    connection.execute(update(conversations).where(wanted).values(values))


def stored_messages(connection: Connection, number: PhoneNumber, conversation: str) -> set[tuple[str, str]]:
    """(message id, digest) of everything stored of a conversation."""
    wanted = select(messages.c.id, messages.c.digest).where(
        messages.c.line == number, messages.c.conversation == conversation
    )
    return {(row.id, row.digest) for row in connection.execute(wanted)}


def save_messages(
    connection: Connection, number: PhoneNumber, new: Sequence[tuple[Message, str, datetime]]
) -> None:
    """Store messages as (message, digest, the time that counts), without their words."""
    rows = [
        {
            "line": number,
            "conversation": message.conversation_id,
            "id": message.id,
            "digest": digest,
            "theirs": message.theirs,
            "direction": message.direction.value,
            "sent": stamp(sent),
        }
        for message, digest, sent in new
    ]
    if rows:
        connection.execute(insert(messages), rows)


def outbound_times(connection: Connection, person: Collection[str]) -> list[datetime]:
    """When any of our lines texted one of a person's numbers, oldest first."""
    wanted = select(messages.c.sent).where(
        messages.c.theirs.in_(person), messages.c.direction == Direction.OUTBOUND.value
    )
    return sorted(moment(row.sent) for row in connection.execute(wanted.order_by(messages.c.sent)))


def conversation_starts(connection: Connection, person: Collection[str]) -> list[tuple[str, datetime]]:
    """Texts recorded as starting a conversation, as (the person's number, when)."""
    wanted = select(ledger.c.body).where(ledger.c.number.in_(person), ledger.c.kind == "message")
    entries: Iterable[Mapping[str, object]] = (json.loads(row.body) for row in connection.execute(wanted))
    return [(str(entry["number"]), moment(str(entry["sent"]))) for entry in entries if entry["starts"]]


def _known(row: object) -> Known:
    return Known(row.id, row.theirs, row.marker, row.changed_poll, row.rereads, row.missing)  # type: ignore[attr-defined]
