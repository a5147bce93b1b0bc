"""Files that hold secrets or state are for one user: made so, looked at at every start, and closed or refused."""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from config_file import SECRET, edited, fake, known_environment, only, writer

from syncd import cli, config, desk, logs, private
from syncd.clock import Clock
from syncd.store import ledger
from syncd.store.database import open_writing

_environment = pytest.fixture(autouse=True)(known_environment)
write = pytest.fixture(writer)


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


@pytest.fixture(autouse=True)
def open_handed() -> Iterator[None]:
    """Whatever is not made private on purpose shows."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "lib"
    made.mkdir(mode=0o700)
    return made


# --- state -------------------------------------------------------------------------------------------------


def test_everything_that_a_daemon_makes_is_private_from_the_beginning(folder: Path) -> None:
    url = f"sqlite:///{folder / 'state.db'}"
    opened = open_writing(url)
    with opened.begin() as connection:
        ledger.append(connection, Clock().now(), "rules")
    desk.answer_all(url, opened, Clock(), logs.get())
    made = {one.name: mode(one) for one in folder.iterdir()}
    opened.close()
    files = dict.fromkeys(("state.db", "state.db-wal", "state.db-shm", "state.db.lock"), "0600")
    assert made == files | {"state.db.wishes": "0700"}
    assert private.close_state(url) == []


@pytest.mark.parametrize("given", [0o644, 0o660, 0o602, 0o604, 0o610])
@pytest.mark.parametrize(
    "name", ["state.db", "state.db-wal", "state.db-shm", "state.db.lock", "state.db.restoring"]
)
def test_an_open_file_is_closed_and_told_once(folder: Path, name: str, given: int) -> None:
    for one in ("state.db", name):
        (folder / one).touch(mode=0o600)
    (folder / name).chmod(given)
    [found] = private.close_state(f"sqlite:///{folder / 'state.db'}")
    assert found.path == folder / name
    assert "closed now (mode 0600)" in found.advice
    assert mode(folder / name) == "0600"
    assert private.close_state(f"sqlite:///{folder / 'state.db'}") == []


@pytest.mark.parametrize("name", ["state.db.wishes", "state.db.replaced-20260302T150000Z-x"])
def test_an_open_folder_is_closed(folder: Path, name: str) -> None:
    (folder / name).mkdir(mode=0o755)
    [found] = private.close_state(f"sqlite:///{folder / 'state.db'}")
    assert (found.path, mode(folder / name)) == (folder / name, "0700")


def test_what_belongs_to_somebody_else_is_told_with_the_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "state.db").touch(mode=0o644)

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refused)
    [found] = private.close_state(f"sqlite:///{folder / 'state.db'}")
    assert found.advice == f"run: chmod 0600 {folder / 'state.db'}"


def test_a_folder_in_which_others_may_write_is_told_and_left(folder: Path) -> None:
    folder.chmod(0o777)
    [found] = private.close_state(f"sqlite:///{folder / 'state.db'}")
    assert (found.path, found.advice) == (folder, f"run: chmod go-w {folder}")
    assert mode(folder) == "0777"


def test_behind_a_link_the_database_itself_is_closed_and_both_folders_are_looked_at(
    folder: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir(mode=0o700)
    for name in ("state.db", "state.db-wal"):
        (disk / name).touch(mode=0o644)
        (disk / name).chmod(0o644)
    (folder / "state.db").symlink_to(disk / "state.db")
    folder.chmod(0o777)
    found = private.close_state(f"sqlite:///{folder / 'state.db'}")
    assert [one.path for one in found] == [folder, disk / "state.db", disk / "state.db-wal"]
    assert mode(disk / "state.db-wal") == "0600"


def test_a_second_name_of_the_database_is_told(folder: Path, tmp_path: Path) -> None:
    (folder / "state.db").touch(mode=0o600)
    (tmp_path / "other.db").hardlink_to(folder / "state.db")
    [found] = private.close_state(f"sqlite:///{folder / 'state.db'}")
    assert (found.path, "it has a second name" in found.advice) == (folder / "state.db", True)


def test_other_files_and_links_are_left_alone(folder: Path, tmp_path: Path) -> None:
    for other in (folder / "notes.txt", tmp_path / "elsewhere"):
        other.touch(mode=0o644)
    (folder / "state.db-link").symlink_to(tmp_path / "elsewhere")
    assert private.close_state(f"sqlite:///{folder / 'state.db'}") == []
    assert mode(tmp_path / "elsewhere") == mode(folder / "notes.txt") == "0644"


@pytest.mark.parametrize("url", ["sqlite:////none/at/all/state.db", "sqlite://"])
def test_where_there_is_nothing_nothing_is_told(url: str) -> None:
    assert private.close_state(url) == []


@pytest.mark.parametrize("words", [["run"], pytest.param(["once"], marks=pytest.mark.slow)])
def test_open_state_is_closed_before_it_is_used_and_stops_nobody(tmp_path: Path, words: list[str]) -> None:
    """In a process of its own, that is ended as soon as it has opened the database."""
    place = tmp_path / "syncd.yaml"
    (tmp_path / "key").write_text("0123456789abcdef")
    (tmp_path / "key").chmod(0o600)
    place.write_text(
        f"primevox:\n  api_key: ${{file:{tmp_path}/key}}\n  containers: [{{id: '1', numbers: ['+12025550100']}}]\n"
        f"psa: {{connector: local, settings: {{path: {tmp_path}}}}}\nstore: {{url: 'sqlite:///state.db'}}\n"
    )
    place.chmod(0o644)
    open_writing(f"sqlite:///{tmp_path}/state.db").close()
    (tmp_path / "state.db").chmod(0o666)
    code = (
        "import os, sys\nfrom syncd import cli, daemon\nopened = daemon.open_writing\n"
        "def end(url):\n    opened(url)\n    os._exit(0)\n"
        "daemon.open_writing = end\ncli.main(sys.argv[1:])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "-c", str(place)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stderr)
    assert (line["event"], line["file"], line["alert"]) == (
        "state is open to other users",
        str(tmp_path / "state.db"),
        True,
    )
    assert mode(tmp_path / "state.db") == "0600"


# --- secrets -----------------------------------------------------------------------------------------------


def test_what_systemd_copies_from_an_open_folder_is_refused(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, source = tmp_path / "given", tmp_path / "credentials"
    given.mkdir(mode=0o700)
    source.mkdir(mode=0o755)
    (given / "syncd_name").write_text("abc-1")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    path = write(edited("secret: ${env:SYNCD_TEST_SECRET}", "secret: ${credential:name}"))
    problem = only(path)
    assert f"{source} is open to other users; run: chmod 0700 {source}" in problem.what
    source.chmod(0o700)
    assert config.load(path, settings_model=fake).secret_values()


def test_a_configuration_that_anybody_may_change_is_refused(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever can name another address for PrimeVOX gets its key."""
    path = write(edited("format: json", "format: json"))
    path.chmod(0o646)
    assert cli.main(["run", "-c", str(path)]) == cli.CONFIG
    assert "anybody on this machine may change this file; run chmod o-w on it" in capsys.readouterr().err


