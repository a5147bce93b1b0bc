"""The systemd units: both read alike, say what they must, and systemd itself finds nothing wrong with them."""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "systemd"
UNITS = ("syncd.service", "syncd@.service")

# What an installed instance is called, and what it reads and keeps.
INSTANCE = {"syncd.service": "syncd.service", "syncd@.service": "syncd@acme.service"}
CONFIG = {"syncd.service": "/etc/syncd/syncd.yaml", "syncd@.service": "/etc/syncd/%i/syncd.yaml"}
CREDENTIALS = {"syncd.service": "/etc/syncd/credentials", "syncd@.service": "/etc/syncd/%i/credentials"}
STATE = {"syncd.service": "syncd", "syncd@.service": "syncd-%i"}

ANALYZE = shutil.which("systemd-analyze")
needs_analyze = pytest.mark.skipif(ANALYZE is None, reason="needs systemd-analyze (Debian package systemd)")

# Exposure by systemd's own count, in tenths; the units have 1.1.
THRESHOLD = 15

REQUIRED = {
    "Unit": {"Wants": "network-online.target", "After": "network-online.target", "StartLimitIntervalSec": "0"},
    "Service": {
        "Type": "notify",
        "NotifyAccess": "main",
        "WatchdogSec": "120",
        "Restart": "always",
        "RestartSec": "5",
        "RestartPreventExitStatus": "78",
        "ExecReload": "/bin/kill -HUP $MAINPID",
        "KillSignal": "SIGTERM",
        "TimeoutStopSec": "15",
        "DynamicUser": "yes",
        "StateDirectoryMode": "0700",
        "UMask": "0077",
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "AmbientCapabilities": "",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "PrivateDevices": "yes",
        "PrivateMounts": "yes",
        "PrivateUsers": "yes",
        "DevicePolicy": "closed",
        "ProtectKernelTunables": "yes",
        "ProtectKernelModules": "yes",
        "ProtectKernelLogs": "yes",
        "ProtectControlGroups": "yes",
        "ProtectClock": "yes",
        "ProtectHostname": "yes",
        "ProtectProc": "invisible",
        "ProcSubset": "pid",
        "RestrictNamespaces": "yes",
        "RestrictRealtime": "yes",
        "RestrictSUIDSGID": "yes",
        "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
        "LockPersonality": "yes",
        "MemoryDenyWriteExecute": "yes",
        "SystemCallArchitectures": "native",
        "SystemCallFilter": "@system-service ~@privileged @resources",
        "SystemCallErrorNumber": "EPERM",
        "RemoveIPC": "yes",
        "LimitCORE": "0",
        "KeyringMode": "private",
    },
    "Install": {"WantedBy": "multi-user.target"},
}


def read(name: str) -> dict[str, dict[str, str]]:
    """The directives of a unit by section; one that is given twice has both values."""
    sections: dict[str, dict[str, str]] = defaultdict(dict)
    section = ""
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, f"{name}: not a directive: {line}"
            before = sections[section].get(key)
            sections[section][key] = value if before is None else f"{before} {value}"
    return dict(sections)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("section", REQUIRED)
def test_required_directives(unit: str, section: str) -> None:
    found = read(unit)[section]
    assert {key: found.get(key) for key in REQUIRED[section]} == REQUIRED[section]


@pytest.mark.parametrize("unit", UNITS)
def test_what_it_runs_reads_and_keeps(unit: str) -> None:
    service = read(unit)["Service"]
    assert service["ExecStart"] == f"/opt/syncd/bin/syncd run -c {CONFIG[unit]}"
    assert service["LoadCredential"] == f"syncd:{CREDENTIALS[unit]}"
    assert service["StateDirectory"] == STATE[unit]


@pytest.mark.parametrize("unit", UNITS)
def test_run_by_hand_it_reads_the_same_secrets(unit: str) -> None:
    """Outside of systemd `${credential:NAME}` is looked up in "credentials" beside the configuration."""
    assert str(Path(CONFIG[unit]).parent / "credentials") == CREDENTIALS[unit]


def test_both_units_read_alike() -> None:
    one, many = (read(unit) for unit in UNITS)
    for unit in (one, many):
        for key in ("ExecStart", "LoadCredential", "StateDirectory"):
            del unit["Service"][key]
        del unit["Unit"]["Description"]
    # Else all instances, and syncd.service, would be one user.
    assert many["Service"].pop("User") == "syncd-%i"
    assert one == many


def installed(unit: str, folder: Path) -> Path:
    """A copy under its name on a machine, with a program that exists here."""
    copy = folder / INSTANCE[unit]
    text = (FOLDER / unit).read_text(encoding="utf-8")
    copy.write_text(text.replace("/opt/syncd/bin/syncd", "/bin/true"), encoding="utf-8")
    return copy


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)


@needs_analyze
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_nothing_wrong(unit: str, tmp_path: Path) -> None:
    done = analyze("verify", "--man=no", installed(unit, tmp_path))
    mine = [line for line in (done.stdout + done.stderr).splitlines() if "syncd" in line]
    assert (done.returncode, mine) == (0, [])


@needs_analyze
@pytest.mark.parametrize("unit", UNITS)
def test_exposure_stays_low(unit: str, tmp_path: Path) -> None:
    done = analyze(
        "security", "--offline=yes", f"--threshold={THRESHOLD}", "--no-pager", installed(unit, tmp_path)
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
