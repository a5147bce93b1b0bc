"""Many seeds on all cores, and what they counted."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

from rich import box
from rich.console import Console
from rich.table import Table

from syncd.sandbox.simulate.run import Result, play, smallest
from syncd.sandbox.simulate.stage import MemoryDatabase
from syncd.sandbox.simulate.story import Story

CHUNK = 25


@dataclass(slots=True)
class Sum:
    """What many runs came to. `failed` holds the failures in the order of their seeds."""

    runs: int = 0
    virtual: timedelta = timedelta(0)
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    failed: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """One run more."""
        self.runs += 1
        self.virtual += result.virtual
        self.counts += result.counts
        self.faults += result.faults
        if result.failure is not None:
            self.failed.append(result)


def play_all(seeds: Sequence[str], modes: Sequence[bool]) -> list[Result]:
    """Play these seeds, one after the other."""
    return [play(seed, _database(), healing=healing) for seed in seeds for healing in modes]


@functools.cache
def _database() -> MemoryDatabase:
    """One for each process: to make it takes as long as to play a few seeds."""
    return MemoryDatabase()


def simulate(first: int, count: int, modes: Sequence[bool], jobs: int, out: Console) -> bool:
    """Play so many seeds, say what came of it. True: nothing failed."""
    began = time.monotonic()
    seeds = [str(seed) for seed in range(first, first + count)]
    chunks = [seeds[start : start + CHUNK] for start in range(0, count, CHUNK)]
    total = Sum()
    for results in _played(chunks, modes, jobs):
        for result in results:
            total.add(result)
    seconds = time.monotonic() - began
    _say(total, seconds, jobs, out)
    if total.failed:
        tell(total.failed[0], out)
    return not total.failed


def _played(chunks: Sequence[Sequence[str]], modes: Sequence[bool], jobs: int) -> Iterator[list[Result]]:
    if jobs == 1:
        yield from (play_all(chunk, modes) for chunk in chunks)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(play_all, chunks, [modes] * len(chunks))


def _say(total: Sum, seconds: float, jobs: int, out: Console) -> None:
    out.print(_table("Faults that struck", total.faults.items()))
    out.print(_table("What was done and looked at", total.counts.items()))
    rate = total.runs / seconds
    weeks = total.virtual / timedelta(weeks=1)
    out.print(
        f"{total.runs:,} runs in {seconds:,.0f} s on {jobs} cores: {rate:,.1f} a second, "
        f"{rate / jobs:,.1f} a second and core; {weeks:,.0f} weeks went by, {weeks / seconds:,.1f} in each second."
    )
    out.print(f"[bold {'red' if total.failed else 'green'}]{len(total.failed):,} failures.[/]")
    for result in total.failed[:20]:
        out.print(f"seed {result.seed}, healing {_mode(result)}: {result.failure}", markup=False)


def _table(title: str, rows: Iterable[tuple[str, int]]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_header=False)
    table.add_column(min_width=40)
    table.add_column(justify="right")
    for name, count in sorted(rows, key=lambda row: -row[1]):
        table.add_row(name, f"{count:,}")
    return table


def tell(failed: Result, out: Console) -> None:
    """The smallest story in which this seed still fails."""
    out.print(f"\nThe smallest story with which seed {failed.seed} fails (a minute or so to find) ...")
    story, result = smallest(failed, MemoryDatabase())
    tell_story(story, out)
    out.print(f"faults: {', '.join(f'{kind} {times}x' for kind, times in result.faults.items())}", markup=False)
    out.print(f"then: {result.failure}", markup=False)
    out.print(
        f"again: python -m syncd.sandbox.simulate --seed {failed.seed} --healing {_mode(failed)}", markup=False
    )


def tell_story(story: Story, out: Console) -> None:
    """A story, one event a line."""
    for event in story.opening:
        out.print(f"  before       {event}", markup=False)
    for moment in story.moments:
        out.print(f"  {moment.pause:>8,.0f} s later", markup=False)
        for event in moment.events:
            out.print(f"               {event}", markup=False)
        for event in moment.meanwhile:
            out.print(f"    meanwhile  {event}", markup=False)


def _mode(result: Result) -> str:
    return "on" if result.healing else "off"
