"""The simulation: it finds nothing in the product, tells a story twice alike, and finds every planted bug."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mutants import MUTANTS, planting

from syncd.sandbox.simulate.report import Sum, play_all
from syncd.sandbox.simulate.run import Result, play, smallest
from syncd.sandbox.simulate.stage import MemoryDatabase

ON, OFF = True, False


@pytest.fixture(scope="module")
def database() -> Iterator[MemoryDatabase]:
    made = MemoryDatabase()
    yield made
    made.close()


def test_nothing_is_found_in_the_product() -> None:
    total = Sum()
    for result in play_all([str(seed) for seed in range(20)], (ON, OFF)):
        total.add(result)
    assert [(one.seed, one.healing, one.failure) for one in total.failed] == []
    assert total.runs == 40
    assert total.counts["kills"] > 20
    assert total.counts["contacts compared with the oracle"] > 100


def test_a_seed_tells_the_same_story_again(database: MemoryDatabase) -> None:
    for seed in ("3", "4"):
        first, again = (play(seed, database, healing=ON) for _ in range(2))
        assert (first.faults, first.counts, first.virtual) == (again.faults, again.counts, again.virtual)


def test_the_smallest_story_still_fails(database: MemoryDatabase) -> None:
    bug = "in the same second the opt-in wins"
    failed = first_failure(bug, (ON,), 100, database)
    assert failed is not None
    with planting(bug):
        story, result = smallest(failed, database, tries=60)
    assert result.failure is not None
    events = sum(len(moment.events) + len(moment.meanwhile) for moment in story.moments)
    assert events < failed.counts["events"]
    assert play(failed.seed, database, healing=ON, story=story).failure is None, "without the bug all holds"


# --- planted bugs ----------------------------------------------------------------------------------------
#
# Which law each breaks (the letters are those of `syncd.sandbox.simulate.judge`), and where. "off": the healing
# layers hide it; "on": only with them can it be told from the product; "": either. The budget is one run of CI's.

BUDGET = 1500
FOUND = {
    "the cursor is committed before the messages": ("off", "e"),
    "a write whose answer was lost is repeated without a look": ("", "de"),
    "a second text of the same second is not looked for": ("on", "abce"),
    "there is no sweep": ("on", "e"),
    "the last to arrive wins": ("", "abce"),
    "an answer of HTTP 500 is an empty one": ("off", "e"),
    "after four attempts it gives up": ("", "abce"),
    "a cascade is done before its people are": ("", "abce"),
    "nobody looks who joins a company that is opted out": ("", "abce"),
    "the time of the next try is kept by the wall clock": ("", "abce"),
    "a malformed answer is an empty one": ("off", "e"),
    "what was decided once is sent, whatever has come since": ("", "b"),
    "what was seen before is kept in memory only": ("", "e"),
    "in the same second the opt-in wins": ("", "abce"),
    "a text that no database takes ends the pass": ("", "z"),
    "a list counts as read although a conversation of it could not be": ("", "abce"),
    "after a 401 a service is not called again": ("", "abce"),
    "texts and evidence are committed one after the other": ("", "e"),
    "our own text counts as the client's": ("", "e"),
    "stop anywhere in a text opts out": ("", "e"),
    "a filter is trusted": ("", "abce"),
    "a write is not read back": ("", "e"),
    "a write sends back the whole contact as it was listed": ("", "ef"),
    "a person's edit is overlooked": ("", "e"),
    "opt-ins from before a company's opt-out come back on a move": ("", "abce"),
    "the brake is ignored": ("", "g"),
    "no last look before an opt-in leaves": ("", "b"),
    "what is about to be sent is not noted": ("", "e"),
    "our texts make no reply of theirs": ("", "abce"),
    "a held opt-in does not wait for the company": ("", "abce"),
    "a lost approval opts nobody out": ("", "abce"),
    "an opt-in overtakes what was texted while syncd was down": ("", "b"),
    "an opt-in reaches everybody who shares the number": ("", "abce"),
    "opt-ins of the history take effect without a look": ("", "abce"),
    "an unclear text does not hold up a tacit opt-in": ("", "abce"),
    "what nobody's number texted is forgotten": ("", "e"),
    "an opt-out leaves inactive contacts out": ("", "abce"),
    "a batch whose commit fails stays in flight": ("", "abce"),
    "an inbound opt-in lifts an opt-out of the company": ("", "abce"),
    "an opt-out that was decided in review is not one": ("", "abce"),
    "an opt-in is written over what was just read": ("", "b"),
    "while a write is under way no edit is believed": ("", "be"),
    "an opt-in by staff counts as made when it was seen": ("", "e"),
}


def first_failure(name: str, modes: tuple[bool, ...], budget: int, database: MemoryDatabase) -> Result | None:
    with planting(name):
        for seed in range(budget):
            for healing in modes:
                result = play(str(seed), database, healing=healing)
                if result.failure:
                    return result
    return None


def test_every_planted_bug_has_its_law() -> None:
    assert FOUND.keys() == MUTANTS.keys()
    assert len(MUTANTS) >= 30


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(name: str, database: MemoryDatabase) -> None:
    where, laws = FOUND[name]
    result = first_failure(name, {"on": (ON,), "off": (OFF,)}.get(where, (ON, OFF)), BUDGET, database)
    assert result is not None, "the simulation has gone blind for it"
    assert result.failure is not None
    assert result.failure[1] in laws, result.failure
