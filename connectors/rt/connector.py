"""The contract of `syncd.connector`, kept with Request Tracker.

Reads are full listings, because RT can search users neither by id nor by date. Writes go user by user, with
If-Match, and are believed when a later read shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import ClassVar

from connectors.rt.answers import Row, number
from connectors.rt.checkup import Checkup
from connectors.rt.client import PAGE, RtClient
from connectors.rt.fields import GROUPS, USERS, Fields, State, Vocabulary, custom_fields, folded
from connectors.rt.groups import Belonging, Groups
from connectors.rt.settings import PHONE_COLUMNS, RtSettings
from connectors.rt.writing import Batch
from syncd.connector import Change, Connector, Outcome, Report, Settings, Shell, Traits
from syncd.errors import ConfigProblem, Permanent, Problem, ShapeChanged
from syncd.http import Limits
from syncd.model import Company, CompanyState, Consent, Contact, PhoneNumber, phone_numbers

USER_FIELDS = ("Name", "RealName", "LastUpdated", "CustomFields")

# Users of RT's own that are nobody.
NOT_PEOPLE = frozenset({"rt_system", "nobody"})

# What RT shows in place of a date that the API user may not see.
HIDDEN = "1970-01-01"

# In a field of free text each person may hold another odd value; so many are named.
REMARKS = 50


class Rt(Connector):
    """Companies and contacts of one RT."""

    name: ClassVar[str] = "rt"
    settings_model: ClassVar[type[Settings]] = RtSettings
    # RT itself has no limit; a small installation serves a handful of calls at once, and people need it too.
    traits: ClassVar[Traits] = Traits(batch=100, limits=Limits(calls=600, per=60.0, concurrency=4, reserve=0.2))

    def __init__(self, settings: RtSettings, shell: Shell) -> None:
        self._settings = settings
        self._remark = shell.remark
        self._client = RtClient(settings, shell.transport)
        self._fields = Fields(self._client, settings.contact_field, settings.company_field)
        self._groups = Groups(self._client, settings, shell.remark)
        self._remarked: set[tuple[str, str]] = set()
        self._users = 0  # how many there were at the last look

    def check(self) -> Report:
        """See what the API user may do, which fields there are, and who would be kept."""
        return Checkup(self._settings, self._client, self._fields, self.companies, self.contacts).report()

    def companies(self) -> Iterator[Company]:
        """Every group that counts as a company, disabled ones too."""
        yield from self._companies(self._groups.rows())

    def contacts(self, company: str | None = None, changed_since: datetime | None = None) -> Iterator[Contact]:
        """Users with their company, disabled ones as inactive; `changed_since` is ignored."""
        del changed_since
        if company is not None and not (company.isascii() and company.isdigit()):
            raise Permanent(f"'{company[:40]}' is not the id of an RT group")
        words = self._fields.contact()
        words.must_be_complete()
        rows = self._groups.rows()
        belonging = self._groups.belonging(rows, self._companies(rows))
        if company is None:
            yield from self._all(belonging, words)
            return
        people = belonging.people_of(company)
        if len(people) <= self._calls_for_all():
            yield from self._one_by_one(people, belonging, words)
            return
        for contact in self._all(belonging, words):
            if contact.company_id == company:
                yield contact

    def write(self, changes: Iterable[Change]) -> Iterator[tuple[str, Outcome]]:
        """Set the consent field, user by user: read, PUT what differs, read again."""
        stream = iter(changes)
        while batch := list(islice(stream, self.traits.batch)):
            wanted = {change.contact_id: change for change in batch}
            yield from Batch(self._client, self._fields, wanted, self._calls_for_all() // 2).carry_out()

    # --- companies --------------------------------------------------------------------------------------------

    def _companies(self, rows: Sequence[Row]) -> list[Company]:
        """The groups that are companies. A listing without the approval field raises."""
        words = self._fields.company()
        words.must_be_complete()
        ours = [row for row in rows if self._groups.is_company(row)]
        if self._looks_renamed(ours, words):
            self._fields.doubt(GROUPS)
            words = self._fields.company()
            words.must_be_complete()
        found = []
        for row in ours:
            company_id = str(number("groups", row.get("id")))
            state = self._meaning(words, row, "group", company_id)
            name = str(row.get("Name") or "").strip()
            found.append(Company(company_id, name or f"group {company_id}", state or CompanyState.UNSET))
        return found

    def _looks_renamed(self, rows: Iterable[Row], words: Vocabulary[CompanyState]) -> bool:
        """Whether a value shows up that the list did not have when it was read: then the list is an old one."""
        texts = {text for row in rows if (text := words.text(row)) is not None}
        return any(
            words.meaning(text) is None and not words.knows(text) and ("group", folded(text)) not in self._remarked
            for text in texts
        )

    # --- contacts ---------------------------------------------------------------------------------------------

    def _calls_for_all(self) -> int:
        """How many calls a full listing costs: everybody, and who of them is enabled."""
        return 2 * (self._users // PAGE + 1) if self._users else 0

    def _all(self, belonging: Belonging, words: Vocabulary[Consent]) -> Iterator[Contact]:
        """Every user. What RT shows is complete before the first one is given."""
        columns = [field for field in self._settings.phone_fields if field in PHONE_COLUMNS]
        rows: dict[str, Row] = {}
        total = 0
        for page in self._client.pages("/users", (*USER_FIELDS, *columns), disabled=True):
            self._must_show(page.rows, columns)
            rows.update((str(number("users", row["id"])), row) for row in page.rows)
            total = page.total
        self._users = total
        enabled = self._enabled(total)
        for user_id, row in rows.items():
            if folded(row.get("Name")) not in NOT_PEOPLE:
                yield self._contact(row, belonging, words, active=enabled is None or user_id in enabled)

    def _enabled(self, total: int) -> set[str] | None:
        """The ids of the users that are not disabled; None: none is. No list of RT says it of a row."""
        found: set[str] = set()
        for page in self._client.pages("/users", ()):
            if page.total == total:
                return None
            found.update(str(number("users", row["id"])) for row in page.rows)
        return found

    def _must_show(self, rows: Sequence[Row], columns: Sequence[str]) -> None:
        """Raise NoRight when the API user lost AdminUsers: RT then sends every phone number as an empty text.

        Seen on RT 5.0.3: dates come as 1970 then. One such row is read by itself, which settles it.
        """
        if any(column not in row for row in rows for column in columns):
            raise ShapeChanged(f"users come without {', '.join(columns)}, which were asked for")
        hidden = [row for row in rows if str(row.get("LastUpdated") or HIDDEN).startswith(HIDDEN)]
        if hidden:
            self._client.user(str(number("users", hidden[0].get("id"))))

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
            numbers=self._numbers(row),
            active=active,
            consent=self._meaning(words, row, "user", contact_id),
        )

    def _numbers(self, row: Row) -> tuple[PhoneNumber, ...]:
        found = (number for text in self._phone_texts(row) for number in phone_numbers(text))
        return tuple(dict.fromkeys(found))

    def _phone_texts(self, row: Row) -> Iterator[str]:
        """What the phone fields of a user hold. RT keeps numbers as people type them."""
        for field in self._settings.phone_fields:
            if field in PHONE_COLUMNS:
                yield str(row.get(field) or "")
                continue
            listed = custom_fields(row)
            own = [one for one in listed if folded(one.get("name")) == folded(field)]
            if not own:
                self._fields.doubt(USERS)
                names = ", ".join(repr(one.get("name")) for one in listed) or "none"
                what = f"'{field}' is neither a column of RT nor a custom field of its users, who have: {names}"
                raise ConfigProblem([Problem("psa.settings.phone_fields", what)])
            yield from (str(value) for one in own for value in one["values"] if value is not None)

    def _meaning(self, words: Vocabulary[State], row: Row, kind: str, record_id: str) -> State | None:
        text = words.text(row)
        meaning = words.meaning(text)
        new = text is not None and meaning is None and (kind, folded(text)) not in self._remarked
        if text is not None and new and len(self._remarked) < REMARKS:
            self._remarked.add((kind, folded(text)))
            self._remark(
                f"RT: '{words.field.name}' of {kind} {record_id} holds '{text[:40]}', which counts as not set"
            )
        return meaning
