"""Runs on the booted machine: tries what a service has no business doing, and says what came of it.

`probe.py FILE PID` writes a JSON object into FILE: what was tried, and "done" or the name of the error. PID is a
daemon of another MSP. Everything else is tried where an ordinary user may do it (`prepare.sh` sees to that), so
that only the sandbox can forbid it.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(sys.argv[1]).parent
LIBC = ctypes.CDLL(None, use_errno=True)
NEWUSER, LINUX32 = 0x10000000, 0x0008


def call(name: str, *arguments: object) -> None:
    if getattr(LIBC, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


def in_a_child(attempt: Callable[[], object]) -> Callable[[], object]:
    """What changes a process for good is tried in one of its own."""

    def run() -> None:
        child = os.fork()
        if child == 0:
            try:
                attempt()
            except OSError as error:
                os._exit(error.errno or 255)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code:
            raise OSError(code, "in a child")

    return run


def write(path: Path) -> Callable[[], object]:
    return lambda: path.write_text("x")


def datagram(address: str) -> Callable[[], object]:
    return lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (address, 9))


def open_socket(family: str, kind: int) -> Callable[[], object]:
    return lambda: socket.socket(getattr(socket, family), kind)


def become_root() -> None:
    """A copy of `id` that belongs to root and has the set-user-id bit."""
    said = subprocess.run(["/srv/open/id", "-u"], capture_output=True, text=True, check=True).stdout.strip()
    if said != "0":
        raise PermissionError(errno.EPERM, said)


def make_setuid() -> None:
    path = HERE / "setuid"
    path.write_text("x")
    path.chmod(0o4700)


ATTEMPTS: dict[str, Callable[[], object]] = {
    "write into its own folder": write(HERE / "mine"),
    "write into /srv": write(Path("/srv/open/file")),
    "write into /opt": write(Path("/opt/open/file")),
    "write into /var/lib": write(Path("/var/lib/open/file")),
    "open a device": lambda: Path("/dev/open").read_bytes(),
    "read a home": lambda: Path("/home/open/file").read_text(),
    "read what others keep in /tmp": lambda: Path("/tmp/file").read_text(),
    "look at process 1": lambda: Path("/proc/1/status").read_text(),
    "look at the kernel's settings": lambda: Path("/proc/sys/kernel/hostname").read_text(),
    "send to itself": datagram("127.0.0.1"),
    "send to a link-local address": datagram("169.254.169.254"),
    "open AF_INET": open_socket("AF_INET", socket.SOCK_STREAM),
    "open AF_INET6": open_socket("AF_INET6", socket.SOCK_STREAM),
    "open AF_UNIX": open_socket("AF_UNIX", socket.SOCK_STREAM),
    "open AF_NETLINK": open_socket("AF_NETLINK", socket.SOCK_RAW),
    "open AF_PACKET": open_socket("AF_PACKET", socket.SOCK_RAW),
    "become root": become_root,
    "make a set-user-id file": make_setuid,
    "make a user namespace": in_a_child(lambda: call("unshare", NEWUSER)),
    "pose as another architecture": in_a_child(lambda: call("personality", LINUX32)),
    "map memory that is writable and executable": lambda: mmap.mmap(
        -1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    ),
    "change its priority": in_a_child(lambda: os.setpriority(os.PRIO_PROCESS, 0, 5)),
    "change an owner": lambda: os.chown(HERE / "mine", os.getuid(), os.getgid()),
    "end another daemon": lambda: os.kill(int(sys.argv[2]), 0),
}


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    return "done"


found = {what: outcome(attempt) for what, attempt in ATTEMPTS.items()}
Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")
