"""What the admin may say about Request Tracker."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from syncd.connector import Settings
from syncd.connector.settings import BaseUrl, CompanyField, ContactField, Secret, Text

# The columns of a user that hold a number; every other name in `phone_fields` is a custom field.
PHONE_COLUMNS = ("MobilePhone", "WorkPhone", "HomePhone", "PagerPhone")

API = "/REST/2.0"


def _without_api(url: str) -> str:
    return url.removesuffix(API).rstrip("/")


class RtSettings(Settings):
    """How to reach RT, and which of its fields mean what.

    base_url:       RT's address as people type it, with its path if it has one, with or without /REST/2.0
    token:          an authentication token of a user of its own
    company_groups: which user-defined groups are client companies, by name; * and ? stand for anything
    other_groups:   which of these are not after all: teams of staff, mailing lists, departments of a company
    phone_fields:   which fields of a user hold its own numbers: MobilePhone, WorkPhone, HomePhone, PagerPhone, and
                    names of custom fields, with one value or many
    contact_field:  the custom field of users that syncd keeps, and its two values
    company_field:  the custom field of groups that account managers set
    """

    base_url: Annotated[BaseUrl, AfterValidator(_without_api)]
    token: Secret
    company_groups: list[Text] = Field(default=["*"], min_length=1)
    other_groups: list[Text] = Field(default=[])
    phone_fields: list[Text] = Field(default=["MobilePhone", "WorkPhone", "HomePhone"], min_length=1)
    contact_field: ContactField = ContactField()
    company_field: CompanyField = CompanyField()
