"""What every connector must do, as tests: for the connectors of this repository and for anybody else's.

    from syncd.testing import ConnectorContract, Desk

    class MyDesk(Desk): ...                    # a PSA to test against: your own stand-in, or a real server

    class TestMine(ConnectorContract):
        connector = Mine
        desk_class = MyDesk

Needs pytest, which syncd itself does not. `connectors/README.md` is the guide.
"""

from __future__ import annotations

import pytest

# Before they are imported: their `assert`s show both sides when they fail.
pytest.register_assert_rewrite(
    "syncd.testing.bench",
    "syncd.testing.conduct",
    "syncd.testing.read_faults",
    "syncd.testing.reading",
    "syncd.testing.write_faults",
    "syncd.testing.writing",
)

from syncd.sandbox.exchange import Answer, Request  # noqa: E402
from syncd.sandbox.server import StandIn  # noqa: E402
from syncd.testing.contract import ConnectorContract  # noqa: E402
from syncd.testing.desk import MAIN_LINE, Desk  # noqa: E402
from syncd.testing.faulting import asked_otherwise  # noqa: E402
from syncd.testing.relay import Relay  # noqa: E402

__all__ = ["MAIN_LINE", "Answer", "ConnectorContract", "Desk", "Relay", "Request", "StandIn", "asked_otherwise"]
