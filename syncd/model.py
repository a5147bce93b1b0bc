"""Values only: what the rest of the program talks about. All frozen, none does I/O."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Literal, NewType

import phonenumbers

# E.164, for example +12025550100.
PhoneNumber = NewType("PhoneNumber", str)

# PrimeVOX texts from US numbers only ("non-USA number" is one of its documented errors), so a number
# without a country code is read as a US one wherever it comes from.
REGION = "US"

# Characters of a text that may be a phone number; longer ones are none.
LONGEST = 250

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


def phone_numbers(raw: str) -> tuple[PhoneNumber, ...]:
    """Every phone number in a free-text field, as E.164, in order.

    PSAs keep numbers as people typed them ("(202) 555-0100 x12", "202.555.0100 / 555-0101"). An extension
    is dropped. `is_possible` decides, never `is_valid`: a number from a block that the library does not know
    yet is still a person who may have opted out. A number without its area code is nobody's.
    """
    # A field of a PSA holds a few dozen characters; the cap keeps a pasted novel from costing minutes, or memory.
    return _phone_numbers(raw.strip()[:LONGEST])


@lru_cache(maxsize=65_536)
def _phone_numbers(text: str) -> tuple[PhoneNumber, ...]:
    whole = _e164(text)
    if whole:
        return (whole,)
    found = (
        _e164(match.raw_string)
        for match in phonenumbers.PhoneNumberMatcher(text, REGION, leniency=phonenumbers.Leniency.POSSIBLE)
    )
    return tuple(dict.fromkeys(number for number in found if number))


@lru_cache(maxsize=65_536)  # every list brings the same ones again
def _e164(raw: str) -> PhoneNumber | None:
    try:
        parsed = phonenumbers.parse(raw, REGION)
    except phonenumbers.NumberParseException:
        return None
    # IS_POSSIBLE_LOCAL_ONLY (seven digits) would match people in every area code.
    if phonenumbers.is_possible_number_with_reason(parsed) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return PhoneNumber(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def party(raw: str) -> str:
    """Who is at the other end of a conversation, in one comparable form.

    A phone number as E.164; anything else (short code, "anonymous", e-mail gateway) folded to lower case
    and marked, so that it equals itself and never a person.
    """
    text = str(raw).strip()
    number = _e164(text) if len(text) <= LONGEST else None
    return number or "other:" + re.sub(r"\s+", " ", str(raw)).strip().casefold()[:100]


def storable(text: str) -> str:
    """The text with what no database takes, lone surrogates and NUL, replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def visible(text: str, keep: str = "") -> str:
    """The text with everything that a terminal obeys, or nobody sees, as a middle dot, but what is to be kept.

    That is every control, format, surrogate, private and unassigned character, marks that turn the direction of a
    line among them, and the separators of lines and paragraphs. Blanks of other widths become plain ones.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else " " if unicodedata.category(char) == "Zs" else "·"
        for char in text
    )


class Intent(StrEnum):
    """What a text asks for; `syncd.keywords` decides."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    HELP = "help"
    UNCLEAR = "unclear"
    ORDINARY = "ordinary"


class Consent(StrEnum):
    """What the opt-in field of a contact says. `None` stands for unset or any other value."""

    OPTED_IN = "opted_in"
    OPTED_OUT = "opted_out"


class CompanyState(StrEnum):
    """What the approval field of a company says; any value that is not configured counts as unset."""

    APPROVED = "approved"
    OPTED_OUT = "opted_out"
    UNSET = "unset"


@dataclass(frozen=True, slots=True)
class Company:
    """A client company as the PSA shows it now."""

    id: str
    name: str
    state: CompanyState


@dataclass(frozen=True, slots=True)
class Contact:
    """A client user as the PSA shows it now. `numbers` are its own, never the company's or a site's."""

    id: str
    company_id: str | None
    name: str
    numbers: tuple[PhoneNumber, ...]
    active: bool
    consent: Consent | None


