"""What the lists of contacts showed, one after the other.

Whoever saw a field not opted out, and then opted out though nothing of ours did that, has seen what a person did.
It does not matter what was under way meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from syncd.model import Consent
from syncd.sandbox.simulate.vendors import Edit, Psa, PsaConnector

OUT = Consent.OPTED_OUT


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a list showed of a contact, how many edits the PSA had seen by then, and where the ledger ended."""

    value: Consent | None
    edits: int
    seq: int


class Sightings:
    """Follows the lists that were worked through. Before the first of them nothing was seen of anybody."""

    def __init__(self, psa: Psa, connector: PsaConnector) -> None:
        self._psa = psa
        self._connector = connector
        self._last: dict[str, Sighting] = {}
        self._asked: Counter[str] = Counter()
        self._edits = 0

    def begin(self) -> None:
        """A list is about to be asked for."""
        self._asked = self._connector.asked.copy()
        self._edits = len(self._psa.edits)

    def touched(self, contact: str) -> bool:
        """Whether we took up a change of this contact meanwhile: the list may be older than that."""
        return self._connector.asked[contact] != self._asked[contact]

    def changed(self) -> dict[str, Consent | None]:
        """What the list showed otherwise than the last one, but for contacts that we wrote to meanwhile."""
        return {
            contact: value
            for contact, value in self._connector.shown.items()
            if not self.touched(contact) and (contact not in self._last or self._last[contact].value is not value)
        }

    def unexplained(self, contact: str, upto: int | None = None) -> Edit | None:
        """The opt-out that is shown after so many edits, if a person set it since the field was last seen."""
        last = self._of(contact)
        since = [edit for edit in self._psa.edits[last.edits : upto] if edit.contact == contact]
        if not since or since[-1].value is not OUT or last.value is OUT:
            return None
        return None if any(edit.by_us and edit.value is OUT for edit in since) else since[-1]

    def told(self, contact: str, entries: Iterable[dict[str, Any]]) -> bool:
        """Whether the ledger has word of an opt-out in the PSA since the field was last seen."""
        last = self._of(contact)
        return any(
            entry["seq"] > last.seq and entry["contact"] == contact and entry["after"] == OUT
            for entry in entries
            # That a write of ours has it done, or found it done, is word of it too: it was just what we wanted.
            if entry["kind"] == "staff" or entry.get("result") in ("applied", "already")
        )

    def end(self, changed: Collection[str], seq: int) -> None:
        """The list was worked through; `seq`: where the ledger ends now."""
        for contact in changed:
            self._last[contact] = Sighting(self._connector.shown[contact], self._edits, seq)

    def since(self, contacts: Iterable[str]) -> int:
        """Where the ledger ended when the first of these was last seen."""
        return min(self._of(contact).seq for contact in contacts)

    def _of(self, contact: str) -> Sighting:
        return self._last.get(contact, Sighting(None, 0, 0))
