"""Our lines, their conversations and messages: the cursors of polling."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select, update

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


# Statements are built once: building one costs more than carrying it out.
_LINE = select(lines).where(lines.c.number == bindparam("line"))
_ADD_LINE = insert(lines)
_FORGET = delete(lines).where(lines.c.number.not_in(bindparam("configured", expanding=True)))
_CHANGE_LINE = update(lines).where(lines.c.number == bindparam("line"))
_KNOWN = select(conversations).where(conversations.c.line == bindparam("line"))
_DUE = (
    select(conversations)
    .where(conversations.c.line == bindparam("line"), conversations.c.missing.is_(False))
    .where(or_(conversations.c.due_poll <= bindparam("poll"), conversations.c.read_at <= bindparam("before")))
    .order_by(conversations.c.read_at)
)
_ADD_CONVERSATION = insert(conversations)
_CHANGE_CONVERSATION = update(conversations).where(
    conversations.c.line == bindparam("the_line"), conversations.c.id == bindparam("the_id")
)
_ADD_MESSAGES = insert(messages)
_STORED = select(messages.c.id, messages.c.digest).where(
    messages.c.line == bindparam("line"), messages.c.conversation == bindparam("conversation")
)
_OUTBOUND = (
    select(messages.c.sent)
    .where(messages.c.theirs.in_(bindparam("person", expanding=True)))
    .where(messages.c.direction == Direction.OUTBOUND.value)
    .order_by(messages.c.sent)
)
_TEXTS = select(ledger.c.body).where(
    ledger.c.number.in_(bindparam("person", expanding=True)), ledger.c.kind == "message"
)


def open_line(connection: Connection, number: PhoneNumber, now: datetime) -> LineState:
    """The state of a line, made at its first poll."""
    row = connection.execute(_LINE, {"line": number}).first()
    if row is None:
        fresh = {"number": number, "first_poll": stamp(now), "polls": 0}
        connection.execute(_ADD_LINE, fresh)
        return LineState(number, now, polls=0, gap=None)
    return LineState(number, moment(row.first_poll), row.polls, row.gap)


def close_pass(
    connection: Connection,
    number: PhoneNumber,
    *,
    polls: int,
    error: str | None,
    gap: str | None,
    good: datetime | None,
) -> None:
    """Record how a pass ended. `good`: when, if nothing failed and every change was looked at."""
    values: dict[str, object] = {"polls": polls, "error": error, "gap": gap}
    if good is not None:
        values["last_good_pass"] = stamp(good)
    connection.execute(_CHANGE_LINE, values | {"line": number})


def fail_pass(connection: Connection, number: PhoneNumber, error: str) -> None:
    """Record that the list could not be read."""
    connection.execute(_CHANGE_LINE, {"line": number, "error": error})


def forget_lines(connection: Connection, configured: Iterable[PhoneNumber]) -> None:
    """Drop the state of lines that are no longer configured from `status`; their messages and evidence stay."""
    connection.execute(_FORGET, {"configured": list(configured)})


def lines_in_trouble(connection: Connection) -> int:
    """How many lines could not be read wholly in their last pass."""
    wanted = select(func.count()).select_from(lines).where(lines.c.error.is_not(None))
    return int(connection.execute(wanted).scalar_one())


def known(connection: Connection, number: PhoneNumber) -> dict[str, Known]:
    """All stored conversations of a line."""
    return {row.id: _known(row) for row in connection.execute(_KNOWN, {"line": number})}


def due(
    connection: Connection, number: PhoneNumber, poll: int, sweep_before: datetime
) -> list[tuple[Known, datetime]]:
    """Conversations to read although their marker stands still, with when they were read last.

    Those whose next re-read has come (1, 4, 16, 64 ... polls after the last change), then those last read before
    `sweep_before`, the oldest first.
    """
    rows = connection.execute(_DUE, {"line": number, "poll": poll, "before": stamp(sweep_before)})
    return [(_known(row), moment(row.read_at)) for row in rows]


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
        connection.execute(_ADD_CONVERSATION, values | {"line": number, "id": conversation.id})
        return
    connection.execute(_CHANGE_CONVERSATION, values | {"the_line": number, "the_id": conversation.id})


def stored_messages(connection: Connection, number: PhoneNumber, conversation: str) -> set[tuple[str, str]]:
    """(message id, digest) of everything stored of a conversation."""
    rows = connection.execute(_STORED, {"line": number, "conversation": conversation})
    return {(row.id, row.digest) for row in rows}


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
        connection.execute(_ADD_MESSAGES, rows)


def outbound_times(connection: Connection, person: Collection[str]) -> list[datetime]:
    """When any of our lines texted one of a person's numbers, oldest first."""
    return sorted(moment(row.sent) for row in connection.execute(_OUTBOUND, {"person": list(person)}))


def conversation_starts(connection: Connection, person: Collection[str]) -> list[tuple[str, datetime]]:
    """Texts recorded as starting a conversation, as (the person's number, when)."""
    rows = connection.execute(_TEXTS, {"person": list(person)})
    entries: Iterable[Mapping[str, object]] = (json.loads(row.body) for row in rows)
    return [(str(entry["number"]), moment(str(entry["sent"]))) for entry in entries if entry["starts"]]


def _known(row: object) -> Known:
    return Known(row.id, row.theirs, row.marker, row.changed_poll, row.rereads, row.missing)  # type: ignore[attr-defined]
