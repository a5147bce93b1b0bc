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
    company:   the ledger entry of the latest opt-out of a company
    unclear:   numbers with a text, whenever sent, that waits for somebody to read it
    review:    opt-ins that wait for somebody to decide, and are no acts until then
    overruled: an opt-in set by staff against the live opt-out
    """

    last: _Act | None = None
    opt_out: _Act | None = None
    company: int | None = None
    unclear: frozenset[str] = frozenset()
    review: tuple[int, ...] = ()
    overruled: int | None = None

    @property
    def opted_in(self) -> bool:
        return self.last is not None and self.last.consent is Consent.OPTED_IN

    def after(self, act: _Act) -> _Standing:
        opt_out = act if act.consent is Consent.OPTED_OUT else self.opt_out
        company = act.seq if act.cause is Cause.COMPANY else self.company
        return replace(self, last=act, opt_out=opt_out, company=company, review=(), overruled=None)


def decide(contact: Contact, evidence: Iterable[Evidence], company: CompanyHistory, rules: Rules) -> Verdict:
    """The verdict on one contact.

    evidence: every text from the contact's numbers, every staff edit of the contact, every opt-out of its company,
              and those of earlier companies that reached it; in any order
    company:  the approval state of the contact's company (of whichever it was in at each time)
    """
    evidence = _dated(list(evidence))
    standing = _Standing(unclear=_unclear(evidence))
    for item in sorted(evidence, key=_order):
        match item:
            case Texted():
                standing = _text(standing, item, company, rules)
            case StaffEdited():
                standing = _staff(standing, item, rules)
            case CompanyOptedOut():
                standing = standing.after(_company(item))
    return _conclude(standing, contact, company)


def _dated(evidence: list[Evidence]) -> list[Evidence]:
    """Opt-outs that are dated by when we saw them come after every text that had been read by then.

    Texts are dated by the vendor's clock, what we see by ours. Where the two differ, or ours was set back in
    between, an older opt-in must not seem to be the newer one.
    """
    texts = [(item.seq, item.at) for item in evidence if isinstance(item, Texted)]
    dated = []
    for item in evidence:
        if _is_opt_out(item) and (item.seen if isinstance(item, Texted) else True):
            item = replace(item, at=max([item.at, *(at for seq, at in texts if seq < item.seq)]))
        dated.append(item)
    return dated


def _unclear(evidence: Iterable[Evidence]) -> frozenset[str]:
    """Unclear texts change nothing, but while one waits its number gets no tacit opt-in."""
    texts = (item for item in evidence if isinstance(item, Texted))
    return frozenset(text.number for text in texts if _intent(text) is Intent.UNCLEAR)


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
    """What the text counts as: what a person decided in review, else how it was read. None: nothing.

    Nobody can decide a clear opt-out away, and ordinary words stay what they are: allowed, they may start a
    conversation, on the same terms as any.
    """
    if text.decision is None or text.intent is Intent.OPT_OUT:
        return text.intent
    if text.decision == "opt_in" and text.intent is Intent.ORDINARY:
        return text.intent
    return {"opt_out": Intent.OPT_OUT, "opt_in": Intent.OPT_IN, "nothing": None}[text.decision]


# --- one piece of evidence at a time ---------------------------------------------------------------------


def _text(standing: _Standing, text: Texted, company: CompanyHistory, rules: Rules) -> _Standing:
    match _intent(text):
        case Intent.OPT_OUT:  # 3.3.2: at once, whatever the company says
            return standing.after(_by_text(text, Consent.OPTED_OUT, OPT_OUT, "the person opted out by text"))
        case Intent.OPT_IN:  # 3.2.3
            return _opt_in(standing, text, EXPLICIT, "the person opted in by text")
        case Intent.ORDINARY if _starts_conversation(standing, text, company, rules):  # 3.2.5, 3.3.4
            return _opt_in(standing, text, TACIT, "the person wrote first, to an approved company's MSP")
    return standing


def _by_text(text: Texted, consent: Consent, clause: str, words: str) -> _Act:
    if text.decision is not None:
        words += ", as was decided in review"
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
    if not company.approved_since(text.at):  # never held for a later approval, nor taken to another company
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
    known = edit.seq if edit.known is None else edit.known
    not_known_then = standing.opt_out is not None and standing.opt_out.seq > known
    if rules.staff_opt_in == "accept" and not not_known_then:
        words = "a person set opted in in the PSA"
        return standing.after(_Act(Consent.OPTED_IN, STAFF, Cause.STAFF, edit.at, edit.seq, words))
    # Put back, and reported, if an opt-out is in force; so is an edit by somebody who could not know of it yet.
    return replace(standing, overruled=edit.seq)


def _company(opt_out: CompanyOptedOut) -> _Act:
    """3.3.1: voids every opt-in before it, also for those who leave the company afterwards."""
    words = "the company was opted out in the PSA"
    return _Act(Consent.OPTED_OUT, COMPANY, Cause.COMPANY, opt_out.at, opt_out.seq, words)


# --- the conclusion --------------------------------------------------------------------------------------


def _conclude(standing: _Standing, contact: Contact, company: CompanyHistory) -> Verdict:
    last = standing.last
    if company.now is CompanyState.OPTED_OUT and (last is None or standing.opted_in):
        # 3.3.1: everybody in it, also contacts created or moved there later, whatever they texted since
        held = last is not None and last.clause == EXPLICIT
        seqs = [] if standing.company is None else [standing.company]
        seqs += [last.seq] if last else []
        return _opted_out(COMPANY, "the company is opted out in the PSA", Cause.COMPANY, seqs, standing, held)
    if last is None:  # 3.1.2
        reason = "no evidence: the PSA's value is left alone"
        if standing.review or standing.unclear:
            reason = "a text waits in review; until then the PSA's value is left alone"
        return Verdict(None, NO_EVIDENCE, reason, review=standing.review)
    if last.consent is Consent.OPTED_OUT:
        return _opted_out(last.clause, last.words, last.cause, [last.seq], standing)
    if company.now is not CompanyState.APPROVED:  # 3.1.1
        held = last.clause == EXPLICIT
        return _without_effect(last, standing, "the company has not approved texting", held)
    if not contact.active:
        return _without_effect(last, standing, "an opt-in is for active contacts only")
    return Verdict(last.consent, last.clause, last.words, last.cause, (last.seq,), review=standing.review)


def _opted_out(
    clause: str, words: str, cause: Cause, seqs: list[int], standing: _Standing, held: bool = False
) -> Verdict:
    if standing.overruled is not None:
        words, seqs = f"{words}; {OVERRULED}", [*seqs, standing.overruled]
    return Verdict(Consent.OPTED_OUT, clause, words, cause, tuple(seqs), held, standing.review)


def _without_effect(opt_in: _Act, standing: _Standing, why: str, held: bool = False) -> Verdict:
    """An opt-in that cannot take effect (now): an opt-out before it stays in force."""
    why = f"{opt_in.words}; {'held' if held else 'without effect'}: {why}"
    before = standing.opt_out
    if before is not None:
        why = f"{before.words}; since then {why}"
        return _opted_out(before.clause, why, before.cause, [before.seq, opt_in.seq], standing, held)
    clause = HELD if held else opt_in.clause
    return Verdict(None, clause, why, opt_in.cause, (opt_in.seq,), held, standing.review)
