"""HaloPSA keeps the contract, over HTTP against its stand-in."""

from __future__ import annotations

import pytest
from desk_halopsa import HaloDesk, OddHaloDesk

from connectors.halopsa import HaloPsa
from syncd.testing import ConnectorContract


class TestHaloPsa(ConnectorContract):
    connector = HaloPsa
    desk_class = HaloDesk


@pytest.mark.slow
class TestOddHaloPsa(ConnectorContract):
    connector = HaloPsa
    desk_class = OddHaloDesk
