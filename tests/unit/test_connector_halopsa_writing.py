"""The HaloPSA connector writing, over real HTTP, against the stand-in with each behaviour it may show."""

from __future__ import annotations

from itertools import product

import pytest
from stand_in_halopsa import connect, crowd, posts, served
from support import write

from syncd.connector import ALREADY, APPLIED, CHANGED, GONE, Change, Result
from syncd.errors import Ambiguous, ShapeChanged, Superseded, Transient
from syncd.http import before_sending
from syncd.model import CompanyState, Consent
from syncd.sandbox.faults import hang_up, html_page, lost_answer, status
from syncd.sandbox.halopsa import HaloPsaServer
from syncd.sandbox.halopsa_records import HaloField

OUT, IN = Consent.OPTED_OUT, Consent.OPTED_IN


halo = pytest.fixture(served)


@pytest.mark.parametrize(
    "quirks",
    [
        {"write_customfields": mode, "list_customfields": shows, "full_unset": unset}
        for mode, shows, unset in product(["replace", "merge"], ["all", "none"], ["null", "missing"])
    ],
)
def test_a_cascade_writes_the_consent_field_of_that_client_and_nothing_else(halo, quirks):
    halo.change(**quirks)
    acme, bolt = halo.add_client("Acme", "Opted-Out"), halo.add_client("Bolt", "Approved")
    people = crowd(halo, acme, 60)
    for person in people[::3]:
        halo.set_custom("Users", person, "CFBirthday", "1 May")
    halo.set_opt_in(people[7], "Opted-Out")
    other = halo.add_user(bolt, "B B", opt_in="Opted-In")
    before = halo.snapshot(without=["CFSMSOptIn"])
    psa = connect(halo)
    outcomes = write(psa, [contact.id for contact in psa.contacts(company=str(acme))])
    assert list(outcomes.values()).count(APPLIED) == 59
    assert outcomes[str(people[7])] == ALREADY
    assert set(halo.opt_ins(acme).values()) == {"Opted-Out"}
    assert halo.opt_in(other) == "Opted-In"
    assert halo.snapshot(without=["CFSMSOptIn"]) == before
    assert halo.created == []
    assert len(posts(halo)) == 3
    assert all(type(row["id"]) is int for post in posts(halo) for row in post.json())
    halo.forget_requests()
    assert set(write(psa, people).values()) == {ALREADY}
    assert posts(halo) == []


@pytest.mark.parametrize(("shows", "most"), [("all", 220), ("none", 410)])
def test_the_cost_of_a_cascade_of_200_and_of_one_write(halo, shows, most):
    halo.change(list_customfields=shows)
    people = crowd(halo, halo.add_client("Acme"), 200)
    psa = connect(halo)
    write(psa, people[:1])
    halo.set_opt_in(people[0], None)
    halo.forget_requests()
    assert set(write(psa, people).values()) == {APPLIED}
    assert len(halo.requests) <= most
    halo.forget_requests()
    assert write(psa, people[:1], IN, shown=OUT) == {str(people[0]): APPLIED}
    assert [request.method for request in halo.requests] == ["GET", "POST", "GET"]


@pytest.mark.parametrize(
    ("read", "written", "answer"),
    [("id", "id", "array"), ("text id", "id", "object"), ("label", "label", "empty"), ("id", "either", "array")],
)
def test_a_selection_is_read_and_written_in_each_form(halo, read, written, answer):
    halo.change(select_value=read, select_write=written, post_answer=answer, post_status=200)
    acme = halo.add_client("Acme", "Approved")
    ann, bob = crowd(halo, acme, 2, opt_in="Opted-In")
    gone = halo.add_user(acme, "G G")
    halo.delete("Users", gone)
    psa = connect(halo)
    assert [contact.consent for contact in psa.contacts()] == [IN, IN]
    assert write(psa, [ann, gone]) == {str(ann): APPLIED, str(gone): GONE}
    assert write(psa, [bob, ann]) == {str(bob): APPLIED, str(ann): ALREADY}
    assert set(halo.opt_ins().values()) == {"Opted-Out"}


@pytest.mark.parametrize("shown", ["int", "bool", "text"])
def test_a_checkbox_works(shown):
    boxes = [HaloField(70, "CFTexts", "May text", "checkbox")]
    field = {"name": "may text", "opted_in": "true", "opted_out": "false"}
    with HaloPsaServer(user_fields=boxes) as halo:
        halo.change(checkbox_value=shown)
        acme = halo.add_client("Acme")
        ann, bob = halo.add_user(acme, "Ann", opt_in=True), halo.add_user(acme, "Bob")
        psa = connect(halo, contact_field=field)
        assert [contact.consent for contact in psa.contacts()] == [IN, None]
        assert write(psa, [ann, bob]) == {str(ann): APPLIED, str(bob): APPLIED}
        assert [contact.consent for contact in psa.contacts()] == [OUT, OUT]
        assert any("checkbox" in finding.detail for finding in psa.check().findings)


def test_a_null_record_is_not_taken_for_a_deleted_contact(halo):
    halo.change(missing="null")
    with pytest.raises(ShapeChanged) as caught:
        write(connect(halo), [4711])
    assert caught.value.contact == "4711"


def test_options_that_only_the_single_definition_shows(halo):
    halo.change(field_values="detail")
    ann = halo.add_user(halo.add_client("Acme", "Approved"), "Ann")
    psa = connect(halo)
    assert write(psa, [ann]) == {str(ann): APPLIED}
    assert [company.state for company in psa.companies()] == [CompanyState.APPROVED]


