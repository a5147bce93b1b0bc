"""Writing a batch of consents: read, PATCH what differs, read again.

There is no bulk write (documented), so a batch of n costs n PATCHes and two queries; a single change is read by
its id, which is cheaper for Autotask and not subject to a filter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from connectors.autotask.answers import Row, number
from connectors.autotask.client import AutotaskClient, Clause
from connectors.autotask.fields import Fields, Vocabulary, text_of
from syncd.connector import ALREADY, APPLIED, CHANGED, GONE, Change, Outcome, overtaken, refused
from syncd.errors import Ambiguous, AuthRefused, Permanent, Stopping, Superseded, SyncdError, Transient
from syncd.model import Consent

# A contact that fails does not hold up the others; after so many the service itself is likely to be ill.
FAILURES_BORNE = 3


class Batch:
    """The consents that some contacts should show, on their way into Autotask."""

    def __init__(self, client: AutotaskClient, fields: Fields, changes: Mapping[str, Change]) -> None:
        self._client = client
        self._fields = fields
        self._changes = changes
        wanted = self._wanted = {contact_id: change.consent for contact_id, change in changes.items()}
        self._words: Vocabulary[Consent] = fields.contact()
        # Opt-outs first: nothing that an opt-in runs into may hold them up.
        self._open = sorted(wanted, key=lambda contact_id: wanted[contact_id] is Consent.OPTED_IN)
        self._sent: list[str] = []
        self._lost: list[str] = []
        self._troubles: list[SyncdError] = []
        self._doubted = False

    def carry_out(self) -> Iterator[tuple[str, Outcome]]:
        """Yield what became of each contact; in the end raise what stood in the way of the others.

        What was sent before the trouble is read back and reported first.
        """
        before = self._present(self._open)
        while self._open:
            contact_id = self._open.pop(0)
            outcome = self._change(contact_id, before.get(contact_id))
            if outcome:
                yield contact_id, outcome
            if self._troubles and not self._may_go_on():
                break
        yield from self._read_back()
        if self._troubles:
            # One exception speaks for one contact; the others that failed for themselves alone are told of here.
            for trouble in self._troubles[1:]:
                if _its_own(trouble):
                    yield str(trouble.contact), refused(str(trouble))
            raise self._troubles[0]
        if self._doubted:
            self._look_at_the_field_again()

    def _change(self, contact_id: str, row: Row | None) -> Outcome | None:
        """Send one PATCH. None: how it ended is seen later, or a trouble was noted."""
        if row is None:
            return GONE
        if self._shown(row) is self._wanted[contact_id]:
            return ALREADY
        if overtaken(self._changes[contact_id], self._shown(row)):
            return CHANGED
        try:
            # The contact may have moved since our last listing: the company that it shows now is the path to it.
            if row.get("companyID") is None:
                return refused(
                    "the contact belongs to no company in Autotask, and can be written only through one"
                )
            company_id = number("companyID", row["companyID"])
            value = self._words.value(self._wanted[contact_id])
            self._client.set_contact_udf(contact_id, company_id, self._words.udf.name, value)
            self._sent.append(contact_id)
        except Permanent as error:
            self._doubted = True
            return refused(str(error))
        except SyncdError as error:
            if isinstance(error, Superseded):
                error.contact = contact_id
            if isinstance(error, Ambiguous):
                self._lost.append(contact_id)
            self._troubles.append(error)
        return None

    def _may_go_on(self) -> bool:
        """Whether the latest trouble is one contact's own: Autotask answered, and about this request."""
        return _its_own(self._troubles[-1]) and len(self._troubles) < FAILURES_BORNE

    def _read_back(self) -> Iterator[tuple[str, Outcome]]:
        doubtful = [*self._sent, *self._lost]
        if not doubtful or any(isinstance(trouble, AuthRefused | Stopping) for trouble in self._troubles):
            return
        try:
            after = self._present(doubtful)
        except SyncdError as error:
            raise (self._troubles or [error])[0] from error
        for contact_id in doubtful:
            outcome = self._seen(contact_id, after.get(contact_id))
            if outcome is None:
                continue
            if contact_id in self._lost:
                self._settle(contact_id)
            self._doubted = self._doubted or outcome is not APPLIED
            yield contact_id, outcome

    def _seen(self, contact_id: str, row: Row | None) -> Outcome | None:
        if row is None:
            return GONE
        if self._shown(row) is self._wanted[contact_id]:
            return APPLIED
        if contact_id in self._lost:
            return None  # it may still be on its way
        said = text_of(row, self._words.udf.name)
        shown = "nothing" if said is None else f"'{said[:40]}'"
        return refused(
            f"Autotask accepted the value but still shows {shown} in '{self._words.udf.name}'; a workflow rule or "
            "a protected field may be the cause"
        )

    def _settle(self, contact_id: str) -> None:
        """The answer to this PATCH was lost, but the contact shows what it did; only those not sent are left."""
        settled = next(trouble for trouble in self._troubles if trouble.contact == contact_id)
        self._troubles.remove(settled)
        if self._open and not self._troubles:
            self._troubles.append(Transient(str(settled)))

    def _present(self, contact_ids: Collection[str]) -> dict[str, Row]:
        """What Autotask shows of these contacts. One that a query does not return is asked for by its id."""
        known = [contact_id for contact_id in contact_ids if contact_id.isascii() and contact_id.isdigit()]
        rows: dict[str, Row] = {}
        if len(known) > 1:
            for page in self._client.query("Contacts", (Clause("in", "id", tuple(map(int, known))),)):
                rows.update((str(number("Contacts", row["id"])), row) for row in page)
        for contact_id in known:
            if contact_id not in rows:
                row = self._client.contact(contact_id)
                if row is not None:
                    rows[contact_id] = row
        return rows

    def _shown(self, row: Row) -> Consent | None:
        return self._words.meaning(text_of(row, self._words.udf.name))

    def _look_at_the_field_again(self) -> None:
        """A value was not taken. If the field or its list has changed, ConfigProblem says so."""
        self._fields.doubt("Contacts")
        words = self._fields.contact()
        for consent in set(self._wanted.values()):
            words.value(consent)


def _its_own(trouble: SyncdError) -> bool:
    """Whether Autotask answered, and about this contact's request."""
    return type(trouble) is Transient and trouble.contact is not None
