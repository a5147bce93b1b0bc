"""Tokens for HaloPSA: client credentials, renewed before they expire, shared by all threads.

From clients that others wrote: POST {auth}/token as a form, the tenant in the query; `GET /api/authinfo` names the
authorisation server and the tenant without credentials; `expires_in` is mostly 3600, and is read. Seen live by
third parties: 401 with invalid_client for a wrong client, 500 for a wrong tenant.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from connectors.halopsa.answers import complaints
from connectors.halopsa.settings import HaloPsaSettings
from syncd.connector.answers import in_words
from syncd.errors import AuthRefused, ConfigProblem, Permanent, Problem, ShapeChanged, Transient
from syncd.http import Answer, Client, Transport, checked_base_url

# A token is renewed so long before it expires; one of a short life at nine tenths of it.
MARGIN = timedelta(seconds=60)


@dataclass(eq=False, slots=True)
class Token:
    """An access token. `renew_at` is in the time of the service's Date headers; None: it sends none."""

    value: SecretStr
    scope: str
    seconds: int | None
    renew_at: datetime | None
    accepted: bool = False

    def due(self, now: datetime | None) -> bool:
        """Whether it should be renewed, as far as the latest answer tells the time."""
        return now is not None and self.renew_at is not None and now >= self.renew_at


class Login:
    """Hands out a token; logs in when there is none, at most once at a time. Thread-safe.

    A token that is merely due is renewed by one thread while the others go on with it.
    """

    def __init__(self, settings: HaloPsaSettings, transport: Transport, api: Client) -> None:
        self._settings = settings
        self._transport = transport
        self._api = api
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._server: Client | None = None
        self._tenant = settings.tenant
        self._refusals = 0
        self._refusal = ""

    def token(self, now: datetime | None, instead_of: Token | None = None) -> Token:
        """A token that is not `instead_of`. Raises AuthRefused, or whatever keeps us from logging in."""
        current = self._token
        if current is not None and current is not instead_of:
            if current.due(now) and self._lock.acquire(blocking=False):
                try:
                    if self._token is current:
                        self._renew_early()
                finally:
                    self._lock.release()
            return self._token or current
        refusals = self._refusals
        with self._lock:
            if self._token is None or self._token is instead_of:
                if self._refusals != refusals:  # we waited while another thread was refused
                    raise AuthRefused(self._refusal)
                self._token = None
                self._token = self._log_in()
            return self._token

    def refused(self, token: Token) -> None:
        """Not even a new token was accepted: forget it, so that the next call begins afresh."""
        with self._lock:
            if self._token is token:
                self._token = None

    def address(self) -> str:
        """The authorisation server, looked up when not yet known."""
        with self._lock:
            return self._connection().base_url

    def _renew_early(self) -> None:
        try:
            self._token = self._log_in()
        except (AuthRefused, Transient, Permanent, ShapeChanged):
            return  # the present one still holds for a moment; its 401 will tell

    def _log_in(self) -> Token:
        settings = self._settings
        server = self._connection()
        answer = server.read(
            "POST",
            "/token",
            params={"tenant": self._tenant} if self._tenant else None,
            form={
                "grant_type": "client_credentials",
                "client_id": settings.client_id,
                "client_secret": settings.client_secret.get_secret_value(),
                "scope": settings.scope,
            },
        )
        # The server may repeat what was sent; that part of its answer goes no further.
        answer = replace(answer, hidden=(settings.client_secret.get_secret_value(),))
        self._must_be_good(answer)
        body: Any = answer.json()
        value = body.get("access_token") if isinstance(body, dict) else None
        # Raised without an excerpt: an answer that only nearly fits may hold a token all the same.
        if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
            raise ShapeChanged(f"{answer.what}: the answer holds no access_token")
        seconds = _seconds(body.get("expires_in"))
        now = answer.date()
        renew_at = None
        if now is not None and seconds is not None:
            life = timedelta(seconds=seconds)
            with contextlib.suppress(OverflowError):  # a clock in the year 9999; the token's 401 will tell
                renew_at = now + life - min(MARGIN, life / 10)
        return Token(SecretStr(value), str(body.get("scope") or settings.scope), seconds, renew_at)

    def _must_be_good(self, answer: Answer) -> None:
        if 200 <= answer.status < 300:
            return
        said = in_words(answer, complaints(answer) or ["no reason given"])
        if answer.status in (400, 401, 403):
            self._refusals += 1
            self._refusal = (
                f"{said}. HaloPSA does not accept the API application: wrong client id or secret, a scope that it "
                "does not have, or an application that is not active"
            )
            raise AuthRefused(self._refusal)
        if answer.status >= 500:
            raise Transient(
                f"{said}. If it lasts: is psa.settings.tenant right?", retry_after=answer.retry_after()
            )
        if answer.status in (408, 425, 429):
            raise Transient(said, retry_after=answer.retry_after())
        raise ShapeChanged(f"{said}. Is psa.settings.auth_url right?")

    # --- where to log in --------------------------------------------------------------------------------------

    def _connection(self) -> Client:
        if self._server is None:
            self._server = self._transport.client(self._settings.auth_url or self._look_up())
        return self._server

    def _look_up(self) -> str:
        """The authorisation server that the resource server names: itself, else nobody hears our secret."""
        base = self._settings.base_url
        answer = self._api.get("/authinfo")
        if answer.status in (408, 425, 429) or answer.status >= 500:
            answer.must_be_good()
        try:
            body = answer.json() if answer.status == 200 else None
        except ShapeChanged:
            body = None
        named = body.get("auth_url") if isinstance(body, dict) else None
        if not isinstance(named, str) or not named.strip():
            return base + "/auth"  # where hosted systems have it
        if self._tenant is None and isinstance(body, dict) and isinstance(body.get("tenant_id"), str):
            self._tenant = body["tenant_id"].strip() or None
        try:
            url = checked_base_url(named)
        except ValueError:
            url = ""
        if not url or _place(url) != _place(base):
            host = urlsplit(url).hostname or "something else"
            what = f"{base} names '{host[:60]}' as its authorisation server; if that is right, set it here"
            raise ConfigProblem([Problem("psa.settings.auth_url", what)])
        return url.removesuffix("/token")


def _seconds(value: object) -> int | None:
    try:
        seconds = int(float(str(value)))
    except (ValueError, OverflowError):
        return None
    return seconds if 0 < seconds < 10**8 else None


def _place(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").casefold(), parts.port
