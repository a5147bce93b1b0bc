"""A stand-in for the part of HaloPSA's REST API that a consent connector needs.

Sources: paths, parameters and schemas are documented by the vendor's machine-readable description, which describes
no answer; answers, limits and traps were seen live by third parties or are read from their clients (which is said
at each). Behaviour that no public source settles is a quirk, see ``HaloQuirks``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from email.utils import format_datetime
from typing import Any, ClassVar, Literal

from syncd.sandbox.exchange import Answer, Request
from syncd.sandbox.halopsa_gate import HaloGate
from syncd.sandbox.halopsa_records import (
    PHONES,
    HaloField,
    HaloQuirks,
    HaloRecords,
    Record,
    birthday,
    sms_approval,
    sms_opt_in,
)
from syncd.sandbox.server import StandIn, utc_now

LIST_KEYS = {"Users": "users", "Client": "clients", "Site": "sites"}
Poison = Literal["silent", "validation", "error", "half"]
"""What every write of a user meets: no effect, a 400 of the model binding, a 500, or a 500 after the effect."""


class HaloPsaServer(HaloGate, HaloRecords, StandIn):
    """HaloPSA on loopback.

    ::

        with HaloPsaServer() as halo:
            acme = halo.add_client("Acme", approval="Approved")
            ann = halo.add_user(acme, "Ann Lee", mobile="(202) 555-0111")
            token = requests.post(halo.base_url + "/auth/token", data=halo.login).json()["access_token"]
            requests.post(halo.base_url + "/api/Users", headers={"Authorization": f"Bearer {token}"},
                          json=[{"id": ann, "customfields": [{"id": 45, "value": 2}]}])
            assert halo.opt_in(ann) == "Opted-Out"

    The first custom field of each entity is the one that ``approval`` and ``opt_in`` stand for. ``writes`` lists
    what the API changed, ``created`` the ids of users that a POST without id created, ``logins`` counts tokens.
    """

    name: ClassVar[str] = "halopsa"

    def __init__(
        self,
        *,
        client_id: str = "sandbox-client",
        client_secret: str = "sandbox-secret",  # noqa: S107  (an invented one)
        tenant: str = "sandbox",
        user_fields: Iterable[HaloField] = (),
        client_fields: Iterable[HaloField] = (),
        quirks: HaloQuirks | None = None,
        port: int = 0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        StandIn.__init__(self, port=port, clock=clock)
        HaloRecords.__init__(
            self,
            quirks or HaloQuirks(),
            list(user_fields) or [sms_opt_in(), birthday()],
            list(client_fields) or [sms_approval()],
        )
        HaloGate.__init__(self, client_id, client_secret, tenant)
        self._poisons: dict[int, Poison] = {}

    # What a test sets up.

    def poison(self, user: int, kind: Poison) -> None:
        """Let every write of a user go wrong."""
        self._poisons[user] = kind

    # What is answered.

    def answer(self, request: Request) -> Answer:
        """Answer one request, with the server's date."""
        answer = self._answer(request)
        date = {"Date": format_datetime(self.clock(), usegmt=True)}
        return answer.changed(headers={**date, **answer.headers})

    def _answer(self, request: Request) -> Answer:
        path = request.path.lower().rstrip("/")
        self.signals.pause(self.quirks.latency)
        if path == "/auth/token" and request.method == "POST":
            return self._login(request)
        if path == "/api/authinfo":
            return self._authinfo()
        if path == "/api/instanceinfo":
            return Answer.json({"version": "v2.214.1", "product": "HaloPSA"})
        if not path.startswith("/api/"):
            return Answer.html("<!DOCTYPE html><html><body>404</body></html>", 404)
        if refusal := self._unknown(request) or self._too_many():
            return refusal
        for method, pattern, work in self._routes():
            match = re.fullmatch(pattern, path)
            if match and method == request.method:
                with self.lock:
                    return work(request, match)
        return self._failed(404, "Not found")

    def _routes(self) -> Iterable[tuple[str, str, Callable[[Request, re.Match[str]], Answer]]]:
        """List method, path and handler: there is no PUT and no PATCH (documented)."""
        entity = r"/api/(?P<entity>users|client)"
        return (
            ("GET", entity, self._list),
            ("GET", entity + r"/(?P<id>-?\d+)", self._item),
            ("DELETE", entity + r"/(?P<id>-?\d+)", self._delete),
            ("POST", entity, self._post),
            ("GET", r"/api/fieldinfo", self._field_list),
            ("GET", r"/api/fieldinfo/(?P<id>\d+)", self._field),
            ("GET", r"/api/lookup", lambda _request, _match: Answer.json([])),
            ("GET", r"/api/site", self._sites),
        )

    def _denied(self, method: str, entity: str) -> Answer | None:
        if f"{method} {entity}" in self.quirks.forbidden:
            return self._failed(403, "You do not have permission to perform this action.")
        return None

    # Reading.

    def _given(self, request: Request) -> dict[str, str]:
        """The parameters that are understood: names in any case, the others ignored (seen live)."""
        ignored = self.quirks.ignored
        return {name.lower(): value for name, value in request.query.items() if name.lower() not in ignored}

    def _list(self, request: Request, match: re.Match[str]) -> Answer:
        entity = _entity(match)
        if denied := self._denied("GET", entity):
            return denied
        given = self._given(request)
        rows = [record for record in self.records[entity].values() if self._wanted(record, given)]
        if given.get("order"):
            key, down = given["order"].lower(), _is_true(given.get("orderdesc"))
            rows.sort(key=lambda one: (one.id if key == "id" else str(one.values.get(key)), one.id), reverse=down)
        total, rows = len(rows), self._page(rows, given)
        wanted = {int(one) for one in re.findall(r"\d+", given.get("include_custom_fields", ""))}
        shown = [self._row(entity, record, wanted) for record in rows]
        if self.quirks.bare_list:
            return Answer.json(shown)
        body: dict[str, Any] = {"record_count": total} if self.quirks.record_count else {}
        return Answer.json(body | {LIST_KEYS[entity]: shown})

    def _page(self, rows: list[Any], given: dict[str, str]) -> list[Any]:
        if _is_true(given.get("pageinate")):
            size = max(1, int(given.get("page_size") or 50))
            size = min(size, self.quirks.page_cap or size)
            page = 1 if self.quirks.ignores_paging else max(1, int(given.get("page_no") or 1))
            return rows[(page - 1) * size : page * size]
        return rows[: int(given["count"])] if given.get("count") else rows

    def _wanted(self, record: Record, given: dict[str, str]) -> bool:
        values = record.values
        for name in ("client_id", "site_id"):
            if name in given and str(values.get(name)) != given[name]:
                return False
        hidden = "includeinactive" if values["inactive"] else "includeactive"
        if not _is_true(given.get(hidden, str(not values["inactive"]))):
            return False
        if _is_true(given.get("exclude_agents")) and values.get("linked_agent_id"):
            return False
        since = given.get("lastupdatefromdate")
        changed = str(values.get("ulastupdate") or values.get("alastupdate") or "")
        if since and not self.quirks.dead_date_filter and changed < since:
            return False
        search = given.get("search", "").lower()
        digits = [re.sub(r"\D", "", str(values.get(phone) or "")) for phone in PHONES]
        if _is_true(given.get("search_phonenumbers")):
            return any(re.sub(r"\D", "", search) in one for one in digits if one)
        return search in str(values["name"]).lower()

    def _row(self, entity: str, record: Record, wanted: set[int]) -> dict[str, Any]:
        """A list row: less than the full record (documented), and custom fields as the quirk says."""
        row = self._shown(entity, record, full=False)
        row.pop("ulastupdate", None)
        row.pop("alastupdate", None)
        if self.quirks.list_phones == "two":
            row.pop("mobilenumber2", None)
            row.pop("homenumber", None)
        shows = self.quirks.list_customfields
        if shows == "empty":
            row["customfields"] = []
        elif shows == "none" or (shows == "on request" and not wanted):
            row.pop("customfields")
        elif shows == "on request":
            row["customfields"] = [one for one in row["customfields"] if one["id"] in wanted]
        elif shows == "set":
            row["customfields"] = [one for one in row["customfields"] if one["value"] is not None]
        return row

    def _shown(self, entity: str, record: Record, *, full: bool) -> dict[str, Any]:
        values, custom = record.shown(self.clock())
        row: dict[str, Any] = {"id": record.id, **values}
        if self.quirks.ids == "float":
            row |= {key: float(row[key]) for key in ("client_id", "site_id") if row.get(key) is not None}
        elements = [self._element(one, custom.get(one.name)) for one in self.fields[entity]]
        if full and self.quirks.full_unset == "missing":
            elements = [one for one in elements if one["value"] is not None]
        row["customfields"] = elements
        return {key: value for key, value in row.items() if value is not None or not self.quirks.omit_nulls}

    def _element(self, one: HaloField, value: Any) -> dict[str, Any]:
        display = None if value is None else str(dict(one.options).get(value, value))
        if value is not None and one.kind == "select":
            value = {"id": value, "text id": str(value), "label": display}[self.quirks.select_value]
        elif value is not None and one.kind == "checkbox":
            on = _is_true(str(value))
            value = {"int": int(on), "bool": on, "text": str(on).lower()}[self.quirks.checkbox_value]
        return {
            "id": one.id,
            "name": one.name,
            "label": one.label,
            "type": one.type,
            "value": value,
            "display": display,
        }

    def _item(self, _request: Request, match: re.Match[str]) -> Answer:
        entity = _entity(match)
        if denied := self._denied("GET", entity):
            return denied
        record = self.records[entity].get(int(match["id"]))
        if record is None:
            return self._failed(404, "Not found") if self.quirks.missing == "404" else Answer.json(None)
        return Answer.json(self._shown(entity, record, full=True))

    def _delete(self, _request: Request, match: re.Match[str]) -> Answer:
        if self.records[_entity(match)].pop(int(match["id"]), None) is None:
            return self._failed(404, "Not found")
        return Answer.json({})

    def _sites(self, request: Request, _match: re.Match[str]) -> Answer:
        """List the one site of each client (its id is ten times the client's)."""
        given = self._given(request)
        address = {f"delivery_address_line{number}": "" for number in range(1, 6)}
        sites = []
        for one in self.records["Client"].values():
            if given.get("client_id", str(one.id)) == str(one.id):
                name = one.values["name"]
                names = {"name": "Main", "client_name": name, "clientsite_name": f"{name}/Main"}
                row = {"id": one.id * 10.0, "client_id": float(one.id), "inactive": False, "phonenumber": ""}
                sites.append(row | names | (address if _is_true(given.get("includeaddress")) else {}))
        return Answer.json({"record_count": len(sites), "sites": self._page(sites, given)})

    def _field_list(self, request: Request, _match: re.Match[str]) -> Answer:
        if denied := self._denied("GET", "FieldInfo"):
            return denied
        values = self.quirks.field_values == "list" and _is_true(self._given(request).get("includevalues"))
        return Answer.json([one.described(values=values) for fields in self.fields.values() for one in fields])

    def _field(self, _request: Request, match: re.Match[str]) -> Answer:
        if denied := self._denied("GET", "FieldInfo"):
            return denied
        for one in (one for fields in self.fields.values() for one in fields):
            if one.id == int(match["id"]):
                return Answer.json(one.described(values=True))
        return self._failed(404, "Not found")

    # Writing.

    def _post(self, request: Request, match: re.Match[str]) -> Answer:
        """Update each record that has an id and create the others; one bad record refuses the whole array."""
        entity = _entity(match)
        if denied := self._denied("POST", entity):
            return denied
        try:
            rows = json.loads(request.body)
        except ValueError:
            rows = None
        if not isinstance(rows, list):  # a bare object: seen live
            return Answer.json({"": ["Cannot deserialize the current JSON object into a list of records"]}, 400)
        if len(rows) > (self.quirks.max_array or len(rows)):
            return self._failed(400, "Too many records")
        for index, row in enumerate(rows):
            if complaint := self._complaint(entity, row):
                return Answer.json(
                    {f"[{index}].{complaint}": [f"Could not convert. Path '[{index}].{complaint}'"]}, 400
                )
        poisons = [self._poisons.get(row.get("id") or 0) for row in rows]
        if "error" in poisons:
            return self._failed(500, "An error has occurred.")
        answers = [
            self._save(entity, row, silent=poison == "silent") for row, poison in zip(rows, poisons, strict=True)
        ]
        if "half" in poisons:
            return self._failed(500, "An error has occurred.")
        if None in answers:
            return self._failed(404, "Not found")
        if self.quirks.post_answer == "empty":
            return Answer(self.quirks.post_status, b"")
        answer: Any = answers[0] if self.quirks.post_answer == "object" and len(answers) == 1 else answers
        return Answer.json(answer, self.quirks.post_status)

    def _complaint(self, entity: str, row: Any) -> str | None:
        if not isinstance(row, dict) or self._poisons.get(row.get("id") or 0) == "validation":
            return "customfields[0].value"
        for index, element in enumerate(row.get("customfields") or []):
            one = next((one for one in self.fields[entity] if one.id == element.get("id")), None)
            value = element.get("value")
            if one is None or (one.kind == "select" and value is not None and self._stored(one, value) is None):
                return f"customfields[{index}].value"
        return None

    def _stored(self, one: HaloField, value: Any) -> Any:
        return one.option(value, self.quirks.select_write) if one.kind == "select" else value

    def _save(self, entity: str, row: dict[str, Any], *, silent: bool) -> dict[str, Any] | None:
        record_id = row.get("id")
        if not record_id:
            record_id = self._new(entity, row)
            self.created.append(record_id)
        record = self.records[entity].get(int(record_id))
        if record is None:
            return None
        names = {one.id: one for one in self.fields[entity]}
        custom = dict(record.custom)
        if "customfields" in row:
            if self.quirks.write_customfields == "replace":
                custom = {}
            given = {names[one["id"]].name: (names[one["id"]], one.get("value")) for one in row["customfields"]}
            for name, (one, value) in given.items():
                custom.pop(name, None)
                if value is not None:
                    custom[name] = self._stored(one, value)
        values = {key: value for key, value in row.items() if key not in ("id", "customfields") and key[0] != "_"}
        if not silent:
            self.apply_with_lag(entity, record, values, custom)
        return (
            self._shown(entity, record, full=True) if record.past is None else {"id": record.id, **record.values}
        )

    def _new(self, entity: str, row: dict[str, Any]) -> int:
        """Add a record; a user belongs to the client that is given, else to that of the site."""
        if entity == "Client":
            return self.add_client(str(row.get("name") or ""))
        name = row.get("name") or f"{row.get('firstname') or ''} {row.get('surname') or ''}".strip()
        return self.add_user(int(row.get("client_id") or int(row.get("site_id") or 10) // 10), str(name))


def _entity(match: re.Match[str]) -> str:
    return {"users": "Users", "client": "Client"}[match["entity"]]


def _is_true(value: str | None) -> bool:
    return (value or "").strip().lower() in {"true", "1", "yes", "on"}
