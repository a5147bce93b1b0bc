"""What must hold: at each step, whenever all is quiet, and at the end. Whatever does not raises `Broken`.

a   at rest, every contact's field and verdict are those of the oracle
b   nobody is written opted in whose latest evidence, of all that can be known, is an opt-out
c   every opt-out is in the PSA after one pass, once nothing holds it up any more
d   at rest, one more pass sends no write; and nothing is ever sent that the PSA shows already
e   the ledger verifies, only grows, tells the truth, and alone is enough for every verdict
f   other fields of the PSA never change
g   the brake holds on mass changes, and only then
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from syncd.directory import BRAKES
from syncd.model import CompanyState, Consent, PhoneNumber, Rules, Verdict, storable
from syncd.sandbox.simulate import truth
from syncd.sandbox.simulate.oracle import read
from syncd.sandbox.simulate.sightings import Sightings
from syncd.sandbox.simulate.stage import BRAKE, Broken, Stage
from syncd.sandbox.simulate.story import LINES
from syncd.sandbox.simulate.truth import Observed
from syncd.store import ledger, mirror, texts
from syncd.store.database import Connection

IN, OUT = Consent.OPTED_IN, Consent.OPTED_OUT


class Judge:
    """Watches one stage. `counts` tells how often each thing was looked at."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.counts: Counter[str] = Counter()
        self._heads: list[ledger.Head] = []
        self._accepted: dict[str, CompanyState] = {}
        self._kills = 0
        self._edits = 0
        self._released = False
        self._sightings = Sightings(stage.psa, stage.connector)
        self._before: tuple[dict[str, mirror.KnownContact], int, int] | None = None
        stage.psa.before_write = self._before_write
        stage.witness = self._witness

    @property
    def rules(self) -> Rules:
        """What the MSP has set."""
        return self.stage.setup.rules

    # --- at each step ------------------------------------------------------------------------------------

    def _before_write(self, contact: str, value: Consent) -> None:
        """No opt-in leaves while the ledger knows better; nothing is sent that is there already."""
        present = self.stage.psa.contacts[contact].consent
        if present is value and not self.stage.psa.lags(contact):
            raise Broken("d", f"{contact} was sent {value}, which it shows already")
        if value is IN:
            self.counts["opt-ins on their way out"] += 1
            with self.stage.undisturbed() as connection:
                seen = self._observed(connection)
            told = truth.case(seen, contact, truth.told_texts(seen, contact))
            reading = read(told.contact, told.evidence, told.company, self.rules)
            if reading.desired is not IN:
                raise Broken("b", f"{contact} is written opted in, but the ledger says {reading}")
            self._nothing_unread(seen, contact)
            edit = self._sightings.unexplained(contact, self.stage.connector.read_at.get(contact, 0))
            if edit and not self._sightings.told(contact, [*seen.staff[contact], *seen.writes]):
                raise Broken("b", f"{contact} is written opted in over a person's opt-out that we have just read")

    def _nothing_unread(self, seen: Observed, contact: str) -> None:
        """Nobody is opted in before what came while syncd was down was read, on every line that can be read."""
        stage = self.stage
        for text in stage.vox.texts:
            if text.meant != "opt_out" or text.theirs not in seen.people[contact][-1]["numbers"]:
                continue
            readable = stage.engine.line_health[text.line].error is None
            if (
                text.prompt
                and text.visible < stage.begun
                and readable
                and not seen.texts[text.conversation, text.id]
            ):
                raise Broken(
                    "b", f"{contact} is written opted in, and {text.words!r} that came before the start is unread"
                )

    def _witness(self, piece: str, worked: bool | None) -> None:
        """Before a piece of work (None), and after it."""
        if piece == "contacts" and worked is None:
            self._sightings.begin()
            self._before = self._looked() if self._opted_in_by_hand() else None
        elif piece == "contacts" and worked:
            self._opt_outs_seen()
            if self._before is not None:
                self._opt_ins_seen(self._before)
        elif piece == "companies" and worked is None and self.stage.kills != self._kills:
            self._kills = self.stage.kills  # it may have been taken over, and then the process ended
            self._brake(killed=True)
        elif piece == "companies" and worked is not None:
            self._brake(killed=not worked)

    def _opt_outs_seen(self) -> None:
        """An opt-out that nothing of ours explains is a person's, and in the ledger now."""
        changed = self._sightings.changed()
        if not changed:
            return
        with self.stage.undisturbed() as connection:
            told = [entry for entry, _, _ in ledger.entries(connection, after=self._sightings.since(changed))]
            end = ledger.head(connection).seq
        for contact, shown in changed.items():
            if shown is OUT and self._sightings.unexplained(contact):
                self.counts["opt-outs by staff seen to arrive"] += 1
                if not self._sightings.told(contact, told):
                    raise Broken("e", f"{contact}: a person set {shown}, the list showed it, and it went unseen")
        self._sightings.end(changed, end)

    def _opted_in_by_hand(self) -> bool:
        """Whether a person has opted somebody in since we asked last."""
        new, self._edits = self.stage.psa.edits[self._edits :], len(self.stage.psa.edits)
        return any(edit.value is IN and not edit.by_us for edit in new)

    def _looked(self) -> tuple[dict[str, mirror.KnownContact], int, int]:
        with self.stage.undisturbed() as connection:
            return mirror.known_contacts(connection), ledger.head(connection).seq, len(self.stage.psa.edits)

    def _opt_ins_seen(self, before: tuple[dict[str, mirror.KnownContact], int, int]) -> None:
        """The same for an opt-in, but for contacts with a write of ours under way: then it is not believed."""
        known, end, edits = before
        with self.stage.undisturbed() as connection:
            new = {
                one["contact"]
                for one, _, _ in ledger.entries(connection, after=end)
                if (one["kind"] == "staff" or one.get("result") == "already") and one["after"] == IN
            }
        ours = {edit.contact for edit in self.stage.psa.edits[edits:]}
        for contact, shown in self.stage.connector.shown.items():
            was = known[contact].mirror if contact in known else None
            if (
                was is None
                or contact in ours
                or self._sightings.touched(contact)
                or was.pending
                or was.echoes
                or shown is was.shown
            ):
                continue
            if shown is IN and contact not in new:
                raise Broken("e", f"{contact}: a person set {shown}, the list showed it, and it went unseen")
            self.counts["opt-ins by staff seen to arrive"] += 1

    def _brake(self, *, killed: bool = False) -> None:
        """Held if too much would change at once, and only then. `killed`: perhaps before it was taken over."""
        listed = self.stage.connector.listed
        with self.stage.undisturbed() as connection:
            held = mirror.fact(connection, BRAKES["companies"]) is not None
            now = _listed(connection)
        taken_over = now == listed
        self.counts["lists of companies taken over" if taken_over else "lists of companies held"] += 1
        if now not in (self._accepted, listed):
            raise Broken("g", f"the companies are {now}: neither {self._accepted}, as before, nor {listed}")
        if self._accepted and not self._released:
            before = self._accepted
            missing = before.keys() - listed.keys()
            opted_out = [
                one
                for one, state in before.items()
                if state is CompanyState.APPROVED
                and listed.get(one, CompanyState.UNSET) is not CompanyState.APPROVED
            ]
            if taken_over and len(before) and len(missing) > 0.3 * len(before) + 1e-9:
                raise Broken("g", f"{len(missing)} of {len(before)} companies vanished and no brake held")
            if taken_over and len(opted_out) > BRAKE.companies:
                raise Broken("g", f"{len(opted_out)} companies were opted out at once and no brake held")
            if held and not killed and not missing and listed == before:
                raise Broken("g", "the brake holds though nothing has changed")
        self._accepted = now

    def released(self) -> None:
        """An operator lets a held pass go; what comes next is no fault of the brake."""
        self._released = True

    def note_head(self) -> None:
        """Remember where the ledger ends now: it may only grow."""
        with self.stage.undisturbed() as connection:
            self._heads.append(ledger.head(connection))

    # --- at rest -----------------------------------------------------------------------------------------

    def at_rest(self, *, prompt_only: bool) -> None:
        """Every field is what it should be. `prompt_only`: late texts may still be on their way."""
        stage = self.stage
        with stage.undisturbed() as connection:
            seen = self._observed(connection)
            first_polls = {line: texts.open_line(connection, line, stage.clock.now()).first_poll for line in LINES}
            verdicts = {} if prompt_only else mirror.verdicts(connection)
        late = {text.theirs for text in stage.vox.texts if text.late} if prompt_only else set()
        self._texts(seen, late_too=not prompt_only)
        if not prompt_only:
            self._directory(seen)
            self._writes(seen)
        for contact in stage.psa.contacts:
            if contact in seen.people and not late.intersection(_ever(seen, contact)):
                self._contact(seen, contact, first_polls, verdicts.get(contact))

    def _contact(
        self, seen: Observed, contact: str, first_polls: Mapping[PhoneNumber, datetime], verdict: Verdict | None
    ) -> None:
        self.counts["contacts compared with the oracle"] += 1
        shown = self.stage.psa.contacts[contact].consent
        readings = []
        for wide in (False, True):
            own = truth.true_texts(seen, self.stage.vox.texts, contact, first_polls, wide=wide)
            case = truth.case(seen, contact, own)
            readings.append(read(case.contact, case.evidence, case.company, self.rules))
        if all(reading.desired not in (None, shown) for reading in readings):
            raise Broken("c" if verdict is None else "a", f"{contact} shows {shown}, but should: {readings[1]}")
        if verdict is not None:
            if verdict.desired not in {reading.desired for reading in readings}:
                raise Broken("a", f"{contact}: the verdict is {verdict}, but should: {readings[1]}")
            told = truth.case(seen, contact, truth.told_texts(seen, contact))
            alone = read(told.contact, told.evidence, told.company, self.rules)
            if (alone.desired, alone.held) != (verdict.desired, verdict.held) or alone.review != set(
                verdict.review
            ):
                raise Broken("e", f"{contact}: the ledger alone says {alone}, the verdict is {verdict}")
            if alone.clause is not None and alone.clause != verdict.clause:
                raise Broken("a", f"{contact}: clause {verdict.clause}, should be {alone.clause}")

    def _texts(self, seen: Observed, *, late_too: bool) -> None:
        """Every text is in the ledger once, as it was, if it is evidence."""
        known = set()
        for text in self.stage.vox.texts:
            if text.late and not late_too:
                continue
            told = seen.texts.get((text.conversation, text.id), [])
            known.add((text.conversation, text.id))
            what = f"text {text.id} ({text.words!r})"
            if text.meant in ("opt_out", "opt_in", "unclear") and not told:
                raise Broken("e", f"{what} was lost")
            if text.meant in ("quiet", "ours") and told:
                raise Broken("e", f"{what} is no evidence, but was taken for {told[0]['intent']}")
            if len(told) > 1:
                raise Broken("e", f"{what} is in the ledger {len(told)} times")
            for entry in told:
                self.counts["texts compared with the ledger"] += 1
                at = entry["at"] if entry["seen"] else text.at
                as_it_was = (text.meant, text.theirs, text.line, storable(text.words), at)
                if as_it_was != tuple(entry[name] for name in ("intent", "number", "line", "text", "sent")):
                    raise Broken("e", f"{what} is in the ledger as {entry}")
        if late_too and (extra := seen.texts.keys() - known):
            raise Broken("e", f"nobody ever sent {sorted(extra)}")

    def _directory(self, seen: Observed) -> None:
        """What the ledger tells of the PSA is so, and all of it."""
        psa = self.stage.psa
        for company, state in psa.companies.items():
            told = seen.companies[company]
            if not told or told[-1]["after"] != state.value:
                raise Broken("e", f"company {company} is {state}, the ledger says {told[-1:]}")
        for contact, record in psa.contacts.items():
            last = seen.people[contact][-1]
            facts = (record.company, sorted(record.numbers), record.active, None)
            if facts != (last["company"], last["numbers"], last["active"], last.get("gone")):
                raise Broken("e", f"contact {contact} is {record}, the ledger says {last}")
        for contact, entries in seen.people.items():
            for entry in entries:
                # One that appears where everybody is opted out may be held by the brake: then it is nowhere yet.
                places = {entry["company"]} if entry["company"] else {None, *psa.companies}
                if not any((place, tuple(entry["numbers"])) in psa.ever.get(contact, ()) for place in places):
                    raise Broken("e", f"{contact} never was what the ledger says: {entry}")
        for contact, entries in seen.staff.items():
            for value in (IN, OUT):
                self._staff_edits(contact, value, [entry for entry in entries if entry["after"] == value])

    def _staff_edits(self, contact: str, value: Consent, entries: list[dict[str, Any]]) -> None:
        """A person made each of these edits, and each opt-in after all that is said to have been known."""
        edits = [
            edit.seq
            for edit in self.stage.psa.edits
            if edit.contact == contact and edit.value is value and not edit.by_us
        ]
        # An opt-out of ours that is seen late may be a person's, and is believed to be.
        suspicion = value is OUT and (contact, OUT) in self.stage.psa.behind
        for count, entry in enumerate(entries, 1):
            self.counts["staff edits found in the ledger"] += 1
            made = [seq for seq in edits if seq < entry["seq"]]
            if len(made) < count and not suspicion:
                raise Broken("e", f"{contact}: nobody set {value} {count} times, the ledger says so: {entry}")
            if value is IN and entry["known"] > made[-1]:
                raise Broken(
                    "e", f"{contact} was opted in at {made[-1]}, before what is said to be known: {entry}"
                )

    def _writes(self, seen: Observed) -> None:
        """The ledger tells of every value that we wrote and the PSA shows, and of none that it never took."""
        # A write that the PSA forgot seems to have worked if a person sets the same before we look again.
        took = Counter((edit.contact, edit.value) for edit in self.stage.psa.edits)
        told = Counter((one["contact"], one["after"]) for one in seen.writes if one["result"] == "applied")
        for (contact, value), times in told.items():
            if times > took[contact, Consent(value)]:
                raise Broken(
                    "e", f"{contact}: the ledger tells of {value} written {times} times, the PSA took {took}"
                )
        last = {edit.contact: edit for edit in self.stage.psa.edits if edit.contact in self.stage.psa.contacts}
        known = {(one["contact"], one["after"]) for one in seen.writes if one["result"] in ("applied", "already")}
        # "Accepted, but not shown" is the truth as well, when it is seen only later.
        known |= {
            (one["contact"], one["after"])
            for one in seen.writes
            if one["result"] == "refused" and (one["contact"], Consent(one["after"])) in self.stage.psa.behind
        }
        # What we wrote, but was done late, may be believed to be a person's.
        by_staff = {(contact, one["after"]) for contact, told in seen.staff.items() for one in told}
        known |= {
            (contact, OUT)
            for contact, after in by_staff
            if after == OUT and (contact, OUT) in self.stage.psa.behind
        }
        for contact, edit in last.items():
            self.counts["writes looked for in the ledger"] += edit.by_us
            if edit.by_us and (contact, edit.value) not in known:
                raise Broken("e", f"{contact}: {edit.value} was written, the ledger does not say so")

    # --- at the end --------------------------------------------------------------------------------------

    def quiet(self, before: tuple[int, int]) -> None:
        """Another pass changed nothing: neither the PSA nor the ledger."""
        if (now := self.effects()) != before:
            raise Broken(
                "d", f"all was quiet, and one more pass went from {before} to {now} (writes, ledger entries)"
            )

    def effects(self) -> tuple[int, int]:
        """How many writes the PSA took, how many entries the ledger has."""
        with self.stage.undisturbed() as connection:
            return sum(edit.by_us for edit in self.stage.psa.edits), ledger.head(connection).seq

    def ledger_holds(self) -> None:
        """The chain verifies, and every end that it ever had is still in it."""
        with self.stage.undisturbed() as connection:
            _, faults = ledger.verify(connection)
            hashes = {entry["seq"]: told for entry, _, told in ledger.entries(connection)}
        if faults:
            raise Broken("e", f"the ledger is broken: {faults[0]}")
        for head in self._heads:
            self.counts["ledger heads found again"] += 1
            if head.seq and hashes.get(head.seq) != head.hash:
                raise Broken("e", f"the ledger was rewritten: {head}")

    def other_fields(self) -> None:
        """What people wrote into other fields is still there."""
        for contact, others in self.stage.psa.others.items():
            now = self.stage.psa.contacts.get(contact)
            self.counts["contacts whose other fields were compared"] += now is not None
            if now is not None and replace(now, consent=None) != others:
                raise Broken("f", f"{contact}: people left {others}, now it is {now}")

    def _observed(self, connection: Connection) -> Observed:
        return Observed.of(entry for entry, _, _ in ledger.entries(connection))


def _listed(connection: Connection) -> dict[str, CompanyState]:
    """The last list of companies that was taken over; none yet is empty."""
    return {one.id: one.state for one in mirror.known_companies(connection).values() if one.listed}


def _ever(seen: Observed, contact: str) -> set[Any]:
    return {number for entry in seen.people[contact] for number in entry["numbers"]}
