"""Custom fields: how they are described, read and written.

By the vendor's guide: the API name is the chosen name with CF in front, and neither name nor type can be edited
later. Documented: an element has `id`, `name`, `value` and `display`; definitions come from /FieldInfo, their ids
differ from tenant to tenant. Inferred: the `value` of a selection is the id of an option and `display` its text;
so both count. In clients that others wrote: a checkbox as 1/0, true/false and "true"/"false".
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from connectors.halopsa.answers import Row, number
from connectors.halopsa.client import HaloPsaClient, Moment
from connectors.halopsa.settings import CompanyField, ContactField
from syncd.errors import ConfigProblem, Problem, ShapeChanged
from syncd.model import CompanyState, Consent

# A field may be deleted and made anew, a list may be edited; this bounds how long we miss it.
SECONDS_TRUSTED = 900.0
BOOLEANS = {"true": "1", "false": "0", "1": "true", "0": "false"}

State = TypeVar("State", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Choice:
    """An option of a selection."""

    value: int | str
    label: str


@dataclass(frozen=True, slots=True)
class Definition:
    """A custom field as /FieldInfo describes it; only a selection has choices."""

    id: int
    name: str
    read_only: bool
    choices: tuple[Choice, ...]


def folded(text: object) -> str:
    """The form in which values are compared."""
    return str(text).strip().casefold()


def named(text: object) -> str:
    """The form in which names are compared: "SMS Opt-In" is the label of CFSMSOptIn."""
    return "".join(char for char in str(text).casefold() if char.isalnum())


def elements(row: Row) -> list[Row]:
    """The custom fields of a record. ShapeChanged when they are not a list of elements."""
    listed = row.get("customfields") or []
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise ShapeChanged("customfields of a record is not a list of fields")
    return listed


def text_of(value: object) -> str | None:
    """A value as text: 2.0 is "2", True is "true"; None: empty."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None if not value else str(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = "" if value is None else str(value).strip()
    return text or None


