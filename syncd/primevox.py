"""What PrimeVOX says, in our words. The only file that knows its JSON.

PrimeVOX documents two reads, each answered by one expected key or an `error`. It documents no paging, no
"since", no order, no number format and no direction of a message. So everything here is *checked*:

- An answer that is not what is documented raises ShapeChanged. It is never read as "nothing there".
- One bad entry is skipped and named; the others are used.
- Nothing is invented, no id, no date, no direction: what cannot be told is None or UNKNOWN.

Vendor facts below carry their kind: *documented* (PrimeVOX's article on SMS/MMS messaging) or *unknown*.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar

from pydantic import SecretStr

from syncd.errors import AuthRefused, ConfigProblem, Permanent, ShapeChanged, Transient
from syncd.http import Answer, Transport
from syncd.model import LONG_AGO, Direction, Message, PhoneNumber, party

T = TypeVar("T")

_API = "/api/messaging/v1"

# Documented: the texts under `error` and the statuses they come with. Whether the status line always agrees is
# unknown (older calls of this vendor answer errors with 200), so a documented text counts more than the status.
_DOCUMENTED = {
    "api key and container id are both required": 401,
    "the supplied api key is invalid": 401,
    "either you left out the phonenumber parameter, or you are trying to text with a non-usa number": 400,
    "you must include a conversationid to fetch": 400,
    "the phone number you provided does not exist in this container": 404,
    "error connecting to the database, please try again later": 500,
}

_FIELDS = ("conversationWith", "lastMessageDate", "messageFrom", "messageDate", "messageText")

# PHP turns a date that it cannot read into one of the years before.
_OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) ?(Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    """One of our own numbers, the container that holds it (6 digits) and the key that may read it."""

    number: PhoneNumber
    container: str
    api_key: SecretStr


@dataclass(frozen=True, slots=True)
class Listed:
    """One conversation as the list shows it.

    theirs: the other party in the form of `syncd.model.party`
    marker: its date exactly as shown. Form and zone are unknown and do not matter: any difference from the
            marker before means "read it again"
    """

    id: str
    theirs: str
    marker: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that cannot be used, and why, in an operator's words."""

    message_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Thread:
    """One conversation as read.

    messages: sorted by (sent_at, id), undated ones last. Two entries under one id are two messages here
    rejected: those that could not be used; to be shown, never dropped silently
    gap:      why the answer may be incomplete, in an operator's words, or None
    """

    messages: tuple[Message, ...]
    rejected: tuple[Rejected, ...]
    gap: str | None


class Listing:
    """The list of one number's conversations, not parsed yet: on most polls it is the same as before.

    `digest` stands for the raw body. Keep it only after `conversations()` succeeded and its result was stored;
    then an equal digest means that nothing changed.
    """

    __slots__ = ("_answer", "digest")

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.digest = hashlib.blake2b(answer.content, digest_size=32).hexdigest()

    def conversations(self) -> tuple[dict[str, Listed], tuple[str, ...]]:
        """Every usable conversation by its id, and a remark for each entry that was skipped or is odd.

        Raises ShapeChanged, or what an `error` in the answer stands for. `hasUnreadMessages` is not looked at:
        people who open the portal probably clear it.
        """
        found: dict[str, Listed] = {}
        markers: dict[str, list[str]] = {}
        remarks = []
        for conversation, entry in _entries(self._answer, "conversations"):
            name = f"conversation {_shown(conversation)}"
            listed = _guarded(_listed, conversation, entry)
            if isinstance(listed, str):
                remarks.append(f"{name} is skipped: {listed}")
                continue
            before = found.setdefault(listed.id, listed)
            markers.setdefault(listed.id, []).append(listed.marker)
            if before is not listed:
                same = before.theirs == listed.theirs
                remarks.append(f"{name} is listed twice" + ("" if same else "; only its first number is used"))
        # All markers of one conversation count, so that a change of any of them is seen.
        listing = {one: Listed(one, first.theirs, "\n".join(markers[one])) for one, first in found.items()}
        return listing, tuple(remarks)


