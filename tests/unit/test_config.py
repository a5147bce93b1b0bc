"""The configuration file: what is accepted, and how each mistake is told."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr, field_validator

from syncd import config, keywords
from syncd.config import Config
from syncd.connector import Settings
from syncd.errors import ConfigProblem, Problem
from syncd.model import CompanyState, Rules, TacitRules
from syncd.validation import _arms, _fields

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
SECRET = "hush-7Qx-words"


class FieldSettings(Settings):
    opted_in: str = "Opted-In"
    states: tuple[CompanyState, ...] = ()


class FakeSettings(Settings):
    username: str
    secret: SecretStr
    spare: SecretStr | None = None
    tokens: dict[str, SecretStr] = Field(default_factory=dict)
    keys: tuple[SecretStr, ...] = ()
    folder: Path | None = None
    phone_fields: list[Literal["mobile", "phone"]] = Field(default=["mobile"])
    contact_field: FieldSettings = FieldSettings()
    size: int | None = None

    @field_validator("secret", "spare")
    @classmethod
    def _careless(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is None or not secret.get_secret_value():
            raise ValueError("may not be empty")
        if "bad" in secret.get_secret_value():
            raise ValueError(f"does not like {secret.get_secret_value()}")
        return secret


def fake(name: str) -> type[Settings]:
    if name != "fake":
        raise ConfigProblem(f"there is no connector {name!r}")
    return FakeSettings


GOOD = """\
primevox:
  api_key: ${env:SYNCD_TEST_SECRET}
  poll_interval: 30s
  max_concurrency: 4
  containers:
    - id: "100200"
      numbers: ["+1 202 555 0100"]
psa:
  connector: fake
  settings:
    username: somebody
    secret: ${env:SYNCD_TEST_SECRET}
policy:
  first_run: review
store: {url: "sqlite:////var/lib/syncd/state.db"}
log: {format: json}
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCD_TEST_SECRET", SECRET)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def written(text: str | bytes) -> Path:
        path = tmp_path / "syncd.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(0o600)
        return path

    return written


def found(path: Path, **more: Any) -> list[Problem]:
    with pytest.raises(ConfigProblem) as caught:
        config.load(path, settings_model=fake, **more)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return list(caught.value.problems)


def only(path: Path, **more: Any) -> Problem:
    problems = found(path, **more)
    assert len(problems) == 1, problems
    return problems[0]


def edited(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


# --- what is accepted --------------------------------------------------------------------------------------


def test_a_short_file_has_defaults(write: Callable[..., Path]) -> None:
    loaded = config.load(write(GOOD), settings_model=fake)
    assert loaded.primevox.base_url == "https://pbx.primevox.net"
    assert loaded.primevox.poll_interval == timedelta(seconds=30)
    assert loaded.primevox.max_concurrency == 4
    assert loaded.primevox.requests_per_second == 5
    assert loaded.primevox.sweep_interval == timedelta(hours=24)
    assert loaded.primevox.containers[0].id == "100200"
    assert loaded.primevox.containers[0].numbers == ("+12025550100",)
    assert loaded.psa.company_poll_interval == timedelta(minutes=1)
    assert loaded.psa.directory_refresh_interval == timedelta(minutes=10)
    assert loaded.policy.brake.companies == 5
    assert loaded.policy.brake.contacts == 500
    assert loaded.store.url == "sqlite:////var/lib/syncd/state.db"
    assert (loaded.log.format, loaded.log.level, loaded.log.numbers) == ("json", "info", "last4")
    assert loaded.rules() == Rules()
    assert loaded.vocabulary() == keywords.Vocabulary()


def test_sections_that_have_only_defaults_may_be_missing_or_empty(write: Callable[..., Path]) -> None:
    whole = config.load(write(GOOD), settings_model=fake)
    short = GOOD[: GOOD.index("policy:")]
    assert config.load(write(short), settings_model=fake) == whole
    assert config.load(write(short + "policy:\nlog:\nstore:\n"), settings_model=fake) == whole


def test_rules_and_vocabulary_follow_the_policy(write: Callable[..., Path]) -> None:
    policy = """\
  opt_in_keywords: ["#Ja"]
  opt_out_keywords: ["#Nein", basta]
  plain_language_opt_out: false
  tacit_opt_in: {enabled: false, after_opt_out: false, quiet_period: 1h30m}
  staff_opt_in: accept
  first_run: replay
"""
    text = edited("  first_run: review\n", policy)
    text = text.replace("  poll_interval: 30s\n", "  attachment_patterns: ['\\[pic \\d+\\]']\n")
    loaded = config.load(write(text), settings_model=fake)
    assert loaded.rules() == Rules(TacitRules(False, False, timedelta(minutes=90)), "accept")
    assert loaded.vocabulary() == keywords.Vocabulary(("#Ja",), ("#Nein", "basta"), False, (r"\[pic \d+\]",))


def test_settings_are_the_connectors_own_and_paths_count_from_the_file(write: Callable[..., Path]) -> None:
    more = """\
    folder: ./psa
    phone_fields: [phone, mobile]
    contact_field: {opted_in: Yes, states: [approved]}
"""
    path = write(edited("    username: somebody\n", "    username: somebody\n" + more))
    given = config.load(path, settings_model=fake).psa.settings
    assert isinstance(given, FakeSettings)
    assert given.folder == path.parent / "psa"
    assert given.phone_fields == ["phone", "mobile"]
    assert given.contact_field == FieldSettings(opted_in="Yes", states=(CompanyState.APPROVED,))


def test_a_relative_store_is_beside_the_file(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(edited("sqlite:////var/lib/syncd/state.db", "sqlite:///state.db"))
    assert config.load(path, settings_model=fake).store.url == f"sqlite:///{tmp_path / 'state.db'}"


def test_each_container_may_have_its_own_key(write: Callable[..., Path]) -> None:
    text = edited("  api_key: ${env:SYNCD_TEST_SECRET}\n", "").replace(
        '- id: "100200"\n', '- id: "100200"\n      api_key: ${env:SYNCD_TEST_SECRET}\n'
    )
    loaded = config.load(write(text), settings_model=fake)
    assert loaded.primevox.api_key_of(loaded.primevox.containers[0]).get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("1m", 60), ("10m", 600), ("24h", 86400), ("1h30m", 5400), ("2d", 172800), ("1d1h1m1s", 90061)],
)
def test_durations(text: str, seconds: int) -> None:
    assert config.duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "30", "30 s", "1.5h", "30S", "1m1h", "-1s", "٣s", "9999999d", None, True, [], 3]
)
def test_no_durations(text: object) -> None:
    with pytest.raises(ValueError, match=r"a duration|unit"):
        config.duration(text)


