"""A Debian machine with a systemd of its own, booted from a tree that stays as it is.

systemd-nspawn boots it where it can; else systemd runs as process 1 of namespaces that are made by hand. All of it
lives in one process-id namespace and one mount namespace: when their first process is killed, the kernel ends all
others and takes every mount away. What the machine writes goes to memory. It has a network of its own with nothing
but loopback, and neither sees nor touches the systemd of the machine that it runs on.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

# Both ways begin so: processes in a cgroup of their own, in which systemd is alone; an overlay on the tree.
# $1 is a cgroup of the unified hierarchy, $2 an empty folder, $3 the tree, $4 the rest, $5 more namespaces.
_BEGIN = """
set -eu
echo $$ >"$1/cgroup.procs"
exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc --propagation private $5 \\
    bash -euc "$4" boot "$2" "$3"
"""
_OVERLAY = """
mount -t tmpfs -o mode=0755 syncd-test "$1"
cd "$1"
mkdir upper work root
mount -t overlay -o lowerdir="$2",upperdir=upper,workdir=work overlay root
"""

# nspawn leaves notes in /run, which belongs to the systemd of this machine: it gets another one. IPAddressDeny= of
# units is done by BPF, which nspawn allows on request only.
_NSPAWN = (
    _OVERLAY
    + """
mount -t tmpfs -o mode=0755 tmpfs /run
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
exec systemd-nspawn --quiet --settings=no --register=no --keep-unit --boot --private-network --console=pipe \\
    --system-call-filter=bpf --resolv-conf=off --timezone=off --link-journal=no --machine=syncd-test \\
    --directory=root
"""
)

# The same by hand. So that the kernel and the devices of this machine stay as they are, /sys and the settings in
# /proc are read-only, devices are nodes of its own, and root lacks what nspawn's root lacks as well.
_UNSHARE = (
    _OVERLAY
    + """
cd root
mount -t proc -o nosuid,nodev,noexec proc proc
for place in proc/sys proc/sysrq-trigger proc/irq proc/bus; do
    if [ -e "$place" ]; then
        mount --bind "$place" "$place"
        mount -o remount,bind,ro,nosuid,nodev,noexec "$place"
    fi
done
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=0755,nosuid tmpfs dev
while read -r device major minor; do
    mknod -m 0666 "dev/$device" c "$major" "$minor"
done <<END
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
console 1 3
END
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,nosuid,noexec devpts dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs run
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp
for unit in console-getty.service sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount; do
    ln -s /dev/null "etc/systemd/system/$unit"
done
hostname syncd-test
pivot_root . mnt
# Shared, as systemd makes it on a real machine: credentials reach a service through a mount.
exec chroot . /bin/sh -c '
    umount -l /mnt
    mount --make-rshared /
    exec setpriv --bounding-set=-sys_module,-sys_rawio,-sys_time,-syslog,-sys_pacct,-mac_admin,-mac_override \\
        env -i container=other /lib/systemd/systemd'
"""
)

WAYS = {
    "systemd-nspawn": (_NSPAWN, ""),
    "unshare": (_UNSHARE, "--uts --ipc --net --cgroup"),
}
"""How a machine can be booted: the name, the script, and the namespaces that it needs besides."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
UP = 60.0


class CannotBoot(Exception):
    """This way does not work here; the text says why."""


