"""The RT connector against scripted answers over local HTTP: those that a real RT seldom gives."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError
from scripted_rt import APPROVAL, IN, OUT, TOKEN, ScriptedRt, bent, connect, sent, write

from connectors.rt.answers import NoRight
from connectors.rt.settings import RtSettings
from syncd.connector import ALREADY, APPLIED, CHANGED, GONE, Change, Grade, Result
from syncd.errors import Ambiguous, AuthRefused, ConfigProblem, Permanent, ShapeChanged, SyncdError, Transient
from syncd.model import CompanyState
from syncd.sandbox.exchange import Answer
from syncd.sandbox.faults import (
    empty_body,
    hang_up,
    html_page,
    lost_answer,
    redirect,
    reset,
    status,
    too_many_requests,
    truncated,
)


@pytest.fixture
def rt():
    with ScriptedRt() as server:
        server.add_group(7, "Approved", "Acme")
        server.add_group(8, "Opted-Out", "Bolt")
        server.add_user(20, group=7, MobilePhone="(202) 555-0120")
        server.add_user(21, "Opted-In", group=7, disabled=True, phones=["202 555 0121"])
        server.add_user(22, "Opted-Out", group=8)
        yield server


@pytest.fixture
def psa(rt, remarks):
    return connect(rt, remarks)


class TestSettings:
    ACCOUNT = {"base_url": "https://rt.example.com/rt", "token": TOKEN}  # noqa: RUF012

    def test_the_documented_keys_are_taken(self):
        settings = RtSettings(
            base_url="https://rt.example.com/rt/REST/2.0/",
            token=TOKEN,
            company_groups=["Client *"],
            other_groups=["Client zero"],
            phone_fields=["MobilePhone", "SMS Phone"],
            contact_field={"name": "A", "opted_in": "Y", "opted_out": "N"},
            company_field={"name": "B", "approved": ["Y", "OK"], "opted_out": ["N"]},
        )
        assert settings.base_url == "https://rt.example.com/rt"
        assert TOKEN not in repr(settings)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"base_url": "http://rt.example.com"},
            {"base_url": "https://u:p@rt.example.com"},
            {"token": ""},
            {"token": "two\nlines"},
            {"phone_fields": []},
            {"company_groups": []},
            {"contact_field": {"opted_in": "Yes", "opted_out": "yes"}},
            {"contact_field": {"opted_in": True, "opted_out": False}},
            {"company_field": {"approved": []}},
            {"unknown": 1},
        ],
    )
    def test_wrong_ones_are_refused_without_quoting_a_secret(self, wrong):
        with pytest.raises(ValidationError) as caught:
            RtSettings(**(self.ACCOUNT | wrong))
        assert "canary" not in str(caught.value)
        assert "lines" not in str(caught.value)


class TestReading:
    def test_companies_and_contacts(self, psa):
        assert [(one.id, one.name, one.state) for one in psa.companies()] == [
            ("7", "Acme", CompanyState.APPROVED),
            ("8", "Bolt", CompanyState.OPTED_OUT),
        ]
        seen = [(one.id, one.company_id, one.numbers, one.active, one.consent) for one in psa.contacts()]
        assert seen == [
            ("20", "7", ("+12025550120",), True, None),
            ("21", "7", (), False, IN),
            ("22", "8", (), True, OUT),
        ]

    @pytest.mark.parametrize("count", [0, 1, 100, 101, 2_500])
    def test_lists_are_complete(self, rt, psa, count):
        rt.users.clear()
        rt.members = {7: [], 8: []}
        for user in range(count):
            rt.add_user(100 + user, group=7, disabled=user % 100 == 0)
        people = list(psa.contacts())
        assert [one.id for one in people] == [str(100 + user) for user in range(count)]
        assert sum(not one.active for one in people) == -(-count // 100)
        assert {one.company_id for one in people} <= {"7"}

    def test_a_server_that_gives_smaller_pages_loses_nobody(self, rt, psa):
        rt.page = 2
        assert len(list(psa.contacts())) == 3

    @pytest.mark.parametrize(
        ("path", "change"),
        [
            ("/users", bent(total=9)),
            ("/users", bent(total=1)),
            ("/users", bent(count=1)),
            ("/users", bent(page=2)),
            ("/users", bent(items=lambda rows: rows[::-1])),
            ("/users", bent(items=lambda rows: [rows[0], rows[0], rows[1]])),
            ("/users", bent(items=lambda rows: [row | {"id": row["Name"]} for row in rows])),
            (
                "/users",
                bent(items=lambda rows: [{k: v for k, v in row.items() if k != "WorkPhone"} for row in rows]),
            ),
            ("/users", bent(items="")),
            ("/groups", bent(items=lambda rows: [row | {"Domain": "RT::Ticket-Role"} for row in rows])),
            ("/group/7/members", bent(items=lambda rows: [row | {"type": "queue"} for row in rows])),
            ("/customfields", bent(items=lambda rows: [row | {"LookupType": "RT::Queue"} for row in rows])),
            ("/transactions", bent(items=None)),
        ],
    )
    def test_an_answer_that_does_not_fit_the_question_is_not_believed(self, rt, psa, path, change):
        rt.bend[path] = change
        with pytest.raises(ShapeChanged):
            list(psa.contacts())

    @pytest.mark.parametrize("path", ["/users", "/groups", "/customfields"])
    def test_a_list_without_its_total_hides_something(self, rt, psa, path):
        rt.bend[path] = bent(total=None)
        with pytest.raises(NoRight, match="lacks the right"):
            list(psa.contacts())

    def test_empty_phone_numbers_of_a_lost_right_are_not_believed(self, rt, psa):
        """Without AdminUsers dates come as 1970, columns as empty text, and a user as a summary."""
        rt.bend["/users"] = bent(
            items=lambda rows: [row | {"LastUpdated": "1970-01-01T00:00:00Z"} for row in rows]
        )
        assert len(list(psa.contacts())) == 3  # an odd date alone is no proof
        rt.bend[r"/user/\d+"] = lambda _: Answer.json({"Name": "u20", "Privileged": 0})
        with pytest.raises(NoRight, match="AdminUsers"):
            list(psa.contacts())

    def test_users_that_vanish_while_the_list_is_read(self, rt, psa):
        rt.page = 2
        shrink = bent(total=2)
        rt.bend["/users"] = lambda answer: shrink(answer) if json.loads(answer.body)["page"] == 2 else answer
        with pytest.raises(Transient, match="vanished"):
            list(psa.contacts())

    def test_the_strictest_of_several_companies_counts(self, rt, psa, remarks):
        rt.add_group(9)
        rt.add_member(9, "user", 20)
        assert {one.id: one.company_id for one in psa.contacts()}["20"] == "9"
        rt.add_member(8, "user", 20)
        assert {one.id: one.company_id for one in psa.contacts()}["20"] == "8"
        assert {one.id for one in psa.contacts("8")} == {"20", "22"}
        assert len([remark for remark in remarks if "user 20" in remark]) == 1

    def test_members_of_groups_within_groups_belong_also_in_circles(self, rt, psa):
        rt.add_group(9, name="Staff of Acme")
        rt.add_member(9, "group", 7)
        rt.add_member(7, "group", 9)
        rt.add_user(23, group=9)
        psa = connect(rt, other_groups=["staff *"])
        assert {one.id for one in psa.contacts("7")} == {"20", "21", "23"}

    def test_the_feed_spares_the_members_of_groups_that_did_not_change(self, rt, psa):
        list(psa.contacts())
        rt.add_member(8, "user", 20)
        rt.forget_requests()
        list(psa.contacts())
        paths = [path for _, path in sent(rt)]
        assert paths == ["/groups", "/transactions", "/group/8/members", "/users", "/users"]

    @pytest.mark.parametrize("odd", [{"Type": "Set"}, {"ObjectType": "RT::Ticket"}, {"id": 1}])
    def test_a_feed_that_cannot_be_trusted_spares_nothing(self, rt, psa, odd):
        list(psa.contacts())
        rt.add_member(8, "user", 20)
        rt.bend["/transactions"] = bent(items=lambda rows: [row | odd for row in rows])
        rt.forget_requests()
        list(psa.contacts())
        assert {"/group/7/members", "/group/8/members"} <= {path for _, path in sent(rt)}

    def test_the_contacts_of_one_company_cost_one_call_each_where_that_is_less(self, rt, psa):
        list(psa.contacts())
        rt.forget_requests()
        assert [(one.id, one.active) for one in psa.contacts("7")] == [("20", True), ("21", False)]
        assert [path for _, path in sent(rt)] == ["/groups", "/transactions", "/user/20", "/user/21"]

    def test_an_id_that_is_none(self, psa):
        with pytest.raises(Permanent):
            list(psa.contacts("7 OR 1"))

    def test_fields_that_are_not_there(self, rt):
        for settings in (
            {"contact_field": {"name": "X"}},
            {"company_field": {"name": "X"}},
            {"phone_fields": ["X"]},
        ):
            with pytest.raises(ConfigProblem, match="'X'"):
                list(connect(rt, **settings).contacts())
        with pytest.raises(ConfigProblem, match="'Nope' is not in the list"):
            list(connect(rt, company_field={"approved": ["Nope"]}).companies())
        rt.bend["/customfield/4"] = bent(MaxValues="0")
        with pytest.raises(ConfigProblem, match="many values"):
            list(connect(rt).companies())

    def test_a_field_that_records_no_longer_show_unsets_nobody(self, rt, psa):
        rt.bend["/groups"] = bent(items=lambda rows: [row | {"CustomFields": ""} for row in rows])
        with pytest.raises(ConfigProblem, match="SMS Approval"):
            list(psa.companies())

    def test_another_value_counts_as_unset_and_is_told(self, rt, psa, remarks):
        rt.groups[7]["fields"][APPROVAL] = ["Pending"]
        assert [one.state for one in psa.companies()] == [CompanyState.UNSET, CompanyState.OPTED_OUT]
        assert len(list(psa.companies())) == 2
        assert [remark for remark in remarks if "'Pending'" in remark] == remarks[:1]
        assert len(remarks) == 1


class TestWriting:
    def test_one_change_costs_three_calls_and_the_same_again_one(self, rt, psa):
        write(psa, 22)
        rt.forget_requests()
        assert write(psa, 20) == {"20": APPLIED}
        assert sent(rt) == [("GET", "/user/20"), ("PUT", "/user/20"), ("GET", "/user/20")]
        put = rt.requests[1]
        assert put.json() == {"CustomFields": {"2": "Opted-Out"}}
        assert put.headers["If-Match"] == '"200"'
        rt.forget_requests()
        assert write(psa, 20, 99, "x") == {"20": ALREADY, "99": GONE, "x": GONE}
        assert [method for method, _ in sent(rt)] == ["GET", "GET"]

    def test_an_opt_in_does_not_overtake_an_opt_out(self, rt, psa):
        assert write(psa, 22, consent=IN, shown=IN) == {"22": CHANGED}
        assert write(psa, 22, consent=IN, shown=OUT) == {"22": APPLIED}

    def test_a_cascade_of_200(self, rt, psa):
        people = range(1_000, 1_200)
        for user in people:
            rt.add_user(user, "Opted-In", group=7)
        list(psa.contacts())
        rt.forget_requests()
        assert set(write(psa, *people).values()) == {APPLIED}
        # Each a GET and a PUT, and for each batch of 100 the three pages of all users.
        assert [method for method, _ in sent(rt)].count("PUT") == 200
        assert len(rt.requests) == 406
        assert [path for _, path in sent(rt)].count("/users") == 6

    def test_one_that_was_changed_meanwhile_waits_and_the_others_go_on(self, rt, psa):
        rt.faults.add(status(412), times=1, method="PUT")
        outcomes = {}
        with pytest.raises(Transient) as caught:
            outcomes.update(psa.write([Change("20", None, OUT), Change("21", None, OUT)]))
        assert caught.value.contact == "20"
        assert not isinstance(caught.value, Ambiguous)
        assert (rt.shows(20), rt.shows(21)) == ([], ["Opted-Out"])

    def test_a_value_that_was_not_kept_is_refused_with_rts_words(self, rt, psa):
        rt.keeps = False
        outcome = write(psa, 20)["20"]
        assert outcome.result is Result.REFUSED
        assert "Permission Denied" in outcome.reason
        assert "still shows nothing" in outcome.reason

    @pytest.mark.parametrize("how", ["reset", "close"])
    def test_a_lost_answer_is_settled_by_reading(self, rt, psa, how):
        rt.faults.add(lost_answer(how), times=1, method="PUT")
        assert write(psa, 20) == {"20": APPLIED}

    @pytest.mark.parametrize("fault", [hang_up(), reset(), status(502), status(504)])
    def test_a_write_that_may_still_be_on_its_way(self, rt, psa, fault):
        rt.faults.add(fault, times=1, method="PUT")
        with pytest.raises(Ambiguous) as caught:
            write(psa, 20)
        assert caught.value.contact == "20"
        assert len([one for one in sent(rt) if one[0] == "PUT"]) == 1

    @pytest.mark.parametrize("fault", [html_page(), empty_body()])
    def test_an_unreadable_answer_to_a_write_is_ambiguous(self, rt, psa, fault):
        rt.faults.add(fault, times=1, method="PUT")
        with pytest.raises(Ambiguous) as caught:
            write(psa, 20)
        assert caught.value.contact == "20"
        assert rt.shows(20) == []

    def test_half_an_answer_to_a_write_is_settled_by_reading(self, rt, psa):
        rt.faults.add(truncated(), times=1, method="PUT")
        assert write(psa, 20) == {"20": APPLIED}

    @pytest.mark.parametrize(
        ("etag", "asked"), [('W/"7"', '"7"'), ('"7-gzip"', '"7"'), ('"7;gzip"', '"7"'), (None, None)]
    )
    def test_an_etag_that_a_proxy_changed(self, rt, psa, etag, asked):
        def how(answer):
            if answer.body.startswith(b"["):
                return answer
            headers = {name: value for name, value in answer.headers.items() if name != "ETag"}
            return answer.changed(headers=headers | ({"ETag": etag} if etag else {}))

        rt.bend["/user/20"] = how
        with pytest.raises(Transient):
            write(psa, 20)
        put = rt.requests_to("/user/20", "PUT")[0]
        assert put.headers.get("If-Match") == asked


EVERY = [
    (status(401), AuthRefused),
    (status(403), Permanent),
    (status(404), ShapeChanged),
    (too_many_requests(7), Transient),
    (status(500), Transient),
    (status(503), Transient),
    (reset(), Transient),
    (hang_up(), Transient),
    (html_page(), ShapeChanged),
    (empty_body(), ShapeChanged),
    (truncated(), SyncdError),
    (redirect("https://elsewhere.example/"), ShapeChanged),
]


class TestFaults:
    @pytest.mark.parametrize(("fault", "error"), EVERY, ids=lambda one: getattr(one, "name", ""))
    def test_of_a_read_never_look_like_an_empty_list(self, rt, psa, fault, error):
        rt.faults.add(fault, times=None)
        for look in (psa.companies, psa.contacts, lambda: psa.write([Change("20", None, OUT)])):
            with pytest.raises(error) as caught:
                list(look())
            assert "canary" not in str(caught.value)
        assert not rt.requests_to("", "PUT")

    @pytest.mark.parametrize("path", ["/users", "/transactions", "/group/7/members", "/groups"])
    def test_halfway_raise_too(self, rt, psa, path):
        rt.faults.add(status(500), path=f"{path}$")
        with pytest.raises(Transient):
            list(psa.contacts())

    def test_rt_says_when_to_come_back(self, rt, psa):
        rt.faults.add(too_many_requests(7))
        with pytest.raises(Transient) as caught:
            list(psa.companies())
        assert caught.value.retry_after == 7

    def test_after_a_fault_everything_is_as_before(self, rt, psa):
        rt.faults.add(status(500), path="members$", times=1)
        with pytest.raises(Transient):
            list(psa.contacts())
        assert len(list(psa.contacts())) == 3

    @pytest.mark.parametrize(("fault", "grade"), [(status(401), Grade.FAIL), (status(503), Grade.DOWN)])
    def test_check_tells_what_must_be_changed_from_what_is_down(self, rt, psa, fault, grade):
        assert psa.check().passed
        rt.faults.add(fault, times=None)
        rt.forget_requests()
        report = psa.check()
        assert {one.grade for one in report.findings if one.grade not in (Grade.OK, Grade.NOTE)} == {grade}
        assert len(rt.requests) <= 2

    def test_check_notes_that_nothing_guards_a_write(self, rt, psa):
        rt.bend[r"/user/\d+"] = lambda answer: answer.changed(headers={})
        assert [one.grade for one in psa.check().findings if one.what == "conditional writes"] == [Grade.NOTE]
