"""The tenant of the ConnectWise stand-in: its records, and what people do in its user interface."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from syncd.sandbox.connectwise_fields import ConnectWiseQuirks, CustomField, Kind
from syncd.sandbox.connectwise_query import Row


class Write(NamedTuple):
    """One thing that the API changed: the custom field's caption, or the path of the operation."""

    kind: Kind
    id: int
    field: str
    old: Any
    new: Any
    at: datetime


@dataclass
class Record:
    """One company or contact: what the API shows of it, and its custom fields by id."""

    id: int
    values: Row
    custom: dict[int, Any] = field(default_factory=dict)
    updated: str = ""
    updated_by: str = "Admin1"
    entered: str = ""


class ConnectWiseRecords:
    """The part of ``ConnectWiseServer`` that a test uses to set up and to look at the tenant.

    Its methods are what people do in the user interface: they take effect at once, are not validated as API
    writes are, and never meet faults.
    """

    clock: Callable[[], datetime]

    def __init__(self, quirks: ConnectWiseQuirks, fields: Iterable[CustomField]) -> None:
        self.quirks = quirks
        self.lock = threading.RLock()
        self.writes: list[Write] = []
        self.audits: list[tuple[Kind, int, Row]] = []
        self.records: dict[Kind, dict[int, Record]] = {"Contacts": {}, "Companies": {}}
        self.fields = {known.id: known for known in fields}
        self.types = ["Direct", "Cell", "Main", "Fax", "Email"]
        self.statuses = ["Active", "Inactive", "Credit Hold", "Former Client", "Not Approved"]
        self.contact_field = next(f.caption for f in self.fields.values() if f.kind == "Contacts")
        self.company_field = next(f.caption for f in self.fields.values() if f.kind == "Companies")
        self._next_ids: dict[Kind, int] = {"Contacts": 57_001, "Companies": 250}
        self._next_item = 99_001

    def change(self, **quirks: Any) -> None:
        """Change some of the quirks; see ``ConnectWiseQuirks`` for their names."""
        with self.lock:
            self.quirks = replace(self.quirks, **quirks)

    # Companies and contacts come, change and go.

    def add_company(
        self,
        name: str,
        approval: Any = None,
        *,
        status: str = "Active",
        company_id: int | None = None,
        **values: Any,
    ) -> int:
        """Add a company and return its id. ``approval`` sets the first custom field of companies."""
        with self.lock:
            new = {
                "identifier": "".join(filter(str.isalnum, name))[:25],
                "name": name,
                "status": self._reference(self.statuses, status),
                "phoneNumber": "2025550100",
                "deletedFlag": False,
                "types": [],
            }
            return self._add("Companies", company_id, new | values, {self.company_field: approval})

    def add_contact(
        self,
        company: int | None,
        first: str,
        last: str,
        *,
        mobile: str | None = None,
        phone: str | None = None,
        items: Sequence[tuple[str, str | None, str | None]] = (),
        opt_in: Any = None,
        active: bool = True,
        contact_id: int | None = None,
        **values: Any,
    ) -> int:
        """Add a contact and return its id.

        ``mobile`` and ``phone`` become items of the types Cell and Direct; ``items`` are further ones as (type,
        value, communicationType). ``opt_in`` sets the first custom field of contacts.
        """
        listed = [
            *([("Cell", mobile, "Phone")] if mobile else []),
            *([("Direct", phone, "Phone")] if phone else []),
        ]
        with self.lock:
            new: Row = {"firstName": first, "lastName": last, "inactiveFlag": not active, "types": []}
            if company is not None:
                new["company"] = self._company_reference(company)
                new["site"] = {"id": 1000, "name": "Main", "_info": {}}
                new |= {"defaultPhoneType": "Site", "defaultPhoneNbr": "2025550100"}
            new["communicationItems"] = [self._item(*item) for item in (*listed, *items)]
            return self._add("Contacts", contact_id, new | values, {self.contact_field: opt_in})

    def add_item(self, contact: int, type_name: str, value: str | None, kind: str | None = "Phone") -> None:
        """Add a communication item to a contact."""
        with self.lock:
            items = self.records["Contacts"][contact].values["communicationItems"]
            items.append(self._item(type_name, value, kind))

    def edit_contact(self, contact: int, **values: Any) -> None:
        """Change fields of a contact, by the names of the API."""
        self._edit("Contacts", contact, values, {})

    def edit_company(self, company: int, **values: Any) -> None:
        """Change fields of a company, by the names of the API."""
        self._edit("Companies", company, values, {})

    def move_contact(self, contact: int, company: int) -> None:
        """Move a contact to another company."""
        self._edit("Contacts", contact, {"company": self._company_reference(company)}, {})

    def deactivate_contact(self, contact: int, *, active: bool = False) -> None:
        """Make a contact inactive, or active again."""
        self._edit("Contacts", contact, {"inactiveFlag": not active}, {})

    def delete_contact(self, contact: int) -> None:
        """Delete a contact."""
        with self.lock:
            del self.records["Contacts"][contact]

    def delete_company(self, company: int) -> None:
        """Delete a company and leave its contacts."""
        with self.lock:
            del self.records["Companies"][company]

    # The consent fields.

    def set_approval(self, company: int, value: Any) -> None:
        """Set the first custom field of companies, as an account manager does; None clears it."""
        self._edit("Companies", company, {}, {self.company_field: value})

    def set_status(self, company: int, status: str) -> None:
        """Set the status of a company."""
        self._edit("Companies", company, {"status": self._reference(self.statuses, status)}, {})

    def set_opt_in(self, contact: int, value: Any) -> None:
        """Set the first custom field of contacts, as a technician does; None clears it."""
        self._edit("Contacts", contact, {}, {self.contact_field: value})

    def set_custom(self, kind: Kind, record: int, caption: str, value: Any) -> None:
        """Set any custom field."""
        self._edit(kind, record, {}, {caption: value})

    def approval(self, company: int) -> Any:
        """Return the first custom field of a company."""
        return self.custom("Companies", company, self.company_field)

    def opt_in(self, contact: int) -> Any:
        """Return the first custom field of a contact."""
        return self.custom("Contacts", contact, self.contact_field)

    def opt_ins(self, company: int | None = None) -> dict[int, Any]:
        """Return the first custom field by contact id, of one company or of all."""
        with self.lock:
            found = self.records["Contacts"].values()
            mine = [r.id for r in found if company in {None, (r.values.get("company") or {}).get("id")}]
        return {contact: self.opt_in(contact) for contact in mine}

    def custom(self, kind: Kind, record: int, caption: str) -> Any:
        """Return the value of any custom field."""
        with self.lock:
            return self.records[kind][record].custom.get(self.field(kind, caption).id)

    # The fields themselves.

    def field(self, kind: Kind, caption: str) -> CustomField:
        """Return the definition with this caption."""
        for known in self.fields.values():
            if (known.kind, known.caption) == (kind, caption):
                return known
        raise ValueError(f"{kind} have no custom field {caption}")

    def define_field(self, known: CustomField) -> None:
        """Add a custom field or change it."""
        with self.lock:
            self.fields[known.id] = known

    def remove_field(self, kind: Kind, caption: str) -> None:
        """Delete a custom field with all its values."""
        with self.lock:
            gone = self.field(kind, caption).id
            del self.fields[gone]
            for record in self.records[kind].values():
                record.custom.pop(gone, None)

    def rename_field(self, kind: Kind, caption: str, new: str) -> None:
        """Give a custom field another caption; id and values stay."""
        with self.lock:
            known = self.field(kind, caption)
            self.fields[known.id] = replace(known, caption=new)
            self.contact_field = new if (kind, self.contact_field) == ("Contacts", caption) else self.contact_field
            self.company_field = (
                new if (kind, self.company_field) == ("Companies", caption) else self.company_field
            )

    # Looking, and how records change, for the API too.

    def snapshot(self, *, without: Iterable[str] = ()) -> dict[str, dict[int, Row]]:
        """Return all records as ``{"Contacts": {id: {field or "udf CAPTION": value}}, "Companies": ...}``."""
        left_out = set(without)
        with self.lock:
            return {
                kind: {
                    record.id: copy.deepcopy(
                        {name: value for name, value in record.values.items() if name not in left_out}
                        | {
                            f"udf {known.caption}": record.custom.get(known.id)
                            for known in self.fields.values()
                            if known.kind == kind and known.caption not in left_out
                        }
                    )
                    for record in records.values()
                }
                for kind, records in self.records.items()
            }

    def audit(self, kind: Kind, record_id: int, field_id: int, old: Any, new: Any, who: str) -> None:
        """Note an edit of a custom field in the audit trail, as a sentence (documented; its words are unknown)."""
        if old != new:
            caption, before, after = self.fields[field_id].caption, old or "", new or ""
            entry = {
                "text": f'The custom field "{caption}" was changed from "{before}" to "{after}".',
                "enteredDate": self.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "enteredBy": who,
                "auditType": "Contact" if kind == "Contacts" else "Company",
                "auditSubType": "CustomField",
                "auditSource": "Application",
            }
            self.audits.append((kind, record_id, entry))

    def stamp(self, record: Record, who: str, *, only_custom: bool = False) -> None:
        """Move the modification date of a record (UTC, whole seconds: seen live)."""
        if not only_custom or self.quirks.custom_edit_moves_stamp or not record.updated:
            record.updated = self.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            record.updated_by = who

    def _add(self, kind: Kind, record_id: int | None, values: Row, custom: Mapping[str, Any]) -> int:
        if record_id is None:
            record_id = self._next_ids[kind]
        if record_id in self.records[kind]:
            raise ValueError(f"{kind} have {record_id} already")
        self._next_ids[kind] = max(self._next_ids[kind], record_id + 1)
        record = self.records[kind][record_id] = Record(record_id, values)
        self._edit(kind, record_id, {}, custom)
        record.entered = record.updated
        return record_id

    def _edit(self, kind: Kind, record_id: int, values: Row, custom: Mapping[str, Any]) -> None:
        with self.lock:
            record = self.records[kind][record_id]
            record.values.update(values)
            for caption, value in custom.items():
                field_id = self.field(kind, caption).id
                self.audit(kind, record_id, field_id, record.custom.get(field_id), value, "Staff1")
                record.custom[field_id] = value
            self.stamp(record, "Staff1", only_custom=not values)

    def _item(self, type_name: str, value: str | None, kind: str | None) -> Row:
        self._next_item += 1
        item = {
            "id": self._next_item,
            "type": self._reference(self.types, type_name),
            "value": value,
            "defaultFlag": False,
            "communicationType": kind,
        }
        return {name: known for name, known in item.items() if known is not None}

    def complete(self, values: Row, names: set[str]) -> None:
        """Fill in what a caller gave by its id or name alone, and give new items an id (client code)."""
        status, company, items = (
            values.get(name) if name in names else None for name in ("status", "company", "communicationItems")
        )
        if isinstance(status, dict):
            values["status"] = self._known(self.statuses, status)
        if isinstance(company, dict) and isinstance(company.get("id"), int):
            values["company"] = self._company_reference(company["id"])
        if isinstance(items, list) and all(isinstance(item, dict) for item in items):
            values["communicationItems"] = [self._completed_item(item) for item in items]

    def _completed_item(self, item: Row) -> Row:
        given = item.get("type")
        kind = self._known(self.types, given if isinstance(given, dict) else {"id": 1})
        says = kind.get("name") if kind.get("name") in {"Fax", "Email"} else "Phone"
        return self._item(self.types[0], None, says) | item | {"type": kind}

    def _known(self, names: list[str], given: Row) -> Row:
        number = given.get("id")
        name = names[number - 1] if isinstance(number, int) and 0 < number <= len(names) else given.get("name")
        return self._reference(names, name) if name in names else given

    def _company_reference(self, company: int) -> Row:
        known = self.records["Companies"].get(company)
        values = known.values if known else {"identifier": f"Company{company}", "name": f"Company {company}"}
        return {"id": company, "identifier": values["identifier"], "name": values["name"], "_info": {}}

    @staticmethod
    def _reference(names: list[str], name: str) -> Row:
        if name not in names:
            names.append(name)
        return {"id": names.index(name) + 1, "name": name, "_info": {}}
