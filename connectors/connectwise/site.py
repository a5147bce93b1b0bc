"""Where a tenant's API is.

Documented: the API is at https://HOST/CODEBASE/apis/3.0; in the cloud HOST is the one that people open with `api-`
before it; the codebase changes when the cloud is upgraded, `v4_6_release` stays; a look-up without credentials
tells the present one; a 404 may stand for a wrong codebase, and in the cloud for wrong credentials. Seen in other
clients: the look-up answers 200 and `null` for a company that it does not know.
"""

from __future__ import annotations

import base64
import re
import threading
from urllib.parse import urlsplit

from connectors.connectwise.answers import judged
from connectors.connectwise.settings import ConnectWiseSettings
from syncd.connector.answers import Row
from syncd.errors import ConfigProblem, Permanent, Problem, ShapeChanged, Transient
from syncd.http import Client, Transport

# Documented, and these only: a sandbox or a server of one's own has no second host.
CLOUD_HOSTS = {
    "na.myconnectwise.net": "api-na.myconnectwise.net",
    "eu.myconnectwise.net": "api-eu.myconnectwise.net",
    "au.myconnectwise.net": "api-au.myconnectwise.net",
    "aus.myconnectwise.net": "api-aus.myconnectwise.net",
    "za.myconnectwise.net": "api-za.myconnectwise.net",
    "staging.connectwisedev.com": "api-staging.connectwisedev.com",
}


def api_origin(site: str) -> str:
    """The site's URL with the host that its API lives on."""
    parts = urlsplit(site)
    host = CLOUD_HOSTS.get((parts.hostname or "").casefold())
    return site if host is None or parts.port not in (None, 443) else f"https://{host}"


class Site:
    """Hands out the HTTP client of the tenant's API. Thread-safe."""

    def __init__(self, settings: ConnectWiseSettings, transport: Transport) -> None:
        self._settings = settings
        self._transport = transport
        # Made without headers: the look-up must not carry credentials.
        self._door = transport.client(settings.site)
        self._lock = threading.Lock()
        self._client: Client | None = None

    def client(self) -> Client:
        """The client to call with; the codebase is looked up where the settings name none."""
        with self._lock:
            if self._client is None:
                self._client = self._connect(self._settings.codebase or self.look_up()[1])
            return self._client

    def after_404(self, refused: Client) -> Client | None:
        """The client to try once more with, or None where the codebase is still the same."""
        with self._lock:
            if self._client is not refused:
                return self._client  # another thread has found the new one
            try:
                codebase = self.look_up()[1]
            except (Permanent, ShapeChanged, Transient):
                return None  # a look-up that does not work is no reason to leave
            moved = self._connect(codebase)
            if moved.base_url == refused.base_url:
                moved.close()
                return None
            self._client = moved
            return moved

    def look_up(self) -> tuple[Row, str]:
        """What the site says of the company, and the codebase in it. ConfigProblem for a company unknown there."""
        answer = self._door.get(f"/login/companyinfo/{self._settings.company}")
        info = judged(answer).json()
        if info is None:
            what = f"{self._settings.site} knows no company '{self._settings.company}'"
            raise ConfigProblem([Problem("psa.settings.company", what)])
        said = info.get("Codebase") if isinstance(info, dict) else None
        codebase = str(said or "").strip("/ ")
        if not re.fullmatch(r"[A-Za-z0-9_.\-]{1,40}", codebase) or codebase in {".", ".."}:
            raise ShapeChanged(f"{answer.what}: the answer names no codebase: {answer.excerpt()}")
        return info, codebase

    def _connect(self, codebase: str) -> Client:
        settings = self._settings
        headers = {
            "Authorization": f"Basic {self._basic()}",
            "clientId": settings.client_id.get_secret_value(),
        }
        if settings.version is not None:
            headers["Accept"] = f"application/vnd.connectwise.com+json; version={settings.version}"
        base = f"{api_origin(settings.site)}/{codebase.strip('/')}/apis/3.0"
        return self._transport.client(base, headers, secrets=self._secrets())

    def _secrets(self) -> tuple[str, ...]:
        """What no message may repeat, whatever a server puts on its error page."""
        settings = self._settings
        keys = (settings.private_key, settings.public_key, settings.client_id)
        return (self._basic(), *(key.get_secret_value() for key in keys))

    def _basic(self) -> str:
        settings = self._settings
        public, private = settings.public_key.get_secret_value(), settings.private_key.get_secret_value()
        return base64.b64encode(f"{settings.company}+{public}:{private}".encode()).decode("ascii")
