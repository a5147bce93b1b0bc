"""The only reader of time, and the stop signal.

Intervals run on the monotonic clock, evidence is dated by the wall clock. The simulation brings its own
subclass; nothing else in the program may call `time` or `datetime.now`.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime


class Clock:
    """System time. `sleep` ends early when the process is asked to stop."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds on a clock that nobody can set."""
        return time.monotonic()

    def sleep(self, seconds: float) -> bool:
        """Wait that many seconds. True: the process is asked to stop."""
        return self._stop.wait(max(0.0, seconds))

    @property
    def stopping(self) -> bool:
        """Whether the process was asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Ask everybody who sleeps on this clock to end."""
        self._stop.set()
