"""User-defined fields (UDFs): how they are described, read and written.

Documented: a UDF is a name and a value, the value always text; a list UDF stores the *value* of a list entry and
shows its *label*, and the two may differ. Seen live by third parties: an unset UDF comes with the value null, or
not at all, and then its whole list may be missing. Which of value and label a read shows is unverified, so both
count.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from connectors.autotask.answers import Row, fields_of
from connectors.autotask.client import AutotaskClient, Moment
from connectors.autotask.settings import CompanyField, ContactField
from syncd.errors import ConfigProblem, Problem, ShapeChanged
from syncd.model import CompanyState, Consent

# Names and lists may be changed by an administrator at any time (documented); this bounds how long we miss it.
SECONDS_TRUSTED = 900.0

State = TypeVar("State", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry of a list UDF. One that is not active still stands in old records."""

    value: str
    label: str
    active: bool


@dataclass(frozen=True, slots=True)
class Udf:
    """A user-defined field as the metadata describe it; only one of kind "list" has choices."""

    name: str
    kind: str
    read_only: bool
    choices: tuple[Choice, ...]

    @property
    def is_list(self) -> bool:
        """Whether its values are those of a list."""
        return self.kind == "list"


def folded(text: object) -> str:
    """The form in which names and values are compared."""
    return str(text).strip().casefold()


def shows(row: Row, name: str) -> bool:
    """Whether the record lists that UDF, be it set or not."""
    return any(folded(udf.get("name")) == folded(name) for udf in _udfs(row))


def text_of(row: Row, name: str) -> str | None:
    """What the UDF of a record holds; None: empty or not there."""
    for udf in _udfs(row):
        if folded(udf.get("name")) == folded(name):
            value = udf.get("value")
            return None if value is None or not str(value).strip() else str(value).strip()
    return None


def _udfs(row: Row) -> list[Row]:
    udfs = row.get("userDefinedFields") or []
    if not isinstance(udfs, list) or not all(isinstance(udf, dict) for udf in udfs):
        raise ShapeChanged("userDefinedFields of a record is not a list of names and values")
    return udfs


class Vocabulary(Generic[State]):
    """What the values of one UDF mean, in both directions."""

    def __init__(
        self, where: str, udf: Udf, words: Mapping[State, Sequence[str]], keys: Mapping[State, str]
    ) -> None:
        self.udf = udf
        self._where = where
        self._words = words
        self._keys = keys
        self._meanings: dict[str, State] = {}
        for state, texts in words.items():
            for text in texts:
                self._meanings[folded(text)] = state
                if choice := self._choice(text):
                    self._meanings.setdefault(folded(choice.label), state)
        # Last, because a value beats a label where a list uses one word for both.
        for state, texts in words.items():
            for choice in filter(None, map(self._choice, texts)):
                self._meanings[folded(choice.value)] = state

    def meaning(self, text: str | None) -> State | None:
        """What a value stands for; None for no value and for any other."""
        return None if text is None else self._meanings.get(folded(text))

    def knows(self, text: str) -> bool:
        """Whether the metadata list this value; anything fits into plain text."""
        return not self.udf.is_list or self._choice(text) is not None

    def value(self, state: State) -> str:
        """What to write for it: the value of the list entry, or the text itself.

        Raises ConfigProblem when the list has no such entry, or no active one.
        """
        text = self._words[state][0]
        if not self.udf.is_list:
            return text
        choice = self._choice(text)
        if choice is None:
            raise ConfigProblem([self._not_listed(state, text)])
        if not choice.active:
            what = f"'{text}' is switched off in the list of '{self.udf.name}' in Autotask"
            raise ConfigProblem([Problem(f"{self._where}.{self._keys[state]}", what)])
        return choice.value

    def must_be_complete(self) -> None:
        """Raise ConfigProblem with every configured value that the list does not have, or has for two things."""
        problems = [
            self._not_listed(state, text)
            for state, texts in self._words.items()
            for text in texts
            if not self.knows(text)
        ]
        taken: dict[str, State] = {}
        for state, texts in self._words.items():
            for choice in filter(None, map(self._choice, texts)):
                if taken.setdefault(choice.value, state) is not state:
                    what = f"'{choice.label}' ({choice.value}) of '{self.udf.name}' cannot mean both"
                    problems.append(Problem(f"{self._where}.{self._keys[state]}", what))
        if problems:
            raise ConfigProblem(problems)

    def _choice(self, text: str) -> Choice | None:
        for choice in self.udf.choices:
            if folded(choice.value) == folded(text):
                return choice
        for choice in self.udf.choices:
            if folded(choice.label) == folded(text):
                return choice
        return None

    def _not_listed(self, state: State, text: str) -> Problem:
        known = ", ".join(repr(choice.label) for choice in self.udf.choices) or "nothing"
        what = f"'{text}' is not in the list of '{self.udf.name}' in Autotask, which has: {known}"
        return Problem(f"{self._where}.{self._keys[state]}", what)


