"""The clients and users of the HaloPSA stand-in, and what people do to them in its user interface."""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

Entity = Literal["Users", "Client"]

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)

PHONES = ("phonenumber", "mobilenumber", "mobilenumber2", "homenumber")


@dataclass(frozen=True)
class HaloQuirks:
    """Which of the possible behaviours the stand-in shows.

    Where no source is named, the behaviour is *unknown: both shown*.
    """

    write_customfields: Literal["merge", "replace"] = "replace"
    """Whether a posted ``customfields`` array leaves the fields alone that it does not name. A maintainer of a
    client reports that it empties them (seen live, for assets and clients); nobody reports it for users."""
    list_customfields: Literal["all", "set", "empty", "none", "on request"] = "all"
    """What list rows show: every custom field, set ones only, an empty array, no such key, or only those that
    ``include_custom_fields`` names by id (a client sends it; no specification has it)."""
    full_unset: Literal["null", "missing"] = "null"
    """Unset custom fields of a full record."""
    omit_nulls: bool = False
    """Leave out what is null (seen live, for invoices)."""
    list_phones: Literal["all", "two"] = "all"
    """Some clients know only ``phonenumber`` and ``mobilenumber`` in list rows."""
    ids: Literal["int", "float"] = "float"
    """``client_id`` and ``site_id`` as 17.0 (the specification types ``site_id`` a double)."""
    select_value: Literal["id", "text id", "label"] = "id"
    """The ``value`` of a selection: the option's id, the id as text, or the option's text; ``display`` is text."""
    select_write: Literal["id", "label", "either"] = "id"
    checkbox_value: Literal["int", "bool", "text"] = "int"
    """1, true or "true" (each is parsed by some client)."""
    field_values: Literal["list", "detail"] = "list"
    """Whether ``GET /FieldInfo`` shows the options, or only ``GET /FieldInfo/{id}``."""
    page_cap: int | None = None
    """The most rows of a page, whatever is asked for (no cap is documented)."""
    ignores_paging: bool = False
    """Every page is page 1, as two other endpoints do (seen live)."""
    ignored: frozenset[str] = frozenset()
    """Query parameters that are not understood: ignored without a word (seen live)."""
    record_count: bool = True
    bare_list: bool = False
    """Some endpoints answer a bare list (client code)."""
    missing: Literal["404", "null"] = "404"
    """A record that does not exist."""
    post_answer: Literal["array", "object", "empty"] = "array"
    post_status: int = 201
    error_shape: Literal["resultCode", "ClassName", "Message", "error", "text", "errors"] = "Message"
    """The five shapes that a PowerShell client parses, and one that a .NET client looks for."""
    max_array: int | None = None
    """The most records of a POST (unknown; none is published)."""
    read_lag_reads: int = 0
    read_lag_seconds: float = 0.0
    """For so many reads of the record, or so long, reads show what was before a write (seen live, for tickets)."""
    token_seconds: int = 3600
    tenant_in: Literal["query", "form", "any", "ignored"] = "any"
    """Where the tenant must be named: clients send it as query, in the form, or not at all."""
    authinfo: Literal["good", "missing", "elsewhere"] = "good"
    rate_limit: int | None = None
    rate_window: float = 300.0
    retry_after: Literal["none", "seconds", "date", "absurd"] = "none"
    """Whether a 429 says when to come back (unproven)."""
    forbidden: frozenset[str] = frozenset()
    """What scope or role deny, as "GET Users", "POST Users", "GET FieldInfo" (403)."""
    dead_date_filter: bool = True
    """Whether ``lastupdatefromdate`` is ignored for users and clients (unproven)."""
    latency: float = 0.0


@dataclass(frozen=True)
class HaloField:
    """A custom field: its API name (with CF), label, and for a selection its options as (id, text)."""

    id: int
    name: str
    label: str
    kind: Literal["select", "checkbox", "text"] = "select"
    options: tuple[tuple[int, str], ...] = ()
    usage: int = 0

    @property
    def type(self) -> int:
        """A number for the kind; the vendor's are not documented."""
        return {"text": 0, "select": 2, "checkbox": 6}[self.kind]

    def option(self, given: Any, how: str = "either") -> int | None:
        """The id of an option that is given by its id or its text, or None where it has no such option."""
        text = re.sub(r"\.0$", "", str(given).strip())
        for option_id, label in self.options:
            if (how != "label" and text == str(option_id)) or (how != "id" and text.lower() == label.lower()):
                return option_id
        return None

    def described(self, *, values: bool) -> dict[str, Any]:
        """How FieldInfo shows it."""
        shown: dict[str, Any] = {"id": self.id, "name": self.name, "label": self.label, "type": self.type}
        shown |= {"custom": 1, "usage": self.usage, "inputtype": 0, "readonly": False}
        if values and self.kind == "select":
            shown["values"] = [{"id": option_id, "name": label} for option_id, label in self.options]
        return shown


