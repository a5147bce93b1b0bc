"""The real process is killed with SIGKILL at each commit, file operation and request; nothing is lost or repeated.

Every kill is one run: the state before a command is put back, the command is started and killed at one point, and
given again until it says that nothing is left. Then the PSA, record by record, the verdicts, `status` and the
evidence must be what they are without a kill, the ledger only added to, and one more pass must write nothing.
`kill_story` is what happens, `kill_matrix` what is compared, `kill_launcher` how a process ends at a point.
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from figures import KILLS
from kill_defects import cascade_in_a_second_commit, cursor_before_messages, wish_removed_first, write_not_noted
from kill_matrix import Matrix
from kill_story import STORY
from kill_traffic import Traffic
from kill_world import World
from killer import LAUNCHER, Point
from rig import wait_until

from syncd.model import Consent

pytestmark = pytest.mark.slow

NAMES = [step.name for step in STORY]
TEXTS, CHANGES = NAMES.index("texts"), NAMES.index("changes")
DEV = 3  # whose text waits for a decision after the texts
RANDOM_KILLS = 60


@pytest.fixture
def count(record_property: Callable[[str, Any], None]) -> Iterator[Callable[..., None]]:
    """Say what was done, in the words of `figures`; how long it took is added."""
    began, used = time.monotonic(), processor_time()
    counted: dict[str, float] = {}
    yield counted.update
    took = {"seconds": time.monotonic() - began, "cpu": processor_time() - used}
    record_property(KILLS, counted | {what: round(seconds, 1) for what, seconds in took.items()})


def processor_time() -> float:
    """What this process and its children have used, in seconds."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


# --- at every point --------------------------------------------------------------------------------------


def strike_all(matrix: Matrix, steps: range, count: Callable[..., None]) -> None:
    """Kill at every chosen point of these steps; how many fail is told, and the story of the first."""
    points = sum(len(matrix.points(index)) for index in steps)
    failures = matrix.failures(steps)
    tally = matrix.tally
    count(points=points, kills=tally.kills, states=tally.states, ends=tally.ends)
    assert not failures, f"{len(failures)} of {points} points\n{failures[0]}"


def test_killed_at_any_point_it_comes_to_the_same_end(count: Callable[..., None]) -> None:
    with World("autotask") as world:
        matrix = Matrix(world)
        matrix.tell()
        strike_all(matrix, range(len(STORY)), count)


def test_killed_while_it_writes_files_it_comes_to_the_same_end(count: Callable[..., None]) -> None:
    with World("local") as world:
        matrix = Matrix(world)
        matrix.tell()
        strike_all(matrix, range(CHANGES, CHANGES + 1), count)


def test_killed_at_any_point_it_needs_no_second_reading(count: Callable[..., None]) -> None:
    with World("autotask", healing=False) as world:
        matrix = Matrix(world)
        matrix.tell(TEXTS + 1)
        strike_all(matrix, range(TEXTS, TEXTS + 1), count)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("office", "healing"), [("autotask", True), ("autotask", False), ("local", True), ("connectwise", True)]
)
def test_killed_at_every_point_it_comes_to_the_same_end(
    office: str, healing: bool, count: Callable[..., None]
) -> None:
    with World(office, healing=healing) as world:
        matrix = Matrix(world, everything=True)
        matrix.tell()
        strike_all(matrix, range(len(STORY)), count)


