"""SHELL: `syncd backup` and `syncd restore`: files that are whole or not there, private, and never overwritten.

A backup is written under another name and takes its own only when it is complete and was read back. A restore
builds the new database beside the old one and puts it into its place in one step; the old one is kept. Whoever is
told to end meanwhile (SIGTERM, Ctrl-C) takes away what is half done first.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from syncd.errors import ConfigProblem, SyncdError
from syncd.store import copies
from syncd.store.copies import COMPANIONS, Judged
from syncd.store.database import ProcessLock, beside, file_of, like_its_folder
from syncd.store.ledger import GENESIS, Head


class NotWritten(SyncdError):
    """Nothing was written, or what was is gone again: the file cannot be made, or something would be lost."""


class Damaged(SyncdError):
    """A database, or the chain of its ledger, is damaged."""


@dataclass(frozen=True, slots=True)
class Restored:
    """`head`: where the ledger of the backup ends. `kept`: the folder with what was there before, if anything."""

    head: Head
    kept: Path | None


def back_up(url: str, target: Path) -> Judged:
    """Copy the database into a new file, mode 0600, also while the daemon runs; returns what the copy is worth.

    A copy whose chain is broken, as that of its original then is, is kept all the same: it holds everything that
    there is. Raises NotWritten, Damaged for a file that SQLite cannot read, ConfigProblem, StoreUnavailable.
    """
    path = _file_of(url)
    if os.path.lexists(target):  # said before the work; what appears in the meantime is not overwritten either
        raise _exists(target)
    for one in _companions(target):
        raise NotWritten(f"{one} exists already, and would be taken for a part of the backup; name another file")
    with _ending_in_order(), _workshop(target) as workshop, _draft(workshop / "copy.db") as part:
        copies.copy(path, part)
        found = copies.judge(part)
        if found.damage:
            raise Damaged(f"{path} is damaged: {found.damage}; no backup was made, keep the last good one")
        _name(part, target)
    return found


def restore(url: str, source: Path, now: datetime, *, by: str, force: bool = False) -> Restored:
    """Put a backup into the place of the database. The daemon must be stopped.

    `force`: also where what is there goes on after the backup or is another ledger, and where the backup's chain
    is broken. Raises NotWritten, Damaged, ConfigProblem, StoreUnavailable; nothing has changed then.
    """
    with _ending_in_order():
        return _restore(_file_of(url), source, now, by=by, force=force)


def _restore(path: Path, source: Path, now: datetime, *, by: str, force: bool) -> Restored:
    backup = _judged_backup(source, force)
    with contextlib.suppress(OSError):  # a new machine has no folder yet; the lock says what else is wrong
        path.parent.mkdir(mode=0o700)
    lock = ProcessLock(beside(path, ".lock"))
    try:
        replaced = _what_is_there(path, source, backup, force)
        with _draft(beside(path, ".restoring")) as part:
            shutil.copyfile(source, part)
            copies.settle_in(part, now, head=backup.head, replaced=replaced, by=by)
            like_its_folder(part)
            _sync(part)
            kept = _keep(path, now)
            part.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise NotWritten(f"{path}: {error.strerror or error}; the database there is as it was") from None
    finally:
        lock.release()
    return Restored(backup.head, kept)


def _file_of(url: str) -> Path:
    path = file_of(url)
    if path is None:
        raise ConfigProblem("store.url names no file: back up that database with its own tools")
    return path


# --- what a backup is worth against what is there ----------------------------------------------------------


def _judged_backup(source: Path, force: bool) -> Judged:
    if not source.is_file():
        raise NotWritten(f"{source}: there is no such file")
    for one in _companions(source):
        raise NotWritten(f"{source} is no backup but a database in use ({one.name}); make a backup of it first")
    found = copies.judge(source)
    if found.damage:
        raise Damaged(f"{source} is damaged, or no database: {found.damage}")
    if found.head.seq == 0:
        raise Damaged(f"{source} holds no ledger entry; it is no backup of syncd")
    if found.faults and not force:
        fault = found.faults[0]
        raise Damaged(
            f"{source}: the chain of its ledger is broken (entry {fault.seq} {fault.what}); take another backup, "
            f"or say --force if this is the best there is"
        )
    return found


def _what_is_there(path: Path, source: Path, backup: Judged, force: bool) -> Head | None:
    """The head of the ledger that is replaced, if one can be read. Raises NotWritten where that would lose it."""
    if not path.exists():
        return None
    if path.samefile(source):
        raise NotWritten(f"{source} is the database itself, not a backup of it")
    there = copies.judge(path, alone=True)
    if not there.sound:
        return there.head if there.head.hash != GENESIS else None
    if not force and not copies.holds(source, there.head):
        more = there.head.seq - backup.head.seq
        goes_on = more > 0 and copies.holds(path, backup.head, alone=True)
        what = (
            f"goes on for {more} entries after this backup" if goes_on else "holds another ledger than this backup"
        )
        raise NotWritten(
            f"the database at {path} is not damaged, and it {what} ({there.head.seq} entries). If it is to be "
            f"replaced nonetheless, say --force; it is kept beside the new one"
        )
    copies.fold(path)
    return there.head


# --- files -------------------------------------------------------------------------------------------------


def _companions(path: Path) -> list[Path]:
    """What is there of the files that SQLite takes for a part of the database at `path`."""
    return [beside(path, suffix) for suffix in COMPANIONS if beside(path, suffix).exists()]


def _exists(path: Path) -> NotWritten:
    return NotWritten(f"{path} exists already and is not overwritten; name another file")


@contextlib.contextmanager
def _workshop(target: Path) -> Iterator[Path]:
    """A new folder beside the target, mode 0700, for what becomes the target: nothing in it is anybody else's."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=".syncd-backup-", dir=target.parent))
    except OSError as error:
        raise NotWritten(f"{target} cannot be made: {error.strerror}") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _name(part: Path, target: Path) -> None:
    """Give a complete file its name, if nobody else has it by now. Raises NotWritten."""
    try:
        _sync(part)
        try:
            os.link(part, target)
        except FileExistsError:
            raise _exists(target) from None
        except OSError:  # a file system without hard links, such as that of a USB stick
            with _new_file(target):
                part.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise NotWritten(f"{target} could not be written: {error.strerror}") from None


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """Meanwhile SIGTERM and SIGHUP end this process by an exception, so that what is half done is taken away."""

    def end(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # once is enough: the way out must not be cut short
        raise SystemExit(128 + number)

    ours = threading.current_thread() is threading.main_thread()  # no other thread may set handlers
    asked = [one for one in (signal.SIGTERM, signal.SIGHUP) if ours and signal.getsignal(one) is signal.SIG_DFL]
    for one in asked:
        signal.signal(one, end)
    try:
        yield
    finally:
        for one in asked:
            signal.signal(one, signal.SIG_DFL)


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[None]:
    """An empty file that nobody else can open; when the block fails it is gone again. Raises NotWritten."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise NotWritten(f"{path} cannot be made: {error.strerror}") from None
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A new file under a name that is ours alone; what an interrupted run has left there goes first."""
    for old in (path, *_companions(path)):
        old.unlink(missing_ok=True)
    with _new_file(path):
        try:
            yield path
        finally:
            for one in _companions(path):
                one.unlink()


def _keep(path: Path, now: datetime) -> Path | None:
    """A folder with what is there now. The database stays in its place, complete, and has no log any more."""
    companions = _companions(path)
    present = [path, *companions] if path.exists() else companions
    if not present:
        return None
    # Mode 0700, and a name that is surely new.
    folder = Path(tempfile.mkdtemp(prefix=f"{path.name}.replaced-{now:%Y%m%dT%H%M%SZ}-", dir=path.parent))
    like_its_folder(folder)
    for one in present:
        _keep_one(one, folder / one.name, changes=bool(companions))
    _sync(folder)
    if companions:
        # A log that outlives its database would be played into the next one, and a database that outlives its log
        # lacks what stood there. So first the log goes into the database; what was kept is as it was.
        copies.fold(path)
    for one in _companions(path):  # only where SQLite cannot read the database at all, with its log or without
        one.unlink()
    return folder


def _keep_one(one: Path, kept: Path, *, changes: bool) -> None:
    """Keep a file as it is now: under a second name, or copied where the first one `changes` after this."""
    if changes:
        shutil.copy2(one, kept)
        like_its_folder(kept)
        _sync(kept)
    else:
        kept.hardlink_to(one)


def _sync(path: Path) -> None:
    """See to it that it is on the disk, be it a file or the names in a folder."""
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
