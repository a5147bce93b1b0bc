"""A second reading of the policy, as simple as it can be, to hold the first one against.

No fold and no state: the latest opt-out is looked for, and then what came after it. An opt-out needs nothing but
to exist; everything before the latest one is void, so an opt-in matters only if it comes after. It shares no
line with `syncd.policy`, only the values of `syncd.model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from syncd.model import (
    CompanyHistory,
    CompanyOptedOut,
    CompanyState,
    Consent,
    Contact,
    Evidence,
    Intent,
    Rules,
    StaffEdited,
    Texted,
)

IN, OUT = Consent.OPTED_IN, Consent.OPTED_OUT


@dataclass(frozen=True, slots=True)
class Reading:
    """What the policy says of one contact; `clause` is None where the written policy has none."""

    desired: Consent | None
    clause: str | None
    held: bool
    review: frozenset[int]


def is_opt_out(item: Evidence) -> bool:
    """Whether it opts the person out."""
    if isinstance(item, CompanyOptedOut):
        return True
    if isinstance(item, StaffEdited):
        return item.consent is OUT
    return item.decision == "opt_out" or (item.decision is None and item.intent is Intent.OPT_OUT)


def is_explicit(item: Evidence) -> bool:
    if not isinstance(item, Texted):
        return False
    allowed = item.decision == "opt_in" and item.intent is not Intent.ORDINARY  # ordinary words stay what they are
    return allowed or (item.decision is None and item.intent is Intent.OPT_IN)


def known(edit: StaffEdited) -> int:
    """The last entry that whoever made the edit may have known of; old entries do not say."""
    return edit.seq if edit.known is None else edit.known


def waits(item: Evidence) -> bool:
    return isinstance(item, Texted) and item.intent is Intent.UNCLEAR and item.decision is None


def second(when: datetime) -> datetime:
    return when.replace(microsecond=0)


def later(one: Evidence, other: Evidence) -> bool:
    """Whether `one` comes after `other` by (sent time, message id), the opt-out last in its second."""
    if second(one.at) != second(other.at):
        return one.at > other.at
    if is_opt_out(one) != is_opt_out(other):
        return is_opt_out(one)
    ids = [item.message_id if isinstance(item, Texted) else "" for item in (one, other)]
    return (one.at, ids[0], one.seq) > (other.at, ids[1], other.seq)


def latest(items: Sequence[Evidence]) -> Evidence | None:
    for one in items:
        if not any(later(other, one) for other in items):
            return one
    return None


def approved(company: CompanyHistory, when: datetime) -> bool:
    if not company.steps:
        return False
    so_far = [state for since, state in company.steps if since <= when] or [company.steps[0][1]]
    return so_far[-1] is CompanyState.APPROVED


def starts_conversation(
    text: Evidence,
    last_out: Evidence | None,
    everything: Sequence[Evidence],
    company: CompanyHistory,
    rules: Rules,
) -> bool:
    if not isinstance(text, Texted) or text.intent is not Intent.ORDINARY or text.decision not in (None, "opt_in"):
        return False
    tacit = rules.tacit
    if not text.starts or not tacit.enabled or not approved(company, text.at):
        return False
    if any(since > text.at and state is not CompanyState.APPROVED for since, state in company.steps):
        return False
    if any(isinstance(other, Texted) and waits(other) and other.number == text.number for other in everything):
        return False
    if text.last_outbound is not None and text.at - text.last_outbound < tacit.quiet_period:
        return False
    if last_out is None:
        return True
    return tacit.after_opt_out and text.at - last_out.at >= tacit.quiet_period


def clause_of(item: Evidence) -> str:
    if isinstance(item, Texted):
        return "3.3.2" if is_opt_out(item) else "3.2.3, 3.2.4"
    return "staff" if isinstance(item, StaffEdited) else "3.3.1"


def read(contact: Contact, evidence: Sequence[Evidence], company: CompanyHistory, rules: Rules) -> Reading:
    """The verdict on one contact, by the second reading."""
    last_out = latest([one for one in evidence if is_opt_out(one)])
    since = [one for one in evidence if last_out is None or later(one, last_out)]

    # What opts in since then: keywords without doubt, staff if that is accepted, else who writes first.
    doubtful = [one for one in since if isinstance(one, Texted) and one.doubt and one.decision is None]
    explicit = [one for one in since if is_explicit(one) and one not in doubtful]
    if rules.staff_opt_in == "accept":
        by_hand = [one for one in since if isinstance(one, StaffEdited) and one.consent is IN]
        explicit += [one for one in by_hand if last_out is None or last_out.seq <= known(one)]
    first = [one for one in since if starts_conversation(one, last_out, evidence, company, rules)]
    tacit = [one for one in first if one not in doubtful]
    opt_in = latest(explicit) or (tacit[0] if tacit else None)
    review = [one for one in doubtful if is_explicit(one) or one in first] if opt_in is None else []
    asked = frozenset(one.seq for one in review)

    stays = Reading(OUT, clause_of(last_out), False, asked) if last_out else Reading(None, None, False, asked)
    if opt_in is None and last_out is not None:
        return stays
    state = company.steps[-1][1] if company.steps else CompanyState.UNSET
    if state is CompanyState.OPTED_OUT:
        return Reading(OUT, "3.3.1", opt_in is not None and is_explicit(opt_in), asked)
    if opt_in is None:
        return replace(stays, clause="3.1.2")
    if state is not CompanyState.APPROVED and opt_in not in tacit:
        held = is_explicit(opt_in)
        return replace(stays, clause=stays.clause or ("3.1.1, 3.2.1" if held else None), held=held)
    if state is not CompanyState.APPROVED or not contact.active:
        return stays
    if opt_in not in tacit:
        return Reading(IN, clause_of(opt_in), False, asked)
    return Reading(IN, "3.2.5, 3.3.4", False, asked)
