"""Custom fields: how they are described, read and written.

By the vendor's guide: the API name is the chosen name with CF in front, and neither name nor type can be edited
later. Documented: an element has `id`, `name`, `value` and `display`; definitions come from /FieldInfo, their ids
differ from tenant to tenant. Inferred: the `value` of a selection is the id of an option and `display` its text;
so both count. In clients that others wrote: a checkbox as 1/0, true/false and "true"/"false".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic

from connectors.halopsa.client import HaloPsaClient
from connectors.halopsa.settings import HaloPsaSettings
from syncd.connector import fields
from syncd.connector.answers import Row, is_id, number, record_of, rows_in
from syncd.connector.fields import (
    COMPANY_FIELD,
    CONTACT_FIELD,
    Choice,
    CustomField,
    Remembered,
    State,
    folded,
)
from syncd.errors import ConfigProblem, Problem, ShapeChanged
from syncd.model import CompanyState, Consent

BOOLEANS = {"true": "1", "false": "0", "1": "true", "0": "false"}

CONTACTS, COMPANIES = "Users", "Client"


class Meanings(fields.Vocabulary[State]):
    """What the values of one definition mean; those of a checkbox come in several forms."""

    def meaning(self, value: object) -> State | None:
        """What a value stands for; None for no value and for any other."""
        found = super().meaning(value)
        if found is None and value is not None and not self.field.is_list:
            found = super().meaning(BOOLEANS.get(folded(value)))
        return found


class Vocabulary(Generic[State]):
    """What the values of one custom field mean, and what records hold in it.

    A user field and a client field may bear the same name; the records themselves show which is whose.
    """

    def __init__(
        self, where: str, candidates: Sequence[CustomField], words: Mapping[State, Sequence[object]]
    ) -> None:
        self.name = candidates[0].name
        self.candidates = tuple(candidates)
        self._where = where
        self._words = words
        self._meanings = {one.id: Meanings("HaloPSA", where, one, words) for one in candidates}
        self._own = candidates[0].id if len(candidates) == 1 else None
        self._labels_are_values = False

    @property
    def ids(self) -> list[int]:
        """The ids of the field, mostly one."""
        return [one.id for one in self.candidates if one.id is not None and self._own in {None, one.id}]

    @property
    def field(self) -> CustomField:
        """The field itself. ConfigProblem when there are several of that name and no record has shown whose."""
        return self._its_meanings(self._own).field

    def element(self, row: Row) -> Row | None:
        """The field in a record, be it set or not; None where the record does not show it."""
        for one in custom_fields(row):
            known = number("customfields", one["id"]) if one.get("id") is not None else None
            if known in self._meanings or (known is None and named(one.get("name")) == named(self.name)):
                self._own = known if known is not None and self._own is None else self._own
                return one
        return None

    def shown_by(self, row: Row) -> bool:
        """Whether the record lists it, be it set or not."""
        return self.element(row) is not None

    def held(self, row: Row) -> str | None:
        """What people see in the field of a record; None: nothing, or not there."""
        one = self.element(row)
        if one is None or self._empty(one):
            return None
        return text_of(one.get("display")) or text_of(one.get("value"))

    def meaning(self, row: Row) -> State | None:
        """What the field of a record stands for; None for no value and for any other."""
        one = self.element(row)
        if one is None or self._empty(one):
            return None
        meanings = self._its_meanings(one.get("id"))
        value = text_of(one.get("value"))
        choice = meanings.field.choice(value)
        if choice is not None and folded(choice.value) != folded(value):
            self._labels_are_values = True
        found = meanings.meaning(value)
        # Of a known option nothing else that is shown changes what it is.
        return found if found is not None or choice is not None else meanings.meaning(text_of(one.get("display")))

    def value(self, state: State, present: Row | None) -> Any:
        """What to write for it: the id of the option, or the text, in the form that the record showed before.

        Raises ConfigProblem when a selection has no such option.
        """
        meanings = self._its_meanings(self._own)
        value = meanings.value(state)
        if choice := meanings.field.choice(value):
            return choice.label if self._labels_are_values else choice.value
        shown = present.get("value") if present else None
        if folded(value) not in BOOLEANS:
            return value
        on = folded(value) in {"true", "1"}
        if isinstance(shown, str) and shown.strip():
            return str(int(on)) if shown.strip() in {"0", "1"} else str(on).lower()
        if isinstance(shown, int) and not isinstance(shown, bool):
            return int(on)
        return int(on) if shown is None and folded(value) in {"0", "1"} else on

    def must_be_complete(self) -> None:
        """Raise ConfigProblem with every configured value that the selection does not have, or has twice."""
        problems: list[Problem] = []
        for one in self.candidates:
            values = [value for values in self._words.values() for value in values]
            of_the_other_entity = self._own is None and not any(map(one.choice, values))
            if not one.is_list or self._own not in {None, one.id} or of_the_other_entity:
                continue
            try:
                self._meanings[one.id].must_be_complete()
            except ConfigProblem as error:
                problems += error.problems
        if problems:
            raise ConfigProblem(problems)

    def _its_meanings(self, field_id: object) -> Meanings[State]:
        """Those of the definition with that id; an element may bear no id, and then it is the field's own."""
        known = self._own if field_id is None else number("customfields", field_id)
        if known is None:
            what = f"HaloPSA has several custom fields '{self.name}'; set this one for one record by hand, once"
            raise ConfigProblem([Problem(f"{self._where}.name", what)])
        return self._meanings[known]

    def _empty(self, element: Row) -> bool:
        value = text_of(element.get("value"))
        field = self._its_meanings(element.get("id")).field
        if value == "0" and field.is_list and field.choice("0") is None:
            value = None  # no option has the id 0
        return value is None and text_of(element.get("display")) is None


