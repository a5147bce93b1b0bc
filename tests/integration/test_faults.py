"""The real process while something is broken: nothing is lost, little is said, and afterwards all is true."""

from __future__ import annotations

import random
import time
from datetime import datetime, timedelta

import pytest
from rig import IN, KEY, OUT, SECRET, Rig, now, person, wait_until

from syncd.sandbox import faults
from syncd.sandbox.autotask_fields import list_udf


def converges(rig, *, said=8, seconds=40):
    """Everybody gets what they asked for after the fault, and the log stays short."""
    rig.text(1, "STOP")
    wait_until(lambda: rig.shown(1) == OUT, seconds, "an opt-out after the fault")
    wait_until(rig.settled, seconds, "nothing left to do")
    assert len(rig.troubles()) <= said, rig.troubles()
    rig.must_be_sound()


# --- a service is away, or answers nonsense --------------------------------------------------------------

ILL = {
    "503": faults.status(503),
    "500 opaque": faults.status(500, {"errors": ["An unexpected error has occurred."], "errorId": 1}),
    "reset": faults.reset(),
    "hang up": faults.hang_up(),
    "429": faults.too_many_requests(),
    "429 in 2 s": faults.too_many_requests(2),
    "429 absurd": faults.too_many_requests("soon"),
    "html": faults.html_page(),
    "empty": faults.empty_body(),
    "error under 200": faults.error_under_200(),
    "errors under 200": faults.status(200, {"errors": ["what?"]}),
    "list": faults.status(200, []),
    "null": faults.status(200, b"null"),
    "text": faults.status(200, b'"fine"'),
    "truncated": faults.truncated(),
    "hangs up in the body": faults.truncated(length="full"),
    "redirect": faults.redirect("http://127.0.0.1:9/login"),
    "not utf-8": faults.status(200, b'{"items": ["\xff"]}'),
    "null inside": faults.status(200, {"conversations": None, "messages": None, "items": None, "item": None}),
    "list inside": faults.status(200, {"conversations": [1], "messages": [1], "items": [1], "item": [1]}),
    "php warning": faults.prefixed(),
    "nan": faults.status(200, b'{"conversations": NaN, "items": NaN, "messages": NaN}'),
    "deep": faults.status(200, b"[" * 100_000),
    "bomb": faults.gzip_bomb(60),
}
WHERE = {
    "list": ("primevox", "/conversations$"),
    "conversation": ("primevox", "/conversation$"),
    "companies": ("autotask", "Companies/query"),
    "contacts": ("autotask", "Contacts/query"),
    "one contact": ("autotask", r"Contacts/\d+$"),
    "fields": ("autotask", "userDefinedFields"),
    "write": ("autotask", r"Companies/\d+/Contacts$"),
    "everything": ("autotask", ""),
}


# Every kind and every place occurs in the ordinary run, but not every pair: those take minutes.
PAIRS = [
    pytest.param(kind, where, marks=pytest.mark.slow if (row + column) % 8 == 0 else pytest.mark.exhaustive)
    for row, kind in enumerate(ILL)
    for column, where in enumerate(WHERE)
]


@pytest.mark.parametrize(("kind", "where"), PAIRS)
def test_an_ill_answer_changes_nothing_and_is_forgotten(kind, where):
    server_name, path = WHERE[where]
    with Rig(people=3) as rig:
        rig.autotask.set_opt_in(rig.people[2], IN)
        rig.start()
        server = getattr(rig, server_name)
        rule = server.faults.add(ILL[kind], path=path, times=None)
        rig.text(0, "STOP")
        rig.polls(4)
        rule.remove()
        assert rig.all_shown()[1:] == [None, IN]
        wait_until(lambda: rig.shown(0) == OUT, 40)
        converges(rig)
        assert rig.shown(2) == IN


@pytest.mark.parametrize("name", [pytest.param("primevox", marks=pytest.mark.slow), "autotask"])
@pytest.mark.slow
def test_a_service_is_down_for_a_while(name):
    with Rig() as rig:
        rig.start()
        server = getattr(rig, name)
        server.stop()
        rig.text(0, "STOP")
        rig.autotask.set_approval(rig.companies[1], OUT)
        rig.text(2, "#Go")
        wait_until(lambda: rig.logged("failed"))
        until = time.monotonic() + 4
        wait_until(lambda: time.monotonic() > until)
        server.start()
        wait_until(lambda: rig.all_shown() == [OUT, OUT, IN, OUT, None, OUT], 30)
        assert rig.run("once").returncode == 75, "the daemon works with this database"
        converges(rig)
        assert rig.logged("works again")


