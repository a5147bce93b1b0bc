"""Writing a batch of consents: read the file, replace the cells that differ in one step, read it again.

An opt-out is written to all rows that carry the id; an opt-in is refused until each person has an id of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from connectors.local.fields import CONTACT_COLUMNS, consent_of, word
from connectors.local.listing import by_id, lines
from connectors.local.table import Row, read_table, rewrite
from syncd.connector import ALREADY, APPLIED, CHANGED, GONE, Change, Outcome, overtaken, refused
from syncd.http import before_sending
from syncd.model import Consent


class Writing:
    """The consents that some contacts should show, on their way into the file. The caller holds its lock."""

    def __init__(self, path: Path, changes: Mapping[str, Change]) -> None:
        self._path = path
        self._changes = changes

    def carry_out(self) -> Iterator[tuple[str, Outcome]]:
        """Yield what became of each contact, when all of it is done."""
        table = read_table(self._path, CONTACT_COLUMNS)
        rows = by_id(table)
        outcomes = {one: self._outcome(change, rows.get(one, [])) for one, change in self._changes.items()}
        cells = [
            (row, "sms_opt_in", word(change.consent))
            for one, change in self._changes.items()
            if outcomes[one] is None
            for row in _stale(rows[one], change.consent)
        ]
        if cells:
            guard = before_sending.get()
            if guard:
                guard()
            rewrite(table, table.with_cells(cells))
        shown = by_id(read_table(self._path, CONTACT_COLUMNS)) if cells else {}
        for one, change in self._changes.items():
            yield one, outcomes[one] or self._verified(shown.get(one, []), change.consent)

    def _outcome(self, change: Change, mine: Sequence[Row]) -> Outcome | None:
        """How it ends without being written; None: it is to be written."""
        stale = _stale(mine, change.consent)
        if not stale:
            return ALREADY if mine else GONE
        if any(overtaken(change, consent_of(row)) for row in stale):
            return CHANGED
        if len(mine) > 1 and change.consent is Consent.OPTED_IN:
            shared = f"{lines(mine)} share the id {change.contact_id}"
            return refused(f"{shared}, and only one person opted in; give each its own id")
        return None

    def _verified(self, rows: Sequence[Row], consent: Consent) -> Outcome:
        if not rows:
            return GONE
        if not _stale(rows, consent):
            return APPLIED
        said = f"{self._path.name} does not show {word(consent)} after it was written"
        return refused(f"{said}; does another program edit it?")


def _stale(rows: Sequence[Row], consent: Consent) -> list[Row]:
    return [row for row in rows if consent_of(row) is not consent]
