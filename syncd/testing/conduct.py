"""The contract of manners: no secret leaks, no bound is broken, and `check` finds out and changes nothing."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, quote_plus

import pytest

from syncd import registry
from syncd.connector import Connector, Outcome, Report, Settings
from syncd.errors import SyncdError
from syncd.sandbox.faults import Fault, hang_up, html_page, redirect, reset, status
from syncd.sandbox.server import StandIn
from syncd.testing.bench import IN, OUT, Bench, change, secrets_of, team, write
from syncd.testing.desk import Desk
from syncd.testing.faulting import Gauge, echo
from syncd.testing.read_faults import named

TELLTALES = [
    *(echo(code, as_json=as_json) for code in (200, 400, 401, 403, 500) for as_json in (False, True)),
    status(401),
    status(500),
    html_page(),
    redirect("http://127.0.0.1:9/"),
    reset(),
    hang_up(),
]


class ConductContract(Bench):
    """How a connector behaves, whatever it does."""

    def test_it_is_declared_in_full_and_found_by_its_name(self, desk: Desk) -> None:
        traits = self.connector.traits
        assert registry.find(self.connector.name) is self.connector, "the entry point names another class"
        assert traits.batch >= 1
        if traits.limits is not None:
            assert min(traits.limits.calls, traits.limits.per, traits.limits.concurrency) > 0
        assert issubclass(self.connector.settings_model, Settings)
        settings = desk.settings()
        self.connector.settings_model(**settings)
        with pytest.raises(ValueError, match="no_such_setting"):
            self.connector.settings_model(**settings, no_such_setting=1)  # type: ignore[call-arg]

    def test_nothing_is_called_before_it_is_asked(
        self, desk: Desk, connect: Callable[[], Connector], wire: StandIn
    ) -> None:
        team(desk)
        psa = connect()
        psa.close()
        assert wire.requests == []

    def test_it_calls_through_the_transport_only(self, desk: Desk, psa: Connector, wire: StandIn) -> None:
        people = team(desk)
        list(psa.companies())
        list(psa.contacts())
        write(psa, *map(change, people))
        psa.check()
        agents = {request.headers["User-Agent"] or "nobody" for request in wire.requests}
        assert [agent for agent in agents if not agent.startswith("syncd/")] == []

    def test_the_check_passes_and_changes_nothing(self, desk: Desk, psa: Connector) -> None:
        people = team(desk, consent=IN)
        before = desk.written(), {contact: dict(desk.record(contact)) for contact in people}
        report = psa.check()
        assert isinstance(report, Report)
        assert report.passed, [str(finding) for finding in report.findings]
        assert report.findings
        assert (desk.written(), {contact: dict(desk.record(contact)) for contact in people}) == before
        assert {desk.consent_of(contact) for contact in people} == {IN}

    @pytest.mark.parametrize("fault", named([status(401), status(403), status(404), html_page()]))
    def test_the_check_says_what_the_admin_must_change(
        self, desk: Desk, psa: Connector, wire: StandIn, fault: Fault
    ) -> None:
        team(desk)
        wire.faults.add(fault, times=None)
        report = _checked(psa)
        assert report is None or not (report.passed or report.only_down)

    def test_the_check_tells_a_service_that_is_away(self, desk: Desk, psa: Connector, wire: StandIn) -> None:
        team(desk)
        wire.stop()
        report = _checked(psa)
        assert report is None or report.only_down

    @pytest.mark.parametrize("fault", named(TELLTALES))
    def test_no_secret_gets_out(
        self,
        desk: Desk,
        connect: Callable[[], Connector],
        wire: StandIn,
        fault: Fault,
        remarks: list[str],
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        people = team(desk)
        caplog.set_level(logging.DEBUG)
        told: list[str] = []
        for warm in (False, True):
            psa = connect()
            told += [repr(psa), str(psa)]
            if warm:
                told += _all_it_says(psa, people)
            wire.faults.add(fault, times=None)
            told += _all_it_says(psa, people)
            wire.faults.clear()
        told += remarks
        # syncd keeps urllib3 from narrating.
        told += [one.getMessage() for one in caplog.records if not one.name.startswith("urllib3")]
        told += capfd.readouterr()
        given = desk.settings()
        settings = self.connector.settings_model(**given)
        told += [repr(settings), str(settings)]
        secrets = secrets_of(settings, given) | _credentials(wire)
        for secret in secrets:
            for form in {secret, quote(secret, safe=""), quote_plus(secret)}:
                shown = [text for text in told if form.casefold() in text.casefold()]
                assert shown == [], f"a secret got out: {shown[0][:300]}"

    def test_no_more_calls_are_in_flight_than_declared(self, desk: Desk, connect: Callable[[], Connector]) -> None:
        declared = self.connector.traits.limits
        gauge = Gauge()
        people = team(desk, 24)
        psa = connect()
        if desk.wire is not None:
            desk.wire.faults.add(gauge.fault(), times=None)
        outcomes: dict[str, Outcome] = {}
        troubles: list[Exception] = []

        def work(part: int) -> None:
            try:
                outcomes.update(write(psa, *map(change, people[part::6])))
                assert {contact.id for contact in psa.contacts()} >= set(people)
                list(psa.companies())
            except Exception as error:  # noqa: BLE001  a thread has nobody to catch it
                troubles.append(error)

        threads = [threading.Thread(target=work, args=(part,)) for part in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert troubles == []
        assert declared is None or gauge.max <= declared.concurrency
        assert len(outcomes) == len(people)
        assert {desk.consent_of(contact) for contact in people} == {OUT}

    def test_it_may_be_closed_twice(self, desk: Desk, connect: Callable[[], Connector]) -> None:
        team(desk)
        unused, used = connect(), connect()
        list(used.contacts())
        for psa in (unused, used):
            psa.close()
            psa.close()


def _checked(psa: Connector) -> Report | None:
    try:
        return psa.check()
    except SyncdError:
        return None


def _all_it_says(psa: Connector, people: Iterable[str]) -> Iterator[str]:
    """Everything that an operator may get to read of a whole pass."""
    wish = [change(contact) for contact in people]
    parts: tuple[Callable[[], Iterable[object]], ...] = (
        psa.companies,
        psa.contacts,
        lambda: psa.write(iter(wish)),
        lambda: psa.check().findings,
    )
    for part in parts:
        try:
            yield from map(repr, part())
        except SyncdError as error:
            yield repr(error)
            yield "".join(traceback.format_exception(error))
            yield repr(vars(error))


def _credentials(wire: StandIn) -> set[str]:
    """What the connector logged in with, tokens that the server made up included."""
    sent = (request.headers["Authorization"] or "" for request in wire.requests)
    return {words[-1] for value in sent if (words := value.split())}
