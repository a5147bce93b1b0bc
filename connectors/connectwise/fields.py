"""Custom fields and the company status: how they are described, read and written.

Documented: a custom field has an id that stays and a caption that anybody may edit; `/system/userDefinedFields`
describes them for all screens together. Seen live by third parties: a record lists every custom field of its
screen, also those that hold null; a checkbox is null until somebody sets it; a role may be too weak for the
description. So the caption is looked up once, and from then on the id counts.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from connectors.connectwise.answers import NoSuchRoute, Row, number
from connectors.connectwise.client import ConnectWiseClient
from connectors.connectwise.settings import CompanyField, ContactField
from syncd.errors import ConfigProblem, Permanent, Problem, ShapeChanged
from syncd.model import CompanyState, Consent

# So many records are looked at for their fields: one that is limited to some locations may be missing in others.
SAMPLE = 25
HOLDS_VALUES = frozenset({"checkbox", "text", "textarea"})

CONTACTS, COMPANIES, STATUSES = "/company/contacts", "/company/companies", "/company/companies/statuses"
DEFINITIONS = "/system/userDefinedFields"

State = TypeVar("State", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry of a list. One that is not active still stands in old records."""

    text: str
    active: bool


@dataclass(frozen=True, slots=True)
class Udf:
    """A custom field, or the status of a company (id None).

    choices: of a list; None where it is no list, or the role may not see its entries
    """

    id: int | None
    caption: str
    kind: str
    is_list: bool = False
    choices: tuple[Choice, ...] | None = None
    read_only: bool = False

    @property
    def is_checkbox(self) -> bool:
        """Whether its values are true and false."""
        return folded(self.kind) == "checkbox" and not self.is_list

    def shown_by(self, row: Row) -> bool:
        """Whether the record shows it, be it set or not."""
        return "status" in row if self.id is None else self._entry(row) is not None

    def value(self, row: Row) -> object:
        """What a record holds in it; None: nothing, or not there."""
        if self.id is None:
            status = row.get("status")
            found = status.get("name") if isinstance(status, dict) else None
        else:
            found = (self._entry(row) or {}).get("value")
        return None if found is None or not str(found).strip() else found

    def renamed_in(self, row: Row) -> str | None:
        """The caption that the record gives it, where that is another one."""
        entry = None if self.id is None else self._entry(row)
        caption = str((entry or {}).get("caption") or self.caption)
        return None if folded(caption) == folded(self.caption) else caption

    def _entry(self, row: Row) -> Row | None:
        return next((field for field in custom_fields(row) if id_of(field) == self.id), None)


