"""The commands in-process: what they print and how they exit."""

from __future__ import annotations

import io
import json
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from fakes import FakeClock, FakePrimeVox, fresh_database

from syncd import cli, daemon, desk
from syncd.connector import Connector
from syncd.errors import AuthRefused, ShapeChanged, Transient
from syncd.http import Transport
from syncd.pace import Limits
from syncd.registry import Offer
from syncd.store import database

ANN, BOB, CY = "+12025550110", "+12025550111", "+12025550112"


CONFIG = """
primevox:
  api_key: ${file:FOLDER/key}
  containers: [{id: "100200", numbers: ["+1 202 555 0100"]}]
psa:
  connector: local
  settings: {path: FOLDER}
policy: {brake: {companies: 2}}
store: {url: "sqlite:///state.db"}
"""
COMPANIES = "id,name,sms_approval\n1,Acme,Approved\n2,Bolt,Approved\n3,Crane,\n4,Drum,Approved\n5,Echo,Approved\n"
CONTACTS = (
    "id,company_id,name,mobile,phone,active,sms_opt_in\n"
    "10,1,Ann Lee,(202) 555-0110,,true,\n11,2,Bob Day,202-555-0111,,true,\n12,3,Cy Fox,202-555-0112,,true,\n"
    "13,4,Di Orr,202-555-0113,,true,\n"
)


class Shop:
    """A configuration with the local connector; PrimeVOX is a fake."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.vox = FakePrimeVox(FakeClock())
        self.vox.clock.wall = daemon.Clock().now()
        (folder / "key").write_text("0123456789abcdef\n")
        (folder / "key").chmod(0o600)
        (folder / "companies.csv").write_text(COMPANIES)
        (folder / "contacts.csv").write_text(CONTACTS)
        self.config = folder / "syncd.yaml"
        self.config.write_text(CONFIG.replace("FOLDER", str(folder)))

    def __call__(self, *words: str, config: bool = True) -> tuple[int, str, str]:
        """Run a command; its exit code, what it printed, and what it said on standard error."""
        self.capsys.readouterr()
        try:
            code = cli.main([*words, *(["-c", str(self.config)] if config else [])])
        except SystemExit as end:
            code = int(end.code or 0)
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def json(self, *words: str) -> Any:
        code, out, err = self(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    def approve(self, company: str, word: str) -> None:
        path = self.folder / "companies.csv"
        lines = [
            ",".join([*line.split(",")[:2], word]) if line.startswith(f"{company},") else line
            for line in path.read_text().splitlines()
        ]
        path.write_text("\n".join(lines) + "\n")

    def shows(self, contact: str) -> str:
        lines = (self.folder / "contacts.csv").read_text().splitlines()
        return next(line.split(",")[-1] for line in lines if line.startswith(f"{contact},"))


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    fresh_database(tmp_path / "state.db")
    made = Shop(tmp_path, capsys)
    transport = Transport(made.vox.clock, Limits(calls=1000, per=1.0, concurrency=4))
    monkeypatch.setattr(daemon, "make_source", lambda *_: (made.vox, transport))
    monkeypatch.setattr(cli, "make_source", lambda *_: (made.vox, transport))
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield made
    root.handlers[:], root.level = before
    structlog.reset_defaults()


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """Everything was read once; then Ann opted in, Bob out, and Cy's company never approved."""
    assert shop("once")[0] == 0
    shop.vox.clock.wall = daemon.Clock().now() + timedelta(seconds=2)  # no history, whatever the second
    shop.vox.text(ANN, "#Go")
    shop.vox.text(BOB, "STOP")
    shop.vox.text(CY, "#Go")
    assert shop("once")[0] == 0
    return shop


# --- once ------------------------------------------------------------------------------------------------


def test_once_does_everything_and_ends_well(busy: Shop) -> None:
    assert [busy.shows(one) for one in ("10", "11", "12")] == ["Opted-In", "Opted-Out", ""]
    before = (busy.folder / "contacts.csv").stat().st_mtime_ns
    assert busy("once")[0] == 0
    assert (busy.folder / "contacts.csv").stat().st_mtime_ns == before


