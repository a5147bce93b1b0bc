"""Listings whose rows are whole: what a list row does not show is unknown, never unset.

The description lists `customfields` for list rows, yet a client of others reads each record again to be sure; one
asks with `include_custom_fields`, which the description does not know; a third found that empty fields are left
out. So each listing is looked at: rows that lack something are read one by one, unless it is shown that lists
carry what is set and leave out what is not.

Reading a record each may cost more than the allowance of five minutes. What was read is kept until the listing is
whole, so that the next attempt goes on where this one stopped.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from connectors.halopsa.client import HaloPsaClient
from connectors.halopsa.fields import CONTACTS, Vocabulary
from syncd.connector.answers import Row, number
from syncd.connector.moments import Moment
from syncd.errors import ShapeChanged, Transient

# Rows that are read in full to see whether what a list leaves out is really empty.
SAMPLE = 3
# A listing of ten thousand records that are read one by one takes three hours.
SECONDS_KEPT = 6 * 3600.0

FIELD = "the custom field"


class Costly(Exception):
    """More records would have to be read one by one than was allowed. `rows` are those of the list."""

    def __init__(self, rows: Sequence[Row]) -> None:
        super().__init__(f"{len(rows)} records")
        self.rows = rows


class Listings:
    """Reads whole rows of Users or Client. Thread-safe."""

    def __init__(self, client: HaloPsaClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, int], tuple[Row, Moment]] = {}
        self._written: Counter[int] = Counter()
        self._asks: dict[str, bool] = {}
        self.manner: dict[str, str] = {}

    def read(
        self,
        entity: str,
        words: Vocabulary[Any],
        keys: Sequence[str],
        client_id: int | None = None,
        most: int | None = None,
    ) -> list[Row]:
        """Every record of one client, or all, each with these keys and the custom field if it is set.

        Raises Costly where that takes reading more than `most` of them one by one.
        """
        rows = self._rows(entity, words, client_id)
        lacking = {number(entity, row["id"]): gaps for row in rows if (gaps := _gaps(row, words, keys))}
        if not lacking:
            self.manner[entity] = "in list rows" + (" when asked for" if self._asks.get(entity) else "")
            return rows
        whole: dict[int, Row] = {}
        if self._may_be_empty(rows, words, lacking.values()):
            ids = list(lacking)
            sample = {ids[0], ids[len(ids) // 2], ids[-1]}
            whole = self._full(entity, sample)
            if all(_nothing_in(whole[one], lacking[one], words) for one in sample):
                self.manner[entity] = "in list rows, where it is set"
                return [whole.get(number(entity, row["id"]), row) for row in rows]
        names = ", ".join(sorted(frozenset[str]().union(*lacking.values())))
        self.manner[entity] = f"in full records only, a call each (list rows lack {names})"
        if most is not None and len(lacking) > most:
            raise Costly(rows)
        whole |= self._full(entity, lacking.keys() - whole.keys())
        return [whole.get(number(entity, row["id"]), row) for row in rows]

    def forget(self, user_ids: Iterable[int]) -> None:
        """These users are being written: what was read of them is old."""
        with self._lock:
            for one in user_ids:
                self._written[one] += 1
                self._kept.pop((CONTACTS, one), None)

    def _rows(self, entity: str, words: Vocabulary[Any], client_id: int | None) -> list[Row]:
        """The list rows; asking for the custom field by its id is tried once, and kept up where it helps."""
        asks = self._asks.get(entity)
        rows = self._client.rows(entity, client_id, words.ids if asks else ())
        if asks is None and rows and not any(map(words.shown_by, rows)):
            asked = self._client.rows(entity, client_id, words.ids)
            self._asks[entity] = any(map(words.shown_by, asked))
            rows = asked if self._asks[entity] else rows
        return rows

    @staticmethod
    def _may_be_empty(rows: list[Row], words: Vocabulary[Any], gaps: Iterable[frozenset[str]]) -> bool:
        """Whether other rows of this list show everything that some rows lack."""
        shown = {key for row in rows for key in row}
        if any(map(words.shown_by, rows)):
            shown.add(FIELD)
        return all(lacking <= shown and "customfields" not in lacking for lacking in gaps)

    def _full(self, entity: str, ids: Iterable[int]) -> dict[int, Row]:
        """The full records, by id; those that are kept from an interrupted attempt are not read again."""
        wanted = sorted(ids)
        found: dict[int, Row] = {}
        for record_id in wanted:
            key = (entity, record_id)
            kept = self._kept.get(key)
            if kept is not None and not self._client.moments.passed(kept[1], SECONDS_KEPT):
                found[record_id] = kept[0]
                continue
            written = self._written[record_id]
            try:
                row = self._client.record(entity, record_id)
            except Transient as error:
                raise Transient(
                    f"{error} ({len(found)} of {len(wanted)} records read; the next attempt goes on there)",
                    retry_after=error.retry_after,
                ) from error
            if row is None:
                raise Transient(
                    f"/{entity}/{record_id} is listed, but HaloPSA has no such record; was it deleted?"
                )
            if not isinstance(row.get("customfields"), list):
                raise ShapeChanged(f"GET /{entity}/{record_id}: the full record shows no customfields")
            found[record_id] = row
            with self._lock:
                if self._written[record_id] == written:
                    self._kept[key] = (row, self._client.moments.now())
        with self._lock:
            for record_id in wanted:
                self._kept.pop((entity, record_id), None)
        return found


def _gaps(row: Row, words: Vocabulary[Any], keys: Sequence[str]) -> frozenset[str]:
    """What a list row does not show."""
    lacking = {key for key in keys if key not in row}
    if not isinstance(row.get("customfields"), list):
        lacking.add("customfields")
    elif not words.shown_by(row):
        lacking.add(FIELD)
    return frozenset(lacking)


def _nothing_in(full: Row, gaps: Iterable[str], words: Vocabulary[Any]) -> bool:
    return all(words.held(full) is None if gap == FIELD else full.get(gap) in (None, "") for gap in gaps)
