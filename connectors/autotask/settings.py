"""What the admin may say about Autotask."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from syncd.connector import Settings
from syncd.connector.settings import BaseUrl, CompanyField, ContactField, Secret, Text, fits_a_header

PhoneField = Literal["mobilePhone", "phone", "alternatePhone"]


class AutotaskSettings(Settings):
    """How to reach Autotask, and which of its fields mean what.

    username, secret:    of an API user (system), API-only
    integration_code:    its tracking identifier
    base_url:            the zone's base without version; null looks it up by the user name
    zone_discovery_url:  where zones are looked up
    phone_fields:        which fields of a contact hold its own numbers
    contact_field:       the user-defined field of contacts that syncd keeps, and its two values
    company_field:       the user-defined field of companies (organizations) that account managers set
    """

    username: Text
    secret: Secret
    integration_code: Secret
    base_url: BaseUrl | None = None
    zone_discovery_url: BaseUrl = "https://webservices.autotask.net/atservicesrest"
    phone_fields: list[PhoneField] = Field(
        default=["mobilePhone", "phone", "alternatePhone"], min_length=1, max_length=3
    )
    contact_field: ContactField = ContactField()
    company_field: CompanyField = CompanyField()

    @field_validator("username")
    @classmethod
    def _is_a_header_too(cls, username: str) -> str:
        fits_a_header(SecretStr(username))
        return username
