"""The contract of writing: the opt-in field and nothing else, once, and only what is still wanted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncd.connector import Change, Connector, Result
from syncd.errors import Superseded
from syncd.http import before_sending
from syncd.model import Consent
from syncd.testing.bench import IN, OUT, Bench, change, crowd, listing, team, write, write_one
from syncd.testing.desk import Desk


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
        assert desk.consent_of(ann) is wanted
        assert listing(psa)[ann].consent is wanted
        before = desk.written()
        assert write_one(psa, change(ann, wanted, shown=present)).result is Result.ALREADY
        assert desk.written() == before, "a write was sent for a value that was there already"

    @pytest.mark.parametrize("size", ["one", "batch"])
    def test_nothing_else_is_touched(self, desk: Desk, psa: Connector, size: str) -> None:
        others = team(desk, 2, consent=IN)
        people = crowd(desk, desk.add_company("Birch Legal"), 1 if size == "one" else 5)
        before = {contact: dict(desk.record(contact)) for contact in (*people, *others)}
        desk.set_contact(people[0], consent=IN)
        assert desk.record(people[0]) == before[people[0]], "record() holds the opt-in field or a date of change"
        for wanted in (OUT, IN):
            write(psa, *(change(contact, wanted, shown=desk.consent_of(contact)) for contact in people))
            assert {contact: dict(desk.record(contact)) for contact in before} == before
            assert {desk.consent_of(contact) for contact in people} == {wanted}
        assert {desk.consent_of(contact) for contact in others} == {IN}

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
        assert write_one(psa, change(ann, IN, shown=shown)).result is Result.CHANGED
        assert (desk.written(), desk.consent_of(ann)) == (before, OUT)
        assert write_one(psa, change(ann, IN, shown=OUT)).result is Result.APPLIED

    def test_an_opt_out_undoes_an_opt_in_that_nobody_saw(self, desk: Desk, psa: Connector) -> None:
        ann, *_ = team(desk, consent=IN)
        assert write_one(psa, change(ann, OUT, shown=None)).result is Result.APPLIED
        assert desk.consent_of(ann) is OUT

    def test_a_contact_that_is_not_there_is_gone(self, desk: Desk, psa: Connector) -> None:
        ann, *_ = team(desk)
        before, there = desk.written(), set(listing(psa))
        assert write_one(psa, change(desk.missing_contact())).result is Result.GONE
        assert desk.written() == before
        assert set(listing(psa)) == there, "a write to a contact that is not there made one"
        assert desk.consent_of(ann) is None

    def test_an_inactive_contact_is_written_like_any_other(self, desk: Desk, psa: Connector) -> None:
        ann = desk.add_contact(desk.add_company("Acme Dental"), "Ann Lee", active=False)
        assert write_one(psa, change(ann)).result is Result.APPLIED
        assert desk.consent_of(ann) is OUT
        assert not listing(psa)[ann].active

    @pytest.mark.parametrize("known", ["old company", "no company"])
    def test_a_contact_that_moved_is_written_all_the_same(self, desk: Desk, psa: Connector, known: str) -> None:
        (ann, *_), birch = team(desk), desk.add_company("Birch Legal")
        acme = listing(psa)[ann].company_id
        desk.move_contact(ann, birch)
        one = change(ann, company=acme if known == "old company" else None)
        assert write_one(psa, one).result is Result.APPLIED
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
            with pytest.raises(Superseded):
                write_one(psa, change(ann, IN, shown=OUT))
        finally:
            before_sending.reset(token)
        assert (desk.written(), desk.consent_of(ann)) == (before, OUT)
