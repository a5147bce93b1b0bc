"""One seed from its beginning to its verdict, and the smallest story that still fails."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta

from syncd.sandbox.simulate.chance import Chance
from syncd.sandbox.simulate.judge import Judge
from syncd.sandbox.simulate.stage import (
    BEGIN,
    CLOCK_STEPS,
    PIECES,
    POLL,
    POLLS,
    SWEEP,
    Broken,
    MemoryDatabase,
    Stage,
)
from syncd.sandbox.simulate.story import Author, Story, without
from syncd.store import mirror

# Longer than any service may ask us to wait.
LONGEST_PAUSE = 901.0

# An opt-out is in the PSA after so many passes, once nothing holds it up any more.
PASSES = 1

# A text of the same second as one that was read already is found by the re-reads that follow at once.
REREADS = 4

# What only re-reads and the sweep can find is not put into a world without them.
ONLY_HEALED = frozenset({"late text"})


@dataclass(slots=True)
class Result:
    """How a seed ended. `failure` is what did not hold, or None."""

    seed: str
    healing: bool
    failure: str | None = None
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    virtual: timedelta = timedelta(0)


def play(seed: str, database: MemoryDatabase, *, healing: bool, story: Story | None = None) -> Result:
    """Tell the story of a seed, let it come to rest, and judge it."""
    told = story or Author(seed).story()
    stage = Stage(told, Chance(seed, frozenset() if healing else ONLY_HEALED), database, healing=healing)
    judge = Judge(stage)
    result = Result(seed, healing)
    try:
        _tell(stage, judge)
        _rest(stage, judge)
    except Broken as broken:
        result.failure = str(broken)
    result.counts = judge.counts
    result.counts["events"] += sum(len(moment.events) + len(moment.meanwhile) for moment in told.moments)
    result.counts["kills"] += stage.kills
    result.counts["writes that the PSA took"] += sum(edit.by_us for edit in stage.psa.edits)
    result.faults = stage.chance.hits
    result.virtual = stage.clock.true() - BEGIN
    return result


def _tell(stage: Stage, judge: Judge) -> None:
    stage.open()
    for index, moment in enumerate(stage.story.moments):
        stage.moment(moment.pause, moment.events, moment.meanwhile)
        if index % 4 == 0:
            judge.note_head()


def _rest(stage: Stage, judge: Judge) -> None:
    """All faults end, and the world is left alone."""
    stage.calm_down()
    stage.clock.passed += LONGEST_PAUSE
    if not all(text.prompt or text.late for text in stage.vox.texts):
        for _ in range(REREADS):
            stage.work(POLLS)
            stage.clock.passed += POLL
    for _ in range(PASSES):
        stage.work(PIECES)
        with stage.undisturbed() as connection:
            held = mirror.braked(connection)
        if held:
            judge.released()
            stage.release_brake()
            stage.work(PIECES)
        stage.clock.passed += POLL
    judge.at_rest(prompt_only=stage.healing)
    if stage.healing:
        # By our clock, which may have been ahead when a conversation was read.
        stage.clock.passed += (SWEEP + max(CLOCK_STEPS)).total_seconds()
        for _ in range(PASSES):
            stage.work(PIECES)
            stage.clock.passed += POLL
        judge.at_rest(prompt_only=False)
    else:  # who came while others were deleted is known only now, and then those are believed to be gone
        stage.work(PIECES)
    before = judge.effects()
    stage.work(PIECES)
    judge.quiet(before)
    judge.ledger_holds()
    judge.other_fields()


def _alike(one: str | None, other: str | None) -> bool:
    """Whether two failures are of the same kind: who and what they name may differ."""
    kinds = [[word for word in (text or "").split() if word.isalpha()][:4] for text in (one, other)]
    return one is not None and kinds[0] == kinds[1]


def smallest(failed: Result, database: MemoryDatabase, tries: int = 600) -> tuple[Story, Result]:
    """Leave out whatever can be left out so that the seed still fails."""
    story, best = Author(failed.seed).story(), failed

    def still_fails(shorter: Story) -> Result | None:
        nonlocal tries
        tries -= 1
        result = play(failed.seed, database, healing=failed.healing, story=shorter)
        return result if _alike(result.failure, failed.failure) else None

    again = True
    while again and tries > 0:
        again = False
        for place in reversed(range(len(story.moments))):
            count = len(story.moments[place].events) + len(story.moments[place].meanwhile)
            for event in (None, *reversed(range(count))):
                shorter = replace(story, moments=without(story.moments, place, event))
                if tries > 0 and (result := still_fails(shorter)):
                    story, best, again = shorter, result, True
                    if event is None:
                        break
        for place in reversed(range(len(story.opening))):
            opening = story.opening[:place] + story.opening[place + 1 :]
            if tries > 0 and (result := still_fails(replace(story, opening=opening))):
                story, best, again = replace(story, opening=opening), result, True
    return story, best
