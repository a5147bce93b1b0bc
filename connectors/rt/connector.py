"""The contract of `syncd.connector`, kept with Request Tracker.

Reads are full listings, because RT can search users neither by id nor by date. Writes go user by user, with
If-Match, and are believed when a later read shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import ClassVar

from connectors.rt.checkup import Checkup
from connectors.rt.client import RtClient
from connectors.rt.fields import COMPANIES, CONTACTS, Fields, Vocabulary, custom_fields
from connectors.rt.groups import Belonging, Groups
from connectors.rt.listing import Listings
from connectors.rt.settings import PHONE_COLUMNS, RtSettings
from connectors.rt.writing import Writing
from syncd.connector import Change, Connector, Outcome, Report, Settings, Shell, Traits
from syncd.connector.answers import Row, is_id, number
from syncd.connector.fields import PHONE_FIELDS, folded, own_numbers
from syncd.connector.remarks import Remarks
from syncd.connector.writing import batches
from syncd.errors import ConfigProblem, Permanent, Problem
from syncd.http import Limits
from syncd.model import Company, CompanyState, Consent, Contact


class Rt(Connector):
    """Companies and contacts of one RT."""

    name: ClassVar[str] = "rt"
    settings_model: ClassVar[type[Settings]] = RtSettings
    # RT itself has no limit; a small installation serves a handful of calls at once, and people need it too.
    traits: ClassVar[Traits] = Traits(batch=100, limits=Limits(calls=600, per=60.0, concurrency=4, reserve=0.2))

    def __init__(self, settings: RtSettings, shell: Shell) -> None:
        self._settings = settings
        self._remarks = Remarks("RT", shell.remark)
        self._client = RtClient(settings, shell.transport)
        self._fields = Fields(self._client, settings)
        self._listings = Listings(self._client, settings)
        self._groups = Groups(self._client, settings, self._remarks)

    def check(self) -> Report:
        """See what the API user may do, which fields there are, and who would be kept."""
        return Checkup(self._settings, self._client, self._fields, self.companies, self.contacts).report()

    def companies(self) -> Iterator[Company]:
        """Every group that counts as a company, disabled ones too."""
        yield from self._companies(self._groups.rows())

    def contacts(self, company: str | None = None, changed_since: datetime | None = None) -> Iterator[Contact]:
        """Users with their company, disabled ones as inactive; `changed_since` is ignored."""
        del changed_since
        if company is not None and not is_id(company):
            raise Permanent(f"'{company[:40]}' is not the id of an RT group")
        words = self._fields.contact()
        words.must_be_complete()
        rows = self._groups.rows()
        belonging = self._groups.belonging(rows, self._companies(rows))
        if company is None:
            yield from self._all(belonging, words)
            return
        people = belonging.people_of(company)
        if len(people) <= self._listings.calls_for_all:
            yield from self._one_by_one(people, belonging, words)
            return
        for contact in self._all(belonging, words):
            if contact.company_id == company:
                yield contact

    def write(self, changes: Iterable[Change]) -> Iterator[tuple[str, Outcome]]:
        """Set the consent field, user by user: read, PUT what differs, read again."""
        for batch in batches(changes, self.traits.batch):
            yield from Writing(self._client, self._fields, batch, self._listings.calls_for_all // 2).carry_out()

    # --- companies --------------------------------------------------------------------------------------------

    def _companies(self, rows: Sequence[Row]) -> list[Company]:
        """The groups that are companies. A listing without the approval field raises."""
        words = self._fields.company()
        words.must_be_complete()
        ours = [row for row in rows if self._groups.is_company(row)]
        if self._remarks.any_news(words, "group", map(words.held, ours)):
            self._fields.doubt(COMPANIES)
            words = self._fields.company()
            words.must_be_complete()
        found = []
        for row in ours:
            company_id = str(number("groups", row.get("id")))
            state = self._remarks.meaning(words, "group", company_id, words.held(row))
            name = str(row.get("Name") or "").strip()
            found.append(Company(company_id, name or f"group {company_id}", state or CompanyState.UNSET))
        return found

    # --- contacts ---------------------------------------------------------------------------------------------

    def _all(self, belonging: Belonging, words: Vocabulary[Consent]) -> Iterator[Contact]:
        for row, enabled in self._listings.users():
            yield self._contact(row, belonging, words, active=enabled)

    def _one_by_one(
        self, people: Iterable[str], belonging: Belonging, words: Vocabulary[Consent]
    ) -> Iterator[Contact]:
        for user_id in people:
            user = self._client.user(user_id)
            if user is not None:
                active = folded(user.row.get("Disabled")) in ("0", "")
                yield self._contact(user.row, belonging, words, active=active)

    def _contact(self, row: Row, belonging: Belonging, words: Vocabulary[Consent], *, active: bool) -> Contact:
        contact_id = str(number("users", row["id"]))
        return Contact(
            id=contact_id,
            company_id=self._groups.company_of(belonging, contact_id),
            name=str(row.get("RealName") or row.get("Name") or "").strip(),
            numbers=own_numbers(self._phone_texts(row)),
            active=active,
            consent=self._remarks.meaning(words, "user", contact_id, words.held(row)),
        )

    def _phone_texts(self, row: Row) -> Iterator[str]:
        """What the phone fields of a user hold. RT keeps numbers as people type them."""
        for field in self._settings.phone_fields:
            if field in PHONE_COLUMNS:
                yield str(row.get(field) or "")
                continue
            listed = custom_fields(row)
            own = [one for one in listed if folded(one.get("name")) == folded(field)]
            if not own:
                self._fields.doubt(CONTACTS)
                names = ", ".join(repr(one.get("name")) for one in listed) or "none"
                what = f"'{field}' is neither a column of RT nor a custom field of its users, who have: {names}"
                raise ConfigProblem([Problem(PHONE_FIELDS, what)])
            yield from (str(value) for one in own for value in one["values"] if value is not None)
