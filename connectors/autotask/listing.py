"""Listings that show the user-defined field, in whole records if it has to be.

Documented: IncludeFields may name a UDF. Seen live by third parties: a listing that named none showed none. So a
first page without any trace of the UDF is asked for again in full before it is believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from connectors.autotask.answers import UnknownField
from connectors.autotask.client import AutotaskClient, Clause
from connectors.autotask.fields import COMPANIES, CONTACTS, Fields, Vocabulary
from syncd.connector.answers import Row
from syncd.connector.fields import State, folded

WANTED = {
    COMPANIES: ("id", "companyName"),
    CONTACTS: ("id", "companyID", "isActive", "firstName", "lastName"),
}


class Listings:
    """Reads Contacts or Companies page by page. Thread-safe.

    whole: the entities whose listings ask for whole records, because one with chosen fields hid the UDF
    """

    def __init__(self, client: AutotaskClient, fields: Fields) -> None:
        self._client = client
        self._fields = fields
        self.whole: set[str] = set()

    def pages(
        self, entity: str, words: Vocabulary[State], clauses: Sequence[Clause] = (), more: Sequence[str] = ()
    ) -> Iterator[list[Row]]:
        """Every record that fulfils the clauses, with what is always wanted of it and `more`."""
        if entity not in self.whole:
            wanted = (*WANTED[entity], *more, words.field.name)
            pages = self._client.query(entity, clauses, wanted)
            try:
                first = next(pages, [])
            except UnknownField as error:
                if folded(error.field) != folded(words.field.name):
                    raise
                self._must_exist(entity)
            else:
                if not first or any(map(words.shown_by, first)) or not self._hidden(entity, clauses, words):
                    yield from chain([first] if first else [], pages)
                    return
            self.whole.add(entity)
        yield from self._client.query(entity, clauses)

    def _hidden(self, entity: str, clauses: Sequence[Clause], words: Vocabulary[State]) -> bool:
        """Whether whole records show the UDF that chosen fields did not; a renamed one raises ConfigProblem."""
        full = next(self._client.query(entity, clauses), [])
        if any(map(words.shown_by, full)):
            return True
        self._must_exist(entity)
        return False

    def _must_exist(self, entity: str) -> None:
        self._fields.doubt(entity)
        if entity == CONTACTS:
            self._fields.contact()
        else:
            self._fields.company()
