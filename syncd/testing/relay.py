"""Stands in front of a real server, so that its connector can be tested like any other."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar
from urllib.parse import quote, urlsplit

from syncd.sandbox.exchange import Answer, Request
from syncd.sandbox.server import StandIn, utc_now

_ONE_HOP = frozenset("connection content-length host keep-alive te trailer transfer-encoding upgrade".split())  # noqa: SIM905


class Relay(StandIn):
    """Passes every request on to a server on this machine, over plain HTTP, and its answer back.

    Where the server names its own address, the relay's is put in its place, so that a connector that follows links
    does not get past it.
    """

    name: ClassVar[str] = "relay"

    def __init__(self, server: str, *, port: int = 0, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(port=port, clock=clock)
        self._server = urlsplit(server).netloc

    def answer(self, request: Request) -> Answer:
        """Ask the server."""
        # The answer must come uncompressed, or its links could not be seen.
        left_out = _ONE_HOP | {"accept-encoding"}
        headers = {name: value for name, value in request.headers.items() if name.lower() not in left_out}
        line = http.client.HTTPConnection(self._server, timeout=30)
        try:
            line.request(request.method, request.target, request.body or None, {**headers, "Host": self._server})
            answer = line.getresponse()
            body = answer.read()
        finally:
            line.close()
        dropped = _ONE_HOP | {"content-type"}
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in dropped}
        return Answer(
            answer.status,
            self._renamed(body),
            answer.getheader("Content-Type"),
            {name: self._renamed(value.encode("latin-1")).decode("latin-1") for name, value in kept.items()},
        )

    def _renamed(self, text: bytes) -> bytes:
        """The text with our address for the server's, plain or as it stands within a query."""
        ours = urlsplit(self.base_url).netloc
        for theirs, mine in ((self._server, ours), (quote(self._server), quote(ours))):
            text = re.sub(re.escape(theirs.encode()) + rb"(?!\d)", mine.encode(), text)
        return text