class Direction(StrEnum):
    """Seen from the client user: `inbound` is a text from the client to us."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Message:
    """One text as PrimeVOX shows it.

    `sent_at` is the vendor's date (UTC by its documentation), or None when it could not be read.
    `theirs` is the other party in the form of `party()`, also for our own texts.
    """

    conversation_id: str
    id: str
    theirs: str
    direction: Direction
    sent_at: datetime | None
    text: str


# --- evidence: what the policy is decided on -------------------------------------------------------------

Decision = Literal["opt_out", "opt_in", "nothing"]


@dataclass(frozen=True, slots=True)
class Texted:
    """A text of a client user.

    seq:           sequence number of its ledger entry
    at:            when it was sent (UTC)
    starts:        the text has words that can start a conversation (see `keywords`)
    last_outbound: our latest text to that number, from any of our numbers, at or before that second
    doubt:         why an opt-in in this text needs a person ("history", "shared number", "future date"), or None
    decision:      what a person made of it in review, or None
    seen:          its own date cannot be used: `at` is when we saw it
    """

    seq: int
    at: datetime
    number: str
    message_id: str
    intent: Intent
    starts: bool = False
    last_outbound: datetime | None = None
    doubt: str | None = None
    decision: Decision | None = None
    seen: bool = False


@dataclass(frozen=True, slots=True)
class StaffEdited:
    """A person set the opt-in field of the contact in the PSA; dated when we saw it.

    known: of an opt-in, the last ledger entry that surely came before it: whoever made it may not know of later
           ones; None where an older ledger does not say
    """

    seq: int
    at: datetime
    consent: Consent
    known: int | None = None


@dataclass(frozen=True, slots=True)
class CompanyOptedOut:
    """An account manager opted a company out that this contact belongs or belonged to; dated when seen."""

    seq: int
    at: datetime
    company_id: str


Evidence = Texted | StaffEdited | CompanyOptedOut


@dataclass(frozen=True, slots=True)
class CompanyHistory:
    """The state of the contact's company over time, effective states only, oldest first.

    Before the first step the company is taken to have been in its first state. No step at all: a company
    that the PSA does not list, which approves nothing.
    """

    steps: tuple[tuple[datetime, CompanyState], ...] = ()

    def at(self, when: datetime) -> CompanyState:
        """The state at that moment."""
        state = self.steps[0][1] if self.steps else CompanyState.UNSET
        for since, then in self.steps:
            if since > when:
                break
            state = then
        return state

    def approved_since(self, when: datetime) -> bool:
        """Whether every state from that moment on was approved."""
        later = (state for since, state in self.steps if since > when)
        return self.at(when) is CompanyState.APPROVED and all(state is CompanyState.APPROVED for state in later)

    @property
    def now(self) -> CompanyState:
        """The latest state."""
        return self.steps[-1][1] if self.steps else CompanyState.UNSET


@dataclass(frozen=True, slots=True)
class TacitRules:
    """When a client who writes first counts as opted in."""

    enabled: bool = True
    after_opt_out: bool = True
    quiet_period: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Rules:
    """The switches of the policy that the MSP may set."""

    tacit: TacitRules = TacitRules()
    staff_opt_in: Literal["reassert", "accept"] = "reassert"


class Cause(StrEnum):
    """Whose act the verdict follows. Decides the order of writes and what the brakes watch."""

    PERSON = "person"
    STAFF = "staff"
    COMPANY = "company"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the opt-in field of one contact should be, and why.

    desired:  None leaves the PSA's value alone
    evidence: sequence numbers of the ledger entries that the verdict rests on
    held:     an opt-in waits until the company approves
    review:   opt-ins that wait for a person (ledger sequence numbers)
    """

    desired: Consent | None
    clause: str
    reason: str
    cause: Cause = Cause.NOBODY
    evidence: tuple[int, ...] = ()
    held: bool = False
    review: tuple[int, ...] = ()
