"""May we text a number, and why: the policy's answer, decided anew from the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from syncd.model import CompanyState, Consent, PhoneNumber, Rules, Verdict
from syncd.policy import decide
from syncd.store import evidence, mirror, overview
from syncd.store.database import Connection


def explain(connection: Connection, number: PhoneNumber, rules: Rules) -> dict[str, Any]:
    """May we text this number, who has it, and why. Decided anew from the ledger, not read from a cache."""
    names = {company.id: company.name for company in mirror.known_companies(connection).values()}
    people = []
    verdicts: list[tuple[evidence.Case, Verdict]] = []
    for case in evidence.cases(connection, list(overview.owners(connection, number))):
        verdict = decide(case.contact, case.evidence, case.company, rules)
        verdicts.append((case, verdict))
        people.append(
            {
                "id": case.contact.id,
                "name": case.contact.name,
                "company": names.get(str(case.contact.company_id), case.contact.company_id),
                "company_state": case.company.now.value,
                "active": case.contact.active,
                "shown": case.mirror.shown,
                "desired": verdict.desired,
                "reason": verdict.reason,
                "clause": verdict.clause,
                "held": verdict.held,
                "evidence": list(verdict.evidence),
                "review": list(verdict.review),
            }
        )
    may, why = _may_text(verdicts)
    numbers = {number, *(one for case, _ in verdicts for one in case.contact.numbers)}
    if may and numbers.intersection(chain.from_iterable(mirror.unread(connection).values())):
        may, why = False, "not proven: a conversation with them cannot be read now, and may hold an opt-out"
    return {
        "number": number,
        "may_text": may,
        "reason": why,
        "contacts": sorted(people, key=lambda one: str(one["id"])),
    }


def _may_text(verdicts: Iterable[tuple[evidence.Case, Verdict]]) -> tuple[bool, str]:
    """Yes only on proof: the company approves and the evidence says opted in, for everybody with that number."""
    verdicts = list(verdicts)
    active = [(case, verdict) for case, verdict in verdicts if case.contact.active]
    if any(verdict.desired is Consent.OPTED_OUT for _, verdict in verdicts):
        return False, "no: opted out"
    if not active:
        return False, "no: no active contact has this number"
    if any(case.company.now is not CompanyState.APPROVED for case, _ in active):
        return False, "no: the company has not approved texting"
    if any(case.mirror.shown is Consent.OPTED_OUT for case, _ in active):
        return False, "no: the PSA shows opted out"
    if all(verdict.desired is Consent.OPTED_IN for _, verdict in active):
        return True, "yes: the company approved, and the person opted in"
    if any(case.mirror.shown is Consent.OPTED_IN for case, _ in active):
        return False, "not proven: the PSA shows opted in, but no evidence of it is known; ask for a #Go"
    return False, "no: nobody opted in; a lack of opt-in is not opt-in"
