"""Reading answers that may hold anything: what does not have the expected form raises ShapeChanged.

An answer that cannot be read is never "nothing there". Messages are for operators; they hold a short, cleaned
piece of the body at the most.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeAlias

from syncd.errors import ShapeChanged
from syncd.http import Answer

# A record as JSON has it.
Row: TypeAlias = dict[str, Any]


def in_words(answer: Answer, complaints: Iterable[str]) -> str:
    """What an answer says, for a message: the request, the status, and the complaints or a piece of the body."""
    text = "; ".join(one.strip().removesuffix(".") for one in complaints)
    cleaned = replace(answer, content=text.encode("utf-8", "replace")) if text else answer
    return f"{answer.what}: HTTP {answer.status}: {cleaned.excerpt()}"


def header(answer: Answer, name: str) -> str | None:
    """A header of the answer, whatever the case of its name; None: there is none."""
    return next((value.strip() for key, value in answer.headers.items() if key.lower() == name.lower()), None)


def is_html(answer: Answer) -> bool:
    """Whether the body is a page for people: a web server answered, not the API."""
    return answer.content.lstrip()[:1] == b"<"


def object_of(answer: Answer) -> Row:
    """The body of an answer that may be a complaint; {} where it is no object, and so none that can be read."""
    try:
        body = answer.json()
    except ShapeChanged:
        return {}
    return body if isinstance(body, dict) else {}


def fields_of(answer: Answer, *names: str) -> Row:
    """The body as an object that has these fields."""
    body = answer.json()
    if not isinstance(body, dict):
        raise ShapeChanged(f"{answer.what}: the answer is not an object: {answer.excerpt()}")
    for name in names:
        if name not in body:
            raise ShapeChanged(f"{answer.what}: the answer has no '{name}': {answer.excerpt()}")
    return body


def rows_in(value: object, what: str, answer: Answer | None = None) -> list[Row]:
    """A value as a list of records. `what` says in a message what it is.

    A piece of `answer` follows where it is no list: it may say why. Rows are not shown, they speak of people.
    """
    if not isinstance(value, list):
        raise ShapeChanged(f"{what} is not a list of records" + (f": {answer.excerpt()}" if answer else ""))
    if not all(isinstance(one, dict) for one in value):
        raise ShapeChanged(f"{what} is not a list of records: something else is among them")
    return value


def record_of(answer: Answer, body: object, record_id: int, contact: str | None = None) -> Row:
    """`body`, which is the answer or a part of it, as the record with that id."""
    if not isinstance(body, dict) or number(answer.what, body.get("id")) != record_id:
        raise ShapeChanged(f"{answer.what}: the answer is not that record: {answer.excerpt()}", contact=contact)
    return body


def number(what: str, value: object) -> int:
    """An id or a count of 18 digits at most: an integer, 17.0, or either as text (all were seen of some PSA)."""
    if isinstance(value, str) and (found := re.fullmatch(r"\s*([0-9]{1,18})(\.0*)?\s*", value)):
        return int(found[1])
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    # Larger ones, which JSON may hold, overflow where they are counted with.
    if isinstance(value, int | float) and whole and not isinstance(value, bool) and abs(value) < 10**18:
        return int(value)
    raise ShapeChanged(f"{what}: an id or a count is not a whole number but {type(value).__name__}")


def is_id(text: str) -> bool:
    """Whether the id of a contact or company can be one of a PSA that numbers its records."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def ids_of(what: str, rows: Iterable[Row], *, ascending: bool) -> list[int]:
    """The ids of the rows of a page. ShapeChanged when one came twice, or when going on from it would skip some.

    ascending: there is another page, which is asked for by the last id
    """
    ids = [number(what, row.get("id")) for row in rows]
    if len(set(ids)) < len(ids):
        raise ShapeChanged(f"{what}: a record came twice in one page")
    if ascending and ids != sorted(ids):
        raise ShapeChanged(
            f"{what}: the records are not in ascending order of their ids, so some would be skipped"
        )
    return ids


def must_all_fit(what: str, fits: Iterable[bool], condition: str) -> None:
    """Raise ShapeChanged when some rows do not fulfil a condition that was asked for: it was not obeyed."""
    found = list(fits)
    if not all(found):
        raise ShapeChanged(
            f"{what}: {found.count(False)} of {len(found)} records do not fulfil the condition on {condition}: "
            "the filter was not obeyed"
        )
