"""Copies of a database: taking one while the daemon runs, judging one, and making one ready to go on with.

A copy is made of the pages of one moment, held by a read transaction, over a connection that was opened read-only
and so never checkpoints (`syncd.store.database` tells why that matters). The writer goes on meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, update

from syncd.errors import ConfigProblem, StoreUnavailable
from syncd.model import Consent
from syncd.plan import Mirror
from syncd.store import ledger
from syncd.store.database import (
    Database,
    Locked,
    ProcessLock,
    beside,
    copy_pages,
    open_reading,
    quick_check,
    url_of,
)
from syncd.store.evidence import mirror_columns
from syncd.store.ledger import GENESIS, Fault, Head
from syncd.store.schema import contacts

# Files that may stand beside a database and belong to it.
COMPANIONS = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a database file is worth.

    head:    where its ledger ends; seq 0 without entries, or where they cannot be read
    damage:  what is wrong with the file itself; None: nothing
    faults:  where the chain of the ledger is broken
    """

    head: Head
    damage: str | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether the file and the chain are both whole."""
        return self.damage is None and not self.faults


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Database]:
    """The database, to be read as a whole: beside a running daemon, or with the lock so that none starts.

    Without a log file nobody has it open, and it is read as a file that does not change; that must then stay so.
    Raises ConfigProblem where there is none, StoreUnavailable.
    """
    open_reading(url_of(path)).close()  # says so when there is no database
    lock = None
    if not beside(path, "-wal").exists():
        with contextlib.suppress(Locked):  # a daemon starts just now: then the log file is there as well
            lock = ProcessLock(beside(path, ".lock"))
    database = open_reading(url_of(path), alone=lock is not None)
    try:
        yield database
    finally:
        database.close()
        if lock:
            lock.release()


def copy(path: Path, target: Path) -> None:
    """Copy the database of this moment into `target`, an empty file; raises StoreUnavailable, ConfigProblem."""
    with reading(path) as database, database.begin() as connection:
        copy_pages(connection, target)


def judge(path: Path, *, alone: bool = False) -> Judged:
    """Read all of a database, file and ledger. Never raises for a damaged one, nor for a file that is none.

    `alone`: the caller holds its lock, here and in `holds`.
    """
    try:
        with _opened(path, alone) as connection:
            damage = quick_check(connection)
            head, faults = ledger.verify(connection)
    except (StoreUnavailable, ConfigProblem) as error:
        return Judged(Head(0, GENESIS), damage=str(error).removesuffix("; nothing of this step was stored"))
    return Judged(head, damage, tuple(faults))


def holds(path: Path, known: Head, *, alone: bool = False) -> bool:
    """Whether the ledger in this sound file has that entry, or goes on from the very beginning."""
    with _opened(path, alone) as connection:
        found = next(ledger.entries(connection, after=known.seq - 1, page=1), None)
        return known.seq == 0 or (found is not None and found[2] == known.hash)


@contextlib.contextmanager
def _opened(path: Path, alone: bool) -> Iterator[Connection]:
    database = open_reading(url_of(path), alone=alone)
    with contextlib.closing(database), database.begin() as connection:
        yield connection


def fold(path: Path) -> None:
    """Write what stands in the log file into the database, and remove the log. Call it with the lock only."""
    database = Database(url_of(path))
    with contextlib.suppress(StoreUnavailable), database.begin():
        pass
    database.close()


def settle_in(path: Path, now: datetime, *, head: Head, replaced: Head | None, by: str) -> None:
    """Make a copied database ready to go on with; note in its ledger that it was restored.

    What is known of contacts is as old as the copy, so everybody is met as if for the first time: who shows *opted
    out* then counts as opted out by staff at that moment, and who shows *opted in* proves nothing, for this
    program may have written that after the copy was made. Nobody is written to before that.
    """
    with contextlib.closing(Database(url_of(path))) as database:
        database.migrate()
        with database.begin() as connection:
            facts = {"head": str(head), "replaced": str(replaced) if replaced else None, "by": by}
            ledger.append(connection, now, "restore", **facts)
            _meet_again(connection)


def _meet_again(connection: Connection) -> None:
    unmet = mirror_columns(Mirror(None, echoes=frozenset({Consent.OPTED_IN})))
    connection.execute(update(contacts).values(unmet | {"gone": True}))
