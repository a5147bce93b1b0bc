"""What the admin may say about Request Tracker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from syncd.connector import Settings
from syncd.http import checked_base_url

# The columns of a user that hold a number; every other name in `phone_fields` is a custom field.
PHONE_COLUMNS = ("MobilePhone", "WorkPhone", "HomePhone", "PagerPhone")

API = "/REST/2.0"


def _needs_quotes(value: object) -> object:
    if isinstance(value, bool | int | float):
        raise ValueError(f"YAML reads this as {value!r}; put it in quotes")  # noqa: TRY004  pydantic wants ValueError
    return value


def _fits_a_header(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or text != text.strip():
        raise ValueError("is empty, or holds a line break, outer blanks or characters that no header may carry")
    return secret


Text = Annotated[str, BeforeValidator(_needs_quotes), StringConstraints(strip_whitespace=True, min_length=1)]
Secret = Annotated[SecretStr, AfterValidator(_fits_a_header)]


class ContactField(Settings):
    """The custom field of users that syncd keeps: its name, and the two values that it writes."""

    name: Text = "SMS Opt-In"
    opted_in: Text = "Opted-In"
    opted_out: Text = "Opted-Out"

    @model_validator(mode="after")
    def _values_differ(self) -> Self:
        _must_differ([self.opted_in], [self.opted_out])
        return self


class CompanyField(Settings):
    """The custom field of groups that account managers set; any other value counts as unset."""

    name: Text = "SMS Approval"
    approved: list[Text] = Field(default=["Approved"], min_length=1)
    opted_out: list[Text] = Field(default=["Opted-Out"])

    @model_validator(mode="after")
    def _values_differ(self) -> Self:
        _must_differ(self.approved, self.opted_out)
        return self


def _must_differ(some: Iterable[str], others: Iterable[str]) -> None:
    shared = {text.casefold() for text in some} & {text.casefold() for text in others}
    if shared:
        raise ValueError(f"the same value cannot mean both: {', '.join(sorted(shared))}")


class RtSettings(Settings):
    """How to reach RT, and which of its fields mean what.

    base_url:       RT's address as people type it, with its path if it has one; without /REST/2.0
    token:          an authentication token of a user of its own
    company_groups: which user-defined groups are client companies, by name; * and ? stand for anything
    other_groups:   which of these are not after all: teams of staff, mailing lists, departments of a company
    phone_fields:   which fields of a user hold its own numbers: MobilePhone, WorkPhone, HomePhone, PagerPhone, and
                    names of custom fields, with one value or many
    """

    # The messages of pydantic quote what was given, and that may be a secret.
    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: str
    token: Secret
    company_groups: list[Text] = Field(default=["*"], min_length=1)
    other_groups: list[Text] = Field(default=[])
    phone_fields: list[Text] = Field(default=["MobilePhone", "WorkPhone", "HomePhone"], min_length=1)
    contact_field: ContactField = ContactField()
    company_field: CompanyField = CompanyField()

    @field_validator("base_url")
    @classmethod
    def _may_hear_our_credentials(cls, url: str) -> str:
        return checked_base_url(checked_base_url(url).removesuffix(API))
