"""The Autotask connector reading, against scripted answers: what it asks, what it makes of what comes back."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from urllib.parse import urlsplit

import pytest
import requests
from pydantic import ValidationError
from scripted import HTML
from scripted_autotask import (
    ACCOUNT,
    APPROVAL,
    HOST,
    OPT_IN,
    SECRETS,
    ZONE,
    company,
    connected,
    errors,
    make,
    page,
    row,
    scripted,
    udf,
    write,
)

from connectors.autotask.client import Clause
from connectors.autotask.settings import AutotaskSettings
from syncd.connector import ALREADY
from syncd.errors import AuthRefused, ConfigProblem, Permanent, ShapeChanged, Transient
from syncd.model import Company, CompanyState, Consent, Contact

tenant = pytest.fixture(scripted)
psa = pytest.fixture(connected)


class TestSettings:
    def test_the_documented_keys_are_taken(self):
        settings = AutotaskSettings(
            **ACCOUNT,
            base_url="https://webservices5.autotask.net/ATServicesRest/",
            phone_fields=["mobilePhone"],
            contact_field={"name": "A", "opted_in": "Y", "opted_out": "N"},
            company_field={"name": "B", "approved": ["Y", "OK"], "opted_out": ["N"]},
        )
        assert settings.base_url == "https://webservices5.autotask.net/ATServicesRest"
        assert settings.zone_discovery_url == "https://webservices.autotask.net/atservicesrest"
        assert AutotaskSettings(**ACCOUNT).phone_fields == ["mobilePhone", "phone", "alternatePhone"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"phone_fields": ["faxNumber"]},
            {"phone_fields": []},
            {"base_url": "http://webservices5.autotask.net"},
            {"zone_discovery_url": "http://example.com"},
            {"secret": ""},
            {"secret": "two\nlines"},
            {"username": "über@example.com"},
            {"contact_field": {"name": "A", "opted_in": "Yes", "opted_out": "yes"}},
            {"contact_field": {"name": "", "opted_in": "Y", "opted_out": "N"}},
            {"company_field": {"name": "B", "approved": [], "opted_out": ["N"]}},
            {"company_field": {"name": "B", "approved": ["Y"], "opted_out": ["y"]}},
            {"unknown": 1},
        ],
    )
    def test_wrong_ones_are_refused_without_quoting_a_secret(self, wrong):
        with pytest.raises(ValidationError) as caught:
            AutotaskSettings(**(ACCOUNT | wrong))
        assert "s3cret" not in str(caught.value)
        assert "lines" not in str(caught.value)

    def test_secrets_do_not_show(self):
        assert "s3cret" not in repr(AutotaskSettings(**ACCOUNT))
        assert "CODE" not in repr(AutotaskSettings(**ACCOUNT))


class TestZone:
    def test_the_look_up_carries_no_credentials_and_every_other_call_does(self, tenant, psa):
        tenant.put("POST", "/V1.0/Companies/query", page([company(0, "10")]))
        assert len(list(psa.companies())) == 1
        looked_up, *others = [request for *_, request in tenant.seen]
        assert looked_up.url == (
            "https://webservices.autotask.net/atservicesrest/v1.0/zoneInformation?user=api%2Buser%40example.com"
        )
        assert not SECRETS & set(looked_up.headers)
        assert others
        assert all(set(request.headers) >= SECRETS for request in others)
        assert all(request.url.startswith(f"{HOST}/ATServicesRest/V1.0/") for request in others)

    def test_it_is_looked_up_once(self, tenant, psa):
        tenant.put("POST", "/V1.0/Companies/query", page([company(0)]))
        for _ in range(3):
            list(psa.companies())
        assert len(tenant.calls("zone")) == 1

    def test_a_given_base_url_needs_no_look_up(self, tenant):
        tenant.put("POST", "/V1.0/Companies/query", page([company(0)]))
        assert list(make(base_url=f"{HOST}/ATServicesRest/V1.0/").companies())
        assert tenant.calls("zone") == []

    @pytest.mark.parametrize(
        "url",
        [
            f"{HOST}//ATServicesRest/",
            f"{HOST}/ATServicesRest",
            "https://prde.autotask.net/ATServicesRest/",
            "https://pres.autotask.net/ATServicesRest/",
            "https://webservices29.autotask.com.au/ATServicesRest/",
            "https://webservices4.autotask.co.uk/ATServicesRest/",
        ],
    )
    def test_every_server_of_autotask_is_taken_and_slashes_are_made_single(self, tenant, psa, url):
        tenant.put("GET", ZONE, {"url": url})
        tenant.put("POST", "/V1.0/Companies/query", page([company(0)]))
        list(psa.companies())
        host = urlsplit(url).hostname
        assert tenant.seen[-1][3].url == f"https://{host}/ATServicesRest/V1.0/Companies/query"

    @pytest.mark.parametrize(
        "answer",
        [
            {"url": "http://webservices5.autotask.net/ATServicesRest/"},
            {"url": "https://webservices5.autotask.net.evil.example/ATServicesRest/"},
            {"url": "https://evil.example/ATServicesRest/"},
            {"url": "https://user:pw@webservices5.autotask.net/ATServicesRest/"},
            {"url": "https://webservices5.autotask.net:8443/ATServicesRest/"},
            {"url": "http://127.0.0.1:8080/ATServicesRest/"},
            {"url": "https://autotask.net/ATServicesRest/"},
            {"url": None},
            {"zoneName": "x"},
            "<html>",
            "",
        ],
    )
    def test_no_other_host_ever_hears_the_secret(self, tenant, psa, answer):
        tenant.put("GET", ZONE, answer)
        with pytest.raises(ShapeChanged):
            list(psa.companies())
        assert len(tenant.seen) == 1

    def test_an_unknown_user_name_is_told_from_a_failure(self, tenant, psa):
        tenant.put("GET", ZONE, errors("Zone information could not be determined"), errors("Database is down"))
        with pytest.raises(AuthRefused, match="username"):
            list(psa.companies())
        with pytest.raises(Transient):
            list(psa.companies())

    def test_after_a_401_the_zone_is_looked_up_once_and_not_tried_again_if_it_is_the_same(self, tenant, psa):
        tenant.put("GET", "/V1.0/Contacts/entityInformation/userDefinedFields", (401, {"errors": ["no"]}))
        with pytest.raises(AuthRefused, match="locked account"):
            write(psa, 1)
        assert tenant.calls() == [
            f"GET {ZONE}",
            "GET /V1.0/Contacts/entityInformation/userDefinedFields",
            f"GET {ZONE}",
        ]

    def test_a_tenant_that_moved_is_followed_once(self, tenant, psa):
        moved = "https://webservices29.autotask.net/ATServicesRest/"
        tenant.put("GET", ZONE, {"url": f"{HOST}/ATServicesRest/"}, {"url": moved})
        tenant.shows(row(1, "2"))
        fields = "/V1.0/Contacts/entityInformation/userDefinedFields"
        tenant.put("GET", fields, (401, ""), {"fields": [udf("SMS Opt-In", OPT_IN)]})
        assert write(psa, 1) == {"1": ALREADY}
        asked = [urlsplit(request.url).hostname for _, path, _, request in tenant.seen if path == fields]
        assert asked == ["webservices5.autotask.net", "webservices29.autotask.net"]

    def test_a_server_that_does_not_answer_is_looked_up_again(self, tenant, psa):
        moved = "https://webservices29.autotask.net/ATServicesRest/"
        tenant.put("GET", ZONE, {"url": f"{HOST}/ATServicesRest/"}, {"url": moved})
        tenant.put("POST", "/V1.0/Companies/query", requests.ReadTimeout(), page([company(0)]))
        with pytest.raises(Transient):
            list(psa.companies())
        assert len(list(psa.companies())) == 1
        assert tenant.seen[-1][3].url.startswith(moved)

    def test_a_directory_that_is_down_does_not_stop_a_known_zone(self, tenant, psa):
        tenant.put("GET", ZONE, {"url": f"{HOST}/ATServicesRest/"}, (503, ""))
        tenant.put("POST", "/V1.0/Companies/query", requests.ReadTimeout(), page([company(0)]))
        with pytest.raises(Transient):
            list(psa.companies())
        assert len(list(psa.companies())) == 1

    def test_a_wrong_integration_code_under_500_is_a_refusal(self, tenant, psa):
        tenant.put(
            "GET", "/V1.0/Contacts/entityInformation/userDefinedFields", errors("IntegrationCode is invalid")
        )
        with pytest.raises(AuthRefused):
            write(psa, 1)


class TestQueries:
    def test_the_grammar(self, tenant, psa):
        tenant.put("POST", "/V1.0/Contacts/query", page([row(5, company=0)]))
        assert [contact.company_id for contact in psa.contacts(company="0")] == ["0"]
        assert tenant.bodies("/V1.0/Contacts/query") == [
            {
                "MaxRecords": 500,
                "IncludeFields": [
                    *("id", "companyID", "isActive", "firstName", "lastName"),
                    *("mobilePhone", "phone", "alternatePhone", "SMS Opt-In"),
                ],
                "filter": [
                    {"op": "eq", "field": "companyID", "value": 0},
                    {"op": "gte", "field": "id", "value": 0},
                ],
            }
        ]

    def test_pages_are_walked_by_id_until_one_is_short(self, tenant, psa):
        tenant.put("POST", "/V1.0/Companies/query", page([company(n) for n in range(500)]), page([company(500)]))
        assert [company.id for company in psa.companies()] == [str(n) for n in range(501)]
        filters = [body["filter"] for body in tenant.bodies("/V1.0/Companies/query")]
        assert filters == [
            [{"op": "gte", "field": "id", "value": 0}],
            [{"op": "gt", "field": "id", "value": 499}],
        ]
        assert not tenant.calls("query/next")

    def test_a_full_last_page_is_followed_by_an_empty_one(self, tenant, psa):
        tenant.put("POST", "/V1.0/Companies/query", page([company(n) for n in range(500)]), page([]))
        assert len(list(psa.companies())) == 500

    def test_a_server_with_smaller_pages_is_read_to_the_end(self, tenant, psa):
        tenant.put("POST", "/V1.0/Companies/query", page([company(1), company(2)], "next"), page([company(3)]))
        assert [company.id for company in psa.companies()] == ["1", "2", "3"]

    @pytest.mark.parametrize(
        "pages",
        [
            pytest.param([page([company(n) for n in range(500)])], id="the condition on id is ignored"),
            pytest.param([page([company(n) for n in range(501)])], id="more than asked"),
            pytest.param([page([company(n) for n in range(500, 0, -1)]), page([])], id="full page, not sorted"),
            pytest.param([page([company(1), company(1)])], id="repeated"),
            pytest.param([page([company(1)], "next"), page([company(1)])], id="no progress"),
            pytest.param([page([], "next")], id="empty, promises more"),
            pytest.param([page([company(1)], count=2)], id="counts more than came"),
            pytest.param([page([company(None)])], id="no id"),
            pytest.param([page([{"companyName": "x"}])], id="id missing"),
            pytest.param([{"pageDetails": {}}], id="no items"),
            pytest.param([{"items": None}], id="items null"),
            pytest.param([{"items": ["x"]}], id="items of text"),
            pytest.param([[company(1)]], id="a list"),
            pytest.param([HTML], id="html"),
            pytest.param([""], id="empty body"),
            pytest.param(['{"items":[{"id":1'], id="cut off"),
        ],
    )
    def test_an_answer_that_does_not_fit_is_never_a_list(self, tenant, psa, pages):
        tenant.put("POST", "/V1.0/Companies/query", *pages)
        with pytest.raises(ShapeChanged):
            list(psa.companies())
        assert len(tenant.calls("query")) <= 3

    def test_a_short_page_may_be_unsorted(self, tenant, psa):
        tenant.put("POST", "/V1.0/Companies/query", page([company(2), company(1)]))
        assert [company.id for company in psa.companies()] == ["2", "1"]

    def test_errors_under_200_are_no_rows_either(self, tenant, psa):
        tenant.put("POST", "/V1.0/Companies/query", {"errors": ["try later"]}, {"errors": ["x"], "items": []})
        for _ in range(2):
            with pytest.raises(Transient):
                list(psa.companies())

    def test_a_cascade_never_touches_contacts_of_another_company(self, tenant, psa):
        tenant.put("POST", "/V1.0/Contacts/query", page([row(1, company=7), row(2, company=8)]))
        with pytest.raises(ShapeChanged, match="the filter was not obeyed"):
            list(psa.contacts(company="7"))

    def test_an_operator_that_autotask_would_ignore_cannot_be_sent(self):
        with pytest.raises(ValueError, match="no operator 'ne'"):
            Clause("ne", "id", 1)

    def test_a_company_that_is_no_number_is_not_asked_for(self, tenant, psa):
        with pytest.raises(Permanent):
            list(psa.contacts(company="acme"))
        assert tenant.seen == []


class TestErrors:
    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            ((429, {"errors": ["busy"]}), Transient),
            ((503, HTML), Transient),
            (errors("An unexpected error has occurred"), Transient),
            (errors("Thread Threshold Exceeded - the thread threshold of 3 threads ...", status=400), Transient),
            (errors("Itgenatr005", status=403), Transient),
            ((403, {"errors": ["Forbidden"]}), Permanent),
            (errors("The logged in Resource does not have the adequate permissions"), Permanent),
            (errors("Invalid query syntax."), Permanent),
            ((404, HTML), ShapeChanged),
            ((405, {"Message": "The requested resource does not support http method 'POST'."}), ShapeChanged),
            ((302, ""), ShapeChanged),
            (errors({"message": "Unable to find companyNam in the Company Entity.", "field": "x"}), ConfigProblem),
        ],
    )
    def test_what_a_read_raises(self, tenant, psa, answer, expected):
        tenant.put("POST", "/V1.0/Companies/query", answer)
        with pytest.raises(expected):
            list(psa.companies())

    def test_how_long_to_wait_is_passed_on(self, tenant, psa):
        busy = {"errors": ["The thread threshold of 3 threads has been exceeded"]}
        tenant.put("POST", "/V1.0/Companies/query", (500, busy, {"Retry-After": "77"}), (429, busy))
        with pytest.raises(Transient) as caught:
            list(psa.companies())
        assert caught.value.retry_after == 77
        with pytest.raises(Transient) as caught:
            list(psa.companies())
        assert caught.value.retry_after is None
        assert caught.value.contact is None

    def test_an_unknown_field_names_it(self, tenant, psa):
        tenant.put("POST", "/V1.0/Contacts/query", errors("Unable to find alternatePhone in the Contact Entity."))
        with pytest.raises(ConfigProblem, match="'alternatePhone'"):
            list(psa.contacts())


class TestCompanies:
    def test_value_and_label_count_in_any_case_and_the_rest_is_unset(self, tenant, psa, remarks):
        bare = company(8)
        del bare["userDefinedFields"]
        rows = [company(0, "10"), company(1, " approved "), company(2, "11"), company(3, "OPTED-OUT")]
        rows += [company(4), company(5, ""), company(6, "12"), company(7, userDefinedFields=None), bare]
        rows += [company(9, "12", userDefinedFields=[])]
        tenant.put("POST", "/V1.0/Companies/query", page(rows))
        states = {found.id: found.state for found in psa.companies()}
        assert states == dict.fromkeys("01", CompanyState.APPROVED) | dict.fromkeys(
            "23", CompanyState.OPTED_OUT
        ) | dict.fromkeys("456789", CompanyState.UNSET)
        list(psa.companies())
        assert remarks == ["Autotask: 'SMS Approval' of company 6 holds '12', which counts as not set"]

    def test_a_company_shows_id_and_name(self, tenant, psa):
        tenant.put("POST", "/V1.0/Companies/query", page([company(0, "10", companyName=None), company(1)]))
        assert list(psa.companies()) == [
            Company("0", "company 0", CompanyState.APPROVED),
            Company("1", "Company 1", CompanyState.UNSET),
        ]

    def test_plain_text_is_matched_by_itself(self, tenant, psa):
        fields = "/V1.0/Companies/entityInformation/userDefinedFields"
        tenant.put("GET", fields, {"fields": [udf("SMS Approval")]})
        tenant.put("POST", "/V1.0/Companies/query", page([company(1, "APPROVED"), company(2, "ok")]))
        assert [found.state for found in psa.companies()] == [CompanyState.APPROVED, CompanyState.UNSET]

    def test_a_renamed_field_is_a_problem_and_not_a_withdrawn_approval(self, tenant, psa):
        fields = "/V1.0/Companies/entityInformation/userDefinedFields"
        tenant.put("GET", fields, {"fields": [udf("Texting", APPROVAL), udf("Size")]})
        tenant.put("POST", "/V1.0/Companies/query", page([company(1)]))
        with pytest.raises(ConfigProblem, match="'Texting', 'Size'"):
            list(psa.companies())
        assert not tenant.calls("query")

    def test_a_field_renamed_since_the_last_look_is_noticed_at_once(self, tenant, psa):
        fields = "/V1.0/Companies/entityInformation/userDefinedFields"
        tenant.put("POST", "/V1.0/Companies/query", page([company(1, "10")]))
        assert [found.state for found in psa.companies()] == [CompanyState.APPROVED]
        tenant.put("GET", fields, {"fields": [udf("Texting", APPROVAL)]})
        renamed = company(1, userDefinedFields=[{"name": "Texting", "value": "10"}])
        tenant.put("POST", "/V1.0/Companies/query", page([renamed]))
        with pytest.raises(ConfigProblem, match="'Texting'"):
            list(psa.companies())
        tenant.put("GET", fields, {"fields": [udf("Texting", APPROVAL)]})
        tenant.put("POST", "/V1.0/Companies/query", errors("Unable to find SMS Approval in the Company Entity."))
        with pytest.raises(ConfigProblem, match="'Texting'"):
            list(psa.companies())

    def test_a_value_renamed_since_the_last_look_is_noticed_at_once(self, tenant, psa):
        fields = "/V1.0/Companies/entityInformation/userDefinedFields"
        same = [("Approved", "Approved"), ("Opted-Out", "Opted-Out")]
        tenant.put("GET", fields, {"fields": [udf("SMS Approval", same)]})
        tenant.put("POST", "/V1.0/Companies/query", page([company(1, "Approved")]))
        assert [found.state for found in psa.companies()] == [CompanyState.APPROVED]
        new = [("Yes", "Yes"), ("Opted-Out", "Opted-Out")]
        tenant.put("GET", fields, {"fields": [udf("SMS Approval", new)]})
        tenant.put("POST", "/V1.0/Companies/query", page([company(1, "Yes")]))
        with pytest.raises(ConfigProblem, match=r"'Approved' is not in the list.*'Yes', 'Opted-Out'"):
            list(psa.companies())

    def test_chosen_fields_that_hide_the_udf_are_given_up(self, tenant, psa):
        def answer(request):
            chosen = "IncludeFields" in json.loads(request.body)
            return page([company(1, userDefinedFields=[]) if chosen else company(1, "10")])

        tenant.put("POST", "/V1.0/Companies/query", answer)
        for _ in range(3):
            assert [found.state for found in psa.companies()] == [CompanyState.APPROVED]
        chosen = ["IncludeFields" in body for body in tenant.bodies("/V1.0/Companies/query")]
        assert chosen == [True, False, False, False, False]

    def test_chosen_fields_that_the_service_refuses_are_given_up(self, tenant, psa):
        def answer(request):
            if "IncludeFields" in json.loads(request.body):
                return errors("Unable to find SMS Approval in the Company Entity.")
            return page([company(1, "10")])

        tenant.put("POST", "/V1.0/Companies/query", answer)
        assert [found.state for found in psa.companies()] == [CompanyState.APPROVED]


class TestContacts:
    def test_a_contact_shows_what_its_record_holds(self, tenant, psa):
        phones = {
            "mobilePhone": "(202) 555-0110",
            "phone": "202.555.0110 x7",
            "alternatePhone": "202-555-0111 / 0112",
        }
        tenant.shows(row(30684047, "1", company=0, **phones), row(30684048, "Opted-Out", firstName=None))
        first, second = psa.contacts()
        assert first == Contact(
            "30684047", "0", "Ann Lee", ("+12025550110", "+12025550111"), True, Consent.OPTED_IN
        )
        assert (second.name, second.consent, second.company_id) == ("Lee", Consent.OPTED_OUT, "7")

    def test_only_the_configured_phone_fields_count(self, tenant):
        tenant.shows(row(1, "1", mobilePhone="202-555-0110", phone="202-555-0111"))
        psa = make(phone_fields=["phone"])
        assert [contact.numbers for contact in psa.contacts()] == [("+12025550111",)]
        assert "mobilePhone" not in tenant.bodies("/V1.0/Contacts/query")[0]["IncludeFields"]

    @pytest.mark.parametrize(
        ("said", "active"), [(1, True), (0, False), (True, True), (False, False), ("1", True), ("0", False)]
    )
    def test_active_in_each_form(self, tenant, psa, said, active):
        tenant.shows(row(1, "1", isActive=said))
        assert next(psa.contacts()).active is active

    def test_an_unreadable_active_counts_as_active_and_is_named(self, tenant, psa, remarks):
        tenant.shows(row(1, "1", isActive=None))
        assert next(psa.contacts()).active
        assert remarks == ["Autotask: isActive of contact 1 cannot be read; it counts as active"]

    def test_an_unknown_value_is_unset_and_named_once(self, tenant, psa, remarks):
        tenant.shows(row(1, "maybe"), row(2, "Maybe "), row(3, "1"))
        consents = [contact.consent for contact in psa.contacts()]
        assert consents == [None, None, Consent.OPTED_IN]
        assert len(remarks) == 1

    def test_a_record_without_its_company_is_not_trusted(self, tenant, psa):
        broken = row(1, "1")
        del broken["companyID"]
        tenant.shows(broken)
        with pytest.raises(ShapeChanged):
            list(psa.contacts())

    def test_a_udf_is_found_by_its_label_too_and_spoken_of_by_its_name(self, tenant, psa):
        field = udf("SMSOptIn", OPT_IN) | {"label": "SMS Opt-In"}
        tenant.put("GET", "/V1.0/Contacts/entityInformation/userDefinedFields", {"fields": [field]})
        tenant.shows(row(1, userDefinedFields=[{"name": "SMSOptIn", "value": "2"}]))
        assert [contact.consent for contact in psa.contacts()] == [Consent.OPTED_OUT]
        assert "SMSOptIn" in tenant.bodies("/V1.0/Contacts/query")[0]["IncludeFields"]

    def test_a_udf_or_value_that_does_not_exist_names_those_that_do(self, tenant):
        tenant.shows(row(1))
        missing = make(contact_field={"name": "Texting", "opted_in": "Opted-In", "opted_out": "Opted-Out"})
        with pytest.raises(ConfigProblem, match="'Birthday', 'SMS Opt-In'"):
            list(missing.contacts())
        wrong = make(contact_field={"name": "sms opt-in", "opted_in": "Yes", "opted_out": "No"})
        with pytest.raises(ConfigProblem) as caught:
            list(wrong.contacts())
        assert [problem.where for problem in caught.value.problems] == [
            "psa.settings.contact_field.opted_in",
            "psa.settings.contact_field.opted_out",
        ]
        assert "'Opted-In', 'Opted-Out'" in str(caught.value)
        same = make(contact_field={"name": "SMS Opt-In", "opted_in": "1", "opted_out": "Opted-In"})
        with pytest.raises(ConfigProblem, match="cannot mean both"):
            list(same.contacts())

    def test_the_fields_are_looked_at_every_fifteen_minutes_by_the_services_own_clock(self, tenant, psa):
        now = [time.time()]

        def answer(request):
            return 200, page([row(1, "1")]), {"Date": formatdate(now[0], usegmt=True)}

        fields = "/V1.0/Contacts/entityInformation/userDefinedFields"
        known = {"fields": [udf("SMS Opt-In", OPT_IN)]}
        tenant.put("GET", fields, lambda request: (200, known, {"Date": formatdate(now[0], usegmt=True)}))
        tenant.put("POST", "/V1.0/Contacts/query", answer)
        for _ in range(29):
            list(psa.contacts())
            now[0] += 61
        assert len(tenant.calls("Contacts/entityInformation")) == 2
