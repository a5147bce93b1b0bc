"""PrimeVOX and the PSA in memory.

PrimeVOX is served below `syncd.primevox`, as answers in its JSON, so that its reader is part of what is tested.
The PSA has a connector of its own here, as small as the contract allows, because the vendors' connectors have
their own suite.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, ClassVar, Protocol, TypeVar

from syncd.clock import Clock
from syncd.connector import (
    ALREADY,
    APPLIED,
    CHANGED,
    GONE,
    Change,
    Connector,
    Outcome,
    Report,
    Settings,
    Traits,
    overtaken,
    refused,
)
from syncd.errors import Ambiguous, AuthRefused, Permanent, ShapeChanged, Transient
from syncd.http import Answer, Client, Limits, Transport, before_sending
from syncd.model import Company, CompanyState, Consent, Contact, PhoneNumber
from syncd.sandbox.simulate.chance import Chance

T = TypeVar("T")


class World(Protocol):
    """What a vendor needs of the world around it."""

    chance: Chance

    def call(self, service: str) -> None:
        """A request is on its way: time passes, others act, the process may be killed."""

    def second_thought(self, numbers: tuple[PhoneNumber, ...]) -> None:
        """Somebody who is about to be opted in may opt out at this very moment."""

    def staff_acts(self, contact: str) -> None:
        """Somebody may set the opt-in field of a contact just before we look at it in order to write."""

    def acted(self) -> None:
        """The service has acted; its answer is on its way back."""

    def true_now(self) -> datetime:
        """The vendors' clock."""

    def recorded(self) -> int:
        """The last entry of the daemon's ledger: what is recorded later may know of this moment."""


