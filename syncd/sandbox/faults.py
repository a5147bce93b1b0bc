"""What can go wrong on the way to a service, and the script that says when.

A fault is a value; a rule says which requests meet it and how often::

    server.faults.add(too_many_requests(retry_after=10), path=r"/conversations$")
    server.faults.add(lost_answer(), method="PATCH", times=None)          # for ever
    server.faults.add(status(503), when=lambda r: r.query.get("phoneNumber") == "12025550100", times=3)
    server.faults.script([None, status(500), reset()], method="GET")      # fine, then 500, then reset

Rules are tried in the order they were added, and the first that matches is played.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Literal

from syncd.sandbox.exchange import HTML_TYPE, JSON_TYPE, Answer, Exchange, Request, Signals

BOM = b"\xef\xbb\xbf"
BLANK_LINES = b"\r\n\r\n  "
PHP_WARNING = (
    b"<br />\n<b>Warning</b>:  Undefined variable $rows in <b>/var/www/api/messaging.php</b> "
    b"on line <b>88</b><br />\n"
)
MAINTENANCE_PAGE = "<!DOCTYPE html><html><head><title>Maintenance</title></head><body>Back soon.</body></html>"

Play = Callable[[Exchange], None]
Body = bytes | str | dict[str, Any] | list[Any] | None


@dataclass(frozen=True)
class Fault:
    """A way to misbehave: a name for the record, and what is done with the exchange."""

    name: str
    play: Play


class Rule:
    """Which requests meet a fault; returned by ``Faults.add`` so that a test can follow and end it."""

    def __init__(
        self,
        fault: Fault,
        matches: Callable[[Request], bool],
        times: int | None,
        skip: int,
        owner: Faults,
    ) -> None:
        self.fault = fault
        self.hits = 0
        self.released = False
        self._matches = matches
        self._left = times
        self._skip = skip
        self._owner = owner

    def release(self) -> None:
        """Let the requests that stall under this rule go on; later ones do not stall."""
        self.released = True
        self._owner.signals.announce()

    def remove(self) -> None:
        """End this rule, and release whatever stalls under it."""
        self._owner.discard(self)
        self.release()

    def takes(self, request: Request) -> bool:
        """Say whether this rule applies to a request now, and count it if so."""
        if self._left == 0 or not self._matches(request):
            return False
        if self._skip:
            self._skip -= 1
            return False
        if self._left is not None:
            self._left -= 1
        self.hits += 1
        return True


class Faults:
    """The fault script of one stand-in. Safe to change while requests are served."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def add(
        self,
        fault: Fault,
        *,
        method: str | None = None,
        path: str | None = None,
        when: Callable[[Request], bool] | None = None,
        times: int | None = 1,
        skip: int = 0,
    ) -> Rule:
        """Play a fault on the next ``times`` matching requests (None: for ever), after letting ``skip`` pass.

        ``path`` is a regular expression that is searched in the path (without the query). All conditions that
        are given must hold.
        """
        pattern = re.compile(path) if path is not None else None

        def matches(request: Request) -> bool:
            return (
                (method is None or request.method == method)
                and (pattern is None or pattern.search(request.path) is not None)
                and (when is None or when(request))
            )

        rule = Rule(fault, matches, times, skip, self)
        with self._lock:
            self._rules.append(rule)
        return rule

    def script(
        self,
        faults: Iterable[Fault | None],
        *,
        method: str | None = None,
        path: str | None = None,
        when: Callable[[Request], bool] | None = None,
    ) -> list[Rule]:
        """Play faults one after the other, one per matching request; None lets a request pass untouched."""
        return [self.add(fault or untouched(), method=method, path=path, when=when) for fault in faults]

    def take(self, request: Request) -> Rule | None:
        """Return the rule that this request meets, if any."""
        with self._lock:
            return next((rule for rule in self._rules if rule.takes(request)), None)

    def discard(self, rule: Rule) -> None:
        """Forget one rule."""
        with self._lock:
            self._rules = [kept for kept in self._rules if kept is not rule]

    def clear(self) -> None:
        """Forget every rule, and release whatever stalls."""
        with self._lock:
            rules, self._rules = self._rules, []
        for rule in rules:
            rule.release()


