"""CORE: what the companies of a contact mean for it.

A contact belongs to one company at a time and may move. From where it belonged and from what each company's
approval field showed, this module derives the two things that the policy needs: the approval state at each moment,
and the company opt-outs that count for the contact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from syncd.model import LONG_AGO, CompanyHistory, CompanyOptedOut, CompanyState

_END = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Step:
    """One observed change of a company's approval field; `state` is the raw one, `seq` its ledger entry."""

    seq: int
    at: datetime
    state: CompanyState


@dataclass(frozen=True, slots=True)
class Membership:
    """A contact belonged to a company (None: to none) from `since` until `until` (None: still does)."""

    company_id: str | None
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class _Span:
    """An effective state of one company, from `since` until `until`; `opt_out` is the act that began it."""

    state: CompanyState
    since: datetime
    until: datetime
    opt_out: Step | None


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

    memberships: oldest first, without gaps; before the first one the contact is taken to have been there already
    steps:       of each company concerned, oldest first

    Every opt-out of the present company counts, and of an earlier company every one until the contact left it:
    they stay with the people they reached, and leaving revives nothing.
    """
    states: list[tuple[datetime, CompanyState]] = []
    opt_outs: dict[int, CompanyOptedOut] = {}
    for index, membership in enumerate(memberships):
        since = membership.since if index else LONG_AGO
        until = membership.until or _END
        spans = _spans(steps.get(membership.company_id, ())) if membership.company_id is not None else []
        if not spans:
            states.append((since, CompanyState.UNSET))
        for span in spans:
            if span.since < until and span.until > since:
                states.append((max(since, span.since), span.state))
            act = span.opt_out
            if act is not None and act.at < until:
                opt_outs[act.seq] = CompanyOptedOut(act.seq, act.at, str(membership.company_id))
    return CompanyHistory(tuple(states)), list(opt_outs.values())


def _spans(steps: Iterable[Step]) -> list[_Span]:
    """Effective states; the first one reaches back to the beginning, as nobody knows better."""
    seen: list[Step] = []
    spans: list[_Span] = []
    for step in steps:
        opt_out = step if is_opt_out(seen, step.state) else None
        seen.append(step)
        if spans:
            last = spans[-1]
            spans[-1] = _Span(last.state, last.since, step.at, last.opt_out)
        spans.append(_Span(effective_state(seen), step.at if spans else LONG_AGO, _END, opt_out))
    return spans
