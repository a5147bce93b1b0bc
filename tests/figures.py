"""The figures that the run of the tests ends with: what the crash tests counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

KILLS = "kills"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line for all tests that recorded a property `kills`: what was counted, and how often."""
    total: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "teardown":  # fixtures have told all by then
                for name, counts in report.user_properties:
                    if name == KILLS:
                        total.update(counts)
    if total:
        terminalreporter.write_line(
            f"kill -9 of the real process: {total['points']} points, {total['kills']} kills "
            f"({total['random']} at random moments), {total['states']} different states restarted from, "
            f"{total['ends']} of them followed to the end, {total['seconds']:.0f} s "
            f"({total['cpu']:.0f} s of processor time)"
        )
