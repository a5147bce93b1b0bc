"""What `syncd check --online` finds out about a ConnectWise tenant. Nothing is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from connectors.connectwise.answers import NoSuchRoute
from connectors.connectwise.client import ConnectWiseClient, quoted
from connectors.connectwise.fields import COMPANIES, CONTACTS, DEFINITIONS, SAMPLE, STATUS, Fields
from connectors.connectwise.listing import Listings
from connectors.connectwise.phones import is_shared, phone_items
from connectors.connectwise.settings import ConnectWiseSettings
from syncd.connector import Finding, Grade, checkup
from syncd.connector.answers import Row, number, rows_in
from syncd.connector.fields import folded
from syncd.errors import Permanent, ShapeChanged
from syncd.model import LONG_AGO, Company, CompanyState, Consent, Contact

# Whole records of so many contacts are looked at for the types of their phone items.
PHONES_SEEN = 200
# The audit trail is read of so many companies; dates that are this close are of the same edit.
AUDITED, SAME_EDIT = 3, timedelta(seconds=3)


class Checkup(checkup.Checkup):
    """What is looked at, step by step."""

    unknown = (
        "compare the counts: a restricted role sees fewer records",
        "only a write shows the right to edit, and how custom fields merge",
    )

    def __init__(
        self,
        settings: ConnectWiseSettings,
        client: ConnectWiseClient,
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
        """What the site says of the company without credentials, and where the API is."""
        info, codebase = self._client.site.look_up()
        cloud = "cloud" if str(info.get("IsCloud")).casefold() == "true" else "own server"
        said = f"{self._client.base_url()}; {info.get('CompanyName')}, {cloud}, codebase {codebase}"
        yield Finding(Grade.OK, "service", said)

    def credentials(self) -> Iterator[Finding]:
        """The first call with credentials reads contacts, which every later one needs anyway."""
        next(self._client.pages(CONTACTS, size=1, most=1), [])
        newest = f" (newest: {self._client.release})" if self._client.release else ""
        said = f"accepted; records as of {self._settings.version or 'today'}{newest}"
        yield Finding(Grade.OK, "credentials", said)
        limits = self._client.limits
        said = f"{limits.calls} calls in {limits.per:g} s are ours; what is left is not told"
        yield Finding(Grade.OK, "allowance", said)

    def permissions(self) -> Iterator[Finding]:
        """What the security role lets the API member read."""
        try:
            next(self._client.pages(DEFINITIONS, size=1, most=1), [])
        except (Permanent, NoSuchRoute) as error:
            said = f"contacts may be read; the set-up tables not, so entries of lists are not known: {error}"
            yield Finding(Grade.NOTE, "permissions", said)
        else:
            yield Finding(Grade.OK, "permissions", "contacts and set-up tables may be read")

    def consent_field(self) -> Iterator[Finding]:
        """The custom field of contacts, and whether all of them have it."""
        words = self._fields.contact()
        yield from checkup.field("consent field", words, Consent)
        sample = next(self._client.pages(CONTACTS, size=SAMPLE, most=1), [])
        without = sum(1 for row in sample if not words.shown_by(row))
        if without:
            said = (
                f"{without} of {len(sample)} contacts do not list it, which counts as unset; if they have a value "
                "in ConnectWise, the field is limited to some locations"
            )
            yield Finding(Grade.NOTE, "consent field", said)

    def approval_field(self) -> Iterator[Finding]:
        """The custom field of companies, or their status."""
        yield from checkup.field("approval field", self._fields.company())

    def also_needed(self) -> checkup.Steps:
        """Which phones count."""
        return {"phone types": self._phone_types}

    def also_shown(self) -> checkup.Steps:
        """What this tenant makes of what is not documented."""
        return {"lists": self._lists, "filters": self._filters, "change dates": self._dates}

    def _phone_types(self) -> Iterator[Finding]:
        """Which types of phone items there are among some contacts, and which of them count."""
        rows = next(self._client.pages(CONTACTS, size=PHONES_SEEN, most=1), [])
        seen = Counter(name for row in rows for name, _ in phone_items(row))
        wanted = self._settings.phone_types
        chosen = None if wanted is None else set(map(folded, wanted))

        def counts(name: str) -> bool:
            return not is_shared(name) if chosen is None else folded(name) in chosen

        own = ", ".join(f"'{name}' ({n})" for name, n in seen.items() if counts(name)) or "none"
        others = ", ".join(f"'{name}' ({n})" for name, n in seen.items() if not counts(name)) or "none"
        grade = Grade.NOTE if seen and own == "none" else Grade.OK
        yield Finding(grade, "phone types", f"own: {own}; left out: {others} (of {len(rows)} contacts)")

    # --- what this tenant shows of the undocumented -------------------------------------------------------------

    def _lists(self) -> Iterator[Finding]:
        """What lists show of custom fields: chosen by `fields`, unset, and page after page."""
        words = self._fields.contact()
        chosen = ("customFields", "communicationItems", "_info")
        rows = next(self._client.pages(CONTACTS, fields=("id", *chosen), size=SAMPLE, most=1), [])
        shown = [key for key in chosen if any(row.get(key) for row in rows)]
        said = [f"chosen fields show {', '.join(shown) or 'nothing of what was chosen'}"]
        if self._listings.whole:
            said.append("companies are read whole")
        sample = next(self._client.pages(CONTACTS, size=SAMPLE, most=1), [])
        listed = [row for row in sample if words.shown_by(row)]
        null = sum(words.held(row) is None for row in listed)
        said.append(f"unset is {checkup.forms({'null': null, 'left out': len(sample) - len(listed)})}")
        said.append(
            "paging is " + ("forward-only" if self._client.forward_only else "not seen to be forward-only")
        )
        yield Finding(Grade.OK, "lists", "; ".join(said))

    def _filters(self) -> Iterator[Finding]:
        """Whether the tenant's own filter on the approval field agrees with a full listing; we never use it."""
        field = self._settings.company_field
        if field.by == STATUS or not field.opted_out:
            return
        named = f"caption = {quoted(field.name)} AND value = "
        values = [str(one).lower() if isinstance(one, bool) else quoted(str(one)) for one in field.opted_out]
        out = sum(self._client.count(COMPANIES, named + value) for value in values)
        unset = self._client.count(COMPANIES, named + "null")
        found = (out, unset)
        states = [company.state for company in self.companies]
        right = (states.count(CompanyState.OPTED_OUT), states.count(CompanyState.UNSET))
        verb = "agree with" if found == right else "differ from"
        said = f"by field {verb} the full list: {out} opted out, {unset} null"
        yield Finding(Grade.OK, "filters", said)

    def _dates(self) -> Iterator[Finding]:
        """Whether an edit of the approval field moved the date of a company: the audit trail knows of edits."""
        words = self._fields.company()
        rows = [row for row in next(self._client.pages(COMPANIES, most=1), []) if words.held(row) is not None]
        rows = sorted(rows, key=_updated, reverse=True)[:AUDITED]
        for row in rows:
            try:
                edited = self._latest_edit(number(COMPANIES, row.get("id")), words.field.name)
            except (Permanent, NoSuchRoute):
                yield Finding(Grade.NOTE, "change dates", "the audit trail, which knows of edits, may not be read")
                return
            moved = None if edited is None or edited <= _entered(row) else _updated(row) - edited
            if moved is not None and moved <= SAME_EDIT:  # else a later edit of something else moved it
                verb = "did not move" if moved < -SAME_EDIT else "moved"
                said = f"an edit of '{words.field.name}' {verb} lastUpdated (company {row.get('id')})"
                yield Finding(Grade.OK, "change dates", said)
                return
        said = f"no edit of '{words.field.name}' is the latest in {len(rows)} audit trails"
        yield Finding(Grade.NOTE, "change dates", said)

    def _latest_edit(self, company_id: int, caption: str) -> datetime | None:
        """When the audit trail last speaks of the field; None: never."""
        answer = self._client.get("/system/audittrail", {"type": "Company", "id": company_id})
        entries = rows_in(answer.json(), f"{answer.what}: the answer", answer)
        about = [one for one in entries if caption.casefold() in str(one.get("text")).casefold()]
        return max((_moment(one.get("enteredDate")) for one in about), default=None)


def _updated(row: Row) -> datetime:
    return _moment(_info(row).get("lastUpdated"))


def _entered(row: Row) -> datetime:
    """Until when whatever was said of the record belongs to its creation, which is no edit."""
    entered = _info(row).get("dateEntered")
    return LONG_AGO if entered is None else _moment(entered) + SAME_EDIT


def _info(row: Row) -> Row:
    info = row.get("_info")
    return info if isinstance(info, dict) else {}


def _moment(text: object) -> datetime:
    """A date as ConnectWise writes it (documented: UTC)."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise ShapeChanged("a date of ConnectWise cannot be read") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
