"""syncd on a booted machine, installed by the very commands of the README."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from machine import Machine
from rig import wait_until

from syncd.sandbox.people import fictional_number

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_INSTALL = README.split("\n## Install it under systemd\n", 1)[1].split("\n## ", 1)[0]

# What the stand-in demands; easy to find wherever it should not be, and in need of URL encoding.
KEY = "sandbox-key+/="
PORT = 8080
DOOR = "/run/texts"
SOURCE = "/root/syncd"
WHEELS = "/srv/wheels"
UNIT = "syncd.service"
FILE = "/etc/syncd/syncd.yaml"
PSA = "/var/lib/syncd/psa"

# All that is needed to see the service work. The poll interval is short so that the tests are.
CONFIG: dict[str, Any] = {
    "primevox": {
        "base_url": f"http://127.0.0.1:{PORT}",
        "api_key": "${credential:primevox_api_key}",
        "poll_interval": "1s",
        "containers": [{"id": "100200", "numbers": [fictional_number(0)]}],
    },
    "psa": {
        "connector": "local",
        "company_poll_interval": "1s",
        "directory_refresh_interval": "1s",
        "settings": {"path": PSA},
    },
}


def person(index: int) -> str:
    """The number of the index-th client. The stand-in's own texts are those of 11 to 15."""
    return fictional_number(index)


def steps() -> list[str]:
    """The commands of the numbered steps of the README, each step's as one script."""
    return [_block(step) for step in re.split(r"^\d+\. ", _INSTALL, flags=re.MULTILINE)[1:]]


def block_after(words: str) -> str:
    """The commands that follow these words in the README's chapter on installing."""
    _, found, after = _INSTALL.partition(words)
    assert found, f"README.md, chapter on installing: nothing about {words!r} any more"
    return _block(after)


def spans(words: str, *beginnings: str) -> list[str]:
    """The commands between backticks, in the README's paragraph with these words, that begin so."""
    paragraph = next(text for text in README.split("\n\n") if words in text)
    found = re.findall(r"`([^`]+)`", paragraph.replace("\n", " "))
    return [span for span in found if span.startswith(beginnings)]