# --- what is refused: (what is edited, its line, its path, words of the message) --------------------------------

NUMBERS = '["+1 202 555 0100"]'
VALUES: list[tuple[str, str, int, str, str]] = [
    ("api_key: ${env:SYNCD_TEST_SECRET}", "poll_intervall: 5s\n  api_key: ${env:SYNCD_TEST_SECRET}", 2,
     "primevox.poll_intervall", "unknown key 'poll_intervall'; did you mean 'poll_interval'?"),
    ("log: {format", "logs: {}\nlog: {format", 16, "logs", "unknown key 'logs'; did you mean 'log'?"),
    ("{format: json}", "{zzzz: json}", 16, "log.zzzz", "unknown key 'zzzz'; known here: format, level, numbers"),
    ("    username", "    user: x\n    username", 11, "psa.settings.user", "did you mean 'username'?"),
    ("    username", "    contact_field: {opted_inn: x}\n    username", 11, "psa.settings.contact_field.opted_inn",
     "did you mean 'opted_in'?"),
    ("    username: somebody\n", "", 10, "psa.settings.username", "is missing, and it has no default"),
    ("    secret: ${env:SYNCD_TEST_SECRET}\n", "", 10, "psa.settings.secret",
     "is missing; write secret: ${credential:fake_secret}"),
    ("somebody", "12345", 11, "psa.settings.username", 'put it in quotes: "12345"'),
    ("somebody", "true", 11, "psa.settings.username", 'put it in quotes: "true"'),
    ("somebody", "[a]", 11, "psa.settings.username", "must be one text, not a section or a list"),
    ("somebody", "#me", 11, "psa.settings.username", "a # without quotes begins a comment"),
    ("somebody", "${env:SYNCD_TEST_SECRET}", 11, "psa.settings.username", "references are for secrets only"),
    ("    username", "    phone_fields: [phone, cell]\n    username", 11, "psa.settings.phone_fields[1]",
     "must be 'mobile' or 'phone'"),
    ("    username", "    size: big\n    username", 11, "psa.settings.size", "must be a whole number"),
    ("    username: somebody\n    secret: ${env:SYNCD_TEST_SECRET}", "    - x", 10, "psa.settings",
     "must be a section"),
    ("connector: fake", "connector: fakee", 9, "psa.connector", "there is no connector 'fakee'"),
    ("connector: fake", "connector: 3", 9, "psa.connector", "put it in quotes"),
    ("poll_interval: 30s", "poll_interval: 30", 3, "primevox.poll_interval", "needs its unit: 30s, 10m or 24h"),
    ("poll_interval: 30s", "poll_interval: '30'", 3, "primevox.poll_interval", "needs its unit"),
    ("poll_interval: 30s", "poll_interval: half an hour", 3, "primevox.poll_interval", "such as 30s, 10m, 24h"),
    ("poll_interval: 30s", "poll_interval: 0s", 3, "primevox.poll_interval", "must be from 1s to 1h"),
    ("poll_interval: 30s", "poll_interval: 61m", 3, "primevox.poll_interval", "must be from 1s to 1h"),
    ("poll_interval: 30s", "poll_interval: 12:30", 3, "primevox.poll_interval", "put it in quotes"),
    ("poll_interval: 30s", "poll_interval: 5m\n  sweep_interval: 1m", 4, "primevox.sweep_interval",
     "must not be shorter than poll_interval"),
    ("connector: fake", "connector: fake\n  company_poll_interval: 2h", 10, "psa.company_poll_interval",
     "1s to 1h"),
    ("connector: fake", "connector: fake\n  directory_refresh_interval: 2d", 10, "psa.directory_refresh_interval",
     "1s to 24h"),
    ("max_concurrency: 4", "max_concurrency: 0", 4, "primevox.max_concurrency", "must be at least 1"),
    ("max_concurrency: 4", "max_concurrency: 33", 4, "primevox.max_concurrency", "must be at most 32"),
    ("max_concurrency: 4", "max_concurrency: 1.5", 4, "primevox.max_concurrency", "must be a whole number"),
    ("max_concurrency: 4", 'max_concurrency: "4"', 4, "primevox.max_concurrency",
     "a whole number, without quotes"),
    ("max_concurrency: 4", "requests_per_second: 0", 4, "primevox.requests_per_second", "must be at least 0.1"),
    ("max_concurrency: 4", "requests_per_second: fast", 4, "primevox.requests_per_second", "must be a number"),
    ("max_concurrency: 4", "base_url: http://example.com", 4, "primevox.base_url", "must be https"),
    ("max_concurrency: 4", "base_url: pbx", 4, "primevox.base_url", "must be a URL such as"),
    ("max_concurrency: 4", "attachment_patterns: ['ok-x', '(']", 4, "primevox.attachment_patterns[1]",
     "is not a regular expression: missing )"),
    ("max_concurrency: 4", "attachment_patterns: ['[[]x']", 4, "primevox.attachment_patterns[0]", "nested set"),
    ("max_concurrency: 4", "attachment_patterns: ['x*']", 4, "primevox.attachment_patterns[0]", "the empty text"),
    ("max_concurrency: 4", "attachment_patterns: ['\\w+']", 4, "primevox.attachment_patterns[0]",
     "an opt-out would be lost"),
    ("max_concurrency: 4", "attachment_patterns: 'x'", 4, "primevox.attachment_patterns", "must be a list"),
    ('"100200"', "100200", 6, "primevox.containers[0].id", 'put it in quotes: "100200"'),
    ('"100200"', "0100200", 6, "primevox.containers[0].id", "put it in quotes"),
    ('"100200"', '"10 20"', 6, "primevox.containers[0].id", "the PrimeVOX dashboard shows"),
    ('- id: "100200"\n      ', "- ", 6, "primevox.containers[0].id", "is missing"),
    (NUMBERS, "[+12025550100]", 7, "primevox.containers[0].numbers[0]", 'put it in quotes: "+12025550100"'),
    (NUMBERS, '["+1 202 555 0100", 2025550101]', 7, "primevox.containers[0].numbers[1]",
     'put it in quotes: "2025550101"'),
    (NUMBERS, '["555-0100"]', 7, "primevox.containers[0].numbers[0]", "must be one US phone number"),
    (NUMBERS, '["202 555 0100 / 202 555 0101"]', 7, "primevox.containers[0].numbers[0]", "must be one US phone"),
    (NUMBERS, '["call 202 555 0100"]', 7, "primevox.containers[0].numbers[0]", "must be one US phone number"),
    (NUMBERS, '["+52 555 555 0100"]', 7, "primevox.containers[0].numbers[0]", "is not a US number"),
    (NUMBERS, '["+1 202 555 0100", "(202) 555-0100"]', 7, "primevox.containers[0].numbers[1]",
     "the same number as primevox.containers[0].numbers[0] (line 7)"),
    (NUMBERS, NUMBERS + '\n    - id: "100201"\n      numbers:\n        - "202.555.0100"', 10,
     "primevox.containers[1].numbers[0]", "the same number as primevox.containers[0].numbers[0] (line 7)"),
    (NUMBERS, "[]", 7, "primevox.containers[0].numbers", "must have 1 or more entries"),
    (NUMBERS, '"+1 202 555 0100"', 7, "primevox.containers[0].numbers", "must be a list"),
    ("  api_key: ${env:SYNCD_TEST_SECRET}\n", "", 5, "primevox.containers[0].api_key",
     "is missing here, and there is none for all containers in primevox.api_key"),
    ("first_run: review", "first_run: maybe", 14, "policy.first_run", "must be 'review' or 'replay'"),
    ("first_run: review", "staff_opt_in: no", 14, "policy.staff_opt_in", "must be 'reassert' or 'accept'"),
    ("first_run: review", "plain_language_opt_out: yes", 14, "policy.plain_language_opt_out",
     "must be true or false, without quotes"),
    ("first_run: review", "tacit_opt_in: {quiet_period: 0s}", 14, "policy.tacit_opt_in.quiet_period",
     "must be from 1s to 30d"),
    ("first_run: review", "brake: {companies: 0}", 14, "policy.brake.companies", "must be at least 1"),
    ("first_run: review", "brake: {contacts: many}", 14, "policy.brake.contacts", "must be a whole number"),
    ("first_run: review", "opt_in_keywords: [#Go\n    ]", 14, "policy.opt_in_keywords",
     "must have 1 or more entries (a # without quotes begins a comment)"),
    ("first_run: review", 'opt_in_keywords: ["#"]', 14, "policy.opt_in_keywords[0]", "needs at least one letter"),
    ("first_run: review", 'opt_in_keywords: [""]', 14, "policy.opt_in_keywords[0]", "needs at least one letter"),
    ("first_run: review", 'opt_out_keywords: ["42"]', 14, "policy.opt_out_keywords[0]", "at least one letter"),
    ("first_run: review", "opt_out_keywords:\n    - #No", 15, "policy.opt_out_keywords[0]", "begins a comment"),
    ("first_run: review", f"opt_out_keywords: [{'x' * 41}]", 14, "policy.opt_out_keywords[0]", "40 characters"),
    ("first_run: review", 'opt_in_keywords: ["Yes!"]', 14, "policy.opt_in_keywords[0]", "YES answers too many"),
    ("first_run: review", "opt_in_keywords: [HELP]", 14, "policy.opt_in_keywords[0]", "asks for help"),
    ("first_run: review", 'opt_in_keywords: ["#Stop"]', 14, "policy.opt_in_keywords[0]",
     "can never opt somebody in"),
    ("first_run: review", 'opt_out_keywords: [Nope, "#GO"]', 14, "policy.opt_out_keywords[1]",
     "is also in opt_in_keywords"),
    ("first_run: review", 'opt_in_keywords: ["#In"]\n  opt_out_keywords: [in]', 15, "policy.opt_out_keywords[0]",
     "is also in opt_in_keywords"),
    ("sqlite:////var/lib/syncd/state.db", "postgresql+psycopg://syncd@db/syncd", 15, "store.url", "comes later"),
    ("sqlite:////var/lib/syncd/state.db", "sqlite://", 15, "store.url", "must be sqlite:////absolute/path.db"),
    ("sqlite:////var/lib/syncd/state.db", "mysql://x/y", 15, "store.url", "must be sqlite:////absolute/path.db"),
    ("sqlite:////var/lib/syncd/state.db", "sqlite:////x.db?mode=ro", 15, "store.url", "must be sqlite:////"),
    ("sqlite:////var/lib/syncd/state.db", "sqlite:///:memory:", 15, "store.url", "would forget the evidence"),
    ("{format: json}", "{format: xml}", 16, "log.format", "must be 'json' or 'console'"),
    ("{format: json}", "{level: loud}", 16, "log.level", "must be 'debug', 'info', 'warning' or 'error'"),
    ("{format: json}", "{numbers: none}", 16, "log.numbers", "must be 'last4' or 'full'"),
    ("{format: json}", "json", 16, "log", "must be a section"),
    # YAML itself
    ("log: {format: json}", "log: {format: json, format: console}", 16, "log.format",
     "this key is given twice, in lines 16 and 16; keep one"),
    ("first_run: review", "first_run: review\nprimevox: {}", 15, "primevox",
     "this key is given twice, in lines 1 and 15; keep one"),
    ("somebody", "&me somebody", 11, "psa.settings.username", "anchors and aliases are not used here"),
    ("somebody", "*me", 11, "psa.settings.username", "anchors and aliases are not used here"),
    ("somebody", "!me somebody", 11, "psa.settings.username", "tags are not used here"),
    ("somebody", "!!python/name:os.system", 11, "psa.settings.username", "tags are not used here"),
    ("somebody", "2024-01-01", 11, "psa.settings.username", "put it in quotes"),
    ("somebody", "0x1F", 11, "psa.settings.username", "put it in quotes"),
    ("somebody", '"\\ud800"', 11, "psa.settings.username", "half of a character"),
    ("log: {format", "? [a, b]\n: c\nlog: {format", 16, "", "a key must be one plain word"),
    ("log: {format: json}", "log: {format: json}\n---\nlog: {}", 17, "", "a second YAML document begins here"),
    ("    username", "\tusername", 11, "", "a tab stands here"),
    ("poll_interval: 30s", "poll_interval:\t30s", 3, "", "a tab stands here"),
    ("somebody", "'somebody", 11, "", "is never closed"),
    ("somebody", '"a\\q"', 11, "", "use 'single quotes' for backslashes"),
    ("somebody", '"\\UFFFFFFFF"', 11, "", "a character code that does not exist"),
    ("somebody", "a: b", 11, "", "put a text that holds ': ' in quotes"),
    ("somebody", "@me", 11, "", "must be put in quotes"),
    ("somebody", "a\x01b", 11, "", "holds a control character"),
    ("  first_run: review", "  first_run: review\n staff_opt_in: accept", 15, "", "the indentation does not fit"),
    ("max_concurrency: 4", "max_concurrency", 5, "", "a key without its colon"),
    ("somebody", "[" * 30, 11, "", "nested more than 20 levels deep"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "line", "where", "words"), VALUES, ids=[f"{v[3]}-{v[1][:30]!a}" for v in VALUES]
)
def test_each_mistake_is_told_with_its_place(
    write: Callable[..., Path], old: str, new: str, line: int, where: str, words: str
) -> None:
    path = write(edited(old, new))
    problem = only(path)
    assert problem.where == f"{path}:{line}" + (f": {where}" if where else "")
    assert words in problem.what


