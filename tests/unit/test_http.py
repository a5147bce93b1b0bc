"""One call at a time: what is sent, and what is taken for an answer."""

from __future__ import annotations

import base64
import json
import re
import time
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
import responses
from pydantic import SecretStr
from wire import QUIET, Wire, ok

from syncd.clock import Clock
from syncd.errors import (
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


@pytest.mark.parametrize("before", ["", "u", "me", "somebody:"])
def test_a_secret_that_comes_back_in_base64_is_hidden(before: str) -> None:
    secret = "a-key-of-some-length"
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        echo = encode((before + secret).encode())
        shown = answer(b"denied: " + echo, hidden=(secret,)).excerpt()
        assert "***" in shown
        assert echo.decode()[4 + len(before) : 20] not in shown


@pytest.mark.parametrize(
    "echo", ["k7-Qm2xV9p...", "****w4ZtR8sJ", "k7-Qm2xV9p\nLw4ZtR8sJ", "k7-Qm2xV9p Lw4ZtR8sJ", "Qm2xV9pL"]
)
def test_a_key_that_comes_back_cut_or_broken_is_hidden(echo: str) -> None:
    shown = answer(f"the key {echo} is unknown".encode(), hidden=("k7-Qm2xV9pLw4ZtR8sJ",)).excerpt()
    assert re.fullmatch(r"the key [*. ]+ is unknown", shown)


def test_words_that_a_key_shares_with_a_text_are_not_hidden() -> None:
    said = answer(b"elevench stands for elevenchars; a-long is short", hidden=("elevenchars", "a-longer-key"))
    assert said.excerpt() == "elevench stands for ***; a-long is short"
    said = answer(b"invalid client credentials", hidden=("client_credentials", "k7-Qm2xV9pLw4ZtR8sJ"))
    assert said.excerpt() == "invalid client credentials"


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
def test_headers_of_an_answer_are_found_in_any_case(client: Client) -> None:
    responses.add("GET", f"{BASE}/x", json={}, headers={"etag": '"7"'})
    assert client.get("/x").headers["ETag"] == '"7"'


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
