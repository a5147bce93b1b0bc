"""What several tests need to set up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from syncd.clock import Clock
from syncd.connector import Connector, Shell
from syncd.http import Limits, Transport


def shell_for(connector: type[Connector], remark: Callable[[str], Any] = str) -> Shell:
    """A shell with the pace that the connector declares."""
    limits = connector.traits.limits or Limits(calls=10_000, per=1.0, concurrency=8)
    return Shell(Transport(Clock(), limits), remark)
