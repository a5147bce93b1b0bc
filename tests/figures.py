"""The figures that the run of the tests ends with: what the crash tests counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

KILLS = "kills"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line for all tests that recorded a property `kills`: kind of kill to how many, and `seconds`."""
    total: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, counts in report.user_properties:
                    if name == KILLS:
                        total.update(counts)
    if total:
        seconds = total.pop("seconds")
        counted = ", ".join(f"{count} {what}" for what, count in total.items())
        terminalreporter.write_line(f"kill -9 of the real process: {counted}, {seconds:.0f} s")
