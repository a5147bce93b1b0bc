"""SECURITY.md says what is so: each promise about a loss names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def rows(text: str) -> list[str]:
    """The rows of the table in it, without its head."""
    return [line for line in text.splitlines() if line.startswith("|")][2:]


def test_every_loss_names_tests_and_they_exist() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    for row in rows(section("What a kill, a lost disk, a lost PSA cost you")):
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert [name for name in named if f"def {name}(" not in source] == []


def test_the_page_has_what_a_reader_looks_for() -> None:
    headings = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert headings[:2] == ["Reporting", "Threat model"]
    assert len(rows(section("Threat model"))) >= 6
    assert len(section("Threat model").split()) < 700, "one page"


def test_files_that_must_be_private_are_those_that_are_looked_at() -> None:
    table = section("Secrets")
    for name in ("credentials", "-wal", "-shm", ".lock", ".wishes"):
        assert f"`{name}`" in table, name
