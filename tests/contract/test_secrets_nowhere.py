"""Secrets and clients' numbers go through every failure, and are then looked for wherever somebody could see them.

The real commands run against the stand-ins, at debug level. Looked through are what was logged and printed, the
database with its log, `status`, `explain`, `review list` and exports; for secrets in every form in which a URL, a
web page, JSON, Python or basic authentication would write them. What a process shows to the machine is in
`tests/integration/test_process_secrets.py`.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote, quote_plus

import pytest
import structlog
from desk_connectwise import ConnectWiseDesk
from desk_halopsa import HaloDesk
from desk_rt import RtDesk
from desks import AutotaskDesk
from pydantic import SecretStr

from syncd import cli, daemon, registry
from syncd.delivery import Delivery
from syncd.engine import Engine
from syncd.model import CompanyState
from syncd.primevox import PrimeVox
from syncd.sandbox import faults
from syncd.sandbox.exchange import HTML_TYPE, Answer, Exchange
from syncd.sandbox.people import fictional_number
from syncd.sandbox.primevox import PrimeVoxServer
from syncd.store import ledger, texts
from syncd.testing import Desk

KEY = 'canary-key+/=&"4711'
DESKS = {"autotask": AutotaskDesk, "connectwise": ConnectWiseDesk, "halopsa": HaloDesk, "rt": RtDesk}
OURS = fictional_number(0)
PEOPLE = [fictional_number(20 + index) for index in range(4)]


# --- a shop, and its secrets -------------------------------------------------------------------------------


class Shop:
    """An MSP with one of the connectors, its database, and everything that was ever said."""

    def __init__(self, folder: Path, connector: str) -> None:
        self.folder = folder
        self.connector = connector
        self.said = ""  # logged and printed while the daemon worked
        self.shown = ""  # printed for an operator, who may see whole numbers
        self.contacts: list[str] = []
        self.primevox = PrimeVoxServer({"100200": {"api_key": KEY, "numbers": [OURS]}}).start()
        self.desk: Desk = DESKS[connector]()
        self.desk.start()
        company = self.desk.add_company("Acme", CompanyState.APPROVED)
        for index, number in enumerate(PEOPLE):
            self.contacts.append(self.desk.add_contact(company, f"Person {index}", [number]))
        self.settings = self.desk.settings()
        hidden = {
            name
            for name, field in registry.find(connector).settings_model.model_fields.items()
            if SecretStr in {field.annotation, *get_args(field.annotation)}
        }
        self.secrets = {"primevox": KEY} | {
            name: str(self.settings[name]) for name in hidden & self.settings.keys()
        }
        self.address = next(name for name, value in self.settings.items() if "://127" in str(value))
        self.texts = 0

    def write(self, number: str, words: str) -> None:
        """A client texts us."""
        self.texts += 1
        at = datetime.now(UTC) - timedelta(seconds=1000 - self.texts)
        self.primevox.receive(OURS, number, words, at)

    def configure(
        self,
        form: str = "json",
        change: Callable[[dict[str, Any]], object] = bool,
        secrets: dict[str, str] | None = None,
    ) -> None:
        """Write configuration and credentials; `change` edits the configuration first."""
        folder = self.folder / "credentials"
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, value in (self.secrets | (secrets or {})).items():
            (folder / name).write_text(value, encoding="utf-8")
        referred = {name: f"${{credential:{name}}}" for name in self.secrets if name != "primevox"}
        config: dict[str, Any] = {
            "primevox": {
                "base_url": self.primevox.base_url,
                "requests_per_second": 100.0,
                "api_key": "${credential:primevox}",
                "containers": [{"id": "100200", "numbers": [OURS]}],
            },
            "psa": {"connector": self.connector, "settings": self.settings | referred},
            "policy": {"first_run": "replay"},
            "store": {"url": "sqlite:///state.db"},
            "log": {"format": form, "level": "debug"},
        }
        change(config)
        (self.folder / "syncd.yaml").write_text(json.dumps(config), encoding="utf-8")

    def run(self, capsys: pytest.CaptureFixture[str], *words: str, for_operators: bool = False) -> int:
        """A command; what it says is kept."""
        root = logging.getLogger()
        before = root.handlers[:], root.level
        capsys.readouterr()
        try:
            code = cli.main([*words, "-c", str(self.folder / "syncd.yaml")])
        finally:
            root.handlers[:], root.level = before
            structlog.reset_defaults()
        out, err = capsys.readouterr()
        self.said += err if for_operators else out + err
        self.shown += out
        return code

    def tokens(self) -> list[str]:
        """The tokens that were handed out at run time."""
        logins = getattr(getattr(self.desk, "server", None), "logins", 0)
        return ["sandbox-token-"] if logins else []

    def stored(self) -> bytes:
        return b"\n".join(path.read_bytes() for path in sorted(self.folder.glob("state.db*")) if path.is_file())

    def close(self) -> None:
        self.primevox.stop()
        self.desk.stop()


@pytest.fixture(scope="module", params=list(DESKS))
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    made = Shop(tmp_path_factory.mktemp(request.param), request.param)
    yield made
    made.close()


@pytest.fixture
def shop(opened: Shop) -> Shop:
    """One for all tests of a connector: failures pile up in its database."""
    opened.said = opened.shown = ""
    return opened


# --- looking for them --------------------------------------------------------------------------------------


def forms(secret: str) -> set[str]:
    """What a secret looks like wherever it may be written."""
    found = {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        html.escape(secret),
        repr(secret)[1:-1],
    }
    found |= {json.dumps(secret)[1:-1], json.dumps(json.dumps(secret)[1:-1])[1:-1]}
    found |= {re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), form) for form in found}
    for before in range(3):
        raw = bytes(before) + secret.encode()
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(raw)[(0, 2, 3)[before] : len(raw) // 3 * 4].decode())
    return found


def leaks(secrets: list[str], text: str) -> list[str]:
    return [form for secret in secrets for form in forms(secret) if form in text]


def whole_numbers(text: str) -> list[str]:
    """Clients' numbers that stand there with more than their last four digits, in whatever spelling."""
    digits = "|".join(r"\D{0,3}".join(number[-7:]) for number in PEOPLE)
    return [found[0] for found in re.finditer(digits, text)]


