"""The stand-in answers like a real RT: both are given the same town and asked the same in the same order.

The stand-in leaves out what the connector never looks at; what it does say, RT says as well, in the same form.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from desk_real_rt import RealRtDesk
from desk_rt import API, APPROVAL, BADGE, CONSENT, PHONE, RtDesk
from office import Office

from syncd.model import CompanyState, Consent

pytestmark = pytest.mark.rt

# What RT says besides, and the connector has no use for.
LEFT_OUT = {
    "_hyperlinks", "Created", "Creator", "LastUpdatedBy", "SortOrder", "Pattern", "EntryHint", "UniqueValues",
    "LastUpdated", "next_page", "prev_page", "Plugins",
}  # fmt: skip

UNORDERED = {"CustomFields", "Memberships"}

PEOPLE = "fields=id,Name,RealName,LastUpdated,CustomFields,MobilePhone,WorkPhone&orderby=id"
GROUPS = "fields=id,Name,Domain,CustomFields&orderby=id"
FIELDS = "fields=id,Name,LookupType&orderby=id"
FEED = "fields=id,ObjectType,ObjectId,Type&orderby=id&order=DESC"
MEMBERSHIPS = [
    {"field": "ObjectType", "value": "RT::Group"},
    {"field": "Type", "value": "AddMember"},
    {"field": "Type", "value": "DeleteMember", "entry_aggregator": "OR"},
    {"field": "id", "operator": ">", "value": 0},
]
OURS = [{"field": "Domain", "value": "UserDefined"}]


class Town:
    """The same people and groups at either desk. Ids are told by names."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk
        self.ids = {
            "acme": desk.add_company("Acme Dental", CompanyState.APPROVED),
            "birch": desk.add_company("Birch Legal"),
            "team": str(desk.server.add_group("Team")),
        }
        self.ids["ann"] = desk.add_contact(
            self.ids["acme"], "Ann Lee", ["(202) 555-0110", "x"], consent=Consent.OPTED_IN
        )
        self.ids["ben"] = desk.add_contact(self.ids["acme"], "Ben Ray", active=False)
        self.ids["cara"] = desk.add_contact(self.ids["birch"], "Cara Sims", consent=Consent.OPTED_OUT)
        numbers = {PHONE: ["+1 202 555 0112", "tel: 2025550113"]}
        self.ids["dev"] = str(desk.server.add_user("12345", numbers, RealName="Dév Ünïcode 株式"))
        desk.server.add_member(int(self.ids["acme"]), "group", int(self.ids["team"]))
        desk.server.add_member(int(self.ids["team"]), "user", int(self.ids["dev"]))
        self._names = {number: name for name, number in self.ids.items()}
        self.etag: str | None = None

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, match: str | None = None
    ) -> Any:
        """The answer with names for ids, as [status, body, headers of interest]."""
        path = path.format(**self.ids)
        headers = {"Authorization": f"token {token or self.desk.token}", "Content-Type": "application/json"}
        if match:
            headers["If-Match"] = self.etag if match == "latest" and self.etag else '"1"'
        sent = None if body is None else body if isinstance(body, str) else json.dumps(body)
        line = http.client.HTTPConnection(urlsplit(self.desk.wire.base_url).netloc, timeout=30)
        try:
            line.request(method, API + path, sent, headers)
            answer = line.getresponse()
            said = answer.read()
        finally:
            line.close()
        shown: dict[str, Any] = {"Date": bool(answer.getheader("Date"))}
        if method == "GET" and path.startswith("/user/"):
            self.etag = answer.getheader("ETag")
            shown["ETag"] = self.etag and re.sub(r"\d+", "0", self.etag)
        return [answer.status, self._named(json.loads(said)), shown]

    def _named(self, value: Any, key: str = "") -> Any:
        """Ids of people and groups by name, with their type; dates and other numbers by their form."""
        if isinstance(value, dict):
            named = {one: self._named(held, one) for one, held in value.items()}
            if "LookupType" in value or value.get("type") == "customfield":
                return named  # its id is the same here and there
            if value.get("type") == "transaction":
                named["_url"], named["id"] = None, type(value["id"])
            else:
                named |= {"id": self._id(value["id"])} if "id" in value else {}
            return named | ({"ObjectId": self._id(value["ObjectId"])} if "ObjectId" in value else {})
        if isinstance(value, list):
            named = [self._named(one) for one in value]
            return sorted(named, key=lambda one: one["id"]) if key in UNORDERED else named
        if isinstance(value, str):
            value = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:]+Z?", "DATE", value.replace(self.desk.wire.base_url, ""))
            value = re.sub(r"^(JSON parse error): .*", r"\1", value, flags=re.DOTALL)
            return re.sub(r"(?<=/)(?:user|group)/(\d+)$", lambda found: self._id(found[1]), value)
        return value

    def _id(self, value: Any) -> str:
        kind = "number" if isinstance(value, int) else "digits" if str(value).isdigit() else value
        return f"{kind} {self._names.get(str(value), '')}"


