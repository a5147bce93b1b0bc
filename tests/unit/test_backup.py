"""`syncd backup`: what is copied, what is refused, and that nothing is ever half done."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
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
    lines,
    note,
    path,
    sql,
    url,
)

from syncd import backup, cli
from syncd.backup import Damaged, NotWritten
from syncd.errors import ConfigProblem, StoreUnavailable
from syncd.store import copies
from syncd.store.copies import judge
from syncd.store.database import Database, Locked, open_writing

__all__ = ["copy", "daemon", "impatient", "path"]

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
