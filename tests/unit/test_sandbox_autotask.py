"""The Autotask stand-in over real HTTP: what is documented, each trap, each quirk."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import requests

from syncd.sandbox.autotask import AutotaskServer
from syncd.sandbox.autotask_fields import list_udf, text_udf
from syncd.sandbox.faults import stall
from syncd.sandbox.people import fictional_number

NOW = datetime(2026, 3, 4, 15, 16, 17, 500_000, tzinfo=UTC)
EVERYTHING = [{"op": "gte", "field": "id", "value": 0}]


class Caller:
    """A session with the credentials of one stand-in."""

    def __init__(self, server):
        self.server = server
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update(server.credentials)

    def call(self, method, path, **options):
        url = path if path.startswith("http") else self.server.base_url + path
        return self.session.request(method, url, timeout=3, allow_redirects=False, **options)

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def query(self, entity="Contacts", filter=EVERYTHING, **body):  # noqa: A002
        return self.call("POST", f"/V1.0/{entity}/query", json={"filter": filter, **body})

    def found(self, filter, entity="Contacts", **body):  # noqa: A002
        answer = self.query(entity, filter, **body)
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["items"]]

    def refused(self, filter, entity="Contacts", **body):  # noqa: A002
        answer = self.query(entity, filter, **body)
        assert answer.status_code == 500, answer.text
        return answer.json()["errors"][0]

    def patch(self, contact, value="Opted-In", company=None, name="SMS Opt-In", **fields):
        company = self.server.contact(contact)["companyID"] if company is None else company
        udfs = [{"name": name, "value": value}]
        return self.call(
            "PATCH",
            f"/V1.0/Companies/{company}/Contacts",
            json={"id": contact, "userDefinedFields": udfs, **fields},
        )

    def shown(self, contact):
        """Return what the API shows in the opt-in field."""
        row = self.get(f"/V1.0/Contacts/{contact}").json()["item"]
        return {udf["name"]: udf["value"] for udf in row["userDefinedFields"]}["SMS Opt-In"]


@pytest.fixture
def autotask():
    with AutotaskServer() as server:
        yield server


@pytest.fixture
def api(autotask):
    caller = Caller(autotask)
    yield caller
    caller.session.close()


@pytest.fixture
def acme(autotask):
    return autotask.add_company("Acme", approval="Approved")


@pytest.fixture
def ann(autotask, acme):
    return autotask.add_contact(acme, "Ann", "Lee", mobile="202-555-0111", title="CFO")


# Zone, versions, credentials.


def test_zone_look_up_needs_no_credentials(autotask):
    answer = requests.get(autotask.zone_url, params={"user": autotask.username}, timeout=3)
    assert answer.json()["url"] == autotask.base_url + "/"
    assert set(answer.json()) == {"zoneName", "url", "webUrl", "ci"}
    autotask.change(zone_double_slash=True)
    answer = requests.get(autotask.zone_url, params={"user": autotask.username}, timeout=3)
    assert answer.json()["url"].endswith("//ATServicesRest/")


def test_zone_look_up_of_an_unknown_user(autotask):
    answer = requests.get(autotask.zone_url, params={"user": "nobody@example.com"}, timeout=3)
    assert (answer.status_code, answer.json()) == (500, {"errors": ["Zone information could not be determined"]})


def test_a_secret_sent_to_the_zone_look_up_is_recorded(autotask, api):
    """The service answers whoever sends more than is needed; that it was sent is for tests of ours to see."""
    assert api.get(autotask.zone_url, params={"user": autotask.username}).json()["url"] == autotask.base_url + "/"
    assert [request.headers["Secret"] for request in autotask.leaks] == ["sandbox-secret"]


def test_versions_hold_one_that_does_not_work(api):
    assert api.get("/VersionInformation").json() == {"apiVersions": ["V1.0", "V2.0"]}
    answer = api.get("/V2.0/zoneInformation")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize("header", ["ApiIntegrationCode", "UserName", "Secret"])
def test_bad_credentials(api, header):
    api.session.headers[header] = "wrong"
    assert api.query().status_code == 401
    del api.session.headers[header]
    assert api.query().status_code == 401


def test_lock_out_looks_like_bad_credentials():
    with AutotaskServer(lock_out_after=2) as autotask:
        good, bad = Caller(autotask), Caller(autotask)
        bad.session.headers["Secret"] = "wrong"
        answers = [bad.query(), good.query(), bad.query(), bad.query(), good.query()]
        assert [answer.status_code for answer in answers] == [401, 200, 401, 401, 401]
        assert answers[-1].text == answers[0].text
        autotask.unlock()
        assert good.query().status_code == 200


def test_bad_integration_code_may_be_a_500(autotask, api):
    autotask.change(bad_integration_code="500")
    api.session.headers["ApiIntegrationCode"] = "wrong"
    assert (api.query().status_code, api.query().json()) == (500, {"errors": ["IntegrationCode is invalid"]})


# Queries.


def test_rows_and_paging_details(autotask, api, acme, ann):
    [row] = api.query().json()["items"]
    assert row == autotask.contact(ann) | {"userDefinedFields": [{"name": "SMS Opt-In", "value": None}]}
    assert (row["isActive"], row["companyID"], row["id"]) == (1, acme, ann)
    assert api.query().json()["pageDetails"] == {
        "count": 1, "requestCount": 500, "prevPageUrl": None, "nextPageUrl": None,
    }  # fmt: skip
    own, second = api.query("Companies").json()["items"]
    assert (own["id"], own["companyName"]) == (0, "The MSP")
    assert second["isActive"] is True
    assert second["userDefinedFields"] == [{"name": "SMS Approval", "value": "Approved"}]


def test_flags_may_be_texts_in_a_filter(autotask, api, acme):
    asleep = autotask.add_company("Asleep")
    autotask.deactivate_company(asleep)
    assert api.found([{"op": "eq", "field": "isActive", "value": "true"}], "Companies") == [0, acme]
    assert api.found([{"op": "eq", "field": "isActive", "value": "False"}], "Companies") == [asleep]


def test_doubled_and_last_slashes_mean_nothing(api, acme):
    assert api.get(f"/V1.0/Companies/{acme}/").json()["item"]["id"] == acme
    assert api.get(f"//V1.0//Companies/{acme}").json()["item"]["id"] == acme
    body = {"id": acme, "phone": "202-555-0199"}
    assert api.call("PATCH", "/V1.0/Companies/", json=body).json() == {"itemId": acme}
    assert api.get("/V1.0/Companies/entityInformation/fields/").status_code == 200


@pytest.fixture
def people(autotask, acme):
    """Three contacts; ids are named in the order 1, 2, 3."""
    other = autotask.add_company("Other")
    autotask.add_contact(acme, "Ann", "Smith", mobile="202-555-0111", contact_id=1, opt_in="Opted-In")
    autotask.add_contact(acme, "Ben", "Smythe", active=False, contact_id=2, opt_in="Opted-Out")
    autotask.add_contact(other, "Cara", "Jones", phone="2025550113", contact_id=3, primaryContact=True)
    return acme, other


@pytest.mark.parametrize(
    ("clause", "ids"),
    [
        ({"op": "eq", "field": "lastName", "value": "smith"}, [1]),
        ({"op": "noteq", "field": "lastName", "value": "Smith"}, [2, 3]),
        ({"op": "gt", "field": "id", "value": 1}, [2, 3]),
        ({"op": "gte", "field": "id", "value": "2"}, [2, 3]),
        ({"op": "lt", "field": "id", "value": 2}, [1]),
        ({"op": "lte", "field": "ID", "value": 2}, [1, 2]),
        ({"op": "beginsWith", "field": "lastName", "value": "Smi"}, [1]),
        ({"op": "endsWith", "field": "lastName", "value": "S"}, [3]),
        ({"op": "contains", "field": "mobilephone", "value": "0111"}, [1]),
        ({"op": "contains", "field": "mobilePhone", "value": "5550111"}, []),
        ({"op": "exist", "field": "mobilePhone"}, [1]),
        ({"op": "notExist", "field": "mobilePhone"}, [2, 3]),
        ({"op": "in", "field": "id", "value": [1, 3, 99]}, [1, 3]),
        ({"op": "notIn", "field": "firstName", "value": ["Ann"]}, [2, 3]),
        ({"op": "eq", "field": "isActive", "value": 0}, [2]),
        ({"op": "eq", "field": "isActive", "value": True}, [1, 3]),
        ({"op": "eq", "field": "isActive", "value": "true"}, [1, 3]),
        ({"op": "eq", "field": "isActive", "value": "False"}, [2]),
        ({"op": "eq", "field": "primaryContact", "value": True}, [3]),
        ({"op": "gt", "field": "lastModifiedDate", "value": "2020-01-01T00:00:00Z"}, [1, 2, 3]),
        ({"op": "gt", "field": "lastModifiedDate", "value": "2999-01-01T00:00:00"}, []),
        ({"op": "eq", "field": "sms opt-in", "udf": True, "value": "Opted-In"}, [1]),
        ({"op": "noteq", "field": "SMS Opt-In", "udf": True, "value": "Opted-In"}, [2]),
        ({"op": "notExist", "field": "SMS Opt-In", "udf": True}, [3]),
        ({"op": "in", "field": "SMS Opt-In", "udf": True, "value": ["Opted-Out", "x"]}, [2]),
    ],
)
def test_operators(api, people, clause, ids):
    assert api.found([clause]) == ids


def test_groups(api, people):
    acme, _ = people
    ann = {"op": "eq", "field": "firstName", "value": "Ann"}
    ben = {"op": "eq", "field": "firstName", "value": "Ben"}
    active = {"op": "eq", "field": "isActive", "value": 1}
    of_acme = {"op": "eq", "field": "companyID", "value": acme}
    assert api.found([{"op": "or", "items": [ann, ben]}]) == [1, 2]
    assert api.found([{"op": "or", "items": [ann, ben]}, active]) == [1]
    assert api.found([{"op": "or", "items": [{"op": "and", "items": [ben, active]}, ann]}]) == [1]
    assert api.found([{"op": "and", "items": [of_acme, {"op": "or", "items": [active, ben]}]}]) == [1, 2]


@pytest.mark.parametrize("op", ["ne", "startsWith", "isNull", "between", "EQ", None])
def test_an_unknown_operator_drops_its_clause(autotask, api, people, op):
    bad = {"op": op, "field": "lastName", "value": "Smith"}
    assert api.found([bad]) == [1, 2, 3]
    assert api.found([bad, {"op": "eq", "field": "isActive", "value": 0}]) == [2]
    assert api.found([{"op": "or", "items": [bad]}]) == [1, 2, 3]
    autotask.change(bad_operator="error")
    assert "not an operator" in api.refused([bad])


def test_unknown_keys_of_the_body_are_ignored_and_keys_have_any_case(api, people):
    assert api.found(EVERYTHING, searchTerm="Smith", isActive=1) == [1, 2, 3]
    answer = api.call("POST", "/V1.0/Contacts/query", json={"Filter": EVERYTHING, "maxRecords": 1})
    assert answer.json()["pageDetails"]["count"] == 1


@pytest.mark.parametrize(
    ("filter_", "text"),
    [
        ([], "At least one filter"),
        (None, "At least one filter"),
        ([{"op": "eq", "field": "companyName", "value": "x"}], "Unable to find companyName in the Contact Entity"),
        ([{"op": "eq", "field": "SMS Opt-In", "value": "x"}], "Unable to find SMS Opt-In in the Contact Entity"),
        ([{"op": "eq", "field": "Gone", "udf": True, "value": "x"}], "Unable to find Gone"),
        ([{"op": "eq", "field": "solicitationOptOut", "value": True}], "not queryable"),
        ([{"op": "eq", "field": "firstName", "value": None}], "value is required"),
        ([{"op": "eq", "field": "firstName"}], "value is required"),
        ([{"op": "eq", "field": "primaryContact", "value": "yes"}], "boolean value"),
        ([{"op": "gt", "field": "primaryContact", "value": True}], "boolean field"),
        ([{"op": "contains", "field": "companyID", "value": "1"}], "text field"),
        ([{"op": "eq", "field": "companyID", "value": "Acme"}], "does not fit"),
        ([{"op": "in", "field": "companyID", "value": 1}], "list of values"),
        ([{"op": "in", "field": "id", "value": list(range(501))}], "500 or fewer 'OR'"),
        (
            [{"op": "or", "items": [{"op": "eq", "field": "id", "value": n} for n in range(501)]}],
            "500 or fewer 'OR'",
        ),
        (
            [{"op": "eq", "field": name, "udf": True, "value": "x"} for name in ("SMS Opt-In", "Shoe Size")],
            "Only one user-defined field",
        ),
    ],
)
def test_refused_queries(autotask, api, filter_, text):
    autotask.define_udf("Contacts", text_udf("Shoe Size"))
    assert text in api.refused(filter_)


@pytest.mark.parametrize("most", [0, 501, "10", True])
def test_max_records_has_bounds(api, most):
    assert "MaxRecords" in api.refused(EVERYTHING, MaxRecords=most)


def test_include_fields(autotask, api, people):
    [row, *_] = api.query(IncludeFields=["ID", "firstname"]).json()["items"]
    assert row == {"id": 1, "firstName": "Ann", "userDefinedFields": []}
    [row, *_] = api.query(IncludeFields=["firstName", "SMS Opt-In"]).json()["items"]
    assert row == {"firstName": "Ann", "userDefinedFields": [{"name": "SMS Opt-In", "value": "Opted-In"}]}
    assert "Unable to find companyName" in api.refused(EVERYTHING, IncludeFields=["id", "companyName"])


def test_get_with_search_is_the_same_query(api, people):
    answer = api.get(
        "/V1.0/Contacts/query", params={"search": json.dumps({"filter": EVERYTHING, "MaxRecords": 2})}
    )
    assert [row["id"] for row in answer.json()["items"]] == [1, 2]
    following = answer.json()["pageDetails"]["nextPageUrl"]
    assert api.call("POST", following, json={"filter": EVERYTHING}).status_code == 405
    second = api.get(following).json()  # the query is in the URL
    assert [row["id"] for row in second["items"]] == [3]
    assert second["pageDetails"]["nextPageUrl"] is None


def test_pages_go_by_post_only(autotask, api, acme):
    ids = [autotask.add_contact(acme, "P", str(n)) for n in range(1100)]
    first = api.query()
    url = first.json()["pageDetails"]["nextPageUrl"]
    refused = api.get(url)
    assert refused.status_code == 405
    assert refused.json() == {"Message": "The requested resource does not support http method 'GET'."}
    found = [row["id"] for row in first.json()["items"]]
    while url:
        answer = api.call("POST", url, json={"filter": EVERYTHING}).json()
        found += [row["id"] for row in answer["items"]]
        url = answer["pageDetails"]["nextPageUrl"]
    assert found == ids
    assert api.call("POST", first.json()["pageDetails"]["nextPageUrl"], json={}).status_code == 500


def test_id_loop(autotask, api, acme):
    ids = [autotask.add_contact(acme, "P", str(n)) for n in range(120)]
    found, last = [], -1
    while True:
        page = api.found([{"op": "gt", "field": "id", "value": last}, *EVERYTHING], MaxRecords=50)
        found += page
        if len(page) < 50:
            break
        last = page[-1]
    assert found == ids


def test_count_and_big_ids(autotask, api, acme):
    autotask.add_contact(acme, "Big", "Id", contact_id=2**53 + 1)
    assert api.call("POST", "/V1.0/Contacts/query/count", json={"filter": EVERYTHING}).json() == {"queryCount": 1}
    assert api.found([{"op": "eq", "field": "id", "value": 2**53 + 1}]) == [2**53 + 1]


@pytest.mark.parametrize(("form", "code", "body"), [("null", 200, {"item": None}), ("404", 404, None)])
def test_missing_item(autotask, api, form, code, body):
    autotask.change(missing_item=form)
    answer = api.get("/V1.0/Contacts/99")
    assert answer.status_code == code
    assert body is None or answer.json() == body


def test_items_and_children(autotask, api, acme, ann):
    assert api.get(f"/V1.0/Contacts/{ann}").json()["item"]["firstName"] == "Ann"
    assert api.get("/V1.0/Companies/0").json()["item"]["companyName"] == "The MSP"
    assert api.get(f"/V1.0/Companies/{acme}/Contacts/{ann}").json()["item"]["id"] == ann
    assert api.get(f"/V1.0/Companies/0/Contacts/{ann}").json() == {"item": None}
    assert [row["id"] for row in api.get(f"/V1.0/Companies/{acme}/Contacts").json()["items"]] == [ann]


# User-defined fields and metadata.


def test_list_fields_whose_values_differ_from_their_labels():
    field = list_udf("SMS Opt-In", {"1": "Opted-In", "2": "Opted-Out", "3": "Old"}, inactive=["3"])
    with AutotaskServer(contact_udfs=[field, text_udf("Shoe Size")]) as autotask:
        api = Caller(autotask)
        ann = autotask.add_contact(0, "Ann", "Lee", opt_in="Opted-In")
        assert (api.shown(ann), autotask.opt_in(ann)) == ("1", "Opted-In")
        autotask.change(udf_read="label")
        assert api.shown(ann) == "Opted-In"
        assert api.patch(ann, "Opted-Out").status_code == 500
        assert api.patch(ann, "3").status_code == 500
        assert api.patch(ann, "2").status_code == 200
        autotask.change(udf_write="either")
        assert api.patch(ann, "Opted-In").status_code == 200
        by_value = [{"op": "eq", "field": "SMS Opt-In", "udf": True, "value": "1"}]
        by_label = [{"op": "eq", "field": "SMS Opt-In", "udf": True, "value": "Opted-In"}]
        assert (api.found(by_value), api.found(by_label)) == ([ann], [])
        autotask.change(udf_filter="label")
        assert (api.found(by_value), api.found(by_label)) == ([], [ann])
        autotask.set_opt_in(ann, "Old")
        assert api.shown(ann) == "Old"


@pytest.mark.parametrize(
    ("form", "unset", "one_set"),
    [("null", [("SMS Opt-In", None), ("Shoe Size", None)], [("SMS Opt-In", None), ("Shoe Size", "44")]),
     ("[]", [], [("Shoe Size", "44")]),
     ("missing", None, [("Shoe Size", "44")])],
)  # fmt: skip
def test_unset_udfs(autotask, api, ann, form, unset, one_set):
    def shown():
        row = api.get(f"/V1.0/Contacts/{ann}").json()["item"]
        udfs = row.get("userDefinedFields")
        return None if udfs is None else [(udf["name"], udf["value"]) for udf in udfs]

    autotask.define_udf("Contacts", text_udf("Shoe Size"))
    autotask.change(unset_udf=form)
    assert shown() == unset
    autotask.set_udf("Contacts", ann, "Shoe Size", "44")
    assert shown() == one_set


def test_unset_may_match_noteq(autotask, api, ann):
    clause = [{"op": "noteq", "field": "SMS Opt-In", "udf": True, "value": "Opted-In"}]
    assert api.found(clause) == []
    autotask.change(unset_matches_noteq=True)
    assert api.found(clause) == [ann]


def test_fields_are_renamed_and_removed(autotask, api, ann):
    autotask.set_opt_in(ann, "Opted-In")
    autotask.rename_udf("Contacts", "SMS Opt-In", "Texting")
    assert autotask.opt_in(ann) == "Opted-In"
    assert api.patch(ann).status_code == 500
    assert api.patch(ann, "Opted-Out", name="texting").status_code == 200
    autotask.remove_udf("Contacts", "Texting")
    assert api.get(f"/V1.0/Contacts/{ann}").json()["item"]["userDefinedFields"] == []


def test_metadata(api):
    info = api.get("/V1.0/Contacts/entityInformation").json()["info"]
    assert (info["name"], info["canUpdate"], info["hasUserDefinedFields"]) == ("Contact", True, True)
    fields = {
        known["name"]: known for known in api.get("/V1.0/Contacts/entityInformation/fields").json()["fields"]
    }
    assert (fields["isActive"]["dataType"], fields["phone"]["length"]) == ("integer", 25)
    fields = {
        known["name"]: known for known in api.get("/V1.0/Companies/entityInformation/fields").json()["fields"]
    }
    assert fields["companyType"]["isPickList"]
    assert {"value": "1", "label": "Customer"}.items() <= fields["companyType"]["picklistValues"][0].items()
    assert (fields["phone"]["isPickList"], fields["phone"]["picklistValues"]) == (False, None)
    [udf] = api.get("/V1.0/Companies/entityInformation/userDefinedFields").json()["fields"]
    assert (udf["name"], udf["isPickList"], udf["type"]) == ("SMS Approval", True, "string")
    assert [(v["value"], v["label"], v["isActive"]) for v in udf["picklistValues"]] == [
        ("Approved", "Approved", True),
        ("Opted-Out", "Opted-Out", True),
    ]


# Limits.


def test_three_requests_per_endpoint(autotask, api):
    rule = autotask.faults.add(stall(), path="/Contacts/query", times=None)

    def query(_turn):
        with Caller(autotask).session as session:
            url = autotask.base_url + "/V1.0/Contacts/query"
            return session.post(url, json={"filter": EVERYTHING}, timeout=3)

    with ThreadPoolExecutor(4) as pool:
        held = [pool.submit(query, turn) for turn in range(3)]
        assert autotask.wait_until(lambda: rule.hits == 3)
        refused = query(3)
        assert refused.status_code == 429
        assert "thread threshold of 3 threads" in refused.json()["errors"][0]
        assert api.query("Companies").status_code == 200
        rule.release()
        assert {answer.result(3).status_code for answer in held} == {200}
    assert autotask.max_concurrency["contacts"] == 4
    rule.remove()
    assert api.query().status_code == 200


def test_where_child_routes_count(autotask, api, ann):
    api.patch(ann)
    assert set(autotask.max_concurrency) == {"companies"}
    autotask.change(child_bucket="Contacts")
    api.patch(ann)
    assert set(autotask.max_concurrency) == {"companies", "contacts"}


def test_slots_may_linger(autotask, api):
    autotask.change(thread_limit=1, slot_lingers=5, thread_limit_status=500)
    assert [api.query().status_code for _ in range(2)] == [200, 500]
    autotask.change(thread_limit=None)
    assert api.query().status_code == 200


def test_threshold_information_counts_itself_and_others():
    now = [NOW]
    with AutotaskServer(clock=lambda: now[0]) as autotask:
        api = Caller(autotask)
        assert api.get("/V1.0/ThresholdInformation").json() == {
            "externalRequestThreshold": 10_000,
            "requestThresholdTimeframe": 60,
            "currentTimeframeRequestCount": 1,
        }
        autotask.use_quota(9_999)
        assert api.query().status_code == 429
        now[0] += timedelta(minutes=61)
        assert api.query().status_code == 200
        assert autotask.usage() == 1


def test_latency_grows_with_usage(autotask, api):
    autotask.change(latency=0.05)
    assert api.query().elapsed > timedelta(seconds=0.05)
    autotask.change(latency=0, usage_latency=True)
    assert api.query().elapsed < timedelta(seconds=0.4)
    autotask.use_quota(6_000)
    assert api.query().elapsed > timedelta(seconds=0.5)


# What people do.


def test_stamps(autotask, api, ann):
    def shown():
        return api.get(f"/V1.0/Contacts/{ann}").json()["item"]["lastModifiedDate"]

    autotask.clock = lambda: NOW
    autotask.edit_contact(ann, title="CEO")
    assert shown() == "2026-03-04T15:16:17.500Z"
    autotask.change(dates="naive", udf_edit_moves_stamps=False)
    autotask.set_opt_in(ann, "Opted-In")
    assert shown() == "2026-03-04T15:16:17.500Z"
    autotask.deactivate_contact(ann)
    assert shown() == "2026-03-04T15:16:17"
    autotask.change(dates="Z")
    autotask.edit_contact(ann, mobilePhone=None)
    assert shown() == "2026-03-04T15:16:17Z"


def test_companies_and_contacts_come_and_go(autotask, api, acme, ann):
    assert autotask.opt_ins(acme) == {ann: None}
    autotask.deactivate_company(acme)
    autotask.edit_company(acme, companyName="Acme II")
    row = api.get(f"/V1.0/Companies/{acme}").json()["item"]
    assert (row["isActive"], row["companyName"]) == (False, "Acme II")
    autotask.delete_contact(ann)
    autotask.delete_company(acme)
    assert (api.found(EVERYTHING), api.found(EVERYTHING, "Companies")) == ([], [0])
    with pytest.raises(ValueError, match="no field shoeSize"):
        autotask.add_contact(0, "Ann", "Lee", shoeSize=44)
    with pytest.raises(ValueError, match="exists already"):
        autotask.add_company("Twice", company_id=0)
    with pytest.raises(ValueError, match="no user-defined field"):
        autotask.set_udf("Companies", 0, "Gone", "x")


def test_a_staff_edit_ends_the_lag(autotask, api, ann):
    autotask.change(read_lag_reads=99)
    api.patch(ann)
    autotask.set_opt_in(ann, "Opted-Out")
    assert api.shown(ann) == "Opted-Out"


def test_five_thousand_contacts_are_read_quickly(autotask, api, acme):
    for index in range(5_000):
        autotask.add_contact(acme, "P", str(index), mobile=fictional_number(index))
    last, pages = -1, 0
    while found := api.found(
        [{"op": "gt", "field": "id", "value": last}, {"op": "eq", "field": "companyID", "value": acme}],
        IncludeFields=["id", "mobilePhone", "SMS Opt-In"],
    ):
        last, pages = found[-1], pages + 1
    assert pages == 10
