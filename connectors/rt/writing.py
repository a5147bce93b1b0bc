"""Writing a batch of consents: read, PUT what differs, read again.

RT has no bulk write, and a write with If-Match needs the ETag of that very user, so each change costs a GET and a
PUT. What became of many is read from a list of all users where that takes fewer calls than asking for each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from connectors.rt.answers import Row, number
from connectors.rt.client import RtClient, User
from connectors.rt.fields import USERS, Fields, Vocabulary
from syncd.connector import ALREADY, APPLIED, CHANGED, GONE, Change, Outcome, overtaken, refused
from syncd.errors import Ambiguous, AuthRefused, Permanent, Stopping, Superseded, SyncdError, Transient
from syncd.model import Consent

# A contact that fails does not hold up the others; after so many the service itself is likely to be ill.
FAILURES_BORNE = 3


class Batch:
    """The consents that some users should show, on their way into RT.

    `pages`: how many calls a list of all users takes; 0: not known.
    """

    def __init__(self, client: RtClient, fields: Fields, changes: Mapping[str, Change], pages: int) -> None:
        self._client = client
        self._fields = fields
        self._changes = changes
        self._pages = pages
        wanted = self._wanted = {contact_id: change.consent for contact_id, change in changes.items()}
        self._words: Vocabulary[Consent] = fields.contact()
        # Opt-outs first: nothing that an opt-in runs into may hold them up.
        self._open = sorted(wanted, key=lambda contact_id: wanted[contact_id] is Consent.OPTED_IN)
        self._sent: list[str] = []
        self._lost: list[str] = []
        self._said: dict[str, str] = {}
        self._troubles: list[SyncdError] = []
        self._doubted = False

    def carry_out(self) -> Iterator[tuple[str, Outcome]]:
        """Yield what became of each contact; in the end raise what stood in the way of the others.

        What was sent before the trouble is read back and reported first.
        """
        self._words.must_be_complete()
        while self._open:
            contact_id = self._open.pop(0)
            outcome = self._change(contact_id)
            if outcome:
                yield contact_id, outcome
            if self._troubles and not self._may_go_on():
                break
        yield from self._read_back()
        if self._troubles:
            raise self._troubles[0]
        if self._doubted:
            self._look_at_the_field_again()

    def _change(self, contact_id: str) -> Outcome | None:
        """Read one user and send one PUT. None: how it ended is seen later, or a trouble was noted."""
        try:
            user = self._present(contact_id)
            if user is None:
                return GONE
            shown = self._shown(user.row)
            if shown is self._wanted[contact_id]:
                return ALREADY
            if overtaken(self._changes[contact_id], shown):
                return CHANGED
            value = self._words.value(self._wanted[contact_id])
            self._said[contact_id] = self._client.set_user_field(user, self._words.field.id, value)
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
        """Whether the latest trouble is one contact's own: RT answered, and about this request."""
        latest = self._troubles[-1]
        its_own = type(latest) is Transient and latest.contact is not None
        return its_own and len(self._troubles) < FAILURES_BORNE

    def _read_back(self) -> Iterator[tuple[str, Outcome]]:
        doubtful = [*self._sent, *self._lost]
        if not doubtful or any(isinstance(trouble, AuthRefused | Stopping) for trouble in self._troubles):
            return
        try:
            after = self._rows(doubtful)
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
        text = self._words.text(row)
        shown = "nothing" if text is None else f"'{text[:40]}'"
        # Seen on RT 5.0.3: a value outside the list, a missing right and an unknown field all come as 200, the
        # last with no word at all.
        said = self._said.get(contact_id) or "nothing"
        return refused(f"RT still shows {shown} in '{self._words.field.name}'; it said: {said[:200]}")

    def _settle(self, contact_id: str) -> None:
        """The answer to this PUT was lost, but the user shows what it did; only those not sent are left."""
        settled = next(trouble for trouble in self._troubles if trouble.contact == contact_id)
        self._troubles.remove(settled)
        if self._open and not self._troubles:
            self._troubles.append(Transient(str(settled)))

    def _present(self, contact_id: str) -> User | None:
        known = contact_id.isascii() and contact_id.isdigit()
        return self._client.user(contact_id) if known else None

    def _rows(self, contact_ids: Collection[str]) -> dict[str, Row]:
        """What RT shows of these users now. One that a list does not have is asked for by its id."""
        rows: dict[str, Row] = {}
        if 0 < self._pages < len(contact_ids):
            for page in self._client.pages("/users", ("CustomFields",), disabled=True):
                rows.update((str(number("users", row["id"])), row) for row in page.rows)
        for contact_id in contact_ids:
            if contact_id not in rows:
                user = self._client.user(contact_id)
                if user is not None:
                    rows[contact_id] = user.row
        return rows

    def _shown(self, row: Row) -> Consent | None:
        return self._words.meaning(self._words.text(row))

    def _look_at_the_field_again(self) -> None:
        """A value was not taken. If the field or its list has changed, ConfigProblem says so."""
        self._fields.doubt(USERS)
        words = self._fields.contact()
        words.must_be_complete()
        for consent in set(self._wanted.values()):
            words.value(consent)