def folded(value: object) -> str:
    """The form in which names and values are compared; true, "True" and 1.0, "1" are alike."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text.strip().casefold()


def custom_fields(row: Row) -> list[Row]:
    """The custom fields of a record; absent and null are none."""
    fields = row.get("customFields")
    if fields is None:
        return []
    if not isinstance(fields, list) or not all(isinstance(field, dict) for field in fields):
        raise ShapeChanged("customFields of a record is not a list of fields")
    return fields


def id_of(field: Row) -> int:
    """The id of a custom field of a record."""
    return number("customFields", field.get("id"))


class Vocabulary(Generic[State]):
    """What the values of one field mean, in both directions."""

    def __init__(
        self, where: str, udf: Udf, words: Mapping[State, Sequence[bool | str]], keys: Mapping[State, str]
    ) -> None:
        self.udf = udf
        self._where = where
        self._words = words
        self._keys = keys
        self._meanings = {folded(value): state for state, values in words.items() for value in values}

    def meaning(self, value: object) -> State | None:
        """What a value stands for; None for no value and for any other."""
        return None if value is None else self._meanings.get(folded(value))

    def knows(self, value: object) -> bool:
        """Whether the field can hold this value, as far as we may see."""
        if self.udf.is_checkbox:
            return folded(value) in {"true", "false"}
        return self.udf.choices is None or self._choice(value) is not None

    def value(self, state: State) -> bool | str:
        """What to write for it. Raises ConfigProblem when the field cannot hold it, or no longer."""
        wanted = self._words[state][0]
        if problem := self._problem(state, wanted):
            raise ConfigProblem([problem])
        if self.udf.is_checkbox:
            return folded(wanted) == "true"
        choice = self._choice(wanted)
        if choice is not None and not choice.active:
            what = f"'{wanted}' is switched off in the list of '{self.udf.caption}' in ConnectWise"
            raise ConfigProblem([Problem(f"{self._where}.{self._keys[state]}", what)])
        return str(wanted) if choice is None else choice.text

    def must_be_complete(self) -> None:
        """Raise ConfigProblem with every configured value that the field cannot hold."""
        found = (self._problem(state, value) for state, values in self._words.items() for value in values)
        problems = [problem for problem in found if problem]
        if problems:
            raise ConfigProblem(problems)

    def _choice(self, value: object) -> Choice | None:
        choices = self.udf.choices or ()
        return next((choice for choice in choices if folded(choice.text) == folded(value)), None)

    def _problem(self, state: State, value: bool | str) -> Problem | None:
        where, caption = f"{self._where}.{self._keys[state]}", self.udf.caption
        if self.udf.is_checkbox:
            what = f"'{caption}' is a checkbox in ConnectWise: its values are true and false, not '{value}'"
            return None if self.knows(value) else Problem(where, what)
        if isinstance(value, bool):
            what = f"'{caption}' is no checkbox in ConnectWise: put its value in quotes"
            return Problem(where, what)
        if self.knows(value):
            return None
        known = ", ".join(repr(choice.text) for choice in self.udf.choices or ()) or "nothing"
        return Problem(where, f"'{value}' is not in the list of '{caption}' in ConnectWise, which has: {known}")


class Fields:
    """The two fields as ConnectWise describes them; looked up when first needed, and again when in doubt.

    Thread-safe. Both methods raise ConfigProblem when the field is not there, naming those that are.
    """

    def __init__(self, client: ConnectWiseClient, contact: ContactField, company: CompanyField) -> None:
        self._client = client
        self._contact_field = contact
        self._company_field = company
        self._lock = threading.Lock()
        self._known: dict[str, Udf] = {}

    def contact(self) -> Vocabulary[Consent]:
        """The consent field of contacts."""
        field = self._contact_field
        words = {Consent.OPTED_IN: [field.opted_in], Consent.OPTED_OUT: [field.opted_out]}
        keys = {Consent.OPTED_IN: "opted_in", Consent.OPTED_OUT: "opted_out"}
        where = "psa.settings.contact_field"
        return Vocabulary(where, self._udf(CONTACTS, field.name, where), words, keys)

    def company(self) -> Vocabulary[CompanyState]:
        """The approval field of companies, or their status."""
        field = self._company_field
        words = {CompanyState.APPROVED: field.approved, CompanyState.OPTED_OUT: field.opted_out}
        keys = {CompanyState.APPROVED: "approved", CompanyState.OPTED_OUT: "opted_out"}
        where = "psa.settings.company_field"
        return Vocabulary(where, self._udf(COMPANIES, field.name, where), words, keys)

    def doubt(self, path: str) -> None:
        """Something did not fit: look the field of contacts or companies up again before it is used next."""
        with self._lock:
            self._known.pop(path, None)

    def _udf(self, path: str, name: str, where: str) -> Udf:
        with self._lock:
            if path not in self._known:
                by_status = path == COMPANIES and self._company_field.by == "status"
                self._known[path] = self._statuses() if by_status else self._look_up(path, name, where)
            return self._known[path]

    def _statuses(self) -> Udf:
        """The status of companies. Seen live by third parties: a role that reads companies but not this table."""
        rows = self._readable(STATUSES)
        choices = tuple(Choice(str(row.get("name")), row.get("inactiveFlag") is not True) for row in rows or ())
        return Udf(None, "status", "status", is_list=True, choices=choices or None)

    def _look_up(self, path: str, name: str, where: str) -> Udf:
        """The field with this caption on the records at `path`, described as well as the role allows."""
        sample = next(self._client.pages(path, size=SAMPLE, most=1), [])
        on_records = {id_of(field): field for row in sample for field in custom_fields(row)}
        described = self._readable(DEFINITIONS)
        kind = path.rpartition("/")[2]
        if described:
            mine = [one for one in described if folded(one.get("caption")) == folded(name)]
            # All screens are listed together; which fields are on ours, records show best.
            found = [_described(one) for one in mine if number(DEFINITIONS, one.get("id")) in on_records]
            found = found or [_described(one) for one in mine if _is_for(one, kind)]
        else:
            found = [_seen(one) for one in on_records.values() if folded(one.get("caption")) == folded(name)]
        if len(found) == 1 and folded(found[0].kind) in HOLDS_VALUES:
            return found[0]
        if len(found) > 1:
            ids = ", ".join(str(udf.id) for udf in found)
            what = f"{kind} in ConnectWise have several custom fields '{name}' (ids {ids}); rename all but one"
        elif found:
            what = f"'{found[0].caption}' is of type {found[0].kind} in ConnectWise; use a list, text or checkbox"
        else:
            captions = sorted({repr(field.get("caption")) for field in on_records.values()})
            listed = ", ".join(captions) or "none"
            what = f"{kind} in ConnectWise have no custom field '{name}'; those that exist: {listed}"
        raise ConfigProblem([Problem(f"{where}.name", what)])

    def _readable(self, path: str) -> list[Row] | None:
        """A set-up table, or None where the role does not see it."""
        try:
            return [row for page in self._client.pages(path) for row in page]
        except (Permanent, NoSuchRoute):
            return None


def _is_for(definition: Row, kind: str) -> bool:
    """Whether a description says that the field is on that screen (only asked where no record shows it)."""
    singular = {"contacts": "contact", "companies": "company"}[kind]
    return any(singular in folded(definition.get(key)) for key in ("screenDescription", "podDescription"))


def _seen(field: Row) -> Udf:
    is_list = folded(field.get("entryMethod")) in {"list", "option"}
    return Udf(id_of(field), str(field.get("caption")).strip(), str(field.get("type") or "Text"), is_list)


def _described(one: Row) -> Udf:
    is_list = folded(one.get("entryTypeIdentifier")) in {"list", "option"}
    options = one.get("options") or []
    if not isinstance(options, list) or not all(isinstance(option, dict) for option in options):
        raise ShapeChanged("the options of a custom field are not a list")
    choices = tuple(
        Choice(str(option.get("optionValue")), option.get("inactiveFlag") is not True) for option in options
    )
    return Udf(
        id=number(DEFINITIONS, one.get("id")),
        caption=str(one.get("caption")).strip(),
        kind=str(one.get("fieldTypeIdentifier") or "Text"),
        is_list=is_list,
        choices=choices if is_list else None,
        read_only=one.get("readOnlyFlag") is True,
    )
