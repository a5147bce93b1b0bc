"""syncd under a real systemd, installed as the README says: what the unit promises, it does."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote_plus

import pytest
from installation import HERE, KEY, PSA, ROOT, UNIT, Installation, block_after, person
from machine import surroundings
from rig import OUT, wait_until

pytestmark = [pytest.mark.systemd, pytest.mark.slow]

ACME = "syncd@acme.service"
STATE = {UNIT: "/var/lib/syncd", ACME: "/var/lib/syncd-acme"}

# What the probe finds: as an ordinary user without a sandbox, and in the sandbox of the unit.
DENIED = {
    "write into its own folder": ("done", "done"),
    "write into /srv": ("done", "EROFS"),
    "write into /opt": ("done", "EROFS"),
    "write into /var/lib": ("done", "EROFS"),
    "open a device": ("done", "ENOENT"),
    "read a home": ("done", "EACCES"),
    "read what others keep in /tmp": ("done", "ENOENT"),
    "look at process 1": ("done", "ENOENT"),
    "look at the kernel's settings": ("done", "ENOENT"),
    "send to itself": ("done", "done"),
    "send to a link-local address": ("done", "EPERM"),
    "open AF_INET": ("done", "done"),
    "open AF_INET6": ("done", "done"),
    "open AF_UNIX": ("done", "done"),
    "open AF_NETLINK": ("done", "EAFNOSUPPORT"),
    "open AF_PACKET": ("EPERM", "EAFNOSUPPORT"),
    "become root": ("done", "EPERM"),
    "make a set-user-id file": ("done", "EPERM"),
    "make a user namespace": ("done", "EPERM"),
    "pose as another architecture": ("done", "EPERM"),
    "map memory that is writable and executable": ("done", "EPERM"),
    "change its priority": ("done", "EPERM"),
    "change an owner": ("done", "EPERM"),
    "end another daemon": ("EPERM", "EPERM"),
}


def restarted(service: Installation, before: int) -> bool:
    """Whether it runs again, as another process."""
    found = service.show("ActiveState", "MainPID")
    return found["ActiveState"] == "active" and int(found["MainPID"]) != before


def said_by_systemd(service: Installation, words: str) -> list[str]:
    """What systemd itself said about the unit with these words in it, in all its runs."""
    return [entry["MESSAGE"] for entry in service.journal("_PID=1") if words in entry["MESSAGE"]]


# --- started ---------------------------------------------------------------------------------------------


def test_the_readme_leads_to_a_running_service(service: Installation) -> None:
    assert len(service.said) == 10
    assert service.systemctl("is-enabled", UNIT).stdout.strip() == "enabled"
    found = service.show("Type", "ActiveState", "StatusText", "NRestarts")
    expected = {"Type": "notify", "ActiveState": "active", "StatusText": "polling 1 numbers", "NRestarts": "0"}
    assert found == expected
    journal, status_and_review = service.said[-1].stdout.split("our number", 1)
    assert '"event": "started"' in journal
    assert person(0) in status_and_review


def test_systemd_waits_until_it_is_ready(service: Installation) -> None:
    service.systemctl("restart", UNIT)
    (started,) = service.logged("started")
    assert started["at"] <= int(service.show("ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"])


def test_a_stop_reaches_the_psa(service: Installation) -> None:
    wait_until(
        lambda: (service.shown(13), service.shown(15)) == (OUT, OUT), what="those of before the first start"
    )
    service.text(16, "#Stop")
    wait_until(lambda: service.shown(16) == OUT)
    assert [service.shown(index) for index in (11, 12, 14, 17)] == [""] * 4


# --- secrets ---------------------------------------------------------------------------------------------


def test_credentials_reach_the_service_and_nobody_else(service: Installation) -> None:
    pid = service.main_pid()
    folder = "/run/credentials/syncd.service"
    assert f"CREDENTIALS_DIRECTORY={folder}" in service.read(f"/proc/{pid}/environ").split("\0")
    given, own = f"{folder}/syncd_primevox_api_key", "/etc/syncd/credentials/primevox_api_key"
    assert service.read(given) == f"{KEY}\n"
    for path in (given, own, f"/proc/{pid}/environ", f"/proc/{pid}/mem", f"{STATE[UNIT]}/state.db"):
        done = service.sh(f"setpriv --reuid=nobody --regid=nogroup --clear-groups head -c 1 {path}", check=False)
        assert (done.returncode, "Permission denied" in done.stderr) == (1, True), path


def test_the_key_stands_nowhere_but_in_its_file(service: Installation) -> None:
    wait_until(lambda: service.logged("ledger head"))
    forms = f"-e '{KEY}' -e '{quote_plus(KEY)}'"
    found = service.sh(
        f"grep --recursive --files-with-matches --devices=skip {forms} /etc /run /var /tmp"
    ).stdout.split()
    allowed = r"/etc/syncd/(acme/)?credentials/\w+|/run/credentials/syncd(@acme)?\.service/\w+"
    assert [path for path in found if not re.fullmatch(allowed, path)] == []
    assert len(found) >= 2
    processes = [path for path in service.machine.path("/proc").iterdir() if path.name.isdigit()]
    shown = [(path / name).read_bytes() for path in processes for name in ("environ", "cmdline")]
    assert any(b"CREDENTIALS_DIRECTORY" in text for text in shown)
    assert not any(key.encode() in text for text in shown for key in (KEY, quote_plus(KEY)))


def test_a_crash_leaves_no_core_with_secrets_in_it(service: Installation) -> None:
    (line,) = re.findall(
        r"^Max core file size +(\S+) +(\S+)", service.read(f"/proc/{service.main_pid()}/limits"), re.MULTILINE
    )
    assert line == ("0", "0")


# --- stopping, crashing, hanging -------------------------------------------------------------------------


def test_state_survives_a_restart(service: Installation) -> None:
    service.text(17, "#Stop")
    wait_until(lambda: service.shown(17) == OUT)
    head = service.sh("syncd ledger verify").stdout.split()[-1]
    contacts = service.read(f"{PSA}/contacts.csv")
    waiting = service.sh("syncd review list --json").stdout
    service.systemctl("restart", UNIT)
    service.text(18, "#Stop")
    wait_until(lambda: service.shown(18) == OUT)
    assert service.sh(f"syncd ledger verify --head {head}").stdout.startswith("intact")
    assert service.sh("syncd review list --json").stdout == waiting
    assert (
        service.read(f"{PSA}/contacts.csv").replace(f"{person(18)},,true,{OUT}", f"{person(18)},,true,")
        == contacts
    )
    assert [line["contact"] for line in service.logged("written")] == ["c18"]


def test_it_stops_by_itself_when_asked_to(service: Installation) -> None:
    service.systemctl("stop", UNIT)
    found = service.show("Result", "ExecMainCode", "ExecMainStatus", "ActiveState")
    assert found == {"Result": "success", "ExecMainCode": "1", "ExecMainStatus": "0", "ActiveState": "inactive"}
    assert not service.machine.path("/run/credentials/syncd.service").exists()


def test_it_comes_back_after_a_crash_and_misses_nothing(service: Installation) -> None:
    before = service.main_pid()
    service.sh(f"kill -KILL {before}")
    service.text(19, "#Stop")
    wait_until(lambda: restarted(service, before), 30)
    assert service.show("NRestarts") == {"NRestarts": "1"}
    wait_until(lambda: service.shown(19) == OUT)


def test_the_watchdog_restarts_it_when_it_hangs(service: Installation) -> None:
    assert service.show("WatchdogUSec") == {"WatchdogUSec": "2min"}
    service.drop_in(UNIT, "WatchdogSec=5", "RestartSec=1")
    service.systemctl("restart", UNIT)
    before = service.main_pid()
    service.sh(f"kill -STOP {before}")
    service.text(20, "#Stop")
    wait_until(lambda: restarted(service, before), 40)
    assert said_by_systemd(service, "Watchdog timeout")
    wait_until(lambda: service.shown(20) == OUT)


def test_a_bad_configuration_ends_it_for_good(service: Installation) -> None:
    service.configure(polcy={})
    done = service.systemctl("restart", UNIT, check=False)
    found = service.show("ActiveState", "SubState", "Result", "ExecMainStatus", "NRestarts")
    # One that is to be started again would be "activating" now.
    expected = {"ActiveState": "failed", "SubState": "failed", "Result": "exit-code", "ExecMainStatus": "78"}
    assert (done.returncode, found) == (1, expected | {"NRestarts": "0"})
    (problem,) = service.logged("cannot start")
    assert "polcy" in problem["problem"]
    assert problem["alert"] is True
    service.configure()
    service.systemctl("start", UNIT)
    assert service.show("ActiveState") == {"ActiveState": "active"}


# --- reload, journal, backup -----------------------------------------------------------------------------


def test_a_reload_takes_over_a_new_configuration_and_keeps_the_old_one_if_it_is_bad(service: Installation) -> None:
    before = service.show("MainPID", "InvocationID")
    service.configure(policy={"opt_out_keywords": ["#Stop", "#Enough"]})
    service.systemctl("reload", UNIT)
    wait_for(service, "configuration read again")
    service.text(21, "#Enough")
    wait_until(lambda: service.shown(21) == OUT)
    service.configure(polcy={})
    service.systemctl("reload", UNIT)
    (refused,) = wait_for(service, "the new configuration was not taken over")
    assert refused["alert"] is True
    service.text(22, "#Enough")
    wait_until(lambda: service.shown(22) == OUT)
    assert service.show("MainPID", "InvocationID") == before


def wait_for(service: Installation, event: str) -> list[dict[str, Any]]:
    """The lines of the present run with that event, as soon as there are any."""
    wait_until(lambda: service.logged(event), what=event)
    return service.logged(event)


def test_every_line_in_the_journal_is_an_object(service: Installation) -> None:
    service.text(23, "#Stop")
    wait_until(lambda: service.shown(23) == OUT)
    wait_for(service, "written")
    entries = [entry for entry in service.journal() if entry["_TRANSPORT"] == "stdout"]
    assert entries
    for entry in entries:
        line = json.loads(entry["MESSAGE"])
        assert {"event", "level", "timestamp"} <= set(line)
        assert person(23) not in entry["MESSAGE"]


def test_the_readme_backs_up_and_restores(service: Installation) -> None:
    service.text(24, "#Stop")
    wait_until(lambda: service.shown(24) == OUT)
    service.sh(block_after("**Backing up.**"))
    service.text(25, "#Stop")
    wait_until(lambda: service.shown(25) == OUT)
    service.sh(block_after("To restore one"))
    wait_until(lambda: recorded(service, 25), what="the #Stop since the backup is read from PrimeVOX again")
    assert recorded(service, 24)
    assert service.sh("syncd ledger verify").stdout.startswith("intact")
    assert (service.shown(24), service.shown(25)) == (OUT, OUT)


def recorded(service: Installation, index: int) -> bool:
    """Whether the ledger has the #Stop of the index-th client."""
    said = service.sh(f"syncd ledger export --number {person(index)}").stdout
    return '"#Stop"' in said


