"""SHELL: which of the messages of a conversation are new, and which of those are evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from syncd.keywords import RULES_VERSION, Reading, Vocabulary, read
from syncd.model import Direction, Intent, Message, PhoneNumber
from syncd.primevox import Thread
from syncd.store import evidence, texts
from syncd.store.database import Connection
from syncd.store.times import stamp

# A text dated further ahead than this has a date that cannot be trusted.
FUTURE = timedelta(minutes=10)

HISTORY, FUTURE_DATE = "history", "future date"

# The rule of `keywords` for ordinary words, the only ordinary texts that can start a conversation.
WORDS = "words"


@dataclass(frozen=True, slots=True)
class IntakeSettings:
    """What the admin sets about reading texts. `review_history`: opt-ins found on day one wait for a person.

    `rereads`: conversations are read again 1, 4, 16 ... polls after a change; off only where a test must not be
    healed. `read`: what reads a text.
    """

    poll_interval: timedelta
    sweep_interval: timedelta
    quiet_period: timedelta
    review_history: bool
    vocabulary: Vocabulary
    rereads: bool = True
    read: Callable[[str, Vocabulary], Reading] = read


@dataclass(frozen=True, slots=True)
class New:
    """A message not stored before.

    sent:  the time that counts
    doubt: why an opt-in in it needs a person
    seen:  `sent` is when we saw it, because its own date cannot be used
    """

    message: Message
    digest: str
    sent: datetime
    reading: Reading
    doubt: str | None
    seen: bool


class Sifter:
    """Sifts the messages of conversations; knows the settings and keeps nothing."""

    def __init__(self, settings: IntakeSettings, beat: Callable[[], None]) -> None:
        self._settings = settings
        self._beat = beat

    def new_messages(
        self,
        thread: Thread,
        stored: set[tuple[str, str]],
        state: texts.LineState,
        now: datetime,
        tell: Callable[[str], None],
    ) -> list[New]:
        """Messages that are not stored yet. Under a known id a changed text is a new message.

        stored: (message id, digest) of what is known of this conversation
        tell:   names what had to be left out
        """
        new = []
        for message in thread.messages:
            digest = _digest(message.direction, message.text)
            if (message.id, digest) in stored:
                continue
            stored.add((message.id, digest))
            self._beat()  # thousands of texts, the first time
            reading = self._settings.read(message.text, self._settings.vocabulary)
            ours = message.direction is Direction.OUTBOUND
            # Without a date, what protects counts from now: an opt-out, a text that may be one, and a text of ours
            # that theirs may answer.
            if message.sent_at is None and not ours and reading.intent not in (Intent.OPT_OUT, Intent.UNCLEAR):
                tell(f"message {message.id}: its date cannot be read")
                continue
            new.append(self._dated(message, digest, reading, state, now))
            if ours and message.sent_at is not None and message.sent_at > now + FUTURE:
                # Its date may be wrong, or our clock: it counts at both times.
                new.append(New(message, _digest(digest, "seen"), now, reading, None, seen=True))
        return new

    def _dated(
        self, message: Message, digest: str, reading: Reading, state: texts.LineState, now: datetime
    ) -> New:
        """A text of theirs whose date cannot be read, or lies ahead, counts from the moment we saw it.

        Our own keep their date: replies are measured against it, and it may be our clock that is wrong.
        """
        if message.sent_at is None:
            return New(message, digest, now, reading, None, seen=True)
        if message.sent_at > now + FUTURE and message.direction is not Direction.OUTBOUND:
            return New(message, digest, now, reading, FUTURE_DATE, seen=True)
        # PrimeVOX's dates may have no fraction: a text of the very second of the first poll is a live one.
        begun = state.first_poll.replace(microsecond=0)
        history = self._settings.review_history and message.sent_at < begun
        return New(message, digest, message.sent_at, reading, HISTORY if history else None, seen=False)

    def entries(
        self, connection: Connection, line: PhoneNumber, theirs: str, new: Sequence[New]
    ) -> list[dict[str, Any]]:
        """The ledger entries that new messages deserve."""
        if not new:
            return []
        entries = []
        person = evidence.numbers_of_person(connection, theirs)
        directions = {one.message.direction for one in new}
        ours = texts.outbound_times(connection, person) if directions != {Direction.OUTBOUND} else []
        starts = texts.conversation_starts(connection, person) if Direction.OUTBOUND in directions else []
        for one in new:
            if one.message.direction is Direction.OUTBOUND:
                entries += self._late_reply(one, starts)
            else:
                entries += self._text_entry(line, one, ours)
        return entries

    def _late_reply(self, one: New, starts: Sequence[tuple[str, datetime]]) -> list[dict[str, Any]]:
        """Our own text matters when it turns a text that seemed to start a conversation into a reply."""
        since, until = one.sent.replace(microsecond=0), one.sent + self._settings.quiet_period
        numbers = sorted({number for number, start in starts if since <= start < until})
        return [{"kind": "outbound", "number": number, "sent": stamp(one.sent)} for number in numbers]

    def _text_entry(self, line: PhoneNumber, one: New, ours: Sequence[datetime]) -> list[dict[str, Any]]:
        message, intent, rule = one.message, one.reading.intent, one.reading.rule
        if message.direction is Direction.UNKNOWN:  # whoever sent it, only an opt-out is worth a person's look
            if intent is not Intent.OPT_OUT:
                return []
            intent, rule = Intent.UNCLEAR, "unknown-sender"
        sent = message.sent_at or one.sent  # PrimeVOX's date, also where ours counts: it is compared with theirs
        last = evidence.last_at_or_before(ours, sent)
        quiet = last is None or sent - last >= self._settings.quiet_period
        starts = intent is Intent.ORDINARY and rule == WORDS and quiet
        if not starts and intent not in (Intent.OPT_OUT, Intent.OPT_IN, Intent.UNCLEAR):
            return []
        return [
            {
                "kind": "message",
                "number": message.theirs,
                "text": message.text,
                "line": line,
                "conversation": message.conversation_id,
                "message": message.id,
                "sent": stamp(one.sent),
                "intent": intent.value,
                "rule": rule,
                "rules": RULES_VERSION,
                "starts": starts,
                "last_outbound": stamp(last) if last and starts else None,
                "doubt": one.doubt,
                "seen": one.seen,
            }
        ]


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
