"""What the admin may say about HaloPSA."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from syncd.connector import Settings
from syncd.connector.settings import BaseUrl, CompanyField, ContactField, Secret, Text

PhoneField = Literal["phonenumber", "mobilenumber", "mobilenumber2", "homenumber"]


def _of_the_server(url: str) -> str:
    """What stays of a URL: people copy the address of the token, or of the API itself."""
    return re.sub(r"/(api|auth/token|token)$", _kept, url, flags=re.IGNORECASE)


def _kept(found: re.Match[str]) -> str:
    return "/auth" if found[1].lower() == "auth/token" else ""


ServerUrl = Annotated[BaseUrl, AfterValidator(_of_the_server)]


class HaloPsaSettings(Settings):
    """How to reach HaloPSA, and which of its fields mean what.

    base_url:                 the resource server, with or without /api at its end
    auth_url:                 the authorisation server; null asks the resource server, which must name itself
    tenant:                   needed for hosted systems that share a server
    client_id, client_secret: of an API application that logs in as an agent (Client ID and Secret)
    scope:                    what to ask for; the application's own permissions narrow "all"
    requests_per_5_minutes:   how many calls are ours; what the vendor allows has been 300 to 700
    phone_fields:             which fields of a user hold its own numbers (a site's number never does)
    contact_field:            the custom field of users that syncd keeps, by its name or label, and its two values
    company_field:            the custom field of clients that account managers set
    """

    base_url: ServerUrl
    auth_url: ServerUrl | None = None
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
