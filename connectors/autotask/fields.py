"""User-defined fields (UDFs): how they are described, read and written.

Documented: a UDF is a name and a value, the value always text; a list UDF stores the *value* of a list entry and
shows its *label*, and the two may differ. Seen live by third parties: an unset UDF comes with the value null, or
not at all, and then its whole list may be missing. Which of value and label a read shows is unverified, so both
count.
"""

from __future__ import annotations

from connectors.autotask.client import AutotaskClient
from connectors.autotask.settings import AutotaskSettings
from syncd.connector import fields
from syncd.connector.answers import Row, fields_of, rows_in
from syncd.connector.fields import (
    COMPANY_FIELD,
    CONTACT_FIELD,
    Choice,
    CustomField,
    Remembered,
    State,
    folded,
)
from syncd.errors import ConfigProblem, Problem
from syncd.model import CompanyState, Consent

CONTACTS, COMPANIES = "Contacts", "Companies"


class Vocabulary(fields.Vocabulary[State]):
    """What the values of one UDF mean, and what records hold in it."""

    def shown_by(self, row: Row) -> bool:
        """Whether the record lists it, be it set or not."""
        return self._entry(row) is not None

    def held(self, row: Row) -> str | None:
        """What a record holds in it; None: nothing, or not there."""
        value = (self._entry(row) or {}).get("value")
        return None if value is None else str(value).strip() or None

    def _entry(self, row: Row) -> Row | None:
        name = folded(self.field.name)
        return next((one for one in custom_fields(row) if folded(one.get("name")) == name), None)


def custom_fields(row: Row) -> list[Row]:
    """The UDFs of a record; absent and null are none."""
    return rows_in(row.get("userDefinedFields") or [], "userDefinedFields of a record")


class Fields:
    """The two UDFs as the metadata describe them now; read when first needed, and again when they may be old.

    Thread-safe. Both methods raise ConfigProblem when the UDF is not there, naming those that are.
    """

    def __init__(self, client: AutotaskClient, settings: AutotaskSettings) -> None:
        self._client = client
        self._settings = settings
        self._known: Remembered[CustomField] = Remembered(client.moments)

    def contact(self) -> Vocabulary[Consent]:
        """The consent field of contacts."""
        wanted = self._settings.contact_field
        field = self._known.get(CONTACTS, lambda: self._look_up(CONTACTS, wanted.name, CONTACT_FIELD))
        return Vocabulary("Autotask", CONTACT_FIELD, field, wanted.words)

    def company(self) -> Vocabulary[CompanyState]:
        """The approval field of companies."""
        wanted = self._settings.company_field
        field = self._known.get(COMPANIES, lambda: self._look_up(COMPANIES, wanted.name, COMPANY_FIELD))
        return Vocabulary("Autotask", COMPANY_FIELD, field, wanted.words)

    def doubt(self, entity: str) -> None:
        """Something did not fit: read the metadata of Contacts or Companies again before they are used next."""
        self._known.forget(entity)

    def _look_up(self, entity: str, name: str, where: str) -> CustomField:
        answer = self._client.get(f"/V1.0/{entity}/entityInformation/userDefinedFields")
        listed = rows_in(fields_of(answer, "fields")["fields"], f"{answer.what}: 'fields'")
        for key in ("name", "label"):
            for one in listed:
                if folded(one.get(key)) == folded(name):
                    return _described(one)
        names = ", ".join(repr(one.get("name")) for one in listed) or "none"
        what = f"{entity} in Autotask have no user-defined field '{name}'; those that exist: {names}"
        raise ConfigProblem([Problem(f"{where}.name", what)])


def _described(one: Row) -> CustomField:
    entries = rows_in(one.get("picklistValues") or [], "picklistValues of a user-defined field")
    is_list = bool(entries or one.get("isPickList"))
    choices = tuple(
        Choice(str(entry.get("value")), str(entry.get("label")), entry.get("isActive") is not False)
        for entry in entries
    )
    return CustomField(
        id=None,
        name=str(one.get("name")),
        kind="list" if is_list else str(one.get("type") or "text"),
        is_list=is_list,
        choices=choices if is_list else None,
        read_only=bool(one.get("isReadOnly")),
    )
