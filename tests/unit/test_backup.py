"""`syncd backup` and `syncd restore`: what is copied, what is refused, and that nothing is ever half done."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fakes import fresh_database

from syncd import backup, cli
from syncd.backup import Damaged, NotWritten
from syncd.errors import ConfigProblem, StoreUnavailable
from syncd.store import copies, database, ledger
from syncd.store.copies import judge
from syncd.store.database import Database, Locked, open_reading, open_writing
from syncd.store.ledger import Head

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


# --- backup ------------------------------------------------------------------------------------------------


def test_a_backup_beside_a_daemon_has_everything_committed(path: Path, daemon: Database, tmp_path: Path) -> None:
    found = backup.back_up(url(path), tmp_path / "copy.db")
    assert (found.head.seq, found.sound) == (5, True)
    assert lines(tmp_path / "copy.db") == lines(path)
    note(daemon)
    assert len(lines(tmp_path / "copy.db")) == 5


def test_a_backup_neither_changes_nor_checkpoints_the_database(path: Path, daemon: Database) -> None:
    before = contents(path.parent)
    assert len(before["state.db-wal"]) > 0
    backup.back_up(url(path), path.parent.parent / "copy.db")
    after = contents(path.parent)
    assert (after["state.db"], after["state.db-wal"]) == (before["state.db"], before["state.db-wal"])
    note(daemon)


def test_backups_under_constant_writing_are_each_of_one_moment(
    path: Path, daemon: Database, tmp_path: Path
) -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            note(daemon, 7)

    writer = threading.Thread(target=work)
    writer.start()
    try:
        heads = [backup.back_up(url(path), tmp_path / f"copy{index}.db").head for index in range(8)]
    finally:
        stop.set()
        writer.join()
    whole = lines(path)
    for index, head in enumerate(heads):
        copied = lines(tmp_path / f"copy{index}.db")
        assert copied == whole[: head.seq]
        assert (head.seq - 5) % 7 == 0, "never a part of a transaction"
    assert heads[-1].seq > heads[0].seq


def test_a_backup_is_private_and_alone(path: Path, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    place.mkdir()
    before = os.umask(0)
    try:
        backup.back_up(url(path), place / "copy.db")
    finally:
        os.umask(before)
    assert [(one.name, stat.S_IMODE(one.stat().st_mode)) for one in place.iterdir()] == [("copy.db", 0o600)]
    judge(place / "copy.db")
    assert [one.name for one in place.iterdir()] == ["copy.db"], "looking at a backup leaves nothing beside it"
    assert set(contents(path.parent)) == {"state.db"}


def test_the_command_prints_the_head_that_verify_prints(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(tmp_path, path)
    assert cli.main(["backup", str(tmp_path / "copy.db"), "-c", str(config)]) == cli.OK
    head = str(judge(path).head)
    said = capsys.readouterr().out
    assert said == f"{tmp_path}/copy.db: written and verified: 3 entries, head {head}\n"
    assert cli.main(["ledger", "verify", "--head", head, "-c", str(config)]) == cli.OK


def configured(folder: Path, path: Path) -> Path:
    config = folder / "syncd.yaml"
    config.write_text(
        f"primevox: {{api_key: '${{env:NONE}}', containers: [{{id: '1', numbers: ['+1 202 555 0100']}}]}}\n"
        f"psa: {{connector: local, settings: {{path: {folder}}}}}\nstore: {{url: 'sqlite:///{path}'}}\n"
    )
    return config


@pytest.mark.parametrize("kind", ["file", "empty", "folder", "link", "dangling link", "log beside it"])
def test_nothing_is_overwritten(path: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    target, victim = tmp_path / "copy.db", tmp_path / "victim"
    match kind:
        case "file":
            target.write_text("mine")
        case "empty":
            target.touch()
        case "folder":
            target.mkdir()
        case "link" | "dangling link":
            target.symlink_to(victim)
            if kind == "link":
                victim.write_text("mine")
        case "log beside it":
            target.with_name("copy.db-wal").write_text("mine")
    config = configured(tmp_path, path)
    before = contents(tmp_path)
    assert cli.main(["backup", str(target), "-c", str(config)]) == cli.NOT_WRITTEN
    assert "exists already" in capsys.readouterr().err
    assert contents(tmp_path) == before
    assert victim.exists() == (kind == "link")


def test_a_folder_that_is_not_there(path: Path, tmp_path: Path) -> None:
    with pytest.raises(NotWritten, match="cannot be made: No such file or directory"):
        backup.back_up(url(path), tmp_path / "none" / "copy.db")


def test_there_is_no_database_yet(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblem, match="there is no database yet"):
        backup.back_up(url(tmp_path / "none.db"), tmp_path / "copy.db")
    assert contents(tmp_path) == {}


def test_no_backup_of_a_damaged_file_is_kept(path: Path, tmp_path: Path) -> None:
    damage(path)
    with pytest.raises((Damaged, StoreUnavailable)):
        backup.back_up(url(path), tmp_path / "copy.db")
    assert contents(tmp_path) == {}


def test_a_backup_with_a_broken_chain_is_kept_and_told(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sql(path, "UPDATE ledger SET body = replace(body, 'STOP', 'Stay') WHERE seq = 2")
    config = configured(tmp_path, path)
    assert cli.main(["backup", str(tmp_path / "copy.db"), "-c", str(config)]) == cli.DATA
    said = capsys.readouterr()
    assert "FAULT  entry 2: its content does not match its hash" in said.err
    assert "BROKEN" in said.out
    assert lines(tmp_path / "copy.db") == lines(path)


def test_a_full_disk_leaves_nothing(path: Path, tmp_path: Path) -> None:
    place = tmp_path / "full"
    place.mkdir()
    code = f"""
        import resource, sys
        from pathlib import Path
        from syncd import backup
        from syncd.errors import StoreUnavailable
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            backup.back_up({url(path)!r}, Path({str(place / "copy.db")!r}))
        except StoreUnavailable as error:
            sys.exit(str(error))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "could not be copied" in done.stderr
    assert contents(place) == {}


