"""Companies and contacts out of the rows. A row that cannot be used is named and costs nobody else anything.

Where two rows carry one id, the doubt is settled in favour of whoever opted out:

- a contact that stands twice has the numbers of all its rows, and counts as active if one of them is;
- it shows a consent only if all its rows show the same one; so a difference is never taken for "done";
- a company that stands twice is opted out if one of its rows says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.local.fields import PHONE_COLUMNS, Remark, consent_of, is_active, state_of
from connectors.local.table import Row, Table
from syncd.connector.fields import own_numbers
from syncd.model import Company, CompanyState, Contact


def companies(table: Table, remark: Remark) -> Iterator[Company]:
    """Every company of the file."""
    _name_bad_rows(table, remark)
    for company_id, rows in by_id(table).items():
        states = [state_of(row, table, remark) for row in rows]
        state = CompanyState.OPTED_OUT if CompanyState.OPTED_OUT in states else states[0]
        yield Company(company_id, rows[0]["name"], state)


def contacts(table: Table, remark: Remark) -> Iterator[Contact]:
    """Every contact of the file."""
    _name_bad_rows(table, remark)
    for contact_id, rows in by_id(table).items():
        consents = {consent_of(row, table, remark) for row in rows}
        active = [is_active(row, table, remark) for row in rows]
        yield Contact(
            id=contact_id,
            company_id=rows[0]["company_id"] or None,
            name=rows[0]["name"],
            numbers=own_numbers(row[column] for row in rows for column in PHONE_COLUMNS),
            active=any(active),
            consent=consents.pop() if len(consents) == 1 else None,
        )


def by_id(table: Table) -> dict[str, list[Row]]:
    """The rows that have an id, mostly one for each."""
    rows: dict[str, list[Row]] = {}
    for row in table.rows:
        if row["id"]:
            rows.setdefault(row["id"], []).append(row)
    return rows


def lines(rows: Sequence[Row]) -> str:
    """Where the rows stand."""
    return "lines " + " and ".join(str(row.line) for row in rows)


def _name_bad_rows(table: Table, remark: Remark) -> None:
    name = table.path.name
    for line, why in table.bad:
        remark(f"{name} line {line}: {why}; the row is not used")
    for row in table.rows:
        if not row["id"]:
            remark(f"{name} line {row.line}: no id; the row is not used")
    for shared, rows in by_id(table).items():
        if len(rows) > 1:
            remark(f"{name}: {lines(rows)} share the id {shared}; give each its own id")