def named(text: object) -> str:
    """The form in which names are compared: "SMS Opt-In" is the label of CFSMSOptIn."""
    return "".join(char for char in str(text).casefold() if char.isalnum())


def custom_fields(row: Row) -> list[Row]:
    """The custom fields of a record; absent and null are none. One that bears no name is a change of shape."""
    listed = rows_in(row.get("customfields") or [], "customfields of a record")
    if any(one.get("id") is None and not one.get("name") for one in listed):
        raise ShapeChanged("customfields of a record hold one with neither id nor name")
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


class Fields:
    """The two custom fields as /FieldInfo describes them now; read when needed, and again when they may be old.

    Thread-safe. Both methods raise ConfigProblem when the field is not there, naming those that are.
    """

    def __init__(self, client: HaloPsaClient, settings: HaloPsaSettings) -> None:
        self._client = client
        self._settings = settings
        # Whole vocabularies, because these learn from records.
        self._known: Remembered[Vocabulary[Any]] = Remembered(client.moments)

    def contact(self) -> Vocabulary[Consent]:
        """The consent field of users."""
        wanted = self._settings.contact_field
        return self._known.get(
            CONTACTS,
            lambda: Vocabulary(CONTACT_FIELD, self._look_up(wanted.name, CONTACT_FIELD), wanted.words),
        )

    def company(self) -> Vocabulary[CompanyState]:
        """The approval field of clients."""
        wanted = self._settings.company_field
        return self._known.get(
            COMPANIES,
            lambda: Vocabulary(COMPANY_FIELD, self._look_up(wanted.name, COMPANY_FIELD), wanted.words),
        )

    def doubt(self, entity: str) -> None:
        """Something did not fit: read the definition for Users or Client again before it is used next."""
        self._known.forget(entity)

    def _look_up(self, name: str, where: str) -> list[CustomField]:
        answer = self._client.get("/FieldInfo", {"includevalues": "true"})
        body = answer.json()
        bodies = body.values() if isinstance(body, dict) else [body]
        listed = rows_in(
            next((one for one in bodies if isinstance(one, list)), None), f"{answer.what}: the answer", answer
        )
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

    def _described(self, one: Row) -> CustomField:
        field_id = number("/FieldInfo", one.get("id"))
        if not one.get("values"):  # only the single definition may list the options
            answer = self._client.get(f"/FieldInfo/{field_id}", {"includedetails": "true"})
            one = record_of(answer, answer.json(), field_id)
        choices = tuple(map(_option, rows_in(one.get("values") or [], "values of a custom field")))
        return CustomField(
            id=field_id,
            name=str(one.get("name")),
            kind="selection" if choices else "text or checkbox",
            is_list=bool(choices),
            choices=choices or None,
            read_only=one.get("readonly") is True,
        )


def _option(entry: Row) -> Choice:
    """An option of a selection: `id` and `name`; the description does not say more than "object"."""
    value = next((entry[key] for key in ("id", "value") if entry.get(key) is not None), None)
    label = next((entry[key] for key in ("name", "display", "label", "value") if entry.get(key) is not None), None)
    if value is None or label is None:
        raise ShapeChanged("an option of a custom field has no id or no name")
    text = text_of(value) or ""
    return Choice(int(text) if is_id(text) else text, str(label).strip())