class Write(NamedTuple):
    """One field that the API changed, or that it pretended to change (``applied`` is then False)."""

    entity: str
    id: int
    field: str
    old: Any
    new: Any
    applied: bool


@dataclass
class Record:
    """One client or user: fields by name, and set custom fields by the name of the field as they are stored."""

    id: int
    values: dict[str, Any]
    custom: dict[str, Any] = field(default_factory=dict)
    past: tuple[dict[str, Any], dict[str, Any]] | None = None
    past_reads: int = 0
    past_until: datetime = LONG_AGO

    def shown(self, now: datetime, *, count: bool = True) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a read at this moment shows: fields and custom fields."""
        if self.past is not None and (self.past_reads > 0 or self.past_until > now):
            self.past_reads -= count
            return self.past
        return self.values, self.custom


class HaloRecords:
    """The part of ``HaloPsaServer`` that a test uses to set up and to look at the tenant.

    Its methods are what people do in the user interface: they take effect at once and never meet faults or lag.
    Values of custom fields are given as people see them; None clears them.
    """

    clock: Callable[[], datetime]

    def __init__(
        self, quirks: HaloQuirks, user_fields: Iterable[HaloField], client_fields: Iterable[HaloField]
    ) -> None:
        self.quirks = quirks
        self.lock = threading.RLock()
        self.writes: list[Write] = []
        self.created: list[int] = []
        self.records: dict[str, dict[int, Record]] = {"Users": {}, "Client": {}}
        self.fields: dict[str, list[HaloField]] = {"Users": list(user_fields), "Client": list(client_fields)}
        self._next_ids = {"Users": 101, "Client": 12}

    def change(self, **quirks: Any) -> None:
        """Change some of the quirks; see ``HaloQuirks`` for their names."""
        with self.lock:
            self.quirks = replace(self.quirks, **quirks)

    # Clients and users come, change and go.

    def add_client(
        self, name: str, approval: str | None = None, *, client_id: int | None = None, **values: Any
    ) -> int:
        """Add a client and return its id. ``approval`` sets the first custom field of clients."""
        given = {"name": name, "inactive": False, "toplevel_id": 1, "toplevel_name": "Customers"} | values
        return self._add("Client", client_id, given, approval)

    def add_user(
        self,
        client: int,
        name: str,
        *,
        mobile: str | None = None,
        phone: str | None = None,
        opt_in: str | None = None,
        active: bool = True,
        user_id: int | None = None,
        **values: Any,
    ) -> int:
        """Add a user (a contact) and return its id. ``opt_in`` sets the first custom field of users."""
        first, _, last = name.partition(" ")
        given = {
            "name": name,
            "firstname": first,
            "surname": last,
            "emailaddress": None,
            "client_id": client,
            "client_name": self.records["Client"][client].values["name"]
            if client in self.records["Client"]
            else "",
            "site_id": client * 10,
            "site_name": "Main",
            "sitephonenumber": "202-555-0100",
            "inactive": not active,
            "phonenumber": phone,
            "mobilenumber": mobile,
            "mobilenumber2": None,
            "homenumber": None,
            "isserviceaccount": False,
            "linked_agent_id": 0,
        }
        return self._add("Users", user_id, given | values, opt_in)

    def edit(self, entity: Entity, record_id: int, **values: Any) -> None:
        """Change fields of a record, by the names of the API."""
        with self.lock:
            self.records[entity][record_id].values.update(values)
            self._touch(entity, self.records[entity][record_id])

    def delete(self, entity: Entity, record_id: int) -> None:
        """Delete a record."""
        with self.lock:
            del self.records[entity][record_id]

    # Custom fields.

    def set_approval(self, client: int, value: str | None) -> None:
        """Set the first custom field of a client, as an account manager does."""
        self.set_custom("Client", client, self.fields["Client"][0].name, value)

    def set_opt_in(self, user: int, value: str | None) -> None:
        """Set the first custom field of a user, as a technician does."""
        self.set_custom("Users", user, self.fields["Users"][0].name, value)

    def set_custom(self, entity: Entity, record_id: int, name: str, value: Any) -> None:
        """Set any custom field by its name."""
        with self.lock:
            record = self.records[entity][record_id]
            record.past = None
            one = next(one for one in self.fields[entity] if one.name == name)
            record.custom.pop(name, None)
            if value is not None:
                option = one.option(value) if one.kind == "select" else None
                record.custom[name] = value if option is None else option
            self._touch(entity, record)

    def opt_in(self, user: int) -> Any:
        """Return what people see in the first custom field of a user."""
        return self._seen("Users", user)

    def approval(self, client: int) -> Any:
        """Return what people see in the first custom field of a client."""
        return self._seen("Client", client)

    def opt_ins(self, client: int | None = None) -> dict[int, Any]:
        """Return what people see in the first custom field of users, by id, of one client or of all."""
        with self.lock:
            users = self.records["Users"].values()
            return {one.id: self.opt_in(one.id) for one in users if client in {None, one.values["client_id"]}}

    def snapshot(self, *, without: Iterable[str] = ()) -> dict[str, dict[int, dict[str, Any]]]:
        """Return all records whole, but for these fields and the dates of the last change."""
        left_out = {*without, "ulastupdate", "alastupdate"}
        with self.lock:
            return {
                entity: {
                    one.id: {
                        key: copy.deepcopy(value)
                        for key, value in {**one.values, **one.custom}.items()
                        if key not in left_out
                    }
                    for one in records.values()
                }
                for entity, records in self.records.items()
            }

    # How records change, for the API too.

    def apply_with_lag(
        self, entity: str, record: Record, values: Mapping[str, Any], custom: dict[str, Any]
    ) -> None:
        """Change a record as the API does: reads may lag behind."""
        quirks = self.quirks
        if quirks.read_lag_reads or quirks.read_lag_seconds:
            record.past = (dict(record.values), dict(record.custom))
            record.past_reads = quirks.read_lag_reads
            record.past_until = self.clock() + timedelta(seconds=quirks.read_lag_seconds)
        for name in {**record.custom, **custom}:
            if record.custom.get(name) != custom.get(name):
                old, new = record.custom.get(name), custom.get(name)
                self.writes.append(Write(entity, record.id, name, old, new, applied=True))
        for name, value in values.items():
            if record.values.get(name) != value:
                old = record.values.get(name)
                self.writes.append(Write(entity, record.id, name, old, value, applied=True))
        record.values.update(values)
        record.custom = custom
        self._touch(entity, record)

    def next_id(self, entity: str) -> int:
        """Return an id that is free."""
        self._next_ids[entity] += 1
        return self._next_ids[entity]

    def _touch(self, entity: str, record: Record) -> None:
        key = "ulastupdate" if entity == "Users" else "alastupdate"
        record.values[key] = self.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")

    def _add(self, entity: Entity, record_id: int | None, values: dict[str, Any], first: str | None) -> int:
        with self.lock:
            record_id = self.next_id(entity) if record_id is None else record_id
            self._next_ids[entity] = max(self._next_ids[entity], record_id)
            self.records[entity][record_id] = Record(record_id, values)
            if self.fields[entity]:
                self.set_custom(entity, record_id, self.fields[entity][0].name, first)
            return record_id

    def _seen(self, entity: Entity, record_id: int) -> Any:
        with self.lock:
            one = self.fields[entity][0]
            value = self.records[entity][record_id].custom.get(one.name)
            return next((label for option_id, label in one.options if option_id == value), value)


def sms_opt_in() -> HaloField:
    """Return the user field of syncd's example configuration."""
    return HaloField(45, "CFSMSOptIn", "SMS Opt-In", "select", ((1, "Opted-In"), (2, "Opted-Out")), 3)


def sms_approval() -> HaloField:
    """Return the client field of syncd's example configuration."""
    options = ((1, "Approved"), (2, "Opted-Out"), (3, "Pending"))
    return HaloField(46, "CFSMSApproval", "SMS Approval", "select", options, 4)


def birthday() -> HaloField:
    """Return a user field that is none of syncd's business."""
    return HaloField(51, "CFBirthday", "Birthday", "text", (), 3)