class Machine:
    """A context manager; leaving it ends the machine, whatever it is doing. Raises CannotBoot."""

    def __init__(self, tree: Path, way: str) -> None:
        """`tree` is a Debian with systemd, `way` one of WAYS."""
        self.way = way
        self._tree = tree
        self._stack = contextlib.ExitStack()
        self._first = 0

    def __enter__(self) -> Self:
        with self._stack:
            work = Path(tempfile.mkdtemp(prefix="syncd-systemd-"))
            self._stack.callback(shutil.rmtree, work, ignore_errors=True)
            cgroup = self._stack.enter_context(_cgroup(work.name))
            place = work / "machine"
            place.mkdir()
            self._boot(work / "console.log", cgroup, place)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _boot(self, console: Path, cgroup: Path, place: Path) -> None:
        script, namespaces = WAYS[self.way]
        with console.open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", _BEGIN, "begin", str(cgroup), str(place), str(self._tree), script, namespaces],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._stack.callback(_end, process)
        give_up = time.monotonic() + UP
        state = ""
        while state not in {"running", "degraded"}:
            if process.poll() is not None or time.monotonic() > give_up:
                said = " / ".join(console.read_text(encoding="utf-8", errors="replace").splitlines()[-3:])
                raise CannotBoot(f"{self.way}: {said or 'systemd did not come up and said nothing'}")
            time.sleep(0.1)
            self._first = _systemd_below(process.pid)
            if self._first:
                state = self.run("systemctl", "is-system-running", "--wait", check=False).stdout.strip()

    def path(self, inside: str) -> Path:
        """Where a file of the machine lies for us."""
        return Path(f"/proc/{self._first}/root") / inside.lstrip("/")

    def run(
        self, *command: str, stdin: str = "", check: bool = True, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there as root. With `check` a failure fails the test, with what the command said."""
        enter = ["nsenter", f"--target={self._first}", "--mount", "--uts", "--ipc", "--net", "--pid"]
        clean = ["env", "--ignore-environment", f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8"]
        done = subprocess.run(
            [*enter, "--root", "--wd", "--", *clean, *command],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        if check:
            assert done.returncode == 0, (
                f"{command}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
            )
        return done


def surroundings() -> dict[str, object]:
    """What a machine that is not closed off well would change here."""
    found: dict[str, object] = {"hostname": socket.gethostname()}
    for path in (*Path("/dev").iterdir(), Path("/dev/pts/ptmx")):
        if path.is_char_device():
            status = path.stat()
            found[str(path)] = (oct(status.st_mode), status.st_uid, status.st_gid)
    for name in ("kernel/core_pattern", "kernel/pid_max", "kernel/printk", "fs/file-max", "fs/nr_open"):
        found[name] = Path("/proc/sys", name).read_text(encoding="ascii")
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    found["mounts"] = [line for line in mounts if "syncd-systemd-" in line]
    return found


def _systemd_below(pid: int) -> int:
    """The first systemd among the descendants of a process, or 0."""
    generation = [pid]
    while generation:
        children: list[int] = []
        for parent in generation:
            with contextlib.suppress(OSError):
                listed = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
                children += map(int, listed.split())
        for child in children:
            with contextlib.suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text(encoding="utf-8").strip() == "systemd":
                    return child
        generation = children
    return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process that made the namespaces; the kernel kills its child, and with it all that is in them."""
    process.kill()
    process.wait(30)


@contextlib.contextmanager
def _cgroup(name: str) -> Iterator[Path]:
    """A group of the unified hierarchy below our own, gone afterwards, with what was made below it."""
    try:
        mounted = next(
            Path(fields[4])
            for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
            if " - cgroup2 " in line
            for fields in [line.split()]
        )
        own = next(
            line.removeprefix("0::/")
            for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
            if line.startswith("0::")
        )
        group = mounted / own / name
        group.mkdir()
    except StopIteration:
        raise CannotBoot("the unified cgroup hierarchy is not mounted here") from None
    except OSError as error:
        raise CannotBoot(f"no cgroup can be made here: {error}") from None
    try:
        yield group
    finally:
        # Where both hierarchies are mounted, nspawn makes its groups in systemd's old one as well.
        for place in (group, *Path("/sys/fs/cgroup/systemd").glob(f"**/{name}")):
            _remove(place)


def _remove(group: Path) -> None:
    """Remove a cgroup and those below it, as soon as the kernel has buried the last process in it."""
    give_up = time.monotonic() + 10
    while group.exists() and time.monotonic() < give_up:
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        time.sleep(0.05)
