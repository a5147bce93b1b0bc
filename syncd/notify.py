"""systemd's notification protocol: one datagram to the socket that it named, or nothing outside of systemd."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Send e.g. `READY=1`, `WATCHDOG=1`, `STATUS=...`. Never raises: the daemon works without systemd too."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.sendto(state.encode(), address)


def watchdog_seconds() -> float | None:
    """How often systemd wants to hear from us, or None."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdigit() and int(microseconds) else None
