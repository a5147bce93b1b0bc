"""One call at a time: what is sent, what is taken for an answer, and what becomes of it when the line breaks."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import responses
from pydantic import SecretStr

from syncd.clock import Clock
from syncd.deadline import Deadline
from syncd.errors import (
    Ambiguous,
    AuthRefused,
    ConfigProblem,
    Permanent,
    ShapeChanged,
    Superseded,
    SyncdError,
    Transient,
)
from syncd.http import Answer, Client, Limits, Transport, before_sending, checked_base_url

BASE = "https://psa.example"
QUIET = "hush"


class Impatient(Clock):
    def sleep(self, seconds: float) -> bool:
        return False


def answer(content: bytes = b"{}", status: int = 200, hidden: tuple[str, ...] = (), **headers: str) -> Answer:
    return Answer(
        "GET /x", status, {name.replace("_", "-"): value for name, value in headers.items()}, content, hidden
    )


# --- answers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [b'{"a": 1}', b'\xef\xbb\xbf{"a": 1}', b'\r\n\xef\xbb\xbf\xef\xbb\xbf {"a": 1}\n\n']
)
def test_a_bom_and_blanks_around_json_do_not_matter(body: bytes) -> None:
    assert answer(body).json() == {"a": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"<html>",
        b'{"a": 1',
        b'{"a": 1} x',
        b"\xff",
        b"NaN",
        b'{"a": -Infinity}',
        b"9" * 5000,
        b"[" * 200_000,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_not_json_has_another_shape(body: bytes) -> None:
    with pytest.raises(ShapeChanged) as caught:
        answer(body).json()
    # json's own exception holds the whole body.
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_repeated_keys_can_be_seen() -> None:
    assert answer(b'{"a": 1, "a": 2}').json(pairs=list) == [("a", 1), ("a", 2)]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", "(nothing)"),
        (b"\x1b[31mred\x00\n\xe2\x80\xa8line", "[31mred line"),
        (b"call 12025550123 or 7", "call 120****0123 or 7"),
        (b"x" * 5000, "x" * 200),
        (b"\xff\xfe", "(nothing)"),
    ],
)
def test_an_excerpt_is_fit_for_a_log_line(body: bytes, shown: str) -> None:
    assert answer(body).excerpt() == shown


SECRET = "s3/+=&'\"<é"


@pytest.mark.parametrize(
    "echo",
    [
        SECRET,
        SECRET.upper(),
        "s3%2F%2B%3D%26%27%22%3C%C3%A9",
        "s3/%2b=%26%27%22%3c%c3%a9",
        "s3%252F%252B%253D%2526%2527%2522%253C%25C3%25A9",
        "s3/+=&amp;&#x27;&quot;&lt;é",
        "s3/+=&amp;&#39;&#34;&lt;&eacute;",
        json.dumps(SECRET)[1:-1],
        json.dumps(json.dumps(SECRET))[3:-3].replace("/", "\\/"),
    ],
)
def test_a_secret_that_comes_back_is_hidden_in_any_disguise(echo: str) -> None:
    for body in (f"<p>{echo}</p>", f"{echo}{echo}", " " * 598 + echo):
        shown = answer(body.encode(), hidden=(SECRET, "", "other")).excerpt()
        assert "s3" not in shown.lower()
        assert "***" in shown or shown == "(nothing)" or set(shown) <= {"*"}
    assert "s3" not in repr(answer(echo.encode(), hidden=(SECRET,), Location=echo))


def test_hiding_takes_no_time_on_hostile_pages() -> None:
    start = time.monotonic()
    for body in (b"\\" * 10**6, b"&amp;" * 10**5, b"%25" * 10**6, b"a" * 10**6, b"&#000" * 10**5):
        answer(body, hidden=("aaaaaaaa&%\\ab" * 4,)).excerpt()
    assert time.monotonic() - start < 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (204, None),
        (400, Permanent),
        (401, AuthRefused),
        (403, Permanent),
        (404, Permanent),
        (408, Transient),
        (409, Permanent),
        (422, Permanent),
        (425, Transient),
        (429, Transient),
        (500, Transient),
        (503, Transient),
    ],
)
def test_a_status_says_what_to_do(status: int, kind: type[SyncdError] | None) -> None:
    if kind is None:
        assert answer(status=status).must_be_good().status == status
        return
    with pytest.raises(SyncdError) as caught:
        answer(status=status).must_be_good()
    assert type(caught.value) is kind
    assert f"HTTP {status}" in str(caught.value)
    assert getattr(caught.value, "status", status) == status


MON = "Mon, 02 Mar 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry_After": "30"}, 30),
        ({"RETRY_AFTER": " 30 "}, 30),
        ({"retry_after": "2.5"}, 2.5),
        ({"Retry_After": "0"}, 1),
        ({"Retry_After": "-5"}, 1),
        ({"Retry_After": "86400"}, 900),
        ({"Retry_After": "999999999999"}, 900),
        ({"Retry_After": "Mon, 02 Mar 2026 10:02:00 GMT", "Date": MON}, 120),
        ({"Retry_After": "Mon, 02 Mar 2026 12:02:00 +0200", "Date": MON}, 120),
        ({"Retry_After": "Mon, 02 Mar 2026 09:00:00 GMT", "Date": MON}, 1),
        ({"Retry_After": "Tue, 02 Mar 2027 10:00:00 GMT", "Date": MON}, 900),
        ({"Retry_After": "Mon, 02 Mar 2026 10:02:00 GMT"}, None),
        ({"Retry_After": "Mon, 02 Mar 2026 10:02:00 -0000", "Date": MON}, None),
        ({"Retry_After": "Mon, 99 Mar 2026 10:02:00 GMT", "Date": MON}, None),
        ({"Retry_After": "soon", "Date": MON}, None),
        ({"Retry_After": "", "Date": MON}, None),
        ({"Retry_After": "1e5"}, None),
        ({"Retry_After": "nan"}, None),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert answer(status=429, **headers).retry_after() == seconds
    with pytest.raises(Transient) as caught:
        answer(status=503, **headers).must_be_good()
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("https://psa.example", "https://psa.example"),
        (" https://psa.example/v4/ ", "https://psa.example/v4"),
        ("https://psa.example:8443", "https://psa.example:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost", "http://localhost"),
        ("http://psa.example", None),
        ("http://127.0.0.1.psa.example", None),
        ("http://localhost@psa.example", None),
        ("https://user:pw@psa.example", None),
        ("https://psa.example?x=1", None),
        ("https://psa.example#x", None),
        ("https://psa.example:99999", None),
        ("https://psa.example:0", None),
        ("https://psa.example:http", None),
        ("https://psa example", None),
        ("https://psa.example\\@other.example", None),
        ("https://", None),
        ("https://[::1", None),
        ("psa.example", None),
        ("file:///etc/passwd", None),
        ("", None),
    ],
)
def test_credentials_go_to_https_or_to_this_machine(url: str, checked: str | None) -> None:
    if checked:
        assert checked_base_url(url) == checked
        return
    with pytest.raises(ValueError, match=r"."):
        checked_base_url(url)
    with pytest.raises(ConfigProblem, match="base URL"):
        Transport(Clock(), Limits(1, 1.0, 1)).client(url)


# --- requests --------------------------------------------------------------------------------------------


@pytest.fixture
def client() -> Iterator[Client]:
    transport = Transport(Impatient(), Limits(1000, 1.0, 8))
    yield transport.client(BASE, {"Secret": "hush"})
    transport.close()


@responses.activate
def test_what_is_sent(client: Client) -> None:
    responses.add("POST", f"{BASE}/query", json=[])
    client.read(
        "POST", "/query", params={"a": "1 +&", "key": SecretStr("+/=&")}, body={"q": 1}, headers={"X": "y"}
    )
    client.read("POST", "/query", form={"grant_type": "a b"})
    first, second = (call.request for call in responses.calls)
    assert first.url == f"{BASE}/query?a=1+%2B%26&key=%2B%2F%3D%26"
    assert json.loads(first.body) == {"q": 1}
    assert (first.headers["Secret"], first.headers["X"], first.headers["Accept"]) == (
        "hush",
        "y",
        "application/json",
    )
    assert first.headers["User-Agent"].startswith("syncd/")
    assert second.body == "grant_type=a+b"


@responses.activate
def test_cookies_are_not_kept(client: Client) -> None:
    responses.add("GET", f"{BASE}/x", json={}, headers={"Set-Cookie": "session=1; Path=/"})
    client.get("/x")
    client.get("/x")
    assert "Cookie" not in responses.calls[1].request.headers


@responses.activate
@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
def test_a_redirect_is_refused(status: int, client: Client) -> None:
    for method in ("GET", "PATCH"):
        responses.add(method, f"{BASE}/x", status=status, headers={"Location": "https://elsewhere.example/"})
    for call in (lambda: client.get("/x"), lambda: client.write("PATCH", "/x", {})):
        with pytest.raises(ShapeChanged, match=f"HTTP {status}, a redirect"):
            call()
    assert len(responses.calls) == 2


@responses.activate
@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_no_status_is_tried_again_inside_a_call(status: int, client: Client) -> None:
    responses.add("GET", f"{BASE}/x", status=status, headers={"Retry-After": "1"})
    responses.add("PATCH", f"{BASE}/x", status=status)
    assert client.get("/x").status == client.write("PATCH", "/x", {}).status == status
    assert len(responses.calls) == 2


@responses.activate
def test_a_write_asks_once_more_whether_it_is_still_wanted(client: Client) -> None:
    def superseded() -> None:
        raise Superseded("newer evidence")

    responses.add("GET", f"{BASE}/x", json={})
    token = before_sending.set(superseded)
    try:
        client.get("/x")
        with pytest.raises(Superseded):
            client.write("PATCH", "/x", {})
    finally:
        before_sending.reset(token)
    assert [call.request.method for call in responses.calls] == ["GET"]


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/x", {"a": float("nan")}, {}),
        ("/x", {}, {"Secret": f"two\nlines {QUIET}"}),
        ("/x", {}, {"Secret": f"{QUIET} \u2019"}),
    ],
)
def test_what_cannot_be_sent_is_parked_without_a_word_of_it(path: str, body: Any, headers: dict[str, str]) -> None:
    with Wire(lambda line, _: line.sendall(ok())) as wire:
        client = wire.client()
        for call in (
            lambda: client.write("PATCH", path, body, headers),
            lambda: client.read("POST", path, body=body, headers=headers),
        ):
            with pytest.raises(Permanent, match="cannot be sent") as caught:
                call()
            assert QUIET not in "".join(traceback.format_exception(caught.value))
        with pytest.raises(Permanent):
            client.get("/x", {"id": "\ud800"})
        assert wire.requests == []


# --- lines that break ------------------------------------------------------------------------------------


def ok(body: bytes = b"{}", head: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: %d\r\n\r\n" % len(body) + body


class Wire:
    """A server of a dozen lines: records what it is sent, then `play(connection, number of the request)`."""

    def __init__(self, play: Callable[[socket.socket, int], object], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
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
                self.requests.append(request)
                self._play(line, len(self.requests))
        except (OSError, ValueError):
            line.close()


def reset(line: socket.socket, _: int) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def drip(start: bytes) -> Callable[[socket.socket, int], None]:
    def play(line: socket.socket, _: int) -> None:
        line.sendall(start)
        while True:
            line.sendall(b" ")
            time.sleep(0.02)

    return play


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
