"""Time without a clock: a connector reads none, so it goes by the dates of the answers.

The service's own clock also is the right one for what the service counts: the age of a token, or of a definition.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from syncd.http import Answer


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time by the service's Date headers, and in calls where it sends none."""

    date: datetime | None
    calls: int


class Moments:
    """Knows the time of the latest answer. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = Moment(None, 0)

    def heard(self, answer: Answer) -> Answer:
        """Take note of an answer's date, and give the answer back."""
        with self._lock:
            self._now = Moment(answer.date() or self._now.date, self._now.calls + 1)
        return answer

    def now(self) -> Moment:
        """The time of the latest answer."""
        with self._lock:
            return self._now

    def passed(self, since: Moment, seconds: float) -> bool:
        """Whether that much time has passed since. Where the service sends no dates, a call counts as a second."""
        now = self.now()
        if since.date and now.date:
            return abs((now.date - since.date).total_seconds()) >= seconds
        return now.calls - since.calls >= seconds
