"""Processes of the real program that are ended by SIGKILL: where a run can be ended, and the hand that does it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

LAUNCHER = Path(__file__).with_name("kill_launcher.py")

# No command of these tests takes longer; one that does hangs (seconds).
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Point:
    """Where a process is to be ended.

    what:   "inside" is a commit or a file operation, "request" an HTTP request
    number: which one of the run, from 1
    after:  of a request: the server has acted on it, the answer has not left; else it has not acted on it
    label:  what the run without a kill passed there
    """

    what: str
    number: int
    after: bool
    label: str

    def __str__(self) -> str:
        when = "" if self.what == "inside" else "after " if self.after else "before "
        return f"{self.what} {self.number} ({when}{self.label})"


class Child:
    """A process of the program. `kill` may be called from any thread until `forget`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        # The process id may be somebody else's by the time of a kill, this descriptor never is.
        self._handle = os.pidfd_open(pid)

    def signal(self, what: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, what)

    def kill(self) -> None:
        """SIGKILL; returns when the process is dead."""
        self.signal(signal.SIGKILL)
        assert self.ended(PATIENCE)

    def ended(self, seconds: float) -> bool:
        """Wait for its end; whether it came."""
        return bool(select.select([self._handle], [], [], seconds)[0])

    def forget(self) -> None:
        """Nobody will ask for it any more."""
        os.close(self._handle)


class Launcher:
    """The fork server of `kill_launcher`; one process of the program at a time. A context manager."""

    def __init__(self) -> None:
        self.child: Child | None = None
        self._started = threading.Event()

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, str(LAUNCHER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()  # a child that is still there ends with it
        self._server.wait(PATIENCE)
        self._server.stdout.close()
        if self.child is not None:
            self.child.forget()

    def rehearse(self, order: dict[str, Any]) -> None:
        """Have the fork server itself carry out an order to its end."""
        self._send(order | {"rehearsal": True})
        assert self._answer()["ended"] == 0

    def start(self, order: dict[str, Any]) -> Child:
        """Begin to carry out an order of `kill_launcher`."""
        self._started.clear()
        if self.child is not None:
            self.child.forget()
        self._send(order)
        self.child = Child(self._answer()["pid"])
        self._started.set()
        return self.child

    def kill(self) -> None:
        """End the present child; for a server that got a request of it, perhaps before `start` returned."""
        assert self._started.wait(PATIENCE)
        assert self.child is not None
        self.child.kill()

    def child_has_ended(self) -> bool:
        """Whether the present child is no more."""
        assert self.child is not None
        return self.child.ended(0)

    def wait(self, seconds: float = PATIENCE) -> int:
        """The exit code of the present child, or minus the signal that ended it."""
        assert self.child is not None
        if not self.child.ended(seconds):
            self.child.kill()
            self._answer()
            raise AssertionError(f"syncd did not end within {seconds:g} s")
        return self._answer()["ended"]

    def _send(self, order: dict[str, Any]) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write((json.dumps(order) + "\n").encode())
        self._server.stdin.flush()

    def _answer(self) -> dict[str, int]:
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        assert line, "the fork server has ended"
        found: dict[str, int] = json.loads(line)
        return found
