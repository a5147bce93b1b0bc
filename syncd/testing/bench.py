"""What all parts of the contract stand on: a desk, connectors at it, and words for what they did."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, SecretStr

from syncd.clock import Clock
from syncd.connector import Change, Connector, Outcome, Result, Shell
from syncd.errors import SyncdError
from syncd.http import Client, Limits, Transport, before_sending
from syncd.model import CompanyState, Consent, Contact
from syncd.sandbox.people import fictional_name, fictional_number
from syncd.sandbox.server import StandIn
from syncd.testing.desk import Desk

OUT, IN = Consent.OPTED_OUT, Consent.OPTED_IN
DONE = (Result.APPLIED, Result.ALREADY)
# What a test never reaches; only `concurrency` is the connector's own.
ENOUGH_CALLS = 1_000_000
# After so many seconds a test is called endless, where a service answers as fast as most.
ENDLESS = 120.0

# Nobody's ids; some of them mean something else where they are not quoted.
STRANGE_IDS = ("0 or 1=1", "' or '1'='1", "../contacts", "*", "%", "1,2,3", "-1", "99999999", "null", "?x=1&y=2#z")

Ended = Outcome | SyncdError


class HastyClock(Clock):
    """Sleeps for no time."""

    def sleep(self, seconds: float) -> bool:
        """Go on at once."""
        del seconds
        return self.stopping


class HastyTransport(Transport):
    """Gives up on an answer soon, so that a test of a silent service takes no half minute."""

    def __init__(self, limits: Limits, longest: float) -> None:
        super().__init__(HastyClock(), limits)
        self._longest = longest

    def client(
        self, base_url: str, headers: Mapping[str, str] | None = None, *, deadline: float = 30.0, **more: Any
    ) -> Client:
        """A client, as hasty as we are."""
        return super().client(base_url, headers, deadline=min(deadline, self._longest), **more)


class Bench:
    """The fixtures and words of the contract. Set `connector` and `desk_class`, or override `desk`."""

    connector: ClassVar[type[Connector]]
    desk_class: ClassVar[type[Desk]]

    @pytest.fixture
    def desk(self) -> Iterator[Desk]:
        """A started desk."""
        with self.desk_class() as desk:
            yield desk

    @pytest.fixture(autouse=True)
    def _it_comes_to_an_end(self, desk: Desk, request: pytest.FixtureRequest) -> Iterator[None]:
        seconds = ENDLESS * max(1.0, desk.answers_within / Desk.answers_within)
        with _alarm(seconds, request.function.__code__):
            yield

    @pytest.fixture(autouse=True)
    def _it_never_sleeps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        modules = {kind.__module__ for kind in self.connector.__mro__ if kind.__module__ not in _NOT_A_CONNECTORS}
        asleep = sys.modules["time"].sleep

        def watched(seconds: float) -> None:
            frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  whoever sleeps, and all who called it
            while frame is not None:
                if frame.f_globals.get("__name__") in modules:
                    pytest.fail(f"the connector sleeps {seconds:g} s: raise Transient(..., retry_after=) instead")
                frame = frame.f_back
            asleep(seconds)

        monkeypatch.setattr("time.sleep", watched)

    @pytest.fixture
    def remarks(self) -> list[str]:
        """What connectors told the operator."""
        return []

    @pytest.fixture
    def connect(self, desk: Desk, remarks: list[str]) -> Iterator[Callable[[], Connector]]:
        """Make a connector to the desk, any number of them; they are closed at the end."""
        made: list[tuple[Connector, Transport]] = []

        def connected(longest: float = 30.0, settings: Mapping[str, Any] | None = None) -> Connector:
            declared = self.connector.traits.limits or Limits(ENOUGH_CALLS, 1.0, 8)
            transport = HastyTransport(Limits(ENOUGH_CALLS, 1.0, declared.concurrency), longest)
            given = self.connector.settings_model(**(desk.settings() if settings is None else settings))
            psa = self.connector(given, Shell(transport, remarks.append))
            made.append((psa, transport))
            return psa

        yield connected
        for psa, transport in made:
            psa.close()
            transport.close()

    @pytest.fixture
    def psa(self, connect: Callable[[], Connector]) -> Connector:
        """A connector to the desk."""
        return connect()

    @pytest.fixture
    def wire(self, desk: Desk) -> StandIn:
        """What the connector's requests arrive at; tests that need one are skipped where there is none."""
        if desk.wire is not None and self.connector.traits.limits is None:
            pytest.fail(
                "the desk has a wire, so the connector calls a service: Traits(limits=Limits(...)) is missing"
            )
        if desk.wire is None:
            if self.connector.traits.limits is not None:
                pytest.fail("the connector declares limits, so it calls a service: the desk needs a `wire`")
            pytest.skip(f"the connector {self.connector.name} calls no service over HTTP")
        return desk.wire


_NOT_A_CONNECTORS = frozenset(("abc", "builtins", "syncd.connector"))


