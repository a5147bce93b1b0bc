"""One MSP between stand-ins, whose `syncd` can be ended at any point and whose whole state can be put back."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from kill_office import OFFICES
from killer import Launcher, Point

from syncd import account
from syncd.config import load
from syncd.model import Consent, PhoneNumber
from syncd.sandbox.exchange import Exchange, Request
from syncd.sandbox.faults import Fault
from syncd.sandbox.people import fictional_number
from syncd.sandbox.primevox import PrimeVoxServer
from syncd.store import ledger, overview
from syncd.store.database import open_reading

# In memory where that can be had: a kill leaves there what it leaves on a disk, and a commit costs no disk.
FAST = Path("/dev/shm")

CONTAINER, KEY = "100200", "kill-key+/="
LINES = [fictional_number(0), fictional_number(1)]
NAMES = ("_containers", "_last_conversation_id", "_last_message_id")

# Kinds of ledger entries of which a kill may cost none and repeat none.
EVIDENCE = ("message", "outbound", "company", "staff", "review", "contact", "brake", "rules")

_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

Entry = dict[str, Any]


def person(index: int) -> str:
    """The number of the index-th client."""
    return fictional_number(20 + index)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code (-9: killed), and the points that it passed."""

    code: int
    inside: list[str]
    requests: list[str]
    output: str


@dataclass(frozen=True, slots=True)
class Saved:
    """Everything at one moment: files below the state's folder with their modes, PSA, PrimeVOX, the notes."""

    files: dict[str, tuple[int, bytes]]
    office: Any
    primevox: Any
    notes: dict[str, Any]


