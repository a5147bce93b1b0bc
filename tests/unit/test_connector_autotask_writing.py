"""The Autotask connector writing, keeping within its allowance, and checking, against scripted answers."""

from __future__ import annotations

import json
import time
from email.utils import formatdate

import pytest
import requests
from scripted import HTML
from scripted_autotask import HOST, OPT_IN, company, connected, errors, make, page, row, scripted, udf, write

from connectors.autotask import Autotask
from syncd.connector import ALREADY, APPLIED, GONE, Change, Grade, Result
from syncd.errors import Ambiguous, AuthRefused, ConfigProblem, ShapeChanged, Superseded, Transient
from syncd.http import before_sending
from syncd.model import Consent
from syncd.pace import urgent

tenant = pytest.fixture(scripted)
psa = pytest.fixture(connected)


class TestWriting:
    def test_one_change_is_read_written_and_read_by_id(self, tenant, psa):
        tenant.put("GET", "/V1.0/Contacts/5", {"item": row(5, "1", company=0)}, {"item": row(5, "2", company=0)})
        tenant.put("PATCH", "/V1.0/Companies/0/Contacts", {"itemId": 5})
        assert write(psa, 5) == {"5": APPLIED}
        assert tenant.quick() == [
            "GET /V1.0/Contacts/5",
            "PATCH /V1.0/Companies/0/Contacts",
            "GET /V1.0/Contacts/5",
        ]
        assert tenant.bodies("/V1.0/Companies/0/Contacts") == [
            {"id": 5, "userDefinedFields": [{"name": "SMS Opt-In", "value": "2"}]}
        ]

    def test_many_changes_cost_two_queries_and_a_patch_each(self, tenant, psa):
        before = page([row(1, "1"), row(2, "2"), row(3, None, company=9)])
        after = page([row(1, "2"), row(3, "2", company=9)])
        tenant.put("POST", "/V1.0/Contacts/query", before, after)
        tenant.put("GET", "/V1.0/Contacts/4", {"item": None})
        tenant.put("GET", "/V1.0/Contacts/5", errors("not found", status=404))
        tenant.put("PATCH", "/V1.0/Companies/7/Contacts", {"itemId": 1})
        tenant.put("PATCH", "/V1.0/Companies/9/Contacts", "")
        assert write(psa, 1, 2, 3, 4, 5) == {"1": APPLIED, "2": ALREADY, "3": APPLIED, "4": GONE, "5": GONE}
        first, second = tenant.bodies("/V1.0/Contacts/query")
        assert first["filter"][0] == {"op": "in", "field": "id", "value": [1, 2, 3, 4, 5]}
        assert second["filter"][0] == {"op": "in", "field": "id", "value": [1, 3]}
        assert len(tenant.calls(method="PATCH")) == 2
        assert not tenant.calls(method="PUT")

    def test_a_contact_that_only_a_filter_hides_is_written_all_the_same(self, tenant, psa):
        tenant.put("POST", "/V1.0/Contacts/query", page([row(1, "2")]))
        tenant.put("GET", "/V1.0/Contacts/2", {"item": row(2)}, {"item": row(2, "2")})
        tenant.put("PATCH", "/V1.0/Companies/7/Contacts", {"itemId": 2})
        assert write(psa, 1, 2) == {"1": ALREADY, "2": APPLIED}

    def test_plain_text_is_written_as_configured(self, tenant):
        fields = "/V1.0/Contacts/entityInformation/userDefinedFields"
        tenant.put("GET", fields, {"fields": [udf("SMS Opt-In")]})
        tenant.put("GET", "/V1.0/Contacts/5", {"item": row(5)}, {"item": row(5, "Opted-In")})
        tenant.put("PATCH", "/V1.0/Companies/7/Contacts", {"id": 5})
        assert write(make(), 5, consent=Consent.OPTED_IN) == {"5": APPLIED}
        assert tenant.bodies("/V1.0/Companies/7/Contacts")[0]["userDefinedFields"][0]["value"] == "Opted-In"

    def test_a_value_that_was_not_kept_is_refused_and_the_field_looked_at_again(self, tenant, psa):
        tenant.shows(row(5, "1"))
        tenant.put("PATCH", "/V1.0/Companies/7/Contacts", {"itemId": 5})
        outcome = write(psa, 5)["5"]
        assert outcome.result is Result.REFUSED
        assert "still shows '1'" in outcome.reason
        assert len(tenant.calls("Contacts/entityInformation")) == 2

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (errors("Value does not exist for the required picklist field SMS Opt-In."), "picklist"),
            (errors("String value exceeds maximum length (field:x)", "Error updating entity"), "maximum length"),
            (errors("The logged in Resource does not have the adequate permissions"), "edit contacts"),
            ((403, {"errors": ["no"]}), "edit contacts"),
            ((400, {"errors": ["no"]}), "400"),
            ((200, {"errors": ["invalid value"]}), "invalid value"),
        ],
    )
    def test_what_autotask_does_not_take_is_refused(self, tenant, psa, answer, said):
        tenant.shows(row(5, "1"))
        tenant.put("PATCH", "/V1.0/Companies/7/Contacts", answer)
        outcome = write(psa, 5)["5"]
        assert outcome.result is Result.REFUSED
        assert said in outcome.reason

    def test_a_value_refused_because_the_field_was_renamed_is_a_config_problem(self, tenant, psa):
        tenant.shows(row(5, "1"))
        tenant.put("PATCH", "/V1.0/Companies/7/Contacts", errors("The user-defined field does not exist."))
        fields = "/V1.0/Contacts/entityInformation/userDefinedFields"
        tenant.put("GET", fields, {"fields": [udf("SMS Opt-In", OPT_IN)]}, {"fields": [udf("Texting")]})
        outcomes = psa.write([Change("5", None, Consent.OPTED_OUT)])
        assert next(outcomes)[1].result is Result.REFUSED
        with pytest.raises(ConfigProblem, match="'Texting'"):
            next(outcomes)

    def test_a_missing_opt_in_value_holds_up_no_opt_out(self, tenant, psa):
        fields = "/V1.0/Contacts/entityInformation/userDefinedFields"
        tenant.put("GET", fields, {"fields": [udf("SMS Opt-In", [("1", "Yes"), ("2", "Opted-Out")])]})
        tenant.put("POST", "/V1.0/Contacts/query", page([row(5), row(6)]))
        tenant.put("GET", "/V1.0/Contacts/6", {"item": row(6, "2")})
        tenant.put("PATCH", "/V1.0/Companies/7/Contacts", {"itemId": 6})
        changes = [Change("5", None, Consent.OPTED_IN), Change("6", None, Consent.OPTED_OUT)]
        outcomes = psa.write(changes)
        assert next(outcomes) == ("6", APPLIED)
        with pytest.raises(ConfigProblem, match=r"contact_field\.opted_in: 'Opted-In' is not in the list"):
            next(outcomes)

    def test_a_switched_off_value_is_a_config_problem(self, tenant, psa):
        field = udf("SMS Opt-In", OPT_IN)
        field["picklistValues"][1]["isActive"] = False
        tenant.put("GET", "/V1.0/Contacts/entityInformation/userDefinedFields", {"fields": [field]})
        tenant.shows(row(5, "1"), row(6, "2"))
        with pytest.raises(ConfigProblem, match="switched off"):
            write(psa, 5)
        assert [contact.consent for contact in psa.contacts()] == [Consent.OPTED_IN, Consent.OPTED_OUT]

    @pytest.mark.parametrize(
        ("answer", "expected", "contact"),
        [
            (errors("An unexpected error has occurred"), Transient, "5"),
            ((502, HTML), Ambiguous, "5"),
            ((504, ""), Ambiguous, "5"),
            (requests.ReadTimeout(), Ambiguous, "5"),
            ((503, HTML), Transient, None),
            ((429, ""), Transient, None),
            (requests.ConnectTimeout(), Transient, None),
            ((404, HTML), ShapeChanged, None),
            ((405, {"Message": "does not support http method 'PATCH'"}), ShapeChanged, None),
            (errors("Unable to find SMS Opt-In in the Contact Entity"), ConfigProblem, None),
            ((401, ""), AuthRefused, None),
        ],
    )
    def test_what_a_write_raises_and_whom_it_blames(self, tenant, psa, answer, expected, contact):
        tenant.shows(row(5, "1"))
        tenant.put("PATCH", "/V1.0/Companies/7/Contacts", answer)
        with pytest.raises(expected) as caught:
            write(psa, 5)
        assert caught.value.contact == contact
        assert len(tenant.calls(method="PATCH")) == 1

    def test_a_lost_answer_is_settled_by_reading(self, tenant, psa):
        tenant.put("GET", "/V1.0/Contacts/5", {"item": row(5, "1")}, {"item": row(5, "2")})
        tenant.put("PATCH", "/V1.0/Companies/7/Contacts", requests.ReadTimeout())
        assert write(psa, 5) == {"5": APPLIED}
        assert len(tenant.calls(method="PATCH")) == 1

    def test_a_lost_answer_ends_the_batch_but_blames_nobody_once_it_is_settled(self, tenant, psa):
        tenant.put("POST", "/V1.0/Contacts/query", page([row(1), row(2), row(3)]))
        tenant.put("GET", "/V1.0/Contacts/1", {"item": row(1, "2")})
        tenant.put("PATCH", "/V1.0/Companies/7/Contacts", requests.ReadTimeout())
        outcomes = psa.write([Change(str(n), None, Consent.OPTED_OUT) for n in (1, 2, 3)])
        assert next(outcomes) == ("1", APPLIED)
        with pytest.raises(Transient) as caught:
            next(outcomes)
        assert (type(caught.value), caught.value.contact) == (Transient, None)
        assert len(tenant.calls(method="PATCH")) == 1

    def test_one_bad_contact_does_not_hold_up_the_others(self, tenant, psa):
        def patch(request):
            bad = json.loads(request.body)["id"] == 2
            return errors("An unexpected error has occurred") if bad else {"itemId": 1}

        tenant.put("PATCH", "/V1.0/Companies/7/Contacts", patch)
        before = page([row(n) for n in (1, 2, 3)])
        tenant.put("POST", "/V1.0/Contacts/query", before, page([row(1, "2"), row(3, "2")]))
        outcomes = psa.write([Change(str(n), None, Consent.OPTED_OUT) for n in (1, 2, 3)])
        assert [next(outcomes), next(outcomes)] == [("1", APPLIED), ("3", APPLIED)]
        with pytest.raises(Transient) as caught:
            next(outcomes)
        assert caught.value.contact == "2"

    def test_a_sick_service_is_not_asked_for_every_contact_of_a_batch(self, tenant, psa):
        tenant.put("PATCH", "/V1.0/Companies/7/Contacts", errors("An unexpected error has occurred"))
        tenant.put("POST", "/V1.0/Contacts/query", page([row(n) for n in range(50)]))
        with pytest.raises(Transient):
            write(psa, *range(50))
        assert len(tenant.calls(method="PATCH")) == 3

    def test_after_a_401_nothing_more_is_asked(self, tenant, psa):
        tenant.put("POST", "/V1.0/Contacts/query", page([row(1), row(2), row(3)]))
        tenant.put("PATCH", "/V1.0/Companies/7/Contacts", {"itemId": 1}, (401, ""))
        with pytest.raises(AuthRefused):
            write(psa, 1, 2, 3)
        assert tenant.quick()[-1] == "PATCH /V1.0/Companies/7/Contacts"
        assert len(tenant.calls(method="PATCH")) == 2

    def test_newer_evidence_stops_a_batch_and_what_was_sent_is_still_told(self, tenant, psa):
        sent = []

        def guard():
            sent.append(1)
            if len(sent) == 2:
                raise Superseded("newer")

        tenant.put("POST", "/V1.0/Contacts/query", page([row(1), row(2), row(3)]))
        tenant.put("GET", "/V1.0/Contacts/1", {"item": row(1, "2")})
        tenant.put("PATCH", "/V1.0/Companies/7/Contacts", {"itemId": 1})
        token = before_sending.set(guard)
        try:
            outcomes = psa.write([Change(str(n), None, Consent.OPTED_OUT) for n in (1, 2, 3)])
            assert next(outcomes) == ("1", APPLIED)
            with pytest.raises(Superseded) as caught:
                next(outcomes)
        finally:
            before_sending.reset(token)
        assert caught.value.contact == "2"
        assert len(tenant.calls(method="PATCH")) == 1

    def test_rows_that_were_not_asked_for_are_never_written(self, tenant, psa):
        tenant.put("POST", "/V1.0/Contacts/query", page([row(1), row(99)]))
        with pytest.raises(ShapeChanged):
            write(psa, 1, 2)
        tenant.put("GET", "/V1.0/Contacts/1", {"item": row(99)})
        with pytest.raises(ShapeChanged):
            write(psa, 1)
        assert not tenant.calls(method="PATCH")

    def test_a_contact_of_another_system_is_gone_and_one_without_company_refused(self, tenant, psa):
        tenant.shows(row(5, company=None))
        assert write(psa, "c5") == {"c5": GONE}
        assert write(psa, 5)["5"].result is Result.REFUSED

    def test_no_more_changes_are_taken_than_a_batch_before_outcomes_come(self, tenant, psa):
        taken = []

        def changes():
            for n in range(250):
                taken.append(n)
                yield Change(str(n), None, Consent.OPTED_OUT)

        def answer(request):
            wanted = json.loads(request.body)["filter"][0]["value"]
            return page([row(n, "2") for n in wanted])

        tenant.put("POST", "/V1.0/Contacts/query", answer)
        outcomes = psa.write(changes())
        assert next(outcomes) == ("0", ALREADY)
        assert len(taken) == Autotask.traits.batch == 100
        assert len(list(outcomes)) == 249


