"""PrimeVOX's client over real sockets: slow, broken, huge and hostile servers, and where the key may go."""

from __future__ import annotations

import gzip
import json
import os
import socket
import struct
import time
import traceback
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import SecretStr
from wire import Wire, drip, ok

from syncd.clock import Clock
from syncd.errors import ConfigProblem, ShapeChanged, SyncdError, Transient
from syncd.http import Limits, Transport
from syncd.model import Direction, PhoneNumber
from syncd.primevox import Line, Listed, PrimeVox
from syncd.sandbox.primevox import PrimeVoxServer

KEY = "canary+/=&?#% parrot"
CANARIES = ("canary", "parrot")
LINE = Line(PhoneNumber("+12025550100"), "100200", SecretStr(KEY))
LISTED = Listed("c1", "+12025550123", "")
LIST = json.dumps({"conversations": {"c1": {"conversationWith": "2025550123"}}}).encode()
THREAD = json.dumps({"messages": {"m1": {"messageFrom": "2025550123", "messageText": "#Stop"}}}).encode()


@pytest.fixture
def reach() -> Iterator[Callable[..., PrimeVox]]:
    transports = []

    def make(wire: Wire, deadline: float = 5.0) -> PrimeVox:
        transports.append(Transport(Clock(), Limits(1000, 1.0, 8)))
        return PrimeVox(transports[-1], f"http://127.0.0.1:{wire.port}", frozenset(), deadline=deadline)

    yield make
    for transport in transports:
        transport.close()


CALLS: dict[str, Callable[[PrimeVox], object]] = {
    "list": lambda vox: vox.listing(LINE).conversations(),
    "conversation": lambda vox: vox.thread(LINE, LISTED),
}
both = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


def fails(call: Callable[[PrimeVox], object], vox: PrimeVox, kind: type[SyncdError], words: str = r".") -> None:
    """It fails in just this way, and nothing that a log could get at holds the key, not even our locals."""
    with pytest.raises(SyncdError, match=words) as caught:
        call(vox)
    assert isinstance(caught.value, kind)
    chain: list[BaseException] = [caught.value]
    for error in chain:
        chain += [linked for linked in (error.__cause__, error.__context__) if linked and linked not in chain]
        said = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        trace = traceback.TracebackException.from_exception(error, capture_locals=True)
        said += "".join(repr(frame.locals) for frame in trace.stack if "/syncd/" in frame.filename)
        assert not [canary for canary in CANARIES if canary in said]
    assert all(isinstance(error, SyncdError) for error in chain)


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Slow: ", id="header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", id="body"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n" + LIST, id="body-that-ends-with-the-connection"),
        pytest.param(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n", id="last-body"),
    ],
)
@both
def test_a_drip_is_cut_by_the_deadline(
    start: bytes, call: Callable[[PrimeVox], object], reach: Callable[..., PrimeVox]
) -> None:
    with Wire(drip(start)) as wire:
        began = time.monotonic()
        fails(call, reach(wire, deadline=0.3), Transient, r"no complete answer within 0\.3 s")
        assert time.monotonic() - began < 0.8
        assert len(wire.requests) == 1


