"""The database: its schema, who may open it, what a reader leaves behind, and what happens when it refuses."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from fakes import World, fresh_database
from sqlalchemy import event, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from syncd import account
from syncd.errors import ConfigProblem, StoreUnavailable
from syncd.model import PhoneNumber
from syncd.store import database, ledger, mirror, texts
from syncd.store.database import MIGRATIONS, Database, Locked, open_reading, open_writing
from syncd.store.schema import metadata
from syncd.store.times import moment, stamp

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
NUMBER = PhoneNumber("+12025550110")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return fresh_database(tmp_path / "state.db")


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    made = open_writing(url)
    yield made
    made.close()


def note(db: Database, words: str = "STOP", count: int = 1) -> None:
    with db.begin() as connection:
        entries = [{"kind": "message", "number": NUMBER, "text": words}] * count
        ledger.append_all(connection, NOW, entries)


def length(db: Database) -> int:
    with db.begin() as connection:
        return ledger.head(connection).seq


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


PRELUDE = """
    import os, sys, signal, resource
    from datetime import datetime, UTC
    from syncd.store import ledger
    from syncd.store.database import open_writing
    def note(db, words="STOP", count=1):
        with db.begin() as connection:
            ledger.append_all(connection, datetime.now(UTC), [{"kind": "message", "text": words}] * count)
    db = open_writing(sys.argv[1])
