"""The evidence on one contact, put together twice: from what truly happened, and from the ledger alone.

Texts are taken from the world (or from the ledger, to see whether it would do alone). What staff and companies
do is dated by when syncd saw it, as the policy says, so that is taken from the ledger in both cases; the judge
sees to it that what the ledger tells of them is true, and all of it. Nothing here uses `syncd.membership` or the
store's queries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from syncd.model import (
    LONG_AGO,
    CompanyHistory,
    CompanyOptedOut,
    CompanyState,
    Consent,
    Contact,
    Evidence,
    Intent,
    PhoneNumber,
    StaffEdited,
    Texted,
)
from syncd.sandbox.simulate.oracle import is_opt_out
from syncd.sandbox.simulate.stage import CLOCK_STEPS
from syncd.sandbox.simulate.vendors import Sent
from syncd.store.times import moment

FUTURE = timedelta(minutes=10)
INTENTS = {
    "opt_out": Intent.OPT_OUT,
    "opt_in": Intent.OPT_IN,
    "ordinary": Intent.ORDINARY,
    "unclear": Intent.UNCLEAR,
}


@dataclass(slots=True)
class Observed:
    """The ledger, sorted by what it tells."""

    companies: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    people: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    staff: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    texts: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    texts_of: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    replies: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    decisions: dict[int, Any] = field(default_factory=dict)
    writes: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0

    @classmethod
    def of(cls, entries: Iterable[dict[str, Any]]) -> Observed:
        """Sort the entries of a ledger."""
        seen = cls()
        for entry in entries:
            seen.count = entry["seq"]
            entry["at"] = moment(entry["at"])
            match entry["kind"]:
                case "company":
                    seen.companies[entry["company"]].append(entry)
                case "contact":
                    seen.people[entry["contact"]].append(entry)
                case "staff":
                    seen.staff[entry["contact"]].append(entry)
                case "message":
                    entry["sent"] = moment(entry["sent"])
                    seen.texts[entry["conversation"], entry["message"]].append(entry)
                    seen.texts_of[entry["number"]].append(entry)
                case "outbound":
                    seen.replies[entry["number"]].append(moment(entry["sent"]))
                case "write":
                    seen.writes.append(entry)
                case "review":
                    seen.decisions[entry["of"]] = entry["decision"]
        return seen

    def here(self) -> dict[str, dict[str, Any]]:
        """The latest entry of every contact that is not gone."""
        return {one: told[-1] for one, told in self.people.items() if not told[-1].get("gone")}

    def shared(self, number: str) -> bool:
        """Whether active contacts of several companies have this number."""
        owners = [one for one in self.here().values() if number in one["numbers"] and one["active"]]
        return len({one["company"] for one in owners}) > 1

    def relatives(self, number: str) -> set[str]:
        """Every number that a contact ever had together with this one."""
        told = [entry["numbers"] for entries in self.people.values() for entry in entries]
        return {number}.union(*(numbers for numbers in told if number in numbers))


@dataclass(frozen=True, slots=True)
class Case:
    """All that counts for one contact."""

    contact: Contact
    evidence: list[Evidence]
    company: CompanyHistory


def case(seen: Observed, contact: str, texts: Sequence[Texted]) -> Case:
    """These texts of a contact, with what was observed of it and its companies."""
    told = seen.people[contact]
    now = told[-1]
    evidence: list[Evidence] = list(texts)
    evidence += [
        StaffEdited(one["seq"], one["at"], Consent(one["after"]), one["known"]) for one in seen.staff[contact]
    ]
    evidence += _company_opt_outs(seen, told)
    active = now["active"] and not now.get("gone")
    numbers = tuple(PhoneNumber(one) for one in now["numbers"])
    return Case(Contact(contact, now["company"], "", numbers, active, None), _dated(evidence), _states(seen, told))


def true_texts(
    seen: Observed, sent: Sequence[Sent], contact: str, first_polls: Mapping[PhoneNumber, datetime], *, wide: bool
) -> list[Texted]:
    """What the person truly texted.

    `wide`: a text of ours to any number of theirs, ever, makes theirs a reply; so does one that was read while our
    clock was behind, also at the time that it showed.
    """
    found = []
    for number in seen.people[contact][-1]["numbers"]:
        around = seen.relatives(number) if wide else {number}
        ours = [text.at for text in sent if text.outbound and text.theirs in around]
        ours += [at + step for at in ours for step in CLOCK_STEPS if wide and step < timedelta(0)]
        own = [text for text in sent if text.theirs == number and text.meant in INTENTS]
        found += [_true_text(seen, text, ours, first_polls) for text in own]
    return found


def _true_text(
    seen: Observed, text: Sent, ours: Sequence[datetime], first_polls: Mapping[PhoneNumber, datetime]
) -> Texted:
    told = seen.texts.get((text.conversation, text.id))
    seq = told[0]["seq"] if told else 0
    ahead = told is not None and text.at > told[0]["at"] + FUTURE
    doubt = None
    if ahead:
        doubt = "future date"
    elif text.at < first_polls[text.line].replace(microsecond=0):
        doubt = "history"
    elif seen.shared(text.theirs):
        doubt = "shared number"
    return Texted(
        seq=seq,
        at=told[0]["at"] if told and ahead else text.at,
        number=text.theirs,
        message_id=text.id,
        intent=INTENTS[text.meant],
        starts=text.meant == "ordinary",
        last_outbound=max((at for at in ours if at < text.at + timedelta(seconds=1)), default=None),
        doubt=doubt,
        decision=seen.decisions.get(seq),
        seen=ahead,
    )


def told_texts(seen: Observed, contact: str) -> list[Texted]:
    """What the ledger says that the person texted."""
    found = []
    for number in seen.people[contact][-1]["numbers"]:
        for told in seen.texts_of[number]:
            ours = [
                at
                for at in seen.replies[number]
                if at < told["sent"].replace(microsecond=0) + timedelta(seconds=1)
            ]
            if told["last_outbound"]:
                ours.append(moment(told["last_outbound"]))
            text = Texted(
                seq=told["seq"],
                at=told["sent"],
                number=number,
                message_id=told["message"],
                intent=Intent(told["intent"]),
                starts=told["starts"],
                last_outbound=max(ours, default=None),
                doubt=told["doubt"] or ("shared number" if seen.shared(number) else None),
                decision=seen.decisions.get(told["seq"]),
                seen=told["seen"],
            )
            found.append(text)
    return found


def _dated(evidence: list[Evidence]) -> list[Evidence]:
    """What we date ourselves comes after every text that had been read by then."""
    texts = [one for one in evidence if isinstance(one, Texted)]
    dated: list[Evidence] = []
    for one in evidence:
        if is_opt_out(one) and not (isinstance(one, Texted) and not one.seen):
            before = [text.at for text in texts if 0 < text.seq < one.seq]
            one = replace(one, at=max([one.at, *before]))
        dated.append(one)
    return dated


# --- companies -------------------------------------------------------------------------------------------


def _state(steps: Sequence[dict[str, Any]], seq: int) -> CompanyState:
    """What counts of a company by that ledger entry. Before we first saw it, it was what it was then."""
    so_far = [step for step in steps if step["seq"] <= seq] or list(steps[:1])
    states = [CompanyState(step["after"]) for step in so_far]
    if states and states[-1] is CompanyState.UNSET and CompanyState.APPROVED in states:
        return CompanyState.OPTED_OUT
    return states[-1] if states else CompanyState.UNSET


def _belonged(told: Sequence[dict[str, Any]]) -> list[tuple[int, datetime, str | None]]:
    """Since which entry the contact has belonged to which company."""
    moves: list[tuple[int, datetime, str | None]] = []
    for entry in told:
        if not moves or entry["company"] != moves[-1][2]:
            moves.append((entry["seq"] if moves else 0, entry["at"] if moves else LONG_AGO, entry["company"]))
    return moves


def _states(seen: Observed, told: Sequence[dict[str, Any]]) -> CompanyHistory:
    """By the order in which things were seen; the clock may have been set back in between."""
    moves = _belonged(told)
    dates = {seq: at for seq, at, _ in moves}
    dates |= {step["seq"]: step["at"] for _, _, one in moves if one for step in seen.companies[one]}
    states = []
    for seq in sorted(dates):
        company = [company for since, _, company in moves if since <= seq][-1]
        when = max(at for other, at in dates.items() if other <= seq)
        states.append((when, _state(seen.companies[company], seq) if company else CompanyState.UNSET))
    return CompanyHistory(tuple(states))


def _company_opt_outs(seen: Observed, told: Sequence[dict[str, Any]]) -> list[CompanyOptedOut]:
    """Every opt-out of the company it is in, and of those it was in until it left."""
    found = {}
    moves = _belonged(told)
    for index, (_, _, company) in enumerate(moves):
        left = moves[index + 1][0] if index + 1 < len(moves) else None
        before = None
        for step in seen.companies[company] if company else ():
            after = CompanyState(step["after"])
            lost = after is CompanyState.UNSET and before is CompanyState.APPROVED
            opts_out = after is not before and (after is CompanyState.OPTED_OUT or lost)
            if opts_out and (left is None or step["seq"] < left):
                found[step["seq"]] = CompanyOptedOut(step["seq"], step["at"], str(company))
            before = after
    return list(found.values())
