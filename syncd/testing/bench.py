"""What all parts of the contract stand on: a desk, connectors at it, and words for what they did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, SecretStr

from syncd.clock import Clock
from syncd.connector import Change, Connector, Outcome, Result, Shell
from syncd.errors import SyncdError
from syncd.http import Client, Limits, Transport
from syncd.model import CompanyState, Consent, Contact
from syncd.sandbox.people import fictional_name, fictional_number
from syncd.sandbox.server import StandIn
from syncd.testing.desk import Desk

OUT, IN = Consent.OPTED_OUT, Consent.OPTED_IN
DONE = (Result.APPLIED, Result.ALREADY)
# What a test never reaches; only `concurrency` is the connector's own.
ENOUGH_CALLS = 1_000_000

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

    @pytest.fixture
    def remarks(self) -> list[str]:
        """What connectors told the operator."""
        return []

    @pytest.fixture
    def connect(self, desk: Desk, remarks: list[str]) -> Iterator[Callable[[], Connector]]:
        """Make a connector to the desk, any number of them; they are closed at the end."""
        made: list[tuple[Connector, Transport]] = []

        def connected(longest: float = 30.0) -> Connector:
            declared = self.connector.traits.limits or Limits(ENOUGH_CALLS, 1.0, 8)
            transport = HastyTransport(Limits(ENOUGH_CALLS, 1.0, declared.concurrency), longest)
            settings = self.connector.settings_model(**desk.settings())
            psa = self.connector(settings, Shell(transport, remarks.append))
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
        if desk.wire is None:
            if self.connector.traits.limits is not None:
                pytest.fail("the connector declares limits, so it calls a service: the desk needs a `wire`")
            pytest.skip(f"the connector {self.connector.name} calls no service over HTTP")
        return desk.wire


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
    assert len(by_id) == len(found), "a contact was listed twice"
    return by_id


# --- writing --------------------------------------------------------------------------------------------------


def change(
    contact: str, consent: Consent = OUT, shown: Consent | None = None, company: str | None = None
) -> Change:
    """A change of one contact."""
    return Change(contact, company, consent, shown)


def write(psa: Connector, *changes: Change) -> dict[str, Outcome]:
    """Write; each contact must get one outcome."""
    found = list(psa.write(iter(changes)))
    outcomes = dict(found)
    assert len(outcomes) == len(found), "a contact got two outcomes"
    assert set(outcomes) == {one.contact_id for one in changes}
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
        assert shown is one.consent, f"it says {ended.result.value}, but the PSA shows {shown}"


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
