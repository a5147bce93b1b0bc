"""ConnectWise's query language, evaluated over records as the API shows them.

Documented: the operators, strings in quotes, dates in square brackets, references by path, `childConditions` on
the members of lists, `customFieldConditions` on caption and value, `orderBy`, `fields`. Seen in client code:
single quotes, `%` as well as `*` with `like`, operators and parameter names in any case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

Row = dict[str, Any]
Test = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"]*"|'[^']*')|(?P<date>\[[^\[\]]+\])|(?P<sign>[<>!]=|<>|[=<>(),])|(?P<word>[^\s=<>!(),"']+))"""
)


class QueryError(Exception):
    """The service answers 400 with this text."""


def read_conditions(text: str, known: Iterable[str]) -> Test:
    """Return the meaning of `conditions` or `childConditions`; names must begin with one of the known."""
    return _Reader(text, {name.casefold() for name in known}).test()


def read_custom_conditions(text: str) -> Test:
    """Return the meaning of `customFieldConditions`: one custom field must fulfil all of it."""
    test = _Reader(text, {"caption", "value"}).test()
    return lambda row: any(test(field) for field in row.get("customFields") or [])


class _Reader:
    """A recursive descent over the tokens of one condition."""

    def __init__(self, text: str, known: set[str]) -> None:
        self._known = known
        self._tokens: list[tuple[str, str]] = []
        place = 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None or match.lastgroup is None:
                raise QueryError(f"The condition is not valid near '{text[place:][:20]}'")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            place = match.end()

    def test(self) -> Test:
        """Read all of it."""
        whole = self._any()
        if self._tokens:
            raise QueryError(f"The condition is not valid near '{self._tokens[0][1]}'")
        return whole

    def _any(self) -> Test:
        parts = [self._all()]
        while self._word("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def _all(self) -> Test:
        parts = [self._one()]
        while self._word("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _one(self) -> Test:
        if self._word("not"):
            inverted = self._one()
            return lambda row: not inverted(row)
        if self._sign("("):
            inner = self._any()
            self._must("(", ")")
            return inner
        path = self._next("word")
        if path.split("/")[0].casefold() not in self._known:
            raise QueryError(f"'{path}' is not a field that can be used in a condition")
        negated = self._word("not")
        compare = self._operator()
        return lambda row: any(compare(found) for found in reach(row, path.split("/"))) is not negated

    def _operator(self) -> Callable[[Any], bool]:
        kind, op = self._tokens.pop(0) if self._tokens else ("", "")
        op = op.casefold()
        if op == "in":
            self._must("in", "(")
            wanted = [self._value()]
            while self._sign(","):
                wanted.append(self._value())
            self._must("in", ")")
            return lambda found: any(_same(found, one) for one in wanted)
        if op in {"contains", "like"}:
            text = str(self._value()).casefold()
            if op == "contains":
                return lambda found: found is not None and text in str(found).casefold()
            pattern = text.replace("%", "*")
            return lambda found: found is not None and fnmatchcase(str(found).casefold(), pattern)
        if kind != "sign" or op not in {"=", "!=", "<>", "<", "<=", ">", ">="}:
            raise QueryError(f"'{op}' is not an operator")
        value = self._value()
        if op in {"!=", "<>"}:
            return lambda found: not _same(found, value)
        if op == "=":
            return lambda found: _same(found, value)
        return lambda found: found is not None and _ordered(op, found, value)

    def _value(self) -> Any:
        kind, text = self._tokens.pop(0) if self._tokens else ("", "")
        if kind == "text":
            return text[1:-1].replace("[[]", "[")
        if kind == "date":
            return _moment(text[1:-1])
        folded = text.casefold()
        if folded in {"true", "false"}:
            return folded == "true"
        if folded == "null":
            return None
        try:
            return float(text)
        except ValueError:
            raise QueryError(f"'{text}' is not a value; texts stand in quotes") from None

    def _word(self, word: str) -> bool:
        found = bool(self._tokens) and (self._tokens[0][0], self._tokens[0][1].casefold()) == ("word", word)
        return bool(found and self._tokens.pop(0))

    def _sign(self, sign: str) -> bool:
        found = bool(self._tokens) and self._tokens[0] == ("sign", sign)
        return bool(found and self._tokens.pop(0))

    def _must(self, after: str, sign: str) -> None:
        if not self._sign(sign):
            raise QueryError(f"'{sign}' is missing after '{after}'")

    def _next(self, kind: str) -> str:
        if not self._tokens or self._tokens[0][0] != kind:
            raise QueryError("The condition is not complete")
        return self._tokens.pop(0)[1]


def reach(value: Any, path: list[str]) -> Iterator[Any]:
    """Yield what lies at a path, names in any case; every member of a list on the way, None where nothing is."""
    if isinstance(value, list):
        for member in value:
            yield from reach(member, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping):
        name = path[0].casefold()
        if name == "lastupdated" and "_info" in value:
            yield _moment(value["_info"].get("lastUpdated", ""))
        else:
            yield from reach(next((v for k, v in value.items() if k.casefold() == name), None), path[1:])
    else:
        yield None


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, str) and isinstance(wanted, str):
        return found.casefold() == wanted.casefold()
    return bool(found == wanted)


def _ordered(op: str, found: Any, wanted: Any) -> bool:
    try:
        return bool({"<": found < wanted, "<=": found <= wanted, ">": found > wanted, ">=": found >= wanted}[op])
    except TypeError:
        raise QueryError(f"{wanted} cannot be compared with this field") from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise QueryError(f"'{text}' is not a date") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def ordered(rows: list[Row], order: str) -> list[Row]:
    """Return rows by `orderBy` ("contact/name asc"); null first."""
    for part in reversed(order.split(",")):
        path, _, way = part.strip().partition(" ")
        steps = path.split("/")

        def key(row: Row, steps: list[str] = steps) -> tuple[bool, Any]:
            found = next(reach(row, steps), None)
            return (found is not None, found.casefold() if isinstance(found, str) else found or 0)

        rows = sorted(rows, key=key, reverse=way.strip().casefold() == "desc")
    return rows


def projected(row: Row, fields: str) -> Row:
    """Return a record with the chosen fields only ("id,name,status/id"); unknown names are ignored."""
    result: Row = {}
    for path in filter(None, (part.strip() for part in fields.split(","))):
        _copy(row, result, path.split("/"))
    return result


def _copy(source: Row, target: Row, path: list[str]) -> None:
    name = next((key for key in source if key.casefold() == path[0].casefold()), None)
    if name is None:
        return
    if len(path) == 1 or not isinstance(source[name], dict):
        target[name] = source[name]
    else:
        _copy(source[name], target.setdefault(name, {}), path[1:])