class PrimeVox:
    """Reads conversations. Thread-safe; several threads may read the same line.

    `ours` are all our own numbers as E.164, also those of other containers. `deadline` is in seconds, for one
    whole call. Every method raises the exceptions of `syncd.errors` only, and none of them holds the key.
    """

    def __init__(self, transport: Transport, base_url: str, ours: frozenset[str], *, deadline: float = 10) -> None:
        self._lists = transport.client(base_url, deadline=deadline, max_bytes=32 * 2**20)
        self._threads = transport.client(base_url, deadline=deadline, max_bytes=16 * 2**20)
        self._ours = ours
        # Which form of the number worked, by line. Two threads may both find out; they write the same value.
        self._form: dict[tuple[str, str], str] = {}

    def listing(self, line: Line) -> Listing:
        """The conversations of that line. One request, except until the form of the number is known.

        In which form `phoneNumber` is accepted is unknown, so all are tried. Raises ConfigProblem when none is
        (documented: 404, and 400 for a number that is not from the USA), AuthRefused, Transient, Permanent or
        ShapeChanged.
        """
        key = (line.container, line.number)
        refusals: set[int] = set()
        for form in _forms(line.number, self._form.get(key)):
            answer = self._lists.get(
                f"{_API}/conversations", {"auth": line.api_key, "containerID": line.container, "phoneNumber": form}
            )
            said = _error(answer)
            if said is None and answer.status == 200:
                self._form[key] = form
                return Listing(answer)
            refusals.add(_meaning(answer, said))
            if not refusals <= {400, 404}:
                _fail(answer, said)
            if said is None:
                hint = "not an error of PrimeVOX's own; is primevox.base_url right?"
                raise ShapeChanged(f"{answer.what}: HTTP {answer.status}, {hint} {answer.excerpt()}")
        where = f"{line.number} in container {line.container}; check primevox.containers"
        if 404 in refusals:
            raise ConfigProblem(f"PrimeVOX does not know {where}")
        raise ConfigProblem(f"PrimeVOX does not accept {where} (it reads US numbers only)")

    def thread(self, line: Line, listed: Listed) -> Thread:
        """All messages of one conversation, however old: PrimeVOX documents no way to ask for less.

        A listed conversation that reads as empty raises ShapeChanged: it may be how PrimeVOX answers for an id
        that it does not know (unknown). Raises also AuthRefused, Transient and Permanent (400, 404).
        """
        answer = self._threads.get(
            f"{_API}/conversation",
            {"auth": line.api_key, "containerID": line.container, "conversationID": listed.id},
        )
        entries = _entries(answer, "messages")
        if not entries:
            raise ShapeChanged(f"{answer.what}: conversation {_shown(listed.id)} is listed, but read as empty")
        messages, rejected = [], []
        for message, entry in entries:
            read = _guarded(self._message, line, listed, message, entry)
            if isinstance(read, str):
                rejected.append(Rejected(_storable_id(message), read))
            else:
                messages.append(read)
        messages.sort(key=lambda m: (m.sent_at is None, m.sent_at or LONG_AGO, m.id))
        gap = f"exactly {len(entries)} messages: PrimeVOX may have cut the conversation off"
        return Thread(tuple(messages), tuple(rejected), gap if suspected_cap(len(entries)) else None)

    def _message(self, line: Line, listed: Listed, message: str, entry: Any) -> Message:
        fields = _fields(entry)
        if "messageText" not in fields:
            raise _UnusableError("it has no messageText")
        return Message(
            conversation_id=listed.id,
            id=_storable_id(message),
            theirs=listed.theirs,
            direction=self._direction(line, listed, _number(fields, "messageFrom")),
            sent_at=_sent_at(fields.get("messageDate")),
            text=_text(fields["messageText"]),
        )

    def _direction(self, line: Line, listed: Listed, sender: str) -> Direction:
        """Whose text it is. PrimeVOX has no field for that (documented by absence), only the sender's number.

        Our own numbers come first: our "Reply STOP to opt out" must never count as the client's. So when two of
        our lines text each other, both sides are OUTBOUND: neither is a client. A sender who is neither we nor
        the other party is UNKNOWN, never inbound.
        """
        if sender == line.number or sender in self._ours:
            return Direction.OUTBOUND
        return Direction.INBOUND if sender == listed.theirs else Direction.UNKNOWN


def suspected_cap(count: int) -> bool:
    """Whether a number of entries is so round that they may have been cut off there.

    Unknown: whether PrimeVOX cuts off at all. Its call history comes in pages of 500 (documented).
    """
    return count in (50, 100, 200, 500, 1000)


# --- answers ---------------------------------------------------------------------------------------------


class _Map(list[tuple[str, Any]]):
    """A JSON object with all its keys, repeated ones too: a dict would silently keep the last of them."""


def _error(answer: Answer) -> str | None:
    """What stands under `error`; None when there is no such key. Its presence alone means failure."""
    # A good list may be large and is not to be parsed without need.
    if answer.status == 200 and b'"error"' not in answer.content:
        return None
    try:
        body = answer.json(pairs=_Map)
    except ShapeChanged:
        return None
    said = [value for key, value in body if key == "error"] if isinstance(body, _Map) else []
    return (said[0] if isinstance(said[0], str) else "") if said else None


def _meaning(answer: Answer, said: str | None) -> int:
    """The status that the answer stands for: that of a documented text, else its own."""
    return _DOCUMENTED.get(" ".join((said or "").split()).rstrip(".").casefold(), answer.status)


def _fail(answer: Answer, said: str | None) -> NoReturn:
    """Raise what this failure means for the caller."""
    status = _meaning(answer, said)
    what = f"{answer.what}: HTTP {answer.status}: {answer.excerpt()}"
    if status == 401:
        raise AuthRefused(f"PrimeVOX does not accept API key and container: {what}")
    if status == 500:
        raise Transient(what, retry_after=answer.retry_after())
    if status in (400, 404):
        raise Permanent(what, status=status)
    answer.must_be_good()
    raise ShapeChanged(f"{what}: neither an answer nor an error that PrimeVOX documents")


