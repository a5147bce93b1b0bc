"""Texts, names, labels and error pages of strangers, through the real commands, with a real store.

None of them breaks a log line, commands a terminal, becomes a formula in a spreadsheet, or harms the ledger; and
the words themselves stay what they were, in the evidence.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import pty
import re
import subprocess
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from rig import APPROVED, SYNCD, Rig, person

from syncd.sandbox.autotask import AutotaskServer
from syncd.sandbox.autotask_fields import text_udf
from syncd.sandbox.faults import status

FORGED = '{"event": "forged", "level": "info"}'
NASTY = {
    "terminal": "\x1b[2J\x1b]0;owned\x07\x1b[31m\x08\x7f",
    "terminal, one byte": "\x9b31m\x9d0;owned\x9c\x85",
    "direction": "\u202eexe.\u2066gpj\u2069\u200f\u061c",
    "lines": f"a\r\nb\u2028c\u2029d\ve\ff\n{FORGED}\n",
    "nothing": "\0\u200b\ufeff\u00ad\ue000\U000e0041",
    "half": "\ud83d \udc00 \ud800",
    "format": "%s %(x)s %n {0} {x!r} {event} ${HOME} $(id) `id` {{7*7}}",
    "markup": "[bold red]x[/] [link=http://evil.example]y[/link] <b>z</b> \\[",
    "json": f'"}}\n{FORGED}\n{{"x": "',
    "csv": '",\n"=1+1",",;\t|',
    "formula": '=HYPERLINK("http://evil.example","x")',
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)",
    "other cells": "hi;=1+1; -2;\n@SUM(1)\n =3;)",
    "tab": "\t=1+1",
    "return": "\r=1+1",
    "blanks": " \u00a0\u3000=1+1",
    "wide": "＝1+1",
    "marks": "e" + "\u0301" * 500,
    "wide letters": "\ufdfa" * 50,
}
LONG = "so long a text " + "x" * 1_000_000 + NASTY["terminal"]


def kept(text: str) -> str:
    """What the evidence says: the words, with what no database takes as U+FFFD."""
    return re.sub("[\ud800-\udfff\0]", "\ufffd", text)


def harmless(said: str, besides: str = "\n") -> bool:
    """Whether a terminal shows this as it stands: no control, no direction, no separator but those."""
    return not {
        char for char in said if unicodedata.category(char) in ("Zl", "Zp") or unicodedata.category(char)[0] == "C"
    } - set(besides)


class Trap:
    """An MSP whose clients, staff and servers write what they should not; everything has passed once."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.texts: dict[str, str] = {}
        autotask = rig.autotask
        for index, (what, words) in enumerate(NASTY.items()):
            company = autotask.add_company(words, APPROVED)
            rig.people.append(autotask.add_contact(company, words, f"{words} ({what})", mobile=person(index)))
            # What is no state at all: it is told of in the log.
            autotask.set_udf("Companies", autotask.add_company(f"odd {what}"), "SMS Approval", words + what)
            self._text(index, f"{words} the printer prints nothing")
            self._text(index, f"no more alerts until Monday {words}")
        self._text(0, LONG)
        autotask.faults.add(
            status(400, {"errors": [NASTY["lines"] + NASTY["terminal"] + "half \ud800"]}),
            method="PATCH",
            times=None,
        )
        self._text(1, "#Go")

    def _text(self, index: int, words: str) -> None:
        self.texts[self.rig.text(index, words)] = words

    def once(self, form: str) -> list[str]:
        """One pass of the real process; what it logged."""
        self.rig.config["log"]["format"] = form
        self.rig.save_config()
        before = len(self.rig.output)
        ended = self.rig.run("once")
        assert ended.returncode in (0, 75), ended.stderr
        assert "Traceback" not in ended.stderr
        return self.rig.output[before:]


@pytest.fixture(scope="module")
def trap() -> Iterator[Trap]:
    with Rig(companies=0, people=0, policy={"first_run": "replay"}) as rig:
        made = Trap(rig)
        made.once("json")
        made.logged = {form: made.once(form) for form in ("console", "json")}  # the third refusal is an alert
        yield made


# --- log -------------------------------------------------------------------------------------------------


