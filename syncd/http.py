"""One way to call a service: TLS, a total deadline, a size cap, no redirects, a pace, no leaks.

Why not plain `requests`: it forwards unknown credential headers to another host on a redirect, turns a redirected
PATCH into a GET that returns 200, takes credentials from ~/.netrc and proxies from the environment, has no total
timeout and no size limit, and puts the URL, with PrimeVOX's key in its query, into the text of its exceptions.
"""

from __future__ import annotations

import base64
import email.utils
import json
import re
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.entities import codepoint2name
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
import tenacity
from pydantic import SecretStr
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError

from syncd import __version__
from syncd.clock import Clock
from syncd.deadline import Deadline, DeadlineAdapter
from syncd.errors import Ambiguous, AuthRefused, ConfigProblem, Permanent, ShapeChanged, Stopping, Transient
from syncd.model import visible
from syncd.pace import Limits, Pace

__all__ = ["Answer", "Client", "Limits", "Transport", "before_sending", "checked_base_url"]

# Called right before a writing request leaves, after it has waited for its turn. The shell sets it to raise
# `Superseded` when newer evidence came in meanwhile.
before_sending: ContextVar[Callable[[], None] | None] = ContextVar("before_sending", default=None)

LONGEST_RETRY_AFTER = 900.0
_CHUNK = 65_536
# Packed once, in a way that `requests` asks for. Layers could be unpacked for minutes without yielding a byte.
_ENCODINGS = ("", "identity", "gzip", "x-gzip", "deflate")
# So many characters in a row of a secret of at least that length are not shown either.
_PIECE, _LONG = 8, 12
_WORDS = re.compile(r"[\W_]*[A-Za-z]?[a-z\W_]*|[A-Z\W_]*")
_TELLING = 256  # by so many characters a secret is recognised; what follows them is hidden with them


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. `what` names the request in messages ("GET /V1.0/Contacts/7"), without its query.

    `headers` of an answer that came over a line are looked up without regard to case.
    `hidden` are the secrets of the request; a server that repeats them on its error page gets them no further.
    """

    what: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    hidden: tuple[str, ...] = field(default=(), repr=False)

    def json(self, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
        """The body as JSON. BOMs or blanks around it are tolerated; anything else raises ShapeChanged, NaN too.

        `pairs` is json's `object_pairs_hook`, for callers who must see repeated keys.
        """
        try:
            return json.loads(
                self.content.decode("utf-8").strip("\ufeff \t\r\n"),
                object_pairs_hook=pairs,
                parse_constant=_refuse_constant,
            )
        except (ValueError, RecursionError):
            kind = "not JSON" if self.content.strip() else "empty"
        # Raised outside of `except`: json's own exception holds the whole body, texts of people included.
        raise ShapeChanged(f"{self.what}: the answer is {kind}: {self.excerpt()}")

    def excerpt(self) -> str:
        """The start of the body, fit for a log line: printable, short, secrets and long numbers hidden."""
        text = _without(self.content[:65_536].decode("utf-8", "replace"), self.hidden)[:600]
        text = re.sub(r"[^\x20-\x7e]+", " ", text)
        return re.sub(r"\d(?=\d{4})(?<=\d{3}\d)", "*", text)[:200].strip() or "(nothing)"

    def must_be_good(self) -> Answer:
        """Itself when the status is 2xx; else the exception that its status stands for."""
        if 200 <= self.status < 300:
            return self
        said = f"{self.what}: HTTP {self.status}: {self.excerpt()}"
        if self.status == 401:
            raise AuthRefused(said)
        if self.status in (408, 425, 429) or self.status >= 500:
            raise Transient(said, retry_after=self.retry_after())
        raise Permanent(said, status=self.status)

    def retry_after(self) -> float | None:
        """Seconds that the service asks us to wait (1 to 900), or None where it says nothing usable."""
        raw = self._header("retry-after")
        if re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,9})?", raw):
            seconds = float(raw)
        else:
            # Both ends of this difference are the server's clock where it sends one, so ours may be wrong.
            then, now = _moment(raw), _moment(self._header("date"))
            if then is None or now is None or (then.tzinfo is None) != (now.tzinfo is None):
                return None
            seconds = (then - now).total_seconds()
        return min(max(seconds, 1.0), LONGEST_RETRY_AFTER)

    def date(self) -> datetime | None:
        """The service's own time, with its zone, from the Date header; None: none that can be read."""
        moment = _moment(self._header("date"))
        return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment

    def _header(self, name: str) -> str:
        return next((value for key, value in self.headers.items() if key.lower() == name), "").strip()


