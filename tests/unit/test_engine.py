"""Polling: from texts in PrimeVOX to the ledger and the field in the PSA, with the real store in between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import ANN, APPROVED, BOB, COMPANY_OUT, CY, DEE, IN, OURS, OURS_TOO, OUT, POLL, UNSET, World
from sqlalchemy import event

from syncd.errors import AuthRefused, Permanent, ShapeChanged, Transient
from syncd.model import Direction, Rules, TacitRules
from syncd.primevox import Rejected

WORDS = "my printer is broken"
UNCLEAR = "do not text me until Monday"
DAY = 24 * 3600.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One approved company with Ann and Bob, one line; nothing was read yet."""
    made = World(tmp_path)
    made.psa.add_company("1")
    made.psa.add("ann", ANN)
    made.psa.add("bob", BOB)
    yield made
    assert made.intact()
    made.close()


@pytest.fixture
def live(world: World) -> World:
    """The same after its first pass: what comes now is no history."""
    world.step()
    return world


# --- the plain cases -------------------------------------------------------------------------------------


def test_go_and_stop_reach_the_psa(live: World) -> None:
    live.vox.text(ANN, "#Go")
    live.vox.text(BOB, "Please stop texting me")
    live.step()
    assert (live.psa.shows("ann"), live.psa.shows("bob")) == (IN, OUT)
    live.vox.text(ANN, "STOP")
    live.step()
    assert live.psa.shows("ann") is OUT


def test_client_who_writes_first_is_opted_in_and_thanks_after_stop_is_not(live: World) -> None:
    live.vox.text(ANN, WORDS)
    live.step()
    assert live.psa.shows("ann") is IN
    live.vox.text(ANN, "#Stop")
    live.step()
    live.vox.text(ANN, "thanks", ago=1)
    live.step()
    assert live.psa.shows("ann") is OUT
    live.clock.advance(DAY)
    live.vox.text(ANN, WORDS)
    live.step()
    assert live.psa.shows("ann") is IN


def test_second_full_pass_changes_nothing(live: World) -> None:
    live.vox.text(ANN, "#Go")
    live.vox.text(BOB, "STOP")
    live.step()
    written, entries = list(live.psa.written), live.ledger()
    live.steps(5)
    live.restart()
    live.steps(5)
    assert (live.psa.written, live.ledger()) == (written, entries)


def test_nothing_is_known_nothing_is_written(live: World) -> None:
    live.psa.edit("ann", consent=IN)
    live.steps(3)
    assert live.psa.written == []
    assert live.status()["unproven"] == 1


# --- cursor ----------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


def test_cursor_moves_only_with_its_messages(live: World) -> None:
    live.vox.text(ANN, "STOP")
    live.clock.advance(POLL)
    commits = []

    def kill(_connection: object) -> None:
        if live.vox.reads:  # the conversation was read, its messages are about to be committed
            commits.append(1)
            raise Killed

    live.vox.reads.clear()
    event.listen(live.db._engine, "commit", kill)
    with pytest.raises(Killed):
        live.poll()
    assert commits
    assert live.vox.reads == ["c0110"]
    live.restart()
    assert live.ledger("message") == []
    live.step()
    assert live.psa.shows("ann") is OUT
    assert len(live.ledger("message")) == 1


def test_conversation_that_failed_is_read_again_and_blocks_no_other(live: World) -> None:
    live.vox.text(ANN, "STOP")
    live.vox.text(BOB, "STOP")
    live.vox.thread_error["c0110"] = ShapeChanged("listed, but read as empty")
    live.step()
    assert (live.psa.shows("ann"), live.psa.shows("bob")) == (None, OUT)
    assert "c0110" in live.status()["numbers"][0]["error"]
    live.vox.thread_error.clear()
    live.steps(2)
    assert live.psa.shows("ann") is OUT
    assert live.status()["numbers"][0]["error"] is None


@pytest.mark.parametrize("error", [Transient("drips"), Permanent("no", status=404), ValueError("our bug")])
def test_bad_conversation_is_tried_again_without_end(live: World, error: Exception) -> None:
    live.vox.text(ANN, "STOP")
    live.vox.thread_error["c0110"] = error
    live.steps(10)
    live.vox.thread_error.clear()
    live.steps(14)
    assert live.psa.shows("ann") is OUT