class TestAllowance:
    def test_two_calls_at_once_and_half_of_the_hourly_allowance(self):
        limits = Autotask.traits.limits
        assert (limits.concurrency, limits.calls, limits.per) == (2, 5_000, 3600)
        assert 0 < limits.reserve < 0.5

    @pytest.mark.parametrize(
        ("used", "ordinary", "personal"),
        [(100, True, True), (8_000, True, True), (9_000, False, True), (9_700, False, False)],
    )
    def test_what_others_use_beyond_their_half_narrows_ours(self, tenant, psa, used, ordinary, personal):
        answer = {"currentTimeframeRequestCount": used, "externalRequestThreshold": 10_000}
        tenant.put("GET", "/V1.0/ThresholdInformation", answer)
        tenant.put("POST", "/V1.0/Companies/query", page([company(1, "10")]))
        assert self.goes_through(psa) == ordinary
        token = urgent.set(True)
        try:
            assert self.goes_through(psa) == personal
        finally:
            urgent.reset(token)

    def goes_through(self, psa):
        try:
            return bool(list(psa.companies()))
        except Transient:
            return False

    def test_the_counter_is_read_at_most_every_five_minutes(self, tenant, psa):
        now = [time.time()]

        def dated(body):
            return lambda request: (200, body, {"Date": formatdate(now[0], usegmt=True)})

        tenant.put("GET", "/V1.0/ThresholdInformation", dated({"currentTimeframeRequestCount": 5}))
        tenant.put("POST", "/V1.0/Companies/query", dated(page([company(1, "10")])))
        for _ in range(15):
            list(psa.companies())
            now[0] += 50
        assert len(tenant.calls("Threshold")) == 3

    def test_without_dates_calls_are_counted_instead(self, tenant, psa):
        tenant.put("POST", "/V1.0/Companies/query", page([company(1, "10")]))
        for _ in range(500):
            list(psa.companies())
        assert len(tenant.calls("Threshold")) == 2

    @pytest.mark.parametrize("answer", [(500, ""), (429, ""), HTML, (403, {"errors": ["no"]})])
    def test_a_counter_that_cannot_be_read_stops_nothing(self, tenant, psa, answer):
        tenant.put("GET", "/V1.0/ThresholdInformation", answer)
        tenant.put("POST", "/V1.0/Companies/query", page([company(1, "10")]))
        assert len(list(psa.companies())) == 1

    def test_a_counter_that_says_when_to_come_back_is_obeyed(self, tenant, psa):
        tenant.put("GET", "/V1.0/ThresholdInformation", (429, "", {"Retry-After": "7"}))
        with pytest.raises(Transient) as caught:
            list(psa.companies())
        assert caught.value.retry_after == 7
        assert tenant.calls("query") == []


