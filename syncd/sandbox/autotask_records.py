"""The companies and contacts of the Autotask stand-in, and what people do to them in its user interface."""

from __future__ import annotations

import bisect
import copy
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from syncd.sandbox.autotask_fields import COMPANIES, CONTACTS, Entity, Udf, list_udf

EntityName = Literal["Contacts", "Companies"]


@dataclass(frozen=True)
class AutotaskQuirks:
    """Which of the possible behaviours the stand-in shows.

    Where no source is named, the behaviour is *unknown: both shown*.
    """

    unset_udf: Literal["null", "[]", "missing"] = "null"
    """How an unset UDF shows: with value null, or left out of the list; when nothing at all is set the list is
    then empty, or missing altogether (all seen live by third parties)."""
    udf_read: Literal["value", "label"] = "value"
    """What a list UDF shows when it is read; clients exist for either."""
    udf_write: Literal["value", "label", "either"] = "value"
    udf_filter: Literal["value", "label"] = "value"
    unset_matches_noteq: bool = False
    """Whether ``noteq`` and ``notIn`` match records where the field is unset."""
    udf_edit_moves_stamps: bool = True
    """Whether an edit of nothing but a UDF moves lastModifiedDate and lastTrackedModifiedDateTime."""
    dates: Literal["ms", "Z", "naive"] = "ms"
    """``2015-06-10T13:22:29.877Z``, without fraction, or without zone (each seen live; always UTC)."""
    bad_operator: Literal["drop", "error"] = "drop"
    """An operator that does not exist: the clause is dropped without a word (seen live)."""
    missing_item: Literal["null", "404"] = "null"
    """GET of an id that does not exist; both were seen live."""
    patch_answer: Literal["itemId", "id", "empty"] = "itemId"
    """The answer to a write: ``itemId`` by the models, an id by client code, no JSON by the help pages."""
    wrong_parent: Literal["error", "applied"] = "error"
    """A PATCH through a company that the contact does not belong to."""
    bad_integration_code: Literal["401", "500"] = "401"
    read_lag_seconds: float = 0.0
    read_lag_reads: int = 0
    """For so long, or for so many reads of the record, reads show what was before a write through the API."""
    restricted: frozenset[EntityName] = frozenset()
    """Entities of which this API user sees no rows; documented for restricted security levels."""
    no_update: frozenset[EntityName] = frozenset()
    """Entities that this API user may not write: status 500 with a text about permissions (seen live)."""
    thread_limit: int | None = 3
    """Requests in flight per endpoint and tracking code (documented)."""
    thread_limit_status: int = 429
    child_bucket: EntityName = "Companies"
    """The endpoint that ``/Companies/{id}/Contacts`` counts under."""
    slot_lingers: float = 0.0
    """Seconds that a slot stays taken after the answer (seen live: slightly)."""
    hourly_threshold: int = 10_000
    """Requests per rolling hour of all integrations together (documented)."""
    usage_latency: bool = False
    """Add 0.5 s from 50 % and 1 s from 75 % of the threshold on (documented, by quotation)."""
    latency: float = 0.0
    zone_double_slash: bool = False
    """Older servers put ``//`` into the zone's URL (seen live)."""
    api_versions: tuple[str, ...] = ("V1.0", "V2.0")
    """Both are listed, though V2.0 lacks the zone call (seen live)."""


class Write(NamedTuple):
    """One field that the API changed, or that it pretended to change (``applied`` is then False)."""

    entity: str
    id: int
    field: str
    old: Any
    new: Any
    at: datetime
    applied: bool


@dataclass
class Past:
    """What reads still show of a record after a write."""

    values: dict[str, Any]
    udfs: dict[str, str]
    until: datetime
    reads: int


@dataclass
class Record:
    """One company or contact: built-in fields by name, set UDFs by name (values as stored)."""

    id: int
    values: dict[str, Any]
    udfs: dict[str, str] = field(default_factory=dict)
    past: Past | None = None

    def shown(self, now: datetime) -> Past | Record:
        """Return what a read at this moment shows, without counting the read."""
        if self.past is not None and (self.past.reads > 0 or self.past.until > now):
            return self.past
        return self