@pytest.mark.slow
def test_a_service_that_says_when_is_left_alone_until_then():
    with Rig() as rig:
        rig.start()
        rig.autotask.faults.add(faults.too_many_requests(6), times=None)
        rig.primevox.faults.add(faults.too_many_requests(6), times=None)
        wait_until(lambda: len(rig.logged("failed")) >= 3)
        before = len(rig.autotask.requests), len(rig.primevox.requests)
        until = time.monotonic() + 4
        wait_until(lambda: time.monotonic() > until)
        assert (len(rig.autotask.requests), len(rig.primevox.requests)) == before
        rig.autotask.faults.clear()
        rig.primevox.faults.clear()
        converges(rig)


@pytest.mark.slow
def test_the_hourly_threshold_of_autotask():
    with Rig() as rig:
        rig.start()
        rig.autotask.change(hourly_threshold=1)
        rig.text(0, "STOP")
        wait_until(lambda: rig.logged("failed"))
        rig.autotask.change(hourly_threshold=10_000)
        wait_until(lambda: rig.shown(0) == OUT, 30)
        converges(rig)


# --- credentials -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_key_expires_and_the_other_goes_on():
    with Rig(lines=2, keys=(KEY, "canary-key-two")) as rig:
        rig.start()
        rig.primevox.add_container("100200", "canary-key-new", [])
        wait_until(lambda: rig.logged("failed"))
        calls = rig.lists(0)
        rig.text(0, "STOP", line=1)
        wait_until(lambda: rig.shown(0) == OUT)
        rig.polls(4, line=1)
        assert rig.lists(0) == calls, "no further call with a key that was refused"
        assert [bool(one["error"]) for one in rig.status()["numbers"]] == [True, False]
        assert len([one for one in rig.log() if one.get("alert")]) == 1
        rig.set_secret("key0", "canary-key-new")
        rig.text(1, "STOP")
        rig.reload()
        wait_until(lambda: rig.shown(1) == OUT, what="a reload tries at once")
        rig.must_be_sound()


@pytest.mark.slow
def test_the_account_of_the_psa_is_locked():
    with Rig() as rig:
        rig.start()
        rig.autotask.locked_out = True
        wait_until(lambda: rig.logged("failed"))
        rig.text(0, "STOP")
        rig.polls(2)
        calls = len(rig.autotask.requests)
        rig.polls(3)
        assert len(rig.autotask.requests) == calls
        rig.autotask.unlock()
        rig.reload()
        wait_until(lambda: rig.shown(0) == OUT)
        converges(rig)


def test_what_waits_for_a_locked_psa_counts_as_pending():
    with Rig() as rig:
        rig.start()
        rig.autotask.locked_out = True
        wait_until(lambda: rig.logged("failed"))
        rig.text(0, "STOP")
        rig.polls(3)
        assert rig.status()["pending"] == 1


def test_a_refused_password_does_not_keep_the_processor_busy():
    with Rig() as rig:
        rig.start()
        rig.autotask.faults.add(faults.status(401), path="Contacts/query")
        wait_until(lambda: rig.logged("failed"))
        before = rig.cpu_seconds()
        rig.polls(4)
        assert rig.cpu_seconds() - before < 0.6


def test_a_secret_that_the_psa_repeats_goes_nowhere():
    with Rig() as rig:
        rig.start()
        rig.autotask.faults.add(faults.status(503, {"errors": [f"no service for {SECRET}"]}), times=None)
        wait_until(lambda: rig.logged("failed"))
        wait_until(lambda: rig.status()["psa"]["companies"]["error"])
        rig.must_be_sound()


@pytest.mark.slow
def test_a_key_that_may_list_but_not_read_shows_in_status():
    with Rig() as rig:
        rig.start()
        refusal = faults.status(401, {"error": "The supplied API Key is invalid."})
        rig.primevox.faults.add(refusal, path="/conversation$", times=None)
        rig.text(0, "STOP")
        wait_until(lambda: rig.logged("failed"))
        wait_until(lambda: rig.status()["numbers"][0]["error"], 4)


