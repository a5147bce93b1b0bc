"""How the ConnectWise stand-in reads the body of a PATCH, and what it refuses."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from syncd.sandbox.connectwise_fields import ConnectWiseQuirks, CustomField
from syncd.sandbox.connectwise_query import Row
from syncd.sandbox.connectwise_records import Record

OPERATIONS = {"add", "replace", "remove"}
REFERENCES = {"company", "site", "status", "type", "country"}


class WriteError(Exception):
    """The service answers 400 with this code and message."""

    def __init__(self, code: str, message: str, errors: list[Row] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.errors = code, message, errors


def patched(
    record: Record, body: bytes, fields: Mapping[int, CustomField], quirks: ConnectWiseQuirks
) -> tuple[Row, dict[int, Any]]:
    """Return the values and custom fields after a PATCH; raises WriteError.

    Documented: an array of operations, paths in their case, a leading slash optional, and a 200 that changed
    nothing for a path inside a reference.
    """
    try:
        operations = json.loads(body)
    except ValueError:
        raise WriteError("InvalidPatch", "The patch is not valid JSON.") from None
    if not isinstance(operations, list) or not all(isinstance(one, dict) for one in operations):
        raise WriteError("InvalidPatch", "The patch must be an array of operations.")
    values, custom = copy.deepcopy(record.values), dict(record.custom)
    roots = [str(one.get("path", "")).strip("/").split("/")[0] for one in operations]
    if quirks.custom_required and "customFields" not in roots:
        raise WriteError("InvalidObject", "customFields is required in a patch of this object.")
    for one in operations:
        op, path = one.get("op"), str(one.get("path", "")).lstrip("/")
        if op not in OPERATIONS:
            raise WriteError("InvalidPatch", f"'{op}' is not a patch operation.")
        if path == "customFields":
            custom = _custom(custom, one.get("value"), fields, quirks)
        elif "/" in path and path.split("/")[0] in REFERENCES:
            continue  # the false 200
        elif path in {"", "id", "_info"} or "/" in path:
            raise WriteError("InvalidPatch", f"The path '{path}' cannot be patched.")
        elif op == "remove":
            values.pop(path, None)
        else:
            _check(path, one.get("value"))
            values[path] = one.get("value")
    return values, custom


def _check(path: str, value: Any) -> None:
    kind = {"inactiveFlag": bool, "communicationItems": list, "firstName": str, "company": dict}.get(path)
    if kind is not None and not isinstance(value, kind):
        raise WriteError(
            "InvalidPatch", f"Could not cast or convert from {type(value).__name__} to the type of {path}."
        )


def _custom(
    custom: dict[int, Any], sent: Any, fields: Mapping[int, CustomField], quirks: ConnectWiseQuirks
) -> dict[int, Any]:
    if not isinstance(sent, list) or not all(isinstance(one, dict) and "id" in one for one in sent):
        raise WriteError("InvalidPatch", "Could not cast or convert to CustomFieldValue[].")
    result = dict(custom) if quirks.custom_patch == "merge" else {}
    for one in sent:
        known = fields.get(one["id"])
        if known is None:
            raise WriteError("InvalidObject", f"Custom field {one['id']} does not exist.")
        value = one.get("value")
        _must_fit(known, value, custom.get(known.id))
        result[known.id] = value
    return result


def _must_fit(known: CustomField, value: Any, present: Any) -> None:
    def refuse(why: str) -> WriteError:
        error = {"code": "InvalidField", "message": why, "resource": "customFields", "field": known.caption}
        return WriteError("InvalidObject", "contact object is invalid", [error])

    if value == present and isinstance(value, bool) == isinstance(present, bool):
        return
    if known.read_only:
        raise refuse(f"{known.caption} is read-only.")
    if value is None:
        return
    if known.type == "Button":
        raise refuse(f"{known.caption} is a button.")
    if known.type == "Checkbox" and not isinstance(value, bool):
        raise refuse(f"{known.caption} must be true or false.")
    if known.options and (value not in known.options or value in known.inactive):
        raise refuse(f"{value} is not an option of {known.caption}.")
