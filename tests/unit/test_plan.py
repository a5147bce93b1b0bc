"""The difference between what the PSA shows and what it should show: echoes, lanes, retries, brakes."""

from __future__ import annotations

from itertools import combinations_with_replacement, product

import pytest

from syncd.model import Cause, Consent, Verdict
from syncd.plan import (
    BrakeLimits,
    Lane,
    Mirror,
    arrived,
    company_brake,
    contact_brake,
    lane,
    look,
    needs_write,
    retry_in,
)

IN, OUT = Consent.OPTED_IN, Consent.OPTED_OUT

# --- one look --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "shows", "edit"),
    [
        pytest.param(None, None, None, id="first seen unset"),
        pytest.param(None, IN, None, id="first seen opted in: unproven, nobody's act"),
        pytest.param(None, OUT, OUT, id="first seen opted out: a staff opt-out"),
        pytest.param(Mirror(OUT), OUT, None, id="nothing changed"),
        pytest.param(Mirror(None), OUT, OUT, id="a person opted out"),
        pytest.param(Mirror(IN), OUT, OUT, id="a person opted out against an opt-in"),
        pytest.param(Mirror(OUT), IN, IN, id="a person opted in against an opt-out"),
        pytest.param(Mirror(None), IN, IN, id="a person opted in"),
        pytest.param(Mirror(OUT), None, None, id="a person emptied the field: neither in nor out"),
        pytest.param(Mirror(None).sending(OUT), OUT, None, id="our own write"),
        pytest.param(Mirror(IN).sending(OUT), IN, None, id="a read that lags behind our write"),
        pytest.param(Mirror(OUT).sending(IN), OUT, None, id="a read that lags behind our opt-in"),
        pytest.param(Mirror(None).sending(OUT), None, None, id="a lagging read of an empty field"),
        pytest.param(Mirror(None).sending(IN), OUT, OUT, id="a person opts out while our opt-in is on its way"),
        pytest.param(Mirror(IN).sending(OUT), None, None, id="a person emptied the field while we wrote"),
        pytest.param(
            Mirror(None).sending(OUT), IN, None, id="opted in by somebody before our opt-out was ever shown",
        ),
    ],
)  # fmt: skip
def test_look(before, shows, edit):
    after, found = look(before, shows)
    assert found is edit
    assert after.shown is shows


@pytest.mark.parametrize(
    ("before", "shows", "expected"),
    [
        pytest.param(Mirror(OUT).sending(IN), IN, True, id="what we sent"),
        pytest.param(Mirror(OUT).sending(IN), OUT, False, id="still what it was"),
        pytest.param(Mirror(OUT).sending(IN), None, False, id="neither: a person's doing"),
        pytest.param(Mirror(None).sending(IN).sending(OUT), IN, True, id="what we sent before that"),
        pytest.param(Mirror(OUT).sending(IN).sending(OUT), OUT, True, id="what we sent, and what it was before"),
        pytest.param(Mirror(IN, OUT, frozenset({IN})), IN, False, id="it has been seen there before"),
        pytest.param(Mirror(None, None, frozenset({IN})), IN, False, id="nothing is on its way"),
    ],
)
def test_arrived(before, shows, expected):
    assert arrived(before, shows) is expected


@pytest.mark.parametrize(
    "then",
    [
        pytest.param([("write", OUT), ("shows", OUT)], id="our opt-out was seen in between"),
        pytest.param([("shows", OUT)], id="a person's opt-out was seen in between"),
    ],
)
def test_an_opt_in_of_ours_that_is_done_late_is_nobodys(then):
    mirror, edits = live(Mirror(None), ("write", IN), *then, ("shows", IN))
    assert IN not in edits
    assert needs_write(OUT, mirror)


def test_what_may_be_an_echo_of_a_write():
    assert Mirror(OUT).sending(IN) == Mirror(OUT, IN, frozenset({OUT}))
    assert Mirror(OUT).sending(IN).sending(OUT) == Mirror(OUT, OUT, frozenset({OUT, IN}))


# --- several looks ---------------------------------------------------------------------------------------


