"""Connectors with one fault each, for `test_the_contract_bites.py`. Not collected by itself."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import requests
from desk_connectwise import ConnectWiseDesk
from desk_halopsa import HaloDesk
from desk_rt import RtDesk
from desks import AutotaskDesk, LocalDesk
from pydantic import ConfigDict

from connectors.autotask import Autotask
from connectors.autotask.client import AutotaskClient, Clause
from connectors.autotask.settings import AutotaskSettings
from connectors.connectwise import ConnectWise
from connectors.halopsa import HaloPsa
from connectors.halopsa.client import HaloPsaClient
from connectors.local import Local
from connectors.rt import Rt
from connectors.rt.client import RtClient
from syncd.clock import Clock
from syncd.connector import ALREADY, APPLIED, GONE, Change, Finding, Grade, Outcome, Report, Traits, refused
from syncd.errors import Ambiguous, AuthRefused, Permanent, ShapeChanged, SyncdError, Transient
from syncd.http import Limits, Transport, before_sending
from syncd.model import Company, Consent, Contact
from syncd.testing import ConnectorContract, Desk

# Which test must fail for which class here.
CAUGHT_BY: dict[str, str] = {}


DESKS: dict[type[Any], type[Desk]] = {
    Autotask: AutotaskDesk,
    ConnectWise: ConnectWiseDesk,
    HaloPsa: HaloDesk,
    Local: LocalDesk,
    Rt: RtDesk,
}


def caught_by(test: str, at: type[Desk] | None = None) -> Any:
    """Make a trial of a faulty connector, or of one at a faulty desk."""

    def noted(faulty: type[Any]) -> type[Any]:
        name = f"Test{faulty.__name__}"
        desk = at or next(desk for sound, desk in DESKS.items() if issubclass(faulty, sound))
        trial = type(name, (ConnectorContract,), {"connector": faulty, "desk_class": desk, "__module__": __name__})
        globals()[name] = trial
        CAUGHT_BY[name] = test
        return faulty

    return noted


@caught_by("test_inactive_contacts_are_listed_as_such")
class LeavesInactiveOut(Autotask):
    def contacts(self, *args: Any, **more: Any) -> Iterator[Contact]:
        return (contact for contact in super().contacts(*args, **more) if contact.active)


@caught_by("test_contacts_come_whole_and_once_at_every_size[one]")
class ListsTwice(Autotask):
    def contacts(self, *args: Any, **more: Any) -> Iterator[Contact]:
        for contact in super().contacts(*args, **more):
            yield contact
            yield contact


@caught_by("test_contacts_come_whole_and_once_at_every_size[page + 1]")
class ReadsOnePage(Local):
    def contacts(self, *args: Any, **more: Any) -> Iterator[Contact]:
        return iter(list(super().contacts(*args, **more))[:100])


@caught_by("test_every_company_is_listed_with_its_state")
class ReadsOnePageOfCompanies(Autotask):
    def companies(self) -> Iterator[Company]:
        return iter(list(super().companies())[:500])


@caught_by("test_contacts_come_whole_and_once_at_every_size[page]")
class IgnoresTheCompany(Autotask):
    def contacts(self, company: str | None = None, changed_since: Any = None) -> Iterator[Contact]:
        return super().contacts(None)


class _Trusting(AutotaskClient):
    def query(self, entity: str, clauses: Any = (), fields: Any = None) -> Iterator[list[dict[str, Any]]]:
        trusted = [_Unchecked(clause.op, clause.field, clause.value) for clause in clauses]
        return super().query(entity, trusted, fields)


class _Unchecked(Clause):
    def holds(self, row: Any) -> bool:
        return True


@caught_by("test_a_filter_that_is_ignored_does_not_widen_a_cascade")
class TrustsFilters(Autotask):
    def __init__(self, settings: Any, shell: Any) -> None:
        super().__init__(settings, shell)
        self._client.__class__ = _Trusting


@caught_by("test_no_more_changes_are_taken_than_a_batch_before_their_outcomes_come")
class TakesEverything(Autotask):
    def write(self, changes: Any) -> Any:
        yield from super().write(list(changes))


@caught_by("test_a_write_is_done_once_and_then_already[opted_out-opted_out]")
class WritesBlindly(Autotask):
    """Writes without looking first."""

    def write(self, changes: Any) -> Any:
        for change in changes:
            row = self._client.contact(change.contact_id)
            if row is None:
                yield change.contact_id, GONE
                continue
            word = "Opted-Out" if change.consent is Consent.OPTED_OUT else "Opted-In"
            self._client.set_contact_udf(change.contact_id, row["companyID"], "SMS Opt-In", word)
            yield change.contact_id, APPLIED


@caught_by("test_a_write_that_is_answered_but_not_kept_is_not_done")
class BelievesStatus200(WritesBlindly):
    pass


@caught_by("test_an_opt_in_does_not_undo_an_opt_out_that_nobody_saw[None]")
class Overwrites(Autotask):
    def write(self, changes: Any) -> Any:
        yield from super().write(replace(change, shown=Consent.OPTED_OUT) for change in changes)


@caught_by("test_nothing_else_is_touched[one]")
class TouchesOthers(Autotask):
    def write(self, changes: Any) -> Any:
        for change in changes:
            row = self._client.contact(change.contact_id)
            if row:
                self._client.set_contact_udf(change.contact_id, row["companyID"], "Badge", "gone")
            yield from super().write([change])


@caught_by("test_a_fault_at_any_step_never_costs_rows[status-500]")
class SwallowsErrors(Autotask):
    def contacts(self, *args: Any, **more: Any) -> Iterator[Contact]:
        try:
            yield from super().contacts(*args, **more)
        except SyncdError:
            return


@caught_by("test_a_service_that_fails_at_everything_is_no_empty_list[contacts-status-500]")
class TriesForEver(Autotask):
    def contacts(self, *args: Any, **more: Any) -> Iterator[Contact]:
        for _ in range(10):
            try:
                return iter(list(super().contacts(*args, **more)))
            except Transient:
                continue
        raise Transient("it does not want to")


@caught_by("test_a_service_that_fails_at_everything_is_no_empty_list[contacts-status-503]")
class AsksOnceMore(Autotask):
    def contacts(self, *args: Any, **more: Any) -> Iterator[Contact]:
        try:
            return iter(list(super().contacts(*args, **more)))
        except Transient:
            return super().contacts(*args, **more)


@caught_by("test_rows_that_cannot_be_read_are_not_left_out[null for a row]")
class LeavesOutWhatItCannotRead(SwallowsErrors):
    pass


@caught_by("test_rows_that_cannot_be_read_are_not_left_out[a row with its id alone]")
class LeavesPoorRowsOut(ConnectWise):
    def contacts(self, *args: Any, **more: Any) -> Iterator[Contact]:
        return (contact for contact in super().contacts(*args, **more) if contact.numbers)


@caught_by("test_a_last_page_that_is_lost_is_noticed[status-500]")
class IgnoresABadPage(SwallowsErrors):
    pass


@caught_by("test_too_many_requests[seconds]")
class DropsRetryAfter(Autotask):
    def contacts(self, *args: Any, **more: Any) -> Iterator[Contact]:
        try:
            yield from super().contacts(*args, **more)
        except Transient as error:
            raise Transient(str(error)) from None


@caught_by("test_refused_credentials_end_a_long_list_of_writes")
class GoesOnAfter401(Autotask):
    def write(self, changes: Any) -> Any:
        refusals = []
        for change in changes:
            try:
                yield from super().write([change])
            except AuthRefused as error:
                refusals.append(error)
        if refusals:
            raise refusals[0]


@caught_by("test_a_write_that_fails_is_sent_once_and_recovers[status-412]")
class CallsItself(Autotask):
    def write(self, changes: Any) -> Any:
        for change in changes:
            try:
                yield from super().write([change])
            except SyncdError:
                yield from self.write([change])


@caught_by("test_a_write_that_fails_is_sent_once_and_recovers[reset]")
class RepeatsLostWrites(Autotask):
    def write(self, changes: Any) -> Any:
        for change in changes:
            for last in (False, True):
                try:
                    yield from super().write([change])
                    break
                except Ambiguous:
                    if last:
                        raise


@caught_by("test_a_silent_service_is_given_up[first call]")
class WaitsTooLong(Autotask):
    def __init__(self, settings: Any, shell: Any) -> None:
        super().__init__(settings, replace(shell, transport=Transport(Clock(), Limits(10_000, 1.0, 2))))


@caught_by("test_no_redirect_is_followed[first call-302]")
class UsesPlainRequests(Autotask):
    def __init__(self, settings: Any, shell: Any) -> None:
        super().__init__(settings, shell)
        self._url = settings.zone_discovery_url

    def contacts(self, *args: Any, **more: Any) -> Iterator[Contact]:
        requests.get(self._url + "/V1.0/Contacts/1", headers={"Secret": "x"}, timeout=5).close()
        return super().contacts(*args, **more)


@caught_by("test_it_calls_through_the_transport_only")
class UsesPlainRequestsToo(UsesPlainRequests):
    pass


@caught_by("test_no_secret_gets_out[status-500]")
class TellsItsSecret(Autotask):
    def companies(self) -> Iterator[Company]:
        try:
            yield from super().companies()
        except SyncdError as error:
            secret = self._settings.secret.get_secret_value()  # type: ignore[attr-defined]
            raise Transient(f"{error}; the secret is {secret}") from None


@caught_by("test_no_more_calls_are_in_flight_than_declared")
class RunsAhead(Autotask):
    def __init__(self, settings: Any, shell: Any) -> None:
        super().__init__(settings, replace(shell, transport=Transport(Clock(), Limits(10_000, 1.0, 6))))


@caught_by("test_the_check_passes_and_changes_nothing")
class WritesInCheck(Autotask):
    def check(self) -> Any:
        people = [contact.id for contact in self.contacts()]
        dict(self.write(Change(one, None, Consent.OPTED_OUT, Consent.OPTED_IN) for one in people))
        return super().check()


@caught_by("test_a_contact_that_is_not_there_is_gone")
class CallsEverybodyThere(Autotask):
    def write(self, changes: Any) -> Iterator[tuple[str, Outcome]]:
        for contact, outcome in super().write(changes):
            yield contact, ALREADY if outcome is GONE else outcome


@caught_by("test_a_company_that_changes_its_mind_shows_it_at_once")
class RemembersCompanies(Local):
    def companies(self) -> Iterator[Company]:
        if not hasattr(self, "_seen"):
            self._seen = list(super().companies())
        return iter(self._seen)


@caught_by("test_newer_evidence_stops_a_write_at_the_last_moment")
class ForgetsTheGuard(Autotask):
    def write(self, changes: Any) -> Any:
        token = before_sending.set(None)
        try:
            yield from list(super().write(changes))
        finally:
            before_sending.reset(token)


@caught_by("test_each_value_of_the_opt_in_field_is_read")
class TakesUnsetForOut(Autotask):
    def contacts(self, *args: Any, **more: Any) -> Iterator[Contact]:
        for contact in super().contacts(*args, **more):
            yield replace(contact, consent=contact.consent or Consent.OPTED_OUT)


@caught_by("test_a_number_is_found_however_it_is_typed[202.555.0123]")
class ReadsDigitsOnly(Autotask):
    def contacts(self, *args: Any, **more: Any) -> Iterator[Contact]:
        for contact in super().contacts(*args, **more):
            yield replace(contact, numbers=())


@caught_by("test_an_inactive_company_counts_as_before")
class ListsActiveCompaniesOnly(Autotask):
    def companies(self) -> Iterator[Company]:
        pages = self._client.query("Companies", fields=["id", "isActive"])
        active = {str(row["id"]) for page in pages for row in page if row["isActive"]}
        return (company for company in super().companies() if company.id in active)


@caught_by("test_a_value_that_nobody_configured_says_nothing")
class TakesOtherValuesForIn(Local):
    def contacts(self, *args: Any, **more: Any) -> Iterator[Contact]:
        for contact in super().contacts(*args, **more):
            yield replace(contact, consent=contact.consent or Consent.OPTED_IN)


@caught_by("test_a_value_that_nobody_configured_is_written_over[opted_out]")
class LeavesOtherValues(Autotask):
    def write(self, changes: Any) -> Any:
        for change in changes:
            shown = self._client.contact(change.contact_id)["userDefinedFields"]
            if any(field["value"] == "Ask" for field in shown):
                yield change.contact_id, refused("somebody wants to ask first")
            else:
                yield from super().write([change])


@caught_by("test_names_come_as_they_are")
class KeepsPlainLettersOnly(Autotask):
    def contacts(self, *args: Any, **more: Any) -> Iterator[Contact]:
        for contact in super().contacts(*args, **more):
            yield replace(contact, name=contact.name.encode("ascii", "replace").decode())


class DeskWithOtherPages(AutotaskDesk):
    page_size = 400


@caught_by("test_the_desk_knows_the_page_size", at=DeskWithOtherPages)
class HasADeskWithOtherPages(Autotask):
    pass


class DeskWithoutPages(RtDesk):
    page_size = 0


@caught_by("test_the_desk_knows_the_page_size", at=DeskWithoutPages)
class HasADeskWithoutPages(Rt):
    pass


class DeskThatSeesNoWrite(AutotaskDesk):
    def is_write(self, request: Any) -> bool:
        return False


@caught_by("test_each_change_is_one_write_and_goes_past_the_guard", at=DeskThatSeesNoWrite)
class HasADeskThatSeesNoWrite(Autotask):
    pass


class DeskWithBareRecords(AutotaskDesk):
    def record(self, contact: str) -> Any:
        return {}


@caught_by("test_nothing_else_is_touched[one]", at=DeskWithBareRecords)
class HasADeskWithBareRecords(Autotask):
    pass


@caught_by("test_each_change_is_one_write_and_goes_past_the_guard")
class WritesANoteToo(TouchesOthers):
    pass


class _WholeRecords(HaloPsaClient):
    def save_users(self, rows: Any) -> Any:
        return super().save_users([{**self.record("Users", row["id"]), **row} for row in rows])


@caught_by("test_what_changes_between_look_and_write_is_not_put_back")
class SendsWholeRecords(HaloPsa):
    def __init__(self, settings: Any, shell: Any) -> None:
        super().__init__(settings, shell)
        self._client.__class__ = _WholeRecords


@caught_by("test_an_id_that_is_none_writes_nothing[../contacts]")
class CallsOddIdsDone(CallsEverybodyThere):
    pass


@caught_by("test_an_id_that_is_none_writes_nothing[?x=1&y=2#z]")
class QuotesNothing(Autotask):
    def write(self, changes: Any) -> Any:
        for change in changes:
            self._client._call("GET", f"/V1.0/Contacts/{change.contact_id}")
            yield from super().write([change])


class _PushyAtLast(RtClient):
    def set_user_field(self, user: Any, *more: Any) -> str:
        try:
            return super().set_user_field(user, *more)
        except Transient:
            return super().set_user_field(replace(user, etag=None), *more)


@caught_by("test_an_opt_out_between_look_and_write_is_not_undone_where_the_psa_guards")
class OverrulesTheGuard(Rt):
    def __init__(self, settings: Any, shell: Any) -> None:
        super().__init__(settings, shell)
        self._client.__class__ = _PushyAtLast


@caught_by("test_a_write_whose_answer_is_lost_is_not_sent_again[lost-answer-reset]")
class BlamesNobody(WritesBlindly):
    traits = Traits(batch=1, limits=Autotask.traits.limits)

    def write(self, changes: Any) -> Any:
        try:
            yield from super().write(changes)
        except Ambiguous as error:
            raise Ambiguous(str(error)) from None


@caught_by("test_a_fault_at_any_step_is_never_called_done[404-and-a-web-page]")
class CallsEveryMissGone(Autotask):
    def write(self, changes: Any) -> Any:
        for change in changes:
            try:
                yield from super().write([change])
            except (Permanent, ShapeChanged):
                yield change.contact_id, GONE


@caught_by("test_too_many_requests[seconds]")
class Sleeps(Autotask):
    def contacts(self, *args: Any, **more: Any) -> Iterator[Contact]:
        try:
            yield from super().contacts(*args, **more)
        except Transient as error:
            time.sleep(0.001 * (error.retry_after or 0.0))
            raise


@caught_by("test_it_keeps_quiet")
class Logs(Autotask):
    def write(self, changes: Any) -> Any:
        for contact, outcome in super().write(changes):
            logging.getLogger("connector").debug("%s: %s", contact, outcome.result)
            yield contact, outcome


@caught_by("test_it_keeps_quiet")
class Prints(Local):
    def companies(self) -> Iterator[Company]:
        sys.stdout.write("reading\n")
        return super().companies()


@caught_by("test_nothing_is_called_before_it_is_asked")
class DeclaresNoLimits(Autotask):
    traits = Traits(batch=100)


class _Quoting(AutotaskSettings):
    model_config = ConfigDict(hide_input_in_errors=False)


@caught_by("test_a_wrong_setting_is_refused_and_not_quoted")
class QuotesSettings(Autotask):
    settings_model = _Quoting


class _Credulous(AutotaskSettings):
    base_url: str | None = None
    zone_discovery_url: str = ""


@caught_by("test_no_key_is_sent_to_another_machine_without_tls")
class TakesAnyAddress(Autotask):
    settings_model = _Credulous


@caught_by("test_the_check_finds_what_the_psa_does_not_have")
class SeesNothingWrong(Autotask):
    def check(self) -> Report:
        list(self._client.query("Companies"))
        return Report((Finding(Grade.OK, "Autotask", "is there"),))


@caught_by("test_messages_hold_no_address_no_number_and_no_whole_body[status-503]")
class TellsTheAddress(Autotask):
    def companies(self) -> Iterator[Company]:
        try:
            yield from super().companies()
        except SyncdError as error:
            raise Transient(f"{self._settings.zone_discovery_url}: {error}") from None


@caught_by("test_a_filter_that_is_ignored_does_not_widen_a_cascade")
class TellsWhoCame(TrustsFilters):
    def contacts(self, company: str | None = None, changed_since: Any = None) -> Iterator[Contact]:
        for contact in super().contacts(company):
            if company is not None and contact.company_id != company:
                raise ShapeChanged(f"that is somebody else: {contact}")
            yield contact


@caught_by("test_messages_hold_no_address_no_number_and_no_whole_body[text-for-a-row]")
class TellsEverything(Autotask):
    def contacts(self, *args: Any, **more: Any) -> Iterator[Contact]:
        try:
            self._seen = list(super().contacts(*args, **more))
        except SyncdError as error:
            raise ShapeChanged(f"{error}; before it was {self._seen}") from None
        return iter(self._seen)
