"""The contract of reading: everything, each once, inactive ones too, and nobody else's."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import pytest

from syncd.clock import Clock
from syncd.connector import Connector
from syncd.errors import SyncdError
from syncd.model import Company, CompanyState, Consent, Contact, phone_numbers
from syncd.sandbox.people import fictional_number
from syncd.sandbox.server import StandIn
from syncd.testing.bench import IN, OUT, STRANGE_IDS, Bench, crowd, listing, must_be_discreet, name_of, team
from syncd.testing.desk import MAIN_LINE, Desk

STATES = (CompanyState.APPROVED, CompanyState.OPTED_OUT, CompanyState.UNSET)
CONSENTS = (None, Consent.OPTED_IN, Consent.OPTED_OUT)
ONE_PAGE = 100  # where the connector asks for everything at once

# As people type them; all of one person.
PERSON = "+12025550123"
PHONE_FORMATS = (
    "+12025550123",
    "12025550123",
    "2025550123",
    "202-555-0123",
    "(202) 555-0123",
    "202.555.0123",
    "+1 202 555 0123",
    "1-202-555-0123",
    "202 555 0123 x45",
    "  (202)555-0123 ",
)


class ReadingContract(Bench):
    """What `companies` and `contacts` must do."""

    def test_every_company_is_listed_with_its_state(self, desk: Desk, psa: Connector) -> None:
        before = {company.id for company in psa.companies()}
        size = (desk.page_size or ONE_PAGE) + 1
        added = {desk.add_company(f"Company {n}", STATES[n % 3]): n for n in range(size)}
        companies = list(psa.companies())
        assert all(isinstance(company, Company) for company in companies)
        found = {company.id: company for company in companies}
        assert len(found) == len(companies), "a company was listed twice"
        missing, extra = (before | added.keys()) - found.keys(), found.keys() - (before | added.keys())
        assert not missing, f"{len(missing)} of {size} companies are not listed: is every page read?"
        assert not extra, f"companies are listed that nobody added: {sorted(extra)[:5]}"
        for company, n in added.items():
            assert (found[company].name, found[company].state) == (f"Company {n}", STATES[n % 3])

    def test_an_inactive_company_counts_as_before(self, desk: Desk, psa: Connector) -> None:
        acme = desk.add_company("Acme Dental", CompanyState.OPTED_OUT)
        ann = desk.add_contact(acme, "Ann Lee", ["202-555-0123"])
        desk.retire_company(acme)
        states = {company.id: company.state for company in psa.companies()}
        assert acme in states, "an inactive company is not listed: its opt-out would be forgotten"
        assert states[acme] is CompanyState.OPTED_OUT
        assert listing(psa, acme).keys() == {ann}
        assert listing(psa)[ann].company_id == acme

    def test_a_value_that_nobody_configured_says_nothing(self, desk: Desk, psa: Connector) -> None:
        acme, birch = (desk.add_company(name, CompanyState.APPROVED) for name in ("Acme Dental", "Birch Legal"))
        ann, ben = desk.add_contact(acme, "Ann Lee", consent=IN), desk.add_contact(birch, "Ben Ray", consent=OUT)
        desk.set_other_values(acme, ann)
        states = {company.id: company.state for company in psa.companies()}
        assert states[acme] is CompanyState.UNSET, "a value of the approval field that is not configured is UNSET"
        assert states[birch] is CompanyState.APPROVED
        people = listing(psa)
        assert people[ann].consent is None, "a value of the opt-in field that is not configured is None"
        assert people[ben].consent is OUT

    def test_names_come_as_they_are(self, desk: Desk, psa: Connector) -> None:
        names = ["Zoë Ångström", "Siân O'Neill", "Łukasz Żak-Nowak", "雅子 小和田"]
        acme = desk.add_company("Café & Söhne")
        people = {desk.add_contact(acme, name): name for name in names}
        assert {contact.id: contact.name for contact in psa.contacts(acme)} == people
        assert {company.id: company.name for company in psa.companies()}[acme] == "Café & Söhne"

    def test_a_company_that_changes_its_mind_shows_it_at_once(self, desk: Desk, psa: Connector) -> None:
        acme = desk.add_company("Acme Dental", CompanyState.APPROVED)
        for state in (*reversed(STATES), CompanyState.APPROVED):
            desk.set_company(acme, state)
            shown = {company.id: company.state for company in psa.companies()}[acme]
            assert shown is state, "companies() must show the state of this moment: keep nothing from call to call"

    @pytest.mark.parametrize("size", ["none", "one", "page", "page + 1"])
    def test_contacts_come_whole_and_once_at_every_size(self, desk: Desk, psa: Connector, size: str) -> None:
        page = desk.page_size or ONE_PAGE
        self._must_list(desk, psa, {"none": 0, "one": 1, "page": page, "page + 1": page + 1}[size])

    def _must_list(self, desk: Desk, psa: Connector, size: int) -> None:
        """Add so many contacts of all kinds, in two companies, and read them back."""
        before = set(listing(psa))
        acme, birch = (desk.add_company(name, CompanyState.APPROVED) for name in ("Acme Dental", "Birch Legal"))
        expected: dict[str, Contact] = {}
        for n in range(size):
            consent, active, company = CONSENTS[n % 3], n % 4 != 1, birch if n % 10 == 9 else acme
            phone = fictional_number(n)
            contact = desk.add_contact(company, name_of(n), [phone], consent=consent, active=active)
            expected[contact] = Contact(contact, company, name_of(n), phone_numbers(phone), active, consent)
        everybody = listing(psa)
        _must_be_complete(everybody, expected, before)
        for company in (acme, birch):
            theirs = {contact: one for contact, one in expected.items() if one.company_id == company}
            _must_be_complete(listing(psa, company), theirs)

    def test_the_desk_knows_the_page_size(self, desk: Desk, psa: Connector, wire: StandIn) -> None:
        acme = desk.add_company("Acme Dental")
        crowd(desk, acme, 1)
        listing(psa)
        few = _calls(psa, wire)
        crowd(desk, acme, desk.page_size or ONE_PAGE)
        many = _calls(psa, wire)
        if desk.page_size:
            told = f"page_size of the desk is {desk.page_size}, but one contact more is still one page"
            assert many > few, f"{told}: tests of the last page would test nothing"
        else:
            told = "the desk has no page_size, but more contacts take more calls"
            assert many == few, f"{told}: say how many contacts are in a page"

    def test_inactive_contacts_are_listed_as_such(self, desk: Desk, psa: Connector) -> None:
        acme = desk.add_company("Acme Dental")
        there = desk.add_contact(acme, "Ann Lee", active=True)
        left = desk.add_contact(acme, "Ben Ray", active=False)
        shown = {contact.id: contact.active for contact in psa.contacts(acme)}
        assert shown == {there: True, left: False}, "inactive contacts are listed too, as inactive"

    @pytest.mark.parametrize("typed", PHONE_FORMATS)
    def test_a_number_is_found_however_it_is_typed(self, desk: Desk, psa: Connector, typed: str) -> None:
        acme = desk.add_company("Acme Dental")
        ann = desk.add_contact(acme, "Ann Lee", [typed])
        assert listing(psa, acme)[ann].numbers == (PERSON,), "use phone_numbers(text) of syncd.model"

    def test_all_numbers_of_a_contact_count_and_the_companys_does_not(self, desk: Desk, psa: Connector) -> None:
        acme = desk.add_company("Acme Dental")
        ann = desk.add_contact(acme, "Ann Lee", ["202-555-0123", "(202) 555-0124"])
        same = desk.add_contact(acme, "Ben Ray", ["202-555-0125", "+12025550125"])
        none = desk.add_contact(acme, "Cara Sims", ["ext. 12"])
        silent = desk.add_contact(acme, "Dev Tate")
        numbers = {contact.id: set(contact.numbers) for contact in psa.contacts(acme)}
        told = "all numbers of a person count: is every field for them read?"
        assert numbers == {ann: {PERSON, "+12025550124"}, same: {"+12025550125"}, none: set(), silent: set()}, told
        assert len(listing(psa, acme)[same].numbers) == 1, "a number that stands in two fields is listed once"
        everybodys = {number for one in psa.contacts() for number in one.numbers}
        assert phone_numbers(MAIN_LINE)[0] not in everybodys, "MAIN_LINE is the company's number, and nobody's own"

    def test_each_value_of_the_opt_in_field_is_read(self, desk: Desk, psa: Connector, remarks: list[str]) -> None:
        acme = desk.add_company("Acme Dental")
        ann = desk.add_contact(acme, "Ann Lee", consent=Consent.OPTED_IN)
        for consent in (Consent.OPTED_OUT, None, Consent.OPTED_IN):
            desk.set_contact(ann, consent=consent)
            assert listing(psa, acme)[ann].consent is consent, (
                "contacts() must show the opt-in field of this moment"
            )
        assert remarks == [], "a value that the admin configured, or none, is nothing to remark on"

    def test_a_contact_that_moved_is_in_its_new_company(self, desk: Desk, psa: Connector) -> None:
        (ann, *_), birch = team(desk), desk.add_company("Birch Legal")
        acme = listing(psa)[ann].company_id
        desk.move_contact(ann, birch)
        assert listing(psa)[ann].company_id == birch
        assert set(listing(psa, birch)) == {ann}
        assert ann not in listing(psa, acme)

    def test_changed_since_leaves_out_nothing_that_is_newer(self, desk: Desk, psa: Connector) -> None:
        an_hour_ago = Clock().now() - timedelta(hours=1)
        people = team(desk)
        listed = {contact.id for contact in psa.contacts(changed_since=an_hour_ago)}
        assert set(people) <= listed, "contacts that changed since then are missing"

    def test_ids_are_text(self, desk: Desk, psa: Connector) -> None:
        team(desk)
        for contact in psa.contacts():
            assert isinstance(contact, Contact), "contacts() yields Contact"
            assert _is_id(contact.id), "the id of a contact is text, not empty"
            assert contact.company_id is None or _is_id(contact.company_id), (
                "company_id is text like an id, or None"
            )
        assert all(_is_id(company.id) for company in psa.companies()), "the id of a company is text, not empty"

    @pytest.mark.parametrize("strange", STRANGE_IDS)
    def test_an_id_that_is_none_brings_nobody(self, desk: Desk, psa: Connector, strange: str) -> None:
        team(desk)
        try:
            foreign = [contact for contact in psa.contacts(strange) if contact.company_id != strange]
        except SyncdError:
            return
        assert foreign == [], "contacts came back that are not of the company that was asked for"

    def test_a_filter_that_is_ignored_does_not_widen_a_cascade(self, desk: Desk, psa: Connector) -> None:
        acme, birch = desk.add_company("Acme Dental"), desk.add_company("Birch Legal")
        mine = set(crowd(desk, acme, 3))
        crowd(desk, birch, 3)
        list(psa.contacts(acme))
        numbers = {number for contact in psa.contacts() for number in contact.numbers}
        desk.ignore_filters()
        try:
            found = set(listing(psa, acme))
        except SyncdError as error:
            must_be_discreet(str(error), desk.wire, numbers)
            return
        told = "the PSA ignored the filter, and people of another company came: look at the company of every row"
        assert not found - mine, told
        assert found == mine, "the PSA ignored the filter, and people of the company are missing"

    def test_two_and_a_half_thousand_contacts(self, desk: Desk, psa: Connector) -> None:
        self._must_list(desk, psa, 2_500)


def _must_be_complete(
    found: dict[str, Contact], expected: dict[str, Contact], others: Collection[str] = ()
) -> None:
    missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys() - set(others)
    told = f"{len(missing)} of {len(expected)} contacts are not listed: is every page read, and are inactive ones?"
    assert not missing, told
    assert not extra, f"contacts are listed that are not in this company: {sorted(extra)[:5]}"
    for contact, one in expected.items():
        assert found[contact] == one, f"contact {contact} is not as the PSA has it"


def _is_id(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _calls(psa: Connector, wire: StandIn) -> int:
    wire.forget_requests()
    listing(psa)
    return len(wire.requests)
