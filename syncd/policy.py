"""CORE: what the opt-in field of one contact should say, and why.

Read it beside the MSP's written policy; clause numbers are the policy's. `decide` folds all evidence of one
contact in the order in which it happened and draws the conclusion. It is a pure function: it reads no clock, asks
nobody, and gives the same verdict for the same evidence, however late a piece of it arrived.

    3.2.3, 3.2.4   the person texts an opt-in keyword             opted in
    3.3.2          the person opts out, in whatever words         opted out
    3.2.5, 3.3.4   the person starts a conversation               opted in (tacit), if the company is approved then
    3.3.1          the account manager opts the company out       everybody in it opted out
    3.1.1, 3.2.1   an opt-in while the company is not approved    held
    3.1.2          no evidence                                    the PSA's value is left alone
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from syncd.model import (
    Cause,
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
    Verdict,
)

EXPLICIT = "3.2.3, 3.2.4"
OPT_OUT = "3.3.2"
TACIT = "3.2.5, 3.3.4"
COMPANY = "3.3.1"
HELD = "3.1.1, 3.2.1"
NO_EVIDENCE = "3.1.2"
STAFF = "staff"

# Part of the reason when staff set opted in against a live opt-out; it is put back and reported.
OVERRULED = "an opt-in that a person set in the PSA since then does not count"


@dataclass(frozen=True, slots=True)
class _Act:
    """What somebody did that counts: it is in force until the next act."""

    consent: Consent
    clause: str
    cause: Cause
    at: datetime
    seq: int
    words: str
    number: str | None = None


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where a person stands after the evidence read so far.

    last:      the latest act
    opt_out:   the latest opt-out; it stays in force for as long as a later opt-in cannot take effect
    unclear:   numbers with a text that waits for somebody to read it
    review:    opt-ins that wait for somebody to decide, and are no acts until then
    overruled: an opt-in set by staff against the live opt-out
    """

    last: _Act | None = None
    opt_out: _Act | None = None
    unclear: frozenset[str] = frozenset()
    review: tuple[int, ...] = ()
    overruled: int | None = None

    @property
    def opted_in(self) -> bool:
        return self.last is not None and self.last.consent is Consent.OPTED_IN

    def after(self, act: _Act) -> _Standing:
        opt_out = act if act.consent is Consent.OPTED_OUT else self.opt_out
        return replace(self, last=act, opt_out=opt_out, review=(), overruled=None)


def decide(contact: Contact, evidence: Iterable[Evidence], company: CompanyHistory, rules: Rules) -> Verdict:
    """The verdict on one contact.

    evidence: every text from the contact's numbers, every staff edit of the contact, every opt-out of its company,
              and those of earlier companies that reached it; in any order
    company:  the approval state of the contact's company (of whichever it was in at each time)
    """
    standing = _Standing()
    for item in sorted(evidence, key=_order):
        match item:
            case Texted():
                standing = _text(standing, item, company, rules)
            case StaffEdited():
                standing = _staff(standing, item, rules)
            case CompanyOptedOut():
                standing = standing.after(_company(item))
    return _conclude(standing, contact, company)


def _order(item: Evidence) -> tuple[datetime, bool, datetime, str, int]:
    """By sent time and message id; within one second an opt-out comes last, so that it wins."""
    message_id = item.message_id if isinstance(item, Texted) else ""
    return (item.at.replace(microsecond=0), _is_opt_out(item), item.at, message_id, item.seq)


def _is_opt_out(item: Evidence) -> bool:
    match item:
        case Texted():
            return _intent(item) is Intent.OPT_OUT
        case StaffEdited():
            return item.consent is Consent.OPTED_OUT
        case CompanyOptedOut():
            return True


def _intent(text: Texted) -> Intent | None:
    """What the text counts as: what a person decided in review, else how it was read. None: nothing."""
    if text.decision is None:
        return text.intent
    return {"opt_out": Intent.OPT_OUT, "opt_in": Intent.OPT_IN, "nothing": None}[text.decision]


# --- one piece of evidence at a time ---------------------------------------------------------------------


def _text(standing: _Standing, text: Texted, company: CompanyHistory, rules: Rules) -> _Standing:
    match _intent(text):
        case Intent.OPT_OUT:  # 3.3.2: at once, whatever the company says
            return standing.after(_by_text(text, Consent.OPTED_OUT, OPT_OUT, "the person opted out by text"))
        case Intent.OPT_IN:  # 3.2.3
            return _opt_in(standing, text, EXPLICIT, "the person opted in by text")
        case Intent.UNCLEAR:  # changes nothing; nobody is opted in tacitly while it waits
            return replace(standing, unclear=standing.unclear | {text.number})
        case Intent.ORDINARY if _starts_conversation(standing, text, company, rules):  # 3.2.5, 3.3.4
            return _opt_in(standing, text, TACIT, "the person wrote first, to an approved company's MSP")
    return standing


