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

from connectors.connectwise.answers import NoSuchRoute, Row, number
from connectors.connectwise.checkup import Checkup
from connectors.connectwise.client import Condition, ConnectWiseClient, shown_as
from connectors.connectwise.fields import COMPANIES, CONTACTS, Fields, State, Vocabulary, folded
from connectors.connectwise.phones import own_numbers
from connectors.connectwise.settings import ConnectWiseSettings
from connectors.connectwise.writing import Writing
from syncd.connector import Change, Connector, Outcome, Report, Settings, Shell, Traits
from syncd.errors import ConfigProblem, Permanent, Problem, ShapeChanged
from syncd.http import Limits
from syncd.model import Company, CompanyState, Consent, Contact

COMPANY_FIELDS = ("id", "identifier", "name", "status", "customFields")
# Whole contacts are some kilobytes each; half of the largest page keeps an answer of a slow line within its time.
CONTACT_PAGE = 500

# In a field of free text each person may hold another odd value; so many are named.
REMARKS = 50


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
        self._client = ConnectWiseClient(settings, shell.transport)
        self._fields = Fields(self._client, settings.contact_field, settings.company_field)
        self._remarked: set[tuple[str, str]] = set()
        types = settings.phone_types
        self._phone_types = None if types is None else frozenset(map(folded, types))
        # Whether companies are listed whole, because a listing with chosen fields hid what it was asked for.
        self._whole = False

    def check(self) -> Report:
        """See what the API member may do, which fields there are, and what this tenant makes of the unknown."""
        return Checkup(self._settings, self._client, self._fields, self.companies, self.contacts).report()

    def companies(self) -> Iterator[Company]:
        """Every company. A listing that does not show the approval field raises rather than unset everybody."""
        words = self._fields.company()
        words.must_be_complete()
        rows = self._company_rows(words)
        if self._looks_renamed(rows, words):
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
        if company is not None and not (company.isascii() and company.isdigit()):
            raise Permanent(f"'{company[:40]}' is not the id of a ConnectWise company")
        words = self._fields.contact()
        words.must_be_complete()
        if company is None:
            self._phone_types_must_exist()
        conditions = () if company is None else (Condition("company/id", "=", int(company)),)
        for page_number, page in enumerate(self._client.pages(CONTACTS, conditions, size=CONTACT_PAGE)):
            if page_number == 0 and not any(words.udf.shown_by(row) for row in page):
                self._must_still_exist(words, everybody=company is None)
            for row in page:
                yield self._contact(row, words)

    def write(self, changes: Iterable[Change]) -> Iterator[tuple[str, Outcome]]:
        """Set the consent field, contact by contact: read, PATCH what differs, compare."""
        writing = Writing(self._client, self._fields, self._settings.custom_field_writes, self._remark)
        yield from writing.carry_out(changes)

    # --- reading ----------------------------------------------------------------------------------------------

    def _company_rows(self, words: Vocabulary[CompanyState]) -> list[Row]:
        """All companies, with the wanted fields, or whole where that listing did not show the approval.

        Whether `fields` takes `customFields` is unverified, so a listing without any trace of it is not believed.
        """
        if not self._whole:
            rows = list(chain.from_iterable(self._client.pages(COMPANIES, fields=COMPANY_FIELDS)))
            if not rows or any(words.udf.shown_by(row) for row in rows):
                return rows
        rows = list(chain.from_iterable(self._client.pages(COMPANIES)))
        if rows and not any(words.udf.shown_by(row) for row in rows):
            self._fields.doubt(COMPANIES)
            self._fields.company()  # a field that is gone is a ConfigProblem
            raise ShapeChanged(f"no company shows '{words.udf.caption}': may the API member see it?")
        self._whole = True
        return rows

    def _must_still_exist(self, words: Vocabulary[Consent], *, everybody: bool) -> None:
        """No contact of the first page shows the consent field: it may be gone. Then ConfigProblem says so.

        In one company it may only be limited to the locations of others; then its contacts show nothing.
        """
        self._fields.doubt(CONTACTS)
        now = self._fields.contact()
        if everybody or now.udf.id != words.udf.id:
            raise ShapeChanged(f"no contact shows '{words.udf.caption}': may the API member see it?")

    def _looks_renamed(self, rows: Iterable[Row], words: Vocabulary[CompanyState]) -> bool:
        """Whether a value shows up that the list did not have when it was read: then the list is an old one."""
        values = [value for row in rows if (value := words.udf.value(row)) is not None]
        return any(
            words.meaning(value) is None
            and not words.knows(value)
            and ("company", folded(value)) not in self._remarked
            for value in values
        )

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
            numbers=own_numbers(row, self._phone_types),
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
            self._note(("phone", ""), "the role may not read communication types; a renamed one goes unnoticed")
            return
        known = {folded(row.get("description")): str(row.get("description")) for row in rows}
        if missing := [name for name in self._settings.phone_types or () if folded(name) not in known]:
            listed = ", ".join(map(repr, known.values())) or "none"
            what = f"ConnectWise has no communication type {', '.join(map(repr, missing))}; it has: {listed}"
            raise ConfigProblem([Problem("psa.settings.phone_types", what)])

    def _meaning(self, words: Vocabulary[State], row: Row, kind: str, record_id: str) -> State | None:
        value = words.udf.value(row)
        meaning = words.meaning(value)
        if value is not None and meaning is None:
            self._note(
                (kind, folded(value)),
                f"'{words.udf.caption}' of {kind} {record_id} holds {shown_as(value)}, which counts as not set",
            )
        if caption := words.udf.renamed_in(row):
            self._note(
                (kind, "caption"),
                f"'{words.udf.caption}' ({words.udf.id}) of {kind} records is now called '{caption[:40]}'; change "
                "psa.settings before the next start",
            )
        return meaning

    def _note(self, key: tuple[str, str], text: str) -> None:
        if key not in self._remarked and len(self._remarked) < REMARKS:
            self._remarked.add(key)
            self._remark(f"ConnectWise: {text}")
