"""What is fuzzed: everything that reads what strangers, vendors or an editor wrote.

A target takes bytes, makes an input of them, and raises only if the product did what it must not do: an exception
that is none of `syncd.errors`, a result without the promised form, a line that is not one line.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import logging
import os
import re
import sys
import tempfile
import unicodedata
from collections.abc import Callable
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psas
import requests
import structlog
from chooser import PIECES, STATUSES, Chooser, Run, dumped
from pydantic import SecretStr

from connectors.local import fields as local_fields
from connectors.local import listing as local_listing
from connectors.local.table import parse
from syncd import cli, config, keywords, logs, registry, show
from syncd.clock import Clock
from syncd.errors import ConfigProblem, SyncdError
from syncd.http import Answer, Limits, Transport, checked_base_url
from syncd.model import Direction, PhoneNumber, party, phone_numbers, storable
from syncd.primevox import Line, Listed, Listing, PrimeVox
from syncd.secrets import BadSecret, Vault
from syncd.store import ledger

OURS = PhoneNumber("+12025550100")
CLIENT = PhoneNumber("+12025550123")
LINE = Line(OURS, "100200", SecretStr("canary-key"))
LIST = {
    "conversations": {
        "41": {"conversationWith": "2025550123", "hasUnreadMessages": 1, "lastMessageDate": "2026-01-02 03:04:05"},
        "42": {
            "conversationWith": "+12025550124",
            "hasUnreadMessages": 0,
            "lastMessageDate": "2026-01-02T03:04:06Z",
        },
    }
}
THREAD = {
    "messages": {
        "7": {"messageDate": "2026-01-02 03:04:05", "messageFrom": "2025550123", "messageText": "#Stop"},
        "8": {"messageDate": "2026-01-02 03:05:05", "messageFrom": "2025550100", "messageText": "Hello"},
        "9": {"messageDate": "2026-01-02 03:06:05", "messageFrom": 2025550123, "messageText": None},
    }
}
ERRORS = (
    "The supplied API key is invalid",
    "The phone number you provided does not exist in this container",
    "Error connecting to the database, please try again later.",
    "something new",
)


def _visible(text: str, besides: str = "") -> bool:
    return all(char in besides or unicodedata.category(char)[0] != "C" for char in text)


def _must_say(error: object) -> None:
    """A message to an operator: something, on one line, that can be read at once."""
    said = str(error)
    assert said
    assert _visible(said)
    assert len(said) <= 1000


# --- PrimeVOX --------------------------------------------------------------------------------------------


def primevox_list(data: bytes) -> None:
    """A list of conversations."""
    chooser = Chooser(data)
    answer = Answer("GET /conversations", 200, {}, chooser.body(dumped(LIST)))
    try:
        found, remarks = Listing(answer).conversations()
    except SyncdError as error:
        _must_say(error)
        return
    for one, listed in found.items():
        assert listed.id == one
        one.encode()
        assert listed.theirs.startswith(("+", "other:"))
        (listed.theirs + listed.marker).encode()
    assert all(_visible(remark) for remark in remarks)


def primevox_thread(data: bytes) -> None:
    """A conversation, and the list read through the client, with statuses and error texts."""
    chooser = Chooser(data)
    vox = PrimeVox(_Played(chooser), "https://pbx.example", frozenset({OURS}))
    try:
        if chooser.chance(3):
            vox.listing(LINE)
            return
        thread = vox.thread(LINE, Listed("41", CLIENT, "x"))
    except SyncdError as error:
        _must_say(error)
        return
    assert thread.messages or thread.rejected
    for message in thread.messages:
        (message.text + message.id).encode()  # no half of a surrogate pair: the database takes it
        assert "\0" not in message.text + message.id
        assert isinstance(message.direction, Direction)
        assert message.sent_at is None or message.sent_at.utcoffset() is not None
    assert list(thread.messages) == sorted(
        thread.messages,
        key=lambda one: (one.sent_at is None, one.sent_at.timestamp() if one.sent_at else 0, one.id),
    )


class _Played(Transport):
    """PrimeVOX's answers as a chooser has them."""

    def __init__(self, chooser: Chooser) -> None:
        super().__init__(Clock(), Limits(10**9, 1.0, 8))
        self._chooser = chooser

    def client(self, base_url: str, *_: Any, **__: Any) -> Any:
        return psas.Line(base_url, self._send)

    def _send(self, method: str, path: str) -> Answer:
        chooser = self._chooser
        status = chooser.pick(STATUSES) if chooser.chance(3) else 200
        good = {"error": chooser.pick(ERRORS)} if chooser.chance(4) else LIST if path.endswith("s") else THREAD
        return Answer(f"{method} {path}", status, {"Retry-After": chooser.moment()}, chooser.body(dumped(good)))