def _block(text: str) -> str:
    found = re.search(r"^( *)```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    assert found, f"no commands in: {text[:200]}"
    return textwrap.dedent(found[2])


class Installation:
    """A machine on which the README was followed; `said` is what each of its steps said, in their order."""

    def __init__(self, machine: Machine, cache: Path) -> None:
        """Follow the README. A step that fails, fails the test, with what its commands said."""
        self.machine = machine
        self.said: list[subprocess.CompletedProcess[str]] = []
        self._cache = cache
        self._bring()
        for number, commands in enumerate(steps(), start=1):
            self._before(number)
            self.said.append(self.sh(commands, stdin=f"{KEY}\n" if number == 4 else ""))
            self._after(number)

    def settle(self) -> None:
        """Let the service run as installed, whatever was done to it before."""
        lines = self.machine.path(f"/etc/systemd/system/{UNIT}.d")
        as_installed = not lines.exists() and self.read(FILE) == self.read("/root/syncd.yaml")
        if not as_installed or self.show("ActiveState")["ActiveState"] != "active":
            self.configure()
            self.drop_in(UNIT)
            self.systemctl("restart", UNIT)

    def configure(self, **changed: Any) -> None:
        """Write the configuration, with sections laid over that of the installation; the service is not told."""
        self.write(FILE, yaml.safe_dump(CONFIG | changed))

    def sh(self, script: str, *, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run commands there, as root types them in the folder of the README."""
        return self.machine.run(
            "bash", "-c", f"cd {SOURCE} || exit; {script}", stdin=stdin, check=check, timeout=300
        )

    # --- the surroundings of the README's steps ----------------------------------------------------------

    def _bring(self) -> None:
        """This checkout as a clone would have it, an editor that knows what to write, and the stand-in."""
        leave = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "build", "dist")
        shutil.copytree(ROOT, self.machine.path(SOURCE), ignore=leave)
        self.write("/root/syncd.yaml", yaml.safe_dump(CONFIG))
        self.write("/usr/local/bin/editor", '#!/bin/sh\nexec cp /root/syncd.yaml "$1"\n', mode=0o755)
        self.write("/root/standin.py", (HERE / "standin.py").read_text(encoding="utf-8"))

    def _before(self, number: int) -> None:
        if number == 2:
            self._provide_wheels()
        elif number == 7:
            self.sh(f"systemd-run --quiet --unit=stand-in /opt/syncd/bin/python /root/standin.py {PORT} {DOOR}")
            wait_until(self.machine.path(DOOR).exists, what="the stand-in for PrimeVOX")
            for command in spans("Without a PSA, `connector: local`", "install "):
                self.sh(command)
            self.put_people()

    def _after(self, number: int) -> None:
        if number == 9:
            for command in spans("Without a PSA, `connector: local`", "chown "):
                self.sh(command)

    def _provide_wheels(self) -> None:
        """The machine has no network: pip's configuration there names a folder with all that it may ask for."""
        version = self.sh("/opt/syncd/bin/python -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'").stdout
        wheels = _wheels(self._cache, version.strip(), re.findall(r"-r (\S+)", steps()[1]))
        shutil.copytree(wheels, self.machine.path(WHEELS))
        self.write(
            "/etc/pip.conf",
            f"[global]\nno-index = true\nfind-links = {WHEELS}\ndisable-pip-version-check = true\n",
        )

    # --- the machine's files, units and journal ----------------------------------------------------------

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of root's there, and its folder."""
        file = self.machine.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def read(self, path: str) -> str:
        return self.machine.path(path).read_text(encoding="utf-8")

    def systemctl(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.machine.run("systemctl", *arguments, check=check)

    def drop_in(self, unit: str, *lines: str) -> None:
        """Lay lines over the [Service] section of a unit, as `systemctl edit` does; none takes them away."""
        folder = f"/etc/systemd/system/{unit}.d"
        if lines:
            self.write(f"{folder}/test.conf", "\n".join(("[Service]", *lines, "")))
        else:
            shutil.rmtree(self.machine.path(folder), ignore_errors=True)
        self.systemctl("daemon-reload")

    def show(self, *properties: str, unit: str = UNIT) -> dict[str, str]:
        """Properties of a unit, as systemd has them now."""
        said = self.systemctl("show", unit, *(f"--property={name}" for name in properties)).stdout
        return dict(line.split("=", 1) for line in said.splitlines())

    def main_pid(self, unit: str = UNIT) -> int:
        return int(self.show("MainPID", unit=unit)["MainPID"])

    def journal(self, *arguments: str, unit: str = UNIT) -> list[dict[str, Any]]:
        """The entries of a unit, systemd's own about it included."""
        self.machine.run("journalctl", "--sync")
        said = self.machine.run("journalctl", "--output=json", f"--unit={unit}", *arguments).stdout
        return [json.loads(line) for line in said.splitlines()]

    def logged(self, event: str, unit: str = UNIT) -> list[dict[str, Any]]:
        """What the present run of the service logged under that name; `at` is the time in microseconds."""
        invocation = self.show("InvocationID", unit=unit)["InvocationID"]
        entries = self.journal(f"_SYSTEMD_INVOCATION_ID={invocation}", "_TRANSPORT=stdout", unit=unit)
        lines = [json.loads(entry["MESSAGE"]) | {"at": int(entry["__MONOTONIC_TIMESTAMP"])} for entry in entries]
        return [line for line in lines if line["event"] == event]

    # --- PrimeVOX and the PSA ----------------------------------------------------------------------------

    def put_people(self, folder: str = PSA) -> None:
        """One approved company, and a contact for each client from 11 to 39."""
        people = "".join(f"c{index},1,Person {index},{person(index)},,true,\n" for index in range(11, 40))
        self.write(f"{folder}/companies.csv", "id,name,sms_approval\n1,Acme,Approved\n")
        self.write(f"{folder}/contacts.csv", f"id,company_id,name,mobile,phone,active,sms_opt_in\n{people}")

    def shown(self, index: int, folder: str = PSA) -> str:
        """What the PSA shows for the index-th client."""
        rows = self.read(f"{folder}/contacts.csv").splitlines()
        return next(row.rpartition(",")[2] for row in rows if row.startswith(f"c{index},"))

    def text(self, index: int, words: str) -> None:
        """The index-th client texts us."""
        self.sh(f"cat > {DOOR}", stdin=f"{person(index)} {words}\n")


def _wheels(cache: Path, version: str, files: Iterable[str]) -> Path:
    """All that pip needs to install this checkout with that Python; fetched by this machine's pip, once."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    sets = [wanted, *(["-r", name] for name in files)]
    contents = [(ROOT / name).read_text(encoding="utf-8") for name in files]
    key = hashlib.sha256(json.dumps([version, wanted, contents, sys.platform]).encode()).hexdigest()[:16]
    folder = cache / f"wheels-{key}"
    stamp = folder.with_suffix(".made")
    if not folder.is_dir():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--no-input"]
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            part = Path(scratch) / "wheels"
            for one in sets:
                done = subprocess.run(
                    [*pip, f"--python-version={version}", f"--dest={part}", *one],
                    cwd=ROOT,
                    check=False,
                    capture_output=True,
                    text=True,
                    timeout=600,
                )
                assert done.returncode == 0, f"pip could not fetch what the machine is to install:\n{done.stderr}"
            with contextlib.suppress(OSError):  # another run was faster
                part.rename(folder)
    stamp.touch()  # .ci/install-systemd-tree removes what was not used for two weeks
    return folder
