"""HaloPSA's HTTP grammar: one call, a listing page by page, one record, one POST of records.

Documented by the machine-readable description: GET and POST on /Users and /Client, and no PUT or PATCH; the
spelling `pageinate`; a POST takes an array. Seen live by third parties: unknown parameters are ignored without a
word and everything comes back; a record without an id is created; some endpoints give page 1 for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from connectors.halopsa.answers import Opaque, client_of, complaints, judged
from connectors.halopsa.login import Login, Token
from connectors.halopsa.settings import HaloPsaSettings
from syncd.connector.answers import Row, in_words, is_html, must_all_fit, number, record_of, rows_in
from syncd.connector.moments import Moments
from syncd.errors import Ambiguous, Permanent, ShapeChanged, Transient
from syncd.http import Answer, Transport

# No cap is documented; a client of others clamps to this.
PAGE = 100
SMALLEST_PAGE = 50
LIST_KEYS = {"Users": "users", "Client": "clients"}
# None is published.
MOST_IN_A_POST = 25

# The allowance is counted over five minutes (seen live, and by quotation of the vendor), so no pause is longer.
WINDOW = 300.0
FIRST_PAUSE = 30.0


class HaloPsaClient:
    """Calls HaloPSA. Thread-safe; raises the exceptions of `syncd.errors`."""

    def __init__(self, settings: HaloPsaSettings, transport: Transport) -> None:
        self._api = transport.client(settings.base_url + "/api")
        self._login = Login(settings, transport, self._api)
        self._pace = transport.pace
        self._lock = threading.Lock()
        self._too_many = 0
        self.moments = Moments()
        self.told_to_wait: str | None = None

    # --- one call ---------------------------------------------------------------------------------------------

    def login(self) -> Token:
        """The token in use."""
        return self._login.token(self.moments.now().date)

    def server(self) -> str:
        """The authorisation server."""
        return self._login.address()

    def get(self, path: str, params: dict[str, Any] | None = None, *, contact: str | None = None) -> Answer:
        """Read one thing."""
        return judged(self._call("GET", path, params), contact=contact)

    def open_to_all(self, path: str) -> Answer:
        """Read what needs no credentials, and send none."""
        return self._api.get(path)

    def _call(self, method: str, path: str, params: dict[str, Any] | None = None, body: Any = None) -> Answer:
        """Send a request; after a 401 once more with a new token, unless the refused one was new itself."""
        token = self._login.token(self.moments.now().date)
        answer = self._send(token, method, path, params, body)
        if answer.status == 401 and token.accepted:
            token = self._login.token(None, instead_of=token)
            answer = self._send(token, method, path, params, body)
        if answer.status == 401:
            self._login.refused(token)
            judged(answer)
        token.accepted = True
        return answer

    def _send(self, token: Token, method: str, path: str, params: dict[str, Any] | None, body: Any) -> Answer:
        bearer = token.value.get_secret_value()
        headers = {"Authorization": f"Bearer {bearer}"}
        if method == "POST":
            answer = self._api.write(method, path, body, headers)
        else:
            answer = self._api.read(method, path, params=params, headers=headers)
        answer = replace(answer, hidden=(bearer,))
        self.moments.heard(answer)
        with self._lock:
            self._too_many = self._too_many + 1 if answer.status == 429 else 0
        if answer.status == 429:
            self._back_off(answer)
        return answer

    def _back_off(self, answer: Answer) -> None:
        """Whether a 429 says when to come back is unproven; else the pause doubles up to the whole window."""
        asked = answer.retry_after()
        self.told_to_wait = "without Retry-After" if asked is None else f"with Retry-After ({asked:g} s)"
        # The window is full, whoever filled it: what is not ours wears off over the next five minutes.
        self._pace.others_used(self._pace.limits.calls)
        pause = FIRST_PAUSE * 2 ** min(self._too_many - 1, 5) if asked is None else asked
        said = in_words(answer, complaints(answer) or ["too many requests"])
        raise Transient(said, retry_after=min(pause, WINDOW))

    # --- reading ----------------------------------------------------------------------------------------------

    def rows(self, entity: str, client_id: int | None = None, include: Sequence[int] = ()) -> list[Row]:
        """Every row of Users or Client, inactive ones too, of one client or of all.

        `include` asks for custom fields by id. Raises ShapeChanged when rows are foreign or missing, Transient
        when some went while we were reading.
        """
        found: dict[int, Row] = {}
        total: int | None = None
        full = 0
        for page in count(1):
            what, rows, said = self._rows_of_page(entity, page, client_id, include)
            before = len(found)
            found.update((number(what, row.get("id")), row) for row in rows)
            complete = total is not None and before >= total
            if complete and len(found) == before:
                break
            if total is not None and (said is None or said < total):
                # What follows a deleted row moves up by one, and the first row of the next page is missed.
                raise Transient(f"{what}: records were deleted while the list was being read")
            total, full = said, max(full, len(rows))
            # After a full page the next one is looked at all the same: it may be the page that was counted.
            if total is not None and len(found) >= total and (len(rows) < SMALLEST_PAGE or len(rows) < full):
                break
            if len(found) == before:
                _must_be_all(what, rows, found, total)
                break
        return list(found.values())

    def some_users(self, client_id: int, wanted: set[int]) -> list[Row]:
        """Rows of a client's users, as many pages as it takes to find these; fewer where records are cheaper."""
        found: dict[int, Row] = {}
        for page in range(1, len(wanted)):
            what, rows, total = self._rows_of_page("Users", page, client_id, ())
            if (total or 0) > (len(wanted) - 1) * PAGE:
                break
            before = len(found)
            found.update((number(what, row.get("id")), row) for row in rows)
            if wanted <= found.keys() or len(found) == before:
                break
        return list(found.values())

    def _rows_of_page(
        self, entity: str, page: int, client_id: int | None, include: Sequence[int]
    ) -> tuple[str, list[Row], int | None]:
        """What was asked, the rows of one page, and how many there are in all where the answer says so."""
        params: dict[str, Any] = {
            "pageinate": "true",
            "page_size": PAGE,
            "page_no": page,
            "order": "id",
            "orderdesc": "false",
            "includeactive": "true",
            "includeinactive": "true",
        }
        if client_id is not None:
            params["client_id"] = client_id
        if include:
            params["include_custom_fields"] = ",".join(map(str, include))
        answer = judged(self._call("GET", f"/{entity}", params))
        rows, total = _page(answer, LIST_KEYS[entity])
        if client_id is not None:
            must_all_fit(answer.what, (client_of(row) == client_id for row in rows), "client_id")
        return answer.what, rows, total

    def changed_since(self, entity: str, date: str) -> int:
        """How many records a filter by date of change finds. What HaloPSA does not understand it ignores."""
        params = {"pageinate": "true", "page_size": 1, "page_no": 1, "lastupdatefromdate": date}
        rows, total = _page(self.get(f"/{entity}", params), LIST_KEYS[entity])
        return len(rows) if total is None else total

    def record(self, entity: str, record_id: int, contact: str | None = None) -> Row | None:
        """One record with all its fields, or None where HaloPSA has none."""
        answer = self._call("GET", f"/{entity}/{record_id}", {"includedetails": "true"})
        if answer.status == 404 and not is_html(answer):
            return None
        # Nothing says that "null" stands for a record that is not there, so it does not.
        return record_of(answer, judged(answer, contact=contact).json(), record_id, contact)

    # --- writing ----------------------------------------------------------------------------------------------

    def save_users(self, rows: Sequence[Row]) -> dict[int, str]:
        """Update these users; the warnings that HaloPSA gave, by id. Whether it kept them, only a read tells.

        A record without an id would create a contact, so it is refused here. Raises Permanent when HaloPSA does
        not take a record, Ambiguous when the answer was lost or cannot be read.
        """
        sent = [row.get("id") for row in rows]
        if not all(type(one) is int and one > 0 for one in sent) or len(set(sent)) < len(sent):
            raise Permanent("not sent: a record without an id of its own would create a contact in HaloPSA")
        if not 0 < len(rows) <= MOST_IN_A_POST:
            raise Permanent(f"not sent: {len(rows)} records in one request, {MOST_IN_A_POST} at most")
        contact = str(sent[0]) if len(sent) == 1 else None
        try:
            answer = self._call("POST", "/Users", body=list(rows))
        except Ambiguous as error:
            error.contact = contact
            raise
        return _saved(judged(answer, contact=contact, writing=True), set(sent), contact)