@pytest.mark.parametrize("link", [False, True])
def test_a_configuration_that_anybody_may_replace_is_refused(
    write: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], link: bool
) -> None:
    path = write(edited("format: json", "format: json"))
    open_folder = tmp_path
    if link:
        open_folder = tmp_path / "links"
        open_folder.mkdir()
        path = open_folder / "syncd.yaml"
        path.symlink_to(tmp_path / "syncd.yaml")
    before = open_folder.stat().st_mode
    open_folder.chmod(0o777)
    assert cli.main(["run", "-c", str(path)]) == cli.CONFIG
    words = f"anybody on this machine may replace this file; run chmod o-w on its folder {open_folder}"
    assert words in capsys.readouterr().err
    for harmless in (0o1777, 0o775):
        open_folder.chmod(harmless)
        config.load(path, settings_model=fake)
    open_folder.chmod(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_configuration_of_another_user_is_refused(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(edited("format: json", "format: json"))
    path.chmod(0o644)
    os.chown(path, 65534, 65534)
    config.load(path, settings_model=fake)  # an administrator may keep it so
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert cli.main(["run", "-c", str(path)]) == cli.CONFIG
    assert "another user owns this file and may change it; run chown root on it" in capsys.readouterr().err
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    config.load(path, settings_model=fake)
    os.chown(path, 0, 65534)
    path.chmod(0o640)
    assert config.load(path, settings_model=fake)


def test_the_services_user_may_read_what_root_owns(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As installed: the configuration belongs to root, and the service runs as a user of its own."""
    path = write(edited("format: json", "format: json"))
    if path.stat().st_uid == 0:
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert config.load(path, settings_model=fake)


def test_who_reads_a_secret_writes_no_core_file(write: Callable[..., Path]) -> None:
    path = write(edited("format: json", "format: json"))
    code = (
        "import ctypes, resource, sys\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[2])\n"
        "from syncd import config\nfrom config_file import fake\n"
        "for secrets in (False, True):\n"
        "    config.load(Path(sys.argv[1]), settings_model=fake, secrets=secrets)\n"
        "    print(resource.getrlimit(resource.RLIMIT_CORE)[0], ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
    )
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    if hard == 0:
        pytest.skip("core files are forbidden here already")

    def allow() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(Path(__file__).parents[1])],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "SYNCD_TEST_SECRET": SECRET},
        preexec_fn=allow,
    )
    limit, dumpable, limit_after, dumpable_after = map(int, done.stdout.split())
    assert (limit, dumpable) == (hard, 1)
    assert (limit_after, dumpable_after) == (0, 0)


def test_a_wish_is_private(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{folder / 'state.db'}"
    seen: dict[str, str] = {}
    opened = open_writing(url)
    desk.answer_all(url, opened, Clock(), logs.get())

    class Hasty(Clock):
        def sleep(self, seconds: float) -> bool:
            seen.update({one.name: mode(one.parent) for one in (folder / "state.db.wishes").iterdir()})
            return super().sleep(min(seconds, 0.01))

    monkeypatch.setattr(desk, "PATIENCE", 0.05)
    wish: dict[str, Any] = {"do": "release", "by": "ann"}
    with pytest.raises(Exception, match="did not answer"):
        desk._leave(url, wish, Hasty())
    opened.close()
    assert set(seen.values()) == {"0700"}
