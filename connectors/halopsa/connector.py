"""The contract of `syncd.connector`, kept with HaloPSA.

Reads are full listings: whether `lastupdatefromdate` works for users and clients is unproven, and a filter that
HaloPSA does not understand is ignored without a word. Writes read a user's whole array of custom fields, post it
back with the one changed, and are believed when a later read shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar

from connectors.halopsa.answers import Row, client_of, number
from connectors.halopsa.checkup import Checkup
from connectors.halopsa.client import MOST_IN_A_POST, WINDOW, HaloPsaClient
from connectors.halopsa.fields import Fields, State, Vocabulary, folded
from connectors.halopsa.listing import Listings
from connectors.halopsa.settings import HaloPsaSettings
from connectors.halopsa.writing import Batch, Lessons
from syncd.connector import Change, Connector, Outcome, Report, Settings, Shell, Traits
from syncd.errors import Permanent
from syncd.http import Limits
from syncd.model import Company, CompanyState, Consent, Contact, PhoneNumber, phone_numbers

# In a field of free text each person may hold another odd value; so many are named.
REMARKS = 50


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
        self._remark = shell.remark
        # What is declared holds for every tenant; the allowance is this tenant's own.
        pace = shell.transport.pace
        pace.limits = replace(pace.limits, calls=settings.requests_per_5_minutes, per=WINDOW)
        self._client = HaloPsaClient(settings, shell.transport)
        self._fields = Fields(self._client, settings.contact_field, settings.company_field)
        self._listings = Listings(self._client)
        self._lessons = Lessons(shell.remark)
        self._remarked: set[tuple[str, str]] = set()

    def check(self) -> Report:
        """See what the API application may do, which fields there are, and what lists show."""
        return Checkup(
            self._settings, self._client, self._fields, self._listings, self.companies, self.contacts
        ).report()

    def companies(self) -> Iterator[Company]:
        """Every client. One that the list does not show whole is read by its id."""
        words = self._fields.company()
        words.must_be_complete()
        rows = self._listings.read("Client", words, ())
        words = self._still_there("Client", rows, words)
        for row in rows:
            company_id = str(number("Client", row["id"]))
            state = self._meaning(words, row, "client", company_id)
            name = str(row.get("name") or "").strip()
            yield Company(company_id, name or f"client {company_id}", state or CompanyState.UNSET)

    def contacts(self, company: str | None = None, changed_since: datetime | None = None) -> Iterator[Contact]:
        """Users of one client, or all; `changed_since` is ignored.

        Agents, service accounts and the "General User" of a site are users too: an opt-out must reach every
        record that bears a number, and they can be written like any other.
        """
        del changed_since
        if company is not None and not (company.isascii() and company.isdigit()):
            raise Permanent(f"'{company[:40]}' is not the id of a HaloPSA client")
        words = self._fields.contact()
        words.must_be_complete()
        wanted = ("client_id", "inactive", *self._settings.phone_fields)
        rows = self._listings.read("Users", words, wanted, None if company is None else int(company))
        words = self._still_there("Users", rows, words)
        for row in rows:
            contact = self._contact(row, words)
            if company is None or contact.company_id == str(int(company)):  # else it moved while we were reading
                yield contact

    def write(self, changes: Iterable[Change]) -> Iterator[tuple[str, Outcome]]:
        """Set the consent field: read each user, post those that differ in one array, read again."""
        stream = iter(changes)
        while batch := list(islice(stream, self.traits.batch)):
            wanted = {change.contact_id: change for change in batch}
            ids = [int(one) for one in wanted if one.isascii() and one.isdigit()]
            self._listings.forget(ids)
            try:
                yield from Batch(self._client, self._fields, wanted, self._lessons).carry_out()
            finally:
                self._listings.forget(ids)

    # --- reading ----------------------------------------------------------------------------------------------

    def _still_there(self, entity: str, rows: list[Row], words: Vocabulary[State]) -> Vocabulary[State]:
        """The words to read the rows with. What no definition explains is held against a new look at it.

        A field that no record shows may have been deleted, a value that was never seen may be a new option.
        """
        kind = "client" if entity == "Client" else "user"
        unknown = {words.text(row) for row in rows if words.meaning(row) is None} - {None}
        new = any((kind, folded(text)) not in self._remarked for text in unknown)
        if not rows or (any(words.element(row) for row in rows) and not new):
            return words
        self._fields.doubt(entity)
        again: Vocabulary[Any] = self._fields.company() if entity == "Client" else self._fields.contact()
        again.must_be_complete()
        return again

    def _contact(self, row: Row, words: Vocabulary[Consent]) -> Contact:
        contact_id = str(number("Users", row["id"]))
        company = client_of(row)
        names = (str(row.get(part) or "").strip() for part in ("firstname", "surname"))
        return Contact(
            id=contact_id,
            company_id=None if company is None else str(company),
            name=str(row.get("name") or "").strip() or " ".join(filter(None, names)),
            numbers=self._numbers(row),
            active=self._active(row, contact_id),
            consent=self._meaning(words, row, "user", contact_id),
        )

    def _numbers(self, row: Row) -> tuple[PhoneNumber, ...]:
        texts = (row.get(field) for field in self._settings.phone_fields)
        found = (number for text in texts if text is not None for number in phone_numbers(str(text)))
        return tuple(dict.fromkeys(found))

    def _active(self, row: Row, contact_id: str) -> bool:
        """`inactive` is a boolean (documented); 1, 0 and text are understood as well."""
        said = folded(row.get("inactive"))
        if said not in {"0", "1", "false", "true", "none"}:
            self._remark(f"HaloPSA user {contact_id}: inactive cannot be read; it counts as active")
        return said not in {"1", "true"}

    def _meaning(self, words: Vocabulary[State], row: Row, kind: str, record_id: str) -> State | None:
        meaning = words.meaning(row)
        text = None if meaning is not None else words.text(row)
        if text is not None and (kind, folded(text)) not in self._remarked and len(self._remarked) < REMARKS:
            self._remarked.add((kind, folded(text)))
            self._remark(
                f"HaloPSA: '{words.name}' of {kind} {record_id} holds '{text[:40]}', which counts as not set"
            )
        return meaning
