"""Ways in which a service misbehaves, besides those of `syncd.sandbox.faults`."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from syncd.sandbox.exchange import Answer, Exchange, Request
from syncd.sandbox.faults import Fault, answering

if TYPE_CHECKING:
    from syncd.testing.desk import Desk

# Headers that no secret travels in: an excerpt of an echo should show the others.
_DULL = frozenset(
    ("accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent")
)


def asked_otherwise(change: Callable[[Request], None]) -> Fault:
    """Answer as if something else had been asked: `change` edits the request before the service sees it.

    ::

        def ignore_filters(self):
            self.wire.faults.add(asked_otherwise(lambda request: request.query.pop("company", None)), times=None)

    In front of a real server (`Relay`) it is `request.target`, path and query as one text, that counts.
    """

    def play(exchange: Exchange) -> None:
        change(exchange.request)
        exchange.send(exchange.answer())

    return Fault("asked otherwise", play)


def undone(desk: Desk, contact: str) -> Fault:
    """Do the work, give the true answer, and take the consent of that contact back before anybody can look."""

    def play(exchange: Exchange) -> None:
        before = desk.consent_of(contact)
        answer = exchange.answer()
        if desk.consent_of(contact) is not before:
            desk.set_contact(contact, consent=before)
        exchange.send(answer)

    return Fault("write undone", play)


def meanwhile(happens: Callable[[], object]) -> Fault:
    """Answer truly, but let something happen right before the service sees the request."""

    def play(exchange: Exchange) -> None:
        happens()
        exchange.send(exchange.answer())

    return Fault("meanwhile", play)


ID_ALONE = "a row with its id alone"
# What may be wrong with one list of an answer that is JSON otherwise.
SPOILED: dict[str, Callable[[list[Any]], Any]] = {
    "null for a row": lambda rows: [*rows[:-1], None],
    "a row without fields": lambda rows: [*rows[:-1], {}],
    ID_ALONE: lambda rows: [
        *rows[:-1],
        {name: value for name, value in rows[-1].items() if name.lower() == "id"},
    ],
    "text for a row": lambda rows: [*rows[:-1], "later"],
    "null for the list": lambda _: None,
    "an object for the list": lambda _: {},
    "no list": lambda _: ...,
}


def spoiled(how: str) -> Fault:
    """Answer truly but for the rows: `how` is a key of `SPOILED`. An answer without rows stays as it is."""

    def spoil(answer: Answer) -> Answer:
        try:
            body = json.loads(answer.body)
        except ValueError:
            return answer
        inside = body if isinstance(body, dict) else {"": body}
        found = [name for name, value in inside.items() if isinstance(value, list) and _holds_records(value)]
        if not found:
            return answer
        rows = max(found, key=lambda name: len(inside[name]))
        instead = SPOILED[how](inside[rows])
        rest = {name: value for name, value in inside.items() if name != rows}
        if body is not inside:
            rest = {} if instead is ... else instead
        elif instead is not ...:
            rest[rows] = instead
        return answer.changed(body=json.dumps(rest).encode())

    return answering(spoil, how)


def _holds_records(rows: list[Any]) -> bool:
    return bool(rows) and isinstance(rows[-1], dict)


def same_again(step: int, most: int) -> Fault:
    """Answer truly `step` times, and from then on with the last true answer; after `most` of these hang up."""
    answers: list[Answer] = []
    repeated = 0

    def play(exchange: Exchange) -> None:
        nonlocal repeated
        if len(answers) < step:
            answers.append(exchange.answer())
            exchange.send(answers[-1])
        elif repeated < most:
            repeated += 1
            exchange.send(answers[-1])
        else:
            exchange.hang_up()

    return Fault("same again", play)


def echo(code: int, *, as_json: bool) -> Fault:
    """Answer an error that repeats the request, as development servers and proxies do; it has no effect."""

    def play(exchange: Exchange) -> None:
        request = exchange.request
        headers = [f"{name}: {value}" for name, value in request.headers.items() if name.lower() not in _DULL]
        text = "; ".join([*headers, request.body.decode("utf-8", "replace"), request.target])
        if as_json:
            exchange.send(Answer.json({"errors": [text], "error": text, "message": text, "Message": text}, code))
        else:
            exchange.send(Answer(code, text.encode(), "text/plain; charset=utf-8"))

    return Fault(f"echo {code}{' json' * as_json}", play)


class Gauge:
    """Counts requests that are in flight, for `max`; each takes a moment, so that they overlap.

    A request counts from its arrival to just before its answer leaves, never longer than its sender waits.
    """

    def __init__(self, seconds: float = 0.01) -> None:
        self.max = 0
        self._seconds = seconds
        self._now = 0
        self._lock = threading.Lock()

    def fault(self) -> Fault:
        """The fault to add for every request."""
        return Fault("gauged", self._play)

    def _play(self, exchange: Exchange) -> None:
        with self._lock:
            self._now += 1
            self.max = max(self.max, self._now)
        try:
            exchange.pause(self._seconds)
            answer = exchange.answer()
        finally:
            with self._lock:
                self._now -= 1
        exchange.send(answer)