def test_a_value_that_is_shown_too_late_is_not_called_done(halo):
    halo.change(read_lag_reads=1)
    (person,) = crowd(halo, halo.add_client("Acme"), 1)
    psa = connect(halo)
    outcome = write(psa, [person])[str(person)]
    assert (outcome.result, "lags" in outcome.reason) == (Result.REFUSED, True)
    assert write(psa, [person]) == {str(person): ALREADY}
    assert len(posts(halo)) == 1


@pytest.mark.parametrize("kind", ["validation", "silent"])
def test_a_contact_that_cannot_be_written_is_refused_and_the_others_are_written(halo, kind):
    people = crowd(halo, halo.add_client("Acme"), 5)
    halo.poison(people[1], kind)
    outcomes = write(connect(halo), people)
    assert outcomes.pop(str(people[1])).result is Result.REFUSED
    assert set(outcomes.values()) == {APPLIED}
    assert halo.opt_in(people[1]) is None


def test_an_opaque_failure_blames_its_contact_and_the_others_are_written(halo):
    people = crowd(halo, halo.add_client("Acme"), 5)
    halo.poison(people[1], "error")
    with pytest.raises(Transient) as caught:
        write(connect(halo), people)
    assert caught.value.contact == str(people[1])
    assert list(halo.opt_ins().values()).count("Opted-Out") == 4
    halo.poison(people[1], "half")
    assert write(connect(halo), people[1:2]) == {str(people[1]): APPLIED}


def test_a_sick_service_is_not_asked_for_every_contact(halo):
    people = crowd(halo, halo.add_client("Acme"), 25)
    halo.faults.add(status(500, b""), method="POST", path="/Users$", times=None)
    with pytest.raises(Transient):
        write(connect(halo), people)
    assert len(posts(halo)) == 4


def test_an_array_that_is_too_long_for_the_server_goes_one_by_one(halo):
    halo.change(max_array=10)
    people = crowd(halo, halo.add_client("Acme"), 12)
    assert set(write(connect(halo), people).values()) == {APPLIED}


def test_no_permission_is_said_of_everybody_with_one_request(halo):
    halo.change(forbidden=frozenset({"POST Users"}))
    outcomes = write(connect(halo), crowd(halo, halo.add_client("Acme"), 6))
    assert all("role of the agent" in outcome.reason for outcome in outcomes.values())
    assert len(posts(halo)) == 1


def test_a_lost_answer_is_settled_by_a_read_and_a_lost_request_is_ambiguous(halo):
    people = crowd(halo, halo.add_client("Acme"), 3)
    psa = connect(halo)
    list(psa.contacts())
    halo.faults.add(lost_answer(), method="POST")
    assert set(write(psa, people).values()) == {APPLIED}
    halo.faults.add(hang_up(), method="POST")
    with pytest.raises(Ambiguous) as caught:
        write(psa, people[:1], IN, shown=OUT)
    assert caught.value.contact == str(people[0])
    halo.faults.add(html_page(), method="POST")
    with pytest.raises(Ambiguous):
        write(psa, people[:1], IN, shown=OUT)
    assert len(posts(halo)) == 3


def test_an_opt_in_does_not_overwrite_an_opt_out_that_nobody_had_seen_yet(halo):
    (person,) = crowd(halo, halo.add_client("Acme"), 1, opt_in="Opted-Out")
    psa = connect(halo)
    assert write(psa, [person], IN) == {str(person): CHANGED}
    assert posts(halo) == []
    assert write(psa, [person], IN, shown=OUT) == {str(person): APPLIED}


def test_newer_evidence_stops_an_opt_in_and_never_an_opt_out(halo):
    ann, bob = crowd(halo, halo.add_client("Acme"), 2)
    psa = connect(halo)
    sent: list[int] = []

    def guard():
        sent.append(1)
        if len(sent) == 2:
            raise Superseded("newer")

    token = before_sending.set(guard)
    try:
        outcomes = psa.write([Change(str(ann), None, IN), Change(str(bob), None, OUT)])
        assert next(outcomes) == (str(bob), APPLIED)
        with pytest.raises(Superseded) as caught:
            next(outcomes)
    finally:
        before_sending.reset(token)
    assert caught.value.contact == str(ann)
    assert len(posts(halo)) == 1


def test_no_more_changes_are_taken_than_a_batch_before_outcomes_come(halo):
    people = crowd(halo, halo.add_client("Acme"), 60)
    taken: list[int] = []

    def changes():
        for person in people:
            taken.append(person)
            yield Change(str(person), None, OUT)

    outcomes = connect(halo).write(changes())
    assert next(outcomes)[1] is APPLIED
    assert len(taken) == 25
    assert len(list(outcomes)) == 59


def test_other_fields_that_change_are_named_and_after_three_no_opt_in_is_written(halo, remarks):
    people = crowd(halo, halo.add_client("Acme"), 5)
    for person in people:
        halo.set_custom("Users", person, "CFBirthday", "1 May")
    psa = connect(halo, remarks)
    apply = halo.apply_with_lag
    # As an automation would that fires on every edit.
    halo.apply_with_lag = lambda entity, record, values, custom: apply(
        entity, record, values, {**custom, "CFBirthday": "lost"}
    )
    for person in people[:4]:
        assert write(psa, [person]) == {str(person): APPLIED}
    assert sum("CFBirthday changed" in remark for remark in remarks) == 4
    assert "1 May" not in str(remarks)
    assert write(psa, people[4:], IN)[str(people[4])].result is Result.REFUSED
    assert write(psa, people[4:]) == {str(people[4]): APPLIED}
