"""The policy against a second, deliberately simple reading of the same rules, and what holds for any evidence."""

from __future__ import annotations

from dataclasses import replace
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
from syncd.sandbox.simulate.oracle import is_opt_out, read

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
NUMBERS = ("+12025550101", "+12025550102")
IN, OUT = Consent.OPTED_IN, Consent.OPTED_OUT


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