class Vocabulary(Generic[State]):
    """What the values of one custom field mean, in both directions.

    A user field and a client field may bear the same name; the records themselves show which is whose.
    """

    def __init__(
        self,
        where: str,
        candidates: Sequence[Definition],
        words: Mapping[State, Sequence[str]],
        keys: Mapping[State, str],
    ) -> None:
        self.definitions = {one.id: one for one in candidates}
        self.name = candidates[0].name
        self._where = where
        self._words = words
        self._keys = keys
        self._meanings = {one.id: self._meant(one) for one in candidates}
        self._own = candidates[0].id if len(candidates) == 1 else None
        self._labels_are_values = False

    @property
    def ids(self) -> list[int]:
        """The ids of the field, mostly one."""
        return [self._own] if self._own is not None else sorted(self.definitions)

    @property
    def definition(self) -> Definition:
        """The field itself. ConfigProblem when there are several of that name and no record has shown whose."""
        if self._own is None:
            what = f"HaloPSA has several custom fields '{self.name}'; set this one for one record by hand, once"
            raise ConfigProblem([Problem(f"{self._where}.name", what)])
        return self.definitions[self._own]

    def element(self, row: Row) -> Row | None:
        """The field in a record, be it set or not; None where the record does not show it."""
        for one in elements(row):
            known = number("customfields", one["id"]) if one.get("id") is not None else None
            if known in self.definitions or (known is None and named(one.get("name")) == named(self.name)):
                self._own = known if known is not None and self._own is None else self._own
                return one
        return None

    def text(self, row: Row) -> str | None:
        """What people see in the field; None: empty or not there."""
        one = self.element(row)
        if one is None or self._empty(one):
            return None
        return text_of(one.get("display")) or text_of(one.get("value"))

    def meaning(self, row: Row) -> State | None:
        """What the field of a record stands for; None for no value and for any other."""
        one = self.element(row)
        if one is None or self._empty(one):
            return None
        definition = self._definition_of(one)
        meanings = self._meanings[definition.id]
        value = text_of(one.get("value"))
        choice = _choice(definition, value)
        if choice is not None and folded(choice.value) != folded(value):
            self._labels_are_values = True
        for text in (value, text_of(one.get("display"))):
            if text is not None and folded(text) in meanings:
                return meanings[folded(text)]
            if choice is not None:  # a known option: what else is shown of it changes nothing
                return None
        return None

    def value(self, state: State, present: Row | None) -> Any:
        """What to write for it: the id of the option, or the text, in the form that the record showed before.

        Raises ConfigProblem when a selection has no such option.
        """
        text = self._words[state][0]
        definition = self.definition
        if definition.choices:
            choice = _choice(definition, text)
            if choice is None:
                raise ConfigProblem([self._not_listed(definition, state, text)])
            return choice.label if self._labels_are_values else choice.value
        shown = present.get("value") if present else None
        if folded(text) not in BOOLEANS:
            return text
        on = folded(text) in {"true", "1"}
        if isinstance(shown, str) and shown.strip():
            return str(int(on)) if shown.strip() in {"0", "1"} else str(on).lower()
        if isinstance(shown, int) and not isinstance(shown, bool):
            return int(on)
        return int(on) if shown is None and text.strip() in {"0", "1"} else on

    def must_be_complete(self) -> None:
        """Raise ConfigProblem with every configured value that the selection does not have, or has twice."""
        listed = [one for one in self.definitions.values() if one.choices and self._own in {None, one.id}]
        problems: list[Problem] = []
        for definition in listed:
            found = {
                (state, text): _choice(definition, text) for state, texts in self._words.items() for text in texts
            }
            if self._own is None and not any(found.values()):
                continue  # the other entity's
            problems += [self._not_listed(definition, *key) for key, choice in found.items() if choice is None]
            taken: dict[object, State] = {}
            for (state, text), choice in found.items():
                if choice is not None and taken.setdefault(choice.value, state) is not state:
                    what = f"'{text}' ({choice.value}) of '{definition.name}' cannot mean both"
                    problems.append(Problem(f"{self._where}.{self._keys[state]}", what))
        if problems:
            raise ConfigProblem(problems)

    def _empty(self, element: Row) -> bool:
        value = text_of(element.get("value"))
        definition = self._definition_of(element)
        if value == "0" and definition.choices and _choice(definition, "0") is None:
            value = None  # no option has the id 0
        return value is None and text_of(element.get("display")) is None

    def _definition_of(self, element: Row) -> Definition:
        if element.get("id") is None:
            return self.definition
        return self.definitions[number("customfields", element["id"])]

    def _meant(self, definition: Definition) -> dict[str, State]:
        meanings: dict[str, State] = {}
        for state, texts in self._words.items():
            for text in texts:
                meanings[folded(text)] = state
                if not definition.choices and folded(text) in BOOLEANS:
                    meanings.setdefault(BOOLEANS[folded(text)], state)
                if choice := _choice(definition, text):
                    meanings.setdefault(folded(choice.label), state)
        # Last, because an id beats a label where a list uses one word for both.
        for state, texts in self._words.items():
            for choice in filter(None, (_choice(definition, text) for text in texts)):
                meanings[folded(choice.value)] = state
        return meanings

    def _not_listed(self, definition: Definition, state: State, text: str) -> Problem:
        known = ", ".join(repr(choice.label) for choice in definition.choices) or "nothing"
        what = f"'{text}' is no option of '{definition.name}' in HaloPSA, which has: {known}"
        return Problem(f"{self._where}.{self._keys[state]}", what)


def _choice(definition: Definition, text: str | None) -> Choice | None:
    if text is None:
        return None
    for choice in definition.choices:
        if folded(choice.value) == folded(text):
            return choice
    return next((choice for choice in definition.choices if folded(choice.label) == folded(text)), None)


