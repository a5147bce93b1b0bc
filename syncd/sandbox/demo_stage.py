"""Where the demo is played: the daemon's own loops between the PrimeVOX stand-in and CSV files in a folder."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from syncd import account, daemon
from syncd.clock import Clock
from syncd.config import Config, load
from syncd.loops import Loops, Pulse
from syncd.model import PhoneNumber, phone_numbers
from syncd.sandbox.demo_story import Approval, Event, Joins, Outcome, Person, Story, Texts, WeText
from syncd.sandbox.primevox import ContainerSpec, PrimeVoxServer
from syncd.store import mirror, overview
from syncd.store.database import open_writing
from syncd.store.times import stamp

# Seconds for the whole day; a pass over everything takes one. What is not done by then has failed.
PATIENCE = 10.0

CONTAINER, KEY = "100200", "demo-key+/="  # a key that needs URL encoding, as real ones do
COMPANIES = ("id", "name", "sms_approval")
CONTACTS = ("id", "company_id", "name", "mobile", "phone", "active", "sms_opt_in")
STATES = {"Approved": "approved", "Opted-Out": "opted_out", "": "unset"}

CONFIG = """\
primevox:
  base_url: {base_url}
  api_key: {secret}
  poll_interval: 1s
  requests_per_second: 100
  containers:
    - id: "{container}"
      numbers: ["{number}"]
psa:
  connector: local
  company_poll_interval: 1s
  directory_refresh_interval: 1s
  settings: {{path: {folder}}}
store: {{url: "sqlite:///state.db"}}
"""


class TooLate(Exception):
    """Something did not happen in time; the text says what."""


class StoryClock(Clock):
    """Shows the time of day of the story and ticks on from there. Intervals and deadlines run in real time."""

    def __init__(self, when: datetime) -> None:
        super().__init__()
        self._set = (when, self.monotonic())

    def now(self) -> datetime:
        """The time of the story."""
        when, since = self._set
        return when + timedelta(seconds=self.monotonic() - since)

    def turn_to(self, at: str) -> None:
        """Set the clock to HH:MM of the day; never back."""
        hours, minutes = map(int, at.split(":"))
        when = self.now().replace(hour=hours, minute=minutes, second=0, microsecond=0)
        self._set = (max(when, self.now()), self.monotonic())


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of one person: the value in the CSV file, and the account of it."""

    psa: str
    clause: str
    reason: str
    held: bool
    review: str | None

    def is_as(self, expected: Outcome | None) -> bool:
        """Whether it is what the story demands."""
        return expected == Outcome(self.psa, self.clause, self.held, self.review is not None)

    def words(self) -> str:
        """The value, and what waits."""
        value = {"Opted-In": "is opted in", "Opted-Out": "is opted out"}.get(self.psa, "is left alone")
        if self.psa and self.clause == "3.1.2":
            value = f"is left alone: {self.psa}, without evidence"
        held = ", the opt-in is held" if self.held else ""
        review = ", a person must read the text" if self.review else ""
        return value + held + review


