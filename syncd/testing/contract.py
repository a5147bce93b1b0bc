"""All parts of the contract in one class."""

from __future__ import annotations

from syncd.testing.conduct import ConductContract
from syncd.testing.read_faults import ReadFaultsContract
from syncd.testing.reading import ReadingContract
from syncd.testing.write_faults import WriteFaultsContract
from syncd.testing.writing import WritingContract


class ConnectorContract(
    ReadingContract, WritingContract, ReadFaultsContract, WriteFaultsContract, ConductContract
):
    """Every test that a connector must pass. Set `connector` and `desk_class`, or override the fixture `desk`."""
