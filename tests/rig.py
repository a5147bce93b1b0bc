"""syncd as its users meet it: the real process between stand-ins, with a deadline on every wait."""

from __future__ import annotations

import contextlib
import io
import json
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from syncd import cli
from syncd.sandbox.autotask import AutotaskServer
from syncd.sandbox.people import fictional_number
from syncd.sandbox.primevox import PrimeVoxServer
from syncd.sandbox.server import StandIn

SYNCD = Path(sys.executable).with_name("syncd")
OUT, IN = "Opted-Out", "Opted-In"
APPROVED = "Approved"
# Needs URL encoding, and is easy to find wherever it should not be.
KEY = "canary-key+/=&4711"
SECRET = "canary-secret-0815"
CODE = "CANARYINTEGRATIONCODE"
CANARIES = ("canary-key", "canary-secret", CODE)
FIRST_PERSON = 100  # the numbers before are ours


def person(index: int) -> str:
    """The number of the index-th client."""
    return fictional_number(FIRST_PERSON + index)


def now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


def wait_until(happened: Callable[[], Any], seconds: float = 20.0, what: str = "the condition") -> float:
    """Look until it is true; returns how many seconds that took, fails when time is up."""
    began = time.monotonic()
    while not happened():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - began


class Rig:
    """One MSP in a folder of its own. A context manager: it ends its process and its stand-ins.

    `companies` (all approved) and `people` are made at once, person i in company i modulo `companies`. The
    keyword arguments `primevox`, `psa` and `policy` are laid over these sections of the configuration.
    """

    def __init__(
        self,
        *,
        connector: str = "autotask",
        lines: int = 1,
        companies: int = 2,
        people: int = 6,
        keys: Iterable[str] = (KEY,),
        primevox: dict[str, Any] | None = None,
        psa: dict[str, Any] | None = None,
        policy: dict[str, Any] | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="syncd-rig-"))
        self.config_file = self.folder / "syncd.yaml"
        self.database = self.folder / "state.db"
        self.psa_folder = self.folder / "psa"
        self.lines = [fictional_number(index) for index in range(lines)]
        self.process: subprocess.Popen[bytes] | None = None
        self.output: list[str] = []
        self._readers: list[threading.Thread] = []
        keys = list(keys)
        containers = {
            str(100_200 + index): {"api_key": key, "numbers": self.lines[index :: len(keys)]}
            for index, key in enumerate(keys)
        }
        self.primevox = PrimeVoxServer(containers).start()
        self.autotask = AutotaskServer(secret=SECRET, integration_code=CODE).start()
        self.psa: StandIn = self.autotask
        self.set_secret("secret", SECRET)
        self.set_secret("code", CODE)
        listed = []
        for index, (container, spec) in enumerate(containers.items()):
            self.set_secret(f"key{index}", keys[index])
            numbers = spec["numbers"]
            listed.append({"id": container, "api_key": f"${{credential:key{index}}}", "numbers": numbers})
        self.config: dict[str, Any] = {
            "primevox": {
                "base_url": self.primevox.base_url,
                "poll_interval": "1s",
                "requests_per_second": 100.0,
                "containers": listed,
            }
            | (primevox or {}),
            "psa": {
                "connector": connector,
                "company_poll_interval": "1s",
                "directory_refresh_interval": "1s",
                "settings": self._settings(connector),
            }
            | (psa or {}),
            "policy": {"first_run": "replay"} | (policy or {}),
            "store": {"url": f"sqlite:///{self.database}"},
            "log": {"format": "json", "level": "info"},
        }
        self.save_config()
        self.companies: list[int] = []
        self.people: list[int] = []
        if connector == "autotask":
            for index in range(companies):
                self.companies.append(self.autotask.add_company(f"Company {index}", APPROVED))
            for index in range(people):
                self.add_person(index, self.companies[index % companies])

    # --- setting up ----------------------------------------------------------------------------------------

    def _settings(self, connector: str) -> dict[str, Any]:
        if connector == "local":
            self.psa_folder.mkdir()
            return {"path": str(self.psa_folder)}
        return {
            "username": self.autotask.username,
            "secret": "${credential:secret}",
            "integration_code": "${credential:code}",
            "base_url": self.autotask.base_url,
        }

    def set_secret(self, name: str, value: str) -> None:
        """Put a credential beside the configuration."""
        folder = self.folder / "credentials"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / name
        path.write_text(value + "\n", encoding="utf-8")
        path.chmod(0o600)

    def save_config(self, text: str | None = None) -> None:
        """Write `config`, or any text, as the configuration file. JSON is YAML too."""
        self.config_file.write_text(json.dumps(self.config) if text is None else text, encoding="utf-8")

    def add_person(self, index: int, company: int, **more: Any) -> int:
        """A contact with the number of that person."""
        contact = self.autotask.add_contact(company, f"P{index}", "X", **{"mobile": person(index)} | more)
        self.people.append(contact)
        return contact

    def csv(self, companies: str, contacts: str) -> None:
        """The files of the local connector, without their headers; anew as one step, as good editors do."""
        for name, head, rows in (
            ("companies.csv", "id,name,sms_approval", companies),
            ("contacts.csv", "id,company_id,name,mobile,phone,active,sms_opt_in", contacts),
        ):
            draft = self.psa_folder / (name + ".new")
            draft.write_text(f"{head}\n{rows}", encoding="utf-8")
            draft.replace(self.psa_folder / name)

    def cell(self, contact: str) -> str:
        """The opt-in field of a contact of the local connector."""
        rows = (self.psa_folder / "contacts.csv").read_text(encoding="utf-8").splitlines()
        return next(row.split(",")[6] for row in rows if row.split(",")[0] == contact)

    # --- what clients and staff do -------------------------------------------------------------------------

    def text(self, index: int, words: object, line: int = 0, at: datetime | None = None, **more: Any) -> str:
        """A client texts one of our lines, now unless told."""
        return self.primevox.receive(self.lines[line], person(index), words, at or now(), **more)

    def shown(self, index: int) -> str | None:
        """What people see in the opt-in field of that person."""
        return self.autotask.opt_in(self.people[index])

    def all_shown(self) -> list[str | None]:
        """The same of everybody, in order."""
        return [self.shown(index) for index in range(len(self.people))]

    # --- the process ---------------------------------------------------------------------------------------

    def run(self, *arguments: str, patience: float = 60.0) -> subprocess.CompletedProcess[str]:
        """One command to its end."""
        command = [str(SYNCD), *arguments, "-c", str(self.config_file)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=patience, check=False)
        self.output += ended.stderr.splitlines()
        return ended

    def look(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command that only reads, in this process: starting one costs a second."""
        said, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
            code = cli.main([*arguments, "-c", str(self.config_file)])
        return subprocess.CompletedProcess(arguments, code, said.getvalue(), complained.getvalue())

    def start(self, *, ready: bool = True) -> Self:
        """Start the daemon; `ready` waits until it has polled every line once and read the PSA."""
        self.process = subprocess.Popen(
            [str(SYNCD), "run", "-c", str(self.config_file)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        # A pipe, not a file: a limit on the size of files must not reach the log.
        reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        reader.start()
        self._readers.append(reader)
        if ready:
            wait_until(self._is_ready, 30, "the daemon is ready")
        return self

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.output.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.output
        if not self.logged("started") or not self.database.exists():
            return False
        read = {row[0] for row in self.facts("SELECT number FROM lines WHERE last_good_pass IS NOT NULL")}
        psa = {row[0] for row in self.facts("SELECT name FROM facts WHERE value NOT LIKE '%\"last_good\": null%'")}
        return read == set(self.lines) and {"psa:companies", "psa:contacts"} <= psa

    def stop(self, how: signal.Signals = signal.SIGTERM, patience: float = 20.0) -> tuple[int, float]:
        """Send a signal and wait for the end; returns the exit code and how many seconds it took."""
        process, self.process = self.process, None
        assert process is not None
        began = time.monotonic()
        process.send_signal(how)
        try:
            code = process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise
        took = time.monotonic() - began
        self._readers.pop().join(5)
        assert process.stderr is not None
        process.stderr.close()
        return code, took

    def kill(self) -> None:
        """The end without a warning."""
        self.stop(signal.SIGKILL)

    def reload(self) -> None:
        """SIGHUP."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def cpu_seconds(self) -> float:
        """Processor time that the daemon has used."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def limit_files(self, size: int | None) -> None:
        """Let no file grow beyond that size, as on a full disk; None: no limit."""
        assert self.process is not None
        limit = resource.RLIM_INFINITY if size is None else size
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    # --- looking -------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """`syncd status --json`."""
        ended = self.look("status", "--json")
        assert ended.returncode == 0, ended.stderr
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    def explain(self, index: int) -> dict[str, Any]:
        """`syncd explain NUMBER --json`."""
        ended = self.look("explain", person(index), "--json")
        assert ended.returncode == 0, ended.stderr
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    def review(self) -> list[dict[str, Any]]:
        """`syncd review list --json`."""
        found: list[dict[str, Any]] = json.loads(self.look("review", "list", "--json").stdout)
        return found

    def log(self) -> list[dict[str, Any]]:
        """Every line of the log; a line that is not JSON fails."""
        return [json.loads(line) for line in list(self.output) if line.startswith("{")]

    def logged(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Log lines of that event, with these fields."""
        return [one for one in self.log() if one["event"] == event and fields.items() <= one.items()]

    def troubles(self) -> list[dict[str, Any]]:
        """Log lines that want somebody's attention."""
        return [one for one in self.log() if one["level"] in ("warning", "error", "critical")]

    def lists(self, line: int = 0) -> int:
        """How often the list of conversations of a line was asked for."""
        number = self.lines[line].removeprefix("+1")
        return sum(
            1
            for one in self.primevox.requests_to("/conversations$")
            if one.query.get("phoneNumber", "").endswith(number)
        )

    def polls(self, count: int, line: int = 0, seconds: float | None = None) -> None:
        """Wait for that many further polls of a line."""
        until = self.lists(line) + count
        wait_until(lambda: self.lists(line) >= until, seconds or 10.0 + 3 * count, f"{count} polls")

    def patches(self) -> int:
        """How many writing requests reached Autotask."""
        return len(self.autotask.requests_to("", "PATCH"))

    def facts(self, query: str) -> list[Any]:
        """Rows of the database, read beside the daemon."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
            rows = connection.execute(query).fetchall()
        connection.close()
        return rows

    def settled(self) -> bool:
        """Whether nothing is left to write."""
        status = self.status()
        return status["pending"] == 0 and status["stale"] == 0 and not status["parked"]

    def must_be_sound(self) -> None:
        """The ledger verifies, no secret is anywhere, no defect was logged, Autotask's limits were kept."""
        verified = self.look("ledger", "verify")
        assert verified.returncode == 0, verified.stderr
        shown = "\n".join([*self.output, self.look("status").stdout, self.look("status", "--json").stdout])
        stored = b"".join(path.read_bytes() for path in self.folder.glob("state.db*") if path.is_file())
        for canary in CANARIES:
            assert canary not in shown, canary
            assert canary.encode() not in stored, canary
        assert "Traceback" not in shown
        assert not [one for one in self.log() if "defect" in one["event"]]
        assert max(self.autotask.max_concurrency.values(), default=0) <= 2
        assert not self.autotask.leaks
        assert {write.field for write in self.autotask.writes} <= {self.autotask.contact_field}

    def close(self) -> None:
        """End everything that was started, and remove the folder."""
        if self.process is not None:
            self.kill()
        self.primevox.stop()
        self.autotask.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
