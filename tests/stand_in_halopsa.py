"""The HaloPSA connector and its stand-in, joined over HTTP."""

from __future__ import annotations

from support import shell_for

from connectors.halopsa import HaloPsa
from connectors.halopsa.settings import HaloPsaSettings
from syncd.sandbox.halopsa import HaloPsaServer
from syncd.sandbox.people import fictional_number


def served():
    with HaloPsaServer() as server:
        yield server


def settings_for(server, **settings):
    account = {"base_url": server.base_url, "client_id": server.client_id, "client_secret": server.client_secret}
    return HaloPsaSettings(**account | {"requests_per_5_minutes": 5_000} | settings)


def connect(server, remarks=None, **settings):
    remark = remarks.append if remarks is not None else str
    return HaloPsa(settings_for(server, **settings), shell_for(HaloPsa, remark))


def crowd(server, client, size, **more):
    return [server.add_user(client, f"N {n}", mobile=fictional_number(n), **more) for n in range(size)]


def posts(server):
    return server.requests_to("/api/Users$", "POST")
