"""The process: builds an engine from the configuration, runs its loops, and obeys systemd."""

from __future__ import annotations

import contextlib
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import schedule

from syncd import __version__, desk, logs, private, registry
from syncd.clock import Clock
from syncd.config import Config, load
from syncd.connector import Connector, Shell
from syncd.engine import Engine, Setup
from syncd.errors import ConfigProblem, Stopping, SyncdError
from syncd.http import Transport
from syncd.loops import Loops, Pulse
from syncd.notify import notify, watchdog_seconds
from syncd.pace import Limits
from syncd.plan import BrakeLimits, Lane
from syncd.primevox import Line, PrimeVox
from syncd.sift import IntakeSettings
from syncd.store import ledger, mirror, texts
from syncd.store.database import Database, open_writing, quick_check

# SIGTERM must be obeyed within 10 s, whatever a call is waiting for.
GRACE = 7.0

# On a reload calls under way are waited for until their own deadline ends them.
RELOAD_GRACE = 45.0

# A loop that shows no sign of life for so long hangs: systemd is no longer told that we are well.
SILENCE = 90.0


@dataclass(frozen=True, slots=True)
class Assembly:
    """An engine and what it was built from. `close` lets go of connections."""

    engine: Engine
    psa: Connector
    transports: tuple[Transport, ...]

    def close(self) -> None:
        """Close connections; never raises."""
        with contextlib.suppress(Exception):
            self.psa.close()
        for transport in self.transports:
            transport.close()


def make_connector(
    config: Config, clock: Clock, log: Any, pulse: Pulse | None = None
) -> tuple[Connector, Transport]:
    """The configured connector, with its own transport."""
    kind = registry.find(config.psa.connector)
    # A cascade of slow writes is at work, not hung: each answer is a sign of life.
    beat = pulse.beat if pulse else (lambda: None)
    transport = Transport(clock, kind.traits.limits or Limits(calls=1000, per=1.0, concurrency=8), beat)
    told: set[str] = set()

    def remark(text: str) -> None:
        if text not in told:
            told.add(text)
            log.warning("the PSA holds an odd record", record=text)

    return kind(config.psa.settings, Shell(transport, remark)), transport


def make_lines(config: Config) -> tuple[Line, ...]:
    """Our numbers as configured."""
    return tuple(
        Line(number, container.id, config.primevox.api_key_of(container))
        for container in config.primevox.containers
        for number in container.numbers
    )


def make_source(config: Config, clock: Clock) -> tuple[PrimeVox, Transport]:
    """The PrimeVOX client, with its own transport."""
    pace = config.primevox.requests_per_second
    limits = Limits(calls=max(1, round(pace)), per=max(1.0, 1 / pace), concurrency=config.primevox.max_concurrency)
    transport = Transport(clock, limits)
    ours = frozenset(str(line.number) for line in make_lines(config))
    return PrimeVox(transport, config.primevox.base_url, ours), transport


def assemble(config: Config, database: Database, clock: Clock, log: Any, pulse: Pulse | None = None) -> Assembly:
    """Everything that `run` and `once` need. Raises ConfigProblem."""
    psa, psa_transport = make_connector(config, clock, log, pulse)
    source, source_transport = make_source(config, clock)
    policy = config.policy
    setup = Setup(
        make_lines(config),
        config.rules(),
        IntakeSettings(
            config.primevox.poll_interval,
            config.primevox.sweep_interval,
            policy.tacit_opt_in.quiet_period,
            policy.first_run == "review",
            config.vocabulary(),
        ),
        BrakeLimits(policy.brake.companies, policy.brake.contacts),
    )
    beat = pulse.beat if pulse else (lambda: None)
    engine = Engine(database, source, psa, clock, log, setup, beat=beat)
    return Assembly(engine, psa, (psa_transport, source_transport))


def set_up_logs(config: Config) -> Any:
    """Logging as configured; returns the logger."""
    logs.set_up(
        json=config.log.format == "json",
        level=config.log.level,
        secrets=config.secret_values(),
        full_numbers=config.log.numbers == "full",
    )
    return logs.get()


def open_state(config: Config, log: Any) -> Database:
    """The database, to be written to, with its files closed to others. Raises ConfigProblem, StoreUnavailable."""
    for found in private.close_state(config.store.url):
        log.error("state is open to other users", file=str(found.path), next=found.advice, alert=True)
    return open_writing(config.store.url)


# --- once ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OnePass:
    """How `syncd once` ended."""

    unreachable: tuple[str, ...]
    pending: int
    braked: bool


def once(config: Config, database: Database, clock: Clock, log: Any) -> OnePass:
    """One full pass: the directory, the companies, every number, and all writes that are due."""
    assembly = assemble(config, database, clock, log)
    engine = assembly.engine
    try:
        engine.start()
        engine.refresh_directory()
        engine.watch_companies()
        workers = min(config.primevox.max_concurrency, len(engine.setup.lines))
        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(engine.poll, engine.setup.lines))
        if any(one is not None and one.unmatched for one in found):
            engine.refresh_directory()
        engine.deliver((Lane.OPT_OUT,))
        engine.deliver()
        engine.log_head()
    finally:
        assembly.close()
    healths = [*engine.line_health.values(), *engine.psa_health.values()]
    with database.begin() as connection:
        pending = mirror.count_waiting(connection) + texts.lines_in_trouble(connection)
        braked = any(mirror.braked(connection).values())
    refused = [health for health in engine.psa_health.values() if health.error and not health.unreachable]
    return OnePass(
        tuple(f"{health.what}: {health.error}" for health in healths if health.unreachable),
        pending + len(refused),
        braked,
    )


