"""The contract of `syncd.connector`, kept with ConnectWise PSA.

Reads are full listings: whether an edit of nothing but a custom field moves a record's modification date is
unverified, and so is what a filter on a custom field makes of unset ones, so no listing relies on either. A write
is a read and a PATCH, believed when ConnectWise shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import ClassVar

from connectors.connectwise.answers import NoSuchRoute
from connectors.connectwise.checkup import Checkup
from connectors.connectwise.client import ConnectWiseClient
from connectors.connectwise.fields import COMPANIES, Fields, Vocabulary
from connectors.connectwise.listing import Listings
from connectors.connectwise.phones import phone_texts
from connectors.connectwise.settings import ConnectWiseSettings
from connectors.connectwise.writing import Writing
from syncd.connector import Change, Connector, Outcome, Report, Settings, Shell, Traits
from syncd.connector.answers import Row, is_id, number
from syncd.connector.fields import State, folded, own_numbers
from syncd.connector.remarks import Remarks
from syncd.errors import ConfigProblem, Permanent, Problem, ShapeChanged
from syncd.http import Limits
from syncd.model import Company, CompanyState, Consent, Contact


class ConnectWise(Connector):
    """Companies and contacts of one ConnectWise tenant."""

    name: ClassVar[str] = "connectwise"
    settings_model: ClassVar[type[Settings]] = ConnectWiseSettings
    # Documented: more than about 1,000 calls a minute are likely to be throttled, and few should run at once. A
    # cascade of 200 (400 calls) fits into what the reserve leaves of one window.
    traits: ClassVar[Traits] = Traits(batch=20, limits=Limits(calls=600, per=60.0, concurrency=3, reserve=0.2))

    def __init__(self, settings: ConnectWiseSettings, shell: Shell) -> None:
        self._settings = settings
        self._remark = shell.remark
        self._remarks = Remarks("ConnectWise", shell.remark)
        self._client = ConnectWiseClient(settings, shell.transport)
        self._fields = Fields(self._client, settings)
        self._listings = Listings(self._client, self._fields)
        types = settings.phone_types
        self._phone_types = None if types is None else frozenset(map(folded, types))

    def check(self) -> Report:
        """See what the API member may do, which fields there are, and what this tenant makes of the unknown."""
        return Checkup(
            self._settings, self._client, self._fields, self._listings, self.companies, self.contacts
        ).report()

    def companies(self) -> Iterator[Company]:
        """Every company. A listing that does not show the approval field raises rather than unset everybody."""
        words = self._fields.company()
        words.must_be_complete()
        rows = self._listings.companies(words)
        if self._remarks.any_news(words, "company", map(words.held, rows)):
            self._fields.doubt(COMPANIES)
            words = self._fields.company()
            words.must_be_complete()
        for row in rows:
            company_id = str(number("companies", row["id"]))
            state = self._meaning(words, row, "company", company_id)
            name = str(row.get("name") or row.get("identifier") or "").strip()
            yield Company(company_id, name or f"company {company_id}", state or CompanyState.UNSET)

    def contacts(self, company: str | None = None, changed_since: datetime | None = None) -> Iterator[Contact]:
        """Contacts of one company, or all; `changed_since` is ignored."""
        del changed_since
        if company is not None and not is_id(company):
            raise Permanent(f"'{company[:40]}' is not the id of a ConnectWise company")
        words = self._fields.contact()
        words.must_be_complete()
        if company is None:
            self._phone_types_must_exist()
        for page in self._listings.contacts(words, None if company is None else int(company)):
            for row in page:
                yield self._contact(row, words)

    def write(self, changes: Iterable[Change]) -> Iterator[tuple[str, Outcome]]:
        """Set the consent field, contact by contact: read, PATCH what differs, compare."""
        writing = Writing(self._client, self._fields, self._settings.custom_field_writes, self._remark)
        yield from writing.carry_out(changes)

    # --- reading ----------------------------------------------------------------------------------------------

    def _contact(self, row: Row, words: Vocabulary[Consent]) -> Contact:
        contact_id = str(number("contacts", row["id"]))
        company = row.get("company")
        if company is not None and not isinstance(company, dict):
            raise ShapeChanged(f"the company of contact {contact_id} is not a reference")
        names = (str(row.get(part) or "").strip() for part in ("firstName", "lastName"))
        return Contact(
            id=contact_id,
            company_id=str(number("company/id", company.get("id"))) if company else None,
            name=" ".join(filter(None, names)),
            numbers=own_numbers(phone_texts(row, self._phone_types)),
            active=folded(row.get("inactiveFlag")) not in {"true", "1"},
            consent=self._meaning(words, row, "contact", contact_id),
        )

    def _phone_types_must_exist(self) -> None:
        """A configured type that was renamed would leave everybody without numbers: ConfigProblem instead."""
        if self._phone_types is None:
            return
        try:
            rows = list(chain.from_iterable(self._client.pages("/company/communicationTypes")))
        except (Permanent, NoSuchRoute):
            what = "the role may not read communication types; a renamed one goes unnoticed"
            self._remarks.once("phone types", "", what)
            return
        known = {folded(row.get("description")): str(row.get("description")) for row in rows}
        if missing := [name for name in self._settings.phone_types or () if folded(name) not in known]:
            listed = ", ".join(map(repr, known.values())) or "none"
            what = f"ConnectWise has no communication type {', '.join(map(repr, missing))}; it has: {listed}"
            raise ConfigProblem([Problem("psa.settings.phone_types", what)])

    def _meaning(self, words: Vocabulary[State], row: Row, kind: str, record_id: str) -> State | None:
        if caption := words.renamed_in(row):
            what = f"'{words.field.name}' ({words.field.id}) of {kind} records is now called '{caption[:40]}'"
            self._remarks.once("caption", kind, f"{what}; change psa.settings before the next start")
        return self._remarks.meaning(words, kind, record_id, words.held(row))
