"""Which of Autotask's servers a tenant lives on.

Documented: the look-up needs no credentials, and its `url` ends with a slash and has no version. Seen live by
third parties: a doubled slash in it; a tenant that moved, after which the old server said 401; lists of hosts, and
"the latest version", in other clients that broke. So the host is looked up, and the version is pinned by us.
"""

from __future__ import annotations

import re
import threading
from urllib.parse import urlsplit, urlunsplit

from connectors.autotask.answers import complaints, judged
from connectors.autotask.settings import AutotaskSettings
from syncd.connector.answers import fields_of
from syncd.errors import AuthRefused, Permanent, ShapeChanged, Transient
from syncd.http import Client, Transport, checked_base_url

# Credentials go nowhere else, whatever the look-up answers.
_VENDOR_HOST = re.compile(r"(?:webservices\d+|prde|pres)\.autotask\.(?:net|com|com\.au|co\.uk)")
_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")


class Zone:
    """Hands out the HTTP client of the tenant's server, looking it up when first needed. Thread-safe."""

    def __init__(self, settings: AutotaskSettings, transport: Transport) -> None:
        self._settings = settings
        self._transport = transport
        # Made without headers: the look-up must not carry the secret.
        self._directory = transport.client(settings.zone_discovery_url)
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._doubted = False

    def client(self) -> Client:
        """The client to call with. Raises AuthRefused for an unknown user name, else as the look-up fails."""
        with self._lock:
            if self._client is None:
                self._client = self._connect(self._look_up())
            elif self._doubted:
                self._doubted = False
                self._client = self._moved(self._client) or self._client
            return self._client

    def after_refusal(self, refused: Client) -> Client | None:
        """The client to try once more with after a 401, or None where the tenant did not move."""
        with self._lock:
            if self._client is not refused:
                return self._client  # another thread has found the new zone
            moved = self._moved(refused)
            if moved:
                self._client = moved
            return moved

    def doubt(self) -> None:
        """The server did not answer: it may have been retired, so look again before the next call."""
        self._doubted = True

    def _moved(self, client: Client) -> Client | None:
        try:
            base = self._look_up()
        except (AuthRefused, Permanent, ShapeChanged, Transient):
            return None  # an unreachable or confused directory is no reason to leave a zone
        return None if base == client.base_url else self._connect(base)

    def _connect(self, base: str) -> Client:
        settings = self._settings
        headers = {
            "ApiIntegrationCode": settings.integration_code.get_secret_value(),
            "UserName": settings.username,
            "Secret": settings.secret.get_secret_value(),
        }
        return self._transport.client(base, headers)

    def _look_up(self) -> str:
        if self._settings.base_url is not None:
            return normalised(self._settings.base_url)
        answer = self._directory.get("/v1.0/zoneInformation", {"user": self._settings.username})
        # Seen live by third parties: status 500 and this text for a user name that Autotask does not know.
        if any("could not be determined" in text.casefold() for text in complaints(answer)):
            raise AuthRefused(
                "Autotask finds no zone for this user name; is psa.settings.username the API user's?"
            )
        base = normalised(str(fields_of(judged(answer), "url")["url"]))
        self._must_be_autotask(base)
        return base

    def _must_be_autotask(self, base: str) -> None:
        parts = urlsplit(base)
        host = parts.hostname or ""
        asked = urlsplit(self._settings.zone_discovery_url).hostname or ""
        if _LOOPBACK.fullmatch(host) and _LOOPBACK.fullmatch(asked):
            return
        if parts.scheme == "https" and parts.netloc.casefold() == host and _VENDOR_HOST.fullmatch(host):
            return
        raise ShapeChanged(f"the zone look-up names '{host[:60]}', which is no server of Autotask's")


def normalised(url: str) -> str:
    """The base URL with single slashes, without version and last slash, its letters cased as they came."""
    try:
        parts = urlsplit(url.strip())
        path = re.sub(r"/v\d+(\.\d+)?$", "", re.sub(r"/{2,}", "/", parts.path).rstrip("/"), flags=re.IGNORECASE)
        return checked_base_url(urlunsplit((parts.scheme, parts.netloc, path, parts.query, parts.fragment)))
    except ValueError as error:
        raise ShapeChanged(f"the zone's URL {error}") from error