# --- run -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Running:
    """One configuration at work. A reload makes a new one, with a clock of its own that stops only it."""

    clock: Clock
    pulse: Pulse
    assembly: Assembly
    loops: Loops

    @property
    def engine(self) -> Engine:
        return self.assembly.engine

    def start(self) -> None:
        self.engine.start()
        self.loops.start()

    def stop(self, seconds: float) -> bool:
        """Ask it to end; True when every call under way has."""
        self.clock.stop()
        clean = self.loops.join(seconds)
        self.assembly.close()
        return clean


class Daemon:
    """`syncd run`. `run` returns after SIGTERM or SIGINT; SIGHUP reads the configuration again."""

    def __init__(self, path: Path) -> None:
        """Read the configuration, open the database. Raises ConfigProblem."""
        self._path = path
        self._config = load(path)
        self._log = set_up_logs(self._config)
        self._database = open_state(self._config, self._log)
        self._stop = threading.Event()
        self._reload = threading.Event()
        self._wake = threading.Event()
        self._running = self._build(self._config)
        self._calendar = schedule.Scheduler()
        self._calendar.every().day.at("03:17").do(self._guarded, self._nightly)

    def _build(self, config: Config) -> _Running:
        clock = Clock()
        pulse = Pulse(clock)
        assembly = assemble(config, self._database, clock, self._log, pulse)
        loops = Loops(
            assembly.engine,
            clock,
            self._log,
            pulse,
            concurrency=config.primevox.max_concurrency,
            company_interval=config.psa.company_poll_interval.total_seconds(),
            directory_interval=config.psa.directory_refresh_interval.total_seconds(),
        )
        return _Running(clock, pulse, assembly, loops)

    def run(self) -> None:
        """Work until asked to stop."""
        signal.signal(signal.SIGTERM, lambda *_: self._ask(self._stop))
        signal.signal(signal.SIGINT, lambda *_: self._ask(self._stop))
        signal.signal(signal.SIGHUP, lambda *_: self._ask(self._reload))
        numbers = len(self._running.engine.setup.lines)
        self._log.info("started", version=__version__, numbers=numbers, connector=self._config.psa.connector)
        self._running.start()
        notify(f"READY=1\nSTATUS=polling {numbers} numbers")
        self._guarded(self._running.engine.log_head)
        while not self._stop.is_set():
            self._wake.wait(1.0)
            self._wake.clear()
            if self._reload.is_set() and not self._stop.is_set():
                self._reload.clear()
                self._read_config_again()
            self._guarded(self._answer)
            self._calendar.run_pending()
            self._feed_watchdog()
        self._end()

    def _ask(self, what: threading.Event) -> None:
        what.set()
        self._wake.set()

    def _end(self) -> None:
        notify("STOPPING=1")
        self._log.info("stopping")
        clean = self._running.stop(GRACE)
        if clean:
            self._database.close()
        self._log.info("stopped", waited_for_calls=clean)

    def _answer(self) -> None:
        running = self._running
        if desk.answer_all(self._config.store.url, self._database, running.clock, self._log):
            running.engine.wake()
            running.engine.refresh_soon.set()
            running.loops.companies_soon.set()

    def _feed_watchdog(self) -> None:
        """Tell systemd that we are well, only while every loop gets its work done."""
        silent = self._running.pulse.silent(SILENCE)
        if not silent:
            notify("WATCHDOG=1")
        elif watchdog_seconds():
            self._log.error("a loop hangs; systemd will restart syncd", loops=silent, alert=True)

    def _nightly(self) -> None:
        """Log the ledger's head, so that a copy leaves the machine; check the chain and the file."""
        self._running.engine.log_head()
        with self._database.begin() as connection:
            damage = quick_check(connection)
            _, faults = ledger.verify(connection)
        if damage or faults:
            self._log.error(
                "the database is damaged",
                file=damage,
                ledger=[f"entry {fault.seq} {fault.what}" for fault in faults[:5]],
                next="restore a backup and keep this file as evidence; see the README",
                alert=True,
            )

    def _guarded(self, job: Any) -> None:
        try:
            job()
        except Stopping:
            pass
        except (SyncdError, OSError) as error:
            self._log.error("a housekeeping job failed; it is tried again", error=str(error), alert=True)
        except Exception as error:  # noqa: BLE001  the job guard
            self._log.error("a housekeeping job failed by a defect", alert=True, exc_info=error)

    # --- reload ------------------------------------------------------------------------------------------

    def _read_config_again(self) -> None:
        """Take over a new configuration; a bad one is reported and the old one stays."""
        try:
            config = load(self._path)
            if config.store.url != self._config.store.url:
                raise ConfigProblem("store.url cannot change while syncd runs; restart it")
            fresh = self._build(config)
        except ConfigProblem as problem:
            for one in problem.problems:
                self._log.error("the new configuration was not taken over", problem=str(one), alert=True)
            return
        # The old threads must be gone before the new ones write: two writers of one contact could cross.
        self._running.clock.stop()
        until = fresh.clock.monotonic() + RELOAD_GRACE
        while not self._running.loops.join(0.5) and fresh.clock.monotonic() < until:
            if self._stop.is_set():
                return
        self._running.assembly.close()
        self._config, self._running = config, fresh
        self._log = set_up_logs(config)
        fresh.start()
        self._log.info("configuration read again", numbers=len(fresh.engine.setup.lines))
