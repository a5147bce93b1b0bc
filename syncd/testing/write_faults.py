"""The contract of writing while the service misbehaves: nothing is called done that the PSA does not show."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import pytest

from syncd.connector import Connector, Outcome, Result
from syncd.errors import Ambiguous, AuthRefused, SyncdError, Transient
from syncd.sandbox.faults import Fault, drip_headers, lost_answer, redirect, stall, status
from syncd.sandbox.server import StandIn
from syncd.testing.bench import (
    DONE,
    IN,
    OUT,
    Bench,
    attempt,
    change,
    must_be_true,
    team,
    write_one,
)
from syncd.testing.desk import Desk
from syncd.testing.read_faults import (
    ALL_FAULTS,
    PASSING,
    RETRY_AFTER,
    STEPS,
    STORM,
    Catcher,
    bounded,
    called,
    must_ask_for_patience,
    named,
)

LOST = [called(f"lost answer, {how}", lost_answer(how)) for how in ("reset", "close")]


class WriteFaultsContract(Bench):
    """What `write` does when the service does not do its part."""

    @pytest.mark.parametrize("fault", named([*ALL_FAULTS, *LOST]))
    def test_a_fault_at_any_step_is_never_called_done(
        self, desk: Desk, connect: Callable[[], Connector], wire: StandIn, fault: Fault
    ) -> None:
        people = team(desk, 2)
        wire.forget_requests()
        assert write_one(connect(), change(people[0])).result is Result.APPLIED
        calls = len(wire.requests)
        for step in [n for n in range(calls) if n < STEPS or n >= calls - STEPS]:
            desk.set_contact(people[1], consent=IN)
            psa = connect()
            rule = wire.faults.add(fault, skip=step)
            one = change(people[1], OUT, shown=IN)
            ended = attempt(psa, one)
            rule.remove()
            must_be_true(desk, one, ended)
            if isinstance(ended, Outcome) and ended.result not in DONE:
                told = f"{ended.result.name} after {fault.name}: only the PSA's own 'no such contact' is GONE"
                gone = ended.result is Result.GONE and fault.name == "status 404"
                assert gone or ended.result is Result.REFUSED, told
            assert write_one(psa, one).result in DONE, f"it did not recover from {fault.name}"
            assert desk.consent_of(people[1]) is OUT

    @pytest.mark.parametrize("fault", named(ALL_FAULTS))
    def test_a_write_that_fails_is_sent_once_and_recovers(
        self, desk: Desk, psa: Connector, wire: StandIn, fault: Fault
    ) -> None:
        ann, ben, *_ = team(desk)
        write_one(psa, change(ben))
        wire.forget_requests()
        rule = wire.faults.add(fault, when=desk.is_write, times=None)
        ended = attempt(psa, change(ann))
        must_be_true(desk, change(ann), ended)
        sent = sum(map(desk.is_write, wire.requests))
        assert sent, "no write was seen: does is_write() of the desk know one when it comes?"
        # After 401 a new token, or the host to which the tenant moved, is worth one more try.
        most = 2 if fault.name == "status 401" else 1
        assert sent <= most, f"{sent} writes were sent; one that may have arrived is not repeated: use http.write"
        if fault.name == "status 401":
            assert isinstance(ended, AuthRefused), f"401 is AuthRefused, not {ended!r}"
        if fault.name in PASSING:
            assert isinstance(ended, Transient), f"{fault.name} may be over in a minute: Transient, not {ended!r}"
        rule.remove()
        assert write_one(psa, change(ann)).result in DONE, f"it did not recover from {fault.name}"
        assert desk.consent_of(ann) is OUT
        assert write_one(psa, change(ann)).result is Result.ALREADY

    @pytest.mark.parametrize("fault", named(LOST))
    def test_a_write_whose_answer_is_lost_is_not_sent_again(
        self, desk: Desk, psa: Connector, wire: StandIn, fault: Fault
    ) -> None:
        ann, ben, *_ = team(desk)
        write_one(psa, change(ben))
        before = desk.written()
        rule = wire.faults.add(fault, when=desk.is_write)
        ended = attempt(psa, change(ann))
        assert rule.hits == 1
        applied = isinstance(ended, Outcome) and ended.result is Result.APPLIED
        told = f"the write arrived and its answer was lost: let Ambiguous out, or read again; not {ended!r}"
        assert isinstance(ended, Transient) or applied, told
        # Where a list is sent at once, nobody knows whose answer it was.
        if isinstance(ended, Ambiguous) and self.connector.traits.batch == 1:
            assert ended.contact == ann, "error.contact = contact_id: else all the others wait with this one"
        assert desk.consent_of(ann) is OUT
        sent = desk.written()
        assert sent != before
        assert write_one(psa, change(ann)).result is Result.ALREADY
        assert desk.written() == sent, "it was written a second time"

    def test_a_write_that_is_answered_but_not_kept_is_not_done(self, desk: Desk, psa: Connector) -> None:
        ann, ben, cleo = team(desk)
        desk.lose_writes(ben)
        outcomes: dict[str, Outcome] = {}
        with suppress(SyncdError):
            outcomes.update(psa.write(iter([change(ann), change(ben), change(cleo)])))
        assert desk.consent_of(ben) is None, "lose_writes() of the desk kept the write"
        for contact, outcome in outcomes.items():
            must_be_true(desk, change(contact), outcome)
        assert outcomes.get(ben, Outcome(Result.REFUSED)).result is Result.REFUSED

    @pytest.mark.parametrize("kind", RETRY_AFTER)
    def test_too_many_writes(self, desk: Desk, psa: Connector, wire: StandIn, kind: str) -> None:
        ann, *_ = team(desk)
        rule = wire.faults.add(status(429, headers=RETRY_AFTER[kind][0]()), when=desk.is_write, times=None)
        ended = attempt(psa, change(ann))
        assert isinstance(ended, Transient), f"429 is Transient, not {ended!r}"
        must_ask_for_patience(ended, kind)
        rule.remove()
        assert write_one(psa, change(ann)).result is Result.APPLIED

    def test_refused_credentials_end_a_long_list_of_writes(
        self, desk: Desk, connect: Callable[[], Connector], wire: StandIn
    ) -> None:
        people = team(desk, 5)
        psa = connect()
        write_one(psa, change(people[0]))
        wire.forget_requests()
        wire.faults.add(status(401), times=None)
        with pytest.raises(AuthRefused):
            list(psa.write(map(change, people)))
        assert len(wire.requests) <= STORM, "after 401 no more calls: let AuthRefused out at the first"

    @pytest.mark.parametrize("effect", ["never", "before"], ids=["not written", "written"])
    def test_a_write_that_meets_silence_is_given_up(
        self,
        desk: Desk,
        connect: Callable[..., Connector],
        wire: StandIn,
        effect: Literal["never", "before"],
    ) -> None:
        ann, ben, *_ = team(desk)
        psa = connect(desk.answers_within)
        write_one(psa, change(ben))
        rule = wire.faults.add(stall(effect), when=desk.is_write, times=None)
        with bounded(desk, rule):
            ended = attempt(psa, change(ann))
        must_be_true(desk, change(ann), ended)
        told = f"nobody knows what became of the write: let Ambiguous out, not {ended!r}"
        assert isinstance(ended, Transient) or desk.consent_of(ann) is OUT, told
        assert write_one(psa, change(ann)).result in DONE

    def test_a_write_whose_answer_drips_is_given_up(
        self, desk: Desk, connect: Callable[..., Connector], wire: StandIn
    ) -> None:
        ann, ben, *_ = team(desk)
        psa = connect(desk.answers_within)
        write_one(psa, change(ben))
        rule = wire.faults.add(drip_headers(every=desk.answers_within / 5), when=desk.is_write, times=None)
        with bounded(desk, rule):
            ended = attempt(psa, change(ann))
        must_be_true(desk, change(ann), ended)

    @pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
    def test_no_write_follows_a_redirect(self, desk: Desk, psa: Connector, wire: StandIn, code: int) -> None:
        ann, ben, *_ = team(desk)
        write_one(psa, change(ben))
        with Catcher() as elsewhere:
            wire.faults.add(redirect(elsewhere.base_url + "/caught", code), when=desk.is_write, times=None)
            ended = attempt(psa, change(ann))
            assert elsewhere.requests == [], "it went where the redirect led, with our key"
        assert not (isinstance(ended, Outcome) and ended.result in DONE), "a redirect is no success"
        assert desk.consent_of(ann) is None
