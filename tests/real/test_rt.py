"""The RT connector against a real RT 5, which nobody here wrote: what no other connector is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support import shell_for

from connectors.rt import Rt, client
from connectors.rt.answers import NoRight
from connectors.rt.fields import CONTACTS
from connectors.rt.settings import RtSettings
from syncd.connector import ALREADY, APPLIED, CHANGED, GONE, Change, Grade, Result
from syncd.connector.fields import Choice
from syncd.errors import AuthRefused, ConfigProblem, ShapeChanged, Transient
from syncd.model import CompanyState, Consent
from syncd.sandbox.primevox import PrimeVoxServer

pytestmark = pytest.mark.rt

OUT, IN = Consent.OPTED_OUT, Consent.OPTED_IN
SYNCD = Path(sys.executable).with_name("syncd")


@pytest.fixture
def psa(rt, remarks):
    return connect(rt, remarks)


@pytest.fixture
def remarks():
    return []


def connect(rt, remarks=None, account="syncd", **settings):
    more = {"phone_fields": ["MobilePhone", "WorkPhone", "HomePhone", "SMS Phone"]} | settings
    given = RtSettings(base_url=rt.base_url, token=rt.token_of(account), **more)
    made = Rt(given, shell_for(Rt, (remarks if remarks is not None else []).append))
    made.calls = recorded(made)
    return made


def recorded(psa):
    """Every call that the connector makes from now on, as (method, path)."""
    calls, sender = [], psa._client._client
    send = sender._send

    def watch(method, path, *rest, **more):
        calls.append((method, path))
        return send(method, path, *rest, **more)

    sender._send = watch
    return calls


def write(psa, *users, consent=OUT, shown=None):
    return dict(psa.write(Change(user, None, consent, shown) for user in users))


def without_field(record, name):
    """The whole record but for one custom field and what RT itself keeps of the latest edit."""
    fields = sorted((one["name"], one["values"]) for one in record["CustomFields"] if one["name"] != name)
    links = sorted(json.dumps(one, sort_keys=True) for one in record["_hyperlinks"])
    kept = {key: value for key, value in record.items() if key not in ("LastUpdated", "LastUpdatedBy")}
    return kept | {"CustomFields": fields, "_hyperlinks": links}


@pytest.fixture
def town(rt):
    """The ids of those who are there from the start."""
    return rt.ids


class TestReading:
    def test_companies_and_contacts_are_complete(self, psa, remarks, town):
        states = {company.id: (company.name, company.state) for company in psa.companies()}
        assert states == {
            town["acme"]: ("Acme", CompanyState.APPROVED),
            town["bolt"]: ("Bölt & Söhne", CompanyState.OPTED_OUT),
            town["sales"]: ("Acme Vertrieb", CompanyState.UNSET),
            town["end"]: ("End & Co", CompanyState.APPROVED),
        }
        people = {contact.id: contact for contact in psa.contacts()}
        ann, bob, cy, dee, eve = (people[town[name]] for name in ("ann", "bob", "cy", "dee", "eve"))
        assert (ann.name, ann.company_id, ann.active) == ("Änn Ünïcode 株式", town["acme"], True)
        assert (ann.numbers, ann.consent) == (("+12025550110",), None)
        assert (bob.active, bob.consent, bob.numbers) == (False, OUT, ("+12025550111",))
        assert (cy.consent, cy.numbers) == (IN, ("+12025550112", "+12025550113"))
        assert dee.numbers == ("+12025550115", "+12025550116")
        assert (eve.company_id, eve.numbers) == (None, ())
        assert "RT_System" not in {contact.name for contact in people.values()}
        # Dee is in a department of Acme that is a group as well: the stricter counts, and somebody is told.
        assert dee.company_id == town["sales"]
        assert any("2 companies" in remark for remark in remarks)

    def test_groups_that_are_no_companies_hold_nobody(self, rt, town):
        psa = connect(rt, other_groups=["* vertrieb"])
        assert {company.id for company in psa.companies()} == {town["acme"], town["bolt"], town["end"]}
        assert {contact.id for contact in psa.contacts(town["acme"])} == {town["ann"], town["bob"], town["dee"]}

    def test_members_are_read_again_only_where_they_changed(self, rt, psa, town):
        before = {contact.id: contact.company_id for contact in psa.contacts()}
        assert psa.calls.count(("GET", f"/group/{town['acme']}/members")) == 1
        psa.calls.clear()
        rt.add_members(town["bolt"], town["eve"])
        after = {contact.id: contact.company_id for contact in psa.contacts()}
        assert after == before | {town["eve"]: town["bolt"]}
        # groups, feed, the group that changed, everybody, those enabled
        assert [path for _, path in psa.calls] == [
            "/groups", "/transactions", f"/group/{town['bolt']}/members", "/users", "/users",
        ]  # fmt: skip
        rt.remove_member(town["bolt"], town["eve"])
        psa.calls.clear()
        assert {contact.id for contact in psa.contacts(town["bolt"])} == {town["cy"]}

    def test_pages_are_complete_over_their_boundary(self, psa, town, monkeypatch):
        everybody = list(psa.contacts())
        monkeypatch.setattr(client, "PAGE", 4)
        psa.calls.clear()
        assert list(psa.contacts()) == everybody
        assert psa.calls.count(("POST", "/users")) > len(everybody) // 4

    def test_a_cap_below_what_was_asked_for_loses_nobody(self, psa, town, monkeypatch):
        """RT gives 100 where more are asked for, and says nothing."""
        assert next(psa._client.pages("/users", ("Name",))).total >= 8
        sent = psa._client._client.read("GET", "/users", params={"per_page": 500, "fields": "id"})
        assert sent.json()["per_page"] == 100

    def test_a_search_field_that_rt_ignores_widens_nothing(self, psa, town):
        """RT drops the condition and returns everybody: the connector notices."""
        with pytest.raises(ShapeChanged, match="not obeyed"):
            list(psa._client.pages("/users", ("Name", "MobilePhone"), {"MobilePhone": "(202) 555-0110"}))

    @pytest.mark.parametrize("account", ["blind", "unseeing"])
    def test_a_missing_right_is_never_an_empty_list(self, rt, town, account):
        """RT answers 200 with no rows, or with empty phone numbers."""
        psa = connect(rt, account=account)
        with pytest.raises(NoRight, match=r"SeeGroup|SeeCustomField"):
            list(psa.companies())
        with pytest.raises(NoRight):
            list(psa.contacts())
        if account == "blind":
            page = next(psa._client.pages("/users", ("MobilePhone", "LastUpdated")))
            assert {row["MobilePhone"] for row in page.rows} == {""}
            with pytest.raises(NoRight, match="AdminUsers"):
                list(psa._listings.users())

    def test_a_wrong_token_and_a_wrong_field(self, rt, town):
        wrong = RtSettings(base_url=rt.base_url, token="1-14-0123456789abcdef")
        with pytest.raises(AuthRefused):
            list(Rt(wrong, shell_for(Rt)).companies())
        with pytest.raises(ConfigProblem, match="'SMS Approval'"):
            list(connect(rt, company_field={"name": "Approval"}).companies())
        with pytest.raises(ConfigProblem, match="'SMS Phone'"):
            list(connect(rt, phone_fields=["Cell"]).contacts())

    def test_check_says_it_on_one_screen(self, psa, town):
        report = psa.check()
        assert report.passed, report
        said = {finding.what: finding.detail for finding in report.findings if finding.grade is Grade.OK}
        assert "RT 5." in said["service"]
        assert "'Opted-In', 'Opted-Out'" in said["consent field"]
        assert said["companies"] == "4 seen: 2 approved, 1 opted_out, 1 unset"
        assert "7 with a usable number" in said["contacts"]
        assert len(report.findings) <= 20


class TestWriting:
    def test_one_field_changes_and_a_second_time_nothing_is_sent(self, rt, psa):
        name = "wanda@example.com"
        user = rt.add_user(
            name, phones=["202 555 0120", "202 555 0121"], RealName="Wändä", Comments="keep", City="X"
        )
        before = rt.user(name)
        assert write(psa, user) == {user: APPLIED}
        assert rt.field(name, "SMS Opt-In") == ["Opted-Out"]
        assert without_field(rt.user(name), "SMS Opt-In") == without_field(before, "SMS Opt-In")
        psa.calls.clear()
        assert write(psa, user, "99999") == {user: ALREADY, "99999": GONE}
        assert [method for method, _ in psa.calls] == ["GET", "GET"]
        assert write(psa, user, consent=IN) == {user: CHANGED}
        psa.calls.clear()
        assert write(psa, user, consent=IN, shown=OUT) == {user: APPLIED}
        assert [method for method, _ in psa.calls] == ["GET", "PUT", "GET"]
        assert rt.field(name, "SMS Opt-In") == ["Opted-In"]

    def test_a_disabled_user_is_written_like_others(self, rt, psa):
        user = rt.add_user("gone@example.com", Disabled=1)
        assert write(psa, user) == {user: APPLIED}
        assert rt.call("GET", f"/user/{user}")["Disabled"] == "1"

    def test_a_user_that_changed_since_it_was_read_is_left_to_the_next_time(self, rt, psa):
        user = rt.add_user("raced@example.com")
        read = psa._client.user

        def read_then_edited(user_id):
            found = read(user_id)
            rt.call("PUT", f"/user/{user}", {"CustomFields": {"SMS Opt-In": "Opted-Out"}})
            return found

        psa._client.user = read_then_edited
        with pytest.raises(Transient, match="412") as caught:
            write(psa, user, consent=IN)
        assert caught.value.contact == user
        psa._client.user = read
        assert write(psa, user, consent=IN) == {user: CHANGED}
        assert rt.field("raced@example.com", "SMS Opt-In") == ["Opted-Out"]

    def test_what_rt_does_not_take_is_refused_though_it_says_200(self, rt):
        user = rt.add_user("odd@example.com")
        psa = connect(rt, contact_field={"name": "SMS Opt-In", "opted_in": "Opted-In", "opted_out": "Maybe"})
        field = psa._fields.contact().field
        found = psa._client.user(user)
        assert psa._client.set_user_field(found, field.id, "Maybe") == "Invalid value for custom field"
        assert psa._client.set_user_field(found, 4711, "Opted-Out") == ""
        # As if the list had lost that value after it was read.
        known = replace(field, choices=(Choice("Opted-In", "Opted-In"), Choice("Maybe", "Maybe")))
        psa._fields.doubt(CONTACTS)
        psa._fields._known.get(CONTACTS, lambda: known)
        ended = psa.write([Change(user, None, OUT)])
        one, outcome = next(ended)
        assert (one, outcome.result) == (user, Result.REFUSED)
        assert "Invalid value for custom field" in outcome.reason
        with pytest.raises(ConfigProblem, match="'Maybe' is not in the list"):
            next(ended)

    def test_without_the_right_to_edit_rts_own_words_are_the_reason(self, rt):
        user = rt.add_user("protected@example.com")
        outcome = write(connect(rt, account="reading"), user)[user]
        assert outcome.result is Result.REFUSED
        assert "Permission Denied" in outcome.reason
        assert rt.field("protected@example.com", "SMS Opt-In") == []


def test_syncd_once_from_a_text_to_the_field_and_a_company_opt_out(rt, tmp_path):
    """The real process between PrimeVOX's stand-in and the real RT."""
    ours, ann, bob = "+12025550100", "+12035550100", "+12035550101"
    for name, secret in (("token", rt.token), ("key", "key")):
        (tmp_path / name).write_text(secret)
        (tmp_path / name).chmod(0o600)
    with PrimeVoxServer({"100200": {"api_key": "key", "numbers": [ours]}}) as primevox:
        config = tmp_path / "syncd.yaml"
        settings = {
            "base_url": rt.base_url,
            "token": f"${{file:{tmp_path}/token}}",
            "phone_fields": ["MobilePhone", "WorkPhone", "SMS Phone"],
        }
        key = f"${{file:{tmp_path}/key}}"
        sections = {
            "primevox": {
                "base_url": primevox.base_url,
                "api_key": key,
                "containers": [{"id": "100200", "numbers": [ours]}],
            },
            "psa": {"connector": "rt", "settings": settings},
            "policy": {"first_run": "replay"},
            "store": {"url": f"sqlite:///{tmp_path}/state.db"},
        }
        config.write_text(json.dumps(sections))
        primevox.receive(ours, ann, "#Go", datetime.now(UTC))
        primevox.receive(ours, bob, "#Stop", datetime.now(UTC))
        run(config)
        assert shown(rt) == ["Opted-In", "Opted-Out", "Opted-In"]
        rt.call("PUT", f"/group/{rt.ids['end']}", {"CustomFields": {"SMS Approval": "Opted-Out"}})
        run(config)
        assert shown(rt) == ["Opted-Out", "Opted-Out", "Opted-Out"]
    log = (tmp_path / "log").read_text()
    assert rt.token not in log
    assert rt.token.encode() not in (tmp_path / "state.db").read_bytes()


def run(config):
    """One pass of the real process."""
    ended = subprocess.run(
        [str(SYNCD), "once", "-c", str(config)], capture_output=True, text=True, timeout=60, check=False
    )
    with (config.parent / "log").open("a") as log:
        log.write(ended.stdout + ended.stderr)
    assert ended.returncode == 0, ended.stderr


def shown(rt):
    return [value for name in ("e2e-ann", "e2e-bob", "e2e-cy") for value in rt.field(name, "SMS Opt-In")]
