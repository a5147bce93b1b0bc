"""The ledger as an auditor sees it, its export, and what the logs may say."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import logging
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import structlog
from fakes import fresh_database
from sqlalchemy import text

from syncd import logs, show
from syncd.store import ledger
from syncd.store.database import Connection, Database, open_writing

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
NUMBER = "+12025550110"
NASTY = [
    "STOP",
    "half an emoji \ud83d and its other half \ude00",
    "a\0b",
    "\x1b[31mred\x1b]0;title\x07",
    "line\r\nline\u2028line\x85\x7f",
    "\u202eesrever\u200b",
    "ünï \N{PILE OF POO} 文",
    '","intent":"opt_in',
    "\\u0041 \\",
    "=HYPERLINK(1)",
    "x" * 1_000_000,
    "",
]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = open_writing(fresh_database(tmp_path / "state.db"))
    yield made
    made.close()


@pytest.fixture
def filled(db: Database) -> Database:
    with db.begin() as connection:
        ledger.append(connection, NOW, "rules", policy={"staff_opt_in": "reassert"})
        entries = [{"kind": "message", "number": NUMBER, "text": words, "sent": "x"} for words in "abcdefgh"]
        ledger.append_all(connection, NOW, entries)
    return db


# --- the documented form, written down a second time -----------------------------------------------------


def escaped(words: str) -> str:
    """A JSON string: short escapes where JSON has some, else of UTF-16 halves for all but printable ASCII."""
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    pieces = []
    for char in words:
        halves = char.encode("utf-16-be", "surrogatepass")
        units = [halves[index] << 8 | halves[index + 1] for index in range(0, len(halves), 2)]
        plain = char if " " <= char <= "~" else "".join(f"\\u{unit:04x}" for unit in units)
        pieces.append(short.get(char, plain))
    return '"' + "".join(pieces) + '"'


def canonical(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{escaped(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, str):
        return escaped(value)
    return "null" if value is None else str(value).lower()


def audited(lines: list[str]) -> int:
    """Check an export as the documentation says; returns how many entries it has."""
    before = "0" * 64
    for count, line in enumerate(lines, 1):
        entry = json.loads(line)
        mine = entry.pop("hash")
        assert entry["seq"] == count
        assert entry["prev"] == before
        assert hashlib.sha256(canonical(entry).encode("ascii")).hexdigest() == mine
        before = mine
    return len(lines)


def exported(db: Database, form: str = "jsonl") -> str:
    out = io.StringIO(newline="")
    with db.begin() as connection:
        show.export(ledger.entries(connection), form, out)
    return out.getvalue()


def test_export_can_be_checked_line_by_line_without_this_program(filled: Database) -> None:
    with filled.begin() as connection:
        ledger.append(connection, NOW, "write", before=None, after="opted_out", because=[1, 2], held=True)
        entries = [{"kind": "message", "number": NUMBER, "text": words} for words in NASTY]
        assert ledger.append_all(connection, NOW, entries) == list(range(11, 11 + len(NASTY)))
    export = exported(filled)
    assert export.isascii()
    assert audited(export.splitlines()) == 10 + len(NASTY)
    assert [json.loads(line)["text"] for line in export.splitlines()[10:]] == NASTY


def test_documentation_names_every_character_that_is_escaped(db: Database) -> None:
    with db.begin() as connection:
        ledger.append(connection, NOW, "message", text="a\x7fb")
        [(_, body, _)] = ledger.entries(connection)
    assert "\x7f" in body or "U+007F" in str(ledger.__doc__)


def test_every_entry_has_the_documented_keys(filled: Database) -> None:
    with filled.begin() as connection:
        for entry, body, _ in ledger.entries(connection):
            assert {"seq", "at", "kind", "number", "text", "contact", "company", "prev"} <= entry.keys()
            assert entry["at"] == "2026-03-02T15:00:00.000000Z"
            assert body == canonical(entry)


def test_appending_nothing_changes_nothing(filled: Database) -> None:
    with filled.begin() as connection:
        before = ledger.head(connection)
        assert ledger.append_all(connection, NOW, []) == []
        assert ledger.head(connection) == before


def test_chain_goes_on_over_transactions_and_pages(db: Database) -> None:
    for index in range(5):
        with db.begin() as connection:
            ledger.append(connection, NOW, "message", number=NUMBER if index % 2 else None, text=str(index))
    with db.begin() as connection:
        assert [entry["text"] for entry, _, _ in ledger.entries(connection, page=2)] == list("01234")
        assert [entry["text"] for entry, _, _ in ledger.entries(connection, number=NUMBER, page=1)] == ["1", "3"]
        assert ledger.verify(connection) == (ledger.head(connection), [])


def test_hash_depends_on_no_way_to_write_a_fraction(tmp_path: Path) -> None:
    """86400.0 reads back as 86400 in most languages, and then the hash of the line is another one."""
    from fakes import World

    world = World(tmp_path)
    world.step()

    def fractions(value: Any) -> list[float]:
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            return [found for item in value for found in fractions(item)]
        return [value] if isinstance(value, float) else []

    assert [fractions(entry) for entry in world.ledger() if fractions(entry)] == []
    world.close()


# --- tampering -------------------------------------------------------------------------------------------


def rehash(connection: Connection, seq: int, body: str) -> None:
    """What somebody does who knows how the hash is made, but changes one entry only."""
    values = {"seq": seq, "body": body, "hash": hashlib.sha256(body.encode()).hexdigest()}
    connection.execute(text("UPDATE ledger SET body = :body, hash = :hash WHERE seq = :seq"), values)


def body_of(connection: Connection, seq: int) -> str:
    return str(connection.execute(text("SELECT body FROM ledger WHERE seq = :seq"), {"seq": seq}).scalar())


def sql(statement: str) -> Callable[[Connection], None]:
    return lambda connection: [connection.execute(text(one)) for one in statement.split(";")] and None  # type: ignore[func-returns-value]


def edited_and_rehashed(connection: Connection) -> None:
    rehash(connection, 4, body_of(connection, 4).replace('"text":"c"', '"text":"x"'))


def inserted(connection: Connection) -> None:
    connection.execute(text("UPDATE ledger SET seq = seq + 100 WHERE seq > 4"))
    connection.execute(text("UPDATE ledger SET seq = seq - 99 WHERE seq > 100"))
    connection.execute(
        text(
            "INSERT INTO ledger (seq, at, kind, number, contact, company, body, hash)"
            " SELECT 5, at, kind, number, contact, company, body, hash FROM ledger WHERE seq = 4"
        )
    )
    rehash(connection, 5, body_of(connection, 4).replace('"seq":4', '"seq":5'))


@pytest.mark.parametrize(
    ("tamper", "where"),
    [
        (sql("""UPDATE ledger SET body = replace(body, '"text":"c"', '"text":"x"') WHERE seq = 4"""), 4),
        (sql("UPDATE ledger SET hash = replace(hash, substr(hash, 1, 1), 'z') WHERE seq = 4"), 4),
        (edited_and_rehashed, 5),
        (sql("UPDATE ledger SET number = '+12025550111' WHERE seq = 4"), 4),
        (sql("UPDATE ledger SET number = NULL WHERE seq = 4"), 4),
        (sql("UPDATE ledger SET kind = 'outbound' WHERE seq = 4"), 4),
        (sql("UPDATE ledger SET at = '2020-01-01T00:00:00.000000Z' WHERE seq = 4"), 4),
        (sql("UPDATE ledger SET contact = 'ann' WHERE seq = 4"), 4),
        (sql("DELETE FROM ledger WHERE seq = 4"), 5),
        (sql("DELETE FROM ledger WHERE seq = 1"), 2),
        (
            sql(
                "DELETE FROM ledger WHERE seq = 4;UPDATE ledger SET seq = -seq;"
                "UPDATE ledger SET seq = -seq - (seq < -4)"
            ),
            4,
        ),
        (inserted, 5),
        (
            sql(
                "UPDATE ledger SET seq = 99 WHERE seq = 4;UPDATE ledger SET seq = 4 WHERE seq = 5;"
                "UPDATE ledger SET seq = 5 WHERE seq = 99"
            ),
            4,
        ),
        (sql("UPDATE ledger SET body = 'no json' WHERE seq = 4"), 4),
        pytest.param(sql("UPDATE ledger SET body = x'ff00' WHERE seq = 4"), 4),
        pytest.param(lambda connection: rehash(connection, 4, "{}"), 4),
        pytest.param(lambda connection: rehash(connection, 4, "no json"), 4),
        pytest.param(lambda connection: rehash(connection, 4, "[]"), 4),
    ],
    ids=[
        "body",
        "hash",
        "body and hash",
        "number",
        "number gone",
        "kind",
        "time",
        "contact",
        "deleted",
        "first deleted",
        "deleted and renumbered",
        "inserted",
        "swapped",
        "body is no JSON",
        "body is no text",
        "rehashed empty object",
        "rehashed no JSON",
        "rehashed list",
    ],
)
def test_tampering_is_found(filled: Database, tamper: Callable[[Connection], None], where: int) -> None:
    with filled.begin() as connection:
        assert ledger.verify(connection)[1] == []
        tamper(connection)
        faults = ledger.verify(connection)[1]
    assert faults
    assert where in {fault.seq for fault in faults}


def test_cut_off_tail_is_found_with_a_known_head(filled: Database) -> None:
    with filled.begin() as connection:
        known = ledger.head(connection)
        connection.execute(text("DELETE FROM ledger WHERE seq > 7"))
        assert ledger.verify(connection)[1] == []  # a chain alone cannot tell
        [fault] = ledger.verify(connection, known)[1]
        assert "cut off" in fault.what
        connection.execute(text("DELETE FROM ledger"))
        assert ledger.verify(connection, known)[1]


def test_rewritten_ledger_is_found_with_a_known_head(filled: Database) -> None:
    with filled.begin() as connection:
        known = ledger.head(connection)
        ledger.append(connection, NOW, "message", text="more")
        assert ledger.verify(connection, known)[1] == []
        connection.execute(text("DELETE FROM ledger"))
        ledger.append_all(connection, NOW, [{"kind": "message", "text": "other"}] * 12)
        assert ledger.verify(connection)[1] == []
        [fault] = ledger.verify(connection, known)[1]
        assert "rewritten" in fault.what


def test_empty_ledger_is_intact(db: Database) -> None:
    with db.begin() as connection:
        assert ledger.verify(connection, ledger.head(connection)) == (ledger.Head(0, "0" * 64), [])


# --- CSV -------------------------------------------------------------------------------------------------


FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", "=1", "-5", "=12025550110"]


def rows(db: Database) -> list[dict[str, str]]:
    csv.field_size_limit(10_000_000)
    return list(csv.DictReader(io.StringIO(exported(db, "csv"), newline="")))


def test_csv_holds_no_formula(db: Database) -> None:
    with db.begin() as connection:
        for words in FORMULAS:
            ledger.append(connection, NOW, "message", number=NUMBER, text=words, contact=words, reason=words)
    cells = [cell for row in rows(db) for name, cell in row.items() if name != "number"]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    assert {row["number"] for row in rows(db)} <= {NUMBER, "'" + NUMBER}


def test_csv_holds_no_control_characters_and_keeps_the_text(db: Database) -> None:
    with db.begin() as connection:
        for words in NASTY:
            ledger.append(connection, NOW, "message", number=NUMBER, text=words)
    found = rows(db)
    assert [json.loads(row["entry"])["text"] for row in found] == NASTY
    shown = {char for row in found for cell in row.values() for char in cell} - {"\n"}
    assert {char for char in shown if unicodedata.category(char)[0] == "C"} == set()
    assert [row["text"] for row in found][:1] == ["STOP"]
    for row in found:
        canonical = json.dumps(json.loads(row["entry"]), sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(canonical.encode("ascii")).hexdigest() == row["hash"]
        assert ";" not in row["entry"]


# --- logs ------------------------------------------------------------------------------------------------


SECRET = "s3cr3t/+ key&%é"
OTHER = "0" * 3 + "abcdef"


@pytest.fixture(params=[True, False], ids=["json", "console"])
def said(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Logging is set up; the function gives what was written since."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.set_up(json=request.param, level="debug", secrets=[SECRET, OTHER])
    [handler] = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    handler.setStream(written)
    yield written.getvalue
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def hidden(found: str) -> bool:
    forms = [SECRET, quote(SECRET, safe=""), quote_plus(SECRET), OTHER, json.dumps(SECRET)[1:-1]]
    return bool(found) and not [form for form in forms if form in found]


def raised(words: str) -> BaseException:
    try:
        try:
            raise KeyError(words)
        except KeyError as error:
            raise ValueError(f"https://pbx.example/list?auth={quote(words, safe='')}") from error
    except ValueError as error:
        error.add_note(f"note {words}")
        return error


def test_secrets_are_hidden_wherever_they_stand(said: Callable[[], str]) -> None:
    logs.get().warning(
        f"event {SECRET}",
        plain=f"a{SECRET}b",
        encoded=f"?auth={quote(SECRET, safe='')}&x={quote_plus(SECRET)}",
        nested={"a": [{"b": (SECRET, {SECRET})}], SECRET: 1},
        other=OTHER,
        thing=ValueError(f"no {SECRET}"),
    )
    assert hidden(said())


@pytest.mark.parametrize("name", ["syncd", "urllib3.connectionpool", "somebody"])
def test_secrets_are_hidden_in_tracebacks_of_every_library(said: Callable[[], str], name: str) -> None:
    if name == "syncd":
        logs.get().error("failed", exc_info=raised(SECRET))
    else:
        logging.getLogger(name).error("failed with %s", SECRET, exc_info=raised(SECRET))
    found = said()
    assert hidden(found)
    assert "Traceback" in found
    assert "ValueError" in found


def test_secrets_are_hidden_when_logging_itself_fails(
    said: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    class Bad:
        def __str__(self) -> str:
            raise ValueError("our bug")

        __repr__ = __str__

    ours = [one for one in logging.getLogger().handlers if type(one) is logging.StreamHandler]
    logging.getLogger().handlers[:] = ours  # pytest's own would raise
    logs.get().error("failed", key=SECRET, thing=Bad())
    logging.getLogger("somebody").error("two places %s %s", SECRET)  # noqa: PLE1206
    assert SECRET not in said() + capsys.readouterr().err


def test_local_variables_are_not_logged(said: Callable[[], str]) -> None:
    def fails() -> None:
        unregistered = "a value of the person's own"
        raise ValueError(len(unregistered))

    try:
        fails()
    except ValueError as error:
        logs.get().error("failed", exc_info=error)
    assert "of the person's own'" not in said()


def test_urls_of_urllib3_are_not_logged(said: Callable[[], str]) -> None:
    logging.getLogger("urllib3.connectionpool").warning("Retrying: /list?auth=unregistered")
    logging.getLogger("urllib3.connectionpool").debug("GET /list?auth=unregistered")
    assert said() == ""


def test_numbers_keep_their_last_four_digits(said: Callable[[], str]) -> None:
    logs.get().info(f"to {NUMBER}", number=NUMBER, nested=[{"n": {NUMBER: 1}}], exc_info=ValueError(NUMBER))
    logging.getLogger("somebody").warning("to %s", NUMBER)
    found = said()
    assert "2025550110" not in found
    assert "0110" in found


@pytest.mark.parametrize("form", ["2025550110", "(202) 555-0110", "+1 202 555 0110", "%2B12025550110"])
def test_numbers_in_other_forms_are_masked_too(said: Callable[[], str], form: str) -> None:
    logs.get().warning("the PSA holds an odd record", record=f"contacts.csv line 7: active is neither: '{form}'")
    assert form not in said()


def test_one_event_is_one_line(said: Callable[[], str]) -> None:
    logs.get().info("an event", text="two\nlines\r\n\u2028\x85three")
    assert said().count("\n") == 1


def test_terminal_escapes_do_not_reach_the_terminal(said: Callable[[], str]) -> None:
    logs.get().info("an event", text="\x1b[31mred\x1b]0;title\x07\u202e")
    logging.getLogger("somebody").warning("\x1b[31mred\x07")
    found = said()
    assert not {char for char in found if unicodedata.category(char)[0] == "C"} - {"\n"}


def test_full_numbers_where_the_admin_asks_for_them(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.set_up(json=True, level="info", full_numbers=True)
    logs.get().info("x", number=NUMBER)
    root.handlers[:], root.level = before
    structlog.reset_defaults()
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["number"] == NUMBER
    assert {"level", "timestamp", "event"} <= json.loads(line).keys()
