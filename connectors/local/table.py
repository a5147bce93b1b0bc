"""A CSV file that people edit by hand, read and changed without disturbing anything else in it.

The standard `csv` module forgets how a file was written. Here every cell remembers where it stands in the text, so
that a change replaces the characters of that one cell: comments, blank lines, extra columns, quotes, line endings,
a BOM and a missing last newline stay byte for byte. Bytes that are no UTF-8 survive as well (surrogateescape).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from syncd.errors import ConfigProblem, Problem, Transient

LOCK_NAME = ".syncd.lock"

_BOM = "\ufeff"
_LINE_END = re.compile(r"\r\n|\n|\r|\Z")
# A quoted cell may hold line ends and doubled quotes; a plain one holds anything but a comma and a line end.
_CELL = re.compile(r'[ \t]*"(?P<quoted>[^"]*(?:""[^"]*)*)"[ \t]*(?=,|\r|\n|\Z)|(?P<plain>[^,\r\n]*)')


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: where its characters start and end in the text of the file, and what it says."""

    start: int
    end: int
    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One record with as many cells as the header has names; `line` counts from 1."""

    line: int
    cells: Mapping[str, Cell]

    def __getitem__(self, column: str) -> str:
        """What the cell says, without blanks around it; bytes that are no UTF-8 as backslash escapes."""
        raw = self.cells[column].text.strip()
        return raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


# What tells whether a file is still the one that was read.
Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Table:
    """A whole file: good rows, and for each bad one its line and what is wrong with it."""

    path: Path
    text: str
    stamp: Stamp
    rows: tuple[Row, ...]
    bad: tuple[tuple[int, str], ...]

    def with_cells(self, changes: Sequence[tuple[Row, str, str]]) -> str:
        """The text of the file with these cells (row, column, new text) changed and nothing else."""
        pieces: list[str] = []
        done = 0
        for row, column, new in sorted(changes, key=lambda change: change[0].cells[change[1]].start):
            cell = row.cells[column]
            old = self.text[cell.start : cell.end]
            before = old[: len(old) - len(old.lstrip())] if old.strip() else ""
            after = old[len(old.rstrip()) :]
            pieces += [self.text[done : cell.start], before, f'"{new}"' if cell.quoted else new, after]
            done = cell.end
        return "".join([*pieces, self.text[done:]])


def read_table(path: Path, columns: Sequence[str]) -> Table:
    """Read and parse the whole file; `columns` are the names that its header must have.

    Raises ConfigProblem when the file or a column is missing or may not be read, Transient when the file changed
    under our eyes: an editor that writes in place shows half a file for a moment.
    """
    with explained(path), path.open("rb") as file:
        before = _stamp(os.fstat(file.fileno()))
        content = file.read()
        after = _stamp(os.fstat(file.fileno()))
    if before != after or len(content) != after[2]:
        raise Transient(f"{path.name} is being written at this moment", retry_after=1.0)
    return parse(path, content.decode("utf-8", "surrogateescape"), after, columns)


def parse(path: Path, text: str, stamp: Stamp, columns: Sequence[str]) -> Table:
    """Make a table of the text of a file."""
    sheet = _Sheet(text, len(_BOM) if text.startswith(_BOM) else 0)
    header = next(sheet.records(), None)
    names = [cell.text.strip().casefold() for cell in header.cells] if header else []
    expected = ",".join(columns)
    for column in columns:
        if names.count(column) != 1:
            what = "has no column" if column not in names else "has more than one column"
            raise ConfigProblem([Problem(str(path), f"{what} '{column}'; the first line must read {expected}")])
    rows: list[Row] = []
    bad: list[tuple[int, str]] = []
    sheet.width = len(names)
    for record in sheet.records():
        why = record.why or _miscounted(record.cells, len(names))
        if why:
            bad.append((record.line, why))
        else:
            rows.append(Row(record.line, dict(zip(names, record.cells, strict=False))))
    return Table(path, text, stamp, tuple(rows), tuple(bad))


def _miscounted(cells: Sequence[Cell], width: int) -> str:
    # Spreadsheets pad lines with empty cells on the right; those say nothing.
    surplus = any(cell.text.strip() for cell in cells[width:])
    return f"{len(cells)} cells instead of {width}" if len(cells) < width or surplus else ""


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    cells: tuple[Cell, ...]
    why: str = ""


@dataclass(slots=True)
class _Sheet:
    """Walks through the text, one record at a time; `width` is the number of cells once the header is known."""

    text: str
    at: int
    line: int = 1
    width: int = field(default=0)

    def records(self) -> Iterator[_Record]:
        while self.at < len(self.text):
            end = self._line_end(self.at)
            first = self.text[self.at : end.start()]
            if first.strip() and not first.lstrip().startswith("#"):
                yield self._record(end)
            else:
                self._move(end.end())

    def _record(self, end: re.Match[str]) -> _Record:
        start, line = self.at, self.line
        cells, stop = _cells(self.text, start)
        why = "" if stop is not None else "a quote that is not closed, or text after a closing quote"
        if stop is not None and stop > end.start() and self.width and _miscounted(cells, self.width):
            # A record over several lines that does not fit: more likely one forgotten quote, which must not
            # swallow the good lines below it.
            why, stop = "a quote that is not closed on this line", None
        self._move(end.end() if stop is None else self._line_end(stop).end())
        return _Record(line, cells, why)

    def _line_end(self, at: int) -> re.Match[str]:
        end = _LINE_END.search(self.text, at)
        assert end, "every text has an end"  # noqa: S101
        return end

    def _move(self, to: int) -> None:
        self.line += sum(1 for _ in re.finditer(r"\r\n|\n|\r", self.text[self.at : to]))
        self.at = to


def _cells(text: str, at: int) -> tuple[tuple[Cell, ...], int | None]:
    """The cells of the record that starts at `at`, and where it stops (None: malformed)."""
    cells: list[Cell] = []
    while True:
        match = _CELL.match(text, at)
        assert match, "the plain form matches anything"  # noqa: S101
        quoted = match["quoted"]
        if quoted is None and match["plain"].lstrip().startswith('"'):
            return tuple(cells), None
        said = match["plain"] if quoted is None else quoted.replace('""', '"')
        cells.append(Cell(match.start(), match.end(), said, quoted is not None))
        at = match.end()
        if text[at : at + 1] != ",":
            return tuple(cells), at
        at += 1


def _stamp(seen: os.stat_result) -> Stamp:
    return (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock file (flock), so that no two programs rewrite a file of it at once.

    Raises Transient when somebody else holds it: a connector does not wait for strangers.
    """
    with explained(folder):
        file = (folder / LOCK_NAME).open("ab")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Transient(f"{folder} is locked by another program", retry_after=1.0) from error
        yield