def _body(value: Body, status: int) -> tuple[bytes, str]:
    if value is None:
        value = {"error": HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown"}
    if isinstance(value, bytes):
        return value, JSON_TYPE
    if isinstance(value, str):
        return value.encode(), "text/plain; charset=utf-8"
    return json.dumps(value).encode(), JSON_TYPE


def untouched() -> Fault:
    """Answer as if there were no fault; keeps a place in a script."""
    return Fault("untouched", lambda exchange: exchange.send(exchange.answer()))


def answering(make: Callable[[Answer], Answer], name: str = "answering") -> Fault:
    """Do the work, then answer something made from the true answer."""
    return Fault(name, lambda exchange: exchange.send(make(exchange.answer())))


def status(
    code: int,
    body: Body = None,
    *,
    headers: Mapping[str, str] | None = None,
    content_type: str | None = None,
    after_effect: bool = False,
) -> Fault:
    """Answer a status; the request has no effect unless ``after_effect``.

    A ``body`` that is not text or bytes becomes JSON.
    """
    data, default_type = _body(body, code)
    answer = Answer(code, data, content_type or default_type, dict(headers or {}))

    def play(exchange: Exchange) -> None:
        if after_effect:
            exchange.answer()
        exchange.send(answer)

    return Fault(f"status {code}", play)


def too_many_requests(retry_after: str | float | datetime | None = None, body: Body = None) -> Fault:
    """Answer 429.

    ``retry_after`` is seconds, an aware UTC datetime (sent as an HTTP date), any absurd text, or nothing.
    """
    headers = {}
    if isinstance(retry_after, datetime):
        headers["Retry-After"] = format_datetime(retry_after, usegmt=True)
    elif retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return status(429, body, headers=headers)


def html_page(code: int = 200, page: str = MAINTENANCE_PAGE) -> Fault:
    """Answer a web page, as gateways and login walls do, with status 200 unless told."""
    return status(code, page, content_type=HTML_TYPE)


def empty_body(code: int = 200) -> Fault:
    """Answer with no body at all. Autotask does so now and then with 2xx (seen live by third parties)."""
    return status(code, b"")


def error_under_200(text: str = "Error connecting to the database, please try again later.") -> Fault:
    """Answer ``{"error": text}`` with status 200, which older PHP calls are suspected to do (unknown)."""
    return status(200, {"error": text})


def truncated(keep: float = 0.5, length: Literal["cut", "full", "chunked"] = "cut") -> Fault:
    """Do the work, then send only a part of the answer's body.

    ``length`` says how the cut shows: ``cut`` declares the bytes that are sent (the JSON is broken, HTTP is
    not), ``full`` declares all of them and hangs up, ``chunked`` hangs up without the last chunk.
    """

    def play(exchange: Exchange) -> None:
        answer = exchange.answer()
        part = answer.body[: int(len(answer.body) * keep)]
        if length == "cut":
            exchange.send(answer.changed(body=part))
            return
        exchange.request.status = answer.status
        if length == "full":
            exchange.write(answer.head() + part)
        else:
            head = answer.head(length=-1, extra={"Transfer-Encoding": "chunked"})
            exchange.write(head + b"%x\r\n%s\r\n" % (len(part), part))
        exchange.hang_up()

    return Fault(f"truncated, length {length}", play)


def reset() -> Fault:
    """Reset the connection before the request has any effect."""
    return Fault("reset", lambda exchange: exchange.reset())


def hang_up() -> Fault:
    """Close the connection without an answer, before the request has any effect."""
    return Fault("hang up", lambda exchange: exchange.hang_up())


def lost_answer(how: Literal["reset", "close"] = "reset") -> Fault:
    """Let the request take effect, then drop the connection without an answer."""

    def play(exchange: Exchange) -> None:
        exchange.answer()
        if how == "reset":
            exchange.reset()
        else:
            exchange.hang_up()

    return Fault("lost answer", play)


def stall(effect: Literal["before", "after", "never"] = "after") -> Fault:
    """Answer only when the test calls ``rule.release()``.

    The request takes effect before the stall, after it (then possibly long after the caller gave up), or not
    at all (then the connection is closed at the end).
    """

    def play(exchange: Exchange) -> None:
        if effect == "before":
            exchange.answer()
        exchange.wait_for_release()
        if effect == "never":
            exchange.hang_up()
        else:
            exchange.send(exchange.answer())

    return Fault(f"stall, effect {effect}", play)


def delay(seconds: float, then: Fault | None = None) -> Fault:
    """Wait, and then answer properly or play another fault."""

    def play(exchange: Exchange) -> None:
        exchange.pause(seconds)
        (then or untouched()).play(exchange)

    return Fault(f"delay {seconds:g} s" + (f", then {then.name}" if then else ""), play)


def drip_body(every: float, size: int = 1) -> Fault:
    """Do the work and send the headers, then the body ``size`` bytes every so many seconds."""

    def play(exchange: Exchange) -> None:
        answer = exchange.answer()
        exchange.request.status = answer.status
        exchange.write(answer.head())
        for start in range(0, len(answer.body), size):
            exchange.pause(every)
            exchange.write(answer.body[start : start + size])

    return Fault(f"drip body, {size} B every {every:g} s", play)


def drip_headers(every: float, size: int = 1) -> Fault:
    """Do the work, then send even the status line and headers ``size`` bytes every so many seconds."""

    def play(exchange: Exchange) -> None:
        answer = exchange.answer()
        exchange.request.status = answer.status
        head = answer.head()
        for start in range(0, len(head), size):
            exchange.write(head[start : start + size])
            exchange.pause(every)
        exchange.write(answer.body)

    return Fault(f"drip headers, {size} B every {every:g} s", play)


def redirect(location: str, code: int = 302) -> Fault:
    """Send the caller elsewhere (301, 302, 303, 307, 308) without effect."""
    return status(code, MAINTENANCE_PAGE, headers={"Location": location}, content_type=HTML_TYPE)


@lru_cache(maxsize=4)
def _bomb(megabytes: int) -> bytes:
    """Return a gzip stream of one long JSON string of blanks, without compressing all of it."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    opening, block, closing = b'{"error":"', b" " * (1 << 20), b'"}'
    # A fully flushed block depends on nothing before it, so it can be compressed once and repeated.
    first = deflate.compress(opening) + deflate.flush(zlib.Z_FULL_FLUSH)
    middle = deflate.compress(block) + deflate.flush(zlib.Z_FULL_FLUSH)
    last = deflate.compress(closing) + deflate.flush()
    checksum = zlib.crc32(opening)
    for _ in range(megabytes):
        checksum = zlib.crc32(block, checksum)
    checksum = zlib.crc32(closing, checksum)
    size = len(opening) + megabytes * len(block) + len(closing)
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    trailer = checksum.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
    return header + first + middle * megabytes + last + trailer


def gzip_bomb(megabytes: int = 200) -> Fault:
    """Answer a small gzip body that grows about a thousandfold; the text inside is valid JSON."""

    def play(exchange: Exchange) -> None:
        exchange.send(Answer(200, _bomb(megabytes), JSON_TYPE, {"Content-Encoding": "gzip"}))

    return Fault(f"gzip bomb, {megabytes} MiB", play)


def gzipped() -> Fault:
    """Answer truly but compressed, as a service may."""
    return answering(
        lambda answer: answer.changed(
            body=gzip.compress(answer.body), headers={**answer.headers, "Content-Encoding": "gzip"}
        ),
        "gzipped",
    )


def huge_body(megabytes: int = 200, *, declared: bool = True) -> Fault:
    """Answer a JSON text of this size, uncompressed, with or without its length declared."""

    def play(exchange: Exchange) -> None:
        opening, block, closing = b'{"error":"', b"x" * (1 << 16), b'"}'
        blocks = megabytes * 16
        size = len(opening) + blocks * len(block) + len(closing) if declared else -1
        answer = Answer()
        exchange.request.status = answer.status
        exchange.write(answer.head(length=size, extra=None if declared else {"Connection": "close"}) + opening)
        for _ in range(blocks):
            exchange.write(block)
        exchange.write(closing)
        exchange.hang_up()

    return Fault(f"huge body, {megabytes} MiB", play)


def content_type(value: str | None = HTML_TYPE) -> Fault:
    """Answer truly, but with another content type (None: without one)."""
    return answering(lambda answer: answer.changed(content_type=value), f"content type {value}")


def prefixed(text: bytes = PHP_WARNING) -> Fault:
    """Answer truly, but with something before the JSON.

    ``text`` is ``BOM``, ``BLANK_LINES``, ``PHP_WARNING`` or any bytes.
    """
    return answering(lambda answer: answer.changed(body=text + answer.body), f"prefixed {text[:12]!r}")
