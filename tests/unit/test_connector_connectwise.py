"""The ConnectWise connector reading, against scripted answers: what it asks, what it makes of what comes back."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import yaml
from pydantic import ValidationError
from scripted import HTML
from scripted_connectwise import (
    ACCOUNT,
    API,
    COMPANIES,
    CONTACTS,
    FIELDS,
    HOST,
    INFO,
    OPT_IN,
    STATUSES,
    TYPES,
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

from connectors.connectwise.client import Condition, quoted
from connectors.connectwise.settings import ConnectWiseSettings
from connectors.connectwise.site import CLOUD_HOSTS, api_origin
from syncd.errors import AuthRefused, ConfigProblem, Permanent, ShapeChanged, SyncdError, Transient
from syncd.model import Company, CompanyState, Consent, Contact

BASIC = base64.b64encode(b"acme+PUBLIC:s3cret").decode()


tenant = pytest.fixture(scripted)
psa = pytest.fixture(connected)


class TestSettings:
    def test_the_documented_keys_are_taken(self):
        settings = ConnectWiseSettings(
            **ACCOUNT,
            version=None,
            codebase=None,
            phone_types=["Cell"],
            custom_field_writes="minimal",
            contact_field={"name": "A", "opted_in": True, "opted_out": False},
            company_field={"by": "status", "approved": ["Active"], "opted_out": ["Not Approved"]},
        )
        assert settings.site == "https://na.myconnectwise.net"
        assert settings.contact_field.opted_in is True
        plain = ConnectWiseSettings(**ACCOUNT)
        assert (plain.version, plain.codebase, plain.phone_types) == ("2025.1", "v4_6_release", None)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"site": "http://psa.example.com"},
            {"site": "https://psa.example.com/v4_6_release"},
            {"site": "https://user:s3cret@psa.example.com"},
            {"company": "acme+x"},
            {"company": "../x"},
            {"public_key": "PUBLIC:s3cret"},
            {"private_key": ""},
            {"private_key": "s3cret\nlines"},
            {"client_id": "ünïque"},
            {"version": "latest"},
            {"codebase": "v1/../x"},
            {"phone_types": []},
            {"custom_field_writes": "some"},
            {"contact_field": {"name": "A", "opted_in": "Yes", "opted_out": "yes"}},
            {"contact_field": {"name": "A", "opted_in": True, "opted_out": True}},
            {"contact_field": {"name": "A", "opted_in": 1, "opted_out": 0}},
            {"contact_field": {"name": " ", "opted_in": "Y", "opted_out": "N"}},
            {"contact_field": {"name": "A", "opted_in": " ", "opted_out": "N"}},
            {"company_field": {"name": "B", "approved": [], "opted_out": ["N"]}},
            {"company_field": {"name": "B", "approved": ["Y"], "opted_out": ["y"]}},
            {"company_field": {"by": "status", "name": "B", "approved": ["Active"]}},
            {"unknown": 1},
        ],
    )
    def test_wrong_ones_are_refused_without_quoting_a_secret(self, wrong):
        with pytest.raises(ValidationError) as caught:
            ConnectWiseSettings(**(ACCOUNT | wrong))
        assert "s3cret" not in str(caught.value)
        assert "lines" not in str(caught.value)

    def test_the_example_shows_every_key(self):
        text = (Path(__file__).parents[2] / "config.example.yaml").read_text()
        block = re.search(r"(?:^#     .*\n)+", text[text.index("For ConnectWise PSA") :], re.MULTILINE)
        shown = yaml.safe_load(re.sub(r"^#     ", "", block[0], flags=re.MULTILINE))["psa"]["settings"]
        assert shown.keys() == ConnectWiseSettings.model_fields.keys()
        loaded = ConnectWiseSettings(**shown | ACCOUNT)
        assert loaded == ConnectWiseSettings(**ACCOUNT, phone_types=["Cell", "Direct"]), "it shows the defaults"

    def test_secrets_do_not_show(self):
        shown = repr(ConnectWiseSettings(**ACCOUNT))
        assert not any(ACCOUNT[key] in shown for key in ("public_key", "private_key", "client_id"))


class TestSite:
    def test_every_call_carries_the_credentials_and_the_pinned_version(self, tenant, psa):
        list(psa.companies())
        assert len(tenant.seen) == 3
        for *_, request in tenant.seen:
            assert request.url.startswith(f"{HOST}{API}/")
            assert request.headers["Authorization"] == f"Basic {BASIC}"
            assert request.headers["clientId"] == "C1IENT-1D"
            assert request.headers["Accept"] == "application/vnd.connectwise.com+json; version=2025.1"

    def test_without_a_version_none_is_asked_for(self, tenant):
        list(make(version=None).companies())
        assert {request.headers["Accept"] for *_, request in tenant.seen} == {"application/json"}

    @pytest.mark.parametrize(
        ("site", "origin"),
        [
            *((f"https://{ui}", f"https://{api}") for ui, api in CLOUD_HOSTS.items()),
            ("https://NA.myconnectwise.net", "https://api-na.myconnectwise.net"),
            ("https://api-na.myconnectwise.net", "https://api-na.myconnectwise.net"),
            ("https://sandbox-na.myconnectwise.net", "https://sandbox-na.myconnectwise.net"),
            ("https://psa.example.com", "https://psa.example.com"),
            ("https://na.myconnectwise.net.example.com", "https://na.myconnectwise.net.example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ],
    )
    def test_six_hosts_of_the_cloud_are_rewritten_and_no_others(self, site, origin):
        assert len(CLOUD_HOSTS) == 6
        assert api_origin(site) == origin

    def test_the_codebase_is_looked_up_without_credentials_where_none_is_set(self, tenant):
        list(make(codebase=None).companies())
        first, *others = [request for *_, request in tenant.seen]
        assert first.url == "https://na.myconnectwise.net/login/companyinfo/acme"
        assert not {"Authorization", "clientId"} & set(first.headers)
        assert all(request.url.startswith(f"{HOST}/v2026_1/apis/3.0/") for request in others)
        assert len(tenant.calls("login")) == 1

    def test_after_a_404_the_codebase_is_read_again_once(self, tenant):
        tenant.put("GET", INFO, {"Codebase": "v2026_1/"}, {"Codebase": "v2026_2/"})
        tenant.put("GET", COMPANIES, [company(250)], (404, HTML), [company(250)], (404, HTML))
        psa = make(codebase=None)
        assert len(list(psa.companies())) == 1
        hosts = [urlsplit(r.url).path.split("/")[1] for _, p, _, r in tenant.seen if p == COMPANIES]
        assert hosts == ["v2026_1", "v2026_1", "v2026_2"]
        with pytest.raises(AuthRefused, match="wrong credentials"):
            list(psa.companies())
        assert len(tenant.calls("login")) == 3

    @pytest.mark.parametrize(
        "answer", [(503, HTML), "<html>", {"Codebase": "../evil"}, {}, requests.ReadTimeout()]
    )
    def test_a_look_up_that_does_not_work_is_no_reason_to_leave(self, tenant, psa, answer):
        tenant.put("GET", INFO, answer)
        tenant.put("GET", COMPANIES, (404, error(404, "ConnectWiseApi", "The endpoint does not exist.")[1]))
        with pytest.raises(AuthRefused, match="does not exist"):
            list(psa.companies())
        assert len(tenant.calls("login")) == 1

    def test_a_company_that_the_site_does_not_know_is_a_config_problem(self, tenant):
        tenant.put("GET", INFO, "null")
        with pytest.raises(ConfigProblem, match="knows no company 'acme'"):
            list(make(codebase=None).companies())
        tenant.put("GET", COMPANIES, (404, HTML))
        with pytest.raises(ConfigProblem, match="knows no company 'acme'"):
            list(make().companies())


class TestLists:
    def test_the_grammar(self, tenant, psa):
        tenant.put("GET", CONTACTS, [row(5, company=7)])
        assert [contact.company_id for contact in psa.contacts(company="7")] == ["7"]
        list(psa.companies())
        assert tenant.queries(CONTACTS)[-1] == {"pageSize": "500", "conditions": "company/id = 7"}
        assert tenant.queries(COMPANIES)[-1] == {
            "pageSize": "1000",
            "fields": "id,identifier,name,status,customFields",
        }
        lists = [request for _, path, _, request in tenant.seen if path in (CONTACTS, COMPANIES, FIELDS)]
        assert {request.headers["pagination-type"] for request in lists} == {"forward-only"}

    def test_pages_are_walked_by_id_until_one_is_short(self, tenant, psa):
        first = [company(n) for n in range(1, 1001)]
        tenant.put("GET", COMPANIES, first[:25], first, [company(1001)])
        assert [one.id for one in psa.companies()] == [str(n) for n in range(1, 1002)]
        assert [(q.get("pageId"), q.get("conditions")) for q in tenant.queries(COMPANIES)[1:]] == [
            (None, None),
            ("1000", "id > 1000"),
        ]
        assert all("page" not in q and "orderBy" not in q for q in tenant.queries(COMPANIES))

    def test_a_full_last_page_is_followed_by_an_empty_one(self, tenant, psa):
        full = [company(n) for n in range(1, 1001)]
        tenant.put("GET", COMPANIES, full[:25], full, [])
        assert len(list(psa.companies())) == 1000

    @pytest.mark.parametrize(
        ("link", "asked"),
        [
            ('<https://na.myconnectwise.net/v2025_1//apis/3.0/company/companies?pageId=2,3>; rel="next"', 2),
            ("<https://evil.example/x?pageId=2>; rel=next", 2),
            ("<https://evil.example/x?pageId=2>", 2),
            ('<https://x/?page=1>; rel="first", <https://x/?page=2>; rel="next"', 2),
            ('<https://x/?page=1>; rel="first", <https://x/?page=1>; rel="prev"', 1),
            ("", 1),
            ("<>", 1),
            (None, 1),
        ],
    )
    def test_a_short_page_is_the_last_unless_a_link_names_another_and_no_link_is_followed(
        self, tenant, psa, link, asked
    ):
        headers = {} if link is None else {"Link": link}
        tenant.put("GET", COMPANIES, [company(1)], (200, [company(1), company(2)], headers), [company(3)])
        assert len(list(psa.companies())) == 2 + (asked == 2)
        assert {urlsplit(request.url).netloc for *_, request in tenant.seen} == {"api-na.myconnectwise.net"}

    @pytest.mark.parametrize(
        "pages",
        [
            pytest.param([[company(n) for n in range(1, 1001)]], id="the place is ignored"),
            pytest.param([[company(n) for n in range(1000, 0, -1)], []], id="full page, not sorted"),
            pytest.param([[company(1), company(1)]], id="repeated"),
            pytest.param([(200, [company(1)], {"Link": '<https://x>; rel="next"'})], id="no progress"),
            pytest.param([[company(None)]], id="no id"),
            pytest.param([[{"name": "x"}]], id="id missing"),
            pytest.param([{"items": []}], id="an object"),
            pytest.param([["x"]], id="texts"),
            pytest.param(["null"], id="null"),
            pytest.param([HTML], id="html"),
            pytest.param([""], id="empty body"),
            pytest.param(['[{"id":1'], id="cut off"),
        ],
    )
    def test_an_answer_that_does_not_fit_is_never_a_list(self, tenant, psa, pages):
        tenant.put("GET", COMPANIES, [company(1)], *pages)
        with pytest.raises(ShapeChanged):
            list(psa.companies())
        assert len(tenant.calls(f"{COMPANIES}$")) <= 4

    def test_a_cascade_never_touches_contacts_of_another_company(self, tenant, psa):
        tenant.put("GET", CONTACTS, [row(1), row(2, company=8)])
        with pytest.raises(ShapeChanged, match="the filter was not obeyed"):
            list(psa.contacts(company="7"))

    def test_what_is_no_id_is_not_asked_for(self, tenant, psa):
        for wrong in ("acme", "7 OR id > 0", "-1", "", "٣"):
            with pytest.raises(Permanent):
                list(psa.contacts(company=wrong))
        assert tenant.seen == []

    @pytest.mark.parametrize("wrong", [("id OR 1", "="), ("id", "!="), ("id", "= 1 OR id >")])
    def test_a_condition_can_hold_nothing_but_a_path_an_operator_and_numbers(self, wrong):
        with pytest.raises(ValueError, match="no condition"):
            Condition(*wrong, 1)

    def test_texts_cannot_end_their_quotes(self):
        assert quoted("SMS [x] + & 100%") == '"SMS [[]x] + & 100%"'
        for wrong in ('a" OR id > 0 OR "', "a\\", "a\nb"):
            with pytest.raises(ValueError, match="holds"):
                quoted(wrong)

    def test_no_url_gets_too_long(self, tenant, psa):
        with pytest.raises(Permanent, match="not sent"):
            list(psa._client.pages(CONTACTS, (Condition("id", "in", tuple(range(10_000, 11_000))),)))
        assert tenant.seen == []


class TestErrors:
    @pytest.mark.parametrize(
        ("answer", "expected", "said"),
        [
            (error(401, "Unauthorized", "The credentials are not valid."), AuthRefused, "private key"),
            ((401, ""), AuthRefused, "401"),
            (error(403, "Security", "SSL is required."), Permanent, "security role"),
            ((403, HTML), Transient, "in front of"),
            (error(404, "ConnectWiseApi", "The endpoint does not exist."), AuthRefused, "wrong credentials"),
            ((404, ""), AuthRefused, "wrong credentials"),
            (error(400, "InvalidObject", "bad", "conditions is not valid"), Permanent, "conditions is not valid"),
            ((405, ""), ShapeChanged, "405"),
            ((414, HTML), ShapeChanged, "414"),
            ((415, ""), Permanent, "psa.settings.version"),
            ((409, ""), Transient, "409"),
            (error(500, "InternalError", "timeout"), Transient, "timeout"),
            ((503, HTML), Transient, "503"),
            ((302, "", {"Location": "https://evil.example"}), ShapeChanged, "redirect"),
            (error(200, "InternalError", "later"), Transient, "later"),
        ],
    )
    def test_what_a_read_raises(self, tenant, psa, answer, expected, said):
        tenant.put("GET", COMPANIES, [company(1)], answer)
        with pytest.raises(expected, match=said) as caught:
            list(psa.companies())
        assert caught.value.contact is None

    @pytest.mark.parametrize(
        ("answer", "seconds"),
        [
            ((429, {"error": "ConnectWiseAPI", "message": "x"}, {"Retry-After": "77"}), 77),
            ((429, {"error": "ConnectWiseAPI", "message": "Too many. Please try again in 45 seconds."}), 45),
            ((429, "<html>You are being rate limited</html>"), 30),
            ((429, "", {"Retry-After": "99999999"}), 900),
            ((429, "", {"Retry-After": "soon"}), 30),
        ],
    )
    def test_how_long_to_wait_is_passed_on(self, tenant, psa, answer, seconds):
        tenant.put("GET", COMPANIES, [company(1)], answer)
        with pytest.raises(Transient) as caught:
            list(psa.companies())
        assert caught.value.retry_after == seconds

    @pytest.mark.parametrize("secret", [BASIC, "s3cret", "PUBLIC", "C1IENT-1D"])
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 200])
    def test_a_secret_that_a_server_repeats_goes_no_further(self, tenant, psa, secret, status):
        tenant.put("GET", COMPANIES, [company(1)], error(status, "X", f"bad: {secret}"))
        with pytest.raises(SyncdError) as caught:
            list(psa.companies())
        assert secret not in str(caught.value)
        tenant.put("GET", COMPANIES, (200, f"<html>{secret}"))
        with pytest.raises(SyncdError) as caught:
            list(psa.companies())
        assert secret not in str(caught.value)


class TestCompanies:
    def test_states(self, tenant, psa, remarks):
        tenant.put(
            "GET",
            COMPANIES,
            [
                company(1, "approved "),
                company(2, "Opted-Out"),
                company(3),
                company(4, "Pending"),
                company(5) | {"customFields": None},
                {"id": 6, "identifier": "six"},
            ],
        )
        states = {one.id: one.state for one in psa.companies()}
        assert list(states.values()) == [CompanyState.APPROVED, CompanyState.OPTED_OUT] + 4 * [CompanyState.UNSET]
        assert list(psa.companies())[5] == Company("6", "six", CompanyState.UNSET)
        assert remarks == ["ConnectWise: 'SMS Approval' of company 4 holds 'Pending', which counts as not set"]

    def test_a_checkbox_has_three_states(self, tenant):
        tenant.put("GET", FIELDS, [definition(71, "OK to text", kind="Checkbox", screen="Company")])
        values = (None, True, False, "True", "")
        listed = [
            {"id": n, "name": "x", "customFields": [custom(71, "OK to text", value, "Checkbox", "EntryField")]}
            for n, value in enumerate(values)
        ]
        tenant.put("GET", COMPANIES, listed)
        psa = make(company_field={"name": "OK to text", "approved": [True], "opted_out": [False]})
        assert [one.state.value for one in psa.companies()] == [
            "unset",
            "approved",
            "opted_out",
            "approved",
            "unset",
        ]

    def test_approval_by_status(self, tenant):
        tenant.put("GET", STATUSES, [{"id": 1, "name": "Active"}, {"id": 2, "name": "Not Approved"}])
        tenant.put("GET", COMPANIES, [company(1), company(2, status={"id": 2, "name": "Not Approved"}), {"id": 3}])
        by_status = {"by": "status", "approved": ["active"], "opted_out": ["Not Approved"]}
        psa = make(company_field=by_status)
        assert [one.state.value for one in psa.companies()] == ["approved", "opted_out", "unset"]
        tenant.put("GET", COMPANIES, [company(1, status={"id": 1, "name": "Live"})])
        tenant.put("GET", STATUSES, [{"id": 1, "name": "Live"}, {"id": 2, "name": "Not Approved"}])
        with pytest.raises(ConfigProblem, match="'active' is not in the list"):
            list(psa.companies())

    def test_a_role_that_may_not_read_statuses_still_reads_companies(self, tenant):
        tenant.put("GET", STATUSES, error(403, "Forbidden", "no"))
        psa = make(company_field={"by": "status", "approved": ["Active"], "opted_out": []})
        assert [one.state.value for one in psa.companies()] == ["approved"]

    def test_chosen_fields_that_hide_the_field_are_not_believed(self, tenant, psa):
        bare, whole = [{"id": 1, "name": "x"}], [company(1, "Approved")]
        tenant.put("GET", COMPANIES, lambda r: (200, bare if "fields=" in r.url else whole))
        assert [one.state.value for one in psa.companies()] == ["approved"]
        assert [one.state.value for one in psa.companies()] == ["approved"]
        assert ["fields" in q for q in tenant.queries(COMPANIES)] == [False, True, False, False]

    def test_a_field_that_no_company_shows_opts_nobody_out(self, tenant, psa):
        list(psa.companies())
        tenant.put("GET", COMPANIES, [{"id": 1, "name": "x"}])
        with pytest.raises(ShapeChanged, match="no company shows"):
            list(psa.companies())
        tenant.put("GET", FIELDS, [definition(59, "SMS Opt-In", OPT_IN)])
        with pytest.raises(ConfigProblem, match="no custom field 'SMS Approval'"):
            list(psa.companies())


class TestFields:
    def test_they_are_looked_up_once(self, tenant, psa):
        for _ in range(3):
            list(psa.companies())
            list(psa.contacts())
        assert len(tenant.calls(FIELDS)) == 2

    def test_the_id_counts_and_a_new_caption_is_told(self, tenant, psa, remarks):
        list(psa.contacts())
        tenant.put("GET", CONTACTS, [row(1) | {"customFields": [custom(59, "May text", "Opted-In")]}])
        assert [contact.consent for contact in psa.contacts()] == [Consent.OPTED_IN]
        assert len(remarks) == 1
        assert "now called 'May text'" in remarks[0]

    def test_the_same_caption_on_another_screen_is_another_field(self, tenant, psa):
        tenant.put(
            "GET", FIELDS, [definition(8, "SMS Opt-In", screen="Company"), definition(59, "sms opt-in", OPT_IN)]
        )
        assert list(psa.contacts())
        tenant.put("GET", CONTACTS, [])
        assert list(make().contacts()) == []

    def test_two_of_them_on_one_screen_are_a_config_problem(self, tenant, psa):
        both = [custom(58, "SMS Opt-In"), custom(59, "SMS Opt-In")]
        tenant.put("GET", CONTACTS, [row(1) | {"customFields": both}])
        tenant.put("GET", FIELDS, [definition(58, "SMS Opt-In"), definition(59, "SMS Opt-In")])
        with pytest.raises(ConfigProblem, match=r"several custom fields 'SMS Opt-In' \(ids 58, 59\)"):
            list(psa.contacts())

    @pytest.mark.parametrize("answer", [error(403, "Forbidden", "no"), error(404, "ConnectWiseApi", "no"), []])
    def test_without_the_set_up_table_records_tell(self, tenant, psa, answer):
        tenant.put("GET", FIELDS, (200, []) if answer == [] else answer)
        tenant.shows(row(1, "Opted-In"))
        assert [contact.consent for contact in psa.contacts()] == [Consent.OPTED_IN]

    def test_one_that_is_not_there_names_those_that_are(self, tenant):
        tenant.put("GET", CONTACTS, [row(1, others=[custom(12, "Hobby")])])
        with pytest.raises(ConfigProblem, match="'SMS Optin'; those that exist: 'Hobby', 'SMS Opt-In'"):
            list(make(contact_field={"name": "SMS Optin", "opted_in": "Y", "opted_out": "N"}).contacts())

    @pytest.mark.parametrize(
        ("described", "values", "said"),
        [
            (definition(59, "SMS Opt-In", OPT_IN), ("Yes", "No"), "'Yes' is not in the list"),
            (definition(59, "SMS Opt-In", OPT_IN), (True, False), "put its value in quotes"),
            (definition(59, "SMS Opt-In", kind="Checkbox"), ("Yes", "No"), "true and false, not 'Yes'"),
            (definition(59, "SMS Opt-In", kind="Date"), ("Yes", "No"), "of type Date"),
        ],
    )
    def test_values_that_the_field_cannot_hold(self, tenant, described, values, said):
        tenant.put("GET", FIELDS, [described])
        field = {"name": "SMS Opt-In", "opted_in": values[0], "opted_out": values[1]}
        with pytest.raises(ConfigProblem, match=said):
            list(make(contact_field=field).contacts())

    def test_a_field_that_no_contact_shows_any_more(self, tenant, psa):
        list(psa.contacts())
        tenant.put("GET", CONTACTS, [{"id": 1, "firstName": "A", "company": {"id": 7}}])
        with pytest.raises(ShapeChanged, match="no contact shows"):
            list(psa.contacts())
        assert [contact.consent for contact in psa.contacts(company="7")] == [None]


class TestContacts:
    def item(self, value, name="Cell", kind="Phone", **more):
        return {"id": 1, "type": {"id": 2, "name": name}, "value": value, "communicationType": kind} | more

    def numbers(self, tenant, psa, *items, **more):
        tenant.put("GET", CONTACTS, [row(1, communicationItems=list(items), **more)])
        return next(iter(psa.contacts())).numbers

    def test_a_contact(self, tenant, psa):
        tenant.put("GET", CONTACTS, [row(1, "Opted-Out", inactiveFlag=True), row(2, company=None, lastName=None)])
        assert list(psa.contacts()) == [
            Contact("1", "7", "Ann Lee", (), False, Consent.OPTED_OUT),
            Contact("2", None, "Ann", (), True, None),
        ]

    @pytest.mark.parametrize(
        "text",
        [
            *("2025550111", "+12025550111", "202-555-0111", "(202) 555-0111", "202.555.0111", "1 202 555 0111"),
            *("+1(202)5550111", "tel: 202 555 0111", "202-555-0111 x12", "cell 202/555/0111"),
        ],
    )
    def test_numbers_in_every_format(self, tenant, psa, text):
        assert self.numbers(tenant, psa, self.item(text)) == ("+12025550111",)

    def test_which_items_count(self, tenant, psa):
        found = self.numbers(
            tenant,
            psa,
            self.item("202-555-0101", "Phone - Direct"),
            self.item("202-555-0102", "Main"),
            self.item("202-555-0103", "Company Line"),
            self.item("202-555-0104", "Fax"),
            self.item("202-555-0105", "Main cell"),
            self.item("202-555-0106", "Fax", "Fax"),
            self.item("202-555-0107@example.com", "Email", "Email"),
            self.item("202-555-0108", "Domain name", "Phone", type=None),
            self.item("202-555-0109", "Cell", None),
            self.item("202-555-0110@example.com", "Email", None),
            self.item(None),
            {"id": 5},
            self.item("202-555-0101 / 202-555-0111"),
            defaultPhoneNbr="202-555-0199",
            defaultPhoneType="Site",
        )
        wanted = ("0101", "0105", "0108", "0109", "0111")
        assert found == tuple(f"+1202555{last}" for last in wanted)

    @pytest.mark.parametrize("items", [None, []])
    def test_no_numbers(self, tenant, psa, items):
        tenant.put("GET", CONTACTS, [row(1, communicationItems=items)])
        assert next(iter(psa.contacts())).numbers == ()

    def test_configured_types(self, tenant):
        tenant.put("GET", TYPES, [{"id": 1, "description": "Cell"}, {"id": 2, "description": "Main"}])
        psa = make(phone_types=["cell ", "MAIN"])
        items = (self.item("202-555-0101"), self.item("202-555-0102", "Main"), self.item("202-555-0103", "Direct"))
        assert self.numbers(tenant, psa, *items) == ("+12025550101", "+12025550102")
        tenant.put("GET", TYPES, [{"id": 1, "description": "Mobile"}, {"id": 2, "description": "Main"}])
        with pytest.raises(ConfigProblem, match=r"no communication type 'cell'; it has: 'Mobile', 'Main'"):
            list(psa.contacts())

    def test_types_that_the_role_may_not_read_are_taken_as_configured(self, tenant, remarks):
        tenant.put("GET", TYPES, error(403, "Forbidden", "no"))
        psa = make(remarks, phone_types=["Cell"])
        assert self.numbers(tenant, psa, self.item("202-555-0101")) == ("+12025550101",)
        assert len(remarks) == 1

    @pytest.mark.parametrize(
        "odd", [{"company": 7}, {"company": {"name": "x"}}, {"communicationItems": {}}, {"customFields": ["x"]}]
    )
    def test_shapes_that_nobody_documented_raise(self, tenant, psa, odd):
        list(psa.companies())
        tenant.put("GET", CONTACTS, [row(1)], [row(1) | odd])
        with pytest.raises(ShapeChanged):
            list(psa.contacts())

    def test_write_needs_no_listing(self, tenant, psa):
        tenant.shows(row(5, "Opted-Out"))
        write(psa, 5)
        assert tenant.quick() == ["GET /company/contacts/5"]
