"""Exceptions, named by what the one who catches them must do.

Messages are written for operators and end up in logs, in `syncd status` and in the ledger. They must
never hold a URL (PrimeVOX's key travels in the query string), a header, or a body beyond a short
excerpt that the HTTP layer has cleaned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class SyncdError(Exception):
    """Anything that the shell knows how to handle.

    `contact` names the contact that a connector was busy with, where it knows: then only that contact
    waits for its next try, and the others go on.
    """

    def __init__(self, message: str, *, contact: str | None = None) -> None:
        super().__init__(message)
        self.contact = contact


def told(error: Exception) -> str:
    """What may be stored and shown of an exception. Only the words of ours are known to hold no secret.

    The log tells the rest: there secrets are taken out.
    """
    if isinstance(error, SyncdError):
        return str(error) or type(error).__name__
    return f"a defect of syncd ({type(error).__name__}); see the log"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that the admin must edit: where it is, what is wrong, and what to do about it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class ConfigProblem(SyncdError):
    """The admin must edit something. At start: exit 78. While running: an alert, the rest goes on."""

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        if isinstance(problems, str):
            problems = [Problem("config", problems)]
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class AuthRefused(SyncdError):
    """The service does not accept our credentials: stop calling it, alert once, try again slowly."""


class Transient(SyncdError):
    """It may work later. `retry_after` is in seconds where the service, or our own pace, said when."""

    def __init__(self, message: str, *, retry_after: float | None = None, contact: str | None = None) -> None:
        super().__init__(message, contact=contact)
        self.retry_after = retry_after


class Ambiguous(Transient):
    """A write was sent and its answer was lost: read before writing again."""


class Permanent(SyncdError):
    """Asking again will not help this record: park it and show it. `status` is the HTTP status, if any."""

    def __init__(self, message: str, *, status: int | None = None, contact: str | None = None) -> None:
        super().__init__(message, contact=contact)
        self.status = status


class ShapeChanged(SyncdError):
    """The answer is not what the vendor documents: state stays untouched, alert, never 'nothing there'."""


class Superseded(SyncdError):
    """Newer evidence arrived before the request left: it was not sent, and the plan is made again."""


class Stopping(SyncdError):
    """The process is asked to end: leave quietly, nothing is lost."""


class StoreUnavailable(SyncdError):
    """The database refused (disk full, I/O error). Nothing of that transaction happened."""
