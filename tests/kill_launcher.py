"""Starts the real program in a process of its own that ends, by SIGKILL, at a chosen commit or file operation.

`python kill_launcher.py` is a fork server: it loads the program once, reads one order per line from standard input
and answers with the child's process id, then with how the child ended. So a start costs a fork, not a second.
`python kill_launcher.py ORDER` carries out one order in this very process: an ordinary start.

An order is a JSON object:

    argv      the arguments of `syncd`
    folder    file operations below it are counted
    journal   a file that gets one line per point passed
    output    a file that gets standard output and standard error
    last      the number of the point at which to end, from 1; null: at none
    main      count only what the main thread does: the other threads of a daemon come in any order
    healing   false: no conversation is read again unless its marker moved, so that nothing heals what was lost
    rehearsal true: the fork server carries it out itself, whole, so that its children start faster
    planted   the name of a defect of `kill_defects` to work with; null: none

The points lie in the launcher, not in the program: a commit is caught where SQLAlchemy hands it to the driver, a
file operation by Python's own audit event, which comes before it. Requests are no points here: the stand-in that
gets them ends the process itself.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import selectors
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from syncd import cli, registry
from syncd.model import phone_numbers
from syncd.store import texts

# For threads that are about to end (seconds).
PATIENCE = 10.0

WRITING = os.O_WRONLY | os.O_RDWR


class Points:
    """Counts the points that this process passes, and ends it at the last one."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._last = order["last"]
        self._main = order["main"]
        self._folder = order["folder"] + os.sep
        self._journal = os.open(order["journal"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.RLock()
        self._count = 0

    def passes(self, what: str) -> None:
        """This is a point; the process may end here."""
        if self._main and threading.current_thread() is not threading.main_thread():
            return
        with self._lock:
            self._count += 1
            os.write(self._journal, f"{what}\n".encode())
            if self._count == self._last:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """From now on commits, fsyncs and file operations are points."""
        self._watch_commits()
        fsync = os.fsync

        def synced(file: Any) -> None:
            self.passes("before fsync")
            fsync(file)
            self.passes("after fsync")

        os.fsync = synced
        sys.addaudithook(self._audit)

    def _watch_commits(self) -> None:
        commit = DefaultDialect.do_commit
        seen: dict[int, int] = {}  # how many rows a connection had changed at its last commit

        def committed(dialect: DefaultDialect, connection: Any) -> None:
            changes = connection.total_changes
            changed = changes != seen.get(id(connection.driver_connection), 0)
            seen[id(connection.driver_connection)] = changes
            what = "commit" if changed else "commit of nothing"
            self.passes(f"before {what}")
            commit(dialect, connection)
            self.passes(f"after {what}")

        DefaultDialect.do_commit = committed  # type: ignore[method-assign]

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            self._touches("writing to", path, isinstance(flags, int) and flags & WRITING)
        elif event in ("os.rename", "os.remove", "os.mkdir"):
            path = arguments[1] if event == "os.rename" else arguments[0]
            self._touches(event.removeprefix("os."), path, True)

    def _touches(self, what: str, path: Any, counts: Any) -> None:
        if counts and isinstance(path, (str, os.PathLike)):
            full = str(Path(path).absolute())
            if full.startswith(self._folder):
                # Names that hold a time or a process id are the same point in every run.
                name = full.removeprefix(self._folder)
                self.passes(f"before {what} {''.join(c for c in name if not c.isdigit())}")


def carry_out(order: dict[str, Any]) -> int:
    """Be `syncd` with these arguments; returns the exit code unless the order ends the process before."""
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, output), (2, output)):
        os.dup2(source, target)
    if not order["healing"]:
        texts.LAST_REREAD = -1
    if order["planted"]:
        import kill_defects

        kill_defects.plant(order["planted"])
    Points(order).watch()
    try:
        return cli.main(order["argv"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def load() -> None:
    """Load now what the program would load at its first use."""
    registry._by_name = functools.cache(registry._by_name)  # what is installed stays so
    registry.available()
    phone_numbers("+1 202 555 0100")
    with contextlib.redirect_stdout(None):
        cli.main(["read", "please stop texting me"])


def rehearse(order: dict[str, Any]) -> int:
    """Carry out an order in this very process, for what the program works out at its first use and keeps."""
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    kept = os.dup(2)
    os.dup2(output, 2)
    try:
        code = cli.main(order["argv"])
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(output)
    for thread in threading.enumerate():  # a child would lack them
        if thread is not threading.current_thread():
            thread.join(PATIENCE)
            assert not thread.is_alive(), thread
    gc.collect()
    gc.freeze()  # what is there now stays shared with the children
    return code


def serve(tell: Callable[[dict[str, int]], None]) -> None:
    """Carry out orders until standard input ends; a child under way is ended with it."""
    while line := _line():
        order = json.loads(line)
        if order["rehearsal"]:
            tell({"ended": rehearse(order)})
            continue
        child = os.fork()
        if child == 0:
            _exit_with(order)
        tell({"pid": child})
        _wait_for(child)
        tell({"ended": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])})


def _exit_with(order: dict[str, Any]) -> None:
    code = 70
    try:
        code = carry_out(order)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001  the child must not go on as a second server
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _wait_for(child: int) -> None:
    """Until the child has ended; when standard input ends first, end the child."""
    ended = os.pidfd_open(child)
    with selectors.DefaultSelector() as ready:
        ready.register(ended, selectors.EVENT_READ)
        ready.register(0, selectors.EVENT_READ)
        if all(key.fd == 0 for key, _ in ready.select()):
            signal.pidfd_send_signal(ended, signal.SIGKILL)
    os.close(ended)


def _line() -> bytes:
    """One order; the next one is not sent before this one is answered. Nothing when standard input has ended."""
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(0, 4096)
        if not more:
            return b""
        line += more
    return line


def main() -> None:
    """See the head of this file."""
    if len(sys.argv) > 1:
        sys.exit(carry_out(json.loads(sys.argv[1])))
    answers = os.dup(1)
    os.set_inheritable(answers, False)
    load()
    serve(lambda answer: os.write(answers, (json.dumps(answer) + "\n").encode()) and None)


if __name__ == "__main__":
    main()
