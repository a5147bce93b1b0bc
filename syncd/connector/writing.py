"""Writing contact by contact: one that fails does not hold up the others, and no answer that is lost is a result.

For a PSA that takes one contact in one request. `Writing` is what happens around the requests; a connector says in
five methods how its PSA reads and writes a contact.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Generic, TypeVar

from syncd.connector import ALREADY, APPLIED, CHANGED, GONE, Change, Outcome, overtaken, refused
from syncd.errors import Ambiguous, AuthRefused, Permanent, Stopping, Superseded, SyncdError, Transient
from syncd.model import Consent

# A contact that fails does not hold up the others; after so many the service itself is likely to be ill.
FAILURES_BORNE = 3

Record = TypeVar("Record")


def batches(changes: Iterable[Change], most: int) -> Iterator[dict[str, Change]]:
    """The changes by contact, no more at a time than a connector may take from the shell."""
    stream = iter(changes)
    while batch := list(islice(stream, most)):
        yield {change.contact_id: change for change in batch}


def opt_outs_first(changes: Mapping[str, Change]) -> list[str]:
    """The contacts in the order of writing: nothing that an opt-in runs into may hold an opt-out up."""
    return sorted(changes, key=lambda contact_id: changes[contact_id].consent is Consent.OPTED_IN)


def one_contacts_own(trouble: SyncdError) -> bool:
    """Whether the service answered, and about one contact's request: then the others may still be written."""
    return type(trouble) is Transient and trouble.contact is not None


def told_one_by_one(troubles: list[SyncdError]) -> Iterator[tuple[str, Outcome]]:
    """Raise the first trouble. One exception speaks for one contact; others that failed alone are told before."""
    for trouble in troubles[1:]:
        if isinstance(trouble, Transient) and trouble.contact is not None and not isinstance(trouble, Ambiguous):
            yield trouble.contact, refused(str(trouble))
    if troubles:
        raise troubles[0]


class Writing(ABC, Generic[Record]):
    """The consents that some contacts should show, on their way into the PSA.

    `changes` are by contact. An instance serves for one `carry_out`.
    """

    def __init__(self, changes: Mapping[str, Change]) -> None:
        self.changes = changes
        self._open = opt_outs_first(changes)
        self._sent: list[str] = []
        self._lost: list[str] = []
        self._troubles: list[SyncdError] = []
        self._doubted = False

    @abstractmethod
    def read(self, contact_ids: Collection[str]) -> Mapping[str, Record]:
        """What the PSA shows of these contacts now, by id; those that it does not have are missing."""

    @abstractmethod
    def shown(self, record: Record) -> Consent | None:
        """What the consent field of a record says."""

    @abstractmethod
    def send(self, contact_id: str, record: Record) -> Outcome | None:
        """Send the one request that writes the contact; `record` is what it shows. None: a read will tell."""

    @abstractmethod
    def not_kept(self, contact_id: str, record: Record) -> str:
        """Why the PSA may still show another value after it took ours, in words for the admin."""

    @abstractmethod
    def look_at_the_field_again(self) -> None:
        """A value was not taken. If the field or its list has changed, ConfigProblem says so."""

    def read_before(self, contact_ids: Collection[str]) -> Mapping[str, Record]:
        """What the PSA shows before anything is written; where it must be fresher than that, see `read_one`."""
        return self.read(contact_ids)

    def read_one(self, contact_id: str, before: Mapping[str, Record]) -> Record | None:
        """The record right before it is written; by default as `read_before` found it."""
        return before.get(contact_id)

    def carry_out(self) -> Iterator[tuple[str, Outcome]]:
        """Yield what became of each contact; in the end raise what stood in the way of the others.

        What was sent before the trouble is read back and reported first.
        """
        before = self.read_before(self._open)
        while self._open:
            contact_id = self._open.pop(0)
            outcome = self._change(contact_id, before)
            if outcome:
                yield contact_id, outcome
            if self._troubles and not self._may_go_on():
                break
        yield from self._read_back()
        yield from told_one_by_one(self._troubles)
        if self._doubted:
            self.look_at_the_field_again()

    def _change(self, contact_id: str, before: Mapping[str, Record]) -> Outcome | None:
        """Write one contact. None: how it ended is seen later, or a trouble was noted."""
        change = self.changes[contact_id]
        try:
            record = self.read_one(contact_id, before)
            if record is None:
                return GONE
            if self.shown(record) is change.consent:
                return ALREADY
            if overtaken(change, self.shown(record)):
                return CHANGED
            if outcome := self.send(contact_id, record):
                return outcome
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
        return one_contacts_own(self._troubles[-1]) and len(self._troubles) < FAILURES_BORNE

    def _read_back(self) -> Iterator[tuple[str, Outcome]]:
        doubtful = [*self._sent, *self._lost]
        if not doubtful or any(isinstance(trouble, AuthRefused | Stopping) for trouble in self._troubles):
            return
        try:
            after = self.read(doubtful)
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

    def _seen(self, contact_id: str, record: Record | None) -> Outcome | None:
        if record is None:
            return GONE
        if self.shown(record) is self.changes[contact_id].consent:
            return APPLIED
        if contact_id in self._lost:
            return None  # it may still be on its way
        return refused(self.not_kept(contact_id, record))

    def _settle(self, contact_id: str) -> None:
        """The answer was lost, but the contact shows what the request did; only those not sent are left."""
        settled = next(trouble for trouble in self._troubles if trouble.contact == contact_id)
        self._troubles.remove(settled)
        if self._open and not self._troubles:
            self._troubles.append(Transient(str(settled)))
