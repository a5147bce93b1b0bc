"""The ConnectWise stand-in over real HTTP: what is documented, each trap, each quirk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import requests

from syncd.sandbox.connectwise import ConnectWiseServer
from syncd.sandbox.connectwise_fields import CustomField, sms_approval, sms_opt_in
from syncd.sandbox.people import fictional_number

NOW = datetime(2026, 3, 4, 15, 16, 17, 500_000, tzinfo=UTC)
FIELDS = (
    sms_opt_in(),
    sms_approval(),
    CustomField(12, "Contacts", "Hobby"),
    CustomField(13, "Contacts", "PIN", "Password"),
    CustomField(14, "Contacts", "Locked", read_only=True),
    CustomField(15, "Contacts", "VIP", "Checkbox"),
)


class Caller:
    """A session with the credentials of one stand-in."""

    def __init__(self, server):
        self.server = server
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update(server.credentials)

    def call(self, method, path, **options):
        url = path if path.startswith("http") else self.server.api_url + path
        return self.session.request(method, url, timeout=3, allow_redirects=False, **options)

    def get(self, path, **params):
        return self.call("GET", path, params=params)

    def ids(self, path="/company/contacts", **params):
        answer = self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()]

    def patch(self, contact, *operations):
        return self.call("PATCH", f"/company/contacts/{contact}", json=list(operations))

    def set(self, contact, **values):
        fields = [{"id": int(name[1:]), "value": value} for name, value in values.items()]
        return self.patch(contact, {"op": "replace", "path": "customFields", "value": fields})


@pytest.fixture
def server():
    with ConnectWiseServer(fields=FIELDS, clock=lambda: NOW) as made:
        yield made


@pytest.fixture
def api(server):
    caller = Caller(server)
    yield caller
    caller.session.close()


@pytest.fixture
def acme(server):
    return server.add_company("Acme Dental", approval="Approved")


@pytest.fixture
def ann(server, acme):
    return server.add_contact(
        acme, "Ann", "Lee", mobile="+1(202)5550111", items=[("Email", "ann@acme.example", "Email")], title="CFO"
    )


@pytest.fixture
def people(server, acme):
    """Seven contacts with ids 1 to 7."""
    other = server.add_company("Other")
    for n in range(1, 8):
        home = acme if n < 5 else other
        server.add_contact(home, f"N{n}", "Doe", mobile=fictional_number(n), contact_id=n, active=n != 2)
    return other


# Where it is, and who is let in.


def test_company_information_needs_no_credentials(server):
    answer = requests.get(f"{server.base_url}/login/companyinfo/acme_msp", timeout=3)
    assert (answer.json()["Codebase"], answer.json()["IsCloud"]) == ("v2026_1/", "True")
    answer = requests.get(f"{server.base_url}/login/companyinfo/nobody", timeout=3)
    assert (answer.status_code, answer.json()) == (200, None)
    assert server.leaks == []


def test_credentials_sent_to_it_are_recorded(server, api):
    api.get(f"{server.base_url}/login/companyinfo/acme_msp")
    assert len(server.leaks) == 1


def test_both_codebases_and_slashes_as_they_come(server, api, ann):
    for base in ("/v4_6_release/apis/3.0", "/v2026_1/apis/3.0", "/v2026_1//apis/3.0/", "/V4_6_Release/apis/3.0"):
        assert api.ids(f"{server.base_url}{base}/company/contacts/") == [ann]
    server.upgrade("v2026_2")
    answer = api.get(f"{server.base_url}/v2026_1/apis/3.0/company/contacts")
    assert (answer.status_code, answer.text[:1]) == (404, "<")


@pytest.mark.parametrize("header", ["Authorization", "clientId"])
def test_bad_credentials(server, api, header):
    api.session.headers[header] = "wrong"
    assert api.get("/company/contacts").status_code == 401
    server.change(bad_login="404")
    assert api.get("/company/contacts").status_code == 404
    del api.session.headers[header]
    assert api.get("/company/contacts").status_code == 404


def test_what_is_not_there_and_what_is_not_allowed(server, api, ann):
    assert api.get("/company/contacts/9").json() == {
        "code": "NotFound", "message": "Contact 9 not found", "errors": None,
    }  # fmt: skip
    assert api.get("/company/nothing").json()["message"] == "The endpoint does not exist."
    assert api.call("POST", "/system/userDefinedFields", json={}).status_code == 405
    assert api.call("PATCH", "/system/userDefinedFields/12", json=[]).status_code == 405
    server.change(no_access=frozenset({"/system/userDefinedFields"}))
    assert api.get("/system/userdefinedfields").status_code == 403
    assert api.get("/company/contacts", conditions=f'title="{"x" * 2100}"').status_code == 414


@pytest.mark.parametrize(
    ("throttle", "wait", "start"), [("json", "30", "{"), ("html", None, "<"), ("no wait", None, "{")]
)
def test_throttling(server, api, throttle, wait, start):
    server.change(calls_per_minute=2, throttle=throttle)
    answers = [api.get("/system/info") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert (answers[2].headers.get("Retry-After"), answers[2].text[0]) == (wait, start)


# Records and tables.


def test_a_contact_as_it_is_shown(server, api, ann, acme):
    row = api.get(f"/company/contacts/{ann}").json()
    assert row["company"] == {"id": acme, "identifier": "AcmeDental", "name": "Acme Dental", "_info": {}}
    assert [
        (item["type"]["name"], item["value"], item["communicationType"]) for item in row["communicationItems"]
    ] == [
        ("Cell", "+1(202)5550111", "Phone"),
        ("Email", "ann@acme.example", "Email"),
    ]
    assert (row["defaultPhoneType"], row["inactiveFlag"]) == ("Site", False)
    assert [(one["id"], one["value"]) for one in row["customFields"]] == [
        (59, None), (12, None), (13, None), (14, None), (15, None),
    ]  # fmt: skip
    assert row["customFields"][0]["podId"] == "contact_overview"
    assert row["_info"]["lastUpdated"] == "2026-03-04T15:16:17Z"
    assert "//apis" in row["_info"]["self_href"]
    assert all(isinstance(value, str) for value in row["_info"].values())


@pytest.mark.parametrize(("quirk", "shown"), [("absent", ...), ("null", None), ("empty", [])])
def test_keys_that_may_be_absent(server, api, quirk, shown):
    server.change(no_numbers=quirk, unset="missing")
    row = api.get(f"/company/contacts/{server.add_contact(None, 'A', 'B')}").json()
    assert "company" not in row
    assert row.get("communicationItems", ...) == shown
    assert row["customFields"] == []


def test_tables(server, api, acme):
    definition = next(one for one in api.get("/system/userDefinedFields").json() if one["id"] == 59)
    assert (definition["podId"], definition["entryTypeIdentifier"]) == (4, "List")
    assert [option["optionValue"] for option in definition["options"]] == ["Opted-In", "Opted-Out"]
    assert api.get("/company/communicationTypes/2").json()["description"] == "Cell"
    assert api.get("/company/companies/statuses").json()[0]["name"] == "Active"
    assert api.get("/company/companies/statuses/count").json() == {"count": 5}
    assert api.get(f"/company/companies/{acme}").json()["status"]["name"] == "Active"
    info = api.get("/system/info")
    assert info.json()["version"].startswith("v2026.1")
    assert info.headers["api-current-version"] == "2026.1"


def test_communications_of_a_contact(server, api, ann):
    rows = api.get(f"/company/contacts/{ann}/communications").json()
    assert [row["contactId"] for row in rows] == [ann, ann]
    assert api.get(f"/company/contacts/{ann}/communications/count").json() == {"count": 2}


# The query language.


@pytest.mark.parametrize(
    ("conditions", "ids"),
    [
        ("id > 5", [6, 7]),
        ("id>=5 and id<7", [5, 6]),
        ("id in (1, 3,99)", [1, 3]),
        ("id not in (1,2,3,4,5)", [6, 7]),
        ("not id < 6", [6, 7]),
        ("id != 1 AND (id = 2 OR id=3)", [2, 3]),
        ("inactiveFlag=True", [2]),
        ("InactiveFlag = false AND id < 3", [1]),
        ('firstName="n3"', [3]),
        ("firstName = 'N3'", [3]),
        ('firstName like "N%" and id<3', [1, 2]),
        ('firstName like "*4"', [4]),
        ('firstName not like "*4" AND id in (4,5)', [5]),
        ('lastName contains "o" AND id=1', [1]),
        ('company/name="Other" AND id<6', [5]),
        ("company/id=250 AND id > 3", [4]),
        ("lastUpdated >= [2026-03-04T15:16:17Z] and id=1", [1]),
        ("lastUpdated > [2026-03-04T15:16:17Z]", []),
        ("title = null and id=7", [7]),
    ],
)
def test_conditions(api, people, conditions, ids):
    assert api.ids(conditions=conditions) == ids
    assert api.get("/company/contacts/count", CONDITIONS=conditions).json() == {"count": len(ids)}


@pytest.mark.parametrize(
    "conditions",
    ["id", "id =", "id = x", "shoeSize = 4", "id = 1 OR", "(id = 1", "id ~ 1", 'a"b', "id = 1 id = 2"],
)
def test_conditions_that_are_not_valid(api, people, conditions):
    answer = api.get("/company/contacts", conditions=conditions)
    assert (answer.status_code, answer.json()["code"]) == (400, "ConnectWiseApi")


def test_child_conditions_on_phones(api, people):
    assert api.ids(childConditions='communicationItems/value like "%0103%"') == [3]
    assert api.ids(childconditions='communicationItems/value="+12025550104"') == [4]
    assert api.ids(childConditions='communicationItems/communicationType="Fax"') == []


def test_custom_field_conditions(server, api, people):
    server.set_opt_in(1, "Opted-In")
    server.set_custom("Contacts", 2, "VIP", True)
    named = 'caption="SMS Opt-In" AND '
    assert api.ids(customFieldConditions=f'{named}value="opted-in"') == [1]
    assert api.ids(customFieldConditions=f"{named}value != null") == [1]
    assert api.ids(customfieldconditions='caption="VIP" AND value=true') == [2]
    assert api.ids(customFieldConditions='caption="VIP" AND value = null') == [1, 3, 4, 5, 6, 7]


def test_a_filter_that_is_ignored_and_unknown_parameters(server, api, people):
    assert len(api.ids(shoeSize="44")) == 7
    server.change(ignore_conditions=True)
    assert len(api.ids(conditions="id=1")) == 7


def test_fields_and_order(server, api, people):
    rows = api.get("/company/contacts", fields="id,company/name,Unknown", conditions="id=1").json()
    assert rows == [{"id": 1, "company": {"name": "Acme Dental"}}]
    assert api.ids(orderBy="company/name desc, id desc") == [7, 6, 5, 4, 3, 2, 1]
    server.change(fields_hide_custom=True)
    assert api.get("/company/contacts/1", fields="id,customFields").json() == {"id": 1}


# Paging.


def test_pages_by_number(server, api, people):
    answer = api.get("/company/contacts", pageSize=3)
    assert answer.links["next"]["url"].endswith("?pageSize=3&page=2")
    assert set(answer.links) == {"next", "last"}
    seen = [row["id"] for row in answer.json()]
    while "next" in answer.links:
        answer = api.get(answer.links["next"]["url"])
        seen += [row["id"] for row in answer.json()]
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert set(answer.links) == {"first", "prev"}
    assert "Link" not in api.get("/company/contacts").headers
    assert api.ids(pagesize=3, page=9) == []


def test_odd_links(server, api, people):
    server.change(odd_last_page=True, link="other host", link_order="page first")
    links = api.get("/company/contacts", pageSize=3, page=3).links
    assert links["next"]["url"] == (
        "https://na.myconnectwise.net/v4_6_release//apis/3.0/company/contacts?page=4&pageSize=3"
    )


def test_forward_only(server, api, people):
    api.session.headers["pagination-type"] = "forward-only"
    answer = api.get("/company/contacts", pageSize=3, page=2)
    assert [row["id"] for row in answer.json()] == [1, 2, 3]
    assert "pageId=3" in answer.links["next"]["url"]
    assert api.ids(pageSize=3, pageId=3) == [4, 5, 6]
    last = api.get("/company/contacts", pageSize=3, pageId=6)
    assert ([row["id"] for row in last.json()], last.headers["Link"]) == ([7], "")
    assert api.get("/company/contacts", orderBy="id asc").status_code == 400
    server.change(forward_end="always")
    assert "pageId=7" in api.get("/company/contacts", pageSize=3, pageId=6).links["next"]["url"]
    server.change(forward_end="absent")
    assert "Link" not in api.get("/company/contacts", pageSize=3, pageId=6).headers
    server.change(forward_only=False)
    assert api.ids(pageSize=3, pageId=6) == [1, 2, 3]


def test_page_sizes(server, api, acme):
    for n in range(30):
        server.add_contact(acme, "N", str(n))
    assert len(api.ids()) == 25
    server.change(largest_page=20)
    assert len(api.ids(pageSize=5000)) == 20
    server.change(over_largest="400")
    assert api.get("/company/contacts", pageSize=5000).status_code == 400
    assert api.get("/company/contacts", pageSize="x").status_code == 400


# Writing.


@pytest.mark.parametrize(("meaning", "hobby"), [("merge", "Hiking"), ("replace", None)])
def test_a_patch_of_custom_fields_merges_or_replaces(server, api, ann, meaning, hobby):
    server.set_custom("Contacts", ann, "Hobby", "Hiking")
    server.change(custom_patch=meaning)
    answer = api.set(ann, _59="Opted-In")
    assert (answer.status_code, answer.json()["id"]) == (200, ann)
    assert (server.opt_in(ann), server.custom("Contacts", ann, "Hobby")) == ("Opted-In", hobby)
    api.patch(ann, {"op": "replace", "path": "/customFields", "value": []})
    assert server.opt_in(ann) == ("Opted-In" if meaning == "merge" else None)
    assert server.writes[0].kind == "Contacts"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Replace", "path": "title", "value": "CEO"},
        {"op": "replace", "path": "communicationItems", "value": "x"},
        {"op": "replace", "path": "customFields", "value": {"id": 59}},
        {"op": "replace", "path": "customFields", "value": [{"id": 999, "value": 1}]},
        {"op": "replace", "path": "customFields", "value": [{"id": 59, "value": "Maybe"}]},
        {"op": "replace", "path": "customFields", "value": [{"id": 14, "value": "x"}]},
        {"op": "replace", "path": "customFields", "value": [{"id": 15, "value": "true"}]},
        {"op": "replace", "path": "customFields/0/value", "value": 1},
        {"op": "replace", "path": "id", "value": 1},
    ],
)
def test_patches_that_are_refused_change_nothing(server, api, ann, operation):
    before = server.snapshot()
    answer = api.patch(ann, operation)
    assert (answer.status_code, answer.json()["code"][:7]) == (400, "Invalid")
    assert api.call("PATCH", f"/company/contacts/{ann}", json=operation).status_code == 400
    assert server.snapshot() == before


def test_a_patch_inside_a_reference_is_a_false_200(server, api, ann):
    before = server.snapshot()
    assert api.patch(ann, {"op": "replace", "path": "company/id", "value": 9}).status_code == 200
    assert server.snapshot() == before


def test_patches_of_other_fields(server, api, ann):
    api.patch(ann, {"op": "replace", "path": "title", "value": "CEO"}, {"op": "remove", "path": "defaultPhoneNbr"})
    row = api.get(f"/company/contacts/{ann}").json()
    assert (row["title"], "defaultPhoneNbr" in row, row["_info"]["updatedBy"]) == ("CEO", False, "ApiMember")
    server.change(custom_required=True)
    assert api.patch(ann, {"op": "replace", "path": "title", "value": "CFO"}).status_code == 400


def test_put_blanks_and_delete_deletes(server, api, ann):
    api.call("PUT", f"/company/contacts/{ann}", json={"firstName": "Ann"})
    assert "title" not in api.get(f"/company/contacts/{ann}").json()
    assert api.call("DELETE", f"/company/contacts/{ann}").status_code == 204
    assert api.get(f"/company/contacts/{ann}").status_code == 404


def test_post_creates(server, api, acme):
    refused = api.call("POST", "/company/contacts", json={"lastName": "Lee"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "firstName")
    new = {"firstName": "Eve", "company": {"id": acme}, "customFields": [{"id": 59, "value": "Opted-In"}]}
    answer = api.call("POST", "/company/contacts", json=new)
    assert answer.status_code == 201
    assert server.opt_ins(acme) == {answer.json()["id"]: "Opted-In"}


def test_references_are_completed_on_write(server, api, acme, ann):
    new = {"name": "Birch", "identifier": "Birch", "status": {"id": 2}}
    birch = api.call("POST", "/company/companies", json=new).json()
    assert birch["status"]["name"] == "Inactive"
    assert len(api.get("/company/companies/statuses").json()) == 5
    items = [{"type": {"id": 5}, "value": "eve@example.com"}, {"type": {"name": "Cell"}, "value": "202-555-0107"}]
    new = {"firstName": "Eve", "company": {"id": birch["id"]}, "communicationItems": items}
    shown = api.call("POST", "/company/contacts", json=new).json()["communicationItems"]
    assert [(one["type"]["name"], one["communicationType"]) for one in shown] == [
        ("Email", "Email"),
        ("Cell", "Phone"),
    ]
    assert len({one["id"] for one in shown}) == 2
    patch = [{"op": "replace", "path": "company", "value": {"id": birch["id"]}}]
    assert api.call("PATCH", f"/company/contacts/{ann}", json=patch).json()["company"]["name"] == "Birch"
    patch = [{"op": "replace", "path": "status", "value": {"name": "Credit Hold"}}]
    assert api.call("PATCH", f"/company/companies/{acme}", json=patch).json()["status"]["id"] == 3


def test_a_documented_field_may_be_named_in_a_condition(api, ann):
    assert api.ids(conditions='zip="33601" or firstName="Ann"') == [ann]
    answer = api.get("/company/companies", params={"conditions": "city=null and isVendorFlag=null"})
    assert answer.status_code == 200


def test_setup_tables(api):
    row = api.get("/company/companies/statuses").json()[0]
    assert row["defaultFlag"]
    assert not any(row[flag] for flag in ("inactiveFlag", "notifyFlag", "disallowSavingFlag"))
    assert api.get("/company/companies/types").json() == api.get("/company/contacts/types").json() == []


def test_one_communication_item(api, ann):
    item = api.get(f"/company/contacts/{ann}/communications").json()[0]
    assert api.get(f"/company/contacts/{ann}/communications/{item['id']}").json() == item
    answer = api.get(f"/company/contacts/{ann}/communications/1")
    assert (answer.status_code, answer.json()["code"]) == (404, "NotFound")


def test_masks_workflows_and_empty_answers(server, api, ann):
    server.set_custom("Contacts", ann, "PIN", "1234")
    assert api.get(f"/company/contacts/{ann}").json()["customFields"][2]["value"] == "*****"
    server.change(masks_passwords=False, also_sets={"Hobby": "set"}, patch_answer="empty")
    assert api.get(f"/company/contacts/{ann}").json()["customFields"][2]["value"] == "1234"
    answer = api.set(ann, _59="Opted-Out")
    assert (answer.status_code, answer.content) == (204, b"")
    assert server.custom("Contacts", ann, "Hobby") == "set"


@pytest.mark.parametrize(
    ("kind", "code"), [("validation", 400), ("permission", 403), ("error", 500), ("silent", 200)]
)
def test_poisons(server, api, ann, kind, code):
    server.poison(ann, kind)
    assert api.set(ann, _59="Opted-In").status_code == code
    assert server.opt_in(ann) is None
    server.cure(ann)
    api.set(ann, _59="Opted-In")
    assert server.opt_ins() == {ann: "Opted-In"}


@pytest.mark.parametrize("moves", [True, False])
def test_whether_a_custom_field_moves_the_date(ann, server, api, moves):
    server.change(custom_edit_moves_stamp=moves)
    server.clock = lambda: NOW + timedelta(hours=1)
    api.set(ann, _59="Opted-In")
    updated = api.get(f"/company/contacts/{ann}").json()["_info"]["lastUpdated"]
    assert updated == ("2026-03-04T16:16:17Z" if moves else "2026-03-04T15:16:17Z")


# What a test may do.


def test_the_user_interface(server, acme, ann):
    other = server.add_company("Other", status="Prospect")
    server.move_contact(ann, other)
    server.deactivate_contact(ann)
    server.add_item(ann, "Pager", "202-555-0122")
    server.edit_contact(ann, title="CEO")
    server.edit_company(acme, name="Acme")
    server.set_status(acme, "Inactive")
    server.set_approval(acme, None)
    shown = server.snapshot(without=["communicationItems"])
    assert shown["Contacts"][ann]["company"]["id"] == other
    assert shown["Contacts"][ann]["inactiveFlag"] is True
    assert shown["Companies"][acme]["udf SMS Approval"] is None
    assert server.opt_ins(acme) == {}
    server.rename_field("Contacts", "SMS Opt-In", "May text")
    server.set_opt_in(ann, "Opted-In")
    assert server.opt_in(ann) == "Opted-In"
    server.remove_field("Contacts", "Hobby")
    server.delete_contact(ann)
    server.delete_company(other)
    with pytest.raises(ValueError, match="no custom field"):
        server.set_custom("Companies", acme, "Hobby", "x")
    with pytest.raises(ValueError, match="already"):
        server.add_company("Twice", company_id=acme)


def test_2500_contacts_are_read_quickly(server, api, acme):
    for n in range(2_500):
        server.add_contact(acme, "N", str(n), mobile=fictional_number(n))
    api.session.headers["pagination-type"] = "forward-only"
    last, pages = 0, 0
    while found := api.ids(pageId=last, pageSize=1000, conditions=f"company/id={acme}"):
        last, pages = found[-1], pages + 1
    assert pages == 3
