"""Bugs that are planted on purpose: each must make the simulation fail, or the simulation has gone blind.

The first twenty are those that the trade makes again and again; the others are what could go wrong in this design.
Each is a context in which the product, or the connector of the simulated PSA, has the bug.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from syncd import delivery, directory, intake, policy, primevox, sift
from syncd.connector import ALREADY, APPLIED, GONE, Change
from syncd.delivery import Delivery, _Taken
from syncd.engine import Engine
from syncd.errors import ShapeChanged
from syncd.health import Health, Latch
from syncd.intake import Intake
from syncd.keywords import Reading, read
from syncd.model import CompanyState, Direction
from syncd.plan import Lane, Mirror
from syncd.primevox import PrimeVox, Thread
from syncd.sandbox.simulate import stage, vendors
from syncd.sandbox.simulate.vendors import PsaConnector
from syncd.store import evidence, ledger, mirror, texts

Mutant = Callable[[], AbstractContextManager[Any]]
MUTANTS: dict[str, Mutant] = {}


def planted(name: str) -> Callable[[Mutant], Mutant]:
    """Give a bug its name."""

    def add(mutant: Mutant) -> Mutant:
        MUTANTS[name] = mutant
        return mutant

    return add


def instead(owner: Any, name: str, bug: Callable[..., Any]) -> AbstractContextManager[Any]:
    """`bug` takes the place of a function; it gets the right one as its first argument."""
    right = getattr(owner, name)

    def wrong(*args: Any, **more: Any) -> Any:
        return bug(right, *args, **more)

    return patch.object(owner, name, wrong)


def together(*bugs: AbstractContextManager[Any]) -> ExitStack:
    """Several wrong places that make one bug."""
    stack = ExitStack()
    for bug in bugs:
        stack.enter_context(bug)
    return stack


# --- what the trade gets wrong again and again -----------------------------------------------------------


@planted("the cursor is committed before the messages")
def _() -> Any:
    def store(right: Any, self: Intake, line: Any, state: Any, task: Any, thread: Any, memory: Any) -> Any:
        cursor = intake._cursor(task, state.polls, news=True)
        with self._database.begin() as connection:
            texts.save_conversation(connection, line.number, self._clock.now(), cursor, fresh=task.known is None)
        return right(self, line, state, replace(task, known=cursor), thread, memory)

    return instead(Intake, "_store", store)


@planted("a write whose answer was lost is repeated without a look")
def _() -> Any:
    def one(right: Any, self: PsaConnector, change: Change) -> Any:
        if change.contact_id not in self.psa.contacts:
            return GONE
        self._send(change.contact_id, change.consent)
        return APPLIED

    return instead(PsaConnector, "_one", one)


@planted("a second text of the same second is not looked for")
def _() -> Any:
    return instead(Intake, "_reread_due", lambda right, *_: False)


@planted("there is no sweep")
def _() -> Any:
    return instead(intake, "_sweep_due", lambda right, *_: False)


@planted("the last to arrive wins")
def _() -> Any:
    return instead(policy, "_order", lambda right, item: item.seq)


@planted("an answer of HTTP 500 is an empty one")
def _() -> Any:
    def entries(right: Any, answer: Any, key: str) -> Any:
        return [] if answer.status >= 429 else right(answer, key)

    def fail(right: Any, answer: Any, said: Any) -> Any:
        if answer.status == 401:
            right(answer, said)

    def thread(right: Any, self: PrimeVox, line: Any, listed: Any) -> Thread:
        try:
            return right(self, line, listed)
        except ShapeChanged as error:
            if "read as empty" in str(error):
                return Thread((), (), None)
            raise

    return together(
        instead(primevox, "_entries", entries),
        instead(PrimeVox, "thread", thread),
    )


@planted("after four attempts it gives up")
def _() -> Any:
    def postpone(right: Any, self: Delivery, connection: Any, change: Any, failures: int, *more: Any) -> None:
        right(self, connection, change, failures, *more)
        if failures >= 4:
            self._next_try[change.contact_id] = (change.consent, float("inf"))

    return instead(Delivery, "_postpone", postpone)


@planted("a cascade is done before its people are")
def _() -> Any:
    def settle(right: Any, self: Delivery, *lanes: Any) -> Any:
        with self._database.begin() as connection:
            stale = mirror.stale_contacts(connection, 200)
            for one in stale:
                connection.execute(mirror._CHANGE, {"the_id": one, "stale": False})
        with self._database.begin() as connection:
            self._decide(connection, stale)
        return right(self, *lanes)

    return instead(Delivery, "settle", settle)


@planted("nobody looks who joins a company that is opted out")
def _() -> Any:
    def differs(right: Any, before: Any, contact: Any) -> bool:
        return right(before, replace(contact, company_id=before.contact.company_id))

    return instead(directory, "_differs", differs)


@planted("the time of the next try is kept by the wall clock")
def _() -> Any:
    class Wall:
        def __init__(self, clock: Any) -> None:
            self.clock = clock

        def monotonic(self) -> float:
            return self.clock.now().timestamp()

    def init(right: Any, self: Health, what: str, clock: Any, *more: Any) -> None:
        right(self, what, Wall(clock), *more)

    return instead(Health, "__init__", init)


@planted("a malformed answer is an empty one")
def _() -> Any:
    def entries(right: Any, answer: Any, key: str) -> Any:
        try:
            return right(answer, key)
        except ShapeChanged:
            return []

    def thread(right: Any, self: PrimeVox, line: Any, listed: Any) -> Thread:
        try:
            return right(self, line, listed)
        except ShapeChanged:
            return Thread((), (), None)

    return together(
        instead(primevox, "_entries", entries),
        instead(PrimeVox, "thread", thread),
    )


@planted("what was decided once is sent, whatever has come since")
def _() -> Any:
    def changes(right: Any, self: Delivery, batch: Any, taken: Any) -> Iterator[Change]:
        for one in batch:
            with self._database.begin() as connection:
                mirror.save_mirror(connection, one.id, one.mirror.sending(one.verdict.desired))
            self._writes.touched(one.id)
            change = Change(one.id, one.company_id, one.verdict.desired, one.mirror.shown)
            taken[one.id] = _Taken(change, one.verdict)
            yield change

    return together(
        instead(Delivery, "_changes", changes),
        instead(Delivery, "_still_wanted", lambda *_: None),
    )


@planted("what was seen before is kept in memory only")
def _() -> Any:
    return together(
        instead(texts, "stored_messages", lambda *_: set()),
        instead(texts, "save_messages", lambda *_: None),
    )


@planted("in the same second the opt-in wins")
def _() -> Any:
    def order(right: Any, item: Any) -> Any:
        second, opt_out, *rest = right(item)
        return (second, not opt_out, *rest)

    return instead(policy, "_order", order)


@planted("a text that no database takes ends the pass")
def _() -> Any:
    return instead(primevox, "_storable", lambda right, text: text)


@planted("a list counts as read although a conversation of it could not be")
def _() -> Any:
    def read_backlog(right: Any, self: Intake, *args: Any) -> Any:
        result, _ = right(self, *args)
        args[2].failures.clear()
        return replace(result, finished=True), []

    return instead(Intake, "_read_backlog", read_backlog)


@planted("after a 401 a service is not called again")
def _() -> Any:
    def refused(right: Any, self: Latch) -> None:
        self._next = float("inf")

    return instead(Latch, "refused", refused)


@planted("texts and evidence are committed one after the other")
def _() -> Any:
    def store(right: Any, self: Intake, line: Any, state: Any, task: Any, thread: Any, memory: Any) -> Any:
        kept: list[Any] = []
        with instead(
            ledger, "append_all", lambda right, connection, now, entries: kept.append((now, entries)) or []
        ):
            done = right(self, line, state, task, thread, memory)
        with self._database.begin() as connection:
            for now, entries in kept:
                ledger.append_all(connection, now, entries)
                evidence.mark_stale(connection, {one["number"] for one in entries})
        return done

    return instead(Intake, "_store", store)


@planted("our own text counts as the client's")
def _() -> Any:
    return instead(PrimeVox, "_direction", lambda *_: Direction.INBOUND)


@planted("stop anywhere in a text opts out")
def _() -> Any:
    def reads(right: Any, text: str, vocabulary: Any) -> Reading:
        if "stop" in text.lower():
            return replace(read("STOP", vocabulary))
        return right(text, vocabulary)

    return instead(stage, "reader", reads)


# --- what could go wrong in this design ------------------------------------------------------------------


@planted("a filter is trusted")
def _() -> Any:
    def contacts(right: Any, self: PsaConnector, company: Any = None, changed_since: Any = None) -> Iterator[Any]:
        ids = self._call(lambda: list(self.psa.contacts))
        ignored = company is None or self.world.chance.strikes("filter ignored")
        for one in ids:
            record = self.psa.show(one)
            if record and (ignored or record.company == company):
                where = record.company if company is None else company
                yield vendors.Contact(one, where, "", record.numbers, record.active, record.consent)

    return instead(PsaConnector, "contacts", contacts)


@planted("a write is not read back")
def _() -> Any:
    def one(right: Any, self: PsaConnector, change: Change) -> Any:
        present = self._call(lambda: self.psa.show(change.contact_id))
        if present is None:
            return GONE
        if present.consent is change.consent:
            return ALREADY
        self._send(change.contact_id, change.consent)
        return APPLIED

    return instead(PsaConnector, "_one", one)


@planted("a write sends back the whole contact as it was listed")
def _() -> Any:
    rows: dict[str, Any] = {}

    def contacts(right: Any, self: PsaConnector, *args: Any) -> Any:
        rows.update(self.psa.contacts)
        return right(self, *args)

    def write(right: Any, self: vendors.Psa, contact: str, value: Any) -> None:
        if contact in rows:
            self.contacts[contact] = replace(rows[contact], consent=self.contacts[contact].consent)
        right(self, contact, value)

    return together(
        instead(PsaConnector, "contacts", contacts),
        instead(vendors.Psa, "write", write),
    )


@planted("a person's edit is overlooked")
def _() -> Any:
    return instead(directory, "look", lambda right, before, value: (right(before, value)[0], None))


@planted("opt-ins from before a company's opt-out come back on a move")
def _() -> Any:
    def history(right: Any, memberships: Any, steps: Any) -> Any:
        return right(memberships[-1:], steps)

    return instead(evidence, "history", history)


@planted("the brake is ignored")
def _() -> Any:
    return instead(directory, "company_brake", lambda *_: None)


@planted("no last look before an opt-in leaves")
def _() -> Any:
    return instead(Delivery, "_still_wanted", lambda *_: None)


@planted("what is about to be sent is not noted")
def _() -> Any:
    return instead(Mirror, "sending", lambda right, self, value: self)


@planted("our texts make no reply of theirs")
def _() -> Any:
    return together(
        instead(texts, "outbound_times", lambda *_: []),
        instead(sift.Sifter, "_late_reply", lambda *_: []),
    )


@planted("a held opt-in does not wait for the company")
def _() -> Any:
    def conclude(right: Any, standing: Any, contact: Any, company: Any) -> Any:
        if standing.opted_in and company.now is CompanyState.UNSET:
            company = replace(company, steps=(*company.steps, (company.steps[-1][0], CompanyState.APPROVED)))
        return right(standing, contact, company)

    return instead(policy, "_conclude", conclude)


@planted("a lost approval opts nobody out")
def _() -> Any:
    def effective(right: Any, steps: Any) -> Any:
        return steps[-1].state if steps else CompanyState.UNSET

    from syncd import membership

    def is_opt_out(right: Any, steps: Any, state: CompanyState) -> bool:
        return state is CompanyState.OPTED_OUT

    return together(
        instead(membership, "effective_state", effective), instead(membership, "is_opt_out", is_opt_out)
    )


@planted("an opt-in overtakes what was texted while syncd was down")
def _() -> Any:
    return instead(Engine, "_opt_ins_ready", lambda *_: True)


@planted("an opt-in reaches everybody who shares the number")
def _() -> Any:
    return instead(evidence, "_shared_numbers", lambda *_: set())


@planted("opt-ins of the history take effect without a look")
def _() -> Any:
    def dated(right: Any, *args: Any) -> Any:
        return replace(right(*args), doubt=None)

    return instead(sift.Sifter, "_dated", dated)


@planted("an unclear text does not hold up a tacit opt-in")
def _() -> Any:
    return instead(policy, "_unclear", lambda *_: frozenset())


@planted("what nobody's number texted is forgotten")
def _() -> Any:
    def entries(right: Any, self: Any, connection: Any, line: Any, theirs: str, *rest: Any) -> Any:
        owned = mirror.known_contacts(connection).values()
        known = any(theirs in one.contact.numbers for one in owned)
        return right(self, connection, line, theirs, *rest) if known else []

    return instead(sift.Sifter, "entries", entries)


@planted("an opt-out leaves inactive contacts out")
def _() -> Any:
    def conclude(right: Any, standing: Any, contact: Any, company: Any) -> Any:
        verdict = right(standing, contact, company)
        return verdict if contact.active else replace(verdict, desired=None)

    return instead(policy, "_conclude", conclude)


@planted("a batch whose commit fails stays in flight")
def _() -> Any:
    def pick(right: Any, self: Delivery, one_lane: Lane, due: Any) -> Any:
        picked = right(self, one_lane, due)
        stuck.update(one.id for one in picked)
        return picked

    def write(right: Any, self: Delivery, batch: Any) -> Any:
        stuck.difference_update(one.id for one in batch)
        return right(self, batch)

    def is_due(right: Any, self: Delivery, one: Any) -> bool:
        return one.id not in stuck and right(self, one)

    stuck: set[str] = set()
    return together(
        instead(Delivery, "_pick", pick),
        instead(Delivery, "_write", write),
        instead(Delivery, "_is_due", is_due),
        instead(Delivery, "__init__", lambda right, *a, **k: (stuck.clear(), right(*a, **k))[1]),
    )


@planted("an inbound opt-in lifts an opt-out of the company")
def _() -> Any:
    def conclude(right: Any, standing: Any, contact: Any, company: Any) -> Any:
        if standing.opted_in and company.now is CompanyState.OPTED_OUT:
            company = replace(company, steps=((company.steps[0][0], CompanyState.APPROVED),))
        return right(standing, contact, company)

    return instead(policy, "_conclude", conclude)


@planted("an opt-out that was decided in review is not one")
def _() -> Any:
    def intent(right: Any, text: Any) -> Any:
        return right(text) if text.decision != "opt_out" else text.intent

    return instead(policy, "_intent", intent)


@planted("an opt-in is written over what was just read")
def _() -> Any:
    return instead(vendors, "overtaken", lambda right, *_: False)


@planted("while a write is under way no edit is believed")
def _() -> Any:
    def look(right: Any, before: Any, value: Any) -> Any:
        after, edit = right(before, value)
        return (after, None) if before is not None and before.pending is not None else (after, edit)

    return together(instead(directory, "look", look), instead(delivery, "look", look))


@planted("an opt-in by staff counts as made when it was seen")
def _() -> Any:
    def known(connection: Any, contact: Any, *, met: bool) -> int:
        return ledger.head(connection).seq

    return patch.object(directory.Directory, "_known_to_staff", staticmethod(known))


@contextlib.contextmanager
def planting(name: str) -> Iterator[None]:
    """The product with this bug."""
    with MUTANTS[name]():
        yield
