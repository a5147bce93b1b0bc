"""The ConnectWise connector writing, keeping its pace, and checking, against scripted answers."""

from __future__ import annotations

import json

import pytest
import requests
from scripted import HTML
from scripted_connectwise import (
    API,
    COMPANIES,
    CONTACTS,
    FIELDS,
    HOST,
    INFO,
    OPT_IN,
    company,
    connected,
    custom,
    definition,
    error,
    make,
    row,
    scripted,
    write,
)

from connectors.connectwise import ConnectWise
from syncd.connector import ALREADY, APPLIED, CHANGED, GONE, Change, Grade, Result
from syncd.errors import Ambiguous, AuthRefused, ConfigProblem, ShapeChanged, Superseded, Transient
from syncd.http import before_sending
from syncd.model import Consent

OUT, IN = Consent.OPTED_OUT, Consent.OPTED_IN
HOBBY, ALLERGY = custom(12, "Hobby", "Hiking", entry="EntryField"), custom(13, "Allergy")
ONE = f"{CONTACTS}/5"


tenant = pytest.fixture(scripted)
psa = pytest.fixture(connected)


def sent(tenant, path=ONE):
    """The custom fields of each PATCH, by id."""
    bodies = tenant.bodies(path)
    assert all(len(body) == 1 and body[0].keys() == {"op", "path", "value"} for body in bodies)
    assert {(body[0]["op"], body[0]["path"]) for body in bodies} <= {("replace", "customFields")}
    return [{one["id"]: one["value"] for one in body[0]["value"]} for body in bodies]


