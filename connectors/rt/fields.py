"""Custom fields: how they are described and read, and what their values mean.

Seen on RT 5.0.3: the list of custom fields tells name, type and how many values fit, but values come only with the
field itself; every record lists each field that applies to its kind, with `values` empty where it is not set, so a
field that is missing there was taken away or may not be seen. RT too compares values without regard to case, and
stores its own spelling. Fields of users and groups always apply to all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from connectors.rt.answers import Row, fields_of, number
from connectors.rt.client import Moment, RtClient
from connectors.rt.settings import CompanyField, ContactField
from syncd.errors import ConfigProblem, Problem, ShapeChanged
from syncd.model import CompanyState, Consent

# Names and lists may be changed by an administrator at any time; this bounds how long we miss it.
SECONDS_TRUSTED = 900.0

USERS, GROUPS = "RT::User", "RT::Group"
PEOPLE = {USERS: "users", GROUPS: "groups"}

State = TypeVar("State", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field as RT describes it; only one of kind "Select" has choices."""

    id: int
    name: str
    kind: str
    single: bool
    choices: tuple[str, ...]

    @property
    def is_list(self) -> bool:
        """Whether its values are those of a list."""
        return self.kind == "Select"


def folded(text: object) -> str:
    """The form in which names and values are compared."""
    return str(text).strip().casefold()


def custom_fields(row: Row) -> list[Row]:
    """What a record lists; RT sends an empty text where it lists none."""
    listed = row.get("CustomFields") or []
    if not isinstance(listed, list) or not all(
        isinstance(one, dict) and isinstance(one.get("values"), list) for one in listed
    ):
        raise ShapeChanged("CustomFields of a record is not a list of names and values")
    return listed


def texts_of(row: Row, field_id: int) -> list[str] | None:
    """What that field of a record holds, without empty values; None: the record does not list it."""
    for one in custom_fields(row):
        if number("CustomFields", one.get("id")) == field_id:
            return [str(value).strip() for value in one["values"] if value is not None and str(value).strip()]
    return None


class Vocabulary(Generic[State]):
    """What the values of one custom field mean, in both directions."""

    def __init__(
        self, where: str, field: CustomField, words: Mapping[State, Sequence[str]], keys: Mapping[State, str]
    ) -> None:
        self.field = field
        self._where = where
        self._words = words
        self._keys = keys
        self._meanings = {folded(text): state for state, texts in words.items() for text in texts}

    def text(self, row: Row) -> str | None:
        """What a record shows. Raises ConfigProblem when it does not list the field at all."""
        texts = texts_of(row, self.field.id)
        if texts is None:
            what = (
                f"RT does not show '{self.field.name}' in its records: is it not applied to all of them, or does "
                "the API user lack the right SeeCustomField?"
            )
            raise ConfigProblem([Problem(f"{self._where}.name", what)])
        # One value is all that fits; were there more, all of them would have to mean the same.
        return " + ".join(texts) or None

    def meaning(self, text: str | None) -> State | None:
        """What a value stands for; None for no value and for any other."""
        return None if text is None else self._meanings.get(folded(text))

    def knows(self, text: str) -> bool:
        """Whether RT lists this value; anything fits into a field without a list."""
        return not self.field.is_list or self._choice(text) is not None

    def value(self, state: State) -> str:
        """What to write for it, as RT spells it. Raises ConfigProblem when the list has no such value."""
        text = self._words[state][0]
        if not self.field.is_list:
            return text
        choice = self._choice(text)
        if choice is None:
            raise ConfigProblem([self._not_listed(state, text)])
        return choice

    def must_be_complete(self) -> None:
        """Raise ConfigProblem with every configured value that RT does not list, or when many values fit."""
        problems = [
            self._not_listed(state, text)
            for state, texts in self._words.items()
            for text in texts
            if not self.knows(text)
        ]
        if not self.field.single:
            what = f"'{self.field.name}' takes many values; it must be of a type that takes one"
            problems.insert(0, Problem(f"{self._where}.name", what))
        if problems:
            raise ConfigProblem(problems)

    def _choice(self, text: str) -> str | None:
        return next((choice for choice in self.field.choices if folded(choice) == folded(text)), None)

    def _not_listed(self, state: State, text: str) -> Problem:
        known = ", ".join(map(repr, self.field.choices)) or "nothing"
        what = f"'{text}' is not in the list of '{self.field.name}' in RT, which has: {known}"
        return Problem(f"{self._where}.{self._keys[state]}", what)


class Fields:
    """The two custom fields as RT describes them now; read when first needed, and again when they may be old.

    Thread-safe. Both methods raise ConfigProblem when the field is not there, naming those that are.
    """

    def __init__(self, client: RtClient, contact: ContactField, company: CompanyField) -> None:
        self._client = client
        self._contact_field = contact
        self._company_field = company
        self._lock = threading.Lock()
        self._known: dict[str, tuple[CustomField, Moment]] = {}

    def contact(self) -> Vocabulary[Consent]:
        """The consent field of users."""
        field = self._contact_field
        words = {Consent.OPTED_IN: [field.opted_in], Consent.OPTED_OUT: [field.opted_out]}
        keys = {Consent.OPTED_IN: "opted_in", Consent.OPTED_OUT: "opted_out"}
        where = "psa.settings.contact_field"
        return Vocabulary(where, self._field(USERS, field.name, f"{where}.name"), words, keys)

    def company(self) -> Vocabulary[CompanyState]:
        """The approval field of groups."""
        field = self._company_field
        words = {CompanyState.APPROVED: field.approved, CompanyState.OPTED_OUT: field.opted_out}
        keys = {CompanyState.APPROVED: "approved", CompanyState.OPTED_OUT: "opted_out"}
        where = "psa.settings.company_field"
        return Vocabulary(where, self._field(GROUPS, field.name, f"{where}.name"), words, keys)

    def doubt(self, kind: str) -> None:
        """Something did not fit: read the field of users or groups again before it is used next."""
        with self._lock:
            self._known.pop(kind, None)

    def _field(self, kind: str, name: str, where: str) -> CustomField:
        with self._lock:
            known = self._known.get(kind)
            if known is None or self._client.passed(known[1], SECONDS_TRUSTED):
                self._known.pop(kind, None)
                field = self.look_up(kind, name, where)
                known = self._known[kind] = (field, self._client.moment())
            return known[0]

    def look_up(self, kind: str, name: str, where: str) -> CustomField:
        """The custom field of that name, of users or groups; ConfigProblem unless there is just one."""
        listed: list[Row] = []
        for page in self._client.pages("/customfields", ("Name", "LookupType"), {"LookupType": kind}):
            listed += page.rows
        found = [one for one in listed if folded(one.get("Name")) == folded(name)]
        if len(found) == 1:
            return self._described(number("customfields", found[0].get("id")))
        what = f"RT has {len(found)} custom fields '{name}' for {PEOPLE[kind]}; disable all but one"
        if not found:
            names = ", ".join(repr(one.get("Name")) for one in listed) or "none"
            what = f"RT has no custom field '{name}' for {PEOPLE[kind]}; those that exist: {names}"
        raise ConfigProblem([Problem(where, what)])

    def _described(self, field_id: int) -> CustomField:
        answer = self._client.get(f"/customfield/{field_id}")
        row = fields_of(answer, "Name", "Type", "MaxValues")
        values = row.get("Values") or []
        if not isinstance(values, list):
            raise ShapeChanged(f"{answer.what}: 'Values' is not a list")
        single = number(answer.what, row["MaxValues"]) == 1
        return CustomField(field_id, str(row["Name"]), str(row["Type"]), single, tuple(map(str, values)))
