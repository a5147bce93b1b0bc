"""How turns are handed out. Time is made by hand where one thread is enough, and short where it is not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from syncd.clock import Clock
from syncd.errors import Stopping, Transient
from syncd.pace import Limits, Pace, urgent


class ByHand(Clock):
    """A clock that moves only when somebody waits."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1000.0

    def monotonic(self) -> float:
        return self.time

    def wait(self, seconds: float) -> bool:
        self.time += seconds
        return False


def paced(limits: Limits) -> tuple[Pace, ByHand]:
    clock = ByHand()
    pace = Pace(clock, limits)
    pace._turn.wait = clock.wait  # type: ignore[method-assign, assignment]
    return pace, clock


def take(pace: Pace, hurry: bool = False) -> None:
    def turn() -> None:
        urgent.set(hurry)
        with pace.turn():
            pass

    copy_context().run(turn)


def times(pace: Pace, clock: ByHand, count: int, hurry: bool = False) -> list[float]:
    """When each of that many turns was given, in seconds from now."""
    start, taken = clock.time, []
    for _ in range(count):
        take(pace, hurry)
        taken.append(round(clock.time - start, 2))
    return taken


def test_a_burst_goes_at_once_and_the_next_one_when_the_window_has_rolled_on() -> None:
    pace, clock = paced(Limits(5, 1.0, 8))
    assert times(pace, clock, 11) == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2]


def test_no_window_of_any_position_holds_more_than_the_limit() -> None:
    pace, clock = paced(Limits(4, 1.0, 8))
    taken = []
    for idle in [0, 0.3, 0.4, 0, 0, 0.2, 0, 0.9, 0, 0, 0, 0, 0.1, 0, 0]:
        clock.time += idle
        take(pace)
        taken.append(clock.time)
    for start in taken:
        assert sum(start <= at < start + 1.0 for at in taken) <= 4


def test_whoever_would_wait_too_long_is_told_when_to_come_back() -> None:
    pace, clock = paced(Limits(2, 3600.0, 8, patience=10.0))
    times(pace, clock, 2)
    clock.time += 600
    with pytest.raises(Transient) as caught:
        take(pace)
    assert caught.value.retry_after == pytest.approx(3000)
    assert clock.time == 1600.0


def test_a_call_that_gave_up_holds_no_turn() -> None:
    pace, clock = paced(Limits(1, 3600.0, 1, patience=0.0))
    take(pace)
    for _ in range(3):
        with pytest.raises(Transient):
            take(pace, hurry=True)
    clock.time += 3600
    take(pace)


def test_an_exception_inside_a_turn_gives_it_back() -> None:
    pace, _ = paced(Limits(10, 1.0, 1))
    for _ in range(3):
        with pytest.raises(KeyError), pace.turn():
            raise KeyError


def test_the_reserve_is_for_urgent_calls_only() -> None:
    pace, clock = paced(Limits(10, 60.0, 8, reserve=0.2, patience=5.0))
    assert times(pace, clock, 8) == [0] * 8
    with pytest.raises(Transient):
        take(pace)
    assert times(pace, clock, 2, hurry=True) == [0, 0]
    with pytest.raises(Transient):
        take(pace, hurry=True)


@pytest.mark.parametrize(
    ("calls", "reserve", "ordinary"), [(1, 0.2, 1), (2, 0.9, 1), (10, 0.3, 7), (10, 0.9, 1), (3, 0.0, 3)]
)
def test_the_reserve_never_shuts_everybody_else_out(calls: int, reserve: float, ordinary: int) -> None:
    pace, clock = paced(Limits(calls, 60.0, 8, reserve=reserve, patience=0.0))
    times(pace, clock, ordinary)
    with pytest.raises(Transient):
        take(pace)


def test_what_others_used_is_taken_off() -> None:
    pace, clock = paced(Limits(10, 100.0, 8, patience=0.0))
    times(pace, clock, 3)
    pace.others_used(8)  # ours are among them: five are not
    times(pace, clock, 2)
    with pytest.raises(Transient):
        take(pace)
    pace.others_used(5)  # and now none is
    times(pace, clock, 5)
    with pytest.raises(Transient):
        take(pace)


def test_a_service_that_others_have_used_up_is_called_again_all_the_same() -> None:
    pace, clock = paced(Limits(10, 100.0, 8, patience=0.0))
    pace.others_used(1000)
    with pytest.raises(Transient) as caught:
        take(pace)
    assert caught.value.retry_after is not None
    assert caught.value.retry_after <= 100
    clock.time += caught.value.retry_after
    take(pace)
    clock.time += 100
    assert times(pace, clock, 10) == [0] * 10


def test_what_others_used_wears_off_evenly() -> None:
    pace, clock = paced(Limits(10, 100.0, 8, patience=1000.0))
    pace.others_used(10)
    assert times(pace, clock, 3) == [10, 20, 30]


def test_whoever_waits_leaves_when_the_process_stops() -> None:
    pace, clock = paced(Limits(1, 5.0, 8))
    take(pace)
    clock.stop()
    with pytest.raises(Stopping):
        take(pace)


# --- several threads --------------------------------------------------------------------------------------


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_no_more_than_so_many_at_once() -> None:
    pace, lock, inside, most = Pace(Clock(), Limits(1000, 1.0, 3)), threading.Lock(), 0, 0

    def call() -> None:
        nonlocal inside, most
        with pace.turn():
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.01)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(12) as pool:
        for done in [pool.submit(call) for _ in range(24)]:
            done.result()
    assert most == 3


def test_an_urgent_call_passes_everybody_who_waits() -> None:
    pace, order = Pace(Clock(), Limits(1000, 1.0, 1)), list[str]()

    def call(name: str, hurry: bool) -> None:
        urgent.set(hurry)
        with pace.turn():
            order.append(name)

    threads = [threading.Thread(target=call, args=(f"cascade {n}", False)) for n in range(5)]
    with pace.turn():
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        stop = threading.Thread(target=call, args=("#Stop", True))
        stop.start()
        until(lambda: pace._urgent_waiting)
    for thread in [*threads, stop]:
        thread.join(5)
    assert order[0] == "#Stop"
    assert len(order) == 6


def test_a_real_burst_waits_for_real_time() -> None:
    pace = Pace(Clock(), Limits(5, 0.2, 8))
    start = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(take, pace) for _ in range(11)]:
            done.result()
    assert 0.4 <= time.monotonic() - start < 0.9