# --- texts and numbers -----------------------------------------------------------------------------------

VOCABULARIES = (
    keywords.Vocabulary(),
    keywords.Vocabulary(plain_language_opt_out=False),
    keywords.Vocabulary(("#Go", "Join us", "%s"), ("#Stop", "#Ende", "no sms")),
    keywords.Vocabulary(attachment_patterns=()),
)


def text(data: bytes) -> None:
    """The reader of texts."""
    chooser = Chooser(data)
    vocabulary = chooser.pick(VOCABULARIES)
    words = " ".join(chooser.text() for _ in range(1 + chooser.below(2)))
    reading = keywords.read(words, vocabulary)
    assert reading.rule
    assert reading == keywords.read(words, vocabulary)


def phone(data: bytes) -> None:
    """Phone numbers in free text, and parties of conversations."""
    chooser = Chooser(data)
    raw = (
        chooser.text()
        if chooser.chance(2)
        else "".join(chooser.pick("0123456789+()-. /xXe#*,;&") for _ in range(40))
    )
    for number in phone_numbers(raw):
        assert re.fullmatch(r"\+[0-9]{5,17}", number)
        assert len(phone_numbers(number)) <= 1
    who = party(raw)
    assert who == party(who) or who.startswith("other:")


def read_json(data: bytes) -> None:
    """`syncd read --json -`: an answer for each line, in order, whatever the lines are."""
    chooser = Chooser(data)
    lines = []
    for _ in range(chooser.below(6)):
        good = json.dumps(chooser.text()).encode() if chooser.chance(2) else dumped(chooser.value())
        lines.append(good if not chooser.chance(4) else chooser.raw(chooser.below(60)))
    given = b"\n".join(lines)
    said = io.StringIO()
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(given), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(said):
            code = cli._read(argparse.Namespace(text="-", json=True, config=None))
    finally:
        sys.stdin = before
    answers = [json.loads(line) for line in said.getvalue().splitlines()]
    expected = sum(1 for line in io.StringIO(given.decode("utf-8", "replace"), newline=None) if line.strip())
    assert len(answers) == expected
    assert all(one.keys() in ({"intent", "rule"}, {"error"}) for one in answers)
    assert code == (2 if any("error" in one for one in answers) else 0)


# --- files -----------------------------------------------------------------------------------------------

GOOD_CONFIG: dict[str, Any] = {
    "primevox": {
        "base_url": "https://pbx.example",
        "api_key": "${env:SYNCD_FUZZ_SECRET}",
        "poll_interval": "30s",
        "max_concurrency": 4,
        "requests_per_second": 5.0,
        "sweep_interval": "24h",
        "attachment_patterns": [r"\[image/[a-z]+\]"],
        "containers": [{"id": "100200", "numbers": ["+1 202 555 0100"]}],
    },
    "psa": {
        "connector": "autotask",
        "company_poll_interval": "1m",
        "settings": {
            "username": "a@example.com",
            "secret": "${env:SYNCD_FUZZ_SECRET}",
            "integration_code": "${file:/nowhere}",
            "phone_fields": ["mobilePhone"],
            "contact_field": {"name": "SMS Opt-In", "opted_in": "Yes", "opted_out": "No"},
        },
    },
    "policy": {"opt_in_keywords": ["#Go"], "tacit_opt_in": {"quiet_period": "24h"}, "brake": {"companies": 5}},
    "store": {"url": "sqlite:////var/lib/syncd/state.db"},
    "log": {"format": "json", "level": "info"},
}
CONNECTORS = ("autotask", "connectwise", "halopsa", "rt", "local")