def test_bad_message_does_not_cost_its_conversation(live: World) -> None:
    live.vox.text(ANN, "STOP")
    live.vox.rejected["c0110"] = Rejected("m9", "it has no messageText")
    live.step()
    assert live.psa.shows("ann") is OUT
    assert "a record was left out" in live.log.events("warning")


def test_line_that_fails_blocks_no_other(tmp_path: Path) -> None:
    world = World(tmp_path, lines=(OURS, OURS_TOO))
    world.psa.add_company("1")
    world.psa.add("ann", ANN)
    world.vox.text(ANN, "STOP", line=OURS_TOO)
    world.vox.list_error[OURS] = Transient("HTTP 500")
    world.step()
    assert world.psa.shows("ann") is OUT
    first, second = world.status()["numbers"]
    assert (first["number"], first["error"], first["last_good_pass"]) == (OURS, "HTTP 500", None)
    assert second["error"] is None
    assert second["last_good_pass"]


def test_status_forgets_a_conversation_that_was_bad_and_is_listed_no_more(live: World) -> None:
    live.vox.text(ANN, WORDS)
    live.vox.thread_error["c0110"] = ShapeChanged("listed, but read as empty")
    live.step()
    live.vox.hidden.add("c0110")
    before = live.status()["numbers"][0]["last_good_pass"]
    live.steps(20)
    after = live.status()["numbers"][0]
    assert after["error"] is None
    assert after["last_good_pass"] > before


def test_status_shows_an_error_that_comes_back(live: World) -> None:
    shown = []
    for error in (Transient("503"), None, Transient("503")):
        live.vox.list_error = {OURS: error} if error else {}
        live.clock.advance(600)
        live.poll()
        shown.append(live.status()["numbers"][0]["error"])
    assert shown == ["503", None, "503"]


def test_refused_key_while_reading_a_conversation_shows_in_status(live: World) -> None:
    live.vox.text(ANN, WORDS)
    live.vox.thread_error["c0110"] = AuthRefused("the key is not accepted")
    live.step()
    assert live.status()["numbers"][0]["error"]


# --- reading again ---------------------------------------------------------------------------------------


def test_same_second_text_is_found_after_1_4_16_and_64_polls(live: World) -> None:
    live.vox.text(ANN, WORDS)
    reads = [live.vox.reads_of(live.step) for _ in range(70)]
    assert [index for index, read in enumerate(reads) if read] == [0, 1, 4, 16, 64]


def test_stop_in_the_second_of_a_text_already_read(live: World) -> None:
    live.vox.text(ANN, WORDS)
    live.step(0)
    live.vox.text(ANN, "STOP")
    live.vox.frozen_markers = True
    live.step()
    assert live.psa.shows("ann") is OUT


def test_late_stop_that_moves_no_marker_is_found_by_the_sweep(live: World) -> None:
    live.vox.text(ANN, WORDS)
    live.vox.frozen_markers = True
    live.steps(70)
    live.vox.text(ANN, "STOP")
    live.step()
    assert live.psa.shows("ann") is IN
    live.step(DAY * 0.95)
    assert live.psa.shows("ann") is OUT


def test_schedule_goes_on_after_a_restart(live: World) -> None:
    live.vox.text(ANN, WORDS)
    live.steps(3)
    live.restart()
    assert live.vox.reads_of(live.step) == []
    assert live.vox.reads_of(live.step) == ["c0110"]


def test_conversation_that_vanishes_and_comes_back_is_read(live: World) -> None:
    live.vox.text(ANN, WORDS)
    live.steps(2)
    live.vox.hidden.add("c0110")
    live.step()
    assert "no longer listed" in live.status()["numbers"][0]["gap"]
    live.vox.frozen_markers = True
    live.vox.text(ANN, "STOP")
    live.vox.hidden.clear()
    live.step()
    assert live.psa.shows("ann") is OUT


def test_text_changed_under_its_id_counts(live: World) -> None:
    live.vox.text(ANN, WORDS)
    live.step()
    [message] = live.vox.threads[(OURS, "c0110")]
    live.vox.threads[(OURS, "c0110")] = [type(message)(*(*_fields(message)[:-1], "STOP"))]
    live.step()
    assert live.psa.shows("ann") is OUT


def _fields(message: object) -> list[object]:
    return [getattr(message, name) for name in type(message).__dataclass_fields__]  # type: ignore[attr-defined]


