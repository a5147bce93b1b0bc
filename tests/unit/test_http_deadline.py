"""What becomes of a call when its line breaks, when it takes too long, and when TLS does not hold."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from wire import QUIET, Wire, drip, ok

from syncd.deadline import Deadline, _FinalResponse
from syncd.errors import Ambiguous, ShapeChanged, SyncdError, Transient
from syncd.http import Client

# --- lines that break ------------------------------------------------------------------------------------


def reset(line: socket.socket, _: int) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


DRIPS = {
    "head": drip(b"HTTP/1.1 200 OK\r\nX-Slow: "),
    "body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
    "body-without-length": drip(b"HTTP/1.1 200 OK\r\n\r\n{}"),
    "chunk": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2000\r\n"),
    "nothing": lambda line, _: time.sleep(1),
}


@pytest.mark.parametrize("where", DRIPS)
def test_a_dripping_answer_is_cut(where: str) -> None:
    with Wire(DRIPS[where]) as wire:
        client = wire.client(deadline=0.15)
        start = time.monotonic()
        with pytest.raises(Transient, match=r"no complete answer within 0\.15 s") as read:
            client.get("/x")
        with pytest.raises(Ambiguous, match="sent, but no complete answer") as written:
            client.write("PATCH", "/x", {})
        assert time.monotonic() - start < 0.9
        assert (type(read.value), type(written.value)) == (Transient, Ambiguous)
        assert len(wire.requests) == 2  # neither is tried again: it has used its time up


def test_a_read_that_broke_is_tried_once_more() -> None:
    with Wire(lambda line, number: reset(line, 0) if number == 1 else line.sendall(ok(b"[1]"))) as wire:
        assert wire.client().read("POST", "/query", body={}).json() == [1]
        assert len(wire.requests) == 2


BREAKS: dict[str, Callable[[socket.socket, int], object]] = {
    "reset": reset,
    "closed": lambda line, _: line.close(),
    "no-http": lambda line, _: (line.sendall(b"220 mail.example ESMTP\r\n\r\n"), line.close()),
    "short": lambda line, _: (line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), line.close()),
    "gzip": lambda line, _: line.sendall(ok(b"not gzip", b"Content-Encoding: gzip\r\n")),
}


@pytest.mark.parametrize("how", BREAKS)
def test_a_read_that_breaks_twice_may_work_later_and_a_write_is_never_repeated(how: str) -> None:
    with Wire(BREAKS[how]) as wire:
        client = wire.client()
        with pytest.raises(Transient) as read:
            client.get("/x")
        assert len(wire.requests) == 2
        with pytest.raises(Ambiguous, match="sent, but the connection broke"):
            client.write("PATCH", "/x", {})
        assert len(wire.requests) == 3
        assert not isinstance(read.value, Ambiguous)
        assert read.value.__cause__ is None


def test_a_write_to_a_closed_port_was_not_sent() -> None:
    with Wire(reset) as wire:
        client = wire.client()
        wire.leave()
        for call in (lambda: client.get("/x"), lambda: client.write("PATCH", "/x", {})):
            with pytest.raises(Transient, match="no connection") as caught:
                call()
            assert not isinstance(caught.value, Ambiguous)


def test_an_answer_beyond_the_cap_is_refused_and_a_write_then_needs_a_look() -> None:
    with Wire(lambda line, _: line.sendall(ok(b" " * 200_000))) as wire:
        client = wire.client(max_bytes=100_000)
        with pytest.raises(ShapeChanged, match="larger than 100000 bytes"):
            client.get("/x")
        with pytest.raises(Ambiguous, match="larger than 100000 bytes"):
            client.write("PATCH", "/x", {})
        assert wire.client(max_bytes=200_000).get("/x").content == b" " * 200_000


@pytest.mark.parametrize("interim", [b"100 Continue", b"102 Processing", b"103 Early Hints\r\nLink: </a>"])
def test_interim_answers_are_no_answers(interim: bytes) -> None:
    def play(line: socket.socket, number: int) -> None:
        line.sendall(b"HTTP/1.1 " + interim + b"\r\n\r\n")
        time.sleep(0.02)
        line.sendall(ok(b"[%d]" % number))

    with Wire(play) as wire:
        client = wire.client()
        assert [client.get("/x").json() for _ in range(3)] == [[1], [2], [3]]
        assert wire.connections == 1


@pytest.mark.parametrize("interim", [b"101 Switching Protocols", b"103 Early Hints"])
def test_an_answer_that_never_comes_is_none(interim: bytes) -> None:
    with Wire(lambda line, _: line.sendall((b"HTTP/1.1 " + interim + b"\r\n\r\n") * 50)) as wire:
        with pytest.raises(Transient, match="the connection broke"):
            wire.client().get("/x")
        with pytest.raises(Ambiguous, match="the connection broke"):
            wire.client().write("PATCH", "/x", {})


@pytest.mark.parametrize("early", [b"101 Switching Protocols", b"103 Early Hints\r\n\r\nHTTP/1.1 103 Once More"])
def test_what_follows_a_broken_answer_is_never_given_to_another_request(early: bytes) -> None:
    def play(line: socket.socket, number: int) -> None:
        if number == 1:
            line.sendall((b"HTTP/1.1 " + early + b"\r\n\r\n") * 15)
            time.sleep(0.02)
        line.sendall(ok(b"[%d]" % number))

    with Wire(play) as wire:
        client = wire.client()
        with pytest.raises(Ambiguous, match="the connection broke"):
            client.write("PATCH", "/x", {})
        assert [client.get("/x").json() for _ in range(2)] == [[2], [3]]
        assert wire.connections == 2


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,deflate,gzip", "br", "x"])
def test_an_answer_packed_in_layers_is_refused_unread(encoding: str) -> None:
    packed = gzip.compress(gzip.compress(b"{}"))
    with Wire(lambda line, _: line.sendall(ok(packed, b"Content-Encoding: %s\r\n" % encoding.encode()))) as wire:
        with pytest.raises(ShapeChanged, match="packed in a way that was not asked for"):
            wire.client().get("/x")
        with pytest.raises(Ambiguous, match="packed in a way"):
            wire.client().write("PATCH", "/x", {})


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", " gzip ", "deflate", "identity"])
def test_an_answer_packed_once_is_read(encoding: str) -> None:
    body = {"identity": b"[7]", "deflate": zlib.compress(b"[7]")}.get(encoding, gzip.compress(b"[7]"))
    with Wire(lambda line, _: line.sendall(ok(body, b"Content-Encoding: %s\r\n" % encoding.encode()))) as wire:
        assert wire.client().get("/x").json() == [7]


EMPTY = gzip.compress(b"") * 5000  # unpacks to nothing, so no cap on the size ever ends it
ENDLESS = {
    "length": (b"Content-Length: 1000000000\r\n", EMPTY),
    "end-of-line": (b"", EMPTY),
    "chunks": (b"Transfer-Encoding: chunked\r\n", b"%x\r\n%s\r\n" % (len(EMPTY), EMPTY)),
}


@pytest.mark.parametrize("how", ENDLESS)
def test_an_answer_that_unpacks_to_nothing_is_cut(how: str) -> None:
    head, body = ENDLESS[how]

    def play(line: socket.socket, _: int) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" + head + b"\r\n")
        while True:
            line.sendall(body)

    with Wire(play) as wire:
        client = wire.client(deadline=0.2)
        start = time.monotonic()
        with pytest.raises(Transient, match="no complete answer within"):
            client.get("/x")
        with pytest.raises(Ambiguous, match="sent, but no complete answer"):
            client.write("PATCH", "/x", {})
        assert time.monotonic() - start < 1.2


@pytest.mark.parametrize("head", [b"Content-Length: 50000", b"Transfer-Encoding: chunked"])
def test_what_had_arrived_is_not_unpacked_once_the_time_is_up(head: bytes) -> None:
    chunk = b"%x\r\n%s\r\n" % (50_000, b" " * 50_000) if b"chunked" in head else b" " * 50_000
    one, two = socket.socketpair()
    with one, two, Deadline(60) as deadline:
        two.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + chunk)
        answer = _FinalResponse(one)
        answer.begin()
        body = urllib3.HTTPResponse(answer, dict(answer.msg), preload_content=False)
        parts = body.stream(1000)
        assert next(parts) == b" " * 1000
        deadline._cut()
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            next(parts)
        answer.close()


# --- hosts of many addresses -----------------------------------------------------------------------------


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port that neither accepts nor refuses: its queue is full."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def leads_to(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """Every host has these ports of this machine for its addresses."""
    places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)


def test_many_addresses_that_are_silent_do_not_outlast_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with Wire(lambda line, _: line.sendall(ok())) as wire, silent() as port:
        leads_to(monkeypatch, *[port] * 12)
        client = wire.client(deadline=0.3)
        for call in (lambda: client.get("/x"), lambda: client.write("PATCH", "/x", {})):
            start = time.monotonic()
            with pytest.raises(Transient, match="no connection") as caught:
                call()
            assert not isinstance(caught.value, Ambiguous)
            assert time.monotonic() - start < 0.6
        assert wire.connections == 0


def test_an_address_that_answers_is_reached_behind_some_that_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with Wire(lambda line, _: line.sendall(ok(b"[1]"))) as wire, silent() as port:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            nobody = closed.getsockname()[1]
        leads_to(monkeypatch, nobody, port, port, wire.port)
        client = wire.client(deadline=1.0)
        assert client.get("/x").json() == client.write("PATCH", "/x", {}).json() == [1]
        assert wire.connections == 1


@pytest.mark.parametrize("none", [[], socket.gaierror(socket.EAI_NONAME, "unknown")])
def test_a_host_without_an_address_is_no_connection(none: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> Any:
        if none:
            raise none
        return none

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with (
        Wire(lambda line, _: line.sendall(ok())) as wire,
        pytest.raises(Transient, match="no connection") as caught,
    ):
        wire.client().write("PATCH", "/x", {})
    assert not isinstance(caught.value, Ambiguous)


# --- connections that are kept ---------------------------------------------------------------------------


def test_connections_are_kept_and_a_dead_one_is_replaced() -> None:
    with Wire(lambda line, number: (line.sendall(ok()), number == 3 and line.close())) as wire:
        client = wire.client()
        for _ in range(3):
            client.get("/x")
        assert wire.connections == 1
        time.sleep(0.05)
        client.write("PATCH", "/x", {})
        assert wire.connections == 2


def test_a_deadline_cuts_its_own_call_only() -> None:
    def play(line: socket.socket, number: int) -> None:
        if b"/slow" in wire.requests[number - 1]:
            DRIPS["head"](line, number)
        time.sleep(0.4)
        line.sendall(ok())

    with Wire(play) as wire:
        client = wire.client(deadline=0.3)
        patient = wire.client(deadline=5)
        failed = []

        def slow() -> None:
            try:
                client.get("/slow")
            except Transient as error:
                failed.append(error)

        thread = threading.Thread(target=slow)
        thread.start()
        assert patient.get("/other").status == 200
        thread.join()
        assert len(failed) == 1


def test_a_deadline_that_comes_late_leaves_a_connection_alone_that_serves_somebody_else() -> None:
    first, second = Deadline(60), Deadline(60)
    one, two = socket.socketpair()
    from syncd.deadline import _Line

    line = _Line(one)
    first.watch(line)
    second.watch(line)
    first._cut()
    one.sendall(b"x")
    assert two.recv(1) == b"x"
    second._cut()
    assert two.recv(1) == b""
    line.close()
    assert line._socket.fileno() >= 0
    second.__exit__()
    assert line._socket.fileno() < 0
    line.shut(second)
    one.close()
    two.close()


def test_calls_leave_no_threads_and_no_sockets_behind() -> None:
    with Wire(lambda line, _: line.sendall(ok())) as wire:
        client = wire.client(deadline=30)
        client.get("/x")
        before = threading.active_count()
        for _ in range(20):
            client.get("/x")
        time.sleep(0.05)
        assert threading.active_count() <= before


# --- TLS -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("needs the openssl command")
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", folder / "key.pem"]
    subprocess.run(
        [openssl, "req", "-x509", *key, "-out", folder / "cert.pem", "-days", "2", *subject],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


def refused(client: Client) -> list[SyncdError]:
    errors = []
    for call in (lambda: client.get("/x", {"auth": QUIET}), lambda: client.write("PATCH", "/x", {})):
        with pytest.raises(Transient) as caught:
            call()
        assert not isinstance(caught.value, Ambiguous)
        assert QUIET not in "".join(traceback.format_exception(caught.value))
        errors.append(caught.value)
    return errors


def test_a_certificate_that_nobody_vouches_for_is_refused(tls: ssl.SSLContext) -> None:
    with Wire(lambda line, _: line.sendall(ok()), tls) as wire:
        assert all("TLS" in str(error) for error in refused(wire.client("https")))
        assert wire.requests == []


def test_a_certificate_for_another_name_is_refused(tls: ssl.SSLContext, certificate: Path) -> None:
    with Wire(lambda line, _: line.sendall(ok()), tls) as wire:
        client = wire._transport.client(f"https://127.0.0.1:{wire.port}")
        client._session.verify = str(certificate / "cert.pem")
        refused(client)
        assert wire.requests == []


def test_a_port_that_speaks_no_tls_is_refused() -> None:
    with Wire(lambda line, _: line.sendall(ok())) as wire:
        wire._serve = lambda line: (line.recv(10), line.sendall(ok()), line.close())  # type: ignore[method-assign]
        refused(wire.client("https"))
        assert wire.requests == []


def test_a_tls_handshake_that_hangs_is_cut_and_nothing_was_sent() -> None:
    with Wire(lambda line, _: None) as wire:
        wire._serve = lambda line: time.sleep(1)  # type: ignore[method-assign]
        start = time.monotonic()
        refused(wire.client("https", deadline=0.2))
        assert time.monotonic() - start < 0.9


@pytest.mark.parametrize("where", ["head", "body", "body-without-length"])
def test_a_dripping_answer_is_cut_inside_tls_too(where: str, tls: ssl.SSLContext, certificate: Path) -> None:
    with Wire(DRIPS[where], tls) as wire:
        client = wire.client("https", deadline=0.25)
        client._session.verify = str(certificate / "cert.pem")
        start = time.monotonic()
        with pytest.raises(Transient, match="no complete answer within"):
            client.get("/x")
        with pytest.raises(Ambiguous):
            client.write("PATCH", "/x", {})
        assert time.monotonic() - start < 0.9
        assert len(wire.requests) == 2


def test_a_write_whose_answer_breaks_inside_tls_is_ambiguous(tls: ssl.SSLContext, certificate: Path) -> None:
    def garble(line: socket.socket, _: int) -> None:
        raw = socket.socket(fileno=line.detach())
        raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)  # a record that does not decrypt
        time.sleep(0.1)
        raw.close()

    with Wire(garble, tls) as wire:
        client = wire.client("https")
        client._session.verify = str(certificate / "cert.pem")
        with pytest.raises(Ambiguous):
            client.write("PATCH", "/x", {})
        assert len(wire.requests) == 1
