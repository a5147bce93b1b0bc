"""What `syncd check --online` finds out about a HaloPSA tenant. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from connectors.halopsa.answers import Row, client_of, number
from connectors.halopsa.client import HaloPsaClient
from connectors.halopsa.fields import Fields, Vocabulary, elements
from connectors.halopsa.listing import Listings
from connectors.halopsa.settings import HaloPsaSettings
from syncd.connector import Finding, Grade, Report
from syncd.errors import AuthRefused, ConfigProblem, Permanent, ShapeChanged, Transient
from syncd.model import Company, CompanyState, Contact

NOTES = (
    "Whether posted custom fields replace or merge shows in a write only; any other field that changes is named.",
    "Whether the agent's role may edit users, and how long reads lag behind writes, shows in a write only.",
    "Whether an edit of a custom field moves a date is not known; syncd compares the full state.",
)
FAR_FUTURE = "2999-01-01T00:00:00"


class Checkup:
    """One screen of findings. A step that fails is a finding; credentials that fail end the checkup."""

    def __init__(
        self,
        settings: HaloPsaSettings,
        client: HaloPsaClient,
        fields: Fields,
        listings: Listings,
        companies: Callable[[], Iterable[Company]],
        contacts: Callable[[], Iterable[Contact]],
    ) -> None:
        self._settings = settings
        self._client = client
        self._fields = fields
        self._listings = listings
        self._companies = companies
        self._contacts = contacts
        self._everybody: list[Row] = []

    def report(self) -> Report:
        """Every finding, in the order in which an admin would look."""
        steps: dict[str, Callable[[], Iterator[Finding]]] = {
            "server": self._server,
            "credentials": self._credentials,
            "consent field": self._contact_field,
            "approval field": self._company_field,
            "companies": self._count_companies,
            "contacts": self._count_contacts,
            "filters": self._filters,
            "unset fields": self._unset,
            "allowance": self._allowance,
        }
        found: list[Finding] = []
        for what, step in steps.items():
            try:
                found.extend(step())
            except AuthRefused as error:
                # Each further try may count towards a lock of the API application.
                found.append(Finding(Grade.FAIL, "credentials", str(error)))
                return Report(tuple(found))
            except Transient as error:
                found.append(Finding(Grade.DOWN, what, str(error)))
                if sum(finding.grade is Grade.DOWN for finding in found) > 1:
                    return Report(tuple(found))  # it is away: the other steps would only say so again
            except (ConfigProblem, Permanent, ShapeChanged) as error:
                found.append(Finding(Grade.FAIL, what, str(error)))
        found += [Finding(Grade.NOTE, "not known", note) for note in NOTES]
        return Report(tuple(found))

    def _server(self) -> Iterator[Finding]:
        how = "set in psa.settings" if self._settings.auth_url else "as the resource server says, or /auth"
        yield Finding(Grade.OK, "server", f"{self._settings.base_url}; logs in at {self._client.server()} ({how})")
        try:
            body: Any = self._client.open_to_all("/InstanceInfo").must_be_good().json()
            version = str(body.get("version"))[:40] if isinstance(body, dict) else "unknown"
        except (AuthRefused, Permanent, ShapeChanged, Transient):
            version = "unknown (it does not tell)"
        yield Finding(Grade.OK, "version", version)

    def _credentials(self) -> Iterator[Finding]:
        token = self._client.login()
        life = f"{token.seconds} s" if token.seconds else "an unknown time"
        said = f"HaloPSA accepts the API application; a token holds {life}, scope '{token.scope[:80]}'"
        may_edit = {"all", "all:standard", "edit:customers"} & set(token.scope.lower().split())
        yield Finding(Grade.OK, "credentials", said)
        if not may_edit:
            yield Finding(
                Grade.NOTE, "permissions", "the scope does not name edit:customers; writes may be refused"
            )

    def _contact_field(self) -> Iterator[Finding]:
        words = self._fields.contact()
        yield from _described("consent field", words)
        words.must_be_complete()
        if any(one.read_only for one in words.definitions.values()):
            yield Finding(Grade.FAIL, "consent field", f"'{words.name}' is read-only")
        if not any(
            one.choices for one in words.definitions.values()
        ) and self._settings.contact_field.opted_out in (
            "false",
            "0",
        ):
            advice = "a checkbox cannot tell unset from opted out; a Single Selection can"
            yield Finding(Grade.NOTE, "consent field", advice)

    def _company_field(self) -> Iterator[Finding]:
        words = self._fields.company()
        yield from _described("approval field", words)
        words.must_be_complete()

    def _count_companies(self) -> Iterator[Finding]:
        states = [company.state for company in self._companies()]
        counts = ", ".join(f"{states.count(state)} {state.value}" for state in CompanyState)
        grade = Grade.OK if states else Grade.FAIL  # a tenant has at least its "Unknown" client
        yield Finding(grade, "companies", f"{len(states)} seen: {counts}")
        yield self._manner("companies", "Client", len(states))

    def _count_contacts(self) -> Iterator[Finding]:
        seen = usable = inactive = 0
        for contact in self._contacts():
            seen += 1
            usable += bool(contact.numbers)
            inactive += not contact.active
        said = f"{seen} seen, {usable} with a usable number in {', '.join(self._settings.phone_fields)}"
        grade = Grade.OK if seen else Grade.NOTE
        yield Finding(grade, "contacts", f"{said}; {inactive} inactive")
        yield self._manner("contacts", "Users", seen)

    def _manner(self, what: str, entity: str, count: int) -> Finding:
        manner = self._listings.manner.get(entity, "unknown")
        if "a call each" in manner:
            advice = f"each pass costs {count} calls and more; fewer phone_fields may spare them" if count else ""
            return Finding(Grade.NOTE, f"{what}, lists", f"what syncd needs is shown {manner}: {advice}")
        return Finding(Grade.OK, f"{what}, lists", f"what syncd needs is shown {manner}")

    def _filters(self) -> Iterator[Finding]:
        """HaloPSA ignores what it does not understand, so each filter is tried on what it should leave out."""
        everybody = self._everybody = self._client.rows("Users")
        clients = {client_of(row) for row in everybody if "client_id" in row} - {None}
        if len(clients) > 1:
            try:
                self._client.rows("Users", min(one for one in clients if one is not None))
                yield Finding(Grade.OK, "filters", "client_id is obeyed")
            except ShapeChanged as error:
                yield Finding(Grade.FAIL, "filters", str(error))
        answer = self._client.get(
            "/Users", {"pageinate": "true", "page_size": 1, "page_no": 1, "lastupdatefromdate": FAR_FUTURE}
        )
        body = answer.json()
        rows = body.get("users") if isinstance(body, dict) else body
        if everybody:
            works = "is obeyed for users" if rows == [] else "is ignored for users"
            yield Finding(Grade.OK, "filters", f"lastupdatefromdate {works} (syncd does not rely on it)")

    def _unset(self) -> Iterator[Finding]:
        words = self._fields.contact()
        for row in self._everybody[:3]:
            full = self._client.record("Users", number("Users", row["id"]))
            if full is None or words.text(full) is not None:
                continue
            shown = "shown, without a value" if words.element(full) is not None else "left out of the record"
            said = f"an unset consent field is {shown}; full records hold {len(elements(full))} custom fields"
            yield Finding(Grade.OK, "unset fields", said)
            return

    def _allowance(self) -> Iterator[Finding]:
        ours = self._settings.requests_per_5_minutes
        said = (
            f"{ours} calls in five minutes are ours (requests_per_5_minutes); HaloPSA does not show what is left"
        )
        yield Finding(Grade.OK, "allowance", said)
        if told := self._client.told_to_wait:
            yield Finding(Grade.NOTE, "allowance", f"HaloPSA said 'too many requests' just now, {told}")


def _described(what: str, words: Vocabulary[Any]) -> Iterator[Finding]:
    for one in words.definitions.values():
        if one.choices:
            choices = ", ".join(f"'{choice.label}' ({choice.value})" for choice in one.choices)
            yield Finding(Grade.OK, what, f"'{one.name}' ({one.id}), selection: {choices}")
        else:
            yield Finding(Grade.OK, what, f"'{one.name}' ({one.id}), no selection: text, or a checkbox")
