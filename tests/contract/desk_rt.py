"""The desks for Request Tracker: a stand-in as RT comes, and as others have set it up.

The stand-in is the part of REST 2.0 that connectors/rt asks for, traps included, in shapes taken from RT 5.0.3:
`total` of a list counts the records of all pages, and is null in the feed of transactions; `per_page` is capped at
100 in silence; a condition on a column that is not searchable is dropped in silence; lists without any condition
are empty, of custom fields and transactions at least; a PUT that changed nothing is 200 with other words, or with
none; a number is now a number and now digits.
"""

from __future__ import annotations

import copy
import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any, TypeAlias

from desks import misnamed

from syncd.model import CompanyState, Consent
from syncd.testing import MAIN_LINE, Answer, Desk, Request, StandIn

Row: TypeAlias = dict[str, Any]

API = "/REST/2.0"
TOKEN = "1-14-canary0123456789abcdef"

CONSENT, PHONE, BADGE, APPROVAL = "2", "3", "4", "5"
USER_COLUMNS = ("RealName", "EmailAddress", "Organization", "MobilePhone", "WorkPhone", "HomePhone", "PagerPhone")

# Those that RT shows and searches with the rights that syncd asks for; a user's id and phones are not among them.
SEARCHABLE = {
    "users": {"Name", "RealName", "EmailAddress", "Organization"},
    "groups": {"id", "Name", "Description", "Domain"},
    "customfields": {"id", "Name", "LookupType", "Type", "MaxValues"},
    "transactions": {"id", "ObjectType", "ObjectId", "Type"},
}
# Lists that are empty when nothing is asked for; users and groups have a condition of RT's own.
EMPTY_UNASKED = {"customfields", "transactions"}


@dataclass(frozen=True)
class Field:
    """A custom field; `choices` make it a list, `most` 0 lets it take many values."""

    name: str
    of: str
    choices: tuple[str, ...] = ()
    most: int = 1


FIELDS = {
    "1": Field("Content", "RT::Class-RT::Article"),
    CONSENT: Field("SMS Opt-In", "RT::User", ("Ask", "Opted-In", "Opted-Out")),
    PHONE: Field("SMS Phone", "RT::User", most=0),
    BADGE: Field("Badge", "RT::User"),
    APPROVAL: Field("SMS Approval", "RT::Group", ("Approved", "Opted-Out", "Pending")),
}

WORD = {Consent.OPTED_IN: "Opted-In", Consent.OPTED_OUT: "Opted-Out", None: None}
MEANING = {word: consent for consent, word in WORD.items()}
STATE = {CompanyState.APPROVED: "Approved", CompanyState.OPTED_OUT: "Opted-Out", CompanyState.UNSET: None}


