"""Request Tracker keeps the contract, over HTTP against its stand-in."""

from __future__ import annotations

import pytest
from desk_rt import OddRtDesk, RtDesk

from connectors.rt import Rt
from syncd.testing import ConnectorContract


class TestRt(ConnectorContract):
    connector = Rt
    desk_class = RtDesk


@pytest.mark.slow
class TestOddRt(ConnectorContract):
    connector = Rt
    desk_class = OddRtDesk