def _moment(text: str) -> datetime | None:
    """A date as HTTP writes it; without a zone where it says "-0000"."""
    try:
        return email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):  # a year, or an offset, of twenty digits
        return None


# Host and port as every parser reads them alike: plain ASCII without user names, escapes, zones or foreign dots.
_PLACE = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE)


def checked_base_url(url: str) -> str:
    """The URL without its trailing slash, if we may send credentials there; else ValueError says why not."""
    url = url.strip()
    if not url.isascii():
        raise ValueError("must be written in plain letters (a host with others in its xn-- form)")
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("must be https (http is for loopback addresses only)")
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s\\]", url) or not url.isprintable():
        raise ValueError("must be a URL such as https://host.example")
    if parts.port == 0:  # reading it also refuses ports that are none
        raise ValueError("must not name port 0")
    if re.search("[@?#]", url):
        raise ValueError("must hold neither credentials nor a query")
    if not _PLACE.fullmatch(parts.netloc):
        raise ValueError("must name a host such as host.example, and nothing around it")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Transport:
    """Makes clients that share one pace. One per service. `beat` is called after every answer: a sign of life."""

    def __init__(self, clock: Clock, limits: Limits, beat: Callable[[], None] = lambda: None) -> None:
        self.pace = Pace(clock, limits)
        self.beat = beat
        self._clock = clock
        self._clients: list[Client] = []

    def client(
        self,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        *,
        deadline: float = 30.0,
        max_bytes: int = 32 * 2**20,
        secrets: Iterable[str] = (),
    ) -> Client:
        """A client for one base URL.

        headers:   go with every request; what a server repeats of their values is hidden in messages
        deadline:  seconds for a whole call
        max_bytes: of an answer, decompressed
        secrets:   further texts to hide in messages, for credentials that the headers hold in disguise
        """
        try:
            base_url = checked_base_url(base_url)
        except ValueError as error:
            raise ConfigProblem(f"a service's base URL {error}") from error
        client = Client(
            base_url, headers or {}, self.pace, self._clock, deadline, max_bytes, self.beat, tuple(secrets)
        )
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            client.close()


