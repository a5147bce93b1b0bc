"""Autotask's HTTP grammar: one call, queries page by page, one contact, one PATCH.

Documented: the three headers; POST .../query with `filter`, `MaxRecords` (at most 500) and `IncludeFields`;
ascending ids, and the loop over `id` as the way through more than one page; contacts are written only through
their company; PUT empties every field that is not sent, so it is never used. Seen live by third parties: an
operator that does not exist is dropped in silence and everything comes back.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.autotask.answers import judged
from connectors.autotask.settings import AutotaskSettings
from connectors.autotask.zone import Zone
from syncd.connector.answers import (
    Row,
    fields_of,
    ids_of,
    is_html,
    must_all_fit,
    number,
    record_of,
    rows_in,
)
from syncd.connector.moments import Moment, Moments
from syncd.errors import Ambiguous, Permanent, ShapeChanged, Transient
from syncd.http import Answer, Client, Transport

PAGE = 500
OPERATORS = frozenset(
    "eq noteq gt gte lt lte beginsWith endsWith contains exist notExist in notIn".split()  # noqa: SIM905
)

# Documented: 10,000 calls in a rolling hour for all integrations of a tenant together, beyond which the tenant is
# cut off. We take half at most (`OUR_CALLS`, in the connector's traits), and less when the others leave less. The
# last twentieth is never used: it covers what the others spend between two looks at the counter.
DOCUMENTED_CALLS = 10_000
OUR_CALLS = 5_000
USABLE = 0.95
# The counter is itself a call, and limited; third parties advise five minutes.
SECONDS_BETWEEN_COUNTS = 300.0


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition of a filter, and the same condition for looking at what came back."""

    op: str
    field: str
    value: int | tuple[int, ...]

    def __post_init__(self) -> None:
        if self.op not in OPERATORS:
            raise ValueError(f"Autotask has no operator '{self.op}' and would ignore the condition")

    def body(self) -> Row:
        """The clause as it is sent."""
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return {"op": self.op, "field": self.field, "value": value}

    def holds(self, row: Row) -> bool:
        """Whether a row fulfils it (only for the conditions that we use)."""
        found = row.get(self.field)
        if found is None:
            return False
        mine = number(self.field, found)
        if isinstance(self.value, tuple):
            return mine in self.value
        return {"eq": mine == self.value, "gt": mine > self.value, "gte": mine >= self.value}[self.op]


@dataclass(frozen=True, slots=True)
class Usage:
    """What the service counts: calls of the tenant in its window of minutes, and how many it allows."""

    used: int
    allowed: int
    minutes: int


