"""The ConnectWise connector over real HTTP, against the stand-in with each behaviour that ConnectWise may show."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support import shell_for, write, write_and_list_at_once

from connectors.connectwise import ConnectWise
from connectors.connectwise.settings import ConnectWiseSettings
from syncd.connector import ALREADY, APPLIED, CHANGED, GONE, Grade, Result
from syncd.errors import Ambiguous, AuthRefused, ConfigProblem, Permanent, ShapeChanged, Transient
from syncd.model import CompanyState, Consent
from syncd.sandbox.connectwise import ConnectWiseServer
from syncd.sandbox.connectwise_fields import CustomField, sms_approval, sms_opt_in
from syncd.sandbox.faults import (
    empty_body,
    hang_up,
    html_page,
    lost_answer,
    redirect,
    reset,
    status,
    too_many_requests,
    truncated,
)
from syncd.sandbox.people import fictional_number

OUT, IN = Consent.OPTED_OUT, Consent.OPTED_IN
CUSTOM = (
    CustomField(12, "Contacts", "Hobby"),
    CustomField(13, "Contacts", "VIP", "Checkbox"),
    CustomField(14, "Contacts", "Size", "Number"),
    CustomField(15, "Contacts", "Call", "Button"),
    sms_opt_in(),
    CustomField(90, "Companies", "SMS Opt-In"),
    sms_approval(),
)
CHECKBOXES = {
    "contact_field": {"name": "SMS Opt-In", "opted_in": True, "opted_out": False},
    "company_field": {"name": "SMS Approval", "approved": [True], "opted_out": [False]},
}


@pytest.fixture
def server():
    with ConnectWiseServer(fields=CUSTOM) as made:
        made.contact_field, made.company_field = "SMS Opt-In", "SMS Approval"
        yield made


def connect(server, remark=str, **settings):
    account = {
        "site": server.base_url,
        "company": server.company,
        "public_key": server.public_key,
        "private_key": server.private_key,
        "client_id": server.client_id,
    }
    return ConnectWise(ConnectWiseSettings(**account | settings), shell_for(ConnectWise, remark))


def crowd(server, company, size):
    people = [server.add_contact(company, "N", str(n), mobile=fictional_number(n)) for n in range(size)]
    for n, contact in enumerate(people):
        server.set_custom("Contacts", contact, "Hobby", f"hobby {n}")
        server.set_custom("Contacts", contact, "VIP", (None, True, False)[n % 3])
        server.set_custom("Contacts", contact, "Size", n / 2)
    return people


@pytest.mark.parametrize("size", [0, 1, 499, 500, 501, 1_000, 1_001])
@pytest.mark.parametrize("end", ["empty", "always", "absent"])
def test_everything_is_listed_whatever_the_last_page_looks_like(server, size, end):
    server.change(forward_end=end, link="other host")
    acme = server.add_company("Acme", "Approved")
    people = [server.add_contact(acme, "N", str(n)) for n in range(size)]
    psa = connect(server)
    if not size:
        server.add_contact(server.add_company("Other"), "A", "B")
        assert list(psa.contacts(company=str(acme))) == []
        return
    assert [contact.id for contact in psa.contacts()] == [str(person) for person in people]


@pytest.mark.parametrize(
    "quirks", [{"largest_page": 100}, {"forward_only": False}, {"forward_only": False, "largest_page": 7}], ids=str
)
def test_servers_that_page_otherwise_are_read_to_the_end(server, quirks):
    server.change(**quirks)
    acme, bolt = server.add_company("Acme"), server.add_company("Bolt")
    people = [server.add_contact((acme, bolt)[n % 2], "N", str(n)) for n in range(230)]
    psa = connect(server)
    assert [contact.id for contact in psa.contacts()] == [str(person) for person in people]
    assert len(list(psa.contacts(company=str(bolt)))) == 115


def test_records_as_they_are(server):
    acme = server.add_company("Acme", "Approved")
    bolt = server.add_company("Bolt", "Opted-Out", status="Inactive", deletedFlag=True)
    cedar = server.add_company("Cedar")
    ann = server.add_contact(
        acme,
        "Ann",
        "Lee",
        mobile="(202) 555-0111 x4",
        phone="202.555.0112",
        items=[
            ("Main", "202-555-0100", "Phone"),
            ("Fax", "202-555-0113", "Fax"),
            ("Email", "a@b.example", "Email"),
        ],
        opt_in="Opted-In",
    )
    bob = server.add_contact(None, "Bob", "", active=False)
    psa = connect(server)
    assert {one.id: one.state for one in psa.companies()} == {
        str(acme): CompanyState.APPROVED,
        str(bolt): CompanyState.OPTED_OUT,
        str(cedar): CompanyState.UNSET,
    }
    first, second = psa.contacts()
    assert (first.id, first.numbers, first.consent) == (str(ann), ("+12025550111", "+12025550112"), IN)
    assert (second.id, second.company_id, second.active, second.name) == (str(bob), None, False, "Bob")
    assert server.leaks == []


@pytest.mark.parametrize("custom_patch", ["merge", "replace"])
@pytest.mark.parametrize("custom_required", [False, True])
@pytest.mark.parametrize("patch_answer", ["record", "empty"])
@pytest.mark.parametrize("unset", ["null", "missing"])
def test_a_write_changes_the_consent_field_and_nothing_else_whatever_a_patch_means(
    server, custom_patch, custom_required, patch_answer, unset
):
    server.change(
        custom_patch=custom_patch, custom_required=custom_required, patch_answer=patch_answer, unset=unset
    )
    people = crowd(server, server.add_company("Acme", "Opted-Out"), 6)
    server.set_opt_in(people[0], "Opted-In")
    before = server.snapshot(without=["SMS Opt-In"])
    psa = connect(server)
    assert set(write(psa, people).values()) == {APPLIED}
    assert set(server.opt_ins().values()) == {"Opted-Out"}
    assert server.snapshot(without=["SMS Opt-In"]) == before
    server.forget_requests()
    assert set(write(psa, people).values()) == {ALREADY}
    assert {request.method for request in server.requests} == {"GET"}


def test_minimal_writes_are_right_where_fields_are_merged_and_reported_where_not(server):
    remarks = []
    people = crowd(server, server.add_company("Acme"), 2)
    before = server.snapshot(without=["SMS Opt-In"])
    psa = connect(server, remarks.append, custom_field_writes="minimal")
    assert write(psa, people[:1]) == {str(people[0]): APPLIED}
    assert server.snapshot(without=["SMS Opt-In"]) == before
    server.change(custom_patch="replace")
    outcome = write(psa, people[1:])[str(people[1])]
    assert outcome.result is Result.REFUSED
    assert "'Hobby' (12) lost its value" in outcome.reason
    assert remarks == [outcome.reason]
    assert len(server.requests_to("", "PATCH")) == 2
    assert write(psa, people[1:]) == {str(people[1]): ALREADY}


def test_a_workflow_that_changes_another_field_is_reported(server):
    person = crowd(server, server.add_company("Acme"), 1)[0]
    server.change(also_sets={"VIP": True})
    outcome = write(connect(server), [person])[str(person)]
    assert outcome.result is Result.REFUSED
    assert "'VIP' (13) has another value" in outcome.reason


def test_a_cascade_of_200_is_quick_and_costs_two_calls_each(server):
    acme, bolt = server.add_company("Acme", "Opted-Out"), server.add_company("Bolt", "Approved")
    people = crowd(server, acme, 200)
    other = server.add_contact(bolt, "B", "B", opt_in="Opted-In")
    psa = connect(server)
    contacts = [contact.id for contact in psa.contacts(company=str(acme))]
    server.forget_requests()
    started = time.perf_counter()
    assert list(write(psa, contacts).values()).count(APPLIED) == 200
    assert time.perf_counter() - started < 10
    assert [request.method for request in server.requests] == ["GET", "PATCH"] * 200
    assert set(server.opt_ins(acme).values()) == {"Opted-Out"}
    assert len(people) == 200
    assert server.opt_in(other) == "Opted-In"


def test_a_filter_that_the_server_ignores_cannot_widen_a_cascade(server):
    acme, bolt = server.add_company("Acme"), server.add_company("Bolt")
    crowd(server, acme, 2)
    crowd(server, bolt, 2)
    server.change(ignore_conditions=True)
    with pytest.raises(ShapeChanged, match="not obeyed"):
        list(connect(server).contacts(company=str(acme)))


def test_checkboxes_have_three_states():
    fields = (sms_opt_in(type="Checkbox", options=()), sms_approval(type="Checkbox", options=()))
    with ConnectWiseServer(fields=fields) as server:
        companies = [server.add_company(str(value), value) for value in (None, True, False)]
        people = [server.add_contact(companies[0], "N", "N", opt_in=value) for value in (None, True, False)]
        psa = connect(server, **CHECKBOXES)
        assert [one.state.value for one in psa.companies()] == ["unset", "approved", "opted_out"]
        assert [contact.consent for contact in psa.contacts()] == [None, IN, OUT]
        assert list(write(psa, people).values()) == [APPLIED, APPLIED, ALREADY]
        assert list(server.opt_ins().values()) == [False, False, False]
        assert write(psa, people[:1], IN, shown=OUT) == {str(people[0]): APPLIED}
        assert server.opt_in(people[0]) is True
        assert connect(server, **CHECKBOXES).check().passed


def test_plain_text_fields_and_a_role_without_the_set_up_table(server):
    server.define_field(replace(sms_opt_in(), options=()))
    server.change(no_access=frozenset({"/system/userDefinedFields", "/company/companies/statuses"}))
    ann = server.add_contact(server.add_company("Acme", "approved "), "A", "B", opt_in="OPTED-IN")
    psa = connect(server)
    assert [one.state for one in psa.companies()] == [CompanyState.APPROVED]
    assert [contact.consent for contact in psa.contacts()] == [IN]
    assert write(psa, [ann]) == {str(ann): APPLIED}
    assert psa.check().passed


def test_approval_by_status_and_one_that_is_withdrawn(server):
    acme, bolt = server.add_company("Acme"), server.add_company("Bolt", status="Not Approved")
    field = {"by": "status", "approved": ["Active"], "opted_out": ["Not Approved", "Former Client"]}
    psa = connect(server, company_field=field)
    assert [one.state.value for one in psa.companies()] == ["approved", "opted_out"]
    server.set_status(acme, "Credit Hold")
    server.set_status(bolt, "Active")
    assert [one.state.value for one in psa.companies()] == ["unset", "approved"]
    assert psa.check().passed


def test_an_approval_that_changes_is_found_though_no_date_moves(server):
    server.change(custom_edit_moves_stamp=False)
    acme = server.add_company("Acme", "Approved")
    psa = connect(server)
    assert [one.state.value for one in psa.companies()] == ["approved"]
    server.set_approval(acme, "Opted-Out")
    assert [one.state.value for one in psa.companies()] == ["opted_out"]


def test_chosen_fields_that_are_not_obeyed(server):
    server.change(fields_hide_custom=True)
    server.add_company("Acme", "Approved")
    assert [one.state.value for one in connect(server).companies()] == ["approved"]


@pytest.mark.parametrize("codebase", [None, "v4_6_release", "v2026_1"])
def test_an_upgrade_of_the_cloud_is_followed(server, codebase):
    server.change(accept_alias=codebase == "v4_6_release")
    person = server.add_contact(server.add_company("Acme", "Approved"), "A", "B")
    psa = connect(server, codebase=codebase)
    assert len(list(psa.companies())) == 1
    server.upgrade("v2026_2")
    server.change(accept_alias=False)
    assert write(psa, [person]) == {str(person): APPLIED}
    assert len(list(psa.companies())) == 1
    assert server.leaks == []


@pytest.mark.parametrize("bad_login", ["401", "404"])
@pytest.mark.parametrize("wrong", ["private_key", "public_key", "client_id"])
def test_wrong_credentials_are_refused_and_nobody_is_gone(server, bad_login, wrong):
    server.change(bad_login=bad_login)
    person = server.add_contact(server.add_company("Acme"), "A", "B")
    psa = connect(server, **{wrong: "wrong"})
    for call in (lambda: list(psa.companies()), lambda: list(psa.contacts()), lambda: write(psa, [person])):
        with pytest.raises(AuthRefused):
            call()
    failed = [finding.what for finding in psa.check().findings if finding.grade is Grade.FAIL]
    assert failed == ["credentials"]


def test_an_unknown_company_is_a_config_problem(server):
    with pytest.raises(ConfigProblem, match="knows no company 'other'"):
        list(connect(server, company="other", codebase=None).companies())


def test_renamed_and_deleted_fields(server):
    remarks = []
    person = server.add_contact(server.add_company("Acme", "Approved"), "A", "B", opt_in="Opted-In")
    psa = connect(server, remarks.append)
    list(psa.companies())
    list(psa.contacts())
    server.rename_field("Contacts", "SMS Opt-In", "May text")
    assert write(psa, [person]) == {str(person): APPLIED}
    assert [contact.consent for contact in psa.contacts()] == [OUT]
    assert any("now called 'May text'" in remark for remark in remarks)
    with pytest.raises(ConfigProblem, match="'May text'"):
        list(connect(server).contacts())
    server.remove_field("Companies", "SMS Approval")
    with pytest.raises(ConfigProblem, match="no custom field 'SMS Approval'"):
        list(psa.companies())
    server.remove_field("Contacts", "May text")
    with pytest.raises(ConfigProblem, match="no custom field 'SMS Opt-In'"):
        list(psa.contacts())


def test_a_list_entry_that_was_renamed_opts_nobody_out(server):
    server.add_company("Acme", "Approved")
    psa = connect(server)
    assert len(list(psa.companies())) == 1
    server.define_field(sms_approval(options=("Yes", "Opted-Out")))
    server.set_approval(250, "Yes")
    with pytest.raises(ConfigProblem, match="'Approved' is not in the list"):
        list(psa.companies())


def test_contacts_that_moved_vanished_or_were_opted_out_meanwhile(server):
    acme, bolt = server.add_company("Acme"), server.add_company("Bolt")
    people = crowd(server, acme, 3)
    psa = connect(server)
    server.move_contact(people[0], bolt)
    server.delete_contact(people[1])
    server.set_opt_in(people[2], "Opted-Out")
    assert write(psa, people, IN) == {str(people[0]): APPLIED, str(people[1]): GONE, str(people[2]): CHANGED}
    assert len(server.requests_to("", "PATCH")) == 1


@pytest.mark.parametrize("kind", ["validation", "permission", "silent"])
def test_a_contact_that_cannot_be_written_is_refused_and_the_others_are_written(server, kind):
    people = crowd(server, server.add_company("Acme"), 5)
    server.poison(people[1], kind)
    outcomes = write(connect(server), people)
    assert outcomes.pop(str(people[1])).result is Result.REFUSED
    assert set(outcomes.values()) == {APPLIED}
    assert server.opt_in(people[1]) is None


def test_a_failure_of_one_contact_blames_it(server):
    people = crowd(server, server.add_company("Acme"), 2)
    server.poison(people[0], "error")
    with pytest.raises(Transient) as caught:
        write(connect(server), people)
    assert caught.value.contact == str(people[0])


def test_a_lost_answer_is_settled_by_a_read_and_a_lost_request_is_ambiguous(server):
    person = crowd(server, server.add_company("Acme"), 1)[0]
    psa = connect(server)
    server.faults.add(lost_answer(), method="PATCH")
    assert write(psa, [person]) == {str(person): APPLIED}
    server.faults.add(hang_up(), method="PATCH")
    with pytest.raises(Ambiguous) as caught:
        write(psa, [person], IN, shown=OUT)
    assert caught.value.contact == str(person)
    assert len(server.requests_to("", "PATCH")) == 2


@pytest.mark.parametrize(
    "fault",
    [
        html_page(),
        html_page(503),
        empty_body(),
        truncated(),
        truncated(length="full"),
        truncated(length="chunked"),
        status(200, {"code": "InternalError", "message": "later", "errors": None}),
        status(200, {"error": "ConnectWiseAPI", "message": "later"}),
        status(200, "null"),
        redirect("https://example.com/"),
        reset(),
        status(500),
        status(403),
    ],
    ids=lambda fault: fault.name,
)
@pytest.mark.parametrize("what", ["companies", "contacts"])
def test_a_broken_answer_is_never_an_empty_list(server, fault, what):
    crowd(server, server.add_company("Acme", "Approved"), 3)
    psa = connect(server)
    assert list(getattr(psa, what)())
    server.faults.add(fault, path=f"/company/{what}", times=None)
    with pytest.raises((ShapeChanged, Transient, Permanent)):
        list(getattr(psa, what)())
    server.faults.clear()
    assert list(getattr(psa, what)())


@pytest.mark.parametrize(
    ("throttle", "seconds"), [("json", 30.0), ("html", 30.0), ("no wait", 30.0)], ids=["json", "html", "no wait"]
)
def test_a_throttled_tenant_is_told_from_a_failure(server, throttle, seconds):
    person = crowd(server, server.add_company("Acme"), 1)[0]
    psa = connect(server)
    list(psa.contacts())
    server.change(calls_per_minute=1, throttle=throttle)
    for call in (lambda: list(psa.companies()), lambda: list(psa.contacts()), lambda: write(psa, [person])):
        with pytest.raises(Transient) as caught:
            call()
        assert (caught.value.retry_after, caught.value.contact) == (seconds, None)


def test_retry_after_is_obeyed_as_it_comes(server):
    server.add_company("Acme")
    psa = connect(server)
    for said, seconds in ((7, 7.0), (10**9, 900.0), ("soon", 30.0), (None, 30.0)):
        server.faults.add(too_many_requests(said))
        with pytest.raises(Transient) as caught:
            list(psa.companies())
        assert caught.value.retry_after == seconds


def test_never_more_than_three_calls_are_in_flight(server):
    server.change(latency=0.005)
    acme = server.add_company("Acme", "Approved")
    people = crowd(server, acme, 30)
    write_and_list_at_once(connect(server), people, acme)
    assert server.max_in_flight <= 3
    assert set(server.opt_ins(acme).values()) == {"Opted-Out"}


def test_the_checkup_passes_on_a_good_tenant_and_writes_nothing(server):
    acme = server.add_company("Acme", "Approved")
    crowd(server, acme, 3)
    server.add_contact(acme, "No", "Number", items=[("Main", "202-555-0100", "Phone")])
    report = connect(server).check()
    shown = [f"{finding.grade} {finding.what}: {finding.detail}" for finding in report.findings]
    assert report.passed, shown
    assert any("4 seen, 3 with a usable number" in line for line in shown)
    assert any("paging is forward-only" in line for line in shown)
    assert {request.method for request in server.requests} == {"GET"}
    assert server.writes == []


@pytest.mark.parametrize(
    ("hidden", "what"),
    [("/company/companies", {"companies", "approval field"}), ("/company/contacts", {"credentials"})],
)
def test_the_checkup_names_what_the_role_may_not_see(server, hidden, what):
    server.add_contact(server.add_company("Acme", "Approved"), "A", "B")
    server.change(no_access=frozenset({hidden}))
    failed = {finding.what for finding in connect(server).check().findings if finding.grade is Grade.FAIL}
    assert what <= failed


@pytest.mark.parametrize(
    ("quirks", "said"),
    [
        ({"unset": "null"}, "unset is null (1)"),
        ({"unset": "missing"}, "unset is left out (1)"),
        ({"fields_hide_custom": False}, "chosen fields show customFields, communicationItems, _info"),
        ({"fields_hide_custom": True}, "chosen fields show communicationItems, _info; companies are read whole"),
        ({"forward_only": True}, "paging is forward-only"),
        ({"forward_only": False, "largest_page": 2}, "paging is not seen to be forward-only"),
        ({}, "by field agree with the full list: 1 opted out, 1 null"),
        ({"ignore_conditions": True}, "by field differ from the full list: 3 opted out, 3 null"),
    ],
)
def test_the_checkup_says_what_this_tenant_makes_of_the_undocumented(server, quirks, said):
    acme = server.add_company("Acme", "Approved")
    server.add_company("Bolt", "Opted-Out")
    server.add_company("Cole")
    server.add_contact(acme, "A", "A", mobile="202-555-0111", opt_in="Opted-In")
    server.add_contact(acme, "B", "B")
    server.change(**quirks)
    report = connect(server).check()
    shown = "; ".join(finding.detail for finding in report.findings)
    assert report.passed, shown
    assert said in shown


class TestChangeDates:
    """Whether an edit of the approval moves a company's date, as its audit trail shows."""

    @pytest.fixture
    def now(self):
        return [datetime(2026, 9, 1, 10, tzinfo=UTC)]

    @pytest.fixture
    def server(self, now):
        with ConnectWiseServer(clock=lambda: now[0]) as made:
            yield made

    def dates(self, server):
        findings = connect(server).check().findings
        return next((one.grade, one.detail) for one in findings if one.what == "change dates")

    @pytest.mark.parametrize(("moves", "verb"), [(True, "moved"), (False, "did not move")])
    def test_the_latest_edit_tells(self, server, now, moves, verb):
        server.change(custom_edit_moves_stamp=moves)
        acme = server.add_company("Acme", "Approved")
        now[0] += timedelta(days=1)
        server.set_approval(acme, "Opted-Out")
        now[0] += timedelta(days=1)
        assert self.dates(server) == (Grade.OK, f"an edit of 'SMS Approval' {verb} lastUpdated (company {acme})")

    def test_a_later_edit_of_something_else_hides_it_and_creation_is_no_edit(self, server, now):
        acme = server.add_company("Acme", "Approved")
        now[0] += timedelta(days=1)
        assert self.dates(server)[0] is Grade.NOTE
        server.set_approval(acme, "Opted-Out")
        now[0] += timedelta(days=1)
        server.edit_company(acme, name="Acme Dental")
        assert self.dates(server) == (Grade.NOTE, "no edit of 'SMS Approval' is the latest in 1 audit trails")
        bolt = server.add_company("Bolt", "Approved")
        now[0] += timedelta(days=1)
        server.set_approval(bolt, "Opted-Out")
        assert self.dates(server)[1].endswith(f"moved lastUpdated (company {bolt})")

    def test_a_role_that_may_not_read_the_trail_is_told(self, server):
        server.add_company("Acme", "Approved")
        server.change(no_access=frozenset({"/system/audittrail"}))
        assert self.dates(server) == (Grade.NOTE, "the audit trail, which knows of edits, may not be read")