@pytest.mark.parametrize("error", [Transient("HTTP 500"), AuthRefused("401"), ShapeChanged("no list")])
def test_once_says_69_when_primevox_cannot_be_reached(shop: Shop, error: Exception) -> None:
    shop.vox.list_error["+12025550100"] = error
    code, _, err = shop("once")
    assert code == 69
    assert "could not be reached: PrimeVOX number +12025550100" in err


def test_once_says_75_when_something_is_left(busy: Shop) -> None:
    busy.vox.text(CY, "STOP")
    with (busy.folder / "contacts.csv").open("a") as file:
        file.write("10,1,Ann twice,,,true,\n")  # one id, two people: an opt-in is refused
    busy.vox.text(ANN, "#Go")
    code, _, err = busy("once")
    assert code == 75
    assert "still to be done" in err
    assert busy.shows("12") == "Opted-Out"


def test_once_says_75_when_a_pass_is_held(busy: Shop) -> None:
    for company in ("1", "2", "4"):
        busy.approve(company, "Opted-Out")
    code, _, err = busy("once")
    assert code == 75
    assert "brake" in err


def test_once_does_not_end_well_when_a_conversation_could_not_be_read(busy: Shop) -> None:
    busy.vox.text(ANN, "STOP")
    busy.vox.thread_error["c0110"] = Transient("HTTP 500")
    assert busy("once")[0] in (69, 75)


def test_once_says_75_when_another_syncd_works(busy: Shop) -> None:
    other = database.open_writing(f"sqlite:///{busy.folder}/state.db")
    code, _, err = busy("once")
    other.close()
    assert code == 75
    assert "another syncd" in err


# --- configuration ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [["once"], ["check"], ["status"], ["explain", ANN], ["review", "list"], ["ledger", "verify"], ["run"]],
)
def test_bad_configuration_says_78_and_where(shop: Shop, command: list[str]) -> None:
    shop.config.write_text(CONFIG.replace("FOLDER", "/nowhere").replace("brake", "break"))
    code, _, err = shop(*command)
    assert code == 78
    assert "policy.break" in err
    assert "Traceback" not in err


def test_missing_configuration_says_78(shop: Shop) -> None:
    shop.config.unlink()
    assert shop("status")[0] == 78


@pytest.mark.parametrize("words", [[], ["dance"], ["review"], ["review", "resolve", "1", "perhaps"], ["explain"]])
def test_wrong_usage_says_2(shop: Shop, words: list[str]) -> None:
    assert shop(*words, config=False)[0] == 2


def test_check_finds_a_missing_secret_without_a_network(shop: Shop) -> None:
    assert shop("check")[0] == 0
    (shop.folder / "key").unlink()
    assert shop("check")[0] == 78


def test_check_names_another_connector_that_cannot_be_used(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    offers = {
        "fine": Offer("fine", "syncd-fine 1.0", Connector),
        "broken": Offer(
            "broken", "syncd-broken 1.0", None, "the connector 'broken' of syncd-broken 1.0 cannot be"
        ),
    }
    monkeypatch.setattr("syncd.registry.available", lambda: offers)
    code, out, _ = shop("check")
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("note")] == [
        "note  another connector cannot be used: the connector 'broken' of syncd-broken 1.0 cannot be"
    ]


def test_check_online_tells_what_it_found(shop: Shop) -> None:
    code, out, _ = shop("check", "--online")
    assert code == 0
    assert "0 conversations" in out
    assert "5 seen: " in out
    shop.vox.list_error["+12025550100"] = Transient("HTTP 500")
    assert shop("check", "--online")[0] == 69
    (shop.folder / "companies.csv").unlink()
    assert shop("check", "--online")[0] == 78


def test_looking_before_there_is_a_database_says_78(shop: Shop) -> None:
    (shop.folder / "state.db").unlink()
    for command in (["status"], ["review", "list"], ["ledger", "export"], ["brake", "release"]):
        code, _, err = shop(*command)
        assert code == 78
        assert "no database yet" in err


# --- looking ---------------------------------------------------------------------------------------------


def test_status_has_the_documented_keys(busy: Shop) -> None:
    found = busy.json("status")
    assert {
        "pending",
        "held",
        "unmatched",
        "review",
        "unproven",
        "parked",
        "brake",
        "numbers",
        "psa",
    } <= found.keys()
    assert (found["pending"], found["held"], found["brake"], found["parked"]) == (0, 1, None, [])
    [number] = found["numbers"]
    assert {"number", "last_good_pass", "error"} <= number.keys()
    assert (number["number"], number["error"]) == ("+12025550100", None)
    assert number["last_good_pass"].endswith("Z")
    assert isinstance(found["psa"], dict)