class TestWriting:
    def test_one_change_is_read_and_patched_with_every_custom_field(self, tenant, psa):
        others = [HOBBY, ALLERGY]
        tenant.shows(row(5, "Opted-In", others=others))
        tenant.put("PATCH", ONE, row(5, "Opted-Out", others=others))
        assert write(psa, 5) == {"5": APPLIED}
        assert tenant.quick() == ["GET /company/contacts/5", "PATCH /company/contacts/5"]
        assert sent(tenant) == [{12: "Hiking", 13: None, 59: "Opted-Out"}]
        assert tenant.bodies(ONE)[0][0]["value"][0] == {"id": 12, "value": "Hiking"}

    def test_minimal_writes_send_one_field(self, tenant):
        tenant.shows(row(5, "Opted-In", others=[HOBBY]))
        tenant.put("PATCH", ONE, row(5, "Opted-Out", others=[HOBBY]))
        assert write(make(custom_field_writes="minimal"), 5) == {"5": APPLIED}
        assert sent(tenant) == [{59: "Opted-Out"}]

    def test_buttons_and_masks_are_not_sent(self, tenant, psa):
        others = [
            custom(20, "Call", None, "Button"),
            custom(21, "PIN", "*****", "Password"),
            custom(22, "Code", "a*b", "Password"),
            custom(23, "Stars", "***"),
            custom(24, "None", None, "Password"),
        ]
        tenant.shows(row(5, None, others=others))
        tenant.put("PATCH", ONE, row(5, "Opted-Out", others=others))
        assert write(psa, 5) == {"5": APPLIED}
        assert sent(tenant) == [{22: "a*b", 23: "***", 24: None, 59: "Opted-Out"}]

    @pytest.mark.parametrize("before", [None, True])
    def test_a_checkbox_is_written_as_true_and_false(self, tenant, before):
        tenant.put("GET", FIELDS, [definition(59, "SMS Opt-In", kind="Checkbox")])
        tenant.shows(row(5, before))
        tenant.put("PATCH", ONE, row(5, False))
        psa = make(contact_field={"name": "SMS Opt-In", "opted_in": True, "opted_out": False})
        assert write(psa, 5) == {"5": APPLIED}
        assert sent(tenant) == [{59: False}]
        tenant.shows(row(5, False))
        assert write(psa, 5) == {"5": ALREADY}

    def test_the_list_entry_is_written_as_the_list_has_it(self, tenant):
        tenant.shows(row(5))
        tenant.put("PATCH", ONE, row(5, "Opted-Out"))
        field = {"name": "sms opt-in", "opted_in": "opted-in", "opted_out": "OPTED-OUT"}
        assert write(make(contact_field=field), 5) == {"5": APPLIED}
        assert sent(tenant) == [{59: "Opted-Out"}]

    @pytest.mark.parametrize("answer", [(204, ""), (200, ""), (200, HTML), {"id": 5}, {"id": 6}, "null"])
    def test_an_answer_without_the_record_is_followed_by_a_read(self, tenant, psa, answer):
        tenant.put("GET", ONE, row(5), row(5, "Opted-Out"))
        tenant.put("PATCH", ONE, answer)
        assert write(psa, 5) == {"5": APPLIED}
        assert tenant.quick()[-1] == "GET /company/contacts/5"

    def test_what_needs_no_write_gets_none(self, tenant, psa):
        tenant.put("GET", CONTACTS, lambda r: (200, [] if "conditions" in r.url else [row(1)]))
        tenant.put("GET", ONE, row(5, "Opted-Out"))
        tenant.put("GET", f"{CONTACTS}/6", error(404, "NotFound", "Contact 6 not found"))
        assert write(psa, 5, 6, "c7", "") == {"5": ALREADY, "6": GONE, "c7": GONE, "": GONE}
        assert write(psa, 5, consent=IN) == {"5": CHANGED}
        assert not tenant.calls(method="PATCH")

    def test_a_contact_is_gone_only_when_a_list_does_not_have_it_either(self, tenant, psa):
        tenant.put("GET", ONE, error(404, "NotFound", "Contact 5 not found"))
        tenant.put("GET", CONTACTS, [row(5, "Opted-Out")])
        assert write(psa, 5) == {"5": ALREADY}
        tenant.put("GET", CONTACTS, error(401, "Unauthorized", "no"))
        with pytest.raises(AuthRefused):
            write(psa, 5)

    def test_a_contact_that_goes_between_read_and_write(self, tenant, psa):
        missing = error(404, "NotFound", "Contact 5 not found")
        tenant.put("GET", ONE, row(5), missing)
        tenant.put("GET", CONTACTS, lambda r: (200, [] if "conditions" in r.url else [row(1)]))
        tenant.put("PATCH", ONE, missing)
        assert write(psa, 5) == {"5": GONE}

    def test_an_opt_in_over_an_opt_out_that_the_shell_knows_is_written(self, tenant, psa):
        tenant.shows(row(5, "Opted-Out"))
        tenant.put("PATCH", ONE, row(5, "Opted-In"))
        assert write(psa, 5, consent=IN, shown=OUT) == {"5": APPLIED}

    def test_a_value_that_was_not_kept_is_refused_and_the_field_looked_at_again(self, tenant, psa):
        tenant.shows(row(5, "Opted-In"))
        tenant.put("PATCH", ONE, row(5, "Opted-In"))
        outcome = write(psa, 5)["5"]
        assert outcome.result is Result.REFUSED
        assert 'still shows "Opted-In"' in outcome.reason
        assert len(tenant.calls(FIELDS)) == 2

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (error(400, "InvalidObject", "contact object is invalid", "x is not an option"), "x is not an option"),
            (error(400, "InvalidPatch", "Could not cast or convert"), "InvalidPatch"),
            (error(403, "Forbidden", "no"), "edit contacts"),
            ((413, ""), "413"),
        ],
    )
    def test_what_connectwise_does_not_take_is_refused_and_the_others_are_written(self, tenant, psa, answer, said):
        tenant.shows(row(5), row(6))
        tenant.put("PATCH", ONE, answer)
        tenant.put("PATCH", f"{CONTACTS}/6", row(6, "Opted-Out"))
        outcomes = write(psa, 5, 6)
        assert outcomes["5"].result is Result.REFUSED
        assert said in outcomes["5"].reason
        assert outcomes["6"] == APPLIED

    def test_a_value_refused_because_the_list_changed_is_a_config_problem(self, tenant, psa):
        tenant.shows(row(5, "Opted-In"))
        tenant.put("PATCH", ONE, error(400, "InvalidObject", "contact object is invalid"))
        new = definition(59, "SMS Opt-In", ("Yes", "No"))
        tenant.put("GET", FIELDS, [definition(59, "SMS Opt-In", OPT_IN)], [new])
        outcomes = psa.write([Change("5", None, OUT)])
        assert next(outcomes)[1].result is Result.REFUSED
        with pytest.raises(ConfigProblem, match="'Opted-Out' is not in the list"):
            next(outcomes)

    def test_a_switched_off_value_is_a_config_problem(self, tenant, psa):
        field = definition(59, "SMS Opt-In", OPT_IN)
        field["options"][1]["inactiveFlag"] = True
        tenant.put("GET", FIELDS, [field])
        tenant.shows(row(5, "Opted-In"), row(6, "Opted-Out"))
        with pytest.raises(ConfigProblem, match="switched off"):
            write(psa, 5)
        assert [contact.consent for contact in psa.contacts()] == [IN, OUT]

    def test_a_missing_opt_in_value_holds_up_no_opt_out(self, tenant, psa):
        tenant.put("GET", FIELDS, [definition(59, "SMS Opt-In", ("Yes", "Opted-Out"))])
        tenant.shows(row(5))
        tenant.put("PATCH", ONE, row(5, "Opted-Out"))
        assert write(psa, 5) == {"5": APPLIED}


