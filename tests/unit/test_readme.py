"""The README says what is so: commands, exit codes, configuration, clauses, log lines, the auditor's recipe."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from connectors.autotask.settings import AutotaskSettings
from syncd import cli, config, policy, show
from syncd.store import ledger
from syncd.store.database import Database, open_writing

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOW = datetime(2026, 3, 4, 5, 6, 7, 890, tzinfo=UTC)

# What stands for something in the README, and one thing that it may stand for.
STANDS_FOR = {"NUMBER": "+12025550111", "SEQ:HASH": "1:" + "0" * 64, "FILE": "syncd.yaml"}
# What a command needs where a sentence names it without its arguments.
WHEN_ONLY_NAMED = {"explain": ["+12025550111"], "review resolve": ["7", "opt_out"]}


def section(heading: str) -> str:
    """The text of one section, without its sub-headings' marks."""
    return README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def blocks(language: str, text: str = README) -> list[str]:
    """The code blocks in that language, without the indentation of the list that they stand in."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return ["\n".join(line.removeprefix(indent) for line in block.splitlines()) for indent, block in found]


def table(heading: str, first_column: str) -> list[list[str]]:
    """The rows of the table in that section whose header begins so."""
    lines = iter(section(heading).splitlines())
    for line in lines:
        if line.startswith(f"| {first_column} |"):
            break
    else:
        raise AssertionError(f"no table {first_column!r} under {heading!r}")
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


# --- commands ---------------------------------------------------------------------------------------------


def commands() -> set[str]:
    """Every `syncd ...` in the README, in code blocks and between backticks."""
    spans = [span for span in re.findall(r"`([^`\n]+)`", README) if span.startswith("syncd ")]
    lines = [
        part.strip()
        for block in blocks("sh")
        for line in block.splitlines()
        for part in re.split(r"&&|>|\|", line)
        if part.strip().startswith("syncd ")
    ]
    return {command for command in (*spans, *lines) if command != "syncd --version"}


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_exists(command: str) -> None:
    words = [STANDS_FOR.get(word, word) for word in shlex.split(command)[1:]]
    words += WHEN_ONLY_NAMED.get(" ".join(words), [])
    cli._parser().parse_args(words)


def test_every_option_in_the_table_of_commands_exists() -> None:
    for command, does in ((row[0].strip("`"), row[1]) for row in table("Commands", "Command")):
        for option in re.findall(r"`(--[^`]+|-)`", does):
            words = [STANDS_FOR.get(word, word) for word in shlex.split(f"{command} {option}")[1:]]
            if option == "-":
                words = [words[0], option]
            cli._parser().parse_args(words)


def test_the_table_of_commands_is_complete() -> None:
    listed = {row[0].strip("`").split()[1] for row in table("Commands", "Command")}
    known = set(_subcommands(cli._parser()))
    assert listed == known


def _subcommands(parser: Any) -> Iterator[str]:
    for action in parser._subparsers._group_actions:
        yield from action.choices


def test_exit_codes() -> None:
    listed = {int(row[0]) for row in table("Commands", "Exit code")}
    failures = {cli.USAGE, cli.DATA, cli.UNAVAILABLE, cli.DEFECT, cli.NOT_WRITTEN, cli.TRY_AGAIN, cli.CONFIG}
    assert listed == {cli.OK, *failures}


def test_exactly_two_commands_to_begin_with() -> None:
    (block,) = blocks("sh", section("Two commands"))
    scripts = re.findall(r"^bash (\S+)", block, re.MULTILINE)
    assert scripts == [".ci/demo", ".ci/test"]
    assert len(block.splitlines()) == 2
    assert all((ROOT / script).is_file() for script in scripts)


def test_install_has_ten_steps() -> None:
    steps = re.findall(r"^(\d+)\. ", section("Install it under systemd"), re.MULTILINE)
    assert steps == [str(number) for number in range(1, 11)]


def test_links_and_files_exist() -> None:
    links = re.findall(r"\]\(([^):#]+)\)", README)
    named = re.findall(r"`((?:systemd|\.ci|syncd|connectors)/[\w@./-]+)`", README)
    missing = [name for name in (*links, *named) if not (ROOT / name).exists()]
    assert missing == []


# --- configuration ----------------------------------------------------------------------------------------


def field_default(key: str) -> Any:
    """The default that the models give a key; `...` where it is required or not written down there."""
    model: Any = config.Config
    names = key.split(".")
    if names[:2] == ["psa", "settings"]:
        model, names = AutotaskSettings, names[2:]
    for name in names[:-1]:
        model = model.model_fields[name].annotation
    found = model.model_fields[names[-1]]
    return ... if found.is_required() else found.default


@pytest.mark.parametrize(("key", "default"), [row[:2] for row in table("Configuration", "Key")])
def test_configuration_keys_and_defaults(key: str, default: str) -> None:
    found = field_default(key.strip("`"))
    if default == "none, required":
        assert found is ...
    elif default == "built in":
        assert found is None
    else:
        assert plain(found) == plain(yaml.safe_load(default.strip("`")), found)


def plain(value: Any, like: Any = None) -> Any:
    """A value in the form in which a default and its spelling are compared."""
    if isinstance(like, timedelta):
        return config.duration(value)
    if isinstance(value, BaseModel):
        return value.model_dump()
    return list(value) if isinstance(value, tuple) else value


# --- policy and operation ---------------------------------------------------------------------------------


def test_every_clause_of_the_policy_is_explained() -> None:
    listed = {row[0] for row in table("The policy", "Clause")}
    clauses = {
        *(policy.EXPLICIT, policy.OPT_OUT, policy.TACIT, policy.COMPANY),
        *(policy.HELD, policy.NO_EVIDENCE, policy.STAFF),
    }
    assert listed == clauses


def test_quoted_log_lines_and_headings_exist() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "syncd").rglob("*.py"))
    quoted = [words for row in table("3 a.m.", "Symptom") for words in re.findall(r'"([^"]+)"', row[0])]
    quoted += ["ledger head", "a loop hangs", "the database refused", "PARKED", "BRAKE"]
    missing = [words for words in quoted if words != "PSA" and words not in source]
    assert missing == []
    assert 'f"PSA {what}"' in source


# --- the auditor's recipe ---------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_writing(f"sqlite:///{tmp_path / 'state.db'}")
    yield opened
    opened.close()


@pytest.fixture
def exported(database: Database) -> str:
    """What `syncd ledger export` prints of a ledger with texts that are hard to write down."""
    texts = ("#Go", "Stop, bitte \u201eh\u00f6r auf\u201c \U0001f6d1", 'quote " \\ slash \u2028 \x00 end', "")
    with database.begin() as connection:
        ledger.append(connection, NOW, "rules", policy={"quiet_period": 86400.0}, list=["a", None, True, 1])
        for index, text in enumerate(texts):
            facts = {"number": "+12025550111", "text": text, "sent": "2026-03-04T05:06:07Z", "message": str(index)}
            ledger.append(connection, NOW, "message", **facts)
        ledger.append(connection, NOW, "write", contact="7", before=None, after="opted_in", because=[2])
    out = io.StringIO()
    with database.begin() as connection:
        assert show.export(ledger.entries(connection), "jsonl", out) == 6
    return out.getvalue()


def verify(exported: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the README's recipe on it, in a Python that knows nothing but its standard library."""
    (script,) = [block for block in blocks("python") if "sha256" in block]
    assert len(script.splitlines()) <= 15
    (folder / "verify.py").write_text(script, encoding="utf-8")
    command = [sys.executable, "-I", "-S", "verify.py"]
    return subprocess.run(
        command, input=exported, capture_output=True, text=True, check=False, cwd=folder, timeout=60
    )


