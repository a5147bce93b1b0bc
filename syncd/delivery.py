"""SHELL: from verdicts to the PSA. Level-triggered: whatever differs is written, until the PSA shows it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from syncd.clock import Clock
from syncd.connector import Change, Connector, Outcome, Result
from syncd.directory import Writes, arrival_entry, staff_entry, write_entry
from syncd.errors import (
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
from syncd.plan import PARKED_AFTER, Lane, Mirror, arrived, look, needs_write, retry_in
from syncd.policy import OVERRULED, decide
from syncd.store import evidence, ledger, mirror
from syncd.store.database import Connection, Database

# So many batches in a row of which nothing could be written mean that the PSA is in trouble, not the contacts.
BREAKER = 3


@dataclass(frozen=True, slots=True)
class Delivered:
    """What delivery did: for so many contacts it is known how their write ended."""

    done: int = 0


@dataclass(frozen=True, slots=True)
class _Taken:
    """A change that the connector has taken, and the verdict that it carries out."""

    change: Change
    verdict: Verdict


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
        unread: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self.rules = rules
        self._beat = beat
        self._look_again = look_again
        self._unread = unread
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
        self._failed_in_a_row = dict.fromkeys(Lane, 0)

    # --- verdicts ----------------------------------------------------------------------------------------

    def settle(self, lanes: Sequence[Lane] = ()) -> list[Lane]:
        """Make every verdict that new evidence has touched.

        Returns those of these lanes for which `batch` would call the PSA then.
        """
        while True:
            with self._database.begin() as connection:
                if not mirror.anything_to_do(connection):
                    return []
                stale = mirror.stale_contacts(connection, 200)
                self._decide(connection, stale)
                if len(stale) < 200 or self._clock.stopping:
                    with self._lock:
                        return [lane for lane in lanes if self._due(connection, lane)]

    def _decide(self, connection: Connection, ids: Sequence[str]) -> None:
        for case in evidence.cases(connection, ids):
            verdict = decide(case.contact, case.evidence, case.company, self.rules)
            waits = needs_write(verdict.desired, case.mirror)
            mirror.save_verdict(connection, case.contact.id, verdict, waits=waits, now=self._clock.now())

    # --- one batch of a lane -----------------------------------------------------------------------------

    def batch(self, one_lane: Lane) -> Delivered:
        """Write some of what is due in a lane.

        Raises when the PSA as a whole is in trouble. Whatever is not written stays due; a contact that failed for
        itself waits alone for its next try.
        """
        batch: list[mirror.Waiting] = []
        token = urgent.set(one_lane is Lane.OPT_OUT)
        try:
            with self._database.begin() as connection, self._lock:
                batch = self._pick(one_lane, self._due(connection, one_lane))
                self._in_flight.update(one.id for one in batch)
            count, trouble, contained = self._write(batch)
        finally:  # also when the database refused this very commit: else nobody would ever write them
            urgent.reset(token)
            with self._lock:
                self._in_flight.difference_update(one.id for one in batch)
            self._batch_done()
        # A contact that failed before says nothing about the PSA when it fails again.
        told = isinstance(trouble, Transient) and batch[0].attempts == 0
        self._failed_in_a_row[one_lane] = 0 if count else self._failed_in_a_row[one_lane] + told
        if trouble is not None and (not contained or self._failed_in_a_row[one_lane] >= BREAKER):
            raise trouble
        return Delivered(count)

    def _due(self, connection: Connection, one_lane: Lane) -> list[mirror.Waiting]:
        """Some changes of a lane whose time has come, if there are any; those that never failed come first."""
        # What could not be read may be an opt-out of the very person who is to be opted in.
        held = mirror.owners_of(connection, self._unread()) if one_lane is Lane.OPT_IN else frozenset()
        most = self._psa.traits.batch + len(self._in_flight) + len(self._next_try) + len(held)
        found = mirror.waiting(connection, one_lane, limit=most)
        return [one for one in found if one.id not in held and self._is_due(one)]

    def _pick(self, one_lane: Lane, due: Sequence[mirror.Waiting]) -> list[mirror.Waiting]:
        # An opt-in goes alone, so that an opt-out arriving meanwhile can still stop it before it leaves.
        if due and (due[0].id in self._alone or one_lane is Lane.OPT_IN):
            return [due[0]]
        return [one for one in due if one.id not in self._alone][: self._psa.traits.batch]

    def _is_due(self, one: mirror.Waiting) -> bool:
        value, when = self._next_try.get(one.id, (None, 0.0))
        # A value that was postponed does not hold up another one: a #Stop never waits for a failed opt-in.
        postponed = value is one.verdict.desired and when > self._clock.monotonic()
        return one.id not in self._in_flight and not postponed

    # --- carrying it out ---------------------------------------------------------------------------------

    def _write(self, batch: Sequence[mirror.Waiting]) -> tuple[int, SyncdError | None, bool]:
        """Write a batch.

        Returns how many contacts are done, the trouble that ended it, if any, and whether single contacts are to
        blame for that.
        """
        taken: dict[str, _Taken] = {}
        done: set[str] = set()
        trouble: SyncdError | None = None
        contained = False
        token = before_sending.set(lambda: self._still_wanted(taken, done))
        try:
            for contact_id, outcome in self._psa.write(self._changes(batch, taken)):
                self._record(taken[contact_id], outcome)
                done.add(contact_id)
            if forgotten := taken.keys() - done:
                trouble = Permanent("the connector did not say how the write ended")
                contained = self._blame(trouble, [taken[one] for one in sorted(forgotten)])
        except Superseded:
            self._log.info("an opt-in was stopped by a newer opt-out before it left", contacts=sorted(taken))
        except (Stopping, StoreUnavailable):
            raise
        except SyncdError as error:
            trouble = error
            left = [one for contact_id, one in taken.items() if contact_id not in done]
            contained = self._blame(error, left) or error.contact in done
        except Exception as error:  # noqa: BLE001  the one-record guard: our bug must not stop other opt-outs
            first = next((one for one in taken if one not in done), None)
            trouble = Permanent(f"defect of syncd or of the connector: {type(error).__name__}", contact=first)
            self._log.error("a write failed by a defect", contact=first, alert=True, exc_info=error)
            contained = self._blame(trouble, [one for contact_id, one in taken.items() if contact_id not in done])
        finally:
            before_sending.reset(token)
        return len(done), trouble, contained

    def _changes(self, batch: Sequence[mirror.Waiting], taken: dict[str, _Taken]) -> Iterator[Change]:
        """The changes that are still wanted at the moment the connector takes them.

        What is about to be sent is noted first: if we are killed now, the value is recognised as ours later.
        """
        for one in batch:
            self._beat()
            if self._clock.stopping:
                raise Stopping("asked to stop")
            with self._database.begin() as connection:
                now = mirror.waiting_one(connection, one.id)
                if now is None or now.stale:
                    self._decide(connection, [one.id])
                    now = mirror.waiting_one(connection, one.id)
                if now is None or now.verdict.desired is None:
                    continue
                mirror.save_mirror(connection, one.id, now.mirror.sending(now.verdict.desired))
            self._writes.touched(one.id)
            change = Change(one.id, now.company_id, now.verdict.desired, now.mirror.shown)
            taken[one.id] = _Taken(change, now.verdict)
            yield change

    def _still_wanted(self, taken: dict[str, _Taken], done: Collection[str]) -> None:
        """Called right before a request leaves: an opt-in must not leave when an opt-out is known by now."""
        opt_ins = [
            contact_id
            for contact_id, one in taken.items()
            if one.change.consent is Consent.OPTED_IN and contact_id not in done
        ]
        if not opt_ins:
            return
        with self._database.begin() as connection:
            self._decide(connection, opt_ins)
            now = [mirror.waiting_one(connection, one) for one in opt_ins]
        if any(one is None or one.verdict.desired is not Consent.OPTED_IN for one in now):
            raise Superseded("newer evidence arrived")

    def _record(self, taken: _Taken, outcome: Outcome) -> None:
        """Keep how a write ended, with its ledger entry."""
        change, contact_id = taken.change, taken.change.contact_id
        undone = outcome.result in (Result.REFUSED, Result.GONE)
        self._writes.touched(contact_id)
        now = self._clock.now()
        with self._database.begin() as connection:
            before, failures = mirror.so_far(connection, contact_id, change.consent)
            match outcome.result:
                case Result.APPLIED | Result.ALREADY:
                    shown, _ = look(before.sending(change.consent), change.consent)
                    mirror.save_mirror(connection, contact_id, shown, stale=True)
                case Result.CHANGED:
                    shown, edit = look(before, Consent.OPTED_OUT)
                    mirror.save_mirror(connection, contact_id, shown, stale=True)
                    ledger.append_all(connection, now, self._found(change, before, edit))
                case Result.GONE:  # deleted, or hidden from our user: a complete list will tell
                    self._postpone(connection, change, failures + 1, "the PSA has no such contact")
                    self._look_again()
                case Result.REFUSED:
                    self._postpone(connection, change, failures + 1, outcome.reason)
            # A failure is told once; and a list may have shown meanwhile that the write arrived.
            listed = before.pending is None and before.shown is change.consent
            known = failures > 0 if undone else listed
            if not known:
                ledger.append(connection, now, "write", **write_entry(change, taken.verdict, outcome))
        if not undone:
            with self._lock:
                self._next_try.pop(contact_id, None)
                self._alone.discard(contact_id)
        self._tell(taken, outcome)

    @staticmethod
    def _found(change: Change, before: Mirror, edit: Consent | None) -> list[dict[str, Any]]:
        """The ledger entry about the opt-out that an opt-in met: a person's, or an earlier one of ours."""
        if edit is not None:
            return [staff_entry(change.contact_id, change.company_id, change.shown, edit)]
        if arrived(before, Consent.OPTED_OUT):
            return [arrival_entry(replace(change, consent=Consent.OPTED_OUT), None)]
        return []

    def _tell(self, taken: _Taken, outcome: Outcome) -> None:
        if OVERRULED in taken.verdict.reason and outcome.result is Result.APPLIED:
            self._log.warning(
                "an opt-in that a person set in the PSA was put back: the contact had opted out",
                contact=taken.change.contact_id,
                next="ask the contact to text an opt-in keyword",
            )
        self._log.info(
            "written" if outcome.result is Result.APPLIED else f"write: {outcome.result}",
            contact=taken.change.contact_id,
            value=taken.change.consent,
            clause=taken.verdict.clause,
            **({"reason": outcome.reason} if outcome.reason else {}),
        )

    # --- failures ----------------------------------------------------------------------------------------

    def _blame(self, error: SyncdError, undone: Sequence[_Taken]) -> bool:
        """Decide who waits after an exception: the contact that it names. False: nobody, the PSA is at fault."""
        if error.contact is not None:
            guilty = [one for one in undone if one.change.contact_id == error.contact]
        elif not isinstance(error, (Permanent, ShapeChanged)):
            return False
        elif len(undone) > 1:  # one of them is to blame; alone it will show which
            with self._lock:
                self._alone.update(one.change.contact_id for one in undone)
            return True
        else:
            guilty = list(undone)
        asked = error.retry_after if isinstance(error, Transient) else None
        with self._database.begin() as connection:
            for one in guilty:
                _, failures = mirror.so_far(connection, one.change.contact_id, one.change.consent)
                failures = max(failures + 1, PARKED_AFTER if isinstance(error, Permanent) else 0)
                self._postpone(connection, one.change, failures, str(error), asked)
        return bool(guilty)

    def _postpone(
        self, connection: Connection, change: Change, failures: int, why: str, asked: float | None = None
    ) -> None:
        """Try this change again later; there is no last try. From the third failure on it is shown as parked."""
        mirror.save_trouble(connection, change.contact_id, change.consent, failures, why)
        pause = retry_in(5 if failures >= PARKED_AFTER else failures, self._interval, asked)
        with self._lock:
            self._next_try[change.contact_id] = (change.consent, self._clock.monotonic() + pause)
        if failures == PARKED_AFTER:
            self._log.error(
                "a contact cannot be written",
                contact=change.contact_id,
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
