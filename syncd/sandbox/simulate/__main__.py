"""The command `python -m syncd.sandbox.simulate`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from rich.console import Console

from syncd.sandbox.simulate.report import simulate, tell, tell_story
from syncd.sandbox.simulate.run import play
from syncd.sandbox.simulate.stage import MemoryDatabase
from syncd.sandbox.simulate.story import Author

MODES = {"on": (True,), "off": (False,), "both": (True, False)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 when something failed."""
    options = _options(arguments)
    out = Console(highlight=False, soft_wrap=True)
    modes = MODES[options.healing]
    if options.seed is None:
        return 0 if simulate(options.first, options.seeds, modes, options.jobs, out) else 1
    database = MemoryDatabase()
    tell_story(Author(options.seed).story(), out)
    results = [play(options.seed, database, healing=healing) for healing in modes]
    for result in results:
        mode = "on" if result.healing else "off"
        out.print(f"healing {mode}: {result.failure or 'all holds'}", markup=False)
    failed = [result for result in results if result.failure]
    for result in failed:
        tell(result, out)
    return 1 if failed else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m syncd.sandbox.simulate",
        description="Weeks of traffic and trouble against the real engine, with the healing layers on and off.",
    )
    parser.add_argument("--seeds", type=int, default=200, metavar="N", help="how many seeds (200)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of them (0)")
    parser.add_argument("--seed", metavar="SEED", help="only this one, with its story")
    parser.add_argument(
        "--healing", choices=MODES, default="both", help="re-reads and sweep; both: each seed twice"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (one a core)"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
