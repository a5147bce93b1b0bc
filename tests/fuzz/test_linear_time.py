"""A text of a megabyte costs no more than its length: four times the text, about four times the time.

Measured in processor time, so that a busy machine changes nothing, at n, 2n and 4n for shapes that make parsers
and patterns go back and forth. A quadratic one would take sixteen times as long. What looks guilty is measured
again.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import targets

from connectors.autotask import answers as autotask
from connectors.connectwise import answers as connectwise
from connectors.connectwise import client as connectwise_client
from connectors.halopsa import answers as halopsa
from connectors.local.fields import CONTACT_COLUMNS
from connectors.local.table import parse
from connectors.rt import answers as rt
from syncd import cli, config, keywords, logs, show
from syncd.errors import ConfigProblem, SyncdError
from syncd.http import Answer
from syncd.model import party, phone_numbers, storable, visible
from syncd.primevox import Listing

MEGABYTE = 1_000_000
# Four times the text may take this many times as long: well above 4, well below 16.
GROWTH = 9.0
# From so many seconds on a ratio can be trusted.
SURE = 0.1

# Texts are made of these, over and over.
SHAPES = {
    "keywords": (
        "STOP ",
        "#Stop",
        "#Go ",
        "stop texting me ",
        "opt-out ",
        "unsubscribe ",
        "no ",
        "not ",
        "please ",
        "stop, a. ",
        "stop them now. ",
    ),
    "marks": (
        '"',
        "“",
        "'",
        "[",
        "[]",
        "(",
        ")",
        "<",
        "< ",
        "<a>;",
        "{",
        "{}",
        "|",
        "%",
        "~",
        "#",
        "-",
        "_",
        "*",
        "\\",
    ),
    "blanks": (" ", "\t", "\n", "\r\n", "\u2028", "\u200b", "\u200d", "\u202e", "\x1b", "\0", " \n", "a \n"),
    "letters": (
        "a",
        "é",
        "A",
        "Aa ",
        "a. ",
        "a, ",
        "i ",
        "?",
        "s t o p ",
        "ﷺ",
        "🛑",
        "\ud83d",
        "\u0301",
        "a\u0301\u0302",
    ),
    "digits": ("9", "1 ", "+1", "(202) ", "202-555-", "0.", "1e", "٣", "%25", "&#0;", "&amp;", "\\u0041", "\\n"),
    "attachments": (
        "[image/png:1]",
        "[image/png",
        "image/",
        "application/a",
        "MIME_TYPE=",
        "https://x.example/a.png?",
    ),
    "quoting": (
        "> a\n",
        "On Monday wrote:\n",
        "Sent from my ",
        "From: a Sent: ",
        "Jane Doe\n",
        "\n\nJane",
        "Liked “",
    ),
    "machines": (
        "token+",
        "Bearer ",
        "auth=",
        "secret:",
        "unable to find ",
        "request threshold",
        "exceeds the ",
        '{"a":',
    ),
    "files": (
        ",",
        ",\n",
        '"\n',
        '",',
        ',"',
        '""',
        '"a"b\n',
        '"",\n',
        "k: v\n",
        "x:\n ",
        "- ",
        "&a ",
        "10,1,A,,,true,\n",
    ),
}
PARTS = [part for group in SHAPES.values() for part in group]


def of(part: str, length: int) -> str:
    return (part * (length // len(part) + 1))[:length]


def answer(content: str, status: int = 200, **headers: str) -> Answer:
    return Answer(
        "GET /x", status, headers, content.encode("utf-8", "surrogatepass"), ("s3/+=&'\"<é", "aaaaaaaa&%25")
    )


def _http(text: str) -> None:
    made = answer(text, 503, **{"Retry-After": text[:65_000], "Date": text[:65_000]})
    for read in (made.json, made.must_be_good):
        with contextlib.suppress(SyncdError):
            read()
    made.retry_after()
    made.date()


def _errors(text: str) -> None:
    """The error answers of every PSA."""
    for module in (autotask, connectwise, halopsa, rt):
        for body in (text, json.dumps({"errors": [text], "message": text, "error": text})):
            with contextlib.suppress(SyncdError):
                module.judged(answer(body, 500), writing=True)
    connectwise_client._names_a_next_page(answer("", Link=text[:65_000]))


def _primevox(text: str) -> None:
    with contextlib.suppress(SyncdError):
        Listing(answer(text)).conversations()
    body = json.dumps({"conversations": {text[:1000] or "x": {"conversationWith": text, "lastMessageDate": text}}})
    Listing(answer(body)).conversations()


def _csv(text: str) -> None:
    content = "id,company_id,name,mobile,phone,active,sms_opt_in\n10,1," + storable(text)
    with contextlib.suppress(SyncdError):
        table = parse(Path("contacts.csv"), content, (0, 0, 0, 0), CONTACT_COLUMNS)
        table.with_cells([(row, "sms_opt_in", "Opted-Out") for row in table.rows])


def _config(text: str) -> None:
    path = targets._folder() / "large.yaml"
    for content in (text, json.dumps(targets.GOOD_CONFIG | {"log": {"level": text}, text[:100]: text})):
        path.write_bytes(content.encode("utf-8", "surrogatepass"))
        path.chmod(0o600)
        with contextlib.suppress(ConfigProblem):
            config.load(path, settings_model=targets._settings_model)


def _read_json(text: str) -> None:
    before, sys.stdin = sys.stdin, io.StringIO(json.dumps(text) + "\n" + storable(text))
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            cli._read(argparse.Namespace(text="-", json=True, config=None))
    finally:
        sys.stdin = before


def _shown(text: str) -> None:
    show.printable(text)
    visible(text)
    party(storable(text))
    phone_numbers(text)
    entry = {"kind": "message", "text": storable(text)}
    body = targets.ledger.canonical(entry)
    show.export([(entry, body, targets.ledger.digest(body))], "csv", io.StringIO())


REDACTOR = logs.Redactor(["hush-7Qx", "s3/+=&é"])
# What is measured, at which length in the everyday run and at which otherwise.
JOBS: dict[str, tuple[Callable[[str], object], int, int]] = {
    # Texts of more than ten thousand characters are cut before they are looked at: growth shows below that.
    "texts": (keywords.read, 10_000, MEGABYTE),
    "log lines": (REDACTOR.clean, 100_000, MEGABYTE),
    "HTTP answers": (_http, 400_000, MEGABYTE),
    "errors of PSAs": (_errors, 20_000, MEGABYTE),
    "PrimeVOX": (_primevox, 200_000, MEGABYTE),
    "CSV files": (_csv, 100_000, MEGABYTE),
    "configuration": (_config, 12_000, 250_000),
    "read --json": (_read_json, 9_000, MEGABYTE),
    "tables, exports": (_shown, 100_000, MEGABYTE),
}


def seconds(job: Callable[[str], object], text: str) -> float:
    gc.disable()  # its rounds look at everything that all the tests have made
    try:
        began = time.process_time()
        job(text)
        return time.process_time() - began
    finally:
        gc.enable()


def guilty(job: Callable[[str], object], part: str, length: int, most: float) -> str | None:
    """What is wrong with the time that this shape takes; None: nothing. What takes no time cannot grow."""
    took = [0.0, 0.0, 0.0]
    for _ in range(3):
        took[2] = seconds(job, of(part, length))
        if took[2] < SURE:
            return None
        if took[2] > 5 * most:
            break
        took[:2] = (seconds(job, of(part, length // 4 * times)) for times in (1, 2))
        if took[2] <= most and took[2] / max(took[0], SURE / GROWTH) < GROWTH:
            return None
    return f"{part!r}: {', '.join(f'{one * 1000:.0f} ms' for one in took)}"


def must_be_linear(name: str, length: int, most: float, parts: Iterable[str] = PARTS) -> None:
    job = JOBS[name][0]
    job("warm up")
    found = [wrong for part in parts if (wrong := guilty(job, part, length, most))]
    assert found == [], found


@pytest.mark.parametrize("name", JOBS)
def test_time_grows_with_length_and_no_faster(name: str) -> None:
    reads = {"texts": PARTS[::2], "read --json": PARTS[1::8]}
    must_be_linear(name, JOBS[name][1], 5.0, reads.get(name, PARTS))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", JOBS)
def test_time_grows_with_length_up_to_a_megabyte(name: str) -> None:
    must_be_linear(name, JOBS[name][2], 60.0)


def test_texts_of_a_megabyte_are_read_in_a_moment() -> None:
    found = {part: took for part in PARTS[::3] if (took := seconds(keywords.read, of(part, MEGABYTE))) > 2.0}
    assert found == {}


@pytest.mark.parametrize(
    "text", ["a" * 8000, "9" * 8000, "no " * 1300 + "\no " + "no " * 1300], ids=["letters", "digits", "refusals"]
)
def test_long_words_and_many_refusals_are_read_in_a_moment(text: str) -> None:
    assert min(seconds(keywords.read, text) for _ in range(3)) < 1.5


def test_what_is_nested_deeply_is_refused_and_not_followed() -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}"), ('[{"errors":', "}]")):
        for depth in (100, 400, 500, 950, 20_000):
            body = opening * depth + "1" + closing * depth
            _errors(body)
            _http(body)
            _config(body)
            with contextlib.suppress(SyncdError):
                Listing(answer('{"conversations":{"1":' + body + "}}")).conversations()


def test_a_quadratic_pattern_is_noticed() -> None:
    """The measure itself can fail."""

    def slow(text: str) -> int:
        return sum(text.count("x", at) for at in range(0, len(text), 4))

    assert guilty(slow, "a", 64_000, 60.0)
    assert guilty(lambda _: sum(range(20_000_000)), "a", 1000, 0.001)  # and what merely takes too long
    assert guilty(lambda text: text.count("x"), "a", MEGABYTE, 1.0) is None
