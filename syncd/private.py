"""SHELL: state is for the service's own user, and nobody else on the machine."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from syncd.store.database import file_of, name_of


@dataclass(frozen=True, slots=True)
class Open:
    """A file or folder that others could reach, and what to do now."""

    path: Path
    advice: str


def close_state(url: str) -> list[Open]:
    """Take away what group and others may do with the database and with everything that is named after it.

    Returns what was open, and what is and cannot be closed by us. It never raises: opt-outs matter more.
    """
    path, name = file_of(url), name_of(url)
    if path is None or name is None:
        return []
    # Where store.url is a link, whoever may change that can name another database.
    folders = sorted({path.parent, name.parent.resolve()})
    found = [one for folder in folders for one in _folder(folder)] + _second_name(path)
    for one in _state(path):
        try:
            mode = one.stat().st_mode
            if mode & 0o077:
                found.append(_close(one, mode))
        except OSError:
            continue  # it is gone, or opening it will tell
    return found


def _state(path: Path) -> list[Path]:
    """The database, its log and index, the lock, the folder for wishes, and what restores have left."""
    try:
        beside = [one for one in path.parent.iterdir() if one.name.startswith(path.name) and not one.is_symlink()]
    except OSError:
        beside = []
    return sorted({path, *beside})


def _close(one: Path, mode: int) -> Open:
    right = stat.S_IMODE(mode) & 0o700
    try:
        one.chmod(right)
    except OSError:
        return Open(one, f"run: chmod {right:04o} {one}")
    return Open(one, f"closed now (mode {right:04o}); it holds clients' numbers: find out who has read it")


def _second_name(path: Path) -> list[Open]:
    """Under another name the same database has another lock and another log, and both would be written."""
    try:
        if path.stat().st_nlink > 1:
            advice = f"it has a second name; find it with `find / -xdev -samefile {path}`, and remove that one"
            return [Open(path, advice)]
    except OSError:
        pass  # there is none yet, or opening it will tell
    return []


def _folder(folder: Path) -> list[Open]:
    """Who may write to the folder can put another database, or another log, into the place of ours."""
    try:
        if folder.stat().st_mode & 0o022:
            return [Open(folder, f"run: chmod go-w {folder}")]
    except OSError:
        pass  # opening the database will tell
    return []
