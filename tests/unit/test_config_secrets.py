"""The secrets that a configuration file refers to, and the example that shows how all of it is written."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_file import GOOD, SECRET, FakeSettings, edited, fake, found, known_environment, only, writer
from pydantic import BaseModel, SecretStr

from syncd import config
from syncd.config import Config
from syncd.connector import Settings
from syncd.errors import ConfigProblem, Problem
from syncd.validation import _arms, _fields

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"

_environment = pytest.fixture(autouse=True)(known_environment)
write = pytest.fixture(writer)


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
