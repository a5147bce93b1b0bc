"""RT's HTTP grammar (REST 2.0): one call, lists page by page, one user, one write.

Seen on RT 5.0.3, and read in its source: `fields` names the columns of a list, and `id` is a number only when it
is asked for there; `per_page` is capped at 100 in silence; a list has `total`, but null where the API user may not
see everything, and then rows are missing; a condition on a column that is not searchable is dropped in silence
(users cannot be searched by id, phone number, date or state); disabled records need `find_disabled_rows`, and no
list says which they are; an ETag is the number of the record's latest transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.rt.answers import NoRight, is_rt, judged, sentences
from connectors.rt.settings import API, RtSettings
from syncd.connector.answers import Row, fields_of, header, must_all_fit, number, rows_in
from syncd.connector.moments import Moments
from syncd.errors import Ambiguous, ShapeChanged, Transient
from syncd.http import Answer, Transport

PAGE = 100

# A proxy that compresses marks the ETag, and RT would not know it again.
_ETAG = re.compile(r'(?:W/)?"([^"]*?)(?:(?:--?|;)(?:gzip|br|zstd))?"')


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, in ascending order of their ids, and how many the whole list has."""

    rows: list[Row]
    total: int


@dataclass(frozen=True, slots=True)
class User:
    """One user as it is now. `etag` goes into If-Match; None where no ETag came."""

    row: Row
    etag: str | None