class TestDrift:
    @pytest.mark.parametrize(
        ("after", "said"),
        [
            ([custom(12, "Hobby", None), ALLERGY], "'Hobby' (12) lost its value"),
            ([ALLERGY], "'Hobby' (12) lost its value"),
            ([custom(12, "Hobby", "Chess"), ALLERGY], "'Hobby' (12) has another value"),
            ([HOBBY, custom(13, "Allergy", "nuts")], "'Allergy' (13) has another value"),
            ([HOBBY, ALLERGY, custom(14, "New", True)], "'New' (14) has another value"),
        ],
    )
    def test_other_fields_that_changed_are_reported_and_never_repaired(self, tenant, psa, remarks, after, said):
        tenant.shows(row(5, "Opted-In", others=[HOBBY, ALLERGY]))
        tenant.put("PATCH", ONE, row(5, "Opted-Out", others=after))
        outcome = write(psa, 5)["5"]
        assert outcome.result is Result.REFUSED
        assert said in outcome.reason
        assert "the consent was written" in outcome.reason
        assert remarks == [outcome.reason]
        assert not {"Hiking", "Chess", "nuts"} & set(outcome.reason.replace("'", " ").split())
        assert len(tenant.calls(method="PATCH")) == 1

    @pytest.mark.parametrize("pair", [(3, 3.0), (None, None), ("", "")])
    def test_the_same_value_in_another_coat_is_no_drift(self, tenant, psa, pair):
        tenant.shows(row(5, others=[custom(12, "Size", pair[0], "Number")]))
        tenant.put("PATCH", ONE, row(5, "Opted-Out", others=[custom(12, "Size", pair[1], "Number")]))
        assert write(psa, 5) == {"5": APPLIED}

    def test_true_and_one_are_not_the_same(self, tenant, psa):
        tenant.shows(row(5, others=[custom(12, "Size", True)]))
        tenant.put("PATCH", ONE, row(5, "Opted-Out", others=[custom(12, "Size", 1)]))
        assert write(psa, 5)["5"].result is Result.REFUSED

    def test_a_lost_answer_is_no_excuse(self, tenant, psa):
        tenant.put("GET", ONE, row(5, others=[HOBBY]), row(5, "Opted-Out"))
        tenant.put("PATCH", ONE, requests.ReadTimeout())
        assert write(psa, 5)["5"].result is Result.REFUSED


