"""What `syncd check --online` finds out about an Autotask tenant. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from connectors.autotask.answers import Row, fields_of
from connectors.autotask.client import AutotaskClient
from connectors.autotask.fields import Fields, Udf
from connectors.autotask.settings import AutotaskSettings
from syncd.connector import Finding, Grade, Report
from syncd.errors import AuthRefused, ConfigProblem, Permanent, ShapeChanged, Transient
from syncd.model import Company, CompanyState, Consent, Contact

NOTES = (
    "A restricted security level hides records without an error: compare these counts with Autotask's own lists.",
    "Whether an edit of the consent field is kept shows only after the first write; syncd reads each one back.",
    "Workflow rules on edited contacts also fire when syncd edits one.",
)


class Checkup:
    """One screen of findings. A step that fails is a finding; credentials that fail end the checkup."""

    def __init__(
        self,
        settings: AutotaskSettings,
        client: AutotaskClient,
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
            "zone": self._zone,
            "API versions": self._versions,
            "credentials": self._usage,
            "contacts, permissions": self._contact_rights,
            "companies, permissions": self._company_rights,
            "consent field": self._contact_field,
            "approval field": self._company_field,
            "companies": self._count_companies,
            "contacts": self._count_contacts,
        }
        found: list[Finding] = []
        for what, step in steps.items():
            try:
                found.extend(step())
            except AuthRefused as error:
                # Each further try counts towards a lock-out of the API user.
                found.append(Finding(Grade.FAIL, "credentials", str(error)))
                return Report(tuple(found))
            except Transient as error:
                found.append(Finding(Grade.DOWN, what, str(error)))
                if (
                    sum(finding.grade is Grade.DOWN for finding in found) > 1
                ):  # not a hiccup: spare the admin the rest
                    return Report(tuple(found))
            except (ConfigProblem, Permanent, ShapeChanged) as error:
                found.append(Finding(Grade.FAIL, what, str(error)))
        found += [Finding(Grade.NOTE, "not known", note) for note in NOTES]
        return Report(tuple(found))

    def _zone(self) -> Iterator[Finding]:
        how = "set in psa.settings" if self._settings.base_url else "looked up"
        yield Finding(Grade.OK, "zone", f"{self._client.base_url()} ({how})")

    def _versions(self) -> Iterator[Finding]:
        versions = fields_of(self._client.get("/VersionInformation"), "apiVersions")["apiVersions"]
        listed = [str(version) for version in versions] if isinstance(versions, list) else []
        grade = Grade.OK if "V1.0" in listed else Grade.FAIL
        yield Finding(grade, "API versions", f"{', '.join(listed) or 'none'}; syncd speaks V1.0")

    def _usage(self) -> Iterator[Finding]:
        usage = self._client.usage()
        yield Finding(Grade.OK, "credentials", f"Autotask accepts '{self._settings.username}'")
        # Documented, by quotation: from half the allowance on, Autotask delays every call of the tenant.
        grade = Grade.OK if usage.used * 2 < usage.allowed else Grade.NOTE
        said = f"{usage.used} of {usage.allowed} calls used in {usage.minutes} minutes, all integrations together"
        yield Finding(grade, "allowance", said)

    def _contact_rights(self) -> Iterator[Finding]:
        info = self._information("Contacts")
        # Documented: access is 0 for none, 1 for all, 2 for restricted.
        access = str(info.get("userAccessForUpdate"))
        if info.get("canUpdate") is not True or access in {"0", "None"}:
            advice = "the security level of the API user must allow it to edit contacts"
            yield Finding(Grade.FAIL, "contacts, permissions", f"may not be edited: {advice}")
        elif access == "2":
            yield Finding(Grade.NOTE, "contacts, permissions", "only some may be edited (restricted access)")
        else:
            yield Finding(Grade.OK, "contacts, permissions", "may be edited")

    def _company_rights(self) -> Iterator[Finding]:
        if self._information("Companies").get("canQuery") is True:
            yield Finding(Grade.OK, "companies, permissions", "may be read")
        else:
            advice = "the security level of the API user must allow it to view organizations"
            yield Finding(Grade.FAIL, "companies, permissions", f"may not be read: {advice}")

    def _information(self, entity: str) -> Row:
        answer = self._client.get(f"/V1.0/{entity}/entityInformation")
        info: Any = fields_of(answer, "info")["info"]
        if not isinstance(info, dict):
            raise ShapeChanged(f"{answer.what}: 'info' is not an object")
        return info

    def _contact_field(self) -> Iterator[Finding]:
        words = self._fields.contact()
        yield _described("consent field", words.udf)
        words.must_be_complete()
        for consent in Consent:
            words.value(consent)
        if words.udf.read_only:
            yield Finding(Grade.FAIL, "consent field", f"'{words.udf.name}' is read-only for the API user")

    def _company_field(self) -> Iterator[Finding]:
        words = self._fields.company()
        yield _described("approval field", words.udf)
        words.must_be_complete()

    def _count_companies(self) -> Iterator[Finding]:
        states = [company.state for company in self._companies()]
        counts = ", ".join(f"{states.count(state)} {state.value}" for state in CompanyState)
        grade = Grade.OK if states else Grade.FAIL  # a tenant has at least its own company
        yield Finding(grade, "companies", f"{len(states)} seen: {counts}")

    def _count_contacts(self) -> Iterator[Finding]:
        seen = usable = 0
        for contact in self._contacts():
            seen += 1
            usable += bool(contact.numbers)
        said = f"{seen} seen, {usable} with a usable number in {', '.join(self._settings.phone_fields)}"
        yield Finding(Grade.OK if seen else Grade.NOTE, "contacts", said)


def _described(what: str, udf: Udf) -> Finding:
    if not udf.is_list:
        return Finding(Grade.OK, what, f"'{udf.name}', type {udf.kind}")
    choices = (
        f"'{choice.label}'"
        + (f" ({choice.value})" if choice.value != choice.label else "")
        + ("" if choice.active else " (switched off)")
        for choice in udf.choices
    )
    return Finding(Grade.OK, what, f"'{udf.name}', list: {', '.join(choices) or 'empty'}")
