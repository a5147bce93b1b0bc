"""The contract of `syncd.connector`, kept with two CSV files.

companies.csv  id,name,sms_approval                               Approved | Opted-Out
contacts.csv   id,company_id,name,mobile,phone,active,sms_opt_in  true | false, Opted-In | Opted-Out

People edit these files by hand while syncd runs. A row that cannot be used is named by file and line and costs
nobody else anything. Where two rows carry one id, the doubt is settled in favour of whoever opted out:

- a contact that stands twice has the numbers of all its rows, and counts as active if one of them is;
- it shows a consent only if all its rows show the same one; so a difference is never taken for "done";
- an opt-out is written to all its rows; an opt-in is refused until each person has an id of their own;
- a company that stands twice is opted out if one of its rows says so.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import ClassVar, TypeVar

from connectors.local.settings import LocalSettings
from connectors.local.table import Row, Table, locked, read_table, rewrite
from syncd.connector import (
    ALREADY,
    APPLIED,
    CHANGED,
    GONE,
    Change,
    Connector,
    Finding,
    Grade,
    Outcome,
    Report,
    Settings,
    Shell,
    Traits,
    overtaken,
    refused,
)
from syncd.errors import ConfigProblem, Transient
from syncd.http import before_sending
from syncd.model import Company, CompanyState, Consent, Contact, phone_numbers

COMPANY_COLUMNS = ("id", "name", "sms_approval")
CONTACT_COLUMNS = ("id", "company_id", "name", "mobile", "phone", "active", "sms_opt_in")

APPROVALS = {"Approved": CompanyState.APPROVED, "Opted-Out": CompanyState.OPTED_OUT}
CONSENTS = {"Opted-In": Consent.OPTED_IN, "Opted-Out": Consent.OPTED_OUT}
ACTIVE = {"true": True, "false": False}

Remark = Callable[[str], None]
Value = TypeVar("Value")


class Local(Connector):
    """Companies and contacts in the folder `path`."""

    name: ClassVar[str] = "local"
    settings_model: ClassVar[type[Settings]] = LocalSettings
    traits: ClassVar[Traits] = Traits(batch=200, limits=None)

    def __init__(self, settings: LocalSettings, shell: Shell) -> None:
        self._folder = settings.folder
        self._companies = settings.folder / "companies.csv"
        self._contacts = settings.folder / "contacts.csv"
        self._remark = shell.remark
        # The lock file keeps other programs out, this one our own threads.
        self._rewriting = threading.Lock()

    def check(self) -> Report:
        """Read both files, count what they hold, and see whether contacts.csv may be rewritten."""
        return Report((*self._check_companies(), *self._check_contacts(), *self._check_writing()))

    def companies(self) -> Iterator[Company]:
        """Every company of companies.csv."""
        yield from _companies(read_table(self._companies, COMPANY_COLUMNS), self._remark)

    def contacts(self, company: str | None = None, changed_since: datetime | None = None) -> Iterator[Contact]:
        """Every contact of contacts.csv, or those of one company; `changed_since` is ignored."""
        del changed_since
        table = read_table(self._contacts, CONTACT_COLUMNS)
        for contact in _contacts(table, self._remark):
            if company is None or contact.company_id == company:
                yield contact

    def write(self, changes: Iterable[Change]) -> Iterator[tuple[str, Outcome]]:
        """Set `sms_opt_in`: one atomic rewrite of contacts.csv for a batch, then a second look at the file."""
        stream = iter(changes)
        while batch := list(islice(stream, self.traits.batch)):
            wanted = {change.contact_id: change for change in batch}
            with self._rewriting, locked(self._folder):
                outcomes = self._carry_out(wanted)
            yield from outcomes.items()

    def _carry_out(self, wanted: Mapping[str, Change]) -> dict[str, Outcome]:
        table = read_table(self._contacts, CONTACT_COLUMNS)
        rows = _by_id(table)
        outcomes: dict[str, Outcome] = {}
        cells: list[tuple[Row, str, str]] = []
        for contact_id, change in wanted.items():
            consent = change.consent
            mine = rows.get(contact_id, [])
            stale = [row for row in mine if _consent(row) is not consent]
            if not stale:
                outcomes[contact_id] = ALREADY if mine else GONE
            elif any(overtaken(change, _consent(row)) for row in stale):
                outcomes[contact_id] = CHANGED
            elif len(mine) > 1 and consent is Consent.OPTED_IN:
                outcomes[contact_id] = refused(
                    f"{_lines(mine)} share the id {contact_id}, and only one person opted in; give each its own id"
                )
            else:
                cells += [(row, "sms_opt_in", _word(consent)) for row in stale]
        if cells:
            guard = before_sending.get()
            if guard:
                guard()
            rewrite(table, table.with_cells(cells))
            shown = _by_id(read_table(self._contacts, CONTACT_COLUMNS))
            for contact_id, change in wanted.items():
                if contact_id not in outcomes:
                    outcomes[contact_id] = _verified(shown.get(contact_id, []), change.consent)
        return outcomes

    # --- what `check` looks at --------------------------------------------------------------------------------

    def _check_companies(self) -> Iterator[Finding]:
        odd: list[str] = []
        try:
            companies = list(_companies(read_table(self._companies, COMPANY_COLUMNS), odd.append))
        except (ConfigProblem, Transient) as error:
            yield Finding(Grade.FAIL, "companies.csv", str(error))
            return
        states = [company.state for company in companies]
        counts = ", ".join(f"{states.count(state)} {state.value}" for state in CompanyState)
        yield Finding(Grade.OK, "companies.csv", f"{len(companies)} companies: {counts}")
        yield from _oddities("companies.csv", odd)

    def _check_contacts(self) -> Iterator[Finding]:
        odd: list[str] = []
        try:
            contacts = list(_contacts(read_table(self._contacts, CONTACT_COLUMNS), odd.append))
        except (ConfigProblem, Transient) as error:
            yield Finding(Grade.FAIL, "contacts.csv", str(error))
            return
        usable = sum(1 for contact in contacts if contact.numbers)
        yield Finding(Grade.OK, "contacts.csv", f"{len(contacts)} contacts, {usable} with a usable number")
        yield from _oddities("contacts.csv", odd)

    def _check_writing(self) -> Iterator[Finding]:
        # A rewrite makes a new file next to the old one, so the folder counts as well.
        places = {self._contacts, self._folder, self._contacts.resolve().parent}
        locked_out = sorted(str(place) for place in places if not os.access(place, os.W_OK))
        if locked_out:
            advice = "may not be written; syncd's user needs write permission there"
            yield Finding(Grade.FAIL, "writing", f"{' and '.join(locked_out)} {advice}")
        else:
            yield Finding(Grade.OK, "writing", "contacts.csv and its folder may be written")


def _companies(table: Table, remark: Remark) -> Iterator[Company]:
    _name_bad_rows(table, remark)
    for company_id, rows in _by_id(table).items():
        states = [_state(row, table, remark) for row in rows]
        state = CompanyState.OPTED_OUT if CompanyState.OPTED_OUT in states else states[0]
        yield Company(company_id, rows[0]["name"], state)


def _contacts(table: Table, remark: Remark) -> Iterator[Contact]:
    _name_bad_rows(table, remark)
    for contact_id, rows in _by_id(table).items():
        raw = (row[column] for row in rows for column in ("mobile", "phone"))
        consents = {_consent(row, table, remark) for row in rows}
        active = [_active(row, table, remark) for row in rows]
        yield Contact(
            id=contact_id,
            company_id=rows[0]["company_id"] or None,
            name=rows[0]["name"],
            numbers=tuple(dict.fromkeys(number for text in raw for number in phone_numbers(text))),
            active=any(active),
            consent=consents.pop() if len(consents) == 1 else None,
        )


def _state(row: Row, table: Table, remark: Remark) -> CompanyState:
    return _read(APPROVALS, row, "sms_approval", table, remark) or CompanyState.UNSET


def _consent(row: Row, table: Table | None = None, remark: Remark | None = None) -> Consent | None:
    return _read(CONSENTS, row, "sms_opt_in", table, remark)


def _active(row: Row, table: Table, remark: Remark) -> bool:
    active = _read(ACTIVE, row, "active", table, remark)
    if active is None and not row["active"]:
        remark(f"{table.path.name} line {row.line}: active is empty; it counts as true")
    return active is not False


def _read(
    words: Mapping[str, Value], row: Row, column: str, table: Table | None, remark: Remark | None
) -> Value | None:
    """What the cell says, however it is cased and spaced ("opted out"); None for anything else."""
    said = _folded(row[column])
    for word, value in words.items():
        if _folded(word) == said:
            return value
    if said and table and remark:
        known = " or ".join(words)
        remark(f"{table.path.name} line {row.line}: {column} is neither {known}: '{row[column][:40]}'")
    return None


def _folded(word: str) -> str:
    return re.sub(r"[\s_\-\u2010-\u2015]+", "", word.casefold())


def _word(consent: Consent) -> str:
    return next(word for word, value in CONSENTS.items() if value is consent)


def _verified(rows: list[Row], consent: Consent) -> Outcome:
    if not rows:
        return GONE
    if all(_consent(row) is consent for row in rows):
        return APPLIED
    return refused(
        f"contacts.csv does not show {_word(consent)} after it was written; does another program edit it?"
    )


def _by_id(table: Table) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {}
    for row in table.rows:
        if row["id"]:
            rows.setdefault(row["id"], []).append(row)
    return rows


def _name_bad_rows(table: Table, remark: Remark) -> None:
    name = table.path.name
    for line, why in table.bad:
        remark(f"{name} line {line}: {why}; the row is not used")
    for row in table.rows:
        if not row["id"]:
            remark(f"{name} line {row.line}: no id; the row is not used")
    for shared, rows in _by_id(table).items():
        if len(rows) > 1:
            remark(f"{name}: {_lines(rows)} share the id {shared}; give each its own id")


def _lines(rows: list[Row]) -> str:
    return "lines " + " and ".join(str(row.line) for row in rows)


def _oddities(name: str, odd: list[str]) -> Iterator[Finding]:
    if odd:
        more = f" (and {len(odd) - 5} more)" if len(odd) > 5 else ""
        yield Finding(Grade.NOTE, f"{name}, odd rows", "; ".join(odd[:5]) + more)
