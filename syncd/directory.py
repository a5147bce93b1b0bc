"""SHELL: from the PSA to the mirror. Companies are compared with what was recorded, contacts with their rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from syncd.clock import Clock
from syncd.connector import Change, Connector, Outcome, Result
from syncd.errors import ShapeChanged
from syncd.membership import effective_state, is_opt_out
from syncd.model import Company, CompanyState, Consent, Contact, Verdict, storable
from syncd.plan import SHRUNK, BrakeLimits, Held, Mirror, arrived, company_brake, contact_brake, look
from syncd.store import evidence, ledger, mirror
from syncd.store.database import Connection, Database
from syncd.store.times import stamp

# A held pass is a fact of its own for each kind of pass.
BRAKES = {"companies": "brake:companies", "contacts": "brake:contacts"}


# Where the ledger ended when every field that is known was seen last.
EVERYBODY_SEEN = "everybody seen"


class Writes:
    """Which contacts were written while a list was being read: what it shows of them may be older than that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._last: dict[str, int] = {}

    def now(self) -> int:
        """A mark to compare with later."""
        with self._lock:
            return self._count

    def touched(self, contact_id: str) -> None:
        """A write to this contact begins or ended."""
        with self._lock:
            self._count += 1
            self._last[contact_id] = self._count

    def since(self, mark: int, contact_id: str) -> bool:
        """Whether the contact was written after that mark."""
        with self._lock:
            return self._last.get(contact_id, 0) > mark


