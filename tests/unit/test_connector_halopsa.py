"""The HaloPSA connector in its parts: settings, what answers and custom fields mean, what it refuses to send."""

from __future__ import annotations

import json
import re

import pytest
import responses
from pydantic import ValidationError
from support import shell_for

from connectors.halopsa import HaloPsa
from connectors.halopsa.answers import Opaque, client_of, complaints, judged
from connectors.halopsa.client import HaloPsaClient
from connectors.halopsa.fields import Vocabulary, text_of
from connectors.halopsa.settings import HaloPsaSettings
from syncd.clock import Clock
from syncd.connector.answers import number
from syncd.connector.fields import Choice, CustomField
from syncd.errors import Ambiguous, AuthRefused, ConfigProblem, Permanent, ShapeChanged, Transient
from syncd.http import Answer, Transport
from syncd.model import Consent

HOST = "https://acme.halopsa.com"
ACCOUNT = {"base_url": HOST, "client_id": "app", "client_secret": "s3cret"}
OUT, IN = Consent.OPTED_OUT, Consent.OPTED_IN
HTML = "<html><body>no</body></html>"


def answer(status, body=b"", **headers):
    content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    return Answer("GET /Users", status, headers, content)


class TestSettings:
    def test_the_documented_keys_are_taken(self):
        settings = HaloPsaSettings(
            **ACCOUNT | {"base_url": f"{HOST}/api/"},
            auth_url=f"{HOST}/auth/token",
            tenant="acme",
            scope="read:customers edit:customers",
            requests_per_5_minutes=700,
            phone_fields=["mobilenumber"],
            contact_field={"name": "A", "opted_in": "Y", "opted_out": "N"},
            company_field={"name": "B", "approved": ["Y", "OK"], "opted_out": ["N"]},
        )
        assert (settings.base_url, settings.auth_url) == (HOST, f"{HOST}/auth")
        plain = HaloPsaSettings(**ACCOUNT)
        assert set(plain.phone_fields) == {"phonenumber", "mobilenumber", "mobilenumber2", "homenumber"}
        assert (plain.scope, plain.requests_per_5_minutes, plain.tenant, plain.auth_url) == (
            "all",
            300,
            None,
            None,
        )

    @pytest.mark.parametrize(
        "wrong",
        [
            {"phone_fields": ["sitephonenumber"]},
            {"phone_fields": []},
            {"base_url": "http://acme.halopsa.com"},
            {"auth_url": "http://acme.halopsa.com/auth"},
            {"client_secret": ""},
            {"client_secret": "two\nlines"},
            {"requests_per_5_minutes": 0},
            {"contact_field": {"name": "A", "opted_in": "Yes", "opted_out": "yes"}},
            {"company_field": {"name": "B", "approved": ["Y"], "opted_out": ["y"]}},
            {"unknown": 1},
        ],
    )
    def test_wrong_ones_are_refused_without_quoting_a_secret(self, wrong):
        with pytest.raises(ValidationError) as caught:
            HaloPsaSettings(**(ACCOUNT | wrong))
        assert "s3cret" not in str(caught.value)
        assert "lines" not in str(caught.value)

    def test_secrets_do_not_show(self):
        assert "s3cret" not in repr(HaloPsaSettings(**ACCOUNT))

    def test_the_allowance_is_declared_and_may_be_set(self):
        limits = HaloPsa.traits.limits
        assert (limits.calls, limits.per, limits.concurrency, HaloPsa.traits.batch) == (300, 300, 2, 25)
        assert 0 < limits.reserve < 0.5
        shell = shell_for(HaloPsa)
        HaloPsa(HaloPsaSettings(**ACCOUNT, requests_per_5_minutes=100), shell)
        assert shell.transport.pace.limits.calls == 100
        assert HaloPsa.traits.limits.calls == 300