STANDARD = (
    "STOP", "QUIT", "END", "REVOKE", "OPT OUT", "CANCEL", "UNSUBSCRIBE", "STOPALL", "OPTOUT", "REMOVE", "UNSUB",
    "ARRET", "#quit", "Stop!", "opt-out",
)  # fmt: skip


@pytest.mark.parametrize("word", STANDARD)
def test_no_standard_opt_out_opts_in(write: Callable[..., Path], word: str) -> None:
    path = write(edited("first_run: review", f'opt_in_keywords: ["#Go", "{word}"]'))
    problem = only(path)
    assert problem.where == f"{path}:14: policy.opt_in_keywords[1]"
    assert "can never opt somebody in" in problem.what


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (b"", "", "is empty"),
        (b"# nothing\n", "", "is empty"),
        (b"---\n", ":2", "is empty"),
        (b"- a\n", ":1", "must hold sections"),
        (b"hello\n", ":1", "must hold sections"),
        (b"a: 1\nb: \xff\n", ":2", "is not UTF-8"),
        ("a: 1\n".encode("utf-16"), ":1", "is not UTF-8"),
        (b"a: 1 #" + b"x" * 256 * 1024, "", "is larger than 256 kB"),
    ],
)  # fmt: skip
def test_what_is_no_configuration_at_all(
    write: Callable[..., Path], content: bytes, place: str, words: str
) -> None:
    path = write(content)
    problem = only(path)
    assert problem.where == f"{path}{place}"
    assert words in problem.what


