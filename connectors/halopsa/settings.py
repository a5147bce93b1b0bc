"""What the admin may say about HaloPSA."""

from __future__ import annotations

import re
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


def _is_printable(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or text != text.strip():
        raise ValueError(
            "is empty, or holds a line break, outer blanks or characters that no secret of HaloPSA has"
        )
    return secret


Text = Annotated[str, BeforeValidator(_needs_quotes), StringConstraints(strip_whitespace=True, min_length=1)]
Secret = Annotated[SecretStr, AfterValidator(_is_printable)]
PhoneField = Literal["phonenumber", "mobilenumber", "mobilenumber2", "homenumber"]


class ContactField(Settings):
    """The custom field of users that syncd keeps: its name or label, and the two values that it writes."""

    name: Text = "SMS Opt-In"
    opted_in: Text = "Opted-In"
    opted_out: Text = "Opted-Out"

    @model_validator(mode="after")
    def _values_differ(self) -> Self:
        _must_differ([self.opted_in], [self.opted_out])
        return self


class CompanyField(Settings):
    """The custom field of clients that account managers set; any other value counts as unset."""

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


class HaloPsaSettings(Settings):
    """How to reach HaloPSA, and which of its fields mean what.

    base_url:                the resource server, with or without /api at its end
    auth_url:                the authorisation server; null asks the resource server, which must name itself
    tenant:                  needed for hosted systems that share a server
    client_id, client_secret: of an API application that logs in as an agent (Client ID and Secret)
    scope:                   what to ask for; the application's own permissions narrow "all"
    requests_per_5_minutes:  how many calls are ours; what the vendor allows has been 300 to 700
    phone_fields:            which fields of a user hold its own numbers (a site's number never does)
    """

    # The messages of pydantic quote what was given, and that may be a secret.
    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: str
    auth_url: str | None = None
    tenant: Text | None = None
    client_id: Text
    client_secret: Secret
    scope: Text = "all"
    requests_per_5_minutes: int = Field(default=300, ge=20, le=100_000)
    phone_fields: list[PhoneField] = Field(
        default=["mobilenumber", "phonenumber", "mobilenumber2", "homenumber"], min_length=1, max_length=4
    )
    contact_field: ContactField = ContactField()
    company_field: CompanyField = CompanyField()

    @field_validator("base_url", "auth_url")
    @classmethod
    def _may_hear_our_credentials(cls, url: str | None) -> str | None:
        if url is None:
            return None
        return re.sub(r"/(api|auth/token|token)$", _kept, checked_base_url(url), flags=re.IGNORECASE)


def _kept(found: re.Match[str]) -> str:
    """What stays of the end of a URL: people copy the address of the token, or of the API itself."""
    return "/auth" if found[1].lower() == "auth/token" else ""
