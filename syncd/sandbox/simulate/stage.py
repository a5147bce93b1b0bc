"""The world of one seed: time, vendors, database and the real engine; it carries out what the story says."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from syncd.clock import Clock
from syncd.desk import NotDone, carry_out
from syncd.engine import LANES, Engine, Setup
from syncd.errors import StoreUnavailable, SyncdError, Transient
from syncd.keywords import Vocabulary, read
from syncd.model import Consent, PhoneNumber, Rules, TacitRules
from syncd.plan import BrakeLimits, Lane
from syncd.primevox import Line, PrimeVox
from syncd.sandbox.simulate.chance import Chance
from syncd.sandbox.simulate.story import LINES, Event, Story
from syncd.sandbox.simulate.vendors import Psa, PsaConnector, Record, Sent, Vox
from syncd.sift import IntakeSettings
from syncd.store import ledger, overview
from syncd.store.database import Connection, Database

IN, OUT = Consent.OPTED_IN, Consent.OPTED_OUT
BEGIN = datetime(2026, 3, 2, 15, 0, 0, tzinfo=UTC)
HISTORY = 100_000.0  # seconds between the opening and the first start of the daemon
POLL = 30.0
SWEEP = timedelta(hours=24)
BRAKE = BrakeLimits(companies=2, contacts=4)
QUIET = timedelta(hours=24)

# A clock that is wrong by as much, and right again.
CLOCK_STEPS = (timedelta(days=-1), timedelta(hours=-2), timedelta(minutes=-1), timedelta(hours=2), timedelta(0))

# The same few words are read again and again.
reader = functools.cache(read)

POLLS = tuple(f"poll {line}" for line in LINES)
MEANWHILE = ("contacts", "companies", *POLLS, *POLLS, *POLLS, *("urgent", "delivery") * 3)
PIECES = ("contacts", "companies", *POLLS, "urgent", "delivery")


class Killed(BaseException):
    """The process ends here."""


class Broken(BaseException):
    """Something that must hold does not: the seed has failed. `law` is its letter in `judge`; z: a defect."""

    def __init__(self, law: str, what: str) -> None:
        super().__init__(f"({law}) {what}")


class Time(Clock):
    """Time that passes only when the world says so; the wall clock may be wrong, the other never."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0
        self.wrong_by = timedelta(0)

    def true(self) -> datetime:
        """The time that everybody else has."""
        return BEGIN + timedelta(seconds=self.passed)

    def now(self) -> datetime:
        """The wall clock of our machine."""
        return self.true() + self.wrong_by

    def monotonic(self) -> float:
        """Seconds on the clock that nobody can set."""
        return 1000.0 + self.passed

    def sleep(self, seconds: float) -> bool:
        """Let time pass."""
        self.passed += max(0.0, seconds)
        return False


