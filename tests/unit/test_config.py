"""The configuration file: what is accepted, and how each mistake is told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from config_file import (
    GOOD,
    SECRET,
    FakeSettings,
    FieldSettings,
    edited,
    fake,
    found,
    known_environment,
    only,
    writer,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from syncd import config, keywords
from syncd.config import Config
from syncd.errors import ConfigProblem, Problem
from syncd.model import CompanyState, Rules, TacitRules
from syncd.validation import _arms, _fields

_environment = pytest.fixture(autouse=True)(known_environment)
write = pytest.fixture(writer)


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
