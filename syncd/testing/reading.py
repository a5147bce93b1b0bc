"""The contract of reading: everything, each once, inactive ones too, and nobody else's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncd.clock import Clock
from syncd.connector import Connector
from syncd.errors import SyncdError
from syncd.model import Company, CompanyState, Consent, Contact, phone_numbers
from syncd.sandbox.people import fictional_number
from syncd.testing.bench import Bench, crowd, listing, name_of, team
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
STRANGE_IDS = ("0 or 1=1", "' or '1'='1", "../contacts", "*", "%", "1,2,3", "-1", "99999999", "null", "?x=1&y=2#z")


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
        assert found.keys() == before | added.keys()
        for company, n in added.items():
            assert (found[company].name, found[company].state) == (f"Company {n}", STATES[n % 3])

    def test_a_company_that_changes_its_mind_shows_it_at_once(self, desk: Desk, psa: Connector) -> None:
        acme = desk.add_company("Acme Dental", CompanyState.APPROVED)
        for state in (*reversed(STATES), CompanyState.APPROVED):
            desk.set_company(acme, state)
            assert {company.id: company.state for company in psa.companies()}[acme] is state

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
        assert everybody.keys() == before | expected.keys()
        assert {contact: everybody[contact] for contact in expected} == expected
        for company in (acme, birch):
            theirs = {contact: one for contact, one in expected.items() if one.company_id == company}
            assert listing(psa, company) == theirs

    def test_inactive_contacts_are_listed_as_such(self, desk: Desk, psa: Connector) -> None:
        acme = desk.add_company("Acme Dental")
        there = desk.add_contact(acme, "Ann Lee", active=True)
        left = desk.add_contact(acme, "Ben Ray", active=False)
        assert {contact.id: contact.active for contact in psa.contacts(acme)} == {there: True, left: False}

    @pytest.mark.parametrize("typed", PHONE_FORMATS)
    def test_a_number_is_found_however_it_is_typed(self, desk: Desk, psa: Connector, typed: str) -> None:
        acme = desk.add_company("Acme Dental")
        ann = desk.add_contact(acme, "Ann Lee", [typed])
        assert listing(psa, acme)[ann].numbers == (PERSON,)

    def test_all_numbers_of_a_contact_count_and_the_companys_does_not(self, desk: Desk, psa: Connector) -> None:
        acme = desk.add_company("Acme Dental")
        ann = desk.add_contact(acme, "Ann Lee", ["202-555-0123", "(202) 555-0124"])
        same = desk.add_contact(acme, "Ben Ray", ["202-555-0125", "+12025550125"])
        none = desk.add_contact(acme, "Cara Sims", ["ext. 12"])
        silent = desk.add_contact(acme, "Dev Tate")
        numbers = {contact.id: set(contact.numbers) for contact in psa.contacts(acme)}
        assert numbers == {ann: {PERSON, "+12025550124"}, same: {"+12025550125"}, none: set(), silent: set()}
        assert len(listing(psa, acme)[same].numbers) == 1
        assert phone_numbers(MAIN_LINE)[0] not in {number for one in psa.contacts() for number in one.numbers}

    def test_each_value_of_the_opt_in_field_is_read(self, desk: Desk, psa: Connector) -> None:
        acme = desk.add_company("Acme Dental")
        ann = desk.add_contact(acme, "Ann Lee", consent=Consent.OPTED_IN)
        for consent in (Consent.OPTED_OUT, None, Consent.OPTED_IN):
            desk.set_contact(ann, consent=consent)
            assert listing(psa, acme)[ann].consent is consent

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
        assert set(people) <= listed

    def test_ids_are_text(self, desk: Desk, psa: Connector) -> None:
        team(desk)
        for contact in psa.contacts():
            assert isinstance(contact.id, str)
            assert contact.id
            assert contact.company_id is None or (isinstance(contact.company_id, str) and contact.company_id)
        assert all(isinstance(company.id, str) and company.id for company in psa.companies())

    @pytest.mark.parametrize("strange", STRANGE_IDS)
    def test_an_id_that_is_none_brings_nobody(self, desk: Desk, psa: Connector, strange: str) -> None:
        team(desk)
        try:
            foreign = [contact for contact in psa.contacts(strange) if contact.company_id != strange]
        except SyncdError:
            return
        assert foreign == []

    def test_a_filter_that_is_ignored_does_not_widen_a_cascade(self, desk: Desk, psa: Connector) -> None:
        acme, birch = desk.add_company("Acme Dental"), desk.add_company("Birch Legal")
        mine = set(crowd(desk, acme, 3))
        crowd(desk, birch, 3)
        list(psa.contacts(acme))
        desk.ignore_filters()
        try:
            found = set(listing(psa, acme))
        except SyncdError:
            return
        assert found == mine

    def test_two_and_a_half_thousand_contacts(self, desk: Desk, psa: Connector) -> None:
        self._must_list(desk, psa, 2_500)
