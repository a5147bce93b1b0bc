"""connectors/README.md, as its reader would use it: its package is built, installed, tested and run."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from syncd import connector, errors
from syncd.testing import Desk

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "connectors" / "README.md").read_text(encoding="utf-8")

# What the shell raises, never a connector.
NOT_A_CONNECTORS = {"SyncdError", "Stopping", "Superseded", "StoreUnavailable"}


def files() -> dict[str, str]:
    """The files of the page, by path."""
    return dict(re.findall(r"^\*\*`([^`]+)`\*\*\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def script(name: str) -> str:
    """A shell block of the page, by the word behind its language."""
    (found,) = re.findall(rf"^```sh {name}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def column(header: str) -> set[str]:
    """The names in the first column of a table."""
    rows = PAGE.split(f"\n| {header} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return {name for row in rows for name in re.findall(r"`(\w+)", row.split(" | ")[0])}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(*words: str | Path, cwd: Path, ends: int = 0, **variables: str) -> str:
    """Run a program; returns what it said."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == ends, f"{words} ended with {done.returncode}:\n{done.stdout[-6000:]}"
    return done.stdout


class Reader:
    """Somebody with the page, a new virtual environment and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "syncd-tinydesk"
        for path, text in files().items():
            target = self.package / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        self.venv = folder / "venv"
        run(sys.executable, "-m", "venv", "--without-pip", self.venv, cwd=folder)
        self.bin = self.venv / "bin"
        # What syncd and pytest need comes from our own environment. Its links into this checkout do not come
        # along: they would be `.pth` files of their own, which Python does not read there.
        ours = sysconfig.get_path("purelib")
        find_site = "import site; print(site.getsitepackages()[0])"
        self.site = Path(run(self.bin / "python", "-c", find_site, cwd=folder).strip())
        (self.site / "shared.pth").write_text(f"{ours}\n", encoding="utf-8")

    def install(self, source: Path) -> None:
        """Build a wheel and install it."""
        wheels = self.folder / f"wheels-{source.name}"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        alone = ("--no-deps", "--no-index")
        run(*pip, "wheel", "--no-build-isolation", *alone, "-w", wheels, source, cwd=self.folder)
        (wheel,) = wheels.glob("*.whl")
        python = self.bin / "python"
        run(*pip, "--python", python, "install", *alone, wheel, cwd=self.folder)

    def install_syncd(self) -> None:
        """Build a wheel of this checkout, from a copy: a build leaves things behind."""
        copy = self.folder / "syncd"
        for name in ("syncd", "connectors"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, copy)
        self.install(copy)

    def install_another(self, distribution: str, name: str, source: str) -> None:
        """Another package that offers a connector, as an installer would leave it."""
        module = distribution.replace("-", "_")
        info = self.site / f"{module}-1.0.dist-info"
        info.mkdir()
        (self.site / f"{module}.py").write_text(source, encoding="utf-8")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[syncd.connectors]\n{name} = {module}:Tinydesk\n")


@pytest.mark.slow
def test_the_page_is_enough(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    reader.install_syncd()
    reader.install(reader.package)
    _its_contract_test_passes(reader)
    reader.install_another("syncd-broken", "broken", "import no_such_module_anywhere\n")
    _it_runs(reader)
    _a_broken_one_and_a_twin_are_refused(reader)


def _its_contract_test_passes(reader: Reader) -> None:
    said = run(reader.bin / "python", "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", cwd=reader.package)
    # Tinydesk has no inactive companies, and its settings name nothing of it.
    assert re.search(r"^\d{3} passed, 2 skipped in ", said.splitlines()[-1]), said[-2000:]
    assert "no inactive companies" in said
    assert "no settings that name" in said
    where = run(reader.bin / "python", "-c", "import syncd; print(syncd.__file__)", cwd=reader.package)
    assert where.startswith(str(reader.venv)), "this is not the syncd that was installed"


def _it_runs(reader: Reader) -> None:
    """The servers and the commands of the page; with other ports, because those may be taken.

    Another package, which cannot be imported, is installed as well: it is named, and stops nobody.
    """
    ports = {"8901": str(free_port()), "8902": str(free_port())}
    trial = reader.package / "trial" / "syncd.yaml"
    trial.write_text(_with(ports, trial.read_text(encoding="utf-8")), encoding="utf-8")
    path = f"{reader.bin}:{os.environ['PATH']}"
    servers = [
        subprocess.Popen(["bash", "-c", f"exec {line}"], cwd=reader.package, env={**os.environ, "PATH": path})
        for line in _with(ports, script("trial-servers")).splitlines()
    ]
    try:
        for port in ports.values():
            _wait_for(int(port))
        commands = _with(ports, script("trial"))
        if not shutil.which("curl"):
            commands = "\n".join(line for line in commands.splitlines() if not line.startswith("curl"))
        said = run("bash", "-euc", commands, cwd=reader.package, PATH=path)
    finally:
        for server in servers:
            server.terminate()
            server.wait(10)
    assert "no problem found" in said
    assert "note  another connector cannot be used: the connector 'broken' of syncd-broken 1.0" in said
    assert "no_such_module_anywhere" in said
    assert "1, of which 1 approved" in said
    assert "5, of which 5 with a usable number" in said
    if shutil.which("curl"):
        assert re.findall(r'"sms":\s*"?(\w+)', said) == ["in", "in", "out", "in", "out"], said


def _a_broken_one_and_a_twin_are_refused(reader: Reader) -> None:
    """A package that cannot be imported, and two that offer one name, are told by their names and versions."""
    secrets = {"PRIMEVOX_KEY": "k3y-of-nobody", "TINYDESK_KEY": "k3y-of-nobody-else"}
    trial = reader.package / "trial" / "syncd.yaml"
    other = trial.with_name("broken.yaml")
    other.write_text(trial.read_text(encoding="utf-8").replace("connector: tinydesk", "connector: broken"))
    reader.install_another("syncd-twin", "tinydesk", files()["syncd_tinydesk.py"])
    for command in ("check", "once"):
        said = run(reader.bin / "syncd", command, "-c", other, cwd=reader.package, ends=78, **secrets)
        assert "the connector 'broken' of syncd-broken 1.0 cannot be loaded" in said
        assert "no_such_module_anywhere" in said
        said = run(reader.bin / "syncd", command, "-c", trial, cwd=reader.package, ends=78, **secrets)
        assert "'tinydesk' is offered by syncd-tinydesk 1.0 and syncd-twin 1.0; uninstall one of them" in said


def _with(ports: dict[str, str], text: str) -> str:
    return re.sub("8901|8902", lambda match: ports[match[0]], text)


def _wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, f"nobody listens on {port}"
            time.sleep(0.05)
        else:
            return


# --- the page says what is so -------------------------------------------------------------------------------


def test_the_page_names_every_exception_that_a_connector_may_raise() -> None:
    known = {
        name
        for name, what in vars(errors).items()
        if isinstance(what, type) and issubclass(what, errors.SyncdError) and name not in NOT_A_CONNECTORS
    }
    assert column("Exception") == known


def test_the_page_names_every_part_of_a_connector_and_of_a_desk() -> None:
    parts = {name for name in (*vars(connector.Connector), *connector.Connector.__annotations__) if name[0] != "_"}
    assert column("Attribute or method") - {"__init__"} == parts
    desks = {name for name in (*vars(Desk), *Desk.__annotations__) if name[0] != "_"}
    assert column("Method or attribute") == desks


def test_every_outcome_is_on_the_page() -> None:
    assert all(f"`{result.name}`" in PAGE or f"`{result.value}(" in PAGE for result in connector.Result)


def test_the_worked_example_is_clean(tmp_path: Path) -> None:
    for path, text in files().items():
        if path.endswith(".py"):
            target = tmp_path / Path(path).name
            target.write_text(text, encoding="utf-8")
            options = ["--config", ROOT / "pyproject.toml", "--ignore", "INP,I"]
            run(sys.executable, "-m", "ruff", "check", "--no-cache", *options, target, cwd=tmp_path)
