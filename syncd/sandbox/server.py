"""A small HTTP server on loopback: the base of the stand-ins. It records, and misbehaves when told to."""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from syncd.sandbox.exchange import Answer, Exchange, Request, Signals, StoppingError
from syncd.sandbox.faults import Faults

HOST = "127.0.0.1"


def utc_now() -> datetime:
    """Return the present time; the clock of a stand-in unless another is given."""
    return datetime.now(UTC)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer is one write; without this a body that follows its headers may wait 40 ms for an ACK.
    disable_nagle_algorithm = True
    server: _Listener

    def serve(self) -> None:
        """Read the body and hand the request to the stand-in."""
        try:
            body = self._body()
        except ValueError:
            self.close_connection = True
            return
        try:
            self.server.stand_in.handle(self, body)
        except (OSError, StoppingError):  # the caller hung up, the connection was reset, or stop() was called
            self.close_connection = True

    def _body(self) -> bytes:
        """The whole body, however it is sent. Raises ValueError for one that is cut short or has no length."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self._read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self._read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # headers after the body
            pass
        return body

    def _read(self, size: int) -> bytes:
        if size < 0 or len(found := self.rfile.read(size)) < size:
            raise ValueError("the body is cut short")
        return found

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is the base class's)
        """Say nothing: tests look at ``requests`` instead."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, stand_in: StandIn) -> None:
        self.stand_in = stand_in
        self._ending = False
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._workers: set[threading.Thread] = set()
        super().__init__((HOST, port), _Handler)
        self._acceptor = threading.Thread(target=self._accept, daemon=True, name=f"{stand_in.name} accept")
        self._acceptor.start()

    def server_bind(self) -> None:
        """Bind without the reverse DNS look-up that http.server would do."""
        socket.socket.setsockopt(self.socket, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = HOST, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own, and remember both so that stop() can end them."""
        worker = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            daemon=True,
            name="stand-in connection",
        )
        with self._lock:
            self._connections.add(request)
            self._workers = {known for known in self._workers if known.is_alive()} | {worker}
            worker.start()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection whose thread is done."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Keep a defect of the stand-in for the test; callers that hang up are nothing special."""
        problem = sys.exception()
        if problem is not None and not isinstance(problem, OSError):
            self.stand_in.crashes.append(problem)

    def _accept(self) -> None:
        """Take connections until one comes after end() was called (serve_forever would poll instead)."""
        while True:
            connection, address = self.get_request()
            if self._ending:
                connection.close()
                return
            self.process_request(connection, address)

    def end(self) -> None:
        """Stop accepting, cut every connection and wait for the threads."""
        self._ending = True
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.server_port), timeout=1):
            self._acceptor.join(timeout=5)
        with self._lock:
            connections, workers = set(self._connections), set(self._workers)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for worker in workers:
            worker.join(timeout=5)
        self.server_close()


class StandIn(ABC):
    """A service on loopback. Use it as a context manager, or call start() and stop().

    ::

        with PrimeVoxServer() as primevox:
            requests.get(primevox.base_url + "/api/messaging/v1/conversations", ...)
            primevox.faults.add(status(503), times=2)
            assert primevox.requests_to("/conversations$")[-1].status == 200

    After stop() it can be started again on the same port, so "the service was away for a while" is
    ``stop(); ...; start()``. ``requests`` holds every request in order of arrival; ``max_in_flight`` is the
    largest number that was being served at the same time. A defect of the stand-in itself ends up in
    ``crashes`` and is raised on leaving the ``with`` block.
    """

    name: ClassVar[str] = "stand-in"

    def __init__(self, *, port: int = 0, clock: Callable[[], datetime] = utc_now) -> None:
        self.clock = clock
        self.signals = Signals()
        self.faults = Faults(self.signals)
        self.requests: list[Request] = []
        self.crashes: list[BaseException] = []
        self.in_flight = 0
        self.max_in_flight = 0
        self._port = port
        self._listener: _Listener | None = None
        self._record_lock = threading.Lock()
        self._arrivals = 0

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """Do what a request asks for and return the answer."""

    def admit(self, request: Request) -> Answer | None:  # noqa: ARG002
        """Let a request in (None), or say how it is turned away before any fault or effect."""
        return None

    def leave(self, request: Request) -> None:  # noqa: B027
        """Note that a request which was let in has been answered or dropped."""

    @property
    def port(self) -> int:
        """The port in use; 0 before the first start unless one was asked for."""
        return self._port

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:PORT`` of the started stand-in, without a slash at the end."""
        if not self._port:
            raise RuntimeError(f"the {self.name} stand-in has not been started")
        return f"http://{HOST}:{self._port}"

    def start(self) -> Self:
        """Listen, on the same port as before if it ran before."""
        if self._listener is not None:
            return self
        self.signals.announce(stopping=False)
        self._listener = _Listener(self._port, self)
        self._port = self._listener.server_port
        return self

    def stop(self) -> None:
        """Stop at once: stalled and dripping answers are cut off. Stopping twice does nothing."""
        listener, self._listener = self._listener, None
        if listener is not None:
            self.signals.announce(stopping=True)
            listener.end()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if problem is None and self.crashes:
            raise AssertionError(f"the {self.name} stand-in failed") from self.crashes[0]

    def handle(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Record one request, then answer it or play the fault that it meets."""
        request = self._record(handler, body)
        exchange = Exchange(request, self.answer, handler, self.signals)
        try:
            refusal = self.admit(request)
            if refusal is not None:
                exchange.send(refusal)
                return
            try:
                rule = self.faults.take(request)
                if rule is None:
                    exchange.send(exchange.answer())
                else:
                    request.fault = rule.fault.name
                    exchange.released = lambda: rule.released
                    rule.fault.play(exchange)
            finally:
                self.leave(request)
        finally:
            with self._record_lock:
                self.in_flight -= 1
            self.signals.announce()

    def _record(self, handler: BaseHTTPRequestHandler, body: bytes) -> Request:
        parts = urlsplit(handler.path)
        with self._record_lock:
            self._arrivals += 1
            request = Request(
                number=self._arrivals,
                method=handler.command,
                path=unquote(parts.path),
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers=handler.headers,
                body=body,
                at=self.clock(),
                monotonic=time.monotonic(),
                target=handler.path,
            )
            self.requests.append(request)
            self.in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self.in_flight)
        self.signals.announce()
        return request

    def requests_to(self, path: str, method: str | None = None) -> list[Request]:
        """Return the recorded requests whose path matches a regular expression (searched)."""
        pattern = re.compile(path)
        with self._record_lock:
            known = list(self.requests)
        return [r for r in known if pattern.search(r.path) and (method is None or r.method == method)]

    def forget_requests(self) -> None:
        """Start the record afresh."""
        with self._record_lock:
            self.requests.clear()
            self.max_in_flight = self.in_flight

    def wait_until(self, happened: Callable[[], bool], timeout: float = 5.0) -> bool:
        """Wait until a condition holds, looking whenever a request arrives or ends; False when time is up.

        ::

            assert primevox.wait_until(lambda: len(primevox.requests_to("/conversation$")) >= 3)
        """
        deadline = time.monotonic() + timeout
        while not happened():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.signals.wait_for_news(min(left, 0.05))
        return True