@cache
def _folder() -> Path:
    os.environ["SYNCD_FUZZ_SECRET"] = "hush-7Qx"
    return Path(tempfile.mkdtemp(prefix="syncd-fuzz-"))


@cache
def _settings_models() -> dict[str, Any]:
    return {name: registry.find(name).settings_model for name in CONNECTORS}


def _settings_model(name: str) -> Any:
    if name in _settings_models():
        return _settings_models()[name]
    raise ConfigProblem(f"there is no connector {name[:60]!a}")


def yaml_config(data: bytes) -> None:
    """The configuration file: bent as a document (JSON is YAML), or as text, or no YAML at all."""
    chooser = Chooser(data)
    good = {**GOOD_CONFIG, "psa": GOOD_CONFIG["psa"] | {"connector": chooser.pick(CONNECTORS)}}
    if chooser.chance(2):
        content = dumped(chooser.bent(good))
    else:
        lines = _as_yaml(good).split("\n")
        for _ in range(1 + chooser.below(3)):
            at = chooser.below(len(lines))
            lines[at] = chooser.pick(
                (lines[at] + chooser.text(), " " + lines[at], chooser.text(), "\t" + lines[at])
            )
        content = "\n".join(lines).encode("utf-8", "surrogatepass")
    path = _folder() / "syncd.yaml"
    path.write_bytes(content)
    path.chmod(0o600)
    try:
        made = config.load(path, settings_model=_settings_model)
    except ConfigProblem as problem:
        for one in problem.problems:
            _must_say(show.printable(str(one), 1000))
        return
    assert made.primevox.containers
    assert "hush-7Qx" not in repr(made)
    made.rules()
    keywords.read("STOP", made.vocabulary())


def _as_yaml(value: Any, indent: int = 0) -> str:
    """Block style for sections, flow style for the rest."""
    pad = "  " * indent
    return "\n".join(
        f"{pad}{key}:\n{_as_yaml(inner, indent + 1)}"
        if isinstance(inner, dict)
        else f"{pad}{key}: {json.dumps(inner)}"
        for key, inner in value.items()
    )


def secret(data: bytes) -> None:
    """References to secrets."""
    chooser = Chooser(data)
    _folder()
    parts = (
        "${",
        "}",
        "credential:",
        "env:",
        "file:",
        "SYNCD_FUZZ_SECRET",
        "/",
        "..",
        "/nowhere",
        "{",
        "$",
        ":",
        "\n",
    )
    reference: Any = "".join(chooser.pick((*parts, chooser.text())) for _ in range(1 + chooser.below(6)))
    if chooser.chance(8):
        reference = chooser.value()
    try:
        found = Vault(_folder()).resolve(reference, "name")
    except BadSecret as error:
        _must_say(show.printable(str(error), 1000))
        return
    variable = re.fullmatch(r"\$\{env:(\w+)\}", reference)
    assert variable
    assert found == os.environ[variable[1]].removesuffix("\n")


CONTACTS = (
    "# people\nid,company_id,name,mobile,phone,active,sms_opt_in,notes\n"
    '10,1,Ann Lee,(202) 555-0110,,true,Opted-In,\n11,1,"Day, Bob",202-555-0111,"a ""b""\nc",TRUE, opted out ,x\n'
    "12,2,Cy Fox,,,false,,\n"
)
COMPANIES = "id,name,sms_approval\n1,Acme,Approved\n2,Bolt,\n"