# --- writes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["reset", pytest.param("close", marks=pytest.mark.slow)])
@pytest.mark.parametrize("effect", ["applied", "lost"])
def test_the_answer_to_a_write_is_lost_and_the_opposite_is_texted(how, effect):
    lost = faults.lost_answer(how) if effect == "applied" else faults.reset()
    with Rig() as rig:
        rig.start()
        rig.autotask.faults.add(lost, method="PATCH", times=2)
        rig.text(0, "#Go")
        rig.text(2, "STOP")
        wait_until(lambda: rig.patches() >= 2)
        rig.text(0, "STOP")
        wait_until(lambda: (rig.shown(0), rig.shown(2)) == (OUT, OUT))
        rig.text(2, "#Go", at=now() + timedelta(seconds=1))
        wait_until(lambda: rig.shown(2) == IN)
        rig.polls(2)
        assert rig.shown(0) == OUT
        converges(rig)
        assert not rig.logged("a person changed the opt-in field in the PSA"), "our own writes are not a person's"


@pytest.mark.parametrize("effect", ["before", "after"])
def test_a_stop_while_the_opt_in_is_on_its_way(effect):
    with Rig() as rig:
        rig.start()
        rule = rig.autotask.faults.add(faults.stall(effect), method="PATCH")
        rig.text(0, "#Go")
        wait_until(lambda: rule.hits)
        rig.text(0, "STOP")
        rig.text(3, "STOP")
        wait_until(lambda: rig.shown(3) == OUT, what="another opt-out does not wait")
        rig.polls(2)
        rule.release()
        wait_until(lambda: rig.shown(0) == OUT)
        converges(rig)
        writes = [write.new for write in rig.autotask.writes if write.id == rig.people[0]]
        assert len(writes) == 2


def test_staff_opt_out_between_our_look_and_our_opt_in():
    with Rig(psa={"directory_refresh_interval": "1h"}) as rig:
        rig.start()
        rig.autotask.set_opt_in(rig.people[0], OUT)
        rig.text(0, "#Go")
        rig.text(1, "#Go")
        wait_until(lambda: rig.shown(1) == IN)
        rig.polls(2)
        assert rig.shown(0) == OUT


def test_staff_opt_out_between_our_look_and_our_opt_in_in_a_file():
    with Rig(connector="local", psa={"directory_refresh_interval": "1h"}) as rig:
        rig.csv("1,A,Approved\n", f"a,1,A,{person(0)},,true,\nb,1,B,{person(1)},,true,\n")
        rig.start()
        rig.csv("1,A,Approved\n", f"a,1,A,{person(0)},,true,Opted-Out\nb,1,B,{person(1)},,true,\n")
        rig.text(0, "#Go")
        rig.text(1, "#Go")
        wait_until(lambda: rig.cell("b") == IN)
        rig.polls(2)
        assert rig.cell("a") == OUT


@pytest.mark.slow
@pytest.mark.parametrize("poison", ["silent", "validation", "permission"])
def test_a_contact_that_cannot_be_written_is_shown_and_others_go_on(poison):
    with Rig() as rig:
        rig.start()
        rig.autotask.poison(rig.people[0], poison)
        rig.text(0, "STOP")
        rig.text(2, "STOP")
        wait_until(lambda: rig.shown(2) == OUT)
        wait_until(lambda: [one["contact"] for one in rig.status()["parked"]] == [str(rig.people[0])], 30)
        rig.text(4, "STOP")
        assert wait_until(lambda: rig.shown(4) == OUT) < 5
        writes = rig.patches()
        rig.polls(4)
        assert rig.patches() - writes <= 2
        rig.autotask.cure()
        wait_until(lambda: rig.shown(0) == OUT, 30)
        converges(rig)


@pytest.mark.slow
def test_a_dozen_contacts_that_cannot_be_written_do_not_hold_up_a_stop():
    with Rig(people=14) as rig:
        rig.start()
        for index in range(12):
            rig.autotask.poison(rig.people[index], "error")
            rig.text(index, "STOP")
        wait_until(lambda: rig.status()["parked"], 30)
        rig.text(13, "STOP")
        wait_until(lambda: rig.shown(13) == OUT, 40)


@pytest.mark.slow
@pytest.mark.parametrize("lag", [3.0, 8.0])
def test_reads_lag_behind_writes(lag):
    with Rig() as rig:
        rig.autotask.change(read_lag_seconds=lag)
        rig.start()
        rig.text(0, "#Go")
        wait_until(lambda: rig.shown(0) == IN)
        rig.text(0, "STOP")
        wait_until(lambda: rig.shown(0) == OUT)
        wait_until(rig.settled, 60)
        assert rig.shown(0) == OUT
        assert not rig.logged("a person changed the opt-in field in the PSA")
        rig.autotask.change(read_lag_seconds=0.0)
        converges(rig, said=4)


