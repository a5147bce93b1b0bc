"""The contract of manners: no secret leaks, no bound is broken, and `check` finds out and changes nothing."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, quote_plus

import pytest

from syncd import registry
from syncd.connector import Connector, Grade, Outcome, Report, Settings
from syncd.errors import SyncdError, Transient
from syncd.sandbox.faults import Fault, hang_up, html_page, redirect, reset, status
from syncd.sandbox.server import StandIn
from syncd.testing.bench import IN, OUT, Bench, attempt, change, must_be_discreet, secrets_of, team, write
from syncd.testing.desk import Desk
from syncd.testing.faulting import Gauge, echo, spoiled
from syncd.testing.read_faults import called, named

TELLTALES = [
    *(echo(code, as_json=as_json) for code in (200, 400, 401, 403, 500) for as_json in (False, True)),
    status(401),
    status(500),
    html_page(),
    redirect("http://127.0.0.1:9/"),
    reset(),
    hang_up(),
]


# What a careless message would quote: all rows, a long error, the address.
FAULTS_WITH_TEXT = [
    *(spoiled(how) for how in ("null for a row", "text for a row", "an object for the list")),
    called("400 and a long text", status(400, {"message": "Long. " * 1_000})),
    called("200 and a long text", status(200, "Long. " * 1_000)),
    status(503),
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
        assert issubclass(self.connector.settings_model, Settings), "derive the settings from Settings"
        settings = desk.settings()
        self.connector.settings_model(**settings)
        with pytest.raises(ValueError, match="no_such_setting"):
            self.connector.settings_model(**settings, no_such_setting=1)  # type: ignore[call-arg]

    def test_a_wrong_setting_is_refused_and_not_quoted(self, desk: Desk) -> None:
        settings = desk.settings()
        for name, value in settings.items():
            if not isinstance(value, str) or "canary" not in value.casefold():
                continue
            for wrong in ([value], {"key": value}):
                with pytest.raises(ValueError) as caught:  # noqa: PT011  pydantic's words are its own
                    self.connector.settings_model(**{**settings, name: wrong})
                assert value not in str(caught.value), f"a message quotes {name}: hide_input_in_errors=True"

    def test_no_key_is_sent_to_another_machine_without_tls(self, desk: Desk, wire: StandIn) -> None:
        settings = desk.settings()
        for name, value in settings.items():
            if isinstance(value, str) and value.startswith(wire.base_url):
                elsewhere = value.replace(wire.base_url, "http://psa.example.com")
                try:
                    self.connector.settings_model(**{**settings, name: elsewhere})
                except ValueError:
                    continue
                pytest.fail(f"psa.settings.{name} takes http:// for another machine: use checked_base_url")

    def test_nothing_is_called_before_it_is_asked(
        self, desk: Desk, connect: Callable[[], Connector], wire: StandIn
    ) -> None:
        team(desk)
        psa = connect()
        psa.close()
        assert wire.requests == [], "__init__ and close call nobody"

    def test_it_keeps_quiet(
        self,
        desk: Desk,
        psa: Connector,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        people = team(desk)
        desk.set_contact(people[1], consent=OUT)
        caplog.set_level(logging.DEBUG)
        list(psa.companies())
        list(psa.contacts())
        write(psa, *map(change, people), change(desk.missing_contact()))
        psa.check()
        psa.close()
        # The libraries of the HTTP client speak below `warning`, and syncd does not let them.
        theirs = [one for one in caplog.records if one.thread == threading.get_ident() and not _of_a_library(one)]
        told = "a connector does not log: raise, yield refused(why), or call shell.remark"
        assert [f"{one.name}: {one.getMessage()}" for one in theirs] == [], told
        assert "".join(capfd.readouterr()) == "", "a connector does not print"

    def test_it_calls_through_the_transport_only(self, desk: Desk, psa: Connector, wire: StandIn) -> None:
        people = team(desk)
        list(psa.companies())
        list(psa.contacts())
        write(psa, *map(change, people))
        psa.check()
        agents = {request.headers["User-Agent"] or "nobody" for request in wire.requests}
        foreign = [agent for agent in agents if not agent.startswith("syncd/")]
        assert foreign == [], f"{foreign[0]} called the PSA: use shell.transport.client(...) for every call"

    def test_the_check_passes_and_changes_nothing(self, desk: Desk, psa: Connector) -> None:
        people = team(desk, consent=IN)
        before = desk.written(), {contact: dict(desk.record(contact)) for contact in people}
        report = psa.check()
        assert isinstance(report, Report)
        assert report.passed, [str(finding) for finding in report.findings]
        assert report.findings, "check() says nothing of what it found"
        assert (desk.written(), {contact: dict(desk.record(contact)) for contact in people}) == before
        assert {desk.consent_of(contact) for contact in people} == {IN}

    @pytest.mark.parametrize("fault", named([status(401), status(403), status(404), html_page()]))
    def test_the_check_says_what_the_admin_must_change(
        self, desk: Desk, psa: Connector, wire: StandIn, fault: Fault
    ) -> None:
        team(desk)
        wire.faults.add(fault, times=None)
        report = _checked(psa)
        told = f"{fault.name} is for the admin: raise, or give a finding with Grade.FAIL"
        assert isinstance(report, SyncdError) or not (report.passed or report.only_down), told

    def test_the_check_finds_what_the_psa_does_not_have(
        self, desk: Desk, connect: Callable[..., Connector]
    ) -> None:
        team(desk)
        for settings in desk.misnamed():
            report = _checked(connect(settings=settings))
            wrong = sorted({name for name, value in settings.items() if "nosuch" in repr(value)})
            assert wrong, "misnamed() gave settings without the word 'nosuch'"
            told = f"the PSA has nothing of the name in {wrong}"
            if isinstance(report, Report):
                failed = [one for one in report.findings if one.grade is Grade.FAIL]
                assert failed, f"{told}, and check() finds nothing wrong: {report.findings}"
                assert any("nosuch" in f"{one.what} {one.detail}" for one in failed), (
                    f"{told}; check() must name it"
                )
            else:
                assert "nosuch" in str(report), f"{told}; the exception of check() must name it: {report}"

    def test_the_check_tells_a_service_that_is_away(self, desk: Desk, psa: Connector, wire: StandIn) -> None:
        team(desk)
        wire.stop()
        report = _checked(psa)
        told = "nobody answers, which no admin can change: raise Transient, or give findings with Grade.DOWN"
        assert isinstance(report, Transient) or (isinstance(report, Report) and report.only_down), told

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

    @pytest.mark.parametrize("fault", named(FAULTS_WITH_TEXT))
    def test_messages_hold_no_address_no_number_and_no_whole_body(
        self, desk: Desk, connect: Callable[[], Connector], wire: StandIn, fault: Fault, remarks: list[str]
    ) -> None:
        people = team(desk)
        psa = connect()
        numbers = {number for contact in psa.contacts() for number in contact.numbers}
        for warm in (psa, connect()):
            wire.faults.add(fault, times=None)
            told = [*_all_it_complains_of(warm, people), *remarks]
            wire.faults.clear()
            for text in told:
                must_be_discreet(text, wire, numbers)

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
        assert troubles == [], "six threads used one connector at once, and it failed"
        if declared is not None:
            told = f"{gauge.max} calls at once, of {declared.concurrency} declared: use shell.transport for all"
            assert gauge.max <= declared.concurrency, told
        assert len(outcomes) == len(people)
        assert {desk.consent_of(contact) for contact in people} == {OUT}

    def test_it_may_be_closed_twice(self, desk: Desk, connect: Callable[[], Connector]) -> None:
        team(desk)
        unused, used = connect(), connect()
        list(used.contacts())
        for psa in (unused, used):
            psa.close()
            psa.close()


def _checked(psa: Connector) -> Report | SyncdError:
    try:
        return psa.check()
    except SyncdError as error:
        return error


def _of_a_library(record: logging.LogRecord) -> bool:
    return record.levelno < logging.WARNING and record.name.startswith(("urllib3", "requests"))


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


def _all_it_complains_of(psa: Connector, people: Iterable[str]) -> Iterator[str]:
    """What gets into the log: messages of exceptions and reasons of refusals."""
    for read in (psa.companies, psa.contacts):
        try:
            list(read())
        except SyncdError as error:
            yield str(error)
    for contact in people:
        ended = attempt(psa, change(contact))
        yield ended.reason if isinstance(ended, Outcome) else str(ended)


def _credentials(wire: StandIn) -> set[str]:
    """What the connector logged in with, tokens that the server made up included."""
    sent = (request.headers["Authorization"] or "" for request in wire.requests)
    return {words[-1] for value in sent if (words := value.split())}
