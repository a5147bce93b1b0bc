"""PrimeVOX's answers as its documentation shows them, a client that reads them, and a search for its key."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import responses
from pydantic import SecretStr

import syncd
from syncd.clock import Clock
from syncd.http import Answer, Limits, Transport
from syncd.model import Message, PhoneNumber
from syncd.primevox import Line, Listed, Listing, PrimeVox, Thread

BASE = "https://pbx.example"
LIST = f"{BASE}/api/messaging/v1/conversations"
THREAD = f"{BASE}/api/messaging/v1/conversation"
KEY = "canary+/=&'<KEY>"
OURS = PhoneNumber("+12025550100")
OUR_OTHER = "+12025550101"
CLIENT = "+12025550123"
LINE = Line(OURS, "100200", SecretStr(KEY))
LISTED = Listed("c1", CLIENT, "2026-01-02 03:04:05")


class Impatient(Clock):
    """Nobody waits in these tests."""

    def sleep(self, seconds: float) -> bool:
        return False


def mocked_web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        yield web


def client() -> Iterator[PrimeVox]:
    transport = Transport(Impatient(), Limits(10_000, 1.0, 8))
    yield PrimeVox(transport, BASE, frozenset({OURS, OUR_OTHER}))
    transport.close()


def entry(**fields: Any) -> dict[str, Any]:
    return {
        "conversationWith": "2025550123",
        "hasUnreadMessages": 1,
        "lastMessageDate": "2026-01-02 03:04:05",
    } | fields


def text(**fields: Any) -> dict[str, Any]:
    return {"messageDate": "2026-01-02 03:04:05", "messageFrom": "2025550123", "messageText": "#Stop"} | fields


def without(record: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != name}


def parsed(body: str | bytes) -> tuple[dict[str, Listed], tuple[str, ...]]:
    content = body if isinstance(body, bytes) else body.encode()
    return Listing(Answer("GET /list", 200, {}, content)).conversations()


def read(vox: PrimeVox, web: responses.RequestsMock, body: Any, listed: Listed = LISTED, **more: Any) -> Thread:
    web.upsert("GET", THREAD, body=body if isinstance(body, (str, bytes)) else json.dumps(body), **more)
    return vox.thread(LINE, listed)


def read_one(vox: PrimeVox, web: responses.RequestsMock, message: Any, listed: Listed = LISTED) -> Message:
    thread = read(vox, web, {"messages": {"m1": message}}, listed)
    assert thread.rejected == ()
    return thread.messages[0]


SOURCE = Path(syncd.__file__).parent


def everything_in(error: BaseException, *, local_variables: bool) -> str:
    """All that could reach a log: texts, arguments, chains, and even the locals of our own frames."""
    found, waiting, seen = [], [error], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        found += [str(one), repr(one), repr(one.args), repr(vars(one))]
        trace = traceback.TracebackException.from_exception(one, capture_locals=local_variables)
        found += ["".join(trace.format()) if not local_variables else ""]
        found += [repr(frame.locals) for frame in trace.stack if Path(frame.filename).is_relative_to(SOURCE)]
        waiting += [linked for linked in (one.__cause__, one.__context__) if linked]
    return "\n".join(found)


def assert_no_key(error: BaseException, *, local_variables: bool = True) -> None:
    said = everything_in(error, local_variables=local_variables)
    for form in (KEY, "canary%2B", "canary+", "canary"):
        assert form not in said