def live(mirror, *happens):
    """What persons did, by the mirror's account. `("write", value)` or `("shows", value)`."""
    edits = []
    for what, value in happens:
        if what == "write":
            mirror = mirror.sending(value)
        else:
            mirror, edit = look(mirror, value)
            edits.append(edit)
    return mirror, [edit for edit in edits if edit]


@pytest.mark.parametrize(
    ("first", "happens", "edits", "pending"),
    [
        pytest.param(IN, [("write", OUT), ("shows", OUT)], [], None, id="confirmed"),
        pytest.param(IN, [("write", OUT), ("shows", IN)], [], OUT, id="still on its way"),
        pytest.param(IN, [("write", OUT), ("shows", IN), ("shows", IN), ("shows", OUT)], [], None,
                     id="confirmed after lagging reads"),
        pytest.param(IN, [("write", OUT), ("shows", OUT), ("shows", IN)], [IN], None,
                     id="confirmed, then a person opts in"),
        pytest.param(None, [("write", IN), ("shows", IN), ("shows", OUT)], [OUT], None,
                     id="confirmed, then a person opts out"),
        pytest.param(None, [("write", IN), ("shows", OUT)], [OUT], None, id="a person opts out, unconfirmed"),
        pytest.param(None, [("write", IN), ("shows", None), ("shows", OUT)], [OUT], None,
                     id="a person opts out after a lagging read"),
        pytest.param(OUT, [("write", IN), ("shows", None), ("shows", IN)], [], None,
                     id="emptied by a person just before our write arrives"),
        pytest.param(OUT, [("write", IN), ("shows", None), ("shows", OUT)], [OUT], None,
                     id="emptied, then opted out again: a person's, not a read that lags"),
        pytest.param(IN, [("write", OUT), ("write", OUT), ("shows", IN), ("shows", OUT)], [], None,
                     id="written twice, lagging, confirmed"),
        pytest.param(None, [("write", IN), ("write", OUT), ("shows", IN)], [], OUT,
                     id="two writes: the first one shows late"),
        pytest.param(None, [("write", IN), ("write", OUT), ("shows", None), ("shows", IN), ("shows", OUT)], [],
                     None, id="two writes: everything shows late"),
        pytest.param(None, [("write", OUT), ("write", IN), ("shows", OUT), ("shows", IN)], [], None,
                     id="two writes, opt-in last: everything shows late"),
        pytest.param(None, [("write", IN), ("shows", None), ("write", OUT), ("shows", IN)], [], OUT,
                     id="a look between two writes"),
        pytest.param(None, [("write", OUT), ("shows", None), ("write", OUT), ("shows", None), ("write", OUT)], [],
                     OUT, id="written again and again"),
        pytest.param(None, [("write", IN), ("write", OUT), ("write", IN), ("write", OUT), ("shows", IN)], [], OUT,
                     id="four writes without a confirmation"),
        pytest.param(None, [("write", IN), ("write", OUT), ("write", OUT), ("shows", IN)], [], OUT,
                     id="the first of two writes shows late, the second was repeated"),
        pytest.param(IN, [("shows", OUT), ("write", IN), ("shows", IN), ("shows", OUT)], [OUT, OUT], None,
                     id="opted out by hand twice"),
    ],
)  # fmt: skip
def test_a_sequence_of_looks(first, happens, edits, pending):
    mirror, found = live(Mirror(first), *happens)
    assert found == edits
    assert mirror.pending is pending


def lagging(first, writes):
    """Every way in which a PSA can show a first value and then our own writes, late but in order."""
    values = [first, *writes]
    for sent in product(range(len(writes) + 1), repeat=2):  # how much had been sent before each of two early reads
        for seen in combinations_with_replacement(range(len(values)), 4):
            early = list(zip(sorted(sent), seen[:2], strict=True))
            if any(index > done for done, index in early):
                continue
            happens, done = [], 0
            for upto, index in early:
                happens += [("write", value) for value in writes[done:upto]] + [("shows", values[index])]
                done = upto
            happens += [("write", value) for value in writes[done:]]
            yield [*happens, *(("shows", values[index]) for index in seen[2:])]