@dataclass(slots=True)
class Record:
    """What happened since it was made: writing requests by contact, and what should never have happened."""

    writes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class World:
    """A context manager: it owns its folder, its stand-ins and its fork server."""

    def __init__(self, office: str, *, healing: bool = True, planted: str | None = None) -> None:
        self._base = Path(tempfile.mkdtemp(prefix="syncd-kill-", dir=FAST if os.access(FAST, os.W_OK) else None))
        self.state = self._base / "state"
        self.state.mkdir(mode=0o700)
        self.database = self.state / "state.db"
        self.url = f"sqlite:///{self.database}"
        self._healing, self._planted = healing, planted
        self._journal, self._output = self._base / "journal", self._base / "output"
        self._scratch = self._base / "scratch.db"
        self.office = OFFICES[office](self.state)
        self.desk = self.office.desk
        self.primevox = PrimeVoxServer({CONTAINER: {"api_key": KEY, "numbers": LINES}})
        self.launcher = Launcher()
        self.contacts: dict[str, str] = {}  # name to id
        self.notes: dict[str, Any] = {}
        self.record = Record()
        self._requests: list[str] = []
        self._target: Point | None = None
        self._several = False  # whether several threads of syncd work at the same time
        self._arriving = threading.Lock()

    @property
    def healing(self) -> bool:
        """Whether conversations are read again although nothing says that they changed."""
        return self._healing

    def __enter__(self) -> Self:
        self.launcher.__enter__()
        self.desk.start()
        self.primevox.start()
        for server in (self.primevox, self.desk.wire):
            if server is not None:
                server.faults.add(Fault("kill", self._end), when=self._arrives, times=None)
        self._configure()
        return self

    def __exit__(self, *_: object) -> None:
        self.launcher.__exit__(None, None, None)
        self.primevox.stop()
        self.desk.stop()
        shutil.rmtree(self._base, ignore_errors=True)

    def _configure(self) -> None:
        secrets = self._base / "secrets"
        secrets.mkdir(mode=0o700)

        def hidden(name: str, value: Any) -> Any:
            if not (isinstance(value, str) and ("canary" in value.lower() or value == KEY)):
                return value
            path = secrets / name
            path.touch(mode=0o600)
            path.write_text(value, encoding="utf-8")
            return f"${{file:{path}}}"

        config = {
            "primevox": {
                "base_url": self.primevox.base_url,
                "api_key": hidden("primevox", KEY),
                "poll_interval": "1s",
                "requests_per_second": 100.0,
                # One after the other, so that every run passes the same points in the same order.
                "max_concurrency": 1,
                "containers": [{"id": CONTAINER, "numbers": LINES}],
            },
            "psa": {
                "connector": self.office.connector,
                "company_poll_interval": "1s",
                "directory_refresh_interval": "1s",
                "settings": {name: hidden(name, value) for name, value in self.desk.settings().items()},
            },
            "policy": {"first_run": "review", "brake": {"companies": 1, "contacts": 500}},
            "store": {"url": self.url},
        }
        self.config = self._base / "syncd.yaml"
        self.config.write_text(json.dumps(config), encoding="utf-8")
        self._rules = load(self.config).rules()

    # --- the points that requests are ------------------------------------------------------------------------

    def _arrives(self, request: Request) -> bool:
        """Note a request; whether the process ends at it."""
        with self._arriving:
            self._requests.append(f"{request.method} {request.path}")
            if self.desk.wire is not None and self.desk.is_write(request):
                self._check_write(request)
            target = self._target
            return target is not None and target.what == "request" and target.number == len(self._requests)

    def _end(self, exchange: Exchange) -> None:
        assert self._target is not None
        if self._target.after:
            exchange.answer()
        self.launcher.kill()
        exchange.hang_up()

    def requests(self) -> list[str]:
        """The requests of the command that runs, so far."""
        with self._arriving:
            return list(self._requests)

    def journal(self) -> str:
        """The points inside that the command has passed, a line each."""
        return self._journal.read_text(encoding="utf-8") if self._journal.exists() else ""

    def writes(self) -> Counter[str]:
        """Writing requests so far, by contact."""
        return Counter(self.record.writes)

    def _check_write(self, request: Request) -> None:
        contact, consent = self.office.wanted(request)
        self.record.writes[contact] += 1
        if self._several:
            return  # an opt-out may come between the moment at which an opt-in leaves and this one
        if consent is Consent.OPTED_IN and last_word(self.entries(), contact) != "in":
            self.record.wrong.append(f"opt-in sent for {contact}, whose latest evidence is an opt-out")

    # --- commands --------------------------------------------------------------------------------------------

    def order(self, argv: list[str], *, last: int | None = None, main: bool = False) -> dict[str, Any]:
        """An order for the launcher."""
        return {
            "argv": [*argv, "-c", str(self.config)],
            "folder": str(self.state),
            "journal": str(self._journal),
            "output": str(self._output),
            "last": last,
            "main": main,
            "healing": self._healing,
            "planted": self._planted,
            "rehearsal": False,
        }

    def rehearse(self, argv: list[str]) -> None:
        """A command whole, in the fork server itself, so that its children start faster."""
        self.launcher.rehearse(self.order(argv))
        self.still()

    def start(self, argv: list[str], at: Point | None = None, *, main: bool = False) -> None:
        """Begin a command, to be ended at a point; `finish` must follow."""
        self._journal.unlink(missing_ok=True)
        with self._arriving:
            self._requests, self._target = [], at
            self._several = argv == ["run"]
        last = at.number if at is not None and at.what == "inside" else None
        self.launcher.start(self.order(argv, last=last, main=main))

    def finish(self, seconds: float = 60.0) -> Ended:
        """Wait for the end of the command, and until its last request is dealt with."""
        code = self.launcher.wait(seconds)
        self.still()
        with self._arriving:
            requests, self._target = self._requests, None
        output = self._output.read_text(encoding="utf-8", errors="replace")
        return Ended(code, self.journal().splitlines(), requests, output)

    def command(self, argv: list[str], at: Point | None = None) -> Ended:
        """One command to its end, or to that point."""
        before = self.consents()
        self.start(argv, at)
        ended = self.finish()
        self.record.writes["contacts.csv"] += ended.inside.count("before rename psa/contacts.csv")
        for name, consent in self.consents().items():
            came_in = consent is Consent.OPTED_IN and before[name] is not Consent.OPTED_IN
            if came_in and last_word(self.entries(), self.contacts[name]) != "in":
                self.record.wrong.append(f"{name} came to show opted in; the latest evidence is an opt-out")
        return ended

    def still(self) -> None:
        """Wait until the stand-ins have done with every request."""
        until = time.monotonic() + 10.0
        for server in (self.primevox, self.desk.wire):
            while server is not None and server.in_flight:
                assert time.monotonic() < until, "a request hangs"
                time.sleep(0.001)

    # --- everything, to be put back --------------------------------------------------------------------------

    def save(self) -> Saved:
        """Everything as it is; nothing of syncd runs."""
        paths = [path for path in self.state.rglob("*") if path.is_file()]
        return Saved(
            {str(path.relative_to(self.state)): (path.stat().st_mode, path.read_bytes()) for path in paths},
            self.office.save(),
            copy.deepcopy({name: getattr(self.primevox, name) for name in NAMES}),
            copy.deepcopy(self.notes | {"contacts": self.contacts}),
        )

    def load(self, saved: Saved) -> None:
        """Put it back."""
        shutil.rmtree(self.state)
        self.state.mkdir(mode=0o700)
        for name, (mode, content) in saved.files.items():
            path = self.state / name
            path.parent.mkdir(exist_ok=True, mode=0o700)
            path.write_bytes(content)
            path.chmod(mode & 0o777)
        self.office.load(saved.office)
        for name, value in copy.deepcopy(saved.primevox).items():
            setattr(self.primevox, name, value)
        self.notes = copy.deepcopy(saved.notes)
        self.contacts = self.notes.pop("contacts")
        self.record = Record()

    # --- looking ---------------------------------------------------------------------------------------------

    def consents(self) -> dict[str, Consent | None]:
        """What the PSA shows of each contact, by name."""
        return {name: self.desk.consent_of(contact) for name, contact in self.contacts.items()}

    @contextmanager
    def _copy(self) -> Iterator[sqlite3.Connection]:
        """The database as a restart would find it; looking at a copy leaves it so."""
        for end in ("", "-wal"):
            copied = self._scratch.with_name(self._scratch.name + end)
            copied.unlink(missing_ok=True)
            original = self.database.with_name(self.database.name + end)
            if original.exists():
                shutil.copyfile(original, copied)
        connection = sqlite3.connect(self._scratch)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            yield connection
        finally:
            connection.close()

    def ledger(self) -> list[tuple[Any, ...]]:
        """Every row of the ledger as it is stored."""
        with self._copy() as connection:
            if not _tables(connection):
                return []
            return connection.execute("SELECT * FROM ledger ORDER BY seq").fetchall()

    def entries(self, *, live: bool = False) -> list[Entry]:
        """Every entry of the ledger; `live`: while syncd may be writing to it."""
        with self._reader() if live else self._copy() as connection:
            if not _tables(connection):
                return []
            return [json.loads(row[0]) for row in connection.execute("SELECT body FROM ledger ORDER BY seq")]

    def review_of(self, index: int) -> int:
        """The ledger entry of the text of that person which waits for a decision, or waited."""
        [seq] = [
            entry["seq"]
            for entry in self.entries()
            if entry["kind"] == "message" and entry["number"] == person(index) and entry["intent"] != "opt_out"
        ]
        return int(seq)

    def fingerprint(self, since: str) -> str:
        """All that a restart would find, database, files and PSA, without the dates later than `since`."""
        with self._copy() as connection:
            tables = {name: _rows(connection, name) for name in _tables(connection)}
        files = sorted(str(path.relative_to(self.state)) for path in self.state.rglob("*"))
        files = [name for name in files if not name.endswith(("-wal", "-shm"))]
        everything = json.dumps([tables, files], default=str) + repr(self.office.records())
        return _DATE.sub(lambda found: found[0] if found[0] < since else "later", everything)

    def view(self) -> dict[str, Any]:
        """What must be the same however often syncd was killed: PSA, verdicts, status, evidence, files."""
        entries = self.entries()
        numbers = _numbers(entries)
        labels = {entry["seq"]: _label(entry) for entry in entries}
        database = open_reading(self.url)
        try:
            with database.begin() as connection:
                told = [account.explain(connection, number, self._rules) for number in numbers]
                status = overview.status(connection)
        finally:
            database.close()
        return {
            "psa": self.office.records(),
            "explain": [_without_seqs(one, labels) for one in told],
            "status": _timeless(status),
            "evidence": sorted(_label(entry) for entry in entries if entry["kind"] in EVIDENCE),
            "written": sorted({(one["contact"], one["after"]) for one in entries if one["kind"] == "write"}),
            "files": sorted(str(path.relative_to(self.state)) for path in self.state.rglob("*")),
        }

    def faults(self) -> list[str]:
        """What `syncd ledger verify` finds."""
        database = open_reading(self.url)
        try:
            with database.begin() as connection:
                return [f"entry {fault.seq} {fault.what}" for fault in ledger.verify(connection)[1]]
        finally:
            database.close()


