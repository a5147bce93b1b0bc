"""What an answer of Autotask means.

The status says little: 500 stands for an invalid value, an unknown field and a missing permission alike, a 404
page in HTML for a route that does not exist, and an `errors` list may come under 200 (all seen live by third
parties). So the messages decide, and an answer that cannot be read is never "no rows".
"""

from __future__ import annotations

import re

from syncd.connector.answers import in_words, is_html, object_of
from syncd.errors import (
    Ambiguous,
    AuthRefused,
    ConfigProblem,
    Permanent,
    Problem,
    ShapeChanged,
    SyncdError,
    Transient,
)
from syncd.http import Answer

# "The Autotask API thread threshold of 3 threads has been exceeded", code Itgenatr005; mostly 429, seen live by
# third parties with other statuses too.
_BUSY = re.compile(r"thread threshold|request threshold|threshold has been exceeded|itgenatr005", re.IGNORECASE)
_BAD_CODE = re.compile(r"integration ?code is invalid", re.IGNORECASE)
_NO_SUCH_FIELD = re.compile(
    r"unable to find (?P<field>.{1,100}?) in the (?P<entity>\w{1,60}) entity", re.IGNORECASE
)
_NO_RIGHT = re.compile(r"adequate permission|not have permission|insufficient permission", re.IGNORECASE)
_NOT_VALID = re.compile(
    r"exceeds? (the )?maximum length|pick ?list|invalid value|not a valid|is invalid|is required|must be|cannot be"
    r"|error converting value|unexpected character|user.?defined.?field|read.?only"
    r"|invalid query",
    re.IGNORECASE,
)


class UnknownField(ConfigProblem):
    """Autotask knows no field of that name, or not in the place where it was used."""

    def __init__(self, field: str, entity: str) -> None:
        self.field = field
        super().__init__(
            [Problem("psa.settings", f"Autotask has no field '{field}' in its {entity} records; was it renamed?")]
        )


def judged(answer: Answer, *, contact: str | None = None, writing: bool = False) -> Answer:
    """The answer itself when it is good; else raise what it stands for.

    A Permanent is about what was asked: in a write it means that the value was refused. `contact` goes into the
    exceptions that concern this one request, not into those that concern the service.
    """
    if 200 <= answer.status < 300 and not (b'"errors"' in answer.content and complaints(answer)):
        return answer
    raise _verdict(answer, contact, writing)


def _verdict(answer: Answer, contact: str | None, writing: bool) -> SyncdError:
    text = "; ".join(complaints(answer))
    said = in_words(answer, complaints(answer))
    status = answer.status
    if status == 401 or _BAD_CODE.search(text):
        return AuthRefused(
            f"{said}. Autotask does not accept the API user: wrong user name, secret or integration code, a "
            "locked account, or a licence that is not 'API User (system)'"
        )
    if status == 429 or _BUSY.search(text):
        return Transient(said, retry_after=answer.retry_after())
    if found := _NO_SUCH_FIELD.search(text):
        return UnknownField(found["field"], found["entity"])
    if status == 403 or _NO_RIGHT.search(text):
        right = "edit contacts" if writing else "view what was asked for"
        return Permanent(
            f"{said}. The security level of the API user must allow it to {right}", status=status, contact=contact
        )
    if _NOT_VALID.search(text) or status in (400, 409, 410, 413, 422):
        return Permanent(said, status=status, contact=contact)
    return _by_status(answer, said, contact, writing)


def _by_status(answer: Answer, said: str, contact: str | None, writing: bool) -> SyncdError:
    status = answer.status
    if status == 404 and not is_html(answer):
        return Permanent(said, status=status, contact=contact)
    if writing and status in (502, 504):
        return Ambiguous(f"{said}; whether it was written is not known", contact=contact)
    if status in (408, 425, 503):
        return Transient(said, retry_after=answer.retry_after())
    if status >= 500 or 200 <= status < 300:
        return Transient(said, retry_after=answer.retry_after(), contact=contact)
    return ShapeChanged(f"{said}. Autotask does not know this route; is the base URL right?")


def complaints(answer: Answer) -> list[str]:
    """The texts of the `errors` list (strings, or objects with a message) or of a lone `Message`; none: []."""
    body = object_of(answer)
    errors = body.get("errors") or body.get("Message") or []
    texts: list[str] = []
    for error in errors if isinstance(errors, list) else [errors]:
        message = error.get("message", error) if isinstance(error, dict) else error
        texts.append(str(message).strip())
    return texts
