"""What the companies of a contact mean for it: states over time, and the company opt-outs that count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from syncd.membership import Membership, Step, effective_state, history, is_opt_out
from syncd.model import CompanyHistory, CompanyState, Consent, Contact, Intent, Rules, Texted
from syncd.policy import decide

A, U, O = CompanyState.APPROVED, CompanyState.UNSET, CompanyState.OPTED_OUT  # noqa: E741
START = datetime(2026, 3, 2, 12, tzinfo=UTC)


def moment(at: float) -> datetime:
    return START + timedelta(hours=at)


def steps(*states, first=1):
    """One step an hour, from hour `first` on; the step's ledger entry has the number of its hour."""
    return [Step(first + i, moment(first + i), state) for i, state in enumerate(states)]


def changes(**at_states):
    """`changes(at_0=A, at_5=O)`: the company's steps; the ledger entry has the number of the hour."""
    pairs = [(int(name.removeprefix("at_")), state) for name, state in at_states.items()]
    return [Step(at, moment(at), state) for at, state in pairs]


def was_in(company, since, at=None):
    """From that hour on; the ledger entry has the number of the hour. `at`: what our clock showed then."""
    return Membership(since, moment(since if at is None else at), company)


# --- one company -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param((), U, id="never seen"),
        pytest.param((U,), U, id="never approved"),
        pytest.param((A,), A, id="approved"),
        pytest.param((O,), O, id="first seen opted out"),
        pytest.param((A, U), O, id="approved and now unset: fail closed"),
        pytest.param((A, O), O, id="approved, then opted out"),
        pytest.param((A, O, U), O, id="approved, opted out, now unset: fail closed"),
        pytest.param((A, U, O, U), O, id="approved at any time, now unset: fail closed"),
        pytest.param((A, U, A), A, id="approved again after unset"),
        pytest.param((A, O, A), A, id="approved again after an opt-out"),
        pytest.param((U, A), A, id="approved later"),
        pytest.param((U, O), O, id="opted out without ever having approved"),
        pytest.param((O, U), U, id="never approved, opted out and unset: only holds opt-ins"),
    ],
)
def test_effective_state(states, expected):
    assert effective_state(steps(*states)) is expected


@pytest.mark.parametrize(
    ("states", "new", "expected"),
    [
        pytest.param((), O, True, id="first seen opted out"),
        pytest.param((), U, False, id="first seen unset"),
        pytest.param((), A, False, id="first seen approved"),
        pytest.param((A,), O, True, id="opted out"),
        pytest.param((U,), O, True, id="opted out without ever having approved"),
        pytest.param((A,), U, True, id="lost its approval: fail closed"),
        pytest.param((U,), U, False, id="still unset"),
        pytest.param((A,), A, False, id="still approved"),
        pytest.param((O,), O, False, id="still opted out: no second opt-out"),
        pytest.param((O,), U, False, id="unset after the opt-out value: no new act"),
        pytest.param((A, O), U, False, id="unset after approved and opted out: no new act"),
        pytest.param((A, U), O, True, id="set to opted out after losing its approval"),
        pytest.param((A, O, U), O, True, id="set to opted out once more"),
        pytest.param((A, U), A, False, id="re-approved"),
        pytest.param((A, O), A, False, id="re-approved after an opt-out"),
        pytest.param((A, O, A), O, True, id="opted out again"),
    ],
)
def test_is_opt_out(states, new, expected):
    assert is_opt_out(steps(*states), new) is expected


@pytest.mark.parametrize("states", [(A, O, A, U, A), (U, A, U), (O, A, O, U, O), (A, U, O, U)])
def test_whoever_is_effectively_opted_out_was_opted_out_by_an_act(states):
    taken = steps(*states)
    for count in range(1, len(taken) + 1):
        acts = [is_opt_out(taken[:i], taken[i].state) for i in range(count)]
        if effective_state(taken[:count]) is O:
            assert any(acts)


# --- the state over time, and the opt-outs that count -----------------------------------------------------

MOVED_AT_5 = [was_in("acme", 0), was_in("bolt", 5)]
BACK_AT_9 = [was_in("acme", 0), was_in("bolt", 5), was_in("acme", 9)]