class Directory:
    """Keeps the mirror. `watch_companies` and `refresh_contacts` may run at the same time."""

    def __init__(
        self,
        database: Database,
        psa: Connector,
        clock: Clock,
        log: Any,
        limits: BrakeLimits,
        writes: Writes,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._beat = beat
        self._database = database
        self._psa = psa
        self._clock = clock
        self._log = log
        self._limits = limits
        self._writes = writes
        self._everybody_seen: int | None = None  # as stored, once it was

    # --- companies ---------------------------------------------------------------------------------------

    def watch_companies(self) -> list[str]:
        """Compare every company with what is recorded; returns those that were opted out just now.

        Raises what the connector raised; state is untouched then. A pass that the brake holds changes nothing.
        """
        listed: dict[str, Company] = {}
        for company in self._psa.companies():
            self._beat()
            listed[company.id] = replace(company, name=storable(company.name))
        with self._database.begin() as connection:
            known = mirror.known_companies(connection)
            seen = dict(listed)
            for missing in known.keys() - listed.keys():  # no longer listed: it approves nothing
                seen[missing] = Company(missing, known[missing].name, CompanyState.UNSET)
            changed = {
                company.id: company
                for company in seen.values()
                if company.id not in known or known[company.id].state is not company.state
            }
            steps = evidence.steps_of(connection, changed)
            opting_out = [one for one in changed if is_opt_out(steps.get(one, ()), changed[one].state)]
            affected = mirror.not_opted_out(connection, opting_out)
            newly = [
                one
                for one in opting_out
                if affected.get(one)
                or (one in known and effective_state(steps[one]) is not CompanyState.OPTED_OUT)
            ]
            brake = mirror.fact(connection, BRAKES["companies"])
            held = company_brake(
                [one for one, company in known.items() if company.listed],
                listed,
                {one: affected.get(one, 0) for one in newly},
                self._limits,
                _released(brake),
            )
            if self._braked(connection, held, brake, "companies"):
                return []
            self._record_companies(connection, seen, listed, known, changed, opting_out)
            head = ledger.head(connection) if newly else None
        for one in newly:
            self._log.info("company opted out", company=one, contacts=affected.get(one, 0))
        if head:
            self._tell_head(head)
        return [one for one in newly if one in known]

    def _record_companies(
        self,
        connection: Connection,
        seen: dict[str, Company],
        listed: dict[str, Company],
        known: dict[str, mirror.KnownCompany],
        changed: dict[str, Company],
        opting_out: Collection[str],
    ) -> None:
        now = self._clock.now()
        entries = [
            {
                "kind": "company",
                "company": company.id,
                "name": company.name,
                "before": known[company.id].state.value if company.id in known else None,
                "after": company.state.value,
                "listed": company.id in listed,
                "opt_out": company.id in opting_out,
            }
            for company in changed.values()
        ]
        seqs = ledger.append_all(connection, now, entries)
        mirror.save_steps(connection, now, list(changed.values()), seqs)
        different = [
            (company, company.id in listed)
            for company in seen.values()
            if known.get(company.id)
            != mirror.KnownCompany(company.id, company.name, company.state, company.id in listed)
        ]
        mirror.save_companies(connection, different, known)

    # --- contacts ----------------------------------------------------------------------------------------

    def refresh_contacts(self, company: str | None = None) -> None:
        """Compare the contacts of one company, or all, with the mirror. Raises what the connector raised."""
        mark = self._writes.now()
        with self._database.begin() as connection:
            end = ledger.head(connection).seq
        listed = self._listed(company)
        with self._database.begin() as connection:
            if company is not None:
                known = mirror.known_contacts(connection, company=company, ids=list(listed))
                self._compare(connection, listed, known, mark, everybody=False)
                return
            known = mirror.known_contacts(connection)
            seqs = self._compare(connection, listed, known, mark, everybody=True)
            # What this pass has recorded itself was there to see as well, if nothing came in between.
            seen = seqs[-1] if seqs and seqs[0] == end + 1 else end
            complete = all(one.gone or contact_id in listed for contact_id, one in known.items())
            if complete and seen != self._everybody_seen:
                mirror.set_fact(connection, EVERYBODY_SEEN, seen)
        if complete:
            self._everybody_seen = seen

    def _listed(self, company: str | None) -> dict[str, Contact]:
        listed: dict[str, Contact] = {}
        for contact in self._psa.contacts(company):
            self._beat()
            if company is not None and contact.company_id != company:
                raise ShapeChanged(f"asked for the contacts of company {company}, the PSA sent others too")
            listed.setdefault(contact.id, replace(contact, name=storable(contact.name)))
        return listed

    def _compare(
        self,
        connection: Connection,
        listed: dict[str, Contact],
        known: dict[str, mirror.KnownContact],
        mark: int,
        *,
        everybody: bool,
    ) -> list[int]:
        """Take over what the list shows; returns the ledger entries made for contacts and their fields.

        everybody: the list has every contact, not those of one company, and says who is gone and what is held
        """
        moved = self._moved_into_opted_out(connection, listed, known)
        brake = mirror.fact(connection, BRAKES["contacts"])
        held = contact_brake(moved, self._limits, _released(brake))
        if held or everybody:
            self._braked(connection, held, brake, "contacts")
        if held:  # who they are is taken over, where they appeared is not: their own texts are not held up
            listed = listed | {one: _left_where_it_was(listed[one], known.get(one)) for one in moved}
        seqs = self._record_contacts(connection, listed, known, mark)
        if everybody and not held:
            seqs += self._record_gone(connection, listed, known)
        return seqs

    @staticmethod
    def _moved_into_opted_out(
        connection: Connection, listed: dict[str, Contact], known: dict[str, mirror.KnownContact]
    ) -> list[str]:
        """Contacts that would newly be opted out because of the company in which they appear now."""
        arrived = [
            contact
            for contact in listed.values()
            if contact.consent is not Consent.OPTED_OUT
            and contact.company_id is not None
            and (contact.id not in known or known[contact.id].contact.company_id != contact.company_id)
        ]
        steps = evidence.steps_of(connection, {str(contact.company_id) for contact in arrived})
        return [
            contact.id
            for contact in arrived
            if effective_state(steps.get(str(contact.company_id), ())) is CompanyState.OPTED_OUT
        ]

    def _record_contacts(
        self,
        connection: Connection,
        listed: dict[str, Contact],
        known: dict[str, mirror.KnownContact],
        mark: int,
    ) -> list[int]:
        """Returns the ledger entries made. `mark`: the last write before the list was asked for."""
        now = self._clock.now()
        told = [one for one in listed.values() if one.id not in known or _differs(known[one.id], one)]
        seqs = ledger.append_all(connection, now, [_contact_entry(one) for one in told])
        added: list[tuple[Contact, Mirror, int]] = []
        for contact, seq in zip(told, seqs, strict=True):
            if (before := known.get(contact.id)) is not None:
                mirror.change_contact(connection, before, contact, seq, now)
            else:
                added.append((contact, look(None, contact.consent)[0], seq))
        mirror.add_contacts(connection, added, now)
        edits: list[dict[str, Any]] = []
        for contact in listed.values():
            if self._writes.since(mark, contact.id):
                continue  # what the list shows may be older than our own write
            edits += self._look(connection, known.get(contact.id), contact)
        return seqs + ledger.append_all(connection, now, edits)

    def _look(
        self, connection: Connection, before: mirror.KnownContact | None, contact: Contact
    ) -> Iterable[dict[str, Any]]:
        """Keep what the field shows; the ledger entry when a person set it."""
        after, edit = look(before.mirror if before else None, contact.consent)
        if before is not None and (after != before.mirror or edit):
            mirror.save_mirror(connection, contact.id, after, stale=True)
        if edit is None:
            if before is None or contact.consent is None or not arrived(before.mirror, contact.consent):
                return []
            return [self._arrived(connection, contact, before, contact.consent)]
        shown = before.mirror.shown if before else None
        met = before is not None and not before.gone  # after a restore everybody is met anew
        self._log.info(
            "a person changed the opt-in field in the PSA" if met else "a contact was found opted out",
            contact=contact.id,
            before=shown,
            after=edit,
        )
        known = self._known_to_staff(connection, contact.id, met=met) if edit is Consent.OPTED_IN else None
        return [staff_entry(contact.id, contact.company_id, shown, edit, known)]

    @staticmethod
    def _known_to_staff(connection: Connection, contact: str, *, met: bool) -> int:
        """The last ledger entry that surely came before an edit which is seen now.

        The field was without it when everybody was seen last, and when our last write of it was confirmed.
        """
        if not met:
            return 0
        return max(mirror.fact(connection, EVERYBODY_SEEN) or 0, evidence.carried_out(connection, contact))

    def _arrived(
        self, connection: Connection, contact: Contact, before: mirror.KnownContact, sent: Consent
    ) -> dict[str, Any]:
        """The ledger entry of a write whose end nobody saw: we were killed, or its answer was lost."""
        waiting = mirror.waiting_one(connection, contact.id)
        self._log.info("a write whose end was not seen has arrived", contact=contact.id, value=sent)
        change = Change(contact.id, contact.company_id, sent, before.mirror.shown)
        return arrival_entry(change, waiting.verdict if waiting else None)

    def _record_gone(
        self, connection: Connection, listed: dict[str, Contact], known: dict[str, mirror.KnownContact]
    ) -> list[int]:
        """Contacts that a complete list no longer has: deleted or merged, unless suspiciously many vanish."""
        here = [one for one in known.values() if not one.gone]
        gone = [one for one in here if one.contact.id not in listed]
        if len(gone) > max(1, (1 - SHRUNK) * len(here)):
            self._log.warning(
                "far fewer contacts are listed than are known; none is taken for deleted; is a permission lost?",
                listed=len(listed),
                known=len(here),
            )
            return []
        for one in gone:
            mirror.mark_gone(connection, one)
        entries = [_contact_entry(replace(one.contact, active=False)) | {"gone": True} for one in gone]
        return ledger.append_all(connection, self._clock.now(), entries)

    # --- brake -------------------------------------------------------------------------------------------

    def _braked(self, connection: Connection, held: Held | None, brake: Any, where: str) -> bool:
        """Record that a pass is held, or that it no longer is. Returns whether it is."""
        if held is None:
            if brake is not None:
                mirror.set_fact(connection, BRAKES[where], None)
                ledger.append(connection, self._clock.now(), "brake", what="resumed", detail=brake["detail"])
                self._log.info("the brake is off", reason=brake["what"])
            return False
        if brake is None or set(brake["covers"]) != held.covers:
            now = self._clock.now()
            fact = {"what": held.what, "detail": held.detail, "covers": sorted(held.covers), "since": stamp(now)}
            mirror.set_fact(connection, BRAKES[where], fact)
            ledger.append(connection, now, "brake", what=f"held: {held.what}", detail=held.detail)
            self._log.error(
                "a pass is held by the brake",
                reason=held.what,
                detail=held.detail,
                next="look at the PSA; `syncd brake release` lets it go",
                alert=True,
            )
        return True

    def log_head(self) -> None:
        """Write the head of the ledger to the log, so that a copy of it leaves the machine."""
        with self._database.begin() as connection:
            head = ledger.head(connection)
        self._tell_head(head)

    def _tell_head(self, head: ledger.Head) -> None:
        self._log.info("ledger head", head=str(head))


def release_brake(connection: Connection, now: datetime, by: str) -> list[str]:
    """Let the passes that are held go the next time they come; returns what was held."""
    released = []
    for name in BRAKES.values():
        brake = mirror.fact(connection, name)
        if brake is not None and "released" not in brake:
            mirror.set_fact(connection, name, brake | {"released": brake["covers"], "by": by})
            ledger.append(connection, now, "brake", what=f"released by {by}", detail=brake["detail"])
            released.append(str(brake["detail"]))
    return released


def staff_entry(
    contact: str, company: str | None, before: Consent | None, after: Consent, known: int | None = None
) -> dict[str, Any]:
    """The ledger entry for a person's edit. `known`: of an opt-in, the last entry that surely came before it."""
    facts = {"contact": contact, "company": company, "before": before, "after": after, "known": known}
    return {"kind": "staff"} | facts


def arrival_entry(change: Change, verdict: Verdict | None) -> dict[str, Any]:
    """The ledger entry of a write that is seen to have arrived; the verdict of now says why, if it asks for it."""
    if verdict is None or verdict.desired is not change.consent:
        verdict = Verdict(change.consent, "", "another value is wanted since this one was sent")
    outcome = Outcome(Result.ALREADY, "sent before; shown now")
    return {"kind": "write", **write_entry(change, verdict, outcome)}


def write_entry(change: Change, verdict: Verdict, outcome: Outcome) -> dict[str, Any]:
    """What the ledger keeps of a write."""
    return {
        "contact": change.contact_id,
        "company": change.company_id,
        "before": change.shown,
        "after": change.consent,
        "clause": verdict.clause,
        "reason": verdict.reason,
        "because": list(verdict.evidence),
        "result": outcome.result.value,
        "said": outcome.reason or None,
    }


def _left_where_it_was(contact: Contact, before: mirror.KnownContact | None) -> Contact:
    return replace(contact, company_id=before.contact.company_id if before else None)


def _released(brake: Any) -> Sequence[str]:
    return list(brake.get("released", ())) if brake else []


def _differs(before: mirror.KnownContact, contact: Contact) -> bool:
    known = before.contact
    return before.gone or (known.company_id, known.name, known.active, set(known.numbers)) != (
        contact.company_id,
        contact.name,
        contact.active,
        set(contact.numbers),
    )


def _contact_entry(contact: Contact) -> dict[str, Any]:
    return {
        "kind": "contact",
        "contact": contact.id,
        "company": contact.company_id,
        "name": contact.name,
        "numbers": sorted(contact.numbers),
        "active": contact.active,
        "shown": contact.consent,
    }