def test_a_fork_is_killed_as_an_ordinary_start_is(tmp_path: Path) -> None:
    with World("local") as world:
        matrix = Matrix(world, everything=True)
        matrix.tell(TEXTS + 1)
        inside = [point for point in matrix.points(TEXTS) if point.what == "inside"]
        for point in inside[len(inside) // 4 :: len(inside) // 3]:
            before, since = matrix.before(TEXTS)
            world.load(before)
            assert world.command(["once"], point).code == -signal.SIGKILL
            forked = world.fingerprint(since)
            world.load(before)
            order = world.order(["once"], last=point.number)
            ended = subprocess.run([sys.executable, str(LAUNCHER), json.dumps(order)], timeout=60, check=False)
            assert ended.returncode == -signal.SIGKILL
            assert world.fingerprint(since) == forked


# --- an operator's wish ----------------------------------------------------------------------------------


class Wish:
    """An operator's decision that lies in its folder when the daemon starts."""

    def __init__(self, world: World) -> None:
        self._world = world
        matrix = Matrix(world)
        matrix.tell(TEXTS + 1)
        box = world.database.with_name("state.db.wishes")
        box.mkdir(mode=0o700)
        wish = {"do": "review", "seq": world.review_of(DEV), "decision": "opt_out", "by": "ann"}
        self._file, self._answer = box / "1.wish", box / "1.answer"
        self._file.write_text(json.dumps(wish), encoding="utf-8")
        self._before = world.save()

    def points(self) -> list[Point]:
        """The commits and file operations with which the daemon carries it out."""
        self._carried_out_by_a_daemon()
        passed = self._world.finish().inside
        first = next(number for number, label in enumerate(passed) if "mkdir" in label)
        last = next(number for number, label in enumerate(passed) if "rename" in label)
        return [Point("inside", at + 1, after=False, label=passed[at]) for at in range(first, last + 1)]

    def strike_all(self) -> int:
        """Kill the daemon at each of these points; returns how many they are."""
        points = self.points()
        for point in points:
            self.strike(point)
        return len(points)

    def strike(self, point: Point) -> None:
        """Kill the daemon there, start it again: the decision must have come true, once."""
        world = self._world
        world.load(self._before)
        world.start(["run"], point, main=True)
        assert world.finish().code == -signal.SIGKILL
        self._carried_out_by_a_daemon()
        world.finish()
        assert world.command(["once"]).code == 0
        assert self._decisions() == 1, point
        assert world.consents()["Dev Acme"] is Consent.OPTED_OUT, point
        assert not world.faults()
        if not self._answer.exists():  # the operator was told that nobody answered, and asks again
            assert world.command(["review", "resolve", str(world.review_of(DEV)), "opt_out"]).code == 0
            assert self._decisions() == 1, point

    def _carried_out_by_a_daemon(self) -> None:
        self._world.start(["run"], main=True)
        wait_until(lambda: "before rename" in self._world.journal() or self._nothing_to_do(), what="the answer")
        self._world.launcher.kill()

    def _nothing_to_do(self) -> bool:
        """Whether the daemon has looked into the folder twice and found nothing there."""
        return not self._file.exists() and self._world.journal().count("mkdir") > 1

    def _decisions(self) -> int:
        return sum(entry["kind"] == "review" for entry in self._world.entries())


def test_a_wish_is_carried_out_once_wherever_the_daemon_is_killed(count: Callable[..., None]) -> None:
    with World("local") as world:
        points = Wish(world).strike_all()
        assert points >= 6
        count(points=points, kills=points)


# --- at random moments -----------------------------------------------------------------------------------


def test_killed_at_random_while_everybody_is_at_work(count: Callable[..., None]) -> None:
    with World("autotask") as world:
        traffic = Traffic(world, seed=1)
        assert world.command(["once"]).code == 0
        people = traffic.flow()
        kills = 0
        while kills < RANDOM_KILLS or any(one.is_alive() for one in people):
            traffic.kill_once()
            kills += 1
        for _ in range(2):
            assert world.command(["once"]).code == 0
        traffic.check()
        assert not world.faults()
        writes = world.writes()
        assert world.command(["once"]).code == 0
        assert world.writes() == writes
        count(kills=kills, random=kills)


# --- the matrix itself -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("defect", "step", "what"),
    [
        (cursor_before_messages, TEXTS, "inside"),
        (write_not_noted, TEXTS, "request"),
        (cascade_in_a_second_commit, CHANGES, "inside"),
    ],
)
def test_the_matrix_catches(defect: Callable[[], None], step: int, what: str) -> None:
    with World("autotask", planted=defect.__name__) as world:
        matrix = Matrix(world)
        matrix.tell(step + 1)
        with pytest.raises(AssertionError, match="differs"):  # noqa: PT012  whichever of the points it is
            for point in matrix.points(step):
                if point.what == what:
                    matrix.strike(step, point)


def test_the_wishes_catch_one_that_is_removed_first() -> None:
    with World("local", planted=wish_removed_first.__name__) as world:
        wish = Wish(world)
        with pytest.raises(AssertionError):
            wish.strike_all()
