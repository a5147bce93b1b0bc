"""Times as the database and the ledger keep them."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(when: datetime) -> str:
    """UTC as `2026-11-22T18:47:55.000000Z`: fixed width, so that text order is time order."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def moment(text: str) -> datetime:
    """The inverse of `stamp`."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
