"""SHELL: from verdicts to the PSA. Level-triggered: whatever differs is written, until the PSA shows it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.clock import Clock
from syncd.connector import Change, Connector, Outcome, Result
from syncd.directory import Writes, staff_entry
from syncd.errors import (
    AuthRefused,
    ConfigProblem,
    Permanent,
    ShapeChanged,
    Stopping,
    StoreUnavailable,
    Superseded,
    SyncdError,
    Transient,
)
from syncd.http import before_sending
from syncd.model import Consent, Rules, Verdict
from syncd.pace import urgent
from syncd.plan import PARKED_AFTER, Lane, lane, look, needs_write, retry_in
from syncd.policy import OVERRULED, decide
from syncd.store import evidence, ledger, mirror
from syncd.store.database import Connection, Database

# So many contacts in a row that fail mean that the PSA is in trouble, not they.
BREAKER = 3


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one round of delivery did: `written` fields, and how many changes still wait for their next try."""

    written: int = 0
    left: int = 0


class Delivery:
    """Makes verdicts and writes them. Several threads may deliver different lanes at the same time."""

    def __init__(
        self,
        database: Database,
        psa: Connector,
        clock: Clock,
        log: Any,
        rules: Rules,
        poll_interval: float,
        writes: Writes,
        *,
        beat: Callable[[], None] = lambda: None,
        batch_done: Callable[[], None] = lambda: None,
        look_again: Callable[[], None] = lambda: None,
    ) -> None:
        self.rules = rules
        self._beat = beat
        self._look_again = look_again
        self._batch_done = batch_done
        self._database = database
        self._psa = psa
        self._clock = clock
        self._log = log
        self._interval = poll_interval
        self._writes = writes
        self._lock = threading.Lock()
        self._in_flight: set[str] = set()
        self._next_try: dict[str, tuple[Consent, float]] = {}  # a postponed value, and when it is due
        self._alone: set[str] = set()  # failed in a batch: tried on their own

    # --- verdicts ----------------------------------------------------------------------------------------

    def settle(self) -> int:
        """Make every verdict that new evidence has touched; returns how many."""
        count = 0
        while True:
            with self._database.begin() as connection:
                stale = mirror.stale_contacts(connection, 200)
                self._decide(connection, stale)
            count += len(stale)
            if len(stale) < 200 or self._clock.stopping:
                return count

    def _decide(self, connection: Connection, ids: Sequence[str]) -> None:
        for case in evidence.cases(connection, ids):
            verdict = decide(case.contact, case.evidence, case.company, self.rules)
            waits = needs_write(verdict.desired, case.mirror)
            mirror.save_verdict(connection, case.contact.id, verdict, waits=waits, now=self._clock.now())

    # --- rounds ------------------------------------------------------------------------------------------

    def deliver(self, lanes: Collection[Lane]) -> Delivered:
        """Write what is due in these lanes, the most urgent first.

        Raises when the PSA as a whole is in trouble; whatever is not written stays due. After each batch the plan
        is made again, so that an opt-out that came in meanwhile goes next.
        """
        written = failed_in_a_row = 0
        while not self._clock.stopping:
            self.settle()
            batch, left = self._next_batch(lanes)
            if not batch:
                return Delivered(written, left)
            token = urgent.set(lane(batch[0].verdict) is Lane.OPT_OUT)
            try:
                count, trouble = self._write(batch)
            finally:
                urgent.reset(token)
            written += count
            failed_in_a_row = 0 if count else failed_in_a_row + (trouble is not None)
            if trouble is not None and (service_at_fault(trouble) or failed_in_a_row >= BREAKER):
                raise trouble
        raise Stopping("asked to stop")

    def _next_batch(self, lanes: Collection[Lane]) -> tuple[list[mirror.Waiting], int]:
        """The next changes to write together; when there are none, how many wait for their next try."""
        left = 0
        size = self._psa.traits.batch
        for one_lane in sorted(lanes):
            with self._database.begin() as connection, self._lock:
                # So many that some of them are due, if any is.
                most = size + len(self._in_flight) + len(self._next_try)
                queue = mirror.waiting(connection, one_lane, limit=most)
                batch = self._pick(one_lane, [one for one in queue if self._is_due(one)], size)
                self._in_flight.update(one.id for one in batch)
            if batch:
                return batch, 0
            left += len(queue)
        return [], left

    def _pick(self, one_lane: Lane, due: Sequence[mirror.Waiting], size: int) -> list[mirror.Waiting]:
        # An opt-in goes alone, so that an opt-out arriving meanwhile can still stop it before it leaves.
        if due and (due[0].id in self._alone or one_lane is Lane.OPT_IN):
            return [due[0]]
        return [one for one in due if one.id not in self._alone][:size]

    def _is_due(self, one: mirror.Waiting) -> bool:
        value, when = self._next_try.get(one.id, (None, 0.0))
        # A value that was postponed does not hold up another one: a #Stop never waits for a failed opt-in.
        postponed = value is one.verdict.desired and when > self._clock.monotonic()
        return one.id not in self._in_flight and not postponed

    # --- one batch ---------------------------------------------------------------------------------------

    def _write(self, batch: Sequence[mirror.Waiting]) -> tuple[int, SyncdError | None]:
        """Write a batch. Returns how many contacts are done, and the trouble that ended it, if any."""
        taken: dict[str, Change] = {}
        done: set[str] = set()
        trouble: SyncdError | None = None
        token = before_sending.set(lambda: self._still_wanted(taken, done))
        try:
            for contact_id, outcome in self._psa.write(self._changes(batch, taken)):
                self._record(taken[contact_id], outcome)
                done.add(contact_id)
        except Superseded:
            self._log.info("an opt-in was stopped by a newer opt-out before it left", contacts=sorted(taken))
        except (Stopping, StoreUnavailable):
            raise
        except SyncdError as error:
            trouble = error
            self._blame(error, [one for one in taken if one not in done])
        except Exception as error:  # noqa: BLE001  the one-record guard: our bug must not stop other opt-outs
            first = next((one for one in taken if one not in done), None)
            trouble = Permanent(f"defect of syncd or of the connector: {type(error).__name__}", contact=first)
            self._log.error("a write failed by a defect", contact=first, alert=True, exc_info=error)
            self._blame(trouble, [one for one in taken if one not in done])
        finally:
            before_sending.reset(token)
            with self._lock:
                self._in_flight.difference_update(one.id for one in batch)
            self._batch_done()
        return len(done), trouble

    def _changes(self, batch: Sequence[mirror.Waiting], taken: dict[str, Change]) -> Iterator[Change]:
        """The changes that are still wanted at the moment the connector takes them.

        What is about to be sent is noted first: if we are killed now, the value is recognised as ours later.
        """
        for one in batch:
            self._beat()
            if self._clock.stopping:
                raise Stopping("asked to stop")
            with self._database.begin() as connection:
                self._decide(connection, [one.id])
                now = mirror.waiting_one(connection, one.id)
                if now is None or now.verdict.desired is None:
                    continue
                mirror.save_mirror(connection, one.id, now.mirror.sending(now.verdict.desired))
            self._writes.touched(one.id)
            change = Change(one.id, now.company_id, now.verdict.desired, now.mirror.shown)
            taken[one.id] = change
            yield change

    def _still_wanted(self, taken: dict[str, Change], done: Collection[str]) -> None:
        """Called right before a request leaves: an opt-in must not leave when an opt-out is known by now."""
        opt_ins = [one for one, change in taken.items() if change.consent is Consent.OPTED_IN and one not in done]
        if not opt_ins:
            return
        with self._database.begin() as connection:
            self._decide(connection, opt_ins)
            now = [mirror.waiting_one(connection, one) for one in opt_ins]
        if any(one is None or one.verdict.desired is not Consent.OPTED_IN for one in now):
            raise Superseded("newer evidence arrived")

    def _record(self, change: Change, outcome: Outcome) -> None:
        """Keep how a write ended, with its ledger entry, and make the verdict again."""
        self._writes.touched(change.contact_id)
        now = self._clock.now()
        with self._database.begin() as connection:
            known = mirror.known_contacts(connection, ids=[change.contact_id])[change.contact_id]
            verdict, attempts = mirror.verdict_and_attempts(connection, change.contact_id)
            match outcome.result:
                case Result.APPLIED | Result.ALREADY:
                    shown, _ = look(known.mirror.sending(change.consent), change.consent)
                    mirror.save_mirror(connection, change.contact_id, shown, stale=True)
                case Result.GONE:  # deleted, or hidden from our user: a complete list will tell
                    self._postpone(connection, change.contact_id, attempts + 1, "the PSA has no such contact")
                    self._look_again()
                case Result.CHANGED:
                    after, edit = look(known.mirror, Consent.OPTED_OUT)
                    mirror.save_mirror(connection, change.contact_id, after, stale=True)
                    entry = staff_entry(change.contact_id, change.company_id, change.shown, Consent.OPTED_OUT)
                    ledger.append_all(connection, now, [entry] if edit else [])
                case Result.REFUSED:
                    self._postpone(connection, change.contact_id, attempts + 1, outcome.reason)
            undone = outcome.result in (Result.REFUSED, Result.GONE)
            if not undone or attempts == 0:
                ledger.append(connection, now, "write", **_write_entry(change, verdict, outcome))
            self._decide(connection, [change.contact_id])
        if not undone:
            self._next_try.pop(change.contact_id, None)
            self._alone.discard(change.contact_id)
        if OVERRULED in verdict.reason and outcome.result is Result.APPLIED:
            self._log.warning(
                "an opt-in that a person set in the PSA was put back: the contact had opted out",
                contact=change.contact_id,
                next="ask the contact to text an opt-in keyword",
            )
        self._log.info(
            "written" if outcome.result is Result.APPLIED else f"write: {outcome.result}",
            contact=change.contact_id,
            value=change.consent,
            clause=verdict.clause,
            **({"reason": outcome.reason} if outcome.reason else {}),
        )

    # --- failures ----------------------------------------------------------------------------------------

    def _blame(self, error: SyncdError, undone: Sequence[str]) -> None:
        """Decide who waits after an exception: the contact that it names, or nobody when the PSA is at fault."""
        if error.contact is not None:
            guilty = [one for one in undone if one == error.contact]
        elif isinstance(error, (Permanent, ShapeChanged)) and len(undone) > 1:
            with self._lock:  # one of them is to blame; alone it will show which
                self._alone.update(undone)
            return
        elif isinstance(error, Permanent):
            guilty = list(undone)
        else:
            return
        asked = error.retry_after if isinstance(error, Transient) else None
        with self._database.begin() as connection:
            for one in guilty:
                _, attempts = mirror.verdict_and_attempts(connection, one)
                attempts = max(attempts + 1, PARKED_AFTER if isinstance(error, Permanent) else 0)
                self._postpone(connection, one, attempts, str(error), asked)

    def _postpone(
        self, connection: Connection, contact_id: str, attempts: int, why: str, asked: float | None = None
    ) -> None:
        """Try this contact again later; there is no last try. From the third failure on it is shown as parked."""
        mirror.save_trouble(connection, contact_id, attempts, why)
        pause = retry_in(5 if attempts >= PARKED_AFTER else attempts, self._interval, asked)
        postponed, _ = mirror.verdict_and_attempts(connection, contact_id)
        if postponed.desired is not None:
            self._next_try[contact_id] = (postponed.desired, self._clock.monotonic() + pause)
        if attempts == PARKED_AFTER:
            self._log.error(
                "a contact cannot be written",
                contact=contact_id,
                reason=why,
                next="see `syncd status`; tried again without end, nothing else waits for it",
                alert=True,
            )

    def next_try(self) -> float | None:
        """Seconds until the earliest postponed write; 0 once when one came due; None when none is postponed."""
        now = self._clock.monotonic()
        with self._lock:
            come = [one for one, (_, when) in self._next_try.items() if when <= now]
            for one in come:
                del self._next_try[one]
            times = [when for _, when in self._next_try.values()]
        if come:
            return 0.0
        return min(times) - now if times else None


def service_at_fault(error: SyncdError) -> bool:
    """Whether an error speaks of the PSA as a whole rather than of one record."""
    if isinstance(error, (AuthRefused, ConfigProblem)):
        return True
    return error.contact is None and not isinstance(error, (Permanent, ShapeChanged))


def _write_entry(change: Change, verdict: Verdict, outcome: Outcome) -> dict[str, Any]:
    return {
        "contact": change.contact_id,
        "company": change.company_id,
        "before": change.shown,
        "after": change.consent,
        "clause": verdict.clause,
        "reason": verdict.reason,
        "because": list(verdict.evidence),
        "result": outcome.result.value,
        "said": outcome.reason or None,
    }
