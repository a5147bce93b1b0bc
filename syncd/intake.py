"""SHELL: from PrimeVOX to the ledger. One call of `poll` is one pass over one of our numbers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from syncd.clock import Clock
from syncd.errors import AuthRefused, Permanent, ShapeChanged, Stopping, StoreUnavailable, Transient, told
from syncd.plan import PARKED_AFTER, retry_in
from syncd.primevox import Line, Listed, PrimeVox, Thread, suspected_cap
from syncd.sift import IntakeSettings, Sifter
from syncd.store import evidence, ledger, mirror, texts
from syncd.store.database import Connection, Database

# So many records that were left out are told of one number; thousands more would only hide the rest of the log.
MOST_TOLD = 1000


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


@dataclass(frozen=True, slots=True)
class _Failure:
    """A conversation that could not be read: whose, how often in a row, until when it rests, at which marker."""

    theirs: str
    count: int
    rests_until: float
    marker: str


@dataclass(slots=True)
class _Memory:
    """What is kept of a line between turns; losing it costs some requests, never a text.

    state:     as stored
    digest:    of the last list of which everything was read: an equal one need not be parsed
    listing:   digest of the list that `backlog` comes from
    backlog:   what that list, and the re-reads due then, still ask to be read
    listed_at: when it was read (monotonic)
    noted:     why the line is not read, as stored for `status`
    unread:    whose conversations could not be read, as stored for `explain`
    undated:   it was told that dates cannot be read
    told:      what was said in the log already
    """

    state: texts.LineState | None = None
    digest: str | None = None
    listing: str | None = None
    listed_at: float = float("-inf")
    backlog: list[_Task] = field(default_factory=list)
    gap: str | None = None
    noted: str | None = None
    failures: dict[str, _Failure] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    undated: bool = False
    told: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Task:
    """A conversation to read: as listed now, and as stored before."""

    listed: Listed
    known: texts.Known | None
    changed: bool


class Intake:
    """Reads conversations, keeps evidence. Thread-safe for different lines."""

    def __init__(
        self,
        database: Database,
        source: PrimeVox,
        clock: Clock,
        log: Any,
        settings: IntakeSettings,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._source = source
        self._clock = clock
        self._log = log
        self._settings = settings
        self._sifter = Sifter(settings, beat)
        self._memories: dict[str, _Memory] = {}
        self._lock = threading.Lock()

    def poll(self, line: Line, budget: float | None = None) -> Pass:
        """One turn of a line: its list, and what the list shows to be new.

        `budget`: seconds, the list included, after which no further request is begun; the next turn goes on where
        this one stopped, with a fresh list once a poll interval has passed. Raises what reading the list raised;
        trouble with single conversations is recorded, not raised.
        """
        started = self._clock.monotonic()
        memory = self._memory(line)
        state = memory.state = memory.state or self._open(line, memory)
        fresh_list = (
            budget is None
            or not memory.backlog
            or started - memory.listed_at >= self._settings.poll_interval.total_seconds()
        )
        try:
            if fresh_list:
                state = replace(state, polls=state.polls + 1)
                memory.listed_at = started
                self._list(line, state, memory)
            result, troubles = self._read_backlog(
                line, state, memory, None if budget is None else started + budget
            )
        except (Stopping, StoreUnavailable):
            raise
        except Exception as error:
            self.note(line, told(error))
            raise
        good = result.finished and not troubles
        if good:
            memory.digest = memory.listing
        unread = sorted({failure.theirs for failure in memory.failures.values()})
        with self._database.begin() as connection:
            if unread != memory.unread:
                mirror.save_unread(connection, line.number, unread)
            texts.close_pass(
                connection,
                line.number,
                polls=state.polls,
                error=troubles[0] if troubles else None,
                gap=memory.gap,
                good=self._clock.now() if good else None,
            )
        memory.noted = None
        memory.unread = unread
        memory.state = replace(state, gap=memory.gap)
        if memory.gap and memory.gap != state.gap:
            self._log.warning("a gap is suspected", line=line.number, gap=memory.gap)
        return result

    def _memory(self, line: Line) -> _Memory:
        with self._lock:
            return self._memories.setdefault(line.number, _Memory())

    def unread(self) -> set[str]:
        """Whose conversations are known to have changed, or to exist, but could not be read the last time."""
        with self._lock:
            memories = list(self._memories.values())
        return {failure.theirs for memory in memories for failure in list(memory.failures.values())}

    def _open(self, line: Line, memory: _Memory) -> texts.LineState:
        with self._database.begin() as connection:
            memory.unread = mirror.unread(connection).get(line.number, [])
            return texts.open_line(connection, line.number, self._clock.now())

    def note(self, line: Line, trouble: str) -> None:
        """Keep for `status` why a line is not read."""
        memory = self._memory(line)
        if memory.noted == trouble:
            return
        with self._database.begin() as connection:
            if memory.state is None:
                texts.open_line(connection, line.number, self._clock.now())
            texts.fail_pass(connection, line.number, trouble)
        memory.noted = trouble

    # --- which conversations to read ---------------------------------------------------------------------

    def _list(self, line: Line, state: texts.LineState, memory: _Memory) -> None:
        """Ask for the list; note what is to be read: changed conversations first, then re-reads and the sweep."""
        listing = self._source.listing(line)
        listed: dict[str, Listed] | None = None
        if listing.digest != memory.digest:
            memory.digest = None  # parsed again until every change in it is stored
            listed, remarks = listing.conversations()
            for remark in remarks:
                self._tell_once(memory, line, remark)
        now, interval = self._clock.now(), self._settings.sweep_interval
        with self._database.begin() as connection:
            changed = [] if listed is None else self._changed(connection, line, listed, memory)
            due = texts.due(connection, line.number, state.polls, now - interval * 0.75)
        seen = {task.listed.id for task in changed}
        again = [
            _Task(Listed(known.id, known.theirs, known.marker), known, changed=False)
            for known, read_at in due
            if known.id not in seen
            and (self._reread_due(known, state.polls) or _sweep_due(known.id, read_at, now, interval))
        ]
        memory.listing = listing.digest
        memory.backlog = [task for task in changed + again if not _rests(memory, task, memory.listed_at)]

    def _reread_due(self, known: texts.Known, poll: int) -> bool:
        wanted = self._settings.rereads and known.rereads <= texts.LAST_REREAD
        return wanted and poll - known.changed_poll >= 4**known.rereads

    @staticmethod
    def _changed(connection: Connection, line: Line, listed: dict[str, Listed], memory: _Memory) -> list[_Task]:
        stored = texts.known(connection, line.number)
        gone = [known.id for known in stored.values() if not known.missing and known.id not in listed]
        texts.mark_missing(connection, line.number, gone, missing=True)
        # A conversation that is listed no more cannot be read: it is a gap, not a failure to try again.
        memory.failures = {one: failure for one, failure in memory.failures.items() if one in listed}
        memory.gap = _gap(listed, stored, gone)
        changed = []
        for item in listed.values():
            known = stored.get(item.id)
            if known is None or known.marker != item.marker or known.missing:
                changed.append(_Task(item, known, changed=True))
        return changed

    # --- reading them ------------------------------------------------------------------------------------

    def _read_backlog(
        self, line: Line, state: texts.LineState, memory: _Memory, until: float | None
    ) -> tuple[Pass, list[str]]:
        """Read one conversation after another until nothing is left, the time is up, or the line seems down."""
        troubles = [f"conversation {one} could not be read; tried again" for one in memory.failures]
        result = Pass(finished=True)
        broken = 0
        while memory.backlog:
            if self._clock.stopping:
                raise Stopping("asked to stop")
            out_of_time = until is not None and self._clock.monotonic() >= until
            if broken >= 2 or out_of_time:
                news_left = any(left.changed for left in memory.backlog)
                if not out_of_time:
                    memory.backlog.clear()  # asked anew at the next poll
                return replace(result, finished=not news_left, more=out_of_time), troubles
            task = memory.backlog.pop(0)
            try:
                thread = self._source.thread(line, task.listed)
                added, unmatched = self._store(line, state, task, thread, memory)
            except (Stopping, StoreUnavailable, AuthRefused):
                raise
            except Exception as error:
                if isinstance(error, Transient) and error.retry_after is not None:
                    raise  # PrimeVOX asks to be left alone, not about this conversation
                broken = broken + 1 if isinstance(error, Transient) else 0
                troubles.append(self._conversation_failed(line, memory, task, error))
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

    def _conversation_failed(self, line: Line, memory: _Memory, task: _Task, error: Exception) -> str:
        before = memory.failures.get(task.listed.id)
        count = before.count + 1 if before else 1
        interval = self._settings.poll_interval.total_seconds()
        # Half an interval less, so that the poll which is due then does not come a moment too early.
        rests_until = self._clock.monotonic() + retry_in(count, interval) - interval / 2
        memory.failures[task.listed.id] = _Failure(task.listed.theirs, count, rests_until, task.listed.marker)
        text = f"conversation {task.listed.id} could not be read: {told(error)}"
        if count == PARKED_AFTER:
            self._log.error(
                "a conversation cannot be read",
                line=line.number,
                conversation=task.listed.id,
                number=task.listed.theirs,
                reason=told(error),
                next="look at it in the portal: it may hold an opt-out, which nobody carries out; tried again",
                alert=True,
            )
        defect = None if isinstance(error, (Transient, ShapeChanged, Permanent)) else error
        self._tell_once(memory, line, text, exc_info=defect)
        return text

    def _tell_once(self, memory: _Memory, line: Line, text: str, **more: Any) -> None:
        if text not in memory.told and len(memory.told) <= MOST_TOLD:
            memory.told.add(text)
            last = "; nothing more is told of this number until the next start" * (len(memory.told) > MOST_TOLD)
            self._log.warning("a record was left out", line=line.number, reason=text + last, **more)

    # --- storing what was read ---------------------------------------------------------------------------

    def _store(
        self, line: Line, state: texts.LineState, task: _Task, thread: Thread, memory: _Memory
    ) -> tuple[int, frozenset[str]]:
        """Messages, evidence and cursor in one transaction; returns how much evidence, and unmatched numbers.

        The texts are read before it: nobody else may wait for the database meanwhile.
        """
        conversation, theirs = task.listed.id, task.listed.theirs

        def tell(what: str) -> None:
            self._tell_once(memory, line, f"conversation {conversation}: {what}")

        for rejected in thread.rejected:
            tell(f"message {rejected.message_id}: {rejected.reason}")
        now = self._clock.now()
        with self._database.begin() as connection:
            stored = texts.stored_messages(connection, line.number, conversation)
        if gap := _gap_within(thread, stored):
            tell(gap)
        new = self._sifter.new_messages(thread, stored, state, now, tell)
        if not memory.undated and any(message.sent_at is None for message in thread.messages):
            memory.undated = True
            self._log.error(
                "dates of messages cannot be read",
                line=line.number,
                conversation=conversation,
                next="has the form of messageDate changed? Opt-outs count as seen now, opt-ins are left out",
                alert=True,
            )
        with self._database.begin() as connection:
            texts.save_messages(connection, line.number, [(one.message, one.digest, one.sent) for one in new])
            entries = self._sifter.entries(connection, line.number, theirs, new)
            ledger.append_all(connection, now, entries)
            numbers = {str(entry["number"]) for entry in entries}
            matched = evidence.mark_stale(connection, numbers) if numbers else 0
            cursor = _cursor(task, state.polls, bool(new))
            texts.save_conversation(connection, line.number, now, cursor, fresh=task.known is None)
        return len(entries), frozenset() if matched else frozenset(numbers)


def _gap_within(thread: Thread, stored: set[tuple[str, str]]) -> str | None:
    known = {message_id for message_id, _ in stored}
    if known and not known & {message.id for message in thread.messages}:
        return "none of the messages known before is shown any more: some in between may be missing"
    return thread.gap


def _rests(memory: _Memory, task: _Task, now: float) -> bool:
    """Whether a conversation that failed has not come again yet. One that changed since is tried at once."""
    failure = memory.failures.get(task.listed.id)
    return failure is not None and failure.marker == task.listed.marker and now < failure.rests_until


def _cursor(task: _Task, poll: int, news: bool) -> texts.Known:
    """Where reading of a conversation stands after this read. News found in a re-read count as a change."""
    if task.changed or task.known is None or news:
        return texts.Known(task.listed.id, task.listed.theirs, task.listed.marker, poll, 0, missing=False)
    rereads = task.known.rereads
    while poll - task.known.changed_poll >= 4**rereads and rereads <= texts.LAST_REREAD:
        rereads += 1
    return replace(task.known, rereads=rereads)


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
