"""Writing a batch of consents: read, PATCH what differs, read again.

There is no bulk write (documented), so a batch of n costs n PATCHes and two queries; a single change is read by
its id, which is cheaper for Autotask and not subject to a filter.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from connectors.autotask.client import AutotaskClient, Clause
from connectors.autotask.fields import CONTACTS, Fields, Vocabulary
from syncd.connector import Change, Outcome, refused, writing
from syncd.connector.answers import Row, is_id, number
from syncd.model import Consent


class Writing(writing.Writing[Row]):
    """The consents that some contacts should show, on their way into Autotask."""

    def __init__(self, client: AutotaskClient, fields: Fields, changes: Mapping[str, Change]) -> None:
        super().__init__(changes)
        self._client = client
        self._fields = fields
        self._words: Vocabulary[Consent] = fields.contact()

    def read(self, contact_ids: Collection[str]) -> Mapping[str, Row]:
        """What Autotask shows of these contacts. One that a query does not return is asked for by its id."""
        known = [contact_id for contact_id in contact_ids if is_id(contact_id)]
        rows: dict[str, Row] = {}
        if len(known) > 1:
            for page in self._client.query(CONTACTS, (Clause("in", "id", tuple(map(int, known))),)):
                rows.update((str(number(CONTACTS, row["id"])), row) for row in page)
        for contact_id in known:
            if contact_id not in rows:
                row = self._client.contact(contact_id)
                if row is not None:
                    rows[contact_id] = row
        return rows

    def shown(self, record: Row) -> Consent | None:
        """What the consent field says."""
        return self._words.meaning(self._words.held(record))

    def send(self, contact_id: str, record: Row) -> Outcome | None:
        """One PATCH, through the company that the contact shows now: it may have moved since our last listing."""
        if record.get("companyID") is None:
            return refused("the contact belongs to no company in Autotask, and can be written only through one")
        company_id = number("companyID", record["companyID"])
        value = self._words.value(self.changes[contact_id].consent)
        self._client.set_contact_udf(contact_id, company_id, self._words.field.name, value)
        return None

    def not_kept(self, contact_id: str, record: Row) -> str:
        """Autotask took the value without a complaint, and shows another one."""
        del contact_id
        held = self._words.held(record)
        shown = "nothing" if held is None else f"'{held[:40]}'"
        return (
            f"Autotask accepted the value but still shows {shown} in '{self._words.field.name}'; a workflow rule "
            "or a protected field may be the cause"
        )

    def look_at_the_field_again(self) -> None:
        """If the field or its list has changed, ConfigProblem says so."""
        self._fields.doubt(CONTACTS)
        words = self._fields.contact()
        for consent in {change.consent for change in self.changes.values()}:
            words.value(consent)
