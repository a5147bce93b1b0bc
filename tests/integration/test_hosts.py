"""Where credentials may go: to configured hosts, whatever a service answers; and what an answer may cost.

Every name that is looked up is noted, and leads to this machine. A redirect, a link, a zone or an authorisation
server that names another host must not even be looked up.
"""

from __future__ import annotations

import json
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from support import shell_for
from wire import Wire, ok

from connectors.autotask.settings import AutotaskSettings
from connectors.connectwise.settings import ConnectWiseSettings
from connectors.halopsa.settings import HaloPsaSettings
from connectors.rt.settings import RtSettings
from syncd.config import PrimeVox as PrimeVoxSection
from syncd.connector import Change, Connector, Settings
from syncd.errors import Ambiguous, ShapeChanged, SyncdError, Transient
from syncd.http import checked_base_url
from syncd.model import Consent
from syncd.registry import find

SECRET = "canary-4711-secret"
EVIL = "evil.example"
TRICKS = (
    *(f"http://{EVIL}", f"//{EVIL}", f"https://{EVIL}", f"https://{EVIL}:443/x", f"https://localhost.{EVIL}"),
    *(
        f"https://localhost@{EVIL}",
        f"https://localhost:1@{EVIL}",
        f"https://{EVIL}#localhost",
        f"https://{EVIL}?localhost",
    ),
    *(
        f"https:\\\\{EVIL}",
        f"http://localhost\\@{EVIL}",
        f"https://{EVIL}/..",
        f"@{EVIL}",
        f"../../../{EVIL}",
        f".{EVIL}",
    ),
)


