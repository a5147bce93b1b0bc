"""Writing a batch of consents: read each user, post the arrays with the one field changed, read again.

Whether a posted array of custom fields replaces or merges is known for assets and clients only (it replaces: seen
live by third parties), so the whole array goes back as it was read a moment ago, and whether the other fields
survived is looked at as well. A read may lag behind a write (seen live, for tickets): then the value counts as not
kept, and the shell tries again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from connectors.halopsa.answers import Opaque, client_of
from connectors.halopsa.client import HaloPsaClient
from connectors.halopsa.fields import CONTACTS, Fields, Vocabulary, custom_fields, text_of
from syncd.connector import ALREADY, APPLIED, CHANGED, GONE, Change, Outcome, overtaken, refused
from syncd.connector.answers import Row, is_id, number
from syncd.connector.moments import Moment
from syncd.connector.writing import FAILURES_BORNE, told_one_by_one
from syncd.errors import Ambiguous, AuthRefused, Permanent, ShapeChanged, Stopping, Superseded, SyncdError
from syncd.model import Consent

# No permission, or not our kind of request: it is not about one record.
NOBODY_MAY = frozenset({403, 415})
# What was read longer ago is read again before it is posted back: a person may have edited it meanwhile.
SECONDS_FRESH = 60.0
# From so many on, reading back a page of the client's users is tried before reading them one by one.
WORTH_A_LIST = 5
# So many contacts whose other fields changed with our write are no coincidence.
DRIFTS_BORNE = 3


class Lessons:
    """What writing has taught so far: whether lists show everything, and whether other fields change. Thread-safe.

    Fields that changed together with ours are told to the operator, contact by contact.
    """

    def __init__(self, remark: Callable[[str], None]) -> None:
        self._remark = remark
        self._lock = threading.Lock()
        self._count = 0
        self.lists_are_whole = True

    def compare(self, contact_id: str, before: Row, after: Row, ours: int | None) -> None:
        """Look whether any field but ours differs."""
        then, now = _values(before, ours), _values(after, ours)
        names = [
            one for one in then.keys() | now.keys() if then.get(one, ("", None))[1] != now.get(one, ("", None))[1]
        ]
        if not names:
            return
        with self._lock:
            self._count += 1
        listed = ", ".join(sorted((then.get(one) or now[one])[0] for one in names))
        self._remark(
            f"HaloPSA user {contact_id}: the custom fields {listed} changed while its consent was written; look "
            "at them, and at HaloPSA's audit, for whether a person did that"
        )

    @property
    def systematic(self) -> bool:
        """Whether it happens too often to be people's edits."""
        return self._count >= DRIFTS_BORNE


def _values(row: Row, ours: int | None) -> dict[Any, tuple[str, str | None]]:
    """Name and value of every custom field but ours, by id."""
    found = {
        str(one.get("name")) if one.get("id") is None else number("customfields", one["id"]): one
        for one in custom_fields(row)
    }
    return {
        key: (str(one.get("name") or key), text_of(one.get("value"))) for key, one in found.items() if key != ours
    }


def _its_own(trouble: SyncdError) -> bool:
    """Whether HaloPSA answered, and about this contact's request."""
    return isinstance(trouble, Opaque) and trouble.contact is not None