# --- PrimeVOX --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """A text as it truly was.

    meant:   what it asks for, as whoever wrote it would say
    visible: since when PrimeVOX shows it
    prompt:  it moved what the list of conversations shows, at once
    late:    it was shown only a while after it was sent
    """

    id: str
    conversation: str
    line: PhoneNumber
    theirs: PhoneNumber
    at: datetime
    words: str
    meant: str
    visible: datetime
    prompt: bool
    late: bool

    @property
    def outbound(self) -> bool:
        """Whether we sent it."""
        return self.meant == "ours"


class Vox(Transport):
    """Serves texts in PrimeVOX's JSON, in place of the HTTP layer."""

    def __init__(self, world: World, clock: Clock) -> None:
        super().__init__(clock, Limits(1000, 1.0, 8))
        self.world = world
        self.texts: list[Sent] = []
        self.by_line: dict[str, dict[str, list[Sent]]] = {}
        self.requests = 0

    def add(self, text: Sent) -> None:
        """A text was sent."""
        self.texts.append(text)
        self.by_line.setdefault(text.line[2:], {}).setdefault(text.conversation, []).append(text)

    def client(self, *_: Any, **__: Any) -> Client:
        """Itself: the only call that the reader of PrimeVOX makes is `get`."""
        return self  # type: ignore[return-value]

    def get(self, path: str, params: Mapping[str, Any]) -> Answer:
        """One request. Raises what the HTTP layer would raise."""
        self.requests += 1
        self.world.call("PrimeVOX")
        chance, what = self.world.chance, f"GET {path}"
        if chance.strikes("no connection"):
            raise Transient(f"{what}: no connection to the service")
        for kind, status in (("busy (429)", 429), ("server error (500)", 500), ("token expired (401)", 401)):
            if chance.strikes(kind):
                return Answer(what, status, _retry_after(chance), b'{"error": "' + _SAID[status] + b'"}')
        body = self._list(params) if path.endswith("conversations") else self._thread(params)
        if chance.strikes("malformed answer"):
            body = chance.dice.choice((b"<html>", body[: len(body) // 2], b"[]", b"null", b"{}", b""))
        self.world.acted()
        if chance.strikes("answer lost"):
            raise Transient(f"{what}: the connection broke")
        return Answer(what, 200, {}, body)

    def _list(self, params: Mapping[str, Any]) -> bytes:
        now = self.world.true_now()
        shown = {}
        for conversation, texts in self.by_line.get(params["phoneNumber"], {}).items():
            dates = [text.at for text in texts if text.visible <= now]
            if dates:
                last = max(dates).strftime("%Y-%m-%d %H:%M:%S")
                shown[conversation] = {"conversationWith": texts[0].theirs[2:], "lastMessageDate": last}
        return json.dumps({"conversations": shown}).encode()

    def _thread(self, params: Mapping[str, Any]) -> bytes:
        now, wanted = self.world.true_now(), params["conversationID"]
        entries = []
        for conversations in self.by_line.values():
            for text in conversations.get(wanted, ()):
                if text.visible <= now:
                    entry = {
                        "messageFrom": (text.line if text.outbound else text.theirs)[2:],
                        "messageDate": text.at.strftime("%Y-%m-%d %H:%M:%S"),
                        "messageText": text.words,
                    }
                    entries += [f"{json.dumps(text.id)}: {json.dumps(entry)}"]
                    if self.world.chance.strikes("text listed twice"):
                        entries += entries[-1:]
        self.world.chance.dice.shuffle(entries)
        return f'{{"messages": {{{", ".join(entries)}}}}}'.encode()


_SAID = {
    429: b"too many requests",
    500: b"Error connecting to the database, please try again later",
    401: b"The supplied API key is invalid",
}


def _retry_after(chance: Chance) -> dict[str, str]:
    said = chance.dice.choice((None, "1", "60", "86400", "soon"))
    return {"Retry-After": said} if said else {}


# --- the PSA ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """A contact as the PSA keeps it. `note` is a field that is no business of ours."""

    company: str | None
    numbers: tuple[PhoneNumber, ...]
    active: bool = True
    consent: Consent | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """The opt-in field of a contact was set, by a person or by us; `seq`: where the ledger ended then."""

    contact: str
    value: Consent | None
    by_us: bool
    seq: int


@dataclass(slots=True)
class Psa:
    """The PSA itself: its records, and who did what.

    ever:   each company, with numbers, that a contact ever had
    others: what people left in all fields but ours
    behind: (contact, value) that we wrote and readers did not see at once, or that was done late
    """

    world: World
    companies: dict[str, CompanyState] = field(default_factory=dict)
    contacts: dict[str, Record] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)
    renamed: bool = False  # the approval field of companies goes by another name: nobody can read it
    refuses: set[str] = field(default_factory=set)
    ever: dict[str, set[tuple[str | None, tuple[str, ...]]]] = field(default_factory=dict)
    others: dict[str, Record] = field(default_factory=dict)
    behind: set[tuple[str, Consent]] = field(default_factory=set)
    before_write: Callable[[str, Consent], None] = lambda *_: None
    _old: dict[str, tuple[datetime, Record]] = field(default_factory=dict)
    _late: list[tuple[datetime, str, Consent]] = field(default_factory=list)

    def show_companies(self) -> dict[str, CompanyState]:
        """What the list of companies says."""
        if self.renamed:
            return dict.fromkeys(self.companies, CompanyState.UNSET)
        return dict(self.companies)

    def show(self, contact: str) -> Record | None:
        """One contact; for a while a reader may be told what it was before our write."""
        until, record = self._old.get(contact, (None, None))
        if until is not None and self.world.true_now() < until and contact in self.contacts:
            # Only our own field lags; what people change is another matter.
            return replace(self.contacts[contact], consent=record.consent if record else None)
        return self.contacts.get(contact)

    def show_contacts(self) -> dict[str, Record]:
        """What the list of contacts says."""
        return {contact: record for contact in self.contacts if (record := self.show(contact))}

    def lags(self, contact: str) -> bool:
        """Whether readers are told an older value of this contact now."""
        return contact in self._old and self.world.true_now() < self._old[contact][0]

    def write_late(self, contact: str, value: Consent) -> None:
        """Nobody heard how our write ended; it is done a while later, whatever was set meanwhile."""
        when = self.world.true_now() + timedelta(seconds=self.world.chance.dice.choice((2, 20, 70)))
        self._late.append((when, contact, value))
        self.behind.add((contact, value))

    def catch_up(self) -> None:
        """Do what was put off and is due now."""
        now = self.world.true_now()
        due, self._late = [one for one in self._late if one[0] <= now], [one for one in self._late if one[0] > now]
        for _, contact, value in due:
            if contact in self.contacts:
                self._old.pop(contact, None)
                self.contacts[contact] = replace(self.contacts[contact], consent=value)
                self.edits.append(Edit(contact, value, by_us=True, seq=self.world.recorded()))

    def person(self, contact: str, **values: Any) -> None:
        """A person edits a contact."""
        record = self.contacts[contact] = replace(self.contacts[contact], **values)
        self.others[contact] = replace(record, consent=None)
        self.ever.setdefault(contact, set()).add((record.company, tuple(sorted(record.numbers))))
        if "consent" in values:
            self._old.pop(contact, None)
            self.edits.append(Edit(contact, values["consent"], by_us=False, seq=self.world.recorded()))

    def write(self, contact: str, value: Consent) -> None:
        """We set the opt-in field."""
        before = self.contacts[contact]
        if self.world.chance.strikes("reads lag behind writes"):
            until = self.world.true_now() + timedelta(seconds=self.world.chance.lag)
            self._old[contact] = (until, self.show(contact) or before)
            self.behind.add((contact, value))
        self.contacts[contact] = replace(before, consent=value)
        self.edits.append(Edit(contact, value, by_us=True, seq=self.world.recorded()))


class NoSettings(Settings):
    """Nothing to set."""


class PsaConnector(Connector):
    """Keeps the contract of `syncd.connector` for that PSA.

    listed:  what its last list of companies told
    shown:   what its last list of contacts told of the opt-in field, but for those told an older value
    asked:   how often a change of each contact was taken
    read_at: how many edits the PSA had seen when we last read a contact in order to write it
    """

    name: ClassVar[str] = "simulated"
    settings_model: ClassVar[type[Settings]] = NoSettings
    traits: ClassVar[Traits] = Traits(batch=4)

    def __init__(self, psa: Psa) -> None:
        self.psa = psa
        self.world = psa.world
        self.listed: dict[str, CompanyState] = {}
        self.shown: dict[str, Consent | None] = {}
        self.asked: Counter[str] = Counter()
        self.read_at: dict[str, int] = {}

    def check(self) -> Report:
        """Nothing to check."""
        return Report(())

    def companies(self) -> Iterator[Company]:
        """Every company."""
        listed = self._call(self.psa.show_companies)
        if self.world.chance.strikes("short list"):
            listed = dict(list(listed.items())[: self.world.chance.dice.choice((0, 1, len(listed) - 1))])
        self.listed = listed
        for company, state in listed.items():
            yield Company(company, f"Company {company}", state)

    def contacts(self, company: str | None = None, _changed_since: datetime | None = None) -> Iterator[Contact]:
        """Contacts; the PSA may ignore the filter."""
        chance = self.world.chance
        records, old = self._call(lambda: (self.psa.show_contacts(), {*filter(self.psa.lags, self.psa.contacts)}))
        if chance.strikes("short list"):
            records = dict(list(records.items())[: chance.dice.choice((0, len(records) // 2, len(records) - 1))])
        if company is not None and not chance.strikes("filter ignored"):
            records = {one: record for one, record in records.items() if record.company == company}
        self.shown = {}
        for one, record in records.items():
            if company is not None and record.company != company:
                continue
            if one not in old:
                self.shown[one] = record.consent
            yield Contact(one, record.company, f"Person {one}", record.numbers, record.active, record.consent)

    def write(self, changes: Iterable[Change]) -> Iterator[tuple[str, Outcome]]:
        """Read, compare, write, read back: one contact after the other."""
        stream = self._counted(changes)
        while batch := list(islice(stream, self.traits.batch)):
            for change in batch:
                yield change.contact_id, self._one(change)

    def _counted(self, changes: Iterable[Change]) -> Iterator[Change]:
        for change in changes:
            self.asked[change.contact_id] += 1
            yield change

    def _one(self, change: Change) -> Outcome:
        contact, wanted = change.contact_id, change.consent
        self.world.staff_acts(contact)
        present = self._call(lambda: self._read(contact))
        if present is None:
            return GONE
        if present.consent is wanted:
            return ALREADY
        if overtaken(change, present.consent):
            return CHANGED
        if wanted is Consent.OPTED_IN:
            self.world.second_thought(present.numbers)
        if guard := before_sending.get():
            guard()
        self._send(contact, wanted)
        after = self._call(lambda: self.psa.show(contact))
        if after is None:
            return GONE
        return APPLIED if after.consent is wanted else refused("accepted, but not shown")

    def _read(self, contact: str) -> Record | None:
        self.read_at[contact] = len(self.psa.edits)
        return self.psa.show(contact)

    def _send(self, contact: str, value: Consent) -> None:
        chance = self.world.chance
        self.psa.before_write(contact, value)
        if contact in self.psa.refuses or chance.strikes("write refused"):
            self._call(lambda: None)
            raise Permanent("the PSA does not take this value", status=400, contact=contact)
        if chance.strikes("write done late"):
            self._call(lambda: self.psa.write_late(contact, value), writes=contact)
            raise Ambiguous("sent, but no answer in time", contact=contact)
        kept = not chance.strikes("write not kept")
        self._call(
            lambda: self.psa.write(contact, value) if kept and contact in self.psa.contacts else None,
            writes=contact,
        )

    def _call(self, effect: Callable[[], T], writes: str | None = None) -> T:
        """One request. Raises what the HTTP layer and a connector would raise."""
        self.world.call("PSA")
        chance = self.world.chance
        if chance.strikes("no connection"):
            raise Transient("no connection to the service")
        if chance.strikes("busy (429)"):
            raise Transient("HTTP 429", retry_after=chance.dice.choice((None, 1.0, 60.0, 900.0)), contact=writes)
        if chance.strikes("server error (500)"):
            raise Transient("HTTP 500", contact=writes)
        if chance.strikes("token expired (401)"):
            raise AuthRefused("HTTP 401")
        if writes is None and chance.strikes("malformed answer"):
            raise ShapeChanged("the answer is not JSON")
        self.psa.catch_up()
        result = effect()
        self.world.acted()
        if chance.strikes("answer lost"):
            raise Ambiguous("sent, but the connection broke", contact=writes) if writes else Transient("it broke")
        return result