def test_missing_folder_unreadable(
    tmp_path: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert only(tmp_path / "none.yaml") == Problem(
        str(tmp_path / "none.yaml"), "does not exist; give the path of the configuration file with -c"
    )
    assert "is a folder" in only(tmp_path).what
    assert "is not an ordinary file" in only(Path(os.devnull)).what
    path = write(GOOD)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "may not be read by this user" in only(path).what


def test_a_file_that_anybody_may_change(write: Callable[..., Path]) -> None:
    path = write(GOOD)
    path.chmod(0o646)
    assert only(path) == Problem(str(path), "anybody on this machine may change this file; run chmod o-w on it")


def test_a_byte_order_mark_is_no_mistake(write: Callable[..., Path]) -> None:
    assert config.load(write(b"\xef\xbb\xbf" + GOOD.encode()), settings_model=fake)


def test_all_problems_at_once_in_the_order_of_the_file(write: Callable[..., Path]) -> None:
    text = GOOD.replace("30s", "30").replace("somebody", "5").replace("review", "x?").replace('"100200"', "7")
    text = text.replace('numbers: ["+1 202 555 0100"]', 'numbers: ["x", "2025550100", "2025550100"]')
    text = text.replace("${env:SYNCD_TEST_SECRET}", "${env:SYNCD_NOT_SET}") + "extra: &x 1\nlog: {}\n"
    places = [problem.where.split("syncd.yaml:")[1] for problem in found(write(text))]
    assert places == [
        "2: primevox.api_key",
        "3: primevox.poll_interval",
        "6: primevox.containers[0].id",
        "7: primevox.containers[0].numbers[0]",
        "7: primevox.containers[0].numbers[2]",
        "11: psa.settings.username",
        "12: psa.settings.secret",
        "14: policy.first_run",
        "17: extra",
        "18: log",
    ]


def test_a_file_without_anything_required(write: Callable[..., Path]) -> None:
    problems = found(write("log: {}\n"))
    assert [problem.where.split("yaml:")[1] for problem in problems] == ["1: primevox", "1: psa"]
    assert {problem.what for problem in problems} == {"this section is missing; see config.example.yaml"}


# --- secrets -----------------------------------------------------------------------------------------------


def with_secret(value: str) -> str:
    return edited("secret: ${env:SYNCD_TEST_SECRET}", f"secret: {value}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    return folder


def secret_of(loaded: Config) -> str:
    assert isinstance(loaded.psa.settings, FakeSettings)
    return loaded.psa.settings.secret.get_secret_value()


@pytest.mark.parametrize(
    ("content", "secret"),
    [("abc-1", "abc-1"), ("abc-1\n", "abc-1"), ("abc-1\r\n", "abc-1"), ("abc-1\n\n", "abc-1\n"), (" ü ", " ü ")],
)
def test_one_line_end_is_dropped(write: Callable[..., Path], folder: Path, content: str, secret: str) -> None:
    (folder / "name").write_bytes(content.encode())
    loaded = config.load(write(with_secret("${credential:name}")), settings_model=fake)
    assert secret_of(loaded) == secret
    assert loaded.secret_values() == tuple(sorted({secret, SECRET}, key=lambda text: -len(text)))


def test_credentials_of_systemd(
    write: Callable[..., Path], folder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    (folder / "name").write_text("not this one")
    given = tmp_path / "given"
    given.mkdir(mode=0o755)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    path = write(with_secret("${credential:name}"))
    problem = only(path)
    assert problem.where == f"{path}:12: psa.settings.secret"
    assert f"neither {given}/name nor {given}/syncd_name" in problem.what
    (given / "syncd_name").write_text("of the whole folder\n")
    assert secret_of(config.load(path, settings_model=fake)) == "of the whole folder"
    (given / "name").write_text("of its own\n")
    assert secret_of(config.load(path, settings_model=fake)) == "of its own"


def test_secret_in_a_private_file(write: Callable[..., Path], tmp_path: Path) -> None:
    secret = tmp_path / "a secret"
    secret.write_text("abc-1\n")
    path = write(with_secret(f"${{file:{secret}}}"))
    secret.chmod(0o640)
    problem = only(path)
    assert problem.where == f"{path}:12: psa.settings.secret"
    assert f"{secret} is open to other users; run: chmod 0600 {secret}" in problem.what
    secret.chmod(0o400)
    assert secret_of(config.load(path, settings_model=fake)) == "abc-1"


def test_the_folder_must_be_private(write: Callable[..., Path], folder: Path) -> None:
    (folder / "name").write_text("abc-1\n")
    folder.chmod(0o710)
    problem = only(write(with_secret("${credential:name}")))
    assert f"{folder} is open to other users; run: chmod 0700 {folder}" in problem.what


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("${credential:none}", "credentials/none does not exist"),
        ("${credential:empty}", "credentials/empty is empty"),
        ("${credential:folder}", "credentials/folder is not a file"),
        ("${credential:binary}", "credentials/binary is not UTF-8"),
        ("${credential:large}", "credentials/large is larger than 64 kB"),
        ("${credential:" + "x" * 100 + "}", "does not exist"),
        ("${file:/dev/null}", "/dev/null is not a file"),
        ("${file:/" + "x" * 999 + "}", "cannot be read (File name too long)"),
        ("${env:SYNCD_NOT_SET}", "the environment variable SYNCD_NOT_SET is not set"),
        ("${env:SYNCD_EMPTY}", "the environment variable SYNCD_EMPTY is empty"),
        ("${env:SYNCD_BYTES}", "the environment variable SYNCD_BYTES is not UTF-8"),
    ],
)
def test_references_that_lead_nowhere(
    write: Callable[..., Path], folder: Path, monkeypatch: Any, reference: str, words: str
) -> None:
    (folder / "empty").write_text("\n")
    (folder / "folder").mkdir()
    (folder / "binary").write_bytes(b"\xff\xfe")
    (folder / "large").write_bytes(b"x" * 70_000)
    monkeypatch.setenv("SYNCD_EMPTY", "")
    monkeypatch.setenv("SYNCD_BYTES", "\udcff")
    path = write(with_secret(reference))
    problem = only(path)
    assert problem.where == f"{path}:12: psa.settings.secret"
    assert words in problem.what


def test_a_secret_that_may_not_be_read(write: Callable[..., Path], folder: Path, monkeypatch: Any) -> None:
    (folder / "name").write_text("abc-1")
    path = write(with_secret("${credential:name}"))
    stat = Path.stat

    def refuse(self: Path, **more: Any) -> os.stat_result:
        if self.name == "name":
            raise PermissionError(13, "Permission denied")
        return stat(self, **more)

    monkeypatch.setattr(Path, "stat", refuse)
    assert f"the file {folder}/name may not be read by this user" in only(path).what


MISSHAPEN = [
    "$credential:name", "{credential:name}", '"${credential:name} "', "${credential:../name}", "${credential:a/b}",
    "${credential:}", "${env:1A}", "${file:relative}", "${vault:name}", "${name}", "x${env:HOME}",
    "${credential:.}",
]  # fmt: skip


@pytest.mark.parametrize("reading", [True, False])
@pytest.mark.parametrize("reference", MISSHAPEN)
def test_misshapen_references(write: Callable[..., Path], reference: str, reading: bool) -> None:
    if not reference.startswith(('"', "{")):
        reference = f'"{reference}"'
    problem = only(write(with_secret(reference)), secrets=reading)
    if not reference.startswith("{"):
        assert "must be ${credential:NAME}, ${env:NAME} or ${file:/path}" in problem.what


def test_secrets_need_not_be_read(write: Callable[..., Path]) -> None:
    text = GOOD.replace("${env:SYNCD_TEST_SECRET}", "${credential:nowhere}")
    text = text.replace(
        "    username", "    tokens: {a: '${env:NOT_SET}'}\n    keys: ['${file:/none}']\n    username"
    )
    loaded = config.load(write(text), settings_model=fake, secrets=False)
    assert secret_of(loaded) == ""
    assert loaded.primevox.api_key == SecretStr("")
    assert isinstance(loaded.psa.settings, FakeSettings)
    assert loaded.psa.settings.tokens == {"a": SecretStr("")}
    assert loaded.psa.settings.keys == (SecretStr(""),)
    assert loaded.secret_values() == ()
    assert len(found(write(text))) == 4


def test_a_literal_secret_is_refused_with_the_way_to_do_it(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(with_secret("hunter2-hunter2"))
    problem = only(path)
    assert problem.where == f"{path}:12: psa.settings.secret"
    assert f"put it into {tmp_path}/credentials/fake_secret" in problem.what
    assert "write ${credential:fake_secret} here" in problem.what
    path = write(edited("api_key: ${env:SYNCD_TEST_SECRET}", "api_key: 123456"))
    problem = only(path)
    assert problem.where == f"{path}:2: primevox.api_key"
    assert "write ${credential:primevox_api_key} here" in problem.what


LITERAL = "Zq9Wk4Vb7Xj"
FORMS = [
    "{}", '"{}"', "'{}'", "|\n      {}", "[{}]", "{{{}: {}}}", "&{}", "*{}", "!{} x", "!!{} x", "!<{}> x",
    "&{} {}", "%{}", "@{}", "`{}", '"{}', "'{}", "{}: {}", "a: {}", "[{}", "{{{}", "${{{}}}", "${{{}:x}}",
    '"\\{}"', "- {}", "{}\t", '"${{{}"', "$", "> {}", "${{env:{}", "\n  {}", "{}\n  {}: {}", '"{}" {}', "\x01{}",
    "!x!{} y", "#{}", "{}\n---\n{}",
]  # fmt: skip
PLACES = [
    ("secret: ${env:SYNCD_TEST_SECRET}", "secret: "),
    ("secret: ${env:SYNCD_TEST_SECRET}", "secret: ${env:SYNCD_TEST_SECRET}\n    spare: "),
    ("secret: ${env:SYNCD_TEST_SECRET}", "secret: ${env:SYNCD_TEST_SECRET}\n    keys: "),
    ("secret: ${env:SYNCD_TEST_SECRET}", "secret: ${env:SYNCD_TEST_SECRET}\n    tokens: "),
    ("secret: ${env:SYNCD_TEST_SECRET}", "secret: ${env:SYNCD_TEST_SECRET}\n    size: "),
    ("api_key: ${env:SYNCD_TEST_SECRET}", "api_key: "),
    ("max_concurrency: 4", "max_concurrency: "),
    ("first_run: review", "first_run: "),
    ("poll_interval: 30s", "poll_interval: "),
    ("sqlite:////var/lib/syncd/state.db", ""),
    ("{format: json}", ""),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("old", "new"), PLACES)
def test_what_stands_in_the_place_of_a_value_is_never_quoted(
    write: Callable[..., Path], old: str, new: str, form: str
) -> None:
    literal = form.replace("{}", LITERAL).replace("{{", "{").replace("}}", "}")
    path = write(edited(old, new + literal))
    try:
        config.load(path, settings_model=fake)
    except ConfigProblem as error:
        told = "".join(traceback.format_exception(error)).replace(str(path), "")
        # The name of a key is told: it is how one finds a misspelt one.
        told = re.sub(rf"unknown key '{LITERAL}'|[.]{LITERAL}(?=:| )", "", told)
        parts = {LITERAL[start : start + 3] for start in range(len(LITERAL) - 2)}
        assert not [part for part in parts if part in told], told


def test_a_loaded_secret_is_never_shown(write: Callable[..., Path], monkeypatch: Any) -> None:
    loaded = config.load(write(GOOD), settings_model=fake)
    assert loaded.secret_values() == (SECRET,)
    for text in (
        repr(loaded),
        str(loaded),
        loaded.model_dump_json(),
        repr(loaded.psa.settings),
        f"{loaded.primevox}",
    ):
        assert "hush" not in text
    monkeypatch.setenv("SYNCD_TEST_SECRET", "hush-bad-hush")
    path = write(GOOD)
    problem = only(path)
    assert problem == Problem(f"{path}:12: psa.settings.secret", "does not like ***")


# --- anything at all ---------------------------------------------------------------------------------------


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.dates(), st.binary(max_size=4),
    st.sampled_from(["${env:HOME}", "30s", "2025550100", "#Go", "fake", "sqlite:///x.db"]),
)  # fmt: skip


def known_words() -> Iterator[str]:
    def inner(model: type[BaseModel]) -> Iterator[str]:
        for name, annotation in _fields(model).items():
            yield name
            for arm in _arms(annotation):
                if isinstance(arm, type) and issubclass(arm, BaseModel):
                    yield from inner(arm)

    yield from inner(Config)
    yield from inner(FakeSettings)
    yield from ("id", "numbers", "containers")


keys = st.one_of(st.sampled_from(sorted(set(known_words()))), st.text(max_size=6))
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=5)),
    max_leaves=25,
)
documents = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
    st.text("abc:-[]{}#&*!|>'\"%@`,? \n\t\\$0", max_size=80).map(str.encode),
    trees.map(lambda tree: yaml.dump(tree, allow_unicode=True).encode("utf-8", "replace")),
    st.dictionaries(st.sampled_from(["primevox", "psa", "policy", "store", "log"]), trees).map(
        lambda tree: yaml.dump(tree).encode("utf-8", "replace")
    ),
    st.tuples(st.integers(0, len(GOOD)), st.integers(0, 30), st.text("a:-[]{}&*!'\"\n \t1", max_size=6)).map(
        lambda cut: (GOOD[: cut[0]] + cut[2] + GOOD[cut[0] + cut[1] :]).encode()
    ),
)