LIVES = [
    pytest.param([], {}, [(1, U)], set(), id="no membership at all"),
    pytest.param([was_in(None, 0)], {}, [(1, U)], set(), id="no company"),
    pytest.param([was_in("acme", 0)], {}, [(1, U)], set(), id="a company that the PSA does not list"),
    pytest.param([was_in("acme", 0)], {"acme": changes(at_3=A)}, [(-99, A), (2, A), (4, A)], set(),
                 id="before the first look: the state first seen"),
    pytest.param([was_in("acme", 2)], {"acme": changes(at_3=U, at_5=A)}, [(-99, U), (4, U), (5, A), (9, A)], set(),
                 id="approved later"),
    pytest.param([was_in("acme", 0)], {"acme": changes(at_0=A, at_5=O)}, [(4, A), (5, O), (9, O)], {5},
                 id="opted out"),
    pytest.param([was_in("acme", 0)], {"acme": changes(at_0=A, at_5=U)}, [(4, A), (5, O), (9, O)], {5},
                 id="lost its approval"),
    pytest.param([was_in("acme", 0)], {"acme": changes(at_0=A, at_5=O, at_7=A)}, [(4, A), (6, O), (7, A)], {5},
                 id="re-approved: the opt-out stays evidence"),
    pytest.param([was_in("acme", 0)], {"acme": changes(at_0=A, at_5=O, at_7=A, at_8=U)},
                 [(4, A), (6, O), (7, A), (8, O)], {5, 8}, id="two opt-outs"),
    pytest.param([was_in("acme", 6)], {"acme": changes(at_0=A, at_5=O)}, [(9, O)], {5},
                 id="created in an opted-out company"),
    pytest.param([was_in("acme", 9)], {"acme": changes(at_0=A, at_5=O, at_7=A)}, [(6, O), (9, A)], {5},
                 id="created later in a company that was opted out once"),
    pytest.param([was_in("acme", 0)], {"acme": changes(at_2=O)}, [(-99, O), (9, O)], {2},
                 id="first seen opted out"),
    pytest.param(MOVED_AT_5, {"acme": changes(at_0=A), "bolt": changes(at_0=U)}, [(4, A), (5, U), (9, U)], set(),
                 id="moved: the state of whichever it was in"),
    pytest.param(MOVED_AT_5, {"acme": changes(at_0=A, at_3=O), "bolt": changes(at_0=A)}, [(2, A), (4, O), (6, A)],
                 {3}, id="moved away: the opt-out that reached it stays"),
    pytest.param(MOVED_AT_5, {"acme": changes(at_0=A, at_3=O, at_4=A), "bolt": changes(at_0=A)}, [(4, A), (6, A)],
                 {3}, id="moved away after the re-approval: the opt-out stays"),
    pytest.param(MOVED_AT_5, {"acme": changes(at_0=A, at_8=O), "bolt": changes(at_0=A)}, [(9, A)], set(),
                 id="moved away before the opt-out"),
    pytest.param(MOVED_AT_5, {"acme": changes(at_7=A), "bolt": changes(at_0=U)}, [(4, A), (6, U)], set(),
                 id="left a company before its first look"),
    pytest.param(MOVED_AT_5, {"acme": changes(at_0=A), "bolt": changes(at_0=A, at_2=O)}, [(4, A), (5, O)], {2},
                 id="moved into an opted-out company"),
    pytest.param([was_in("acme", 0), was_in(None, 5)], {"acme": changes(at_0=A, at_3=O)}, [(4, O), (6, U)], {3},
                 id="left for no company: the opt-out that reached it stays"),
    pytest.param([was_in(None, 0), was_in("bolt", 5)], {"bolt": changes(at_0=A)}, [(4, U), (5, A)], set(),
                 id="had no company before"),
    pytest.param(BACK_AT_9, {"acme": changes(at_0=A, at_7=O), "bolt": changes(at_0=A)}, [(4, A), (8, A), (9, O)],
                 {7}, id="came back to a company that was opted out meanwhile"),
    pytest.param(BACK_AT_9, {"acme": changes(at_0=A), "bolt": changes(at_0=A, at_6=O)}, [(4, A), (8, O), (9, A)],
                 {6}, id="came back: the opt-out met elsewhere stays"),
    pytest.param(BACK_AT_9, {"acme": changes(at_0=A, at_3=O), "bolt": changes(at_0=A)}, [(4, O), (8, A), (9, O)],
                 {3}, id="came back: counted once"),
]  # fmt: skip


@pytest.mark.parametrize(("memberships", "companies", "states", "opt_outs"), LIVES)
def test_history(memberships, companies, states, opt_outs):
    over_time, found = history(memberships, companies)
    assert [(at, over_time.at(moment(at))) for at, _ in states] == states
    assert {one.seq for one in found} == opt_outs
    assert len(found) == len(opt_outs)


@pytest.mark.parametrize(("memberships", "companies", "states", "opt_outs"), LIVES)
def test_now_is_the_state_at_the_end(memberships, companies, states, opt_outs):
    over_time, _ = history(memberships, companies)
    assert over_time.now is over_time.at(moment(10_000))


def test_an_opt_out_keeps_its_company_its_date_and_its_entry():
    _, (found,) = history(MOVED_AT_5, {"acme": changes(at_0=A, at_3=O), "bolt": changes(at_0=A)})
    assert (found.seq, found.at, found.company_id) == (3, moment(3), "acme")


