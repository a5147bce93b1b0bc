"""The local connector: two CSV files that people edit by hand while syncd runs."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError
from support import shell_for

from connectors.local import Local, table, writing
from connectors.local.settings import LocalSettings
from syncd.connector import ALREADY, APPLIED, GONE, Change, Grade, Result
from syncd.errors import ConfigProblem, Superseded, Transient
from syncd.http import before_sending
from syncd.model import Company, CompanyState, Consent, Contact

COMPANIES = """id,name,sms_approval
1,Acme,Approved
2,"Bolt, Nut & Co", opted-out
3,Crane,
"""
CONTACTS = """id,company_id,name,mobile,phone,active,sms_opt_in
10,1,Ann Lee,(202) 555-0110,202.555.0111 x9,true,
11,1,Bob Day,+1 202 555 0112,,FALSE,Opted-In
12,2,Cy Fox,,202-555-0113 / 202-555-0114, True ,OPTED-OUT
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "companies.csv").write_text(COMPANIES)
    (tmp_path / "contacts.csv").write_text(CONTACTS)
    return tmp_path


def local(folder, remarks=None):
    return Local(LocalSettings(path=folder), shell_for(Local, (remarks if remarks is not None else []).append))


def contents(folder, text, name="contacts.csv"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def write(psa, **wanted):
    """Write {"c10": "out"} and return the outcomes by contact id."""
    words = {"out": Consent.OPTED_OUT, "in": Consent.OPTED_IN}
    changes = [Change(contact[1:], None, words[word]) for contact, word in wanted.items()]
    return dict(psa.write(changes))


class TestReading:
    def test_companies_show_name_and_state(self, folder):
        assert list(local(folder).companies()) == [
            Company("1", "Acme", CompanyState.APPROVED),
            Company("2", "Bolt, Nut & Co", CompanyState.OPTED_OUT),
            Company("3", "Crane", CompanyState.UNSET),
        ]

    def test_contacts_show_numbers_of_mobile_and_phone_activity_and_consent(self, folder):
        assert list(local(folder).contacts()) == [
            Contact("10", "1", "Ann Lee", ("+12025550110", "+12025550111"), True, None),
            Contact("11", "1", "Bob Day", ("+12025550112",), False, Consent.OPTED_IN),
            Contact("12", "2", "Cy Fox", ("+12025550113", "+12025550114"), True, Consent.OPTED_OUT),
        ]

    def test_contacts_of_one_company(self, folder):
        assert [contact.id for contact in local(folder).contacts(company="1")] == ["10", "11"]
        assert list(local(folder).contacts(company="99")) == []

    @pytest.mark.parametrize("said", ["Opted-Out", " opted-out ", "OPTED OUT", "opted_out", '"Opted-Out"'])
    def test_values_are_read_however_they_are_cased_and_spaced(self, folder, said):
        contents(folder, f"id,company_id,name,mobile,phone,active,sms_opt_in\n1,1,A,,,true,{said}\n")
        assert next(local(folder).contacts()).consent is Consent.OPTED_OUT

    def test_other_columns_comments_blank_lines_and_another_order_are_understood(self, folder):
        contents(
            folder,
            "# our people\n\nNote,SMS_Opt_In,active,phone,mobile,name,company_id,ID\n"
            "#x,y\n'tis,Opted-In,true,,202-555-0110,Ann,1,10\n   \n",
        )
        assert list(local(folder).contacts()) == [
            Contact("10", "1", "Ann", ("+12025550110",), True, Consent.OPTED_IN)
        ]

    def test_a_cell_over_two_lines_and_a_doubled_quote_are_one_cell(self, folder):
        contents(
            folder,
            'id,company_id,name,mobile,phone,active,sms_opt_in,note\n10,1,"Ann ""A"" Lee",,,true,,"a,\nb"\n'
            "11,1,Bob,,,true,,\n",
        )
        assert [contact.name for contact in local(folder).contacts()] == ['Ann "A" Lee', "Bob"]

    def test_a_contact_without_company_belongs_to_none(self, folder):
        contents(folder, "id,company_id,name,mobile,phone,active,sms_opt_in\n10,,A,,,true,\n")
        assert next(local(folder).contacts()).company_id is None

    def test_a_relative_path_is_taken_as_given(self, folder, monkeypatch):
        monkeypatch.chdir(folder.parent)
        assert len(list(local(folder.name).companies())) == 3

    def test_fifty_thousand_contacts_are_read_in_seconds(self, folder):
        rows = "".join(f'{n},1,"Name, {n}",202-555-01{n % 100:02},,true,\n' for n in range(50_000))
        contents(folder, CONTACTS.splitlines()[0] + "\n" + rows)
        assert sum(1 for _ in local(folder).contacts()) == 50_000


class TestBadRows:
    def odd(self, folder, rows):
        remarks: list[str] = []
        contents(folder, CONTACTS.splitlines()[0] + "\n" + rows)
        contacts = list(local(folder, remarks).contacts())
        return {contact.id: contact for contact in contacts}, remarks

    def test_a_row_without_id_is_named_and_the_others_work(self, folder):
        contacts, remarks = self.odd(folder, " ,1,A,,,true,\n11,1,B,,,true,\n")
        assert list(contacts) == ["11"]
        assert remarks == ["contacts.csv line 2: no id; the row is not used"]

    @pytest.mark.parametrize(("row", "cells"), [("10,1,A,,,true", 6), ("10,1,A,,,true,,extra", 8)])
    def test_a_row_with_a_wrong_number_of_cells_is_named(self, folder, row, cells):
        contacts, remarks = self.odd(folder, f"{row}\n11,1,B,,,true,\n")
        assert list(contacts) == ["11"]
        assert remarks == [f"contacts.csv line 2: {cells} cells instead of 7; the row is not used"]

    def test_empty_cells_that_a_spreadsheet_adds_on_the_right_do_no_harm(self, folder):
        contacts, remarks = self.odd(folder, "10,1,A,,,true,,,,\n")
        assert list(contacts) == ["10"]
        assert remarks == []

    def test_a_forgotten_quote_costs_its_own_row_only(self, folder):
        rows = '10,1,"Ann,,,true,\n11,1,"B, C",,,true,\n12,1,D,,,true,\n13,1,"E" F,,,true,\n14,1,"G,,,true,'
        contacts, remarks = self.odd(folder, rows)
        assert list(contacts) == ["11", "12"]
        assert [remark.split(":")[0] for remark in remarks] == [
            "contacts.csv line 2",
            "contacts.csv line 5",
            "contacts.csv line 6",
        ]

    def test_two_forgotten_quotes_do_not_make_one_row_of_two(self, folder):
        contacts, remarks = self.odd(folder, '10,1,Ann,,,"true,\n11,1,B",,,true,\n')
        assert list(contacts) == ["11"]
        assert remarks == ["contacts.csv line 2: a quote that is not closed on this line; the row is not used"]

    def test_lines_are_counted_past_comments_and_cells_over_two_lines(self, folder):
        _, remarks = self.odd(folder, '# note\n\n10,1,"A\nB",,,true,\n,1,C,,,true,\n')
        assert remarks == ["contacts.csv line 6: no id; the row is not used"]

    @pytest.mark.parametrize("active", ["maybe", ""])
    def test_an_unreadable_active_counts_as_active(self, folder, active):
        contacts, remarks = self.odd(folder, f"10,1,A,,,{active},\n")
        assert contacts["10"].active
        assert len(remarks) == 1
        assert remarks[0].startswith("contacts.csv line 2: active")

    def test_an_unknown_consent_counts_as_unset_and_is_named(self, folder):
        contacts, remarks = self.odd(folder, "10,1,A,,,true,perhaps\n")
        assert contacts["10"].consent is None
        assert remarks == ["contacts.csv line 2: sms_opt_in is neither Opted-In or Opted-Out: 'perhaps'"]

    def test_an_unknown_approval_counts_as_unset_and_is_named(self, folder):
        remarks: list[str] = []
        contents(folder, "id,name,sms_approval\n1,A,pending\n", "companies.csv")
        assert next(local(folder, remarks).companies()).state is CompanyState.UNSET
        assert remarks == ["companies.csv line 2: sms_approval is neither Approved or Opted-Out: 'pending'"]

    def test_bytes_that_are_no_utf8_lose_nothing(self, folder):
        contents(folder, CONTACTS.encode() + b"13,1,Ren\xe9,202-555-0115,,true,\n")
        contact = list(local(folder).contacts())[-1]
        assert (contact.name, contact.numbers) == ("Ren\\xe9", ("+12025550115",))
        contact.name.encode()  # fit for a database


class TestSharedIds:
    TWICE = CONTACTS.splitlines()[0] + "\n10,1,Ann,202-555-0110,,false,{}\n10,2,Bob,202-555-0111,,true,{}\n"

    def test_a_shared_id_has_the_numbers_of_all_its_rows_and_is_named(self, folder):
        remarks: list[str] = []
        contents(folder, self.TWICE.format("", ""))
        assert list(local(folder, remarks).contacts()) == [
            Contact("10", "1", "Ann", ("+12025550110", "+12025550111"), True, None)
        ]
        assert remarks == ["contacts.csv: lines 2 and 3 share the id 10; give each its own id"]

    @pytest.mark.parametrize(
        ("first", "second", "shown"),
        [
            ("Opted-Out", "Opted-Out", Consent.OPTED_OUT),
            ("Opted-In", "Opted-In", Consent.OPTED_IN),
            ("Opted-Out", "Opted-In", None),
            ("", "Opted-Out", None),
        ],
    )
    def test_it_shows_a_consent_only_if_all_its_rows_do(self, folder, first, second, shown):
        contents(folder, self.TWICE.format(first, second))
        assert next(local(folder).contacts()).consent is shown

    def test_an_opt_out_goes_to_every_row(self, folder):
        contents(folder, self.TWICE.format("Opted-In", ""))
        assert write(local(folder), c10="out") == {"10": APPLIED}
        assert (folder / "contacts.csv").read_text() == self.TWICE.format("Opted-Out", "Opted-Out")

    def test_an_opt_in_is_refused(self, folder):
        contents(folder, self.TWICE.format("", ""))
        outcome = write(local(folder), c10="in")["10"]
        assert outcome.result is Result.REFUSED
        assert "lines 2 and 3" in outcome.reason
        assert (folder / "contacts.csv").read_text() == self.TWICE.format("", "")

    def test_a_company_that_stands_twice_is_opted_out_if_one_row_says_so(self, folder):
        remarks: list[str] = []
        rows = "1,A,Approved\n1,B,Opted-Out\n2,C,Approved\n2,D,\n"
        contents(folder, "id,name,sms_approval\n" + rows, "companies.csv")
        assert [(company.id, company.name, company.state) for company in local(folder, remarks).companies()] == [
            ("1", "A", CompanyState.OPTED_OUT),
            ("2", "C", CompanyState.APPROVED),
        ]
        assert len(remarks) == 2


class TestWriting:
    def test_outcomes_say_what_the_file_shows(self, folder):
        psa = local(folder)
        assert write(psa, c10="out", c12="out", c99="in") == {"10": APPLIED, "12": ALREADY, "99": GONE}
        assert {contact.id: contact.consent for contact in psa.contacts()} == {
            "10": Consent.OPTED_OUT,
            "11": Consent.OPTED_IN,
            "12": Consent.OPTED_OUT,
        }

    def test_what_is_already_there_writes_nothing(self, folder):
        before = (folder / "contacts.csv").stat()
        assert write(local(folder), c12="out") == {"12": ALREADY}
        after = (folder / "contacts.csv").stat()
        assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    @pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
    @pytest.mark.parametrize("last", [True, False])
    def test_only_the_one_cell_changes(self, folder, end, bom, last):
        text = end.join(
            [
                "# kept by the front desk",
                'note,"ID",company_id,name,mobile,phone,active,sms_opt_in,=x',
                "",
                '=HYPERLINK("a"),10,1,"Ann ""A"" Lee",202-555-0110, ,true, Opted-In ,@cmd',
                '-1+1, 11 ,1,Ren\udce9, 202-555-0111,,TRUE,"Opted-In",+1',
                "  # 12,1,gone",
                'x,13,1,"two',
                'lines",,,true,,"q"',
            ]
        )
        raw = bom + (text + (end if last else "")).encode("utf-8", "surrogateescape")
        contents(folder, raw)
        assert write(local(folder), c11="out") == {"11": APPLIED}
        once = (folder / "contacts.csv").read_bytes()
        assert once == raw.replace(b'TRUE,"Opted-In"', b'TRUE,"Opted-Out"')
        assert write(local(folder), c10="out", c13="in") == {"10": APPLIED, "13": APPLIED}
        twice = once.replace(b"true, Opted-In ,", b"true, Opted-Out ,").replace(b'true,,"q"', b'true,Opted-In,"q"')
        assert (folder / "contacts.csv").read_bytes() == twice

    def test_mode_and_owner_and_a_link_are_kept_and_nothing_is_left_behind(self, folder):
        real = folder / "elsewhere"
        real.mkdir()
        (folder / "contacts.csv").rename(real / "people.csv")
        (folder / "contacts.csv").symlink_to(real / "people.csv")
        (real / "people.csv").chmod(0o640)
        before = (real / "people.csv").stat()
        assert write(local(folder), c10="out") == {"10": APPLIED}
        after = (real / "people.csv").stat()
        assert (folder / "contacts.csv").is_symlink()
        assert stat.S_IMODE(after.st_mode) == 0o640
        assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
        assert [path.name for path in real.iterdir()] == ["people.csv"]

    def test_a_batch_is_one_rewrite_that_is_on_the_disk_before_its_outcomes_are_known(self, folder, monkeypatch):
        steps = []
        real_fsync, real_replace = os.fsync, Path.replace

        def fsync(fd):
            steps.append("sync folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "sync file")
            real_fsync(fd)

        def replace(self, to):
            steps.append("rename")
            return real_replace(self, to)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(Path, "replace", replace)
        outcomes = local(folder).write(
            [Change("10", None, Consent.OPTED_OUT), Change("11", None, Consent.OPTED_OUT)]
        )
        next(outcomes)
        assert steps == ["sync file", "rename", "sync folder"]

    def test_no_more_changes_are_taken_than_a_batch_before_outcomes_come(self, folder):
        rows = "".join(f"{n},1,N,,,true,\n" for n in range(450))
        contents(folder, CONTACTS.splitlines()[0] + "\n" + rows)
        taken = []

        def changes():
            for n in range(450):
                taken.append(n)
                yield Change(str(n), None, Consent.OPTED_OUT)

        outcomes = local(folder).write(changes())
        assert next(outcomes) == ("0", APPLIED)
        assert len(taken) == Local.traits.batch == 200
        assert len(list(outcomes)) == 449

    def test_newer_evidence_stops_the_rewrite(self, folder):
        def guard():
            raise Superseded("newer")

        token = before_sending.set(guard)
        try:
            with pytest.raises(Superseded):
                write(local(folder), c10="in")
            assert write(local(folder), c11="in") == {"11": ALREADY}
        finally:
            before_sending.reset(token)
        assert (folder / "contacts.csv").read_text() == CONTACTS

    def test_an_edit_between_reading_and_writing_is_not_overwritten(self, folder, monkeypatch):
        edited = CONTACTS.replace("Ann Lee", "Ann Lee-Day")
        real = table.Table.with_cells

        def edit_first(self, changes):
            contents(folder, edited)
            return real(self, changes)

        with monkeypatch.context() as patch:
            patch.setattr(table.Table, "with_cells", edit_first)
            with pytest.raises(Transient, match="changed by somebody else"):
                write(local(folder), c10="out")
        assert (folder / "contacts.csv").read_text() == edited
        assert sorted(path.name for path in folder.iterdir()) == [".syncd.lock", "companies.csv", "contacts.csv"]
        assert write(local(folder), c10="out") == {"10": APPLIED}

    def test_a_change_that_does_not_stay_is_refused(self, folder, monkeypatch):
        monkeypatch.setattr(writing, "rewrite", lambda table, text: None)
        assert write(local(folder), c10="out")["10"].result is Result.REFUSED

    def test_a_folder_that_another_program_has_locked_is_left_alone(self, folder):
        with table.locked(folder), pytest.raises(Transient, match="locked by another program"):
            write(local(folder), c10="out")
        assert (folder / "contacts.csv").read_text() == CONTACTS
        assert write(local(folder), c10="out") == {"10": APPLIED}

    def test_threads_of_one_connector_lose_no_change(self, folder):
        rows = "".join(f"{n},1,N,,,true,\n" for n in range(40))
        contents(folder, CONTACTS.splitlines()[0] + "\n" + rows)
        psa, outcomes = local(folder), {}

        def work(start):
            for n in range(start, 40, 4):
                outcomes.update(write(psa, **{f"c{n}": "out"}))

        threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(outcomes.values()) == {APPLIED}
        assert all(contact.consent is Consent.OPTED_OUT for contact in psa.contacts())

    def test_a_crash_in_the_middle_leaves_the_old_file_and_the_next_try_works(self, folder, monkeypatch):
        with monkeypatch.context() as patch:

            def crash(self, to):
                raise OSError(5, "Input/output error")

            patch.setattr(Path, "replace", crash)
            with pytest.raises(Transient, match="Input/output error"):
                write(local(folder), c10="out")
        assert (folder / "contacts.csv").read_text() == CONTACTS
        (folder / ".contacts.csv.syncd-new").write_text("left behind by a crash")
        assert write(local(folder), c10="out") == {"10": APPLIED}


class TestFilesThatCannotBeUsed:
    @pytest.mark.parametrize("name", ["companies.csv", "contacts.csv"])
    def test_a_missing_or_vanished_file_says_what_to_do(self, folder, name):
        psa = local(folder)
        read = psa.companies if name == "companies.csv" else psa.contacts
        assert list(read())
        (folder / name).unlink()
        with pytest.raises(ConfigProblem, match=rf"{name}: no such file.*psa.settings.path"):
            list(read())

    def test_a_missing_folder_says_so_when_writing(self, tmp_path):
        with pytest.raises(ConfigProblem, match="no such file or folder"):
            write(local(tmp_path / "nowhere"), c10="out")

    @pytest.mark.parametrize(
        ("header", "said"),
        [
            ("company_id,name,mobile,phone,active,sms_opt_in", "no column 'id'"),
            ("id;company_id;name;mobile;phone;active;sms_opt_in", "no column 'id'"),
            ("id,id,company_id,name,mobile,phone,active,sms_opt_in", "more than one column 'id'"),
            ("", "no column 'id'"),
        ],
    )
    def test_a_missing_column_lists_the_expected_header(self, folder, header, said):
        contents(folder, header + "\n")
        with pytest.raises(ConfigProblem) as caught:
            list(local(folder).contacts())
        assert said in str(caught.value)
        assert "id,company_id,name,mobile,phone,active,sms_opt_in" in str(caught.value)

    def test_a_file_that_changes_while_it_is_read_gives_no_half_list(self, folder, monkeypatch):
        real = os.fstat
        seen = []

        def edited_in_between(fd):
            if seen:
                contents(folder, CONTACTS[:90])
            seen.append(fd)
            return real(fd)

        monkeypatch.setattr(os, "fstat", edited_in_between)
        with pytest.raises(Transient, match="being written"):
            list(local(folder).contacts())

    @pytest.mark.parametrize("forbidden", [errno.EACCES, errno.EROFS])
    def test_a_folder_without_permission_says_what_to_do(self, folder, monkeypatch, forbidden):
        def refuse(*args, **more):
            raise OSError(forbidden, os.strerror(forbidden))

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(ConfigProblem, match="must be able to read and write"):
            write(local(folder), c10="out")
        assert (folder / "contacts.csv").read_text() == CONTACTS

    def test_a_write_protected_file_is_not_rewritten(self, folder, monkeypatch):
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(ConfigProblem, match="may not be written"):
            write(local(folder), c10="out")
        assert (folder / "contacts.csv").read_text() == CONTACTS

    @pytest.mark.parametrize("path", ["", " ", 5, None])
    def test_a_path_that_names_no_folder_is_refused(self, path):
        with pytest.raises(ValidationError):
            LocalSettings(path=path)

    def test_unknown_settings_are_refused(self):
        with pytest.raises(ValidationError):
            LocalSettings(path="psa", pth="psa")


class TestCheck:
    def test_a_good_folder_passes_with_its_counts(self, folder):
        report = local(folder).check()
        assert report.passed
        assert [(finding.what, finding.detail) for finding in report.findings] == [
            ("service", f"companies.csv and contacts.csv in {folder}"),
            ("permissions", "contacts.csv and its folder may be written"),
            ("consent field", "column 'sms_opt_in', 'Opted-In' or 'Opted-Out'"),
            ("approval field", "column 'sms_approval', 'Approved' or 'Opted-Out'"),
            ("companies", "3 seen: 1 approved, 1 opted_out, 1 unset"),
            ("contacts", "3 seen, 3 with a usable number; 1 opted_in, 1 opted_out; 1 inactive"),
        ]
        assert sorted(path.name for path in folder.iterdir()) == ["companies.csv", "contacts.csv"]

    def test_odd_rows_are_a_note(self, folder):
        remarks: list[str] = []
        contents(folder, CONTACTS + ",1,X,,,true,\n")
        report = local(folder, remarks).check()
        notes = [finding for finding in report.findings if finding.grade is Grade.NOTE]
        assert report.passed
        assert "line 5: no id" in notes[0].detail
        assert remarks == []

    def test_a_missing_file_fails_and_the_other_is_still_looked_at(self, folder):
        (folder / "companies.csv").unlink()
        report = local(folder).check()
        assert not report.passed
        assert [finding.what for finding in report.findings if finding.grade is Grade.FAIL] == ["companies"]
        assert report.findings[-1].what == "contacts"

    def test_files_that_may_not_be_written_fail(self, folder, monkeypatch):
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        failed = [finding for finding in local(folder).check().findings if finding.grade is Grade.FAIL]
        assert "contacts.csv" in failed[0].detail