def _by_text(text: Texted, consent: Consent, clause: str, words: str) -> _Act:
    return _Act(consent, clause, Cause.PERSON, text.at, text.seq, words, text.number)


def _opt_in(standing: _Standing, text: Texted, clause: str, words: str) -> _Standing:
    """An opt-in counts, unless something about it is doubtful and nobody has decided yet."""
    if text.doubt is None or text.decision is not None:
        return standing.after(_by_text(text, Consent.OPTED_IN, clause, words))
    if standing.opted_in:  # nothing to ask about
        return standing
    return replace(standing, review=(*standing.review, text.seq))


def _starts_conversation(standing: _Standing, text: Texted, company: CompanyHistory, rules: Rules) -> bool:
    """Client-initiated: ordinary words, not a reply to us, nothing unclear pending, the company approved then."""
    quiet = rules.tacit.quiet_period
    if not rules.tacit.enabled or not text.starts or text.number in standing.unclear:
        return False
    if company.at(text.at) is not CompanyState.APPROVED:
        return False
    if text.last_outbound is not None and not _quiet(text.last_outbound, text.at, quiet):
        return False
    if standing.last is None:
        return True
    if standing.opted_in:  # nothing to add
        return False
    return rules.tacit.after_opt_out and _quiet(standing.last.at, text.at, quiet)


def _quiet(earlier: datetime, later: datetime, period: timedelta) -> bool:
    return later - earlier >= period


def _staff(standing: _Standing, edit: StaffEdited, rules: Rules) -> _Standing:
    if edit.consent is Consent.OPTED_OUT:
        words = "a person set opted out in the PSA"
        return standing.after(_Act(Consent.OPTED_OUT, STAFF, Cause.STAFF, edit.at, edit.seq, words))
    if rules.staff_opt_in == "accept":
        words = "a person set opted in in the PSA"
        return standing.after(_Act(Consent.OPTED_IN, STAFF, Cause.STAFF, edit.at, edit.seq, words))
    if standing.last and standing.last.consent is Consent.OPTED_OUT:  # put back, and reported
        return replace(standing, overruled=edit.seq)
    return standing


def _company(opt_out: CompanyOptedOut) -> _Act:
    """3.3.1: voids every opt-in before it, also for those who leave the company afterwards."""
    words = "the company was opted out in the PSA"
    return _Act(Consent.OPTED_OUT, COMPANY, Cause.COMPANY, opt_out.at, opt_out.seq, words)


# --- the conclusion --------------------------------------------------------------------------------------


def _conclude(standing: _Standing, contact: Contact, company: CompanyHistory) -> Verdict:
    last = standing.last
    if company.now is CompanyState.OPTED_OUT and (last is None or standing.opted_in):
        # 3.3.1: everybody in it, also contacts created or moved there later, whatever they texted since
        seqs = tuple(act.seq for act in (standing.opt_out, last) if act)
        reason = "the company is opted out in the PSA"
        held = last is not None and last.clause == EXPLICIT
        return Verdict(Consent.OPTED_OUT, COMPANY, reason, Cause.COMPANY, seqs, held, standing.review)
    if last is None:  # 3.1.2
        reason = "an opt-in waits in review" if standing.review else "no evidence: the PSA's value is left alone"
        return Verdict(None, NO_EVIDENCE, reason, review=standing.review)
    if last.consent is Consent.OPTED_OUT:
        return _in_force(last, standing)
    if company.now is not CompanyState.APPROVED:  # 3.1.1
        held = last.clause != TACIT
        return _without_effect(last, standing, "the company has not approved texting", held)
    if not contact.active:
        return _without_effect(last, standing, "an opt-in is for active contacts only")
    if last.clause == TACIT and last.number in standing.unclear:  # neither written now nor undone
        reason = "the person wrote first, but a later unclear text waits in review"
        return Verdict(None, TACIT, reason, Cause.PERSON, (last.seq,), review=standing.review)
    return _in_force(last, standing)


def _in_force(act: _Act, standing: _Standing) -> Verdict:
    words = act.words
    seqs: tuple[int, ...] = (act.seq,)
    if standing.overruled is not None:
        words += f"; {OVERRULED}"
        seqs = (*seqs, standing.overruled)
    return Verdict(act.consent, act.clause, words, act.cause, seqs, review=standing.review)


def _without_effect(opt_in: _Act, standing: _Standing, why: str, held: bool = False) -> Verdict:
    """An opt-in that cannot take effect (now): an opt-out before it stays in force."""
    why = f"{opt_in.words}; {'held' if held else 'without effect'}: {why}"
    if standing.opt_out is None:
        clause = HELD if held else NO_EVIDENCE
        return Verdict(None, clause, why, Cause.PERSON, (opt_in.seq,), held, standing.review)
    before = standing.opt_out
    seqs = (before.seq, opt_in.seq)
    why = f"{before.words}; since then {why}"
    return Verdict(Consent.OPTED_OUT, before.clause, why, before.cause, seqs, held, standing.review)
