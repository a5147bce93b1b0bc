"""The contract of writing: the opt-in field and nothing else, once, and only what is still wanted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncd.connector import Change, Connector, Outcome, Result
from syncd.errors import Superseded, Transient
from syncd.http import before_sending
from syncd.model import Consent
from syncd.sandbox.server import StandIn
from syncd.testing.bench import (
    DONE,
    IN,
    OUT,
    STRANGE_IDS,
    Bench,
    attempt,
    change,
    crowd,
    listing,
    must_be_true,
    team,
    write,
    write_one,
)
from syncd.testing.desk import Desk
from syncd.testing.faulting import meanwhile


class WritingContract(Bench):
    """What `write` must do while nothing goes wrong."""

    @pytest.mark.parametrize("wanted", [OUT, IN], ids=str)
    @pytest.mark.parametrize("present", [None, IN, OUT], ids=str)
    def test_a_write_is_done_once_and_then_already(
        self, desk: Desk, psa: Connector, present: Consent | None, wanted: Consent
    ) -> None:
        ann, *_ = team(desk, consent=present)
        if wanted is not present:
            assert write_one(psa, change(ann, wanted, shown=present)).result is Result.APPLIED
        assert desk.consent_of(ann) is wanted, "it says APPLIED, but the PSA does not show the value"
        assert listing(psa)[ann].consent is wanted, "contacts() does not show what write() wrote"
        before = desk.written()
        again = write_one(psa, change(ann, wanted, shown=present))
        assert again.result is Result.ALREADY, "the PSA shows the value: read the contact first, and write nothing"
        assert desk.written() == before, "a write was sent for a value that was there already"

    def test_each_change_is_one_write_and_goes_past_the_guard(self, desk: Desk, psa: Connector) -> None:
        ann, ben, *_ = team(desk)
        passed: list[None] = []
        token = before_sending.set(lambda: passed.append(None))
        try:
            for contact in (ann, ben):
                del passed[:]
                assert write_one(psa, change(contact)).result is Result.APPLIED
                sent = "http.write (or the guard of a connector without HTTP)"
                assert passed, f"a change was written without {sent}: newer evidence could not have stopped it"
                assert len(passed) == 1, f"{sent} was called {len(passed)} times for one change"
        finally:
            before_sending.reset(token)
        if desk.wire is not None:
            seen = sum(map(desk.is_write, desk.wire.requests))
            told = f"two writes were sent, of which is_write() of the desk knows {seen}: override it in your desk"
            assert seen == 2, told

    @pytest.mark.parametrize("size", ["one", "batch"])
    def test_nothing_else_is_touched(self, desk: Desk, psa: Connector, size: str) -> None:
        others = team(desk, 2, consent=IN)
        people = crowd(desk, desk.add_company("Birch Legal"), 1 if size == "one" else 5)
        before = {contact: dict(desk.record(contact)) for contact in (*people, *others)}
        assert len(before[people[0]]) > 1, "record() of the desk shows next to nothing: give all that is kept"
        desk.set_contact(people[0], consent=IN)
        assert desk.record(people[0]) == before[people[0]], "record() holds the opt-in field or a date of change"
        for wanted in (OUT, IN):
            write(psa, *(change(contact, wanted, shown=desk.consent_of(contact)) for contact in people))
            told = "more than the opt-in field was changed: send it alone, and see what the PSA does to the rest"
            assert {contact: dict(desk.record(contact)) for contact in before} == before, told
            assert {desk.consent_of(contact) for contact in people} == {wanted}
        assert {desk.consent_of(contact) for contact in others} == {IN}, "another contact was written"

    def test_each_change_of_a_long_list_gets_its_outcome(self, desk: Desk, psa: Connector) -> None:
        size = 2 * self.connector.traits.batch + 1
        people = team(desk, size)
        gone = desk.missing_contact()
        desk.set_contact(people[1], consent=OUT)
        results = {key: one.result for key, one in write(psa, *map(change, people), change(gone)).items()}
        assert results.pop(gone) is Result.GONE
        assert results.pop(people[1]) is Result.ALREADY
        assert set(results.values()) == {Result.APPLIED}
        assert {desk.consent_of(contact) for contact in people} == {OUT}

    def test_opt_ins_and_opt_outs_in_one_list(self, desk: Desk, psa: Connector) -> None:
        people = team(desk, 6)
        wanted = {contact: (OUT, IN)[n % 2] for n, contact in enumerate(people)}
        outcomes = write(psa, *(change(contact, consent) for contact, consent in wanted.items()))
        assert {one.result for one in outcomes.values()} == {Result.APPLIED}
        assert {contact: desk.consent_of(contact) for contact in people} == wanted

    def test_an_empty_list_is_no_work(self, desk: Desk, psa: Connector) -> None:
        team(desk)
        before = desk.written()
        assert list(psa.write(iter(()))) == []
        assert desk.written() == before

    @pytest.mark.parametrize("shown", [None, IN], ids=str)
    def test_an_opt_in_does_not_undo_an_opt_out_that_nobody_saw(
        self, desk: Desk, psa: Connector, shown: Consent | None
    ) -> None:
        ann, *_ = team(desk, consent=OUT)
        before = desk.written()
        told = "somebody opted out since syncd looked: overtaken(change, present) says so, it is CHANGED"
        assert write_one(psa, change(ann, IN, shown=shown)).result is Result.CHANGED, told
        assert (desk.written(), desk.consent_of(ann)) == (before, OUT), "it says CHANGED, and wrote all the same"
        assert write_one(psa, change(ann, IN, shown=OUT)).result is Result.APPLIED

    def test_an_opt_out_between_look_and_write_is_not_undone_where_the_psa_guards(
        self, desk: Desk, psa: Connector, wire: StandIn
    ) -> None:
        ann, ben, *_ = team(desk)
        write_one(psa, change(ben))
        wire.faults.add(meanwhile(lambda: desk.set_contact(ann, consent=OUT)), when=desk.is_write)
        wire.forget_requests()
        ended = attempt(psa, change(ann, IN))
        must_be_true(desk, change(ann, IN), ended)
        if not any(request.status in (409, 412) for request in filter(desk.is_write, wire.requests)):
            return  # the PSA takes the last write, whatever it overwrites
        assert desk.consent_of(ann) is OUT, "the PSA refused to overwrite an opt-out, and was made to"
        changed = isinstance(ended, Outcome) and ended.result is Result.CHANGED
        told = "the record changed between look and write: Transient(..., contact=), so that syncd asks again"
        assert changed or (isinstance(ended, Transient) and ended.contact == ann), told
        assert write_one(psa, change(ann, IN)).result is Result.CHANGED

    def test_what_changes_between_look_and_write_is_not_put_back(
        self, desk: Desk, psa: Connector, wire: StandIn
    ) -> None:
        (ann, ben, *_), birch = team(desk), desk.add_company("Birch Legal")
        desk.move_contact(ben, birch)  # where that cannot be, the test ends here
        write_one(psa, change(ben))
        wire.faults.add(meanwhile(lambda: desk.move_contact(ann, birch)), when=desk.is_write)
        must_be_true(desk, change(ann), attempt(psa, change(ann)))
        told = "the write put back what somebody had changed meanwhile: send the opt-in field alone"
        assert listing(psa)[ann].company_id == birch, told

    def test_an_opt_out_undoes_an_opt_in_that_nobody_saw(self, desk: Desk, psa: Connector) -> None:
        ann, *_ = team(desk, consent=IN)
        ended = write_one(psa, change(ann, OUT, shown=None))
        assert ended.result is Result.APPLIED, "only an opt-in can be overtaken; an opt-out is written"
        assert desk.consent_of(ann) is OUT

    @pytest.mark.parametrize("wanted", [OUT, IN], ids=str)
    def test_a_value_that_nobody_configured_is_written_over(
        self, desk: Desk, psa: Connector, wanted: Consent
    ) -> None:
        acme = desk.add_company("Acme Dental")
        ann = desk.add_contact(acme, "Ann Lee", consent=IN)
        desk.set_other_values(acme, ann)
        assert write_one(psa, change(ann, wanted)).result is Result.APPLIED
        assert desk.consent_of(ann) is wanted

    @pytest.mark.parametrize("strange", STRANGE_IDS)
    def test_an_id_that_is_none_writes_nothing(self, desk: Desk, psa: Connector, strange: str) -> None:
        people = team(desk, consent=IN)
        before = {contact: dict(desk.record(contact)) for contact in people}
        ended = attempt(psa, change(strange, OUT, shown=IN))
        assert not (isinstance(ended, Outcome) and ended.result in DONE), "nobody has this id"
        asked = (
            [] if desk.wire is None else [request.target for request in desk.wire.requests if "y" in request.query]
        )
        assert asked == [], f"an id became part of the question: quote(contact_id, safe='') for {asked[0]}"
        assert {contact: dict(desk.record(contact)) for contact in people} == before
        assert {desk.consent_of(contact) for contact in people} == {IN}

    def test_a_contact_that_is_not_there_is_gone(self, desk: Desk, psa: Connector) -> None:
        ann, *_ = team(desk)
        before, there = desk.written(), set(listing(psa))
        ended = write_one(psa, change(desk.missing_contact()))
        assert ended.result is Result.GONE, "the PSA's own 'there is no such contact' is GONE"
        assert desk.written() == before
        assert set(listing(psa)) == there, "a write to a contact that is not there made one"
        assert desk.consent_of(ann) is None

    def test_an_inactive_contact_is_written_like_any_other(self, desk: Desk, psa: Connector) -> None:
        ann = desk.add_contact(desk.add_company("Acme Dental"), "Ann Lee", active=False)
        assert write_one(psa, change(ann)).result is Result.APPLIED, "an inactive contact may come back"
        assert desk.consent_of(ann) is OUT
        assert not listing(psa)[ann].active

    @pytest.mark.parametrize("known", ["old company", "no company"])
    def test_a_contact_that_moved_is_written_all_the_same(self, desk: Desk, psa: Connector, known: str) -> None:
        (ann, *_), birch = team(desk), desk.add_company("Birch Legal")
        acme = listing(psa)[ann].company_id
        desk.move_contact(ann, birch)
        one = change(ann, company=acme if known == "old company" else None)
        assert write_one(psa, one).result is Result.APPLIED, "look the contact up by its id alone"
        assert desk.consent_of(ann) is OUT
        assert listing(psa)[ann].company_id == birch

    def test_no_more_changes_are_taken_than_a_batch_before_their_outcomes_come(
        self, desk: Desk, psa: Connector
    ) -> None:
        batch = self.connector.traits.batch
        people = team(desk, 2 * batch + 1)
        taken = answered = 0

        def lazily() -> Iterator[Change]:
            nonlocal taken
            for contact in people:
                taken += 1
                assert taken - answered <= batch, f"more than traits.batch ({batch}) changes were taken ahead"
                yield change(contact)

        for _ in psa.write(lazily()):
            answered += 1
        assert answered == len(people)

    def test_newer_evidence_stops_a_write_at_the_last_moment(self, desk: Desk, psa: Connector) -> None:
        ann, *_ = team(desk, consent=OUT)
        before = desk.written()

        def newer() -> None:
            raise Superseded("an opt-out came in")

        token = before_sending.set(newer)
        try:
            with pytest.raises(Superseded):  # write with http.write, and let Superseded out
                write_one(psa, change(ann, IN, shown=OUT))
        finally:
            before_sending.reset(token)
        assert (desk.written(), desk.consent_of(ann)) == (before, OUT)
