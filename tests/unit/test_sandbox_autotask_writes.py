"""Writes to the Autotask stand-in over real HTTP: the one route there is, what it refuses, what goes wrong."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from syncd.sandbox.autotask import AutotaskServer
from syncd.sandbox.faults import lost_answer

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


def test_patch_through_the_company_changes_one_field_only(autotask, api, acme, ann):
    before = autotask.snapshot(without=["SMS Opt-In"])
    answer = api.patch(ann)
    assert (answer.status_code, answer.json()) == (200, {"itemId": ann})
    assert autotask.opt_in(ann) == api.shown(ann) == "Opted-In"
    assert autotask.snapshot(without=["SMS Opt-In"]) == before
    [write] = autotask.writes
    assert write[:5] == ("Contacts", ann, "SMS Opt-In", None, "Opted-In")
    assert write.applied


@pytest.mark.parametrize(("form", "body"), [("id", True), ("empty", False)])
def test_other_answers_to_a_write(autotask, api, ann, form, body):
    autotask.change(patch_answer=form)
    answer = api.patch(ann)
    assert answer.status_code == 200
    assert (answer.json() == {"id": ann}) if body else (answer.content == b"")


def test_there_is_no_way_to_write_contacts_at_the_root(api, ann):
    body = {"id": ann, "title": "CEO"}
    root = api.call("PATCH", "/V1.0/Contacts", json=body)
    assert root.status_code == 404
    assert root.text.startswith("<!DOCTYPE html>")
    for method in ("PUT", "PATCH"):
        answer = api.call(method, f"/V1.0/Contacts/{ann}", json=body)
        assert answer.status_code == 405
        assert answer.json() == {"Message": f"The requested resource does not support http method '{method}'."}


def test_put_clears_what_is_not_sent(autotask, api, acme, ann):
    autotask.set_opt_in(ann, "Opted-Out")
    body = {"id": ann, "firstName": "Ann", "lastName": "Lee", "isActive": 1}
    assert api.call("PUT", f"/V1.0/Companies/{acme}/Contacts", json={"id": ann}).status_code == 500
    assert api.call("PUT", f"/V1.0/Companies/{acme}/Contacts", json=body).status_code == 200
    assert (autotask.contact(ann)["mobilePhone"], autotask.opt_in(ann)) == (None, None)


def test_company_writes_have_a_root_route(autotask, api, acme):
    body = {"id": acme, "userDefinedFields": [{"name": "SMS Approval", "value": "Opted-Out"}]}
    assert api.call("PATCH", "/V1.0/Companies", json=body).json() == {"itemId": acme}
    assert autotask.approval(acme) == "Opted-Out"


def test_companies_and_contacts_are_created(autotask, api):
    body = {"companyName": "New", "companyType": 1, "ownerResourceID": 7, "phone": "202-555-0100"}
    new = api.call("POST", "/V1.0/Companies", json=body).json()["itemId"]
    assert (autotask.company(new)["companyName"], autotask.company(new)["isActive"]) == ("New", True)
    sent = {"companyID": 0, "firstName": "Zoe", "lastName": "Ray", "isActive": 1, "mobilePhone": "202-555-0101"}
    sent["userDefinedFields"] = [{"name": "SMS Opt-In", "value": "Opted-In"}]
    answer = api.call("POST", f"/V1.0/Companies/{new}/Contacts", json=sent)
    zoe = answer.json()["itemId"]
    assert (autotask.contact(zoe)["companyID"], autotask.opt_in(zoe)) == (new, "Opted-In")
    assert api.shown(zoe) == "Opted-In"
    assert [(write.entity, write.field, write.new) for write in autotask.writes] == [
        ("Companies", "id", new),
        ("Contacts", "id", zoe),
    ]


def test_what_a_new_record_must_have(autotask, api, acme):
    sent = {"firstName": "Zoe", "lastName": "Ray"}
    answer = api.call("POST", f"/V1.0/Companies/{acme}/Contacts", json=sent)
    assert (answer.status_code, answer.json()["errors"]) == (500, ["Missing Required Field: isActive"])
    answer = api.call("POST", "/V1.0/Companies/999/Contacts", json=sent | {"isActive": 1})
    assert "Company 999 does not exist" in answer.json()["errors"][0]
    assert api.call("POST", "/V1.0/Contacts", json=sent | {"isActive": 1}).status_code == 404
    autotask.change(no_update=frozenset({"Companies"}))
    body = {"companyName": "New", "companyType": 1, "ownerResourceID": 7, "phone": "1"}
    assert "permissions" in api.call("POST", "/V1.0/Companies", json=body).json()["errors"][0]
    assert autotask.writes == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"isActive": True}, "Unexpected character encountered while parsing value: t"),
        ({"phone": "5" * 26}, "String value exceeds maximum length (field:phone)"),
        ({"SMS Opt-In": "Opted-In"}, "Could not find member"),
        ({"primaryContact": 1}, "boolean"),
        ({"userDefinedFields": {"SMS Opt-In": "Opted-In"}}, "unexpected error"),
        ({"userDefinedFields": ["x"]}, "unexpected error"),
        ({"userDefinedFields": [{"name": "Gone", "value": "x"}]}, "does not exist"),
        ({"userDefinedFields": [{"name": "SMS Opt-In", "value": "Maybe"}]}, "Value does not exist"),
        ({"userDefinedFields": [{"name": "SMS Opt-In", "value": True}]}, "must be a string"),
        ({"id": None}, "id of the entity"),
        ({"id": 99}, "does not exist"),
        (["x"], "Unexpected token"),
    ],
)
def test_refused_writes_change_nothing(autotask, api, acme, ann, body, text):
    before = autotask.snapshot(stamps=True)
    sent = {"id": ann} | body if isinstance(body, dict) else body
    answer = api.call("PATCH", f"/V1.0/Companies/{acme}/Contacts", json=sent)
    assert answer.status_code == 500
    assert text in answer.json()["errors"][0]
    assert ("errorId" in answer.json()) == ("unexpected error" in text)
    assert autotask.snapshot(stamps=True) == before
    assert autotask.writes == []


def test_bodies_that_are_no_json(api, acme):
    url = f"/V1.0/Companies/{acme}/Contacts"
    assert api.call("PATCH", url, data="{", headers={"Content-Type": "application/json"}).status_code == 500
    assert api.call("PATCH", url, data="{}", headers={"Content-Type": "text/plain"}).status_code == 415
    assert (
        api.call(
            "POST", "/V1.0/Contacts/query", data="{", headers={"Content-Type": "application/json"}
        ).status_code
        == 500
    )


def test_read_only_and_unknown_fields_are_ignored_on_write(autotask, api, acme, ann):
    assert api.patch(ann, companyID=0, createDate="2000-01-01", colour="red", title="CEO").status_code == 200
    assert autotask.contact(ann)["companyID"] == acme
    assert autotask.contact(ann)["title"] == "CEO"


def test_a_contact_that_moved_is_refused_through_its_old_company(autotask, api, acme, ann):
    other = autotask.add_company("Other")
    autotask.move_contact(ann, other)
    assert api.patch(ann, company=acme).status_code == 500
    autotask.change(wrong_parent="applied")
    assert api.patch(ann, company=acme).status_code == 200
    assert api.patch(ann, company=4711).status_code == 500
    assert autotask.opt_in(ann) == "Opted-In"


def test_clearing_a_udf(autotask, api, ann):
    for empty in (None, ""):
        autotask.set_opt_in(ann, "Opted-In")
        assert api.patch(ann, empty).status_code == 200
        assert autotask.opt_in(ann) is None


@pytest.mark.parametrize("kind", ["error", "validation", "permission"])
def test_poisoned_contacts(autotask, api, acme, ann, kind):
    ben = autotask.add_contact(acme, "Ben", "Lee")
    autotask.poison(ann, kind)
    assert [api.patch(ann).status_code for _ in range(2)] == [500, 500]
    assert api.patch(ben).status_code == 200
    autotask.cure(ann)
    assert api.patch(ann).status_code == 200
    autotask.poison(None, kind, times=1)
    assert [api.patch(ben).status_code for _ in range(2)] == [500, 200]


def test_silently_lost_writes(autotask, api, ann):
    autotask.poison(ann, "silent", times=1)
    assert api.patch(ann).json() == {"itemId": ann}
    assert autotask.opt_in(ann) is None
    assert [write.applied for write in autotask.writes] == [False]
    api.patch(ann)
    assert autotask.opt_in(ann) == "Opted-In"


def test_applied_but_the_answer_is_lost(autotask, api, ann):
    autotask.faults.add(lost_answer(), method="PATCH")
    with pytest.raises(requests.ConnectionError):
        api.patch(ann)
    assert autotask.wait_until(lambda: autotask.opt_in(ann) == "Opted-In")


def test_reads_lag_behind_for_some_reads(autotask, api, ann):
    autotask.change(read_lag_reads=2)
    api.patch(ann)
    assert autotask.opt_in(ann) == "Opted-In"
    assert api.shown(ann) is None
    assert api.found([{"op": "exist", "field": "SMS Opt-In", "udf": True}]) == []
    assert [api.shown(ann), api.shown(ann)] == [None, "Opted-In"]


def test_reads_lag_behind_for_some_seconds():
    now = [NOW]
    with AutotaskServer(clock=lambda: now[0]) as autotask:
        api = Caller(autotask)
        ann = autotask.add_contact(0, "Ann", "Lee")
        autotask.change(read_lag_seconds=30)
        api.patch(ann)
        assert api.shown(ann) is None
        now[0] += timedelta(seconds=31)
        assert api.shown(ann) == "Opted-In"


def test_restricted_users(autotask, api, acme, ann):
    autotask.hide("Companies", acme)
    assert api.found(EVERYTHING, "Companies") == [0]
    autotask.hide("Companies")
    autotask.change(restricted=frozenset({"Contacts"}), no_update=frozenset({"Contacts"}))
    assert api.found(EVERYTHING) == []
    assert api.get(f"/V1.0/Contacts/{ann}").json() == {"item": None}
    assert "adequate permissions" in api.patch(ann).json()["errors"][0]
    info = api.get("/V1.0/Contacts/entityInformation").json()["info"]
    assert (info["canUpdate"], info["userAccessForUpdate"]) == (False, 0)
