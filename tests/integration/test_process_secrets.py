"""What a running daemon shows to the machine: its process entry, what it tells systemd, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import CANARIES, KEY, SECRET, Rig, person, wait_until

# Bugs of ours, planted where nobody catches: in a thread, in a destructor, and at last in the main loop.
PLANTED = """
    import sys, threading
    from syncd import cli, daemon
    from syncd.engine import Engine
    words = sys.argv.pop(1)
    start, feed, calls = Engine.start, daemon.Daemon._feed_watchdog, []
    class Careless:
        def __del__(self):
            raise ValueError(words)
    def broken(self):
        start(self)
        def fails():
            held = words
            raise RuntimeError(held)
        threading.Thread(target=fails, name="stray").start()
        Careless()
    def at_last(self):
        calls.append(words)
        if len(calls) > 3:
            raise KeyError(words) from RuntimeError(words)
        feed(self)
    Engine.start, daemon.Daemon._feed_watchdog = broken, at_last
    sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig(people=2) as made:
        yield made


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket on which systemd listens for notifications."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.setblocking(False)
        yield line


def told(systemd: socket.socket) -> str:
    """Everything that was sent there."""
    found = []
    while True:
        try:
            found.append(systemd.recv(4096).decode())
        except BlockingIOError:
            return "\n".join(found)


def hidden(text: str) -> bool:
    return not [one for one in (*CANARIES, KEY, SECRET, person(0)[2:]) if one in text]


@pytest.mark.parametrize("form", ["json", pytest.param("console", marks=pytest.mark.slow)])
def test_a_daemon_that_ends_by_a_bug_of_ours(rig: Rig, systemd: socket.socket, tmp_path: Path, form: str) -> None:
    rig.config["log"] = {"format": form, "level": "debug"}
    rig.save_config()
    rig.text(0, "STOP")
    words = f"{KEY} {SECRET} {person(0)}"
    command = [sys.executable, "-c", textwrap.dedent(PLANTED), words, "run", "-c", str(rig.config_file)]
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
    process = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert process.returncode == 70, process.stderr
    assert hidden(process.stderr)
    assert process.stdout == ""
    assert "READY=1" in (said := told(systemd))
    assert "polling 1 numbers" in said
    assert hidden(said)
    for event in ("a thread ended by a defect", "a defect while cleaning up", "syncd ended by a defect"):
        assert event in process.stderr
    for kind in ("RuntimeError", "ValueError", "KeyError"):
        assert kind in process.stderr, "what happened can be told all the same"
    if form == "json":
        events = [json.loads(line) for line in process.stderr.splitlines()]
        assert [one["alert"] for one in events if one["level"] == "critical"] == [True, True]


def test_the_process_list_and_its_environment_hold_no_secret_and_a_crash_leaves_no_core(rig: Rig) -> None:
    rig.config["log"]["level"] = "debug"
    rig.save_config()
    before = set(rig.folder.iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))  # inherited: the daemon must see to it by itself
    try:
        rig.start()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    assert rig.process is not None
    place = Path(f"/proc/{rig.process.pid}")
    for name in ("cmdline", "environ", "comm"):
        with contextlib.suppress(PermissionError):  # nobody but root may look
            assert hidden((place / name).read_bytes().decode("utf-8", "replace")), name
    for thread in (place / "task").iterdir():
        assert hidden((thread / "comm").read_text())
    [limit] = [
        line for line in (place / "limits").read_text().splitlines() if line.startswith("Max core file size")
    ]
    assert limit.split()[4] == "0"
    rig.text(0, "STOP")
    wait_until(lambda: rig.shown(0) == "Opted-Out")
    code, _ = rig.stop(signal.SIGABRT)
    assert code == -signal.SIGABRT
    assert hidden("\n".join(rig.output))
    left = {one.name for one in set(rig.folder.iterdir()) - before}
    assert not [name for name in left if "core" in name]
    rig.start()
    rig.must_be_sound()