@pytest.fixture(autouse=True)
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every host that somebody looked up; all of them are this machine."""
    names: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *more: Any, **also: Any) -> Any:
        names.append(host)
        return real("127.0.0.1", port, *more, **also)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return names


# --- http outside this machine ---------------------------------------------------------------------------

NOT_LOOPBACK = (
    *("http://psa.example", "http://10.0.0.1", "http://127.0.0.1.psa.example", "http://localhost.evil.example"),
    *(
        "http://2130706433",
        "http://0x7f000001",
        "http://0x7f.1",
        "http://0177.0.0.1",
        "http://127.1",
        "http://127.0.1",
    ),
    *("http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]", "http://[::1%25lo]", "http://[::]", "http://0.0.0.0"),
    *("http://127。0。0。1", "http://127．0．0．1", "http://①27.0.0.1", "http://ｌocalhost", "http://locаlhost"),
    *(
        "http://localhost.",
        "http://localhost.localdomain",
        "http://ip6-localhost",
        "http://127.0.0.1.",
        "http://lvh.me",
    ),
    *(
        "http://user@localhost",
        "http://localhost@psa.example",
        "http://127.0.0.1@psa.example",
        "http://a:b@127.0.0.1",
    ),
    *("http://localhost\\@psa.example", "http://localhost#@psa.example", "http://localhost?@psa.example"),
    *(
        "http://[::1]psa.example",
        "http://[::1].psa.example",
        "http://[127.0.0.1]",
        "http://localhost%2epsa.example",
    ),
    *(
        "http://localhost\t.psa.example",
        "http://\x01localhost",
        "http:\\\\localhost",
        "http:localhost",
        "HTTP://psa.example",
    ),
)
URLS: dict[str, tuple[type[Settings | PrimeVoxSection], str, dict[str, Any]]] = {
    "primevox": (PrimeVoxSection, "base_url", {"containers": [{"id": "1", "numbers": ["+1 202 555 0100"]}]}),
    "autotask": (AutotaskSettings, "base_url", {"username": "a", "secret": SECRET, "integration_code": SECRET}),
    "autotask zone": (
        AutotaskSettings,
        "zone_discovery_url",
        {"username": "a", "secret": SECRET, "integration_code": SECRET},
    ),
    "connectwise": (
        ConnectWiseSettings,
        "site",
        {"company": "acme", "public_key": SECRET, "private_key": SECRET, "client_id": SECRET},
    ),
    "halopsa": (HaloPsaSettings, "base_url", {"client_id": "a", "client_secret": SECRET}),
    "halopsa login": (
        HaloPsaSettings,
        "auth_url",
        {"client_id": "a", "client_secret": SECRET, "base_url": "https://halo.example"},
    ),
    "rt": (RtSettings, "base_url", {"token": SECRET}),
}


@pytest.mark.parametrize("url", NOT_LOOPBACK, ids=ascii)
@pytest.mark.parametrize("setting", URLS)
def test_http_is_for_this_machine_only_however_its_name_is_written(
    setting: str, url: str, looked_up: list[str]
) -> None:
    model, name, others = URLS[setting]
    with pytest.raises(ValidationError) as caught:
        model.model_validate_json(json.dumps(others | {name: url}))
    assert [error["loc"] for error in caught.value.errors()] == [(name,)]
    assert looked_up == []  # nobody asked what it resolves to: an answer may change


@pytest.mark.parametrize("setting", URLS)
def test_plain_http_on_this_machine_and_https_anywhere_are_taken(setting: str) -> None:
    model, name, others = URLS[setting]
    for url in ("http://127.0.0.1:8080", "http://localhost", "http://[::1]:80", "https://psa.example:8443"):
        made = model.model_validate_json(json.dumps(others | {name: url}))
        assert getattr(made, name) == url


@pytest.mark.parametrize(
    "url", ["https://münchen.example", "https://@psa.example", "https://psa.example#", "https://psa.example?"]
)
def test_what_two_parsers_could_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        checked_base_url(url)


# --- services that name another host ---------------------------------------------------------------------


class Web:
    """A service on this machine: pages by path, anything else is 404. `heard`: the paths that were asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, str, str]] = {}
        self.wire = Wire(self._play)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.wire.port}"

    @property
    def heard(self) -> list[str]:
        return [request.split(b" ")[1].decode("latin-1") for request in self.wire.requests]

    def put(self, path: str, body: Any, status: str = "200 OK", head: str = "") -> None:
        self.pages[path] = (status, head, json.dumps(body))

    def _play(self, line: socket.socket, number: int) -> None:
        _rest_of(self.wire.requests[number - 1], line)
        path = self.heard[number - 1].partition("?")[0]
        found = next((page for pattern, page in self.pages.items() if re.fullmatch(pattern, path)), None)
        status, head, body = found or ("404 Not Found", "", '{"message": "Not Found"}')
        content = body.encode()
        line.sendall(f"HTTP/1.1 {status}\r\n{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)


def _rest_of(request: bytes, line: socket.socket) -> None:
    """Take what is still to come of the body, so that it is not taken for the next request."""
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0 and (more := line.recv(missing)):
        missing -= len(more)


@pytest.fixture
def web(looked_up: list[str]) -> Iterator[Web]:
    made = Web()
    with made.wire:
        yield made
    assert set(looked_up) <= {"localhost"}, "another host was looked up"


ACCOUNTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "autotask": lambda url: {"username": "a", "secret": SECRET, "integration_code": SECRET, "base_url": url},
    "autotask zone": lambda url: {
        "username": "a",
        "secret": SECRET,
        "integration_code": SECRET,
        "zone_discovery_url": url,
    },
    "connectwise": lambda url: {
        "site": url,
        "company": "acme",
        "public_key": SECRET,
        "private_key": SECRET,
        "client_id": SECRET,
    },
    "connectwise look-up": lambda url: ACCOUNTS["connectwise"](url) | {"codebase": None},
    "halopsa": lambda url: {"base_url": url, "client_id": "a", "client_secret": SECRET},
    "rt": lambda url: {"base_url": url, "token": SECRET},
}


def make(name: str, url: str) -> Connector:
    kind = find(name.partition(" ")[0])
    settings = kind.settings_model.model_validate_json(json.dumps(ACCOUNTS[name](url)))
    return kind(settings, shell_for(kind))


