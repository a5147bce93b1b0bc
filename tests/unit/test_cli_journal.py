"""What `syncd` says when it ends at once: plain words to a person, an object like all others to the journal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("journal", [True, False])
def test_a_refused_configuration_is_an_alert_in_the_journal(tmp_path: Path, *, journal: bool) -> None:
    config = tmp_path / "syncd.yaml"
    config.write_text("polcy: {}\n", encoding="utf-8")
    said = tmp_path / "said"
    with said.open("wb") as stream:
        status = os.fstat(stream.fileno())
        inode = status.st_ino if journal else status.st_ino + 1
        environment = os.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{inode}"}
        command = [sys.executable, "-m", "syncd.cli", "run", "-c", str(config)]
        done = subprocess.run(command, stderr=stream, env=environment, check=False, timeout=60)
    lines = said.read_text(encoding="utf-8").splitlines()
    assert done.returncode == 78
    assert any("polcy" in line for line in lines)
    if journal:
        found = [json.loads(line) for line in lines]
        assert {(line["event"], line["level"], line["alert"]) for line in found} == {
            ("cannot start", "error", True)
        }
    else:
        assert all(line.startswith("syncd: ") for line in lines)