"""


# --- schema ----------------------------------------------------------------------------------------------


def test_migrations_make_exactly_the_declared_tables(tmp_path: Path) -> None:
    made = open_writing(f"sqlite:///{tmp_path}/state.db")
    with made.begin() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
    made.close()


def test_opening_again_migrates_nothing(url: str) -> None:
    first = open_writing(url)
    note(first)
    first.close()
    second = open_writing(url)
    assert length(second) == 1
    second.close()


def test_database_of_a_newer_version_is_refused_and_let_go(url: str) -> None:
    made = open_writing(url)
    with made.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    made.close()
    for _ in range(2):  # the lock was given back
        with pytest.raises(ConfigProblem, match=r"newer syncd \(schema 9999\)"):
            open_writing(url)


def test_what_an_older_version_recorded_is_kept_and_decided_again(tmp_path: Path) -> None:
    """Schema 1 knew memberships by their dates only."""
    url = f"sqlite:///{tmp_path}/state.db"
    before = Database(url)
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    with before.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        places = (
            ("acme", "2026-03-02T12:00:00.000000Z"),
            ("bolt", "2026-03-02T10:00:00.000000Z"),
        )  # clock set back
        told = [{"kind": "contact", "contact": "7", "company": company} for company, _ in places]
        for entry, (company, at) in zip(told, places, strict=True):
            ledger.append(connection, moment(at), **entry)
            connection.execute(
                text("INSERT INTO memberships (contact, since, company) VALUES ('7', :at, :company)"),
                {"at": at, "company": company},
            )
        connection.execute(
            text(
                "INSERT INTO contacts VALUES ('7', 'bolt', 'Ann', true, false, null, null, '[]', false, null, "
                "'nobody', '', '', '[]', false, '[]', 0, null, null)"
            )
        )
        connection.execute(text("INSERT INTO lines VALUES ('+12025550100', '2026', 3, true, null, null, null)"))
    before.close()

    with contextlib.closing(open_reading(url)) as reading:
        assert length(reading) == 2, "proof can be taken out of an old backup as well"
        with pytest.raises(ConfigProblem, match="older than this syncd; restart the service"):
            reading.must_be_current()
    made = open_writing(url)
    with made.begin() as connection:
        rows = connection.execute(text("SELECT company, seq FROM memberships ORDER BY seq")).all()
        polls = connection.execute(text("SELECT polls FROM lines")).scalar()
        assert [tuple(row) for row in rows] == [("acme", 1), ("bolt", 2)]
        assert (polls, mirror.stale_contacts(connection, 9)) == (3, ["7"])
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    made.close()
    with contextlib.closing(open_reading(url)) as reading:
        reading.must_be_current()


def test_file_that_is_no_database_is_refused_in_our_words(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"this is a text, not a database; " * 64)
    for opened in (open_writing, open_reading):
        with pytest.raises(StoreUnavailable):
            length(opened(f"sqlite:///{tmp_path}/state.db"))


# --- pragmas and modes -----------------------------------------------------------------------------------


def test_pragmas_are_really_set(db: Database) -> None:
    with db.begin() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        made = open_writing(f"sqlite:///{tmp_path}/state.db")
        note(made)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        made.close()
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(("state.db", "state.db-wal", "state.db-shm", "state.db.lock"), 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lock the service's user out")
def test_database_that_root_makes_belongs_to_the_owner_of_its_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    made = open_writing(f"sqlite:///{tmp_path}/state.db")
    note(made)
    owners = {path.name: path.stat().st_uid for path in tmp_path.iterdir()}
    made.close()
    assert set(owners.values()) == {65534}, owners


def test_folder_that_is_missing_is_the_admins_to_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblem, match=re.escape("store.url")):
        open_writing(f"sqlite:///{tmp_path}/missing/state.db")
    with pytest.raises(ConfigProblem, match="no database yet"):
        open_reading(f"sqlite:///{tmp_path}/state.db")


@pytest.mark.parametrize("folder", ["with blank", "100%", "a&b=c"])
def test_odd_path_is_read_where_it_was_written(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    made = open_writing(f"sqlite:///{tmp_path / folder}/state.db")
    note(made)
    reader = open_reading(f"sqlite:///{tmp_path / folder}/state.db")
    assert length(reader) == 1
    reader.close()
    made.close()


# --- one writer ------------------------------------------------------------------------------------------


def test_second_writer_is_refused_quickly_and_works_after_release(url: str) -> None:
    first = open_writing(url)
    started = time.monotonic()
    refused = run(PRELUDE, url)
    assert time.monotonic() - started < 6
    assert "Locked" in refused.stderr
    first.close()
    assert run(PRELUDE, url).returncode == 0


def test_writer_waits_for_a_command_that_is_about_to_end(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.1)
    first = open_writing(url)
    with pytest.raises(Locked):
        open_writing(url)
    first.close()
    open_writing(url).close()


def test_lock_ends_with_the_process_however_it_ends(url: str) -> None:
    assert run(PRELUDE + "    os.kill(os.getpid(), signal.SIGKILL)", url).returncode == -9
    open_writing(url).close()


# --- reading beside, after, and after a crash ------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}


def test_reading_beside_a_writer(url: str, db: Database, tmp_path: Path) -> None:
    note(db)
    before = contents(tmp_path)
    reader = open_reading(url)
    assert length(reader) == 1
    assert contents(tmp_path) == before
    note(db)
    assert length(reader) == 2
    reader.close()
    note(db)
    assert length(db) == 3


def test_reader_cannot_write(url: str, db: Database) -> None:
    reader = open_reading(url)
    with pytest.raises(StoreUnavailable):
        note(reader)
    reader.close()
    assert length(db) == 0


def test_reading_after_a_clean_close_leaves_nothing_behind(url: str, tmp_path: Path) -> None:
    made = open_writing(url)
    note(made)
    made.close()
    before = contents(tmp_path)
    reader = open_reading(url)
    assert length(reader) == 1
    reader.close()
    assert contents(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(before)


def test_reading_after_a_kill_with_a_left_over_wal(url: str, tmp_path: Path) -> None:
    run(PRELUDE + "    note(db, count=5)\n    os.kill(os.getpid(), signal.SIGKILL)", url)
    before = contents(tmp_path)
    assert len(before["state.db-wal"]) > 0
    for _ in range(2):
        reader = open_reading(url)
        assert length(reader) == 5
        reader.close()
        assert contents(tmp_path) == before
    made = open_writing(url)
    assert length(made) == 5
    note(made)
    made.close()


# --- a database behind a link ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "folder", "dangling"])
def test_all_stands_beside_the_database_itself_and_not_beside_a_link(tmp_path: Path, kind: str) -> None:
    """SQLite keeps its log there; whoever looks for it elsewhere misses what was committed last."""
    disk, lib = tmp_path / "disk", tmp_path / "lib"
    disk.mkdir()
    if kind == "folder":
        lib.symlink_to(disk)
    else:
        lib.mkdir()
        (lib / "state.db").symlink_to(disk / "state.db")
    if kind != "dangling":
        fresh_database(disk / "state.db")
    given = f"sqlite:///{lib}/state.db"
    made = open_writing(given)
    note(made, count=3)
    reader = open_reading(given)
    assert length(reader) == 3
    reader.close()
    with pytest.raises(Locked):
        database.ProcessLock(disk / "state.db.lock")
    assert {one.name for one in disk.iterdir()} >= {"state.db", "state.db-wal", "state.db.lock"}
    assert kind == "folder" or [one.name for one in lib.iterdir()] == ["state.db"]
    made.close()


def test_a_link_to_nowhere_is_no_database_yet(tmp_path: Path) -> None:
    (tmp_path / "state.db").symlink_to(tmp_path / "none" / "state.db")
    with pytest.raises(ConfigProblem, match=r"none/state\.db: there is no database yet"):
        open_reading(f"sqlite:///{tmp_path}/state.db")
    with pytest.raises(ConfigProblem, match="cannot be opened"):
        open_writing(f"sqlite:///{tmp_path}/state.db")


def test_a_link_to_itself_is_refused_in_our_words(tmp_path: Path) -> None:
    (tmp_path / "state.db").symlink_to(tmp_path / "state.db")
    with pytest.raises((ConfigProblem, StoreUnavailable)):
        open_reading(f"sqlite:///{tmp_path}/state.db")


@pytest.mark.parametrize("name", ["what?.db", "a#b.db", "100%41.db"])
def test_a_link_may_lead_to_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "state.db").symlink_to(tmp_path / name)
    made = open_writing(f"sqlite:///{tmp_path}/state.db")
    note(made)
    made.close()
    reader = open_reading(f"sqlite:///{tmp_path}/state.db")
    assert length(reader) == 1
    reader.close()
    assert {one.name for one in tmp_path.iterdir()} == {"state.db", name, f"{name}.lock"}


def test_while_somebody_holds_the_lock_nothing_is_taken_for_unchanging(url: str, tmp_path: Path) -> None:
    """Even where no log is found: a reader that was opened just before the daemon still sees what it writes."""
    lock = database.ProcessLock(tmp_path / "state.db.lock")
    reader = open_reading(url)
    assert "immutable" not in str(reader._engine.url)
    lock.release()
    assert "immutable" in str(open_reading(url)._engine.url)


# --- transactions and refusals ---------------------------------------------------------------------------


def test_transaction_happens_wholly_or_not_at_all(db: Database) -> None:
    with pytest.raises(ValueError, match="our bug"), db.begin() as connection:  # noqa: PT012
        mirror.set_fact(connection, "x", 1)
        ledger.append(connection, NOW, "message", text="STOP")
        raise ValueError("our bug")
    with db.begin() as connection:
        assert (ledger.head(connection).seq, mirror.fact(connection, "x")) == (0, None)


def test_transaction_within_another_one_is_a_defect(db: Database) -> None:
    with pytest.raises(RuntimeError, match="within another one"), db.begin() as connection:  # noqa: PT012
        ledger.append(connection, NOW, "message", text="STOP")
        note(db)
    assert length(db) == 0
    note(db)
    assert length(db) == 1


def test_commit_that_fails_leaves_nothing(db: Database) -> None:
    def refuse(_connection: object) -> None:
        raise KeyboardInterrupt

    event.listen(db._engine, "commit", refuse)
    with pytest.raises(KeyboardInterrupt):
        note(db)
    event.remove(db._engine, "commit", refuse)
    assert length(db) == 0
    note(db)
    assert length(db) == 1


def test_two_entries_of_one_number_are_refused_in_our_words(db: Database) -> None:
    with db.begin() as connection:
        texts.open_line(connection, NUMBER, NOW)
    with pytest.raises(StoreUnavailable, match="nothing of this step was stored"), db.begin() as connection:  # noqa: PT012
        ledger.append(connection, NOW, "message", text="STOP")
        connection.execute(text("INSERT INTO lines SELECT * FROM lines"))
    assert length(db) == 0


def test_full_disk_stores_nothing_and_heals(url: str) -> None:
    done = run(
        PRELUDE
        + """
    from syncd.errors import StoreUnavailable
    size = os.path.getsize(sys.argv[1].removeprefix("sqlite:///") + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, resource.RLIM_INFINITY))
    try:
        note(db, "x" * 10_000, 50)
    except StoreUnavailable as error:
        print("refused", error)
    with db.begin() as connection:
        print("stored", ledger.head(connection).seq)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    note(db, count=3)
    with db.begin() as connection:
        print("later", ledger.head(connection).seq, ledger.verify(connection)[1])
    """,
        url,
    )
    assert "refused the database refused" in done.stdout, done.stderr
    assert "stored 0" in done.stdout
    assert "later 3 []" in done.stdout


def test_threads_share_one_connection_in_turn(db: Database) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda index: note(db, str(index)), range(60)))
    with db.begin() as connection:
        head, faults = ledger.verify(connection)
    assert (head.seq, faults) == (60, [])


def test_damage_is_found(url: str, tmp_path: Path) -> None:
    db = open_writing(url)
    note(db, "x" * 500, 200)
    with db.begin() as connection:
        assert database.quick_check(connection) is None
    db.close()
    path = tmp_path / "state.db"
    raw = bytearray(path.read_bytes())
    raw[-8192:] = b"\xff" * 8192
    path.write_bytes(raw)
    reader = open_reading(url)
    try:
        with reader.begin() as connection:
            assert database.quick_check(connection)
    except StoreUnavailable:
        pass
    reader.close()


# --- any database ----------------------------------------------------------------------------------------


def test_statements_are_understood_by_postgresql(tmp_path: Path) -> None:
    """What the store says to the database compiles for PostgreSQL too, and names nothing of SQLite's."""
    said: set[str] = set()
    foreign = postgresql.dialect()  # type: ignore[no-untyped-call]

    def listen(_connection: object, clause: Any, *_: object) -> None:
        said.add(str(clause.compile(dialect=foreign)))

    world = World(tmp_path)
    event.listen(world.db._engine, "before_execute", listen)
    world.psa.add_company("1")
    world.psa.add_company("2")
    world.psa.add("ann", NUMBER)
    world.vox.text(NUMBER, "my printer is broken", ago=7200)
    world.steps(2)
    world.vox.text(NUMBER, "do not text me until Monday")
    world.psa.refuses["ann"] = "no"
    world.vox.text(NUMBER, "STOP")
    world.psa.edit("ann", company_id="2")
    world.steps(2)
    with world.db.begin() as connection:
        account.explain(connection, NUMBER, world.setup.rules)
        ledger.verify(connection)
        list(ledger.entries(connection, number=NUMBER))
    world.status()
    world.review()
    world.close()
    assert len(said) > 40
    assert not [one for one in said if re.search(r"(?i)pragma|rowid|json_|insert or|glob ", one)]


def test_no_statement_is_written_by_hand_outside_of_the_opening() -> None:
    folder = Path(database.__file__).parent
    written = [
        f"{path.name}: {line.strip()}"
        for path in folder.glob("*.py")
        if path.name != "database.py"
        for line in path.read_text("utf-8").splitlines()
        if "exec_driver_sql" in line or re.search(r"\btext\(['\"]", line) or "sqlite" in line.casefold()
    ]
    assert written == []


def test_tables_can_be_made_on_postgresql() -> None:
    foreign = postgresql.dialect()  # type: ignore[no-untyped-call]
    made = [str(CreateTable(table).compile(dialect=foreign)) for table in metadata.sorted_tables]
    assert not [one for one in made if "AUTOINCREMENT" in one or "SERIAL" in one]


# --- times -----------------------------------------------------------------------------------------------


def test_times_sort_as_text_and_come_back() -> None:
    times = [datetime(1, 1, 1, tzinfo=UTC), NOW, NOW.replace(microsecond=1), datetime(9999, 12, 31, tzinfo=UTC)]
    assert sorted(map(stamp, times)) == [stamp(one) for one in times]
    assert [moment(stamp(one)) for one in times] == times
    assert stamp(NOW) == "2026-03-02T15:00:00.000000Z"
