"""What connectors have in common: reading answers, time without a clock, fields, remarks, checkups, writing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from email.utils import format_datetime

import pytest

from syncd.connector import (
    ALREADY,
    APPLIED,
    CHANGED,
    GONE,
    Change,
    Finding,
    Grade,
    Outcome,
    checkup,
    refused,
)
from syncd.connector.answers import (
    fields_of,
    header,
    ids_of,
    in_words,
    is_html,
    is_id,
    must_all_fit,
    number,
    object_of,
    record_of,
    rows_in,
)
from syncd.connector.fields import Choice, CustomField, Remembered, Vocabulary, folded, own_numbers
from syncd.connector.moments import Moments
from syncd.connector.remarks import MOST, Remarks
from syncd.connector.settings import CompanyField, ContactField
from syncd.connector.writing import FAILURES_BORNE, Writing, batches
from syncd.errors import (
    Ambiguous,
    AuthRefused,
    ConfigProblem,
    Permanent,
    ShapeChanged,
    Stopping,
    Superseded,
    SyncdError,
    Transient,
)
from syncd.http import Answer
from syncd.model import LONG_AGO, Company, CompanyState, Consent, Contact

IN, OUT = Consent.OPTED_IN, Consent.OPTED_OUT


def answer(body=b"{}", status=200, **headers):
    return Answer("GET /x", status, headers, body if isinstance(body, bytes) else body.encode())


class TestAnswers:
    @pytest.mark.parametrize("given", [17, 17.0, "17", " 17 ", "17.0", "17."])
    def test_a_number_in_every_form(self, given):
        assert number("x", given) == 17

    @pytest.mark.parametrize(
        "given", [None, True, False, 17.5, "17.5", "", "x", "-1", [17], "9" * 5_000, float("inf"), "\u0661"]
    )
    def test_what_is_no_number(self, given):
        with pytest.raises(ShapeChanged, match="whole number"):
            number("x", given)

    def test_ids_that_may_come_from_anywhere(self):
        assert is_id("0")
        assert not any(map(is_id, ["", "x", "-1", "1.0", " 1", "\u0661", "9" * 19]))

    def test_an_object_with_its_fields(self):
        assert fields_of(answer('{"a": null}'), "a") == {"a": None}
        for body in ("[]", '{"b": 1}', "null"):
            with pytest.raises(ShapeChanged, match="GET /x"):
                fields_of(answer(body), "a")

    def test_a_complaint_that_cannot_be_read_says_nothing(self):
        assert object_of(answer('{"message": "no"}')) == {"message": "no"}
        assert [object_of(answer(body)) for body in ("", "[1]", "null", "<html>", '{"a"')] == [{}] * 5

    def test_rows_and_records(self):
        assert rows_in([{}], "x") == [{}]
        for bad in (None, {}, "x"):
            with pytest.raises(ShapeChanged, match=r"'items' is not a list of records: \{.a.: 1\}"):
                rows_in(bad, "'items'", answer('{"a": 1}'))
        with pytest.raises(ShapeChanged, match=r"^.items. is not a list of records: something"):
            rows_in([{"name": "Ann"}, None], "'items'", answer('[{"name": "Ann"}, null]'))
        assert record_of(answer(), {"id": "7"}, 7) == {"id": "7"}
        for bad in ({"id": 8}, {}, None, [7]):
            with pytest.raises(ShapeChanged) as caught:
                record_of(answer(), bad, 7, contact="7")
            assert caught.value.contact in ("7", None)

    def test_a_page_that_would_hide_records_is_refused(self):
        rows = [{"id": 1}, {"id": 3}, {"id": 2}]
        assert ids_of("x", rows, ascending=False) == [1, 3, 2]
        with pytest.raises(ShapeChanged, match="ascending"):
            ids_of("x", rows, ascending=True)
        with pytest.raises(ShapeChanged, match="twice"):
            ids_of("x", [{"id": 1}, {"id": 1.0}], ascending=False)
        must_all_fit("x", [], "company")
        with pytest.raises(ShapeChanged, match="2 of 3 records do not fulfil the condition on company"):
            must_all_fit("x", iter([False, True, False]), "company")

    def test_what_an_answer_says(self):
        assert in_words(answer("<b>no</b>", 404), []) == "GET /x: HTTP 404: <b>no</b>"
        assert in_words(answer("{}", 400), ["no", "Never."]) == "GET /x: HTTP 400: no; Never"
        assert is_html(answer("\n<html>"))
        assert not is_html(answer("{}"))
        assert header(answer(**{"X-Id": " 7 "}), "x-id") == "7"
        assert header(answer(), "x-id") is None


class TestMoments:
    def test_time_passes_by_the_services_dates(self):
        moments = Moments()
        moments.heard(answer(Date="Tue, 01 Sep 2026 10:00:00 GMT"))
        begun = moments.now()
        moments.heard(answer(Date="Tue, 01 Sep 2026 10:00:59 GMT"))
        assert not moments.passed(begun, 60)
        moments.heard(answer())  # no date: the latest one holds
        assert not moments.passed(begun, 60)
        moments.heard(answer(Date="Tue, 01 Sep 2026 10:01:00 GMT"))
        assert moments.passed(begun, 60)

    def test_without_dates_each_call_counts_as_a_second(self):
        moments = Moments()
        begun = moments.now()
        for _ in range(59):
            moments.heard(answer())
        assert not moments.passed(begun, 60)
        moments.heard(answer())
        assert moments.passed(begun, 60)

    def test_what_was_looked_up_is_looked_up_again_when_old_or_in_doubt(self):
        moments, looks = Moments(), []
        known: Remembered[int] = Remembered(moments)

        def look():
            looks.append(1)
            moments.heard(answer(Date=format_datetime(LONG_AGO.replace(year=2026), usegmt=True)))
            return len(looks)

        assert [known.get("a", look), known.get("a", look)] == [1, 1]
        known.forget("a")
        assert known.get("a", look) == 2
        moments.heard(answer(Date=format_datetime(LONG_AGO.replace(year=2026, minute=15), usegmt=True)))
        assert known.get("a", look) == 3
        assert Remembered[int]().get("b", look) == 4

    def test_a_look_up_that_fails_leaves_nothing_behind(self):
        known: Remembered[int] = Remembered()

        def fail():
            raise Transient("no")

        with pytest.raises(Transient):
            known.get("a", fail)
        assert known.get("a", lambda: 1) == 1


def vocabulary(field, opted_in="Yes", opted_out="No"):
    words = ContactField(name="SMS", opted_in=opted_in, opted_out=opted_out).words
    return Vocabulary("Desk", "psa.settings.contact_field", field, words)


LIST = CustomField(
    7, "SMS", "list", is_list=True, choices=(Choice("1", "Yes"), Choice("2", "No"), Choice("3", "Maybe"))
)
TEXT = CustomField(None, "SMS", "text")


class TestVocabulary:
    @pytest.mark.parametrize(("value", "meaning"), [("1", IN), ("yes ", IN), (2, OUT), (2.0, OUT), ("No", OUT)])
    def test_value_and_label_count_and_the_value_is_written(self, value, meaning):
        assert vocabulary(LIST).meaning(value) is meaning
        assert vocabulary(LIST, "1", "2").meaning(value) is meaning
        assert vocabulary(LIST, "1", "No").value(OUT) == "2"

    @pytest.mark.parametrize("value", [None, "Maybe", "3", "", 4, True])
    def test_any_other_value_means_nothing(self, value):
        assert vocabulary(LIST).meaning(value) is None

    def test_a_value_beats_a_label_where_one_word_is_both(self):
        crossed = CustomField(7, "SMS", "list", is_list=True, choices=(Choice("Yes", "No"), Choice("No", "Yes")))
        assert vocabulary(crossed).meaning("Yes") is IN
        assert vocabulary(crossed).value(OUT) == "No"

    def test_what_the_list_lacks_is_named_with_its_place_and_what_there_is(self):
        with pytest.raises(ConfigProblem) as caught:
            vocabulary(LIST, "Ja", "Nein").must_be_complete()
        listed = "is not in the list of 'SMS' in Desk, which has: 'Yes', 'No', 'Maybe'"
        assert [str(one) for one in caught.value.problems] == [
            f"psa.settings.contact_field.opted_in: 'Ja' {listed}",
            f"psa.settings.contact_field.opted_out: 'Nein' {listed}",
        ]
        with pytest.raises(ConfigProblem, match="'Ja'"):
            vocabulary(LIST, "Ja").value(IN)

    def test_one_entry_cannot_mean_both(self):
        with pytest.raises(ConfigProblem, match="'Yes' \\(1\\) of 'SMS' cannot mean both"):
            vocabulary(LIST, "Yes", "1").must_be_complete()

    def test_an_entry_that_is_switched_off_is_read_and_not_written(self):
        off = CustomField(
            7, "SMS", "list", is_list=True, choices=(Choice("1", "Yes", active=False), Choice("2", "No"))
        )
        vocabulary(off).must_be_complete()
        assert vocabulary(off).meaning("Yes") is IN
        with pytest.raises(ConfigProblem, match="switched off"):
            vocabulary(off).value(IN)

    def test_text_and_a_list_that_may_not_be_seen_hold_anything(self):
        unseen = CustomField(7, "SMS", "list", is_list=True)
        for field in (TEXT, unseen):
            vocabulary(field).must_be_complete()
            assert vocabulary(field).value(IN) == "Yes"
            assert vocabulary(field).knows("x")
        assert not vocabulary(CustomField(7, "SMS", "list", is_list=True, choices=())).knows("x")

    def test_companies_may_have_several_words_for_a_state(self):
        words = CompanyField(approved=["Yes", "Maybe"], opted_out=["No"]).words
        spoken = Vocabulary("Desk", "psa.settings.company_field", LIST, words)
        spoken.must_be_complete()
        assert [spoken.meaning(one) for one in ("1", "maybe", "2")] == [
            CompanyState.APPROVED,
            CompanyState.APPROVED,
            CompanyState.OPTED_OUT,
        ]

    def test_numbers_of_a_contact_are_each_there_once(self):
        found = own_numbers(["(202) 555-0111", None, "202.555.0112 / 2025550111", "", 2025550113, "ext. 5"])
        assert found == ("+12025550111", "+12025550112", "+12025550113")
        assert folded(" YES") == folded("yes")
        assert folded(True) == "true"


class TestRemarks:
    def test_an_odd_value_is_told_once_for_each_kind_of_record(self):
        told: list[str] = []
        remarks = Remarks("Desk", told.append)
        words = vocabulary(LIST)
        values = ["Maybe", "maybe ", None, "1"]
        assert [remarks.meaning(words, "contact", str(n), one) for n, one in enumerate(values)] == [
            None,
            None,
            None,
            IN,
        ]
        remarks.meaning(words, "company", "9", "Maybe")
        assert told == [
            "Desk: 'SMS' of contact 0 holds 'Maybe', which counts as not set",
            "Desk: 'SMS' of company 9 holds 'Maybe', which counts as not set",
        ]

    def test_a_field_of_free_text_does_not_flood_the_log_nor_hide_other_kinds(self):
        told: list[str] = []
        remarks = Remarks("Desk", told.append)
        for n in range(3 * MOST):
            remarks.once("contact", n, f"odd {n}")
        remarks.once("company", 1, "odd company")
        assert len(told) == MOST + 1

    def test_a_value_that_neither_settings_nor_list_have_makes_the_list_doubtful_until_it_was_told(self):
        remarks = Remarks("Desk", str)
        words = vocabulary(LIST)
        assert not remarks.any_news(words, "company", [None, "1", "Maybe"])
        assert remarks.any_news(words, "company", ["New"])
        remarks.meaning(words, "company", "9", "New")
        assert not remarks.any_news(words, "company", ["New"])
        assert remarks.any_news(words, "company", ["Newer"])


def finding(what, grade=Grade.OK):
    def step() -> Iterator[Finding]:
        yield Finding(grade, what, "said")

    return step


def failing(error):
    def step() -> Iterator[Finding]:
        yield Finding(Grade.OK, "begun", "said")
        raise error

    return step


def shown(report):
    return [(one.grade.value, one.what) for one in report.findings]


class TestCheckup:
    def test_a_good_one_ends_with_what_was_not_shown(self):
        made = checkup.report({"a": finding("a")}, {"b": finding("b")}, ["x", "y"])
        assert shown(made) == [("ok", "a"), ("ok", "b"), ("note", "not shown")]
        assert made.findings[-1].detail == "x; y"
        assert made.passed

    @pytest.mark.parametrize("error", [Permanent("no"), ShapeChanged("no"), ConfigProblem("no")])
    def test_a_step_that_fails_is_a_finding_and_the_next_is_taken(self, error):
        made = checkup.report({"a": failing(error), "c": finding("c")}, {"b": finding("b")}, ["x"])
        assert shown(made) == [("ok", "begun"), ("fail", "a"), ("ok", "c")]

    def test_a_reason_that_several_steps_share_is_said_once(self):
        failed = failing(ConfigProblem("no such field"))
        made = checkup.report({"field": failed, "contacts": failed}, {}, [])
        assert [one.detail for one in made.findings if one.grade is Grade.FAIL] == [
            "config: no such field",
            "as said of the field",
        ]

    def test_refused_credentials_end_it(self):
        made = checkup.report({"a": failing(AuthRefused("no")), "c": finding("c")}, {"b": finding("b")}, ["x"])
        assert shown(made) == [("ok", "begun"), ("fail", "credentials")]

    def test_one_hiccup_is_borne_and_a_service_that_is_away_is_not_asked_again(self):
        away = failing(Transient("no"))
        made = checkup.report({"a": away, "b": away, "c": finding("c")}, {"b": finding("b")}, ["x"])
        assert [one for one in shown(made) if one[0] != "ok"] == [("down", "a"), ("down", "b")]
        assert made.only_down
        assert ("ok", "c") in shown(checkup.report({"a": away, "c": finding("c")}, {}, []))

    @pytest.mark.parametrize("error", [Permanent("no"), ShapeChanged("no"), ConfigProblem("no")])
    def test_what_is_merely_good_to_know_fails_nothing(self, error):
        made = checkup.report({}, {"a": failing(error), "b": finding("b")}, [])
        assert shown(made) == [("ok", "begun"), ("note", "a"), ("ok", "b")]
        assert made.passed

    @pytest.mark.parametrize("error", [AuthRefused("no"), Transient("no")])
    def test_nor_does_it_press_a_service_that_refuses(self, error):
        made = checkup.report({}, {"a": failing(error), "b": finding("b")}, [])
        assert shown(made) == [("ok", "begun"), ("note", "a")]

    def test_a_defect_and_the_order_to_stop_are_not_swallowed(self):
        for error in (Stopping("stop"), KeyError("x")):
            with pytest.raises(type(error)):
                checkup.report({"a": failing(error)}, {}, [])

    def test_fields(self):
        off = CustomField(
            7, "SMS", "list", is_list=True, choices=(Choice("1", "Yes"), Choice("No", "No", active=False))
        )
        assert checkup.described("x", off).detail == "'SMS' (7), list: 'Yes' (1), 'No' (switched off)"
        assert checkup.described("x", TEXT).detail == "'SMS', type text"
        assert checkup.described("x", CustomField(7, "SMS", "list", is_list=True)).grade is Grade.NOTE
        assert [one.grade for one in checkup.field("x", vocabulary(LIST), Consent)] == [Grade.OK]
        read_only = CustomField(None, "SMS", "text", read_only=True)
        assert [one.grade for one in checkup.field("x", vocabulary(read_only), Consent)] == [Grade.OK, Grade.FAIL]
        assert [one.grade for one in checkup.field("x", vocabulary(read_only))] == [Grade.OK]
        with pytest.raises(ConfigProblem):
            list(checkup.field("x", vocabulary(off), Consent))

    def test_what_records_show_of_a_list(self):
        assert checkup.stored_form(LIST, ["1", "2", "No", None, "x"]) == [
            "a list's entry shows its value (2), its label (1)"
        ]
        assert checkup.stored_form(LIST, [None]) == ["no list's entry seen yet"]
        same = CustomField(7, "SMS", "list", is_list=True, choices=(Choice("Yes", "Yes"),))
        assert checkup.stored_form(same, ["Yes"]) == []
        assert checkup.forms({"null": 3, "left out": 0}) == "null (3)"
        assert checkup.forms({}) == "not seen yet"

    def test_counts(self):
        acme = Company("1", "Acme", CompanyState.APPROVED)
        assert checkup.companies([acme]).detail == "1 seen: 1 approved, 0 opted_out, 0 unset"
        assert checkup.companies([]).grade is Grade.FAIL
        ann = Contact("1", "1", "Ann", own_numbers(["202 555 0111"]), True, IN)
        bob = Contact("2", "1", "Bob", (), False, None)
        assert checkup.contacts([ann, bob], "more").detail == (
            "2 seen, 1 with a usable number; 1 opted_in, 0 opted_out; 1 inactive; more"
        )
        assert checkup.contacts([]).grade is Grade.NOTE


class Desk(Writing[dict[str, object]]):
    """A PSA in memory that fails as it is told: by contact, an exception for each try."""

    def __init__(self, kept, *changes, errors=None, lost=(), ignored=()):
        super().__init__({change.contact_id: change for change in changes})
        self.kept, self.errors, self.lost, self.ignored = kept, errors or {}, lost, ignored
        self.sent: list[str] = []
        self.reads: list[list[str]] = []
        self.looked_again = False

    def read(self, contact_ids: Collection[str]) -> Mapping[str, dict[str, object]]:
        self.reads.append(list(contact_ids))
        return {one: {"sms": self.kept[one]} for one in contact_ids if one in self.kept}

    def shown(self, record: dict[str, object]) -> Consent | None:
        return record["sms"]  # type: ignore[return-value]

    def send(self, contact_id: str, record: dict[str, object]) -> Outcome | None:
        self.sent.append(contact_id)
        if contact_id not in self.ignored and (contact_id not in self.errors or contact_id in self.lost):
            self.kept[contact_id] = self.changes[contact_id].consent
        if contact_id in self.errors:
            raise self.errors[contact_id]
        return None

    def not_kept(self, contact_id: str, record: dict[str, object]) -> str:
        return f"{contact_id} was not kept"

    def look_at_the_field_again(self) -> None:
        self.looked_again = True


def carried_out(desk) -> tuple[dict[str, Outcome], SyncdError | None]:
    ended: dict[str, Outcome] = {}
    try:
        for contact_id, outcome in desk.carry_out():
            assert contact_id not in ended
            ended[contact_id] = outcome
    except SyncdError as error:
        return ended, error
    return ended, None


def change(contact_id, consent=OUT, shown=None):
    return Change(str(contact_id), "1", consent, shown)


class TestWriting:
    def test_each_contact_by_what_it_shows(self):
        desk = Desk(
            {"1": None, "2": OUT, "4": OUT, "5": OUT},
            *map(change, (1, 2, 3)),
            change(4, IN),
            change(5, IN, shown=OUT),
        )
        ended, error = carried_out(desk)
        assert error is None
        assert ended == {"1": APPLIED, "2": ALREADY, "3": GONE, "4": CHANGED, "5": APPLIED}
        assert desk.sent == ["1", "5"]
        assert desk.reads == [["1", "2", "3", "4", "5"], ["1", "5"]]
        assert not desk.looked_again

    def test_opt_outs_go_first(self):
        desk = Desk(dict.fromkeys("1234"), change(1, IN), change(2), change(3, IN), change(4))
        carried_out(desk)
        assert desk.sent == ["2", "4", "1", "3"]

    def test_a_value_that_is_not_kept_is_refused_and_the_field_looked_at_again(self):
        desk = Desk({"1": None, "2": None}, change(1), change(2), ignored=["1"])
        ended, error = carried_out(desk)
        assert ended == {"1": refused("1 was not kept"), "2": APPLIED}
        assert (error, desk.looked_again) == (None, True)

    def test_a_refused_value_does_not_stop_the_others(self):
        desk = Desk(dict.fromkeys("12"), change(1), change(2), errors={"1": Permanent("no")})
        ended, error = carried_out(desk)
        assert ended == {"1": refused("no"), "2": APPLIED}
        assert (error, desk.looked_again) == (None, True)

    def test_contacts_that_fail_for_themselves_are_borne_and_each_is_told(self):
        errors = {one: Transient(f"no {one}", contact=one) for one in "12"}
        desk = Desk(dict.fromkeys("123"), *map(change, (1, 2, 3)), errors=errors)
        ended, error = carried_out(desk)
        assert ended == {"3": APPLIED, "2": refused("no 2")}
        assert error is errors["1"]

    def test_after_some_of_them_the_service_is_taken_to_be_ill(self):
        errors = {str(one): Transient("no", contact=str(one)) for one in range(9)}
        desk = Desk({str(one): None for one in range(9)}, *map(change, range(9)), errors=errors)
        carried_out(desk)
        assert len(desk.sent) == FAILURES_BORNE

    def test_trouble_of_the_service_ends_it_after_what_was_sent_is_told(self):
        desk = Desk(dict.fromkeys("123"), *map(change, (1, 2, 3)), errors={"2": Transient("away")})
        ended, error = carried_out(desk)
        assert (ended, str(error)) == ({"1": APPLIED}, "away")
        assert desk.sent == ["1", "2"]

    @pytest.mark.parametrize("error", [AuthRefused("no"), Stopping("stop")])
    def test_nothing_more_is_asked_of_a_service_that_refused_us(self, error):
        desk = Desk(dict.fromkeys("12"), change(1), change(2), errors={"2": error})
        ended, raised = carried_out(desk)
        assert (ended, raised, len(desk.reads)) == ({}, error, 1)

    def test_an_answer_that_was_lost_is_settled_by_a_read(self):
        desk = Desk({"1": None}, change(1), errors={"1": Ambiguous("lost", contact="1")}, lost=["1"])
        assert carried_out(desk) == ({"1": APPLIED}, None)

    def test_one_that_did_not_arrive_is_nobodys_result(self):
        lost = Ambiguous("lost", contact="1")
        desk = Desk(dict.fromkeys("12"), change(1), change(2), errors={"1": lost})
        ended, error = carried_out(desk)
        assert (ended, error, desk.sent) == ({}, lost, ["1"])

    def test_where_it_arrived_the_rest_is_left_for_the_next_time(self):
        desk = Desk(
            dict.fromkeys("12"), *map(change, (1, 2)), errors={"1": Ambiguous("l", contact="1")}, lost=["1"]
        )
        ended, error = carried_out(desk)
        assert ended == {"1": APPLIED}
        assert type(error) is Transient
        assert error.contact is None

    def test_an_opt_in_that_was_overtaken_names_its_contact(self):
        desk = Desk(dict.fromkeys("12"), change(1, IN), change(2), errors={"1": Superseded("newer")})
        ended, error = carried_out(desk)
        assert ended == {"2": APPLIED}
        assert isinstance(error, Superseded)
        assert error.contact == "1"

    def test_no_more_changes_are_taken_than_a_batch_holds(self):
        taken: list[str] = []

        def stream() -> Iterator[Change]:
            for one in range(5):
                taken.append(str(one))
                yield change(one)

        sizes = [(len(batch), len(taken)) for batch in batches(stream(), 2)]
        assert sizes == [(2, 2), (2, 4), (1, 5)]
        assert list(batches([], 2)) == []