@both
def test_a_server_that_says_nothing_is_left(
    call: Callable[[PrimeVox], object], reach: Callable[..., PrimeVox]
) -> None:
    with Wire(lambda line, _: time.sleep(1)) as wire:
        fails(call, reach(wire, deadline=0.2), Transient, "no complete answer")
        assert len(wire.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@both
def test_a_redirect_takes_the_key_nowhere(
    status: int, call: Callable[[PrimeVox], object], reach: Callable[..., PrimeVox]
) -> None:
    with Wire(lambda line, _: line.sendall(ok(LIST))) as elsewhere:
        there = f"http://127.0.0.1:{elsewhere.port}/login?from=/x"

        def redirect(line: socket.socket, number: int) -> None:
            where = there + wire.requests[number - 1].decode().split("?")[1].split(" ")[0]
            line.sendall(f"HTTP/1.1 {status} Moved\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode())

        with Wire(redirect) as wire:
            fails(call, reach(wire), ShapeChanged, "redirect")
            assert len(wire.requests) == 1
        assert (elsewhere.connections, elsewhere.requests) == (0, [])


def bomb(layers: int) -> bytes:
    packer = zlib.compressobj(wbits=31)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(200)) + packer.flush()
    for _ in range(layers - 1):
        packed = gzip.compress(packed)
    return packed


@pytest.mark.parametrize("layers", [1, 2])
@both
def test_a_gzip_bomb_is_stopped_early(
    layers: int, call: Callable[[PrimeVox], object], reach: Callable[..., PrimeVox]
) -> None:
    packed = bomb(layers)
    encoding = b"Content-Encoding: " + b", ".join([b"gzip"] * layers) + b"\r\n"
    with Wire(lambda line, _: line.sendall(ok(packed, encoding))) as wire:
        vox = reach(wire)
        tracemalloc.start()
        try:
            fails(call, vox, ShapeChanged, "larger than" if layers == 1 else "packed in a way")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < (90 if call is CALLS["list"] else 50) * 2**20
    assert len(wire.requests) == 1


def test_a_conversation_has_a_lower_cap_than_the_list(reach: Callable[..., PrimeVox]) -> None:
    with Wire(lambda line, _: line.sendall(ok(LIST + b" " * 17 * 2**20))) as wire:
        vox = reach(wire)
        assert "c1" in vox.listing(LINE).conversations()[0]
        fails(CALLS["conversation"], vox, ShapeChanged, "larger than 16777216 bytes")


def reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def test_a_reset_is_tried_once_more(reach: Callable[..., PrimeVox]) -> None:
    with Wire(lambda line, number: line.sendall(ok(LIST)) if number == 2 else reset(line)) as wire:
        vox = reach(wire)
        assert "c1" in vox.listing(LINE).conversations()[0]
        assert len(wire.requests) == 2
        fails(CALLS["list"], vox, Transient, "connection broke")
        assert len(wire.requests) == 4


@both
def test_nobody_there(call: Callable[[PrimeVox], object], reach: Callable[..., PrimeVox]) -> None:
    with Wire(lambda line, _: None) as wire:
        pass
    fails(call, reach(wire), Transient, "no connection")


@both
def test_a_body_cut_short_is_no_answer(call: Callable[[PrimeVox], object], reach: Callable[..., PrimeVox]) -> None:
    heads = {b"HTTP/1.1 200 OK\r\n\r\n": ShapeChanged, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n": Transient}
    for head, kind in heads.items():
        with Wire(lambda line, _, head=head: (line.sendall(head + LIST[:-9]), line.close())) as wire:
            fails(call, reach(wire), kind)


def test_neither_netrc_nor_proxies_of_the_environment_are_used(
    reach: Callable[..., PrimeVox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login somebody password else\n")
    netrc.chmod(0o600)
    with (
        Wire(lambda line, _: line.sendall(ok(b"{}"))) as proxy,
        Wire(lambda line, _: line.sendall(ok(LIST))) as wire,
    ):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(netrc))
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert os.path.expanduser("~") == str(tmp_path)  # noqa: PTH111  what requests itself would ask
        assert "c1" in reach(wire).listing(LINE).conversations()[0]
        assert (proxy.connections, len(wire.requests)) == (0, 1)
    assert b"authorization" not in wire.requests[0].lower()


def test_connections_are_kept(reach: Callable[..., PrimeVox]) -> None:
    with Wire(lambda line, _: line.sendall(ok(LIST, b"Set-Cookie: session=1\r\n"))) as wire:
        vox = reach(wire)
        digests = {vox.listing(LINE).digest for _ in range(20)}
        assert (wire.connections, len(wire.requests), len(digests)) == (1, 20, 1)
    assert not [request for request in wire.requests if b"cookie" in request.lower()]


def test_the_key_and_the_names_arrive_exactly(reach: Callable[..., PrimeVox]) -> None:
    with Wire(
        lambda line, _: line.sendall(ok(THREAD if b"/conversation?" in wire.requests[-1] else LIST))
    ) as wire:
        vox = reach(wire)
        vox.listing(LINE)
        vox.thread(LINE, Listed("a/b c&d=+%", "+12025550123", ""))
    asked = [request.decode().split(" ") for request in wire.requests]
    urls = [urlsplit(words[1]) for words in asked]
    assert [words[0] for words in asked] == ["GET", "GET"]
    assert [url.path for url in urls] == ["/api/messaging/v1/conversations", "/api/messaging/v1/conversation"]
    assert [parse_qsl(url.query) for url in urls] == [
        [("auth", KEY), ("containerID", "100200"), ("phoneNumber", "2025550100")],
        [("auth", KEY), ("containerID", "100200"), ("conversationID", "a/b c&d=+%")],
    ]


def test_many_threads_learn_the_form_of_many_numbers(reach: Callable[..., PrimeVox]) -> None:
    refusal = json.dumps({"error": "The phone number you provided does not exist in this container."}).encode()

    def eleven_digits(line: socket.socket, number: int) -> None:
        good = b"phoneNumber=1202555" in wire.requests[number - 1]
        line.sendall(ok(LIST) if good else b"HTTP/1.1 404 Not Found\r\n" + ok(refusal).split(b"\r\n", 1)[1])

    with Wire(eleven_digits) as wire:
        vox = reach(wire)
        lines = [Line(PhoneNumber(f"+120255501{n:02}"), "100200", SecretStr(KEY)) for n in range(10)]
        with ThreadPoolExecutor(8) as pool:
            assert all("c1" in listing.conversations()[0] for listing in pool.map(vox.listing, lines * 3))
        before = len(wire.requests)
        for line in lines:
            vox.listing(line)
        assert len(wire.requests) == before + 10


def test_a_wrong_configuration_says_so_without_the_key(reach: Callable[..., PrimeVox]) -> None:
    body = json.dumps({"error": "The phone number you provided does not exist in this container.", "auth": KEY})
    with Wire(lambda line, _: line.sendall(b"HTTP/1.1 404 Not Found\r\n" + ok(body.encode())[17:])) as wire:
        with pytest.raises(ConfigProblem, match=r"does not know \+12025550100 in container 100200") as caught:
            reach(wire).listing(LINE)
        assert not [canary for canary in CANARIES if canary in "".join(traceback.format_exception(caught.value))]
        assert len(wire.requests) == 3


FORMS = ["10", "11", "+1", "formatted", "int", "int11"]
QUIRKS: list[dict[str, Any]] = [{"conversation_with": form, "message_from": form} for form in FORMS]
QUIRKS += [{"own_message_from": form} for form in FORMS]
QUIRKS += [{"date": form, "last_date": form} for form in ("seconds", "microseconds", "T", "Z", "offset")]
QUIRKS += [{"accepted_numbers": frozenset({form})} for form in ("10", "11", "+1")]
QUIRKS += [{"ids": "text"}, {"empty": "[]"}, {"order": "oldest"}]


@pytest.mark.parametrize("quirks", QUIRKS, ids=str)
def test_whichever_way_primevox_writes_it_the_same_is_read(quirks: dict[str, Any]) -> None:
    client, at = "+12025550123", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    transport = Transport(Clock(), Limits(1000, 1.0, 8))
    with PrimeVoxServer({LINE.container: {"api_key": KEY, "numbers": [LINE.number]}}) as server:
        server.change(**quirks)
        vox = PrimeVox(transport, server.base_url, frozenset({LINE.number}))
        assert vox.listing(LINE).conversations() == ({}, ())
        server.send(LINE.number, client, "Reply STOP to opt out", at)
        server.receive(LINE.number, client, "#Stop", at.replace(second=6))
        found, remarks = vox.listing(LINE).conversations()
        (listed,) = found.values()
        thread = vox.thread(LINE, listed)
    transport.close()
    assert (listed.theirs, remarks, thread.rejected, thread.gap) == (client, (), (), None)
    assert [(message.direction, message.text, message.sent_at) for message in thread.messages] == [
        (Direction.OUTBOUND, "Reply STOP to opt out", at),
        (Direction.INBOUND, "#Stop", at.replace(second=6)),
    ]
