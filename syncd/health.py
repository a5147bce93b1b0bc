"""Whether something that may fail works: says when to try again, and logs the change, not every repetition."""

from __future__ import annotations

import threading
from typing import Any

from syncd.clock import Clock
from syncd.errors import Ambiguous, AuthRefused, ConfigProblem, ShapeChanged, SyncdError, Transient, told
from syncd.plan import retry_in

AUTH_PAUSE = 300.0


class Latch:
    """Closes when a service refuses our credentials, so that repeated calls do not lock the account.

    While it is closed one caller is let through every five minutes; `accepted` opens it. A restart begins open.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next: float | None = None

    def enter(self) -> bool:
        """Whether the caller may call the service now."""
        with self._lock:
            now = self._clock.monotonic()
            if self._next is None:
                return True
            if now < self._next:
                return False
            self._next = now + AUTH_PAUSE
            return True

    def wait(self) -> float:
        """Seconds until `enter` may say yes."""
        with self._lock:
            return 0.0 if self._next is None else max(0.0, self._next - self._clock.monotonic())

    def refused(self) -> None:
        """The service refused our credentials."""
        with self._lock:
            self._next = self._clock.monotonic() + AUTH_PAUSE

    def accepted(self) -> None:
        """The service took our credentials."""
        with self._lock:
            self._next = None


class Health:
    """The state of one recurring piece of work against one service."""

    def __init__(self, what: str, clock: Clock, log: Any, poll_interval: float, latch: Latch) -> None:
        self.what = what
        self.error: str | None = None
        self.unreachable = False
        self._clock = clock
        self._log = log
        self._interval = poll_interval
        self._latch = latch
        self._failures = 0
        self._next = 0.0
        self._kind: type[Exception] | None = None

    def enter(self) -> bool:
        """Whether it is time to try."""
        return self._clock.monotonic() >= self._next and self._latch.enter()

    def wait(self) -> float:
        """Seconds until `enter` may say yes."""
        return max(self.own_wait(), self._latch.wait())

    def own_wait(self) -> float:
        """The same, the latch aside: somebody else's success may open that at any time."""
        return max(0.0, self._next - self._clock.monotonic())

    def shut_out(self) -> bool:
        """Whether the latch was closed by somebody else, and that is news here. It is told in `error`, once."""
        if self.error is not None or not self._latch.wait():
            return False
        self.error = "waits: the service refuses the credentials that others use too"
        self.unreachable = True
        return True

    def worked(self) -> None:
        """It worked: log the recovery if it had failed."""
        self._latch.accepted()
        if self.error is not None:
            self._log.info("works again", what=self.what, after_failures=self._failures)
        self.error, self.unreachable, self._kind = None, False, None
        self._failures, self._next = 0, 0.0

    def failed(self, error: Exception) -> None:
        """It failed: plan the next try; log it when the kind of failure is new."""
        self._failures += 1
        asked = error.retry_after if isinstance(error, Transient) else None
        failures = self._failures
        if isinstance(error, AuthRefused):
            self._latch.refused()
            asked = AUTH_PAUSE
        elif isinstance(error, ConfigProblem):  # an edit is needed: no hurry, but it heals without a restart
            failures = max(failures, 5)
        self._next = self._clock.monotonic() + retry_in(failures, self._interval, asked)
        self.error = told(error)
        self.unreachable = isinstance(error, (Transient, AuthRefused, ShapeChanged))
        kind = Transient if isinstance(error, Ambiguous) else type(error)
        if kind is not self._kind:
            self._kind = kind
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        advice = {
            AuthRefused: "check the credentials; tried again every 5 minutes, at once after a restart",
            ConfigProblem: "edit the configuration or the PSA; everything else goes on",
            ShapeChanged: "the answer is not what is documented; nothing was changed; tried again",
        }.get(type(error), "tried again; nothing is lost")
        if isinstance(error, SyncdError) and not isinstance(error, (AuthRefused, ConfigProblem, ShapeChanged)):
            self._log.warning("failed", what=self.what, error=self.error, next=advice)
        elif isinstance(error, SyncdError):
            self._log.error("failed", what=self.what, error=self.error, next=advice, alert=True)
        else:
            self._log.error("failed by a defect of syncd", what=self.what, next=advice, alert=True, exc_info=error)
