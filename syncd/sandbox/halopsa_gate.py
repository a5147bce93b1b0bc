"""Who is let in to the HaloPSA stand-in, how often, and how refusals look."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

from syncd.sandbox.exchange import Answer, Request, Signals
from syncd.sandbox.halopsa_records import HaloQuirks


class HaloGate:
    """The part of ``HaloPsaServer`` that hands out tokens, counts requests and turns callers away."""

    quirks: HaloQuirks
    clock: Callable[[], datetime]
    signals: Signals
    base_url: Any

    def __init__(self, client_id: str, client_secret: str, tenant: str) -> None:
        self.client_id, self.client_secret, self.tenant = client_id, client_secret, tenant
        self.logins = 0
        self.failed_logins = 0
        self.max_logins_at_once = 0
        self._logging_in = 0
        self._tokens: dict[str, datetime] = {}
        self._calls: deque[datetime] = deque()
        self._gate = threading.Lock()

    @property
    def login(self) -> dict[str, str]:
        """The form of a good login (client code)."""
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": "all",
        }

    def expire_tokens(self) -> None:
        """Make every token that was handed out invalid."""
        with self._gate:
            self._tokens.clear()

    def use_quota(self, requests: int) -> None:
        """Let other integrations spend requests of the window."""
        with self._gate:
            self._calls.extend([self.clock()] * requests)

    def _unknown(self, request: Request) -> Answer | None:
        """Refuse a request without a token that holds."""
        scheme, _, token = (request.headers["Authorization"] or "").partition(" ")
        with self._gate:
            good = scheme.lower() == "bearer" and self._tokens.get(token, self.clock()) > self.clock()
        return None if good else Answer(401, b"")

    def _login(self, request: Request) -> Answer:
        """Hand out a token. The refusal of a wrong client was seen live, that of a wrong tenant too (500)."""
        with self._gate:
            self._logging_in += 1
            self.max_logins_at_once = max(self.max_logins_at_once, self._logging_in)
        try:
            self.signals.pause(self.quirks.latency)
            return self._checked_login(request)
        finally:
            with self._gate:
                self._logging_in -= 1

    def _checked_login(self, request: Request) -> Answer:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        if form.get("grant_type") != "client_credentials":
            return Answer.json({"error": "unsupported_grant_type", "error_description": "Not supported."}, 400)
        named = {"query": request.query.get("tenant"), "form": form.get("tenant")}
        wanted = self.quirks.tenant_in
        tenant = named[wanted] if wanted in named else named["query"] or named["form"] or self.tenant
        if wanted != "ignored" and tenant != self.tenant:
            return Answer(500, b"")
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            self.failed_logins += 1
            text = "The specified client credentials are invalid."
            return Answer.json({"error": "invalid_client", "error_description": text}, 401)
        with self._gate:
            self.logins += 1
            token = f"sandbox-token-{self.logins}"
            self._tokens[token] = self.clock() + timedelta(seconds=self.quirks.token_seconds)
        good = {"scope": form.get("scope", "all"), "token_type": "Bearer", "access_token": token}
        return Answer.json(
            good | {"expires_in": self.quirks.token_seconds, "refresh_token": "unused", "id_token": ""}
        )

    def _authinfo(self) -> Answer:
        if self.quirks.authinfo == "missing":
            return self._failed(404, "Not found")
        url = self.base_url if self.quirks.authinfo == "good" else "https://evil.example"
        return Answer.json({"auth_url": f"{url}/auth", "tenant_id": self.tenant})

    def _too_many(self) -> Answer | None:
        quirks, now = self.quirks, self.clock()
        with self._gate:
            window = timedelta(seconds=quirks.rate_window)
            while self._calls and self._calls[0] <= now - window:
                self._calls.popleft()
            if quirks.rate_limit is None or len(self._calls) < quirks.rate_limit:
                self._calls.append(now)
                return None
            free = self._calls[0] + window
        seconds = str(int((free - now).total_seconds()) + 1)
        says = {"seconds": seconds, "date": format_datetime(free, usegmt=True), "absurd": "soon", "none": ""}
        headers = {"Retry-After": says[quirks.retry_after]} if quirks.retry_after != "none" else {}
        text = f"API call limit exceeded: {quirks.rate_limit} Requests per rolling 5 minute window"
        return Answer.json({"error": text}, 429, headers)

    def _failed(self, status: int, text: str) -> Answer:
        shapes: dict[str, Any] = {
            "resultCode": {"resultCode": status, "errorMessage": text},
            "ClassName": {"ClassName": "NHD.API.Exception", "Message": text},
            "Message": {"Message": text},
            "error": {"error": text},
            "errors": {"errors": [text]},
        }
        shape = self.quirks.error_shape
        if shape == "text":
            return Answer(status, text.encode(), "text/plain; charset=utf-8")
        return Answer.json(shapes[shape], status)
