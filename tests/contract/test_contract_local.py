"""The CSV files keep the contract."""

from __future__ import annotations

from desks import LocalDesk

from connectors.local import Local
from syncd.testing import ConnectorContract


class TestLocal(ConnectorContract):
    connector = Local
    desk_class = LocalDesk