def works(psa: Connector) -> dict[str, Callable[[], Any]]:
    change = Change("7", "1", Consent.OPTED_OUT)
    return {
        "companies": lambda: list(psa.companies()),
        "contacts": lambda: list(psa.contacts()),
        "write": lambda: list(psa.write([change])),
    }


@pytest.mark.parametrize("work", ["companies", "contacts", "write"])
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_redirect_takes_no_connector_anywhere(name: str, status: str, work: str, web: Web) -> None:
    web.put(".*", {}, status, f"Location: https://{EVIL}/login\r\n")
    with pytest.raises(ShapeChanged, match="redirect, was not followed"):
        works(make(name, web.url))[work]()
    assert 0 < len(web.heard) <= 2


@pytest.mark.parametrize("url", TRICKS, ids=ascii)
def test_a_zone_elsewhere_hears_nothing(url: str, web: Web) -> None:
    web.put("/v1.0/zoneInformation", {"url": url})
    for work in works(make("autotask zone", web.url)).values():
        with pytest.raises(SyncdError):
            work()
    assert {path.partition("?")[0] for path in web.heard} == {"/v1.0/zoneInformation"}
    assert all(SECRET.encode() not in request for request in web.wire.requests)


def test_the_next_page_of_autotask_is_asked_for_by_id_on_the_same_host(web: Web) -> None:
    field = {"name": "SMS Approval", "label": "SMS Approval", "type": "string", "isPickList": False}
    web.put(".*/userDefinedFields", {"fields": [field]})
    link = f"https://{EVIL}/V1.0/Companies/query/next?paging=x"
    row = {"id": 1, "companyName": "Acme", "userDefinedFields": [{"name": "SMS Approval", "value": None}]}
    web.put(".*/Companies/query", {"items": [row], "pageDetails": {"count": 1, "nextPageUrl": link}})
    with pytest.raises(ShapeChanged, match="filter was not obeyed"):  # the same page again is no next one
        list(make("autotask", web.url).companies())
    assert sum(path.endswith("/Companies/query") for path in web.heard) == 2


@pytest.mark.parametrize("name", ["Codebase", "SiteUrl", "ClientId"])
@pytest.mark.parametrize("url", TRICKS, ids=ascii)
def test_connectwise_names_a_release_and_never_a_host(name: str, url: str, web: Web) -> None:
    web.put("/login/companyinfo/acme", {"Codebase": "v2026_1/", "IsCloud": True} | {name: url})
    for work in works(make("connectwise look-up", web.url)).values():
        with pytest.raises(SyncdError):
            work()
    paths = {path.split("/")[1] for path in web.heard}
    assert paths <= {"login", "v2026_1", EVIL, f".{EVIL}"}  # a folder of that name on the same host is harmless


def test_links_of_connectwise_are_not_followed(web: Web) -> None:
    link = f'Link: <https://{EVIL}/company/companies?pageId=9>; rel="next"\r\n'
    fields = [{"id": 71, "caption": "SMS Approval", "type": "Text", "entryMethod": "EntryField", "value": None}]
    web.put(".*/company/companies", [{"id": 1, "name": "Acme", "customFields": fields}], head=link)
    web.put(".*/userDefinedFields", [])
    with pytest.raises(SyncdError):
        list(make("connectwise", web.url).companies())
    assert sum("/company/companies" in path for path in web.heard) >= 2


@pytest.mark.parametrize("url", [*TRICKS, "http://localhost:1/auth", "http://127.0.0.1/auth"], ids=ascii)
def test_an_authorisation_server_elsewhere_hears_nothing(url: str, web: Web) -> None:
    web.put("/api/authinfo", {"auth_url": url})
    for work in works(make("halopsa", web.url)).values():
        with pytest.raises(SyncdError):
            work()
    assert set(web.heard) == {"/api/authinfo"}
    assert all(SECRET.encode() not in request for request in web.wire.requests)