class Client:
    """Calls one service. Thread-safe. Every method raises the exceptions of `syncd.errors` only.

    A *read* that broke on the way is tried once more; a *write* never is: whether it arrived is unknown then,
    which is `Ambiguous`.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        pace: Pace,
        clock: Clock,
        deadline: float,
        max_bytes: int,
        beat: Callable[[], None] = lambda: None,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self.base_url = base_url
        self._beat = beat
        self._pace = pace
        self._clock = clock
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.update({"User-Agent": f"syncd/{__version__}", "Accept": "application/json"})
        self._session.headers.update(headers)
        # What a connector puts into headers may be a credential, and a server may repeat it in an error.
        self._told = secrets + tuple(value for value in headers.values() if len(value) >= 8)
        adapter = DeadlineAdapter(
            tls=base_url.casefold().startswith("https"), pool_maxsize=max(8, pace.limits.concurrency)
        )
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None, **more: Any) -> Answer:
        """Read. `params` are URL-encoded, a SecretStr among them is unwrapped; `more` goes to `read`."""
        return self.read("GET", path, params=params, **more)

    def read(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request that changes nothing (queries by POST too); `body` goes as JSON, `form` as a form.

        Returns answers of every status but 3xx; see `Answer.must_be_good`.
        """
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Broken),
            stop=tenacity.stop_after_attempt(2),
            wait=tenacity.wait_random(0.1, 0.4),
            sleep=self._pause,
            reraise=True,
        )
        return tries(self._send, method, path, params, body, headers, form)

    def _pause(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def write(self, method: str, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request that changes something, once. Raises Ambiguous when it left and its answer was lost."""
        return self._send(method, path, None, body, headers, None, writing=True)

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: Any,
        headers: Mapping[str, str] | None,
        form: Mapping[str, str] | None,
        writing: bool = False,
    ) -> Answer:
        what = f"{method} {path}"
        failure: Exception
        with self._pace.turn(), Deadline(self._deadline) as deadline:
            if self._clock.stopping:
                raise Stopping("asked to stop")
            guard = before_sending.get()
            if writing and guard:
                guard()
            try:
                answer = self._exchange(what, method, path, params, body, headers, form)
                if not deadline.passed:
                    self._beat()
                    return self._refuse_redirect(answer)
                # A body without a length looks complete when the deadline cuts it.
                late = f"no complete answer within {deadline.seconds:g} s"
                failure = Ambiguous(f"{what}: sent, but {late}") if writing else Transient(f"{what}: {late}")
            except (requests.RequestException, HTTPError, OSError, ValueError) as error:
                failure = self._explain(what, error, deadline, writing)
        # Raised outside of `except`: requests' own exception holds the URL, and with it PrimeVOX's key.
        raise failure

    def _exchange(
        self,
        what: str,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: Any,
        headers: Mapping[str, str] | None,
        form: Mapping[str, str] | None,
    ) -> Answer:
        # Secrets are unwrapped in this frame only: no traceback of ours, locals or not, ever shows it.
        hidden = tuple(v.get_secret_value() for v in (params or {}).values() if isinstance(v, SecretStr))
        hidden += self._told + tuple((form or {}).values()) + tuple((headers or {}).values())
        plain = {k: v.get_secret_value() if isinstance(v, SecretStr) else v for k, v in (params or {}).items()}
        with self._session.request(
            method,
            self.base_url + path,
            params=plain,
            json=body,
            data=form,
            headers=headers,
            # The most that connecting to one address of the host may take; see also `deadline`.
            timeout=(min(5.0, self._deadline / 2), self._deadline),
            allow_redirects=False,
            stream=True,
        ) as response:
            encoding = response.headers.get("Content-Encoding", "").strip().lower()
            if encoding not in _ENCODINGS:
                raise _OddAnswer(f"{what}: the answer is packed in a way that was not asked for")
            if encoding:  # urllib3 would leave the body packed where a blank follows the name
                response.raw.headers["Content-Encoding"] = encoding
            content = bytearray()
            for chunk in response.iter_content(_CHUNK):
                content += chunk
                if len(content) > self._max_bytes:
                    raise _OddAnswer(f"{what}: the answer is larger than {self._max_bytes} bytes")
            return Answer(what, response.status_code, response.headers, bytes(content), hidden)

    def _refuse_redirect(self, answer: Answer) -> Answer:
        if 300 <= answer.status < 400:
            raise ShapeChanged(
                f"{answer.what}: HTTP {answer.status}, a redirect, was not followed; is the base URL right?"
            )
        return answer

    def _explain(self, what: str, error: Exception, deadline: Deadline, writing: bool) -> Exception:
        if isinstance(error, _OddAnswer):
            return Ambiguous(f"{what}: sent, but {error}") if writing else ShapeChanged(str(error))
        if isinstance(error, (ValueError, requests.exceptions.InvalidJSONError)) and not deadline.began:
            return Permanent(f"{what}: not sent: the request holds something that cannot be sent")
        if deadline.unsent and isinstance(error, requests.exceptions.SSLError) and not deadline.passed:
            return Transient(f"{what}: {_refusal_of_tls(error)}; nothing was sent")
        if deadline.unsent or _never_left(error):
            return Transient(f"{what}: no connection to the service")
        lost = f"no complete answer within {deadline.seconds:g} s" if deadline.passed else "the connection broke"
        if isinstance(error, requests.exceptions.Timeout):
            lost = f"no complete answer within {deadline.seconds:g} s"
        if writing:
            return Ambiguous(f"{what}: sent, but {lost}")
        slow = deadline.passed or isinstance(error, requests.exceptions.Timeout)
        return Transient(f"{what}: {lost}") if slow else _Broken(f"{what}: {lost}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _without(text: str, secrets: tuple[str, ...]) -> str:
    """The text without these secrets, plain or in the disguises in which a server may repeat them."""
    for secret in filter(None, secrets):
        # A service may hand out a token, or an ETag, of any length, and each character makes the pattern dearer.
        pattern = "".join(map(_in_any_disguise, secret[:_TELLING])) + (r"\S*" if len(secret) > _TELLING else "")
        text = re.sub(pattern, "***", text, flags=re.IGNORECASE)
        for form in in_base64(secret):
            text = text.replace(form, "***")
    return _without_pieces(text, secrets)


def _without_pieces(text: str, secrets: tuple[str, ...]) -> str:
    """The text without what a service shows of a key that it cuts or breaks: "the key k7-Qm2xV9... is unknown"."""
    long = (secret for secret in secrets if len(secret) >= _LONG)
    pieces = {secret[at : at + _PIECE] for secret in long for at in range(len(secret) - _PIECE + 1)}
    pieces -= {piece for piece in pieces if _WORDS.fullmatch(piece)}  # "invalid client credentials" may be told
    shown, told_from = "", 0
    for at, char in enumerate(text):
        if text[at : at + _PIECE] in pieces:
            shown += "" if at < told_from else "***"
            told_from = at + _PIECE
        if at >= told_from:
            shown += char
    return shown


def in_base64(secret: str) -> Iterator[str]:
    """What a secret looks like in base64, whatever stands before it, such as a user name and a colon."""
    for before in range(3):
        raw = bytes(before) + secret.encode("utf-8", "surrogatepass")
        part = slice((0, 2, 3)[before], len(raw) // 3 * 4)
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            middle = encode(raw)[part].decode("ascii")
            if len(middle) >= 8:  # a shorter one would be found in innocent words
                yield middle


def _in_any_disguise(char: str) -> str:
    """A pattern for one character: plain, %-encoded once or more, as an HTML entity, escaped as in JSON."""
    percent = "".join(f"%(?:25)*{byte:02x}" for byte in char.encode("utf-8", "replace"))
    entity = f"&(?:amp;)*(?:#0*{ord(char)}|#x0*{ord(char):x}|{codepoint2name.get(ord(char), 'apos')});"
    return rf"\\{{0,8}}(?:{re.escape(char)}|{percent}|{entity}|u{ord(char):04x})"


# What to do about a certificate, by the number that OpenSSL gives to what is wrong with it.
_NOT_OF_TODAY = "have it renewed there, and look whether this machine's clock is right"
_NOBODY_VOUCHES = "if an authority of your own issued it, add that to those this machine trusts (see the README)"
_ADVICE = {
    **dict.fromkeys((9, 10), _NOT_OF_TODAY),
    **dict.fromkeys((2, 18, 19, 20, 21), _NOBODY_VOUCHES),
    **dict.fromkeys((62, 64), "is the host in the base URL the one that it was issued for?"),
}


def _refusal_of_tls(error: BaseException) -> str:
    """Why the TLS connection did not come about, and what to do, in an operator's words."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ssl.SSLCertVerificationError):
            advice = _ADVICE.get(one.verify_code, "have it replaced there")
            return f"the service's TLS certificate was refused: {visible(one.verify_message)[:200]}; {advice}"
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return "the TLS connection was refused: does TLS 1.2 or newer run on that port, and is the base URL right?"


class _Broken(Transient):
    """The line broke, at once: worth one more try for a read. A slow line is not: it used its time up."""


class _OddAnswer(OSError):
    """An answer that no service in earnest gives: too large, or packed several times over."""


def _never_left(error: Exception) -> bool:
    """Whether the request surely did not reach the service."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