def test_time_budget_leaves_the_rest_to_the_next_pass(live: World) -> None:
    for number in (ANN, BOB):
        live.vox.text(number, "STOP")
    read = live.vox.thread
    live.vox.thread = lambda line, listed: (live.clock.advance(10), read(line, listed))[1]  # type: ignore[method-assign]
    first = live.engine.poll(live.lines[0], 5.0)
    second = live.engine.poll(live.lines[0], 5.0)
    assert first is not None
    assert (first.finished, first.more, first.reads) == (False, True, 1)
    assert second is not None
    assert second.reads == 1
    live.deliver()
    assert live.psa.written == [("ann", OUT), ("bob", OUT)]


# --- dates that cannot be trusted ------------------------------------------------------------------------


def test_stop_with_an_unreadable_date_counts_at_once(live: World) -> None:
    live.vox.text(ANN, "#Go", ago=5)
    live.vox.text(ANN, "STOP", undated=True)
    live.step()
    assert live.psa.shows("ann") is OUT


def test_go_with_an_unreadable_date_does_not_count(live: World) -> None:
    live.vox.text(ANN, "STOP", ago=60)
    live.vox.text(ANN, "#Go", undated=True)
    live.steps(3)
    assert live.psa.shows("ann") is OUT


def test_future_go_waits_in_review_and_future_stop_counts_now(live: World) -> None:
    live.vox.text(ANN, "#Go", ago=-2 * DAY)
    live.vox.text(BOB, "#Go")
    live.step()
    live.vox.text(BOB, "STOP", ago=-2 * DAY)
    live.step()
    assert (live.psa.shows("ann"), live.psa.shows("bob")) == (None, OUT)
    assert [(one["number"], one["why"]) for one in live.review()] == [(ANN, "future date")]
    live.clock.advance(60)
    live.vox.text(BOB, "#Go")
    live.step()
    assert live.psa.shows("bob") is IN


@pytest.mark.parametrize("how", ["undated", "future"])
def test_redated_stop_beats_the_go_before_it_when_the_clocks_differ(live: World, how: str) -> None:
    live.vox.text(ANN, "#Go", ago=-120)  # PrimeVOX's clock is two minutes ahead of ours
    live.step()
    assert live.psa.shows("ann") is IN
    live.vox.text(ANN, "STOP", undated=how == "undated", ago=-DAY)
    live.step()
    assert live.psa.shows("ann") is OUT


@pytest.mark.parametrize("who", ["staff", "company"])
def test_opt_out_in_the_psa_beats_the_go_before_it_when_the_clocks_differ(live: World, who: str) -> None:
    live.vox.text(ANN, "#Go", ago=-120)
    live.step()
    assert live.psa.shows("ann") is IN
    if who == "staff":
        live.psa.edit("ann", consent=OUT)
        live.steps(2)
    else:
        live.psa.add_company("1", COMPANY_OUT)
        live.step()
        live.psa.add_company("1", APPROVED)
        live.steps(2)
    assert live.psa.shows("ann") is OUT


# --- replies, unclear texts, unknown senders -------------------------------------------------------------


def test_reply_to_our_text_is_no_opt_in(tmp_path: Path) -> None:
    world = World(tmp_path, lines=(OURS, OURS_TOO))
    world.psa.add_company("1")
    world.psa.add("ann", ANN)
    world.step()
    world.vox.text(ANN, "Is it fixed now?", outbound=True, line=OURS_TOO)
    world.step()
    world.vox.text(ANN, "yes it is")
    world.steps(3)
    assert world.psa.written == []


@pytest.mark.parametrize("how", ["while our clock was a day behind", "without a date that can be read"])
def test_reply_to_a_text_of_ours_that_was_read(live: World, how: str) -> None:
    behind = timedelta(days=1) if "behind" in how else timedelta(0)
    sent = live.clock.wall
    live.clock.wall -= behind
    live.vox.text(ANN, "Is it fixed now?", outbound=True, at=sent, undated=not behind)
    live.step()
    live.clock.wall += behind
    live.clock.advance(3600)
    live.vox.text(ANN, "yes it is")
    live.steps(3)
    assert live.psa.written == []
    live.clock.advance(2 * DAY)
    live.vox.text(ANN, WORDS)
    live.steps(3)
    assert live.psa.written == [("ann", IN)]


