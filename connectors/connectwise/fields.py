"""Custom fields and the company status: how they are described, read and written.

Documented: a custom field has an id that stays and a caption that anybody may edit; `/system/userDefinedFields`
describes them for all screens together. Seen live by third parties: a record lists every custom field of its
screen, also those that hold null; a checkbox is null until somebody sets it; a role may be too weak for the
description. So the caption is looked up once, and from then on the id counts.
"""

from __future__ import annotations

from connectors.connectwise.answers import NoSuchRoute
from connectors.connectwise.client import ConnectWiseClient
from connectors.connectwise.settings import ConnectWiseSettings
from syncd.connector import fields
from syncd.connector.answers import Row, number, rows_in
from syncd.connector.fields import (
    COMPANY_FIELD,
    CONTACT_FIELD,
    Choice,
    CustomField,
    Remembered,
    State,
    folded,
)
from syncd.errors import ConfigProblem, Permanent, Problem
from syncd.model import CompanyState, Consent

# So many records are looked at for their fields: one that is limited to some locations may be missing in others.
SAMPLE = 25
HOLDS_VALUES = frozenset({"checkbox", "text", "textarea"})

CONTACTS, COMPANIES, STATUSES = "/company/contacts", "/company/companies", "/company/companies/statuses"
DEFINITIONS = "/system/userDefinedFields"

# The status of a company, where it says what the custom field would: it has no id among the custom fields.
STATUS = "status"


class Vocabulary(fields.Vocabulary[State]):
    """What the values of one field mean, and what records hold in it."""

    @property
    def is_checkbox(self) -> bool:
        """Whether the values are true and false."""
        return folded(self.field.kind) == "checkbox" and not self.field.is_list

    def shown_by(self, row: Row) -> bool:
        """Whether the record shows it, be it set or not."""
        return STATUS in row if self.field.id is None else self._entry(row) is not None

    def held(self, row: Row) -> object:
        """What a record holds in it; None: nothing, or not there."""
        if self.field.id is None:
            status = row.get(STATUS)
            found = status.get("name") if isinstance(status, dict) else None
        else:
            found = (self._entry(row) or {}).get("value")
        return None if found is None or not str(found).strip() else found

    def renamed_in(self, row: Row) -> str | None:
        """The caption that the record gives it, where that is another one."""
        entry = None if self.field.id is None else self._entry(row)
        caption = str((entry or {}).get("caption") or self.field.name)
        return None if folded(caption) == folded(self.field.name) else caption

    def knows(self, value: object) -> bool:
        """Whether the field can hold this value, as far as we may see."""
        return folded(value) in {"true", "false"} if self.is_checkbox else super().knows(value)

    def value(self, state: State) -> bool | str:
        """What to write for it. Raises ConfigProblem when the field cannot hold it, or no longer."""
        value = super().value(state)
        return folded(value) == "true" if self.is_checkbox else str(value)

    def problem(self, state: State, value: object) -> Problem | None:
        """What is wrong with a value that the settings name; None: nothing."""
        caption = self.field.name
        if self.is_checkbox:
            what = f"'{caption}' is a checkbox in ConnectWise: its values are true and false, not '{value}'"
            return None if self.knows(value) else Problem(self.key(state), what)
        if isinstance(value, bool):
            return Problem(self.key(state), f"'{caption}' is no checkbox in ConnectWise: put its value in quotes")
        return super().problem(state, value)

    def _entry(self, row: Row) -> Row | None:
        return next((one for one in custom_fields(row) if id_of(one) == self.field.id), None)


def custom_fields(row: Row) -> list[Row]:
    """The custom fields of a record; absent and null are none."""
    listed = row.get("customFields")
    return [] if listed is None else rows_in(listed, "customFields of a record")


def id_of(field: Row) -> int:
    """The id of a custom field of a record."""
    return number("customFields", field.get("id"))


class Fields:
    """The two fields as ConnectWise describes them; looked up when first needed, and again when in doubt.

    Thread-safe. Both methods raise ConfigProblem when the field is not there, naming those that are.
    """

    def __init__(self, client: ConnectWiseClient, settings: ConnectWiseSettings) -> None:
        self._client = client
        self._settings = settings
        self._known: Remembered[CustomField] = Remembered()

    def contact(self) -> Vocabulary[Consent]:
        """The consent field of contacts."""
        wanted = self._settings.contact_field
        field = self._known.get(CONTACTS, lambda: self._look_up(CONTACTS, wanted.name, CONTACT_FIELD))
        return Vocabulary("ConnectWise", CONTACT_FIELD, field, wanted.words)

    def company(self) -> Vocabulary[CompanyState]:
        """The approval field of companies, or their status."""
        wanted = self._settings.company_field
        by_status = wanted.by == STATUS
        field = self._known.get(
            COMPANIES,
            self._status if by_status else lambda: self._look_up(COMPANIES, wanted.name, COMPANY_FIELD),
        )
        return Vocabulary("ConnectWise", COMPANY_FIELD, field, wanted.words)

    def doubt(self, path: str) -> None:
        """Something did not fit: look the field of contacts or companies up again before it is used next."""
        self._known.forget(path)

    def _status(self) -> CustomField:
        """The status of companies. Seen live by third parties: a role that reads companies but not this table."""
        rows = self._readable(STATUSES)
        names = [(str(row.get("name")), row.get("inactiveFlag") is not True) for row in rows or ()]
        choices = tuple(Choice(name, name, active) for name, active in names)
        return CustomField(None, STATUS, STATUS, is_list=True, choices=choices or None)

    def _look_up(self, path: str, name: str, where: str) -> CustomField:
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
            ids = ", ".join(str(field.id) for field in found)
            what = f"{kind} in ConnectWise have several custom fields '{name}' (ids {ids}); rename all but one"
        elif found:
            what = f"'{found[0].name}' is of type {found[0].kind} in ConnectWise; use a list, text or checkbox"
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


def _seen(one: Row) -> CustomField:
    """A field as a record has it: of a list the entries are not known."""
    is_list = folded(one.get("entryMethod")) in {"list", "option"}
    return CustomField(id_of(one), str(one.get("caption")).strip(), str(one.get("type") or "Text"), is_list)


def _described(one: Row) -> CustomField:
    is_list = folded(one.get("entryTypeIdentifier")) in {"list", "option"}
    options = rows_in(one.get("options") or [], "options of a custom field")
    texts = [(str(option.get("optionValue")), option.get("inactiveFlag") is not True) for option in options]
    return CustomField(
        id=number(DEFINITIONS, one.get("id")),
        name=str(one.get("caption")).strip(),
        kind=str(one.get("fieldTypeIdentifier") or "Text"),
        is_list=is_list,
        choices=tuple(Choice(text, text, active) for text, active in texts) if is_list else None,
        read_only=one.get("readOnlyFlag") is True,
    )