def test_a_contact_moves_between_companies_while_it_is_written():
    with Rig(psa={"directory_refresh_interval": "1h"}) as rig:
        rig.start()
        rig.autotask.move_contact(rig.people[0], rig.companies[1])
        rule = rig.autotask.faults.add(faults.stall("after"), method="PATCH")
        rig.text(0, "STOP")
        wait_until(lambda: rule.hits)
        rig.autotask.move_contact(rig.people[0], rig.companies[0])
        rule.release()
        wait_until(lambda: rig.shown(0) == OUT, 30)
        converges(rig)


# --- what the PSA shows is not what it was ---------------------------------------------------------------


@pytest.mark.slow
def test_a_user_who_sees_no_rows_opts_nobody_out():
    with Rig(companies=5, people=5) as rig:
        rig.start()
        rig.autotask.change(restricted=frozenset({"Companies", "Contacts"}))
        wait_until(lambda: rig.status()["brake"])
        rig.text(0, "STOP")
        rig.polls(3)
        assert rig.all_shown() == [None] * 5
        found = rig.status()
        assert (found["pending"], found["contacts"]) == (1, 5)
        rig.autotask.change(restricted=frozenset())
        wait_until(lambda: rig.shown(0) == OUT, 30)
        wait_until(lambda: rig.status()["brake"] is None)
        assert rig.all_shown() == [OUT, None, None, None, None]
        converges(rig)