def _page(answer: Answer, key: str) -> tuple[list[Row], int | None]:
    """The rows of a page, and how many there are in all, where the answer says so."""
    body = answer.json()
    rows = rows_in(body.get(key) if isinstance(body, dict) else body, f"{answer.what}: '{key}'", answer)
    total = body.get("record_count") if isinstance(body, dict) else None
    if total is not None and number(answer.what, total) < 0:
        raise ShapeChanged(f"{answer.what}: the answer counts {total} records")
    return rows, None if total is None else number(answer.what, total)


def _must_be_all(what: str, rows: list[Row], found: dict[int, Row], total: int | None) -> None:
    """The list has come to its end, or repeats itself: are these all the rows?"""
    if total is not None:
        how = "repeats itself" if rows else "ends"
        raise ShapeChanged(f"{what}: the list {how} after {len(found)} of {total} records")
    if len(found) == len(rows) >= SMALLEST_PAGE:
        raise ShapeChanged(f"{what}: page 2 is page 1 again, and nothing tells whether there are more records")


def _saved(answer: Answer, sent: set[Any], contact: str | None) -> dict[int, str]:
    """The warnings in the reply to a POST, by id."""
    try:
        body = answer.json() if answer.content.strip() else []
    except ShapeChanged as error:
        raise Ambiguous(f"{error}; whether it was written is not known", contact=contact) from None
    warnings: dict[int, str] = {}
    for row in body if isinstance(body, list) else [body]:
        if not isinstance(row, dict) or row.get("id") is None:
            raise Opaque(f"{answer.what}: the reply is not the records that were sent", contact=contact)
        row_id = number(answer.what, row["id"])
        if row_id not in sent:
            raise ShapeChanged(
                f"{answer.what}: HaloPSA answered with user {row_id}, which was not sent; was a contact created?"
            )
        if isinstance(row.get("_warning"), str) and row["_warning"].strip():
            warnings[row_id] = row["_warning"].strip()[:200]
    return warnings
