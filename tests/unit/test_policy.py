"""The written policy, clause by clause and refinement by refinement, as a table of scenarios.

Times are hours since the beginning of the scenario (or a timedelta). The number of a piece of evidence in the
ledger is its place in the scenario, counted from 1. Every row is also decided in other orders of arrival.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

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
    TacitRules,
    Texted,
    Verdict,
)
from syncd.policy import OVERRULED, decide

IN, OUT = Consent.OPTED_IN, Consent.OPTED_OUT
EXPLICIT, OPT_OUT, TACIT, COMPANY = "3.2.3, 3.2.4", "3.3.2", "3.2.5, 3.3.4", "3.3.1"
HELD, NOTHING, STAFF = "3.1.1, 3.2.1", "3.1.2", "staff"
MOBILE, DESK = "+12025550101", "+12025550102"

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND, MICRO = timedelta(seconds=1), timedelta(microseconds=1)
DAY = timedelta(hours=24)
TEN_YEARS = timedelta(days=3653)


# --- the words of the scenarios --------------------------------------------------------------------------


def moment(at: float | timedelta) -> datetime:
    return START + (at if isinstance(at, timedelta) else timedelta(hours=at))


def hours(at: float) -> timedelta:
    return timedelta(hours=at)


def text(at, intent, *, number=MOBILE, last_outbound=None, doubt=None, decision=None, starts=False, id=""):  # noqa: A002
    ours = None if last_outbound is None else moment(last_outbound)
    return Texted(0, moment(at), number, id, intent, starts, ours, doubt, decision)


def go(at, **more):
    return text(at, Intent.OPT_IN, **more)


def stop(at, **more):
    return text(at, Intent.OPT_OUT, **more)


def writes(at, **more):
    return text(at, Intent.ORDINARY, **{"starts": True, **more})


def unclear(at, **more):
    return text(at, Intent.UNCLEAR, **more)


def asks_help(at, **more):
    return text(at, Intent.HELP, **more)


def staff(consent, at):
    return StaffEdited(0, moment(at), consent)


def company_out(at, company="acme"):
    return CompanyOptedOut(0, moment(at), company)


A, U, O = CompanyState.APPROVED, CompanyState.UNSET, CompanyState.OPTED_OUT  # noqa: E741


def company(*steps):
    return CompanyHistory(tuple((moment(at), state) for at, state in steps))


APPROVED, UNSET, NONE = company((0, A)), company((0, U)), CompanyHistory()
OPTED_OUT = company((0, A), (5, O))
RE_APPROVED = company((0, A), (5, O), (7, A))
APPROVED_LATER = company((0, U), (5, A))

STANDARD = Rules()
ACCEPT = Rules(staff_opt_in="accept")
NO_TACIT = Rules(TacitRules(enabled=False))
NOT_AFTER_OPT_OUT = Rules(TacitRules(after_opt_out=False))
ONE_HOUR = Rules(TacitRules(quiet_period=timedelta(hours=1)))


@dataclass(frozen=True)
class Row:
    evidence: tuple[Evidence, ...]
    desired: Consent | None
    clause: str
    company: CompanyHistory = APPROVED
    active: bool = True
    rules: Rules = STANDARD
    held: bool = False
    review: tuple[int, ...] = ()

    def numbered(self) -> list[Evidence]:
        found: list[Evidence] = []
        for seq, item in enumerate(self.evidence, 1):
            if isinstance(item, Texted) and not item.message_id:
                item = replace(item, message_id=f"m{seq}")
            found.append(replace(item, seq=seq))
        return found

    def verdict(self, evidence: list[Evidence] | None = None) -> Verdict:
        contact = Contact("7", "acme", "Ann", (), self.active, None)
        return decide(contact, self.numbered() if evidence is None else evidence, self.company, self.rules)


def row(name, evidence, desired, clause, **more):
    return pytest.param(Row(tuple(evidence), desired, clause, **more), id=name)


# --- the table -------------------------------------------------------------------------------------------

# fmt: off
NOBODY_SAID_ANYTHING = [
    row("3.1.2 no evidence at all: left alone", [], None, NOTHING),
    row("3.1.2 no evidence, company not approved: left alone", [], None, NOTHING, company=UNSET),
    row("3.1.2 no evidence, no company: left alone", [], None, NOTHING, company=NONE),
    row("3.1.2 a request for help is no evidence", [asks_help(1, starts=True)], None, NOTHING),
    row("3.1.2 ordinary words that start nothing are no evidence", [writes(1, starts=False)], None, NOTHING),
]

GO = [
    row("3.2.3 #Go opts in", [go(1)], IN, EXPLICIT),
    row("3.2.3 #Go counts as an answer to our own text", [go(1, last_outbound=0.9)], IN, EXPLICIT),
    row("3.2.3 #Go right after #Stop counts, no quiet period", [stop(1), go(hours(1) + SECOND)], IN, EXPLICIT),
    row("3.2.3 #Go counts with tacit opt-in switched off", [stop(1), go(2)], IN, EXPLICIT, rules=NO_TACIT),
    row("3.2.3 #Go from any number of the contact", [go(1, number=DESK)], IN, EXPLICIT),
    row("3.2.3 #Go after a tacit opt-in gives the explicit basis", [writes(1), go(2)], IN, EXPLICIT),
    row("3.2.3 a later ordinary text keeps the explicit basis", [go(1), writes(100)], IN, EXPLICIT),
]

STOP = [
    row("3.3.2 #Stop opts out", [stop(1)], OUT, OPT_OUT),
    row("3.3.2 #Stop after #Go", [go(1), stop(2)], OUT, OPT_OUT),
    row("3.3.2 #Stop after a tacit opt-in", [writes(1), stop(2)], OUT, OPT_OUT),
    row("3.3.2 #Stop from one number opts out the contact", [go(1), stop(2, number=DESK)], OUT, OPT_OUT),
    row("3.3.2 #Stop while the company has not approved", [stop(1)], OUT, OPT_OUT, company=UNSET),
    row("3.3.2 #Stop without a company", [stop(1)], OUT, OPT_OUT, company=NONE),
    row("3.3.2 #Stop of an inactive contact", [stop(1)], OUT, OPT_OUT, active=False),
    row("3.3.2 #Stop after the company opt-out", [company_out(5), stop(6)], OUT, OPT_OUT, company=OPTED_OUT),
    row("3.3.2 #Stop, and a #Go from before it arrives late", [stop(2), go(1)], OUT, OPT_OUT),
    row("3.3.2 opt-outs never expire", [go(0), stop(1), writes(TEN_YEARS, last_outbound=TEN_YEARS)], OUT, OPT_OUT),
]

SHARED_OR_DOUBTFUL = [
    row("shared number: #Stop applies at once", [stop(1, doubt="shared number")], OUT, OPT_OUT),
    row("shared number: #Stop applies to inactive contacts too", [stop(1, doubt="shared number")], OUT, OPT_OUT,
        active=False, company=UNSET),
    row("shared number: #Go goes to review", [go(1, doubt="shared number")], None, NOTHING, review=(1,)),
    row("shared number: a tacit opt-in goes to review", [writes(1, doubt="shared number")], None, NOTHING,
        review=(1,)),
    row("shared number: #Go in review leaves the opt-out in force", [stop(1), go(2, doubt="shared number")], OUT,
        OPT_OUT, review=(2,)),
    row("first run: #Stop in the history applies at once", [stop(1, doubt="history")], OUT, OPT_OUT),
    row("first run: #Go in the history waits in review", [go(1, doubt="history")], None, NOTHING, review=(1,)),
    row("first run: every opt-in of the history waits", [go(1, doubt="history"), go(2, doubt="history")], None,
        NOTHING, review=(1, 2)),
    row("first run: a fresh #Go settles the review", [go(1, doubt="history"), go(2)], IN, EXPLICIT),
    row("first run: a #Stop settles the review", [go(1, doubt="history"), stop(2)], OUT, OPT_OUT),
    row("first run: a company opt-out settles the review", [go(1, doubt="history"), company_out(5)], OUT, COMPANY,
        company=RE_APPROVED),
    row("first run: ordinary words in a reply do not wait in review",
        [writes(5, doubt="history", last_outbound=4)], None, NOTHING),
]

DECIDED = [
    row("review: a doubtful #Go taken as opt-in", [go(1, doubt="history", decision="opt_in")], IN, EXPLICIT),
    row("review: a doubtful #Go taken as opt-out", [go(1, doubt="history", decision="opt_out")], OUT, OPT_OUT),
    row("review: a doubtful #Go taken as nothing", [go(1, doubt="history", decision="nothing")], None, NOTHING),
    row("review: an unclear text taken as opt-out", [go(1), unclear(2, decision="opt_out")], OUT, OPT_OUT),
    row("review: an unclear text taken as opt-in", [stop(1), unclear(2, decision="opt_in")], IN, EXPLICIT),
    row("review: an opt-in counts from when it was sent, not decided",
        [go(1, doubt="history", decision="opt_in"), stop(2)], OUT, OPT_OUT),
    row("review: an opt-in is held like any other", [go(1, doubt="history", decision="opt_in")], None, HELD,
        company=UNSET, held=True),
    row("review: an opt-out in the same second as #Go wins",
        [unclear(1, decision="opt_out"), go(hours(1) + 900_000 * MICRO)], OUT, OPT_OUT),
    row("review: a tacit opt-in taken as opt-in stays tacit", [writes(1, doubt="history", decision="opt_in")], IN,
        TACIT),
    row("review: ordinary words are never held for later, whoever says opt-in",
        [writes(1, doubt="history", decision="opt_in")], None, NOTHING, company=APPROVED_LATER),
    row("review: a clear #Stop cannot be taken as nothing", [go(1), stop(2, decision="nothing")], OUT, OPT_OUT),
    row("review: a clear #Stop cannot be taken as opt-in", [stop(2, decision="opt_in")], OUT, OPT_OUT),
]

WRITES_FIRST = [
    row("3.2.5 the client writes first", [writes(1)], IN, TACIT),
    row("3.3.4 the client writes first long after #Stop", [stop(1), writes(100)], IN, TACIT),
    row("3.2.5 switched off", [writes(1)], None, NOTHING, rules=NO_TACIT),
    row("3.3.4 switched off after an opt-out", [stop(1), writes(100)], OUT, OPT_OUT, rules=NOT_AFTER_OPT_OUT),
    row("3.3.4 switched off after a staff opt-out", [staff(OUT, 1), writes(100)], OUT, STAFF,
        rules=NOT_AFTER_OPT_OUT),
    row("3.3.4 switched off after a company opt-out", [company_out(5), writes(100)], OUT, COMPANY,
        rules=NOT_AFTER_OPT_OUT, company=RE_APPROVED),
    row("3.2.5 still on where only 3.3.4 is switched off", [writes(1)], IN, TACIT, rules=NOT_AFTER_OPT_OUT),
    row("quiet period: equal to it since our text", [writes(24, last_outbound=0)], IN, TACIT),
    row("quiet period: a second short", [writes(DAY - SECOND, last_outbound=0)], None, NOTHING),
    row("quiet period: a microsecond short", [writes(DAY - MICRO, last_outbound=0)], None, NOTHING),
    row("quiet period: our text later in the same second", [writes(1, last_outbound=hours(1) + MICRO)], None,
        NOTHING),
    row("quiet period: configured, equal", [writes(2, last_outbound=1)], IN, TACIT, rules=ONE_HOUR),
    row("quiet period: configured, a second short", [writes(hours(2) - SECOND, last_outbound=1)], None,
        NOTHING, rules=ONE_HOUR),
    row("quiet period after #Stop: equal", [stop(1), writes(25)], IN, TACIT),
    row("quiet period after #Stop: a second short", [stop(1), writes(hours(25) - SECOND)], OUT, OPT_OUT),
    row("quiet period after #Stop: 'thanks' opts nobody in", [stop(1), writes(1.01)], OUT, OPT_OUT),
    row("quiet period after #Stop and our text: both", [stop(1), writes(30, last_outbound=10)], OUT, OPT_OUT),
    row("quiet period after a staff opt-out: equal", [staff(OUT, 1), writes(25)], IN, TACIT),
    row("quiet period after a staff opt-out: a second short", [staff(OUT, 1), writes(hours(25) - SECOND)], OUT,
        STAFF),
    row("quiet period after a company opt-out: equal", [company_out(5), writes(29)], IN, TACIT,
        company=RE_APPROVED),
    row("quiet period after a company opt-out: a second short", [company_out(5), writes(hours(29) - SECOND)], OUT,
        COMPANY, company=RE_APPROVED),
    row("quiet period runs from the latest opt-out", [stop(1), staff(OUT, 20), writes(30)], OUT, STAFF),
    row("quiet period runs from an opt-out on another number", [stop(1, number=DESK), writes(2)], OUT, OPT_OUT),
    row("quiet period: a later text of the same exchange counts", [stop(1), writes(2), writes(25)], IN, TACIT),
    row("tacit: company not approved then, approved later", [writes(1)], None, NOTHING, company=APPROVED_LATER),
    row("tacit: in the moment of the approval", [writes(5)], IN, TACIT, company=APPROVED_LATER),
    row("tacit: just before the approval", [writes(hours(5) - MICRO)], None, NOTHING, company=APPROVED_LATER),
    row("tacit: before the first look at an approved company", [writes(-50)], IN, TACIT),
    row("tacit: company opted out then, approved later", [company_out(5), writes(6)], OUT, COMPANY,
        company=RE_APPROVED),
    row("tacit: without a company", [writes(1)], None, NOTHING, company=NONE),
]

COMPANY_ACTS = [
    row("3.3.1 the company opt-out opts out", [company_out(5)], OUT, COMPANY, company=OPTED_OUT),
    row("3.3.1 contacts created later, with no evidence", [], OUT, COMPANY, company=OPTED_OUT),
    row("3.3.1 inactive contacts too", [company_out(5)], OUT, COMPANY, company=OPTED_OUT, active=False),
    row("3.3.1 voids #Go", [go(1), company_out(5)], OUT, COMPANY, company=OPTED_OUT),
    row("3.3.1 voids a tacit opt-in", [writes(1), company_out(5)], OUT, COMPANY, company=OPTED_OUT),
    row("3.3.1 voids an accepted staff opt-in", [staff(IN, 1), company_out(5)], OUT, COMPANY, company=OPTED_OUT,
        rules=ACCEPT),
    row("3.3.1 writing first changes nothing", [company_out(5), writes(100)], OUT, COMPANY, company=OPTED_OUT),
    row("3.3.1 an accepted staff opt-in changes nothing", [company_out(5), staff(IN, 6)], OUT, COMPANY,
        company=OPTED_OUT, rules=ACCEPT),
    row("3.3.1 re-approval brings nobody back", [go(1), company_out(5)], OUT, COMPANY, company=RE_APPROVED),
    row("3.3.1 #Go after the opt-out is held", [go(1), company_out(5), go(6)], OUT, COMPANY, company=OPTED_OUT,
        held=True),
    row("3.3.1 #Go after the opt-out applies when re-approved", [go(1), company_out(5), go(6)], IN, EXPLICIT,
        company=RE_APPROVED),
    row("3.3.1 #Go after the re-approval", [company_out(5), go(8)], IN, EXPLICIT, company=RE_APPROVED),
    row("3.3.1 a second company opt-out voids the held #Go", [company_out(5), go(6), company_out(8)], OUT, COMPANY,
        company=company((0, A), (5, O), (7, A), (8, O), (9, A))),
    row("3.3.1 #Go sent before the opt-out arrives after the re-approval", [company_out(5), go(4.9)], OUT, COMPANY,
        company=RE_APPROVED),
    row("3.3.1 #Go between the edit and our look is void", [company_out(5), go(hours(5) - MICRO)], OUT, COMPANY,
        company=RE_APPROVED),
    row("3.3.1 #Go in the same second is void", [company_out(5), go(hours(5) + 999_999 * MICRO)], OUT,
        COMPANY, company=RE_APPROVED),
    row("3.3.1 company first seen opted out voids the #Go of before", [go(1), company_out(5)], OUT, COMPANY,
        company=company((5, O), (7, A))),
    row("3.3.1 moved to an approved company: older opt-ins stay void", [go(1), company_out(5, "former")], OUT,
        COMPANY),
    row("3.3.1 moved to an approved company: #Go after counts", [company_out(5, "former"), go(6)], IN, EXPLICIT),
    row("3.3.1 moved into an opted-out company", [company_out(2), go(3)], OUT, COMPANY,
        company=company((0, A), (4, O)), held=True),
    row("3.3.1 moved into an opted-out company: then out of it again", [company_out(2), go(3)], IN, EXPLICIT,
        company=company((0, A), (4, O), (6, A))),
]

HELD_BACK = [
    row("3.1.1 #Go is held while the company is unset", [go(1)], None, HELD, company=UNSET, held=True),
    row("3.1.1 #Go is held while there is no company", [go(1)], None, HELD, company=NONE, held=True),
    row("3.2.1 the held #Go applies on approval", [go(1)], IN, EXPLICIT, company=APPROVED_LATER),
    row("3.1.1 #Stop, then a held #Go: opt-out stays", [stop(1), go(2)], OUT, OPT_OUT, company=UNSET, held=True),
    row("3.2.1 #Stop, then #Go, then the approval", [stop(1), go(2)], IN, EXPLICIT, company=APPROVED_LATER),
    row("3.1.1 a held #Go, then #Stop, then the approval", [go(1), stop(2)], OUT, OPT_OUT, company=APPROVED_LATER),
    row("3.1.1 a staff opt-out, then a held #Go", [staff(OUT, 1), go(2)], OUT, STAFF, company=UNSET, held=True),
    row("active: #Go of an inactive contact is not written", [go(1)], None, EXPLICIT, active=False),
    row("active: writing first, inactive", [writes(1)], None, TACIT, active=False),
    row("active: #Stop, then #Go of an inactive contact", [stop(1), go(2)], OUT, OPT_OUT, active=False),
]

ORDER = [
    row("order: same second, #Stop then #Go", [stop(hours(1) + MICRO), go(hours(1) + 9 * MICRO)], OUT, OPT_OUT),
    row("order: same second, #Go then #Stop", [go(hours(1) + MICRO), stop(hours(1) + 9 * MICRO)], OUT, OPT_OUT),
    row("order: same moment, the #Go has the later id", [stop(1, id="a"), go(1, id="b")], OUT, OPT_OUT),
    row("order: same moment, the #Stop has the later id", [stop(1, id="b"), go(1, id="a")], OUT, OPT_OUT),
    row("order: #Go a second after #Stop, closer than a second", [stop(hours(1) + 999_999 * MICRO),
        go(hours(1) + SECOND)], IN, EXPLICIT),
    row("order: same second, writes first and #Stop", [stop(1), writes(hours(1) + MICRO)], OUT, OPT_OUT),
    row("order: same second, #Go and a staff opt-out", [staff(OUT, 1), go(hours(1) + MICRO)], OUT, STAFF),
    row("order: same second, #Stop and an accepted staff opt-in", [stop(1), staff(IN, hours(1) + MICRO)], OUT,
        OPT_OUT, rules=ACCEPT),
    row("order: a late #Stop in the middle, #Go after it", [go(1), go(3), stop(2)], IN, EXPLICIT),
    row("order: a late #Stop in the middle, nothing after it", [go(1), writes(1.5), stop(2)], OUT, OPT_OUT),
    row("order: a late #Stop takes back the text that had started a conversation", [writes(30), stop(20)], OUT,
        OPT_OUT),
    row("order: a late #Stop long before the client writes first", [writes(30), stop(2)], IN, TACIT),
    row("order: a late unclear text takes back the tacit opt-in", [writes(30), unclear(20)], None, NOTHING),
]

STAFF_ACTS = [
    row("staff: opted out", [staff(OUT, 1)], OUT, STAFF),
    row("staff: opted out against #Go", [go(1), staff(OUT, 2)], OUT, STAFF),
    row("staff: opted out, company not approved", [staff(OUT, 1)], OUT, STAFF, company=UNSET),
    row("staff: first seen opted out, an older #Go in the history", [staff(OUT, 5), go(1)], OUT, STAFF),
    row("staff: first seen opted out, then #Go", [staff(OUT, 5), go(6)], IN, EXPLICIT),
    row("staff: first seen opted out, held #Go", [staff(OUT, 1), go(2)], OUT, STAFF, company=UNSET, held=True),
    row("staff: #Go between the edit and our look is void", [go(hours(5) - MICRO), staff(OUT, 5)], OUT, STAFF),
    row("staff: opted in without evidence stays unproven", [staff(IN, 1)], None, NOTHING),
    row("staff: opted in against #Stop is put back", [stop(1), staff(IN, 2)], OUT, OPT_OUT),
    row("staff: opted in against a staff opt-out is put back", [staff(OUT, 1), staff(IN, 2)], OUT, STAFF),
    row("staff: opted in against a company opt-out is put back", [company_out(5), staff(IN, 6)], OUT, COMPANY,
        company=OPTED_OUT),
    row("staff: opted in after the re-approval is put back", [company_out(5), staff(IN, 8)], OUT, COMPANY,
        company=RE_APPROVED),
    row("staff: opted in, then a #Stop from before it arrives", [staff(IN, 2), stop(1)], OUT, OPT_OUT),
    row("staff: put back, then #Go", [stop(1), staff(IN, 2), go(3)], IN, EXPLICIT),
    row("staff: accepted against #Stop", [stop(1), staff(IN, 2)], IN, STAFF, rules=ACCEPT),
    row("staff: accepted, then #Stop", [stop(1), staff(IN, 2), stop(3)], OUT, OPT_OUT, rules=ACCEPT),
]

UNCLEAR = [
    row("unclear: changes nothing", [unclear(1)], None, NOTHING),
    row("unclear: never starts a conversation", [unclear(1, starts=True)], None, NOTHING),
    row("unclear: leaves #Go in force", [go(1), unclear(2)], IN, EXPLICIT),
    row("unclear: leaves #Stop in force", [stop(1), unclear(2)], OUT, OPT_OUT),
    row("unclear: no tacit opt-in while it waits", [unclear(1), writes(50)], None, NOTHING),
    row("unclear: no tacit opt-in after #Stop while it waits", [stop(1), unclear(2), writes(50)], OUT, OPT_OUT),
    row("unclear: nothing written for an earlier tacit opt-in", [writes(1), unclear(2)], None, NOTHING),
    row("unclear: same moment, its id is earlier", [unclear(1, id="a"), writes(1, id="b")], None, NOTHING),
    row("unclear: same moment, its id is later", [unclear(1, id="b"), writes(1, id="a")], None, NOTHING),
    row("unclear: another number is not concerned", [unclear(1, number=DESK), writes(50)], IN, TACIT),
    row("unclear: #Go counts while it waits", [unclear(1), go(2)], IN, EXPLICIT),
    row("unclear: #Stop counts while it waits", [unclear(1), stop(2)], OUT, OPT_OUT),
    row("unclear: still waits after #Go and #Stop", [unclear(1), go(2), stop(3), writes(99)], OUT, OPT_OUT),
    row("unclear: settled as nothing, then writes", [unclear(1, decision="nothing"), writes(50)], IN, TACIT),
    row("unclear: settled as nothing, wrote before", [writes(1), unclear(2, decision="nothing")],
        IN, TACIT),
    row("unclear: an opt-out before a tacit opt-in that is not given stays",
        [stop(1), writes(50), unclear(51)], OUT, OPT_OUT),
    row("unclear: after one number wrote first, then the other writes first",
        [writes(1), unclear(2), writes(3, number=DESK)], IN, TACIT),
]

ROWS = [
    *NOBODY_SAID_ANYTHING, *GO, *STOP, *SHARED_OR_DOUBTFUL, *DECIDED, *WRITES_FIRST, *COMPANY_ACTS, *HELD_BACK,
    *ORDER, *STAFF_ACTS, *UNCLEAR,
]
# fmt: on


@pytest.mark.parametrize("case", ROWS)
def test_policy(case):
    said = case.verdict()
    assert (said.desired, said.clause, said.held, said.review) == (
        case.desired, case.clause, case.held, case.review,
    ), said.reason  # fmt: skip


def test_every_row_has_a_name_of_its_own():
    assert len({one.id for one in ROWS}) == len(ROWS)


@pytest.mark.parametrize("case", [pytest.param(one.values[0], id=one.id) for one in ROWS])
def test_the_order_of_arrival_does_not_matter(case):
    expected = case.verdict()
    for arrived in permutations(case.numbered()):
        assert case.verdict(list(arrived)) == expected


def test_the_order_of_arrival_does_not_matter_in_a_long_life():
    story = [
        go(1), stop(2), writes(40), unclear(41, number=DESK), company_out(45), go(46), staff(OUT, 48),
        staff(IN, 49), writes(80, number=DESK), writes(90, doubt="shared number"), stop(90), go(hours(90) + MICRO),
    ]  # fmt: skip
    case = Row(tuple(story), OUT, OPT_OUT, company=company((0, A), (45, O), (47, A)))
    evidence = case.numbered()
    expected = case.verdict()
    assert (expected.desired, expected.clause) == (OUT, OPT_OUT)
    dice = random.Random(7)
    for _ in range(500):
        dice.shuffle(evidence)
        assert case.verdict(evidence) == expected


# --- what a verdict rests on, whose act it follows, what is reported --------------------------------------


@pytest.mark.parametrize(
    ("case", "seqs", "cause"),
    [
        pytest.param(Row((go(1), stop(2)), OUT, OPT_OUT), (2,), Cause.PERSON, id="#Stop"),
        pytest.param(Row((stop(1), go(2)), IN, EXPLICIT), (2,), Cause.PERSON, id="#Go"),
        pytest.param(Row((stop(1), writes(50)), IN, TACIT), (2,), Cause.PERSON, id="writes first"),
        pytest.param(Row((go(1), staff(OUT, 2)), OUT, STAFF), (2,), Cause.STAFF, id="staff"),
        pytest.param(Row((go(1), company_out(5)), OUT, COMPANY, OPTED_OUT), (2,), Cause.COMPANY, id="company"),
        pytest.param(Row((), OUT, COMPANY, OPTED_OUT), (), Cause.COMPANY, id="company, nothing else"),
        pytest.param(Row((), None, NOTHING), (), Cause.NOBODY, id="no evidence"),
        pytest.param(Row((stop(1), go(2)), OUT, OPT_OUT, UNSET), (1, 2), Cause.PERSON, id="#Stop, held #Go"),
        pytest.param(Row((go(1),), None, HELD, UNSET), (1,), Cause.PERSON, id="held #Go"),
        pytest.param(
            Row((company_out(5), go(6)), OUT, COMPANY, OPTED_OUT), (1, 2), Cause.COMPANY, id="company, held #Go"
        ),
    ],
)  # fmt: skip
def test_the_verdict_names_its_evidence(case, seqs, cause):
    said = case.verdict()
    assert (said.evidence, said.cause) == (seqs, cause)


def test_a_verdict_by_company_opt_out_names_the_company_opt_out():
    said = Row((company_out(5), stop(6), go(7)), OUT, COMPANY, OPTED_OUT).verdict()
    assert (said.desired, said.clause, said.held) == (OUT, COMPANY, True)
    assert 1 in said.evidence


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Row((stop(1), staff(IN, 2)), OUT, OPT_OUT), id="#Stop"),
        pytest.param(Row((staff(OUT, 1), staff(IN, 2)), OUT, STAFF), id="staff opt-out"),
        pytest.param(Row((company_out(5), staff(IN, 6)), OUT, COMPANY, OPTED_OUT), id="company opt-out"),
        pytest.param(Row((unclear(0), company_out(5), staff(IN, 8)), OUT, COMPANY, RE_APPROVED), id="re-approved"),
        pytest.param(
            Row((stop(1), go(2), staff(IN, 3)), OUT, OPT_OUT, UNSET), id="#Stop and a held #Go",
        ),
        pytest.param(
            Row((stop(1), go(2), staff(IN, 3)), OUT, OPT_OUT, active=False), id="#Stop and #Go, inactive",
        ),
        pytest.param(
            Row((company_out(5), go(6), staff(IN, 7)), OUT, COMPANY, OPTED_OUT), id="company, held #Go",
        ),
    ],
)  # fmt: skip
def test_an_opt_in_by_staff_against_a_live_opt_out_is_reported(case):
    said = case.verdict()
    edit = next(item.seq for item in case.numbered() if isinstance(item, StaffEdited) and item.consent is IN)
    assert said.desired is OUT
    assert OVERRULED in said.reason
    assert edit in said.evidence


@pytest.mark.parametrize(
    ("evidence", "rules"),
    [
        pytest.param((staff(IN, 1),), STANDARD, id="no opt-out"),
        pytest.param((staff(IN, 1), stop(2)), STANDARD, id="before the opt-out"),
        pytest.param((stop(1), staff(IN, 2)), ACCEPT, id="accepted"),
        pytest.param((stop(1), staff(IN, 2), go(3)), STANDARD, id="settled by #Go"),
        pytest.param((stop(1), staff(IN, 2), stop(3)), STANDARD, id="settled by another #Stop"),
    ],
)
def test_nothing_else_is_reported_as_put_back(evidence, rules):
    assert OVERRULED not in Row(evidence, None, "", rules=rules).verdict().reason


# --- what was seen, and when it could be known -----------------------------------------------------------


@pytest.mark.parametrize(
    "opt_out",
    [
        pytest.param(replace(stop(9), seen=True), id="a text without a date"),
        pytest.param(staff(OUT, 9), id="staff"),
        pytest.param(company_out(9), id="company"),
    ],
)
def test_an_opt_out_that_our_clock_dates_comes_after_what_had_been_read(opt_out):
    """Our clock may be behind the vendor's, or have been set back."""
    company = RE_APPROVED if isinstance(opt_out, CompanyOptedOut) else APPROVED
    assert Row((go(10), opt_out), OUT, "", company).verdict().desired is OUT
    assert Row((opt_out, go(10)), IN, "", company).verdict().desired is IN
    assert Row((replace(go(10), seen=True), opt_out), OUT, "", company).verdict().desired is OUT


