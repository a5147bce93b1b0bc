"""A server that a test plays byte by byte, for lines that break in the middle of an answer."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from syncd.clock import Clock
from syncd.http import Client, Limits, Transport

QUIET = "hush"

Play = Callable[[socket.socket, int], object]


def ok(body: bytes = b"{}", head: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def drip(start: bytes) -> Play:
    """Begin with this, and then a space now and then, for ever."""

    def play(line: socket.socket, _: int) -> None:
        line.sendall(start)
        while True:
            line.sendall(b" ")
            time.sleep(0.02)

    return play


class Wire:
    """A server of a dozen lines: records what it is sent, then `play(connection, number of the request)`."""

    def __init__(self, play: Play, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._counting = threading.Lock()
        self._play, self._tls, self._open = play, tls, list[socket.socket]()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._transport = Transport(Clock(), Limits(1000, 1.0, 8))

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()
        self.leave()
        for line in self._open:
            line.close()

    def client(self, scheme: str = "http", deadline: float = 5.0, **more: Any) -> Client:
        return self._transport.client(f"{scheme}://localhost:{self.port}", deadline=deadline, **more)

    def leave(self) -> None:
        """Stop listening; closing alone would not end an `accept` that is under way."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        try:
            while True:
                line, _ = self._socket.accept()
                self._open.append(line)
                self.connections += 1
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()
        except OSError:
            pass

    def _serve(self, line: socket.socket) -> None:
        try:
            if self._tls:
                line = self._tls.wrap_socket(line, server_side=True)
                self._open.append(line)
            while True:
                request = b""
                while b"\r\n\r\n" not in request:
                    if not (more := line.recv(65536)):
                        line.close()
                        return
                    request += more
                with self._counting:
                    self.requests.append(request)
                    number = len(self.requests)
                self._play(line, number)
        except (OSError, ValueError):
            line.close()
