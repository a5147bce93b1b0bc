"""What several tests need to set up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from syncd.clock import Clock
from syncd.connector import Change, Connector, Outcome, Shell
from syncd.http import Limits, Transport
from syncd.model import Consent


def shell_for(connector: type[Connector], remark: Callable[[str], Any] = str) -> Shell:
    """A shell with the pace that the connector declares."""
    limits = connector.traits.limits or Limits(calls=10_000, per=1.0, concurrency=8)
    return Shell(Transport(Clock(), limits), remark)


def write(
    psa: Connector, contacts: Iterable[object], consent: Consent = Consent.OPTED_OUT, shown: Consent | None = None
) -> dict[str, Outcome]:
    """The outcome of one change of consent for each of these contacts."""
    return dict(psa.write(Change(str(contact), None, consent, shown) for contact in contacts))


def write_and_list_at_once(psa: Connector, contacts: Sequence[int], company: int) -> None:
    """Six threads opt these contacts out and list; none of it may fail."""

    def work(part: int) -> None:
        write(psa, contacts[part::6])
        list(psa.contacts(company=str(company)))
        list(psa.companies())

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
