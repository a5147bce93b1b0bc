"""What an operator asks of a running daemon, and what happens when there is none."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import ANN, BOB, COMPANY_OUT, IN, OUT, UNSET, World

from syncd import desk
from syncd.clock import Clock
from syncd.errors import ConfigProblem, StoreUnavailable
from syncd.plan import BrakeLimits
from syncd.store import database

UNCLEAR = "do not text me until Monday"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Ann wrote something unclear, Bob something that looks like an opt-in; both wait in review."""
    made = World(tmp_path)
    made.psa.add_company("1")
    made.psa.add_company("2")
    made.psa.add("ann", ANN)
    made.psa.add("bob", BOB)
    made.step()
    made.vox.text(ANN, UNCLEAR)
    made.step()
    yield made
    assert made.database is None or made.intact()
    made.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "PATIENCE", 3.0)
    monkeypatch.setattr(database, "PATIENCE", 0.05)


def wish(world: World, decision: str = "opt_out", **other: Any) -> dict[str, Any]:
    return {"do": "review", "seq": world.review()[0]["seq"], "decision": decision, "by": "ann"} | other


def answering(world: World) -> threading.Event:
    """A daemon that answers until the event is set."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.02):
            desk.answer_all(world.url, world.db, world.clock, world.log)

    threading.Thread(target=work, daemon=True).start()
    return done


# --- decisions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("decision", "shown"), [("opt_out", OUT), ("opt_in", IN), ("nothing", None)])
def test_decision_counts_for_the_text_it_is_about(world: World, decision: str, shown: object) -> None:
    asked = wish(world, decision)
    with world.db.begin() as connection:
        said = desk.carry_out(connection, world.clock, asked)
    assert ANN in said
    world.step()
    assert world.psa.shows("ann") is shown
    assert world.review() == []
    [entry] = world.ledger("review")
    assert (entry["number"], entry["decision"], entry["by"]) == (ANN, decision, "ann")
    assert entry["of"] == world.ledger("message")[0]["seq"]


def test_last_decision_counts(world: World) -> None:
    first = wish(world, "opt_in")
    for one in (first, first | {"decision": "opt_out"}):
        with world.db.begin() as connection:
            desk.carry_out(connection, world.clock, one)
    world.step()
    assert world.psa.shows("ann") is OUT
    assert len(world.ledger("review")) == 2


def test_decision_about_an_old_text_does_not_undo_a_newer_stop(world: World) -> None:
    decided = wish(world, "opt_in")
    world.vox.text(ANN, "STOP")
    world.step()
    with world.db.begin() as connection:
        desk.carry_out(connection, world.clock, decided)
    world.step()
    assert world.psa.shows("ann") is OUT


def test_clear_opt_out_cannot_be_decided_away(world: World) -> None:
    world.vox.text(BOB, "STOP")
    world.step()
    asked = wish(world, "nothing", seq=world.ledger("message")[-1]["seq"])
    with pytest.raises(desk.NotDone), world.db.begin() as connection:
        desk.carry_out(connection, world.clock, asked)
    assert world.ledger("review") == []


@pytest.mark.parametrize("odd", [{"seq": 999}, {"seq": 1}, {"decision": "perhaps"}, {"do": "dance"}, {"do": None}])
def test_wish_that_makes_no_sense_is_refused(world: World, odd: dict[str, Any]) -> None:
    asked = wish(world) | odd
    with pytest.raises(desk.NotDone), world.db.begin() as connection:
        desk.carry_out(connection, world.clock, asked)
    assert world.ledger("review") == []


def test_releasing_when_no_brake_is_on_is_refused(world: World) -> None:
    with pytest.raises(desk.NotDone, match="no brake"), world.db.begin() as connection:
        desk.carry_out(connection, world.clock, {"do": "release", "by": "ann"})


def test_release_lets_the_held_pass_go(tmp_path: Path) -> None:
    world = World(tmp_path, brake=BrakeLimits(companies=1))
    for company in ("1", "2", "3", "4"):
        world.psa.add_company(company)
        world.psa.add(f"p{company}", company=company)
    world.step()
    world.psa.add_company("1", COMPANY_OUT)
    world.psa.add_company("2", UNSET)
    world.step()
    assert world.psa.written == []
    with world.db.begin() as connection:
        said = desk.carry_out(connection, world.clock, {"do": "release", "by": "ann"})
    assert "2 companies" in said
    world.step()
    assert sorted(world.psa.written) == [("p1", OUT), ("p2", OUT)]
    world.close()


# --- through the folder beside the database --------------------------------------------------------------


def test_command_asks_the_daemon_that_holds_the_database(world: World, impatient: None) -> None:
    desk.answer_all(world.url, world.db, world.clock, world.log)
    done = answering(world)
    try:
        assert "counts as opt_out" in desk.ask(world.url, wish(world), Clock())
        with pytest.raises(desk.NotDone, match="no text"):
            desk.ask(world.url, {"do": "review", "seq": 999, "decision": "opt_out", "by": "ann"}, Clock())
    finally:
        done.set()
    folder = desk.box(world.url)
    assert folder is not None
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700
    world.step()
    assert world.psa.shows("ann") is OUT


def test_command_does_it_itself_when_no_daemon_runs(world: World, impatient: None) -> None:
    asked = wish(world)
    world.close()
    assert "counts as opt_out" in desk.ask(world.url, asked, Clock())
    world.open()
    world.step()
    assert world.psa.shows("ann") is OUT


def test_daemon_that_does_not_answer_is_told_and_the_wish_is_taken_back(
    world: World, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "PATIENCE", 0.2)
    desk.answer_all(world.url, world.db, world.clock, world.log)
    with pytest.raises(StoreUnavailable, match="did not answer"):
        desk.ask(world.url, wish(world), Clock())
    assert desk.answer_all(world.url, world.db, world.clock, world.log) == 0
    assert world.ledger("review") == []


def test_database_held_by_a_process_that_answers_no_wishes_is_named(world: World, impatient: None) -> None:
    """`syncd once` holds the lock and makes no folder for wishes."""
    with pytest.raises((desk.NotDone, StoreUnavailable)) as caught:
        desk.ask(world.url, wish(world), Clock())
    assert "No such file" not in str(caught.value)


def test_no_database_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblem, match="no database yet"):
        desk.ask(f"sqlite:///{tmp_path}/state.db", {"do": "release", "by": "ann"}, Clock())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        "{}",
        '{"do": "review"}',
        '{"do": "review", "seq": "x", "decision": "opt_out", "by": "ann"}',
        "[]",
        '"release"',
        b"\xff\xfe",
    ],
)
def test_bad_wish_blocks_no_other(world: World, content: str | bytes) -> None:
    desk.answer_all(world.url, world.db, world.clock, world.log)
    folder = desk.box(world.url)
    assert folder is not None
    (folder / "1.wish").write_bytes(content.encode() if isinstance(content, str) else content)
    (folder / "2.wish").write_text(json.dumps(wish(world)))
    desk.answer_all(world.url, world.db, world.clock, world.log)
    assert [json.loads((folder / f"{name}.answer").read_text())["done"] for name in "12"] == [False, True]
    assert len(world.ledger("review")) == 1


def test_wish_is_carried_out_once(world: World) -> None:
    desk.answer_all(world.url, world.db, world.clock, world.log)
    folder = desk.box(world.url)
    assert folder is not None
    (folder / "1.wish").write_text(json.dumps(wish(world)))
    for _ in range(3):
        desk.answer_all(world.url, world.db, world.clock, world.log)
    assert len(world.ledger("review")) == 1


@pytest.mark.parametrize(
    "kind", ["huge number", "deep", "long", "folder", "full folder", "link to nowhere", "pipe"]
)
def test_a_poisoned_wish_is_answered_told_once_and_holds_up_no_other(world: World, kind: str) -> None:
    desk.answer_all(world.url, world.db, world.clock, world.log)
    folder = desk.box(world.url)
    assert folder is not None
    first = folder / "1.wish"
    match kind:
        case "huge number":
            first.write_text(json.dumps(wish(world, seq=2**70)))
        case "deep":
            first.write_text("[" * 30_000)
        case "long":
            first.write_text(json.dumps(wish(world, by="x" * 100_000)))
        case "folder" | "full folder":
            first.mkdir()
            if kind == "full folder":
                (first / "file").touch()
        case "link to nowhere":
            first.symlink_to(folder / "none")
        case "pipe":
            os.mkfifo(first)
    (folder / "2.wish").write_text(json.dumps(wish(world)))
    assert desk.answer_all(world.url, world.db, world.clock, world.log) == 2
    answers = [json.loads((folder / f"{name}.answer").read_text()) for name in "12"]
    assert [one["done"] for one in answers] == [False, True]
    assert answers[0]["text"].startswith("the wish ")
    assert len(world.ledger("review")) == 1
    assert desk.answer_all(world.url, world.db, world.clock, world.log) == 0


def test_a_wish_that_nobody_may_read_is_answered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.answer_all(world.url, world.db, world.clock, world.log)
    folder = desk.box(world.url)
    assert folder is not None
    (folder / "1.wish").write_text("{}")

    def refused(*_: object) -> str:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_text", refused)
        desk.answer_all(world.url, world.db, world.clock, world.log)
    assert json.loads((folder / "1.answer").read_text()) == {
        "done": False,
        "text": "the wish cannot be read (Permission denied)",
    }
    assert not (folder / "1.wish").exists()


def test_a_wish_goes_even_where_its_answer_cannot_be_written(world: World) -> None:
    desk.answer_all(world.url, world.db, world.clock, world.log)
    folder = desk.box(world.url)
    assert folder is not None
    (folder / "1.draft").mkdir()
    for name in "12":
        (folder / f"{name}.wish").write_text(json.dumps(wish(world)))
    assert desk.answer_all(world.url, world.db, world.clock, world.log) == 2
    assert (folder / "2.answer").exists()
    assert desk.answer_all(world.url, world.db, world.clock, world.log) == 0
