"""The contract of `syncd.connector`, kept with Autotask.

Reads are full listings: whether an edit of nothing but a UDF moves a record's modification stamp is unverified, so
no listing relies on one. Writes go through the contact's present company, one PATCH each, and are believed when a
later read shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import ClassVar

from connectors.autotask.checkup import Checkup
from connectors.autotask.client import OUR_CALLS, AutotaskClient, Clause
from connectors.autotask.fields import COMPANIES, CONTACTS, Fields, Vocabulary
from connectors.autotask.listing import Listings
from connectors.autotask.settings import AutotaskSettings
from connectors.autotask.writing import Writing
from syncd.connector import Change, Connector, Outcome, Report, Settings, Shell, Traits
from syncd.connector.answers import Row, is_id, number
from syncd.connector.fields import folded, own_numbers
from syncd.connector.remarks import Remarks
from syncd.connector.writing import batches
from syncd.errors import Permanent, ShapeChanged
from syncd.http import Limits
from syncd.model import Company, CompanyState, Consent, Contact


class Autotask(Connector):
    """Companies and contacts of one Autotask tenant."""

    name: ClassVar[str] = "autotask"
    settings_model: ClassVar[type[Settings]] = AutotaskSettings
    # Documented: 3 calls at once per endpoint, and 10,000 an hour for the whole tenant. Seen live by third
    # parties: a slot is freed a little after the answer, so two. A batch stays far below the 500 conditions that a
    # query may have (documented; each id of an `in` counts as one).
    traits: ClassVar[Traits] = Traits(
        batch=100, limits=Limits(calls=OUR_CALLS, per=3600.0, concurrency=2, reserve=0.2)
    )

    def __init__(self, settings: AutotaskSettings, shell: Shell) -> None:
        self._settings = settings
        self._remarks = Remarks("Autotask", shell.remark)
        self._client = AutotaskClient(settings, shell.transport)
        self._fields = Fields(self._client, settings)
        self._listings = Listings(self._client, self._fields)

    def check(self) -> Report:
        """See what the API user may do, which fields there are, and how much of the allowance is left."""
        return Checkup(
            self._settings, self._client, self._fields, self._listings, self.companies, self.contacts
        ).report()

    def companies(self) -> Iterator[Company]:
        """Every company. A listing that does not show the approval field raises rather than unset everybody."""
        self._client.watch_usage()
        words = self._fields.company()
        words.must_be_complete()
        rows = list(chain.from_iterable(self._listings.pages(COMPANIES, words)))
        if self._remarks.any_news(words, "company", map(words.held, rows)):
            self._fields.doubt(COMPANIES)
            words = self._fields.company()
            words.must_be_complete()
        for row in rows:
            company_id = str(number(COMPANIES, row["id"]))
            state = self._remarks.meaning(words, "company", company_id, words.held(row))
            name = str(row.get("companyName") or "").strip()
            yield Company(company_id, name or f"company {company_id}", state or CompanyState.UNSET)

    def contacts(self, company: str | None = None, changed_since: datetime | None = None) -> Iterator[Contact]:
        """Contacts of one company, or all; `changed_since` is ignored."""
        del changed_since
        if company is not None and not is_id(company):
            raise Permanent(f"'{company[:40]}' is not the id of an Autotask company")
        self._client.watch_usage()
        words = self._fields.contact()
        words.must_be_complete()
        clauses = () if company is None else (Clause("eq", "companyID", int(company)),)
        for page in self._listings.pages(CONTACTS, words, clauses, self._settings.phone_fields):
            for row in page:
                yield self._contact(row, words)

    def write(self, changes: Iterable[Change]) -> Iterator[tuple[str, Outcome]]:
        """Set the consent field, contact by contact: read, PATCH what differs, read again."""
        for batch in batches(changes, self.traits.batch):
            yield from Writing(self._client, self._fields, batch).carry_out()
            self._client.watch_usage()

    # --- reading ----------------------------------------------------------------------------------------------

    def _contact(self, row: Row, words: Vocabulary[Consent]) -> Contact:
        contact_id = str(number(CONTACTS, row["id"]))
        if "companyID" not in row:
            raise ShapeChanged(f"contact {contact_id} came without its companyID")
        company = row["companyID"]
        names = (str(row.get(part) or "").strip() for part in ("firstName", "lastName"))
        return Contact(
            id=contact_id,
            company_id=None if company is None else str(number("companyID", company)),
            name=" ".join(filter(None, names)),
            numbers=own_numbers(row.get(field) for field in self._settings.phone_fields),
            active=self._active(row, contact_id),
            consent=self._remarks.meaning(words, "contact", contact_id, words.held(row)),
        )

    def _active(self, row: Row, contact_id: str) -> bool:
        """`isActive` of a contact is 1 or 0 (documented); a boolean or text is understood as well."""
        said = folded(row.get("isActive"))
        if said not in {"0", "1", "false", "true"}:
            what = f"isActive of contact {contact_id} cannot be read; it counts as active"
            self._remarks.once("isActive", contact_id, what)
        return said not in {"0", "false"}
