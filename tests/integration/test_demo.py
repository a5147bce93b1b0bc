"""`syncd demo` as a process: what it shows, how it ends, and that it notices a wrong outcome."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest

LONGEST = 15.0

# Plays the day with one expectation that the policy does not bear out.
WRONG = """
import sys
from dataclasses import replace
from syncd.sandbox.demo import demo
from syncd.sandbox.demo_story import THE_DAY, Outcome
first, *others = THE_DAY.scenes
wrong = replace(first, then={**first.then, "301": Outcome("Opted-In", "3.2.3, 3.2.4")})
sys.exit(demo(replace(THE_DAY, scenes=(wrong, *others))))
"""

# Plays the day with no time to wait for anything.
LATE = """
import sys
from syncd.sandbox import demo, demo_stage
demo_stage.PATIENCE = 0.0
sys.exit(demo.demo())
"""


@pytest.fixture
def environment(tmp_path):
    """The demo's folder goes into ours, and no terminal's colours come in."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}
    return kept | {"TMPDIR": str(tmp_path), "PYTHONUTF8": "1"}


def play(environment, *arguments):
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_day_ends_well_in_time_and_leaves_nothing_behind(environment, tmp_path):
    started = time.monotonic()
    done = play(environment, "-m", "syncd.cli", "demo")
    assert time.monotonic() - started < LONGEST
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    for clause in ("3.2.3, 3.2.4", "3.3.2", "3.2.5, 3.3.4", "3.3.1", "3.1.1, 3.2.1", "3.1.2"):
        assert clause in done.stdout
    for text in ("#Go", "#Stop", "Please take me off your list", "a person must read the text", "held"):
        assert text in done.stdout
    assert re.search(r"(\d+) of \1 outcomes are what the policy demands", done.stdout)
    assert re.search(r"Ledger verified: \d+ entries, head \d+:[0-9a-f]{16}", done.stdout)
    assert "WRONG" not in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_outcome_is_named_and_the_exit_code_tells(environment, tmp_path):
    done = play(environment, "-c", WRONG)
    assert done.returncode == 1
    found = "Jon Joyce: expected Opted-In by 3.2.3, 3.2.4; found no value by 3.1.1, 3.2.1, held"
    assert f"WRONG  {found}" in " ".join(done.stdout.split()).replace("WRONG ", "WRONG  ")
    assert "12 of 13 outcomes" in done.stdout
    (kept,) = tmp_path.iterdir()
    assert str(kept) in done.stdout
    assert kept.stat().st_mode & 0o077 == 0
    explained = play(environment, "-m", "syncd.cli", "explain", "2025550131", "-c", str(kept / "syncd.yaml"))
    assert (explained.returncode, "3.1.1, 3.2.1" in explained.stdout) == (0, True)


def test_what_is_not_done_in_time_is_named(environment):
    done = play(environment, "-c", LATE)
    assert done.returncode == 1
    assert "Not done within" in done.stdout
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_it_cleanly(environment, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "syncd.cli", "demo"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background ignores Ctrl-C, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  no threads here
    )
    with process:
        assert process.stdout
        while "09:02" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "")
    assert "Interrupted" in out
    assert list(tmp_path.iterdir()) == []
