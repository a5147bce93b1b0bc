"""A total deadline for one HTTP call, whatever the other side does.

The timeouts of `requests` bound the wait for the *next byte*: a header or a body that drips one byte a second
outlives them for hours. Here a timer shuts the socket when the time of the whole call is up, from connecting (TLS
handshake included) to the last byte of the body; the blocked read then ends at once.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import ssl
import threading
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, parse_headers
from typing import Any, Self

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.connection import allowed_gai_family

from syncd.clock import Clock

# So many "not yet" are taken before an answer; nobody in earnest sends more than a few.
MOST_INTERIM = 20

_calls = threading.local()
_clock = Clock()  # the system's, as that of the timer below


class Deadline:
    """`with Deadline(15.0) as deadline:` around one call.

    `deadline.passed` tells whether it was cut, `deadline.began` whether a byte of the request may have left.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.passed = False
        self.began = False
        self._lock = threading.Lock()
        self._lines: list[_Line] = []
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._end = _clock.monotonic() + seconds

    def __enter__(self) -> Self:
        _calls.deadline = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        _calls.deadline = None
        with self._lock:
            for line in self._lines:
                line.leave(self)
            self._lines.clear()

    @property
    def unsent(self) -> bool:
        """Whether a connection was made and nothing of the request was handed to it: a failed TLS handshake."""
        return bool(self._lines) and not self.began

    @property
    def left(self) -> float:
        """Seconds until the time is up; below zero afterwards."""
        return self._end - _clock.monotonic()

    def watch(self, line: _Line) -> None:
        """Shut this line when the time is up."""
        with self._lock:
            line.serve(self)
            if line not in self._lines:
                self._lines.append(line)
            if self.passed:
                line.shut(self)

    def sending(self) -> None:
        """The first bytes of the request are about to leave: from here on nobody knows what arrived."""
        self.began = True

    def _cut(self) -> None:
        with self._lock:
            self.passed = True
            for line in self._lines:
                line.shut(self)


class _Line:
    """A second handle on a connection's socket: TLS takes the first one over, this one can still shut it.

    It lives as long as the call that uses it: where the body is to end with the connection, http.client closes the
    connection as soon as it has the head, and goes on reading the body from the socket.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = socket.socket(fileno=os.dup(sock.fileno()))
        # No descriptor may be shut that was closed, and given to another socket, a moment ago.
        self._lock = threading.Lock()
        self._caller: Deadline | None = None
        self._retired = False

    def serve(self, caller: Deadline) -> None:
        with self._lock:
            self._caller = caller

    def leave(self, caller: Deadline) -> None:
        """That call is over."""
        with self._lock:
            if self._caller is caller:
                self._caller = None
            if self._retired and not self._caller:
                self._socket.close()

    def shut(self, caller: Deadline) -> None:
        """Shut it, unless it went back to the pool a moment ago and serves somebody else's call by now."""
        with self._lock, contextlib.suppress(OSError):
            if self._caller is caller:
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """The connection is closed; so is this, but not before the call is over that reads from it."""
        with self._lock:
            self._retired = True
            if not self._caller:
                self._socket.close()


def _current() -> Deadline | None:
    """The deadline of the call that this thread makes."""
    deadline: Deadline | None = getattr(_calls, "deadline", None)
    return deadline


def _still_in_time() -> None:
    deadline = _current()
    if deadline and deadline.passed:
        raise TimeoutError("the time of the call is up")


class _FinalResponse(HTTPResponse):
    """Passes over interim answers. `http.client` passes over 100 only and takes any other for the answer itself.

    Then the real one would be read as the answer to the next request on that connection.

    Reads nothing of a body once the time is up: a socket that is shut still hands out megabytes that had arrived,
    and to unpack those can take long, as thousands of empty gzip members do.
    """

    def read(self, amt: int | None = None) -> bytes:
        _still_in_time()
        return super().read(amt)

    def _safe_read(self, amt: int) -> bytes:  # how urllib3 reads a chunk
        _still_in_time()
        part: bytes = super()._safe_read(amt)  # type: ignore[misc]
        return part

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MOST_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200:
                return version, status, reason
            if status == HTTPStatus.SWITCHING_PROTOCOLS:
                break
            parse_headers(self.fp)
        raise HTTPException("no final answer")


class _Watched:
    """Tells the deadline of the calling thread which socket it is about to wait on."""

    _line: _Line | None = None

    def _new_conn(self) -> socket.socket:
        try:
            sock = self._reach()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no address answered in time") from error
        except OSError as error:
            raise NewConnectionError(self, f"no address could be reached: {error}") from error  # type: ignore[arg-type]
        self._line = _Line(sock)
        self._watch()
        return sock

    def _reach(self) -> socket.socket:
        """A socket that is connected to the first address of the host that answers.

        urllib3 would give the whole time to each address. Here each gets half of what is left of the call at most:
        many silent ones do not outlast it, and the next one has its turn where IPv6 leads nowhere.
        """
        refused: OSError = TimeoutError("no time left")
        places = socket.getaddrinfo(self._dns_host, self.port, allowed_gai_family(), socket.SOCK_STREAM)  # type: ignore[attr-defined]
        for family, kind, protocol, _, address in places:
            deadline = _current()
            left = deadline.left if deadline else math.inf
            if left <= 0:
                break
            sock = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():  # type: ignore[attr-defined]
                    sock.setsockopt(*option)
                sock.settimeout(min(self.timeout, left / 2))  # type: ignore[attr-defined]
                sock.connect(address)
            except OSError as error:
                sock.close()
                refused = error
            else:
                sock.settimeout(self.timeout)  # type: ignore[attr-defined]
                return sock
        raise refused

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._watch()
        super().request(*args, **kwargs)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        if self.sock is None:  # type: ignore[attr-defined]
            self.connect()  # type: ignore[attr-defined]
        if deadline := _current():
            deadline.sending()
        super().send(data)  # type: ignore[misc]

    def close(self) -> None:
        if self._line:
            self._line.close()
            self._line = None
        super().close()  # type: ignore[misc]

    def _watch(self) -> None:
        deadline = _current()
        if deadline and self._line:
            deadline.watch(self._line)


class _WatchedHTTP(_Watched, HTTPConnection):
    response_class = _FinalResponse


class _WatchedHTTPS(_Watched, HTTPSConnection):
    response_class = _FinalResponse


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class DeadlineAdapter(HTTPAdapter):
    """A transport adapter of `requests` whose connections obey the `Deadline` of their thread.

    With `tls` they trust the authorities that this machine trusts, so that an administrator can add one, and those
    that come with `requests`, which adds them by itself.
    """

    def __init__(self, *, tls: bool, pool_maxsize: int) -> None:
        # TLS 1.2 or newer. OpenSSL knows where this machine keeps its authorities; SSL_CERT_FILE names another
        # place. Not made where it is not needed: it takes as long as a hundred calls.
        self._tls: dict[str, Any] = {"ssl_context": ssl.create_default_context()} if tls else {}
        super().__init__(pool_maxsize=pool_maxsize)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **(kwargs | self._tls))
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