def test_every_line_of_the_journal_is_json_and_nobody_forges_one(trap: Trap) -> None:
    lines = trap.logged["json"]
    told = [json.loads(line) for line in lines if not line.startswith("syncd: ")]
    assert {"the PSA holds an odd record", "a contact cannot be written"} <= {one["event"] for one in told}
    assert all({"event", "level", "timestamp"} <= one.keys() for one in told)
    assert not [one for one in told if one["event"] == "forged"]
    assert all(line.isascii() or line.startswith("syncd: ") for line in lines)
    assert max(map(len, lines)) < 48 * 1024  # journald would cut it


def test_every_line_of_a_console_is_one_event_and_obeys_nobody(trap: Trap) -> None:
    lines = trap.logged["console"]
    assert all(harmless(line, "") for line in lines)
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[\w+ *\] |syncd: ", line) for line in lines), lines
    assert max(map(len, lines)) < 48 * 1024


# --- tables ----------------------------------------------------------------------------------------------

COMMANDS = (["status"], ["review", "list"], *(["explain", person(index)] for index in range(len(NASTY))))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nothing_raw_is_printed(trap: Trap, command: list[str]) -> None:
    ended = trap.rig.look(*command)
    assert ended.returncode == 0, ended.stderr
    assert harmless(ended.stdout)
    assert harmless(ended.stderr)
    as_json = trap.rig.look(*command, "--json")
    assert as_json.stdout.isascii()
    json.loads(as_json.stdout)


def test_no_text_leaves_its_column_in_the_review_queue(trap: Trap) -> None:
    waiting = {str(one["seq"]) for one in trap.rig.review()}
    lines = trap.rig.look("review", "list").stdout.splitlines()
    assert len(waiting) == len(NASTY)
    [head] = [line for line in lines if "item" in line and "number" in line]
    first = [line[: head.index("sent")].strip() for line in lines[3:-1]]
    assert {cell for cell in first if cell} == waiting
    said = "".join(line[head.index("text") : head.index("why")].strip() for line in lines)
    assert "[boldred]x[/]" in said.replace(" ", "")  # literally
    assert "\u0301" * 3 in said
    assert "\u0301" * 4 not in said  # a pile of marks would grow over the lines above


def test_a_parked_contact_shows_what_the_psa_said_on_one_line(trap: Trap) -> None:
    [parked] = [line for line in trap.rig.look("status").stdout.splitlines() if "PARKED" in line]
    assert "forged" in parked  # inside the line


