"""A stand-in for the part of ConnectWise PSA's REST API that a consent connector needs.

Sources: paths, query language, paging and limits are documented by the vendor; record shapes, error texts and many
of the traps were seen live by third parties (which is said at each). Behaviour that no public source settles, or
on which they disagree, is a quirk, see ``ConnectWiseQuirks``.
"""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from syncd.sandbox.connectwise_fields import ConnectWiseQuirks, CustomField, Kind, sms_approval, sms_opt_in
from syncd.sandbox.connectwise_paging import forward_only, navigable, parameters, whole_number
from syncd.sandbox.connectwise_query import QueryError, Row, projected, read_conditions, read_custom_conditions
from syncd.sandbox.connectwise_records import ConnectWiseRecords, Record, Write
from syncd.sandbox.connectwise_writes import WriteError, patched
from syncd.sandbox.exchange import Answer, Request
from syncd.sandbox.server import StandIn, utc_now

ALIAS = "v4_6_release"
API_TYPE = "application/vnd.connectwise.com+json; charset=utf-8"
LONGEST_URL = 2083
Poison = Literal["validation", "permission", "error", "silent"]
"""What every write of a contact meets: 400 that blames the value, 403, 500, or a 200 that changes nothing."""

KINDS: dict[str, Kind] = {"/company/contacts": "Contacts", "/company/companies": "Companies"}
# What a condition may name: the documented fields of interest, whether a record here has them or not.
_SHARED_NAMES = frozenset(
    {"id", "site", "types", "addressLine1", "addressLine2", "city", "state", "zip", "country", "integratorTags"}
    | {"unsubscribeFlag", "customFields", "lastUpdated", "_info"}
)
CONTACT_NAMES = _SHARED_NAMES | (
    {"firstName", "lastName", "nickName", "company", "inactiveFlag", "communicationItems", "title", "department"}
    | {"relationship", "defaultPhoneNbr", "defaultPhoneType", "defaultFlag", "managerContact", "companyLocation"}
)
COMPANY_NAMES = _SHARED_NAMES | (
    {"identifier", "name", "status", "phoneNumber", "faxNumber", "website", "territory", "territoryManager"}
    | {"market", "accountNumber", "defaultContact", "parentCompany", "leadFlag", "isVendorFlag", "deletedFlag"}
)
BLOCKED_PAGE = (
    "<!DOCTYPE html><html><head><title>Error 1015</title></head><body>You are rate limited</body></html>"
)


