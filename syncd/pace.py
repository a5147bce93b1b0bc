"""How fast, and how many at once, we may call one service.

A rolling window allows bursts: a steady rate that merely averages to a vendor's quota would make a cascade
needlessly late. Personal opt-outs are marked urgent; they pass everybody who waits, and a share of the window is
kept for them, so that a cascade of thousands never holds up a `#Stop`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from syncd.clock import Clock
from syncd.errors import Stopping, Transient

# Set by whoever carries personal opt-outs; read here when a call asks for its turn.
urgent: ContextVar[bool] = ContextVar("urgent", default=False)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a service bears: `calls` in any window of `per` seconds, `concurrency` of them in flight.

    `reserve` is the share of the window that only urgent calls may use. `patience` is how many seconds a call
    waits for its turn before it gives up with `Transient`, so that nobody sleeps for an hour inside a call.
    """

    calls: int
    per: float
    concurrency: int
    reserve: float = 0.0
    patience: float = 10.0


class Pace:
    """Hands out turns. Thread-safe."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self.limits = limits
        self._clock = clock
        self._turn = threading.Condition()
        self._sent: deque[float] = deque()
        self._in_flight = 0
        self._urgent_waiting = 0
        self._foreign = 0
        self._told_at = 0.0

    def others_used(self, used: int) -> None:
        """Tell how many calls the service itself has counted in its window, ours among them.

        What is not ours is taken off our allowance until the next time we are told. Meanwhile it wears off as
        if those calls had been spread evenly over the window: else, once others had used everything up, no call
        of ours would ever leave again, and with no call nobody would tell us better.
        """
        with self._turn:
            self._told_at = self._clock.monotonic()
            self._forget(self._told_at)
            self._foreign = max(0, used - len(self._sent))
            self._turn.notify_all()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn and hold it. Raises Transient(retry_after) when none comes in time, or Stopping."""
        hurry = urgent.get()
        self._wait(hurry)
        try:
            yield
        finally:
            with self._turn:
                self._in_flight -= 1
                self._turn.notify_all()

    def _wait(self, hurry: bool) -> None:
        give_up = self._clock.monotonic() + self.limits.patience
        with self._turn:
            self._urgent_waiting += hurry
            try:
                while wait := self._must_wait(hurry):
                    now = self._clock.monotonic()
                    if now + wait > give_up:
                        raise Transient(
                            "our own allowance of calls to this service is used up", retry_after=max(wait, 1.0)
                        )
                    if self._clock.stopping:
                        raise Stopping("asked to stop while waiting for a turn")
                    self._turn.wait(min(wait, 0.5))
                self._in_flight += 1
                self._sent.append(self._clock.monotonic())
            finally:
                self._urgent_waiting -= hurry
                self._turn.notify_all()

    def _must_wait(self, hurry: bool) -> float:
        """Seconds until it is worth asking again; 0: go."""
        now = self._clock.monotonic()
        self._forget(now)
        if self._in_flight >= self.limits.concurrency or (self._urgent_waiting and not hurry):
            return 0.02  # somebody's `_turn.notify_all` ends this wait early
        limits = self.limits
        # At least one: a reserve of a small allowance must not shut everybody else out for good.
        allowance = limits.calls if hurry else max(1, int(limits.calls * (1.0 - limits.reserve) + 1e-9))
        age = (now - self._told_at) / limits.per
        foreign = self._foreign * max(0.0, 1.0 - age)
        excess = foreign + len(self._sent) + 1 - allowance
        if excess < 1e-6:
            return 0.0
        waits = []
        if self._sent:
            waits.append(self._sent[0] + limits.per - now)
        if foreign:
            waits.append(min(excess, foreign) * limits.per / self._foreign)
        return max(0.001, min(waits))

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0] <= now - self.limits.per:
            self._sent.popleft()
