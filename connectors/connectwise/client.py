"""ConnectWise's HTTP grammar: one call, lists page by page, one contact, one PATCH.

Documented: conditions, at most 1000 records a page and 2000 characters a URL; forward-only paging by `pageId`, the
last id seen, in which `orderBy` is not allowed; PATCH takes an array of operations; PUT blanks what is not sent,
so it is never used. Seen live by third parties: Link headers that name another host, that are present but empty at
the end, or that promise a page after the last one; so no link is followed, the next page is asked for by id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from connectors.connectwise.answers import is_missing_record, judged
from connectors.connectwise.settings import ConnectWiseSettings
from connectors.connectwise.site import Site
from syncd.connector.answers import Row, header, ids_of, must_all_fit, number, record_of, rows_in
from syncd.errors import Ambiguous, Permanent, ShapeChanged, Superseded, Transient
from syncd.http import Answer, Client, Transport

PAGE = 1000
LONGEST_URL = 2000

_LINK = re.compile(r'<([^<>]*)>\s*((?:;\s*[\w*]+\s*=\s*(?:"[^"]*"|[^\s";,]+)\s*)*)')
_OPERATORS = frozenset({"=", ">", "in"})


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on an id, and the same condition for looking at what came back."""

    path: str
    op: str
    value: int | tuple[int, ...]

    def __post_init__(self) -> None:
        if self.op not in _OPERATORS or not re.fullmatch(r"[A-Za-z]+(/[A-Za-z]+)*", self.path):
            raise ValueError(f"'{self.path} {self.op}' is no condition that this connector knows")

    def __str__(self) -> str:
        numbers = self.value if isinstance(self.value, tuple) else (self.value,)
        listed = ",".join(str(int(one)) for one in numbers)
        return f"{self.path} in ({listed})" if self.op == "in" else f"{self.path} {self.op} {listed}"

    def holds(self, row: Row) -> bool:
        """Whether a row fulfils it."""
        found: Any = row
        for step in self.path.split("/"):
            found = found.get(step) if isinstance(found, dict) else None
        if found is None:
            return False
        mine = number(self.path, found)
        if isinstance(self.value, tuple):
            return mine in self.value
        return mine > self.value if self.op == ">" else mine == self.value


def quoted(text: str) -> str:
    """A text for use in a condition. ValueError where it could end the quotes: no escape is documented."""
    if re.search(r'["\\\x00-\x1f\x7f]', text):
        raise ValueError("holds a quotation mark, a backslash or a control character")
    return '"' + text.replace("[", "[[]") + '"'


