"""Stand-ins for the engine's neighbours, in memory: a clock, PrimeVOX, a PSA. The store is the real one."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from pydantic import SecretStr

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
    Shell,
    Traits,
    refused,
)
from syncd.engine import Engine, Setup
from syncd.http import before_sending
from syncd.keywords import Vocabulary
from syncd.model import Company, CompanyState, Consent, Contact, Direction, Message, PhoneNumber, Rules
from syncd.plan import BrakeLimits
from syncd.primevox import Line, Listed, Rejected, Thread
from syncd.sift import IntakeSettings
from syncd.store import ledger
from syncd.store.database import Database, open_writing

START = datetime(2026, 3, 2, 15, 0, 0, tzinfo=UTC)
POLL = 30.0
IN, OUT = Consent.OPTED_IN, Consent.OPTED_OUT
APPROVED, COMPANY_OUT, UNSET = CompanyState.APPROVED, CompanyState.OPTED_OUT, CompanyState.UNSET
OURS = PhoneNumber("+12025550100")
OURS_TOO = PhoneNumber("+12025550109")
ANN, BOB, CY, DEE = (PhoneNumber(f"+120255501{last}") for last in ("10", "11", "12", "13"))


class FakeClock(Clock):
    """Time that passes only when a test, or somebody's sleep, makes it pass."""

    def __init__(self) -> None:
        super().__init__()
        self.wall = START
        self.ticks = 1000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks

    def sleep(self, seconds: float) -> bool:
        self.advance(max(0.0, seconds))
        return self.stopping

    def advance(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.ticks += seconds


@dataclass
class FakeLog:
    """Keeps what was logged as (level, event, facts)."""

    lines: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def __getattr__(self, level: str) -> Callable[..., None]:
        if level not in ("debug", "info", "warning", "error"):
            raise AttributeError(level)
        return lambda event, **facts: self.lines.append((level, event, facts))

    def events(self, level: str | None = None) -> list[str]:
        return [event for at, event, _ in self.lines if level in (None, at)]

    def alerts(self) -> list[str]:
        return [event for _, event, facts in self.lines if facts.get("alert")]


class FakePrimeVox:
    """Conversations by line and id. The list shows the date of the last message in whole seconds, no more."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.threads: dict[tuple[str, str], list[Message]] = {}
        self.parties: dict[tuple[str, str], str] = {}
        self.reads: list[str] = []
        self.listings = 0
        self.list_error: dict[str, Exception] = {}
        self.thread_error: dict[str, Exception] = {}
        self.hidden: set[str] = set()
        self.rejected: dict[str, Rejected] = {}
        self.frozen_markers = False  # the list no longer shows that something came
        self._markers: dict[tuple[str, str], str] = {}
        self._count = 0

    def text(
        self,
        theirs: str,
        words: str,
        *,
        ago: float = 0.0,
        line: str = OURS,
        outbound: bool = False,
        direction: Direction | None = None,
        at: datetime | None = None,
        undated: bool = False,
        conversation: str | None = None,
    ) -> str:
        """A text between a party and one of our lines, `ago` seconds ago; returns its message id."""
        self._count += 1
        key = (line, conversation or f"c{theirs[-4:]}")
        way = direction or (Direction.OUTBOUND if outbound else Direction.INBOUND)
        sent = None if undated else (at or self.clock.wall - timedelta(seconds=ago)).replace(microsecond=0)
        message = Message(key[1], f"m{self._count:05}", theirs, way, sent, words)
        self.threads.setdefault(key, []).append(message)
        self.parties[key] = theirs
        return message.id

    def marker(self, key: tuple[str, str]) -> str:
        if not (self.frozen_markers and key in self._markers):
            dates = [message.sent_at for message in self.threads[key] if message.sent_at]
            self._markers[key] = max(dates).isoformat() if dates else "?"
        return self._markers[key]

    def listing(self, line: Line) -> FakeListing:
        self.listings += 1
        if line.number in self.list_error:
            raise self.list_error[line.number]
        return FakeListing(
            {
                key[1]: Listed(key[1], self.parties[key], self.marker(key))
                for key in sorted(self.threads)
                if key[0] == line.number and key[1] not in self.hidden
            }
        )

    def thread(self, line: Line, listed: Listed) -> Thread:
        self.reads.append(listed.id)
        if listed.id in self.thread_error:
            raise self.thread_error[listed.id]
        found = self.threads[(line.number, listed.id)]
        messages = sorted(found, key=lambda one: (one.sent_at is None, one.sent_at or START, one.id))
        bad = self.rejected.get(listed.id)
        return Thread(tuple(messages), (bad,) if bad else (), None)

    def reads_of(self, job: Callable[[], Any]) -> list[str]:
        """The conversations that a piece of work reads."""
        before = len(self.reads)
        job()
        return self.reads[before:]


class FakeListing:
    """What the list showed at one moment."""

    def __init__(self, found: dict[str, Listed]) -> None:
        self._found = found
        self.digest = hashlib.sha256(repr(found).encode()).hexdigest()

    def conversations(self) -> tuple[dict[str, Listed], tuple[str, ...]]:
        return dict(self._found), ()


class NoSettings(Settings):
    """Nothing to set."""


class FakePsa(Connector):
    """A PSA in memory that keeps the contract of `syncd.connector`.

    `written` is every value that it took, in order; `on_write` runs just before a request would leave.
    """

    name: ClassVar[str] = "fake"
    settings_model: ClassVar[type[Settings]] = NoSettings
    traits: ClassVar[Traits] = Traits(batch=5)

    def __init__(self, settings: Any = None, shell: Shell | None = None, *, batch: int = 5) -> None:
        self.traits = Traits(batch=batch)  # type: ignore[misc]
        self.company: dict[str, Company] = {}
        self.people: dict[str, Contact] = {}
        self.written: list[tuple[str, Consent]] = []
        self.asked: list[str] = []
        self.calls: list[str] = []
        self.refuses: dict[str, str] = {}
        self.fails: dict[str, Callable[[], Exception]] = {}
        self.down: Exception | None = None
        self.silent: set[str] = set()
        self.on_write: Callable[[Change], None] = lambda change: None
        self.after_list: Callable[[], None] = lambda: None

    # what a test arranges, and what it looks at

    def add_company(self, company: str, state: CompanyState = APPROVED) -> None:
        self.company[company] = Company(company, f"Company {company}", state)

    def add(
        self,
        contact: str,
        *numbers: str,
        company: str | None = "1",
        shown: Consent | None = None,
        active: bool = True,
    ) -> None:
        own = tuple(PhoneNumber(number) for number in numbers)
        self.people[contact] = Contact(contact, company, f"Person {contact}", own, active, shown)

    def edit(self, contact: str, **values: Any) -> None:
        self.people[contact] = replace(self.people[contact], **values)

    def shows(self, contact: str) -> Consent | None:
        return self.people[contact].consent

    # the contract

    def check(self) -> Report:
        return Report(())

    def _reach(self, what: str) -> None:
        self.calls.append(what)
        if self.down:
            raise self.down

    def companies(self) -> Iterator[Company]:
        self._reach("companies")
        yield from list(self.company.values())

    def contacts(self, company: str | None = None, changed_since: datetime | None = None) -> Iterator[Contact]:
        self._reach(f"contacts {company}")
        found = [one for one in self.people.values() if company is None or one.company_id == company]
        yield from found
        self.after_list()

    def write(self, changes: Iterable[Change]) -> Iterator[tuple[str, Outcome]]:
        stream = iter(changes)
        while batch := list(islice(stream, self.traits.batch)):
            self._reach("write")
            for change in batch:
                self.asked.append(change.contact_id)
                if len(self.asked) > 300:
                    raise AssertionError("writes without end")
                if change.contact_id not in self.silent:
                    yield change.contact_id, self._one(change)

    def _one(self, change: Change) -> Outcome:
        if change.contact_id not in self.people:
            return GONE
        if change.contact_id in self.fails:
            error = self.fails[change.contact_id]()
            raise error
        shown = self.shows(change.contact_id)
        if shown is change.consent:
            return ALREADY
        if shown is OUT and change.consent is IN and change.shown is not OUT:
            return CHANGED
        self.on_write(change)
        guard = before_sending.get()
        if guard:
            guard()
        if change.contact_id in self.refuses:
            return refused(self.refuses[change.contact_id])
        self.edit(change.contact_id, consent=change.consent)
        self.written.append((change.contact_id, change.consent))
        return APPLIED


_TEMPLATE: list[Path] = []


def fresh_database(path: Path) -> str:
    """The URL of a new, migrated database; migrating once and copying saves most of the time."""
    if not _TEMPLATE:
        made = Path(tempfile.mkdtemp()) / "template.db"
        open_writing(f"sqlite:///{made}").close()
        _TEMPLATE.append(made)
    if not path.exists():
        shutil.copy(_TEMPLATE[0], path)
    return f"sqlite:///{path}"


class World:
    """An MSP with its PrimeVOX, its PSA, one database and the engine between them."""

    def __init__(
        self,
        folder: Path,
        *,
        lines: Sequence[PhoneNumber] = (OURS,),
        rules: Rules = Rules(),  # noqa: B008  frozen
        review_history: bool = True,
        sweep: timedelta = timedelta(hours=24),
        brake: BrakeLimits = BrakeLimits(),  # noqa: B008
        batch: int = 5,
    ) -> None:
        self.clock = FakeClock()
        self.vox = FakePrimeVox(self.clock)
        self.psa = FakePsa(batch=batch)
        self.log = FakeLog()
        self.lines = tuple(Line(number, "100200", SecretStr("key")) for number in lines)
        intake = IntakeSettings(
            timedelta(seconds=POLL), sweep, rules.tacit.quiet_period, review_history, Vocabulary()
        )
        self.setup = Setup(self.lines, rules, intake, brake)
        self.url = fresh_database(folder / "state.db")
        self.database: Database | None = None
        self.open()

    def open(self) -> None:
        """Start the program on its database."""
        self.db = self.database = open_writing(self.url)
        with self.db._engine.connect() as connection:  # no test of ours pulls the plug
            connection.connection.driver_connection.execute("PRAGMA synchronous=OFF")  # type: ignore[union-attr]
        source: Any = self.vox
        self.engine = Engine(self.db, source, self.psa, self.clock, self.log, self.setup)
        self.engine.start()

    def restart(self) -> None:
        """End the program as it stands and start it again; only the database is kept."""
        self.close()
        self.open()

    def close(self) -> None:
        if self.database:
            self.database.close()
            self.database = None

    def step(self, seconds: float = POLL) -> None:
        """Time passes, then everything is done once, as the daemon does it."""
        self.clock.advance(seconds)
        self.engine.refresh_directory()
        self.engine.watch_companies()
        self.poll()
        self.deliver()

    def steps(self, count: int, seconds: float = POLL) -> None:
        for _ in range(count):
            self.step(seconds)

    def poll(self) -> None:
        for line in self.lines:
            self.engine.poll(line)

    def look(self) -> None:
        """Read the PSA, and time passes."""
        self.clock.advance(1)
        self.engine.refresh_directory()
        self.engine.watch_companies()

    def deliver(self) -> None:
        from syncd.plan import Lane

        self.engine.deliver((Lane.OPT_OUT,))
        self.engine.deliver((Lane.CASCADE, Lane.OPT_IN))

    # what the store shows

    def status(self) -> dict[str, Any]:
        from syncd.store import overview

        with self.db.begin() as connection:
            return overview.status(connection)

    def review(self) -> list[dict[str, Any]]:
        from syncd.store import overview

        with self.db.begin() as connection:
            return overview.review_queue(connection)

    def ledger(self, kind: str | None = None) -> list[dict[str, Any]]:
        with self.db.begin() as connection:
            return [entry for entry, _, _ in ledger.entries(connection) if kind in (None, entry["kind"])]

    def intact(self) -> bool:
        with self.db.begin() as connection:
            return not ledger.verify(connection)[1]
