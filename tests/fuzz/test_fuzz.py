"""Nothing that strangers, vendors or editors write makes syncd raise what it does not know, hang, or break a line.

Each target gets inputs from Hypothesis, which finds a short one for what goes wrong, and some by chance from a
fixed seed. `tests/fuzz/run.py` throws as many more as one likes, guided by coverage.
"""

from __future__ import annotations

import email.utils
import json
import subprocess
import sys
from pathlib import Path

import pytest
import run
from chooser import Chooser, dumped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from targets import TARGETS

from syncd import http

ONES = 150
# By chance, a thousand inputs take less than a second, but of these.
MANY, FEW, COSTLY = 2000, 200, {"text", "read json", "config"}
SEED = 4711


@pytest.mark.parametrize("name", TARGETS)
def test_hypothesis_finds_nothing(name: str) -> None:
    @settings(
        max_examples=ONES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.binary(max_size=run.LONGEST))
    def feed(data: bytes) -> None:
        TARGETS[name](data)

    feed()


@pytest.mark.parametrize("name", TARGETS)
def test_chance_finds_nothing(name: str, tmp_path: Path) -> None:
    inputs = FEW if name in COSTLY else MANY
    watch = run.Watch(name, "chance", TARGETS[name], tmp_path)
    for data in run.by_chance(inputs, SEED):
        watch(data)
    assert watch.account.kinds == {}
    assert watch.account.inputs == inputs


@pytest.mark.slow
def test_coverage_guides_the_runner_where_atheris_is_installed(tmp_path: Path) -> None:
    if not run.has_atheris():
        pytest.skip("atheris is not installed; `pip install atheris` brings it where it exists")
    command = [
        sys.executable,
        str(Path(run.__file__)),
        "--engine",
        "atheris",
        "--target",
        "answer",
        "--inputs",
        "300",
    ]
    ended = subprocess.run(
        [*command, "--keep", str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "answer" in ended.stdout


# --- the harness itself ----------------------------------------------------------------------------------


def test_a_crash_a_hang_and_the_slowest_input_are_kept(tmp_path: Path) -> None:
    def target(data: bytes) -> None:
        if data == b"crash":
            raise KeyError("canary")
        while data == b"hang":
            pass

    watch = run.Watch("planted", "chance", target, tmp_path, hang=0.05)
    for data in (b"good", b"crash", b"hang", b"crash"):
        watch(data)
    account = watch.account
    assert (account.inputs, account.crashes, account.hangs) == (4, 2, 1)
    assert sorted(kind.partition(" at ")[0] for kind in account.kinds) == ["Hung", "KeyError"]
    assert {path.read_bytes() for path in tmp_path.iterdir()} >= {b"crash", b"hang"}
    assert Path(account.slowest_input).read_bytes() == b"hang"


def test_a_fault_of_the_product_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was found like this: Python overflows on a date whose zone has twenty digits."""
    monkeypatch.setattr(http, "_moment", email.utils.parsedate_to_datetime)
    watch = run.Watch("answer", "chance", TARGETS["answer"], tmp_path)
    for data in run.by_chance(ONES, SEED):
        watch(data)
    assert any(kind.startswith("OverflowError") for kind in watch.account.kinds)


def test_bytes_decide_everything() -> None:
    document = {"a": [1, {"b": "c"}], "d": None}
    for data in run.by_chance(200, SEED):
        first, second = (Chooser(data).body(dumped(document)) for _ in range(2))
        assert first == second
    assert json.loads(Chooser(b"").body(dumped(document))) != document  # at least one place is bent


def test_chance_depends_on_the_seed_only() -> None:
    assert list(run.by_chance(20, 1)) == list(run.by_chance(20, 1)) != list(run.by_chance(20, 2))