# --- several MSPs on one machine -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def acme(installation: Installation) -> Installation:
    """A second MSP, set up as systemd/syncd@.service says, beside the first."""
    head = (ROOT / "systemd" / "syncd@.service").read_text(encoding="utf-8").partition("[Unit]")[0]
    (store,) = re.findall(r"^# +(store: .*)$", head, re.MULTILINE)
    for path in (
        "/etc/syncd/acme/syncd.yaml",
        "/etc/syncd/acme/credentials/",
        "/etc/systemd/system/syncd@.service",
    ):
        assert path in head
    installation.sh("install -m 0644 systemd/syncd@.service /etc/systemd/system/ && systemctl daemon-reload")
    installation.sh("install -d /etc/syncd/acme && install -d -m 0700 /etc/syncd/acme/credentials")
    installation.sh("cp -p /etc/syncd/credentials/* /etc/syncd/acme/credentials/")
    installation.sh("install -d -m 0700 /var/lib/syncd-acme/psa")
    installation.put_people("/var/lib/syncd-acme/psa")
    config = installation.read("/root/syncd.yaml").replace(PSA, "/var/lib/syncd-acme/psa")
    installation.write("/etc/syncd/acme/syncd.yaml", f"{config}{store}\n")
    installation.sh("systemctl enable --now syncd@acme")
    return installation