@contextmanager
def _alarm(seconds: float, test: CodeType) -> Iterator[None]:
    """End a test that takes longer, where that can be done and nobody else does it."""
    mine = threading.current_thread() is threading.main_thread()
    if not mine or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
        yield
        return

    def ring(_: int, frame: FrameType | None) -> None:
        while frame is not None:
            if frame.f_code is test:  # else it is over, and pytest is busy with its traceback
                pytest.fail(f"no end after {seconds:g} s: a loop around failures, or a page that comes again?")
            frame = frame.f_back

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


# --- people -------------------------------------------------------------------------------------------------


def name_of(index: int) -> str:
    """A first and a last name."""
    return " ".join(fictional_name(index))


def crowd(desk: Desk, company: str, size: int, consent: Consent | None = None) -> list[str]:
    """So many contacts, each with a number of its own."""
    return [
        desk.add_contact(company, name_of(n), [fictional_number(100 + n)], consent=consent) for n in range(size)
    ]


def team(desk: Desk, size: int = 3, consent: Consent | None = None) -> list[str]:
    """So many contacts of a company that approved."""
    return crowd(desk, desk.add_company("Acme Dental", CompanyState.APPROVED), size, consent)


def listing(psa: Connector, company: str | None = None) -> dict[str, Contact]:
    """Contacts by id; each must come once."""
    found = list(psa.contacts(company))
    by_id = {contact.id: contact for contact in found}
    assert len(by_id) == len(found), "contacts() gave a contact twice"
    return by_id


# --- writing --------------------------------------------------------------------------------------------------


def change(
    contact: str, consent: Consent = OUT, shown: Consent | None = None, company: str | None = None
) -> Change:
    """A change of one contact."""
    return Change(contact, company, consent, shown)


def write(psa: Connector, *changes: Change) -> dict[str, Outcome]:
    """Write; each contact must get one outcome."""
    present = before_sending.get()
    sent = 0

    def counted() -> None:
        nonlocal sent
        sent += 1
        if sent > 2 * len(changes):  # after a 401 one more try is fair
            pytest.fail(f"{sent} writes for {len(changes)} changes: a connector holds no loop around failures")
        if present is not None:
            present()

    token = before_sending.set(counted)
    try:
        found = list(psa.write(iter(changes)))
    finally:
        before_sending.reset(token)
    outcomes = dict(found)
    assert len(outcomes) == len(found), "write() yielded two outcomes for a contact"
    asked = {one.contact_id for one in changes}
    assert set(outcomes) == asked, "write() must yield an outcome for each change, with its contact_id, or raise"
    assert all(isinstance(outcome, Outcome) for outcome in outcomes.values()), "APPLIED, ALREADY, ... or refused()"
    return outcomes


def write_one(psa: Connector, one: Change) -> Outcome:
    """Write one contact."""
    return write(psa, one)[one.contact_id]


def attempt(psa: Connector, one: Change) -> Ended:
    """Write one contact: its outcome, or the exception of `syncd.errors`. Any other exception is a defect."""
    try:
        return write_one(psa, one)
    except SyncdError as error:
        trouble = error
    assert trouble.contact in (None, one.contact_id), f"it blames {trouble.contact}, whom nobody asked for"
    return trouble


def must_be_true(desk: Desk, one: Change, ended: Ended) -> None:
    """What it claims to have done is what the PSA shows."""
    if isinstance(ended, Outcome) and ended.result in DONE:
        shown = desk.consent_of(one.contact_id)
        told = f"it says {ended.result.name}, but the PSA shows {shown}: read the contact again after the write"
        assert shown is one.consent, told


# --- messages -------------------------------------------------------------------------------------------------

# An excerpt of an answer and some words around it are shorter; a whole answer is longer.
LONGEST_MESSAGE = 1_000


def must_be_discreet(text: str, wire: StandIn | None, numbers: Collection[str]) -> None:
    """A message for the log holds no address of the service, no telephone number and no whole body."""
    start = text[:300]
    assert wire is None or wire.base_url.partition("//")[2] not in text, f"a message tells an address: {start}"
    shown = [number for number in numbers if number in text]
    assert not shown, f"a message tells a telephone number, use answer.excerpt(): {start}"
    assert len(text) <= LONGEST_MESSAGE, f"a message tells everything, use answer.excerpt(): {start}"


# --- secrets --------------------------------------------------------------------------------------------------


def secrets_of(settings: BaseModel, raw: Mapping[str, Any]) -> set[str]:
    """Every secret of some settings: what they keep as a SecretStr, and what was given with `canary` in it."""
    return {text for text in (*_kept_secret(settings), *_canaries(raw)) if text}


def _kept_secret(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _kept_secret(getattr(value, name))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _kept_secret(item)
    elif isinstance(value, Mapping):
        yield from _kept_secret(list(value.values()))


def _canaries(value: object) -> Iterator[str]:
    if isinstance(value, str) and "canary" in value.casefold():
        yield value
    elif isinstance(value, Mapping):
        yield from _canaries(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _canaries(item)
