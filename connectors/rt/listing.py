"""Lists of users that show everything that counts, and who of them is enabled.

Seen on RT 5.0.3: no list says of a user whether it is disabled, so the enabled ones are listed as well; without
the right AdminUsers every phone number comes as an empty text, and dates come as 1970.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.rt.client import PAGE, RtClient
from connectors.rt.settings import PHONE_COLUMNS, RtSettings
from syncd.connector.answers import Row, number
from syncd.connector.fields import folded
from syncd.errors import ShapeChanged

WANTED = ("Name", "RealName", "LastUpdated", "CustomFields")

# Users of RT's own that are nobody.
NOT_PEOPLE = frozenset({"rt_system", "nobody"})

# What RT shows in place of a date that the API user may not see.
HIDDEN = "1970-01-01"


class Listings:
    """Reads users. Thread-safe."""

    def __init__(self, client: RtClient, settings: RtSettings) -> None:
        self._client = client
        self._columns = [field for field in settings.phone_fields if field in PHONE_COLUMNS]
        self._users = 0  # how many there were at the last look

    @property
    def calls_for_all(self) -> int:
        """How many calls a full listing costs: everybody, and who of them is enabled; 0: not known yet."""
        return 2 * (self._users // PAGE + 1) if self._users else 0

    def users(self) -> Iterator[tuple[Row, bool]]:
        """Every user, and whether it is enabled. What RT shows is complete before the first one is given."""
        rows: dict[str, Row] = {}
        total = 0
        for page in self._client.pages("/users", (*WANTED, *self._columns), disabled=True):
            self._must_show(page.rows)
            rows.update((str(number("users", row["id"])), row) for row in page.rows)
            total = page.total
        self._users = total
        enabled = self._enabled(total)
        for user_id, row in rows.items():
            if folded(row.get("Name")) not in NOT_PEOPLE:
                yield row, enabled is None or user_id in enabled

    def _enabled(self, total: int) -> set[str] | None:
        """The ids of the users that are not disabled; None: none is."""
        found: set[str] = set()
        for page in self._client.pages("/users", ()):
            if page.total == total:
                return None
            found.update(str(number("users", row["id"])) for row in page.rows)
        return found

    def _must_show(self, rows: Sequence[Row]) -> None:
        """Raise NoRight when the API user lost AdminUsers. One row that looks like it is read by itself."""
        if any(column not in row for row in rows for column in self._columns):
            raise ShapeChanged(f"users come without {', '.join(self._columns)}, which were asked for")
        hidden = [row for row in rows if str(row.get("LastUpdated") or HIDDEN).startswith(HIDDEN)]
        if hidden:
            self._client.user(str(number("users", hidden[0].get("id"))))
