"""Desks for the connectors that come with syncd; each joins a stand-in to `syncd.testing`."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from syncd.model import CompanyState, Consent
from syncd.sandbox.autotask import AutotaskServer
from syncd.sandbox.autotask_fields import list_udf, text_udf
from syncd.sandbox.autotask_records import sms_approval, sms_opt_in
from syncd.sandbox.connectwise import ConnectWiseServer
from syncd.sandbox.halopsa import HaloPsaServer
from syncd.testing import MAIN_LINE, Desk, Request, asked_otherwise

WORD = {Consent.OPTED_IN: "Opted-In", Consent.OPTED_OUT: "Opted-Out", None: None}
CONSENT = {word: consent for consent, word in WORD.items()}
APPROVAL = {CompanyState.APPROVED: "Approved", CompanyState.OPTED_OUT: "Opted-Out", CompanyState.UNSET: None}
OPT_IN = "SMS Opt-In"


def misnamed(settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The settings, each time with one other name: of a field, or of a value of it."""
    for name in ("name", "opted_in", "opted_out"):
        yield {**settings, "contact_field": {name: "nosuch"}}
    yield {**settings, "company_field": {"name": "nosuch"}}
    for name in ("approved", "opted_out"):
        yield {**settings, "company_field": {name: ["nosuch"]}}


class ServerDesk(Desk):
    """A stand-in whose ids are numbers, and which calls what people edit by the same names as the others."""

    server: AutotaskServer | ConnectWiseServer | HaloPsaServer

    def misnamed(self) -> Iterator[dict[str, Any]]:
        return misnamed(self.settings())

    def set_company(self, company: str, state: CompanyState) -> None:
        self.server.set_approval(int(company), APPROVAL[state])

    def set_contact(self, contact: str, *, consent: Consent | None) -> None:
        self.server.set_opt_in(int(contact), WORD[consent])

    def set_other_values(self, company: str, contact: str) -> None:
        self.server.set_approval(int(company), "Pending")
        self.server.set_opt_in(int(contact), "Ask")

    def missing_contact(self) -> str:
        return "99999999"

    def consent_of(self, contact: str) -> Consent | None:
        return CONSENT[self.server.opt_in(int(contact))]


class AutotaskDesk(ServerDesk):
    """The stand-in for Autotask, with more user-defined fields than the one that counts."""

    page_size = 500

    def __init__(self) -> None:
        self.server = self.wire = AutotaskServer(
            secret="canary-secret/+=0815",
            integration_code="CANARYINTEGRATIONCODE",
            contact_udfs=[sms_opt_in(), text_udf("Badge"), list_udf("Shift", ["Day", "Night"])],
            company_udfs=[sms_approval(), text_udf("Region")],
        )

    def settings(self) -> dict[str, Any]:
        return {
            "username": self.server.username,
            "secret": self.server.secret,
            "integration_code": self.server.integration_code,
            "zone_discovery_url": self.server.base_url,
        }

    def add_company(self, name: str, state: CompanyState = CompanyState.UNSET) -> str:
        return str(self.server.add_company(name, APPROVAL[state], phone=MAIN_LINE))

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
            int(company), first, last, mobile=mobile, phone=phone, opt_in=WORD[consent], active=active
        )
        self.server.edit_contact(contact, emailAddress=f"{first}@example.com".lower(), title="Nurse")
        self.server.set_udf("Contacts", contact, "Badge", "B-7")
        self.server.set_udf("Contacts", contact, "Shift", "Night")
        return str(contact)

    def move_contact(self, contact: str, company: str) -> None:
        self.server.move_contact(int(contact), int(company))

    def retire_company(self, company: str) -> None:
        self.server.deactivate_company(int(company))

    def record(self, contact: str) -> Mapping[str, Any]:
        return self.server.snapshot(without=[OPT_IN])["Contacts"][int(contact)]

    def ignore_filters(self) -> None:
        self.server.faults.add(asked_otherwise(_without_conditions), path="/query", times=None)


def _without_conditions(request: Request) -> None:
    """The query without its conditions but the one that pages; as for an operator that Autotask does not know."""
    query = json.loads(request.body)
    query["filter"] = [clause for clause in query["filter"] if clause["field"] == "id" and clause["op"] != "in"]
    request.body = json.dumps(query).encode()


class LocalDesk(Desk):
    """Two CSV files with comments and columns of their own, edited as people edit them."""

    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="syncd-desk-"))
        self._companies = self.folder / "companies.csv"
        self._contacts = self.folder / "contacts.csv"
        self._companies.write_text("# ours\nid,name,phone,sms_approval\n", encoding="utf-8")
        header = "id,company_id,name,mobile,phone,badge,active,sms_opt_in,notes"
        self._contacts.write_text(f"{header}\n", encoding="utf-8")
        self._last = 100

    def stop(self) -> None:
        shutil.rmtree(self.folder)

    def settings(self) -> dict[str, Any]:
        return {"path": str(self.folder)}

    def add_company(self, name: str, state: CompanyState = CompanyState.UNSET) -> str:
        return self._add(self._companies, [name, MAIN_LINE, APPROVAL[state] or ""])

    def set_company(self, company: str, state: CompanyState) -> None:
        self._edit(self._companies, company, lambda row: {**row, "sms_approval": APPROVAL[state] or ""})

    def add_contact(
        self,
        company: str,
        name: str,
        phones: Sequence[str] = (),
        *,
        consent: Consent | None = None,
        active: bool = True,
    ) -> str:
        mobile, phone = [*phones, "", ""][:2]
        cells = [company, name, mobile, phone, "B-7", str(active).lower(), WORD[consent] or "", 'says "hi", often']
        return self._add(self._contacts, cells)

    def set_contact(self, contact: str, *, consent: Consent | None) -> None:
        self._edit(self._contacts, contact, lambda row: {**row, "sms_opt_in": WORD[consent] or ""})

    def move_contact(self, contact: str, company: str) -> None:
        self._edit(self._contacts, contact, lambda row: {**row, "company_id": company})

    def set_other_values(self, company: str, contact: str) -> None:
        self._edit(self._companies, company, lambda row: {**row, "sms_approval": "pending"})
        self._edit(self._contacts, contact, lambda row: {**row, "sms_opt_in": "ask"})

    def missing_contact(self) -> str:
        return "c-none"

    def consent_of(self, contact: str) -> Consent | None:
        return CONSENT[self._row(contact)["sms_opt_in"] or None]

    def record(self, contact: str) -> Mapping[str, Any]:
        return {column: cell for column, cell in self._row(contact).items() if column != "sms_opt_in"}

    def written(self) -> object:
        seen = self._contacts.stat()
        return seen.st_ino, seen.st_mtime_ns, seen.st_size

    def _add(self, path: Path, cells: Sequence[str]) -> str:
        self._last += 1
        with path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow([self._last, *cells])
        return str(self._last)

    def _edit(self, path: Path, record: str, edit: Callable[[dict[str, str]], dict[str, str]]) -> None:
        lines = path.read_text(encoding="utf-8").splitlines()
        comments = [line for line in lines if line.startswith("#")]
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(edit(row) if row["id"] == record else row for row in rows)
        path.write_text("".join(f"{line}\n" for line in comments) + text.getvalue(), encoding="utf-8")

    def _row(self, contact: str) -> dict[str, str]:
        with self._contacts.open(encoding="utf-8", newline="") as file:
            return next(row for row in csv.DictReader(file) if row["id"] == contact)
