"""What an answer of RT means.

Seen on RT 5.0.3: errors come with their status and `{"message": ...}` (401 Unauthorized, 403 Forbidden, 404 Not
Found, 412 Precondition Failed, 400 with the parser's words). But a *write* that failed comes as 200 with a list of
sentences, or with an empty one, and a *search* that was not understood, or not permitted, as 200 with too many
rows or none. So the status proves a failure and never a success.
"""

from __future__ import annotations

from syncd.connector.answers import in_words, object_of
from syncd.errors import Ambiguous, AuthRefused, Permanent, ShapeChanged, SyncdError, Transient
from syncd.http import Answer

RIGHTS = "AdminUsers, SeeGroup, AdminGroupMembership, SeeCustomField and ModifyCustomField, all of them global"


class NoRight(Permanent):
    """RT hides what it should show: the API user lacks a right. RT itself says nothing, or 403."""

    def __init__(self, what: str, right: str, *, status: int | None = None, contact: str | None = None) -> None:
        said = f"{what}. The API user lacks the right {right}; it needs {RIGHTS}"
        super().__init__(said, status=status, contact=contact)


def judged(answer: Answer, *, contact: str | None = None, writing: bool = False) -> Answer:
    """The answer itself when its status is good; else raise what it stands for.

    `contact` goes into the exceptions that concern this one request, not into those that concern the service.
    """
    if 200 <= answer.status < 300:
        return answer
    raise _verdict(answer, contact, writing)


def _verdict(answer: Answer, contact: str | None, writing: bool) -> SyncdError:
    said = in_words(answer, ())
    status = answer.status
    if status == 401:
        return AuthRefused(
            f"{said}. RT does not accept the token: wrong, revoked, or its user is disabled; a web server in "
            "front of RT may also keep the Authorization header from it"
        )
    if status == 403:
        return NoRight(said, "for this", status=status, contact=contact)
    if status == 412:
        return Transient(f"{said}. The user was changed since it was read; it is read again", contact=contact)
    if status == 404 and not is_rt(answer):
        return ShapeChanged(f"{said}. This is not RT's REST 2.0; is the base URL right?")
    if writing and status in (502, 504):
        return Ambiguous(f"{said}; whether it was written is not known", contact=contact)
    if status in (408, 425, 429, 503):
        return Transient(said, retry_after=answer.retry_after())
    if status >= 500:
        return Transient(said, retry_after=answer.retry_after(), contact=contact)
    return Permanent(said, status=status, contact=contact)


def is_rt(answer: Answer) -> bool:
    """Whether RT itself says this, and not a web server or proxy in front of it."""
    return "message" in object_of(answer)


def sentences(answer: Answer) -> str:
    """What RT says to a write. Nothing at all is what it says of a field that it does not know."""
    body = answer.json()
    if not isinstance(body, list):
        raise ShapeChanged(f"{answer.what}: the answer is not a list of sentences: {answer.excerpt()}")
    return "; ".join(str(one) for one in body)