@pytest.fixture
def towns(office: Office) -> Iterator[tuple[Town, Town]]:
    """The real one and the stand-in's."""
    with RealRtDesk(office) as real, RtDesk() as stand_in:
        for account in ("staff", "syncd"):
            stand_in.server.add_user(account)
        yield Town(real), Town(stand_in)


def likened(real: Any, stand_in: Any) -> Any:
    """What RT says, without what the stand-in leaves out and may leave out."""
    if isinstance(real, dict) and isinstance(stand_in, dict):
        return {
            key: likened(value, stand_in.get(key))
            for key, value in real.items()
            if key in stand_in or key not in LEFT_OUT
        }
    if isinstance(real, list) and isinstance(stand_in, list) and len(real) == len(stand_in):
        return [likened(*both) for both in zip(real, stand_in, strict=True)]
    if isinstance(real, str) and isinstance(stand_in, str):  # RT names a user by name, and now and then by its id
        return re.sub(r"^User \d+: ", stand_in.partition(": ")[0] + ": ", real)
    return real


READING = {
    "version": ("GET", "/rt", None),
    "one user": ("GET", "/user/{ann}", None),
    "one who is disabled": ("GET", "/user/{ben}", None),
    "one with a field of many values": ("GET", "/user/{dev}", None),
    "nobody": ("GET", "/user/99999999", None),
    "everybody": ("POST", f"/users?{PEOPLE}&per_page=100&find_disabled_rows=1", []),
    "everybody enabled": ("POST", "/users?fields=id&orderby=id&per_page=100", []),
    "more than a hundred a page": ("POST", "/users?fields=id&orderby=id&per_page=500", []),
    "the second page": ("POST", f"/users?{PEOPLE}&per_page=5&page=2", []),
    "a page past the last": ("POST", "/users?fields=id&orderby=id&per_page=5&page=9", []),
    "users by name": ("POST", "/users?fields=Name,RealName", [{"field": "Name", "value": "12345"}]),
    "users by id": ("POST", "/users?fields=id&orderby=id", [{"field": "id", "value": 1}]),
    "users by number": ("POST", "/users?fields=id&orderby=id", [{"field": "MobilePhone", "value": "x"}]),
    "groups": ("POST", f"/groups?{GROUPS}&per_page=100&find_disabled_rows=1", OURS),
    "groups one a page": ("POST", f"/groups?{GROUPS}&per_page=1&page=2", OURS),
    "members": ("GET", "/group/{acme}/members?per_page=100&orderby=id", None),
    "the second page of members": ("GET", "/group/{acme}/members?per_page=2&page=2", None),
    "members of no group": ("GET", "/group/99999999/members", None),
    "fields of users": ("POST", f"/customfields?{FIELDS}", [{"field": "LookupType", "value": "RT::User"}]),
    "fields of groups": ("POST", f"/customfields?{FIELDS}", [{"field": "LookupType", "value": "RT::Group"}]),
    "fields without a condition": ("POST", f"/customfields?{FIELDS}", []),
    "a list": ("GET", f"/customfield/{CONSENT}", None),
    "a field of many values": ("GET", f"/customfield/{PHONE}", None),
    "a field of one value": ("GET", f"/customfield/{BADGE}", None),
    "no field": ("GET", "/customfield/4711", None),
    "the feed": ("POST", f"/transactions?{FEED}&per_page=100", MEMBERSHIPS),
    "the feed page by page": ("POST", f"/transactions?{FEED}&per_page=2&page=2", MEMBERSHIPS),
    "the feed without a condition": ("POST", f"/transactions?{FEED}", []),
    "not JSON": ("POST", "/users?fields=id", "[{"),
    "no such thing": ("GET", "/nothing", None),
}  # fmt: skip


