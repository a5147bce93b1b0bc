"""What `syncd check --online` finds out about the folder. Nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from connectors.local import listing
from connectors.local.fields import APPROVALS, COMPANY_COLUMNS, CONSENTS, CONTACT_COLUMNS
from connectors.local.table import read_table
from syncd.connector import Finding, Grade, checkup

# So many odd rows are named.
NAMED = 5


class Checkup(checkup.Checkup):
    """What is looked at, step by step."""

    def __init__(self, folder: Path, companies: Path, contacts: Path) -> None:
        self._odd: list[str] = []
        super().__init__(
            lambda: listing.companies(read_table(companies, COMPANY_COLUMNS), self._odd.append),
            lambda: listing.contacts(read_table(contacts, CONTACT_COLUMNS), self._odd.append),
        )
        self._folder = folder
        self._companies_file = companies
        self._contacts_file = contacts

    def service(self) -> Iterator[Finding]:
        """The two files."""
        names = f"{self._companies_file.name} and {self._contacts_file.name}"
        yield Finding(Grade.OK, "service", f"{names} in {self._folder}")

    def permissions(self) -> Iterator[Finding]:
        """A rewrite makes a new file next to the old one, so the folder counts as well."""
        places = {self._contacts_file, self._folder, self._contacts_file.resolve().parent}
        locked_out = sorted(str(place) for place in places if not os.access(place, os.W_OK))
        if locked_out:
            advice = "may not be written; syncd's user needs write permission there"
            yield Finding(Grade.FAIL, "permissions", f"{' and '.join(locked_out)} {advice}")
        else:
            yield Finding(Grade.OK, "permissions", f"{self._contacts_file.name} and its folder may be written")

    def consent_field(self) -> Iterator[Finding]:
        """The column of contacts; without it the file cannot be read."""
        yield Finding(Grade.OK, "consent field", f"column 'sms_opt_in', {' or '.join(map(repr, CONSENTS))}")

    def approval_field(self) -> Iterator[Finding]:
        """The column of companies."""
        yield Finding(Grade.OK, "approval field", f"column 'sms_approval', {' or '.join(map(repr, APPROVALS))}")

    def counted_companies(self) -> Iterator[Finding]:
        """An empty file is no failure: it is how everybody begins."""
        for counted in super().counted_companies():
            yield replace(counted, grade=Grade.OK)

    def also_needed(self) -> checkup.Steps:
        """Rows that are of no use."""
        return {"odd rows": self._odd_rows}

    def _odd_rows(self) -> Iterator[Finding]:
        if self._odd:
            more = f" (and {len(self._odd) - NAMED} more)" if len(self._odd) > NAMED else ""
            yield Finding(Grade.NOTE, "odd rows", "; ".join(self._odd[:NAMED]) + more)
