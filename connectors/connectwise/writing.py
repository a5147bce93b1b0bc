"""Writing consents: read the contact, send its custom fields, look at what came back.

The sources disagree on a PATCH of `customFields`: the vendor says that the whole array must be sent, live tests of
a third party say that fields are merged by id. Sending every field as it was a moment before is right under both
(`full`); sending only the one that changes is right under merging only (`minimal`). Either way the other fields
are compared afterwards. Each write is a read and a PATCH of its own: the shorter the time between them, the
smaller the chance that `full` sends an old value over what a person typed meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from connectors.connectwise.client import ConnectWiseClient, shown_as
from connectors.connectwise.fields import CONTACTS, Fields, Vocabulary, custom_fields, id_of
from syncd.connector import ALREADY, APPLIED, CHANGED, GONE, Change, Outcome, overtaken, refused
from syncd.connector.answers import Row, is_id
from syncd.connector.fields import folded
from syncd.errors import Ambiguous, Permanent, ShapeChanged, Transient
from syncd.model import Consent


class Writing:
    """Consents on their way into ConnectWise, one contact after the other."""

    def __init__(
        self,
        client: ConnectWiseClient,
        fields: Fields,
        strategy: Literal["full", "minimal"],
        remark: Callable[[str], None],
    ) -> None:
        self._client = client
        self._fields = fields
        self._strategy = strategy
        self._remark = remark
        self._words: Vocabulary[Consent] = fields.contact()
        self._looked_again = False

    def carry_out(self, changes: Iterable[Change]) -> Iterator[tuple[str, Outcome]]:
        """Yield what became of each contact before the next change is taken."""
        for change in changes:
            contact_id = change.contact_id
            if not is_id(contact_id):
                yield contact_id, GONE
                continue
            try:
                outcome, doubtful = self._change(change)
            except ShapeChanged as error:
                error.contact = error.contact or contact_id
                raise
            yield contact_id, outcome
            if doubtful and not self._looked_again:
                self._looked_again = True
                self._look_at_the_field_again(change.consent)

    def _change(self, change: Change) -> tuple[Outcome, bool]:
        """Write one contact. Returns the outcome, and whether it casts doubt on the field itself."""
        before = self._client.contact(change.contact_id)
        if before is None:
            return GONE, False
        present = self._shown(before)
        if present is change.consent:
            return ALREADY, False
        if overtaken(change, present):
            return CHANGED, False
        value = self._words.value(change.consent)
        try:
            after = self._client.set_custom_fields(change.contact_id, self._sent(before, value))
        except Permanent as error:
            if error.status == 404 and self._client.contact(change.contact_id) is None:
                return GONE, False
            return refused(str(error)), True
        except Ambiguous as error:
            return self._settled(change, before, error), False
        if after is None:
            after = self._client.contact(change.contact_id)
        return self._judged(change, before, after)

    def _sent(self, before: Row, value: bool | str) -> list[Row]:
        """The custom fields to send, as ids and values."""
        ours = {"id": self._words.field.id, "value": value}
        if self._strategy == "minimal":
            return [ours]
        others = [field for field in custom_fields(before) if id_of(field) != self._words.field.id]
        return [*({"id": id_of(field), "value": field.get("value")} for field in others if _is_data(field)), ours]

    def _settled(self, change: Change, before: Row, error: Ambiguous) -> Outcome:
        """The answer was lost: a read tells whether the value arrived. If not, it may still be on its way."""
        try:
            after = self._client.contact(change.contact_id)
        except Transient:
            raise error from None
        if after is not None and self._shown(after) is not change.consent:
            raise error
        return self._judged(change, before, after)[0]

    def _judged(self, change: Change, before: Row, after: Row | None) -> tuple[Outcome, bool]:
        if after is None:
            return GONE, False
        if self._shown(after) is not change.consent:
            shown = self._words.held(after)
            return refused(
                f"ConnectWise accepted the value but still shows {shown_as(shown)} in "
                f"'{self._words.field.name}'; a workflow rule or a protected field may be the cause"
            ), True
        drifted = _drift(before, after, self._words.field.id)
        if not drifted:
            return APPLIED, False
        other = "minimal" if self._strategy == "full" else "full"
        said = (
            f"the consent was written, but other custom fields of contact {change.contact_id} are not what they "
            f"were: {', '.join(drifted)}; put them right in ConnectWise (its audit trail may have the values). "
            f"If no workflow did it, set psa.settings.custom_field_writes to {other}"
        )
        self._remark(said)
        return refused(said), False

    def _shown(self, row: Row) -> Consent | None:
        return self._words.meaning(self._words.held(row))

    def _look_at_the_field_again(self, consent: Consent) -> None:
        """A value was not taken. If the field or its list has changed, ConfigProblem says so."""
        self._fields.doubt(CONTACTS)
        self._words = self._fields.contact()
        self._words.value(consent)


def _is_data(field: Row) -> bool:
    """Whether a custom field holds something that can be sent back.

    A button holds nothing. A password may be shown as a mask (unverified), which must not become the password.
    """
    kind, value = folded(field.get("type")), str(field.get("value") or "")
    masked = kind == "password" and value != "" and set(value) <= set("*•●")
    return kind != "button" and not masked


def _drift(before: Row, after: Row, ours: int | None) -> list[str]:
    """The other custom fields that changed, by caption and id, never with their values: they may be private."""
    then = {id_of(field): field for field in custom_fields(before)}
    now = {id_of(field): field for field in custom_fields(after)}
    changed = []
    for field_id in sorted(then.keys() | now.keys()):
        old, new = then.get(field_id, {}), now.get(field_id, {})
        if field_id != ours and not _same(old.get("value"), new.get("value")):
            caption = str((old or new).get("caption") or "")[:40]
            what = "lost its value" if new.get("value") is None else "has another value"
            changed.append(f"'{caption}' ({field_id}) {what}")
    return changed


def _same(old: object, new: object) -> bool:
    """Whether two values are the same: 3 and 3.0 are, true and 1 are not."""
    return old == new and isinstance(old, bool) == isinstance(new, bool)
