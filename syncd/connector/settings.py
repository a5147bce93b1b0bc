"""Types for the settings of a connector: texts, secrets, addresses, and the two fields that matter.

::

    class ExampleSettings(Settings):
        base_url: BaseUrl
        api_key: Secret
        contact_field: ContactField = ContactField()
        company_field: CompanyField = CompanyField()
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from syncd.connector import Settings
from syncd.http import checked_base_url
from syncd.model import CompanyState, Consent


def not_blank(text: str) -> str:
    """The text without outer blanks; ValueError when nothing that people can see is left."""
    if not "".join(filter(str.isprintable, text)).strip():
        raise ValueError("must not be empty")
    return text.strip()


def fits_a_header(secret: SecretStr) -> SecretStr:
    """The secret; ValueError, which does not quote it, when no HTTP header could carry it."""
    text = secret.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or text != text.strip():
        raise ValueError("is empty, or holds a line break, outer blanks or characters that are not plain ASCII")
    return secret


def must_differ(some: Iterable[object], others: Iterable[object]) -> None:
    """Raise ValueError when a value stands for both; letter case does not count."""
    shared = {str(one).casefold() for one in some} & {str(one).casefold() for one in others}
    if shared:
        raise ValueError(f"the same value cannot mean both: {', '.join(sorted(shared))}")


# A text that says something. A number or a truth value is refused: YAML makes them of words without quotes.
Text = Annotated[str, AfterValidator(not_blank)]
# A secret that goes into a header, or is of such characters anyway.
Secret = Annotated[SecretStr, AfterValidator(fits_a_header)]
# An address that may hear credentials, without its last slash.
BaseUrl = Annotated[str, AfterValidator(checked_base_url)]


class ContactField(Settings):
    """The field of contacts that syncd keeps: its name, and the two values that it writes."""

    name: Text = "SMS Opt-In"
    opted_in: Text = "Opted-In"
    opted_out: Text = "Opted-Out"

    @property
    def words(self) -> Mapping[Consent, Sequence[object]]:
        """The values by what they mean; of several the first is the one that is written."""
        return {Consent.OPTED_IN: [self.opted_in], Consent.OPTED_OUT: [self.opted_out]}

    @model_validator(mode="after")
    def _values_differ(self) -> Self:
        must_differ([self.opted_in], [self.opted_out])
        return self


class CompanyField(Settings):
    """The field of companies that account managers set; any other value counts as unset."""

    name: Text = "SMS Approval"
    approved: list[Text] = Field(default=["Approved"], min_length=1)
    opted_out: list[Text] = Field(default=["Opted-Out"])

    @property
    def words(self) -> Mapping[CompanyState, Sequence[object]]:
        """The values by what they mean."""
        return {CompanyState.APPROVED: self.approved, CompanyState.OPTED_OUT: self.opted_out}

    @model_validator(mode="after")
    def _values_differ(self) -> Self:
        must_differ(self.approved, self.opted_out)
        return self
