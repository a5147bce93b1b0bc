"""Every connector that comes with syncd is bound to the contract, in `test_contract_NAME.py`."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points

import pytest

from syncd import registry
from syncd.testing import ConnectorContract

# Connectors that are registered and not bound yet: take the name out when `test_contract_NAME.py` is there.
PENDING: set[str] = set()


def built_in() -> list[str]:
    """The connectors of this distribution."""
    found = entry_points(group=registry.GROUP)
    return sorted({point.name for point in found if point.dist and point.dist.name == "syncd"})


def binding(name: str) -> str | None:
    """The class that binds a connector to the contract, if there is one."""
    try:
        module = importlib.import_module(f"test_contract_{name}")
    except ModuleNotFoundError as error:
        if error.name != f"test_contract_{name}":
            raise
        return None
    for what in vars(module).values():
        if isinstance(what, type) and issubclass(what, ConnectorContract) and what is not ConnectorContract:
            assert what.connector.name == name
            return what.__name__
    return None


def test_there_are_built_in_connectors() -> None:
    assert {"autotask", "local"} <= set(built_in())


@pytest.mark.parametrize("name", built_in())
def test_it_is_bound_to_the_contract(name: str) -> None:
    if name in PENDING:
        pytest.skip("listed as pending")
    assert binding(name) is not None, f"tests/contract/test_contract_{name}.py has no ConnectorContract"


def test_nothing_is_pending_that_is_bound() -> None:
    assert {name for name in PENDING if binding(name)} == set()