def test_reply_that_is_read_while_our_clock_is_behind(live: World) -> None:
    live.vox.text(ANN, "Is it fixed now?", outbound=True)
    live.step()
    live.clock.advance(3600)
    live.vox.text(ANN, "yes it is")
    live.clock.wall -= timedelta(days=1)
    live.steps(3)
    assert (live.review(), live.psa.written) == ([], [])


def test_reply_to_a_text_of_ours_that_is_dated_ahead(live: World) -> None:
    live.vox.text(ANN, "Is it fixed now?", outbound=True, ago=-7200)
    live.step()
    live.clock.advance(1800)
    live.vox.text(ANN, "yes it is")
    live.steps(3)
    assert live.psa.written == []


def test_late_outbound_text_turns_a_tacit_opt_in_into_a_reply(tmp_path: Path) -> None:
    world = World(tmp_path, lines=(OURS, OURS_TOO))
    world.psa.add_company("1")
    world.psa.add("ann", ANN)
    world.step()
    world.vox.text(ANN, WORDS)
    world.vox.list_error[OURS_TOO] = Transient("down")  # it was read once: opt-ins do not wait for it
    world.step()
    assert world.psa.shows("ann") is IN
    world.vox.text(ANN, "Is it fixed now?", outbound=True, line=OURS_TOO, ago=600)
    world.vox.list_error.clear()
    world.steps(3)
    with world.db.begin() as connection:
        from syncd.account import explain

        found = explain(connection, ANN, Rules())
    assert (found["may_text"], found["contacts"][0]["desired"]) == (False, None)
    assert world.status()["unproven"] == 1


def test_unclear_text_waits_for_a_person_and_stops_tacit_opt_ins_only(live: World) -> None:
    live.vox.text(ANN, UNCLEAR)
    live.step()
    live.vox.text(ANN, WORDS)
    live.step()
    assert live.psa.shows("ann") is None
    [one] = live.review()
    assert (one["number"], one["text"], one["reads"]) == (ANN, UNCLEAR, "unclear")
    live.vox.text(ANN, "#Go")
    live.step()
    assert live.psa.shows("ann") is IN


def test_example_of_the_design_is_unclear(live: World) -> None:
    live.vox.text(ANN, "no more alerts until Monday")
    live.step()
    assert [one["number"] for one in live.review()] == [ANN]
    assert live.psa.shows("ann") is None


def test_stop_of_an_unknown_sender_waits_for_a_person(live: World) -> None:
    live.vox.text(ANN, "STOP", direction=Direction.UNKNOWN)
    live.vox.text(BOB, "#Go", direction=Direction.UNKNOWN)
    live.step()
    assert live.psa.written == []
    assert [(one["number"], one["reads"]) for one in live.review()] == [(ANN, "unclear")]


def test_our_own_stop_hint_opts_nobody_out(live: World) -> None:
    live.vox.text(ANN, "STOP", outbound=True)
    live.step()
    assert live.psa.written == []


# --- day one ---------------------------------------------------------------------------------------------


def test_history_opt_outs_apply_at_once_and_opt_ins_wait(world: World) -> None:
    world.vox.text(ANN, "#Go", ago=DAY)
    world.vox.text(BOB, "STOP", ago=300 * DAY)
    world.vox.text(CY, WORDS, ago=DAY)
    world.psa.add("cy", CY)
    world.steps(2)
    assert [world.psa.shows(one) for one in ("ann", "bob", "cy")] == [None, OUT, None]
    assert {(one["number"], one["why"]) for one in world.review()} == {(ANN, "history"), (CY, "history")}
    world.vox.text(ANN, "#Go")
    world.step()
    assert world.psa.shows("ann") is IN
    assert [one["number"] for one in world.review()] == [CY]


def test_history_is_replayed_when_the_admin_says_so(tmp_path: Path) -> None:
    world = World(tmp_path, review_history=False)
    world.psa.add_company("1")
    world.psa.add("ann", ANN)
    world.vox.text(ANN, "#Go", ago=DAY)
    world.steps(2)
    assert world.psa.shows("ann") is IN
    assert world.review() == []


def test_opt_ins_wait_until_every_line_was_read_through(tmp_path: Path) -> None:
    world = World(tmp_path, lines=(OURS, OURS_TOO), review_history=False)
    world.psa.add_company("1")
    world.psa.add("ann", ANN)
    world.vox.text(ANN, "#Go", ago=7200)
    world.vox.text(ANN, "STOP", ago=3600, line=OURS_TOO)
    world.look()
    world.engine.poll(world.lines[0])
    world.deliver()
    assert world.psa.written == []
    world.engine.poll(world.lines[1])
    world.deliver()
    assert world.psa.written == [("ann", OUT)]