WRITES = [(None, [OUT]), (None, [IN]), (IN, [OUT]), (OUT, [IN]), (None, [IN, OUT]), (None, [OUT, IN])]


@pytest.mark.parametrize(
    ("first", "writes"),
    [
        *WRITES,
        (OUT, [IN, OUT]),
        (None, [OUT, IN, OUT]),
    ],
)
def test_our_own_writes_are_never_a_persons_edit(first, writes):
    stories = list(lagging(first, writes))
    assert len(stories) > 5
    for happens in stories:
        _, edits = live(Mirror(first), *happens)
        assert edits == [], happens


def test_in_doubt_an_opt_out_is_believed():
    """After two unconfirmed writes an old opt-in looks like our last one; the opt-out may be a person's."""
    happens = [("write", OUT), ("write", IN), ("shows", IN), ("shows", OUT)]
    assert live(Mirror(IN), *happens)[1] == [OUT]


@pytest.mark.parametrize(
    ("desired", "mirror", "expected"),
    [
        pytest.param(None, Mirror(OUT), False, id="left alone"),
        pytest.param(None, Mirror(OUT).sending(IN), False, id="left alone, even with a write on its way"),
        pytest.param(OUT, Mirror(OUT), False, id="shown"),
        pytest.param(OUT, Mirror(IN), True, id="differs"),
        pytest.param(OUT, Mirror(None), True, id="emptied"),
        pytest.param(IN, Mirror(None), True, id="opt-in to write"),
        pytest.param(OUT, Mirror(IN).sending(OUT), True, id="sent, not yet shown"),
        pytest.param(OUT, Mirror(OUT).sending(IN), True, id="shown, but an opt-in of ours may still land"),
        pytest.param(OUT, look(Mirror(IN).sending(OUT), IN)[0], True, id="lagging read"),
        pytest.param(OUT, look(Mirror(IN).sending(OUT), OUT)[0], False, id="confirmed"),
        pytest.param(OUT, look(Mirror(OUT), IN)[0], True, id="put back"),
    ],
)
def test_needs_write(desired, mirror, expected):
    assert needs_write(desired, mirror) is expected


# --- lanes and retries -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("desired", "cause", "expected"),
    [
        (OUT, Cause.PERSON, Lane.OPT_OUT),
        (OUT, Cause.STAFF, Lane.OPT_OUT),
        (OUT, Cause.COMPANY, Lane.CASCADE),
        (IN, Cause.PERSON, Lane.OPT_IN),
        (IN, Cause.STAFF, Lane.OPT_IN),
    ],
)
def test_lane(desired, cause, expected):
    assert lane(Verdict(desired, "", "", cause)) is expected


def test_single_opt_outs_go_first_then_cascades_then_opt_ins():
    assert sorted(Lane) == [Lane.OPT_OUT, Lane.CASCADE, Lane.OPT_IN]


@pytest.mark.parametrize(
    ("failures", "polls"),
    [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (6, 10), (7, 10), (10_000, 10)],
)
def test_retries_are_capped_at_ten_poll_intervals_and_never_end(failures, polls):
    assert retry_in(failures, 30.0) == 30.0 * polls


@pytest.mark.parametrize(("failures", "asked"), [(1, 1.0), (1, 900.0), (50, 2.0)])
def test_a_service_that_says_when_is_asked_then(failures, asked):
    assert retry_in(failures, 30.0, asked) == asked


# --- brakes ----------------------------------------------------------------------------------------------

LIMITS = BrakeLimits(companies=5, contacts=500)
TEN = [f"c{i}" for i in range(10)]


def counts(opting_out, contacts):
    """So many contacts, all in the first of these companies."""
    return {one: 0 if index else contacts for index, one in enumerate(opting_out)}