def test_the_state_at_a_moment():
    over_time = CompanyHistory(((moment(1), U), (moment(2), A)))
    microsecond = timedelta(microseconds=1)
    assert [over_time.at(moment(at)) for at in (0, 1, 2, 3)] == [U, U, A, A]
    assert over_time.at(moment(2) - microsecond) is U
    assert CompanyHistory().at(moment(1)) is U
    assert CompanyHistory().now is U


# --- a clock that is set back: the ledger's order tells what came first ----------------------------------------


def wrong(at, seq, state):
    """A step that our clock, wrong at the time, dated to another hour."""
    return Step(seq, moment(at), state)


def test_moved_to_an_opted_out_company_while_the_clock_was_set_back():
    memberships = [was_in("acme", 5), was_in("bolt", 6, at=4)]
    over_time, found = history(memberships, {"acme": changes(at_1=A), "bolt": changes(at_2=O)})
    assert (over_time.now, {one.seq for one in found}) == (O, {2})


def test_left_an_opted_out_company_while_the_clock_was_set_back():
    memberships = [was_in("acme", 5), was_in(None, 6, at=3)]
    over_time, found = history(memberships, {"acme": [wrong(4, 4, O)]})
    assert (over_time.now, {one.seq for one in found}) == (U, {4})
    assert found[0].at == moment(4)


def test_opted_out_while_the_clock_was_set_back():
    over_time, found = history([was_in("acme", 1)], {"acme": [wrong(8, 2, A), wrong(5, 3, O)]})
    assert (over_time.now, {one.seq for one in found}) == (O, {3})
    assert [over_time.at(moment(at)) for at in (1, 6, 8)] == [A, A, O]
    assert not over_time.approved_since(moment(6))


def test_approved_again_while_the_clock_was_set_back():
    over_time, _ = history([was_in("acme", 1)], {"acme": [wrong(0, 1, U), wrong(8, 2, O), wrong(5, 3, A)]})
    assert over_time.now is A
    assert not over_time.approved_since(moment(6)), "by its date only, that text came after the approval"
    assert over_time.approved_since(moment(8))


# --- together with the policy: older evidence never undoes an opt-out --------------------------------------


def desired(memberships, companies, go_at):
    company, opt_outs = history(memberships, companies)
    text = Texted(99, moment(go_at), "+12025550101", "m1", Intent.OPT_IN)
    contact = Contact("7", memberships[-1].company_id, "Ann", (), active=True, consent=None)
    return decide(contact, [text, *opt_outs], company, Rules()).desired


IN_BOLT_UNTIL_10 = [was_in("acme", 0), was_in("bolt", 8), was_in("acme", 10)]
ACME = changes(at_0=A)


@pytest.mark.parametrize(
    ("bolt", "go_at", "expected"),
    [
        pytest.param(changes(at_0=A, at_5=O), 1, Consent.OPTED_OUT, id="opted out: #Go of before stays void"),
        pytest.param(changes(at_0=A, at_5=U), 1, Consent.OPTED_OUT, id="lost approval: #Go of before stays void"),
        pytest.param(changes(at_0=A, at_9=O), 1, Consent.OPTED_OUT, id="opted out meanwhile"),
        pytest.param(changes(at_0=A, at_11=O), 1, Consent.OPTED_IN, id="opted out after it had left"),
        pytest.param(changes(at_0=A, at_5=O), 6, Consent.OPTED_IN, id="#Go sent after the opt-out"),
        pytest.param(changes(at_0=U), 1, Consent.OPTED_IN, id="never approved: nothing is voided"),
        pytest.param(
            changes(at_0=A, at_5=O, at_6=U), 1, Consent.OPTED_OUT, id="opted out, then unset: still opted out",
        ),
        pytest.param(
            changes(at_0=A, at_5=O, at_7=A), 1, Consent.OPTED_OUT, id="opted out, then re-approved, then moved in",
        ),
    ],
)  # fmt: skip
def test_leaving_a_company_revives_nothing(bolt, go_at, expected):
    companies = {"acme": ACME, "bolt": bolt}
    assert desired(IN_BOLT_UNTIL_10, companies, go_at) is expected


@pytest.mark.parametrize(
    "bolt",
    [
        changes(at_0=A, at_5=O),
        changes(at_0=A, at_5=U),
        changes(at_0=A, at_5=O, at_6=U),
        changes(at_0=A, at_5=O, at_7=A),
    ],
    ids=["opted out", "lost its approval", "opted out, then unset", "re-approved"],
)
def test_moving_in_voids_the_older_opt_in(bolt):
    memberships = [was_in("acme", 0), was_in("bolt", 8)]
    assert desired(memberships, {"acme": ACME, "bolt": bolt}, 1) is Consent.OPTED_OUT