class Table:
    """All records of one entity in the order of their ids, and its UDFs by lower-case name."""

    def __init__(self, entity: Entity, udfs: Iterable[Udf]) -> None:
        self.entity = entity
        self.udfs = {udf.name.lower(): udf for udf in udfs}
        self.records: dict[int, Record] = {}
        self.hidden: set[int] = set()
        self._ids: list[int] = []

    def add(self, record: Record) -> None:
        """Add a record; its id must be free."""
        if record.id in self.records:
            raise ValueError(f"{self.entity.singular} {record.id} exists already")
        self.records[record.id] = record
        bisect.insort(self._ids, record.id)

    def remove(self, record_id: int) -> None:
        """Delete a record."""
        del self.records[record_id]
        self._ids.remove(record_id)

    def after(self, record_id: int | None) -> Iterator[Record]:
        """Return the visible records with a greater id (None: all), by ascending id."""
        start = 0 if record_id is None else bisect.bisect_right(self._ids, record_id)
        return (self.records[known] for known in self._ids[start:] if known not in self.hidden)

    def find(self, record_id: int) -> Record | None:
        """Return a visible record."""
        return None if record_id in self.hidden else self.records.get(record_id)


class AutotaskRecords:
    """The part of ``AutotaskServer`` that a test uses to set up and to look at the tenant.

    Its methods are what people do in the user interface: they take effect at once, are not validated as API
    writes are, and never meet faults or lag. UDF values may be given as value or as label.
    """

    clock: Callable[[], datetime]

    def __init__(self, quirks: AutotaskQuirks, contact_udfs: Iterable[Udf], company_udfs: Iterable[Udf]) -> None:
        self.quirks = quirks
        self.lock = threading.RLock()
        self.writes: list[Write] = []
        self.contacts = Table(CONTACTS, contact_udfs)
        self.companies = Table(COMPANIES, company_udfs)
        self.contact_field = next(iter(self.contacts.udfs.values())).name
        self.company_field = next(iter(self.companies.udfs.values())).name
        self._next_ids = {"Contacts": 30_684_001, "Companies": 175}

    def change(self, **quirks: Any) -> None:
        """Change some of the quirks; see ``AutotaskQuirks`` for their names."""
        with self.lock:
            self.quirks = replace(self.quirks, **quirks)

    def table(self, entity: str) -> Table:
        """Return the records of ``Contacts`` or ``Companies``."""
        return self.contacts if entity.lower() == "contacts" else self.companies

    # Companies and contacts come, change and go.

    def add_company(
        self,
        name: str,
        approval: str | None = None,
        *,
        company_id: int | None = None,
        active: bool = True,
        parent: int | None = None,
        **fields: Any,
    ) -> int:
        """Add a company and return its id. ``approval`` sets the first company UDF."""
        values = {
            "companyName": name,
            "isActive": active,
            "parentCompanyID": parent,
            "companyType": 1,
            "ownerResourceID": 29_682_885,
            "phone": "",
            "companyNumber": "",  # never null, unlike other unset texts (client code)
        }
        return self._add(self.companies, company_id, values | fields, {self.company_field: approval})

    def add_contact(
        self,
        company: int,
        first: str,
        last: str,
        *,
        mobile: str | None = None,
        phone: str | None = None,
        opt_in: str | None = None,
        active: bool = True,
        contact_id: int | None = None,
        **fields: Any,
    ) -> int:
        """Add a contact and return its id. ``opt_in`` sets the first contact UDF."""
        values = {
            "companyID": company,
            "firstName": first,
            "lastName": last,
            "isActive": int(active),
            "mobilePhone": mobile,
            "phone": phone,
        }
        return self._add(self.contacts, contact_id, values | fields, {self.contact_field: opt_in})

    def edit_company(self, company: int, **fields: Any) -> None:
        """Change built-in fields of a company."""
        self._edit(self.companies, company, fields, {})

    def edit_contact(self, contact: int, **fields: Any) -> None:
        """Change built-in fields of a contact, by the names of the API."""
        self._edit(self.contacts, contact, fields, {})

    def move_contact(self, contact: int, company: int) -> None:
        """Move a contact to another company, which the API itself cannot do (seen live)."""
        self._edit(self.contacts, contact, {"companyID": company}, {})

    def deactivate_contact(self, contact: int, *, active: bool = False) -> None:
        """Make a contact inactive, or active again."""
        self._edit(self.contacts, contact, {"isActive": int(active)}, {})

    def deactivate_company(self, company: int, *, active: bool = False) -> None:
        """Make a company inactive, or active again."""
        self._edit(self.companies, company, {"isActive": active}, {})

    def delete_contact(self, contact: int) -> None:
        """Delete a contact."""
        with self.lock:
            self.contacts.remove(contact)

    def delete_company(self, company: int) -> None:
        """Delete a company and leave its contacts; the API cannot do this (documented)."""
        with self.lock:
            self.companies.remove(company)

    def hide(self, entity: EntityName, *record_ids: int) -> None:
        """Hide records from the API user, as when a permission is lost; without ids show all of them again."""
        with self.lock:
            self.table(entity).hidden = set(record_ids)

    # The consent fields.

    def set_approval(self, company: int, value: str | None) -> None:
        """Set the first company UDF, as an account manager does; None clears it."""
        self.set_udf("Companies", company, self.company_field, value)

    def set_opt_in(self, contact: int, value: str | None) -> None:
        """Set the first contact UDF, as a technician does; None clears it."""
        self.set_udf("Contacts", contact, self.contact_field, value)

    def set_udf(self, entity: EntityName, record_id: int, name: str, value: str | None) -> None:
        """Set any UDF by its value or label; None clears it. Values outside its list are stored as they are."""
        self._edit(self.table(entity), record_id, {}, {name: value})

    def approval(self, company: int) -> str | None:
        """Return what people see in the first company UDF."""
        return self._seen(self.companies, company, self.company_field)

    def opt_in(self, contact: int) -> str | None:
        """Return what people see in the first contact UDF, whatever reads through the API still show."""
        return self._seen(self.contacts, contact, self.contact_field)

    def opt_ins(self, company: int | None = None) -> dict[int, str | None]:
        """Return what people see in the first contact UDF, by contact id, of one company or of all."""
        with self.lock:
            return {
                record.id: self._seen(self.contacts, record.id, self.contact_field)
                for record in self.contacts.records.values()
                if company in {None, record.values["companyID"]}
            }

    # The fields themselves.

    def define_udf(self, entity: EntityName, udf: Udf) -> None:
        """Add a UDF or change its list."""
        with self.lock:
            self.table(entity).udfs[udf.name.lower()] = udf

    def remove_udf(self, entity: EntityName, name: str) -> None:
        """Delete a UDF with all its values."""
        with self.lock:
            table = self.table(entity)
            del table.udfs[name.lower()]
            for record in table.records.values():
                record.udfs.pop(name, None)

    def rename_udf(self, entity: EntityName, name: str, new_name: str) -> None:
        """Give a UDF another name, as an administrator may at any time; the values stay."""
        with self.lock:
            table = self.table(entity)
            udf = table.udfs.pop(name.lower())
            table.udfs[new_name.lower()] = replace(udf, name=new_name)
            for record in table.records.values():
                if name in record.udfs:
                    record.udfs[new_name] = record.udfs.pop(name)
            self.contact_field = (
                new_name if (entity, self.contact_field) == ("Contacts", name) else self.contact_field
            )
            self.company_field = (
                new_name if (entity, self.company_field) == ("Companies", name) else self.company_field
            )

    # Looking.

    def contact(self, contact: int) -> dict[str, Any]:
        """Return a copy of a contact's built-in fields."""
        with self.lock:
            return dict(self.contacts.records[contact].values)

    def company(self, company: int) -> dict[str, Any]:
        """Return a copy of a company's built-in fields."""
        with self.lock:
            return dict(self.companies.records[company].values)

    def snapshot(
        self, *, without: Iterable[str] = (), stamps: bool = False
    ) -> dict[str, dict[int, dict[str, Any]]]:
        """Return all records as ``{"Contacts": {id: {field or "udf NAME": value}}, "Companies": ...}``.

        For "nothing else was touched" comparisons: leave out the fields in ``without`` (UDFs by their name)
        and, unless ``stamps``, the dates of the last change.
        """
        with self.lock:
            result: dict[str, dict[int, dict[str, Any]]] = {}
            for table in (self.contacts, self.companies):
                left_out = set(without) | (set() if stamps else {table.entity.modified, table.entity.activity})
                result[table.entity.name] = {
                    record.id: copy.deepcopy(
                        {name: value for name, value in record.values.items() if name not in left_out}
                        | {f"udf {name}": value for name, value in record.udfs.items() if name not in left_out}
                    )
                    for record in table.records.values()
                }
            return result

    # How records change, for the API too.

    def stamp(self) -> str:
        """Return the present moment as Autotask writes dates, in UTC."""
        moment = self.clock().astimezone(UTC)
        text = moment.strftime("%Y-%m-%dT%H:%M:%S")
        if self.quirks.dates == "ms":
            return f"{text}.{moment.microsecond // 1000:03d}Z"
        return text + ("Z" if self.quirks.dates == "Z" else "")

    def apply(
        self, table: Table, record: Record, values: Mapping[str, Any], udfs: Mapping[str, str | None]
    ) -> None:
        """Change a record (names as defined, UDF values as stored) and move its stamps."""
        record.values = record.values | dict(values)
        record.udfs = {name: value for name, value in {**record.udfs, **udfs}.items() if value is not None}
        if values or self.quirks.udf_edit_moves_stamps:
            record.values[table.entity.modified] = record.values[table.entity.activity] = self.stamp()

    def apply_with_lag(
        self, table: Table, record: Record, values: Mapping[str, Any], udfs: Mapping[str, str | None]
    ) -> None:
        """Change a record as the API does: reads may lag behind."""
        quirks = self.quirks
        if quirks.read_lag_seconds or quirks.read_lag_reads:
            now = self.clock()
            before = record.shown(now)
            until = now + timedelta(seconds=quirks.read_lag_seconds)
            record.past = Past(dict(before.values), dict(before.udfs), until, quirks.read_lag_reads)
        self.apply(table, record, values, udfs)

    def _add(
        self, table: Table, record_id: int | None, values: dict[str, Any], udfs: dict[str, str | None]
    ) -> int:
        with self.lock:
            name = table.entity.name
            if record_id is None:
                record_id = self._next_ids[name]
            self._next_ids[name] = max(self._next_ids[name], record_id + 1)
            self._check_names(table, values)
            blank: dict[str, Any] = {known.name: None for known in table.entity.fields.values()}
            record = Record(record_id, blank | {"id": record_id, "createDate": self.stamp()})
            self.apply(table, record, values, self._stored(table, udfs))
            record.values[table.entity.modified] = record.values[table.entity.activity] = self.stamp()
            table.add(record)
            return record_id

    def _edit(
        self, table: Table, record_id: int, values: Mapping[str, Any], udfs: Mapping[str, str | None]
    ) -> None:
        with self.lock:
            self._check_names(table, values)
            record = table.records[record_id]
            record.past = None
            self.apply(table, record, values, self._stored(table, udfs))

    def _check_names(self, table: Table, values: Mapping[str, Any]) -> None:
        known = {info.name for info in table.entity.fields.values()}
        if unknown := set(values) - known:
            raise ValueError(f"{table.entity.singular} has no field {', '.join(sorted(unknown))}")

    def _stored(self, table: Table, udfs: Mapping[str, str | None]) -> dict[str, str | None]:
        stored: dict[str, str | None] = {}
        for name, value in udfs.items():
            udf = table.udfs.get(name.lower())
            if udf is None:
                raise ValueError(f"{table.entity.singular} has no user-defined field {name}")
            listed = None if value is None else udf.stored(value, "either", inactive=True)
            stored[udf.name] = value if listed is None else listed
        return stored

    def _seen(self, table: Table, record_id: int, name: str) -> str | None:
        with self.lock:
            value = table.records[record_id].udfs.get(name)
            udf = table.udfs.get(name.lower())
            return value if value is None or udf is None else udf.label_of(value)


def sms_opt_in() -> Udf:
    """Return the contact field of syncd's example configuration."""
    return list_udf("SMS Opt-In", ["Opted-In", "Opted-Out"])


def sms_approval() -> Udf:
    """Return the company field of syncd's example configuration."""
    return list_udf("SMS Approval", ["Approved", "Opted-Out"])
