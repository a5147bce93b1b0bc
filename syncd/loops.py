"""The threads of the daemon: polling, the company watch, the directory and delivery, none waiting for another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from syncd.clock import Clock
from syncd.engine import LOOK_AGAIN, Engine
from syncd.errors import Stopping, SyncdError
from syncd.plan import Lane
from syncd.primevox import Line

# How long one number may keep a polling thread before the next one has its turn (seconds). With PrimeVOX's call
# deadline of 10 s, a number that drips or stalls delays another one by 15 s at most.
TURN = 5.0

# No loop sleeps longer than this without a sign of life.
NAP = 15.0


class Pulse:
    """When each loop last showed that it works. A loop that hangs, or cannot reach its database, falls silent."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def beat(self) -> None:
        """The calling thread is at work."""
        with self._lock:
            self._last[threading.current_thread().name] = self._clock.monotonic()

    def silent(self, seconds: float) -> list[str]:
        """Loops that have not been heard of for so long."""
        now = self._clock.monotonic()
        with self._lock:
            return sorted(name for name, last in self._last.items() if now - last > seconds)


class Roster:
    """Whose turn it is: numbers by the time they are due, each polled by one thread at a time."""

    def __init__(self, clock: Clock, lines: tuple[Line, ...]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        now = clock.monotonic()
        self._due = {line.number: (now, line) for line in lines}

    def take(self, patience: float) -> Line | None:
        """The line that is due first; waits up to `patience` seconds for one."""
        with self._changed:
            give_up = self._clock.monotonic() + patience
            while not self._clock.stopping:
                now = self._clock.monotonic()
                when, line = min(self._due.values(), key=lambda entry: entry[0], default=(None, None))
                if when is not None and line is not None and when <= now:
                    del self._due[line.number]
                    return line
                if now >= give_up:
                    return None
                wait = give_up - now if when is None else min(when, give_up) - now
                self._changed.wait(min(wait, 0.5))
            return None

    def give_back(self, line: Line, due: float) -> None:
        """The line is due again at that time of the monotonic clock."""
        with self._changed:
            self._due[line.number] = (due, line)
            self._changed.notify()


class Loops:
    """Runs an engine until its clock is told to stop."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        log: Any,
        pulse: Pulse,
        *,
        concurrency: int,
        company_interval: float,
        directory_interval: float,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._log = log
        self._pulse = pulse
        self._poll_interval = engine.setup.intake.poll_interval.total_seconds()
        self._company_interval = company_interval
        self._directory_interval = directory_interval
        self._roster = Roster(clock, engine.setup.lines)
        self.companies_soon = threading.Event()
        jobs: dict[str, Callable[[], None]] = {
            f"poll-{index}": self._poll for index in range(min(concurrency, len(engine.setup.lines)))
        }
        # The directory comes before the companies, so that the brake can count whom a company opt-out reaches.
        jobs |= {
            "directory": self._directory,
            "companies": self._companies,
            "urgent": lambda: self._deliver(self._engine.urgent_work, (Lane.OPT_OUT,)),
            "delivery": lambda: self._deliver(self._engine.work, (Lane.CASCADE, Lane.OPT_IN)),
        }
        self._directory_read = threading.Event()
        self._threads = [
            threading.Thread(target=self._loop, args=(job,), name=name, daemon=True) for name, job in jobs.items()
        ]

    def start(self) -> None:
        """Start all threads."""
        for thread in self._threads:
            thread.start()

    def join(self, seconds: float) -> bool:
        """Wait for them to end after the clock was told to stop. True: all have."""
        until = self._clock.monotonic() + seconds
        for event in (self._engine.work, self._engine.urgent_work, self._engine.refresh_soon, self.companies_soon):
            event.set()
        for thread in self._threads:
            thread.join(max(0.0, until - self._clock.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _loop(self, job: Callable[[], None]) -> None:
        """One piece of work again and again. A defect ends one round, not the loop."""
        told: str | None = None
        while not self._clock.stopping:
            try:
                job()
            except Stopping:
                return
            except Exception as error:  # noqa: BLE001  the job guard
                text = f"{type(error).__name__}: {error}"
                if text != told:
                    defect = None if isinstance(error, SyncdError) else error
                    self._log.error("a loop failed; it goes on", error=text, alert=True, exc_info=defect)
                told = text
                self._clock.sleep(min(5.0, self._poll_interval))
            else:
                told = None
                self._pulse.beat()

    # --- one round of each loop --------------------------------------------------------------------------

    def _poll(self) -> None:
        line = self._roster.take(NAP)
        if line is None:
            return
        started = self._clock.monotonic()
        more = False
        try:
            done = self._engine.poll(line, TURN)
            more = done is not None and done.more
        finally:
            now = self._clock.monotonic()
            due = (
                now
                if more
                else max(started + self._poll_interval, now + self._engine.line_health[line.number].own_wait())
            )
            self._roster.give_back(line, due)

    def _directory(self) -> None:
        started = self._clock.monotonic()
        done = self._engine.refresh_directory()
        self._directory_read.set()
        self._rest(
            started, self._directory_interval, done, "contacts", self._engine.refresh_soon, not_before=LOOK_AGAIN
        )

    def _companies(self) -> None:
        self._directory_read.wait(NAP)
        started = self._clock.monotonic()
        done = self._engine.watch_companies()
        self._rest(started, self._company_interval, done, "companies", self.companies_soon)

    def _rest(
        self,
        started: float,
        interval: float,
        done: bool,
        what: str,
        sooner: threading.Event,
        not_before: float = 0.0,
    ) -> None:
        """Wait for the next round: an interval after a good one, else what the PSA's health says."""
        health = self._engine.psa_health[what]
        while not self._clock.stopping:
            now = self._clock.monotonic()
            due = started + interval if done else now + health.wait()
            if sooner.is_set():
                due = min(due, started + min(not_before, interval))
            self._pulse.beat()
            if now >= due and health.wait() <= 0:
                sooner.clear()
                return
            if sooner.is_set():
                self._clock.sleep(min(NAP, max(0.05, due - now)))
            else:
                sooner.wait(min(NAP, max(0.05, due - now, health.wait())))

    def _deliver(self, work: threading.Event, lanes: tuple[Lane, ...]) -> None:
        work.wait(min(NAP, self._engine.next_delivery()))
        work.clear()
        self._engine.deliver(lanes)