def test_status_works_beside_a_daemon_and_for_people(busy: Shop) -> None:
    other = database.open_writing(f"sqlite:///{busy.folder}/state.db")
    code, out, _ = busy("status")
    other.close()
    assert code == 0
    assert "opt-ins held until the company approves" in out


def test_explain_has_the_documented_keys(busy: Shop) -> None:
    found = busy.json("explain", "(202) 555-0110")
    assert {"number", "may_text", "contacts"} <= found.keys()
    assert (found["number"], found["may_text"]) == (ANN, True)
    [contact] = found["contacts"]
    keys = {"id", "name", "company", "shown", "desired", "reason", "clause", "evidence"}
    assert keys <= contact.keys()
    assert {key: contact[key] for key in keys - {"reason", "evidence"}} == {
        "id": "10",
        "name": "Ann Lee",
        "company": "Acme",
        "shown": "opted_in",
        "desired": "opted_in",
        "clause": "3.2.3, 3.2.4",
    }
    assert contact["evidence"]
    assert all(isinstance(seq, int) for seq in contact["evidence"])


@pytest.mark.parametrize(
    ("number", "may", "desired"), [(BOB, False, ["opted_out"]), (CY, False, [None]), ("+12025550199", False, [])]
)
def test_explain_says_no(busy: Shop, number: str, may: bool, desired: list[str | None]) -> None:
    found = busy.json("explain", number)
    assert (found["may_text"], [one["desired"] for one in found["contacts"]]) == (may, desired)
    code, out, _ = busy("explain", number)
    assert code == 0
    assert "no" in out


def test_explain_asks_an_older_database_nothing(busy: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_is_current", lambda _connection: False)
    code, _, err = busy("explain", ANN)
    assert code == 78
    assert "restart the service" in err


@pytest.mark.parametrize("number", ["nobody", "555-0110", "2025550110 / 2025550111", ""])
def test_explain_of_what_is_no_number_says_2(busy: Shop, number: str) -> None:
    assert busy("explain", number)[0] == 2


# --- review and brake ------------------------------------------------------------------------------------


def test_review_flow(busy: Shop) -> None:
    busy.vox.text("+12025550113", "do not text me until Monday \x1b[31m")
    assert busy("once")[0] == 0  # what waits for a person counts as done
    [one] = busy.json("review", "list")
    assert (one["number"], one["reads"], one["contacts"]) == ("+12025550113", "unclear", ["Di Orr"])
    code, out, _ = busy("review", "list")
    assert (code, "\x1b" in out) == (0, False)
    code, out, _ = busy("review", "resolve", str(one["seq"]), "opt_out")
    assert (code, "counts as opt_out" in out) == (0, True)
    assert busy.json("review", "list") == []
    assert busy("once")[0] == 0
    assert busy.shows("13") == "Opted-Out"
    assert busy("review", "resolve", "9999", "opt_out")[0] == 2
    assert "Nothing waits" in busy("review", "list")[1]


def test_brake_release(busy: Shop) -> None:
    assert busy("brake", "release")[0] != 0
    for company in ("1", "2", "4"):
        busy.approve(company, "Opted-Out")
    assert busy("once")[0] == 75
    assert busy.json("status")["brake"]["detail"]
    assert "BRAKE" in busy("status")[1]
    code, out, _ = busy("brake", "release")
    assert (code, "companies" in out) == (0, True)
    assert busy("once")[0] == 0
    assert [busy.shows(one) for one in ("10", "11", "13")] == ["Opted-Out"] * 3
    assert busy.json("status")["brake"] is None


def test_wish_that_a_busy_database_cannot_take_is_no_wrong_usage(
    busy: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "PATIENCE", 0.1)
    (busy.folder / "state.db.wishes").mkdir()
    other = database.open_writing(f"sqlite:///{busy.folder}/state.db")
    code, _, err = busy("review", "resolve", "1", "opt_out")
    other.close()
    assert "did not answer" in err
    assert code == 75


# --- ledger ----------------------------------------------------------------------------------------------


def test_ledger_verify_tells_an_intact_ledger_from_a_broken_one(busy: Shop) -> None:
    code, out, _ = busy("ledger", "verify")
    assert code == 0
    head = out.split("head ")[1].strip()
    assert busy("ledger", "verify", "--head", head)[0] == 0
    with sqlite3.connect(busy.folder / "state.db") as raw:
        raw.execute("DELETE FROM ledger WHERE seq = (SELECT max(seq) FROM ledger)")
    assert busy("ledger", "verify")[0] == 0  # a chain alone cannot tell
    code, _, err = busy("ledger", "verify", "--head", head)
    assert (code, "cut off" in err) == (65, True)
    with sqlite3.connect(busy.folder / "state.db") as raw:
        raw.execute("UPDATE ledger SET body = replace(body, '#Go', '#No') WHERE kind = 'message'")
    code, out, err = busy("ledger", "verify")
    assert (code, "BROKEN" in out, "FAULT" in err) == (65, True, True)


@pytest.mark.parametrize("head", ["x", "1:2", "1", ":" + "0" * 64])
def test_ledger_verify_refuses_what_is_no_head(busy: Shop, head: str) -> None:
    assert busy("ledger", "verify", "--head", head)[0] == 2


def test_ledger_export_gives_number_text_and_time(busy: Shop) -> None:
    code, out, _ = busy("ledger", "export", "--number", "202-555-0110")
    assert code == 0
    [entry] = [one for one in map(json.loads, out.splitlines()) if one["kind"] == "message"]
    assert (entry["number"], entry["text"], entry["sent"][-1]) == (ANN, "#Go", "Z")
    code, out, _ = busy("ledger", "export", "--format", "csv")
    assert code == 0
    assert out.splitlines()[0].startswith("seq,at,kind,number,text,")
    assert busy("ledger", "export", "--number", "nobody")[0] == 2


# --- read ------------------------------------------------------------------------------------------------


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch, shop: Shop) -> Callable[[str], tuple[int, list[Any]]]:
    def feed(text: str) -> tuple[int, list[Any]]:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        code, out, _ = shop("read", "--json", "-", config=False)
        return code, [json.loads(line) for line in out.splitlines()]

    return feed


