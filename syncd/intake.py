"""SHELL: from PrimeVOX to the ledger. One call of `poll` is one pass over one of our numbers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from syncd.clock import Clock
from syncd.errors import AuthRefused, Permanent, ShapeChanged, Stopping, StoreUnavailable, Transient
from syncd.keywords import RULES_VERSION, Reading, Vocabulary, read
from syncd.model import Direction, Intent, Message
from syncd.primevox import Line, Listed, PrimeVox, Thread, suspected_cap
from syncd.store import evidence, ledger, texts
from syncd.store.database import Connection, Database
from syncd.store.times import stamp

# A text dated further ahead than this has a date that cannot be trusted.
FUTURE = timedelta(minutes=10)

HISTORY, FUTURE_DATE = "history", "future date"

# The rule of `keywords` for ordinary words, the only ordinary texts that can start a conversation.
WORDS = "words"


@dataclass(frozen=True, slots=True)
class IntakeSettings:
    """What the admin sets about reading texts. `review_history`: opt-ins found on day one wait for a person."""

    poll_interval: timedelta
    sweep_interval: timedelta
    quiet_period: timedelta
    review_history: bool
    vocabulary: Vocabulary


@dataclass(frozen=True, slots=True)
class Pass:
    """How a pass over one number ended.

    finished:  every conversation that had changed was read
    more:      time ran out; go on as soon as others had their turn
    evidence:  how many texts were recorded as evidence
    unmatched: numbers with new evidence that no contact has
    """

    finished: bool
    more: bool = False
    reads: int = 0
    evidence: int = 0
    unmatched: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Memory:
    """What is kept of a line between passes; losing it costs some requests, never a text."""

    digest: str | None = None
    failures: dict[str, tuple[int, int]] = field(default_factory=dict)  # conversation: (failures, not before poll)
    told: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Task:
    """A conversation to read: as listed now, and as stored before."""

    listed: Listed
    known: texts.Known | None
    changed: bool


@dataclass(frozen=True, slots=True)
class _New:
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


class Intake:
    """Reads conversations, keeps evidence. Thread-safe for different lines."""

    def __init__(
        self, database: Database, source: PrimeVox, clock: Clock, log: Any, settings: IntakeSettings
    ) -> None:
        self._database = database
        self._source = source
        self._clock = clock
        self._log = log
        self._settings = settings
        self._memories: dict[str, _Memory] = {}
        self._lock = threading.Lock()

    def poll(self, line: Line, budget: float | None = None) -> Pass:
        """One pass over a line. `budget`: seconds after which the rest is left to the next pass.

        Raises what reading the list raised; trouble with single conversations is recorded, not raised.
        """
        with self._lock:
            memory = self._memories.setdefault(line.number, _Memory())
        with self._database.begin() as connection:
            state = texts.open_line(connection, line.number, self._clock.now())
        try:
            listing = self._source.listing(line)
            tasks, gap = self._tasks(line, listing, state, memory)
        except (Transient, AuthRefused, ShapeChanged, Permanent) as error:
            self._fail(line, error)
            raise
        except Exception as error:
            if not isinstance(error, (Stopping, StoreUnavailable)):
                self._fail(line, error)
            raise
        try:
            result, troubles = self._read_all(line, state, memory, tasks, budget)
        except AuthRefused as error:
            self._fail(line, error)
            raise
        if result.finished and not troubles:
            memory.digest = listing.digest
        with self._database.begin() as connection:
            texts.close_pass(
                connection,
                line.number,
                polls=state.polls + 1,
                error=troubles[0] if troubles else None,
                gap=gap,
                complete=result.finished,
                good=self._clock.now() if result.finished and not troubles else None,
            )
        if gap and gap != state.gap:
            self._log.warning("a gap is suspected", line=line.number, gap=gap)
        return result

    def _fail(self, line: Line, error: Exception) -> None:
        with self._database.begin() as connection:
            texts.fail_pass(connection, line.number, str(error) or type(error).__name__)

    # --- which conversations to read ---------------------------------------------------------------------

    def _tasks(
        self, line: Line, listing: Any, state: texts.LineState, memory: _Memory
    ) -> tuple[list[_Task], str | None]:
        """Changed conversations first, then re-reads and the sweep."""
        now, poll = self._clock.now(), state.polls + 1
        changed: list[_Task] = []
        gap = state.gap
        if listing.digest != memory.digest:
            memory.digest = None  # parsed again until every change in it is stored
            listed, remarks = listing.conversations()
            for remark in remarks:
                self._tell_once(memory, line, remark)
            with self._database.begin() as connection:
                stored = texts.known(connection, line.number)
                gone = [known.id for known in stored.values() if not known.missing and known.id not in listed]
                texts.mark_missing(connection, line.number, gone, missing=True)
            # A conversation that is listed no more cannot be read: it is a gap, not a failure to try again.
            memory.failures = {one: count for one, count in memory.failures.items() if one in listed}
            for item in listed.values():
                known = stored.get(item.id)
                if known is None or known.marker != item.marker or known.missing:
                    changed.append(_Task(item, known, changed=True))
            gap = _gap(listed, stored, gone)
        seen = {task.listed.id for task in changed}
        interval = self._settings.sweep_interval
        with self._database.begin() as connection:
            due = texts.due(connection, line.number, poll, now - interval * 0.75)
        again = [
            _Task(Listed(known.id, known.theirs, known.marker), known, changed=False)
            for known, read_at in due
            if known.id not in seen and (_reread_due(known, poll) or _sweep_due(known.id, read_at, now, interval))
        ]
        return [task for task in changed + again if self._not_before(memory, task) <= poll], gap

    @staticmethod
    def _not_before(memory: _Memory, task: _Task) -> int:
        return memory.failures.get(task.listed.id, (0, 0))[1]

    # --- reading them ------------------------------------------------------------------------------------

    def _read_all(
        self, line: Line, state: texts.LineState, memory: _Memory, tasks: Sequence[_Task], budget: float | None
    ) -> tuple[Pass, list[str]]:
        poll = state.polls + 1
        until = None if budget is None else self._clock.monotonic() + budget
        troubles = [text for _, text in self._standing_troubles(memory)]
        result = Pass(finished=True)
        broken = 0
        for index, task in enumerate(tasks):
            if self._clock.stopping:
                raise Stopping("asked to stop")
            out_of_time = until is not None and self._clock.monotonic() >= until
            if broken >= 2 or out_of_time:
                news_left = any(left.changed for left in tasks[index:])
                return replace(result, finished=not news_left, more=out_of_time), troubles
            try:
                thread = self._source.thread(line, task.listed)
                added, unmatched = self._store(line, state, task, thread, memory)
            except (Stopping, StoreUnavailable, AuthRefused):
                raise
            except Exception as error:  # noqa: BLE001  the one-record guard: one bad conversation never blocks a number
                failures = memory.failures.get(task.listed.id, (0, 0))[0] + 1
                memory.failures[task.listed.id] = (failures, poll + 4 ** min(failures - 1, 3))
                broken = broken + 1 if isinstance(error, Transient) else 0
                troubles.append(self._conversation_failed(memory, line, task, error))
                continue
            broken = 0
            memory.failures.pop(task.listed.id, None)
            result = replace(
                result,
                reads=result.reads + 1,
                evidence=result.evidence + added,
                unmatched=result.unmatched | unmatched,
            )
        return result, troubles

    def _standing_troubles(self, memory: _Memory) -> list[tuple[str, str]]:
        return [(one, f"conversation {one} could not be read; tried again") for one in memory.failures]

    def _conversation_failed(self, memory: _Memory, line: Line, task: _Task, error: Exception) -> str:
        text = f"conversation {task.listed.id} could not be read: {error}"
        defect = None if isinstance(error, (Transient, ShapeChanged, Permanent)) else error
        self._tell_once(memory, line, text, exc_info=defect)
        return text

    def _tell_once(self, memory: _Memory, line: Line, text: str, **more: Any) -> None:
        if text not in memory.told:
            if len(memory.told) > 1000:
                memory.told.clear()
            memory.told.add(text)
            self._log.warning("a record was left out", line=line.number, reason=text, **more)

    # --- storing what was read ---------------------------------------------------------------------------

    def _store(
        self, line: Line, state: texts.LineState, task: _Task, thread: Thread, memory: _Memory
    ) -> tuple[int, frozenset[str]]:
        """Messages, evidence and cursor in one transaction; returns how much evidence, and unmatched numbers."""
        conversation = task.listed.id
        for rejected in thread.rejected:
            self._tell_once(
                memory, line, f"message {rejected.message_id} of conversation {conversation}: {rejected.reason}"
            )
        now = self._clock.now()
        with self._database.begin() as connection:
            stored = texts.stored_messages(connection, line.number, conversation)
            self._look_for_gap(memory, line, thread, conversation, stored)
            new = self._new_messages(line, thread, stored, state, now, memory)
            texts.save_messages(connection, line.number, [(one.message, one.digest, one.sent) for one in new])
            entries = self._evidence(connection, line, task.listed.theirs, new)
            ledger.append_all(connection, now, entries)
            matched = evidence.mark_stale(connection, {entry["number"] for entry in entries}) if entries else 0
            texts.save_conversation(
                connection, line.number, now, _cursor(task, state.polls + 1, bool(new)), fresh=task.known is None
            )
        unmatched = frozenset(entry["number"] for entry in entries) if entries and not matched else frozenset()
        return len(entries), unmatched

    def _look_for_gap(
        self, memory: _Memory, line: Line, thread: Thread, conversation: str, stored: set[tuple[str, str]]
    ) -> None:
        gap = thread.gap
        if stored and not {message_id for message_id, _ in stored} & {message.id for message in thread.messages}:
            gap = "none of the messages known before is shown any more: some in between may be missing"
        if gap:
            self._tell_once(memory, line, f"conversation {conversation}: {gap}")

    def _new_messages(
        self,
        line: Line,
        thread: Thread,
        stored: set[tuple[str, str]],
        state: texts.LineState,
        now: datetime,
        memory: _Memory,
    ) -> list[_New]:
        """Messages that are not stored yet. Under a known id a changed text is a new message."""
        new = []
        for message in thread.messages:
            digest = blake2b(f"{message.direction}\0{message.text}".encode(), digest_size=16).hexdigest()
            if (message.id, digest) in stored:
                continue
            stored.add((message.id, digest))
            reading = read(message.text, self._settings.vocabulary)
            if message.sent_at is None and reading.intent is not Intent.OPT_OUT:
                self._tell_once(
                    memory,
                    line,
                    f"message {message.id} of conversation {message.conversation_id}: its date cannot be read",
                )
                continue
            new.append(self._dated(message, digest, reading, state, now))
        return new

    def _dated(
        self, message: Message, digest: str, reading: Reading, state: texts.LineState, now: datetime
    ) -> _New:
        """An opt-out whose date cannot be read, or lies ahead, counts from the moment we saw it."""
        if message.sent_at is None:
            return _New(message, digest, now, reading, None, seen=True)
        if message.sent_at > now + FUTURE:
            return _New(message, digest, now, reading, FUTURE_DATE, seen=True)
        history = self._settings.review_history and message.sent_at < state.first_poll
        return _New(message, digest, message.sent_at, reading, HISTORY if history else None, seen=False)

    def _evidence(
        self, connection: Connection, line: Line, theirs: str, new: Sequence[_New]
    ) -> list[dict[str, Any]]:
        """The ledger entries that new messages deserve."""
        if not new:
            return []
        entries = []
        person = evidence.numbers_of_person(connection, theirs)
        ours = texts.outbound_times(connection, person)
        starts = texts.conversation_starts(connection, person)
        for one in new:
            if one.message.direction is Direction.OUTBOUND:
                entries += self._late_reply(one, starts)
            else:
                entries += self._text_entry(line, one, ours)
        return entries

    def _late_reply(self, one: _New, starts: Sequence[tuple[str, datetime]]) -> list[dict[str, Any]]:
        """Our own text matters when it turns a text that seemed to start a conversation into a reply."""
        since, until = one.sent.replace(microsecond=0), one.sent + self._settings.quiet_period
        numbers = sorted({number for number, start in starts if since <= start < until})
        return [{"kind": "outbound", "number": number, "sent": stamp(one.sent)} for number in numbers]

    def _text_entry(self, line: Line, one: _New, ours: Sequence[datetime]) -> list[dict[str, Any]]:
        message, intent, rule = one.message, one.reading.intent, one.reading.rule
        if message.direction is Direction.UNKNOWN:  # whoever sent it, only an opt-out is worth a person's look
            if intent is not Intent.OPT_OUT:
                return []
            intent, rule = Intent.UNCLEAR, "unknown-sender"
        last = evidence.last_at_or_before(ours, one.sent)
        quiet = last is None or one.sent - last >= self._settings.quiet_period
        starts = intent is Intent.ORDINARY and rule == WORDS and quiet
        if not starts and intent not in (Intent.OPT_OUT, Intent.OPT_IN, Intent.UNCLEAR):
            return []
        return [
            {
                "kind": "message",
                "number": message.theirs,
                "text": message.text,
                "line": line.number,
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


def _cursor(task: _Task, poll: int, news: bool) -> texts.Known:
    """Where reading of a conversation stands after this read. News found in a re-read count as a change."""
    if task.changed or task.known is None or news:
        return texts.Known(task.listed.id, task.listed.theirs, task.listed.marker, poll, 0, missing=False)
    rereads = task.known.rereads
    while poll - task.known.changed_poll >= 4**rereads and rereads <= texts.LAST_REREAD:
        rereads += 1
    return replace(task.known, rereads=rereads)


def _reread_due(known: texts.Known, poll: int) -> bool:
    return known.rereads <= texts.LAST_REREAD and poll - known.changed_poll >= 4**known.rereads


def _sweep_due(conversation: str, read_at: datetime, now: datetime, interval: timedelta) -> bool:
    """After 75 to 95 % of the interval, spread so that a first run's crowd does not stay one."""
    share = int.from_bytes(blake2b(conversation.encode(), digest_size=4).digest(), "big") / 0xFFFFFFFF
    return now - read_at >= interval * (0.75 + 0.2 * share)


def _gap(listed: dict[str, Listed], stored: dict[str, texts.Known], gone: Sequence[str]) -> str | None:
    if gone:
        return (
            f"{len(gone)} known conversations are no longer listed (deleted in the portal, or the list is capped)"
        )
    if suspected_cap(len(listed)) and len(listed) != len(stored) + 1:
        return f"exactly {len(listed)} conversations are listed: the list may be capped"
    return None
