"""What `syncd check --online` finds out about an Autotask tenant. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

from connectors.autotask.client import AutotaskClient
from connectors.autotask.fields import COMPANIES, CONTACTS, Fields
from connectors.autotask.listing import Listings
from connectors.autotask.settings import AutotaskSettings
from syncd.connector import Finding, Grade, checkup
from syncd.connector.answers import Row, fields_of
from syncd.errors import ShapeChanged
from syncd.model import Company, Consent, Contact


class Checkup(checkup.Checkup):
    """What is looked at, step by step."""

    unknown = (
        "compare the counts: a restricted user sees fewer records",
        "only a write shows what workflow rules do with an edit",
    )

    def __init__(
        self,
        settings: AutotaskSettings,
        client: AutotaskClient,
        fields: Fields,
        listings: Listings,
        companies: Callable[[], Iterable[Company]],
        contacts: Callable[[], Iterable[Contact]],
    ) -> None:
        super().__init__(companies, contacts)
        self._settings = settings
        self._client = client
        self._fields = fields
        self._listings = listings

    def service(self) -> Iterator[Finding]:
        """The zone, and which versions of the API it has."""
        how = "set in psa.settings" if self._settings.base_url else "looked up"
        base = self._client.base_url()
        versions = fields_of(self._client.get("/VersionInformation"), "apiVersions")["apiVersions"]
        listed = [str(version) for version in versions] if isinstance(versions, list) else []
        if "V1.0" not in listed:
            said = f"{base} ({how}) has versions {', '.join(listed) or 'none'} of the API; syncd speaks V1.0"
            yield Finding(Grade.FAIL, "service", said)
        else:
            yield Finding(Grade.OK, "service", f"{base} ({how}); API {', '.join(listed)}")

    def credentials(self) -> Iterator[Finding]:
        """Accepted, and how much of the allowance is used."""
        usage = self._client.usage()
        yield Finding(Grade.OK, "credentials", f"'{self._settings.username}' is accepted")
        # Documented, by quotation: from half the allowance on, Autotask delays every call of the tenant.
        grade = Grade.OK if usage.used * 2 < usage.allowed else Grade.NOTE
        said = f"{usage.used} of {usage.allowed} calls in {usage.minutes} minutes used, by all integrations"
        yield Finding(grade, "allowance", said)

    def permissions(self) -> Iterator[Finding]:
        """What the security level lets the API user do."""
        info = self._information(CONTACTS)
        # Documented: access is 0 for none, 1 for all, 2 for restricted.
        access = str(info.get("userAccessForUpdate"))
        if info.get("canUpdate") is not True or access in {"0", "None"}:
            advice = "the security level of the API user must allow it to edit contacts"
            yield Finding(Grade.FAIL, "permissions", f"contacts may not be edited: {advice}")
        elif access == "2":
            yield Finding(Grade.NOTE, "permissions", "only some contacts may be edited (restricted access)")
        else:
            yield Finding(Grade.OK, "permissions", "contacts may be edited")
        if self._information(COMPANIES).get("canQuery") is not True:
            advice = "the security level of the API user must allow it to view organizations"
            yield Finding(Grade.FAIL, "permissions", f"companies may not be read: {advice}")

    def _information(self, entity: str) -> Row:
        answer = self._client.get(f"/V1.0/{entity}/entityInformation")
        info: Any = fields_of(answer, "info")["info"]
        if not isinstance(info, dict):
            raise ShapeChanged(f"{answer.what}: 'info' is not an object")
        return info

    def consent_field(self) -> Iterator[Finding]:
        """The user-defined field of contacts."""
        yield from checkup.field("consent field", self._fields.contact(), Consent)

    def approval_field(self) -> Iterator[Finding]:
        """The user-defined field of companies."""
        yield from checkup.field("approval field", self._fields.company())

    def also_shown(self) -> checkup.Steps:
        """What this tenant makes of what is not documented."""
        return {"lists": self._lists, "filters": self._filters, "change dates": self._dates}

    # --- what this tenant shows of the undocumented -------------------------------------------------------------

    def _lists(self) -> Iterator[Finding]:
        """Whether chosen fields show UDFs, how an unset one looks, and whether a list shows value or label."""
        words = self._fields.contact()
        whole = self._listings.whole
        how = f"chosen fields hide those of {' and '.join(sorted(whole))}: whole records are read"
        sample = next(self._client.query(CONTACTS, (), None if whole else ("id", words.field.name)), [])
        empty = [row for row in sample if words.held(row) is None]
        null = sum(map(words.shown_by, empty))
        unset = checkup.forms({"null": null, "left out": len(empty) - null})
        said = [how if whole else "show fields that are chosen by name", f"unset is {unset}"]
        said += checkup.stored_form(words.field, map(words.held, sample))
        yield Finding(Grade.OK, "lists", "; ".join(said))

    def _filters(self) -> Iterator[Finding]:
        """What filters make of user-defined fields and of isActive. syncd uses neither; whoever changes it may."""
        words = self._fields.contact()
        total, out = len(self.contacts), sum(one.consent is Consent.OPTED_OUT for one in self.contacts)
        unset = sum(one.consent is None for one in self.contacts)
        by_field = {"field": words.field.name, "udf": True, "value": words.value(Consent.OPTED_OUT)}
        equal = self._client.count(CONTACTS, {"op": "eq", **by_field})
        other = self._client.count(CONTACTS, {"op": "noteq", **by_field})
        said = ["by field right" if equal == out else f"by field wrong ({equal} for {out})"]
        if unset:
            meant = {total - out: "with unset", total - out - unset: "without unset"}
            said.append(f"'not equal' {meant.get(other, f'finds {other}')}")
        one, true = (self._client.count(CONTACTS, _clause("eq", "isActive", value)) for value in (1, True))
        said.append("isActive 1 = true" if one == true else f"isActive 1 finds {one}, true {true}")
        yield Finding(Grade.OK, "filters", "; ".join(said))

    def _dates(self) -> Iterator[Finding]:
        """Whether an edit of a UDF moves a record's dates: only an edit shows it, so say how to make one."""
        now = self._client.moments.now().date
        if now is None:
            yield Finding(Grade.NOTE, "change dates", "Autotask sends no dates, so they cannot be looked at")
            return
        since = (now - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        contacts = self._client.count(CONTACTS, _clause("gte", "lastModifiedDate", since))
        companies = self._client.count(COMPANIES, _clause("gte", "lastTrackedModifiedDateTime", since))
        said = f"{contacts} contacts, {companies} companies changed within the hour; {checkup.EDIT_ONE}"
        yield Finding(Grade.OK, "change dates", said)


def _clause(op: str, field: str, value: object) -> Row:
    return {"op": op, "field": field, "value": value}