class ConnectWiseClient:
    """Calls ConnectWise. Thread-safe; raises the exceptions of `syncd.errors`."""

    def __init__(self, settings: ConnectWiseSettings, transport: Transport) -> None:
        self.site = Site(settings, transport)
        self.limits = transport.pace.limits
        # What the latest answers said of themselves, for the checkup.
        self.release = ""
        self.forward_only = False

    # --- one call ---------------------------------------------------------------------------------------------

    def base_url(self) -> str:
        """The base URL of the API in use."""
        return self.site.client().base_url

    def get(self, path: str, params: Mapping[str, Any] | None = None, contact: str | None = None) -> Answer:
        """Read one thing."""
        return judged(self._call("GET", path, params=params), contact=contact)

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request; after a 404 that speaks of no record once more if the codebase changed meanwhile.

        A write is not sent again, whoever said 404. The read before it will have found nearly every change.
        """
        client = self.site.client()
        answer = self._send(client, method, path, params, body, headers)
        if answer.status == 404 and not is_missing_record(answer):
            moved = self.site.after_404(client)
            if moved and method == "PATCH":
                said = "HTTP 404; ConnectWise names another codebase, where the next try goes"
                raise Transient(f"{answer.what}: {said}")
            if moved:
                answer = self._send(moved, method, path, params, body, headers)
        return answer

    def _send(
        self,
        client: Client,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: Any,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        length = len(client.base_url) + len(path) + 1 + len(urlencode(params or {}))
        if length >= LONGEST_URL:
            raise Permanent(f"{method} {path}: not sent: the URL would have {length} characters, too many")
        if method == "PATCH":
            answer = client.write(method, path, body, headers)
        else:
            answer = client.read(method, path, params=params, headers=headers)
        if release := header(answer, "api-current-version"):
            self.release = release[:40]
        return answer

    # --- reading ----------------------------------------------------------------------------------------------

    def pages(
        self,
        path: str,
        conditions: Sequence[Condition] = (),
        *,
        fields: Sequence[str] = (),
        size: int = PAGE,
        most: int | None = None,
    ) -> Iterator[list[Row]]:
        """Every record that fulfils the conditions, in pages by ascending id; without `fields` whole records.

        `most` ends it after so many pages. Raises ShapeChanged when the answer does not fit the question: rows may
        be missing or foreign then.
        """
        after: tuple[Condition, ...] = ()
        seen = 0
        while most is None or seen < most:
            params: dict[str, Any] = {"pageSize": size}
            if fields:
                params["fields"] = ",".join(fields)
            if after:
                # pageId alone means the same (documented). A server that takes no notice of forward-only paging
                # still obeys the condition.
                params["pageId"] = after[0].value
            if conditions or after:
                params["conditions"] = " AND ".join(map(str, (*conditions, *after)))
            answer = self._call("GET", path, params=params, headers={"pagination-type": "forward-only"})
            rows = rows_in(judged(answer).json(), f"{answer.what}: the answer", answer)
            if not after:  # later links may only repeat the pageId that we sent
                self._note_paging(answer)
            # A short page is the last one, unless a server that gives smaller pages than asked names another.
            more = len(rows) >= size or (bool(rows) and _names_a_next_page(answer))
            last = _must_fit(answer.what, rows, more, (*conditions, *after))
            if rows:
                yield rows
            if not more:
                return
            after = (Condition("id", ">", last),)
            seen += 1

    def _note_paging(self, answer: Answer) -> None:
        """Forward-only paging shows by a link with a pageId (documented), or an empty one (client code)."""
        link = header(answer, "link")
        obeyed = link is not None and (not link or "pageid=" in link.casefold())
        self.forward_only = self.forward_only or obeyed

    def contact(self, contact_id: str) -> Row | None:
        """One contact with all its fields, or None where ConnectWise has none.

        A 404 alone does not tell: wrong credentials may look like it (documented). So a list has the last word.
        """
        wanted = int(contact_id)
        answer = self._call("GET", f"/company/contacts/{wanted}")
        if is_missing_record(answer):
            pages = self.pages("/company/contacts", (Condition("id", "=", wanted),))
            return next((row for page in pages for row in page), None)
        return record_of(answer, judged(answer, contact=contact_id).json(), wanted)

    def count(self, path: str, custom_field_conditions: str) -> int:
        """How many records fulfil a condition on a custom field."""
        answer = self.get(f"{path}/count", {"customFieldConditions": custom_field_conditions})
        body = answer.json()
        return number(answer.what, body.get("count") if isinstance(body, dict) else None)

    # --- writing ----------------------------------------------------------------------------------------------

    def set_custom_fields(self, contact_id: str, values: Sequence[Row]) -> Row | None:
        """Set custom fields of one contact, given as ids and values. Returns the record if the answer shows it.

        Raises Permanent when ConnectWise does not take the values, Ambiguous when the answer was lost.
        """
        body = [{"op": "replace", "path": "customFields", "value": list(values)}]
        try:
            answer = self._call("PATCH", f"/company/contacts/{int(contact_id)}", body=body)
        except (Ambiguous, Superseded) as error:
            error.contact = contact_id
            raise
        judged(answer, contact=contact_id, writing=True)
        if not answer.content.strip():
            return None  # 204 and an empty body were seen too
        try:
            row = record_of(answer, answer.json(), int(contact_id))
        except ShapeChanged:
            return None  # it was taken; a read will tell what became of it
        return row if isinstance(row.get("customFields"), list) else None


def _names_a_next_page(answer: Answer) -> bool:
    """Whether the Link header names a next page (RFC 8288); one with no `rel` at all counts, an empty one not."""
    for url, attributes in _LINK.findall(header(answer, "link") or ""):
        rel = re.search(r'\brel\s*=\s*"?([^";,]*)', attributes, re.IGNORECASE)
        if url.strip() and (rel is None or "next" in rel[1].casefold().split()):
            return True
    return False


def _must_fit(what: str, rows: list[Row], more: bool, conditions: Sequence[Condition]) -> int:
    """The highest id. ShapeChanged when a row does not fulfil a condition, or going on would skip some."""
    for condition in conditions:
        must_all_fit(what, (condition.holds(row) for row in rows), condition.path)
    return max(ids_of(what, rows, ascending=more), default=-1)


def shown_as(value: object) -> str:
    """A value as it may stand in a message: short, on one line."""
    return json.dumps(value, ensure_ascii=False, default=str)[:40]
