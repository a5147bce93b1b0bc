"""Opening the database: pragmas, one writing process, migrations, and errors in our own words.

SQLite before 3.51.3 can corrupt a WAL database when one connection resets the log while another one checkpoints,
and Debian 12 ships 3.40.1. So exactly one connection in the world writes and checkpoints: the one of the process
that holds the lock beside the database, shared by its threads under a mutex. Other processes (`status`, `explain`,
`ledger`) open the file read-only, which never checkpoints.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from syncd.clock import Clock
from syncd.errors import ConfigProblem, StoreUnavailable

__all__ = [
    "Connection",
    "Database",
    "Locked",
    "ProcessLock",
    "beside",
    "copy_pages",
    "file_of",
    "like_its_folder",
    "name_of",
    "open_reading",
    "open_writing",
    "quick_check",
    "url_of",
]

MIGRATIONS = Path(__file__).parent / "migrations"

# How long to wait for another process to let the database go (seconds).
PATIENCE = 2.0


class Database:
    """One open database. `begin` gives a transaction; `close` lets go of the file and the lock."""

    def __init__(self, url: str | URL, *, lock: ProcessLock | None = None, read_only: bool = False) -> None:
        self._lock = lock
        self._mutex = threading.RLock()
        self._engine = create_engine(url, **_options(url))
        self._connection: Connection | None = None
        self._within = False  # a transaction is open
        self._begin = ""  # how a transaction begins, where the driver does not see to it
        if make_url(url).get_backend_name() == "sqlite":
            event.listen(self._engine, "connect", _read_only_pragmas if read_only else _pragmas)
            self._begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction: all of it happens, or nothing. Raises StoreUnavailable when the database refuses.

        Other threads wait for their turn. One within another is a defect: it would undo the outer one's work.
        """
        try:
            with self._mutex:
                if self._within:
                    raise RuntimeError("a transaction was begun within another one")
                # Kept while all goes well: to open a connection costs more than a small transaction.
                connection, self._connection = self._connection or self._engine.connect(), None
                self._within = True
                try:
                    with connection.begin():
                        if self._begin:
                            _driver(connection).execute(self._begin)
                        yield connection
                    self._connection = connection
                finally:
                    self._within = False
                    if self._connection is None:
                        connection.close()  # rolls back also what a commit that failed has left open
        except (DBAPIError, sqlite3.Error) as error:
            said = getattr(error, "orig", error)
            raise StoreUnavailable(f"the database refused: {said}; nothing of this step was stored") from None

    def close(self) -> None:
        """Close the connection, then give the lock back."""
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            self._engine.dispose()
        if self._lock:
            self._lock.release()

    def migrate(self) -> None:
        """Bring the schema up to date. Raises ConfigProblem for a database of a newer syncd."""
        with self.begin() as connection:
            if _is_current(connection):
                return
            config = AlembicConfig()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def must_be_current(self) -> None:
        """Raises ConfigProblem for a database of another syncd: who only reads cannot bring it up to date."""
        with self.begin() as connection:
            if not _is_current(connection):
                raise ConfigProblem(
                    "the database is older than this syncd; restart the service, which brings it up to date "
                    "(systemctl restart syncd)"
                )


def _is_current(connection: Connection) -> bool:
    """Whether the schema is that of this syncd. Raises ConfigProblem when it is a newer one's."""
    script = ScriptDirectory(str(MIGRATIONS))
    current = set(MigrationContext.configure(connection).get_current_heads())
    if unknown := current - {revision.revision for revision in script.walk_revisions()}:
        raise ConfigProblem(
            f"the database was written by a newer syncd (schema {', '.join(sorted(unknown))}); "
            f"install that version again, or restore the backup made before the upgrade"
        )
    return current == set(script.get_heads())


class ProcessLock:
    """One process per database. The lock ends with the process, however it ends."""

    def __init__(self, path: Path) -> None:
        """Raises Locked when another process holds it, ConfigProblem when the folder cannot be written."""
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            like_its_folder(path, self._file)
        except OSError as error:
            raise ConfigProblem(
                f"{path}: cannot be opened ({error.strerror}); is store.url right, and may this user write there?"
            ) from error
        if not self._taken(PATIENCE):
            os.close(self._file)
            raise Locked(
                f"{path}: another syncd works with this database; only one may. Stop that one first "
                f"(systemctl stop syncd), or give this one a store.url of its own"
            )

    def _taken(self, patience: float) -> bool:
        """Try for that many seconds: a command such as `review resolve` holds the lock for a moment only."""
        clock = Clock()
        until = clock.monotonic() + patience
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if clock.monotonic() >= until:
                    return False
                clock.sleep(0.05)
            else:
                return True

    def release(self) -> None:
        """Let the next process in. May be called again."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


class Locked(StoreUnavailable):
    """Another process works with this database. Not the admin's mistake for sure: worth another try later."""