class ConnectWiseServer(ConnectWiseRecords, StandIn):
    """ConnectWise PSA on loopback.

    ::

        with ConnectWiseServer() as psa:
            acme = psa.add_company("Acme", approval="Approved")
            ann = psa.add_contact(acme, "Ann", "Lee", mobile="(202) 555-0111")
            before = psa.snapshot(without=["SMS Opt-In"])
            requests.patch(f"{psa.api_url}/company/contacts/{ann}", headers=psa.credentials, json=[
                {"op": "replace", "path": "customFields", "value": [{"id": 59, "value": "Opted-In"}]}])
            assert psa.opt_in(ann) == "Opted-In"
            assert psa.snapshot(without=["SMS Opt-In"]) == before
            psa.set_approval(acme, "Opted-Out")             # as an account manager does
            psa.change(custom_patch="replace")              # the other thing that a PATCH may mean
            psa.upgrade("v2026_2")                          # the codebase changes
            psa.faults.add(lost_answer(), method="PATCH")

    ``base_url`` is the site, ``api_url`` the base of the API. ``writes`` lists what the API changed, ``leaks`` the
    requests that sent credentials where none are needed.
    """

    name: ClassVar[str] = "connectwise"

    def __init__(
        self,
        *,
        company: str = "acme_msp",
        public_key: str = "SANDBOXPUBLIC",
        private_key: str = "sandbox-private",
        client_id: str = "00000000-0000-4000-8000-000000000001",
        fields: Iterable[CustomField] = (),
        codebase: str = "v2026_1",
        quirks: ConnectWiseQuirks | None = None,
        port: int = 0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        StandIn.__init__(self, port=port, clock=clock)
        ConnectWiseRecords.__init__(
            self, quirks or ConnectWiseQuirks(), list(fields) or [sms_opt_in(), sms_approval()]
        )
        self.company, self.public_key, self.private_key = company, public_key, private_key
        self.client_id, self.codebase = client_id, codebase
        self.leaks: list[Request] = []
        self._poisons: dict[int, Poison] = {}
        self._calls: deque[datetime] = deque()

    @property
    def api_url(self) -> str:
        """The base of the API by the alias that is always accepted."""
        return f"{self.base_url}/{ALIAS}/apis/3.0"

    @property
    def credentials(self) -> dict[str, str]:
        """The headers of a good request (documented)."""
        login = f"{self.company}+{self.public_key}:{self.private_key}"
        basic = base64.b64encode(login.encode()).decode()
        return {"Authorization": f"Basic {basic}", "clientId": self.client_id}

    def upgrade(self, codebase: str) -> None:
        """Move to another codebase, as the vendor's cloud does several times a year."""
        self.codebase = codebase

    def poison(self, contact: int, kind: Poison) -> None:
        """Let every write of a contact go wrong from now on."""
        self._poisons[contact] = kind

    def cure(self, contact: int) -> None:
        """Take the poison from a contact."""
        self._poisons.pop(contact, None)

    # Who is let in.

    def answer(self, request: Request) -> Answer:
        """Answer one request: the look-up without credentials, everything else with them."""
        path = re.sub(r"/{2,}", "/", request.path).rstrip("/")
        if match := re.fullmatch(r"/login/companyinfo/([^/]+)", path, re.IGNORECASE):
            return self._company_info(request, match[1])
        match = re.fullmatch(r"/([^/]+)/apis/3\.0(/.*)", path, re.IGNORECASE)
        prefixes = {self.codebase.casefold(), *([ALIAS] if self.quirks.accept_alias else [])}
        if match is None or match[1].casefold() not in prefixes:
            return Answer.html("<html><title>404 - File or directory not found.</title></html>", 404)
        if len(request.target) > LONGEST_URL:
            return Answer.html("<html><title>414 - URI Too Long</title></html>", 414)
        refusal = self._refusal(request) or self._throttled()
        if refusal is not None:
            return refusal
        self.signals.pause(self.quirks.latency)
        with self.lock:
            try:
                answer = self._route(request, match[2])
            except QueryError as problem:
                return _error(400, "ConnectWiseApi", str(problem))
            except WriteError as problem:
                return _error(400, problem.code, problem.message, problem.errors)
        headers = {**answer.headers, "api-current-version": "2026.1"}
        return answer.changed(headers=headers, content_type=API_TYPE if answer.body else None)

    def _company_info(self, request: Request, company: str) -> Answer:
        """Answer what is known of a company; null for one that is not (client code)."""
        if request.headers["Authorization"] is not None:
            self.leaks.append(request)
        if company.casefold() != self.company.casefold():
            return Answer.json(None)
        return Answer.json(
            {
                "CompanyName": "Sandbox MSP",
                "Codebase": f"{self.codebase}/",
                "VersionCode": self.codebase.replace("_", "."),
                "VersionNumber": "v4.6.99999",
                "CompanyID": self.company,
                "IsCloud": "True" if self.quirks.cloud_flag == "text" else True,
                "SiteUrl": "api-na.myconnectwise.net",
            }
        )

    def _refusal(self, request: Request) -> Answer | None:
        good = self.credentials
        if (
            request.headers["Authorization"] == good["Authorization"]
            and request.headers["clientId"] == self.client_id
        ):
            return None
        if self.quirks.bad_login == "404":
            return _error(404, "ConnectWiseApi", "The endpoint does not exist.")
        return _error(401, "Unauthorized", "The credentials or the clientId are not valid.")

    def _throttled(self) -> Answer | None:
        """Turn a call away when there were too many in the last minute."""
        limit, now = self.quirks.calls_per_minute, self.clock()
        while self._calls and self._calls[0] <= now - timedelta(minutes=1):
            self._calls.popleft()
        self._calls.append(now)
        if limit is None or len(self._calls) <= limit:
            return None
        if self.quirks.throttle == "html":
            return Answer.html(BLOCKED_PAGE, 429)
        said = {"error": "ConnectWiseAPI", "message": "Too many requests. Please try again in 30 seconds."}
        return Answer.json(said, 429, {"Retry-After": "30"} if self.quirks.throttle == "json" else {})

    # What is answered.

    def _route(self, request: Request, path: str) -> Answer:
        match = re.fullmatch(r"(.*?)(?:/(count|\d+))?(?:/(communications)(?:/(count|\d+))?)?", path, re.IGNORECASE)
        assert match is not None  # noqa: S101  (the pattern matches any text)
        table, part, child, child_part = (found and found.casefold() for found in match.groups())
        table = table or ""
        if table in {known.casefold() for known in self.quirks.no_access}:
            return _error(403, "Forbidden", "The security role of this member does not allow it.")
        if path.casefold() == "/system/info" and request.method == "GET":
            return Answer.json(
                {"version": "v2026.1.99999", "isCloud": True, "serverTimeZone": "Eastern Standard Time",
                 "licenseBits": [], "cloudRegion": "NA", "maxWorkFlowRecordsAllowed": 5000}
            )  # fmt: skip
        if path.casefold() == "/system/audittrail" and request.method == "GET":
            return self._audit_trail(request)
        number = int(part) if part and part.isdigit() else None
        rows = self._table(table, number)
        if rows is None:
            return _error(404, "ConnectWiseApi", "The endpoint does not exist.")
        if part is None and request.method == "POST" and table in KINDS:
            return self._create(KINDS[table], request.body)
        if part is None or number is None:
            return self._list(request, table, rows, count=part == "count")
        row = next((one for one in rows if one["id"] == number), None)
        if row is None:
            singular = {"Contacts": "Contact", "Companies": "Company"}.get(KINDS.get(table, ""), "Record")
            return _error(404, "NotFound", f"{singular} {part} not found")
        if child:
            items = [item | {"contactId": number} for item in row.get("communicationItems") or []]
            if child_part is None or child_part == "count" or request.method != "GET":
                return self._list(request, "", items, count=child_part == "count")
            for item in (one for one in items if str(one["id"]) == child_part):
                return Answer.json(item)
            return _error(404, "NotFound", f"ContactCommunication {child_part} not found")
        if request.method == "GET":
            chosen = parameters(request).get("fields")
            return Answer.json(self._projected(row, chosen) if chosen else row)
        return self._write(request, table, number)

    def _audit_trail(self, request: Request) -> Answer:
        """List the edits of custom fields of one record, newest first (the order is unknown)."""
        asked = parameters(request)
        kind = {"contact": "Contacts", "company": "Companies"}.get(asked.get("type", "").casefold())
        about = whole_number(asked, "id", 0)
        return Answer.json([row for of, number, row in reversed(self.audits) if (of, number) == (kind, about)])

    def _table(self, table: str, only: int | None) -> list[Row] | None:
        """Return the rows of a table, or no more of them than the one that is asked for; None: no such table."""
        if kind := KINDS.get(table):
            if only is not None:
                record = self.records[kind].get(only)
                return [] if record is None else [self._shown(kind, record)]
            return [self._shown(kind, record) for _, record in sorted(self.records[kind].items())]
        names = [{"id": number, "name": name} for number, name in enumerate(self.statuses, 1)]
        if table == "/company/companies/statuses":
            flags = ("inactiveFlag", "notifyFlag", "disallowSavingFlag", "customNoteFlag", "cancelOpenTracksFlag")
            rest: Row = dict.fromkeys(flags, False) | {"_info": {}}
            return [one | {"defaultFlag": one["id"] == 1} | rest for one in names]
        if table in {"/company/companies/types", "/company/contacts/types"}:
            return []  # this tenant has none
        if table == "/company/communicationtypes":
            return [
                {
                    "id": number,
                    "description": name,
                    "phoneFlag": name not in {"Fax", "Email"},
                    "faxFlag": name == "Fax",
                    "emailFlag": name == "Email",
                    "defaultFlag": number == 1,
                    "_info": {},
                }
                for number, name in enumerate(self.types, 1)
            ]
        if table == "/system/userdefinedfields":
            return [known.definition() for _, known in sorted(self.fields.items())]
        return None

    def _shown(self, kind: Kind, record: Record) -> Row:
        """Return a record as the API shows it; keys of things that are not there are absent (seen live)."""
        fields = []
        for known in self.fields.values():
            if known.kind != kind:
                continue
            value = record.custom.get(known.id)
            if known.type == "Password" and value is not None and self.quirks.masks_passwords:
                value = "*****"
            if value is not None or self.quirks.unset == "null":
                fields.append(known.element(value))
        path = "contacts" if kind == "Contacts" else "companies"
        info = {
            "lastUpdated": record.updated,
            "updatedBy": record.updated_by,
            "dateEntered": record.entered,
            # Seen live: hrefs name another host and have a doubled slash.
            "self_href": f"https://na.myconnectwise.net/{self.codebase}//apis/3.0/company/{path}/{record.id}",
        }
        row = {"id": record.id, **record.values, "customFields": fields, "_info": info}
        if not row.get("communicationItems", True):
            del row["communicationItems"]
            if self.quirks.no_numbers != "absent":
                row["communicationItems"] = None if self.quirks.no_numbers == "null" else []
        return row

    def _projected(self, row: Row, fields: str) -> Row:
        chosen = projected(row, fields)
        if self.quirks.fields_hide_custom:
            chosen.pop("customFields", None)
        return chosen

    # Lists.

    def _list(self, request: Request, table: str, rows: list[Row], *, count: bool) -> Answer:
        if request.method != "GET":
            return _error(405, "ConnectWiseApi", "The method is not supported.")
        asked = parameters(request)
        names = {"/company/contacts": CONTACT_NAMES, "/company/companies": COMPANY_NAMES}.get(table)
        known = names or {name for row in rows for name in row}
        if not self.quirks.ignore_conditions:
            for parameter in ("conditions", "childconditions"):
                if text := asked.get(parameter, "").strip():
                    test = read_conditions(text, known)
                    rows = [row for row in rows if test(row)]
            if text := asked.get("customfieldconditions", "").strip():
                test = read_custom_conditions(text)
                rows = [row for row in rows if test(row)]
        if count:
            return Answer.json({"count": len(rows)})
        size = whole_number(asked, "pagesize", 25)
        largest = self.quirks.largest_page
        if size < 1 or (size > largest and self.quirks.over_largest == "400"):
            return _error(400, "ConnectWiseApi", f"pageSize must be between 1 and {largest}.")
        size = min(size, largest)
        forward = self.quirks.forward_only and (
            (request.headers["pagination-type"] or "").strip().casefold() == "forward-only" or "pageid" in asked
        )
        page, link = (forward_only if forward else navigable)(self, request, asked, rows, size)
        chosen = asked.get("fields")
        shown = [self._projected(row, chosen) for row in page] if chosen else page
        return Answer.json(shown, headers={} if link is None else {"Link": link})

    # Writing.

    def _write(self, request: Request, table: str, record_id: int) -> Answer:
        kind = KINDS.get(table)
        if kind is None or request.method not in {"PATCH", "PUT", "DELETE"}:
            return _error(405, "ConnectWiseApi", "The method is not supported.")
        poison = self._poisons.get(record_id) if kind == "Contacts" else None
        if self.quirks.no_update or poison == "permission":
            return _error(403, "Forbidden", "The security role of this member does not allow it.")
        if poison == "error":
            return _error(500, "InternalError", "An unexpected error has occurred.")
        if poison == "validation":
            said = [{"code": "InvalidField", "message": "The value is not valid.", "resource": "contact"}]
            raise WriteError("InvalidObject", "contact object is invalid", said)
        record = self.records[kind][record_id]
        if request.method == "DELETE":
            del self.records[kind][record_id]
            return Answer(204)
        if request.method == "PUT":
            values, custom = _put(record, request.body), dict(record.custom)
        else:
            values, custom = patched(record, request.body, self.fields, self.quirks)
            self.complete(values, {name for name in values if values[name] != record.values.get(name)})
        if poison != "silent":
            self._apply(kind, record, values, custom)
        if self.quirks.patch_answer == "empty":
            return Answer(204)
        return Answer.json(self._shown(kind, record))

    def _create(self, kind: Kind, body: bytes) -> Answer:
        """Create a record: what is required is documented, the error's shape was seen live."""
        sent = json.loads(body or b"null")
        required = "firstName" if kind == "Contacts" else "name"
        if not isinstance(sent, dict) or not sent.get(required):
            said = {
                "code": "MissingRequiredField",
                "message": f"The {required} field is required.",
                "field": required,
            }
            raise WriteError("InvalidObject", "object is invalid", [said | {"resource": kind}])
        custom = {self.fields[one["id"]].caption: one.get("value") for one in sent.pop("customFields", [])}
        company = (sent.pop("company", None) or {}).get("id")
        sent = {name: value for name, value in sent.items() if name not in {"id", "_info"}}
        self.complete(sent, set(sent))
        if kind == "Companies":
            given = {"status": sent.pop("status")} if sent.get("status") else {}
            new = self.add_company(sent.pop("name"), **sent)
        else:
            given = {"communicationItems": sent.pop("communicationItems", [])}
            new = self.add_contact(company, sent.pop("firstName"), sent.pop("lastName", ""), **sent)
        self._edit(kind, new, given, custom)
        return Answer.json(self._shown(kind, self.records[kind][new]), 201)

    def _apply(self, kind: Kind, record: Record, values: Row, custom: dict[int, Any]) -> None:
        for caption, value in (self.quirks.also_sets if kind == "Contacts" else {}).items():
            custom[self.field(kind, caption).id] = value
        at = self.clock()
        names = values.keys() | record.values.keys()
        changed = [(name, record.values.get(name), values.get(name)) for name in names]
        for field_id in custom.keys() | record.custom.keys():
            name, old, new = self.fields[field_id].caption, record.custom.get(field_id), custom.get(field_id)
            changed.append((name, old, new))
            self.audit(kind, record.id, field_id, old, new, "ApiMember")
        self.writes += [Write(kind, record.id, name, old, new, at) for name, old, new in changed if old != new]
        only_custom = values == record.values
        record.values, record.custom = values, custom
        self.stamp(record, "ApiMember", only_custom=only_custom)


def _put(record: Record, body: bytes) -> Row:
    """Return the values after a PUT, which blanks whatever is not sent (documented)."""
    sent = json.loads(body or b"null")
    if not isinstance(sent, dict):
        raise WriteError("InvalidObject", "The object is not valid.")
    kept = {"id", "_info", "customFields"}
    return {name: value for name, value in sent.items() if name not in kept} or dict(record.values)


def _error(status: int, code: str, message: str, errors: list[Row] | None = None) -> Answer:
    return Answer.json({"code": code, "message": message, "errors": errors}, status)
