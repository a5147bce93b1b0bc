"""What an answer of ConnectWise means.

Documented: errors are an object of `code`, `message` and `errors`; 429 means too many calls, 403 a security role
that is too weak, 404 also a wrong codebase and, in the cloud, wrong credentials. Seen by third parties: 429 with
another shape (`error` for `code`), or as a web page of the network in front, without Retry-After.
"""

from __future__ import annotations

import re

from syncd.connector.answers import in_words, is_html, object_of
from syncd.errors import Ambiguous, AuthRefused, Permanent, ShapeChanged, SyncdError, Transient
from syncd.http import Answer

# Documented as the wait after a 429 that does not say how long.
USUAL_WAIT = 30.0

# A gateway that gave up on the server behind it: what was sent may have arrived (520 and 524 are Cloudflare's).
_GAVE_UP = frozenset({502, 504, 520, 524})


class NoSuchRoute(AuthRefused):
    """A 404 that speaks of no record: a wrong site or codebase, or credentials that are not accepted."""


def judged(answer: Answer, *, contact: str | None = None, writing: bool = False) -> Answer:
    """The answer itself when it is good; else raise what it stands for.

    A Permanent is about what was asked: in a write it means that the value was refused. `contact` goes into the
    exceptions that concern this one request, not into those that concern the service.
    """
    if 200 <= answer.status < 300 and not (b'"message"' in answer.content[:400] and complaints(answer)):
        return answer
    raise _verdict(answer, contact, writing)


def _verdict(answer: Answer, contact: str | None, writing: bool) -> SyncdError:
    text = "; ".join(complaints(answer))
    said = in_words(answer, complaints(answer))
    status = answer.status
    if status == 401:
        return AuthRefused(
            f"{said}. ConnectWise does not accept the API member: wrong company, public key, private key or "
            "client id, or the member is inactive"
        )
    if status == 403 and is_html(answer):
        return Transient(f"{said}. The network in front of ConnectWise, not ConnectWise, turned us away")
    if status == 403:
        right = "edit contacts" if writing else "inquire what was asked for"
        advice = f"The security role of the API member must allow it to {right}; wrong credentials look alike"
        return Permanent(f"{said}. {advice}", status=status, contact=contact)
    if status == 404:
        return _not_found(answer, said, contact)
    if status == 429:
        return Transient(said, retry_after=answer.retry_after() or _wait_in(text))
    return _by_status(answer, said, contact, writing)


def _not_found(answer: Answer, said: str, contact: str | None) -> SyncdError:
    if is_missing_record(answer):
        return Permanent(said, status=404, contact=contact)
    return NoSuchRoute(
        f"{said}. Is psa.settings.site right? In the cloud ConnectWise also says this to wrong credentials"
    )


def _by_status(answer: Answer, said: str, contact: str | None, writing: bool) -> SyncdError:
    status = answer.status
    if writing and status in _GAVE_UP:
        return Ambiguous(f"{said}; whether it was written is not known", contact=contact)
    if status == 409:  # documented: the record is in use
        return Transient(said, contact=contact)
    if status in (405, 414):
        return ShapeChanged(f"{said}. ConnectWise does not take this request; is psa.settings.site right?")
    if status == 500 and not is_html(answer):
        return Transient(said, contact=contact)
    if status in (408, 425) or status >= 500 or 200 <= status < 300:
        return Transient(said, retry_after=answer.retry_after())
    hint = ". Is psa.settings.version one that the server knows?" if status in (406, 415) else ""
    return Permanent(said + hint, status=status, contact=contact)


def _wait_in(text: str) -> float:
    """The seconds that the text of a 429 names ("Please try again in 30 seconds."), within reason."""
    found = re.search(r"(\d{1,4}) ?s(?:ec|\b)", text)
    return min(max(float(found[1]), 1.0), 900.0) if found else USUAL_WAIT


def complaints(answer: Answer) -> list[str]:
    """The code and the messages of an error object; none: []."""
    body = object_of(answer)
    if not isinstance(body.get("message"), str):
        return []
    details = body.get("errors")
    nested = [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    texts = [body.get("code") or body.get("error"), body["message"], *(one.get("message") for one in nested)]
    return [str(text).strip() for text in texts if text]


def is_missing_record(answer: Answer) -> bool:
    """Whether a 404 speaks of one record (seen live: code NotFound, "Contact 57919 not found")."""
    return answer.status == 404 and "notfound" in [text.casefold() for text in complaints(answer)[:1]]