def test_two_msps_on_one_machine(acme: Installation, service: Installation) -> None:
    wait_until(lambda: acme.shown(13, "/var/lib/syncd-acme/psa") == OUT)
    assert acme.show("ActiveState", "Type", unit=ACME) == {"ActiveState": "active", "Type": "notify"}
    users = [
        re.search(r"^Uid:\t(\d+)", acme.read(f"/proc/{acme.main_pid(unit)}/status"), re.MULTILINE)
        for unit in (UNIT, ACME)
    ]
    assert len({user and user[1] for user in users} - {None, "0"}) == 2
    service.systemctl("stop", UNIT)
    assert acme.show("ActiveState", unit=ACME) == {"ActiveState": "active"}


# --- the sandbox -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def probe(installation: Installation) -> str:
    """The command that tries everything; the file for what it finds and a process are still to be added."""
    for name in ("probe.py", "prepare.sh"):
        installation.write(f"/usr/local/lib/{name}", (HERE / name).read_text(encoding="utf-8"))
    installation.sh("bash /usr/local/lib/prepare.sh")
    return "/opt/syncd/bin/python /usr/local/lib/probe.py"


def test_an_ordinary_user_may_do_what_the_sandbox_denies(probe: str, service: Installation) -> None:
    """Else the next test would prove nothing."""
    service.sh(
        "install -d -o nobody /srv/nobody && setpriv --reuid=nobody --regid=nogroup --clear-groups "
        f"{probe} /srv/nobody/found {service.main_pid()}"
    )
    assert json.loads(service.read("/srv/nobody/found")) == {what: free for what, (free, _) in DENIED.items()}


