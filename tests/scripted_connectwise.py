"""ConnectWise as a script: each test says which answer each path gives, however odd, and sees what was asked."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

import responses
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
HTML = "<html><body>404 - File or directory not found.</body></html>"
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


class Turns(list):
    """Answers given one after the other, the last one for ever."""


class Tenant:
    """Answers by method and path; each answer a body, a (status, body[, headers]), an exception or a function."""

    def __init__(self):
        self.seen = []
        self.answers = {
            ("GET", INFO): {"CompanyName": "Acme MSP", "Codebase": "v2026_1/", "IsCloud": "True"},
            ("GET", FIELDS): [
                definition(12, "Hobby"),
                definition(59, "SMS Opt-In", OPT_IN),
                definition(71, "SMS Approval", APPROVAL, screen="Company"),
            ],
            ("GET", CONTACTS): [row(1)],
            ("GET", COMPANIES): [company(250)],
        }

    def put(self, method, path, *answers):
        self.answers[method, path] = Turns(answers)

    def shows(self, *rows):
        """These contacts exist, and a PATCH does what merging does."""
        self.put("GET", CONTACTS, list(rows))
        for one in rows:
            self.put("GET", f"{CONTACTS}/{one['id']}", one)

    def answer(self, request):
        parts = urlsplit(request.url)
        path = re.sub(r"^/[^/]+/apis/3\.0", "", parts.path)
        body = json.loads(request.body) if request.body else None
        self.seen.append((request.method, path, body, request))
        answer = self.answers.get((request.method, path), (404, HTML))
        if isinstance(answer, Turns):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        status, content, *headers = answer if isinstance(answer, tuple) else (200, answer)
        if not isinstance(content, str | bytes):
            content = json.dumps(content)
        return status, headers[0] if headers else {}, content

    def calls(self, pattern="", method=None):
        return [f"{m} {p}" for m, p, _, _ in self.seen if re.search(pattern, p) and method in (None, m)]

    def bodies(self, path):
        return [body for _, p, body, _ in self.seen if p == path and body is not None]

    def queries(self, path):
        return [dict(parse_qsl(urlsplit(r.url).query)) for _, p, _, r in self.seen if p == path]

    def quick(self):
        """Calls other than those that look fields up."""
        return [call for call in self.calls() if not re.search(f"{FIELDS}$|{CONTACTS}$", call)]


@contextmanager
def scripted():
    """A tenant that answers every request of this process."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        made = Tenant()
        for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
            mock.add_callback(method, re.compile(".*"), made.answer)
        yield made


def make(remarks=None, **settings):
    remark = remarks.append if remarks is not None else str
    return ConnectWise(ConnectWiseSettings(**(ACCOUNT | settings)), shell_for(ConnectWise, remark))


def write(psa, *contacts, consent=Consent.OPTED_OUT, shown=None):
    return dict(psa.write([Change(str(contact), "7", consent, shown) for contact in contacts]))
