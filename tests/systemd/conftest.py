"""A booted machine on which the README was followed, or the exact reason why there can be none here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from installation import ROOT, Installation
from machine import WAYS, CannotBoot, Machine, surroundings

_BOOTED = pytest.StashKey[str]()
_MACHINE = pytest.StashKey[Machine]()


@pytest.fixture(scope="session")
def tree() -> Path:
    """The Debian tree that .ci/install-systemd-tree made."""
    if os.geteuid() != 0:
        pytest.skip("only root can boot a systemd")
    asked = subprocess.run(
        ["bash", ROOT / ".ci" / "install-systemd-tree", "--where"], capture_output=True, text=True, check=False
    )
    if asked.returncode != 0:
        pytest.skip(asked.stderr.strip() or "no Debian tree here; `sudo bash .ci/install-systemd-tree` makes one")
    return Path(asked.stdout.strip())


@pytest.fixture(scope="session")
def surroundings_before() -> dict[str, object]:
    """The same before any machine was booted."""
    return surroundings()


@pytest.fixture(scope="session")
def machine(tree: Path, surroundings_before: dict[str, object], pytestconfig: pytest.Config) -> Iterator[Machine]:
    """A machine, booted in the first way that works here; SYNCD_TEST_BOOT chooses one."""
    chosen = os.environ.get("SYNCD_TEST_BOOT")
    reasons: list[str] = []
    for way in [chosen] if chosen else WAYS:
        try:
            with Machine(tree, way) as machine:
                version = machine.run("systemctl", "--version").stdout.splitlines()[0]
                pytestconfig.stash[_BOOTED] = f"{version}, booted by {way}"
                pytestconfig.stash[_MACHINE] = machine
                yield machine
                del pytestconfig.stash[_MACHINE]
                return
        except CannotBoot as error:
            reasons.append(str(error))
    pytest.skip("no systemd can be booted here: " + "; ".join(reasons))


@pytest.fixture(scope="session")
def installation(machine: Machine, tree: Path) -> Installation:
    """The machine with syncd on it."""
    return Installation(machine, tree.parent)


@pytest.fixture
def service(installation: Installation) -> Installation:
    """The same, with the service running as it was installed."""
    installation.settle()
    return installation


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the machine said last."""
    report = yield
    machine = item.config.stash.get(_MACHINE, None)
    if report.failed and machine:
        said = machine.run("journalctl", "--no-pager", "--lines=30", check=False).stdout
        report.sections.append(("journal of the machine", said))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell what the tests ran against."""
    if booted := config.stash.get(_BOOTED, None):
        terminalreporter.write_line(f"tests/systemd: {booted}")