class RtClient:
    """Calls RT. Thread-safe; raises the exceptions of `syncd.errors`."""

    def __init__(self, settings: RtSettings, transport: Transport) -> None:
        headers = {"Authorization": f"token {settings.token.get_secret_value()}"}
        self._client = transport.client(settings.base_url + API, headers)
        self.moments = Moments()

    # --- one call ---------------------------------------------------------------------------------------------

    def base_url(self) -> str:
        """Where REST 2.0 is."""
        return self._client.base_url

    def get(self, path: str) -> Answer:
        """Read one thing."""
        return judged(self.moments.heard(self._client.get(path)))

    # --- reading ----------------------------------------------------------------------------------------------

    def pages(
        self,
        path: str,
        fields: Sequence[str],
        conditions: Mapping[str, str] | None = None,
        *,
        disabled: bool = False,
    ) -> Iterator[Page]:
        """Every record that fulfils the conditions (field equals value), by ascending id.

        `fields` must name those of the conditions; `disabled` includes disabled records. Raises ShapeChanged when
        the answer does not fit the question, NoRight when RT does not show everything, Transient when records
        vanished meanwhile. Records that are made meanwhile come last, which does no harm.
        """
        params: dict[str, Any] = {"fields": ",".join(("id", *fields)), "per_page": PAGE, "orderby": "id"}
        if disabled:
            params["find_disabled_rows"] = 1
        body = [{"field": field, "value": value} for field, value in (conditions or {}).items()]
        yield from self._pages("POST", path, params, body, conditions or {})

    def members(self, group_id: str) -> Iterator[Page]:
        """The direct members of a group, users and groups, disabled ones too."""
        # This list is ordered by membership; the ids are those of the members.
        params = {"per_page": PAGE, "orderby": "id"}
        yield from self._pages("GET", f"/group/{int(group_id)}/members", params, None, {}, by_id=False)

    def _pages(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        body: Any,
        conditions: Mapping[str, str],
        by_id: bool = True,
    ) -> Iterator[Page]:
        seen: set[int] = set()
        highest = -1
        total = page = 0
        while True:
            page += 1
            sent = self._client.read(method, path, params={**params, "page": page}, body=body)
            answer = judged(self.moments.heard(sent))
            got = _page(answer, page)
            if got.total < total:
                raise Transient(f"{answer.what}: records vanished while the list was read; it is read again")
            total = got.total
            ids = [number(answer.what, row.get("id")) for row in got.rows]
            if by_id and any(one <= before for before, one in zip([highest, *ids], ids, strict=False)):
                raise ShapeChanged(f"{answer.what}: page {page} is not the next one in ascending order of ids")
            if len(seen | set(ids)) < len(seen) + len(ids):
                raise ShapeChanged(f"{answer.what}: a record came twice")
            seen.update(ids)
            highest = max(ids, default=highest)
            _must_fit(answer.what, got.rows, conditions)
            if len(seen) > total or (len(seen) < total and not ids):
                raise ShapeChanged(f"{answer.what}: {len(seen)} records came, but the answer counts {total}")
            yield got
            if len(seen) == total:
                return

    def latest(self, path: str, fields: Sequence[str], query: Sequence[Row]) -> list[Row]:
        """The latest records, at most a page of them, newest first. The rows are not checked against the query."""
        params = {"fields": ",".join(("id", *fields)), "per_page": PAGE, "orderby": "id", "order": "DESC"}
        answer = judged(self.moments.heard(self._client.read("POST", path, params=params, body=list(query))))
        return _rows(answer)

    def user(self, user_id: str) -> User | None:
        """One user with everything that it has, or None where RT has none."""
        answer = self.moments.heard(self._client.get(f"/user/{int(user_id)}"))
        if answer.status == 404 and is_rt(answer):
            return None
        row = fields_of(judged(answer, contact=user_id))
        # Seen: without the right AdminUsers a short form comes, with neither id nor state.
        if "Disabled" not in row:
            raise NoRight(f"{answer.what}: only a summary of the user came", "AdminUsers", contact=user_id)
        if number(answer.what, row.get("id")) != int(user_id):
            raise ShapeChanged(f"{answer.what}: the answer is not that user")
        found = _ETAG.fullmatch(header(answer, "etag") or "")
        return User(row, f'"{found[1]}"' if found else None)

    # --- writing ----------------------------------------------------------------------------------------------

    def set_user_field(self, user: User, field_id: int | None, value: str) -> str:
        """Set one custom field of one user and touch nothing else; returns what RT says, in its own language.

        Whether it was kept, only a read tells. Raises Transient when the user was changed since it was read
        (412), Ambiguous when the answer was lost or cannot be read.
        """
        user_id = str(number("user", user.row.get("id")))
        body = {"CustomFields": {str(field_id): value}}
        headers = {"If-Match": user.etag} if user.etag else None
        try:
            answer = self.moments.heard(self._client.write("PUT", f"/user/{user_id}", body, headers))
        except Ambiguous as error:
            error.contact = user_id
            raise
        judged(answer, contact=user_id, writing=True)
        try:
            return sentences(answer)
        except ShapeChanged as error:
            raise Ambiguous(f"{error}; whether it was written is not known", contact=user_id) from None


def _rows(answer: Answer) -> list[Row]:
    body = fields_of(answer, "items", "count")
    rows = rows_in(body["items"], f"{answer.what}: 'items'", answer)
    if number(answer.what, body["count"]) != len(rows) or len(rows) > PAGE:
        raise ShapeChanged(f"{answer.what}: {len(rows)} records came, but the answer counts {body['count']}")
    return rows


def _page(answer: Answer, page: int) -> Page:
    rows = _rows(answer)
    body = fields_of(answer, "total", "page")
    if body["total"] is None:
        what = path.group() if (path := re.search(r"\w+$", answer.what)) else "records"
        right = {"groups": "SeeGroup", "customfields": "SeeCustomField"}.get(what, "to see all of them")
        raise NoRight(f"{answer.what}: RT does not show all {what}", right)
    if number(answer.what, body["page"]) != page:
        raise ShapeChanged(f"{answer.what}: page {page} was asked for, another one came")
    return Page(rows, number(answer.what, body["total"]))


def _must_fit(what: str, rows: Sequence[Row], conditions: Mapping[str, str]) -> None:
    """Raise ShapeChanged when a row does not fulfil what was asked for: RT drops conditions in silence."""
    for field, value in conditions.items():
        must_all_fit(what, (str(row.get(field)) == value for row in rows), field)
