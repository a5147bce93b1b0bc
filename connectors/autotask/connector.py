"""The contract of `syncd.connector`, kept with Autotask.

Reads are full listings: whether an edit of nothing but a UDF moves a record's modification stamp is unverified, so
no listing relies on one. Writes go through the contact's present company, one PATCH each, and are believed when a
later read shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import ClassVar

from connectors.autotask.answers import Row, UnknownField, number
from connectors.autotask.checkup import Checkup
from connectors.autotask.client import OUR_CALLS, AutotaskClient, Clause
from connectors.autotask.fields import Fields, State, Vocabulary, folded, shows, text_of
from connectors.autotask.settings import AutotaskSettings
from connectors.autotask.writing import Batch
from syncd.connector import Change, Connector, Outcome, Report, Settings, Shell, Traits
from syncd.errors import Permanent, ShapeChanged
from syncd.http import Limits
from syncd.model import Company, CompanyState, Consent, Contact, PhoneNumber, phone_numbers

COMPANY_FIELDS = ("id", "companyName")
CONTACT_FIELDS = ("id", "companyID", "isActive", "firstName", "lastName")

# In a field of free text each person may hold another odd value; so many are named.
REMARKS = 50


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
        self._remark = shell.remark
        self._client = AutotaskClient(settings, shell.transport)
        self._fields = Fields(self._client, settings.contact_field, settings.company_field)
        self._remarked: set[tuple[str, str]] = set()
        # Entities whose listings ask for whole records, because one with chosen fields hid the UDF.
        self._whole: set[str] = set()

    def check(self) -> Report:
        """See what the API user may do, which fields there are, and how much of the allowance is left."""
        return Checkup(self._settings, self._client, self._fields, self.companies, self.contacts).report()

    def companies(self) -> Iterator[Company]:
        """Every company. A listing that does not show the approval field raises rather than unset everybody."""
        self._client.watch_usage()
        words = self._fields.company()
        words.must_be_complete()
        rows = list(chain.from_iterable(self._pages("Companies", (), COMPANY_FIELDS, words.udf.name)))
        if self._looks_renamed(rows, words):
            self._fields.doubt("Companies")
            words = self._fields.company()
            words.must_be_complete()
        for row in rows:
            company_id = str(number("Companies", row["id"]))
            state = self._meaning(words, row, "company", company_id)
            name = str(row.get("companyName") or "").strip()
            yield Company(company_id, name or f"company {company_id}", state or CompanyState.UNSET)

    def contacts(self, company: str | None = None, changed_since: datetime | None = None) -> Iterator[Contact]:
        """Contacts of one company, or all; `changed_since` is ignored."""
        del changed_since
        if company is not None and not _is_id(company):
            raise Permanent(f"'{company[:40]}' is not the id of an Autotask company")
        self._client.watch_usage()
        words = self._fields.contact()
        words.must_be_complete()
        clauses = () if company is None else (Clause("eq", "companyID", int(company)),)
        wanted = (*CONTACT_FIELDS, *self._settings.phone_fields)
        for page in self._pages("Contacts", clauses, wanted, words.udf.name):
            for row in page:
                yield self._contact(row, words)

    def write(self, changes: Iterable[Change]) -> Iterator[tuple[str, Outcome]]:
        """Set the consent field, contact by contact: read, PATCH what differs, read again."""
        stream = iter(changes)
        while batch := list(islice(stream, self.traits.batch)):
            wanted = {change.contact_id: change for change in batch}
            yield from Batch(self._client, self._fields, wanted).carry_out()
            self._client.watch_usage()

    # --- reading ----------------------------------------------------------------------------------------------

    def _pages(
        self, entity: str, clauses: Sequence[Clause], wanted: Sequence[str], udf: str
    ) -> Iterator[list[Row]]:
        """The listing with the wanted fields and the UDF, in whole records if it has to be.

        Documented: IncludeFields may name a UDF. Seen live by third parties: a listing that named none showed
        none. So a first page without any trace of the UDF is asked for again in full before it is believed.
        """
        if entity not in self._whole:
            pages = self._client.query(entity, clauses, (*wanted, udf))
            try:
                first = next(pages, [])
            except UnknownField as error:
                if folded(error.field) != folded(udf):
                    raise
                self._udf_must_exist(entity)
            else:
                if not first or any(shows(row, udf) for row in first) or not self._hidden(entity, clauses, udf):
                    yield from chain([first] if first else [], pages)
                    return
            self._whole.add(entity)
        yield from self._client.query(entity, clauses)

    def _hidden(self, entity: str, clauses: Sequence[Clause], udf: str) -> bool:
        """Whether whole records show the UDF that chosen fields did not; a renamed one raises ConfigProblem."""
        full = next(self._client.query(entity, clauses), [])
        if any(shows(row, udf) for row in full):
            return True
        self._udf_must_exist(entity)
        return False

    def _udf_must_exist(self, entity: str) -> None:
        self._fields.doubt(entity)
        if entity == "Contacts":
            self._fields.contact()
        else:
            self._fields.company()

    def _looks_renamed(self, rows: Iterable[Row], words: Vocabulary[CompanyState]) -> bool:
        """Whether a value shows up that the list did not have when it was read: then the list is an old one."""
        texts = {text for row in rows if (text := text_of(row, words.udf.name)) is not None}
        return any(
            words.meaning(text) is None
            and not words.knows(text)
            and ("company", folded(text)) not in self._remarked
            for text in texts
        )

    def _contact(self, row: Row, words: Vocabulary[Consent]) -> Contact:
        contact_id = str(number("Contacts", row["id"]))
        if "companyID" not in row:
            raise ShapeChanged(f"contact {contact_id} came without its companyID")
        company = row["companyID"]
        names = (str(row.get(part) or "").strip() for part in ("firstName", "lastName"))
        return Contact(
            id=contact_id,
            company_id=None if company is None else str(number("companyID", company)),
            name=" ".join(filter(None, names)),
            numbers=self._numbers(row),
            active=self._active(row, contact_id),
            consent=self._meaning(words, row, "contact", contact_id),
        )

    def _numbers(self, row: Row) -> tuple[PhoneNumber, ...]:
        texts = (row.get(field) for field in self._settings.phone_fields)
        found = (number for text in texts if text is not None for number in phone_numbers(str(text)))
        return tuple(dict.fromkeys(found))

    def _active(self, row: Row, contact_id: str) -> bool:
        """`isActive` of a contact is 1 or 0 (documented); a boolean or text is understood as well."""
        said = folded(row.get("isActive"))
        if said not in {"0", "1", "false", "true"}:
            self._remark(f"Autotask contact {contact_id}: isActive cannot be read; it counts as active")
        return said not in {"0", "false"}

    def _meaning(self, words: Vocabulary[State], row: Row, kind: str, record_id: str) -> State | None:
        text = text_of(row, words.udf.name)
        meaning = words.meaning(text)
        new = text is not None and meaning is None and (kind, folded(text)) not in self._remarked
        if text is not None and new and len(self._remarked) < REMARKS:
            self._remarked.add((kind, folded(text)))
            self._remark(
                f"Autotask: '{words.udf.name}' of {kind} {record_id} holds '{text[:40]}', which counts as not set"
            )
        return meaning


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit()