class TestAnswers:
    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({"resultCode": 400, "errorMessage": "no good"}, ["no good"]),
            ({"ClassName": "System.Exception", "Message": "no good"}, ["no good"]),
            ({"Message": "no good"}, ["no good"]),
            ({"error": "invalid_client", "error_description": "no good"}, ["no good", "invalid_client"]),
            ({"errors": ["no good", {"message": "at all"}]}, ["no good", "at all"]),
            ({"[0].customfields": ["Could not convert"]}, ["[0].customfields: Could not convert"]),
            ("no good", []),
            (b"", []),
        ],
    )
    def test_every_shape_of_error_is_read(self, body, said):
        assert complaints(answer(400, body)) == said

    @pytest.mark.parametrize(
        ("status", "body", "expected"),
        [
            (400, {"Message": "x"}, Permanent),
            (401, b"", AuthRefused),
            (403, {"Message": "x"}, Permanent),
            (404, {"error": "x"}, Permanent),
            (404, HTML, ShapeChanged),
            (405, b"", ShapeChanged),
            (415, b"", Permanent),
            (429, b"", Transient),
            (500, b"", Opaque),
            (503, HTML, Transient),
            (504, HTML, Opaque),
            (200, {"error": "later"}, Opaque),
            (200, {"errorMessage": "later"}, Opaque),
        ],
    )
    def test_what_an_answer_stands_for(self, status, body, expected):
        with pytest.raises(expected) as caught:
            judged(answer(status, body))
        assert type(caught.value) is expected

    def test_a_gateway_that_gave_up_on_a_write_leaves_it_open(self):
        for status in (502, 504):
            with pytest.raises(Ambiguous):
                judged(answer(status, HTML), writing=True)

    def test_a_refusal_says_where_to_look(self):
        with pytest.raises(Permanent, match=r"edit:customers.*role of the agent"):
            judged(answer(403, b""), writing=True)

    def test_good_answers_pass(self):
        for body in ({"id": 1, "errors": None, "message": "hello"}, {"users": []}, [], None, [{"id": 1}]):
            assert judged(answer(200, body)).status == 200

    @pytest.mark.parametrize("given", [17, 17.0, "17", "17.0", " 17 "])
    def test_ids_in_every_form(self, given):
        assert number("x", given) == 17
        assert client_of({"client_id": given}) == 17

    @pytest.mark.parametrize("given", [None, True, 17.5, "17.5", "x", "", [17], "-1"])
    def test_what_is_no_id(self, given):
        with pytest.raises(ShapeChanged):
            number("x", given)

    def test_no_client_and_no_word_of_it_are_not_the_same(self):
        assert client_of({"client_id": None}) is None
        assert client_of({"client_id": 0}) is None
        with pytest.raises(ShapeChanged):
            client_of({})


OPTIONS = (Choice(1, "Opted-In"), Choice(2, "Opted-Out"), Choice(3, "Maybe"))
SELECT = CustomField(45, "CFSMSOptIn", "selection", is_list=True, choices=OPTIONS)
PLAIN = CustomField(46, "CFSMSOptIn", "text or checkbox")


def words(*candidates, opted_in="Opted-In", opted_out="Opted-Out"):
    return Vocabulary("psa.settings.contact_field", candidates, {IN: [opted_in], OUT: [opted_out]})


def row(value, display=None, field=45, **more):
    return {
        "id": 7,
        "customfields": [{"id": field, "name": "CFSMSOptIn", "value": value, "display": display} | more],
    }


class TestFields:
    @pytest.mark.parametrize(
        ("value", "display", "meaning"),
        [
            (1, "Opted-In", IN),
            (2, "Opted-Out", OUT),
            (2, None, OUT),
            (2.0, None, OUT),
            ("2", None, OUT),
            ("2.0", "Opted-Out", OUT),
            ("Opted-Out", None, OUT),
            (" opted-out ", None, OUT),
            ([2], "Opted-Out", OUT),
            ("99", "Opted-Out", OUT),
            (None, "Opted-Out", OUT),
            (3, "Maybe", None),
            (3, "Opted-In", None),
            (None, None, None),
            ("", "", None),
            (0, None, None),
        ],
    )
    def test_a_selection_by_its_option_or_its_text(self, value, display, meaning):
        assert words(SELECT).meaning(row(value, display)) is meaning

    @pytest.mark.parametrize("on", [1, True, "true", "True", "1", 1.0])
    @pytest.mark.parametrize(("opted_in", "opted_out"), [("true", "false"), ("1", "0")])
    def test_a_checkbox_in_every_form(self, on, opted_in, opted_out):
        spoken = words(PLAIN, opted_in=opted_in, opted_out=opted_out)
        off = {1: 0, "true": "false", "True": "False", "1": "0"}.get(on, type(on)(0))
        assert spoken.meaning(row(on, field=46)) is IN
        assert spoken.meaning(row(off, field=46)) is OUT
        assert type(spoken.value(OUT, {"value": on})) is type(on if not isinstance(on, float) else True)

    def test_empty_is_told_from_other_values(self):
        spoken = words(SELECT)
        assert spoken.held(row(None)) is None
        assert spoken.held(row(0)) is None
        assert spoken.held(row(3, "Maybe")) == "Maybe"
        assert spoken.held({"id": 7, "customfields": []}) is None
        assert spoken.element({"id": 7, "customfields": [{"id": 51, "name": "CFBirthday", "value": 1}]}) is None

    def test_the_id_of_the_option_is_written_unless_the_tenant_keeps_texts(self):
        spoken = words(SELECT)
        assert spoken.value(OUT, None) == 2
        spoken.meaning(row("Opted-In"))
        assert spoken.value(OUT, None) == "Opted-Out"

    def test_an_option_that_is_not_there_is_a_config_problem(self):
        spoken = words(SELECT, opted_out="Never")
        with pytest.raises(ConfigProblem, match=r"contact_field\.opted_out: 'Never' is not in the list"):
            spoken.must_be_complete()
        with pytest.raises(ConfigProblem, match="'Never'"):
            spoken.value(OUT, None)
        with pytest.raises(ConfigProblem, match="cannot mean both"):
            words(SELECT, opted_in="2").must_be_complete()

    def test_of_two_fields_with_one_name_the_records_show_whose_is_which(self):
        client_field = CustomField(60, "CFSMSOptIn", "selection", is_list=True, choices=(Choice(8, "Approved"),))
        spoken = words(client_field, SELECT)
        spoken.must_be_complete()
        with pytest.raises(ConfigProblem, match="several"):
            spoken.value(OUT, None)
        assert spoken.meaning(row(2)) is OUT
        assert spoken.value(OUT, None) == 2
        assert spoken.ids == [45]

    def test_an_element_that_is_none_is_a_change_of_shape(self):
        for bad in ("x", [1], {"id": 45}):
            with pytest.raises(ShapeChanged):
                words(SELECT).meaning({"id": 7, "customfields": bad})

    def test_values_as_text(self):
        assert [text_of(value) for value in (True, 2.0, 2.5, " x ", "", None, [])] == [
            "true",
            "2",
            "2.5",
            "x",
            None,
            None,
            None,
        ]


