"""RT as a script over local HTTP: the forms that RT 5.0.3 showed, bent as a test wants them."""

from __future__ import annotations

import json
import re

from support import shell_for

from connectors.rt import Rt
from connectors.rt.settings import RtSettings
from syncd.connector import Change
from syncd.model import Consent
from syncd.sandbox.exchange import Answer
from syncd.sandbox.server import StandIn

OUT, IN = Consent.OPTED_OUT, Consent.OPTED_IN
TOKEN = "1-14-canary0123456789"
CONSENT, PHONE, APPROVAL = 2, 3, 4
WORDS = {CONSENT: ["Opted-In", "Opted-Out"], APPROVAL: ["Approved", "Opted-Out"]}
FIELDS = {
    CONSENT: ("SMS Opt-In", "RT::User"),
    PHONE: ("SMS Phone", "RT::User"),
    APPROVAL: ("SMS Approval", "RT::Group"),
}


class ScriptedRt(StandIn):
    """As much of RT as the connector asks for, in the forms that RT 5.0.3 showed; `bend` changes any answer."""

    name = "rt"

    def __init__(self):
        super().__init__()
        self.users = {}
        self.groups = {}
        self.members = {}
        self.feed = []
        self.bend = {}
        self.keeps = True
        self.page = 100

    def add_user(self, user_id, consent=None, group=None, disabled=False, phones=(), **columns):
        fields = {CONSENT: [consent] if consent else [], PHONE: list(phones)}
        self.users[user_id] = {"fields": fields, "disabled": disabled, "etag": user_id * 10, "columns": columns}
        if group:
            self.add_member(group, "user", user_id)

    def add_group(self, group_id, approval=None, name=None):
        self.groups[group_id] = {
            "fields": {APPROVAL: [approval] if approval else []},
            "name": name or f"G{group_id}",
        }
        self.members.setdefault(group_id, [])

    def add_member(self, group, kind, member):
        self.members.setdefault(group, []).append({"type": kind, "id": member})
        self.feed.append(
            {"id": len(self.feed) + 1, "ObjectType": "RT::Group", "ObjectId": str(group), "Type": "AddMember"}
        )

    def shows(self, user_id):
        return self.users[user_id]["fields"][CONSENT]

    def answer(self, request):
        path = request.path.removeprefix("/REST/2.0")
        made = self._answer(request, path)
        change = next((how for pattern, how in self.bend.items() if re.fullmatch(pattern, path)), None)
        return change(made) if change else made

    def _answer(self, request, path):
        kind, _, rest = path.strip("/").partition("/")
        if request.headers.get("Authorization") != f"token {TOKEN}":
            return Answer.json({"message": "Unauthorized"}, 401)
        if path == "/rt":
            return Answer.json({"Version": "5.0.3", "Plugins": []})
        if kind == "user":
            return self._user(request, int(rest))
        if kind == "customfield":
            field = int(rest)
            name, _ = FIELDS[field]
            listed = {"Type": "Select", "Values": WORDS[field]} if field in WORDS else {"Type": "Freeform"}
            return Answer.json({"id": field, "Name": name, "MaxValues": "1" if field in WORDS else "0", **listed})
        return Answer.json(self._page(request, self._list(request, kind, rest)))

    def _list(self, request, kind, rest):
        if kind == "group":
            return self.members[int(rest.split("/")[0])]
        if kind == "users":
            everybody = "find_disabled_rows" in request.query
            return [self._row(one) for one in sorted(self.users) if everybody or not self.users[one]["disabled"]]
        if kind == "groups":
            return [
                {
                    "id": one,
                    "Name": group["name"],
                    "Domain": "UserDefined",
                    "CustomFields": listed(group["fields"]),
                }
                for one, group in sorted(self.groups.items())
            ]
        if kind == "transactions":
            after = next(one["value"] for one in request.json() if one["field"] == "id")
            return [one for one in reversed(self.feed) if one["id"] > after][:100]
        kinds = [one["value"] for one in request.json()]
        return [{"id": one, "Name": name, "LookupType": of} for one, (name, of) in FIELDS.items() if of in kinds]

    def _page(self, request, rows):
        size, page = min(int(request.query["per_page"]), self.page), int(request.query.get("page", 1))
        items = rows[(page - 1) * size : page * size]
        pages = float(-(-len(rows) // size))
        return {
            "count": len(items),
            "total": len(rows),
            "per_page": size,
            "page": page,
            "pages": pages,
            "items": items,
        }

    def _row(self, user_id):
        user = self.users[user_id]
        plain = {"id": user_id, "Name": f"u{user_id}", "RealName": "", "LastUpdated": "2026-03-01T00:00:00Z"}
        phones = {"MobilePhone": "", "WorkPhone": "", "HomePhone": ""}
        return plain | phones | user["columns"] | {"CustomFields": listed(user["fields"])}

    def _user(self, request, user_id):
        user = self.users.get(user_id)
        if user is None:
            return Answer.json({"message": "Not Found"}, 404)
        if request.method == "PUT":
            if request.headers.get("If-Match") != f'"{user["etag"]}"':
                return Answer.json({"message": "Precondition Failed"}, 412)
            for field, value in request.json()["CustomFields"].items():
                if self.keeps:
                    user["fields"][int(field)] = [value]
            user["etag"] += 1
            return Answer.json(["SMS Opt-In changed"] if self.keeps else ["Permission Denied"])
        disabled = "1" if user["disabled"] else "0"
        made = Answer.json(self._row(user_id) | {"Disabled": disabled, "Memberships": []})
        return made.changed(headers={**made.headers, "ETag": f'"{user["etag"]}"'})


def listed(fields):
    return [{"id": str(one), "name": FIELDS[one][0], "values": values} for one, values in fields.items()]


def connect(rt, remarks=None, **settings):
    given = RtSettings(**{"base_url": rt.base_url, "token": TOKEN} | settings)
    return Rt(given, shell_for(Rt, (remarks if remarks is not None else []).append))


def write(psa, *users, consent=OUT, shown=None):
    return dict(psa.write(Change(str(user), None, consent, shown) for user in users))


def bent(**changes):
    """An answer whose JSON object has these values instead; a callable makes one from the old."""

    def how(answer):
        body = json.loads(answer.body)
        for key, value in changes.items():
            body[key] = value(body[key]) if callable(value) else value
        return Answer.json(body, answer.status, answer.headers)

    return how


def sent(rt):
    return [(request.method, request.path.removeprefix("/REST/2.0")) for request in rt.requests]
