"""What `syncd check --online` finds out about a HaloPSA tenant. Nothing is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

from connectors.halopsa.answers import client_of
from connectors.halopsa.client import HaloPsaClient
from connectors.halopsa.fields import COMPANIES, CONTACTS, Fields, Vocabulary
from connectors.halopsa.listing import Costly, Listings
from connectors.halopsa.settings import HaloPsaSettings
from syncd.connector import Finding, Grade, checkup
from syncd.connector.answers import Row, number
from syncd.errors import AuthRefused, Permanent, ShapeChanged, Transient
from syncd.model import Company, Consent, Contact

# So many full records are looked at for how unset and set fields look.
SAMPLE = 3
FAR_FUTURE = "2999-01-01T00:00:00"
BOTH = (COMPANIES, CONTACTS)


class Checkup(checkup.Checkup):
    """What is looked at, step by step."""

    unknown = ("only a write shows the right to edit, how custom fields merge, and how long reads lag",)

    def __init__(
        self,
        settings: HaloPsaSettings,
        client: HaloPsaClient,
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
        self._listed: Sequence[Row] = ()

    def service(self) -> Iterator[Finding]:
        """The resource server, its version, and where to log in."""
        try:
            body: Any = self._client.open_to_all("/InstanceInfo").must_be_good().json()
            version = str(body.get("version"))[:40] if isinstance(body, dict) else "unknown"
        except (AuthRefused, Permanent, ShapeChanged, Transient):
            version = "version unknown"
        how = "set in psa.settings" if self._settings.auth_url else "looked up"
        said = f"{self._settings.base_url}, {version}; logs in at {self._client.server()} ({how})"
        yield Finding(Grade.OK, "service", said)

    def credentials(self) -> Iterator[Finding]:
        """A token, and how many calls we may make with it."""
        token = self._client.login()
        life = f"{token.seconds} s" if token.seconds else "an unknown time"
        yield Finding(Grade.OK, "credentials", f"the API application is accepted; a token holds {life}")
        said = f"{self._settings.requests_per_5_minutes} calls in 5 minutes are ours; what is left is not told"
        told = self._client.told_to_wait
        if told:
            yield Finding(Grade.NOTE, "allowance", f"{said}; 'too many requests' came just now, {told}")
        else:
            yield Finding(Grade.OK, "allowance", said)

    def permissions(self) -> Iterator[Finding]:
        """What the token's scope names; the agent's role may allow less."""
        scope = self._client.login().scope
        if {"all", "all:standard", "edit:customers"} & set(scope.lower().split()):
            yield Finding(Grade.OK, "permissions", f"scope '{scope[:80]}'")
        else:
            said = f"scope '{scope[:80]}' does not name edit:customers; writes may be refused"
            yield Finding(Grade.NOTE, "permissions", said)

    def consent_field(self) -> Iterator[Finding]:
        """The custom field of users."""
        words = self._fields.contact()
        yield from _described("consent field", words)
        for one in words.candidates:
            if one.read_only:
                yield Finding(Grade.FAIL, "consent field", f"'{one.name}' is read-only for us")
        no_list = not any(one.is_list for one in words.candidates)
        if no_list and self._settings.contact_field.opted_out in ("false", "0"):
            advice = "a checkbox cannot tell unset from opted out; a Single Selection can"
            yield Finding(Grade.NOTE, "consent field", advice)

    def approval_field(self) -> Iterator[Finding]:
        """The custom field of clients."""
        yield from _described("approval field", self._fields.company())

    def counted_companies(self) -> Iterator[Finding]:
        """Not where each takes a call."""
        try:
            yield from super().counted_companies()
        except Costly as costly:
            yield _not_counted("companies", costly)

    def counted_contacts(self) -> Iterator[Finding]:
        """Not where each takes a call."""
        try:
            yield from super().counted_contacts()
        except Costly as costly:
            self._listed = costly.rows
            yield _not_counted("contacts", costly)

    def also_needed(self) -> checkup.Steps:
        """HaloPSA ignores what it does not understand."""
        return {"filters": self._filters}

    def also_shown(self) -> checkup.Steps:
        """What this tenant makes of what is not documented."""
        return {"lists": self._lists, "change dates": self._dates}

    def _filters(self) -> Iterator[Finding]:
        """The filter that a company's opt-out relies on is tried on what it should leave out."""
        clients = [one.company_id for one in self.contacts if one.company_id is not None]
        clients += [str(client_of(row)) for row in self._listed if row.get("client_id")]
        sizes = Counter(clients)
        if len(sizes) > 1:
            self._client.rows(CONTACTS, int(min(sizes, key=lambda company: sizes[company])))
            yield Finding(Grade.OK, "filters", "client_id is obeyed")

    # --- what this tenant shows of the undocumented -------------------------------------------------------------

    def _lists(self) -> Iterator[Finding]:
        """What lists and full records show of custom fields, and so what a pass costs."""
        manners: dict[str, list[str]] = {}
        for entity in BOTH:
            manners.setdefault(self._listings.manner.get(entity, "not seen yet"), []).append(entity)
        said = [f"{' and '.join(entities)} {manner}" for manner, entities in manners.items()]
        costly = any("a call each" in manner for manner in manners)
        if any(phone in manner for manner in manners for phone in self._settings.phone_fields):
            said.append("fewer phone_fields may spare calls")
        words = self._fields.contact()
        unset, held = Counter[str](), []
        for user_id in (*self._some(None), *self._some(*Consent), *(row["id"] for row in self._listed[:SAMPLE])):
            row = self._client.record(CONTACTS, number(CONTACTS, user_id))
            if row is None:
                continue
            if words.held(row) is None:
                unset["null" if words.shown_by(row) else "left out"] += 1
            else:
                held.append((words.element(row) or {}).get("value"))
        said.append(f"unset is {checkup.forms(unset)}")
        said += checkup.stored_form(words.field, held)
        yield Finding(Grade.NOTE if costly else Grade.OK, "lists", "; ".join(said))

    def _some(self, *consents: Consent | None) -> Iterator[str]:
        return islice((one.id for one in self.contacts if one.consent in consents), SAMPLE)

    def _dates(self) -> Iterator[Finding]:
        """Whether the filter by date of change works; if it does, what moves the date shows after an edit."""
        obeyed = [entity for entity in BOTH if not self._client.changed_since(entity, FAR_FUTURE)]
        ignored = [entity for entity in BOTH if entity not in obeyed]
        said = [
            f"lastupdatefromdate is {how} for {' and '.join(entities)}"
            for how, entities in {"obeyed": obeyed, "ignored": ignored}.items()
            if entities
        ]
        now = self._client.moments.now().date
        if obeyed and now is not None:
            since = (now - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")
            said += [f"{self._client.changed_since(one, since)} {one} changed within the hour" for one in obeyed]
            said.append(checkup.EDIT_ONE)
        yield Finding(Grade.OK, "change dates", "; ".join(said))


def _not_counted(what: str, costly: Costly) -> Finding:
    said = f"{len(costly.rows)} seen; each takes a call (see lists), which this check spares"
    return Finding(Grade.NOTE, what, said)


def _described(what: str, words: Vocabulary[Any]) -> Iterator[Finding]:
    for one in words.candidates:
        yield checkup.described(what, one)
    words.must_be_complete()
