"""The real process, from a text in PrimeVOX to the field in the PSA: what it is for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rig import APPROVED, IN, OUT, Rig, now, person, wait_until

from syncd.sandbox.faults import delay, stall, status

DAYS_AGO = now() - timedelta(days=3)


# --- the policy ------------------------------------------------------------------------------------------


def test_each_row_of_the_policy_once():
    with Rig(companies=1, people=6) as rig:
        rig.autotask.set_opt_in(rig.people[5], IN)
        undecided = rig.autotask.add_company("Undecided")
        rig.add_person(6, undecided)
        before = rig.autotask.snapshot(without=["SMS Opt-In"])
        rig.start()
        rig.text(0, "#Go")
        rig.text(1, "STOP")
        rig.text(2, "Please stop texting me")
        rig.text(3, "Hi, the printer on floor two is jammed")
        rig.text(4, 'Liked "Reply STOP to opt out"')
        rig.text(6, "#Go")
        wait_until(lambda: rig.all_shown()[:4] == [IN, OUT, OUT, IN])
        rig.polls(2)
        assert rig.all_shown() == [IN, OUT, OUT, IN, None, IN, None]
        found = rig.status()
        assert (found["pending"], found["held"], found["unproven"], found["review"]) == (0, 1, 1, 0)
        clauses = [rig.explain(index)["contacts"][0]["clause"] for index in (0, 1, 3, 5, 6)]
        assert clauses == ["3.2.3, 3.2.4", "3.3.2", "3.2.5, 3.3.4", "3.1.2", "3.1.1, 3.2.1"]
        assert [rig.explain(index)["may_text"] for index in (0, 1, 5, 6)] == [True, False, False, False]
        rig.autotask.set_approval(undecided, APPROVED)
        wait_until(lambda: rig.shown(6) == IN, what="the held opt-in is applied")
        rig.text(0, "#stop")
        rig.text(3, "unsubscribe")
        wait_until(lambda: (rig.shown(0), rig.shown(3)) == (OUT, OUT))
        rig.autotask.set_approval(undecided, None)
        wait_until(lambda: rig.shown(6) == OUT, what="an approval that is lost counts as opted out")
        after = rig.autotask.snapshot(without=["SMS Opt-In"])
        assert after["Contacts"] == before["Contacts"]
        rig.must_be_sound()


def test_the_same_rows_with_the_local_connector_whose_file_has_bad_rows():
    people = "".join(f"c{index},1,P{index},{person(index)},,true,\r\n" for index in range(4))
    with Rig(connector="local") as rig:
        rig.csv(
            "1,Acme,Approved\n2,Bolt\n", f"{people},1,No id,{person(7)},,true,\n\nc9,1\nc8,1,Odd,12,,maybe,what\n"
        )
        rig.start()
        rig.text(0, "#Go")
        rig.text(1, "STOP")
        rig.text(3, "Good morning, my laptop does not start")
        wait_until(lambda: [rig.cell(f"c{n}") for n in range(4)] == [IN, OUT, "", IN])
        kept = (rig.psa_folder / "contacts.csv").read_bytes().decode()
        assert f"c0,1,P0,{person(0)},,true,Opted-In\r\n" in kept
        assert kept.endswith(f"{',1,No id,'}{person(7)},,true,\n\nc9,1\nc8,1,Odd,12,,maybe,what\n")
        assert len(rig.troubles()) <= 6
        rig.csv("1,Acme,Opted-Out\n", kept.partition("\n")[2])
        wait_until(lambda: [rig.cell(f"c{n}") for n in range(4)] == [OUT] * 4)
        rig.must_be_sound()


def test_a_company_opt_out_reaches_everybody_and_stays_with_them():
    with Rig(companies=3, people=6) as rig:
        left, other, target = rig.companies
        rig.autotask.deactivate_contact(rig.people[3])
        rig.start()
        rig.text(0, "#Go")
        wait_until(lambda: rig.shown(0) == IN)
        rig.autotask.set_approval(left, OUT)
        wait_until(lambda: rig.all_shown() == [OUT, None, None, OUT, None, None], what="the inactive one as well")
        rig.add_person(6, left)
        rig.autotask.move_contact(rig.people[1], left)
        wait_until(lambda: (rig.shown(6), rig.shown(1)) == (OUT, OUT), what="added and moved later")
        rig.text(6, "#Go")
        rig.autotask.move_contact(rig.people[0], target)
        rig.polls(3)
        assert (rig.shown(0), rig.shown(6)) == (OUT, OUT), "held, and opted out where it moved to"
        assert rig.status()["held"] == 1
        rig.autotask.set_approval(left, APPROVED)
        wait_until(lambda: rig.shown(6) == IN, what="the opt-in after the company opt-out applies")
        assert rig.all_shown() == [OUT, OUT, None, OUT, None, None, IN]
        assert rig.autotask.approval(other) == APPROVED
        rig.must_be_sound()


@pytest.mark.parametrize(
    ("rule", "shown"), [("reassert", OUT), pytest.param("accept", IN, marks=pytest.mark.slow)]
)
def test_a_person_edits_the_field(rule, shown):
    with Rig(policy={"staff_opt_in": rule}) as rig:
        rig.start()
        rig.text(0, "STOP")
        rig.autotask.set_opt_in(rig.people[1], OUT)
        wait_until(lambda: rig.shown(0) == OUT and not rig.status()["pending"])
        rig.autotask.set_opt_in(rig.people[0], IN)
        wait_until(lambda: len(rig.logged("a person changed the opt-in field in the PSA")) == 2)
        wait_until(lambda: rig.shown(0) == shown)
        if rule == "reassert":
            wait_until(lambda: any("was put back" in one["event"] for one in rig.troubles()))
        rig.text(1, "Hello, I need a new mouse")
        rig.polls(2)
        assert rig.shown(1) == OUT, "no tacit opt-in within the quiet period after a staff opt-out"
        rig.text(1, "#Go")
        wait_until(lambda: rig.shown(1) == IN, what="the person's own later word counts")
        rig.must_be_sound()


def test_shared_numbers():
    with Rig(companies=2, people=2) as rig:
        first, second = rig.companies
        twin = rig.autotask.add_contact(first, "Twin", "X", phone=person(0))
        asleep = rig.autotask.add_contact(second, "Asleep", "X", phone=person(0), active=False)
        elsewhere = rig.autotask.add_contact(second, "Elsewhere", "X", phone=person(2))
        rig.autotask.add_contact(first, "Here", "X", phone=person(2))
        rig.start()
        rig.text(0, "#Go")
        rig.text(2, "#Go")
        wait_until(lambda: (rig.shown(0), rig.autotask.opt_in(twin)) == (IN, IN))
        wait_until(lambda: rig.status()["review"] == 1)
        assert rig.autotask.opt_in(elsewhere) is rig.autotask.opt_in(asleep) is None
        rig.text(0, "quit")
        rig.text(2, "quit")
        wait_until(lambda: sorted(map(str, rig.autotask.opt_ins().values())) == ["None"] + [OUT] * 5)
        rig.must_be_sound()


# --- review and first run --------------------------------------------------------------------------------


@pytest.mark.parametrize("first_run", ["review", "replay"])
@pytest.mark.slow
def test_history_of_the_first_day_and_a_text_that_needs_a_person(first_run):
    with Rig(policy={"first_run": first_run}) as rig:
        rig.text(0, "#Go", at=DAYS_AGO)
        rig.text(1, "STOP", at=DAYS_AGO)
        rig.text(2, "STOP", at=DAYS_AGO)
        rig.text(2, "#Go", at=DAYS_AGO + timedelta(hours=1))
        rig.start()
        rig.text(3, "No alerts after 9pm please")
        wait_until(lambda: rig.shown(1) == OUT)
        waiting = {"review": {0, 2, 3}, "replay": {3}}[first_run]
        wait_until(lambda: {one["number"] for one in rig.review()} == {person(index) for index in waiting})
        shown = [None, OUT, OUT] if first_run == "review" else [IN, OUT, IN]
        wait_until(lambda: rig.all_shown()[:3] == shown)
        for one in rig.review():
            decision = "opt_out" if one["number"] == person(3) else "opt_in"
            ended = rig.run("review", "resolve", str(one["seq"]), decision)
            assert ended.returncode == 0, ended.stderr
        wait_until(lambda: rig.all_shown()[:4] == [IN, OUT, IN, OUT])
        assert rig.run("review", "resolve", "999999", "opt_in").returncode == 2
        assert rig.status()["review"] == 0
        rig.must_be_sound()


def test_the_brake_holds_company_opt_outs_and_lets_go():
    with Rig(companies=4, people=4, policy={"brake": {"companies": 2, "contacts": 500}}) as rig:
        rig.start()
        for company in rig.companies[:3]:
            rig.autotask.set_approval(company, OUT)
        wait_until(lambda: rig.status()["brake"])
        rig.text(3, "STOP")
        wait_until(lambda: rig.shown(3) == OUT, what="a person's own opt-out is never braked")
        assert rig.all_shown() == [None, None, None, OUT]
        assert len(rig.logged("a pass is held by the brake")) == 1
        assert rig.run("brake", "release").returncode == 0
        wait_until(lambda: rig.all_shown() == [OUT] * 4)
        wait_until(lambda: rig.status()["brake"] is None)
        assert rig.run("brake", "release").returncode == 2
        rig.must_be_sound()


# --- finding every text ----------------------------------------------------------------------------------


@pytest.mark.parametrize("polls_before", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_a_second_text_that_does_not_move_the_marker_is_found_by_reading_again(polls_before):
    with Rig() as rig:
        rig.start()
        moment = now()
        rig.text(0, "#Go", at=moment)
        wait_until(lambda: rig.shown(0) == IN)
        if polls_before:
            rig.polls(polls_before)
        rig.text(0, "STOP", at=moment)
        before = rig.lists()
        wait_until(lambda: rig.shown(0) == OUT, 25)
        assert rig.lists() - before <= 4 * max(1, polls_before) + 2


def test_a_late_text_with_an_older_date_is_put_where_it_belongs():
    with Rig() as rig:
        rig.start()
        moment = now()
        rig.text(0, "hello, are you there?", at=moment)
        rig.text(1, "#Go", at=moment)
        wait_until(lambda: (rig.shown(0), rig.shown(1)) == (IN, IN))
        rig.text(0, "STOP", at=moment - timedelta(minutes=2))
        rig.text(1, "STOP", at=moment - timedelta(minutes=2))
        wait_until(lambda: rig.shown(0) == OUT, what="ordinary words right after a STOP opt nobody in")
        rig.polls(2)
        assert rig.shown(1) == IN, "the #Go came after the STOP"
        rig.must_be_sound()


@pytest.mark.slow
def test_lines_are_polled_side_by_side_and_share_what_they_know():
    with Rig(lines=6, people=6) as rig:
        slow = rig.lines[5].removeprefix("+1")
        rig.start()
        rig.primevox.faults.add(delay(3.0), when=lambda one: one.query.get("phoneNumber") == slow, times=None)
        for index in range(5):
            rig.text(index, "STOP", line=index)
        assert wait_until(lambda: rig.all_shown()[:5] == [OUT] * 5) < 4
        rig.text(5, "#Go", line=0, at=now() - timedelta(seconds=30))
        rig.text(5, "STOP", line=5, at=now() - timedelta(seconds=40))
        wait_until(lambda: rig.shown(5) == IN)
        rig.primevox.send(rig.lines[1], person(4), "Your ticket is done")
        assert [one["error"] for one in rig.status()["numbers"]] == [None] * 6
        rig.must_be_sound()


@pytest.mark.slow
def test_an_idle_pass_is_one_request_per_number_and_reads_nothing_again():
    with Rig(lines=2, companies=1, people=3, psa={"directory_refresh_interval": "1h"}) as rig:
        for index in range(3):
            rig.text(index, "How are you?", at=DAYS_AGO, line=index % 2)
        rig.start()
        wait_until(lambda: rig.all_shown() == [IN] * 3)
        rig.polls(6)
        rig.primevox.forget_requests()
        rig.autotask.forget_requests()
        rig.polls(5)
        paths = [one.path.rpartition("/")[2] for one in rig.primevox.requests]
        assert set(paths) == {"conversations"}
        assert rig.lists(0) - 1 <= rig.lists(1) <= rig.lists(0) + 1
        assert {one.path.rpartition("V1.0/")[2] for one in rig.autotask.requests} == {"Companies/query"}


# --- the process -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["primevox", "autotask"])
@pytest.mark.slow
def test_sigterm_is_obeyed_while_a_call_stalls(where):
    with Rig() as rig:
        rig.start()
        server = rig.primevox if where == "primevox" else rig.autotask
        server.faults.add(stall(), times=None)
        wait_until(lambda: server.in_flight > 0)
        code, took = rig.stop()
        assert (code, took < 10) == (0, True)
        server.faults.clear()
        rig.text(0, "STOP")
        assert rig.run("once").returncode == 0
        assert rig.shown(0) == OUT
        rig.must_be_sound()


def test_sighup_takes_a_good_configuration_and_leaves_a_bad_one():
    with Rig(lines=2) as rig:
        numbers = rig.config["primevox"]["containers"][0]["numbers"]
        second = numbers.pop()
        rig.save_config()
        rig.start(ready=False)
        wait_until(lambda: rig.logged("started") and rig.lists() > 0)
        rig.save_config("primevox: {nonsense: true}\n")
        rig.reload()
        wait_until(lambda: rig.logged("the new configuration was not taken over"))
        rig.text(0, "STOP")
        wait_until(lambda: rig.shown(0) == OUT, what="the old configuration goes on")
        numbers.append(second)
        rig.config["policy"]["opt_out_keywords"] = ["#Stop", "#Genug"]
        rig.save_config()
        rig.reload()
        wait_until(lambda: rig.logged("configuration read again", numbers=2))
        rig.text(1, "#genug", line=1)
        wait_until(lambda: rig.shown(1) == OUT, what="the new number and the new word")
        rig.must_be_sound()
        assert rig.stop()[0] == 0


@pytest.mark.slow
def test_a_second_instance_leaves_the_first_alone():
    with Rig() as rig:
        rig.start()
        for command in ("run", "once"):
            ended = rig.run(command, patience=15)
            assert ended.returncode == 75
            assert "another syncd" in ended.stderr
        rig.text(0, "STOP")
        wait_until(lambda: rig.shown(0) == OUT)
        rig.must_be_sound()


@pytest.mark.slow
def test_exit_codes_of_once():
    with Rig(companies=4, people=4, policy={"brake": {"companies": 1, "contacts": 500}}) as rig:
        rig.text(0, "#Go", at=DAYS_AGO)
        rig.text(9, "STOP", at=DAYS_AGO)
        assert rig.run("once").returncode == 0
        assert rig.shown(0) == IN
        writes = rig.patches()
        assert rig.run("once").returncode == 0, "an unmatched number and a quiet pass count as done"
        assert rig.patches() == writes
        rig.primevox.stop()
        assert rig.run("once").returncode == 69
        rig.primevox.start()
        refused = rig.autotask.faults.add(status(503), times=None)
        assert rig.run("once").returncode == 69
        refused.remove()
        rig.autotask.poison(rig.people[1], "validation")
        rig.text(1, "STOP")
        assert rig.run("once").returncode == 75
        rig.autotask.cure()
        assert rig.run("once").returncode == 0
        for company in rig.companies[:2]:
            rig.autotask.set_approval(company, OUT)
        assert rig.run("once").returncode == 75
        rig.config["primevox"]["poll_interval"] = 0
        rig.save_config()
        assert rig.run("once").returncode == 78
        assert rig.run("run").returncode == 78


@pytest.mark.slow
def test_a_contact_that_appears_after_its_stop_and_one_whose_number_changes():
    with Rig() as rig:
        rig.start()
        rig.text(20, "STOP")
        wait_until(lambda: rig.status()["unmatched"] == 1)
        rig.add_person(20, rig.companies[0], mobile="(" + person(20)[2:5] + ") 555.01" + person(20)[-2:] + " x12")
        wait_until(lambda: rig.shown(6) == OUT)
        rig.text(21, "STOP")
        wait_until(lambda: rig.status()["unmatched"] == 1)
        rig.autotask.edit_contact(rig.people[1], mobilePhone="", phone=f"home {person(21)}")
        wait_until(lambda: rig.shown(1) == OUT)
        rig.autotask.edit_contact(rig.people[1], phone=person(22))
        rig.polls(3)
        assert rig.shown(1) == OUT, "nobody is opted in by a change of number"
        rig.must_be_sound()


def test_odd_forms_of_everything():
    with Rig(people=2) as rig:
        first = rig.companies[0]
        rig.autotask.change(unset_udf="missing", udf_read="label", udf_write="either", patch_answer="empty")
        rig.autotask.change(dates="naive", missing_item="404", wrong_parent="error")
        rig.primevox.change(empty="[]", conversation_with="formatted", message_from="int11", date="microseconds")
        rig.primevox.change(unread=("1", None), ids="text", html_escaped=True, extra_fields=True, last_date="T")
        ten = person(30)[2:]
        forms = [
            f"({ten[:3]}) {ten[3:6]}-{ten[6:]}",
            f"{ten[:3]}.{ten[3:6]}.{ten[6:]} x12",
            f"+1 {ten}",
            f"1{ten}",
        ]
        forms += [
            f"{ten} (cell)",
            f"tel:+1-{ten}",
            f"{ten[:3]}-{ten[3:6]}-{ten[6:]} / 202-555-0199",
            f"Mobil: {ten}",
        ]
        people = [rig.autotask.add_contact(first, "F", str(n), phone=form) for n, form in enumerate(forms)]
        rig.autotask.set_opt_in(rig.people[1], "Perhaps")
        rig.start()
        rig.text(30, "stop", attachment=("image/png", "777"))
        rig.text(0, "#Go")
        rig.text(1, "please don't text me any more")
        wait_until(lambda: [rig.autotask.opt_in(one) for one in people] == [OUT] * len(forms))
        wait_until(lambda: (rig.shown(0), rig.shown(1)) == (IN, OUT))
        rig.must_be_sound()


def test_hostile_texts_stop_nothing():
    with Rig(people=6) as rig:
        rig.start()
        rig.text(0, "STOP \ud83d")
        rig.text(1, "\x1b[2J\x00 #Go " * 60_000)
        rig.text(1, "STOP")
        rig.text(2, "STOP", fields={"messageDate": "0000-00-00 00:00:00"})
        rig.text(3, "STOP", at=now() + timedelta(days=400))
        rig.text(4, "#Go", at=now() + timedelta(days=400))
        rig.text(5, None)
        rig.text(5, {"a": 1})
        rig.text(5, "#Stop", message_id="id \ud800 \x00 '; DROP TABLE ledger --")
        wait_until(lambda: rig.all_shown() == [OUT, OUT, OUT, OUT, None, OUT], 30)
        assert rig.status()["review"] >= 1, "an opt-in from the future waits for a person"
        exported = rig.run("ledger", "export")
        assert exported.returncode == 0
        assert "\x1b" not in exported.stdout + rig.look("review", "list").stdout + rig.look("status").stdout
        rig.must_be_sound()