def test_recipe_finds_a_true_ledger_intact(exported: str, database: Database, tmp_path: Path) -> None:
    done = verify(exported, tmp_path)
    with database.begin() as connection:
        head, faults = ledger.verify(connection)
    assert (done.returncode, faults) == (0, [])
    assert done.stdout == f"intact: 6 entries, head {head}\n"


def test_recipe_finds_a_changed_text(exported: str, tmp_path: Path) -> None:
    done = verify(exported.replace('"text": "#Go"', '"text": "#Stop"'), tmp_path)
    assert (done.returncode, done.stderr) == (1, "entry 2 was changed\n")


def test_recipe_finds_a_missing_entry(exported: str, tmp_path: Path) -> None:
    lines = exported.splitlines(keepends=True)
    done = verify("".join(lines[:2] + lines[3:]), tmp_path)
    assert (done.returncode, done.stderr) == (1, "entry 4 does not follow entry 2\n")


def test_recipe_finds_entries_in_another_order(exported: str, tmp_path: Path) -> None:
    lines = exported.splitlines(keepends=True)
    done = verify("".join([lines[1], lines[0], *lines[2:]]), tmp_path)
    assert done.returncode == 1


def test_recipe_finds_an_entry_with_a_new_hash(exported: str, tmp_path: Path) -> None:
    """A forger who changes a text and its hash breaks the link from the next entry."""
    lines = exported.splitlines()
    entry = json.loads(lines[1])
    del entry["hash"]
    entry["text"] = "#Stop"
    lines[1] = json.dumps(entry | {"hash": ledger.digest(ledger.canonical(entry))})
    done = verify("\n".join(lines), tmp_path)
    assert (done.returncode, done.stderr) == (1, "entry 3 does not follow entry 2\n")