def test_while_a_database_that_nobody_has_open_is_copied_no_daemon_starts(path: Path, tmp_path: Path) -> None:
    with copies.reading(path), pytest.raises(Locked):
        open_writing(url(path))
    open_writing(url(path)).close()


def test_a_log_that_a_killed_daemon_left_is_part_of_the_backup(path: Path, tmp_path: Path) -> None:
    left = crashed(path)
    backup.back_up(url(left), tmp_path / "copy.db")
    assert len(lines(tmp_path / "copy.db")) == 5


def crashed(path: Path) -> Path:
    """What a daemon that was killed leaves: a database whose last two entries stand in the log only."""
    left = path.parent.with_name("left") / "state.db"
    opened = open_writing(url(path))
    note(opened, 2)
    shutil.copytree(path.parent, left.parent)
    opened.close()
    assert left.with_name("state.db-wal").stat().st_size > 0
    return left


def test_a_backup_of_a_database_behind_a_link_has_what_stands_in_its_log(
    path: Path, daemon: Database, tmp_path: Path
) -> None:
    (tmp_path / "link.db").symlink_to(path)
    assert backup.back_up(url(tmp_path / "link.db"), tmp_path / "copy.db").head.seq == 5


@pytest.mark.parametrize("name", ["copy.db.part", "copy.db.part-wal", "copy.db.part-shm", ".copy.db.part"])
def test_a_file_that_is_not_ours_stays_whatever_its_name(path: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    backup.back_up(url(path), tmp_path / "copy.db")
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_not_overwritten(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    place = tmp_path / "backups"
    place.mkdir()
    sync = backup._sync

    def late(one: Path) -> None:
        sync(one)
        (place / "copy.db").write_text("mine")

    monkeypatch.setattr(backup, "_sync", late)
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(NotWritten, match="exists already"):
        backup.back_up(url(path), place / "copy.db")
    assert contents(place) == {"copy.db": b"mine"}


def no_links(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_a_backup_onto_a_file_system_without_hard_links(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "stick"
    place.mkdir()
    monkeypatch.setattr(os, "link", no_links)
    backup.back_up(url(path), place / "copy.db")
    assert [one.name for one in place.iterdir()] == ["copy.db"]
    assert len(lines(place / "copy.db")) == 3


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("job", ["backup", "restore"])
def test_who_is_told_to_end_takes_away_what_is_half_done(
    path: Path, copy: Path, tmp_path: Path, job: str, asked: signal.Signals
) -> None:
    place = tmp_path / "backups"
    place.mkdir()
    sql(path, "DELETE FROM ledger WHERE seq = 3")
    before = contents(path.parent)
    code = f"""
        import os, signal
        from datetime import UTC, datetime
        from pathlib import Path
        from syncd import backup
        signal.signal({int(asked)}, signal.default_int_handler if {int(asked)} == 2 else signal.SIG_DFL)
        backup._sync = lambda _: os.kill(os.getpid(), {int(asked)})
        if {job!r} == "backup":
            backup.back_up({url(path)!r}, Path({str(place / "new.db")!r}))
        else:
            backup.restore({url(path)!r}, Path({str(copy)!r}), datetime.now(UTC), by="ann")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == (-2 if asked == signal.SIGINT else 128 + asked), done.stderr
    assert list(place.iterdir()) == []
    assert contents(path.parent) == before


def test_the_way_signals_are_handled_is_given_back(path: Path, tmp_path: Path) -> None:
    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)]
    backup.back_up(url(path), tmp_path / "copy.db")
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)] == before


# --- restore -----------------------------------------------------------------------------------------------


@pytest.fixture
def copy(path: Path, tmp_path: Path) -> Path:
    """A backup with the three entries."""
    backup.back_up(url(path), tmp_path / "copy.db")
    return tmp_path / "copy.db"


def restore(path: Path, copy: Path, *, force: bool = False) -> backup.Restored:
    return backup.restore(url(path), copy, NOW, by="ann", force=force)


def test_on_a_new_machine_even_the_folder_is_made(path: Path, copy: Path, tmp_path: Path) -> None:
    place = tmp_path / "new" / "state.db"
    done = restore(place, copy)
    assert (done.head, done.kept) == (judge(copy).head, None)
    assert lines(place)[:3] == lines(copy)
    entry = last_entry(place)
    assert (entry["kind"], entry["head"], entry["replaced"], entry["by"]) == (
        "restore",
        str(done.head),
        None,
        "ann",
    )
    assert judge(place).sound
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in (place.parent, *place.parent.iterdir())}
    assert modes == {"new": 0o700, "state.db": 0o600, "state.db.lock": 0o600}


def test_a_damaged_database_is_replaced_and_kept_as_it_is(path: Path, copy: Path) -> None:
    left = crashed(path)
    damage(left)
    before = contents(left.parent)
    done = restore(left, copy)
    assert done.kept is not None
    kept = contents(done.kept)
    assert kept.keys() == before.keys()
    for name in ("state.db", "state.db-wal"):  # the third is an index that every reader changes
        assert kept[name] == before[name], name
    assert stat.S_IMODE(done.kept.stat().st_mode) == 0o700
    assert set(contents(left.parent)) == {"state.db"}, "a log that stays would be played into the new database"
    assert lines(left)[:-1] == lines(copy)


def test_a_database_that_goes_on_after_the_backup_is_not_replaced_unasked(path: Path, copy: Path) -> None:
    left = crashed(path)
    before = contents(left.parent)
    with pytest.raises(NotWritten, match=r"goes on for 2 entries after this backup.*--force"):
        restore(left, copy)
    after = contents(left.parent)
    assert (after["state.db"], after["state.db-wal"]) == (before["state.db"], before["state.db-wal"])
    longer = lines(left)
    done = restore(left, copy, force=True)
    assert done.kept is not None
    assert lines(done.kept / "state.db") == longer
    assert last_entry(left)["replaced"] == f"5:{longer[-1]}"
    assert judge(left).sound


def test_another_ledger_is_not_replaced_unasked(path: Path, copy: Path, tmp_path: Path) -> None:
    """A daemon that was started by mistake on the empty disk has begun a ledger of its own."""
    other = tmp_path / "fresh" / "state.db"
    other.parent.mkdir()
    write(other, 1, "another")
    with pytest.raises(NotWritten, match="holds another ledger"):
        restore(other, copy)
    assert restore(other, copy, force=True).kept


@pytest.mark.parametrize("entries", [0, 2, 3])
def test_what_the_backup_holds_as_well_needs_no_force(path: Path, tmp_path: Path, entries: int) -> None:
    older = tmp_path / "older" / "state.db"
    older.parent.mkdir()
    if entries:
        sql(path, f"DELETE FROM ledger WHERE seq > {entries}")
        shutil.copy(path, older)
        write(path, 3 - entries)
    else:
        open_writing(url(older)).close()
    backup.back_up(url(path), tmp_path / "copy.db")
    assert restore(older, tmp_path / "copy.db").kept
    assert lines(older)[:-1] == lines(path)


def test_the_daemon_must_be_stopped(path: Path, copy: Path, daemon: Database) -> None:
    with pytest.raises(Locked, match="systemctl stop syncd"):
        restore(path, copy, force=True)
    assert len(lines(path)) == 5


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "there is no such file"),
        ("empty", "holds no ledger entry|damaged, or no database"),
        ("text", "damaged, or no database"),
        ("damaged", "damaged"),
        ("no entries", "holds no ledger entry"),
        ("another program's", "damaged, or no database"),
        ("in use", "is no backup but a database in use"),
        ("broken chain", "the chain of its ledger is broken .entry 2"),
        ("the database itself", "is the database itself"),
    ],
)
def test_what_is_no_good_backup_is_refused(path: Path, copy: Path, kind: str, words: str) -> None:
    given = copy
    match kind:
        case "missing":
            copy.unlink()
        case "empty":
            copy.write_bytes(b"")
        case "text":
            copy.write_bytes(b"not a database, " * 1000)
        case "damaged":
            damage(copy)
        case "no entries":
            sql(copy, "DELETE FROM ledger")
        case "another program's":
            copy.unlink()
            sql(copy, "CREATE TABLE ledger (seq INTEGER, words TEXT)")
        case "in use":
            given = crashed(path)
        case "broken chain":
            sql(copy, "UPDATE ledger SET hash = lower(hex(randomblob(32))) WHERE seq = 2")
            for suffix in ("-wal", "-shm"):
                copy.with_name(copy.name + suffix).unlink(missing_ok=True)
        case "the database itself":
            given = path
    before = contents(path.parent)
    with pytest.raises((NotWritten, Damaged), match=words):
        restore(path, given)
    assert contents(path.parent) == before
    if kind == "broken chain":
        restore(path, given, force=True)
        assert lines(path)[:-1] == lines(given), "it may be the best there is"


def test_the_commands_exit_codes(
    path: Path, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(configured(tmp_path, path))
    write(path, 2)
    assert cli.main(["restore", str(copy), "-c", config]) == cli.NOT_WRITTEN
    assert "--force" in capsys.readouterr().err
    assert cli.main(["restore", str(copy), "-c", config, "--force"]) == cli.OK
    said = capsys.readouterr().out
    assert f"restored: 3 entries, head {judge(copy).head}\n" in said
    assert f"is kept in {path}.replaced-" in said
    damage(copy)
    assert cli.main(["restore", str(copy), "-c", config]) == cli.DATA
    held = open_writing(url(path))
    assert cli.main(["restore", str(path), "-c", config]) == cli.NOT_WRITTEN
    backup.back_up(url(path), tmp_path / "second.db")
    assert cli.main(["restore", str(tmp_path / "second.db"), "-c", config]) == cli.TRY_AGAIN
    held.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_restores_belongs_to_the_services_user(path: Path, copy: Path) -> None:
    os.chown(path.parent, 4711, 4712)
    done = restore(path, copy)
    assert done.kept is not None
    for one in (path, done.kept):
        assert (one.stat().st_uid, one.stat().st_gid) == (4711, 4712), one


def test_a_backup_of_an_older_schema_is_migrated(path: Path, copy: Path, tmp_path: Path) -> None:
    """`open_writing` would migrate at the next start; here it is found out before anything is replaced."""
    sql(copy, "UPDATE alembic_version SET version_num = '9999'")
    for suffix in ("-wal", "-shm"):
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)
    before = contents(path.parent)
    with pytest.raises(ConfigProblem, match="written by a newer syncd"):
        restore(path, copy)
    assert contents(path.parent) == before


# --- a kill at every step ------------------------------------------------------------------------------------

CHANGES = {
    "open",
    "os.rename",
    "os.link",
    "os.remove",
    "os.mkdir",
    "os.chown",
    "shutil.copyfile",
    "sqlite3.connect",
}


def killed_at(step: int, job: Callable[[], object]) -> bool:
    """Run the job in a process that ends without a warning just before its n-th change; False: it got through."""
    with warnings.catch_warnings():  # newer Pythons warn of threads that live in the parent only; none is needed
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = step

    def hook(event: str, _arguments: object) -> None:
        nonlocal left
        if event in CHANGES:
            left -= 1
            if left < 0:
                os._exit(9)

    code = 1
    try:
        sys.addaudithook(hook)
        job()
        code = 0
    finally:
        os._exit(code)


def test_a_backup_that_is_killed_leaves_a_whole_file_or_none(path: Path, tmp_path: Path) -> None:
    wanted, outcomes = lines(path), set()
    for step in range(200):
        place = tmp_path / f"step{step}"
        place.mkdir()
        killed = killed_at(step, lambda place=place: backup.back_up(url(path), place / "copy.db"))  # type: ignore[misc]
        found = place / "copy.db"
        outcomes.add(found.exists())
        assert not found.exists() or lines(found) == wanted
        assert lines(path) == wanted
        if not killed:
            break
    assert not killed
    assert step > 8
    assert outcomes == {True, False}


@pytest.mark.parametrize("state", ["sound", "broken chain", "damaged"])
def test_a_restore_that_is_killed_leaves_the_old_database_or_the_new_one(
    path: Path, copy: Path, tmp_path: Path, state: str
) -> None:
    if state == "broken chain":  # readable to its end, but not folded before it is kept
        sql(path, "UPDATE ledger SET kind = 'x' WHERE seq = 1")
    left = crashed(path)
    old, new = lines(left), lines(copy)
    assert len(old) == 5
    if state == "damaged":
        with left.open("r+b") as stream:
            stream.truncate(left.stat().st_size - 4096)
    for step in range(300):
        place = tmp_path / f"step{step}" / "state.db"
        shutil.copytree(left.parent, place.parent)
        killed = killed_at(step, lambda place=place: restore(place, copy, force=True))  # type: ignore[misc]
        assert place.exists()
        kept = [one / "state.db" for one in place.parent.glob("state.db.replaced-*")]
        if state != "damaged":
            assert lines(place) in (old, [*new, lines(place)[-1]])
            assert lines(place) == old or lines(kept[0]) == old
        elif kept and not place.with_name("state.db-wal").exists():
            assert kept[0].with_name("state.db-wal").exists(), "the evidence is whole"
        if not killed:
            break
        if step % 4 and not kept:
            continue
        # Whatever was left behind is in nobody's way.
        restore(place, copy, force=True)
        assert lines(place)[: len(new)] == new
        assert judge(place).sound
        assert set(contents(place.parent)) == {"state.db"}
    assert not killed
    assert step > 15


def test_a_head_is_that_of_the_ledger(path: Path) -> None:
    assert judge(path).head == Head(3, lines(path)[-1])
