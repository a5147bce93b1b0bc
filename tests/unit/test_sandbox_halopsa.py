"""The HaloPSA stand-in over real HTTP: what is documented, each trap, each quirk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import requests

from syncd.sandbox.halopsa import HaloPsaServer
from syncd.sandbox.halopsa_records import HaloField
from syncd.sandbox.people import fictional_number


class Caller:
    """A session with a token of one stand-in."""

    def __init__(self, server):
        self.server = server
        self.session = requests.Session()
        self.session.trust_env = False
        self.log_in()

    def log_in(self, **form):
        answer = self.session.post(self.server.base_url + "/auth/token", data=self.server.login | form, timeout=3)
        if answer.status_code == 200:
            self.session.headers["Authorization"] = "Bearer " + answer.json()["access_token"]
        return answer

    def call(self, method, path, **options):
        url = self.server.base_url + "/api" + path
        return self.session.request(method, url, timeout=3, allow_redirects=False, **options)

    def rows(self, path="/Users", **params):
        body = self.call("GET", path, params=params).json()
        return (
            body if isinstance(body, list) else next(value for value in body.values() if isinstance(value, list))
        )

    def post(self, *rows, path="/Users"):
        return self.call("POST", path, json=list(rows))


@pytest.fixture
def halo():
    with HaloPsaServer() as server:
        yield server


@pytest.fixture
def api(halo):
    caller = Caller(halo)
    yield caller
    caller.session.close()


@pytest.fixture
def acme(halo):
    return halo.add_client("Acme", approval="Approved")


@pytest.fixture
def ann(halo, acme):
    return halo.add_user(acme, "Ann Lee", mobile="(202) 555-0111", opt_in="Opted-In")


def ids(rows):
    return [row["id"] for row in rows]


# Letting in.


def test_what_needs_no_token(halo):
    info = requests.get(halo.base_url + "/api/authinfo", timeout=3).json()
    assert info == {"auth_url": halo.base_url + "/auth", "tenant_id": "sandbox"}
    assert "version" in requests.get(halo.base_url + "/api/InstanceInfo", timeout=3).json()
    assert requests.get(halo.base_url + "/api/Users", timeout=3).status_code == 401


def test_a_login_names_how_long_it_holds(api):
    body = api.log_in().json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 3600, "all")


@pytest.mark.parametrize("wrong", [{"client_secret": "x"}, {"client_id": "x"}])
def test_a_wrong_client(api, wrong):
    answer = api.log_in(**wrong)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_other_grants_and_tenants(halo, api):
    assert api.log_in(grant_type="password").status_code == 400
    assert api.log_in(tenant="other").status_code == 500
    halo.change(tenant_in="query")
    assert api.log_in(tenant="sandbox").status_code == 500
    halo.change(tenant_in="ignored")
    assert api.log_in(tenant="other").status_code == 200


def test_tokens_expire():
    now = [datetime(2026, 3, 4, tzinfo=UTC)]
    with HaloPsaServer(clock=lambda: now[0]) as halo:
        api = Caller(halo)
        assert api.call("GET", "/Users").status_code == 200
        now[0] += timedelta(seconds=3601)
        assert api.call("GET", "/Users").status_code == 401


@pytest.mark.parametrize("says", ["none", "seconds", "date", "absurd"])
def test_too_many_requests(halo, api, says):
    halo.change(rate_limit=3, retry_after=says)
    halo.use_quota(2)
    assert api.call("GET", "/Users").status_code == 200
    answer = api.call("GET", "/Users")
    assert answer.status_code == 429
    assert "rolling 5 minute window" in answer.json()["error"]
    assert ("Retry-After" in answer.headers) == (says != "none")


@pytest.mark.parametrize("shape", ["resultCode", "ClassName", "Message", "error", "text", "errors"])
def test_every_shape_of_error(halo, api, shape):
    halo.change(error_shape=shape, forbidden=frozenset({"GET Users"}))
    answer = api.call("GET", "/Users")
    assert answer.status_code == 403
    assert "permission" in answer.text


# Reading.


def test_pages(halo, api, acme):
    people = [halo.add_user(acme, f"N {n}", mobile=fictional_number(n)) for n in range(25)]
    page = api.call(
        "GET", "/Users", params={"pageinate": "true", "page_size": 10, "page_no": 3, "order": "id"}
    ).json()
    assert (page["record_count"], ids(page["users"])) == (25, people[20:])
    assert len(api.rows(count=7)) == 7
    assert len(api.rows(pageinate=True)) == 25
    assert ids(api.rows(pageinate="true", page_size=2, order="id", orderdesc="true")) == [people[-1], people[-2]]
    assert api.rows(pageinate="true", page_size=10, page_no=4) == []
    halo.change(ignores_paging=True)
    assert ids(api.rows(pageinate="true", page_size=10, page_no=3)) == people[:10]
    halo.change(ignores_paging=False, page_cap=4, record_count=False, bare_list=True)
    assert len(api.rows(pageinate="true", page_size=10)) == 4


def test_inactive_users_show_on_request_only(halo, api, acme, ann):
    gone = halo.add_user(acme, "Old One", active=False)
    assert ids(api.rows()) == [ann]
    assert ids(api.rows(includeinactive="true")) == [ann, gone]
    assert ids(api.rows(includeactive="false", includeinactive="true")) == [gone]


def test_unknown_parameters_are_ignored_without_a_word(halo, api, ann):
    other = halo.add_user(halo.add_client("Other"), "B B")
    assert ids(api.rows(client_id=halo.records["Users"][ann].values["client_id"])) == [ann]
    assert ids(api.rows(customer_id=1)) == [ann, other]
    halo.change(ignored=frozenset({"client_id"}))
    assert ids(api.rows(client_id=1)) == [ann, other]


def test_search_by_phone_is_a_likeness(halo, api, acme, ann):
    halo.add_user(acme, "Other One", phone="202.555.0112")
    assert ids(api.rows(search="5550111", search_phonenumbers="true")) == [ann]
    assert len(api.rows(search="55501", search_phonenumbers="true")) == 2
    assert ids(api.rows(search="ann")) == [ann]


def test_ids_of_clients_are_floats_unless_told(halo, api, acme, ann):
    text = api.call("GET", f"/Users/{ann}").text
    assert f'"client_id":{acme}.0' in text
    halo.change(ids="int")
    assert f'"client_id":{acme},' in api.call("GET", f"/Users/{ann}").text


@pytest.mark.parametrize(
    ("quirk", "shown"),
    [("all", [45, 51]), ("set", [45]), ("empty", []), ("none", None), ("on request", None)],
)
def test_custom_fields_of_list_rows(halo, api, ann, quirk, shown):
    halo.change(list_customfields=quirk)
    (row,) = api.rows()
    assert (None if "customfields" not in row else ids(row["customfields"])) == shown
    (row,) = api.rows(include_custom_fields="45")
    if quirk == "on request":
        assert ids(row["customfields"]) == [45]
    assert ids(api.call("GET", f"/Users/{ann}").json()["customfields"]) == [45, 51]


def test_unset_fields_nulls_and_phones_may_be_left_out(halo, api, ann):
    halo.change(full_unset="missing", omit_nulls=True)
    row = api.call("GET", f"/Users/{ann}").json()
    assert ids(row["customfields"]) == [45]
    assert "homenumber" not in row
    halo.change(list_phones="two", omit_nulls=False)
    assert "mobilenumber2" not in api.rows()[0]


@pytest.mark.parametrize(("quirk", "value"), [("id", 1), ("text id", "1"), ("label", "Opted-In")])
def test_the_value_of_a_selection(halo, api, ann, quirk, value):
    halo.change(select_value=quirk)
    element = api.call("GET", f"/Users/{ann}").json()["customfields"][0]
    assert (element["value"], element["display"], element["name"]) == (value, "Opted-In", "CFSMSOptIn")


@pytest.mark.parametrize(("quirk", "value"), [("int", 1), ("bool", True), ("text", "true")])
def test_the_value_of_a_checkbox(quirk, value):
    box = HaloField(70, "CFTexts", "Texts", "checkbox")
    with HaloPsaServer(user_fields=[box]) as halo:
        halo.change(checkbox_value=quirk)
        ann = halo.add_user(halo.add_client("Acme"), "Ann Lee", opt_in=True)
        api = Caller(halo)
        shown = api.call("GET", f"/Users/{ann}").json()["customfields"][0]["value"]
        assert (shown, type(shown)) == (value, type(value))
        api.post({"id": ann, "customfields": [{"id": 70, "value": False}]})
        assert halo.opt_in(ann) is False


def test_definitions(halo, api):
    fields = {field["name"]: field for field in api.rows("/FieldInfo", includevalues="true")}
    assert fields["CFSMSOptIn"]["values"] == [{"id": 1, "name": "Opted-In"}, {"id": 2, "name": "Opted-Out"}]
    assert "values" not in api.rows("/FieldInfo")[0]
    assert api.call("GET", "/FieldInfo/45").json()["values"]
    assert api.call("GET", "/FieldInfo/999").status_code == 404


def test_a_record_that_is_not_there(halo, api):
    assert api.call("GET", "/Users/999").status_code == 404
    halo.change(missing="null")
    assert api.call("GET", "/Users/999").json() is None


def test_the_date_filter_is_dead_unless_told(halo, api, ann):
    assert ids(api.rows(lastupdatefromdate="2999-01-01T00:00:00")) == [ann]
    halo.change(dead_date_filter=False)
    assert api.rows(lastupdatefromdate="2999-01-01T00:00:00") == []


# Writing.


def test_there_is_no_put_and_no_patch(api, ann):
    for method in ("PUT", "PATCH"):
        assert api.call(method, f"/Users/{ann}", json={}).status_code == 404


@pytest.mark.parametrize(("quirk", "birthday"), [("replace", None), ("merge", "1 May")])
def test_an_array_replaces_or_merges(halo, api, ann, quirk, birthday):
    halo.change(write_customfields=quirk)
    halo.set_custom("Users", ann, "CFBirthday", "1 May")
    answer = api.post({"id": ann, "customfields": [{"id": 45, "value": 2}]})
    assert (answer.status_code, ids(answer.json())) == (201, [ann])
    assert halo.opt_in(ann) == "Opted-Out"
    assert halo.snapshot()["Users"][ann].get("CFBirthday") == birthday


def test_a_bare_object_is_refused(api, ann):
    assert api.call("POST", "/Users", json={"id": ann}).status_code == 400


def test_a_record_without_id_is_created(halo, api, ann):
    answer = api.post({"customfields": [{"id": 45, "value": 1}]}, {"id": ann, "mobilenumber": "202-555-0150"})
    assert halo.created == [answer.json()[0]["id"]]
    assert halo.records["Users"][ann].values["mobilenumber"] == "202-555-0150"


def test_one_bad_record_refuses_the_array_and_is_named_by_its_index(halo, api, acme, ann):
    bob = halo.add_user(acme, "Bob Ray")
    rows = [{"id": one, "customfields": [{"id": 45, "value": value}]} for one, value in ((ann, 2), (bob, 99))]
    answer = api.post(*rows)
    assert answer.status_code == 400
    assert list(answer.json()) == ["[1].customfields[0].value"]
    assert halo.opt_ins() == {ann: "Opted-In", bob: None}
    halo.change(max_array=1)
    assert api.post(rows[0], rows[0]).status_code == 400
    assert api.post({"id": 999}).status_code == 404


@pytest.mark.parametrize(
    ("kind", "status", "after"),
    [
        ("silent", 201, "Opted-In"),
        ("validation", 400, "Opted-In"),
        ("error", 500, "Opted-In"),
        ("half", 500, "Opted-Out"),
    ],
)
def test_poison(halo, api, ann, kind, status, after):
    halo.poison(ann, kind)
    assert api.post({"id": ann, "customfields": [{"id": 45, "value": 2}]}).status_code == status
    assert halo.opt_in(ann) == after


@pytest.mark.parametrize(("quirk", "value"), [("id", "Opted-Out"), ("label", 2)])
def test_a_selection_takes_one_form_only(halo, api, ann, quirk, value):
    halo.change(select_write=quirk)
    assert api.post({"id": ann, "customfields": [{"id": 45, "value": value}]}).status_code == 400
    halo.change(select_write="either")
    assert api.post({"id": ann, "customfields": [{"id": 45, "value": value}]}).status_code == 201


def test_reads_may_lag(halo, api, ann):
    halo.change(read_lag_reads=2)
    api.post({"id": ann, "customfields": [{"id": 45, "value": 2}]})
    shown = [api.call("GET", f"/Users/{ann}").json()["customfields"][0]["display"] for _ in range(3)]
    assert shown == ["Opted-In", "Opted-In", "Opted-Out"]
    assert halo.opt_in(ann) == "Opted-Out"


@pytest.mark.parametrize(("quirk", "kind"), [("array", list), ("object", dict), ("empty", str)])
def test_replies_to_a_post(halo, api, ann, quirk, kind):
    halo.change(post_answer=quirk)
    answer = api.post({"id": ann})
    assert isinstance(answer.json() if answer.content else "", kind)


def test_clients_are_written_and_deleted_too(halo, api, acme):
    api.post({"id": acme, "name": "Acme Inc"}, path="/Client")
    assert api.rows("/Client")[0]["name"] == "Acme Inc"
    assert api.call("DELETE", f"/Client/{acme}").status_code == 200
    assert api.rows("/Client") == []


def test_what_clients_of_others_look_up_at_their_start(api, acme):
    assert api.call("GET", "/Lookup", params={"lookupid": 11}).json() == []
    assert api.call("GET", "/Site").json()["record_count"] == 1


def test_sites_are_filtered_and_paged_as_lists_are(halo, api, acme):
    birch = halo.add_client("Birch")
    [site] = api.call("GET", "/Site", params={"client_id": birch}).json()["sites"]
    assert (site["client_id"], site["clientsite_name"], site["id"]) == (float(birch), "Birch/Main", birch * 10.0)
    answer = api.call("GET", "/Site", params={"pageinate": "true", "page_size": 1, "page_no": 2}).json()
    assert (answer["record_count"], [one["client_id"] for one in answer["sites"]]) == (2, [float(birch)])
    assert (
        "delivery_address_line5" in api.call("GET", "/Site", params={"includeaddress": "true"}).json()["sites"][0]
    )


def test_what_a_new_record_has(halo, api, acme):
    [row] = api.call("POST", "/Users", json=[{"firstname": "Eve", "surname": "Ray", "site_id": acme * 10}]).json()
    assert (row["name"], row["client_id"], row["client_name"], row["inactive"]) == ("Eve Ray", acme, "Acme", False)
    [row] = api.call("POST", "/Client", json=[{"name": "Cedar"}]).json()
    assert (row["name"], row["toplevel_name"], "site_id" in row) == ("Cedar", "Customers", False)
    assert api.call("GET", "/Nothing").status_code == 404