class TestSending:
    @pytest.fixture
    def halo(self):
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            mock.add(responses.GET, f"{HOST}/api/authinfo", json={"auth_url": f"{HOST}/auth"})
            mock.add(responses.POST, f"{HOST}/auth/token", json={"access_token": "t0ken", "expires_in": 3600})
            yield mock

    @pytest.fixture
    def client(self):
        transport = Transport(Clock(), HaloPsa.traits.limits)
        yield HaloPsaClient(HaloPsaSettings(**ACCOUNT), transport)
        transport.close()

    @pytest.mark.parametrize(
        "rows",
        [
            [{"customfields": []}],
            [{"id": None}],
            [{"id": 0}],
            [{"id": -5}],
            [{"id": "7"}],
            [{"id": True}],
            [{"id": 7}, {"id": 7}],
            [{"id": 7}, {}],
            [],
            [{"id": n} for n in range(1, 27)],
        ],
    )
    def test_a_record_without_an_id_of_its_own_never_leaves(self, halo, client, rows):
        with pytest.raises(Permanent, match="not sent"):
            client.save_users(rows)
        assert not halo.calls

    def test_a_reply_about_another_record_is_no_success(self, halo, client):
        halo.add(responses.POST, f"{HOST}/api/Users", json=[{"id": 8}], status=201)
        with pytest.raises(ShapeChanged, match="was a contact created"):
            client.save_users([{"id": 7}])

    @pytest.mark.parametrize("body", [HTML, "{", '{"users": '])
    def test_a_reply_that_cannot_be_read_leaves_it_open(self, halo, client, body):
        halo.add(responses.POST, f"{HOST}/api/Users", body=body, status=200)
        with pytest.raises(Ambiguous) as caught:
            client.save_users([{"id": 7}])
        assert caught.value.contact == "7"

    @pytest.mark.parametrize("body", ["", "[]", '[{"id": 7.0, "_warning": "careful"}]', '{"id": 7}'])
    def test_other_replies_are_taken(self, halo, client, body):
        halo.add(responses.POST, f"{HOST}/api/Users", body=body, status=201)
        assert client.save_users([{"id": 7}]) in ({}, {7: "careful"})

    def test_no_secret_is_in_an_exception_whatever_the_server_repeats(self, halo, client):
        halo.add(responses.GET, re.compile(".*/api/Users"), body="Bearer t0ken is bad", status=500)
        with pytest.raises(Opaque) as caught:
            client.rows("Users")
        assert "t0ken" not in str(caught.value)
        halo.replace(responses.POST, f"{HOST}/auth/token", body="client_secret=s3cret?", status=400)
        client._login.refused(client.login())
        with pytest.raises(AuthRefused) as refused:
            client.login()
        assert "s3cret" not in str(refused.value)

    def test_secrets_travel_in_the_form_and_the_header_only(self, halo, client):
        halo.add(responses.GET, f"{HOST}/api/Users", json={"record_count": 0, "users": []})
        assert client.rows("Users", client_id=5) == []
        info, login, listing = (call.request for call in halo.calls)
        assert "Authorization" not in info.headers
        assert "s3cret" in login.body
        assert "s3cret" not in login.url
        assert listing.headers["Authorization"] == "Bearer t0ken"
        for part in ("pageinate=true", "page_size=100", "page_no=1", "order=id", "client_id=5"):
            assert part in listing.url
        assert "includeactive=true&includeinactive=true" in listing.url