@pytest.mark.parametrize("entity", ["Companies", pytest.param("Contacts", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_a_field_is_renamed_while_running(entity):
    name = {"Companies": "SMS Approval", "Contacts": "SMS Opt-In"}[entity]
    with Rig() as rig:
        rig.autotask.set_opt_in(rig.people[3], IN)
        rig.start()
        rig.autotask.rename_udf(entity, name, "Texting")
        wait_until(lambda: any(one.get("alert") for one in rig.log()), 30)
        rig.text(0, "STOP")
        if entity == "Companies":
            wait_until(lambda: rig.shown(0) == OUT, what="the rest keeps running")
        rig.polls(3)
        assert rig.all_shown()[1:] == [None, None, IN, None, None]
        rig.autotask.rename_udf(entity, "Texting", name)
        wait_until(lambda: rig.shown(0) == OUT, 40)
        converges(rig)
        assert rig.shown(3) == IN


@pytest.mark.slow
def test_a_value_of_the_approval_list_is_renamed():
    with Rig(companies=8, people=8) as rig:
        rig.start()
        udf = list_udf("SMS Approval", ["Yes", OUT])
        rig.autotask.define_udf("Companies", udf)
        for company in rig.companies:
            rig.autotask.set_approval(company, "Yes")
        wait_until(lambda: any(one.get("alert") for one in rig.log()), 30)
        rig.polls(2)
        assert rig.all_shown() == [None] * 8


@pytest.mark.slow
def test_the_filter_for_one_company_is_ignored():
    with Rig() as rig:
        rig.start()

        def asks_for_one(request):
            return b'"companyID"' in request.body.partition(b'"IncludeFields"')[0]

        rule = rig.autotask.faults.add(
            faults.status(200, {"items": [{"id": 9, "companyID": 999, "isActive": 1}], "pageDetails": {}}),
            path="Contacts/query",
            when=asks_for_one,
            times=None,
        )
        rig.autotask.set_approval(rig.companies[0], OUT)
        wait_until(lambda: rig.all_shown() == [OUT, None] * 3)
        rule.remove()
        converges(rig)


# --- the machine -----------------------------------------------------------------------------------------


def test_the_disk_is_full():
    with Rig() as rig:
        rig.start()
        rig.text(0, "#Go")
        wait_until(lambda: rig.shown(0) == IN)
        rig.limit_files(4096)
        rig.text(0, "STOP")
        rig.text(2, "STOP")
        wait_until(lambda: any("refused" in str(one) for one in rig.troubles()), 30)
        rig.polls(2)
        assert rig.process is not None
        assert rig.process.poll() is None, "it stays up"
        rig.limit_files(None)
        wait_until(lambda: (rig.shown(0), rig.shown(2)) == (OUT, OUT), 40)
        converges(rig, said=14)


def end_after_kills(kills, people, seed):
    """Kill the daemon again and again in the middle of work; returns how often each contact was written."""
    dice = random.Random(seed)
    with Rig(people=people, companies=2, psa={"directory_refresh_interval": "5s"}) as rig:
        rig.autotask.change(latency=0.01)
        rig.start()
        for index in range(0, people, 3):
            rig.text(index, "#Go")
        rig.autotask.set_approval(rig.companies[1], OUT)
        for index in range(0, people, 6):
            rig.text(index, "STOP", at=now() + timedelta(seconds=1))
        for _ in range(kills):
            rig.polls(1)
            until = time.monotonic() + dice.random() * 0.8
            wait_until(lambda until=until: time.monotonic() > until)
            rig.kill()
            rig.start(ready=False)
        wanted = [OUT if index % 2 or index % 6 == 0 else None for index in range(people)]
        wait_until(lambda: rig.all_shown() == wanted, 60)
        wait_until(rig.settled, 40)
        assert not rig.logged("a person changed the opt-in field in the PSA")
        writes = rig.patches()
        rig.polls(3)
        assert rig.patches() == writes, "no further write"
        rig.must_be_sound()
        return writes


@pytest.mark.slow
def test_killed_twice_in_a_cascade():
    assert end_after_kills(2, 24, 1) <= 24 + 4 + 8


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_killed_many_times_in_a_cascade(seed):
    end_after_kills(10, 90, seed)


@pytest.mark.slow
def test_sigterm_during_a_reload_while_a_call_stalls():
    with Rig() as rig:
        rig.start()
        rig.autotask.faults.add(faults.stall(), times=None)
        wait_until(lambda: rig.autotask.in_flight > 0)
        rig.reload()
        rig.polls(0)
        until = time.monotonic() + 1
        wait_until(lambda: time.monotonic() > until)
        assert rig.stop(patience=60)[1] < 10


# --- one bad conversation, one slow number ---------------------------------------------------------------


def test_a_conversation_that_reads_as_empty_on_the_first_day_holds_up_no_opt_in():
    with Rig() as rig:
        rig.text(0, "hello")
        rig.primevox.set_conversation(rig.lines[0], person(0), readable=False)
        rig.text(1, "#Go")
        rig.start(ready=False)
        wait_until(lambda: rig.shown(1) == IN, 8)


def test_a_conversation_that_could_not_be_read_and_is_gone_is_forgotten():
    with Rig() as rig:
        rig.text(0, "hello")
        rig.start()
        rig.primevox.set_conversation(rig.lines[0], person(0), readable=False)
        rig.text(0, "hello again")
        wait_until(lambda: rig.status()["numbers"][0]["error"])
        rig.primevox.set_conversation(rig.lines[0], person(0), listed=False)
        wait_until(lambda: not rig.status()["numbers"][0]["error"], 10)


@pytest.mark.slow
def test_a_conversation_that_failed_is_read_again_within_ten_polls():
    with Rig() as rig:
        rig.start()
        rule = rig.primevox.faults.add(faults.status(503), path="/conversation$", times=3)
        rig.text(0, "STOP")
        wait_until(lambda: rule.hits == 3)
        wait_until(lambda: rig.shown(0) == OUT, 12)


@pytest.mark.slow
def test_one_slow_number_delays_another_by_15_seconds_at_most():
    with Rig(lines=2, primevox={"max_concurrency": 1}) as rig:
        rig.start()
        slow = rig.lines[0].removeprefix("+1")
        for index in (0, 2, 3):
            rig.text(index, "hi")
        mine = rig.primevox.conversation_ids(rig.lines[0])
        add = rig.primevox.faults.add
        add(faults.delay(9), when=lambda one: one.query.get("phoneNumber") == slow, times=None)
        add(faults.delay(4.9), path="/conversation$")
        add(faults.stall("never"), when=lambda one: one.query.get("conversationID") in mine, times=None)
        wait_until(lambda: rig.primevox.in_flight > 0)
        rig.text(1, "STOP", line=1)
        assert wait_until(lambda: rig.shown(1) == OUT, 60) < 16


def test_a_text_of_the_second_of_the_first_poll_is_not_history():
    with Rig(policy={"first_run": "review"}) as rig:
        rig.start()
        first = datetime.fromisoformat(rig.facts("SELECT first_poll FROM lines")[0][0])
        rig.text(0, "#Go", at=first.replace(microsecond=0))
        wait_until(lambda: rig.shown(0) == IN, 6)
