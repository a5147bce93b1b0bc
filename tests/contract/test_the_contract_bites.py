"""A connector with a fault does not pass: each class of `sabotage.py` fails the test that is there for it."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sabotage

from syncd.testing import bench

HERE = Path(__file__).parent


@pytest.mark.slow
def test_each_fault_is_found() -> None:
    file = HERE / "sabotage.py"
    nodes = [f"{file}::{trial}::{test}" for trial, test in sabotage.CAUGHT_BY.items()]
    options = ["-q", "-rA", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist"]
    words = [sys.executable, "-m", "pytest", *options, *nodes]
    done = subprocess.run(words, cwd=HERE.parents[1], capture_output=True, text=True, timeout=120, check=False)
    failed = set(re.findall(r"^(?:FAILED|ERROR) \S*?::(Test\w+)::", done.stdout, re.MULTILINE))
    assert failed == set(sabotage.CAUGHT_BY), f"{done.stdout[-5000:]}{done.stderr[-2000:]}"


def test_a_test_that_has_no_end_is_ended() -> None:
    here = sys._getframe().f_code
    with pytest.raises(pytest.fail.Exception, match=r"no end after 0\.05 s"), bench._alarm(0.05, here):
        sum(1 for _ in itertools.count())
