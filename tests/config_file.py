"""A short configuration file that is right, the settings of a made-up connector, and ways to load and spoil it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field, SecretStr, field_validator

from syncd import config
from syncd.connector import Settings
from syncd.errors import ConfigProblem, Problem
from syncd.model import CompanyState

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


def known_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Becomes a fixture, as `writer` does, in the test files that say so."""
    monkeypatch.setenv("SYNCD_TEST_SECRET", SECRET)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def writer(tmp_path: Path) -> Callable[[str | bytes], Path]:
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