def now() -> datetime:
    """The present moment in whole seconds, as PrimeVOX dates texts."""
    return datetime.now(UTC).replace(microsecond=0)


def last_word(entries: list[Entry], contact: str) -> str | None:
    """A naive reading of the ledger: "in" or "out" by the latest evidence on a contact; None without any."""
    numbers: list[str] = []
    company = None
    for entry in entries:
        if entry["kind"] == "contact" and entry["contact"] == contact:
            numbers, company = entry["numbers"], entry["company"]
    decided = {entry["of"]: entry["decision"] for entry in entries if entry["kind"] == "review"}
    words: list[tuple[str, bool]] = []
    texts = ""
    for entry in entries:
        mine = entry["contact"] == contact or entry["number"] in numbers
        if entry["kind"] == "message" and mine:
            said = decided.get(entry["seq"], entry["intent"])
            if said == "opt_out" or said == "opt_in" or entry["starts"]:
                words.append((entry["sent"][:19], said == "opt_out"))
            texts = max(texts, entry["sent"])
        elif (entry["kind"] == "staff" and mine and entry["after"] == "opted_out") or (
            entry["kind"] == "company" and entry["company"] == company and entry["opt_out"]
        ):
            words.append((max(entry["at"], texts)[:19], True))
    return None if not words else "out" if max(words)[1] else "in"