def _entries(answer: Answer, key: str) -> list[tuple[str, Any]]:
    """What stands under `key`, as (id, entry) pairs in the order of the answer, repeated ids too.

    `{}` and `[]` are empty: PHP writes an empty map as `[]`. `null` is no way to write one, so it raises. So does
    a list with entries: PHP writes one when the ids happen to count up from 0, and then the ids are lost.
    """
    said = _error(answer)
    if said is not None or answer.status != 200:
        _fail(answer, said)
    body = answer.json(pairs=_Map)
    if not isinstance(body, _Map):
        raise ShapeChanged(f"{answer.what}: the answer is {_kind(body)}, not an object")
    values = [value for name, value in body if name == key]
    # An `error` that is still here is spelled with an escape, so that its bytes did not show it.
    if not values or any(name == "error" for name, _ in body):
        raise ShapeChanged(f"{answer.what}: the answer has no `{key}`, or an error too: {answer.excerpt()}")
    entries: list[tuple[str, Any]] = []
    for value in values:
        if isinstance(value, _Map):
            entries += value
        elif value != []:
            raise ShapeChanged(f"{answer.what}: `{key}` is {_kind(value)}, not an object")
    return entries


# --- entries ---------------------------------------------------------------------------------------------


class _UnusableError(Exception):
    """This entry cannot be used; says why, as "it has no ..."."""


def _guarded(read: Callable[..., T], *args: Any) -> T | str:
    """What `read` makes of one entry, or why that entry cannot be used."""
    try:
        return read(*args)
    except _UnusableError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  whatever is wrong with one entry, it must not cost the others
        return f"it could not be read ({type(error).__name__})"


def _listed(conversation: str, entry: Any) -> Listed:
    if not conversation:
        raise _UnusableError("its id is empty")
    if conversation != _storable_id(conversation):
        raise _UnusableError("its id holds characters that cannot be sent")
    fields = _fields(entry)
    date = fields.get("lastMessageDate", "")
    # As JSON where it is no text, so that any value, null too, can be told from another.
    marker = _storable(date) if isinstance(date, str) else json.dumps(date)
    return Listed(conversation, _number(fields, "conversationWith"), marker)


def _fields(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, _Map):
        raise _UnusableError(f"it is {_kind(entry)}, not an object")
    fields = dict(entry)
    for name, value in entry:
        if name in _FIELDS and value != fields[name]:
            raise _UnusableError(f"it has two different values of {name}")
    return fields


def _number(fields: dict[str, Any], name: str) -> str:
    """The party under that name. Its form is unknown: text in any form and numbers survive."""
    value = fields.get(name)
    if isinstance(value, float) and value.is_integer():  # how PHP writes ten digits where integers are short
        value = int(value)
    if value is None or not str(value).strip():
        raise _UnusableError(f"it has no {name}")
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise _UnusableError(f"its {name} is {_kind(value)}")
    return party(_storable(str(value)))


def _text(value: Any) -> str:
    """The text of a message. A text such as "1" may come as a number; null is an empty text."""
    if value is None:
        return ""
    if not isinstance(value, (str, int, float)):
        raise _UnusableError(f"its messageText is {_kind(value)}")
    return _storable(str(value))


def _sent_at(value: Any) -> datetime | None:
    """A message's date, or None where there is none or it cannot be read: the message itself still counts.

    Documented: UTC. Unknown: the form, so blank or T, fractions, Z or an offset are all read. Numbers are not:
    2023013106 may be seconds since 1970 or six o'clock of some day. Nor are dates before 2000, which PHP makes of
    broken ones: an opt-out dated 1970 would lose against every opt-in.
    """
    match = _DATE.fullmatch(value.strip().upper()) if isinstance(value, str) else None
    if not match:
        return None
    day, time, zone = match.groups()
    try:
        when = datetime.fromisoformat(f"{day}T{time}{zone or 'Z'}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return when if when >= _OLDEST else None


def _forms(number: PhoneNumber, worked: str | None) -> Iterable[str]:
    """The ways to write our number in a request, the one that worked before first."""
    forms = (worked, number.removeprefix("+1"), number.removeprefix("+"), number)
    return dict.fromkeys(form for form in forms if form)


def _storable(text: str) -> str:
    """The text with what no database takes (half of a surrogate pair, NUL) replaced by U+FFFD, always alike."""
    # Not by "?", which `str.encode` would put there: "STOP?" is a question, STOP with half an emoji is not.
    return re.sub("[\ud800-\udfff\0]", "\ufffd", text)


def _storable_id(text: str) -> str:
    """An id in which such characters are spelled out, so that two ids stay two."""
    return re.sub("[\ud800-\udfff\0]", lambda match: f"\\u{ord(match[0]):04x}", text)


def _shown(text: str) -> str:
    """A value of theirs, fit for a message to an operator: printable and short."""
    return ascii(text[:60])[1:-1]


def _kind(value: Any) -> str:
    names = {_Map: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
