"""The contract of `syncd.connector`, kept with HaloPSA.

Reads are full listings: whether `lastupdatefromdate` works for users and clients is unproven, and a filter that
HaloPSA does not understand is ignored without a word. Writes read a user's whole array of custom fields, post it
back with the one changed, and are believed when a later read shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from connectors.halopsa.answers import client_of
from connectors.halopsa.checkup import Checkup
from connectors.halopsa.client import MOST_IN_A_POST, WINDOW, HaloPsaClient
from connectors.halopsa.fields import COMPANIES, CONTACTS, Fields, Vocabulary
from connectors.halopsa.listing import Listings
from connectors.halopsa.settings import HaloPsaSettings
from connectors.halopsa.writing import Lessons, Writing
from syncd.connector import Change, Connector, Outcome, Report, Settings, Shell, Traits
from syncd.connector.answers import Row, is_id, number
from syncd.connector.fields import State, folded, own_numbers
from syncd.connector.remarks import Remarks
from syncd.connector.writing import batches
from syncd.errors import Permanent
from syncd.http import Limits
from syncd.model import Company, CompanyState, Consent, Contact

# Where lists do not show what counts, `check` reads so many records one by one and no more: the allowance is the
# daemon's too.
LOOKED_AT = 50


class HaloPsa(Connector):
    """Clients and users of one HaloPSA tenant."""

    name: ClassVar[str] = "halopsa"
    settings_model: ClassVar[type[Settings]] = HaloPsaSettings
    # Seen live by third parties in 2022 and 2023: 300 requests in a rolling window of five minutes, all
    # integrations of a tenant together; later pages of the vendor say more. The setting may raise it.
    traits: ClassVar[Traits] = Traits(
        batch=MOST_IN_A_POST, limits=Limits(calls=300, per=WINDOW, concurrency=2, reserve=0.2)
    )

    def __init__(self, settings: HaloPsaSettings, shell: Shell) -> None:
        self._settings = settings
        self._remarks = Remarks("HaloPSA", shell.remark)
        # What is declared holds for every tenant; the allowance is this tenant's own.
        pace = shell.transport.pace
        pace.limits = replace(pace.limits, calls=settings.requests_per_5_minutes, per=WINDOW)
        self._client = HaloPsaClient(settings, shell.transport)
        self._fields = Fields(self._client, settings)
        self._listings = Listings(self._client)
        self._lessons = Lessons(shell.remark)

    def check(self) -> Report:
        """See what the API application may do, which fields there are, and what lists show."""
        companies, contacts = partial(self._companies, most=LOOKED_AT), partial(self._contacts, most=LOOKED_AT)
        return Checkup(self._settings, self._client, self._fields, self._listings, companies, contacts).report()

    def companies(self) -> Iterator[Company]:
        """Every client. One that the list does not show whole is read by its id."""
        yield from self._companies()

    def contacts(self, company: str | None = None, changed_since: datetime | None = None) -> Iterator[Contact]:
        """Users of one client, or all; `changed_since` is ignored.

        Agents, service accounts and the "General User" of a site are users too: an opt-out must reach every
        record that bears a number, and they can be written like any other.
        """
        del changed_since
        if company is not None and not is_id(company):
            raise Permanent(f"'{company[:40]}' is not the id of a HaloPSA client")
        for contact in self._contacts(None if company is None else int(company)):
            if company is None or contact.company_id == str(int(company)):  # else it moved while we were reading
                yield contact

    def write(self, changes: Iterable[Change]) -> Iterator[tuple[str, Outcome]]:
        """Set the consent field: read each user, post those that differ in one array, read again."""
        for batch in batches(changes, self.traits.batch):
            ids = [int(one) for one in batch if is_id(one)]
            self._listings.forget(ids)
            try:
                yield from Writing(self._client, self._fields, batch, self._lessons).carry_out()
            finally:
                self._listings.forget(ids)

    # --- reading ----------------------------------------------------------------------------------------------

    def _companies(self, most: int | None = None) -> Iterator[Company]:
        """`most`: of how many records it may read more than the list shows; see `Listings.read`."""
        words = self._fields.company()
        words.must_be_complete()
        rows = self._listings.read(COMPANIES, words, (), most=most)
        words = self._still_there(COMPANIES, rows, words)
        for row in rows:
            company_id = str(number(COMPANIES, row["id"]))
            state = self._meaning(words, row, "client", company_id)
            name = str(row.get("name") or "").strip()
            yield Company(company_id, name or f"client {company_id}", state or CompanyState.UNSET)

    def _contacts(self, client_id: int | None = None, most: int | None = None) -> Iterator[Contact]:
        words = self._fields.contact()
        words.must_be_complete()
        wanted = ("client_id", "inactive", *self._settings.phone_fields)
        rows = self._listings.read(CONTACTS, words, wanted, client_id, most)
        words = self._still_there(CONTACTS, rows, words)
        for row in rows:
            yield self._contact(row, words)

    def _still_there(self, entity: str, rows: list[Row], words: Vocabulary[State]) -> Vocabulary[State]:
        """The words to read the rows with. What no definition explains is held against a new look at it.

        A field that no record shows may have been deleted, a value that was never seen may be a new option.
        """
        kind = "client" if entity == COMPANIES else "user"
        unknown = {words.held(row) for row in rows if words.meaning(row) is None} - {None}
        new = any(not self._remarks.told(kind, text) for text in unknown)
        if not rows or (any(map(words.shown_by, rows)) and not new):
            return words
        self._fields.doubt(entity)
        again: Vocabulary[Any] = self._fields.company() if entity == COMPANIES else self._fields.contact()
        again.must_be_complete()
        return again

    def _contact(self, row: Row, words: Vocabulary[Consent]) -> Contact:
        contact_id = str(number(CONTACTS, row["id"]))
        company = client_of(row)
        names = (str(row.get(part) or "").strip() for part in ("firstname", "surname"))
        return Contact(
            id=contact_id,
            company_id=None if company is None else str(company),
            name=str(row.get("name") or "").strip() or " ".join(filter(None, names)),
            numbers=own_numbers(row.get(field) for field in self._settings.phone_fields),
            active=self._active(row, contact_id),
            consent=self._meaning(words, row, "user", contact_id),
        )

    def _active(self, row: Row, contact_id: str) -> bool:
        """`inactive` is a boolean (documented); 1, 0 and text are understood as well."""
        said = folded(row.get("inactive"))
        if said not in {"0", "1", "false", "true", "none"}:
            what = f"inactive of user {contact_id} cannot be read; it counts as active"
            self._remarks.once("inactive", contact_id, what)
        return said not in {"1", "true"}

    def _meaning(self, words: Vocabulary[State], row: Row, kind: str, record_id: str) -> State | None:
        meaning = words.meaning(row)
        if meaning is None:
            self._remarks.odd(words.name, kind, record_id, words.held(row))
        return meaning