def test_line_that_cannot_be_read_holds_up_no_opt_in_for_ever(tmp_path: Path) -> None:
    world = World(tmp_path, lines=(OURS, OURS_TOO))
    world.psa.add_company("1")
    world.psa.add("ann", ANN)
    world.vox.list_error[OURS_TOO] = Permanent("unknown number", status=404)
    world.step()
    world.vox.text(ANN, "#Go")
    world.steps(2)
    assert world.psa.shows("ann") is IN


def test_one_unreadable_conversation_holds_up_no_opt_in_for_ever(world: World) -> None:
    world.vox.text(CY, WORDS)
    world.vox.thread_error["c0112"] = ShapeChanged("listed, but read as empty")
    world.step()
    world.vox.text(ANN, "#Go")
    world.steps(30)
    assert world.psa.shows("ann") is IN


# --- whose number ----------------------------------------------------------------------------------------


def test_number_of_nobody_is_kept_until_a_contact_appears(live: World) -> None:
    live.vox.text(CY, "STOP")
    live.vox.text(DEE, "#Go")
    live.step()
    assert live.status()["unmatched"] == 2
    assert live.engine.refresh_soon.is_set()
    live.clock.advance(30 * DAY)
    live.psa.add("cy", CY)
    live.psa.add("dee", DEE)
    live.step()
    assert (live.psa.shows("cy"), live.psa.shows("dee")) == (OUT, IN)
    assert live.status()["unmatched"] == 0


def test_contact_that_takes_over_a_number_takes_over_its_opt_out(live: World) -> None:
    live.vox.text(CY, "STOP")
    live.step()
    live.psa.edit("ann", numbers=(ANN, CY))
    live.step()
    assert live.psa.shows("ann") is OUT


def test_shared_number_opts_everybody_out_and_nobody_in(live: World) -> None:
    live.psa.add_company("2")
    live.psa.add("cy", ANN, company="2")
    live.psa.add("dee", ANN, active=False)
    live.vox.text(ANN, "#Go")
    live.step()
    assert live.psa.written == []
    assert [one["why"] for one in live.review()] == ["shared number"]
    live.vox.text(ANN, "STOP")
    live.step()
    assert [live.psa.shows(one) for one in ("ann", "cy", "dee")] == [OUT, OUT, OUT]


def test_shared_number_within_one_company_opts_active_contacts_in(live: World) -> None:
    live.psa.add("cy", ANN)
    live.psa.add("dee", ANN, active=False)
    live.vox.text(ANN, "#Go")
    live.step()
    assert [live.psa.shows(one) for one in ("ann", "cy", "dee")] == [IN, IN, None]


def test_number_shared_only_with_somebody_who_left_is_no_longer_shared(live: World) -> None:
    live.psa.add_company("2")
    live.psa.add("cy", ANN, company="2")
    live.vox.text(ANN, "#Go")
    live.step()
    live.psa.edit("cy", active=False)
    live.step()
    assert (live.psa.shows("ann"), live.psa.shows("cy")) == (IN, None)


# --- rules -----------------------------------------------------------------------------------------------


def test_changed_rules_make_every_verdict_again(live: World) -> None:
    live.vox.text(ANN, WORDS)
    live.psa.refuses["ann"] = "read-only"
    live.step()
    live.setup = type(live.setup)(
        live.lines, Rules(TacitRules(enabled=False)), live.setup.intake, live.setup.brake
    )
    live.restart()
    live.psa.refuses.clear()
    live.steps(2)
    assert live.psa.shows("ann") is None
    assert [entry["policy"]["tacit"]["enabled"] for entry in live.ledger("rules")] == [True, False]


def test_company_that_never_approved_holds_go_and_lets_stop_pass(live: World) -> None:
    live.psa.add_company("2", UNSET)
    live.psa.add("cy", CY, company="2")
    live.psa.add("dee", DEE, company="2")
    live.vox.text(CY, "#Go")
    live.vox.text(DEE, "STOP")
    live.step()
    assert (live.psa.shows("cy"), live.psa.shows("dee")) == (None, OUT)
    assert live.status()["held"] == 1
    live.psa.add_company("2")
    live.step()
    assert live.psa.shows("cy") is IN