def test_pages_of_rt_are_counted_and_not_followed(web: Web) -> None:
    page = {
        "count": 1,
        "page": 1,
        "pages": 2,
        "per_page": 100,
        "total": 2,
        "next_page": f"https://{EVIL}/REST/2.0/x",
    }
    items = [
        {"id": 7, "LookupType": "RT::User", "Name": "SMS Opt-In", "_url": f"https://{EVIL}/REST/2.0/customfield/7"}
    ]
    web.put(".*", page | {"items": items})
    for work in works(make("rt", web.url)).values():
        with pytest.raises(SyncdError):
            work()
    assert any("page=2" in path for path in web.heard)


# --- what an answer may cost -----------------------------------------------------------------------------


def outcomes(play: Callable[[socket.socket, int], object], deadline: float = 5.0, **more: Any) -> list[SyncdError]:
    """What a read and a write raise where a server plays like this."""
    with Wire(play) as wire:
        client = wire.client(deadline=deadline, **more)
        found = []
        for call in (lambda: client.get("/x"), lambda: client.write("PATCH", "/x", {})):
            with pytest.raises(SyncdError) as caught:
                call()
            found.append(caught.value)
        assert len(wire.requests) <= 3  # the read may be tried once more, the write never
        return found


def endless(part: bytes, start: bytes = b"") -> Callable[[socket.socket, int], object]:
    def play(line: socket.socket, _: int) -> None:
        line.sendall(start)
        while True:
            line.sendall(part)

    return play


OK, CHUNKED = b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
NO_HTTP = {
    "a long header": OK + b"X: " + b"y" * 100_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    "many headers": OK + b"".join(b"X-%d: y\r\n" % n for n in range(500)) + b"Content-Length: 2\r\n\r\n{}",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 200\r\n\r\n{}",
    "a length beyond all files": OK + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "a size of a chunk that is no number": OK + CHUNKED + b"zz\r\n",
    "a negative size of a chunk": OK + CHUNKED + b"-5\r\nabc",
    "a size of a chunk without an end": OK + CHUNKED + b"f" * 90_000,
    "a status that is no number": b"HTTP/1.1 abc\r\n\r\n",
    "a status of five digits": b"HTTP/1.1 99999 X\r\n\r\n",
    "a status in other digits": "HTTP/1.1 ٢٠٠ X\r\n\r\n".encode(),
    "another version": b"HTTP/9.9 200 OK\r\n\r\n{}",
    "noise": b"\xff" * 200 + b"\r\n\r\n",
}


@pytest.mark.parametrize("what", NO_HTTP)
def test_an_answer_that_is_no_http_is_no_answer(what: str) -> None:
    read, written = outcomes(lambda line, _: (line.sendall(NO_HTTP[what]), line.close()))
    assert isinstance(read, Transient)
    assert not isinstance(read, Ambiguous)
    assert isinstance(written, Ambiguous)


@pytest.mark.parametrize(
    ("part", "start"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n", b""),
        (b"X: y\r\n", b"HTTP/1.1 200 OK\r\n"),
        (b"\r\n", b""),
        (b"1\r\n \r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ],
    ids=["100 Continue", "headers", "empty lines", "small chunks"],
)
def test_an_answer_without_an_end_is_given_up_in_time(part: bytes, start: bytes) -> None:
    began = time.monotonic()
    read, written = outcomes(endless(part, start), deadline=0.3, max_bytes=10_000)
    assert time.monotonic() - began < 3
    assert isinstance(read, (Transient, ShapeChanged))
    assert isinstance(written, Ambiguous)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_of_any_encoding_is_stopped_at_the_cap(encoding: str) -> None:
    packer = zlib.compressobj(wbits=31 if encoding == "gzip" else 15)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(64)) + packer.flush()
    read, written = outcomes(
        lambda line, _: line.sendall(ok(bomb, f"Content-Encoding: {encoding}\r\n".encode())), max_bytes=100_000
    )
    assert isinstance(read, ShapeChanged)
    assert isinstance(written, Ambiguous)
    assert "larger than 100000 bytes" in str(read)


def test_credentials_of_the_environment_and_of_netrc_stay_out(
    web: Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine localhost login me password {SECRET}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://{EVIL}:3128")
    web.put(".*", {})
    web.wire.client().get("/x")
    assert b"uthorization" not in web.wire.requests[0]
