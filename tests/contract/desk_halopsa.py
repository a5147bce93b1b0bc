"""The desks for HaloPSA: its stand-in as most of what is known has it, and as the rest has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from desks import APPROVAL, WORD, ServerDesk

from syncd.model import CompanyState, Consent
from syncd.sandbox.halopsa import HaloPsaServer
from syncd.sandbox.halopsa_records import HaloQuirks
from syncd.testing import MAIN_LINE, Request

# Far more than a test makes: the pace is not what is tested here.
NO_LIMIT = 100_000


class HaloDesk(ServerDesk):
    """The stand-in for HaloPSA; its users have a second custom field."""

    page_size = 100
    quirks = HaloQuirks()

    def __init__(self) -> None:
        self.server = self.wire = HaloPsaServer(client_secret="canary-secret/+=0815", quirks=self.quirks)

    def settings(self) -> dict[str, Any]:
        return {
            "base_url": self.server.base_url,
            "client_id": self.server.client_id,
            "client_secret": self.server.client_secret,
            "requests_per_5_minutes": NO_LIMIT,
        }

    def add_company(self, name: str, state: CompanyState = CompanyState.UNSET) -> str:
        return str(self.server.add_client(name, APPROVAL[state]))

    def add_contact(
        self,
        company: str,
        name: str,
        phones: Sequence[str] = (),
        *,
        consent: Consent | None = None,
        active: bool = True,
    ) -> str:
        mobile, phone = [*phones, None, None][:2]
        user = self.server.add_user(
            int(company),
            name,
            mobile=mobile,
            phone=phone,
            opt_in=WORD[consent],
            active=active,
            emailaddress="somebody@example.com",
            sitephonenumber=MAIN_LINE,
        )
        self.server.set_custom("Users", user, "CFBirthday", "1 May")
        return str(user)

    def move_contact(self, contact: str, company: str) -> None:
        self.server.edit("Users", int(contact), client_id=int(company))

    def retire_company(self, company: str) -> None:
        self.server.edit("Client", int(company), inactive=True)

    def record(self, contact: str) -> Mapping[str, Any]:
        return self.server.snapshot(without=["CFSMSOptIn"])["Users"][int(contact)]

    def is_write(self, request: Request) -> bool:
        """HaloPSA creates and changes with POST; only the log-in is a POST that changes nothing."""
        return request.method != "GET" and not request.path.startswith("/auth")

    def ignore_filters(self) -> None:
        self.server.change(ignored=frozenset({"client_id"}))


class OddHaloDesk(HaloDesk):
    """Where sources disagree or are silent, the other possibility: lists without custom fields, above all."""

    quirks = HaloQuirks(
        write_customfields="merge",
        list_customfields="none",
        full_unset="missing",
        select_value="label",
        select_write="either",
    )
