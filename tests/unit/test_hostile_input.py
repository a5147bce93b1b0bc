"""Faults that hostile input found, each as it was found (see tests/fuzz)."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from fakes import ANN, World
from pydantic import SecretStr

from connectors.autotask import answers as autotask
from connectors.connectwise import client as connectwise
from connectors.halopsa import answers as halopsa
from connectors.halopsa.login import Login
from connectors.halopsa.settings import HaloPsaSettings
from syncd import cli, show, yamlfile
from syncd.clock import Clock
from syncd.connector.answers import number
from syncd.errors import ShapeChanged, SyncdError
from syncd.http import Answer, Limits, Transport, checked_base_url
from syncd.logs import LONGEST, Redactor
from syncd.model import visible


def answer(body: object = None, status: int = 200, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer("GET /x", status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


# --- answers ---------------------------------------------------------------------------------------------

TOO_LARGE = (
    "Mon, 02 Mar 2026 10:02:00 +99999999999999999999",
    "Mon, 02 Mar 99999999999999999999 10:02:00 GMT",
)


@pytest.mark.parametrize("date", TOO_LARGE)
def test_a_date_that_no_computer_can_hold_is_none(date: str) -> None:
    assert answer(Date=date).date() is None
    assert answer(status=429, Retry_After=date, Date="Mon, 02 Mar 2026 10:02:00 GMT").retry_after() is None
    assert answer(status=429, Retry_After="Mon, 02 Mar 2026 10:02:00 GMT", Date=date).retry_after() is None


def test_a_date_has_its_zone_whether_it_says_so_or_not() -> None:
    expected = datetime(2026, 3, 2, 10, 2, tzinfo=UTC)
    assert answer(Date="Mon, 02 Mar 2026 10:02:00 -0000").date() == expected
    assert answer(date="Mon, 02 Mar 2026 12:02:00 +0200").date() == expected
    assert answer().date() is None


@pytest.mark.parametrize(
    "value",
    [float("inf"), float("-inf"), 1e300, 10**18, 10**400, "9" * 5000, "1" * 19, "²", "٣", "1_0", "", "7.5", True],
)
def test_what_is_no_whole_number_has_another_shape(value: object) -> None:
    with pytest.raises(ShapeChanged):
        number("id", value)


def test_an_error_that_is_nested_deeper_than_python_can_follow_is_read_as_far_as_makes_sense() -> None:
    deep = b'{"message":' + b'[{"x":' * 450 + b'"no"' + b"}]" * 450 + b"}"
    assert halopsa.complaints(answer(deep, 500)) == []
    assert halopsa.complaints(answer({"message": [{"x": ["no"]}]}, 500)) == ["no"]


@pytest.mark.parametrize("module", [autotask, halopsa])
def test_half_a_character_in_an_error_is_no_defect(module: object) -> None:
    with pytest.raises(SyncdError):
        module.judged(answer({"errors": ["\ud800"], "message": "\ud800"}, 500))  # type: ignore[attr-defined]


def test_half_a_character_in_the_answer_to_a_login_is_no_defect() -> None:
    login = Login.__new__(Login)
    login._refusals, login._settings = 0, HaloPsaSettings.model_construct()
    with pytest.raises(SyncdError):
        login._must_be_good(answer({"error": "\ud800"}, 400))


def quick(work: Callable[[], object], most: float = 1.0) -> None:
    began = time.process_time()
    try:
        work()
    finally:
        assert time.process_time() - began < most


def test_long_error_pages_and_links_take_no_time() -> None:
    text = "unable to find " * 20_000
    with pytest.raises(SyncdError):
        quick(lambda: autotask.judged(answer({"errors": [text]}, 500)))
    for link in ("<" * 60_000, "< " * 30_000, "<a>; " * 12_000, "<a>; x=" * 8_000, '<a>; x="' * 8_000):
        quick(lambda link=link: connectwise._names_a_next_page(answer([], Link=link)))


def test_a_long_token_costs_no_more_than_a_short_one_and_is_hidden_all_the_same() -> None:
    token = "".join(chr(33 + index * 7 % 90) for index in range(50_000))
    made = Answer("GET /x", 500, {}, f"token {token} was refused".encode(), (token,))
    quick(made.excerpt)
    assert made.excerpt() == "token *** was refused"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ('<https://x.example/?page=2>; rel="next"', True),
        ("< https://x.example >; rel=next", True),
        ("<>; rel=next", False),
        ("< >; rel=next", False),
        ('<a>; rel="prev", <b>; rel="next"', True),
        ('<a>; rel="prev"', False),
    ],
)
def test_links_are_read_as_before(link: str, expected: bool) -> None:
    assert connectwise._names_a_next_page(answer([], Link=link)) is expected


def test_an_unknown_field_is_still_named() -> None:
    said = answer({"errors": ["Unable to find SMS Opt-In in the Contact Entity."]}, 500)
    with pytest.raises(autotask.UnknownField) as caught:
        autotask.judged(said)
    assert caught.value.field == "SMS Opt-In"


def test_a_token_of_the_year_9999_is_used() -> None:
    said = answer({"access_token": "x" * 30, "expires_in": 3600}, Date="Fri, 31 Dec 9999 23:59:59 -1200")
    settings = HaloPsaSettings(base_url="https://halo.example", client_id="a", client_secret=SecretStr("hush"))
    login = Login(settings, Transport(Clock(), Limits(1, 1.0, 1)), SimpleNamespace())  # type: ignore[arg-type]
    login._server = SimpleNamespace(read=lambda *_, **__: said)  # type: ignore[assignment]
    token = login.token(None)
    assert token.seconds == 3600
    assert not token.due(datetime(2026, 3, 2, tzinfo=UTC))


# --- files and standard input ----------------------------------------------------------------------------


def test_a_key_with_half_a_character_is_a_flaw_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "syncd.yaml"
    path.write_text('a: 1\n"\\ud83d\\ude00": {b: [1]}\nc: 2\n')
    document = yamlfile.read(path)
    assert document.data == {"a": 1, "c": 2}
    [flaw] = document.flaws
    assert (flaw.line, "half of a character" in flaw.what) == (2, True)
    assert yaml.safe_load(path.read_text())  # PyYAML itself takes it


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(raw, encoding="utf-8"))
    return raw


def test_every_line_of_read_gets_its_answer(stdin: io.BytesIO, capsys: pytest.CaptureFixture[str]) -> None:
    stdin.write(b'"STOP"\n"\xff\xfe"\n' + b"[" * 100_000 + b"\n\xc3\n" + b'"ST\\ud800OP"\n"STOP"\n')
    stdin.seek(0)
    assert cli.main(["read", "--json", "-"]) == cli.USAGE
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one.get("intent", "?") for one in said] == ["opt_out", "ordinary", "?", "?", "opt_out", "opt_out"]


def test_an_item_that_no_database_counts_to_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for item in ("9" * 30, "0", "-1", "x"):
        with pytest.raises(SystemExit) as caught:
            cli.main(["review", "resolve", "--", item, "nothing"])
        assert caught.value.code == cli.USAGE
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "url", ["https://psa.example#", "https://psa.example?", "https://@psa.example", "https://psä.example"]
)
def test_a_base_url_that_would_swallow_the_path_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        checked_base_url(url)


# --- what is shown and stored ----------------------------------------------------------------------------


def test_a_reason_with_half_a_character_is_stored_and_shown(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.psa.add_company("1")
    world.psa.add("ann", ANN)
    world.step()
    world.psa.refuses["ann"] = "still shows '\ud83d\0'"
    world.vox.text(ANN, "STOP")
    for _ in range(4):
        world.clock.advance(1000)
        world.step()
    [parked] = world.status()["parked"]
    assert parked["reason"] == "still shows '\ufffd\ufffd'"
    assert not [event for event in world.log.events() if "defect" in event]
    assert world.intact()
    world.close()


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\u2028b\u2029c", "a·b·c"),
        ("a\u00a0b\u3000c", "a b c"),
        ("\x1b[31m\x9b\u202e\u200b\ud800\ue000", "·[31m·····"),
        ("née 🛑 Ω", "née 🛑 Ω"),
    ],
)
def test_what_a_terminal_obeys_is_made_visible(raw: str, shown: str) -> None:
    assert visible(raw) == shown == show.printable(raw)


def test_accents_do_not_pile_up() -> None:
    assert show.printable("e" + "\u0301" * 50) == "e" + "\u0301" * 3
    assert show.printable("Việt Nam, naïve, שָׁלוֹם") == "Việt Nam, naïve, שָׁלוֹם"


@pytest.mark.parametrize("formula", [" =1+1", "\n=1+1", "\u00a0@x", "＝1+1", "＋1", " -1"])
def test_a_formula_behind_blanks_is_none(formula: str) -> None:
    assert show._cell(formula).startswith("'")


@pytest.mark.parametrize(
    "written",
    [
        "202\u2011555\u20110110",
        "202\u00a0555\u00a00110",
        "202 - 555 - 0110",
        "202\u2013555\u20130110",
        "202_555_0110",
        "202\u200b555\u200b0110",
        "202%20555%200110",
        "2025550110x12",
        "202-555-0110 ext 7",
        "Tel2025550110",
        "1202555010012025550110",
    ],
)
def test_a_number_keeps_four_digits_however_it_is_written(written: str) -> None:
    said = Redactor().clean(f"the value {written} is invalid")
    assert "0110" in said
    assert "555" not in said


@pytest.mark.parametrize(
    "fact", ["2026-03-02 15:00:00.000000", "127.0.0.1:8080", "7:dd04771f65aa3229b0a61426eff22dfc", "v4_6_release"]
)
def test_what_is_no_number_stays(fact: str) -> None:
    assert Redactor().clean(fact) == fact


def test_no_cell_of_an_export_begins_a_formula_whatever_separates() -> None:
    dice = random.Random(7)
    parts = (*"=+-@＝﹦;,\"\n \t\r'", "1+1", "cmd|' /C calc'!A0", "hi", "\u200b", "\u00a0")
    for _ in range(4000):
        words = "".join(dice.choice(parts) for _ in range(dice.randint(1, 12)))
        out = io.StringIO()
        entry = dict.fromkeys(show.EXPORTED, None) | {"seq": 1, "text": words}
        show.export([(entry, "{}", "hash")], "csv", out)
        for separator in ",;\t":
            for row in csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=separator):
                for cell in row:
                    assert not re.match(r"""[\s"]*[=+\-@＝＋－＠﹦﹢﹣﹫]""", cell), (words, separator, cell)
    assert show._cell("+12025550110") == "+12025550110"


def test_a_log_line_has_a_bearable_length_and_keeps_its_ends() -> None:
    said = Redactor(["hush-7Qx"])(None, "info", {"event": "a\nb", "reason": "x" * 10**6 + "hush-7Qx", "n": [1]})
    assert said["event"] == "a b"
    assert len(said["reason"]) < LONGEST + 100
    assert "(1000003 characters)" in said["reason"]
    assert said["reason"].endswith("x***")
    quick(lambda: Redactor()(None, "info", {"event": "x", "reason": "token+" * 100_000}), 5.0)


def test_a_wrong_configuration_never_ends_in_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "syncd.yaml"
    path.write_text(json.dumps({"\ud83d\ude00": {}, "primevox": {"base_url": "http://[::1]psa.example"}}))
    assert cli.main(["check", "-c", str(path)]) == cli.CONFIG
    assert "half of a character" in capsys.readouterr().err
