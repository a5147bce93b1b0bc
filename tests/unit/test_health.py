"""When a service that fails is tried again, and what of it is told."""

from __future__ import annotations

from itertools import pairwise

import pytest
from fakes import FakeClock, FakeLog

from syncd.errors import Ambiguous, AuthRefused, ConfigProblem, Permanent, ShapeChanged, Transient
from syncd.health import Health, Latch

POLL = 30.0


class Rig:
    """Some healths that share a latch, on a clock that only the test moves."""

    def __init__(self, *names: str) -> None:
        self.clock = FakeClock()
        self.log = FakeLog()
        latch = Latch(self.clock)
        self.healths = [Health(name, self.clock, self.log, POLL, latch) for name in names]

    def calls(self, seconds: float, error: Exception | None, step: float = 1.0) -> list[float]:
        """When the service was called while every health tried all the time for so long."""
        begun, called = self.clock.ticks, []
        while self.clock.ticks < begun + seconds:
            for health in self.healths:
                if health.enter():
                    called.append(self.clock.ticks - begun)
                    if error:
                        health.failed(error)
                    else:
                        health.worked()
            self.clock.advance(step)
        return called


def test_intervals_double_up_to_ten_polls() -> None:
    rig = Rig("psa")
    called = rig.calls(30 * POLL + 31 * POLL, Transient("HTTP 500"))
    gaps = [(after - before) / POLL for before, after in pairwise(called)]
    assert gaps[:7] == [1, 2, 4, 8, 10, 10, 10]


def test_success_begins_anew() -> None:
    rig = Rig("psa")
    [health] = rig.healths
    for _ in range(6):
        health.failed(Transient("HTTP 500"))
    health.worked()
    assert health.enter()
    health.failed(Transient("HTTP 500"))
    assert health.wait() == POLL


@pytest.mark.parametrize("asked", [1.0, 90.0, 900.0])
def test_service_that_says_when_is_asked_then(asked: float) -> None:
    rig = Rig("psa")
    assert rig.calls(asked + 2, Transient("HTTP 429", retry_after=asked))[:2] == [0, asked]


def test_lost_answer_is_a_passing_failure() -> None:
    rig = Rig("psa")
    [health] = rig.healths
    health.failed(Transient("HTTP 500"))
    health.failed(Ambiguous("sent, the answer was lost"))
    assert rig.log.events() == ["failed"]
    assert health.unreachable


def test_refused_credentials_are_tried_once_in_five_minutes_by_all_together() -> None:
    rig = Rig("companies", "contacts", "opt-outs", "writes")
    called = rig.calls(3600, AuthRefused("401"))
    assert all(after - before >= 300 for before, after in pairwise(called))
    assert len(called) == 12


def test_refused_credentials_stop_nobody_with_another_latch() -> None:
    refused, other = Rig("container 1"), Rig("container 2")
    refused.calls(10, AuthRefused("401"))
    assert len(other.calls(10, None)) == 10


def test_accepted_credentials_let_everybody_in() -> None:
    rig = Rig("companies", "contacts")
    rig.calls(10, AuthRefused("401"))
    rig.clock.advance(300)
    assert len(rig.calls(3, None)) >= 5


def test_other_failure_while_refused_lets_nobody_else_in() -> None:
    rig = Rig("companies", "contacts")
    rig.calls(10, AuthRefused("401"))
    rig.clock.advance(300)
    assert len(rig.calls(290, Transient("HTTP 500"))) == 1


def test_reload_tries_at_once() -> None:
    rig = Rig("companies")
    rig.calls(10, AuthRefused("401"))
    assert Rig("companies").healths[0].enter()


def test_config_problem_is_no_reason_to_hurry_and_none_to_give_up() -> None:
    rig = Rig("psa")
    assert rig.calls(25 * POLL, ConfigProblem("the field is gone")) == [0, 10 * POLL, 20 * POLL]
    assert not rig.healths[0].unreachable


def test_failure_is_told_when_its_kind_changes_and_recovery_once() -> None:
    rig = Rig("PSA companies")
    [health] = rig.healths
    for error in (
        Transient("HTTP 500"),
        Transient("HTTP 502"),
        ShapeChanged("no list"),
        ShapeChanged("still none"),
        AuthRefused("401"),
        Permanent("404"),
        ValueError("our bug"),
        ValueError("our bug"),
    ):
        health.failed(error)
    health.worked()
    health.worked()
    told = [(level, event, facts.get("error"), facts.get("alert", False)) for level, event, facts in rig.log.lines]
    assert told == [
        ("warning", "failed", "HTTP 500", False),
        ("error", "failed", "no list", True),
        ("error", "failed", "401", True),
        ("warning", "failed", "404", False),
        ("error", "failed by a defect of syncd", None, True),
        ("info", "works again", None, False),
    ]
    assert health.error is None


def test_same_failure_is_told_again_after_a_recovery() -> None:
    rig = Rig("psa")
    [health] = rig.healths
    for _ in range(2):
        health.failed(Transient("HTTP 500"))
        health.worked()
    assert rig.log.events() == ["failed", "works again"] * 2


def test_error_without_words_is_named_by_its_kind() -> None:
    rig = Rig("psa")
    rig.healths[0].failed(ValueError())
    assert rig.healths[0].error == "a defect of syncd (ValueError); see the log"
