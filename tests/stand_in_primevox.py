"""PrimeVOX's stand-in, asked over HTTP."""

from datetime import UTC, datetime

import requests

from syncd.sandbox.people import fictional_number
from syncd.sandbox.primevox import PrimeVoxServer

OURS, ANN, BEN = (fictional_number(n) for n in (0, 11, 12))
AT = datetime(2026, 3, 4, 15, 16, 17, 123456, tzinfo=UTC)
LIST, READ = "/api/messaging/v1/conversations", "/api/messaging/v1/conversation"


def served():
    with PrimeVoxServer({"100200": {"api_key": "k+/=", "numbers": [OURS]}}) as server:
        yield server


def web():
    with requests.Session() as session:
        session.trust_env = False
        yield session


def get(primevox, session, path=LIST, timeout=3.0, **params):
    params = {"auth": "k+/=", "containerID": "100200"} | params
    if path == LIST:
        params.setdefault("phoneNumber", "2025550100")
    params = {name: value for name, value in params.items() if value is not None}
    return session.get(primevox.base_url + path, params=params, timeout=timeout, allow_redirects=False)


def conversations(primevox, session):
    return get(primevox, session).json()["conversations"]