def rewrite(table: Table, text: str) -> None:
    """Put the text in the place of the file: all of it or nothing, also when the power fails.

    Raises Transient when somebody changed the file since it was read; nothing was written then.
    """
    # A link stays a link: what it points to is rewritten.
    target = table.path.resolve()
    fresh = target.with_name(f".{target.name}.syncd-new")
    with explained(table.path):
        kept = target.stat()
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, "may not be written")
        try:
            _write_new(fresh, text.encode("utf-8", "surrogateescape"), kept)
            if _stamp(target.stat()) != table.stamp:
                raise Transient(f"{table.path.name} was changed by somebody else meanwhile", retry_after=1.0)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _write_new(path: Path, content: bytes, like: os.stat_result) -> None:
    path.unlink(missing_ok=True)  # left behind by a crash; the lock makes it ours
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with contextlib.suppress(PermissionError):
            os.fchown(file.fileno(), like.st_uid, like.st_gid)
        os.fchmod(file.fileno(), like.st_mode & 0o7777)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an OSError into the exception that says what the admin must do, if anything."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        what = "no such file or folder; create it, or set psa.settings.path to the folder that holds it"
        raise ConfigProblem([Problem(str(path), what)]) from error
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            who = "the user who runs syncd must be able to read and write the files and their folder"
            raise ConfigProblem([Problem(str(path), f"{error.strerror}; {who}")]) from error
        raise Transient(f"{path}: {error.strerror or error}") from error