class TestFailures:
    @pytest.mark.parametrize(
        ("answer", "expected", "contact"),
        [
            (error(500, "InternalError", "An unexpected error"), Transient, "5"),
            ((409, ""), Transient, "5"),
            ((502, HTML), Ambiguous, "5"),
            ((504, ""), Ambiguous, "5"),
            ((524, HTML), Ambiguous, "5"),
            (requests.ReadTimeout(), Ambiguous, "5"),
            ((500, HTML), Transient, None),
            ((503, HTML), Transient, None),
            ((429, HTML), Transient, None),
            ((403, HTML), Transient, None),
            (requests.ConnectTimeout(), Transient, None),
            ((404, HTML), AuthRefused, None),
            ((401, ""), AuthRefused, None),
            ((405, ""), ShapeChanged, "5"),
        ],
    )
    def test_what_a_write_raises_and_whom_it_blames(self, tenant, psa, answer, expected, contact):
        tenant.shows(row(5, "Opted-In"))
        tenant.put("GET", INFO, {"Codebase": "v4_6_release/"})
        tenant.put("PATCH", ONE, answer)
        with pytest.raises(expected) as caught:
            write(psa, 5)
        assert caught.value.contact == contact
        assert len(tenant.calls(method="PATCH")) == 1

    def test_a_patch_is_not_sent_again_when_the_codebase_changed_but_the_next_one_goes_there(self, tenant, psa):
        tenant.shows(row(5))
        tenant.put("PATCH", ONE, (404, HTML), row(5, "Opted-Out"))
        with pytest.raises(Transient, match="another codebase"):
            write(psa, 5)
        assert write(psa, 5) == {"5": APPLIED}
        patches = [r.url for m, _, _, r in tenant.seen if m == "PATCH"]
        assert patches == [f"{HOST}{API}{ONE}", f"{HOST}/v2026_1/apis/3.0{ONE}"]

    @pytest.mark.parametrize("lost", [requests.ReadTimeout(), (502, HTML)])
    def test_a_lost_answer_is_settled_by_reading(self, tenant, psa, lost):
        tenant.put("GET", ONE, row(5), row(5, "Opted-Out"))
        tenant.put("PATCH", ONE, lost)
        assert write(psa, 5) == {"5": APPLIED}
        assert len(tenant.calls(method="PATCH")) == 1

    def test_a_lost_answer_that_cannot_be_settled_stays_ambiguous(self, tenant, psa):
        tenant.put("GET", ONE, row(5), (503, HTML))
        tenant.put("PATCH", ONE, requests.ReadTimeout())
        with pytest.raises(Ambiguous) as caught:
            write(psa, 5)
        assert caught.value.contact == "5"

    @pytest.mark.parametrize("odd", [HTML, "", {"id": 6}, row(5) | {"customFields": "x"}])
    def test_a_record_that_cannot_be_read_blames_its_contact_and_is_not_written(self, tenant, psa, odd):
        tenant.put("GET", ONE, odd)
        with pytest.raises(ShapeChanged) as caught:
            write(psa, 5)
        assert caught.value.contact == "5"
        assert not tenant.calls(method="PATCH")

    def test_newer_evidence_stops_a_write_and_what_was_written_is_told(self, tenant, psa):
        checks = []

        def guard():
            checks.append(1)
            if len(checks) == 2:
                raise Superseded("newer")

        tenant.shows(row(5), row(6))
        tenant.put("PATCH", ONE, row(5, "Opted-Out"))
        token = before_sending.set(guard)
        try:
            outcomes = psa.write([Change(str(n), None, OUT) for n in (5, 6)])
            assert next(outcomes) == ("5", APPLIED)
            with pytest.raises(Superseded) as caught:
                next(outcomes)
        finally:
            before_sending.reset(token)
        assert caught.value.contact == "6"
        assert len(tenant.calls(method="PATCH")) == 1

    def test_each_change_is_taken_only_when_the_one_before_is_done(self, tenant, psa):
        taken = []

        def changes():
            for n in range(30):
                taken.append(n)
                yield Change(str(n), None, OUT)

        for n in range(30):
            tenant.put("GET", f"{CONTACTS}/{n}", row(n, "Opted-Out"))
        outcomes = psa.write(changes())
        for n in range(30):
            assert next(outcomes) == (str(n), ALREADY)
            assert len(taken) == n + 1

    def test_the_pace_stays_below_what_is_documented_and_takes_a_cascade_of_200_at_once(self):
        limits = ConnectWise.traits.limits
        assert (limits.calls, limits.per, limits.concurrency) == (600, 60, 3)
        assert 400 <= limits.calls * (1 - limits.reserve) < 1000