def local_csv(data: bytes) -> None:
    """The files of the local connector: rows are used or named, and a change disturbs nothing else."""
    chooser = Chooser(data)
    contacts = not chooser.chance(4)
    good = CONTACTS if contacts else COMPANIES
    pieces = ('"', '""', ",", "\n", "\r\n", "\r", " ", "\t", "#", '",', ',"', "x", "\udce9", *PIECES)
    for _ in range(chooser.below(8)):
        at, cut = chooser.below(len(good)), chooser.below(8)
        good = good[:at] + chooser.pick(pieces) * (1 + chooser.below(3)) + good[at + cut :]
    if chooser.chance(8):
        good = chooser.text()
    good = good.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")  # as a file is read
    columns = local_fields.CONTACT_COLUMNS if contacts else local_fields.COMPANY_COLUMNS
    remarks: list[str] = []
    try:
        table = parse(Path("contacts.csv"), good, (0, 0, 0, 0), columns)
    except SyncdError:
        return
    assert table.with_cells([]) == good
    made = local_listing.contacts if contacts else local_listing.companies
    found: list[Any] = list(made(table, remarks.append))
    assert all(one.id and one.id.encode() is not None for one in found)
    if not contacts:
        return
    for row in table.rows:
        changed = parse(table.path, table.with_cells([(row, "sms_opt_in", "Opted-Out")]), table.stamp, columns)
        assert [one.line for one in changed.rows] == [one.line for one in table.rows]
        for before, after in zip(table.rows, changed.rows, strict=True):
            for name, cell in before.cells.items():
                expected = "Opted-Out" if before is row and name == "sms_opt_in" else cell.text.strip()
                assert after.cells[name].text.strip() == expected


# --- HTTP ------------------------------------------------------------------------------------------------

SECRET = "s3/+=&'\"<é"


def answer(data: bytes) -> None:
    """An answer of any service: JSON, excerpt, status, Retry-After, Date."""
    chooser = Chooser(data)
    headers = {chooser.pick(("Retry-After", "retry-after", "X")): chooser.moment(), "Date": chooser.moment()}
    body = chooser.body(dumped({"error": [SECRET, "call 12025550123"]}))
    made = Answer("GET /x", chooser.pick(STATUSES), headers, body, (SECRET,))
    for read in (made.json, made.must_be_good):
        try:
            read()
        except SyncdError as error:
            _must_say(error)
    waits = made.retry_after()
    assert waits is None or 1 <= waits <= 900
    when = made.date()
    assert when is None or when.utcoffset() is not None
    excerpt = made.excerpt()
    assert re.fullmatch(r"[\x20-\x7e]{1,200}", excerpt)
    assert not re.search(r"\d{8}", excerpt)
    assert SECRET not in excerpt


def base_url(data: bytes) -> None:
    """What we accept as a service's address is what the HTTP library will call, and http stays on this machine."""
    chooser = Chooser(data)
    hosts = (
        "psa.example",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "127.1",
        "2130706433",
        "0x7f000001",
        "[::ffff:127.0.0.1]",
    )
    hosts += (
        "localhost.evil.example",
        "127。0。0。1",
        "①27.0.0.1",
        "ｌocalhost",
        "[::1%25lo]",
        "evil.example",
        "a..b",
    )
    glue = (
        "",
        "@",
        ":",
        ":80",
        "#",
        "?",
        "\\",
        "/",
        "//",
        "\t",
        "\x01",
        ";",
        "%2f",
        "%00",
        ".",
        "[",
        "]",
        "／",
        "℀",
        "\u00ad",
    )
    if chooser.chance(4):
        url = chooser.text()
    else:
        scheme = chooser.pick(
            ("https://", "http://", "HTTP://", "https:", "http:\\\\", "ftp://", "//", "http:////", "")
        )
        url = scheme + "".join(chooser.pick(hosts) + chooser.pick(glue) for _ in range(1 + chooser.below(3)))
        url += chooser.pick(("", "/", "/v1", "/a b", "/..", "/\r\nX: y", "/é", "/%0a"))
    try:
        base = checked_base_url(url)
    except ValueError:
        return
    called = urlsplit(str(requests.Request("GET", base + "/V1.0/x").prepare().url))
    host = called.hostname or ""
    assert host == (urlsplit(base).hostname or "").casefold()
    assert called.path.endswith("/V1.0/x")
    assert [called.username, called.password, called.query, called.fragment] == [None, None, "", ""]
    assert called.scheme == "https" or host == "localhost" or ip_address(host).is_loopback


