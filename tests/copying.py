"""A database to back up and to restore, and what it holds."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fakes import fresh_database

from syncd import backup
from syncd.store import database, ledger
from syncd.store.database import Database, open_reading, open_writing

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
ANN = "+12025550110"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with three entries that nobody has open."""
    folder = tmp_path / "lib"
    folder.mkdir(mode=0o700)
    url = fresh_database(folder / "state.db")
    opened = open_writing(url)
    note(opened, 3)
    opened.close()
    return folder / "state.db"


@pytest.fixture
def daemon(path: Path) -> Iterator[Database]:
    """The same, open for writing and locked, as a daemon has it, with two entries in its log."""
    opened = open_writing(f"sqlite:///{path}")
    note(opened, 2)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.0)


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def note(opened: Database, count: int = 1, words: str = "STOP") -> None:
    with opened.begin() as connection:
        ledger.append_all(connection, NOW, [{"kind": "message", "number": ANN, "text": words}] * count)


def write(path: Path, count: int = 1, words: str = "STOP") -> None:
    opened = open_writing(url(path))
    note(opened, count, words)
    opened.close()


def sql(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def lines(path: Path) -> list[str]:
    """The hashes of the ledger in order."""
    opened = open_reading(url(path))
    with opened.begin() as connection:
        found = [digest for _, _, digest in ledger.entries(connection)]
    opened.close()
    return found


def last_entry(path: Path) -> dict[str, object]:
    opened = open_reading(url(path))
    with opened.begin() as connection:
        *_, (entry, _, _) = ledger.entries(connection)
    opened.close()
    return entry


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the lock, which is empty and stays."""
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file() and one.suffix != ".lock"}


def damage(path: Path) -> None:
    """Overwrite the middle of the file."""
    size = path.stat().st_size
    with path.open("r+b") as stream:
        stream.seek(4096)
        stream.write(os.urandom(size - 4096))


def crashed(path: Path) -> Path:
    """What a daemon that was killed leaves: a database whose last two entries stand in the log only."""
    left = path.parent.with_name("left") / "state.db"
    opened = open_writing(url(path))
    note(opened, 2)
    shutil.copytree(path.parent, left.parent)
    opened.close()
    assert left.with_name("state.db-wal").stat().st_size > 0
    return left


def configured(folder: Path, path: Path) -> Path:
    config = folder / "syncd.yaml"
    config.write_text(
        f"primevox: {{api_key: '${{env:NONE}}', containers: [{{id: '1', numbers: ['+1 202 555 0100']}}]}}\n"
        f"psa: {{connector: local, settings: {{path: {folder}}}}}\nstore: {{url: 'sqlite:///{path}'}}\n"
    )
    return config


@pytest.fixture
def copy(path: Path, tmp_path: Path) -> Path:
    """A backup with the three entries."""
    backup.back_up(url(path), tmp_path / "copy.db")
    return tmp_path / "copy.db"


def restore(path: Path, copy: Path, *, force: bool = False) -> backup.Restored:
    return backup.restore(url(path), copy, NOW, by="ann", force=force)
