"""The crash matrix: one run of the story for each point at which a process can be ended."""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kill_story import END, STORY, Step, told
from kill_world import Ended, Saved, World
from killer import Point

from syncd import cli

# How often a command is given again after a kill before "nothing left" is overdue.
RESTARTS = 3

# Unless `everything` is asked for: one in so many of the points that leave the state of another one is taken, and
# one in so many of the states is followed to the end of the story.
ONE_IN, TO_THE_END = 8, 8

# Points that leave a state of their own, on disk or in the PSA, and are always taken.
CHANGING = ("after commit", "PATCH ", "rename ", "fsync")


@dataclass(slots=True)
class Tally:
    """What was done, for the summary: kills, different states found after them, stories told to their end."""

    kills: int = 0
    states: int = 0
    ends: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """One step as it goes when nobody kills it: before the command, how that ended, and what came of it."""

    before: Saved
    since: str
    ended: Ended
    writes: Counter[str]
    view: dict[str, Any]


class Matrix:
    """Tells the story once without a kill, then ends its commands at points of one's choice."""

    def __init__(self, world: World, *, everything: bool = False) -> None:
        self.tally = Tally()
        self._world = world
        self._everything = everything
        self._told: list[Told] = []
        self._seen: set[str] = set()
        self._end: dict[str, Any] = {}

    # --- the run without a kill ------------------------------------------------------------------------------

    def tell(self, steps: int = len(STORY)) -> None:
        """The whole story without a kill, or its first steps."""
        self._rehearse()
        for step in STORY[:steps]:
            self._told.append(self._tell_step(step))
        if steps < len(STORY):
            return
        after = self._world.save()
        self._end = self._rest()
        assert self._world.consents() == END, told(self._world)
        assert not self._world.record.wrong, self._world.record.wrong
        self._world.load(after)

    def _rehearse(self) -> None:
        empty = self._world.save()
        for step in STORY[:2]:
            step.prepare(self._world)
            self._world.rehearse(step.argv(self._world))
        self._world.load(empty)

    def _tell_step(self, step: Step) -> Told:
        world = self._world
        step.prepare(world)
        before, since = world.save(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        earlier = Counter(world.record.writes)
        ended = world.command(step.argv(world))
        assert ended.code in step.codes, (step.name, ended.code, ended.output)
        return Told(before, since, ended, world.record.writes - earlier, world.view())

    def _rest(self) -> dict[str, Any]:
        """Two more passes, in which a text that came within the second of another is found at the latest."""
        for _ in range(2):
            ended = self._world.command(["once"])
            assert ended.code == 0, ended.output
        return self._world.view()

    def before(self, index: int) -> tuple[Saved, str]:
        """Everything as it was before the command of a step, and when that was."""
        return self._told[index].before, self._told[index].since

    # --- where it can be killed ------------------------------------------------------------------------------

    def points(self, index: int) -> list[Point]:
        """Where the command of a step can be killed: everywhere, or at a part that is the same in every run.

        The part leaves out commits that change nothing. It has every point after which the state is another one
        than before, and one in `ONE_IN` of the others, beginning with another one in each step.
        """
        ended = self._told[index].ended
        found = [Point("inside", number, after=False, label=label) for number, label in enumerate(ended.inside, 1)]
        for number, label in enumerate(ended.requests, 1):
            found += [Point("request", number, after, label) for after in (False, True)]
        if self._everything:
            return found
        some = [point for point in found if "nothing" not in point.label]
        return [
            point
            for place, point in enumerate(some)
            if (place + index) % ONE_IN == 0 or any(word in point.label for word in CHANGING)
        ]

    # --- the runs with a kill --------------------------------------------------------------------------------

    def failures(self, steps: Iterable[int]) -> list[str]:
        """Strike at each point of these steps; what failed."""
        found = []
        for index in steps:
            for point in self.points(index):
                try:
                    self.strike(index, point)
                except AssertionError as failure:
                    found.append(str(failure))
        return found

    def strike(self, index: int, point: Point) -> None:
        """Kill the command of that step there; AssertionError unless everything comes to the same end."""
        try:
            self._strike(STORY[index], self._told[index], index, point)
        except Exception as failure:
            what = failure if isinstance(failure, AssertionError) else repr(failure)
            story = f"killed in {STORY[index].name!r} at {point}\n{what}\n{told(self._world)}"
            raise AssertionError(story) from failure

    def _strike(self, step: Step, plain: Told, index: int, point: Point) -> None:
        world = self._world
        world.load(plain.before)
        killed = world.command(step.argv(world), point)
        assert killed.code == -9, f"ended with {killed.code} before it could be killed:\n{killed.output}"
        passed = killed.inside if point.what == "inside" else killed.requests
        assert passed[-1].partition(" ")[0] == point.label.partition(" ")[0], "not the point that it was"
        assert len(passed) == point.number
        self.tally.kills += 1
        assert not world.record.wrong, world.record.wrong
        rows = world.ledger()
        state = world.fingerprint(plain.since)
        if state in self._seen:
            return  # what comes of this state was looked at; a restart finds nothing else than this state
        self._seen.add(state)
        self.tally.states += 1
        self._restart(step)
        assert world.ledger()[: len(rows)] == rows, "the ledger was not only added to"
        self._compare(plain, world.view())
        after = world.save()
        self._one_more_pass(step, plain)
        if self._end and (self._everything or self.tally.states % TO_THE_END == 0):
            world.load(after)
            self._to_the_end(index)

    def _restart(self, step: Step) -> None:
        """Give the command again until it says that nothing is left."""
        for _ in range(RESTARTS):
            ended = self._world.command(step.argv(self._world))
            if ended.code in step.codes:
                return
        raise AssertionError(f"still {ended.code} after {RESTARTS} restarts:\n{ended.output}")

    def _compare(self, plain: Told, view: dict[str, Any]) -> None:
        for what, expected in plain.view.items():
            assert view[what] == expected, f"{what} differs: {_difference(expected, view[what])}"
        assert not self._world.faults(), self._world.faults()
        writes = self._world.record.writes
        extra = writes - plain.writes
        assert sum(extra.values()) <= 1, f"written too often: {extra}"
        assert not extra.keys() - plain.writes.keys(), f"written without need: {extra}"
        assert not self._world.record.wrong, self._world.record.wrong

    def _one_more_pass(self, step: Step, plain: Told) -> None:
        if not step.passes:
            return
        world = self._world
        rows, writes = world.ledger(), Counter(world.record.writes)
        ended = world.command(["once"])
        assert ended.code in step.codes, ended.output
        assert world.record.writes == writes, "one more pass wrote something"
        assert world.ledger() == rows, "one more pass found something"
        assert world.office.records() == plain.view["psa"]

    def _to_the_end(self, index: int) -> None:
        world = self._world
        self.tally.ends += 1
        for step in STORY[index + 1 :]:
            step.prepare(world)
            ended = world.command(step.argv(world))
            assert ended.code in step.codes, (step.name, ended.code, ended.output)
        end = self._rest()
        for what, expected in self._end.items():
            assert end[what] == expected, f"in the end {what} differs: {_difference(expected, end[what])}"
        assert not world.record.wrong, world.record.wrong
        for command in (["ledger", "verify"], ["status", "--json"]):
            with contextlib.redirect_stdout(io.StringIO()):
                assert cli.main([*command, "-c", str(world.config)]) == 0


def _difference(expected: Any, found: Any) -> str:
    """Where two values differ, in short."""
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
        return "; ".join(f"{key}: {_difference(expected.get(key), found.get(key))}" for key in keys)
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return "; ".join(_difference(*pair) for pair in zip(expected, found, strict=True) if pair[0] != pair[1])
    if isinstance(expected, list) and isinstance(found, list):
        some = [json.dumps(one, default=str) for one in expected], [json.dumps(one, default=str) for one in found]
        missing, new = (list((Counter(a) - Counter(b)).elements()) for a, b in (some, some[::-1]))
        return f"missing {missing}, new {new}"
    return f"{expected!r} became {found!r}"