class MemoryDatabase(Database):
    """The real store in memory. A process that is killed loses what it had not committed, as with a file."""

    def __init__(self) -> None:
        super().__init__("sqlite://")
        self.point: Callable[[str], None] = lambda _: None
        self.migrate()
        self._fresh = self._raw().serialize()

    def renew(self) -> None:
        """An empty database."""
        self._raw().deserialize(self._fresh)

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction with a point before and a point after its commit."""
        with super().begin() as connection:
            yield connection
            self.point("commit")
        self.point("committed")

    def _raw(self) -> Any:
        return self._engine.raw_connection().driver_connection


class Log:
    """Keeps what the log says of defects: nothing may be our bug."""

    def __init__(self) -> None:
        self.defects: list[BaseException] = []

    def info(self, _event: str, **facts: Any) -> None:
        """Look at one line."""
        if isinstance(error := facts.get("exc_info"), BaseException):
            self.defects.append(error)

    debug = warning = error = info


class Stage:
    """One world. `healing`: re-reads and the sweep are on, and texts may come late, which only they can find."""

    def __init__(self, story: Story, chance: Chance, database: MemoryDatabase, *, healing: bool) -> None:
        self.story = story
        self.chance = chance
        self.healing = healing
        self.clock = Time()
        self.log = Log()
        self.psa = Psa(self)
        self.vox = Vox(self, self.clock)
        self.connector = PsaConnector(self.psa)
        self.database = database
        self.database.point = self._at_commit
        self.database.renew()
        rules = Rules(TacitRules(after_opt_out=story.after_opt_out, quiet_period=QUIET), story.staff_opt_in)  # type: ignore[arg-type]
        sweep = SWEEP if healing else timedelta(days=36_500)
        intake = IntakeSettings(
            timedelta(seconds=POLL),
            sweep,
            QUIET,
            review_history=True,
            vocabulary=Vocabulary(),
            rereads=healing,
            read=reader,
        )
        lines = tuple(Line(number, "100200", SecretStr("key")) for number in LINES)
        self.setup = Setup(lines, rules, intake, BRAKE)
        self.engine: Engine
        self.witness: Callable[[str, bool | None], None] = lambda *_: None
        self.decisions: dict[int, str] = {}
        self.kills = 0
        self.begun = self.clock.true()  # when this process started
        self._outages: dict[str, float] = {}
        self._meanwhile: list[Event] = []
        self._active: set[str] = set()
        self._jobs: dict[str, Callable[[], Any]] = {}
        self._just_started = False

    # --- what the vendors and the database ask of the world ----------------------------------------------

    def true_now(self) -> datetime:
        """The vendors' clock."""
        return self.clock.true()

    def recorded(self) -> int:
        """Where the ledger ends."""
        if not self._jobs:  # nothing was ever started
            return 0
        with self.undisturbed() as connection:
            return ledger.head(connection).seq

    def call(self, service: str) -> None:
        """A request is on its way."""
        self.clock.passed += self.chance.latency()
        self._point()
        if len(self._active) == 1 and self._meanwhile and self.chance.dice.random() < 0.3:
            self.happens(self._meanwhile.pop())
        self._others()
        if self.clock.passed < self._outages.get(service, 0.0) and not self.chance.calm:
            self.chance.hits["call in an outage"] += 1
            raise Transient("no connection to the service")

    def second_thought(self, numbers: tuple[PhoneNumber, ...]) -> None:
        """The person opts out, and the text is read, just before our opt-in leaves."""
        if numbers and self.chance.strikes("second thought"):
            place = self.chance.dice.randrange(len(LINES))
            self.clock.passed += 1.0
            self._text(LINES[place], self.chance.dice.choice(numbers), "opt_out", "STOP")
            self.run(POLLS[place])

    def staff_acts(self, contact: str) -> None:
        """Somebody sets the opt-in field just before we look at it in order to write."""
        if contact in self.psa.contacts and self.chance.strikes("staff acts as well"):
            self._edit(contact, consent=self.chance.dice.choice((OUT, OUT, IN, None)))

    def acted(self) -> None:
        """The service has acted; the answer is on its way back."""
        self._point()
        self._others()

    def _others(self) -> None:
        """Another thread works while this one waits."""
        if len(self._active) == 1 and self.chance.strikes("other thread"):
            self.run(self.chance.dice.choice(MEANWHILE))

    def _at_commit(self, where: str) -> None:
        if where == "commit" and self.chance.strikes("disk full"):
            raise StoreUnavailable("the database refused: database or disk is full")
        self._point()

    def _point(self) -> None:
        if self.chance.strikes("killed"):
            self.kills += 1
            raise Killed

    # --- the daemon --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the daemon on its database; whatever it kept in memory is gone."""
        self._active.clear()
        while True:
            try:
                source = PrimeVox(self.vox, "http://127.0.0.1", frozenset(LINES))
                self.engine = Engine(self.database, source, self.connector, self.clock, self.log, self.setup)
                self.engine.start()
            except (Killed, StoreUnavailable):
                continue
            self.begun = self.clock.true()
            self._jobs = self._all_jobs(self.engine)
            return

    def work(self, pieces: Sequence[str]) -> None:
        """Each piece of work once; killed, the daemon is started again."""
        for piece in pieces:
            try:
                self.run(piece)
            except Killed:
                self.start()
        if self.log.defects:
            raise Broken("z", f"a defect: {self.log.defects[0]!r}") from self.log.defects[0]

    def run(self, piece: str) -> None:
        """One piece of work, unless it is being done already: each has one thread."""
        if piece in self._active:
            return
        self._active.add(piece)
        self.witness(piece, None)
        try:
            worked = self._jobs[piece]()
        except SyncdError:  # the loop logs it and goes on
            worked = False
        self._active.discard(piece)
        self.witness(piece, worked is True)

    def _all_jobs(self, engine: Engine) -> dict[str, Callable[[], Any]]:
        polls = {name: lambda line=line: engine.poll(line) for name, line in zip(POLLS, engine.setup.lines)}  # noqa: B905
        return {
            "contacts": engine.refresh_directory,
            "companies": engine.watch_companies,
            "urgent": lambda: self._deliver(engine.urgent_work, (Lane.OPT_OUT,)),
            "delivery": lambda: self._deliver(engine.work, (Lane.CASCADE, Lane.OPT_IN)),
            **polls,
        }

    def _deliver(self, work: Any, lanes: tuple[Lane, ...]) -> None:
        """As the daemon's loops do it: when there may be work, or something failed before."""
        failed = any(self.engine.psa_health[LANES[lane]].error for lane in lanes)
        if self.engine.next_delivery() < 30.0 or work.is_set() or failed:
            work.clear()
            self.engine.deliver(lanes)

    # --- what happens ------------------------------------------------------------------------------------

    def open(self) -> None:
        """The world before the daemon is there, and its first start."""
        calm, self.chance.calm = self.chance.calm, True
        for event in self.story.opening:
            self.clock.passed += 60.0
            self.happens(event)
        self.clock.passed = HISTORY
        self.chance.calm = calm
        self.start()

    def moment(self, pause: float, events: Sequence[Event], meanwhile: Sequence[Event]) -> None:
        """Time passes, people act, and the daemon does some of its work."""
        dice = self.chance.dice
        self.clock.passed += pause
        if self.chance.strikes("clock set"):
            self.clock.wrong_by = dice.choice(CLOCK_STEPS)
        for event in events:
            self.happens(event)
        self._meanwhile = list(meanwhile)
        pieces = [*POLLS, "urgent", "delivery"]
        pieces += [piece for piece in ("contacts", "companies") if dice.random() < 0.5]
        if dice.random() < 0.5:
            dice.shuffle(pieces)
        if self._just_started:  # whatever waited is written as soon as it can be
            pieces = ["urgent", "delivery", *pieces]
            self._just_started = False
        self.work(pieces)
        for event in self._meanwhile:
            self.happens(event)
        self._meanwhile = []

    def calm_down(self) -> None:
        """All faults end."""
        self.chance.calm = True
        self.clock.wrong_by = timedelta(0)
        self.psa.renamed = False
        self.psa.refuses.clear()

    def happens(self, event: Event) -> None:
        """Carry out one event of the story."""
        getattr(self, "_" + event.what.replace(" ", "_").lower())(*event.args)

    def _text(self, line: Any, theirs: Any, meant: str, words: str) -> None:
        conversation = f"{line[-2:]}{theirs[-2:]}"
        before = self.vox.by_line.get(line[2:], {}).get(conversation, [])
        last = max((text.at for text in before), default=BEGIN - timedelta(days=1))
        at = self.clock.true().replace(microsecond=0)
        visible = self.clock.true()
        if not self.healing:  # without re-reads a text is found only if it moves what the list shows
            at = visible = max(at, last + timedelta(seconds=1))
        elif self.chance.strikes("late text"):
            visible += timedelta(seconds=self.chance.dice.choice((1, 5, 40, 600, 7200)))
        number = f"m{len(self.vox.texts):04}"
        late = visible - at >= timedelta(seconds=1)
        prompt = at > last and not late
        self.vox.add(Sent(number, conversation, line, theirs, at, words, meant, visible, prompt, late))

    def _ours(self, line: Any, theirs: Any, words: str) -> None:
        self._text(line, theirs, "ours", words)

    def _company(self, company: str, state: Any) -> None:
        self.psa.companies[company] = state

    def _every_company(self, state: Any) -> None:
        self.psa.companies = dict.fromkeys(self.psa.companies, state)

    def _newcomer(self, contact: str, company: str, numbers: Any, consent: Consent | None) -> None:
        self.psa.contacts[contact] = Record(company, numbers)
        self.psa.person(contact, consent=consent)

    def _staff_sets(self, contact: str, consent: Consent | None) -> None:
        self._edit(contact, consent=consent)

    def _moves(self, contact: str, company: str | None) -> None:
        self._edit(contact, company=company)

    def _new_numbers(self, contact: str, numbers: Any) -> None:
        self._edit(contact, numbers=numbers)

    def _is_active(self, contact: str, active: bool) -> None:
        self._edit(contact, active=active)

    def _note(self, contact: str, note: str) -> None:
        self._edit(contact, note=note)

    def _edit(self, contact: str, **values: Any) -> None:
        if contact in self.psa.contacts:
            self.psa.person(contact, **values)

    def _deleted(self, contact: str) -> None:
        self.psa.contacts.pop(contact, None)

    def _outage(self, service: str, seconds: float) -> None:
        self._outages[service] = self.clock.passed + seconds

    def _approval_field_renamed(self, renamed: bool) -> None:
        self.psa.renamed = renamed

    def _psa_refuses(self, contact: str, yes: bool) -> None:
        (self.psa.refuses.add if yes else self.psa.refuses.discard)(contact)

    def _stopped_and_started(self, line: Any, theirs: Any, words: str) -> None:
        self.clock.passed += 1.0
        self._text(line, theirs, "opt_out", words)
        self.clock.passed += 60.0
        self.start()
        self._just_started = True

    def _review(self, which: float, decision: str) -> None:
        with self.undisturbed() as connection:
            waiting = overview.review_queue(connection)
            if waiting:
                seq = waiting[int(which * len(waiting))]["seq"]
                wish = {"do": "review", "seq": seq, "decision": decision, "by": "ann"}
                with contextlib.suppress(NotDone):  # not every text may be decided in every way
                    carry_out(connection, self.clock, wish)
                    self.decisions[seq] = decision
        self.engine.wake()

    def release_brake(self) -> None:
        """An operator looks, and lets go what is held."""
        with self.undisturbed() as connection, contextlib.suppress(NotDone):
            carry_out(connection, self.clock, {"do": "release", "by": "ann"})

    @contextlib.contextmanager
    def undisturbed(self) -> Iterator[Connection]:
        """A look at the database at which nothing strikes."""
        calm, self.chance.calm = self.chance.calm, True
        with self.database.begin() as connection:
            yield connection
        self.chance.calm = calm