class TestCheck:
    @pytest.fixture
    def whole(self, tenant):
        tenant.put("GET", COMPANIES, [company(250), company(251, "Approved"), company(252, "Opted-Out")])
        tenant.put("GET", f"{COMPANIES}/count", {"count": 1})
        item = {"type": {"name": "Cell"}, "value": "202-555-0111", "communicationType": "Phone"}
        main = item | {"type": {"name": "Main"}}
        contacts = [row(1, communicationItems=[item, main]), row(2, "Opted-In")]
        tenant.put("GET", CONTACTS, (200, contacts, {"api-current-version": "2026.1"}))
        tenant.put("GET", "/system/audittrail", [])
        return tenant

    def failures(self, psa):
        return {finding.what: finding.detail for finding in psa.check().findings if finding.grade is Grade.FAIL}

    def test_a_good_tenant_passes_on_one_screen_and_nothing_is_written(self, whole, psa):
        report = psa.check()
        shown = "\n".join(f"{finding.grade} {finding.what}: {finding.detail}" for finding in report.findings)
        assert report.passed, shown
        assert len(report.findings) <= 20
        for said in (
            "Acme MSP, cloud, codebase v2026_1",
            f"{HOST}{API}",
            "records as of 2025.1 (newest: 2026.1)",
            "600 calls in 60 s",
            "'SMS Opt-In' (59), list: 'Opted-In', 'Opted-Out'",
            "'SMS Approval' (71), list: 'Approved'",
            "own: 'Cell' (1); left out: 'Main' (1)",
            "3 seen: 1 approved, 1 opted_out, 1 unset",
            "2 seen, 1 with a usable number; 1 opted_in, 0 opted_out",
            "unset is null (1)",
            "by field agree with the full list: 1 opted out, 1 null",
        ):
            assert said in shown
        assert {method for method, *_ in whole.seen} == {"GET"}
        assert "s3cret" not in shown

    def test_refused_credentials_end_the_checkup(self, whole, psa):
        whole.put("GET", CONTACTS, (401, ""))
        assert list(self.failures(psa)) == ["credentials"]
        assert whole.calls() == [f"GET {INFO}", f"GET {CONTACTS}"]

    @pytest.mark.parametrize(
        ("path", "answer", "what"),
        [
            (INFO, "null", "service"),
            (FIELDS, [definition(59, "SMS Opt-In", OPT_IN, readOnlyFlag=True)], "consent field"),
            (FIELDS, [definition(59, "Other", OPT_IN)], "consent field"),
            (COMPANIES, error(403, "Forbidden", "no"), "companies"),
            (COMPANIES, [], "companies"),
        ],
    )
    def test_what_is_wrong_fails_and_the_rest_is_still_looked_at(self, whole, psa, path, answer, what):
        whole.put("GET", path, answer)
        report = psa.check()
        assert what in {finding.what for finding in report.findings if finding.grade is Grade.FAIL}
        assert any(finding.what == "phone types" for finding in report.findings)

    def test_a_service_that_is_down_is_told_from_a_wrong_setting(self, whole, psa):
        whole.put("GET", INFO, (503, HTML))
        report = psa.check()
        assert [finding.what for finding in report.findings if finding.grade is Grade.DOWN] == ["service"]
        assert report.only_down
        whole.put("GET", CONTACTS, (503, HTML))
        report = psa.check()
        assert [finding.what for finding in report.findings if finding.grade is Grade.DOWN] == [
            "service",
            "credentials",
        ]
        assert report.only_down

    @pytest.mark.parametrize("path", ["/system/audittrail", f"{COMPANIES}/count", FIELDS])
    @pytest.mark.parametrize("answer", [error(403, "Forbidden", "no"), error(404, "ConnectWiseApi", "no")])
    def test_what_is_not_needed_fails_nothing(self, whole, psa, path, answer):
        whole.put("GET", path, answer)
        assert self.failures(psa) == {}

    def test_what_this_tenant_shows_of_the_unknown_is_said(self, whole, psa):
        whole.put("GET", f"{COMPANIES}/count", {"count": 3})
        bare = json.loads(json.dumps(row(1)))
        bare["customFields"] = []
        whole.put("GET", CONTACTS, [bare, row(2)])
        shown = " ".join(finding.detail for finding in psa.check().findings)
        assert "by field differ from the full list: 3 opted out, 3 null" in shown
        assert "1 of 2 contacts do not list it" in shown
        assert "unset is null (1), left out (1)" in shown
