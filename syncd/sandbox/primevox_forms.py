"""How the PrimeVOX stand-in writes numbers, dates and JSON: every form that its pages leave open."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

NumberForm = Literal["10", "11", "+1", "formatted", "int", "int11"]
DateForm = Literal["seconds", "microseconds", "T", "Z", "offset"]

_NANP = re.compile(r"\+?1?(\d{10})")


@dataclass(frozen=True)
class PrimeVoxQuirks:
    """Which of the possible behaviours the stand-in shows.

    The defaults are what is documented, and where nothing is, what the rest of the vendor's API makes
    plausible. Where no source is named, the behaviour is *unknown: both shown*.
    """

    empty: Literal["{}", "[]", "null", "absent"] = "{}"
    """An empty map of conversations or messages. PHP writes an empty array as ``[]``."""
    shape: Literal["object", "list"] = "object"
    """``list`` drops the ids, as PHP does when the keys happen to run 0, 1, 2 ... (documented: object)."""
    conversation_with: NumberForm = "10"
    message_from: NumberForm = "10"
    """The form of the other party's number in messages."""
    own_message_from: NumberForm | None = None
    """The form of our own number in messages, if it differs from the other party's."""
    accepted_numbers: frozenset[str] = frozenset({"10", "11"})
    """Forms taken for ``phoneNumber`` (of ``10``, ``11``, ``+1``); others get the documented 400."""
    date: DateForm = "seconds"
    """``messageDate``, documented to be UTC; the call-history API writes ``YYYY-MM-DD HH:MM:SS``."""
    last_date: DateForm | None = None
    """``lastMessageDate``, if it differs from ``date``."""
    last_date_minutes: int = 0
    """Minutes that ``lastMessageDate`` is ahead of UTC (its zone is not documented)."""
    last_date_granularity: Literal["second", "minute"] = "second"
    last_date_moves_on_outbound: bool = True
    unread: tuple[object, object] = (1, 0)
    """Values of ``hasUnreadMessages`` when something and when nothing is unread; ``ABSENT`` leaves it out.
    Only the 1 is documented."""
    reading_clears_unread: bool = False
    ids: Literal["digits", "text"] = "digits"
    """The look of ids of *new* conversations and messages."""
    max_conversations: int | None = None
    max_messages: int | None = None
    cap_keeps: Literal["newest", "oldest"] = "newest"
    """No cap and no paging is documented; the call history pages at 500."""
    order: Literal["newest", "oldest"] = "newest"
    unknown_conversation: Literal["empty", "404", "error"] = "empty"
    """The answer for a conversation id that does not exist: no 404 is listed for this call."""
    foreign_key: Literal["invalid", "not found", "empty"] = "invalid"
    """The answer to a valid key that has no access to the container."""
    html_escaped: bool = False
    raw_unicode: bool = False
    """Write text as UTF-8; by default it is escaped to ASCII, as PHP does. A lone surrogate then becomes
    invalid UTF-8."""
    extra_fields: bool = False
    duplicate_keys: bool = False
    """Give every id twice in the JSON text, first with a decoy."""
    attachment: str = "[MMS:{mime}:{media_id}]"
    """The placeholder that stands for a picture. That it holds both values is documented, its syntax is not."""
    stop_auto_reply: str | None = None
    """A text that the carrier sends back, as from our number, when it sees a bare STOP."""


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""Stands for a field that is left out."""


def e164(number: str) -> str:
    """Return a US number as +1 and ten digits; anything else (short codes, e-mail gateways) as it came."""
    compact = re.sub(r"[\s().-]", "", number)
    match = _NANP.fullmatch(compact)
    return f"+1{match[1]}" if match else number


def number_form(text: str) -> str | None:
    """Name the form of a ``phoneNumber`` parameter: ``10``, ``11``, ``+1``, or None for anything else."""
    for form, pattern in (("10", r"\d{10}"), ("11", r"1\d{10}"), ("+1", r"\+1\d{10}")):
        if re.fullmatch(pattern, text, re.ASCII):
            return form
    return None


def shown_number(number: str, form: NumberForm) -> str | int:
    """Write a number (E.164) in one of the forms; what is not a US number stays as it is."""
    match = _NANP.fullmatch(number)
    if not match:
        return number
    ten = match[1]
    return {
        "10": ten,
        "11": "1" + ten,
        "+1": "+1" + ten,
        "formatted": f"({ten[:3]}) {ten[3:6]}-{ten[6:]}",
        "int": int(ten),
        "int11": int("1" + ten),
    }[form]


def shown_date(at: datetime, form: DateForm, minutes_ahead: int = 0) -> str:
    """Write a moment in one of the forms, in UTC or in a zone so many minutes ahead of it."""
    local = at.astimezone(UTC) + timedelta(minutes=minutes_ahead)
    if form == "microseconds":
        return local.strftime("%Y-%m-%d %H:%M:%S.%f")
    if form == "seconds":
        return local.strftime("%Y-%m-%d %H:%M:%S")
    plain = local.strftime("%Y-%m-%dT%H:%M:%S")
    if form == "T":
        return plain
    if form == "Z":
        return plain + "Z"
    sign, (hours, minutes) = "-" if minutes_ahead < 0 else "+", divmod(abs(minutes_ahead), 60)
    return f"{plain}{sign}{hours:02d}:{minutes:02d}"


def fragment(value: object, quirks: PrimeVoxQuirks) -> str:
    """Return JSON text as PHP's encoder writes it: slashes escaped, and all but ASCII too unless told."""
    text = json.dumps(value, ensure_ascii=not quirks.raw_unicode, separators=(",", ":"))
    return text.replace("/", "\\/")


def map_body(key: str, entries: Iterable[tuple[str, str]], quirks: PrimeVoxQuirks) -> bytes:
    """Return the answer ``{key: {id: entry, ...}}`` from ids and entries that are JSON text already."""
    pairs = list(entries)
    if not pairs:
        text = "{}" if quirks.empty == "absent" else f'{{"{key}":{quirks.empty}}}'
    elif quirks.shape == "list":
        text = f'{{"{key}":[{",".join(entry for _, entry in pairs)}]}}'
    else:
        decoy = '{"decoy":true}' if quirks.duplicate_keys else None
        members = [
            f"{fragment(identity, quirks)}:{entry}"
            for identity, true_entry in pairs
            for entry in ((decoy, true_entry) if decoy else (true_entry,))
        ]
        text = f'{{"{key}":{{{",".join(members)}}}}}'
    return text.encode("utf-8", "surrogatepass")


def shown_text(text: Any, quirks: PrimeVoxQuirks) -> Any:
    """Return a message text as it is served."""
    return html.escape(text) if quirks.html_escaped and isinstance(text, str) else text