# --- what people and programs get to see -----------------------------------------------------------------


@cache
def _log(form: str) -> tuple[Any, io.StringIO]:
    """A logger of the product that writes into memory."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.set_up(json=form == "json", level="debug", secrets=["hush-7Qx"])
    [handler] = root.handlers
    written = io.StringIO()
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    own = logging.getLogger(f"syncd-fuzz-{form}")
    own.handlers[:], own.propagate = [handler], False
    own.setLevel(logging.DEBUG)
    processors = structlog.get_config()["processors"]
    made = structlog.wrap_logger(own, processors=processors, wrapper_class=structlog.stdlib.BoundLogger)
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()
    return made.bind(), written


def log_line(data: bytes) -> None:
    """A log line is one line, valid where it is JSON, and holds nothing that a terminal obeys."""
    chooser = Chooser(data)
    form = chooser.pick(("json", "console"))
    made, written = _log(form)
    written.seek(0)
    written.truncate()
    facts = {
        "reason": chooser.text(),
        "nested": [{chooser.text(): chooser.text()}],
        "key": f"hush-7Qx{chooser.text()}",
    }
    made.warning(chooser.text() or "x", **facts)
    line = written.getvalue()
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1, line
    assert _visible(line[:-1])
    assert "hush-7Qx" not in line
    if form == "json":
        assert json.loads(line)["level"] == "warning"


def shown(data: bytes) -> None:
    """A cell of a table, a cell of a CSV export, an entry of the ledger."""
    chooser = Chooser(data)
    raw = chooser.text()
    cell = show.printable(raw)
    assert len(cell) <= 200
    assert _visible(cell)
    assert len((cell + "|").splitlines()) == 1
    kept = storable(raw)
    entry = {"kind": "message", "text": kept, "number": CLIENT, "contact": kept, "reason": kept}
    body = ledger.canonical(entry)
    assert json.loads(body) == entry
    for form in ("csv", "jsonl"):
        written = io.StringIO(newline="")
        show.export([(entry, body, ledger.digest(body))], form, written)
        _must_be_an_export(written.getvalue(), form, entry, body)


def _must_be_an_export(said: str, form: str, entry: dict[str, Any], body: str) -> None:
    if form == "jsonl":
        assert len(said.splitlines()) == 1
        assert json.loads(said) == entry | {"hash": ledger.digest(body)}
        return
    csv.field_size_limit(10**7)
    head, row = csv.reader(io.StringIO(said, newline=""))
    cells = dict(zip(head, row, strict=True))
    assert json.loads(cells["entry"]) == entry
    assert ledger.digest(ledger.canonical(json.loads(cells["entry"]))) == cells["hash"]
    assert _visible(said, "\r\n")
    for name in ("text", "contact", "reason"):
        assert not re.match(r"\s*[=+\-@＝＋－＠]", cells[name]) or re.fullmatch(r"\+\d{7,15}", cells[name])


def _psa(name: str) -> Run:
    return lambda data: psas.read_and_write(name, data)


TARGETS: dict[str, Run] = {
    "primevox list": primevox_list,
    "primevox thread": primevox_thread,
    **{name: _psa(name) for name in psas.DESKS},
    "local csv": local_csv,
    "text": text,
    "phone": phone,
    "read json": read_json,
    "config": yaml_config,
    "secret": secret,
    "answer": answer,
    "base url": base_url,
    "log line": log_line,
    "shown": shown,
}

# Those that cost least per input get most of them.
Target = Callable[[bytes], None]
