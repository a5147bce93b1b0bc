"""`syncd check --online` of every connector that comes with syncd: one screen, and the whole truth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from desk_connectwise import ConnectWiseDesk, OddConnectWiseDesk
from desk_halopsa import HaloDesk, OddHaloDesk
from desk_rt import OddRtDesk, RtDesk
from desks import AutotaskDesk, LocalDesk
from test_every_connector import built_in

from syncd import cli
from syncd.model import CompanyState, Consent
from syncd.sandbox.people import fictional_number
from syncd.sandbox.primevox import PrimeVoxServer
from syncd.testing import Desk

DESKS: dict[str, tuple[type[Desk], ...]] = {
    "autotask": (AutotaskDesk,),
    "connectwise": (ConnectWiseDesk, OddConnectWiseDesk),
    "halopsa": (HaloDesk, OddHaloDesk),
    "local": (LocalDesk,),
    "rt": (RtDesk, OddRtDesk),
}
# A terminal of 80x24, without the line of the command and the one of the prompt after it.
COLUMNS, LINES = 80, 22
HEADINGS = ["service", "permissions", "consent field", "approval field", "companies", "contacts"]


def test_every_connector_is_looked_at() -> None:
    assert sorted(DESKS) == built_in()


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Returns what `syncd check --online` says of a started desk, and its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.setenv("SYNCD_TEST_KEY", "canary-key")

    def checked(name: str, desk: Desk) -> tuple[list[str], int]:
        settings = dict(desk.settings())
        for number, (key, value) in enumerate(settings.items()):
            if isinstance(value, str) and "canary" in value.lower():
                monkeypatch.setenv(f"SYNCD_TEST_{number}", value)
                settings[key] = f"${{env:SYNCD_TEST_{number}}}"
        path = Path("syncd.yaml")
        with PrimeVoxServer({"100200": {"api_key": "canary-key", "numbers": ["+12025550100"]}}) as primevox:
            given = {
                "primevox": {
                    "base_url": primevox.base_url,
                    "api_key": "${env:SYNCD_TEST_KEY}",
                    "containers": [{"id": "100200", "numbers": ["+1 202 555 0100"]}],
                },
                "psa": {"connector": name, "settings": settings},
                "store": {"url": "sqlite:///state.db"},
                "log": {"format": "console", "level": "warning"},
            }
            path.write_text(json.dumps(given), encoding="utf-8")
            code = cli.main(["check", "--online", "-c", str(path)])
        return capsys.readouterr().out.splitlines(), code

    return checked


def filled(desk: Desk) -> None:
    for index, state in enumerate(CompanyState):
        company = desk.add_company(f"Company {index}", state)
        desk.add_contact(company, "Ann Lee", [fictional_number(10 * index)], consent=Consent.OPTED_IN)
        desk.add_contact(company, "Ben Ray", [fictional_number(10 * index + 1)], consent=Consent.OPTED_OUT)
        desk.add_contact(company, "Cara Sims", ["reception"], active=False)
        desk.add_contact(company, "Dev Tate")


@pytest.mark.parametrize(("name", "desk_class"), [(name, one) for name, many in DESKS.items() for one in many])
def test_it_says_everything_on_one_screen_and_changes_nothing(check, name, desk_class) -> None:
    with desk_class() as desk:
        filled(desk)
        lines, code = check(name, desk)
        assert code == 0, "\n".join(lines)
        assert len(lines) <= LINES, "\n".join(lines)
        assert max(map(len, lines)) <= COLUMNS
        listed = [line[6:20].strip() for line in lines[3:] if line[:4].strip()]
        assert [one for one in listed if one in HEADINGS] == HEADINGS
        text = " ".join(" ".join(lines).split())
        assert "1 approved, 1 opted_out, " in text
        assert "6 with a usable number; 3 opted_in, 3 opted_out; 3 inactive" in text
        assert "canary" not in text
        if desk.wire is not None:
            assert not any(map(desk.is_write, desk.wire.requests))


@pytest.mark.parametrize("name", sorted(DESKS))
def test_a_field_that_is_not_there_is_named_with_what_there_is(check, name) -> None:
    if name == "local":
        pytest.skip("its fields are the columns")
    with DESKS[name][0]() as desk:
        filled(desk)
        given = desk.settings
        desk.settings = lambda: given() | {"contact_field": {"name": "Texting"}}  # type: ignore[method-assign]
        lines, code = check(name, desk)
    assert code == 78
    text = " ".join(" ".join(lines).split())
    assert "FAIL consent field psa.settings.contact_field.name: " in text
    assert "'Texting'" in text
    assert len(lines) <= LINES
