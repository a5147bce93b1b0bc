"""What `syncd check --online` finds out about an RT. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from connectors.rt.client import RtClient
from connectors.rt.fields import CONTACTS, Fields
from connectors.rt.groups import FIELDS, OF_PEOPLE, Groups
from connectors.rt.settings import PHONE_COLUMNS, RtSettings
from syncd.connector import Finding, Grade, checkup
from syncd.connector.answers import fields_of
from syncd.connector.fields import PHONE_FIELDS
from syncd.connector.remarks import Remarks
from syncd.model import Company, Consent, Contact


class Checkup(checkup.Checkup):
    """What is looked at, step by step."""

    unknown = ("only a write shows the right to edit (ModifyCustomField), and what scrips do with an edit",)

    def __init__(
        self,
        settings: RtSettings,
        client: RtClient,
        fields: Fields,
        companies: Callable[[], Iterable[Company]],
        contacts: Callable[[], Iterable[Contact]],
    ) -> None:
        super().__init__(companies, contacts)
        self._settings = settings
        self._client = client
        self._fields = fields

    def service(self) -> Iterator[Finding]:
        """RT's version, by a call that needs the token."""
        version = str(fields_of(self._client.get("/rt"), "Version")["Version"])
        grade = Grade.OK if version.startswith("5.") else Grade.NOTE
        yield Finding(grade, "service", f"{self._client.base_url()}, RT {version}; syncd was tried with 5.0.3")
        yield Finding(Grade.OK, "credentials", "RT accepts the token")
        yield Finding(Grade.OK, "allowance", "RT sets no limit; syncd makes 600 calls a minute at most, 4 at once")

    def permissions(self) -> Iterator[Finding]:
        """The list raises without SeeGroup, the members without AdminGroupMembership."""
        page = next(self._client.pages("/groups", FIELDS, OF_PEOPLE, disabled=True))
        if page.rows:
            next(self._client.members(str(page.rows[0]["id"])))
        groups = page.total
        # RT_System is in every RT; only with AdminUsers does it come in full.
        page = next(self._client.pages("/users", ("Name",), disabled=True))
        user = self._client.user(str(page.rows[0]["id"])) if page.rows else None
        said = f"{groups} groups with their members and {page.total} users may be read"
        yield Finding(Grade.OK, "permissions", said)
        if user is not None and user.etag is None:
            said = "no ETag came with a user (does a proxy take it away?): simultaneous edits go unnoticed"
            yield Finding(Grade.NOTE, "conditional writes", said)

    def _feed(self) -> Iterator[Finding]:
        groups = Groups(self._client, self._settings, Remarks("RT", lambda _: None))
        groups.belonging([], [])
        yield Finding(Grade.OK, "change feed", "may be read; only groups that changed are read again")

    def consent_field(self) -> Iterator[Finding]:
        """The custom field of users."""
        yield from checkup.field("consent field", self._fields.contact(), Consent)

    def approval_field(self) -> Iterator[Finding]:
        """The custom field of groups."""
        yield from checkup.field("approval field", self._fields.company())

    def counted_contacts(self) -> Iterator[Finding]:
        """How many users there are; one that is in no company gets no opt-in."""
        self.contacts = list(self._list_contacts())
        alone = sum(contact.company_id is None for contact in self.contacts)
        yield checkup.contacts(self.contacts, *([f"{alone} in no company"] if alone else []))

    def also_needed(self) -> checkup.Steps:
        """What listings rely on, and custom fields that hold numbers."""
        return {"change feed": self._feed, "phone fields": self._phone_fields}

    def _phone_fields(self) -> Iterator[Finding]:
        for name in self._settings.phone_fields:
            if name not in PHONE_COLUMNS:
                yield checkup.described("phone fields", self._fields.look_up(CONTACTS, name, PHONE_FIELDS))
