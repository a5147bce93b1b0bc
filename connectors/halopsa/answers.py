"""What an answer of HaloPSA means.

The vendor's machine-readable description says nothing about answers but "OK". Clients that others wrote parse five
shapes of error and look for a sixth; failures under status 200 were seen live by third parties (for reports), a
failed model binding names the record by its index. An answer that cannot be read is never "no rows".
"""

from __future__ import annotations

from syncd.connector.answers import Row, in_words, is_html, number, object_of
from syncd.errors import Ambiguous, AuthRefused, Permanent, ShapeChanged, SyncdError, Transient
from syncd.http import Answer

_ERROR_KEYS = ("errormessage", "message", "error_description", "error", "errors")
_GOOD_KEYS = {"id", "users", "clients", "access_token", "auth_url", "version", "record_count"}
_NO_RIGHT = (
    "either the permissions of the API application (read:customers, edit:customers; a token keeps those it was "
    "issued with) or the role of the agent that it logs in as"
)


class Opaque(Transient):
    """The service failed at this request; one of the records in it may be the cause."""


def judged(answer: Answer, *, contact: str | None = None, writing: bool = False) -> Answer:
    """The answer itself when it is good; else raise what it stands for.

    A Permanent is about what was asked: in a write it means that the value was refused. `contact` goes into the
    exceptions that concern this one request, not into those that concern the service.
    """
    good = 200 <= answer.status < 300
    if good and not complaints(answer):
        return answer
    raise _verdict(answer, contact, writing)


def _verdict(answer: Answer, contact: str | None, writing: bool) -> SyncdError:
    said = in_words(answer, complaints(answer))
    status = answer.status
    if status == 401:
        return AuthRefused(f"{said}. HaloPSA does not accept its own token; is the API application still active?")
    if status == 403:
        what = "write" if writing else "read"
        return Permanent(
            f"{said}. HaloPSA does not let us {what} this: {_NO_RIGHT}", status=status, contact=contact
        )
    if status in (400, 409, 410, 413, 415, 422) or (status == 404 and not is_html(answer)):
        return Permanent(said, status=status, contact=contact)
    if writing and status in (502, 504):
        return Ambiguous(f"{said}; whether it was written is not known", contact=contact)
    if status in (408, 425, 429, 503):
        return Transient(said, retry_after=answer.retry_after())
    if status >= 500 or 200 <= status < 300:
        return Opaque(said, retry_after=answer.retry_after(), contact=contact)
    return ShapeChanged(f"{said}. HaloPSA does not know this route; is the base URL right?")


def complaints(answer: Answer) -> list[str]:
    """What an error answer says, whichever of its shapes it has; none: []."""
    body = object_of(answer)
    folded = {str(key).lower(): value for key, value in body.items()}
    if 200 <= answer.status < 300 and folded.keys() & _GOOD_KEYS:
        return []
    texts = [text for key in _ERROR_KEYS for text in _texts(folded.get(key))]
    if not texts:  # a failed model binding: {"[0].customfields": ["Could not convert ..."]}
        texts = [
            f"{key}: {text}" for key, value in body.items() if isinstance(value, list) for text in _texts(value)
        ]
    return texts


def _texts(value: object, levels: int = 8) -> list[str]:
    """The texts in a value, some levels down: JSON may be nested deeper than Python can follow."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [text for one in inner for text in _texts(one, levels - 1)] if levels else []
    return [value.strip()] if isinstance(value, str) and value.strip() else []


def client_of(row: Row) -> int | None:
    """The client that a user belongs to; None: none. Its absence raises ShapeChanged."""
    if "client_id" not in row:
        raise ShapeChanged("a user came without its client_id")
    if row["client_id"] is None or row["client_id"] in (0, -1, ""):
        return None
    return number("client_id", row["client_id"])