class TestCheck:
    @pytest.fixture
    def whole(self, tenant):
        tenant.put("GET", "/VersionInformation", {"apiVersions": ["V1.0", "V2.0"]})
        rights = {"canQuery": True, "canUpdate": True, "userAccessForUpdate": 1}
        tenant.put("GET", "/V1.0/Contacts/entityInformation", {"info": rights})
        tenant.put("GET", "/V1.0/Companies/entityInformation", {"info": rights})
        tenant.put("POST", "/V1.0/Companies/query", page([company(0), company(1, "10"), company(2, "11")]))
        tenant.shows(row(1, "1", phone="202-555-0110"), row(2, "2", phone="reception"))
        return tenant

    def failures(self, psa):
        return {finding.what: finding.detail for finding in psa.check().findings if finding.grade is Grade.FAIL}

    def test_a_good_tenant_passes_on_one_screen_and_nothing_is_written(self, whole, psa):
        report = psa.check()
        shown = "\n".join(f"{finding.grade} {finding.what}: {finding.detail}" for finding in report.findings)
        assert report.passed, shown
        assert len(report.findings) <= 20
        for said in (
            f"{HOST}/ATServicesRest (looked up)",
            "V1.0, V2.0",
            "1 of 10000 calls",
            "permissions: contacts may be edited",
            "'SMS Opt-In', list: 'Opted-In' (1), 'Opted-Out' (2)",
            "'SMS Approval', list: 'Approved' (10)",
            "3 seen: 1 approved, 1 opted_out, 1 unset",
            "2 seen, 1 with a usable number; 1 opted_in, 1 opted_out",
            "restricted user",
        ):
            assert said in shown
        assert not whole.calls(method="PATCH")
        assert "s3cret" not in shown

    def test_refused_credentials_end_the_checkup(self, whole, psa):
        whole.put("GET", "/V1.0/ThresholdInformation", (401, ""))
        failed = self.failures(psa)
        assert list(failed) == ["credentials"]
        assert len(whole.calls("V1.0/(Threshold|Contacts|Companies)")) == 1

    @pytest.mark.parametrize(
        ("path", "answer", "what"),
        [
            ("/VersionInformation", {"apiVersions": ["V2.0"]}, "service"),
            ("/V1.0/Contacts/entityInformation", {"info": {"canUpdate": False}}, "permissions"),
            (
                "/V1.0/Contacts/entityInformation",
                {"info": {"canUpdate": True, "userAccessForUpdate": 0}},
                "permissions",
            ),
            ("/V1.0/Companies/entityInformation", {"info": {"canQuery": False}}, "permissions"),
            ("/V1.0/Companies/entityInformation", HTML, "permissions"),
            (
                "/V1.0/Contacts/entityInformation/userDefinedFields",
                {"fields": [udf("SMS Opt-In", OPT_IN, isReadOnly=True)]},
                "consent field",
            ),
            ("/V1.0/Contacts/entityInformation/userDefinedFields", {"fields": []}, "consent field"),
        ],
    )
    def test_what_is_wrong_fails_and_the_rest_is_still_looked_at(self, whole, psa, path, answer, what):
        whole.put("GET", path, answer)
        failed = self.failures(psa)
        assert what in failed
        assert "companies" not in failed

    def test_no_company_at_all_fails(self, whole, psa):
        whole.put("POST", "/V1.0/Companies/query", page([]))
        assert "companies" in self.failures(psa)
