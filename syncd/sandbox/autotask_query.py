"""Autotask's query language, evaluated over the stand-in's records, with its traps.

Documented: the operators and groups, ``udf``, one UDF per query, MaxRecords, IncludeFields, at least one
filter, ascending ids. Seen live by third parties: an unknown field is an error with status 500, an unknown
operator drops its clause in silence, unknown keys of the body are ignored.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from syncd.sandbox.autotask_fields import FieldInfo, Udf
from syncd.sandbox.autotask_records import AutotaskQuirks, Past, Record, Table

Shown = Past | Record
Predicate = Callable[[Shown], bool]

MOST_RECORDS = 500
MOST_OR_CONDITIONS = 500
TEXT_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "beginsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": operator.contains,
}
ORDER_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
OPERATORS = frozenset({"eq", "noteq", "exist", "notExist", "in", "notIn", *TEXT_OPERATORS, *ORDER_OPERATORS})


class QueryError(Exception):
    """The service answers 500 with this text."""


@dataclass
class Query:
    """A query that was understood: which records match, how many are wanted and which of their fields."""

    matches: Predicate
    max_records: int = MOST_RECORDS
    fields: list[str] | None = None
    udfs: list[str] | None = None
    after: int | None = None
    """Ids up to this one cannot match, so they need not be looked at."""


@dataclass
class _Reading:
    """What is counted while a filter is read."""

    table: Table
    quirks: AutotaskQuirks
    udfs: set[str] = field(default_factory=set)
    or_conditions: int = 0


def read_query(body: object, table: Table, quirks: AutotaskQuirks) -> Query:
    """Read the body of a query call (keys in any case, unknown keys ignored); raises QueryError."""
    if not isinstance(body, dict):
        raise QueryError("Invalid query syntax.")
    keys = {str(key).lower(): value for key, value in body.items()}
    clauses = keys.get("filter")
    if not isinstance(clauses, list) or not clauses:
        raise QueryError("Invalid query syntax. At least one filter is required.")
    reading = _Reading(table, quirks)
    predicates = [known for clause in clauses if (known := _clause(clause, reading, within_or=False)) is not None]
    if reading.or_conditions > MOST_OR_CONDITIONS:
        raise QueryError("Invalid query syntax. Queries are limited to 500 or fewer 'OR' conditions.")
    if len(reading.udfs) > 1:
        raise QueryError("Invalid query syntax. Only one user-defined field is allowed per query.")
    query = Query(lambda shown: all(predicate(shown) for predicate in predicates))
    query.after = _greatest_id_bound(clauses)
    most = keys.get("maxrecords")
    if most is not None:
        if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= MOST_RECORDS:
            raise QueryError(f"MaxRecords must be between 1 and {MOST_RECORDS}.")
        query.max_records = most
    if keys.get("includefields"):
        query.fields, query.udfs = _included(keys["includefields"], table)
    return query


def _greatest_id_bound(clauses: list[dict[str, Any]]) -> int | None:
    bounds = []
    for clause in clauses:
        keys = {str(key).lower(): value for key, value in clause.items()}
        if keys.get("op") == "gt" and str(keys.get("field")).lower() == "id" and keys.get("udf") is not True:
            bounds.append(int(keys["value"]))
    return max(bounds, default=None)


def _included(names: object, table: Table) -> tuple[list[str], list[str]]:
    if not isinstance(names, list):
        raise QueryError("Invalid query syntax.")
    fields, udfs = [], []
    for name in names:
        if (known := table.entity.fields.get(str(name).lower())) is not None:
            fields.append(known.name)
        elif (udf := table.udfs.get(str(name).lower())) is not None:
            udfs.append(udf.name)
        else:
            raise _unknown_field(name, table)
    return fields, udfs


def _unknown_field(name: object, table: Table) -> QueryError:
    return QueryError(f"Unable to find {name} in the {table.entity.singular} Entity.")


def _clause(clause: object, reading: _Reading, *, within_or: bool) -> Predicate | None:
    """Return the meaning of one clause, or None if it is dropped."""
    if not isinstance(clause, dict):
        raise QueryError("Invalid query syntax.")
    keys = {str(key).lower(): value for key, value in clause.items()}
    op = keys.get("op")
    if op in {"and", "or"}:
        return _group(str(op), keys.get("items"), reading, within_or=within_or or op == "or")
    reading.or_conditions += within_or
    name = str(keys.get("field"))
    if keys.get("udf") is True:
        udf = reading.table.udfs.get(name.lower())
        if udf is None:
            raise _unknown_field(name, reading.table)
        reading.udfs.add(udf.name)
        return _condition(op, keys.get("value"), _udf_reader(udf, reading.quirks), None, reading)
    info = reading.table.entity.fields.get(name.lower())
    if info is None:
        raise _unknown_field(name, reading.table)
    if not info.queryable:
        raise QueryError(f"{info.name} is not queryable in the {reading.table.entity.singular} Entity.")
    return _condition(op, keys.get("value"), lambda shown: shown.values[info.name], info, reading)


def _group(op: str, items: object, reading: _Reading, *, within_or: bool) -> Predicate | None:
    if not isinstance(items, list) or not items:
        raise QueryError("Invalid query syntax.")
    known = [part for item in items if (part := _clause(item, reading, within_or=within_or)) is not None]
    if not known:
        return None
    if op == "or":
        return lambda shown: any(part(shown) for part in known)
    return lambda shown: all(part(shown) for part in known)


def _udf_reader(udf: Udf, quirks: AutotaskQuirks) -> Callable[[Shown], str | None]:
    def read(shown: Shown) -> str | None:
        value = shown.udfs.get(udf.name)
        return udf.label_of(value) if value is not None and quirks.udf_filter == "label" else value

    return read


def _condition(
    op: object, value: object, read: Callable[[Shown], Any], info: FieldInfo | None, reading: _Reading
) -> Predicate | None:
    """Return the meaning of ``field op value``; ``info`` is None for a UDF."""
    if op not in OPERATORS:
        if reading.quirks.bad_operator == "drop":
            return None
        raise QueryError(f"Invalid query syntax. {op} is not an operator.")
    if op in {"exist", "notExist"}:
        return lambda shown: (read(shown) is not None) == (op == "exist")
    if op in {"in", "notIn"}:
        return _membership(op == "in", value, read, info, reading)
    data_type = info.data_type if info else "string"
    wanted = _comparable(value, info)
    if op in {"eq", "noteq"}:
        return _equality(op == "eq", {wanted}, read, info, unset_differs=reading.quirks.unset_matches_noteq)
    compare: Callable[[Any, Any], bool]
    if op in TEXT_OPERATORS:
        if data_type != "string":
            raise QueryError(f"Invalid query syntax. {op} needs a text field.")
        compare = TEXT_OPERATORS[str(op)]
    else:
        if data_type == "boolean":
            raise QueryError(f"Invalid query syntax. {op} cannot be used with a boolean field.")
        compare = ORDER_OPERATORS[str(op)]

    def ordered(shown: Shown) -> bool:
        found = read(shown)
        return found is not None and compare(_comparable(found, info), wanted)

    return ordered


def _membership(
    wanted_inside: bool, value: object, read: Callable[[Shown], Any], info: FieldInfo | None, reading: _Reading
) -> Predicate:
    if not isinstance(value, list):
        raise QueryError("Invalid query syntax. A list of values is required.")
    # Each listed value counts as a condition (seen in client code, which sends such lists in parts of 400).
    reading.or_conditions += len(value)
    wanted = {_comparable(known, info) for known in value}
    return _equality(wanted_inside, wanted, read, info, unset_differs=reading.quirks.unset_matches_noteq)


def _equality(
    wanted_equal: bool,
    wanted: set[Any],
    read: Callable[[Shown], Any],
    info: FieldInfo | None,
    *,
    unset_differs: bool,
) -> Predicate:
    def equal(shown: Shown) -> bool:
        found = read(shown)
        if found is None:
            return unset_differs and not wanted_equal
        return (_comparable(found, info) in wanted) == wanted_equal

    return equal


def _comparable(value: object, info: FieldInfo | None) -> Any:
    """Return a value in the form in which values of this field are compared; text without regard to case."""
    data_type = info.data_type if info else "string"
    if value is None or isinstance(value, (dict, list)):
        raise QueryError("Invalid query syntax. A value is required.")
    if data_type == "string":
        return str(value).casefold()
    # Clients in daily use send flags as text, for Contacts.isActive too, though it is an integer.
    if isinstance(value, str) and value.casefold() in {"true", "false"}:
        value = value.casefold() == "true"
    if data_type == "boolean":
        if not isinstance(value, bool):
            raise QueryError("Invalid query syntax. A boolean value is required.")
        return value
    try:
        if data_type == "datetime":
            moment = datetime.fromisoformat(str(value))
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return float(str(value)) if data_type == "double" else int(value)  # type: ignore[call-overload]
    except (ValueError, TypeError):
        raise QueryError(f"Invalid query syntax. {value} does not fit the field.") from None


def render(shown: Shown, table: Table, quirks: AutotaskQuirks, query: Query | None = None) -> dict[str, Any]:
    """Return a record as the API shows it. With IncludeFields only those UDFs appear that were asked for."""
    if query is None or query.fields is None or query.udfs is None:
        row = dict(shown.values)
        names = [udf.name for udf in table.udfs.values()]
    else:
        row = {name: shown.values[name] for name in query.fields}
        names = query.udfs
    listed = []
    for name in names:
        value = shown.udfs.get(name)
        if value is None and quirks.unset_udf != "null":
            continue
        udf = table.udfs[name.lower()]
        shown_value = udf.label_of(value) if value is not None and quirks.udf_read == "label" else value
        listed.append({"name": name, "value": shown_value})
    if listed or quirks.unset_udf != "missing":
        row["userDefinedFields"] = listed
    return row
