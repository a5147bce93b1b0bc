"""The HaloPSA connector over real HTTP, against the stand-in with each behaviour that HaloPSA may show."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from stand_in_halopsa import connect, crowd, posts, served, settings_for
from support import shell_for, write, write_and_list_at_once

from connectors.halopsa import HaloPsa
from syncd.clock import Clock
from syncd.connector import GONE, Grade, Shell
from syncd.errors import (
    AuthRefused,
    ConfigProblem,
    Permanent,
    ShapeChanged,
    Transient,
)
from syncd.http import Transport
from syncd.model import CompanyState, Consent
from syncd.sandbox.faults import (
    answering,
    delay,
    empty_body,
    html_page,
    redirect,
    status,
    too_many_requests,
    truncated,
)
from syncd.sandbox.halopsa import HaloPsaServer
from syncd.sandbox.halopsa_records import HaloField, HaloQuirks

OUT, IN = Consent.OPTED_OUT, Consent.OPTED_IN
LISTS = ["all", "set", "empty", "none", "on request"]


halo = pytest.fixture(served)


# Reading.


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 250])
@pytest.mark.parametrize("quirks", [{}, {"record_count": False}, {"page_cap": 40}, {"ids": "int"}])
def test_everything_is_listed_across_pages(halo, size, quirks):
    halo.change(**quirks)
    acme, bolt = halo.add_client("Acme", "Approved"), halo.add_client("Bolt", "Opted-Out", inactive=True)
    crowd(halo, acme, size)
    own = halo.add_user(bolt, "Old Staff", phone="202-555-0199", opt_in="Opted-In", active=False)
    psa = connect(halo)
    assert {company.id: company.state for company in psa.companies()} == {
        str(acme): CompanyState.APPROVED,
        str(bolt): CompanyState.OPTED_OUT,
    }
    contacts = {contact.id: contact for contact in psa.contacts()}
    assert len(contacts) == size + 1
    last = contacts[str(own)]
    assert (last.active, last.consent, last.numbers, last.company_id) == (False, IN, ("+12025550199",), str(bolt))
    assert [contact.id for contact in psa.contacts(company=str(bolt))] == [str(own)]
    assert len(list(psa.contacts(company=str(acme)))) == size


def test_two_and_a_half_thousand_cost_26_calls(halo):
    crowd(halo, halo.add_client("Acme"), 2_500)
    psa = connect(halo)
    list(psa.contacts())
    halo.forget_requests()
    assert len({contact.id for contact in psa.contacts()}) == 2_500
    assert len(halo.requests) == 26


@pytest.mark.parametrize(("shows", "unset", "nulls"), list(product(LISTS, ["null", "missing"], [False, True])))
def test_what_a_list_row_does_not_show_is_unknown_and_never_unset(halo, shows, unset, nulls):
    halo.change(list_customfields=shows, full_unset=unset, omit_nulls=nulls)
    acme, bolt, bare = (
        halo.add_client("Acme", "Approved"),
        halo.add_client("Bolt", "Opted-Out"),
        halo.add_client("C"),
    )
    people = crowd(halo, acme, 12)
    halo.set_opt_in(people[3], "Opted-In")
    halo.set_opt_in(people[7], "Opted-Out")
    halo.edit("Users", people[5], homenumber="202-555-0177")
    psa = connect(halo)
    for _ in range(2):
        states = {company.id: company.state for company in psa.companies()}
        assert states == {
            str(acme): CompanyState.APPROVED,
            str(bolt): CompanyState.OPTED_OUT,
            str(bare): CompanyState.UNSET,
        }
        contacts = {int(contact.id): contact for contact in psa.contacts()}
        assert {one: contact.consent for one, contact in contacts.items() if contact.consent} == {
            people[3]: IN,
            people[7]: OUT,
        }
        assert "+12025550177" in contacts[people[5]].numbers
        assert {one: contact.consent for one, contact in contacts.items()} == {
            int(contact.id): contact.consent for contact in psa.contacts(company=str(acme))
        }


def test_phone_fields_that_lists_do_not_show_are_read_from_full_records(halo):
    halo.change(list_phones="two")
    acme = halo.add_client("Acme")
    ann = halo.add_user(acme, "Ann Lee", homenumber="202-555-0144", sitephonenumber="202-555-0100")
    assert next(connect(halo).contacts()).numbers == ("+12025550144",)
    halo.forget_requests()
    (contact,) = connect(halo, phone_fields=["phonenumber", "mobilenumber"]).contacts()
    assert (contact.numbers, contact.id) == ((), str(ann))
    assert halo.requests_to(f"/Users/{ann}$") == []


@pytest.mark.parametrize(
    "raw",
    [
        "(202) 555-0123",
        "202.555.0123",
        "+1 202 555 0123",
        "2025550123",
        "1-202-555-0123",
        "tel: 202-555-0123",
        "202-555-0123 x12",
        "202-555-0123 ext. 4",
        "(202)555-0123 (mobile)",
        "+12025550123",
    ],
)
def test_numbers_in_every_format(halo, raw):
    halo.add_user(halo.add_client("Acme"), "Ann Lee", mobilenumber2=raw)
    assert next(connect(halo).contacts()).numbers == ("+12025550123",)


def test_lists_that_carry_the_field_cost_pages_only_and_others_a_call_each(halo):
    acme = halo.add_client("Acme", "Approved")
    crowd(halo, acme, 150, opt_in="Opted-In")
    costs = {}
    for shows in LISTS:
        halo.change(list_customfields=shows)
        psa = connect(halo)
        list(psa.contacts())
        halo.forget_requests()
        list(psa.contacts())
        costs[shows] = len(halo.requests)
    assert costs == {"all": 2, "set": 2, "empty": 152, "none": 152, "on request": 2}


def test_a_filter_that_is_ignored_widens_nothing(halo):
    acme, bolt = halo.add_client("Acme"), halo.add_client("Bolt")
    crowd(halo, acme, 3)
    crowd(halo, bolt, 3)
    halo.change(ignored=frozenset({"client_id"}))
    with pytest.raises(ShapeChanged, match="not obeyed"):
        list(connect(halo).contacts(company=str(acme)))


def test_a_list_that_repeats_its_first_page_is_incomplete(halo):
    halo.change(ignores_paging=True)
    acme = halo.add_client("Acme")
    people = crowd(halo, acme, 100)
    psa = connect(halo)
    assert len(list(psa.contacts())) == 100
    halo.add_user(acme, "One More")
    with pytest.raises(ShapeChanged, match="100 of 101"):
        list(psa.contacts())
    halo.change(record_count=False)
    with pytest.raises(ShapeChanged, match="page 1 again"):
        list(psa.contacts())
    halo.change(bare_list=True)
    for one in people[:70]:
        halo.delete("Users", one)
    assert len(list(psa.contacts())) == 31


def test_a_count_of_the_page_is_not_taken_for_a_count_of_the_list(halo):
    crowd(halo, halo.add_client("Acme"), 250)

    def counting_its_page(answer):
        body = json.loads(answer.body)
        return answer.changed(body=json.dumps(body | {"record_count": len(body["users"])}).encode())

    halo.faults.add(answering(counting_its_page), path="/api/Users$", times=None)
    with pytest.raises((Transient, ShapeChanged)):
        list(connect(halo).contacts())


def test_a_deletion_between_two_pages_skips_nobody(halo):
    people = crowd(halo, halo.add_client("Acme"), 150)
    psa = connect(halo)
    list(psa.companies())
    halo.faults.add(delay(0.2), path="/api/Users$", when=lambda request: request.query.get("page_no") == "2")
    timer = threading.Timer(0.1, lambda: halo.delete("Users", people[0]))
    timer.start()
    with pytest.raises(Transient, match="deleted"):
        list(psa.contacts())
    timer.join()
    assert len(list(psa.contacts())) == 149


@pytest.mark.parametrize(
    "fault",
    [
        html_page(),
        html_page(503),
        empty_body(),
        truncated(),
        truncated(length="full"),
        truncated(length="chunked"),
        status(200, {"error": "later"}),
        status(200, {"record_count": 3}),
        status(200, {"record_count": 3, "users": [1], "clients": [1]}),
        status(200, {"record_count": 3, "users": [], "clients": []}),
        status(500, {"resultCode": 500, "errorMessage": "no"}),
        redirect("https://example.com/"),
    ],
    ids=lambda fault: fault.name,
)
@pytest.mark.parametrize("entity", ["Client", "Users"])
def test_a_broken_answer_is_never_an_empty_list(halo, fault, entity):
    crowd(halo, halo.add_client("Acme", "Approved"), 3)
    psa = connect(halo)
    halo.faults.add(fault, path=f"/api/{entity}$", times=None)
    with pytest.raises((ShapeChanged, Transient)):
        list(psa.companies() if entity == "Client" else psa.contacts())
    halo.faults.clear()
    assert len(list(psa.companies() if entity == "Client" else psa.contacts())) in (1, 3)


def test_a_field_that_is_deleted_or_a_new_option_is_noticed_at_once(halo, remarks):
    acme = halo.add_client("Acme", "Pending")
    crowd(halo, acme, 2, opt_in="Opted-In")
    psa = connect(halo, remarks)
    assert [company.state for company in psa.companies()] == [CompanyState.UNSET]
    assert len(list(psa.contacts())) == 2
    assert any("'Pending', which counts as not set" in remark for remark in remarks)
    halo.fields["Users"][0] = HaloField(99, "CFOther", "Other", "text")
    with pytest.raises(ConfigProblem, match=r"contact_field\.name.*CFOther"):
        list(psa.contacts())
    options = ((1, "Ja"), (2, "Nein"))
    halo.fields["Client"][0] = HaloField(46, "CFSMSApproval", "SMS Approval", "select", options)
    halo.set_approval(acme, "Ja")
    psa = connect(halo)
    with pytest.raises(ConfigProblem, match="'Approved' is not in the list"):
        list(psa.companies())


def test_a_spent_allowance_is_waited_for_and_what_was_read_is_not_read_again(halo):
    halo.change(list_customfields="none")
    people = crowd(halo, halo.add_client("Acme"), 60, opt_in="Opted-In")

    class Skipping(Clock):
        skipped = 0.0

        def monotonic(self):
            return super().monotonic() + self.skipped

    clock = Skipping()
    transport = Transport(clock, HaloPsa.traits.limits)
    psa = HaloPsa(settings_for(halo, requests_per_5_minutes=40), Shell(transport, str))
    with pytest.raises(Transient, match="of 60 records read") as caught:
        list(psa.contacts())
    assert 200 < caught.value.retry_after <= 300
    halo.set_opt_in(people[0], "Opted-Out")
    clock.skipped = 150.0
    with pytest.raises(Transient):
        write(psa, [people[0]])  # forgets what was read of it
    for _ in range(3):
        clock.skipped += 301.0
        try:
            contacts = {int(contact.id): contact.consent for contact in psa.contacts()}
            break
        except Transient:
            continue
    assert (len(contacts), contacts[people[0]]) == (60, OUT)
    assert len(halo.requests_to(r"/Users/\d+$")) <= 62
    transport.close()


# Refusals, pace, checkup.


@pytest.mark.parametrize(
    ("retry_after", "pause"), [(None, 30), (7, 7), ("soon", 30), (0, 1), (-5, 1), (100_000, 300)]
)
def test_too_many_requests(halo, retry_after, pause):
    psa = connect(halo)
    list(psa.companies())
    halo.faults.add(too_many_requests(retry_after, {"error": "300 Requests per rolling 5 minute window"}))
    with pytest.raises(Transient, match="429") as caught:
        list(psa.companies())
    assert caught.value.retry_after == pause


@pytest.mark.parametrize(("says", "least"), [("none", 30), ("seconds", 290), ("date", 290), ("absurd", 30)])
def test_a_window_that_others_have_filled(halo, says, least):
    halo.change(rate_limit=100, retry_after=says)
    psa = connect(halo)
    list(psa.companies())
    halo.use_quota(100)
    with pytest.raises(Transient, match="rolling 5 minute window") as caught:
        list(psa.companies())
    assert least <= caught.value.retry_after <= max(300, least)


def test_the_pause_grows_to_the_whole_window_and_others_take_from_our_allowance(halo):
    shell = shell_for(HaloPsa)
    psa = HaloPsa(settings_for(halo), shell)
    list(psa.companies())
    halo.faults.add(too_many_requests(), path="/api/Client$", times=None)
    pauses = []
    for _ in range(6):
        shell.transport.pace.others_used(0)
        with pytest.raises(Transient, match="429") as caught:
            list(psa.companies())
        pauses.append(caught.value.retry_after)
    assert pauses == [30, 60, 120, 240, 300, 300]
    shell.transport.pace.limits = replace(shell.transport.pace.limits, patience=0.0)
    with pytest.raises(Transient, match="our own allowance"):
        list(psa.companies())


def test_never_more_than_two_calls_are_in_flight(halo):
    halo.change(latency=0.002)
    acme = halo.add_client("Acme", "Approved")
    people = crowd(halo, acme, 40)
    write_and_list_at_once(connect(halo), people, acme)
    assert halo.max_in_flight <= 2
    assert set(halo.opt_ins(acme).values()) == {"Opted-Out"}


def test_a_contact_or_client_of_another_system(halo):
    psa = connect(halo)
    halo.add_client("Acme")
    assert write(psa, ["c5"]) == {"c5": GONE}
    assert write(psa, ["0"]) == {"0": GONE}
    with pytest.raises(Permanent):
        list(psa.contacts(company="acme"))


def test_a_wrong_secret_is_tried_once(halo):
    psa = connect(halo, client_secret="wrong")
    with pytest.raises(AuthRefused):
        list(psa.companies())
    assert halo.failed_logins == 1
    assert [finding.what for finding in psa.check().findings if finding.grade is Grade.FAIL] == ["credentials"]


@pytest.mark.parametrize("shows", LISTS)
def test_the_checkup_passes_on_a_good_tenant_on_one_screen_and_writes_nothing(halo, shows):
    halo.change(list_customfields=shows)
    acme = halo.add_client("Acme", "Approved")
    halo.add_user(halo.add_client("Bolt"), "B B", opt_in="Opted-In")
    crowd(halo, acme, 3)
    halo.add_user(acme, "No Number", phone="ext. 12", active=False)
    report = connect(halo).check()
    shown = "\n".join(f"{finding.grade} {finding.what}: {finding.detail}" for finding in report.findings)
    assert report.passed, shown
    assert len(report.findings) <= 20
    for said in (
        "v2.214.1",
        "'CFSMSOptIn' (45), list: 'Opted-In' (1), 'Opted-Out' (2)",
        "2 seen: 1 approved, 0 opted_out, 1 unset",
        "5 seen, 3 with a usable number",
        "1 inactive",
        "client_id is obeyed",
        "lastupdatefromdate is ignored for Client and Users",
        "5000 calls in 5 minutes",
    ):
        assert said in shown
    assert ("a call each" in shown) == (shows in ("empty", "none"))
    assert halo.writes == []
    assert posts(halo) == []
    assert "sandbox-secret" not in shown


@pytest.mark.parametrize(
    ("quirks", "what"),
    [
        ({"forbidden": frozenset({"GET Users"})}, "contacts"),
        ({"forbidden": frozenset({"GET Client"})}, "companies"),
        ({"forbidden": frozenset({"GET FieldInfo"})}, "consent field"),
        ({"ignored": frozenset({"client_id"})}, "filters"),
        ({"authinfo": "elsewhere"}, "service"),
    ],
)
def test_the_checkup_names_what_is_missing(halo, quirks, what):
    halo.change(**quirks)
    halo.add_user(halo.add_client("Acme"), "A A")
    halo.add_user(halo.add_client("Bolt"), "B B")
    failed = [finding.what for finding in connect(halo).check().findings if finding.grade is Grade.FAIL]
    assert what in failed


@pytest.mark.parametrize(
    ("quirks", "said"),
    [
        ({"full_unset": "null"}, "unset is null (1)"),
        ({"full_unset": "missing"}, "unset is left out (1)"),
        ({"select_value": "id"}, "a list's entry shows its value (2)"),
        ({"select_value": "text id"}, "a list's entry shows its value (2)"),
        ({"select_value": "label"}, "a list's entry shows its label (2)"),
        ({"list_customfields": "all"}, "Client and Users in list rows;"),
        ({"list_customfields": "on request"}, "Client and Users in list rows when asked for"),
        ({"list_customfields": "none"}, "a call each (list rows lack customfields)"),
        ({"list_phones": "two"}, "fewer phone_fields may spare calls"),
        ({"dead_date_filter": True}, "lastupdatefromdate is ignored for Client and Users"),
        ({"dead_date_filter": False}, "lastupdatefromdate is obeyed for"),
    ],
)
def test_the_checkup_says_what_this_tenant_makes_of_the_undocumented(halo, quirks, said):
    halo.change(**quirks)
    acme, bolt = halo.add_client("Acme", "Approved"), halo.add_client("Bolt")
    halo.add_user(acme, "A A", opt_in="Opted-In")
    halo.add_user(acme, "B B", opt_in="Opted-Out")
    halo.add_user(bolt, "C C")
    report = connect(halo).check()
    shown = "; ".join(finding.detail for finding in report.findings)
    assert report.passed, shown
    assert said in shown


def test_whether_an_edit_moves_a_date_shows_where_the_filter_by_date_is_obeyed():
    now = [datetime(2026, 9, 1, 10, tzinfo=UTC)]
    with HaloPsaServer(clock=lambda: now[0], quirks=HaloQuirks(dead_date_filter=False)) as server:
        ann = server.add_user(server.add_client("Acme"), "Ann Lee")
        now[0] += timedelta(hours=2)

        def dates():
            findings = connect(server).check().findings
            return next(finding.detail for finding in findings if finding.what == "change dates")

        assert "0 Users changed within the hour" in dates()
        server.set_opt_in(ann, "Opted-Out")
        now[0] += timedelta(minutes=5)
        assert "1 Users changed within the hour; edit one by hand" in dates()


def test_the_checkup_leaves_the_allowance_to_the_daemon_where_each_record_takes_a_call(halo):
    halo.change(list_customfields="none")
    crowd(halo, halo.add_client("Acme", "Approved"), 120)
    halo.add_user(halo.add_client("Bolt"), "B B")
    report = connect(halo).check()
    shown = "\n".join(f"{finding.grade} {finding.what}: {finding.detail}" for finding in report.findings)
    assert report.passed, shown
    assert "note contacts: 121 seen; each takes a call" in shown
    assert "ok companies: 2 seen: 1 approved" in shown
    assert "client_id is obeyed" in shown
    assert "unset is null (3)" in shown
    assert len(halo.requests) < 40
