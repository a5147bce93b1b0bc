"""Read a YAML file into plain data that remembers where each value stands.

YAML is read by its events, without PyYAML's constructors, because those guess: `0100200` becomes octal, `no`
becomes False, `12:30` becomes 750, and of two equal keys the last wins in silence. Here a scalar that is not
obviously a number, true, false or null stays a text, and what a careful reader could take in two ways is a flaw.
Anchors, aliases and tags are flaws too: a few hundred bytes of them can unfold into gigabytes.

Messages never quote a value: it may be a password in the wrong place.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml import events

from syncd.errors import ConfigProblem, Problem

LARGEST = 256 * 1024  # bytes
DEEPEST = 20  # levels of nesting

_HALF = re.compile("[\ud800-\udfff]")
_HALF_OF_ONE = "holds half of a character (\\ud800 to \\udfff); write the character itself"

# The way to a value: keys of sections and positions in lists, from the top.
Keys = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing to edit. `line` counts from 1; None means the line of `keys`, 0 the file as a whole."""

    keys: Keys
    what: str
    line: int | None = None


@dataclass(slots=True)
class Document:
    """A parsed file.

    data:   nested dicts with str keys, lists, str, int, float, bool and None
    source: how each unquoted value is written in the file (`+12025550100` is lost in an int)
    broken: values with a flaw of their own; more complaints about them would only confuse
    """

    path: Path
    data: Any = None
    lines: dict[Keys, int] = field(default_factory=dict)
    source: dict[Keys, str] = field(default_factory=dict)
    broken: set[Keys] = field(default_factory=set)
    flaws: list[Flaw] = field(default_factory=list)

    def problems(self, flaws: list[Flaw]) -> list[Problem]:
        """The flaws in the order of the file, each with its file, line and path, none twice."""
        placed = [(self.line(flaw.keys) if flaw.line is None else flaw.line, flaw) for flaw in flaws]
        placed.sort(key=lambda pair: pair[0])
        return list(dict.fromkeys(Problem(self._where(line, flaw.keys), flaw.what) for line, flaw in placed))

    def line(self, keys: Keys) -> int:
        """The line of a value, or of the nearest section around it that the file has; 0 without any."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 0)

    def is_broken(self, keys: Keys) -> bool:
        """Whether the value, or a section around it, has a flaw already."""
        return any(keys[:length] in self.broken for length in range(len(keys) + 1))

    def entries(self, *keys: str | int) -> list[Any]:
        """The list at that path; empty if the file has none there."""
        value = self.data
        for key in keys:
            value = value[key] if isinstance(value, dict) and key in value else None
        return value if isinstance(value, list) else []

    def _where(self, line: int, keys: Keys) -> str:
        place = f"{self.path}:{line}" if line else str(self.path)
        return f"{place}: {dotted(keys)}" if keys else place


def dotted(keys: Keys) -> str:
    """`primevox.containers[0].id`, fit for a log line."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += f".{key}" if re.fullmatch(r"[\w#-]{1,60}", key) else f".{shown(key)}"
    return text.removeprefix(".")


def shown(text: str, longest: int = 60) -> str:
    """A text in quotes, without line ends and invisible characters, cut where it gets long."""
    return ascii(text) if len(text) <= longest else ascii(text[:longest]) + "..."


def read(path: Path) -> Document:
    """Parse the file; ConfigProblem if it cannot be read at all. Lesser flaws are in `Document.flaws`."""
    document = Document(path)
    try:
        text = _text(path, document)
        _Reader(text, document).read()
    except _Unreadable as error:
        failure = error
    else:
        return document
    raise ConfigProblem(document.problems([*document.flaws, Flaw((), failure.what, failure.line)]))


class _Unreadable(Exception):
    def __init__(self, what: str, line: int | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.line = line


def _text(path: Path, document: Document) -> str:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _Unreadable("is a folder; give the path of the configuration file in it")
        if not stat.S_ISREG(status.st_mode):
            raise _Unreadable("is not an ordinary file")
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except FileNotFoundError:
        raise _Unreadable("does not exist; give the path of the configuration file with -c") from None
    except PermissionError:
        raise _Unreadable(
            "may not be read by this user; check its owner and mode (and those of its folders)"
        ) from None
    except (OSError, ValueError) as error:
        raise _Unreadable(f"cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})") from None
    if len(content) > LARGEST:
        raise _Unreadable(f"is larger than {LARGEST // 1024} kB, which no configuration of syncd is")
    document.flaws += [Flaw((), what, 0) for what in _who_else_may_change(path, status)]
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _Unreadable("is not UTF-8 text; save the file as UTF-8", line) from None


def _who_else_may_change(path: Path, status: os.stat_result) -> list[str]:
    """Why others could write here where to send the keys: into this file, or another one in its place."""
    found = []
    if status.st_mode & stat.S_IWOTH:
        found.append("anybody on this machine may change this file; run chmod o-w on it")
    # Root reads whatever an administrator keeps; the service, which has the keys, does not run as root.
    if os.geteuid() != 0 and status.st_uid not in (0, os.geteuid()):
        found.append("another user owns this file and may change it; run chown root on it")
    # Both the folder of a link and that of the file it leads to. In one like /tmp nobody replaces others' files.
    for folder in sorted({path.parent.resolve(), path.resolve().parent}):
        try:
            mode = folder.stat().st_mode
        except OSError:
            continue  # the file could be read all the same
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            found.append(f"anybody on this machine may replace this file; run chmod o-w on its folder {folder}")
    return found


class _Reader:
    """Turns the events of one text into `document`."""

    def __init__(self, text: str, document: Document) -> None:
        self._text = text
        self._document = document

    def read(self) -> None:
        try:
            self._loader: Any = yaml.SafeLoader(self._text)
            self._document.data = self._whole()
        except yaml.reader.ReaderError as error:
            line = self._text.count("\n", 0, error.position) + 1
            raise _Unreadable("holds a control character; delete it", line) from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self._explained(error, mark.line if mark else 0) from None
        except yaml.YAMLError:
            raise _Unreadable("is not valid YAML") from None
        except (ValueError, OverflowError):  # "\UFFFFFFFF" in double quotes
            raise _Unreadable("holds a character code that does not exist", self._loader.line + 1) from None

    def _whole(self) -> Any:
        self._next()  # the start of the stream
        if isinstance(self._next(), events.StreamEndEvent):
            raise _Unreadable("is empty; start from config.example.yaml")
        first = self._loader.peek_event()
        data = self._value((), first.start_mark.line + 1)
        self._next()  # the end of the document
        more = self._next()
        if not isinstance(more, events.StreamEndEvent):
            self._flaw(
                (), "a second YAML document begins here; remove the line with ---", more.start_mark.line + 1
            )
        if data is None:
            raise _Unreadable("is empty; start from config.example.yaml")
        if not isinstance(data, dict):
            raise _Unreadable("must hold sections (primevox:, psa:, ...); start from config.example.yaml", 1)
        return data

    def _next(self) -> Any:
        return self._loader.get_event()

    def _flaw(self, keys: Keys, what: str, line: int) -> None:
        self._document.flaws.append(Flaw(keys, what, line))

    def _value(self, keys: Keys, line: int) -> Any:
        event = self._next()
        self._document.lines[keys] = line
        if len(keys) > DEEPEST:
            raise _Unreadable(f"is nested more than {DEEPEST} levels deep", line)
        self._refuse_references(event, keys, line)
        if isinstance(event, events.MappingStartEvent):
            return self._section(keys)
        if isinstance(event, events.SequenceStartEvent):
            return self._list(keys)
        return self._scalar(event, keys, line) if isinstance(event, events.ScalarEvent) else ""

    def _refuse_references(self, event: Any, keys: Keys, line: int) -> None:
        what = ""
        if isinstance(event, events.AliasEvent) or event.anchor is not None:
            what = "YAML anchors and aliases are not used here; put a value that begins with & or * in quotes"
        elif event.tag is not None:
            what = "YAML tags are not used here; put a value that begins with ! in quotes"
        if what:
            self._flaw(keys, what, line)
            self._document.broken.add(keys)

    def _list(self, keys: Keys) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self._loader.peek_event(), events.SequenceEndEvent):
            items.append(self._value((*keys, len(items)), event.start_mark.line + 1))
        self._next()
        return items

    def _section(self, keys: Keys) -> dict[str, Any]:
        section: dict[str, Any] = {}
        while not isinstance(event := self._loader.peek_event(), events.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, events.ScalarEvent):
                self._flaw(keys, "a key must be one plain word", line)
                self._skip((*keys, "?"), line)
                self._skip((*keys, "?"), line)
                continue
            key = self._next().value
            if _HALF.search(key):
                self._flaw(keys, f"the key {shown(key)} {_HALF_OF_ONE}", line)
                self._skip((*keys, "?"), line)
                continue
            self._refuse_references(event, (*keys, key), line)
            if key in section:
                first = self._document.lines[*keys, key]
                self._flaw((*keys, key), f"this key is given twice, in lines {first} and {line}; keep one", line)
                self._skip((*keys, key), line)
            else:
                section[key] = self._value((*keys, key), line)
        self._next()
        return section

    def _skip(self, keys: Keys, line: int) -> None:
        """Pass over a value that has no place of its own."""
        scratch = Document(self._document.path)
        kept, self._document = self._document, scratch
        self._value(keys, line)
        self._document = kept

    def _scalar(self, event: Any, keys: Keys, line: int) -> Any:
        text: str = event.value
        if _HALF.search(text):
            self._flaw(keys, _HALF_OF_ONE, line)
            self._document.broken.add(keys)
            return ""
        if not event.implicit[0]:
            return text
        self._document.source[keys] = text
        return self._plain(text, keys, line)

    def _plain(self, text: str, keys: Keys, line: int) -> Any:
        kind = self._loader.resolve(yaml.ScalarNode, text, (True, False)).rpartition(":")[2]
        if kind == "null":
            return None
        if kind == "bool":  # yes, no, on and off stay texts: `opted_in: Yes` is a value of a picklist
            return {"true": True, "false": False}.get(text.lower(), text)
        if kind == "int" and re.fullmatch(r"[-+]?(0|[1-9][0-9]{0,17})", text):
            return int(text)
        if kind == "float" and re.fullmatch(r"[-+]?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}", text):
            return float(text)
        if kind in ("int", "float", "timestamp"):
            self._flaw(keys, "YAML reads this as a number or date other than it looks; put it in quotes", line)
            self._document.broken.add(keys)
        return text

    def _explained(self, error: yaml.MarkedYAMLError, line: int) -> _Unreadable:
        """PyYAML's words in an operator's. Its own may quote a value, so that they are never passed on."""
        around = self._text.split("\n")[max(line - 1, 0) : line + 1]
        said = f"{error.context or ''} {error.problem or ''}"
        if "'\\t'" in said or any(re.match(r" *\t", one) for one in around):
            return _Unreadable("a tab stands here; YAML wants spaces", line + 1)
        for sign, what in _SIGNS:
            if sign in said:
                if error.context_mark and "never closed" in what:
                    line = error.context_mark.line
                return _Unreadable(what, line + 1)
        return _Unreadable("is not valid YAML here; check the indentation, the colons and the quotes", line + 1)


_SIGNS = (
    (
        "quoted scalar",
        "a text in quotes is never closed, or holds a backslash; use 'single quotes' for backslashes",
    ),
    ("flow sequence", "a list in [ ] is never closed or lacks a comma; put a word that begins with # in quotes"),
    ("flow mapping", "a section in { } is never closed or lacks a comma; put a word that begins with # in quotes"),
    (
        "mapping values are not allowed",
        "a colon too many, or wrong indentation; put a text that holds ': ' in quotes",
    ),
    ("could not find expected ':'", "a key without its colon and space (key: value), or wrong indentation"),
    ("expected <block end>", "the indentation does not fit the lines above, or a quote stands in the wrong place"),
    ("cannot start any token", "a value that begins with a special character must be put in quotes"),
)
