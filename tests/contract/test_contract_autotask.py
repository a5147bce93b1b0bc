"""Autotask keeps the contract, over HTTP against its stand-in."""

from __future__ import annotations

from desks import AutotaskDesk

from connectors.autotask import Autotask
from syncd.testing import ConnectorContract


class TestAutotask(ConnectorContract):
    connector = Autotask
    desk_class = AutotaskDesk
