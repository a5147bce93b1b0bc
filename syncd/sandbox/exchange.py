"""One request, its answer, and the wire between them: what a fault may play with."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

JSON_TYPE = "application/json; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"


class StoppingError(Exception):
    """The stand-in is being stopped; whoever was waiting lets go."""


@dataclass(eq=False)
class Request:
    """A request as it arrived, kept in ``StandIn.requests`` for a test to look at.

    ``query`` holds the last value of each parameter (as PHP and ASP.NET hand it over), names in their case.
    ``headers`` are looked up without regard to case and give None when absent. ``status`` is what was
    answered, None while there is no answer or when the connection was dropped. ``fault`` names the fault
    that was played, if any.
    """

    number: int
    method: str
    path: str
    query: dict[str, str]
    headers: Message
    body: bytes
    at: datetime
    monotonic: float
    target: str
    status: int | None = None
    fault: str | None = None

    def json(self) -> Any:
        """Return the body read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What a stand-in answers: status, body as it goes over the wire, content type and further headers."""

    status: int = 200
    body: bytes = b""
    content_type: str | None = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
        """Return an answer whose body is the compact JSON of a value."""
        body = json.dumps(value, separators=(",", ":")).encode()
        return cls(status, body, JSON_TYPE, headers or {})

    @classmethod
    def html(cls, text: str, status: int = 200) -> Answer:
        """Return an answer that is a web page."""
        return cls(status, text.encode(), HTML_TYPE)

    def changed(self, **changes: Any) -> Answer:
        """Return a copy with some of the fields replaced."""
        return replace(self, **changes)

    def head(self, *, length: int | None = None, extra: Mapping[str, str] | None = None) -> bytes:
        """Return status line and headers; ``length`` below 0 leaves Content-Length out."""
        length = len(self.body) if length is None else length
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}"]
        if self.content_type is not None:
            lines.append(f"Content-Type: {self.content_type}")
        if length >= 0:
            lines.append(f"Content-Length: {length}")
        lines += [f"{name}: {value}" for name, value in {**self.headers, **(extra or {})}.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Signals:
    """The condition variable of a stand-in: it wakes those who wait for a stop, a release or a request."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.stopping = False

    def announce(self, stopping: bool | None = None) -> None:
        """Wake everybody who waits, so that each looks again at what it waits for."""
        with self._condition:
            if stopping is not None:
                self.stopping = stopping
            self._condition.notify_all()

    def wait_for_news(self, seconds: float) -> None:
        """Wait until something is announced, at most so many seconds."""
        with self._condition:
            self._condition.wait(seconds)

    def pause(self, seconds: float) -> None:
        """Wait for a time; raises StoppingError when the stand-in stops meanwhile."""
        self.hold(lambda: False, seconds)

    def hold(self, released: Callable[[], bool], seconds: float | None = None) -> None:
        """Wait until released or for a time; raises StoppingError when the stand-in stops meanwhile."""
        with self._condition:
            self._condition.wait_for(lambda: self.stopping or released(), seconds)
            if self.stopping:
                raise StoppingError


class Exchange:
    """The handling of one request, as a fault sees it.

    ``answer()`` lets the stand-in do its work, once: a fault that never calls it happens *before* the effect,
    one that calls it and then drops the connection happens *after* the effect.
    """

    def __init__(
        self,
        request: Request,
        work: Callable[[Request], Answer],
        handler: BaseHTTPRequestHandler,
        signals: Signals,
    ) -> None:
        self.request = request
        self.signals = signals
        self.released: Callable[[], bool] = lambda: False
        self._work = work
        self._handler = handler
        self._answer: Answer | None = None

    def answer(self) -> Answer:
        """Do what the request asks for (the first time) and return the true answer."""
        if self._answer is None:
            self._answer = self._work(self.request)
        return self._answer

    def send(self, answer: Answer) -> None:
        """Send a whole answer in one write; the connection stays open, or the answer says that it does not."""
        self.request.status = answer.status
        body = b"" if self.request.method == "HEAD" else answer.body
        closes = {"Connection": "close"} if self._handler.close_connection else None
        self.write(answer.head(extra=closes) + body)

    def write(self, data: bytes) -> None:
        """Send some bytes as they are."""
        self._handler.wfile.write(data)

    def pause(self, seconds: float) -> None:
        """Wait, unless the stand-in is being stopped."""
        self.signals.pause(seconds)

    def wait_for_release(self) -> None:
        """Wait until the test releases the rule that plays this fault."""
        self.signals.hold(self.released)

    def hang_up(self) -> None:
        """Close the connection in the ordinary way once the fault is over."""
        self._handler.close_connection = True

    def reset(self) -> None:
        """Close the connection at once with a TCP reset."""
        self.hang_up()
        connection = self._handler.connection
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # A plain close() would wait for the file objects that share this socket, and a shutdown() would
            # send a FIN first; only closing the descriptor itself sends the reset.
            os.close(connection.detach())