def test_read_of_many_texts_keeps_their_order(fed: Callable[[str], tuple[int, list[Any]]]) -> None:
    texts = ["STOP", "#Go", "my printer is broken", "\ud83d STOP", "a\nb", "", "x" * 5000, "\x1b[31m"]
    code, found = fed("".join(json.dumps(text) + "\n" for text in texts))
    assert code == 0
    assert [set(one) for one in found] == [{"intent", "rule"}] * len(texts)
    assert [one["intent"] for one in found[:4]] == ["opt_out", "opt_in", "ordinary", "opt_out"]


@pytest.mark.parametrize("bad", ["no json", "1", "null", '["STOP"]', '{"text": "STOP"}'])
def test_read_of_a_bad_line_goes_on(fed: Callable[[str], tuple[int, list[Any]]], bad: str) -> None:
    code, found = fed(f'"STOP"\n{bad}\n"#Go"')
    assert code == 2
    assert [one.get("intent") for one in found] == ["opt_out", None, "opt_in"]
    assert "error" in found[1]


def test_read_of_one_text(shop: Shop) -> None:
    assert shop("read", "please stop texting me", config=False)[1].startswith("opt_out")
    code, out, _ = shop("read", "--json", "#Go", config=False)
    assert (code, json.loads(out)["intent"]) == (0, "opt_in")


def test_read_takes_the_words_of_a_configuration(shop: Shop) -> None:
    shop.config.write_text(
        CONFIG.replace("FOLDER", "/nowhere").replace("policy: {", 'policy: {opt_in_keywords: ["#Ok"], ')
    )
    (shop.folder / "key").unlink()  # how a text is read is no secret
    assert shop("read", "#Ok")[1].startswith("opt_in")
    assert not shop("read", "#Go")[1].startswith("opt_in")


def test_pipe_that_closes_is_no_error(busy: Shop) -> None:
    script = f"""
import sys
from syncd.cli import main
sys.exit(main(["ledger", "export", "-c", {str(busy.config)!r}]))
"""
    import subprocess
    import sys

    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