def must_hold_nothing(shop: Shop) -> None:
    """No secret anywhere, no number in what was logged."""
    secrets = [*shop.secrets.values(), *shop.tokens()]
    stored = shop.stored()
    everything = {"said": shop.said, "shown": shop.shown, "stored": stored.decode("utf-8", "replace")}
    found = {where: leaks(secrets, text) for where, text in everything.items()}
    assert not any(found.values()), found
    assert whole_numbers(shop.said) == []


def test_the_search_finds_what_it_is_to_find() -> None:
    secret = 'canary-key+/=&"4711'
    basic = base64.b64encode(f"user:{secret}".encode()).decode()
    for text in (
        f"?auth={quote_plus(secret)}&x=1",
        json.dumps({"a": json.dumps({"b": secret})}),
        f"Basic {basic}",
    ):
        assert leaks([secret], text), text
    for number in (PEOPLE[0], f"(202) 555-{PEOPLE[0][-4:]}", quote(PEOPLE[0])):
        assert whole_numbers(f"to {number}."), number
    assert not whole_numbers(f"to …{PEOPLE[0][-4:]}")


# --- what goes wrong on the way ----------------------------------------------------------------------------


def echo(status: int, kind: str) -> faults.Fault:
    """A service that repeats the whole request, credentials included, as debugging pages do."""

    def play(exchange: Exchange) -> None:
        request = exchange.request
        lines = [
            f"{request.method} {request.target}",
            *(f"{name}: {value}" for name, value in request.headers.items()),
        ]
        dump = "\n".join([*lines, "", request.body.decode("utf-8", "replace")])
        match kind:
            case "json":
                answer = Answer.json({"error": dump, "errors": [dump], "message": dump, "Message": dump}, status)
            case "html":
                answer = Answer(status, f"<h1>Error</h1><pre>{html.escape(dump)}</pre>".encode(), HTML_TYPE)
            case "url":
                answer = Answer(status, quote(dump).encode(), "text/plain")
            case "headers":
                line = re.sub(r"[^\x20-\x7e]", " ", dump)[:4000]
                answer = Answer(
                    status, b"", None, {"Location": f"https://example.com/?{line}", "Retry-After": line}
                )
            case _:
                answer = Answer(status, dump.encode(), "text/plain")
        exchange.send(answer)

    return faults.Fault(f"{status} with the request in {kind}", play)


