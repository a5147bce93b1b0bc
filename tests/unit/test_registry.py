"""Connectors are found by entry point, through real distributions on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from syncd import config, registry
from syncd.connector import Connector, Settings
from syncd.errors import ConfigProblem

GOOD = """
from syncd.connector import Connector, Settings, Traits

class Tiny(Connector):
    name = "tiny"
    settings_model = Settings
    traits = Traits()

class Bare(Connector):
    pass

number = 3
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution on the path: its name, its module's source, and its entry points."""

    def installed(distribution: str, source: str, **points: str) -> None:
        site = tmp_path / distribution
        module = distribution.replace("-", "_")
        info = site / f"{module}-1.2.dist-info"
        info.mkdir(parents=True)
        (site / f"{module}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        lines = "".join(f"{name} = {module}{target}\n" for name, target in points.items())
        (info / "entry_points.txt").write_text(f"[syncd.connectors]\n{lines}")
        monkeypatch.syspath_prepend(site)

    return installed


def test_an_installed_connector_is_found(install: Install) -> None:
    install("reg-one", GOOD, tiny=":Tiny")
    offer = registry.available()["tiny"]
    assert offer.distribution == "reg-one 1.2"
    assert offer.problem == ""
    assert offer.connector is registry.find("tiny")
    assert issubclass(registry.find("tiny"), Connector)


def test_names_are_sorted_and_the_built_in_ones_are_there(install: Install) -> None:
    install("reg-two", GOOD, zebra=":Tiny", aardvark=":Tiny")
    names = list(registry.available())
    assert names == sorted(names)
    assert {"aardvark", "autotask", "local", "zebra"} <= set(names)


def test_one_that_cannot_be_imported_does_not_stop_the_others(install: Install) -> None:
    install("reg-good", GOOD, tiny=":Tiny")
    install("reg-bad", "import no_such_module_anywhere", broken=":Tiny")
    install("reg-exit", "raise SystemExit(3)", leaving=":Tiny")
    install("reg-attr", GOOD, absent=":Nothing")
    offers = registry.available()
    assert offers["tiny"].connector
    for name, distribution, why in (
        ("broken", "reg-bad 1.2", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("leaving", "reg-exit 1.2", "SystemExit: 3"),
        ("absent", "reg-attr 1.2", "AttributeError"),
    ):
        assert offers[name].connector is None
        assert offers[name].problem.startswith(f"the connector {name!r} of {distribution} cannot be loaded")
        assert why in offers[name].problem
        with pytest.raises(ConfigProblem, match=distribution):
            registry.find(name)


def test_find_loads_no_other(install: Install, tmp_path: Path) -> None:
    mark = tmp_path / "loaded"
    install("reg-lazy", f"open({str(mark)!r}, 'w').close()", other=":Tiny")
    install("reg-wanted", GOOD, tiny=":Tiny")
    registry.find("tiny")
    assert not mark.exists()


def test_one_name_of_two_distributions_is_refused(install: Install) -> None:
    install("reg-first", GOOD, same=":Tiny", mine=":Tiny")
    install("reg-second", GOOD, same=":Tiny")
    offers = registry.available()
    assert offers["same"].connector is None
    assert offers["mine"].connector
    with pytest.raises(
        ConfigProblem, match=r"'same' is offered by reg-first 1\.2 and reg-second 1\.2; uninstall one"
    ):
        registry.find("same")


@pytest.mark.parametrize("target", [":number", ":Bare", ""])
def test_what_is_no_connector_is_refused(install: Install, target: str) -> None:
    install("reg-odd", GOOD, odd=target)
    with pytest.raises(ConfigProblem, match=r"of reg-odd 1\.2 is not a connector for this version"):
        registry.find("odd")


def test_an_unknown_name_is_answered_with_the_nearest(install: Install) -> None:
    install("reg-near", GOOD, tiny=":Tiny")
    with pytest.raises(ConfigProblem, match=r"no connector 'Tinny'; did you mean 'tiny'\? installed: .*\btiny\b"):
        registry.find("Tinny")
    with pytest.raises(ConfigProblem, match=r"no connector 'xyzzy\\n'; installed: autotask, .*\blocal\b"):
        registry.find("xyzzy\n")


def test_a_refused_setting_is_not_quoted() -> None:
    class Mine(Settings):
        token: SecretStr
        pages: int = 1

    for wrong in ({"token": ["hush-hush"]}, {"token": "x", "pages": "hush-hush"}, {"tokn": "hush-hush"}):
        with pytest.raises(ValidationError) as caught:
            Mine(**wrong)
        assert "hush-hush" not in str(caught.value)


def test_the_configuration_asks_the_registry(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("reg-conf", GOOD, tiny=":Tiny")
    monkeypatch.setenv("SYNCD_TEST_SECRET", "hush-hush")
    path = tmp_path / "syncd.yaml"
    text = """\
primevox:
  api_key: ${env:SYNCD_TEST_SECRET}
  containers: [{id: "100200", numbers: ["2025550100"]}]
psa:
  connector: tiny
"""
    path.write_text(text)
    path.chmod(0o600)
    assert config.load(path).psa.connector == "tiny"
    path.write_text(text.replace("tiny", "tinny"))
    with pytest.raises(ConfigProblem) as caught:
        config.load(path)
    (problem,) = caught.value.problems
    assert problem.where == f"{path}:5: psa.connector"
    assert "did you mean 'tiny'?" in problem.what
