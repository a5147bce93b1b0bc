"""Logging: one line per event on standard error, JSON for the journal, and nothing secret in it.

The last processor before the renderer replaces every registered secret, plain or encoded, and whatever looks like
a credential, in every string however deeply nested, tracebacks included; phone numbers keep their last four digits
unless the admin asks for all. The same processors serve records of other libraries, and exceptions that nobody
caught. Tracebacks never show local variables. Long texts are cut in the middle.
"""

from __future__ import annotations

import html
import json as json_text
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

import structlog
from structlog.typing import EventDict, Processor

from syncd.http import in_base64
from syncd.model import visible

# How many characters a text and a traceback may have. journald cuts lines at 48 kB, and JSON may need six for one.
LONGEST, LONGEST_TRACEBACK = 4_000, 7_000
_TRACEBACKS = ("exception", "stack")

# E.164 and the ways in which people write telephone numbers; not inside longer words such as hashes.
_APART = r"(?:[^\S\n]|[._()/\-\u00ad\u2010-\u2015\u2212\u200b-\u200f\u2060\ufeff]|%20){0,3}"
_ENDS = r"(?:(?=\s?(?:x|ext)\.?\s?\d)|(?![A-Za-z0-9]))"
_NUMBER = re.compile(
    rf"(?:\+|%2B)?(?<![A-Za-z0-9])(?:1{_APART})?\(?\d{{3}}{_APART}\d{{3}}{_APART}\d{{4}}{_ENDS}"
    rf"|(?:\+|%2B)\d(?:{_APART}\d){{6,14}}"
    rf"|(?<![A-Za-z0-9])[A-Za-z]{{0,20}}\d{{10,40}}{_ENDS}",
    re.IGNORECASE,
)

# Credentials that nobody registered: tokens that a service handed out, and parameters by their usual names.
_BEARER = re.compile(r"\b(Bearer|Basic|token)(\s+|%20|\+)(?=[^\s\"']{0,200}\d)[\w.~+/=%-]{12,}", re.IGNORECASE)
_PARAMETER = re.compile(
    r"\b(auth|api[_-]?key|access_token|refresh_token|client_secret|secret|password)"
    r"([\"']?\s*(?:=|:|%3D)\s*[\"']?)[^\s&\"',;<>{}()]+",
    re.IGNORECASE,
)


class Redactor:
    """A structlog processor that hides secrets and phone numbers."""

    def __init__(self, secrets: Iterable[str] = (), *, full_numbers: bool = False) -> None:
        self._full_numbers = full_numbers
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        return {
            key: self.clean(value, LONGEST_TRACEBACK if key in _TRACEBACKS else LONGEST)
            for key, value in event.items()
        } | {"event": str(self.clean(event.get("event", ""))).replace("\n", " ")}

    def clean(self, value: Any, longest: int = LONGEST) -> Any:
        """The value with every secret and number in it hidden, its texts visible, and cut in the middle."""
        if isinstance(value, str):
            text = self._secrets.sub("***", value) if self._secrets else str(value)
            text = _PARAMETER.sub(r"\1\2***", _BEARER.sub(r"\1\2***", text))
            text = text if self._full_numbers else _NUMBER.sub(_last_four, text)
            # Cut last: half of a secret would not be recognised.
            return _shortened(visible(text, keep="\n"), longest)
        if isinstance(value, Mapping):
            return {self.clean(key): self.clean(item) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.clean(item) for item in value]
        if value is None or isinstance(value, (bool, int, float)):
            return value
        return self.clean(str(value))


def _shortened(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} … ({len(text)} characters) … {text[-half:]}"


def _forms(secret: str) -> Iterator[str]:
    """The secret, and what it looks like in URLs, JSON, web pages, Python's messages and basic authentication."""
    yield secret
    for encoded in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield encoded
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)
    yield json_text.dumps(secret)[1:-1]
    yield json_text.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield html.escape(secret)
    yield from in_base64(secret)


def _last_four(found: re.Match[str]) -> str:
    return "…" + re.sub(r"\D", "", found[0])[-4:]


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


def catch_strays() -> None:
    """Log exceptions that nobody caught like any other event; Python itself would print them with their words."""

    def in_thread(stray: threading.ExceptHookArgs) -> None:
        if stray.exc_value is not None and not isinstance(stray.exc_value, SystemExit):
            name = stray.thread.name if stray.thread else None
            get().critical("a thread ended by a defect", thread=name, exc_info=stray.exc_value, alert=True)

    def in_destructor(stray: Any) -> None:
        if stray.exc_value is not None:
            get().error("a defect while cleaning up", exc_info=stray.exc_value)

    threading.excepthook = in_thread
    sys.unraisablehook = in_destructor
    sys.excepthook = lambda _kind, error, _trace: tell_defect(error)


def tell_defect(error: BaseException) -> None:
    """Tell of an exception that ends the program: in full, or, while no redaction is set up, without its words."""
    if structlog.is_configured():
        get().critical("syncd ended by a defect", exc_info=error, alert=True)
        return
    trace = "".join(traceback.format_tb(error.__traceback__))
    sys.stderr.write(f"{trace}syncd: a defect of syncd: {type(error).__name__}\n")
