"""The Autotask connector over real HTTP, against the stand-in with each behaviour that Autotask may show."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from support import shell_for, write, write_and_list_at_once

from connectors.autotask import Autotask
from connectors.autotask.settings import AutotaskSettings
from syncd.connector import ALREADY, APPLIED, CHANGED, GONE, Change, Grade, Result
from syncd.errors import Ambiguous, AuthRefused, ConfigProblem, ShapeChanged, Transient
from syncd.model import CompanyState, Consent
from syncd.sandbox.autotask import AutotaskServer
from syncd.sandbox.autotask_fields import list_udf, text_udf
from syncd.sandbox.faults import empty_body, hang_up, html_page, lost_answer, redirect, status, truncated
from syncd.sandbox.people import fictional_number

OUT, IN = Consent.OPTED_OUT, Consent.OPTED_IN


@pytest.fixture
def autotask():
    with AutotaskServer() as server:
        yield server


def connect(server, **settings):
    account = {"username": server.username, "secret": server.secret, "integration_code": server.integration_code}
    given = AutotaskSettings(**account | {"zone_discovery_url": server.base_url} | settings)
    return Autotask(given, shell_for(Autotask))


def crowd(server, company, size):
    return [server.add_contact(company, "N", str(n), mobile=fictional_number(n)) for n in range(size)]


def test_everything_is_listed_across_pages_with_the_msps_own_company_zero(autotask):
    acme = autotask.add_company("Acme", "Approved")
    bolt = autotask.add_company("Bolt", "Opted-Out", active=False)
    crowd(autotask, acme, 1_003)
    own = autotask.add_contact(0, "Own", "Staff", phone="202-555-0199", opt_in="Opted-In", active=False)
    psa = connect(autotask)
    states = {company.id: company.state for company in psa.companies()}
    assert states == {
        "0": CompanyState.UNSET,
        str(acme): CompanyState.APPROVED,
        str(bolt): CompanyState.OPTED_OUT,
    }
    contacts = list(psa.contacts())
    assert len({contact.id for contact in contacts}) == 1_004
    assert [contact.id for contact in psa.contacts(company="0")] == [str(own)]
    assert (contacts[-1].active, contacts[-1].consent, contacts[-1].numbers) == (False, IN, ("+12025550199",))
    assert autotask.leaks == []


def test_a_cascade_writes_the_consent_field_of_that_company_and_nothing_else(autotask):
    acme, bolt = autotask.add_company("Acme", "Opted-Out"), autotask.add_company("Bolt", "Approved")
    people = crowd(autotask, acme, 250)
    autotask.set_opt_in(people[7], "Opted-Out")
    other = autotask.add_contact(bolt, "B", "B", opt_in="Opted-In")
    before = autotask.snapshot(without=["SMS Opt-In"])
    psa = connect(autotask)
    started = time.perf_counter()
    outcomes = write(psa, [contact.id for contact in psa.contacts(company=str(acme))])
    seconds = time.perf_counter() - started
    assert list(outcomes.values()).count(APPLIED) == 249
    assert outcomes[str(people[7])] == ALREADY
    assert set(autotask.opt_ins(acme).values()) == {"Opted-Out"}
    assert autotask.opt_in(other) == "Opted-In"
    assert autotask.snapshot(without=["SMS Opt-In"]) == before
    assert len(autotask.requests_to("/Contacts$", "PATCH")) == 249
    assert len(autotask.requests_to("/Contacts/query$")) == 7  # one listing, and two for each batch
    assert autotask.requests_to("", "PUT") == []
    assert seconds < 5
    autotask.forget_requests()
    assert set(write(psa, people).values()) == {ALREADY}
    assert autotask.requests_to("", "PATCH") == []


def test_single_changes_cost_three_calls(autotask):
    person = autotask.add_contact(autotask.add_company("Acme"), "A", "B")
    psa = connect(autotask)
    write(psa, [person], IN)
    autotask.forget_requests()
    assert write(psa, [person]) == {str(person): APPLIED}
    assert [request.method for request in autotask.requests] == ["GET", "PATCH", "GET"]


@pytest.mark.parametrize("unset", ["null", "[]", "missing"])
@pytest.mark.parametrize("read", ["value", "label"])
@pytest.mark.parametrize("answer", ["itemId", "id", "empty"])
@pytest.mark.parametrize("missing", ["null", "404"])
def test_each_way_in_which_autotask_may_show_things(unset, read, answer, missing):
    udf = list_udf("Texting", {"1": "Opted-In", "2": "Opted-Out"})
    field = {"name": "texting", "opted_in": "opted-in", "opted_out": "Opted-Out"}
    with AutotaskServer(contact_udfs=[udf]) as server:
        server.change(unset_udf=unset, udf_read=read, patch_answer=answer, missing_item=missing)
        server.change(zone_double_slash=True)
        acme = server.add_company("Acme", "Approved")
        ann, bob = crowd(server, acme, 2)
        gone = server.add_contact(acme, "G", "G")
        server.delete_contact(gone)
        psa = connect(server, contact_field=field)
        assert [contact.consent for contact in psa.contacts()] == [None, None]
        assert write(psa, [ann, gone], IN) == {str(ann): APPLIED, str(gone): GONE}
        assert write(psa, [bob]) == {str(bob): APPLIED}
        assert write(psa, [gone]) == {str(gone): GONE}
        assert server.opt_ins() == {ann: "Opted-In", bob: "Opted-Out"}
        assert [contact.consent for contact in psa.contacts()] == [IN, OUT]


def test_plain_text_fields_work(autotask):
    with AutotaskServer(contact_udfs=[text_udf("SMS Opt-In")], company_udfs=[text_udf("SMS Approval")]) as server:
        acme = server.add_company("Acme", " approved ")
        ann = server.add_contact(acme, "A", "B", opt_in="OPTED-IN")
        psa = connect(server)
        assert list(psa.companies())[-1].state is CompanyState.APPROVED
        assert write(psa, [ann]) == {str(ann): APPLIED}
        assert server.opt_in(ann) == "Opted-Out"


def test_a_contact_that_moved_is_written_through_its_new_company(autotask):
    acme, bolt = autotask.add_company("Acme"), autotask.add_company("Bolt")
    people = crowd(autotask, acme, 2)
    psa = connect(autotask)
    list(psa.contacts())
    autotask.move_contact(people[0], bolt)
    changes = [Change(str(person), str(acme), OUT) for person in people]
    assert dict(psa.write(changes)) == {str(person): APPLIED for person in people}
    assert len(autotask.requests_to(f"/Companies/{bolt}/Contacts$", "PATCH")) == 1


def test_a_value_that_is_shown_too_late_is_not_called_done(autotask):
    autotask.change(read_lag_reads=1)
    person = autotask.add_contact(autotask.add_company("Acme"), "A", "B")
    psa = connect(autotask)
    assert write(psa, [person])[str(person)].result is Result.REFUSED
    assert write(psa, [person]) == {str(person): ALREADY}


@pytest.mark.parametrize("kind", ["validation", "permission", "silent"])
def test_a_contact_that_cannot_be_written_is_refused_and_the_others_are_written(autotask, kind):
    people = crowd(autotask, autotask.add_company("Acme"), 5)
    autotask.poison(people[1], kind)
    outcomes = write(connect(autotask), people)
    assert outcomes.pop(str(people[1])).result is Result.REFUSED
    assert set(outcomes.values()) == {APPLIED}
    assert autotask.opt_in(people[1]) is None


def test_an_opaque_failure_blames_its_contact_and_the_others_are_written(autotask):
    people = crowd(autotask, autotask.add_company("Acme"), 5)
    autotask.poison(people[1], "error")
    with pytest.raises(Transient) as caught:
        write(connect(autotask), people)
    assert caught.value.contact == str(people[1])
    assert list(autotask.opt_ins().values()).count("Opted-Out") == 4


def test_a_lost_answer_is_settled_by_a_read_and_a_lost_request_is_ambiguous(autotask):
    person = autotask.add_contact(autotask.add_company("Acme"), "A", "B")
    psa = connect(autotask)
    autotask.faults.add(lost_answer(), method="PATCH")
    assert write(psa, [person]) == {str(person): APPLIED}
    autotask.faults.add(hang_up(), method="PATCH")
    with pytest.raises(Ambiguous) as caught:
        write(psa, [person], IN, shown=OUT)
    assert caught.value.contact == str(person)
    assert len(autotask.requests_to("", "PATCH")) == 2


def test_an_opt_in_does_not_overwrite_an_opt_out_that_nobody_had_seen_yet(autotask):
    person = autotask.add_contact(autotask.add_company("Acme"), "A", "B", opt_in="Opted-Out")
    psa = connect(autotask)
    assert write(psa, [person], IN) == {str(person): CHANGED}
    assert autotask.requests_to("", "PATCH") == []
    assert write(psa, [person], IN, shown=OUT) == {str(person): APPLIED}


@pytest.mark.parametrize(
    "fault",
    [
        html_page(),
        html_page(503),
        empty_body(),
        truncated(),
        truncated(length="full"),
        truncated(length="chunked"),
        status(200, {"errors": ["later"]}),
        redirect("https://example.com/"),
        status(500, {"errors": ["An unexpected error has occurred"], "errorId": 1}),
    ],
    ids=lambda fault: fault.name,
)
@pytest.mark.parametrize("entity", ["Companies", "Contacts"])
def test_a_broken_answer_is_never_an_empty_list(autotask, fault, entity):
    crowd(autotask, autotask.add_company("Acme", "Approved"), 3)
    psa = connect(autotask)
    autotask.faults.add(fault, path=f"{entity}/query", times=None)
    with pytest.raises((ShapeChanged, Transient)):
        list(psa.companies() if entity == "Companies" else psa.contacts())
    autotask.faults.clear()
    assert len(list(psa.companies() if entity == "Companies" else psa.contacts())) in (2, 3)


def test_renamed_fields_are_problems_at_once(autotask):
    acme = autotask.add_company("Acme", "Approved")
    person = autotask.add_contact(acme, "A", "B", opt_in="Opted-In")
    psa = connect(autotask)
    assert len(list(psa.companies())) == 2
    assert len(list(psa.contacts())) == 1
    autotask.rename_udf("Companies", "SMS Approval", "Texting")
    with pytest.raises(ConfigProblem, match="'Texting'"):
        list(psa.companies())
    autotask.rename_udf("Contacts", "SMS Opt-In", "May text")
    with pytest.raises(ConfigProblem, match="'May text'"):
        list(psa.contacts())
    autotask.forget_requests()
    with pytest.raises(ConfigProblem, match="'May text'"):
        write(psa, [person])


def test_a_wrong_secret_is_tried_once_and_never_locks_the_account(autotask):
    autotask.lock_out_after = 3
    psa = connect(autotask, secret="wrong")
    with pytest.raises(AuthRefused):
        list(psa.companies())
    assert autotask.failed_logins == 1
    assert autotask.leaks == []


def test_an_unknown_user_or_integration_code_is_refused(autotask):
    with pytest.raises(AuthRefused, match="username"):
        list(connect(autotask, username="nobody@example.com").companies())
    autotask.change(bad_integration_code="500")
    with pytest.raises(AuthRefused):
        list(connect(autotask, integration_code="WRONG").companies())


def test_never_more_than_two_calls_are_in_flight(autotask):
    autotask.change(latency=0.005)
    acme = autotask.add_company("Acme", "Approved")
    people = crowd(autotask, acme, 40)
    write_and_list_at_once(connect(autotask), people, acme)
    assert autotask.max_in_flight <= 2
    assert set(autotask.opt_ins(acme).values()) == {"Opted-Out"}


def test_a_busy_tenant_is_told_from_a_failure(autotask):
    autotask.use_quota(10_001)
    with pytest.raises(Transient):
        list(connect(autotask).companies())


def test_the_checkup_passes_on_a_good_tenant_and_writes_nothing(autotask):
    acme = autotask.add_company("Acme", "Approved")
    crowd(autotask, acme, 3)
    autotask.add_contact(acme, "No", "Number", phone="ext. 12")
    report = connect(autotask).check()
    shown = [f"{finding.grade} {finding.what}: {finding.detail}" for finding in report.findings]
    assert report.passed, shown
    assert any("4 seen, 3 with a usable number" in line for line in shown)
    assert autotask.writes == []
    assert autotask.requests_to("", "PATCH") == []


@pytest.mark.parametrize(
    ("quirks", "what"),
    [
        ({"no_update": frozenset({"Contacts"})}, "permissions"),
        ({"restricted": frozenset({"Companies"})}, "companies"),
        ({"api_versions": ("V2.0",)}, "service"),
    ],
)
def test_the_checkup_names_what_is_missing(autotask, quirks, what):
    autotask.change(**quirks)
    failed = [finding.what for finding in connect(autotask).check().findings if finding.grade is Grade.FAIL]
    assert failed == [what]


KEYED = {
    "contact_udfs": [list_udf("SMS Opt-In", {"1": "Opted-In", "2": "Opted-Out"})],
    "company_udfs": [list_udf("SMS Approval", {"10": "Approved", "11": "Opted-Out"})],
}


@pytest.mark.parametrize(
    ("quirks", "said"),
    [
        ({"unset_udf": "null"}, "unset is null (2)"),
        ({"unset_udf": "missing"}, "unset is left out (2)"),
        ({"unset_udf": "[]"}, "unset is left out (2)"),
        ({"udf_read": "value"}, "a list's entry shows its value (3)"),
        ({"udf_read": "label"}, "a list's entry shows its label (3)"),
        ({"udf_filter": "value"}, "by field right"),
        ({"udf_filter": "label"}, "by field wrong (0 for 1)"),
        ({"unset_matches_noteq": False}, "'not equal' without unset"),
        ({"unset_matches_noteq": True}, "'not equal' with unset"),
        ({}, "isActive 1 = true"),
    ],
)
def test_the_checkup_says_what_this_tenant_makes_of_the_undocumented(quirks, said):
    with AutotaskServer(**KEYED) as server:
        server.change(**quirks)
        acme = server.add_company("Acme", "10")
        for opt_in in ("1", "1", "2", None, None):
            server.add_contact(acme, "A", "B", opt_in=opt_in)
        report = connect(server).check()
        shown = "; ".join(finding.detail for finding in report.findings)
        assert report.passed, shown
        assert said in shown


@pytest.mark.parametrize(("moves", "contacts"), [(True, 1), (False, 0)])
def test_whether_an_edit_moves_a_date_shows_in_two_checkups(moves, contacts):
    now = [datetime(2026, 9, 1, 10, tzinfo=UTC)]
    with AutotaskServer(clock=lambda: now[0]) as server:
        server.change(udf_edit_moves_stamps=moves)
        ann = server.add_contact(server.add_company("Acme"), "Ann", "Lee")
        now[0] += timedelta(hours=2)

        def dates():
            findings = connect(server).check().findings
            return next(finding.detail for finding in findings if finding.what == "change dates")

        assert dates().startswith("0 contacts, 0 companies changed within the hour; edit one by hand")
        server.set_opt_in(ann, "Opted-Out")
        now[0] += timedelta(minutes=5)
        assert dates().startswith(f"{contacts} contacts, 0 companies")


def test_what_the_checkup_is_merely_curious_about_fails_nothing(autotask):
    autotask.add_contact(autotask.add_company("Acme"), "Ann", "Lee")
    autotask.faults.add(status(500), path="/query/count", times=None)
    report = connect(autotask).check()
    assert report.passed
    assert [finding.what for finding in report.findings if finding.grade is Grade.NOTE] == ["filters", "not shown"]
