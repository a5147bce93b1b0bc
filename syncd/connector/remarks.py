"""Odd values, told to the operator once each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from syncd.connector.fields import State, Vocabulary, folded

# In a field of free text each person may hold another odd value; so many of a kind are told.
MOST = 50


class Remarks:
    """Tells what it has not told before. `psa` is put in front of every text; `remark` is that of the shell."""

    def __init__(self, psa: str, remark: Callable[[str], None]) -> None:
        self._psa = psa
        self._remark = remark
        self._told: defaultdict[str, set[str]] = defaultdict(set)

    def once(self, kind: str, value: object, text: str) -> None:
        """Tell it, unless something about this value in this kind of record was told before."""
        told = self._told[kind]
        if folded(value) not in told and len(told) < MOST:
            told.add(folded(value))
            self._remark(f"{self._psa}: {text}")

    def told(self, kind: str, value: object) -> bool:
        """Whether something about this value in this kind of record was told."""
        return folded(value) in self._told[kind]

    def odd(self, field: str, kind: str, record_id: str, value: object) -> None:
        """Tell that a field of a record holds a value that the settings do not name; None is no value."""
        if value is not None:
            what = f"'{field}' of {kind} {record_id} holds '{str(value)[:40]}'"
            self.once(kind, value, f"{what}, which counts as not set")

    def meaning(self, words: Vocabulary[State], kind: str, record_id: str, value: object) -> State | None:
        """What the value of a record means; one that the settings do not name is told, and means nothing."""
        meaning = words.meaning(value)
        if meaning is None:
            self.odd(words.field.name, kind, record_id, value)
        return meaning

    def any_news(self, words: Vocabulary[State], kind: str, values: Iterable[object]) -> bool:
        """Whether a value shows up that neither the settings nor the list have: the list may be an old one."""
        return any(
            value is not None
            and words.meaning(value) is None
            and not words.knows(value)
            and not self.told(kind, value)
            for value in values
        )