def _numbers(entries: list[Entry]) -> list[PhoneNumber]:
    """Everybody's, and those that texted."""
    texted = {entry["number"] for entry in entries if entry["number"]}
    known = texted.union(*(entry["numbers"] for entry in entries if entry["kind"] == "contact"))
    return [PhoneNumber(number) for number in sorted(known)]


def _tables(connection: sqlite3.Connection) -> list[str]:
    wanted = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    return [row[0] for row in connection.execute(wanted)]


def _rows(connection: sqlite3.Connection, table: str) -> list[Any]:
    """The rows of a table; of the ledger without the chain, whose hashes hold the dates."""
    if table != "ledger":
        return sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
    bodies = (json.loads(row[0]) for row in connection.execute("SELECT body FROM ledger ORDER BY seq"))
    return [{key: value for key, value in body.items() if key != "prev"} for body in bodies]


def _label(entry: Entry) -> str:
    """An entry without what differs from run to run: its place in the chain, and dates."""
    left_out = ("seq", "at", "prev", "hash", "sent", "last_outbound", "since", "of", "known")
    return json.dumps({key: value for key, value in entry.items() if key not in left_out}, sort_keys=True)


def _without_seqs(told: dict[str, Any], labels: dict[int, str]) -> dict[str, Any]:
    contacts = [
        one | {name: [labels[seq] for seq in one[name]] for name in ("evidence", "review")}
        for one in told["contacts"]
    ]
    return told | {"contacts": contacts}


def _timeless(status: dict[str, Any]) -> dict[str, Any]:
    numbers = [{key: value for key, value in one.items() if key != "last_good_pass"} for one in status["numbers"]]
    psa = {what: one["error"] for what, one in status["psa"].items()}
    brake = status["brake"] and {key: value for key, value in status["brake"].items() if key != "since"}
    return status | {"numbers": numbers, "psa": psa, "brake": brake}
