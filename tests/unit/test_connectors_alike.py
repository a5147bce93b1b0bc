"""The connectors that come with syncd read alike: the same files, the same order, the same names and words."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest

from syncd import config, registry
from syncd.connector import Connector, checkup
from syncd.errors import ConfigProblem

BUILT_IN = sorted(
    {point.name for point in entry_points(group=registry.GROUP) if point.dist and point.dist.name == "syncd"}
)
# What every connector has; `local` speaks to files, the others to a service.
EVERYWHERE = ("checkup", "connector", "fields", "settings", "writing")
OVER_HTTP = ("answers", "client", "listing")
CONTRACT = ["__init__", "check", "companies", "contacts", "write"]
ACCOUNTS: dict[str, dict[str, Any]] = {
    "autotask": {"username": "a", "secret": "${env:S}", "integration_code": "${env:S}"},
    "connectwise": {
        "site": "na.myconnectwise.net",
        "company": "acme",
        **dict.fromkeys(("public_key", "private_key", "client_id"), "${env:S}"),
    },
    "halopsa": {"base_url": "https://x.example", "client_id": "a", "client_secret": "${env:S}"},
    "rt": {"base_url": "https://x.example", "token": "${env:S}"},
    "local": {"path": "psa"},
}


def tree(name: str, module: str) -> ast.Module:
    spec = importlib.util.find_spec(f"connectors.{name}.{module}")
    assert spec is not None, f"connectors/{name} has no {module}.py"
    assert spec.origin is not None
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def classes(name: str, module: str) -> list[str]:
    return [one.name for one in tree(name, module).body if isinstance(one, ast.ClassDef)]


def made(name: str) -> type[Connector]:
    module = importlib.import_module(f"connectors.{name}.connector")
    return next(one for one in vars(module).values() if inspect.isclass(one) and one.__module__ == module.__name__)


def complaints(tmp_path: Path, name: str, **settings: Any) -> list[str]:
    """What `syncd check` says of these settings."""
    path = tmp_path / "syncd.yaml"
    given = {
        "primevox": {"api_key": "${env:S}", "containers": [{"id": "100200", "numbers": ["+1 202 555 0100"]}]},
        "psa": {"connector": name, "settings": ACCOUNTS[name] | settings},
    }
    path.write_text(json.dumps(given), encoding="utf-8")
    path.chmod(0o600)
    try:
        config.load(path)
    except ConfigProblem as problem:
        return [f"{one.where} {one.what}" for one in problem.problems]
    return []


def texts(model: Any, at: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], bool]]:
    """Every setting that is a text, or a list of texts (True), by its keys."""
    found: list[tuple[tuple[str, ...], bool]] = []
    for key, info in model.model_fields.items():
        arms = get_args(info.annotation) if get_origin(info.annotation) not in (list, None) else (info.annotation,)
        for arm in arms:
            inner = get_args(arm)[0] if get_origin(arm) is list else arm
            if hasattr(inner, "model_fields"):
                found += texts(inner, (*at, key))
            elif inner is str or str in get_args(inner):
                found.append(((*at, key), get_origin(arm) is list))
    return found


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S", "a-secret-of-eight")


@pytest.mark.parametrize("name", BUILT_IN)
class TestEachConnector:
    def test_it_has_the_files_of_the_others(self, name):
        for module in EVERYWHERE + (() if made(name).traits.limits is None else OVER_HTTP):
            assert tree(name, module)

    def test_the_contract_is_kept_in_its_order_and_private_things_follow(self, name):
        connector = next(one for one in tree(name, "connector").body if isinstance(one, ast.ClassDef))
        methods = [one.name for one in connector.body if isinstance(one, ast.FunctionDef)]
        assert methods[: len(CONTRACT)] == CONTRACT
        assert all(one.startswith("_") for one in methods[len(CONTRACT) :])

    def test_classes_bear_the_names_of_the_others(self, name):
        own = made(name).__name__
        assert classes(name, "connector") == [own]
        assert classes(name, "settings")[-1] == f"{own}Settings"
        assert classes(name, "checkup") == ["Checkup"]
        assert "Writing" in classes(name, "writing")
        if made(name).traits.limits is not None:
            assert classes(name, "client")[-1] == f"{own}Client"
            assert classes(name, "fields")[-2:] == ["Vocabulary", "Fields"]

    def test_its_check_goes_through_the_steps_of_the_others(self, name):
        module = importlib.import_module(f"connectors.{name}.checkup")
        assert issubclass(module.Checkup, checkup.Checkup)
        assert "report" not in vars(module.Checkup), "the order of the steps is everybody's"

    def test_every_setting_is_explained(self, name):
        model = made(name).settings_model
        explained = inspect.getdoc(model) or ""
        assert [key for key in model.model_fields if key not in explained] == []


@pytest.mark.parametrize("name", [one for one in BUILT_IN if one != "local"])
class TestSettings:
    @pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u00a0", "\u200b"])
    def test_no_text_may_be_blank(self, tmp_path, name, blank):
        for keys, is_list in texts(made(name).settings_model):
            value: Any = [blank] if is_list else blank
            for key in reversed(keys[1:]):
                value = {key: value}
            said = complaints(tmp_path, name, **{keys[0]: value})
            assert said, f"{keys} takes {value!r}"
            assert f"psa.settings.{'.'.join(keys)}" in said[0]
            if keys[0] not in ("base_url", "auth_url", "zone_discovery_url"):
                assert "must not be empty" in said[0]

    @pytest.mark.parametrize(
        ("setting", "said"),
        [
            ({"contact_field": {"opted_in": 5}}, "contact_field.opted_in"),
            ({"contact_field": {"opted_in": "Yes", "opted_out": "yes "}}, "the same value cannot mean both: yes"),
            ({"company_field": {"approved": ["Yes"], "opted_out": ["no", "YES"]}}, "cannot mean both: yes"),
            ({"company_field": {"approved": []}}, "must have 1 or more entries"),
            ({"contact_field": {"nmae": "A"}}, "did you mean 'name'?"),
        ],
    )
    def test_wrong_fields_are_told_in_the_same_words(self, tmp_path, name, setting, said):
        assert said in " ".join(complaints(tmp_path, name, **setting))

    def test_a_number_where_a_text_belongs_is_to_be_put_in_quotes(self, tmp_path, name):
        assert "quotes" in complaints(tmp_path, name, contact_field={"name": 5})[0]
        assert "quotes" in complaints(tmp_path, name, contact_field={"opted_out": 0})[0]

    @pytest.mark.parametrize("bad", ["two\nlines", " padded", "ünïcode", "\x01"])
    def test_a_secret_that_no_request_could_carry_is_refused_and_not_quoted(
        self, tmp_path, name, bad, monkeypatch
    ):
        monkeypatch.setenv("S", bad)
        said = " ".join(complaints(tmp_path, name))
        assert "plain ASCII" in said
        assert bad not in said
        assert "lines" not in said

    def test_good_settings_are_taken(self, tmp_path, name):
        assert complaints(tmp_path, name) == []
        fields = {"contact_field": {"name": " A "}, "company_field": {"approved": [" Yes "], "opted_out": []}}
        assert complaints(tmp_path, name, **fields) == []