class Writing:
    """The consents that some users should show, on their way into HaloPSA."""

    def __init__(
        self, client: HaloPsaClient, fields: Fields, changes: Mapping[str, Change], lessons: Lessons
    ) -> None:
        self._client = client
        self._fields = fields
        self._changes = changes
        self._lessons = lessons
        self._words: Vocabulary[Consent] = fields.contact()
        self._troubles: list[SyncdError] = []
        self._before: dict[str, tuple[Row, Moment]] = {}
        self._warnings: dict[int, str] = {}
        self._doubted = False

    def carry_out(self) -> Iterator[tuple[str, Outcome]]:
        """Yield what became of each contact; in the end raise what stood in the way of the others.

        What was sent before the trouble is read back and reported first.
        """
        opt_outs = [one for one, change in self._changes.items() if change.consent is Consent.OPTED_OUT]
        opt_ins = [one for one, change in self._changes.items() if change.consent is Consent.OPTED_IN]
        # Opt-outs first, and each opt-in alone: what it runs into holds up nothing else.
        for group in [opt_outs, *([one] for one in opt_ins)]:
            if not self._may_go_on():
                break
            yield from self._group(group)
        yield from told_one_by_one(self._troubles)
        if self._doubted:
            self._look_at_the_field_again()

    def _may_go_on(self) -> bool:
        """Whether every trouble so far is one contact's own: HaloPSA answered, and about this request."""
        return all(map(_its_own, self._troubles)) and len(self._troubles) < FAILURES_BORNE

    # --- before -----------------------------------------------------------------------------------------------

    def _group(self, contact_ids: Sequence[str]) -> Iterator[tuple[str, Outcome]]:
        ready: list[str] = []
        yield from self._look_at(contact_ids, ready)
        stale = [one for one in ready if self._client.moments.passed(self._before[one][1], SECONDS_FRESH)]
        if stale:
            ready = [one for one in ready if one not in stale]
            yield from self._look_at(stale, ready)
        if ready and not any(isinstance(trouble, AuthRefused | Stopping) for trouble in self._troubles):
            yield from self._save(ready)

    def _look_at(self, contact_ids: Sequence[str], ready: list[str]) -> Iterator[tuple[str, Outcome]]:
        """Read these users; yield those that need no writing, and add the others to `ready`."""
        for contact_id in contact_ids:
            try:
                outcome = self._look(contact_id)
            except Permanent as error:
                outcome = refused(str(error))
            except SyncdError as error:
                self._troubles.append(error)
                if not self._may_go_on():
                    return
                continue
            if outcome is None:
                ready.append(contact_id)
            else:
                yield contact_id, outcome

    def _look(self, contact_id: str) -> Outcome | None:
        """Read the user; None: it has to be written."""
        change = self._changes[contact_id]
        row = self._read(contact_id)
        if row is None:
            return GONE
        shown = self._words.meaning(row)
        if shown is change.consent:
            return ALREADY
        if overtaken(change, shown):
            return CHANGED
        if change.consent is Consent.OPTED_IN and self._lessons.systematic:
            return refused(
                "writing consents has changed other custom fields of several contacts in HaloPSA, so only "
                "opt-outs are written; see the remarks in the log"
            )
        self._before[contact_id] = (row, self._client.moments.now())
        return None

    def _read(self, contact_id: str) -> Row | None:
        if not is_id(contact_id) or int(contact_id) == 0:
            return None
        row = self._client.record(CONTACTS, int(contact_id), contact_id)
        if row is not None and not isinstance(row.get("customfields"), list):
            raise ShapeChanged(f"GET /Users/{contact_id}: the full record shows no customfields")
        return row

    # --- writing ----------------------------------------------------------------------------------------------

    def _save(self, contact_ids: Sequence[str]) -> Iterator[tuple[str, Outcome]]:
        trouble: SyncdError | None = None
        try:
            self._warnings |= self._client.save_users([self._row(one) for one in contact_ids])
        except Superseded as error:
            error.contact = contact_ids[0]
            self._troubles.append(error)
            return
        except (Permanent, Opaque) as error:
            everybody = isinstance(error, Permanent) and error.status in NOBODY_MAY
            if len(contact_ids) > 1 and not everybody:
                # One record spoils the array: alone each shows whether it is the one.
                yield from self._one_by_one(contact_ids)
                return
            if isinstance(error, Permanent):
                self._doubted = not everybody
                yield from ((one, refused(str(error))) for one in contact_ids)
                return
            trouble = error
        except (Ambiguous, ShapeChanged) as error:
            trouble = error
        except SyncdError as error:
            self._troubles.append(error)
            return
        if trouble is not None:
            self._troubles.append(trouble)
        yield from self._read_back(contact_ids, trouble)

    def _one_by_one(self, contact_ids: Sequence[str]) -> Iterator[tuple[str, Outcome]]:
        for contact_id in contact_ids:
            if not self._may_go_on():
                return
            yield from self._save([contact_id])

    def _row(self, contact_id: str) -> Row:
        """The user with its whole array as it was read, and the one field changed."""
        row = self._before[contact_id][0]
        present = self._words.element(row)
        value = self._words.value(self._changes[contact_id].consent, present)
        field = self._words.field
        ours = {"id": field.id, "name": field.name} | (present or {}) | {"value": value}
        ours.pop("display", None)  # the text of the old value
        array = [ours if one is present else one for one in custom_fields(row)]
        return {"id": int(contact_id), "customfields": array if present else [*array, ours]}

    # --- after ------------------------------------------------------------------------------------------------

    def _read_back(self, contact_ids: Sequence[str], trouble: SyncdError | None) -> Iterator[tuple[str, Outcome]]:
        left: list[str] = []
        seen: dict[str, Row] | None = None
        for contact_id in contact_ids:
            try:
                seen = self._from_lists(contact_ids) if seen is None else seen
                row = seen.get(contact_id) or self._read(contact_id)
            except SyncdError as error:
                raise (self._troubles or [error])[0] from error
            outcome = self._seen(contact_id, row, lost=trouble is not None)
            if outcome is None:
                left.append(contact_id)
                continue
            self._doubted = self._doubted or outcome is not APPLIED
            yield contact_id, outcome
        if isinstance(trouble, Ambiguous) and len(left) == 1:
            trouble.contact = left[0]
        if isinstance(trouble, Ambiguous | Opaque) and not left:
            self._troubles.remove(trouble)  # the answer was lost, but every contact shows what was done

    def _seen(self, contact_id: str, row: Row | None, *, lost: bool) -> Outcome | None:
        if row is None:
            return GONE
        if self._words.meaning(row) is self._changes[contact_id].consent:
            self._lessons.compare(contact_id, self._before[contact_id][0], row, self._words.field.id)
            return APPLIED
        if lost:
            return None  # it may still be on its way
        text = self._words.held(row)
        shown = "nothing" if text is None else f"'{text[:40]}'"
        warning = self._warnings.get(int(contact_id))
        return refused(
            f"HaloPSA accepted the value but still shows {shown} in '{self._words.name}'; a read that lags, an "
            "automation or a field that the agent's role may not edit may be the cause"
            + (f" (HaloPSA warned: {warning})" if warning else "")
        )

    def _from_lists(self, contact_ids: Sequence[str]) -> dict[str, Row]:
        """Those that a list of their client's users shows whole and as wished: pages cost less than records."""
        clients = {client_of(self._before[one][0]) for one in contact_ids}
        client_id = next(iter(clients))
        if (
            len(contact_ids) < WORTH_A_LIST
            or len(clients) > 1
            or client_id is None
            or not self._lessons.lists_are_whole
        ):
            return {}
        try:
            rows = self._client.some_users(client_id, {int(one) for one in contact_ids})
        except (Permanent, ShapeChanged):  # a list that cannot be trusted costs one call; records decide
            return {}
        by_id = {str(number(CONTACTS, row["id"])): row for row in rows}
        whole = {one: by_id[one] for one in contact_ids if one in by_id and self._is_whole(one, by_id[one])}
        if by_id and not whole:
            self._lessons.lists_are_whole = False
        wished = {one: self._changes[one].consent for one in whole}
        return {one: row for one, row in whole.items() if self._words.meaning(row) is wished[one]}

    def _is_whole(self, contact_id: str, row: Row) -> bool:
        """Whether a list row shows our field, and every other field that the full record held."""
        if not self._words.shown_by(row):
            return False
        held = {key for key, (_, value) in _values(self._before[contact_id][0], -1).items() if value is not None}
        return held <= _values(row, -1).keys()

    def _look_at_the_field_again(self) -> None:
        """A value was not taken. If the field or its options have changed, ConfigProblem says so."""
        self._fields.doubt(CONTACTS)
        words = self._fields.contact()
        for consent in {change.consent for change in self._changes.values()}:
            words.value(consent, None)
