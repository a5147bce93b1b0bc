"""The odd habits of the ConnectWise stand-in, and its custom fields.

Definitions and elements have the shape that was seen live by third parties: the pod of a field is a number in its
definition and a text in a record.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["Contacts", "Companies"]
Row = dict[str, Any]


@dataclass(frozen=True)
class ConnectWiseQuirks:
    """Behaviour that no public source settles, or that only some servers show; one field each."""

    custom_patch: Literal["merge", "replace"] = "merge"
    """A PATCH of customFields: merged by id (seen live), or the array as it is (documented)."""
    custom_required: bool = False
    """A PATCH without a customFields operation answers 400 (seen live now and then)."""
    patch_answer: Literal["record", "empty"] = "record"
    """The full record (documented), or 204 without a body (claimed once)."""
    also_sets: Mapping[str, Any] = field(default_factory=dict)
    """Custom fields, by caption, that a workflow sets whenever the API writes a contact."""
    masks_passwords: bool = True
    """A custom field of type Password is shown as asterisks (unknown)."""
    unset: Literal["null", "missing"] = "null"
    """A custom field without a value: an element with null (seen live), or no element."""
    no_numbers: Literal["absent", "null", "empty"] = "absent"
    """communicationItems of a contact without any: absent was seen live, null too."""
    fields_hide_custom: bool = False
    """`fields=customFields` is not obeyed (unknown)."""
    ignore_conditions: bool = False
    """Every filter is ignored and everything comes back, as other PSAs do."""
    forward_only: bool = True
    """The header `pagination-type: forward-only` is obeyed (documented since 2018.5)."""
    forward_end: Literal["empty", "always", "absent"] = "empty"
    """The Link header of the last forward-only page: empty (client code), still naming one (documented)."""
    link: Literal["own", "other host"] = "own"
    """Links name this stand-in, or another host with a doubled slash (seen live)."""
    link_order: Literal["page last", "page first"] = "page last"
    odd_last_page: bool = False
    """The last navigable page still has rel="next" (client code)."""
    largest_page: int = 1000
    over_largest: Literal["clamp", "400"] = "clamp"
    bad_login: Literal["401", "404"] = "401"
    """Wrong credentials: 401, or in the cloud a 404 (documented)."""
    no_access: frozenset[str] = frozenset()
    """Paths (without codebase) that the role may not read: 403."""
    no_update: bool = False
    """The role may not edit contacts: 403."""
    accept_alias: bool = True
    """v4_6_release is accepted beside the present codebase (documented)."""
    cloud_flag: Literal["text", "boolean"] = "text"
    custom_edit_moves_stamp: bool = True
    """An edit of nothing but a custom field moves _info/lastUpdated (unknown)."""
    calls_per_minute: int | None = None
    throttle: Literal["json", "html", "no wait"] = "json"
    """429 as JSON with Retry-After (documented), as a page of the network in front, or without Retry-After."""
    latency: float = 0.0


@dataclass(frozen=True)
class CustomField:
    """A definition in /system/userDefinedFields."""

    id: int
    kind: Kind
    caption: str
    type: str = "Text"
    options: tuple[str, ...] = ()
    read_only: bool = False
    inactive: frozenset[str] = frozenset()

    def definition(self) -> Row:
        """Return it as the set-up table shows it."""
        contact = self.kind == "Contacts"
        return {
            "id": self.id,
            "podId": 4 if contact else 1,
            "podDescription": "Contact Overview" if contact else "Company Overview",
            "caption": self.caption,
            "sequenceNumber": self.id,
            "screenId": "ct300" if contact else "co300",
            "screenDescription": "Contact" if contact else "Company",
            "fieldTypeIdentifier": self.type,
            "numberDecimals": 0,
            "entryTypeIdentifier": "List" if self.options else "EntryField",
            "requiredFlag": False,
            "displayOnScreenFlag": True,
            "readOnlyFlag": self.read_only,
            "listViewFlag": False,
            "options": [
                {
                    "id": self.id * 100 + number,
                    "optionValue": text,
                    "defaultFlag": False,
                    "inactiveFlag": text in self.inactive,
                    "sortOrder": number,
                }
                for number, text in enumerate(self.options)
            ],
            "businessUnitIds": [],
            "locationIds": [],
            "connectWiseID": str(uuid.UUID(int=self.id)),
            "dateCreated": "2026-01-01T00:00:00Z",
        }

    def element(self, value: Any) -> Row:
        """Return it as a record shows it."""
        return {
            "id": self.id,
            "caption": self.caption,
            "type": self.type,
            "entryMethod": "List" if self.options else "EntryField",
            "numberOfDecimals": 0,
            "value": value,
            "connectWiseId": str(uuid.UUID(int=self.id)),
            "rowNum": self.id,
            "userDefinedFieldRecId": self.id,
            "podId": "contact_overview" if self.kind == "Contacts" else "company_overview",
        }


def sms_opt_in(field_id: int = 59, **more: Any) -> CustomField:
    """Return the contact field of syncd's example configuration."""
    return CustomField(field_id, "Contacts", "SMS Opt-In", **{"options": ("Opted-In", "Opted-Out")} | more)


def sms_approval(field_id: int = 71, **more: Any) -> CustomField:
    """Return the company field of syncd's example configuration."""
    return CustomField(field_id, "Companies", "SMS Approval", **{"options": ("Approved", "Opted-Out")} | more)
