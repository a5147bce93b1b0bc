"""CORE: what the companies of a contact mean for it.

A contact belongs to one company at a time and may move. From where it belonged and from what each company's
approval field showed, this module derives the two things that the policy needs: the approval state at each moment,
and the company opt-outs that count for the contact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncd.model import LONG_AGO, CompanyHistory, CompanyOptedOut, CompanyState


@dataclass(frozen=True, slots=True)
class Step:
    """One observed change of a company's approval field; `state` is the raw one, `seq` its ledger entry."""

    seq: int
    at: datetime
    state: CompanyState


@dataclass(frozen=True, slots=True)
class Membership:
    """A contact belongs to a company (None: to none) from this ledger entry until that of its next membership."""

    seq: int
    at: datetime
    company_id: str | None


def effective_state(steps: Sequence[Step]) -> CompanyState:
    """What counts now. Fail closed: approved once and now unset counts as opted out."""
    raw = steps[-1].state if steps else CompanyState.UNSET
    approved_once = any(step.state is CompanyState.APPROVED for step in steps)
    return CompanyState.OPTED_OUT if raw is CompanyState.UNSET and approved_once else raw


def is_opt_out(steps: Sequence[Step], state: CompanyState) -> bool:
    """Whether this raw state, following these steps, is a company opt-out.

    Setting the opt-out value is one, each time; so is losing the approval that was there. A company first seen
    opted out is opted out from that moment.
    """
    last = steps[-1].state if steps else None
    if state is last:
        return False
    return state is CompanyState.OPTED_OUT or (state is CompanyState.UNSET and last is CompanyState.APPROVED)


def history(
    memberships: Sequence[Membership], steps: Mapping[str, Sequence[Step]]
) -> tuple[CompanyHistory, list[CompanyOptedOut]]:
    """The approval state over time for a contact, and the company opt-outs that count for it.

    memberships: oldest first; before the first one the contact is taken to have been there already
    steps:       of each company concerned, oldest first

    What came first is told by the ledger's order, never by dates: our clock may have been set back in between.

    Every opt-out of the present company counts, and of an earlier company every one until the contact left it:
    they stay with the people they reached, and leaving revives nothing.
    """
    states: list[tuple[datetime, CompanyState]] = []
    opt_outs: dict[int, CompanyOptedOut] = {}
    left = [membership.seq for membership in memberships[1:]]
    for index, membership in enumerate(memberships):
        entered, at = (membership.seq, membership.at) if index else (0, LONG_AGO)
        known = steps.get(membership.company_id, ()) if membership.company_id is not None else ()
        own = [step for step in known if index >= len(left) or step.seq < left[index]]
        # What a company was before it was first seen, nobody knows better than its first state.
        before = [step for step in own if step.seq < entered] or known[:1]
        states.append((at, effective_state(before)))
        for place, step in enumerate(own):
            if step.seq > entered:
                states.append((step.at, effective_state(own[: place + 1])))
            if is_opt_out(own[:place], step.state):
                opt_outs[step.seq] = CompanyOptedOut(step.seq, step.at, str(membership.company_id))
    return CompanyHistory(_in_order(states)), list(opt_outs.values())


def _in_order(states: Sequence[tuple[datetime, CompanyState]]) -> tuple[tuple[datetime, CompanyState], ...]:
    """The same with dates that never go back."""
    ordered: list[tuple[datetime, CompanyState]] = []
    for at, state in states:
        ordered.append((max(at, ordered[-1][0]) if ordered else at, state))
    return tuple(ordered)