class Stage:
    """The daemon at work between the PrimeVOX stand-in and the CSV files, and the hands that play the story."""

    def __init__(self, story: Story, folder: Path, running: ExitStack) -> None:
        self.folder, self.people = folder, {person.id: person for person in story.people}
        self._our_number = story.our_number
        self.clock = StoryClock(Clock().now().replace(hour=0, minute=0))
        self.clock.turn_to(story.begins)
        self._began = self.clock.monotonic()
        container = ContainerSpec(api_key=KEY, numbers=[story.our_number])
        self.primevox = running.enter_context(PrimeVoxServer({CONTAINER: container}, clock=self.clock.now))
        self._texted: dict[str, int] = {}
        self._write("companies.csv", COMPANIES, [(one.id, one.name, one.approval) for one in story.companies])
        self._write("contacts.csv", CONTACTS, [_row(person) for person in story.people])
        self.config = self._configure(folder)
        log = running.enter_context(_logging_into(folder / "syncd.log", self.config))
        self.database = open_writing(self.config.store.url)
        running.callback(self.database.close)
        self._start(running, log)

    def _configure(self, folder: Path) -> Config:
        secret = folder / "primevox_api_key"
        secret.touch(mode=0o600)
        secret.write_text(KEY + "\n")
        text = CONFIG.format(
            base_url=self.primevox.base_url,
            secret=json.dumps(f"${{file:{secret}}}"),
            folder=json.dumps(str(folder)),
            container=CONTAINER,
            number=self._our_number,
        )
        path = folder / "syncd.yaml"
        path.write_text(text)
        return load(path)

    def _start(self, running: ExitStack, log: Any) -> None:
        """The daemon's loops, as `syncd run` runs them."""
        pulse = Pulse(self.clock)
        assembly = daemon.assemble(self.config, self.database, self.clock, log, pulse)
        running.callback(assembly.close)
        loops = Loops(
            assembly.engine,
            self.clock,
            log,
            pulse,
            concurrency=self.config.primevox.max_concurrency,
            company_interval=self.config.psa.company_poll_interval.total_seconds(),
            directory_interval=self.config.psa.directory_refresh_interval.total_seconds(),
        )
        assembly.engine.start()
        running.callback(loops.join, 2.0)
        running.callback(self.clock.stop)
        loops.start()

    # --- what people do ----------------------------------------------------------------------------------

    def play(self, event: Event) -> None:
        """Let one thing of the story happen, at its time."""
        self.clock.turn_to(event.at)
        match event:
            case Texts() | WeText():
                text = self.primevox.receive if isinstance(event, Texts) else self.primevox.send
                number = number_of(self.people[event.person])
                text(self._our_number, number, event.words)
                conversation = self.primevox.conversation_id(self._our_number, number)
                self._texted[conversation] = len(self.primevox.requests)
            case Approval():
                rows = self._read("companies.csv")
                changed = [
                    row | {"sms_approval": event.value} if row["id"] == event.company else row for row in rows
                ]
                self._write("companies.csv", COMPANIES, [tuple(row.values()) for row in changed])
            case Joins():
                self.people[event.person.id] = event.person
                rows = self._read("contacts.csv")
                self._write("contacts.csv", CONTACTS, [*(row.values() for row in rows), _row(event.person)])

    def _read(self, name: str) -> list[dict[str, str]]:
        with (self.folder / name).open(newline="") as file:
            return list(csv.DictReader(file))

    def _write(self, name: str, header: Sequence[str], rows: Sequence[Any]) -> None:
        """Replace a file in one step, as careful editors do."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *rows])
        fresh = self.folder / f"{name}.new"
        fresh.write_text(text.getvalue())
        fresh.replace(self.folder / name)

    # --- what came of it ---------------------------------------------------------------------------------

    def settle(self) -> None:
        """Wait until the daemon has seen everything and has nothing left to do. Raises TooLate."""
        left = max(0.0, PATIENCE - self.seconds())
        if not self.primevox.wait_until(lambda: not self._missing(), left):
            raise TooLate("; ".join(self._missing()) or "the last thing was done a moment too late")

    def seconds(self) -> float:
        """How long the day has taken."""
        return self.clock.monotonic() - self._began

    def _missing(self) -> list[str]:
        """What the daemon has not done yet. Nothing here depends on what the outcome should be."""
        reads = self.primevox.requests_to("/conversation$")
        with self.database.begin() as connection:
            status = overview.status(connection)
            companies = {one.id: one.state.value for one in mirror.known_companies(connection).values()}
            contacts = mirror.known_contacts(connection).keys()
        passed = max((one["last_good_pass"] or "" for one in status["numbers"]), default="")
        missing = [] if passed else ["PrimeVOX was not read"]
        for conversation, before in self._texted.items():
            read = [
                one
                for one in reads
                if one.number > before and one.query.get("conversationID") == conversation and one.status == 200
            ]
            if not read or passed < stamp(read[0].at):
                missing.append(f"conversation {conversation} was not read to its end")
        missing += [
            f"the approval of {row['name']} was not seen"
            for row in self._read("companies.csv")
            if companies.get(row["id"]) != STATES[row["sms_approval"]]
        ]
        missing += [f"contact {one} was not seen" for one in self.people if one not in contacts]
        if status["pending"] or status["stale"]:
            missing.append(f"{status['pending'] + status['stale']} contacts are not settled")
        return missing

    def approvals(self) -> dict[str, str]:
        """What the PSA's file says of each company."""
        return {row["id"]: row["sms_approval"] for row in self._read("companies.csv")}

    def look(self) -> dict[str, Found]:
        """Everybody as the PSA's file shows them, with the account's reason."""
        shown = {row["id"]: row["sms_opt_in"] for row in self._read("contacts.csv")}
        found: dict[str, Found] = {}
        with self.database.begin() as connection:
            queue = {item["number"]: item["why"] for item in overview.review_queue(connection)}
            for person in self.people.values():
                number = number_of(person)
                told = account.explain(connection, number, self.config.rules())["contacts"]
                one = next((one for one in told if one["id"] == person.id), None) or _UNKNOWN
                psa = shown.get(person.id, "(no row)")
                found[person.id] = Found(psa, one["clause"], one["reason"], one["held"], queue.get(number))
        return found

    def troubles(self, expected: Mapping[str, Outcome]) -> list[str]:
        """What `syncd status` shows that it should not at the end of the day."""
        with self.database.begin() as connection:
            status = overview.status(connection)
        outcomes = expected.values()
        wanted: dict[str, Any] = {"pending": 0, "parked": [], "brake": None}
        wanted |= {"held": sum(one.held for one in outcomes), "review": sum(one.review for one in outcomes)}
        troubles = [f"{one['number']}: {one['error']}" for one in status["numbers"] if one["error"]]
        return troubles + [
            f"status shows {key}: {status[key]}, expected {value}"
            for key, value in wanted.items()
            if status[key] != value
        ]


_UNKNOWN: dict[str, Any] = {"clause": "none", "reason": "the daemon does not know this contact", "held": False}


def number_of(person: Person) -> PhoneNumber:
    """The number of a person as E.164."""
    return phone_numbers(person.mobile)[0]


def _row(person: Person) -> tuple[str, ...]:
    return (person.id, person.company, person.name, person.mobile, "", "true", person.opt_in)


@contextmanager
def _logging_into(path: Path, config: Config) -> Iterator[Any]:
    """Logs as configured, but into a file; afterwards as before."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    with path.open("w") as file:
        log = daemon.set_up_logs(config)
        for handler in root.handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(file)
        try:
            yield log
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
