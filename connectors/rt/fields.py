"""Custom fields: how they are described and read, and what their values mean.

Seen on RT 5.0.3: the list of custom fields tells name, type and how many values fit, but values come only with the
field itself; every record lists each field that applies to its kind, with `values` empty where it is not set, so a
field that is missing there was taken away or may not be seen. RT too compares values without regard to case, and
stores its own spelling. Fields of users and groups always apply to all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.rt.client import RtClient
from connectors.rt.settings import RtSettings
from syncd.connector import fields
from syncd.connector.answers import Row, fields_of, number, rows_in
from syncd.connector.fields import COMPANY_FIELD, CONTACT_FIELD, Choice, Remembered, State, folded
from syncd.errors import ConfigProblem, Problem, ShapeChanged
from syncd.model import CompanyState, Consent

CONTACTS, COMPANIES = "RT::User", "RT::Group"
PEOPLE = {CONTACTS: "users", COMPANIES: "groups"}


@dataclass(frozen=True, slots=True)
class CustomField(fields.CustomField):
    """A custom field as RT describes it; only one of kind "Select" has choices.

    single: one value is all that fits
    """

    single: bool = True


class Vocabulary(fields.Vocabulary[State]):
    """What the values of one custom field mean, and what records hold in it."""

    def held(self, row: Row) -> str | None:
        """What a record holds; None: nothing. Raises ConfigProblem when it does not list the field at all."""
        texts = texts_of(row, self.field.id)
        if texts is None:
            what = (
                f"RT does not show '{self.field.name}' in its records: is it not applied to all of them, or does "
                "the API user lack the right SeeCustomField?"
            )
            raise ConfigProblem([Problem(f"{self.where}.name", what)])
        # One value is all that fits; were there more, all of them would have to mean the same.
        return " + ".join(texts) or None

    def must_be_complete(self) -> None:
        """Raise ConfigProblem with every configured value that RT does not list, or when many values fit."""
        if isinstance(self.field, CustomField) and not self.field.single:
            what = f"'{self.field.name}' takes many values; it must be of a type that takes one"
            raise ConfigProblem([Problem(f"{self.where}.name", what)])
        super().must_be_complete()


def custom_fields(row: Row) -> list[Row]:
    """What a record lists; RT sends an empty text where it lists none."""
    listed = rows_in(row.get("CustomFields") or [], "CustomFields of a record")
    if not all(isinstance(one.get("values"), list) for one in listed):
        raise ShapeChanged("CustomFields of a record is not a list of names and values")
    return listed


def texts_of(row: Row, field_id: int | None) -> list[str] | None:
    """What that field of a record holds, without empty values; None: the record does not list it."""
    for one in custom_fields(row):
        if number("CustomFields", one.get("id")) == field_id:
            return [str(value).strip() for value in one["values"] if value is not None and str(value).strip()]
    return None


class Fields:
    """The two custom fields as RT describes them now; read when first needed, and again when they may be old.

    Thread-safe. Both methods raise ConfigProblem when the field is not there, naming those that are.
    """

    def __init__(self, client: RtClient, settings: RtSettings) -> None:
        self._client = client
        self._settings = settings
        self._known: Remembered[CustomField] = Remembered(client.moments)

    def contact(self) -> Vocabulary[Consent]:
        """The consent field of users."""
        wanted = self._settings.contact_field
        field = self._known.get(CONTACTS, lambda: self.look_up(CONTACTS, wanted.name, f"{CONTACT_FIELD}.name"))
        return Vocabulary("RT", CONTACT_FIELD, field, wanted.words)

    def company(self) -> Vocabulary[CompanyState]:
        """The approval field of groups."""
        wanted = self._settings.company_field
        field = self._known.get(COMPANIES, lambda: self.look_up(COMPANIES, wanted.name, f"{COMPANY_FIELD}.name"))
        return Vocabulary("RT", COMPANY_FIELD, field, wanted.words)

    def doubt(self, kind: str) -> None:
        """Something did not fit: read the field of users or groups again before it is used next."""
        self._known.forget(kind)

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
        is_list = row["Type"] == "Select"
        return CustomField(
            id=field_id,
            name=str(row["Name"]),
            kind=str(row["Type"]),
            is_list=is_list,
            choices=tuple(Choice(str(value), str(value)) for value in values) if is_list else None,
            single=number(answer.what, row["MaxValues"]) == 1,
        )
