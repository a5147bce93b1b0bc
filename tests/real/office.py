"""The people of an MSP at work in a real RT.

New people and groups go straight into RT's tables, with every row that RT itself would make: a test makes the
same ones both ways and compares (`test_office.py`). That takes a millisecond and not fifty. Edits of what is there
are made through RT.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from desk_rt import CONSENT, FIELDS

if TYPE_CHECKING:
    from conftest import RealRt

# Of RT's own bookkeeping; a write of another field changes them as well.
OF_THE_LATEST_EDIT = ("LastUpdated", "LastUpdatedBy")


class Office:
    """Has the methods of the stand-in `RtServer` that people use. Ids are numbers; a field is named by its id."""

    def __init__(self, rt: RealRt) -> None:
        self.rt = rt
        self._lock = threading.RLock()  # a fault plays in a thread of its own, and edits
        self._db = sqlite3.connect(rt.database, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA synchronous = OFF")
        self._pristine = sqlite3.connect(":memory:")
        self._db.backup(self._pristine)
        self._editor = self._one("SELECT id FROM Users WHERE Name = 'staff'")
        self._everyone, self._unprivileged = (
            self._one("SELECT id FROM Groups WHERE Domain = 'SystemInternal' AND Name = ?", name)
            for name in ("Everyone", "Unprivileged")
        )
        named = {str(row["id"]): row["Name"] for row in self._db.execute("SELECT id, Name FROM CustomFields")}
        assert named == {number: field.name for number, field in FIELDS.items()}

    def reset(self) -> None:
        """Everything is as it was when RT was started."""
        with self._lock:
            self._pristine.backup(self._db)

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()
        self._pristine.close()

    # --- past RT ----------------------------------------------------------------------------------------------

    def add_user(
        self, name: str, fields: Mapping[str, list[str]] | None = None, disabled: bool = False, **columns: str
    ) -> int:
        """Somebody without any right of their own."""
        with self._change():
            user, own_group = self._insert("Principals", PrincipalType="User"), self._insert_group_principal()
            described = {"Name": "UserEquiv", "Description": f"ACL equiv. for user {user}"}
            self._insert_group(own_group, Domain="ACLEquivalence", Instance=user, **described)
            plain = {"Password": "*NO-PASSWORD*", "EmailAddress": ""}
            self._insert("Users", **{"id": user, "Name": name, **plain, **columns, **self._stamp()})
            self._happened("RT::User", user, "Create")
            self._enter(own_group, own_group, direct=False)
            for group in (own_group, self._everyone, self._unprivileged):
                self._enter(group, user)
            for field, values in (fields or {}).items():
                for value in values:
                    self._add_value("RT::User", user, field, value)
            if disabled:
                self._db.execute("UPDATE Principals SET Disabled = 1 WHERE id = ?", (user,))
                self._happened("RT::User", user, "Disabled")
            return user

    def add_group(self, name: str, approval: str | None = None, **more: str) -> int:
        """A group such as people make."""
        with self._change():
            group = self._insert_group_principal()
            self._insert_group(group, Name=name, Domain="UserDefined", Instance=0, **more)
            self._happened("RT::Group", group, "Create")
            self._enter(group, group, direct=False)
            if approval:
                field = next(number for number, field in FIELDS.items() if field.of == "RT::Group")
                self._add_value("RT::Group", group, field, approval)
            return group

    def add_member(self, group: int, kind: str, member: int) -> None:
        """Put a user, or a group without members, into a group."""
        assert kind == "user" or not self.members_of(member)
        with self._change():
            self._happened(f"RT::{kind.title()}", member, "AddMembership", Field=str(group))
            self._happened("RT::Group", group, "AddMember", Field=str(member))
            self._enter(group, member)
            around = "SELECT id, GroupId FROM CachedGroupMembers WHERE MemberId = ? AND GroupId <> MemberId"
            for via, outer in [tuple(row) for row in self._db.execute(around, (group,))]:
                self._insert(
                    "CachedGroupMembers", GroupId=outer, MemberId=member, Via=via, ImmediateParentId=group
                )

    def members_of(self, group: int) -> list[tuple[str, int]]:
        """Who is in a group: "user" or "group", and the id."""
        asked = (
            "SELECT lower(PrincipalType), MemberId FROM GroupMembers JOIN Principals ON Principals.id = MemberId "
            "WHERE GroupId = ? ORDER BY GroupMembers.id"
        )
        with self._lock:
            return [(kind, member) for kind, member in self._db.execute(asked, (group,))]

    def user_record(self, user: int) -> dict[str, Any]:
        """All that is kept of a user, groups and custom fields too; of the consent field only the value."""
        with self._lock:
            row = dict(self._db.execute("SELECT * FROM Users WHERE id = ?", (user,)).fetchone())
            for column in OF_THE_LATEST_EDIT:
                del row[column]
            asked = (
                "SELECT CustomField, id, Content, Disabled FROM ObjectCustomFieldValues "
                "WHERE ObjectType = 'RT::User' AND ObjectId = ? ORDER BY id"
            )
            kept = [tuple(one) for one in self._db.execute(asked, (user,))]
            fields: dict[str, list[Any]] = {number: [] for number in FIELDS if FIELDS[number].of == "RT::User"}
            for field, _, content, disabled in kept:
                if not disabled:
                    fields[str(field)].append(content)
            return {
                **row,
                "fields": fields,
                "values": [one for one in kept if str(one[0]) != CONSENT],
                "disabled": self._one("SELECT Disabled FROM Principals WHERE id = ?", user),
                "groups": self._groups_of(user),
                "latest": None,
            }

    # --- through RT -------------------------------------------------------------------------------------------

    def set_field(self, kind: str, record: int, field: str, values: list[str]) -> None:
        """Set a custom field of a user or a group."""
        self.rt.call("PUT", f"/{kind}/{record}", {"CustomFields": {field: values or ""}})

    def disable_group(self, group: int) -> None:
        """Disable a group; its members stay."""
        self.rt.call("PUT", f"/group/{group}", {"Disabled": 1})

    def leave_groups(self, user: int) -> None:
        """Take a user out of every group that people made."""
        for group in self._groups_of(user):
            self.rt.remove_member(str(group), str(user))

    # --- rows -------------------------------------------------------------------------------------------------

    def _groups_of(self, user: int) -> list[int]:
        asked = (
            "SELECT GroupId FROM GroupMembers JOIN Groups ON Groups.id = GroupId "
            "WHERE MemberId = ? AND Domain = 'UserDefined' ORDER BY GroupMembers.id"
        )
        with self._lock:
            return [group for (group,) in self._db.execute(asked, (user,))]

    def _one(self, asked: str, *values: object) -> Any:
        with self._lock:
            (found,) = self._db.execute(asked, values).fetchone()
            return found

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _insert(self, table: str, **values: object) -> int:
        places = ", ".join("?" * len(values))
        made = self._db.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", (*values.values(),)
        )
        assert made.lastrowid is not None
        return made.lastrowid

    def _stamp(self) -> dict[str, object]:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        return {"Creator": self._editor, "Created": now, "LastUpdatedBy": self._editor, "LastUpdated": now}

    def _insert_group_principal(self) -> int:
        return self._insert("Principals", PrincipalType="Group")

    def _insert_group(self, group: int, **values: object) -> None:
        self._insert("Groups", id=group, **values, **self._stamp())

    def _enter(self, group: int, member: int, *, direct: bool = True) -> None:
        """A membership, and what RT keeps to find it quickly; there each group is also a member of itself."""
        if direct:
            self._insert("GroupMembers", GroupId=group, MemberId=member, **self._stamp())
        made = self._insert("CachedGroupMembers", GroupId=group, MemberId=member, ImmediateParentId=group)
        self._db.execute("UPDATE CachedGroupMembers SET Via = id WHERE id = ?", (made,))

    def _add_value(self, kind: str, record: int, field: str, value: str) -> None:
        at = {"ObjectType": kind, "ObjectId": record}
        made = self._insert(
            "ObjectCustomFieldValues",
            CustomField=int(field),
            Content=value,
            ContentEncoding="",
            **at,
            **self._stamp(),
        )
        of = {"ReferenceType": "RT::ObjectCustomFieldValue", "NewReference": made}
        self._happened(kind, record, "CustomField", Field=field, **of)

    def _happened(self, kind: str, record: int, what: str, **more: object) -> None:
        stamp = self._stamp()
        when = {name: stamp[name] for name in ("Creator", "Created")}
        self._insert("Transactions", ObjectType=kind, ObjectId=record, Type=what, **when, **more)