ON_THE_WAY = {
    "401 plain": echo(401, "plain"),
    "401 json": echo(401, "json"),
    "403 json": echo(403, "json"),
    "400 html": echo(400, "html"),
    "404 url": echo(404, "url"),
    "429 json": echo(429, "json"),
    "500 json": echo(500, "json"),
    "500 html": echo(500, "html"),
    "503 plain": echo(503, "plain"),
    "200 json": echo(200, "json"),
    "200 html": echo(200, "html"),
    "redirect": echo(302, "headers"),
    "truncated": faults.truncated(),
    "hangs up in the body": faults.truncated(length="full"),
    "empty": faults.empty_body(),
    "not json": faults.status(200, b"\xff\xfe\x00"),
    "reset": faults.reset(),
    "hang up": faults.hang_up(),
    "answer lost": faults.lost_answer(),
}


# At once, which is mostly the log-in, or after so many requests; what repeats secrets comes both ways.
WHEN = [(fault, index % 2 * 4) for index, fault in enumerate(ON_THE_WAY)]
WHEN += [("401 json", 0), ("403 json", 4), ("500 json", 4), ("200 json", 0)]


@pytest.mark.parametrize(("fault", "after"), WHEN)
def test_what_a_service_answers(shop: Shop, capsys: pytest.CaptureFixture[str], fault: str, after: int) -> None:
    form = "console" if WHEN.index((fault, after)) % 3 else "json"
    shop.configure(form)
    for index, words in enumerate(("STOP", "#Go", "no more until Monday", "Hi, the printer is jammed")):
        shop.write(PEOPLE[index], words)
    servers = [shop.primevox, shop.desk.wire]
    rules = [server.faults.add(ON_THE_WAY[fault], times=None, skip=after) for server in servers if server]
    try:
        shop.run(capsys, "once")
        if not fault.startswith(
            "429"
        ):  # a pause that a service asks for is kept from one command to the next call
            shop.run(capsys, "check", "--online")
    finally:
        for rule in rules:
            rule.remove()
    assert any(rule.hits for rule in rules)
    assert shop.said
    must_hold_nothing(shop)


def primevox_at(url: str) -> Callable[[dict[str, Any]], object]:
    return lambda config: config["primevox"].update(base_url=url)


@pytest.mark.parametrize("kind", ["tls", "dns", "nobody there"])
@pytest.mark.parametrize("whom", ["primevox", "psa"])
def test_no_connection(shop: Shop, capsys: pytest.CaptureFixture[str], whom: str, kind: str) -> None:
    there = shop.primevox.base_url if whom == "primevox" else str(shop.settings[shop.address])
    url = {
        "tls": there.replace("http:", "https:"),
        "dns": "https://none.invalid",
        "nobody there": "http://127.0.0.1:9",
    }

    def change(config: dict[str, Any]) -> None:
        if whom == "primevox":
            config["primevox"]["base_url"] = url[kind]
        else:
            config["psa"]["settings"][shop.address] = url[kind]

    shop.configure("json" if whom == "psa" else "console", change)
    assert shop.run(capsys, "once") in (cli.UNAVAILABLE, cli.TRY_AGAIN)
    assert shop.run(capsys, "check", "--online") != cli.OK
    must_hold_nothing(shop)


