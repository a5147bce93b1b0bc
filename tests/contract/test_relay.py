"""A server behind a `Relay` is tested like a stand-in: the whole contract once more, through it."""

from __future__ import annotations

from typing import Any

import pytest
from desks import AutotaskDesk

from connectors.autotask import Autotask
from syncd.sandbox.autotask import BASE_PATH
from syncd.testing import ConnectorContract, Relay


class RelayedDesk(AutotaskDesk):
    """Somebody else's server, which names its own address in the answer to the zone look-up."""

    def start(self) -> None:
        self.server.start()
        self.wire = Relay(self.server.base_url)
        self.wire.start()

    def stop(self) -> None:
        super().stop()
        self.server.stop()

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "zone_discovery_url": self.wire.base_url + BASE_PATH}

    def ignore_filters(self) -> None:
        pytest.skip("tested without the relay")


@pytest.mark.slow
class TestRelayed(ConnectorContract):
    connector = Autotask
    desk_class = RelayedDesk

    def test_links_lead_to_the_relay(self, desk, psa) -> None:
        list(psa.companies())
        assert len(desk.wire.requests) == len(desk.server.requests) > 1
