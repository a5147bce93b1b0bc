"""What the cells of the two files mean, however they are cased and spaced ("opted out").

companies.csv  id,name,sms_approval                               Approved | Opted-Out
contacts.csv   id,company_id,name,mobile,phone,active,sms_opt_in  true | false, Opted-In | Opted-Out
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from connectors.local.table import Row, Table
from syncd.model import CompanyState, Consent

COMPANY_COLUMNS = ("id", "name", "sms_approval")
CONTACT_COLUMNS = ("id", "company_id", "name", "mobile", "phone", "active", "sms_opt_in")
PHONE_COLUMNS = ("mobile", "phone")

APPROVALS = {"Approved": CompanyState.APPROVED, "Opted-Out": CompanyState.OPTED_OUT}
CONSENTS = {"Opted-In": Consent.OPTED_IN, "Opted-Out": Consent.OPTED_OUT}
ACTIVE = {"true": True, "false": False}

Remark = Callable[[str], None]
Value = TypeVar("Value")


def state_of(row: Row, table: Table, remark: Remark) -> CompanyState:
    """The approval of a company."""
    return _meaning(APPROVALS, row, "sms_approval", table, remark) or CompanyState.UNSET


def consent_of(row: Row, table: Table | None = None, remark: Remark | None = None) -> Consent | None:
    """The consent of a contact; without a table nothing is remarked."""
    return _meaning(CONSENTS, row, "sms_opt_in", table, remark)


def is_active(row: Row, table: Table, remark: Remark) -> bool:
    """Whether the contact is active."""
    active = _meaning(ACTIVE, row, "active", table, remark)
    if active is None and not row["active"]:
        remark(f"{table.path.name} line {row.line}: active is empty; it counts as true")
    return active is not False


def word(consent: Consent) -> str:
    """What is written for it."""
    return next(word for word, value in CONSENTS.items() if value is consent)


def _meaning(
    words: Mapping[str, Value], row: Row, column: str, table: Table | None, remark: Remark | None
) -> Value | None:
    """What a cell says; None for anything else, which is remarked."""
    said = _folded(row[column])
    for one, value in words.items():
        if _folded(one) == said:
            return value
    if said and table and remark:
        known = " or ".join(words)
        remark(f"{table.path.name} line {row.line}: {column} is neither {known}: '{row[column][:40]}'")
    return None


def _folded(text: str) -> str:
    return re.sub(r"[\s_\-\u2010-\u2015]+", "", text.casefold())