@pytest.mark.parametrize(("unit", "other"), [(UNIT, ACME), (ACME, UNIT)])
def test_the_sandbox_denies(probe: str, acme: Installation, service: Installation, unit: str, other: str) -> None:
    """The unit as it is installed, but for what it runs and how often."""
    found = f"{STATE[unit]}/found"
    service.drop_in(
        unit, "Type=oneshot", "Restart=no", "ExecStart=", f"ExecStart={probe} {found} {service.main_pid(other)}"
    )
    try:
        service.systemctl("restart", unit)
        report = json.loads(service.read(found))
    finally:
        service.drop_in(unit)
        service.systemctl("restart", unit)
    assert report == {what: boxed for what, (_, boxed) in DENIED.items()}


@pytest.mark.parametrize("unit", [UNIT, ACME])
def test_systemd_rates_the_exposure_low(acme: Installation, service: Installation, unit: str) -> None:
    said = service.machine.run("systemd-analyze", "security", "--no-pager", unit).stdout
    (exposure,) = re.findall(rf"Overall exposure level for {unit}: ([\d.]+)", said)
    assert float(exposure) <= 1.5


# --- the machine that runs these tests -------------------------------------------------------------------


def test_the_machine_around_it_is_left_alone(
    service: Installation, surroundings_before: dict[str, object]
) -> None:
    assert surroundings() == surroundings_before
