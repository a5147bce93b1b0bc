"""CORE: the difference between what the PSA shows and what it should show.

Pure functions over plain data: whether a value that the PSA shows is a person's edit, what to write and in which
order, when to try again, and when to hold a pass because it would opt out too many at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum

from syncd.model import Cause, Consent, Verdict

# --- what the PSA shows ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mirror:
    """What is known of one contact's opt-in field.

    shown:   the value that the PSA showed last
    pending: the value that we sent and have not seen there yet; None: nothing on its way
    echoes:  values that a read lagging behind our own writes may still show
    """

    shown: Consent | None
    pending: Consent | None = None
    echoes: frozenset[Consent | None] = frozenset()

    def sending(self, value: Consent) -> Mirror:
        """What is known once a write of `value` is about to leave."""
        before = self.echoes | {self.shown}
        return Mirror(self.shown, value, before if self.pending is None else before | {self.pending})


def look(before: Mirror | None, value: Consent | None) -> tuple[Mirror, Consent | None]:
    """What is known after the PSA showed `value`, and the value that a *person* set, if one did.

    A contact seen for the first time counts as opted out by staff when it shows opted out. After a write of ours,
    a value is a person's only when neither that write nor a read lagging behind it explains it.
    """
    if before is None:
        return Mirror(value), Consent.OPTED_OUT if value is Consent.OPTED_OUT else None
    if before.pending is not None and value is before.pending:
        # If an old value was the same, this may be that one, and what we sent in between may show up yet.
        if value in before.echoes:
            return Mirror(value, echoes=before.echoes - {value}), None
        return Mirror(value, echoes=_unseen(before, value)), None
    if value is before.shown:
        return before, None
    # What was shown until now is over: should it come back, a person has brought it back.
    echoes = before.echoes - {before.shown}
    if before.pending is not None and value in before.echoes:
        return Mirror(value, before.pending, echoes), None
    late = value is Consent.OPTED_IN and value in before.echoes
    if late or (before.pending is not None and value is not Consent.OPTED_OUT):
        # Not a person's for certain; only an opt-out may be believed on suspicion. What we sent may still come.
        return Mirror(value, before.pending or before.shown, echoes), None
    return Mirror(value, echoes=_unseen(before, value)), value


def _unseen(before: Mirror, value: Consent | None) -> frozenset[Consent | None]:
    """An opt-in that was sent and never shown may still be done late; then it is nobody's new opt-in."""
    sent = before.echoes | {before.pending}
    return sent & {Consent.OPTED_IN} - {before.shown, value}


def arrived(before: Mirror, value: Consent) -> bool:
    """Whether the PSA shows now what we sent and had not seen there: the last write, or one before it."""
    if before.pending is None:
        return False
    return value is before.pending or (value in before.echoes and value is not before.shown)


# --- what to write, and in which order -------------------------------------------------------------------


class Lane(IntEnum):
    """Who goes first: by the time until nobody is texted who must not be."""

    OPT_OUT = 0  # a person or a member of staff opted out
    CASCADE = 1  # a company opted out
    OPT_IN = 2  # may wait; nobody is wronged by a text not sent


def lane(verdict: Verdict) -> Lane:
    """Where the write of this verdict queues."""
    if verdict.desired is Consent.OPTED_IN:
        return Lane.OPT_IN
    return Lane.CASCADE if verdict.cause is Cause.COMPANY else Lane.OPT_OUT


def needs_write(desired: Consent | None, mirror: Mirror) -> bool:
    """Whether the PSA must be told. None leaves its value alone.

    While a write of ours is unconfirmed the PSA may hold either value, so it is asked again even when it last
    showed the right one.
    """
    return desired is not None and (desired is not mirror.shown or mirror.pending is not None)


# --- when to try again -----------------------------------------------------------------------------------

# After this many failures a record is shown as parked; it is still tried, at the capped interval.
PARKED_AFTER = 3


def retry_in(failures: int, poll_interval: float, asked: float | None = None) -> float:
    """Seconds until the next try after that many failures in a row; there is no last try.

    Doubles from one poll interval up to ten; a service that says when is asked then (the HTTP layer keeps that
    between a second and 15 minutes).
    """
    if asked is not None:
        return asked
    return poll_interval * min(2.0 ** min(max(0, failures - 1), 4), 10.0)


# --- brakes ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BrakeLimits:
    """More than this many in one pass, by company state alone, and the pass is held."""

    companies: int = 5
    contacts: int = 500


@dataclass(frozen=True, slots=True)
class Held:
    """A pass that is held, and why. `covers` names exactly what `syncd brake release` would let go."""

    what: str
    detail: str
    covers: frozenset[str]


SHRUNK = 0.7


def company_brake(
    known: Collection[str],
    listed: Collection[str],
    opting_out: Mapping[str, int],
    limits: BrakeLimits,
    released: Collection[str] = (),
) -> Held | None:
    """Whether a pass over the companies must be held.

    known:      ids of the companies that the last good list had
    listed:     ids of those that this one has
    opting_out: companies that this pass would newly opt out, with how many contacts each would opt out
    released:   what an operator has let go; it no longer counts
    """
    missing = frozenset(known) - frozenset(listed)
    unexpected = missing - frozenset(released)
    covers = frozenset(opting_out)
    if known and len(known) - len(unexpected) < SHRUNK * len(known):
        detail = f"{len(missing)} of {len(known)} known companies are missing from the list; is a permission lost?"
        return Held("company list shrank", detail, missing | covers)
    counted = covers - frozenset(released)
    if len(counted) > limits.companies:
        detail = (
            f"{len(counted)} companies would be opted out at once (limit {limits.companies}); is a field renamed?"
        )
        return Held("too many companies", detail, missing | covers)
    contacts = sum(opting_out[one] for one in counted)
    if contacts > limits.contacts:
        detail = f"{contacts} contacts would be opted out by company state at once (limit {limits.contacts})"
        return Held("too many contacts", detail, missing | covers)
    return None


def contact_brake(moved: Collection[str], limits: BrakeLimits, released: Collection[str] = ()) -> Held | None:
    """Whether a pass over the contacts must be held: too many appear in companies that are opted out."""
    counted = frozenset(moved) - frozenset(released)
    if len(counted) <= limits.contacts:
        return None
    detail = f"{len(counted)} contacts appeared in opted-out companies at once (limit {limits.contacts})"
    return Held("too many contacts", detail, frozenset(moved))
