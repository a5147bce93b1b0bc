"""ConnectWise as a script: each test says which answer each path gives, however odd, and sees what was asked."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from scripted import Script
from support import shell_for

from connectors.connectwise import ConnectWise
from connectors.connectwise.settings import ConnectWiseSettings
from syncd.connector import Change
from syncd.model import Consent

HOST = "https://api-na.myconnectwise.net"
API = "/v4_6_release/apis/3.0"
INFO = "/login/companyinfo/acme"
CONTACTS, COMPANIES, FIELDS = "/company/contacts", "/company/companies", "/system/userDefinedFields"
STATUSES, TYPES = "/company/companies/statuses", "/company/communicationTypes"
ACCOUNT = {
    "site": "na.myconnectwise.net",
    "company": "acme",
    "public_key": "PUBLIC",
    "private_key": "s3cret",
    "client_id": "C1IENT-1D",
}
OPT_IN, APPROVAL = ("Opted-In", "Opted-Out"), ("Approved", "Opted-Out", "Pending")


def definition(field_id, caption, options=(), kind="Text", screen="Contact", **more):
    listed = [{"id": n, "optionValue": text, "inactiveFlag": False} for n, text in enumerate(options)]
    return {
        "id": field_id,
        "podId": 4,
        "podDescription": f"{screen} Overview",
        "caption": caption,
        "screenDescription": screen,
        "fieldTypeIdentifier": kind,
        "entryTypeIdentifier": "List" if options else "EntryField",
        "readOnlyFlag": False,
        "options": listed,
    } | more


def custom(field_id, caption, value=None, kind="Text", entry="List"):
    return {"id": field_id, "caption": caption, "type": kind, "entryMethod": entry, "value": value}


def row(contact_id, consent=None, company=7, others=(), **more):
    names = {"firstName": "Ann", "lastName": "Lee", "inactiveFlag": False}
    if company is not None:
        names["company"] = {"id": company, "identifier": "acme", "name": "Acme", "_info": {}}
    return {"id": contact_id, "customFields": [*others, custom(59, "SMS Opt-In", consent)]} | names | more


def company(company_id, approval=None, **more):
    fields = [custom(71, "SMS Approval", approval)]
    status = {"id": 1, "name": "Active"}
    return {"id": company_id, "name": f"Company {company_id}", "status": status, "customFields": fields} | more


def error(status, code="InvalidObject", message="contact object is invalid", *nested):
    return status, {"code": code, "message": message, "errors": [{"message": text} for text in nested] or None}


class Tenant(Script):
    ROOT = r"/[^/]+/apis/3\.0"

    def __init__(self):
        answers = {
            ("GET", INFO): {"CompanyName": "Acme MSP", "Codebase": "v2026_1/", "IsCloud": "True"},
            ("GET", FIELDS): [
                definition(12, "Hobby"),
                definition(59, "SMS Opt-In", OPT_IN),
                definition(71, "SMS Approval", APPROVAL, screen="Company"),
            ],
            ("GET", CONTACTS): [row(1)],
            ("GET", COMPANIES): [company(250)],
        }
        super().__init__(answers)

    def shows(self, *rows):
        """These contacts exist, and a PATCH does what merging does."""
        self.put("GET", CONTACTS, list(rows))
        for one in rows:
            self.put("GET", f"{CONTACTS}/{one['id']}", one)

    def bodies(self, path):
        return [body for body in super().bodies(path) if body is not None]

    def queries(self, path):
        return [dict(parse_qsl(urlsplit(r.url).query)) for _, p, _, r in self.seen if p == path]

    def quick(self):
        """Calls other than those that look fields up."""
        return [call for call in self.calls() if not re.search(f"{FIELDS}$|{CONTACTS}$", call)]


def scripted():
    """A tenant that answers every request of this process."""
    yield from Tenant().serve()


def make(remarks=None, **settings):
    remark = remarks.append if remarks is not None else str
    return ConnectWise(ConnectWiseSettings(**(ACCOUNT | settings)), shell_for(ConnectWise, remark))


def connected(tenant, remarks):
    """The connector of that tenant."""
    return make(remarks)


def write(psa, *contacts, consent=Consent.OPTED_OUT, shown=None):
    return dict(psa.write([Change(str(contact), "7", consent, shown) for contact in contacts]))
