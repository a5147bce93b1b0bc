"""What the admin may say about ConnectWise PSA."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

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

# Documented: always accepted, in the cloud too, and the only one on a server of one's own.
ALIAS = "v4_6_release"


def _needs_quotes(value: object) -> object:
    if isinstance(value, bool | int | float):
        raise ValueError(f"YAML reads this as {value!r}; put it in quotes")  # noqa: TRY004  pydantic wants ValueError
    return value


def _checked_or_text(value: object) -> object:
    if isinstance(value, bool):
        return value
    text = _needs_quotes(value)
    if isinstance(text, str) and not text.strip():
        raise ValueError("must not be empty")
    return text.strip() if isinstance(text, str) else text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def _fits_a_header(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or text != text.strip():
        raise ValueError("is empty, or holds a line break, outer blanks or characters that no header may carry")
    return secret


Text = Annotated[str, BeforeValidator(_needs_quotes), AfterValidator(_not_blank)]
Value = Annotated[bool | str, BeforeValidator(_checked_or_text)]
Secret = Annotated[SecretStr, AfterValidator(_fits_a_header)]


class ContactField(Settings):
    """The custom field of contacts that syncd keeps: its caption, and the two values that it writes.

    For a checkbox the values are true and false; one that was never set means neither.
    """

    name: Text = "SMS Opt-In"
    opted_in: Value = "Opted-In"
    opted_out: Value = "Opted-Out"

    @model_validator(mode="after")
    def _values_differ(self) -> Self:
        _must_differ([self.opted_in], [self.opted_out])
        return self


class CompanyField(Settings):
    """What account managers set on a company; any other value counts as unset.

    by:   a custom field, found by its caption `name`, or the status of the company
    """

    by: Literal["custom_field", "status"] = "custom_field"
    name: Text = "SMS Approval"
    approved: list[Value] = Field(default=["Approved"], min_length=1)
    opted_out: list[Value] = Field(default=["Opted-Out"])

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _must_differ(self.approved, self.opted_out)
        if self.by == "status" and "name" in self.model_fields_set:
            raise ValueError("with `by: status` there is no field to name; leave `name` out")
        return self


def _must_differ(some: Iterable[bool | str], others: Iterable[bool | str]) -> None:
    shared = {str(value).casefold() for value in some} & {str(value).casefold() for value in others}
    if shared:
        raise ValueError(f"the same value cannot mean both: {', '.join(sorted(shared))}")


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
    """

    # The messages of pydantic quote what was given, and that may be a secret.
    model_config = ConfigDict(hide_input_in_errors=True)

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
