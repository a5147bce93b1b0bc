"""What `status` and `review list` show, read from the tables."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, and_, func, select

from syncd.model import Consent
from syncd.plan import PARKED_AFTER
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
        "brake": _brake(list(brakes.values())),
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
            for what in ("companies", "contacts", "opt-outs", "company opt-outs", "opt-ins")
        },
        "contacts": _count(connection, _HERE),
        "companies": int(connection.execute(select(func.count()).select_from(companies)).scalar_one()),
        "stale": _count(connection, contacts.c.stale.is_(True)),
    }


def _brake(held: list[dict[str, Any]]) -> dict[str, Any] | None:
    """One account of the passes that are held, usually of one."""
    if not held:
        return None
    words = {key: "; ".join(one[key] for one in held) for key in ("what", "detail")}
    covers = sorted({item for one in held for item in one["covers"]})
    released = all("released" in one for one in held)
    return words | {"covers": covers, "since": min(one["since"] for one in held), "released": released}


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
    why = entry["doubt"] if entry["intent"] != "unclear" else f"unclear ({entry['rule']})"
    return {
        "seq": seq,
        "sent": entry["sent"],
        "number": entry["number"],
        "text": entry["text"],
        "reads": entry["intent"],
        "why": why or evidence.SHARED,
        "contacts": list(owners(connection, entry["number"]).values()),
    }


def owners(connection: Connection, number: str) -> dict[str, str]:
    """The contacts that have a number, as id to name."""
    wanted = (
        select(contacts.c.id, contacts.c.name)
        .join(contact_numbers, contact_numbers.c.contact == contacts.c.id)
        .where(contact_numbers.c.number == number, _HERE)
    )
    return {row.id: row.name for row in connection.execute(wanted.order_by(contacts.c.id))}


def trail(connection: Connection, seqs: Iterable[int]) -> list[dict[str, Any]]:
    """The ledger entries with these sequence numbers."""
    wanted = select(ledger.c.body).where(ledger.c.seq.in_(list(seqs))).order_by(ledger.c.seq)
    return [json.loads(row.body) for row in connection.execute(wanted)]
