"""The two ways through a list of the ConnectWise stand-in, and the Link headers that go with them.

Documented: by page number, with `first`, `prev`, `next` and `last`; and forward-only by the last id seen, in which
`orderBy` is not allowed. Seen live by third parties: parameter names in any case, links that name another host or
hold a doubled slash, a last page that still has a `next`, an empty header at the end.
"""

from __future__ import annotations

from typing import Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from syncd.sandbox.connectwise_fields import ConnectWiseQuirks
from syncd.sandbox.connectwise_query import QueryError, Row, ordered
from syncd.sandbox.exchange import Request


class Tenant(Protocol):
    """What paging needs to know of the stand-in."""

    quirks: ConnectWiseQuirks

    @property
    def base_url(self) -> str:
        """The site."""


def forward_only(
    tenant: Tenant, request: Request, asked: dict[str, str], rows: list[Row], size: int
) -> tuple[list[Row], str | None]:
    """Return a page by ascending id, and its Link header."""
    if asked.get("orderby"):
        raise QueryError("orderBy is not supported with forward-only pagination.")
    after = whole_number(asked, "pageid", 0)
    rest = [row for row in rows if row["id"] > after]
    page = rest[:size]
    if len(rest) > size or (page and tenant.quirks.forward_end == "always"):
        return page, f'<{_url(tenant, request, {"pageId": page[-1]["id"], "pageSize": size})}>; rel="next"'
    return page, None if tenant.quirks.forward_end == "absent" else ""


def navigable(
    tenant: Tenant, request: Request, asked: dict[str, str], rows: list[Row], size: int
) -> tuple[list[Row], str | None]:
    """Return a page by its number, and its Link header; none when everything fits on one."""
    if order := asked.get("orderby"):
        rows = ordered(rows, order)
    number, last = max(1, whole_number(asked, "page", 1)), max(1, -(-len(rows) // size))
    places = {"first": 1, "prev": number - 1} if number > 1 else {}
    if number < last or (tenant.quirks.odd_last_page and number == last > 1):
        places["next"] = number + 1
    if number < last:
        places["last"] = last
    page_last = tenant.quirks.link_order == "page last"
    links = []
    for rel, to in places.items():
        place = {"pageSize": size, "page": to} if page_last else {"page": to, "pageSize": size}
        links.append(f'<{_url(tenant, request, place)}>; rel="{rel}"')
    return rows[(number - 1) * size : number * size], ", ".join(links) or None


def _url(tenant: Tenant, request: Request, place: dict[str, int]) -> str:
    """Return the URL of another page: the parameters of the request, the place last."""
    parts = urlsplit(request.target)
    replaced = {name.casefold() for name in place}
    kept = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k.casefold() not in replaced]
    origin, path = tenant.base_url, parts.path
    if tenant.quirks.link == "other host":
        origin, path = "https://na.myconnectwise.net", path.replace("/apis/", "//apis/")
    return f"{origin}{path}?{urlencode([*kept, *place.items()])}"


def parameters(request: Request) -> dict[str, str]:
    """Return the query's parameters by lower-case name."""
    return {name.casefold(): value for name, value in request.query.items()}


def whole_number(asked: dict[str, str], name: str, default: int) -> int:
    """Return a parameter as a number; raises QueryError."""
    text = asked.get(name, "").strip()
    if not text:
        return default
    if not text.isdigit():
        raise QueryError(f"{name} must be a number.")
    return int(text)
