"""What `syncd check --online` finds out about an RT. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from connectors.rt.answers import fields_of
from connectors.rt.client import RtClient
from connectors.rt.fields import USERS, CustomField, Fields
from connectors.rt.groups import FIELDS, OF_PEOPLE, Groups
from connectors.rt.settings import PHONE_COLUMNS, RtSettings
from syncd.connector import Finding, Grade, Report
from syncd.errors import AuthRefused, ConfigProblem, Permanent, ShapeChanged, Transient
from syncd.model import Company, CompanyState, Consent, Contact

NOTES = (
    "Whether the API user may edit the consent field (ModifyCustomField) shows only with the first write.",
    "Scrips and extensions may react to edits of users, also to those of syncd.",
)


class Checkup:
    """One screen of findings. A step that fails is a finding; credentials that fail end the checkup."""

    def __init__(
        self,
        settings: RtSettings,
        client: RtClient,
        fields: Fields,
        companies: Callable[[], Iterable[Company]],
        contacts: Callable[[], Iterable[Contact]],
    ) -> None:
        self._settings = settings
        self._client = client
        self._fields = fields
        self._companies = companies
        self._contacts = contacts

    def report(self) -> Report:
        """Every finding, in the order in which an admin would look."""
        steps: dict[str, Callable[[], Iterator[Finding]]] = {
            "service": self._service,
            "groups, permissions": self._group_rights,
            "users, permissions": self._user_rights,
            "change feed": self._feed,
            "consent field": self._contact_field,
            "approval field": self._company_field,
            "phone fields": self._phone_fields,
            "companies": self._count_companies,
            "contacts": self._count_contacts,
        }
        found: list[Finding] = []
        for what, step in steps.items():
            try:
                found.extend(step())
            except AuthRefused as error:
                found.append(Finding(Grade.FAIL, "credentials", str(error)))
                return Report(tuple(found))
            except Transient as error:
                found.append(Finding(Grade.DOWN, what, str(error)))
                if sum(finding.grade is Grade.DOWN for finding in found) > 1:
                    return Report(tuple(found))  # not a hiccup: spare the admin the rest
            except (ConfigProblem, Permanent, ShapeChanged) as error:
                found.append(Finding(Grade.FAIL, what, str(error)))
        found += [Finding(Grade.NOTE, "not known", note) for note in NOTES]
        return Report(tuple(found))

    def _service(self) -> Iterator[Finding]:
        version = str(fields_of(self._client.get("/rt"), "Version")["Version"])
        grade = Grade.OK if version.startswith("5.") else Grade.NOTE
        yield Finding(grade, "service", f"{self._client.base_url()}, RT {version}; syncd was tried with 5.0.3")
        yield Finding(Grade.OK, "credentials", "RT accepts the token")
        yield Finding(Grade.OK, "allowance", "RT sets no limit; syncd makes 600 calls a minute at most, 4 at once")

    def _group_rights(self) -> Iterator[Finding]:
        """The list raises without SeeGroup, the members without AdminGroupMembership."""
        page = next(self._client.pages("/groups", FIELDS, OF_PEOPLE, disabled=True))
        if page.rows:
            next(self._client.members(str(page.rows[0]["id"])))
        yield Finding(Grade.OK, "groups, permissions", f"{page.total} groups and their members may be read")

    def _user_rights(self) -> Iterator[Finding]:
        """RT_System is in every RT; only with AdminUsers does it come in full."""
        page = next(self._client.pages("/users", ("Name",), disabled=True))
        if page.rows:
            user = self._client.user(str(page.rows[0]["id"]))
            if user is not None and user.etag is None:
                said = "no ETag came with a user (does a proxy take it away?): simultaneous edits go unnoticed"
                yield Finding(Grade.NOTE, "conditional writes", said)
        yield Finding(Grade.OK, "users, permissions", f"{page.total} users may be read in full")

    def _feed(self) -> Iterator[Finding]:
        groups = Groups(self._client, self._settings, lambda _: None)
        groups.belonging([], [])
        yield Finding(Grade.OK, "change feed", "may be read; only groups that changed are read again")

    def _contact_field(self) -> Iterator[Finding]:
        words = self._fields.contact()
        yield _described("consent field", words.field)
        words.must_be_complete()
        for consent in Consent:
            words.value(consent)

    def _company_field(self) -> Iterator[Finding]:
        words = self._fields.company()
        yield _described("approval field", words.field)
        words.must_be_complete()

    def _phone_fields(self) -> Iterator[Finding]:
        for name in self._settings.phone_fields:
            if name not in PHONE_COLUMNS:
                field = self._fields.look_up(USERS, name, "psa.settings.phone_fields")
                yield _described("phone field", field)

    def _count_companies(self) -> Iterator[Finding]:
        states = [company.state for company in self._companies()]
        counts = ", ".join(f"{states.count(state)} {state.value}" for state in CompanyState)
        grade = Grade.OK if states else Grade.FAIL
        yield Finding(grade, "companies", f"{len(states)} seen: {counts}")

    def _count_contacts(self) -> Iterator[Finding]:
        seen = usable = disabled = alone = 0
        for contact in self._contacts():
            seen += 1
            usable += bool(contact.numbers)
            disabled += not contact.active
            alone += contact.company_id is None
        said = f"{seen} seen, {usable} with a usable number in {', '.join(self._settings.phone_fields)}"
        more = f"{disabled} are disabled, {alone} belong to no company"
        yield Finding(Grade.OK if seen else Grade.NOTE, "contacts", f"{said}; {more}")


def _described(what: str, field: CustomField) -> Finding:
    name = f"'{field.name}' (custom field {field.id})"
    if not field.is_list:
        return Finding(Grade.OK, what, f"{name}, type {field.kind}")
    return Finding(Grade.OK, what, f"{name}, list: {', '.join(map(repr, field.choices)) or 'empty'}")
