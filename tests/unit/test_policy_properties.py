"""The policy against a second, deliberately simple reading of the same rules, and what holds for any evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

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
    TacitRules,
    Texted,
)
from syncd.policy import decide

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
NUMBERS = ("+12025550101", "+12025550102")
IN, OUT = Consent.OPTED_IN, Consent.OPTED_OUT


# --- the second reading ----------------------------------------------------------------------------------
#
# No fold and no state: the latest opt-out is looked for, and then what came after it. An opt-out needs nothing but
# to exist; everything before the latest one is void, so an opt-in matters only if it comes after.


@dataclass(frozen=True)
class Reading:
    desired: Consent | None
    clause: str | None  # None: the written policy has no clause for it
    held: bool
    review: frozenset[int]


def is_opt_out(item: Evidence) -> bool:
    if isinstance(item, CompanyOptedOut):
        return True
    if isinstance(item, StaffEdited):
        return item.consent is OUT
    return item.decision == "opt_out" or (item.decision is None and item.intent is Intent.OPT_OUT)


def is_explicit(item: Evidence) -> bool:
    if not isinstance(item, Texted):
        return False
    return item.decision == "opt_in" or (item.decision is None and item.intent is Intent.OPT_IN)


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
    if not isinstance(text, Texted) or text.intent is not Intent.ORDINARY or text.decision is not None:
        return False
    tacit = rules.tacit
    if not text.starts or not tacit.enabled or not approved(company, text.at):
        return False
    if any(since > text.at and state is not CompanyState.APPROVED for since, state in company.steps):
        return False
    if any(waits(other) and other.number == text.number for other in everything):
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
    last_out = latest([one for one in evidence if is_opt_out(one)])
    since = [one for one in evidence if last_out is None or later(one, last_out)]

    # What opts in since then: keywords without doubt, staff if that is accepted, else who writes first.
    doubtful = [one for one in since if isinstance(one, Texted) and one.doubt and one.decision is None]
    explicit = [one for one in since if is_explicit(one) and one not in doubtful]
    if rules.staff_opt_in == "accept":
        known = [one for one in since if isinstance(one, StaffEdited) and one.consent is IN]
        explicit += [one for one in known if last_out is None or last_out.seq < one.seq]
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


# --- random lives ----------------------------------------------------------------------------------------
#
# One number stands for one piece of evidence, as the seed of its dice: much faster than a strategy for each field,
# and a counterexample still shrinks to few pieces.


HOURS = (0, 1, 2, 10, 24, 25, 26, 48, 49, 50, 74, 100)
CRUMBS = tuple(timedelta(microseconds=us) for us in (0, 0, 300_000, 999_999, 1_000_000, -1_000_000))
AGO = (None, None, None, None, None, 0, 3600, 86_399, 86_400, 86_401)
INTENTS = (
    Intent.OPT_IN, Intent.OPT_OUT, Intent.UNCLEAR, Intent.HELP, Intent.ORDINARY, Intent.OPT_IN, Intent.OPT_OUT,
    Intent.ORDINARY, Intent.UNCLEAR, Intent.ORDINARY, Intent.ORDINARY, Intent.ORDINARY, Intent.ORDINARY,
)  # fmt: skip
DOUBTS = (None, None, None, None, "history", "shared number")
STATES = (*[CompanyState.APPROVED] * 5, CompanyState.OPTED_OUT, CompanyState.UNSET)


def when(dice: Random) -> datetime:
    return START + timedelta(hours=dice.choice(HOURS)) + dice.choice(CRUMBS)


def texted(dice: Random, seq: int, at: datetime) -> Texted:
    intent, doubt, ago = dice.choice(INTENTS), dice.choice(DOUBTS), dice.choice(AGO)
    number, message = dice.choice(NUMBERS), dice.choice("abc")
    starts = intent is Intent.ORDINARY and dice.choice((True, True, True, False))
    # A person decides what waits in review: an unclear text, or an opt-in in doubt. What a decision about another
    # text may do is a row of its own in test_policy.py.
    decision = None
    if intent is Intent.UNCLEAR or (intent is Intent.OPT_IN and doubt):
        decision = dice.choice((None, None, "opt_in", "opt_out", "nothing"))
    elif intent is Intent.ORDINARY and doubt:
        decision = dice.choice((None, None, None, "opt_out", "nothing"))
    ours = None if ago is None else at - timedelta(seconds=ago)
    return Texted(seq, at, number, message, intent, starts, ours, doubt, decision)


def piece(seq: int, number: int) -> Evidence:
    dice = Random(number)
    kind, at = dice.choice((*["text"] * 8, "staff", "company")), when(dice)
    if kind == "staff":
        return StaffEdited(seq, at, dice.choice((OUT, IN)))
    if kind == "company":
        return CompanyOptedOut(seq, at, dice.choice(("acme", "former")))
    return texted(dice, seq, at)


def state_over_time(number: int) -> CompanyHistory:
    dice = Random(number)
    steps = [(when(dice), dice.choice(STATES)) for _ in range(dice.choice((1, 1, 2, 3, 0)))]
    return CompanyHistory(tuple(sorted(steps, key=lambda step: step[0])))


def switches(number: int) -> Rules:
    dice = Random(number)
    quiet = timedelta(hours=dice.choice((24, 24, 1, 0)))
    tacit = TacitRules(
        dice.choice((True, True, True, True, False)), dice.choice((True, True, True, True, False)), quiet
    )
    return Rules(tacit, dice.choice(("reassert", "accept")))


NUMBER = st.integers(0, 2**24 - 1)
LIFE = {
    "contact": st.sampled_from((True, True, True, True, False)).map(
        lambda active: Contact("7", "acme", "Ann", NUMBERS, active, None)
    ),
    "evidence": st.lists(NUMBER, min_size=1, max_size=6).map(
        # What we observe is dated when we see it, so its place in the ledger agrees with its date.
        lambda numbers: [
            replace(item, seq=seq)
            for seq, item in enumerate(sorted((piece(0, number) for number in numbers), key=lambda one: one.at), 1)
        ]
    ),
    "company": NUMBER.map(state_over_time),
    "rules": NUMBER.map(switches),
}


def thorough(examples: int):
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


# --- what must hold --------------------------------------------------------------------------------------


@thorough(2500)
@given(**LIFE)
def test_two_readings_of_the_policy_agree(contact, evidence, company, rules):
    said, reading = decide(contact, evidence, company, rules), read(contact, evidence, company, rules)
    assert (said.desired, said.held, frozenset(said.review)) == (reading.desired, reading.held, reading.review)
    if reading.clause is not None:
        assert said.clause == reading.clause


@thorough(400)
@given(**LIFE, seed=st.integers(0, 10_000))
def test_the_order_of_arrival_does_not_matter(contact, evidence, company, rules, seed):
    arrived = Random(seed).sample(evidence, len(evidence))
    assert decide(contact, arrived, company, rules) == decide(contact, evidence, company, rules)


@thorough(400)
@given(
    **LIFE,
    opt_out=st.sampled_from(("text", "text of doubt", "decision", "staff", "company")),
    margin=st.sampled_from((timedelta(0), timedelta(microseconds=1), timedelta(seconds=1), timedelta(days=400))),
)
def test_an_opt_out_after_everything_opts_out(contact, evidence, company, rules, opt_out, margin):
    at = max((item.at for item in evidence), default=START) + margin
    text = Texted(99, at, NUMBERS[0], "z", Intent.OPT_OUT)
    last = {
        "text": text,
        "text of doubt": replace(text, doubt="shared number"),
        "decision": replace(text, intent=Intent.UNCLEAR, decision="opt_out"),
        "staff": StaffEdited(99, at, OUT),
        "company": CompanyOptedOut(99, at, "former"),
    }[opt_out]
    said = decide(contact, [*evidence, last], company, rules)
    assert said.desired is OUT
    assert not said.held
    if margin >= timedelta(seconds=1):
        assert said.evidence == (99,)


@thorough(400)
@given(
    **LIFE,
    opt_in=st.sampled_from(("#Go", "decision", "writes", "staff")),
    how_much=st.sampled_from((timedelta(0), timedelta(microseconds=1), timedelta(seconds=1), timedelta(days=400))),
)
def test_an_opt_in_older_than_the_latest_opt_out_never_undoes_it(
    contact, evidence, company, rules, opt_in, how_much
):
    assume(decide(contact, evidence, company, rules).desired is OUT)
    opt_outs = [item.at for item in evidence if is_opt_out(item)]
    at = max(opt_outs, default=START - timedelta(days=1)) - how_much
    text = Texted(99, at, NUMBERS[0], "a", Intent.OPT_IN)
    older = {
        "#Go": text,
        "decision": replace(text, doubt="history", decision="opt_in"),
        "writes": replace(text, intent=Intent.ORDINARY, starts=True),
        "staff": StaffEdited(99, at, IN),
    }[opt_in]
    if not opt_outs:  # only the state of the company opts out: nothing but its approval may undo that
        assume(company.now is CompanyState.OPTED_OUT)
    assert decide(contact, [*evidence, older], company, rules).desired is OUT


@thorough(400)
@given(**LIFE)
def test_a_verdict_rests_on_what_was_given(contact, evidence, company, rules):
    said = decide(contact, evidence, company, rules)
    given_seqs = {item.seq for item in evidence}
    assert set(said.evidence) <= given_seqs
    assert set(said.review) <= given_seqs
    assert not set(said.evidence) & set(said.review)
    if said.desired is IN:
        assert contact.active
        assert company.now is CompanyState.APPROVED
        assert said.evidence
        assert not said.held


@thorough(300)
@given(**LIFE)
def test_the_same_evidence_twice_changes_nothing(contact, evidence, company, rules):
    once, twice = (decide(contact, items, company, rules) for items in (evidence, evidence + evidence))
    assert (once.desired, once.clause, once.held) == (twice.desired, twice.clause, twice.held)
