"""Writing a batch of consents: read, PUT what differs, read again.

RT has no bulk write, and a write with If-Match needs the ETag of that very user, so each change costs a GET and a
PUT. What became of many is read from a list of all users where that takes fewer calls than asking for each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from connectors.rt.client import RtClient, User
from connectors.rt.fields import CONTACTS, Fields, Vocabulary
from syncd.connector import Change, Outcome, writing
from syncd.connector.answers import is_id, number
from syncd.model import Consent


class Writing(writing.Writing[User]):
    """The consents that some users should show, on their way into RT.

    `pages`: how many calls a list of all users takes; 0: not known.
    """

    def __init__(self, client: RtClient, fields: Fields, changes: Mapping[str, Change], pages: int) -> None:
        super().__init__(changes)
        self._client = client
        self._fields = fields
        self._pages = pages
        self._words: Vocabulary[Consent] = fields.contact()
        self._words.must_be_complete()
        self._said: dict[str, str] = {}

    def read_before(self, contact_ids: Collection[str]) -> Mapping[str, User]:
        """Nothing yet: each user is read right before it is written, for its ETag."""
        del contact_ids
        return {}

    def read_one(self, contact_id: str, before: Mapping[str, User]) -> User | None:
        """The user with its ETag."""
        del before
        return self._client.user(contact_id) if is_id(contact_id) else None

    def read(self, contact_ids: Collection[str]) -> Mapping[str, User]:
        """What RT shows of these users now. One that a list does not have is asked for by its id."""
        users: dict[str, User] = {}
        if 0 < self._pages < len(contact_ids):
            for page in self._client.pages("/users", ("CustomFields",), disabled=True):
                users.update((str(number("users", row["id"])), User(row, None)) for row in page.rows)
        for contact_id in contact_ids:
            if contact_id not in users:
                user = self._client.user(contact_id)
                if user is not None:
                    users[contact_id] = user
        return users

    def shown(self, record: User) -> Consent | None:
        """What the consent field says."""
        return self._words.meaning(self._words.held(record.row))

    def send(self, contact_id: str, record: User) -> Outcome | None:
        """One PUT of the one field, if nobody has changed the user since it was read."""
        value = self._words.value(self.changes[contact_id].consent)
        self._said[contact_id] = self._client.set_user_field(record, self._words.field.id, value)
        return None

    def not_kept(self, contact_id: str, record: User) -> str:
        """RT's own words, if any."""
        # Seen on RT 5.0.3: a value outside the list, a missing right and an unknown field all come as 200, the
        # last with no word at all.
        held = self._words.held(record.row)
        shown = "nothing" if held is None else f"'{held[:40]}'"
        said = self._said.get(contact_id) or "nothing"
        return f"RT still shows {shown} in '{self._words.field.name}'; it said: {said[:200]}"

    def look_at_the_field_again(self) -> None:
        """If the field or its list has changed, ConfigProblem says so."""
        self._fields.doubt(CONTACTS)
        words = self._fields.contact()
        words.must_be_complete()
        for consent in {change.consent for change in self.changes.values()}:
            words.value(consent)
