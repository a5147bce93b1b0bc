"""What the state means to a person: status, one number explained, the review queue. Reads only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, and_, func, select

from syncd.model import CompanyState, Consent, PhoneNumber, Rules, Verdict
from syncd.plan import PARKED_AFTER
from syncd.policy import decide
from syncd.store import evidence, mirror
from syncd.store.schema import companies, contact_numbers, contacts, ledger, lines, reviews

_HERE = contacts.c.gone.is_(False)


def status(connection: Connection) -> dict[str, Any]:
    """What `syncd status --json` prints; counts unless said otherwise."""
    unproven = and_(_HERE, contacts.c.shown == Consent.OPTED_IN.value, contacts.c.desired.is_(None))
    brakes = mirror.braked(connection)
    return {
        "pending": mirror.count_waiting(connection),
        "held": _count(connection, and_(_HERE, contacts.c.held.is_(True))),
        "unmatched": len(unmatched(connection)),
        "review": len(review_queue(connection)),
        "unproven": _count(connection, unproven),
        "parked": _parked(connection),
        "brake": next(iter(brakes.values()), None),
        "numbers": [
            {
                "number": row.number,
                "last_good_pass": row.last_good_pass,
                "error": row.error,
                "gap": row.gap,
            }
            for row in connection.execute(select(lines).order_by(lines.c.number))
        ],
        "psa": {
            what: mirror.fact(connection, f"psa:{what}") or {"last_good": None, "error": None}
            for what in ("companies", "contacts", "opt-outs", "writes")
        },
        "contacts": _count(connection, _HERE),
        "companies": int(connection.execute(select(func.count()).select_from(companies)).scalar_one()),
        "stale": _count(connection, contacts.c.stale.is_(True)),
    }


def _count(connection: Connection, condition: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(contacts).where(condition)).scalar_one())


def _parked(connection: Connection) -> list[dict[str, Any]]:
    wanted = select(contacts).where(
        _HERE, contacts.c.attempts >= PARKED_AFTER, contacts.c.wanted_since.is_not(None)
    )
    return [
        {
            "contact": row.id,
            "name": row.name,
            "wanted": row.desired,
            "since": row.wanted_since,
            "attempts": row.attempts,
            "reason": row.trouble,
        }
        for row in connection.execute(wanted.order_by(contacts.c.wanted_since))
    ]


def unmatched(connection: Connection) -> list[str]:
    """Phone numbers with evidence that no contact has."""
    owned = (
        select(contact_numbers.c.number).join(contacts, contacts.c.id == contact_numbers.c.contact).where(_HERE)
    )
    wanted = select(ledger.c.number).where(ledger.c.kind == "message", ledger.c.number.like("+%"))
    return sorted(connection.execute(wanted.where(ledger.c.number.not_in(owned)).distinct()).scalars().all())


def review_queue(connection: Connection) -> list[dict[str, Any]]:
    """Texts that wait for a person: unclear ones, and opt-ins that are doubtful; oldest first."""
    decided = select(reviews.c.seq)
    # The body is canonical JSON: inside a person's text the quotes would be escaped.
    unclear = (
        select(ledger.c.seq)
        .where(ledger.c.kind == "message", ledger.c.body.like('%"intent":"unclear"%'))
        .where(ledger.c.seq.not_in(decided))
    )
    seqs = set(connection.execute(unclear).scalars())
    for row in connection.execute(select(contacts.c.review).where(_HERE, contacts.c.review != "[]")):
        seqs.update(json.loads(row.review))
    return [_waiting(connection, seq) for seq in sorted(seqs)]


def _waiting(connection: Connection, seq: int) -> dict[str, Any]:
    body = connection.execute(select(ledger.c.body).where(ledger.c.seq == seq)).scalar_one()
    entry = json.loads(body)
    owners = [row.name for row in connection.execute(_owners(entry["number"]))]
    why = entry["doubt"] if entry["intent"] != "unclear" else f"unclear ({entry['rule']})"
    return {
        "seq": seq,
        "sent": entry["sent"],
        "number": entry["number"],
        "text": entry["text"],
        "reads": entry["intent"],
        "why": why or evidence.SHARED,
        "contacts": owners,
    }


def _owners(number: str) -> Any:
    return (
        select(contacts)
        .join(contact_numbers, contact_numbers.c.contact == contacts.c.id)
        .where(contact_numbers.c.number == number, _HERE)
        .order_by(contacts.c.id)
    )


def explain(connection: Connection, number: PhoneNumber, rules: Rules) -> dict[str, Any]:
    """May we text this number, who has it, and why. Decided anew from the ledger, not read from a cache."""
    rows = {row.id: row for row in connection.execute(_owners(number))}
    names = {row.id: row.name for row in connection.execute(select(companies.c.id, companies.c.name))}
    people = []
    verdicts: list[tuple[evidence.Case, Verdict]] = []
    for case in evidence.cases(connection, list(rows)):
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


def trail(connection: Connection, seqs: Iterable[int]) -> list[dict[str, Any]]:
    """The ledger entries with these sequence numbers."""
    wanted = select(ledger.c.body).where(ledger.c.seq.in_(list(seqs))).order_by(ledger.c.seq)
    return [json.loads(row.body) for row in connection.execute(wanted)]
