"""The desks for ConnectWise PSA: its stand-in as most of what is known has it, and as the rest has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from desks import APPROVAL, OPT_IN, WORD, ServerDesk

from syncd.model import CompanyState, Consent
from syncd.sandbox.connectwise import ConnectWiseServer
from syncd.sandbox.connectwise_fields import ConnectWiseQuirks, CustomField, sms_approval, sms_opt_in
from syncd.testing import MAIN_LINE


class ConnectWiseDesk(ServerDesk):
    """The stand-in for ConnectWise PSA, with more custom fields than the ones that count."""

    page_size = 500
    quirks = ConnectWiseQuirks()

    def __init__(self) -> None:
        self.server = self.wire = ConnectWiseServer(
            public_key="CANARYpublic",
            private_key="canary-private/+=0815",
            client_id="canary00-0000-4000-8000-000000000001",
            fields=[
                sms_opt_in(),
                sms_approval(),
                CustomField(60, "Contacts", "Badge"),
                CustomField(61, "Contacts", "Newsletter", "Checkbox"),
                CustomField(62, "Contacts", "Shift", options=("Day", "Night")),
                CustomField(72, "Companies", "Region"),
            ],
            quirks=self.quirks,
        )

    def settings(self) -> dict[str, Any]:
        return {
            "site": self.server.base_url,
            "company": self.server.company,
            "public_key": self.server.public_key,
            "private_key": self.server.private_key,
            "client_id": self.server.client_id,
        }

    def add_company(self, name: str, state: CompanyState = CompanyState.UNSET) -> str:
        return str(self.server.add_company(name, APPROVAL[state], phoneNumber=MAIN_LINE))

    def add_contact(
        self,
        company: str,
        name: str,
        phones: Sequence[str] = (),
        *,
        consent: Consent | None = None,
        active: bool = True,
    ) -> str:
        first, _, last = name.partition(" ")
        mobile, phone = [*phones, None, None][:2]
        contact = self.server.add_contact(
            int(company),
            first,
            last,
            mobile=mobile,
            phone=phone,
            items=[("Email", f"{first}@example.com".lower(), "Email"), ("Main", MAIN_LINE, "Phone")],
            opt_in=WORD[consent],
            active=active,
            title="Nurse",
            defaultPhoneNbr=MAIN_LINE,
        )
        self.server.set_custom("Contacts", contact, "Badge", "B-7")
        self.server.set_custom("Contacts", contact, "Newsletter", True)
        return str(contact)

    def move_contact(self, contact: str, company: str) -> None:
        self.server.move_contact(int(contact), int(company))

    def retire_company(self, company: str) -> None:
        self.server.set_status(int(company), "Inactive")

    def record(self, contact: str) -> Mapping[str, Any]:
        return self.server.snapshot(without=[OPT_IN])["Contacts"][int(contact)]

    def lose_writes(self, contact: str) -> None:
        """The answer to a PATCH is the record (documented), so of a write that is not kept the old one."""
        self.server.poison(int(contact), "silent")

    def ignore_filters(self) -> None:
        self.server.change(ignore_conditions=True)


class OddConnectWiseDesk(ConnectWiseDesk):
    """Where sources disagree or are silent, the other possibility."""

    quirks = ConnectWiseQuirks(
        custom_patch="replace",
        custom_required=True,
        patch_answer="empty",
        no_numbers="null",
        fields_hide_custom=True,
        forward_only=False,
        link="other host",
        link_order="page first",
        odd_last_page=True,
        custom_edit_moves_stamp=False,
    )

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "codebase": None, "version": None}
