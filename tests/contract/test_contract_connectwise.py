"""ConnectWise PSA keeps the contract, over HTTP against its stand-in."""

from __future__ import annotations

import pytest
from desk_connectwise import ConnectWiseDesk, OddConnectWiseDesk

from connectors.connectwise import ConnectWise
from syncd.testing import ConnectorContract


class TestConnectWise(ConnectorContract):
    connector = ConnectWise
    desk_class = ConnectWiseDesk


@pytest.mark.slow
class TestOddConnectWise(ConnectorContract):
    connector = ConnectWise
    desk_class = OddConnectWiseDesk
