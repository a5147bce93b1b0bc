"""A stand-in for PrimeVOX's messaging API: the two documented GET calls over conversations kept in memory.

Documented (the vendor's "SMS/MMS Messaging V2" page): both paths, the case-sensitive parameter names, the
names of the fields, that ``messageDate`` is UTC, and each error with its status and text. Everything that
page leaves open is a quirk, see ``PrimeVoxQuirks``.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypedDict

from syncd.sandbox.exchange import Answer, Request
from syncd.sandbox.people import fictional_number
from syncd.sandbox.primevox_forms import (
    ABSENT,
    PrimeVoxQuirks,
    e164,
    fragment,
    map_body,
    number_form,
    shown_date,
    shown_number,
    shown_text,
)
from syncd.sandbox.server import StandIn, utc_now

PATH = "/api/messaging/v1"

# Documented, letter by letter: a client may tell the two kinds of 401 apart only by the text.
KEY_AND_CONTAINER_REQUIRED = "API Key and Container ID are both required."
NUMBER_REQUIRED = "Either you left out the phoneNumber parameter, or you are trying to text with a non-USA number."
CONVERSATION_REQUIRED = "You must include a ConversationID to fetch."
INVALID_KEY = "The supplied API Key is invalid."
NO_SUCH_NUMBER = "The phone number you provided does not exist in this container."
DATABASE_ERROR = "Error connecting to the database, please try again later."

STOP_WORDS = frozenset({"STOP", "QUIT", "END", "CANCEL", "UNSUBSCRIBE", "STOPALL"})


class ContainerSpec(TypedDict):
    """A container as a test describes it: its key and our numbers in it (any US form)."""

    api_key: str
    numbers: list[str]


@dataclass
class _Message:
    id: str
    sender: str
    text: Any
    at: datetime
    visible_at: datetime | None
    fields: Mapping[str, Any]
    """Raw JSON values that replace those derived from the message; ABSENT leaves a field out."""

    def visible(self, now: datetime) -> bool:
        return self.visible_at is None or self.visible_at <= now


@dataclass
class _Conversation:
    id: str
    our_number: str
    their_number: str
    messages: dict[str, _Message] = field(default_factory=dict)
    unread: bool = False
    listed: bool = True
    readable: bool = True
    fields: dict[str, Any] = field(default_factory=dict)
    entry: tuple[datetime, str] | None = None
    """The newest date (for the order) and the JSON text in the list, as long as nothing changes."""
    body: bytes | None = None


@dataclass
class _Line:
    """One of our numbers, with the list body that it had at the last look."""

    number: str
    conversations: dict[str, _Conversation] = field(default_factory=dict)
    body: bytes | None = None
    arrivals: list[datetime] = field(default_factory=list)
    """When messages that are still hidden become visible."""
    fresh_until: datetime | None = None
    """The first of the arrivals that the cached entries and bodies do not reckon with yet."""


@dataclass
class _Container:
    id: str
    api_key: str
    lines: dict[str, _Line] = field(default_factory=dict)


class PrimeVoxServer(StandIn):
    """PrimeVOX on loopback.

    ::

        with PrimeVoxServer({"100200": {"api_key": "k", "numbers": ["+12025550100"]}}) as primevox:
            primevox.receive("+12025550100", "+12025550111", "#Go")           # a client texts us
            primevox.send("+12025550100", "+12025550111", "You are in.")      # we text the client
            primevox.change(empty="[]", conversation_with="formatted")        # quirks, at any time
            primevox.faults.add(error_under_200(), path="/conversation$")
            requests.get(primevox.base_url + "/api/messaging/v1/conversations",
                         params={"auth": "k", "containerID": "100200", "phoneNumber": "2025550100"})

    Without containers there is one: ``100200`` with the key ``sandbox-key+/=`` and +12025550100. Dates are
    aware datetimes; without ``at`` a message is dated by the clock. All methods may be called from any thread.
    """

    name: ClassVar[str] = "primevox"

    def __init__(
        self,
        containers: Mapping[str, ContainerSpec] | None = None,
        *,
        quirks: PrimeVoxQuirks | None = None,
        port: int = 0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(port=port, clock=clock)
        self.quirks = quirks or PrimeVoxQuirks()
        self._lock = threading.RLock()
        self._containers: dict[str, _Container] = {}
        self._last_conversation_id = 48_210
        self._last_message_id = 9_100_000
        # A key "looks like nonsense", so the default one needs URL encoding.
        sample = ContainerSpec(api_key="sandbox-key+/=", numbers=[fictional_number(0)])
        for container_id, spec in (containers or {"100200": sample}).items():
            self.add_container(container_id, spec["api_key"], spec["numbers"])

    # What a test sets up and changes.

    def change(self, **quirks: Any) -> None:
        """Change some of the quirks; see ``PrimeVoxQuirks`` for their names."""
        with self._lock:
            self.quirks = replace(self.quirks, **quirks)
            for line in self._lines():
                self._touch(line, *line.conversations.values())

    def add_container(self, container_id: str, api_key: str, numbers: Iterable[str]) -> None:
        """Add a container, or replace the key and add numbers of one that exists."""
        with self._lock:
            container = self._containers.setdefault(container_id, _Container(container_id, api_key))
            container.api_key = api_key
            for number in numbers:
                container.lines.setdefault(e164(number), _Line(e164(number)))

    def remove_number(self, our_number: str, container: str | None = None) -> None:
        """Take a number out of its container, with its conversations: it then answers 404 (documented)."""
        with self._lock:
            line = self._line(our_number, container)
            for known in self._containers.values():
                known.lines = {number: kept for number, kept in known.lines.items() if kept is not line}

    def receive(
        self,
        our_number: str,
        their_number: str,
        text: object,
        at: datetime | None = None,
        message_id: str | None = None,
        visible_at: datetime | None = None,
        *,
        attachment: tuple[str, str] | None = None,
        fields: Mapping[str, Any] | None = None,
        container: str | None = None,
    ) -> str:
        """Let somebody text one of our numbers; returns the message id.

        ``at`` is the date it bears, ``visible_at`` when the API begins to show it (a late arrival).
        ``attachment`` is (MIME type, media id). ``fields`` replaces raw values of the served entry, such as
        ``{"messageText": None}`` or ``{"messageDate": ABSENT}``; a ``text`` that is no string is served as is.
        """
        message = self._add(
            (our_number, their_number, their_number),
            text,
            at,
            message_id,
            visible_at,
            attachment,
            fields,
            container,
        )
        reply = self.quirks.stop_auto_reply
        if reply is not None and isinstance(text, str) and text.strip().upper() in STOP_WORDS:
            parties = (our_number, their_number, our_number)
            self._add(parties, reply, message.at, None, visible_at, None, None, container)
        return message.id

    def send(
        self,
        our_number: str,
        their_number: str,
        text: object,
        at: datetime | None = None,
        message_id: str | None = None,
        visible_at: datetime | None = None,
        *,
        attachment: tuple[str, str] | None = None,
        fields: Mapping[str, Any] | None = None,
        container: str | None = None,
    ) -> str:
        """Let a technician text somebody from one of our numbers; as ``receive`` otherwise."""
        message = self._add(
            (our_number, their_number, our_number), text, at, message_id, visible_at, attachment, fields, container
        )
        return message.id

    def fill(self, our_number: str, conversations: int, messages: int = 2, at: datetime | None = None) -> None:
        """Add many conversations of ordinary texts, one second apart, with numbers from the 101st on."""
        moment = at or self.clock() - timedelta(days=1)
        for index in range(conversations):
            for turn in range(messages):
                moment += timedelta(seconds=1)
                say = self.send if turn % 2 else self.receive
                say(our_number, fictional_number(100 + index), f"About ticket {index}, part {turn}", moment)

    def conversation_id(self, our_number: str, their_number: str, container: str | None = None) -> str:
        """Return the id of a conversation that exists."""
        with self._lock:
            return self._conversation(our_number, their_number, container).id

    def conversation_ids(self, our_number: str, container: str | None = None) -> list[str]:
        """Return the ids of all conversations of a number, also those that are not listed."""
        with self._lock:
            return [known.id for known in self._line(our_number, container).conversations.values()]

    def delete_message(self, our_number: str, their_number: str, message_id: str) -> None:
        """Delete a message, as in the portal."""
        with self._lock:
            conversation = self._conversation(our_number, their_number)
            del conversation.messages[message_id]
            self._touch(self._line(our_number), conversation)

    def set_conversation(
        self,
        our_number: str,
        their_number: str,
        *,
        listed: bool = True,
        readable: bool = True,
        unread: bool | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Change how a conversation shows.

        Not ``listed``: it has vanished from the list. Not ``readable``: reading it gives 200 and an empty map.
        ``fields`` replaces raw values of its list entry, such as ``{"lastMessageDate": None}``.
        """
        with self._lock:
            conversation = self._conversation(our_number, their_number)
            conversation.listed, conversation.readable = listed, readable
            conversation.unread = conversation.unread if unread is None else unread
            conversation.fields.update(fields or {})
            self._touch(self._line(our_number), conversation)

    # What the API answers.

    def answer(self, request: Request) -> Answer:
        """Answer one of the two documented calls; anything else is a 404 page."""
        if request.path not in {f"{PATH}/conversations", f"{PATH}/conversation"}:
            return Answer.html("<html><body><h1>404 Not Found</h1></body></html>", 404)
        if request.method != "GET":
            return Answer.html("<html><body><h1>405 Method Not Allowed</h1></body></html>", 405)
        query, wants_list = request.query, request.path.endswith("s")
        if not query.get("auth") or not query.get("containerID"):
            return _error(401, KEY_AND_CONTAINER_REQUIRED)
        if wants_list and number_form(query.get("phoneNumber", "")) not in self.quirks.accepted_numbers:
            return _error(400, NUMBER_REQUIRED)
        if not wants_list and not query.get("conversationID"):
            return _error(400, CONVERSATION_REQUIRED)
        with self._lock:
            container = self._containers.get(query["containerID"])
            if container is None or container.api_key != query["auth"]:
                return self._refuse_key(query["auth"], "conversations" if wants_list else "messages")
            if wants_list:
                return self._answer_list(container, query["phoneNumber"])
            return self._answer_conversation(container, query["conversationID"])

    def _refuse_key(self, key: str, wanted: str) -> Answer:
        knows_key = any(container.api_key == key for container in self._containers.values())
        if knows_key and self.quirks.foreign_key == "not found":
            return _error(404, NO_SUCH_NUMBER)
        if knows_key and self.quirks.foreign_key == "empty":
            return Answer(200, map_body(wanted, (), self.quirks))
        return _error(401, INVALID_KEY)

    def _answer_list(self, container: _Container, phone_number: str) -> Answer:
        line = container.lines.get(e164(phone_number))
        if line is None:
            return _error(404, NO_SUCH_NUMBER)
        now = self.clock()
        self._expire(line, now)
        if line.body is None:
            line.body = self._list_body(line, now)
        return Answer(200, line.body)

    def _list_body(self, line: _Line, now: datetime) -> bytes:
        line.arrivals = [arrival for arrival in line.arrivals if arrival > now]
        line.fresh_until = min(line.arrivals, default=None)
        rows: list[tuple[datetime, str, str]] = []
        for conversation in line.conversations.values():
            if conversation.entry is None:
                conversation.entry = self._list_entry(conversation, now)
            if conversation.listed and conversation.entry[1]:
                rows.append((conversation.entry[0], conversation.id, conversation.entry[1]))
        rows = self._capped(sorted(rows, key=lambda row: row[:2]), self.quirks.max_conversations)
        return map_body("conversations", [(row[1], row[2]) for row in rows], self.quirks)

    def _capped(self, rows: list[Any], most: int | None) -> list[Any]:
        """Cut rows that are sorted from old to new, and put them into the order that is served."""
        if most is not None:
            rows = rows[-most:] if self.quirks.cap_keeps == "newest" else rows[:most]
        return rows[::-1] if self.quirks.order == "newest" else rows

    def _list_entry(self, conversation: _Conversation, now: datetime) -> tuple[datetime, str]:
        quirks = self.quirks
        visible = [message for message in conversation.messages.values() if message.visible(now)]
        if not visible:
            return now, ""
        inbound = [message for message in visible if message.sender == conversation.their_number]
        counted = visible if quirks.last_date_moves_on_outbound or not inbound else inbound
        newest = max(message.at for message in counted)
        shown = newest.replace(second=0, microsecond=0) if quirks.last_date_granularity == "minute" else newest
        values: dict[str, Any] = {
            "conversationWith": shown_number(conversation.their_number, quirks.conversation_with),
            "hasUnreadMessages": quirks.unread[0 if conversation.unread else 1],
            "lastMessageDate": shown_date(shown, quirks.last_date or quirks.date, quirks.last_date_minutes),
        }
        return newest, self._entry(values, conversation.fields)

    def _answer_conversation(self, container: _Container, conversation_id: str) -> Answer:
        quirks = self.quirks
        for line in container.lines.values():
            for conversation in line.conversations.values():
                if conversation.id == conversation_id and conversation.readable:
                    return self._read(line, conversation)
                if conversation.id == conversation_id:
                    return Answer(200, map_body("messages", (), quirks))
        if quirks.unknown_conversation == "empty":
            return Answer(200, map_body("messages", (), quirks))
        return _error(404 if quirks.unknown_conversation == "404" else 200, "Conversation not found.")

    def _read(self, line: _Line, conversation: _Conversation) -> Answer:
        now = self.clock()
        self._expire(line, now)
        waiting = any(not message.visible(now) for message in conversation.messages.values())
        body = conversation.body
        if body is None or waiting:
            body = self._messages_body(conversation, now)
            conversation.body = None if waiting else body
        if self.quirks.reading_clears_unread and conversation.unread:
            conversation.unread = False
            self._touch(line, conversation)
        return Answer(200, body)

    def _messages_body(self, conversation: _Conversation, now: datetime) -> bytes:
        quirks = self.quirks
        own_form = quirks.own_message_from or quirks.message_from
        visible = [message for message in conversation.messages.values() if message.visible(now)]
        visible = self._capped(sorted(visible, key=lambda known: (known.at, known.id)), quirks.max_messages)
        entries = []
        for message in visible:
            form = own_form if message.sender == conversation.our_number else quirks.message_from
            values = {
                "messageDate": shown_date(message.at, quirks.date),
                "messageFrom": shown_number(message.sender, form),
                "messageText": shown_text(message.text, quirks),
            }
            entries.append((message.id, self._entry(values, message.fields)))
        return map_body("messages", entries, quirks)

    def _entry(self, values: dict[str, Any], replaced: Mapping[str, Any]) -> str:
        values = {**values, **replaced}
        if self.quirks.extra_fields:
            values |= {"tenantID": "0", "x_internal": {"flags": [1, None]}}
        return fragment({key: value for key, value in values.items() if value is not ABSENT}, self.quirks)

    # The records.

    def _add(
        self,
        parties: tuple[str, str, str],
        text: object,
        at: datetime | None,
        message_id: str | None,
        visible_at: datetime | None,
        attachment: tuple[str, str] | None,
        fields: Mapping[str, Any] | None,
        container: str | None,
    ) -> _Message:
        """Store a message; ``parties`` are our number, their number and which of the two sent it."""
        our_number, their_number, sender = parties
        with self._lock:
            line = self._line(our_number, container)
            their_number = e164(their_number)
            conversation = line.conversations.get(their_number)
            if conversation is None:
                self._last_conversation_id += 1
                identity = self._identity("c", self._last_conversation_id)
                conversation = _Conversation(identity, line.number, their_number)
                line.conversations[their_number] = conversation
            if message_id is None:
                self._last_message_id += 1
                message_id = self._identity("m", self._last_message_id)
            if message_id in conversation.messages:
                raise ValueError(f"message {message_id} exists already in this conversation")
            if attachment is not None:
                mime, media_id = attachment
                placeholder = self.quirks.attachment.format(mime=mime, media_id=media_id)
                text = f"{text} {placeholder}".lstrip()
            moment = at or self.clock()
            if moment.tzinfo is None or (visible_at is not None and visible_at.tzinfo is None):
                raise ValueError("dates need a zone, for instance datetime(2026, 1, 5, 9, tzinfo=UTC)")
            message = _Message(message_id, e164(sender), text, moment.astimezone(UTC), visible_at, fields or {})
            conversation.messages[message_id] = message
            conversation.unread = message.sender == their_number
            if visible_at is not None:
                line.arrivals.append(visible_at)
            self._touch(line, conversation)
            return message

    def _identity(self, prefix: str, number: int) -> str:
        if self.quirks.ids == "digits":
            return str(number)
        return prefix + "-" + hashlib.sha256(str(number).encode()).hexdigest()[:14]

    def _lines(self) -> list[_Line]:
        return [line for container in self._containers.values() for line in container.lines.values()]

    def _line(self, our_number: str, container: str | None = None) -> _Line:
        number = e164(our_number)
        for known in self._containers.values():
            if container in {None, known.id} and number in known.lines:
                return known.lines[number]
        raise KeyError(
            f"{our_number} is not one of our numbers" + (f" in container {container}" if container else "")
        )

    def _conversation(self, our_number: str, their_number: str, container: str | None = None) -> _Conversation:
        return self._line(our_number, container).conversations[e164(their_number)]

    def _expire(self, line: _Line, now: datetime) -> None:
        """Forget everything cached once a hidden message has become visible."""
        if line.fresh_until is not None and line.fresh_until <= now:
            line.fresh_until = None
            self._touch(line, *line.conversations.values())

    def _touch(self, line: _Line, *conversations: _Conversation) -> None:
        """Forget the cached bodies that a change made stale."""
        line.body = None
        for conversation in conversations:
            conversation.entry = conversation.body = None


def _error(status: int, text: str) -> Answer:
    return Answer.json({"error": text}, status)
