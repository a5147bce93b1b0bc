"""`syncd restore`: what is put back, what is refused, and what a kill at any step leaves, of a backup too."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from copying import (
    configured,
    contents,
    copy,
    crashed,
    daemon,
    damage,
    impatient,
    last_entry,
    lines,
    path,
    restore,
    sql,
    url,
    write,
)

from syncd import backup, cli
from syncd.backup import Damaged, NotWritten
from syncd.errors import ConfigProblem
from syncd.store.copies import judge
from syncd.store.database import Database, Locked, open_writing
from syncd.store.ledger import Head

__all__ = ["copy", "daemon", "impatient", "path"]

# --- restore -----------------------------------------------------------------------------------------------


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
