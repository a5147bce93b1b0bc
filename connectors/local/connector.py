"""The contract of `syncd.connector`, kept with two CSV files that people edit by hand while syncd runs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import ClassVar

from connectors.local import listing
from connectors.local.checkup import Checkup
from connectors.local.fields import COMPANY_COLUMNS, CONTACT_COLUMNS
from connectors.local.settings import LocalSettings
from connectors.local.table import locked, read_table
from connectors.local.writing import Writing
from syncd.connector import Change, Connector, Outcome, Report, Settings, Shell, Traits
from syncd.connector.writing import batches
from syncd.model import Company, Contact


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
        return Checkup(self._folder, self._companies, self._contacts).report()

    def companies(self) -> Iterator[Company]:
        """Every company of companies.csv."""
        yield from listing.companies(read_table(self._companies, COMPANY_COLUMNS), self._remark)

    def contacts(self, company: str | None = None, changed_since: datetime | None = None) -> Iterator[Contact]:
        """Every contact of contacts.csv, or those of one company; `changed_since` is ignored."""
        del changed_since
        for contact in listing.contacts(read_table(self._contacts, CONTACT_COLUMNS), self._remark):
            if company is None or contact.company_id == company:
                yield contact

    def write(self, changes: Iterable[Change]) -> Iterator[tuple[str, Outcome]]:
        """Set `sms_opt_in`: one atomic rewrite of contacts.csv for a batch, then a second look at the file."""
        for batch in batches(changes, self.traits.batch):
            with self._rewriting, locked(self._folder):
                outcomes = list(Writing(self._contacts, batch).carry_out())
            yield from outcomes