@settings(max_examples=400, deadline=None)
@given(content=documents)
def test_nothing_but_config_problem_is_raised(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "anything.yaml"
    path.write_bytes(content)
    path.chmod(0o600)
    try:
        loaded = config.load(path, settings_model=fake)
    except ConfigProblem as error:
        problems = error.problems
    else:
        assert SECRET not in repr(loaded)
        return
    assert problems
    for problem in problems:
        assert problem.where.startswith(str(path))
        assert problem.what
        assert str(problem).isprintable()
        assert SECRET not in str(problem)


# --- the example -------------------------------------------------------------------------------------------


def in_use(text: str) -> str:
    """The example with the settings that are not in use put to use."""
    return re.sub(r"^( *)#(?=\S)", r"\1", text, flags=re.MULTILINE)


def stubbed(name: str) -> type[Settings]:
    if name == "autotask":
        return pytest.importorskip("connectors.autotask", reason="not written yet").Autotask.settings_model
    return pytest.importorskip("connectors.local", reason="not written yet").Local.settings_model


@pytest.mark.parametrize("change", [str, in_use])
def test_the_example_loads(write: Callable[..., Path], folder: Path, change: Callable[[str], str]) -> None:
    for name in ("primevox_api_key", "primevox_api_key_100200", "autotask_secret", "autotask_integration_code"):
        (folder / name).write_text(f"secret of {name}\n")
    loaded = config.load(write(change(EXAMPLE.read_text())), settings_model=stubbed)
    assert loaded.psa.connector == "autotask"
    assert len(loaded.secret_values()) == (4 if change is in_use else 3)
    plain = loaded.primevox.model_copy(update={"containers": (), "api_key": None, "attachment_patterns": None})
    defaults = config.PrimeVox(containers=loaded.primevox.containers).model_copy(update={"containers": ()})
    assert plain == defaults, "the example shows the defaults"
    assert (loaded.policy, loaded.store, loaded.log) == (config.Policy(), config.Store(), config.Log())
    psa = config.Psa(connector="autotask")
    assert loaded.psa.model_copy(update={"settings": psa.settings}) == psa


def test_the_examples_local_block_loads(write: Callable[..., Path], folder: Path, tmp_path: Path) -> None:
    (folder / "primevox_api_key").write_text("a secret\n")
    text = EXAMPLE.read_text()
    block = re.search(r"(?:^#     .*\n)+", text[text.index("Without a PSA") :], re.MULTILINE)
    assert block
    local = re.sub(r"^#     ", "", block[0], flags=re.MULTILINE)
    text = re.sub(r"^psa:\n(?:[ \n#].*\n|\n)+?(?=policy:)", lambda _: local, text, flags=re.MULTILINE)
    loaded = config.load(write(text), settings_model=stubbed)
    assert loaded.psa.connector == "local"
    assert str(tmp_path / "psa") in repr(loaded.psa.settings)


def every_key(annotation: Any, at: str = "") -> Iterator[str]:
    """The keys of a model as `psa.settings.username`, without the positions in lists."""
    for arm in _arms(annotation):
        if isinstance(arm, type) and issubclass(arm, BaseModel):
            for key, inner in _fields(arm).items():
                yield f"{at}{key}"
                yield from every_key(inner, f"{at}{key}.")
        elif getattr(arm, "__args__", None):
            for inner in arm.__args__:
                yield from every_key(inner, at)


def every_key_of(data: Any, at: str = "") -> Iterator[str]:
    for key, inner in data.items() if isinstance(data, dict) else ():
        yield f"{at}{key}"
        yield from every_key_of(inner, f"{at}{key}.")
    for inner in data if isinstance(data, list) else ():
        yield from every_key_of(inner, at)


def test_the_example_and_the_models_have_the_same_keys() -> None:
    shown = set(every_key_of(yaml.safe_load(in_use(EXAMPLE.read_text()))))
    own = {key for key in shown if not key.startswith("psa.settings.")}
    assert own == set(every_key(Config))
    assert shown - own == set(every_key(stubbed("autotask"), "psa.settings."))