@pytest.mark.slow
@pytest.mark.parametrize("command", [["status"], ["review", "list"], ["explain", person(0)]], ids=" ".join)
def test_nothing_raw_reaches_a_real_terminal(trap: Trap, command: list[str]) -> None:
    """In colours, which are escapes of our own."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "200"}
    process = subprocess.Popen(
        [str(SYNCD), *command, "-c", str(trap.rig.config_file)],
        stdout=theirs,
        stderr=theirs,
        stdin=subprocess.DEVNULL,
        env=environment,
        close_fds=True,
    )
    os.close(theirs)
    said = bytearray()

    def read() -> None:
        with suppress(OSError):
            while part := os.read(ours, 65_536):
                said.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    assert process.wait(60) == 0
    reader.join(10)
    os.close(ours)
    text = said.decode()
    assert "\x1b[" in text  # a terminal was recognised
    assert harmless(re.sub(r"\x1b\[[0-9;]*m", "", text), "\r\n")


# --- exports and the ledger ------------------------------------------------------------------------------


def entries(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines()]


def test_the_evidence_has_every_word_as_it_came(trap: Trap) -> None:
    said = trap.rig.look("ledger", "export").stdout
    assert said.isascii()
    found = {one["message"]: one["text"] for one in entries(said) if one["kind"] == "message"}
    assert len(found) >= 2 * len(NASTY) - 3
    assert found == {one: kept(words) for one, words in trap.texts.items() if one in found}
    assert LONG in trap.texts.values()
    assert kept(LONG) in found.values()


def test_the_chain_holds_by_our_own_count_and_by_anybodys(trap: Trap) -> None:
    assert trap.rig.look("ledger", "verify").returncode == 0
    previous = "0" * 64
    for one in entries(trap.rig.look("ledger", "export").stdout):
        claimed = one.pop("hash")
        body = json.dumps(one, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        assert hashlib.sha256(body.encode("ascii")).hexdigest() == claimed
        assert one["prev"] == previous
        previous = claimed


def test_no_cell_of_the_csv_is_a_formula_and_the_words_are_beside_it(trap: Trap) -> None:
    csv.field_size_limit(10**8)
    said = trap.rig.look("ledger", "export", "--format", "csv").stdout
    assert harmless(said, "\r\n")
    rows = list(csv.DictReader(io.StringIO(said, newline="")))
    exported = entries(trap.rig.look("ledger", "export").stdout)
    assert [json.loads(row["entry"]) | {"hash": row["hash"]} for row in rows] == exported
    cells = [(name, cell) for row in rows for name, cell in row.items() if cell]
    guilty = [cell for _, cell in cells if re.match(r"\s*[=+\-@＝＋－＠]", cell)]
    assert [cell for cell in guilty if not re.fullmatch(r"\+\d{7,15}", cell)] == []
    assert sum(cell.lstrip("'· ").startswith(("=", "＝")) for _, cell in cells) >= 4  # they were there
    # Where the semicolon separates, quotes inside a cell mean nothing: lines and semicolons begin new ones.
    others = [cell for line in said.splitlines() for cell in line.split(";")]
    assert [cell for cell in others if re.match(r"\s*[=+\-@＝＋－＠]", cell)] == []
    assert sum(cell.lstrip("' ").startswith("=") for cell in others) >= 2


# --- settings of the PSA, and files ----------------------------------------------------------------------


def test_labels_of_the_psas_own_fields_are_shown_and_obeyed_by_nobody() -> None:
    words = ("markup", "terminal", "terminal, one byte", "direction", "lines")
    labels = [text_udf(NASTY[what][:60]) for what in words]
    with Rig(companies=1, people=1) as rig, AutotaskServer(contact_udfs=labels, company_udfs=labels) as odd:
        odd.add_contact(odd.add_company("Acme"), "Ann", "Lee", mobile=person(0))
        rig.set_secret("secret", odd.secret)
        rig.set_secret("code", odd.integration_code)
        rig.config["psa"]["settings"] |= {"base_url": odd.base_url, "username": odd.username}
        rig.save_config()
        checked = rig.run("check", "--online")
        assert checked.returncode == 78
        assert "[bold red]x[/]" in checked.stdout
        assert harmless(checked.stdout + checked.stderr)
        assert rig.run("once").returncode in (69, 75)
        assert [one for one in rig.log() if one["event"] == "failed"]
        assert harmless(rig.look("status").stdout)


def test_error_pages_of_both_services_are_shown_and_obeyed_by_nobody() -> None:
    page = "".join(NASTY.values()).encode("utf-8", "surrogatepass")
    with Rig(companies=1, people=1) as rig:
        for server in (rig.primevox, rig.autotask):
            server.faults.add(status(503, page), times=None)
        assert rig.run("once").returncode == 69
        for line in rig.output:
            assert line.startswith("syncd: ") or json.loads(line)["event"] != "forged"
        assert harmless("\n".join(line for line in rig.output if line.startswith("syncd: ")))
        assert harmless(rig.look("status").stdout)
        assert harmless(rig.run("check", "--online").stdout)


def test_ids_in_csv_files_are_shown_and_obeyed_by_nobody() -> None:
    """The one PSA whose ids people make up. Two rows with one id can take no opt-in, which is shown."""
    nasty = f"10{NASTY['terminal']}{NASTY['direction']}"
    with Rig(connector="local", companies=0, people=0) as rig:
        row = f'"{nasty}",1,"{nasty}",{person(0)},,true,\n'
        rig.csv("1,Acme,Approved\n", row + row)
        assert rig.run("once").returncode == 0
        rig.text(0, "#Go")
        for _ in range(3):
            assert rig.run("once").returncode == 75
        for command in (["status"], ["explain", person(0)]):
            said = rig.look(*command).stdout
            assert harmless(said)
            assert "10·[2J" in said
        assert rig.look("ledger", "verify").returncode == 0
        assert all(json.loads(line) for line in rig.output if not line.startswith("syncd: "))


def test_the_demo_prints_nothing_but_what_a_terminal_shows() -> None:
    ended = subprocess.run([str(SYNCD), "demo"], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout
    assert harmless(ended.stdout + ended.stderr)
