"""A stand-in for the part of Autotask's REST API that a consent connector needs.

Sources: the paths, models and limits are documented by the vendor; many of the traps were seen live by third
parties (which is said at each); the texts of errors are the known ones where such are known, else invented.
Behaviour that no public source settles is a quirk, see ``AutotaskQuirks``.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from syncd.sandbox.autotask_fields import (
    Udf,
    entity_information,
    field_information,
    udf_information,
)
from syncd.sandbox.autotask_query import Query, QueryError, read_query, render
from syncd.sandbox.autotask_records import (
    AutotaskQuirks,
    AutotaskRecords,
    Record,
    Table,
    Write,
    sms_approval,
    sms_opt_in,
)
from syncd.sandbox.autotask_writes import Change, WriteError, read_change, read_new
from syncd.sandbox.exchange import Answer, Request
from syncd.sandbox.server import StandIn, utc_now

BASE_PATH = "/ATServicesRest"
Poison = Literal["error", "validation", "permission", "silent"]
"""What every write of a contact meets: an opaque 500, a 500 that blames the value, a 500 about permissions,
or a 200 that changes nothing."""

NOT_FOUND_PAGE = "<!DOCTYPE html><html><head><title>404 - File or directory not found.</title></head></html>"
PERMISSION_TEXT = "The logged in Resource does not have the adequate permissions to update this entity type."
_ENTITY = r"(?P<entity>contacts|companies)"


class AutotaskServer(AutotaskRecords, StandIn):
    """Autotask on loopback.

    ::

        with AutotaskServer() as autotask:
            acme = autotask.add_company("Acme", approval="Approved")
            ann = autotask.add_contact(acme, "Ann", "Lee", mobile="202-555-0111")
            before = autotask.snapshot(without=["SMS Opt-In"])
            requests.patch(f"{autotask.base_url}/V1.0/Companies/{acme}/Contacts", headers=autotask.credentials,
                           json={"id": ann, "userDefinedFields": [{"name": "SMS Opt-In", "value": "Opted-In"}]})
            assert autotask.opt_in(ann) == "Opted-In"
            assert autotask.snapshot(without=["SMS Opt-In"]) == before
            autotask.set_approval(acme, "Opted-Out")        # as an account manager does
            autotask.poison(ann, "validation")              # from now on every write of this contact fails
            autotask.faults.add(lost_answer(), method="PATCH")

    ``base_url`` is the zone's base (without version). Company 0, the MSP itself, always exists. The first UDF
    of each entity is the one that ``approval`` and ``opt_in`` stand for. ``writes`` lists what the API
    changed, ``leaks`` the requests that sent a secret where none is needed, ``max_concurrency`` the most
    requests in flight per endpoint.
    """

    name: ClassVar[str] = "autotask"

    def __init__(
        self,
        *,
        username: str = "api-user@example.com",
        secret: str = "sandbox-secret",  # noqa: S107  (an invented one)
        integration_code: str = "SANDBOXINTEGRATIONCODE",
        contact_udfs: Iterable[Udf] = (),
        company_udfs: Iterable[Udf] = (),
        own_company: str = "The MSP",
        lock_out_after: int | None = None,
        quirks: AutotaskQuirks | None = None,
        port: int = 0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        StandIn.__init__(self, port=port, clock=clock)
        AutotaskRecords.__init__(
            self,
            quirks or AutotaskQuirks(),
            list(contact_udfs) or [sms_opt_in()],
            list(company_udfs) or [sms_approval()],
        )
        self.username, self.secret, self.integration_code = username, secret, integration_code
        self.lock_out_after = lock_out_after
        self.failed_logins = 0
        self.locked_out = False
        self.leaks: list[Request] = []
        self.max_concurrency: Counter[str] = Counter()
        self._busy: Counter[str] = Counter()
        self._lingering: dict[str, deque[float]] = {}
        self._gate = threading.Lock()
        self._usage: deque[tuple[datetime, int]] = deque()
        self._used = 0
        self._poisons: dict[int | None, list[Any]] = {}
        self.add_company(own_company, company_id=0)

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:PORT/ATServicesRest``: the zone's base, without version and slash at the end."""
        return super().base_url + BASE_PATH

    @property
    def zone_url(self) -> str:
        """The URL of the zone look-up, in the vendor's own spelling; it needs ``?user=``."""
        return super().base_url + "/atservicesrest/v1.0/zoneInformation"

    @property
    def credentials(self) -> dict[str, str]:
        """The three headers of a good request (documented)."""
        return {"ApiIntegrationCode": self.integration_code, "UserName": self.username, "Secret": self.secret}

    # What a test sets up.

    def poison(self, contact: int | None, kind: Poison, times: int | None = None) -> None:
        """Let the next ``times`` writes (None: all) of a contact (None: of any) go wrong."""
        with self.lock:
            self._poisons[contact] = [kind, times]

    def cure(self, contact: int | None = None) -> None:
        """Take the poison from a contact, or from all."""
        with self.lock:
            if contact is None:
                self._poisons.clear()
            self._poisons.pop(contact, None)

    def unlock(self) -> None:
        """End a lock-out."""
        self.locked_out, self.failed_logins = False, 0

    def use_quota(self, requests: int) -> None:
        """Let other integrations of the tenant spend requests of the rolling hour."""
        with self._gate:
            self._spend(requests)

    def usage(self) -> int:
        """Return the number of requests in the last rolling hour."""
        with self._gate:
            oldest = self.clock() - timedelta(hours=1)
            while self._usage and self._usage[0][0] <= oldest:
                self._used -= self._usage.popleft()[1]
            return self._used

    def _spend(self, requests: int) -> None:
        self._usage.append((self.clock(), requests))
        self._used += requests

    # Who is let in.

    def admit(self, request: Request) -> Answer | None:
        """Count the request and refuse it if its endpoint has all slots taken (documented, zone calls exempt)."""
        endpoint = self._endpoint(request)
        if endpoint is None:
            return None
        limit, now = self.quirks.thread_limit, time.monotonic()
        with self._gate:
            self._spend(1)
            lingering = self._lingering.setdefault(endpoint, deque())
            while lingering and lingering[0] <= now:
                lingering.popleft()
            busy = self._busy[endpoint] + len(lingering) + 1
            self.max_concurrency[endpoint] = max(self.max_concurrency[endpoint], busy)
            if limit is not None and busy > limit:
                text = (
                    f"Thread Threshold Exceeded - The Autotask API thread threshold of {limit} threads has been "
                    f"exceeded. Method: {request.method} {endpoint} (Itgenatr005)"
                )
                return Answer.json({"errors": [text]}, self.quirks.thread_limit_status)
            self._busy[endpoint] += 1
        return None

    def leave(self, request: Request) -> None:
        """Give the slot of a request back, perhaps a little later."""
        endpoint = self._endpoint(request)
        if endpoint is not None:
            with self._gate:
                self._busy[endpoint] -= 1
                if self.quirks.slot_lingers:
                    self._lingering[endpoint].append(time.monotonic() + self.quirks.slot_lingers)

    def _endpoint(self, request: Request) -> str | None:
        match = re.match(r"/v\d\.\d/(\w+)(/-?\d+/contacts)?", _path(request))
        if match is None or match[1] == "zoneinformation":
            return None
        return self.quirks.child_bucket.lower() if match[2] else match[1]

    # What is answered.

    def answer(self, request: Request) -> Answer:
        """Answer one request, with the server's date."""
        answer = self._answer(request)
        return answer.changed(headers={"Date": format_datetime(self.clock(), usegmt=True), **answer.headers})

    def _answer(self, request: Request) -> Answer:
        """Answer zone calls without credentials, everything else with them."""
        path = _path(request)
        if path == "/versioninformation":
            return Answer.json({"apiVersions": list(self.quirks.api_versions)})
        if path == "/v1.0/zoneinformation":
            return self._zone(request)
        if refusal := self._refusal(request):
            return refusal
        self.signals.pause(self._latency())
        if self.usage() > self.quirks.hourly_threshold:
            return _errors(429, "The request threshold of this database for the last hour has been exceeded.")
        methods: set[str] = set()
        for method, pattern, work in self._routes():
            if match := re.fullmatch(pattern, path):
                methods.add(method)
                if method == request.method:
                    return self._guarded(work, request, match)
        if methods:
            return _wrong_method(request)
        return Answer.html(NOT_FOUND_PAGE, 404)

    def _routes(self) -> Iterable[tuple[str, str, Callable[[Request, re.Match[str]], Answer]]]:
        """List method, path and handler. There is no way to write to ``/Contacts`` itself (documented)."""
        entity = f"/v1\\.0/{_ENTITY}"
        children = r"/v1\.0/companies/(?P<parent>-?\d+)/contacts"
        return (
            ("GET", r"/v1\.0/thresholdinformation", self._threshold),
            ("POST", f"{entity}/query", self._query),
            ("GET", f"{entity}/query", self._query),
            ("POST", f"{entity}/query/count", self._count),
            ("GET", f"{entity}/query/count", self._count),
            ("POST", f"{entity}/query/next", self._next_page),
            ("GET", f"{entity}/query/next", self._next_page),
            ("GET", f"{entity}/(?P<id>-?\\d+)", self._item),
            ("GET", f"{entity}/entityinformation(?P<part>/fields|/userdefinedfields)?", self._metadata),
            ("POST", r"/v1\.0/(?P<entity>companies)", self._create),
            ("POST", children, self._create),
            ("PATCH", r"/v1\.0/(?P<entity>companies)", self._write),
            ("PUT", r"/v1\.0/(?P<entity>companies)", self._write),
            ("PATCH", children, self._write),
            ("PUT", children, self._write),
            ("GET", children, self._children),
            ("GET", children + r"/(?P<id>-?\d+)", self._item),
        )

    def _guarded(
        self, work: Callable[[Request, re.Match[str]], Answer], request: Request, match: re.Match[str]
    ) -> Answer:
        sent_type = (request.headers["Content-Type"] or "").partition(";")[0].strip().lower()
        if request.method != "GET" and sent_type != "application/json":
            return Answer.json(
                {"Message": "The request entity's media type is not supported for this resource."}, 415
            )
        with self.lock:
            try:
                return work(request, match)
            except (QueryError, WriteError) as problem:
                body: dict[str, Any] = {"errors": list(problem.args)}
                if str(problem.args[0]).startswith("An unexpected error"):
                    body["errorId"] = 54634  # seen live beside opaque errors only
                return Answer.json(body, 500)

    def _zone(self, request: Request) -> Answer:
        """Answer where the tenant lives (documented). That a caller sends its secret is noted, not refused."""
        if request.headers["Secret"] is not None:
            self.leaks.append(request)
        if request.query.get("user", "").lower() != self.username.lower():
            return _errors(500, "Zone information could not be determined")
        url = super().base_url + ("/" if self.quirks.zone_double_slash else "") + BASE_PATH + "/"
        return Answer.json({"zoneName": "Sandbox", "url": url, "webUrl": super().base_url + "/", "ci": 30595})

    def _refusal(self, request: Request) -> Answer | None:
        """Check the three headers. Bad credentials and a locked account look the same (seen live)."""
        headers = request.headers
        if headers["ApiIntegrationCode"] != self.integration_code and self.quirks.bad_integration_code == "500":
            return _errors(500, "IntegrationCode is invalid")
        sent = (headers["ApiIntegrationCode"], headers["UserName"], headers["Secret"])
        if sent == (self.integration_code, self.username, self.secret) and not self.locked_out:
            self.failed_logins = 0
            return None
        self.failed_logins += 1
        if self.lock_out_after is not None and self.failed_logins >= self.lock_out_after:
            self.locked_out = True
        return _errors(401, "The username or password is invalid, or the account is locked.")

    def _latency(self) -> float:
        seconds = self.quirks.latency
        if self.quirks.usage_latency:
            share = self.usage() / self.quirks.hourly_threshold
            seconds += 1.0 if share > 0.75 else 0.5 if share >= 0.5 else 0.0
        return seconds

    def _threshold(self, _request: Request, _match: re.Match[str]) -> Answer:
        """Answer the use of the rolling hour, this call included (documented)."""
        return Answer.json(
            {
                "externalRequestThreshold": self.quirks.hourly_threshold,
                "requestThresholdTimeframe": 60,
                "currentTimeframeRequestCount": self.usage(),
            }
        )

    def _metadata(self, _request: Request, match: re.Match[str]) -> Answer:
        table = self.table(match["entity"])
        if match["part"] == "/fields":
            return Answer.json(field_information(table.entity))
        if match["part"] == "/userdefinedfields":
            return Answer.json(udf_information(table.udfs.values()))
        may_update = table.entity.name not in self.quirks.no_update
        return Answer.json(entity_information(table.entity, may_update=may_update))

    # Reading.

    def _query(self, request: Request, match: re.Match[str], after: int | None = None) -> Answer:
        table = self.table(match["entity"])
        query = read_query(_query_body(request), table, self.quirks)
        rows = self._matching(table, query, after, query.max_records + 1)
        page, more = rows[: query.max_records], len(rows) > query.max_records
        return self._page(request, table, query, page, more=more, first=after is None)

    def _matching(self, table: Table, query: Query, after: int | None, most: int | None) -> list[Record]:
        """Return matching records by ascending id (documented for the older API, seen live for this one)."""
        if table.entity.name in self.quirks.restricted:
            return []
        now = self.clock()
        start = max((bound for bound in (after, query.after) if bound is not None), default=None)
        found: list[Record] = []
        for record in table.after(start):
            if query.matches(record.shown(now)):
                found.append(record)
                if len(found) == most:
                    break
        return found

    def _page(
        self, request: Request, table: Table, query: Query, page: list[Record], *, more: bool, first: bool
    ) -> Answer:
        next_url = None
        if more:
            place = {"pageSize": query.max_records, "previousIds": [], "nextIds": [page[-1].id]}
            paging = json.dumps(place | {"method": request.method})
            next_url = f"{self.base_url}/V1.0/{table.entity.name}/query/next?paging={quote(paging)}"
            if request.method == "GET":  # the query goes along (seen live), a POST has it in its body
                next_url += f"&search={quote(request.query.get('search', ''))}"
        details = {
            "count": len(page),
            "requestCount": query.max_records,
            "prevPageUrl": None if first else f"{self.base_url}/V1.0/{table.entity.name}/query/next?paging=%7B%7D",
            "nextPageUrl": next_url,
        }
        rows = [self._shown(record, table, query) for record in page]
        return Answer.json({"items": rows, "pageDetails": details})

    def _shown(self, record: Record, table: Table, query: Query | None = None) -> dict[str, Any]:
        """Return a record as it shows now, and count this as a read of it."""
        shown = record.shown(self.clock())
        if record.past is not None:
            record.past.reads -= 1
        return render(shown, table, self.quirks, query)

    def _next_page(self, request: Request, match: re.Match[str]) -> Answer:
        """Answer a further page. The method must be the one that began the query (seen live)."""
        try:
            place = json.loads(request.query.get("paging", ""))
            after, begun_by = int(place["nextIds"][-1]), place["method"]
        except (ValueError, KeyError, IndexError, TypeError):
            raise QueryError("Invalid paging parameter.") from None
        if request.method != begun_by:
            return _wrong_method(request)
        return self._query(request, match, after)

    def _count(self, request: Request, match: re.Match[str]) -> Answer:
        table = self.table(match["entity"])
        query = read_query(_query_body(request), table, self.quirks)
        return Answer.json({"queryCount": len(self._matching(table, query, None, None))})

    def _item(self, _request: Request, match: re.Match[str]) -> Answer:
        groups = match.groupdict()
        table = self.table(groups.get("entity") or "contacts")
        record = table.find(int(groups["id"]))
        parent = groups.get("parent")
        if record is not None and parent is not None and record.values["companyID"] != int(parent):
            record = None
        if record is None or table.entity.name in self.quirks.restricted:
            if self.quirks.missing_item == "404":
                return _errors(404, "The requested item was not found.")
            return Answer.json({"item": None})
        return Answer.json({"item": self._shown(record, table)})

    def _children(self, request: Request, match: re.Match[str]) -> Answer:
        """Answer the contacts of a company: no filter, the first 500 only (seen live)."""
        company = int(match["parent"])
        query = Query(lambda shown: bool(shown.values["companyID"] == company))
        page = self._matching(self.contacts, query, None, query.max_records)
        return self._page(request, self.contacts, query, page, more=False, first=True)

    # Writing.

    def _write(self, request: Request, match: re.Match[str]) -> Answer:
        """Write a contact through its company, or a company. PUT clears whatever is not sent (documented)."""
        table = self.table(match.groupdict().get("entity") or "contacts")
        change = read_change(request.body, table, self.quirks, whole=request.method == "PUT")
        record = table.find(change.id)
        parent = match.groupdict().get("parent")
        if record is None or (parent is not None and int(parent) not in self.companies.records):
            raise WriteError(f"Record number [1]: {table.entity.singular} {change.id} does not exist.")
        applied = True
        if parent is not None:
            if record.values["companyID"] != int(parent) and self.quirks.wrong_parent == "error":
                raise WriteError(f"Contact {change.id} does not belong to company {parent}.")
            applied = self._meets_poison(change) != "silent"
        if table.entity.name in self.quirks.no_update:
            raise WriteError(PERMISSION_TEXT)
        self._note_writes(table, record, change, applied=applied)
        if applied:
            self.apply_with_lag(table, record, change.values, change.udfs)
        if self.quirks.patch_answer == "empty":
            return Answer(200, b"")
        return Answer.json({self.quirks.patch_answer: change.id})

    def _create(self, request: Request, match: re.Match[str]) -> Answer:
        """Create a company, or a contact in one; the answer holds the new id (documented)."""
        table = self.table(match.groupdict().get("entity") or "contacts")
        values, udfs = read_new(request.body, table, self.quirks)
        if table.entity.name in self.quirks.no_update:
            raise WriteError(PERMISSION_TEXT)
        if (parent := match.groupdict().get("parent")) is None:
            values["isActive"] = values["isActive"] is not False  # active unless said otherwise: unknown
        else:
            values["companyID"] = int(parent)
            if int(parent) not in self.companies.records:
                raise WriteError(f"Record number [1]: Company {parent} does not exist.")
        new = self._add(table, None, values, udfs)
        self.writes.append(Write(table.entity.name, new, "id", None, new, self.clock(), applied=True))
        return Answer.json({"itemId": new})

    def _meets_poison(self, change: Change) -> Poison | None:
        for key in (change.id, None):
            kind, left = self._poisons.get(key, (None, 0))
            if kind is None or left == 0:
                continue
            if left is not None:
                self._poisons[key][1] -= 1
            if kind == "validation":
                name = next(iter({**change.udfs, **change.values}), "id")
                raise WriteError(
                    f"Value does not exist for the required picklist field {name}.",
                    "Error updating entity for record number [1].",
                )
            if kind == "permission":
                raise WriteError(PERMISSION_TEXT)
            if kind == "error":
                raise WriteError("An unexpected error has occurred.")
            return "silent"
        return None

    def _note_writes(self, table: Table, record: Record, change: Change, *, applied: bool) -> None:
        old = {
            **{name: record.values[name] for name in change.values},
            **{n: record.udfs.get(n) for n in change.udfs},
        }
        at = self.clock()
        for name, value in {**change.values, **change.udfs}.items():
            self.writes.append(Write(table.entity.name, record.id, name, old[name], value, at, applied))


def _path(request: Request) -> str:
    """Return the path after the zone's base; a doubled or last slash means nothing (client code in daily use)."""
    return re.sub(r"/{2,}", "/", request.path.lower()).rstrip("/").removeprefix(BASE_PATH.lower())


def _query_body(request: Request) -> Any:
    """Return the query of a POST body or of ``?search=`` (documented to be equivalent)."""
    text = request.body if request.method == "POST" else request.query.get("search", "").encode()
    try:
        return json.loads(text)
    except ValueError:
        raise QueryError("Invalid query syntax.") from None


def _wrong_method(request: Request) -> Answer:
    """Answer 405 in its own shape: a capital Message and no errors (seen live)."""
    text = f"The requested resource does not support http method '{request.method}'."
    return Answer.json({"Message": text}, 405)


def _errors(status: int, *texts: str) -> Answer:
    return Answer.json({"errors": list(texts)}, status)