class Fields:
    """The two custom fields as /FieldInfo describes them now; read when needed, and again when they may be old.

    Thread-safe. Both methods raise ConfigProblem when the field is not there, naming those that are.
    """

    def __init__(self, client: HaloPsaClient, contact: ContactField, company: CompanyField) -> None:
        self._client = client
        self._contact_field = contact
        self._company_field = company
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Vocabulary[Any], Moment]] = {}

    def contact(self) -> Vocabulary[Consent]:
        """The consent field of users."""
        field = self._contact_field
        words = {Consent.OPTED_IN: [field.opted_in], Consent.OPTED_OUT: [field.opted_out]}
        keys = {Consent.OPTED_IN: "opted_in", Consent.OPTED_OUT: "opted_out"}
        return self._vocabulary("Users", field.name, "psa.settings.contact_field", words, keys)

    def company(self) -> Vocabulary[CompanyState]:
        """The approval field of clients."""
        field = self._company_field
        words = {CompanyState.APPROVED: field.approved, CompanyState.OPTED_OUT: field.opted_out}
        keys = {CompanyState.APPROVED: "approved", CompanyState.OPTED_OUT: "opted_out"}
        return self._vocabulary("Client", field.name, "psa.settings.company_field", words, keys)

    def doubt(self, entity: str) -> None:
        """Something did not fit: read the definition for Users or Client again before it is used next."""
        with self._lock:
            self._known.pop(entity, None)

    def _vocabulary(
        self, entity: str, name: str, where: str, words: Mapping[Any, Sequence[str]], keys: Mapping[Any, str]
    ) -> Vocabulary[Any]:
        with self._lock:
            known = self._known.get(entity)
            if known is None or self._client.passed(known[1], SECONDS_TRUSTED):
                self._known.pop(entity, None)
                vocabulary = Vocabulary(where, self._look_up(name, where), words, keys)
                known = self._known[entity] = (vocabulary, self._client.moment())
            return known[0]

    def _look_up(self, name: str, where: str) -> list[Definition]:
        answer = self._client.get("/FieldInfo", {"includevalues": "true"})
        body = answer.json()
        bodies = body.values() if isinstance(body, dict) else [body]
        listed: Any = next((one for one in bodies if isinstance(one, list)), None)
        if listed is None or not all(isinstance(one, dict) for one in listed):
            raise ShapeChanged(f"{answer.what}: the answer is not a list of fields")
        wanted = {named(name), "cf" + named(name)}
        found = [one for one in listed if named(one.get("name")) in wanted]
        found = found or [one for one in listed if named(one.get("label")) == named(name)]
        # A built-in field may bear the same name.
        found = [one for one in found if named(one.get("name")).startswith("cf")] or found
        if not found:
            names = sorted({str(one.get("name")) for one in listed if named(one.get("name")).startswith("cf")})
            what = f"HaloPSA has no custom field '{name}'; those that exist: {', '.join(names[:40]) or 'none'}"
            raise ConfigProblem([Problem(f"{where}.name", what)])
        return [self._described(one) for one in found]

    def _described(self, field: Row) -> Definition:
        field_id = number("/FieldInfo", field.get("id"))
        if not field.get("values"):  # only the single definition may list the options
            answer = self._client.get(f"/FieldInfo/{field_id}", {"includedetails": "true"})
            field = answer.json()
            if not isinstance(field, dict) or number(answer.what, field.get("id")) != field_id:
                raise ShapeChanged(f"{answer.what}: the answer is not that field: {answer.excerpt()}")
        entries = field.get("values") or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ShapeChanged("the values of a custom field are not a list of options")
        choices = tuple(_option(entry) for entry in entries)
        return Definition(field_id, str(field.get("name")), field.get("readonly") is True, choices)


def _option(entry: Row) -> Choice:
    """An option of a selection: `id` and `name`; the description does not say more than "object"."""
    value = next((entry[key] for key in ("id", "value") if entry.get(key) is not None), None)
    label = next((entry[key] for key in ("name", "display", "label", "value") if entry.get(key) is not None), None)
    if value is None or label is None:
        raise ShapeChanged("an option of a custom field has no id or no name")
    text = text_of(value) or ""
    return Choice(int(text) if text.isascii() and text.isdigit() else text, str(label).strip())
