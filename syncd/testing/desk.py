"""A desk: a PSA that a connector is tested against, as the people of the MSP use it.

Its methods are what people do in the PSA's own user interface. They go past the connector, and past whatever
stands between the connector and the PSA: they always work, at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import pytest

from syncd.model import CompanyState, Consent
from syncd.sandbox.exchange import Request
from syncd.sandbox.server import StandIn
from syncd.testing.faulting import undone

# The main line of every company. It is nobody's own number.
MAIN_LINE = "+1 202-555-0199"


class Desk(ABC):
    """Implement this for your stand-in or your test server. Ids are those that the connector shows, as text.

    wire:           what the connector's requests arrive at: your `StandIn`, or a `Relay` in front of a real
                    server; None where the connector calls nobody
    page_size:      how many contacts the connector asks for at once; 0: all
    answers_within: seconds in which the service answers anything, if nothing is wrong

    A desk may hold companies and contacts of its own. Each test gets a new desk; several may look at one server.
    """

    wire: StandIn | None = None
    page_size: int = 0
    answers_within: float = 0.75

    def start(self) -> None:
        """Make it ready; called once. Starts `wire`."""
        if self.wire is not None:
            self.wire.start()

    def stop(self) -> None:
        """Clean up; called once. Stops `wire`."""
        if self.wire is not None:
            self.wire.stop()

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """`psa.settings` of the configuration, secrets already filled in; `wire` is started.

        Every secret must hold the word `canary`, unless the server makes it up: the tests look for secrets in
        places where none belongs.
        """

    def misnamed(self) -> Iterable[dict[str, Any]]:
        """Further `settings()`, each with one name that the PSA does not have: of a field, of a value of one.

        Every such name holds the word `nosuch`.
        """
        pytest.skip("this desk has no settings that name something of the PSA")

    # --- what people do ---------------------------------------------------------------------------------------

    @abstractmethod
    def add_company(self, name: str, state: CompanyState = CompanyState.UNSET) -> str:
        """Add a company with `MAIN_LINE` as its telephone number, if companies have one. Returns its id."""

    @abstractmethod
    def set_company(self, company: str, state: CompanyState) -> None:
        """Set the approval of a company, as an account manager does."""

    @abstractmethod
    def add_contact(
        self,
        company: str,
        name: str,
        phones: Sequence[str] = (),
        *,
        consent: Consent | None = None,
        active: bool = True,
    ) -> str:
        """Add a contact and return its id.

        `name` is a first and a last name. `phones` go, as they are, into the first fields for a person's own
        numbers; there are at most two. Fill some other fields as well, custom fields too if there are any: the
        tests see to it that a write leaves them alone.
        """

    @abstractmethod
    def set_contact(self, contact: str, *, consent: Consent | None) -> None:
        """Set the opt-in field of a contact, as a technician does; None clears it."""

    @abstractmethod
    def move_contact(self, contact: str, company: str) -> None:
        """Put a contact into another company; the id stays. Call `pytest.skip(reason)` where that cannot be."""

    def set_other_values(self, company: str, contact: str) -> None:  # noqa: ARG002
        """Put values into the approval field and the opt-in field that `settings()` give no meaning."""
        pytest.skip("this desk sets no other values: its fields take none")

    def retire_company(self, company: str) -> None:  # noqa: ARG002
        """Make a company inactive, as an account manager does with a client who left."""
        pytest.skip("this desk has no inactive companies")

    @abstractmethod
    def missing_contact(self) -> str:
        """An id that no contact has, in the form in which ids are."""

    # --- what they see ----------------------------------------------------------------------------------------

    @abstractmethod
    def consent_of(self, contact: str) -> Consent | None:
        """What the opt-in field truly holds."""

    @abstractmethod
    def record(self, contact: str) -> Mapping[str, Any]:
        """Everything that is kept of a contact, but without the opt-in field and the date of the last change."""

    # --- what arrived, and what goes wrong ----------------------------------------------------------------------

    def is_write(self, request: Request) -> bool:
        """Whether a request changes something. Override it where queries or log-ins are not told by the method."""
        return request.method in ("PUT", "PATCH", "DELETE")

    def written(self) -> object:
        """Something that is the same before and after if, and only if, the connector sent no write in between."""
        if self.wire is None:
            raise NotImplementedError("a desk without a wire says in written() what tells that it was written to")
        return sum(map(self.is_write, self.wire.requests))

    def lose_writes(self, contact: str) -> None:
        """From now on the service accepts writes of this contact with its ordinary answer, and keeps nothing.

        By default each write is done and taken back at once. Override it where the answer shows the new value.
        """
        if self.wire is None:
            pytest.skip("this desk cannot lose a write")
        self.wire.faults.add(undone(self, contact), when=self.is_write, times=None)

    def ignore_filters(self) -> None:
        """From now on the service takes no notice of the conditions in queries and returns everything.

        See `asked_otherwise`. The paging must go on working.
        """
        pytest.skip("this desk cannot ignore filters")

    # --- using it -----------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if problem is None and self.wire is not None and self.wire.crashes:
            raise AssertionError(f"the {self.wire.name} stand-in failed") from self.wire.crashes[0]