class Fields:
    """The two UDFs as the metadata describe them now; read when first needed, and again when they may be old.

    Thread-safe. Both methods raise ConfigProblem when the UDF is not there, naming those that are.
    """

    def __init__(self, client: AutotaskClient, contact: ContactField, company: CompanyField) -> None:
        self._client = client
        self._contact_field = contact
        self._company_field = company
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Udf, Moment]] = {}

    def contact(self) -> Vocabulary[Consent]:
        """The consent field of contacts."""
        field = self._contact_field
        words = {Consent.OPTED_IN: [field.opted_in], Consent.OPTED_OUT: [field.opted_out]}
        keys = {Consent.OPTED_IN: "opted_in", Consent.OPTED_OUT: "opted_out"}
        where = "psa.settings.contact_field"
        return Vocabulary(where, self._udf("Contacts", field.name, where), words, keys)

    def company(self) -> Vocabulary[CompanyState]:
        """The approval field of companies."""
        field = self._company_field
        words = {CompanyState.APPROVED: field.approved, CompanyState.OPTED_OUT: field.opted_out}
        keys = {CompanyState.APPROVED: "approved", CompanyState.OPTED_OUT: "opted_out"}
        where = "psa.settings.company_field"
        return Vocabulary(where, self._udf("Companies", field.name, where), words, keys)

    def doubt(self, entity: str) -> None:
        """Something did not fit: read the metadata of Contacts or Companies again before they are used next."""
        with self._lock:
            self._known.pop(entity, None)

    def _udf(self, entity: str, name: str, where: str) -> Udf:
        with self._lock:
            known = self._known.get(entity)
            if known is None or self._client.passed(known[1], SECONDS_TRUSTED):
                self._known.pop(entity, None)
                udf = self._look_up(entity, name, where)
                known = self._known[entity] = (udf, self._client.moment())
            return known[0]

    def _look_up(self, entity: str, name: str, where: str) -> Udf:
        answer = self._client.get(f"/V1.0/{entity}/entityInformation/userDefinedFields")
        listed = fields_of(answer, "fields")["fields"]
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise ShapeChanged(f"{answer.what}: 'fields' is not a list of fields")
        for key in ("name", "label"):
            for one in listed:
                if folded(one.get(key)) == folded(name):
                    return _described(one)
        names = ", ".join(repr(one.get("name")) for one in listed) or "none"
        what = f"{entity} in Autotask have no user-defined field '{name}'; those that exist: {names}"
        raise ConfigProblem([Problem(f"{where}.name", what)])


def _described(field: Row) -> Udf:
    entries = field.get("picklistValues") or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ShapeChanged("the picklistValues of a user-defined field are not a list of values and labels")
    choices = tuple(
        Choice(str(entry.get("value")), str(entry.get("label")), entry.get("isActive") is not False)
        for entry in entries
    )
    kind = "list" if choices or field.get("isPickList") else str(field.get("type") or "text")
    return Udf(str(field.get("name")), kind, bool(field.get("isReadOnly")), choices)
