"""Groups as companies: which there are, who belongs to them, and which one counts for somebody in several.

A user may be in any number of groups, and a group in another group; syncd knows one company per contact. Of all
companies that a user belongs to, directly or through another group, the strictest counts: one that opted out
before one that says nothing, before one that approved; of equal ones that with the lowest id. So an opt-out of
any of them reaches the user, and an approval lets the user in only if all of them approved. Disabled groups count
like others.

RT lists members group by group. To spare most of these calls, members are kept, and RT's feed of transactions
tells which groups changed since: each change is an AddMember or DeleteMember of that group (seen on RT 5.0.3).
The feed is read before the members, so a change in between is seen the next time. All members are read anew after
a day all the same, for changes that were made past RT.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain

from connectors.rt.client import PAGE, RtClient
from connectors.rt.settings import RtSettings
from syncd.connector.answers import Row, number
from syncd.connector.fields import folded
from syncd.connector.moments import Moment
from syncd.connector.remarks import Remarks
from syncd.errors import ShapeChanged
from syncd.model import Company, CompanyState

FIELDS = ("Name", "Domain", "CustomFields")
# Every ticket and queue has groups of its own, for its roles; people make these.
OF_PEOPLE = {"Domain": "UserDefined"}

# Bounds how long a change of members that is in no transaction (SQL by hand, the shredder) goes unnoticed.
SECONDS_TRUSTED = 86_400.0

STRICTEST = (CompanyState.OPTED_OUT, CompanyState.UNSET, CompanyState.APPROVED)


@dataclass(frozen=True, slots=True)
class Members:
    """The direct members of one group, by id."""

    users: frozenset[str]
    groups: frozenset[str]


class Belonging:
    """Who belongs to which company at one moment."""

    def __init__(self, companies: Iterable[Company], members: dict[str, Members]) -> None:
        self.companies = {company.id: company for company in companies}
        self._of_user: dict[str, set[str]] = {}
        for company_id in self.companies:
            for user in _everybody(company_id, members):
                self._of_user.setdefault(user, set()).add(company_id)

    def companies_of(self, user_id: str) -> list[Company]:
        """The companies of a user, the one that counts first; none: []."""
        found = [self.companies[one] for one in self._of_user.get(user_id, ())]
        return sorted(found, key=lambda company: (STRICTEST.index(company.state), int(company.id)))

    def people_of(self, company_id: str) -> list[str]:
        """The users for whom this company counts."""
        found = (user for user in self._of_user if self.companies_of(user)[0].id == company_id)
        return sorted(found, key=int)


def _everybody(group_id: str, members: dict[str, Members]) -> frozenset[str]:
    """The users of a group and of all groups within it."""
    found: set[str] = set()
    seen: set[str] = set()
    ahead = [group_id]
    while ahead:
        one = ahead.pop()
        if one not in seen and one in members:
            seen.add(one)
            found |= members[one].users
            ahead += members[one].groups
    return frozenset(found)


class Groups:
    """Reads groups and their members. Thread-safe."""

    def __init__(self, client: RtClient, settings: RtSettings, remarks: Remarks) -> None:
        self._client = client
        self._settings = settings
        self._remarks = remarks
        self._lock = threading.Lock()
        self._members: dict[str, Members] = {}
        self._latest = 0
        self._since: Moment | None = None

    def rows(self) -> list[Row]:
        """Every group that people made, disabled ones too."""
        pages = self._client.pages("/groups", FIELDS, OF_PEOPLE, disabled=True)
        return list(chain.from_iterable(page.rows for page in pages))

    def is_company(self, row: Row) -> bool:
        """Whether the settings make this group a company."""
        name = folded(row.get("Name"))
        wanted, others = self._settings.company_groups, self._settings.other_groups
        return any(fnmatchcase(name, folded(one)) for one in wanted) and not any(
            fnmatchcase(name, folded(one)) for one in others
        )

    def belonging(self, rows: Iterable[Row], companies: Iterable[Company]) -> Belonging:
        """Who belongs to these companies now; `rows` are all groups, because companies may hold other groups."""
        ids = [str(number("groups", row.get("id"))) for row in rows]
        with self._lock:
            self._forget_changed()
            for gone in self._members.keys() - set(ids):
                del self._members[gone]
            for group_id in ids:
                if group_id not in self._members:
                    self._members[group_id] = self._read(group_id)
            return Belonging(companies, dict(self._members))

    def company_of(self, belonging: Belonging, user_id: str) -> str | None:
        """The company of a user; tells the operator of one who has several."""
        found = belonging.companies_of(user_id)
        if len(found) > 1:
            names = ", ".join(f"'{company.name[:40]}'" for company in found[:5])
            what = f"user {user_id} is in {len(found)} companies ({names}); the strictest counts, now the first"
            advice = "A group that is no company belongs into psa.settings.other_groups"
            self._remarks.once("companies", user_id, f"{what}. {advice}")
        return found[0].id if found else None

    def _forget_changed(self) -> None:
        """Ask the feed which groups changed; forget their members, or everything where it does not reach back."""
        if self._since is None or self._client.moments.passed(self._since, SECONDS_TRUSTED):
            self._members.clear()
            self._since = None
        rows = self._client.latest(
            "/transactions",
            ("ObjectType", "ObjectId", "Type"),
            [
                {"field": "ObjectType", "value": "RT::Group"},
                {"field": "Type", "value": "AddMember"},
                {"field": "Type", "value": "DeleteMember", "entry_aggregator": "OR"},
                {"field": "id", "operator": ">", "value": self._latest},
            ],
        )
        ids = [number("transactions", row.get("id")) for row in rows]
        if self._since is None:
            self._since = self._client.moments.now()
        elif len(rows) >= PAGE or any(one <= self._latest for one in ids):
            self._members.clear()  # more than fits, or the condition was not obeyed
        for row in rows:
            if row.get("ObjectType") != "RT::Group" or row.get("Type") not in ("AddMember", "DeleteMember"):
                self._members.clear()
            self._members.pop(str(row.get("ObjectId")), None)
        self._latest = max([self._latest, *ids])

    def _read(self, group_id: str) -> Members:
        kinds: dict[str, set[str]] = {"user": set(), "group": set()}
        for page in self._client.members(group_id):
            for row in page.rows:
                if row.get("type") not in kinds:
                    raise ShapeChanged(f"group {group_id} has a member that is neither a user nor a group")
                kinds[str(row["type"])].add(str(number("members", row.get("id"))))
        return Members(frozenset(kinds["user"]), frozenset(kinds["group"]))