class RtServer(StandIn):
    """Users, groups, their members and custom fields, and the feed of what happened.

    proxied: a proxy stands in front, which marks ETags as compressed and sends no Date
    """

    name = "rt"

    def __init__(self, *, proxied: bool = False) -> None:
        super().__init__()
        self.proxied = proxied
        self.ignores_conditions = False
        self.users: dict[int, Row] = {}
        self.groups: dict[int, Row] = {}
        self._feed: list[Row] = []
        self._lock = threading.RLock()
        self._last = 0  # of the users and groups, which share one sequence
        self.add_user("RT_System", RealName="The RT System itself")
        for domain, name in (("ACLEquivalence", "UserEquiv"), ("SystemInternal", "Everyone")):
            self.add_group(name, domain=domain)
        self.add_user("Nobody", RealName="Nobody in particular")
        self.add_user("root", RealName="Enoch Root")
        self.add_group("AdminCc", domain="RT::Queue-Role")

    # --- what people do ---------------------------------------------------------------------------------------

    def add_user(
        self, name: str, fields: Mapping[str, list[str]] | None = None, disabled: bool = False, **columns: str
    ) -> int:
        with self._lock:
            user = self._next()
            blank: dict[str, list[str]] = {
                number: [] for number, field in FIELDS.items() if field.of == "RT::User"
            }
            self.users[user] = {
                "Name": name,
                **dict.fromkeys(USER_COLUMNS),
                "EmailAddress": "",
                **columns,
                "disabled": disabled,
                "fields": {**blank, **(fields or {})},
            }
            self._happened("RT::User", user, "Create")
            return user

    def add_group(
        self, name: str, approval: str | None = None, *, domain: str = "UserDefined", **more: str
    ) -> int:
        with self._lock:
            group = self._next()
            values = {APPROVAL: [approval] if approval else []}
            kept = {"fields": values, "members": [], "disabled": False}
            self.groups[group] = {"Name": name, "Domain": domain, **more, **kept}
            self._happened("RT::Group", group, "Create")
            return group

    def disable_group(self, group: int) -> None:
        with self._lock:
            self.groups[group]["disabled"] = True
            self._happened("RT::Group", group, "Disabled")

    def set_field(self, kind: str, record: int, field: str, values: list[str]) -> None:
        """Set a field that takes one value; RT keeps an empty one as null."""
        with self._lock:
            self._keep(f"RT::{kind.title()}", record, field, values or [None])

    def _keep(self, kind: str, record: int, field: str, values: Sequence[str | None]) -> None:
        {"RT::User": self.users, "RT::Group": self.groups}[kind][record]["fields"][field] = list(values)
        self._happened(kind, record, "CustomField")

    def add_member(self, group: int, kind: str, member: int) -> None:
        with self._lock:
            self.groups[group]["members"].append((kind, member))
            self._happened(f"RT::{kind.title()}", member, "AddMembership")
            self._happened("RT::Group", group, "AddMember")

    def members_of(self, group: int) -> list[tuple[str, int]]:
        """Who is in a group: "user" or "group", and the id."""
        return list(self.groups[group]["members"])

    def leave_groups(self, user: int) -> None:
        with self._lock:
            for number, group in self.groups.items():
                if ("user", user) in group["members"]:
                    group["members"].remove(("user", user))
                    self._happened("RT::User", user, "DeleteMembership")
                    self._happened("RT::Group", number, "DeleteMember")

    def user_record(self, user: int) -> Row:
        """All that is kept of a user, groups too."""
        with self._lock:
            member_of = [one for one, group in self.groups.items() if ("user", user) in group["members"]]
            return copy.deepcopy({**self.users[user], "groups": member_of})

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _happened(self, kind: str, record: int, what: str) -> None:
        row = {"id": len(self._feed) + 1, "ObjectType": kind, "ObjectId": str(record), "Type": what}
        self._feed.append({**row, "Created": self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")})
        kept = self.users if kind == "RT::User" else self.groups
        kept[record]["latest"] = row["id"]

    # --- REST 2.0 -----------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        """Answer one request; all of its effect happens at once."""
        with self._lock:
            made = self._answer(request)
        made = made.changed(headers={**made.headers, "Date": format_datetime(self.clock(), usegmt=True)})
        return through_proxy(made) if self.proxied else made

    def _answer(self, request: Request) -> Answer:
        if request.headers["Authorization"] != f"token {TOKEN}":
            return _said("Unauthorized", 401)
        kind, *rest = request.path.removeprefix(f"{API}/").split("/")
        ways: dict[tuple[str, str, int], Callable[[], Answer]] = {
            ("GET", "rt", 0): lambda: Answer.json({"Version": "5.0.3+dfsg-3~deb12u6"}),
            ("GET", "user", 1): lambda: self._user(rest[0]),
            ("PUT", "user", 1): lambda: self._put(request, rest[0]),
            ("GET", "customfield", 1): lambda: self._field(rest[0]),
            ("GET", "group", 2): lambda: self._members(request, rest[0]),
        }
        way = ways.get((request.method, kind, len(rest)))
        if way is None and kind in SEARCHABLE and request.method == "POST" and not rest:
            return self._list(request, kind)
        return way() if way and request.path.startswith(f"{API}/") else _said("Not Found", 404)

    def _user(self, number: str) -> Answer:
        """One user; columns that were never filled in do not come at all, unlike in a list."""
        user = self.users.get(_id(number))
        if user is None:
            return _said("Not Found", 404)
        columns = self._columns("users", _id(number), user)
        body = {
            **{column: value for column, value in columns.items() if value is not None},
            "CustomFields": self._fields(user),
            "Disabled": str(int(user["disabled"])),
            "Privileged": 0,
            "Memberships": [self._link("group", str(one)) for one in self._groups_around("user", _id(number))],
        }
        return Answer.json(body, headers={"ETag": f'"{user["latest"]}"', "Last-Modified": body["LastUpdated"]})

    def _groups_around(self, kind: str, member: int) -> list[int]:
        """The groups that somebody belongs to, directly or through others; none that is disabled or beyond it."""
        enabled = {number: group for number, group in self.groups.items() if not group["disabled"]}
        direct = [number for number, group in enabled.items() if (kind, member) in group["members"]]
        around = [outer for group in direct for outer in self._groups_around("group", group)]
        return sorted({*direct, *around})

    def _link(self, kind: str, record: int | str) -> Row:
        return {"type": kind, "id": record, "_url": f"{self.base_url}{API}/{kind}/{record}"}

    def _put(self, request: Request, number: str) -> Answer:
        user = self.users.get(_id(number))
        if user is None:
            return _said("Resource does not exist; use POST to create", 404)
        condition = request.headers["If-Match"]
        if condition is not None and condition != f'"{user["latest"]}"':
            return _said("Precondition Failed", 412)
        body = request.json()
        words = []
        for column in USER_COLUMNS:
            before, after = user[column], body.get(column, user[column])
            if after != before:
                shown = " to ".join(f"'{text}'" if text else "(no value)" for text in (before, after))
                words.append(f"User {user['Name']}: {column} changed from {shown}")
                user[column] = after
                self._happened("RT::User", _id(number), "Set")
        for key, value in body.get("CustomFields", {}).items():
            words += self._set(_id(number), user, key, value)
        return Answer.json(words)

    def _set(self, number: int, user: Row, key: str, value: Any) -> list[str]:
        """Set one custom field, named by its id or its name; of one that users do not have, nothing is said."""
        found = next((one for one in user["fields"] if key in (one, FIELDS[one].name)), None)
        if found is None:
            return []
        wanted = value if isinstance(value, list) or value is None else [value]
        words, after = (_one if FIELDS[found].most == 1 else _many)(FIELDS[found], user["fields"][found], wanted)
        if after is not None:
            self._keep("RT::User", number, found, after)
        return words

    def _field(self, number: str) -> Answer:
        field = FIELDS.get(number)
        if field is None:
            return _said("Not Found", 404)
        listed = {"Type": "Select", "Values": list(field.choices)} if field.choices else {"Type": "Freeform"}
        more = {"LookupType": field.of, "MaxValues": str(field.most), "Disabled": "0"}
        return Answer.json({"id": int(number), "Name": field.name, "Description": "", **more, **listed})

    # --- lists --------------------------------------------------------------------------------------------------

    def _members(self, request: Request, group: str) -> Answer:
        """Of a group that is not there: none. A list without `pages`, in the order of joining."""
        known = self.groups.get(_id(group), {"members": []})
        page = _page(request, [self._link(kind, one) for kind, one in known["members"]])
        del page["pages"]
        return Answer.json(page)

    def _list(self, request: Request, kind: str) -> Answer:
        try:
            asked = json.loads(request.body)
        except ValueError:
            return _said("JSON parse error: malformed JSON string", 400)
        kept = self._kept(kind)
        if not request.query.get("find_disabled_rows"):
            kept = {number: row for number, row in kept.items() if not row.get("disabled")}
        if not self.ignores_conditions:
            clauses = [one for one in asked if one["field"] in SEARCHABLE[kind]]
            if not clauses and kind in EMPTY_UNASKED:
                kept = {}
            kept = {number: row for number, row in kept.items() if _fits({**row, "id": number}, clauses)}
        order = sorted(kept, reverse=request.query.get("order", "").upper() == "DESC")
        page = _page(request, order)
        fields = request.query.get("fields", "").split(",")
        page["items"] = [self._listed(kind, number, kept[number], fields) for number in page["items"]]
        if kind == "transactions":  # RT does not know which of them its caller may see
            page["total"] = page["pages"] = None
        return Answer.json(page)

    def _kept(self, kind: str) -> dict[int, Row]:
        if kind in ("users", "groups"):
            return self.users if kind == "users" else self.groups
        if kind == "transactions":
            return {row["id"]: row for row in self._feed}
        return {int(number): {"Name": field.name, "LookupType": field.of} for number, field in FIELDS.items()}

    def _listed(self, kind: str, number: int, row: Row, fields: list[str]) -> Row:
        """A row of a list: the columns that were asked for; `id` is a user's name unless it was."""
        known = {**self._columns(kind, number, row), "CustomFields": self._fields(row) or ""}
        own = row["Name"] if kind == "users" else str(number)
        return self._link(kind[:-1], own) | {
            field: "" if known.get(field) is None else known[field] for field in fields if field
        }

    def _columns(self, kind: str, number: int, row: Row) -> Row:
        hidden = ("fields", "members", "disabled", "latest")
        columns = {column: value for column, value in row.items() if column not in hidden}
        if "latest" in row:
            columns["LastUpdated"] = self._feed[row["latest"] - 1]["Created"]
        return {**columns, "id": number}

    def _fields(self, row: Row) -> list[Row]:
        """In no certain order, every field that applies; only its values may be missing."""
        return [
            {**self._link("customfield", number), "name": FIELDS[number].name, "values": values}
            for number, values in sorted(row.get("fields", {}).items(), reverse=True)
        ]


def through_proxy(answer: Answer) -> Answer:
    """What is left of an answer behind a proxy that marks the ETag as compressed and sends no Date."""
    headers = {name: value for name, value in answer.headers.items() if name != "Date"}
    if "ETag" in headers:
        headers["ETag"] = f'W/{headers["ETag"][:-1]}-gzip"'
    return answer.changed(headers=headers)


Values: TypeAlias = list[str | None]


def _one(field: Field, values: Values, wanted: Values | None) -> tuple[list[str], Values | None]:
    """What RT says to a new value, and what it then keeps (None: all as it was).

    Null deletes, an empty text is kept as null.
    """
    before = values[0] if values else None
    if wanted is None and before:
        return [f"{before} is no longer a value for custom field {field.name}"], []
    after = (wanted or [None])[0] or None
    if after and field.choices:
        listed = [choice for choice in field.choices if choice.casefold() == after.casefold()]
        if not listed:
            return ["Invalid value for custom field"], None
        after = listed[0]
    if after and after == before:
        return [], None
    if before and after:
        return [f"{field.name} {before} changed to {after}"], [after]
    return [f"{field.name} {before} deleted" if before else f"{field.name} {after or ''} added"], [after]


def _many(field: Field, values: Values, wanted: Values | None) -> tuple[list[str], Values | None]:
    """The same for a field that takes many values."""
    new = [text for text in wanted or [] if text not in values]
    old = [text for text in values if text not in (wanted or [])]
    words = [f"{text} added as a value for {field.name}" for text in new]
    words += [f"{text} is no longer a value for custom field {field.name}" for text in old]
    return words, [text for text in values if text not in old] + new if words else None


def _said(words: str, status: int) -> Answer:
    return Answer.json({"message": words}, status)


def _id(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else -1


def _page(request: Request, rows: list[Any]) -> Row:
    asked = request.query.get("per_page", "20")
    size = min(_id(asked) if _id(asked) > 0 else 20, 100)
    page = max(1, _id(request.query.get("page", "1")))
    items = rows[(page - 1) * size : page * size]
    pages = -(-len(rows) // size)
    return {
        "count": len(items),
        "total": len(rows),
        "per_page": size,
        "page": page,
        "pages": pages,
        "items": items,
    }


def _fits(row: Row, clauses: list[Row]) -> bool:
    """Conditions on different columns must all hold; of those on one column, one is enough."""
    columns = {clause["field"] for clause in clauses}
    return all(any(_holds(row, one) for one in clauses if one["field"] == column) for column in columns)


def _holds(row: Row, clause: Row) -> bool:
    present, wanted = row.get(clause["field"]) or "", clause["value"]
    if clause.get("operator", "=") == ">":
        return int(present) > int(wanted)
    return str(present).casefold() == str(wanted).casefold()


class RtDesk(Desk):
    """Users are members of the group that is their company."""

    page_size = 100
    proxied = False

    def __init__(self) -> None:
        self.server = self.wire = RtServer(proxied=self.proxied)
        self.token = TOKEN
        self._logins = itertools.count(1)

    def settings(self) -> dict[str, Any]:
        return {"base_url": self.wire.base_url, "token": self.token}

    def misnamed(self) -> Iterator[dict[str, Any]]:
        return misnamed(self.settings())

    def add_company(self, name: str, state: CompanyState = CompanyState.UNSET) -> str:
        return str(self.server.add_group(name, STATE[state], Description=f"client, {MAIN_LINE}"))

    def set_company(self, company: str, state: CompanyState) -> None:
        self.server.set_field("group", int(company), APPROVAL, _values(STATE[state]))

    def add_contact(
        self,
        company: str,
        name: str,
        phones: Sequence[str] = (),
        *,
        consent: Consent | None = None,
        active: bool = True,
    ) -> str:
        login = f"{name.replace(' ', '.').lower()}.{next(self._logins)}"
        columns, fields = self.phones(phones)
        user = self.server.add_user(
            login,
            {CONSENT: _values(WORD[consent]), BADGE: ["B-7"], **fields},
            disabled=not active,
            RealName=name,
            EmailAddress=f"{login}@example.com",
            Organization=f"Front desk {MAIN_LINE}",
            **columns,
        )
        self.join(user, int(company))
        return str(user)

    def phones(self, phones: Sequence[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
        """In which columns and custom fields the numbers are."""
        return dict(zip(("MobilePhone", "WorkPhone"), phones, strict=False)), {}

    def join(self, user: int, company: int) -> None:
        """Make a user one of a company."""
        self.server.add_member(company, "user", user)

    def set_contact(self, contact: str, *, consent: Consent | None) -> None:
        self.server.set_field("user", int(contact), CONSENT, _values(WORD[consent]))

    def move_contact(self, contact: str, company: str) -> None:
        self.server.leave_groups(int(contact))
        self.join(int(contact), int(company))

    def set_other_values(self, company: str, contact: str) -> None:
        self.server.set_field("group", int(company), APPROVAL, ["Pending"])
        self.server.set_field("user", int(contact), CONSENT, ["Ask"])

    def retire_company(self, company: str) -> None:
        self.server.disable_group(int(company))

    def missing_contact(self) -> str:
        return "99999999"

    def consent_of(self, contact: str) -> Consent | None:
        values = self.server.user_record(int(contact))["fields"][CONSENT]
        return MEANING[values[0] if values else None]

    def record(self, contact: str) -> Mapping[str, Any]:
        kept = self.server.user_record(int(contact))
        del kept["latest"], kept["fields"][CONSENT]
        return kept

    def ignore_filters(self) -> None:
        self.server.ignores_conditions = True


class OddRtDesk(RtDesk):
    """Behind a proxy; people sit in a group within their company's, and numbers in a field that takes many."""

    proxied = True

    def settings(self) -> dict[str, Any]:
        odd = {"other_groups": ["Staff of *"], "phone_fields": ["SMS Phone", "PagerPhone"]}
        return {**super().settings(), "base_url": f"{self.wire.base_url}{API}/", **odd}

    def add_company(self, name: str, state: CompanyState = CompanyState.UNSET) -> str:
        company = super().add_company(name, state)
        staff = self.server.add_group(f"Staff of {company}")
        self.server.add_member(int(company), "group", staff)
        return company

    def phones(self, phones: Sequence[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
        return {"WorkPhone": MAIN_LINE}, {PHONE: list(phones)}

    def join(self, user: int, company: int) -> None:
        ((_, staff),) = self.server.members_of(company)
        self.server.add_member(staff, "user", user)


def _values(word: str | None) -> list[str]:
    return [] if word is None else [word]
