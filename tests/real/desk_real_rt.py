"""The desks whose PSA is a real RT. Faults are played on the wire, by a relay in front of it."""

from __future__ import annotations

import itertools
import json

from desk_rt import OddRtDesk, RtDesk, through_proxy
from office import Office

from syncd.testing import Answer, Relay, Request, asked_otherwise

# True of every record, and not dropped: RT shows and searches the ids of groups, fields and transactions.
ANY = {"field": "id", "operator": ">", "value": 0}


class RealRtDesk(RtDesk):
    """Like the desk of the stand-in, but for the server. RT begins each test with what it was installed with."""

    relay: type[Relay] = Relay
    answers_within = 2.0

    def __init__(self, office: Office) -> None:
        self.server = office
        self.wire = self.relay(office.rt.base_url)
        self.token = office.rt.token
        self._logins = itertools.count(1)

    def start(self) -> None:
        self.server.reset()
        super().start()

    def ignore_filters(self) -> None:
        self.wire.faults.add(asked_otherwise(_without_conditions), method="POST", times=None)


def _without_conditions(request: Request) -> None:
    request.body = json.dumps([ANY]).encode()


class Proxy(Relay):
    """A proxy that compresses."""

    def answer(self, request: Request) -> Answer:
        return through_proxy(super().answer(request))


class OddRealRtDesk(RealRtDesk, OddRtDesk):
    """As others have set RT up."""

    relay = Proxy
