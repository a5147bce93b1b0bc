"""Logging: one line per event on standard error, JSON for the journal, and nothing secret in it.

The last processor before the renderer replaces every registered secret, also in its URL-encoded form, in every
string however deeply nested, tracebacks included; phone numbers keep their last four digits unless the admin asks
for all. The same processors serve records of other libraries. Tracebacks never show local variables.
"""

from __future__ import annotations

import logging
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

import structlog
from structlog.typing import EventDict, Processor

# E.164, and the ways in which people write ten or eleven digits; not inside longer words such as hashes.
_NUMBER = re.compile(
    r"(?:\+|%2B)\d{3,11}(\d{4})(?!\d)"
    r"|(?<![\w.-])(?:\+?1[ .-]?)?\(?\d{3}\)?[ .-]?\d{3}[ .-]?(\d{4})(?![\w-])",
    re.IGNORECASE,
)


class Redactor:
    """A structlog processor that hides secrets and phone numbers."""

    def __init__(self, secrets: Iterable[str] = (), *, full_numbers: bool = False) -> None:
        self._full_numbers = full_numbers
        forms = {
            form for secret in secrets if secret for form in (secret, quote(secret, safe=""), quote_plus(secret))
        }
        longest_first = sorted(forms, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        return {key: self.clean(value) for key, value in event.items()}

    def clean(self, value: Any) -> Any:
        """The value with every secret and number in it hidden."""
        if isinstance(value, str):
            text = self._secrets.sub("***", value) if self._secrets else str(value)
            text = text if self._full_numbers else _NUMBER.sub(lambda found: "…" + (found[1] or found[2]), text)
            return "".join(char if char == "\n" or unicodedata.category(char)[0] != "C" else "·" for char in text)
        if isinstance(value, Mapping):
            return {self.clean(key): self.clean(item) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.clean(item) for item in value]
        if value is None or isinstance(value, (bool, int, float)):
            return value
        return self.clean(str(value))


def set_up(*, json: bool, level: str, secrets: Iterable[str] = (), full_numbers: bool = False) -> None:
    """Send structlog and standard logging to standard error, one line per event."""
    redact = Redactor(secrets, full_numbers=full_numbers)
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    render: Processor = (
        # ASCII only: a text of a stranger may hold terminal escapes and bidirectional marks.
        structlog.processors.JSONRenderer(sort_keys=False, ensure_ascii=True)
        if json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, render],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.raiseExceptions = False  # else a record that cannot be rendered is printed raw, secrets included
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # urllib3 writes whole URLs, PrimeVOX's key included, at DEBUG and WARNING; Alembic narrates.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("schedule").setLevel(logging.WARNING)


def get() -> Any:
    """The program's logger."""
    return structlog.get_logger("syncd")
