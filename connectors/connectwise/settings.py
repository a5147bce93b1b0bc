"""What the admin may say about ConnectWise PSA."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints, field_validator, model_validator

from syncd.connector import Settings, settings
from syncd.connector.settings import Secret, Text, not_blank
from syncd.http import checked_base_url

# Documented: always accepted, in the cloud too, and the only one on a server of one's own.
ALIAS = "v4_6_release"


def _checked_or_text(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"YAML reads this as {value!r}; put it in quotes")  # noqa: TRY004  pydantic wants ValueError
    return not_blank(value) if isinstance(value, str) else value


# A text, or true and false for a checkbox.
Value = Annotated[bool | str, BeforeValidator(_checked_or_text)]


class ContactField(settings.ContactField):
    """The custom field of contacts that syncd keeps: its caption, and the two values that it writes.

    For a checkbox the values are true and false; one that was never set means neither.
    """

    opted_in: Value = "Opted-In"  # type: ignore[assignment]  # more than a text
    opted_out: Value = "Opted-Out"  # type: ignore[assignment]


class CompanyField(settings.CompanyField):
    """What account managers set on companies; any other value counts as unset.

    by: a custom field, named by its caption, or the status of the company, which needs no name
    """

    by: Literal["custom_field", "status"] = "custom_field"
    approved: list[Value] = Field(default=["Approved"], min_length=1)  # type: ignore[assignment]
    opted_out: list[Value] = Field(default=["Opted-Out"])  # type: ignore[assignment]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.by == "status" and "name" in self.model_fields_set:
            raise ValueError("with `by: status` there is no field to name; leave `name` out")
        return self


class ConnectWiseSettings(Settings):
    """How to reach ConnectWise PSA, and which of its fields mean what.

    site:                    the host at which people open ConnectWise
    company:                 the company id of the log-in page
    public_key, private_key: of an API member
    client_id:               identifies the integration; as secret as a password (documented)
    version:                 the version of the API's records; null takes the newest
    codebase:                the part of the path that names the release; null looks it up
    phone_types:             which types of phone items are a person's own; null: all but company, main and fax
    custom_field_writes:     full sends all custom fields of the contact along, minimal only the one that changes
    contact_field:           the custom field of contacts that syncd keeps, and its two values
    company_field:           the custom field of companies that account managers set, or their status
    """

    site: Text
    company: Annotated[Text, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]+$")]
    public_key: Secret
    private_key: Secret
    client_id: Secret
    version: Annotated[Text, StringConstraints(pattern=r"^\d{4}\.\d{1,2}$")] | None = "2025.1"
    codebase: Annotated[Text, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]+/?$")] | None = ALIAS
    phone_types: Annotated[list[Text], Field(min_length=1)] | None = None
    custom_field_writes: Literal["full", "minimal"] = "full"
    contact_field: ContactField = ContactField()
    company_field: CompanyField = CompanyField()

    @field_validator("site")
    @classmethod
    def _may_hear_our_credentials(cls, site: str) -> str:
        url = checked_base_url(site if re.match(r"[a-z]+://", site, re.IGNORECASE) else f"https://{site}")
        if urlsplit(url).path:
            raise ValueError("must be a host such as na.myconnectwise.net, without a path")
        return url

    @field_validator("public_key")
    @classmethod
    def _ends_at_the_colon(cls, key: SecretStr) -> SecretStr:
        if ":" in key.get_secret_value():
            raise ValueError("must not hold a colon: it would end there; is the private key in it too?")
        return key