@pytest.mark.parametrize(
    ("before", "now", "opting_out", "contacts", "released", "held"),
    [
        pytest.param(TEN, TEN, [], 0, [], None, id="an ordinary pass"),
        pytest.param([], TEN, [], 0, [], None, id="day one"),
        pytest.param(TEN, TEN, TEN[:5], 500, [], None, id="exactly at both limits"),
        pytest.param(TEN, TEN, TEN[:6], 6, [], "too many companies", id="one company too many"),
        pytest.param(TEN, TEN, TEN[:1], 501, [], "too many contacts", id="one contact too many"),
        pytest.param(TEN, TEN[:7], [], 0, [], None, id="exactly 70 % listed"),
        pytest.param(TEN, TEN[:6], [], 0, [], "company list shrank", id="less than 70 % listed"),
        pytest.param(TEN, [], [], 0, [], "company list shrank", id="empty list"),
        pytest.param(TEN[:1], [], [], 0, [], "company list shrank", id="empty list, one was known"),
        pytest.param(TEN, [*TEN, "new"], ["new"], 1, [], None, id="a new company first seen opted out"),
        pytest.param(TEN, TEN, TEN[:6], 600, TEN[:6], None, id="released"),
        pytest.param(TEN, TEN, TEN[:6], 600, TEN, None, id="more was released"),
        pytest.param(TEN, TEN, TEN[:6], 6, TEN[6:], "too many companies", id="something else was released"),
        pytest.param(TEN, TEN, TEN, 10, TEN[:2], "too many companies", id="too many beside the released ones"),
        pytest.param(TEN, TEN[:3], TEN[3:], 7, TEN[3:], None, id="shrunk, released"),
        pytest.param(TEN, TEN[:3], TEN[3:], 7, TEN[4:], None, id="shrunk by one more than was released"),
        pytest.param(TEN, TEN[:2], TEN[2:], 8, TEN[6:], "company list shrank", id="shrunk far more than released"),
        pytest.param(
            TEN, TEN, TEN[:7], 7, TEN[:6], None, id="one more company after the release",
        ),
        pytest.param(
            TEN, [*TEN[:5], "n1", "n2", "n3", "n4", "n5"], [], 0, [], "company list shrank",
            id="half of them are others",
        ),
    ],
)  # fmt: skip
def test_company_brake(before, now, opting_out, contacts, released, held):
    found = company_brake(before, now, counts(opting_out, contacts), LIMITS, released)
    assert (found and found.what) == held


@pytest.mark.parametrize("hundreds", range(1, 30))
def test_seventy_percent_exactly_is_enough(hundreds):
    ids = [str(i) for i in range(10 * hundreds)]
    enough = 7 * hundreds
    assert company_brake(ids, ids[:enough], {}, LIMITS) is None
    assert company_brake(ids, ids[: enough - 1], {}, LIMITS)


@pytest.mark.parametrize(
    ("before", "now", "opting_out"),
    [(TEN, TEN, TEN[:6]), (TEN, [], TEN), (TEN, TEN[:2], TEN[2:9]), (TEN, TEN[:2], []), (TEN, TEN[:6], TEN[:6])],
)
def test_releasing_what_is_covered_lets_the_same_pass_go(before, now, opting_out):
    found = company_brake(before, now, counts(opting_out, 10_000), LIMITS)
    assert found
    assert company_brake(before, now, counts(opting_out, 10_000), LIMITS, found.covers) is None


def people(count):
    return [f"p{i}" for i in range(count)]


@pytest.mark.parametrize(
    ("moved", "released", "held"),
    [
        pytest.param(people(0), [], False, id="nobody"),
        pytest.param(people(500), [], False, id="exactly at the limit"),
        pytest.param(people(501), [], True, id="one too many"),
        pytest.param([*people(501), "p1"], [], True, id="one too many, one twice"),
        pytest.param([*people(500), "p1"], [], False, id="at the limit, one twice"),
        pytest.param(people(501), people(501), False, id="released"),
        pytest.param(people(501), people(600), False, id="more was released"),
        pytest.param(people(1200), people(501), True, id="too many beside the released ones"),
        pytest.param(
            people(502), people(501), False, id="one more contact after the release",
        ),
    ],
)  # fmt: skip
def test_contact_brake(moved, released, held):
    found = contact_brake(moved, LIMITS, released)
    assert (found is not None) is held
    if found:
        assert found.covers == set(moved)
