"""Listings that show the field that counts, in whole records if it has to be.

Whether `fields` takes `customFields` is unverified, so a listing without any trace of the field is not believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from connectors.connectwise.client import Condition, ConnectWiseClient
from connectors.connectwise.fields import COMPANIES, CONTACTS, Fields, Vocabulary
from syncd.connector.answers import Row
from syncd.errors import ShapeChanged
from syncd.model import CompanyState, Consent

WANTED = ("id", "identifier", "name", "status", "customFields")
# Whole contacts are some kilobytes each; half of the largest page keeps an answer of a slow line within its time.
CONTACT_PAGE = 500


class Listings:
    """Reads companies and contacts. Thread-safe.

    whole: companies are listed whole, because a listing with chosen fields hid what it was asked for
    """

    def __init__(self, client: ConnectWiseClient, fields: Fields) -> None:
        self._client = client
        self._fields = fields
        self.whole = False

    def companies(self, words: Vocabulary[CompanyState]) -> list[Row]:
        """All companies, with the wanted fields, or whole where that did not show the approval."""
        if not self.whole:
            rows = list(chain.from_iterable(self._client.pages(COMPANIES, fields=WANTED)))
            if not rows or any(map(words.shown_by, rows)):
                return rows
        rows = list(chain.from_iterable(self._client.pages(COMPANIES)))
        if rows and not any(map(words.shown_by, rows)):
            self._fields.doubt(COMPANIES)
            self._fields.company()  # a field that is gone is a ConfigProblem
            raise ShapeChanged(f"no company shows '{words.field.name}': may the API member see it?")
        self.whole = True
        return rows

    def contacts(self, words: Vocabulary[Consent], company: int | None = None) -> Iterator[list[Row]]:
        """Contacts of one company, or all, whole, page by page."""
        conditions = () if company is None else (Condition("company/id", "=", company),)
        for page_number, page in enumerate(self._client.pages(CONTACTS, conditions, size=CONTACT_PAGE)):
            if page_number == 0 and not any(map(words.shown_by, page)):
                self._must_still_exist(words, everybody=company is None)
            yield page

    def _must_still_exist(self, words: Vocabulary[Consent], *, everybody: bool) -> None:
        """No contact of the first page shows the consent field: it may be gone. Then ConfigProblem says so.

        In one company it may only be limited to the locations of others; then its contacts show nothing.
        """
        self._fields.doubt(CONTACTS)
        now = self._fields.contact()
        if everybody or now.field.id != words.field.id:
            raise ShapeChanged(f"no contact shows '{words.field.name}': may the API member see it?")
