"""SHELL: the four pieces of work of the daemon, each guarded, each safe to repeat at any time.

`poll`, `watch_companies`, `refresh_directory` and `deliver` read, decide, commit and act; none keeps a transaction
open during a network call. The daemon runs them in threads, `once` and the simulation one after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, TypeVar

from syncd.clock import Clock
from syncd.connector import Connector
from syncd.delivery import Delivered, Delivery
from syncd.directory import Directory, Writes
from syncd.errors import Stopping, StoreUnavailable
from syncd.health import Health, Latch
from syncd.intake import Intake, Pass
from syncd.model import PhoneNumber, Rules
from syncd.plan import BrakeLimits, Lane
from syncd.primevox import Line, PrimeVox
from syncd.sift import IntakeSettings
from syncd.store import ledger, mirror, texts
from syncd.store.database import Database
from syncd.store.times import stamp

T = TypeVar("T")

# A text from a number that no contact has may come from a contact created a moment ago: look again, but not more
# often than every so many seconds.
LOOK_AGAIN = 60.0

# That the PSA still does well is stored for `status` every so many seconds, not with every batch of a cascade.
REMEMBER_EVERY = 10.0

# What the lanes of delivery are called in `status` and in the log.
LANES = {Lane.OPT_OUT: "opt-outs", Lane.CASCADE: "company opt-outs", Lane.OPT_IN: "opt-ins"}


@dataclass(frozen=True, slots=True)
class Setup:
    """What the engine works with, from the configuration."""

    lines: tuple[Line, ...]
    rules: Rules
    intake: IntakeSettings
    brake: BrakeLimits


class Engine:
    """One MSP: its lines, its PSA, its ledger. Thread-safe; different pieces of work may run at the same time."""

    def __init__(
        self,
        database: Database,
        source: PrimeVox,
        psa: Connector,
        clock: Clock,
        log: Any,
        setup: Setup,
        *,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.setup = setup
        self.work = threading.Event()  # something may have to be written
        self.urgent_work = threading.Event()
        self.refresh_soon = threading.Event()
        self._database = database
        self._psa = psa
        self._clock = clock
        self._log = log
        self._psa_facts: dict[str, dict[str, str | None]] = {}  # as stored for `status`
        self._remembered: dict[str, float] = {}  # and when (monotonic)
        self._looked_for: set[str] = set()
        self._read_through: set[PhoneNumber] = set()
        interval = setup.intake.poll_interval.total_seconds()
        writes = Writes()
        self._intake = Intake(database, source, clock, log, setup.intake, beat)
        self._directory = Directory(database, psa, clock, log, setup.brake, writes, beat)
        self._delivery = Delivery(
            database,
            psa,
            clock,
            log,
            setup.rules,
            interval,
            writes,
            beat=beat,
            batch_done=self.wake,
            look_again=self.refresh_soon.set,
            unread=self._intake.unread,
        )
        keys = {line.api_key.get_secret_value(): Latch(clock) for line in setup.lines}
        self.line_health = {
            line.number: Health(
                f"PrimeVOX number {line.number}", clock, log, interval, keys[line.api_key.get_secret_value()]
            )
            for line in setup.lines
        }
        latch = Latch(clock)
        self.psa_health = {
            what: Health(f"PSA {what}", clock, log, interval, latch)
            for what in ("companies", "contacts", *LANES.values())
        }

    def start(self) -> None:
        """Note the rules in the ledger where they changed; make every verdict again then."""
        rules = _rules_entry(self.setup)
        with self._database.begin() as connection:
            numbers = [line.number for line in self.setup.lines]
            texts.forget_lines(connection, numbers)
            mirror.forget_unread(connection, numbers)
            if mirror.fact(connection, "rules") != rules:
                mirror.set_fact(connection, "rules", rules)
                ledger.append(connection, self._clock.now(), "rules", **rules)
                mirror.everything_stale(connection)
        self.wake()

    def wake(self) -> None:
        """Something may have to be written."""
        self.urgent_work.set()
        self.work.set()

    # --- the four pieces of work -------------------------------------------------------------------------

    def poll(self, line: Line, budget: float | None = None) -> Pass | None:
        """One pass over one of our numbers; None when it failed or its next try has not come."""
        health = self.line_health[line.number]
        if health.shut_out():
            self._intake.note(line, str(health.error))
        done = self._guarded(health, lambda: self._intake.poll(line, budget))
        if done is None:
            return None
        if done.finished and line.number not in self._read_through:
            self._read_through.add(line.number)
            self.wake()
        if done.evidence:
            self.wake()
        if done.unmatched - self._looked_for:
            self._looked_for |= done.unmatched
            self.refresh_soon.set()
        return done

    def watch_companies(self) -> bool:
        """Compare the companies; a company that was opted out gets its contacts read at once."""
        opted_out = self._psa_work("companies", self._directory.watch_companies)
        if opted_out is None:
            return False
        self.wake()
        for company in opted_out:

            def read(one: str = company) -> bool:
                self._directory.refresh_contacts(one)
                return True

            if self._psa_work("contacts", read) is None:
                self.refresh_soon.set()
            self.wake()
        return True

    def refresh_directory(self) -> bool:
        """Compare all contacts."""

        def read() -> bool:
            self._directory.refresh_contacts()
            return True

        done = self._psa_work("contacts", read)
        self.wake()
        return done is not None

    def deliver(self, lanes: Collection[Lane] = tuple(Lane)) -> Delivered:
        """Write what is due in these lanes until nothing is left that the PSA would take now.

        After each batch the most urgent lane is looked at first again. Each lane has a health of its own: opt-ins
        that fail hold up no opt-out.
        """
        if not self._opt_ins_ready():
            lanes = [lane for lane in lanes if lane is not Lane.OPT_IN]
        done = 0
        while not self._clock.stopping:
            # Verdicts are made also while the PSA cannot be called, so that `status` shows what waits.
            due = self._delivery.settle(sorted(lanes))
            delivered = self._one_batch(due)
            if delivered is None:
                if due:  # what was written before the trouble is not pending
                    self._delivery.settle()
                return Delivered(done)
            done += delivered.done
        raise Stopping("asked to stop")

    def _one_batch(self, due: Sequence[Lane]) -> Delivered | None:
        """A batch of the first of these lanes that may be tried."""
        for lane in due:
            delivered = self._psa_work(LANES[lane], lambda lane=lane: self._delivery.batch(lane))  # type: ignore[misc]
            if delivered is not None:
                return delivered
        return None

    def settle(self) -> None:
        """Make the verdicts that new evidence has touched, without writing anything."""
        self._delivery.settle()

    def log_head(self) -> None:
        """Write the ledger's head to the log."""
        self._directory.log_head()

    def next_delivery(self) -> float:
        """Seconds until a postponed write, or the PSA's next try, is due; at most 30."""
        postponed = self._delivery.next_try()
        if postponed == 0.0:
            self.wake()
        waits = [wait for what in LANES.values() if (wait := self.psa_health[what].wait()) > 0]
        return min(30.0, max(0.05, min([*waits, 30.0 if postponed is None else postponed])))

    # --- guards ------------------------------------------------------------------------------------------

    def _guarded(self, health: Health, job: Callable[[], T]) -> T | None:
        """Run a job, if its time has come; whatever it raises is told once, planned anew, and ends here."""
        return self._run(health, job) if health.enter() else None

    def _run(self, health: Health, job: Callable[[], T]) -> T | None:
        try:
            result = job()
        except Stopping:
            raise
        except Exception as error:  # noqa: BLE001  the job guard: one failing piece of work never ends another
            health.failed(error)
            return None
        health.worked()
        return result

    def _psa_work(self, what: str, job: Callable[[], T]) -> T | None:
        health = self.psa_health[what]
        before = health.error
        if not health.enter():
            return None
        result = self._run(health, job)
        since = self._clock.monotonic() - self._remembered.get(what, float("-inf"))
        told = self._psa_facts.get(what, {}).get("error")  # perhaps by another thread
        if health.error != before or health.error != told or (result is not None and since >= REMEMBER_EVERY):
            self._remember(what, health, worked=result is not None)
        return result

    def _remember(self, what: str, health: Health, *, worked: bool) -> None:
        """Keep for `status` how the PSA does."""
        try:
            with self._database.begin() as connection:
                if worked:
                    good: str | None = stamp(self._clock.now())
                else:
                    before = self._psa_facts.get(what) or mirror.fact(connection, f"psa:{what}") or {}
                    good = before.get("last_good")
                self._psa_facts[what] = {"error": health.error, "last_good": good}
                mirror.set_fact(connection, f"psa:{what}", self._psa_facts[what])
            self._remembered[what] = self._clock.monotonic()
        except StoreUnavailable as error:
            self._log.error("the database refused", error=str(error), alert=True)

    def _opt_ins_ready(self) -> bool:
        """Opt-ins wait until every line that can be read was read through since this start.

        An opt-out may have been texted while syncd was stopped, and an opt-in that waited must not overtake it.
        """
        unread = [line.number for line in self.setup.lines if line.number not in self._read_through]
        return all(self.line_health[number].error is not None for number in unread)


def _rules_entry(setup: Setup) -> dict[str, Any]:
    """The policy settings in force, as the ledger keeps them."""

    def plain(value: Any) -> Any:
        if isinstance(value, timedelta):
            return int(value.total_seconds())  # a whole number: other languages write 86400.0 differently
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return (
            [plain(item) for item in value]
            if isinstance(value, Sequence) and not isinstance(value, str)
            else value
        )

    return {
        "policy": plain(asdict(setup.rules)),
        "vocabulary": plain(asdict(setup.intake.vocabulary)),
        "review_history": setup.intake.review_history,
    }
