"""What the admin may say about Autotask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

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
PhoneField = Literal["mobilePhone", "phone", "alternatePhone"]


class ContactField(Settings):
    """The user-defined field of contacts that syncd keeps: its name, and the two values that it writes."""

    name: Text = "SMS Opt-In"
    opted_in: Text = "Opted-In"
    opted_out: Text = "Opted-Out"

    @model_validator(mode="after")
    def _values_differ(self) -> Self:
        _must_differ([self.opted_in], [self.opted_out])
        return self


class CompanyField(Settings):
    """The user-defined field of companies that account managers set; any other value counts as unset."""

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


class AutotaskSettings(Settings):
    """How to reach Autotask, and which of its fields mean what.

    username, secret:    of an API user (system), API-only
    integration_code:    its tracking identifier
    base_url:            the zone's base without version; null looks it up by the user name
    zone_discovery_url:  where zones are looked up
    phone_fields:        which fields of a contact hold its own numbers
    """

    # The messages of pydantic quote what was given, and that may be a secret.
    model_config = ConfigDict(hide_input_in_errors=True)

    username: Text
    secret: Secret
    integration_code: Secret
    base_url: str | None = None
    zone_discovery_url: str = "https://webservices.autotask.net/atservicesrest"
    phone_fields: list[PhoneField] = Field(
        default=["mobilePhone", "phone", "alternatePhone"], min_length=1, max_length=3
    )
    contact_field: ContactField = ContactField()
    company_field: CompanyField = CompanyField()

    @field_validator("username")
    @classmethod
    def _is_a_header_too(cls, username: str) -> str:
        _fits_a_header(SecretStr(username))
        return username

    @field_validator("base_url", "zone_discovery_url")
    @classmethod
    def _may_hear_our_credentials(cls, url: str | None) -> str | None:
        return None if url is None else checked_base_url(url)