def test_a_text_that_has_a_date_goes_by_its_date_whenever_it_was_read():
    assert Row((go(10), stop(9)), IN, "").verdict().desired is IN


@pytest.mark.parametrize(
    ("known", "desired"),
    [
        pytest.param(1, OUT, id="not known then"),
        pytest.param(2, IN, id="known"),
        pytest.param(None, IN, id="an older ledger does not say"),
    ],
)
def test_accepted_staff_opt_ins_do_not_beat_what_staff_could_not_know(known, desired):
    edit = replace(staff(IN, 5), known=known)
    said = Row((go(1), stop(4), edit), desired, "", rules=ACCEPT).verdict()
    assert said.desired is desired
    assert (OVERRULED in said.reason) == (desired is OUT)


def test_the_reason_says_what_waits_what_was_decided_and_what_is_held():
    assert "waits in review" in Row((unclear(1),), None, "").verdict().reason
    assert "waits in review" in Row((go(1, doubt="history"),), None, "").verdict().reason
    assert "waits in review" not in Row((), None, "").verdict().reason
    assert Row((unclear(1, decision="opt_out"),), OUT, "").verdict().reason.endswith("as was decided in review")
    assert "review" not in Row((stop(1),), OUT, "").verdict().reason
    assert "; held: " in Row((go(1),), None, "", UNSET).verdict().reason
    assert "; without effect: " in Row((go(1),), None, "", active=False).verdict().reason
