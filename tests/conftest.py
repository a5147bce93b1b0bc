"""Puts this folder on the path, so that tests can import `support`; prints what `figures` counts."""

import sys
from pathlib import Path

import pytest
from figures import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]

# The desks of the contract suite serve other tests as well.
sys.path.append(str(Path(__file__).with_name("contract")))


@pytest.fixture
def remarks():
    """What a connector remarked."""
    return []