def name_of(url: str | URL) -> Path | None:
    """What an SQLite URL names, maybe a link; None for a database in memory or on a server."""
    parts = make_url(url)
    if parts.get_backend_name() != "sqlite" or parts.database in (None, "", ":memory:"):
        return None
    return Path(str(parts.database))


def file_of(url: str | URL) -> Path | None:
    """The database file itself. SQLite keeps its log beside that, not beside a link, so all else stands there."""
    name = name_of(url)
    return Path(os.path.realpath(name)) if name else None


def beside(path: Path, suffix: str) -> Path:
    """`state.db` and `.lock` make `state.db.lock`."""
    return path.with_name(path.name + suffix)


def open_writing(url: str | URL) -> Database:
    """Take the lock, open, migrate. Raises ConfigProblem or StoreUnavailable."""
    path = file_of(url)
    lock = ProcessLock(beside(path, ".lock")) if path else None
    if path and not path.exists():  # created here so that it never exists with other permissions
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        like_its_folder(path, file)
        os.close(file)
    database = Database(url_of(path) if path else url, lock=lock)  # the very file that is locked
    try:
        database.migrate()
    except BaseException:
        database.close()
        raise
    return database


def open_reading(url: str | URL, *, alone: bool = False) -> Database:
    """Open to look only, beside a running daemon or without one. Raises ConfigProblem when there is nothing.

    `alone`: the caller holds the lock, so that no daemon runs.
    """
    path = file_of(url)
    if path and not path.exists():
        raise ConfigProblem(f"{path}: there is no database yet; run `syncd run` or `syncd once` first")
    return Database(_readable(path, alone) if path else url, read_only=True)


def like_its_folder(path: Path, file: int | None = None) -> None:
    """What a command of root's has made must not lock the service's own user out. `file`: it, already open."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path if file is None else file, owner.st_uid, owner.st_gid)


def _options(url: str | URL) -> dict[str, Any]:
    if make_url(url).get_backend_name() == "sqlite":
        return {"poolclass": StaticPool, "connect_args": {"check_same_thread": False, "timeout": 10}}
    return {"pool_pre_ping": True}


def _readable(path: Path, alone: bool) -> URL:
    query = {"mode": "ro", "uri": "true"}
    # Without a log nobody has the database open, and SQLite would make one even for a reader. The lock is looked
    # at first: what a daemon writes from then on stands in its log.
    if (alone or not _is_held(beside(path, ".lock"))) and not beside(path, "-wal").exists():
        query["immutable"] = "1"
    return URL.create("sqlite", database=f"file:{quote(os.fsencode(path))}", query=query)


def _is_held(lock: Path) -> bool:
    """Whether some process works with the database; also where that cannot be found out."""
    try:
        file = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _pragmas(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # a committed opt-out survives a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous")
    if cursor.fetchone()[0] != 2:
        raise ConfigProblem("this SQLite does not accept synchronous=FULL; committed opt-outs would not be safe")
    cursor.close()


def _read_only_pragmas(connection: Any, _record: object) -> None:
    connection.isolation_level = None


def _driver(connection: Connection) -> sqlite3.Connection:
    """The connection below SQLAlchemy's. A listener of its "begin" would slow down every statement."""
    return connection.connection.driver_connection  # type: ignore[return-value]


def url_of(path: Path) -> URL:
    """The URL of a database file, whatever characters its name has."""
    return URL.create("sqlite", database=str(path))


def copy_pages(connection: Connection, target: Path) -> None:
    """Copy the whole database, as this transaction sees it, into an empty file; raises StoreUnavailable.

    The file is neither journaled nor synced meanwhile: it must be nobody's yet, and of no use after a failure.
    """
    try:
        with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copied:
            copied.execute("PRAGMA journal_mode=OFF")
            copied.execute("PRAGMA synchronous=OFF")
            _driver(connection).backup(copied)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the database could not be copied to {target}: {error}") from None


def quick_check(connection: Connection) -> str | None:
    """What SQLite finds wrong with its own file, or None."""
    if connection.dialect.name != "sqlite":
        return None
    found = connection.execute(text("PRAGMA quick_check")).scalar()
    return None if found == "ok" else str(found)
