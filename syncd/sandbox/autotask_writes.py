"""How the Autotask stand-in reads the body of a write, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from syncd.sandbox.autotask_fields import FieldInfo
from syncd.sandbox.autotask_records import AutotaskQuirks, Table


class WriteError(Exception):
    """The service answers 500 with these texts, one argument each."""


@dataclass(frozen=True)
class Change:
    """A write that was understood: built-in fields and UDFs with the values to store."""

    id: int
    values: dict[str, Any]
    udfs: dict[str, str | None]


def read_change(body: bytes, table: Table, quirks: AutotaskQuirks, *, whole: bool) -> Change:
    """Read a PATCH body, or with ``whole`` a PUT body; raises WriteError.

    Read-only fields (companyID of a contact among them) are ignored in silence, as seen live. So are names
    that mean nothing, except that of a UDF: it belongs into ``userDefinedFields``, and fails at the root
    (seen live).
    """
    keys = _keys(body)
    identity = keys.pop("id", None)
    if not isinstance(identity, int) or isinstance(identity, bool):
        raise WriteError("The id of the entity is required.")
    values, udfs = _fields(keys, table, quirks)
    if whole:
        values, udfs = _completed(values, udfs, table)
    return Change(identity, values, udfs)


def read_new(body: bytes, table: Table, quirks: AutotaskQuirks) -> tuple[dict[str, Any], dict[str, str | None]]:
    """Read the body of a POST that creates a record: as for a PUT, but the id is the service's to choose."""
    values, udfs = _fields(_keys(body), table, quirks)
    return _completed(values, udfs, table)


def _keys(body: bytes) -> dict[str, Any]:
    try:
        sent = json.loads(body)
    except ValueError:
        raise WriteError("Unexpected character encountered while parsing value.") from None
    if not isinstance(sent, dict):
        raise WriteError("Unexpected token while parsing the entity.")
    return {str(name).lower(): value for name, value in sent.items()}


def _fields(
    keys: dict[str, Any], table: Table, quirks: AutotaskQuirks
) -> tuple[dict[str, Any], dict[str, str | None]]:
    udfs = _read_udfs(keys.pop("userdefinedfields", []), table, quirks)
    values = {}
    for name, value in keys.items():
        if name in table.udfs:
            raise WriteError(f"Could not find member '{table.udfs[name].name}' on object of type.")
        info = table.entity.fields.get(name)
        if info is not None:
            _check(info, value)
            if not info.read_only:
                values[info.name] = value
    return values, udfs


def _completed(
    values: dict[str, Any], udfs: dict[str, str | None], table: Table
) -> tuple[dict[str, Any], dict[str, str | None]]:
    writable = {info.name: info for info in table.entity.fields.values() if not info.read_only}
    if missing := [info.name for info in writable.values() if info.required and values.get(info.name) is None]:
        raise WriteError(f"Missing Required Field: {missing[0]}")
    blank: dict[str, Any] = dict.fromkeys(writable)
    return blank | values, {udf.name: None for udf in table.udfs.values()} | udfs


def _check(info: FieldInfo, value: object) -> None:
    if value is None:
        return
    if info.data_type in {"integer", "long"} and (isinstance(value, bool) or not isinstance(value, int)):
        # Contacts.isActive is an integer; a boolean is refused with about these words (seen live).
        start = json.dumps(value)[:1]
        raise WriteError(f"Unexpected character encountered while parsing value: {start}. Path '{info.name}'.")
    if info.data_type == "boolean" and not isinstance(value, bool):
        raise WriteError(f"Could not convert to boolean. Path '{info.name}'.")
    if info.data_type == "string" and info.length and len(str(value)) > info.length:
        raise WriteError(
            f"String value exceeds maximum length (field:{info.name})",
            "Error updating entity for record number [1].",
        )


def _read_udfs(sent: object, table: Table, quirks: AutotaskQuirks) -> dict[str, str | None]:
    """Return the UDFs of a write; values are strings (documented), null or an empty string clears (unknown)."""
    if not isinstance(sent, list):
        raise WriteError("An unexpected error has occurred while reading userDefinedFields.")
    udfs: dict[str, str | None] = {}
    for entry in sent:
        if not isinstance(entry, dict):
            raise WriteError("An unexpected error has occurred while reading userDefinedFields.")
        keys = {str(name).lower(): value for name, value in entry.items()}
        udf = table.udfs.get(str(keys.get("name")).lower())
        if udf is None:
            raise WriteError(f"The user-defined field {keys.get('name')} does not exist.")
        value = keys.get("value")
        if value is None or value == "":
            udfs[udf.name] = None
            continue
        if not isinstance(value, str):
            raise WriteError(f"The value of the user-defined field {udf.name} must be a string.")
        stored = udf.stored(value, quirks.udf_write)
        if stored is None:
            raise WriteError(
                f"Value does not exist for the required picklist field {udf.name}.",
                "Error updating entity for record number [1].",
            )
        udfs[udf.name] = stored
    return udfs