# --- what is wrong with the settings -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["in the file", "two lines", "not latin", "twice"])
def test_bad_settings(shop: Shop, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    name, secret = next((name, value) for name, value in shop.secrets.items() if name != "primevox")
    settings: dict[str, Any] = {}
    given: dict[str, str] = {}
    match kind:
        case "in the file":
            settings = {name: secret}
        case "two lines":
            given = {name: f"{secret}\n{secret}\n", "primevox": f"{KEY}\n{KEY}\n"}
        case "not latin":
            given = {name: f"{secret}ключ\U0001f511", "primevox": f"{KEY}ключ"}
        case "twice":
            given = {name: f"{secret} {secret}"}
    shop.configure("json", lambda config: config["psa"]["settings"].update(settings), given)
    for words in (["check"], ["once"], ["check", "--online"]):
        shop.run(capsys, *words)
    shop.run(capsys, "status", for_operators=True)
    must_hold_nothing(shop)


# --- our own bugs --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bug:
    """A function of ours that fails with everything in its message that must not get out."""

    owner: Any
    name: str


BUGS = {
    "listing": Bug(PrimeVox, "listing"),
    "thread": Bug(PrimeVox, "thread"),
    "storing": Bug(texts, "save_messages"),
    "verdicts": Bug(Delivery, "_decide"),
    "start": Bug(Engine, "start"),
    "heads": Bug(ledger, "head"),
    "assembly": Bug(daemon, "make_source"),
    "companies": Bug("connector", "companies"),
    "contacts": Bug("connector", "contacts"),
    "write": Bug("connector", "write"),
    "check": Bug("connector", "check"),
}


@pytest.mark.parametrize("bug", list(BUGS))
def test_a_bug_of_our_own(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, bug: str
) -> None:
    shop.configure("console" if list(BUGS).index(bug) % 2 else "json")
    shop.run(capsys, "once")
    for index, words in enumerate(("#Go", "STOP", "#Go", "STOP")):
        shop.write(PEOPLE[index], words)
        shop.desk.set_contact(shop.contacts[index], consent=None)
    everything = [*shop.secrets.values(), *map(quote_plus, shop.secrets.values()), *PEOPLE, quote(PEOPLE[0])]
    basic = base64.b64encode(f"user:{shop.secrets['primevox']}".encode()).decode()
    token = f"{shop.tokens()[0]}7" if shop.tokens() else ""

    hits: list[str] = []

    def fails(*_: object, **__: object) -> None:
        hits.append(bug)
        held = " ".join(everything)  # a local variable, besides
        raise RuntimeError(f"{held} Basic {basic} Authorization: Bearer {token} access_token={token}")

    where = BUGS[bug]
    owner = registry.find(shop.connector) if where.owner == "connector" else where.owner
    monkeypatch.setattr(owner, where.name, fails)
    for words in (["once"], ["check", "--online"]):
        shop.run(capsys, *words)
    assert hits
    monkeypatch.undo()
    for words in (["status"], ["status", "--json"], ["review", "list"], ["ledger", "export"]):
        shop.run(capsys, *words, for_operators=True)
    must_hold_nothing(shop)


# --- what operators see ----------------------------------------------------------------------------------------


def test_what_operators_see(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.configure()
    shop.write(PEOPLE[0], "STOP")
    shop.run(capsys, "once")
    commands = [["status"], ["status", "--json"], ["review", "list"], ["review", "list", "--json"]]
    commands += [["explain", number, *form] for number in PEOPLE for form in ([], ["--json"])]
    commands += [["ledger", "export"], ["ledger", "export", "--format", "csv"], ["ledger", "verify"]]
    commands += [["backup", str(shop.folder / f"state.db.backup-{shop.texts}")]]
    for words in commands:
        assert shop.run(capsys, *words, for_operators=True) == cli.OK
    assert PEOPLE[0] in shop.shown
    must_hold_nothing(shop)
