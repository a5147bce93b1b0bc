"""The connectors against answers that were recorded from their stand-ins, and that a chooser bends.

A conversation is recorded once, over real HTTP; after that an input costs no request, so that thousands fit into a
second. What the transport itself refuses (redirects, large bodies, broken lines) has its own tests.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from chooser import STATUSES, Chooser

from syncd.clock import Clock
from syncd.connector import Change, Connector, Report, Settings, Shell
from syncd.errors import Ambiguous, AuthRefused, Stopping, SyncdError, Transient
from syncd.http import Answer, Client, Limits, Transport, checked_base_url
from syncd.model import Company, CompanyState, Consent, Contact
from syncd.registry import find

sys.path[:0] = [str(Path(__file__).parents[1] / "contract")]

from desk_connectwise import ConnectWiseDesk  # noqa: E402
from desk_halopsa import HaloDesk  # noqa: E402
from desk_rt import RtDesk  # noqa: E402
from desks import AutotaskDesk  # noqa: E402

DESKS = {"autotask": AutotaskDesk, "connectwise": ConnectWiseDesk, "halopsa": HaloDesk, "rt": RtDesk}
# A conversation of this length with a service that repeats itself has no end.
MOST_CALLS = 400
LIMITS = Limits(calls=10**9, per=1.0, concurrency=8)

Key = tuple[str, str]


@dataclass(frozen=True)
class Scene:
    """A PSA with two companies and some people, and what it answered when all of it was read and written."""

    kind: type[Connector]
    settings: Settings
    companies: tuple[str, ...]
    contacts: tuple[str, ...]
    answers: Mapping[Key, tuple[Answer, ...]]


def _jobs(psa: Connector, companies: Iterable[str], contacts: Iterable[str]) -> dict[str, Callable[[], list[Any]]]:
    """Everything that a connector can be asked to do."""
    company = next(iter(companies))
    both = [Change(one, company, Consent.OPTED_OUT) for one in contacts]
    return {
        "companies": lambda: list(psa.companies()),
        "contacts": lambda: list(psa.contacts()),
        "of one": lambda: list(psa.contacts(company)),
        "opt out": lambda: list(psa.write(both)),
        "opt in": lambda: list(psa.write([replace(both[-1], consent=Consent.OPTED_IN)])),
        "check": lambda: [psa.check()],
    }


@cache
def scene(name: str) -> Scene:
    """The recorded conversations of a connector."""
    desk = DESKS[name]()
    desk.start()
    try:
        companies = (
            desk.add_company("Acme", CompanyState.APPROVED),
            desk.add_company("Bolt", CompanyState.OPTED_OUT),
        )
        contacts = (
            desk.add_contact(companies[0], "Ann Lee", ("(202) 555-0110",)),
            desk.add_contact(companies[0], "Bob Day", ("202-555-0111", "202.555.0112"), consent=Consent.OPTED_IN),
            desk.add_contact(companies[1], "Cy Fox", ("2025550113",), consent=Consent.OPTED_OUT, active=False),
        )
        kind = find(name)
        settings = kind.settings_model(**desk.settings())
        answers: dict[Key, list[Answer]] = {}
        for job in ("check", "companies", "contacts", "of one", "opt out", "opt in"):
            transport = _Recorder(answers)
            psa = kind(settings, Shell(transport, lambda _: None))
            _jobs(psa, companies, contacts)[job]()
            transport.close()
        heard = {key: tuple(found) for key, found in answers.items()}
        return Scene(kind, settings, companies, contacts, heard)
    finally:
        desk.stop()


class _Recorder(Transport):
    """Keeps every answer by method and path."""

    def __init__(self, answers: dict[Key, list[Answer]]) -> None:
        super().__init__(Clock(), LIMITS)
        self._answers = answers

    def client(self, *args: Any, **more: Any) -> Client:
        client = super().client(*args, **more)
        send = client._send

        def recorded(method: str, path: str, *rest: Any, **also: Any) -> Answer:
            answer = send(method, path, *rest, **also)
            self._answers.setdefault((method, path), []).append(answer)
            return answer

        client._send = recorded  # type: ignore[method-assign]
        return client


class Replay(Transport):
    """Answers as recorded, but those calls that the chooser bends; mostly the same answer to the same question."""

    def __init__(self, answers: Mapping[Key, tuple[Answer, ...]], chooser: Chooser) -> None:
        super().__init__(Clock(), LIMITS)
        self._answers = answers
        self._chooser = chooser
        self._bent: dict[Key, Answer] = {}
        self.calls = 0

    def client(self, base_url: str, *_: Any, **__: Any) -> Any:
        return Line(checked_base_url(base_url), self._send)

    def _send(self, method: str, path: str, *, writing: bool = False) -> Answer:
        self.calls += 1
        assert self.calls <= MOST_CALLS, "a conversation without an end"
        known = self._answers.get((method, path))
        good = known[-1 if method == "GET" else 0] if known else Answer(f"{method} {path}", 404, {}, b"<html>404")
        bent = self._bent.get((method, path))
        if bent is not None and self._chooser.chance(2):
            return bent
        if not self._chooser.chance(3):
            return good
        if self._chooser.chance(12):
            raise self._chooser.pick((Transient("a line broke"), AuthRefused("no"), Stopping("asked to stop")))
        if writing and self._chooser.chance(6):
            raise Ambiguous("sent, but the line broke")
        status = self._chooser.pick(STATUSES) if self._chooser.chance(3) else good.status
        headers = dict(good.headers) | self._headers()
        answer = Answer(good.what, status, headers, self._chooser.body(good.content))
        self._bent[method, path] = answer
        return answer

    def _headers(self) -> dict[str, str]:
        chooser = self._chooser
        if not chooser.chance(3):
            return {}
        name = chooser.pick(("Date", "Retry-After", "Link", "ETag", "api-current-version", "Content-Type"))
        if name in ("Date", "Retry-After"):
            return {name: chooser.moment()}
        links = (
            "",
            "<>; rel=next",
            "<https://evil.example/?pageid=7>; rel=next",
            "<" * 300,
            '<a>; rel="next',
            "<a>;" * 99,
        )
        return {name: chooser.pick((*links, 'W/"7"', '"', "", chooser.rest().decode("latin-1")))}


class Line:
    """As much of a client as connectors use."""

    def __init__(self, base_url: str, send: Callable[..., Answer]) -> None:
        self.base_url = base_url
        self._send = send

    def get(self, path: str, params: Any = None, **_: Any) -> Answer:
        return self._send("GET", path)

    def read(self, method: str, path: str, **_: Any) -> Answer:
        return self._send(method, path)

    def write(self, method: str, path: str, body: Any, headers: Any = None) -> Answer:
        json.dumps(body, allow_nan=False).encode()  # what cannot be sent would be our own fault
        return self._send(method, path, writing=True)

    def close(self) -> None:
        """Nothing is open."""


def read_and_write(name: str, data: bytes) -> None:
    """One piece of work with answers as these bytes have them; raises whatever the connector must not raise."""
    recorded = scene(name)
    chooser = Chooser(data)
    job = chooser.pick(("companies", "contacts", "of one", "opt out", "opt in", "check"))
    remarks: list[str] = []
    transport = Replay(recorded.answers, chooser)
    psa = recorded.kind(recorded.settings, Shell(transport, remarks.append))
    try:
        found = _jobs(psa, recorded.companies, recorded.contacts)[job]()
    except SyncdError as error:
        _must_say(error)
        return
    finally:
        psa.close()
        transport.close()
    for one in found:
        _must_be_usable(one, recorded.contacts)
    assert all(isinstance(remark, str) and remark for remark in remarks)


def _must_say(error: SyncdError) -> None:
    assert str(error)


def _must_be_usable(one: Any, contacts: Iterable[str]) -> None:
    """What a connector gives has the types and forms that the shell relies on."""
    if isinstance(one, Company):
        assert _is_id(one.id)
        assert isinstance(one.name, str)
        assert isinstance(one.state, CompanyState)
    elif isinstance(one, Contact):
        assert _is_id(one.id)
        assert one.company_id is None or _is_id(one.company_id)
        assert isinstance(one.name, str)
        assert isinstance(one.active, bool)
        assert one.consent is None or isinstance(one.consent, Consent)
        assert all(number[0] == "+" and number[1:].isdigit() and len(number) < 20 for number in one.numbers)
    elif isinstance(one, Report):
        assert one.findings
        assert all(isinstance(finding.detail, str) for finding in one.findings)
    else:
        contact, outcome = one
        assert contact in contacts
        assert isinstance(outcome.reason, str)


def _is_id(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.removeprefix("-").isdigit()
