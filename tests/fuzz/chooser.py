"""Hostile inputs made of bytes, so that Hypothesis, a coverage-guided fuzzer and plain chance can all steer.

Where the bytes end every choice is the first one, which is the harmless one: short inputs are nearly good ones.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

# Pieces of which texts are made: what breaks lines, tables, terminals, parsers and assumptions.
PIECES: tuple[str, ...] = (
    *("", " ", "a", "7", "STOP", "#Stop", "#Go", "stop texting me", "no more alerts until Monday", "hello there"),
    *("\n", "\r", "\r\n", "\t", "\v", "\f", "\x85", "\u2028", "\u2029", "\0", "\x07", "\x1b[31m", "\x1b]0;x\x07"),
    *("\x9b31m", "\x7f", "\u200b", "\u200d", "\u200f", "\u202e", "\u2066", "\u2069", "\ufeff", "\ufffd", "\ufe0f"),
    *(
        "\ud800",
        "\udc00",
        "\ud83d",
        "\ue000",
        "\U0010ffff",
        "e\u0301\u0302\u0303",
        "\u0301" * 20,
        "\ufdfa",
        "ﷺ" * 9,
    ),
    *(
        "%s",
        "%n%n",
        "{0}",
        "{x!r}",
        "{",
        "}",
        "${env:HOME}",
        "${credential:a}",
        "${file:/etc/passwd}",
        "$(id)",
        "`id`",
    ),
    *(
        "=1+1",
        "+1",
        "-1",
        "@SUM(1)",
        "=cmd|'/c'!A1",
        "|",
        ";",
        ",",
        '"',
        '""',
        "'",
        "\\",
        "\\n",
        "\\u0000",
        "\\ud800",
    ),
    *("<", ">", "<html>", "&#x110000;", "&#0;", "&amp;", "&lt;", "[", "]", "(", ")", "[[", "{{", "#", "##", "# "),
    *("0", "-0", "1.5", "1e5", "1e999", "NaN", "9" * 20, "9" * 400, "0x1F", "1_000", "٣", "²", "½", "１"),
    *("2025550110", "+1 (202) 555-0111 x12", "202.555.0112 / 202-555-0113", "0118", "+", "+1", "911", "anonymous"),
    *(
        "image/png",
        "[image/png:4711]",
        "text/vcard",
        "MIME_TYPE=image/png",
        "https://x.example/a.png",
        "> ",
        ">> ",
    ),
    *(
        "On Monday wrote:",
        "Sent from my iPhone",
        "-- ",
        "Liked “",
        "no ",
        "not ",
        "don't ",
        "please ",
        "and ",
        "to ",
    ),
    *(
        "true",
        "false",
        "null",
        "none",
        "yes",
        "~",
        "!!python/object:os.system",
        "&a",
        "*a",
        "---",
        "...",
        ": ",
        "- ",
    ),
    *("Opted-In", "Opted-Out", "opted out", "Approved", "id", "name", "items", "errors", "message", "error"),
    *(
        "2026-03-02T10:00:00Z",
        "2026-03-02 10:00:00",
        "0000-00-00 00:00:00",
        "9999-12-31T23:59:59+14:00",
        "1970-01-01",
    ),
    *("SMS Opt-In", "SMS Approval", "unable to find x in the Contacts entity", "thread threshold", "is invalid"),
)

STATUSES = (
    200,
    200,
    200,
    201,
    204,
    400,
    401,
    403,
    404,
    405,
    406,
    408,
    409,
    410,
    412,
    413,
    414,
    415,
    418,
    422,
    425,
)
STATUSES += (429, 500, 501, 502, 503, 504, 520, 524, 599, 999)

MOMENTS = (
    *("30", "0", "-5", "2.5", "999999999999", "9" * 5000, "1e5", "٣", "soon", "", " ", "\0", "1" * 13 + ".5"),
    *("Mon, 02 Mar 2026 10:02:00 GMT", "Mon, 02 Mar 2026 10:02:00 -0000", "Mon, 99 Mar 2026 10:02:00 GMT"),
    *("Mon, 02 Mar 2026 10:02:00 +9999", "Mon, 02 Mar 2026 10:02:00 +99999999999999999999"),
    *(
        "Mon, 02 Mar 99999999999999999999 10:02:00 GMT",
        "Mon, 02 Mar 0000 10:02:00 GMT",
        "Mon, 02 Mar 9999 23:59:59 -2359",
    ),
    *("Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -1200", "Mon, 01 Jan 0001 00:00:00 +1400"),
    *(
        "2 Mar 2026",
        "1 Jan 1 00:00",
        "Mar 2026",
        ", , ,",
        "Mon",
        "(((((",
        "Mon, 02 Mar 2026 99:99:99 GMT",
        "2026-03-02",
    ),
    *("Mon, 02 Mar 2026 10:02:00 " + "9" * 4400, "Mon, 02 Mar " + "9" * 4400 + " 10:02:00 GMT"),
)

_MARK = "\0raw"


class Raw:
    """JSON that is put into a document as it stands, valid or not."""

    def __init__(self, text: str) -> None:
        self.text = text


# Values that nobody documented, for a place in a JSON document.
ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        7,
        2**31,
        2**63,
        2**64,
        10**400,
        1.5,
        7.0,
        -0.0,
        1e308,
        Raw("1e999"),
        Raw("-1e999"),
    ),
    *(
        "",
        " ",
        "7",
        "7.0",
        "-7",
        " 7 ",
        "9" * 4400,
        "1" * 5000 + ".0",
        [],
        {},
        [[]],
        [{}],
        [None],
        {"": None},
        [7, 7],
    ),
    *(
        {"id": 7},
        [{"id": 7}],
        {"message": "no"},
        {"error": {}},
        Raw("NaN"),
        Raw("Infinity"),
        Raw("9" * 4400),
        Raw(""),
    ),
    *(
        Raw('{"a":1,"a":2}'),
        Raw('{"id":7,"id":8}'),
        Raw("01"),
        Raw('"\\ud800"'),
        Raw('"\\udc00\\ud800"'),
        Raw("'x'"),
    ),
    *(Raw("[" * deep + "]" * deep) for deep in (50, 300, 450, 490, 600, 900, 950, 985)),
    *(Raw('{"a":' * deep + "7" + "}" * deep) for deep in (50, 300, 450, 490, 600, 900, 950, 985)),
    *(Raw('[{"message":' * deep + '"x"' + "}]" * deep) for deep in (150, 225, 300, 450)),
)


class Chooser:
    """Reads choices from bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes not used yet."""
        return max(0, len(self._data) - self._at)

    def below(self, count: int) -> int:
        """A whole number from 0 to count - 1; takes one byte, or two for more than 256."""
        width = 1 if count <= 256 else 2
        taken = self.raw(width)
        return int.from_bytes(taken, "big") % count

    def raw(self, size: int) -> bytes:
        """That many bytes, or as many as are left."""
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.raw(self.left)

    def pick(self, options: Sequence[T]) -> T:
        """One of these."""
        return options[self.below(len(options))]

    def chance(self, of: int) -> bool:
        """True once in so many; False where the bytes have ended."""
        return self.below(of) == of - 1

    def text(self) -> str:
        """A text: pieces, raw bytes, single characters, a piece many times over."""
        parts = []
        for _ in range(1 + self.below(5)):
            how = self.below(8)
            if how < 4:
                parts.append(self.pick(PIECES))
            elif how == 4:
                parts.append(
                    self.raw(1 + self.below(40)).decode("utf-8", self.pick(("replace", "surrogateescape")))
                )
            elif how == 5:
                parts.append(chr(int.from_bytes(self.raw(3), "big") % 0x110000))
            elif how == 6:
                parts.append(self.raw(1 + self.below(40)).decode("latin-1"))
            else:
                parts.append(self.pick(PIECES) * (1 + self.below(16)))
        return "".join(parts)

    def value(self) -> Any:
        """A value for a place in a JSON document."""
        how = self.below(8)
        if how < 4:
            return copy.deepcopy(self.pick(ODD))
        if how < 7:
            return self.text()
        return {self.text(): copy.deepcopy(self.pick(ODD)) for _ in range(self.below(4))}

    def bent(self, document: Any) -> Any:
        """The document with some of its places changed, taken away, doubled, or renamed."""
        whole = [copy.deepcopy(document)]
        for _ in range(1 + self.below(3)):
            self._bend(whole)
        return whole[0]

    def _bend(self, whole: list[Any]) -> None:
        holder: Any = whole
        key: Any = 0
        while isinstance(holder[key], (dict, list)) and holder[key] and not self.chance(5):
            holder = holder[key]
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            key = self.pick(keys)
        how = self.below(8)
        if how < 4 or holder is whole:
            holder[key] = self.value()
        elif how == 4:
            del holder[key]
        elif how == 5:
            holder[key] = [holder[key]] if self.chance(2) else {"value": holder[key]}
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(self.pick(holder)))
        elif how == 6:
            holder[self.text()] = holder.pop(key)
        else:
            copied = copy.deepcopy(holder[key])
            holder[self.pick(list(holder))] = copied

    def body(self, good: bytes) -> bytes:
        """The body of an answer: the good one bent as JSON, or as bytes, or something else altogether."""
        how = self.below(10)
        if how < 7:
            try:
                return dumped(self.bent(json.loads(good)))
            except ValueError:
                how = 9
        if how == 7:
            return dumped(self.value())
        if how == 8:
            at = self.below(max(1, len(good)))
            return good[:at] + self.rest() + good[at + self.below(64) :]
        return self.pick(
            (self.rest(), b"", b"\xef\xbb\xbf" + good, good[:-1], b"<html>" + self.rest(), good + good)
        )

    def moment(self) -> str:
        """The value of a header that names a time."""
        return self.pick(MOMENTS) if not self.chance(3) else self.rest().decode("latin-1")


def dumped(document: Any) -> bytes:
    """A document as JSON, lone surrogates as escapes, with its raw parts put in."""
    raw: list[str] = []

    def marked(value: Any) -> str:
        raw.append(value.text)
        return f"{_MARK}{len(raw) - 1}"

    text = json.dumps(document, default=marked)
    for index, part in enumerate(raw):
        text = text.replace(json.dumps(f"{_MARK}{index}"), part)
    return text.encode("utf-8", "surrogatepass")


Run = Callable[[bytes], None]
