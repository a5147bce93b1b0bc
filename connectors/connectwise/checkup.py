"""What `syncd check --online` finds out about a ConnectWise tenant. Nothing is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from connectors.connectwise.answers import NoSuchRoute
from connectors.connectwise.client import ConnectWiseClient, quoted
from connectors.connectwise.fields import COMPANIES, CONTACTS, DEFINITIONS, SAMPLE, Fields, Udf
from connectors.connectwise.phones import is_shared, phone_items
from connectors.connectwise.settings import ConnectWiseSettings
from syncd.connector import Finding, Grade, Report
from syncd.errors import AuthRefused, ConfigProblem, Permanent, ShapeChanged, Transient
from syncd.model import Company, CompanyState, Consent, Contact

NOTES = (
    "Whether the role may edit contacts shows only with a write; syncd reads each one back.",
    "Whether a write merges custom fields or replaces them shows only then, too; syncd compares all of them.",
    "Whether an edit of a custom field moves the modification date is not known; syncd does not rely on it.",
    "A checkbox that people save unticked may turn from unset to false, which reads as opted out; use a list.",
    "A restricted role hides records without an error: compare these counts with ConnectWise's own lists.",
)


class Checkup:
    """One screen of findings. A step that fails is a finding; credentials that fail end the checkup."""

    def __init__(
        self,
        settings: ConnectWiseSettings,
        client: ConnectWiseClient,
        fields: Fields,
        companies: Callable[[], Iterable[Company]],
        contacts: Callable[[], Iterable[Contact]],
    ) -> None:
        self._settings = settings
        self._client = client
        self._fields = fields
        self._companies = companies
        self._contacts = contacts
        self._opted_out = 0

    def report(self) -> Report:
        """Every finding, in the order in which an admin would look."""
        steps: dict[str, Callable[[], Iterator[Finding]]] = {
            "site": self._site,
            "credentials": self._credentials,
            "set-up tables": self._tables,
            "consent field": self._contact_field,
            "approval field": self._company_field,
            "phone types": self._phone_types,
            "companies": self._count_companies,
            "contacts": self._count_contacts,
            "custom field filter": self._filter,
            "paging": self._paging,
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

    def _site(self) -> Iterator[Finding]:
        info, codebase = self._client.site.look_up()
        cloud = "cloud" if str(info.get("IsCloud")).casefold() == "true" else "own server"
        said = f"{info.get('CompanyName')}, {cloud}, codebase {codebase}; calls go to {self._client.base_url()}"
        yield Finding(Grade.OK, "site", said)

    def _credentials(self) -> Iterator[Finding]:
        """The first call with credentials reads contacts, which every later one needs anyway."""
        next(self._client.pages(CONTACTS, size=1, most=1), [])
        release = f"; answers in version {self._client.release}" if self._client.release else ""
        said = f"ConnectWise accepts the API member, who may read contacts{release}"
        yield Finding(Grade.OK, "credentials", said)
        try:
            said = self._client.get("/system/info").json()
            version = said.get("version") if isinstance(said, dict) else None
            pinned = self._settings.version or "newest"
            yield Finding(Grade.OK, "version", f"server {version}; records as of {pinned}")
        except (Permanent, NoSuchRoute, ShapeChanged) as error:
            yield Finding(Grade.NOTE, "version", f"could not be read: {error}")
        limits = self._client.limits
        said = f"ConnectWise tells of none; syncd makes {limits.calls} calls in {limits.per:g} s at most"
        yield Finding(Grade.OK, "allowance", said)

    def _tables(self) -> Iterator[Finding]:
        try:
            next(self._client.pages(DEFINITIONS, size=1, most=1), [])
        except (Permanent, NoSuchRoute) as error:
            said = f"fields are known from records only, their lists are not: {error}"
            yield Finding(Grade.NOTE, "set-up tables", said)
        else:
            yield Finding(Grade.OK, "set-up tables", "custom fields may be read")

    def _contact_field(self) -> Iterator[Finding]:
        words = self._fields.contact()
        yield _described("consent field", words.udf)
        words.must_be_complete()
        for consent in Consent:
            words.value(consent)
        if words.udf.read_only:
            yield Finding(Grade.FAIL, "consent field", f"'{words.udf.caption}' is read-only")
        sample = next(self._client.pages(CONTACTS, size=SAMPLE, most=1), [])
        without = sum(1 for row in sample if not words.udf.shown_by(row))
        if without:
            said = (
                f"{without} of {len(sample)} contacts do not list the field, which counts as unset; if they have "
                "a value in ConnectWise, the field is limited to some locations"
            )
            yield Finding(Grade.NOTE, "consent field", said)
        elif sample:
            unset = sum(1 for row in sample if words.udf.value(row) is None)
            said = f"all of {len(sample)} contacts list it, {unset} with no value"
            yield Finding(Grade.OK, "consent field", said)

    def _company_field(self) -> Iterator[Finding]:
        words = self._fields.company()
        yield _described("approval field", words.udf)
        words.must_be_complete()

    def _phone_types(self) -> Iterator[Finding]:
        """Which types of phone items there are among some contacts, and which of them count."""
        rows = next(self._client.pages(CONTACTS, size=200, most=1), [])
        seen = Counter(name for row in rows for name, _ in phone_items(row))
        wanted = self._settings.phone_types
        chosen = None if wanted is None else {name.casefold() for name in wanted}

        def counts(name: str) -> bool:
            return not is_shared(name) if chosen is None else name.strip().casefold() in chosen

        own = ", ".join(f"'{name}' ({n})" for name, n in seen.items() if counts(name)) or "none"
        others = ", ".join(f"'{name}' ({n})" for name, n in seen.items() if not counts(name)) or "none"
        grade = Grade.NOTE if seen and own == "none" else Grade.OK
        yield Finding(grade, "phone types", f"a person's own: {own}; left out: {others} (in {len(rows)} contacts)")

    def _count_companies(self) -> Iterator[Finding]:
        states = [company.state for company in self._companies()]
        self._opted_out = states.count(CompanyState.OPTED_OUT)
        counts = ", ".join(f"{states.count(state)} {state.value}" for state in CompanyState)
        grade = Grade.OK if states else Grade.FAIL  # a tenant has at least its own company
        yield Finding(grade, "companies", f"{len(states)} seen: {counts}")

    def _count_contacts(self) -> Iterator[Finding]:
        seen = usable = 0
        for contact in self._contacts():
            seen += 1
            usable += bool(contact.numbers)
        yield Finding(Grade.OK if seen else Grade.NOTE, "contacts", f"{seen} seen, {usable} with a usable number")

    def _filter(self) -> Iterator[Finding]:
        """Whether the tenant's own filter on the approval field agrees with a full listing; we never use it."""
        field = self._settings.company_field
        if field.by == "status" or not field.opted_out:
            return
        try:
            named = f"caption = {quoted(field.name)} AND value = "
            values = [str(one).lower() if isinstance(one, bool) else quoted(one) for one in field.opted_out]
            counted = sum(self._client.count(COMPANIES, named + value) for value in values)
        except (ValueError, Permanent, NoSuchRoute, ShapeChanged) as error:
            yield Finding(Grade.NOTE, "custom field filter", f"could not be tried: {error}")
            return
        agrees = "agrees with" if counted == self._opted_out else "differs from"
        said = f"finds {counted} opted out, which {agrees} the full list; syncd uses the full list only"
        yield Finding(Grade.OK, "custom field filter", said)

    def _paging(self) -> Iterator[Finding]:
        forward = self._client.forward_only
        said = "forward-only paging is obeyed" if forward else "forward-only paging was not seen to be obeyed"
        yield Finding(Grade.OK, "paging", f"{said}; syncd asks for the next page by id, which works either way")


def _described(what: str, udf: Udf) -> Finding:
    name = "the status" if udf.id is None else f"'{udf.caption}' (id {udf.id})"
    if not udf.is_list:
        return Finding(Grade.OK, what, f"{name}, type {udf.kind}")
    if udf.choices is None:
        return Finding(Grade.NOTE, what, f"{name}, a list whose entries the role may not see")
    choices = (f"'{choice.text}'" + ("" if choice.active else " (switched off)") for choice in udf.choices)
    return Finding(Grade.OK, what, f"{name}, list: {', '.join(choices) or 'empty'}")
