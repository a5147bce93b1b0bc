"""The contract of reading while the service misbehaves: all rows or an exception of `syncd.errors`."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from syncd.clock import Clock
from syncd.connector import Connector
from syncd.errors import AuthRefused, SyncdError, Transient
from syncd.model import Company, CompanyState, Contact
from syncd.sandbox.exchange import Answer, Request
from syncd.sandbox.faults import (
    Fault,
    Rule,
    drip_body,
    empty_body,
    error_under_200,
    hang_up,
    html_page,
    redirect,
    reset,
    stall,
    status,
    too_many_requests,
    truncated,
)
from syncd.sandbox.server import StandIn
from syncd.testing.bench import Bench, crowd, listing, team
from syncd.testing.desk import Desk
from syncd.testing.faulting import ID_ALONE, SPOILED, same_again, spoiled

# No connector needs more calls than this to find out that nothing works: one that logs in again, or that the
# HTTP client tried a second time because the line broke, and one to spare.
STORM = 3
LOOP = "a connector holds no loop around failures: let the exception out, syncd tries again"
# In a long pass, so many steps from its beginning and from its end are disturbed.
STEPS = 5


def called(name: str, fault: Fault) -> Fault:
    """A fault under a name that says what arrives."""
    return replace(fault, name=name)


TRUNCATED = [truncated(0.6, how) for how in ("cut", "full", "chunked")]
NOT_DATA = [
    called("200 and a web page", html_page()),
    called("200 and nothing", empty_body()),
    called("204 and nothing", empty_body(204)),
    called("200 and an error", error_under_200()),
    called("200 and errors", status(200, {"errors": ["Something went wrong, please try again later."]})),
    called("200 and a message", status(200, {"code": "Unexpected", "message": "Something went wrong."})),
    called("200 and an empty object", status(200, {})),
    called("200 and null", status(200, b"null")),
    called("200 and a text", status(200, b'"later"')),
]
# What a service answers that is in trouble, and not with our request.
TROUBLED = [status(code) for code in (500, 502, 503, 504)]
REFUSALS = [*(status(code) for code in (400, 401, 403, 404, 409, 412)), *TROUBLED]
OTHERS = [
    called("403 and a web page", html_page(403)),
    called("404 and a web page", html_page(404)),
    called("502 and a web page", html_page(502)),
    too_many_requests(),
    called("redirect", redirect("http://127.0.0.1:9/")),
]
LINE_FAULTS = [reset(), hang_up()]

ALL_FAULTS = [*NOT_DATA, *TRUNCATED, *REFUSALS, *OTHERS, *LINE_FAULTS]
# Those that may be over in a minute; asked once, they are an answer already.
PASSING = {*(fault.name for fault in TROUBLED), "status 429", "502 and a web page"}


def named(faults: list[Fault]) -> list[Any]:
    """Faults as parameters, each with a name of its own."""
    return [pytest.param(fault, id=re.sub(r"[ ,]+", "-", fault.name)) for fault in faults]


# What a service may send as Retry-After, and from how many to how many seconds we then wait (None: say nothing).
RETRY_AFTER: dict[str, tuple[Callable[[], dict[str, str]], float, float, bool]] = {
    "seconds": (lambda: {"Retry-After": "7"}, 7.0, 7.0, True),
    "date": (lambda: _dated(60), 55.0, 65.0, True),
    "date long ago": (lambda: _dated(-86_400), 1.0, 900.0, True),
    "absurdly long": (lambda: {"Retry-After": "99999999999"}, 1.0, 900.0, True),
    "negative": (lambda: {"Retry-After": "-5"}, 1.0, 900.0, True),
    "words": (lambda: {"Retry-After": "soon"}, 1.0, 900.0, False),
    "huge exponent": (lambda: {"Retry-After": "1e999"}, 1.0, 900.0, False),
    "none": (dict, 1.0, 900.0, False),
}


def _dated(seconds: int) -> dict[str, str]:
    """A Retry-After so many seconds from now, by a server whose clock is an hour slow."""
    now = Clock().now() - timedelta(hours=1)
    then = now + timedelta(seconds=seconds)
    return {"Date": format_datetime(now, usegmt=True), "Retry-After": format_datetime(then, usegmt=True)}


def must_ask_for_patience(error: Transient, kind: str) -> None:
    """`retry_after` is what the service said, within reason."""
    _, least, most, said = RETRY_AFTER[kind]
    if error.retry_after is None:
        assert not said, "the service said when to come back: pass it on as retry_after= (must_be_good() does)"
    else:
        told = f"retry_after is {error.retry_after}; the service meant {least:g} to {most:g} seconds"
        assert least <= error.retry_after <= most, told


@contextmanager
def bounded(desk: Desk, rule: Rule, calls: int = 4) -> Iterator[None]:
    """What happens within takes no longer than so many unanswered calls; else the silent server hangs up."""
    clock = Clock()
    longest = calls * desk.answers_within + 1.0
    guard = threading.Timer(longest + 2.0, rule.release)
    guard.start()
    began = clock.monotonic()
    try:
        yield
    finally:
        guard.cancel()
        rule.remove()
    took = clock.monotonic() - began
    assert took <= longest, f"it waited {took:.1f} s for a service that says nothing: a request without a timeout?"


class Catcher(StandIn):
    """Another host: it takes everything and must get nothing."""

    name = "other host"

    def answer(self, request: Request) -> Answer:
        """Say yes."""
        del request
        return Answer.json([], 200)


class ReadFaultsContract(Bench):
    """What `companies` and `contacts` do when the service does not do its part."""

    @pytest.mark.parametrize("fault", named(ALL_FAULTS))
    def test_a_fault_at_any_step_never_costs_rows(
        self, desk: Desk, connect: Callable[[], Connector], wire: StandIn, fault: Fault
    ) -> None:
        team(desk)
        expected = _everything(connect())
        wire.forget_requests()
        _everything(connect())
        calls = len(wire.requests)
        steps = [n for n in range(calls) if n < STEPS or n >= calls - STEPS]
        for step in steps:
            rule = wire.faults.add(fault, skip=step)
            psa = connect()
            with suppress(SyncdError):
                assert _everything(psa) == expected, f"wrong rows after {fault.name} at call {step + 1} of {calls}"
            rule.remove()
            assert _everything(psa) == expected, f"it did not recover from {fault.name} at call {step + 1}"

    @pytest.mark.parametrize("how", SPOILED)
    def test_rows_that_cannot_be_read_are_not_left_out(
        self, desk: Desk, connect: Callable[[], Connector], wire: StandIn, how: str, remarks: list[str]
    ) -> None:
        team(desk)
        expected = _everything(connect())
        wire.forget_requests()
        _everything(connect())
        for step in range(min(len(wire.requests), 2 * STEPS)):
            rule = wire.faults.add(spoiled(how), skip=step)
            psa = connect()
            with suppress(SyncdError):
                found = _everything(psa)
                # Some services leave empty fields out; then that row is a poor one, but a row.
                same = _ids(found) == _ids(expected) if how == ID_ALONE else found == expected
                told = f"call {step + 1} answered with {how}: neither all rows nor ShapeChanged nor a remark"
                assert same or remarks, told
            rule.remove()

    @pytest.mark.parametrize("fault", named(ALL_FAULTS))
    @pytest.mark.parametrize("what", ["companies", "contacts"])
    def test_a_service_that_fails_at_everything_is_no_empty_list(
        self, desk: Desk, psa: Connector, wire: StandIn, fault: Fault, what: str
    ) -> None:
        team(desk)
        expected = _everything(psa)
        wire.forget_requests()
        wire.faults.add(fault, times=None)
        with pytest.raises(SyncdError) as caught:
            list(psa.companies() if what == "companies" else psa.contacts())
        assert len(wire.requests) <= (1 if fault.name in PASSING else STORM), LOOP
        if fault.name == "status 401":
            assert isinstance(caught.value, AuthRefused), "401 is AuthRefused"
        if fault.name in PASSING or fault in LINE_FAULTS:
            assert isinstance(caught.value, Transient), f"{fault.name} may be over in a minute: Transient"
        wire.faults.clear()
        assert _everything(psa) == expected, f"it did not recover from {fault.name}"

    @pytest.mark.parametrize("fault", named([*NOT_DATA, *TRUNCATED, status(500), status(404), reset()]))
    def test_a_last_page_that_is_lost_is_noticed(
        self, desk: Desk, psa: Connector, wire: StandIn, fault: Fault
    ) -> None:
        people = self._two_pages(desk)
        calls = self._calls_of_a_listing(psa, wire)
        wire.faults.add(fault, times=None, skip=calls - 1)
        try:
            found = {contact.id for contact in psa.contacts()}
        except SyncdError:
            return
        assert found >= people, f"{len(people - found)} contacts went missing without a word"

    def test_a_page_that_comes_again_and_again_is_noticed(self, desk: Desk, psa: Connector, wire: StandIn) -> None:
        people = self._two_pages(desk)
        calls = self._calls_of_a_listing(psa, wire)
        for step in range(max(1, calls - STEPS), calls):
            wire.forget_requests()
            again = same_again(step, 20)
            wire.faults.add(again, times=None)
            try:
                found = listing(psa)
            except SyncdError:
                found = None
            wire.faults.clear()
            assert found is None or found.keys() >= people, "contacts went missing without a word"
            assert len(wire.requests) < step + 20, "the same page came again and again, and it went on reading"

    def _two_pages(self, desk: Desk) -> set[str]:
        if not desk.page_size:
            pytest.skip("the desk has no page_size: the connector reads everything at once")
        return set(crowd(desk, desk.add_company("Acme Dental", CompanyState.APPROVED), desk.page_size + 1))

    def _calls_of_a_listing(self, psa: Connector, wire: StandIn) -> int:
        list(psa.contacts())
        wire.forget_requests()
        list(psa.contacts())
        return len(wire.requests)

    @pytest.mark.parametrize("kind", RETRY_AFTER)
    def test_too_many_requests(self, desk: Desk, psa: Connector, wire: StandIn, kind: str) -> None:
        team(desk)
        list(psa.contacts())
        for body in (b'{"message": "Too many requests"}', b"<!DOCTYPE html><html><body>Slow down</body></html>"):
            wire.forget_requests()
            rule = wire.faults.add(status(429, body, headers=RETRY_AFTER[kind][0]()), times=None)
            with pytest.raises(Transient) as caught:
                list(psa.contacts())
            rule.remove()
            must_ask_for_patience(caught.value, kind)
            assert len(wire.requests) == 1, LOOP

    def test_refused_credentials_are_not_tried_again_and_again(
        self, desk: Desk, connect: Callable[[], Connector], wire: StandIn
    ) -> None:
        team(desk)
        wire.faults.add(status(401), times=None)
        for read in (Connector.companies, Connector.contacts):
            psa = connect()
            wire.forget_requests()
            with pytest.raises(AuthRefused):
                list(getattr(psa, read.__name__)())
            assert len(wire.requests) <= STORM, LOOP

    @pytest.mark.parametrize("warm", [False, True], ids=["first call", "later call"])
    def test_a_silent_service_is_given_up(
        self, desk: Desk, connect: Callable[..., Connector], wire: StandIn, warm: bool
    ) -> None:
        team(desk)
        psa = connect(desk.answers_within)
        if warm:
            list(psa.contacts())
        rule = wire.faults.add(stall("never"), times=None)
        with bounded(desk, rule), pytest.raises(Transient):
            list(psa.contacts())

    def test_a_body_that_drips_is_given_up(
        self, desk: Desk, connect: Callable[..., Connector], wire: StandIn
    ) -> None:
        team(desk)
        psa = connect(desk.answers_within)
        list(psa.contacts())
        rule = wire.faults.add(drip_body(every=desk.answers_within / 5), times=None)
        with bounded(desk, rule), pytest.raises(Transient):
            list(psa.contacts())

    def test_a_service_that_is_away_is_transient(self, desk: Desk, psa: Connector, wire: StandIn) -> None:
        team(desk)
        expected = _everything(psa)
        wire.stop()
        for read in (psa.companies, psa.contacts):
            with pytest.raises(Transient):
                list(read())
        wire.start()
        assert _everything(psa) == expected

    @pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize("warm", [False, True], ids=["first call", "later call"])
    def test_no_redirect_is_followed(
        self, desk: Desk, psa: Connector, wire: StandIn, code: int, warm: bool
    ) -> None:
        team(desk)
        if warm:
            list(psa.contacts())
        with Catcher() as elsewhere:
            wire.faults.add(redirect(elsewhere.base_url + "/caught", code), times=None)
            with pytest.raises(SyncdError):
                list(psa.contacts())
            assert elsewhere.requests == [], "it went where the redirect led, with our key"


def _everything(psa: Connector) -> tuple[dict[str, Company], dict[str, Contact]]:
    """A whole pass."""
    return {company.id: company for company in psa.companies()}, listing(psa)


def _ids(everything: tuple[dict[str, Company], dict[str, Contact]]) -> tuple[set[str], set[str]]:
    companies, contacts = everything
    return set(companies), set(contacts)
