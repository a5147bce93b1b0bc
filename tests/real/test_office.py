"""What the office puts past RT into its tables is what RT itself would put there."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from desk_rt import APPROVAL, BADGE, CONSENT, PHONE
from office import Office

pytestmark = pytest.mark.rt

# Not the same the second time.
DATES = {"Created", "LastUpdated", "LastUsed"}

ANN = {"Name": "ann.lee.1", "RealName": "Ann Lee", "Organization": "Front desk", "MobilePhone": "(202) 555-0110"}
FIELDS = {CONSENT: ["Opted-In"], PHONE: ["+1 202 555 0112", "2025550113"], BADGE: ["B-7"]}


def rows(office: Office) -> dict[tuple[str, int], dict[str, Any]]:
    """Everything in RT's tables, without dates."""
    database = sqlite3.connect(f"file:{office.rt.database}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {
        (table, row["place"]): {column: row[column] for column in row.keys() if column not in DATES}  # noqa: SIM118
        for table in tables
        for row in database.execute(f"SELECT rowid AS place, * FROM {table}")
    }
    database.close()
    return found


def past_rt(office: Office) -> None:
    company, team = office.add_group("Acme", "Approved", Description="client"), office.add_group("Team")
    office.add_member(company, "group", team)
    more = {column: value for column, value in ANN.items() if column != "Name"}
    ann = office.add_user(ANN["Name"], FIELDS, disabled=True, **more)
    ben = office.add_user("ben.ray.2")
    office.add_member(team, "user", ann)
    office.add_member(company, "user", ben)


def through_rt(office: Office) -> None:
    rt = office.rt
    company = rt.call("POST", "/group", {"Name": "Acme", "Description": "client"})["id"]
    rt.call("PUT", f"/group/{company}", {"CustomFields": {APPROVAL: "Approved"}})
    team = rt.call("POST", "/group", {"Name": "Team"})["id"]
    rt.add_members(company, team)
    ann = rt.call("POST", "/user", ANN)["id"]
    for field, values in FIELDS.items():
        rt.call("PUT", f"/user/{ann}", {"CustomFields": {field: values}})
    rt.call("PUT", f"/user/{ann}", {"Disabled": 1})
    ben = rt.call("POST", "/user", {"Name": "ben.ray.2"})["id"]
    ids = {row["Name"]: str(row["id"]) for (table, _), row in rows(office).items() if table == "Users"}
    rt.add_members(team, ids[ann])
    rt.add_members(company, ids[ben])


def test_every_row_is_one_that_rt_would_make(office: Office) -> None:
    office.reset()
    before = rows(office)
    past_rt(office)
    made = rows(office)
    assert len(made) > len(before) + 40
    office.reset()
    assert rows(office) == before
    through_rt(office)
    true = rows(office)
    assert made.keys() == true.keys()
    assert [(made[place], row) for place, row in true.items() if made[place] != row] == []