class AutotaskClient:
    """Calls Autotask. Thread-safe; raises the exceptions of `syncd.errors`."""

    def __init__(self, settings: AutotaskSettings, transport: Transport) -> None:
        self._zone = Zone(settings, transport)
        self._pace = transport.pace
        self._lock = threading.Lock()
        self._counted: Moment | None = None
        self.moments = Moments()

    # --- one call ---------------------------------------------------------------------------------------------

    def base_url(self) -> str:
        """The zone's base URL, looked up when not yet known."""
        return self._zone.client().base_url

    def get(self, path: str, contact: str | None = None) -> Answer:
        """Read one thing."""
        return judged(self._call("GET", path), contact=contact)

    def _call(self, method: str, path: str, body: Any = None) -> Answer:
        """Send a request; after a 401 once more if the tenant moved meanwhile, else the 401 is the answer."""
        client = self._zone.client()
        answer = self._send(client, method, path, body)
        if answer.status == 401:
            moved = self._zone.after_refusal(client)
            if moved:
                answer = self._send(moved, method, path, body)
        return answer

    def _send(self, client: Client, method: str, path: str, body: Any) -> Answer:
        try:
            if method == "PATCH":
                answer = client.write(method, path, body)
            else:
                answer = client.read(method, path, body=body)
        except Transient as error:
            if error.retry_after is None:  # not our own pace: the server did not answer
                self._zone.doubt()
            raise
        return self.moments.heard(answer)

    # --- reading ----------------------------------------------------------------------------------------------

    def query(
        self, entity: str, clauses: Sequence[Clause] = (), fields: Sequence[str] | None = None
    ) -> Iterator[list[Row]]:
        """Every record that fulfils the clauses, in pages by ascending id; `fields` None: all fields.

        Raises ShapeChanged when the answer does not fit the question: rows may be missing or foreign then.
        """
        after = Clause("gte", "id", 0)
        while True:
            body: Row = {"MaxRecords": PAGE, "filter": [clause.body() for clause in (*clauses, after)]}
            if fields is not None:
                body["IncludeFields"] = list(fields)
            answer = judged(self._call("POST", f"/V1.0/{entity}/query", body))
            rows, more = _page(answer)
            last = _must_fit(answer.what, rows, more, (*clauses, after))
            if rows:
                yield rows
            if not more:
                return
            after = Clause("gt", "id", last)

    def contact(self, contact_id: str) -> Row | None:
        """One contact with all its fields, or None where Autotask has none: `item` null and 404 both mean that."""
        answer = self._call("GET", f"/V1.0/Contacts/{int(contact_id)}")
        if answer.status == 404 and not is_html(answer):
            return None
        row = fields_of(judged(answer, contact=contact_id), "item")["item"]
        return None if row is None else record_of(answer, row, int(contact_id))

    def count(self, entity: str, *clauses: Row) -> int:
        """How many records fulfil clauses that go out as they are: to see what Autotask makes of them."""
        answer = judged(self._call("POST", f"/V1.0/{entity}/query/count", {"filter": list(clauses)}))
        return number(answer.what, fields_of(answer, "queryCount")["queryCount"])

    # --- writing ----------------------------------------------------------------------------------------------

    def set_contact_udf(self, contact_id: str, company_id: int, name: str, value: str) -> None:
        """Set one UDF of one contact and touch nothing else. Whether it was kept, only a read tells.

        Raises Permanent when Autotask does not take the value, Ambiguous when the answer was lost.
        """
        body = {"id": int(contact_id), "userDefinedFields": [{"name": name, "value": value}]}
        try:
            answer = self._call("PATCH", f"/V1.0/Companies/{company_id}/Contacts", body)
        except Ambiguous as error:
            error.contact = contact_id
            raise
        judged(answer, contact=contact_id, writing=True)

    # --- allowance --------------------------------------------------------------------------------------------

    def usage(self) -> Usage:
        """What the tenant has used up, all integrations together; our pace is told."""
        answer = self.get("/V1.0/ThresholdInformation")
        body = fields_of(answer, "currentTimeframeRequestCount")
        usage = Usage(
            number(answer.what, body["currentTimeframeRequestCount"]),
            number(answer.what, body.get("externalRequestThreshold", DOCUMENTED_CALLS)),
            number(answer.what, body.get("requestThresholdTimeframe", 60)),
        )
        # What lies outside our own half belongs to the others; only what they use beyond it narrows ours.
        self._pace.others_used(usage.used - int(usage.allowed * USABLE) + OUR_CALLS)
        return usage

    def watch_usage(self) -> None:
        """Look at the counter if that was not done lately. A counter that cannot be read stops nothing.

        Unless Autotask says when to come back: then the call after it would only be refused as well.
        """
        with self._lock:
            due = self._counted is None or self.moments.passed(self._counted, SECONDS_BETWEEN_COUNTS)
            if due:
                self._counted = self.moments.now()
        if not due:
            return
        self._zone.client()  # a zone that cannot be found does stop everything
        try:
            self.usage()
        except (Transient, Permanent, ShapeChanged) as error:
            if isinstance(error, Transient) and error.retry_after is not None:
                raise
        finally:
            with self._lock:
                self._counted = self.moments.now()


def _page(answer: Answer) -> tuple[list[Row], bool]:
    """The rows of a page, and whether there are more."""
    body = fields_of(answer, "items")
    rows = rows_in(body["items"], f"{answer.what}: 'items'", answer)
    details = body.get("pageDetails") or {}
    if not isinstance(details, dict):
        raise ShapeChanged(f"{answer.what}: 'pageDetails' is not an object")
    count = details.get("count")
    if isinstance(count, int) and count != len(rows):
        raise ShapeChanged(f"{answer.what}: {len(rows)} records came, but the answer counts {count}")
    # A server may give pages that are smaller than asked; then it names a next one.
    more = len(rows) >= PAGE or bool(details.get("nextPageUrl"))
    if more and not rows:
        raise ShapeChanged(f"{answer.what}: an empty page that promises more")
    return rows, more


def _must_fit(what: str, rows: list[Row], more: bool, clauses: Sequence[Clause]) -> int:
    """The highest id. ShapeChanged when a row does not fulfil the filter, or going on from it would skip some."""
    if len(rows) > PAGE:
        raise ShapeChanged(f"{what}: {len(rows)} records came, though {PAGE} at most were asked for")
    for clause in clauses:
        must_all_fit(what, (clause.holds(row) for row in rows), clause.field)
    return max(ids_of(what, rows, ascending=more), default=-1)