@pytest.mark.parametrize("what", READING)
def test_a_question_gets_the_same_answer(towns: tuple[Town, Town], what: str) -> None:
    real, stand_in = (town.ask(*READING[what]) for town in towns)
    assert stand_in == likened(real, stand_in)


def test_a_wrong_token_is_refused(towns: tuple[Town, Town]) -> None:
    real, stand_in = (town.ask("GET", "/rt", token="1-29-0123456789abcdef") for town in towns)
    assert stand_in == likened(real, stand_in)


@pytest.mark.parametrize("group", ["acme", "team"])
def test_a_disabled_group_is_shown_alike(towns: tuple[Town, Town], group: str) -> None:
    for town in towns:
        town.desk.retire_company(town.ids[group])
    asked = ["one user", "one with a field of many values", "groups", "members", "the feed"]
    for question in (*(READING[what] for what in asked), ("POST", f"/groups?{GROUPS}", OURS)):
        real, stand_in = (town.ask(*question) for town in towns)
        assert stand_in == likened(real, stand_in)


# The field, and what is put into it, one after the other.
WRITES = [
    (CONSENT, "Opted-Out"),
    (CONSENT, "opted-out"),
    (CONSENT, "Opted-In"),
    (CONSENT, "Maybe"),
    (CONSENT, ["Opted-Out", "Opted-In"]),
    (CONSENT, ""),
    (CONSENT, ""),
    (CONSENT, "Opted-In"),
    (CONSENT, None),
    (CONSENT, "Opted-Out"),
    (CONSENT, []),
    ("SMS Opt-In", "Opted-In"),
    (BADGE, "C-8"),
    (BADGE, ""),
    (BADGE, "D-9"),
    (PHONE, ["a", "b"]),
    (PHONE, ["b", "c"]),
    (APPROVAL, "Approved"),
    ("4711", "x"),
]


def test_writes_have_the_same_effect_and_words(towns: tuple[Town, Town]) -> None:
    for field, value in WRITES:
        told = [town.ask("PUT", "/user/{ann}", {"CustomFields": {field: value}}) for town in towns]
        seen = [town.ask("GET", "/user/{ann}") for town in towns]
        assert told[1] == likened(*told), (field, value)
        assert seen[1] == likened(*seen), (field, value)
    for body in ({"MobilePhone": "5"}, {"MobilePhone": "5"}, {"MobilePhone": ""}, {}):
        told = [town.ask("PUT", "/user/{ann}", body) for town in towns]
        seen = [town.ask("GET", "/user/{ann}") for town in towns]
        assert told[1] == likened(*told), body
        assert seen[1] == likened(*seen), body


def test_an_edit_of_any_kind_makes_the_etag_a_new_one(towns: tuple[Town, Town]) -> None:
    def edits(town: Town) -> Iterator[Any]:
        body = {"CustomFields": {CONSENT: "Opted-Out"}}
        yield town.ask("PUT", "/user/{ann}", body, match="wrong")
        for edit in (
            lambda: None,
            lambda: town.desk.set_contact(town.ids["ann"], consent=Consent.OPTED_IN),
            lambda: town.desk.set_contact(town.ids["ann"], consent=None),
            lambda: town.desk.move_contact(town.ids["ann"], town.ids["birch"]),
            lambda: town.desk.set_company(town.ids["birch"], CompanyState.OPTED_OUT),
        ):
            town.ask("GET", "/user/{ann}")
            edit()
            yield town.ask("PUT", "/user/{ann}", body, match="latest")
            yield town.ask("GET", "/user/{ann}")
            yield town.ask("POST", f"/transactions?{FEED}&per_page=100", MEMBERSHIPS)
        yield town.ask("PUT", "/user/99999999", body)

    for real, stand_in in zip(*map(edits, towns), strict=True):
        assert stand_in == likened(real, stand_in)
