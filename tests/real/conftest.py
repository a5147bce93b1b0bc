"""A real Request Tracker 5, from Debian's packages, on loopback with a SQLite file of its own."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

# The desk of the stand-in is also that of the real RT, but for the server.
sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

from office import Office

SERVER = Path("/usr/share/request-tracker5/libexec/rt-server")
SETUP = "/usr/sbin/rt-setup-database-5"
PREPARED = 60.0
# Also when a test run is killed.
ENDS_WITH_US = ("setpriv", "--pdeathsig", "TERM")

CONFIG = """
Set($rtname, 'psa.test'); Set($Organization, 'psa.test');
Set($WebPath, ''); Set($WebDomain, '127.0.0.1'); Set($WebPort, {port});
Set($DatabaseType, 'SQLite'); Set($DatabaseName, '{folder}/rt.db');
Set($DatabaseUser, ''); Set($DatabasePassword, '');
Set($MailCommand, 'testfile'); Set($LogToSyslog, undef); Set($LogToSTDERR, 'error');
Set($MasonDataDir, '{folder}/mason'); Set($MasonSessionDir, '{folder}/sess');
# RT hashes the token of every request; as it comes, that takes a quarter of a second.
Set($BcryptCost, 1);
1;
"""

# Fields as an administrator would make them, and accounts: one who sets things up; the one that syncd uses, with
# the rights that it asks for and no more; and some with fewer. A copy of the database is put aside before the
# latter and the town come in.
DATA = """
our @CustomFields = (
  {{ Name => 'SMS Opt-In', Type => 'SelectSingle', LookupType => 'RT::User', MaxValues => 1,
     Values => [ {{ Name => 'Opted-In' }}, {{ Name => 'Opted-Out' }}, {{ Name => 'Ask' }} ] }},
  {{ Name => 'SMS Phone', Type => 'FreeformMultiple', LookupType => 'RT::User', MaxValues => 0 }},
  {{ Name => 'Badge', Type => 'FreeformSingle', LookupType => 'RT::User', MaxValues => 1 }},
  {{ Name => 'SMS Approval', Type => 'SelectSingle', LookupType => 'RT::Group', MaxValues => 1,
     Values => [ {{ Name => 'Approved' }}, {{ Name => 'Opted-Out' }}, {{ Name => 'Pending' }} ] }},
);
our @Final = ( sub {{
  my %rights = ( staff => ['SuperUser'], blind => [],
    unseeing => ['AdminUsers', 'SeeGroup', 'AdminGroupMembership'],
    reading => ['AdminUsers', 'SeeGroup', 'AdminGroupMembership', 'SeeCustomField'],
    syncd => ['AdminUsers', 'SeeGroup', 'AdminGroupMembership', 'SeeCustomField', 'ModifyCustomField'] );
  for my $name (qw(staff syncd blind unseeing reading)) {{
    $RT::Handle->dbh->sqlite_backup_to_file("{folder}/bare.db") if $name eq 'blind';
    my $user = RT::User->new(RT->SystemUser);
    $user->Create(Name => $name, Privileged => 1);
    $user->PrincipalObj->GrantRight(Right => $_, Object => RT->System) for @{{ $rights{{$name}} }};
    my ($ok, $said, $token) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $user->id, Description => $name);
    open my $file, '>', "{folder}/$name.token" or die $!; print $file $token; close $file;
  }}
  require JSON;
  open my $file, '<', "{folder}/town.json" or die $!; local $/; my $town = JSON::decode_json(<$file>);
  my %id;
  for my $one (@{{ $town->{{users}} }}) {{
    my ($key, $fields, $disabled) = delete @{{$one}}{{qw(key fields Disabled)}};
    my $user = RT::User->new(RT->SystemUser);
    my ($ok, $said) = $user->Create(%$one);
    $ok or die $said;
    for my $name (sort keys %$fields) {{
      $user->AddCustomFieldValue(Field => $name, Value => $_) for @{{ $fields->{{$name}} }};
    }}
    $user->SetDisabled(1) if $disabled;
    $id{{$key}} = "" . $user->id;
  }}
  for my $one (@{{ $town->{{groups}} }}) {{
    my $group = RT::Group->new(RT->SystemUser);
    my ($ok, $said) = $group->CreateUserDefinedGroup(Name => $one->{{name}});
    $ok or die $said;
    $group->AddCustomFieldValue(Field => 'SMS Approval', Value => $one->{{approval}}) if $one->{{approval}};
    $group->AddMember($id{{$_}}) for @{{ $one->{{members}} }};
    $id{{ $one->{{key}} }} = "" . $group->id;
  }}
  open my $ids, '>', "{folder}/ids.json" or die $!; print $ids JSON::encode_json({{ %id }}); close $ids;
}} );
1;
"""

# Who is there from the start, made by RT's own code: companies, one within another; people with every kind of name
# and number.
TOWN: dict[str, list[dict[str, Any]]] = {
    "users": [
        {"key": "ann", "Name": "ann@example.com", "RealName": "Änn Ünïcode 株式", "MobilePhone": "(202) 555-0110"},
        {
            "key": "bob",
            "Name": "bob@example.com",
            "WorkPhone": "202.555.0111 x12",
            "Disabled": 1,
            "fields": {"SMS Opt-In": ["Opted-Out"]},
        },
        {
            "key": "cy",
            "Name": "cy",
            "HomePhone": "555-0114",
            "fields": {"SMS Opt-In": ["Opted-In"], "SMS Phone": ["+1 202 555 0112", "tel: 2025550113"]},
        },
        {"key": "dee", "Name": "12345", "WorkPhone": "+1-202-555-0115 / 202 555 0116"},
        {"key": "eve", "Name": "eve o'neil+x@example.com", "MobilePhone": "n/a"},
        {"key": "e2e_ann", "Name": "e2e-ann", "MobilePhone": "2035550100"},
        {
            "key": "e2e_bob",
            "Name": "e2e-bob",
            "WorkPhone": "+1 (203) 555-0101",
            "fields": {"SMS Opt-In": ["Opted-In"]},
        },
        {
            "key": "e2e_cy",
            "Name": "e2e-cy",
            "fields": {"SMS Opt-In": ["Opted-In"], "SMS Phone": ["203.555.0102"], "Badge": ["blue"]},
        },
    ],
    "groups": [
        {"key": "sales", "name": "Acme Vertrieb", "members": ["dee"]},
        {"key": "acme", "name": "Acme", "approval": "Approved", "members": ["ann", "bob", "sales"]},
        {"key": "bolt", "name": "Bölt & Söhne", "approval": "Opted-Out", "members": ["cy"]},
        {"key": "end", "name": "End & Co", "approval": "Approved", "members": ["e2e_ann", "e2e_bob", "e2e_cy"]},
    ],
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs RT where it is not installed, and say how to get it."""
    reason = None
    if not SERVER.exists() or not Path(SETUP).exists():
        reason = "Request Tracker 5 is not installed; `sudo bash .ci/install-rt` does it"
    for item in items:
        if reason and item.get_closest_marker("rt"):
            item.add_marker(pytest.mark.skip(reason=reason))


class RealRt:
    """One running RT. `call` is what its administrator does; `token` is that of syncd's own account."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.base_url = f"http://127.0.0.1:{port}"
        self.database = folder / "rt.db"
        self.ids: dict[str, str] = json.loads((folder / "ids.json").read_text(encoding="ascii"))
        self.token = self.token_of("syncd")
        self._staff = self.token_of("staff")
        with (folder / "server.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*ENDS_WITH_US, str(SERVER), "--host", "127.0.0.1", "--port", str(port), "--max-workers", "4"],
                env=_environment(folder),
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                user=_ordinary_user(),
            )

    def token_of(self, name: str) -> str:
        return (self.folder / f"{name}.token").read_text(encoding="ascii").strip()

    def wait_until_up(self) -> None:
        """RT is up when it answers an unknown caller with 401."""
        give_up = time.monotonic() + PREPARED
        while True:
            assert self.process.poll() is None, (self.folder / "server.log").read_text()
            try:
                urllib.request.urlopen(self.base_url + "/REST/2.0/rt", timeout=10)
            except urllib.error.HTTPError as error:
                error.close()
                return
            except OSError:
                assert time.monotonic() < give_up, (self.folder / "server.log").read_text()
                time.sleep(0.1)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call of REST 2.0 with all rights."""
        request = urllib.request.Request(
            f"{self.base_url}/REST/2.0{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self._staff}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            said = answer.read()
            return json.loads(said) if said else None

    def add_members(self, group: str, *members: str) -> None:
        self.call("PUT", f"/group/{group}/members", list(members))

    def remove_member(self, group: str, member: str) -> None:
        self.call("DELETE", f"/group/{group}/member/{member}")

    def add_user(self, name: str, consent: str | None = None, phones: list[str] | None = None, **more: Any) -> str:
        fields = {"SMS Opt-In": consent, "SMS Phone": phones, "Badge": "blue"}
        body = {"Name": name, "CustomFields": {key: value for key, value in fields.items() if value}} | more
        disabled = body.pop("Disabled", None)
        self.call("POST", "/user", body)
        found = self.call("POST", "/users?fields=id", [{"field": "Name", "value": name}])  # a name may be a number
        user = str(found["items"][0]["id"])
        if disabled:
            self.call("PUT", f"/user/{user}", {"Disabled": 1})
        return user

    def user(self, name: str) -> Any:
        return self.call("GET", f"/user/{name}")

    def field(self, user: str, name: str) -> list[str]:
        listed = self.user(user)["CustomFields"]
        return next(one["values"] for one in listed if one["name"] == name)

    def stop(self) -> None:
        """End the server and the workers that it forked, which are one process group of their own."""
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


def _ordinary_user() -> str | None:
    """Root gives its rights away; everybody else stays who they are."""
    return "nobody" if os.geteuid() == 0 else None


def _environment(folder: Path) -> dict[str, str]:
    # Both are needed: with the first alone RT reads files in /etc that only root may read.
    own = {"RT_SITE_CONFIG": str(folder / "RT_SiteConfig.pm"), "RT_SITE_CONFIG_DIR": str(folder / "conf.d")}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"} | own


def _hand_over(folder: Path) -> None:
    user = _ordinary_user()
    if user:
        entry = pwd.getpwnam(user)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, entry.pw_uid, entry.pw_gid)


def _configure(folder: Path, port: int) -> None:
    for name in ("conf.d", "mason", "sess"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "RT_SiteConfig.pm").write_text(CONFIG.format(folder=folder, port=port), encoding="ascii")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _new_folder() -> Path:
    """In memory where that can be: RT writes to its database at every request, and waits for the disk."""
    memory = Path("/dev/shm")
    usable = memory.is_dir() and os.access(memory, os.W_OK)
    return Path(tempfile.mkdtemp(prefix="syncd-rt-", dir=memory if usable else None))


@contextmanager
def _running(prepared: Path, database: str) -> Iterator[RealRt]:
    """A new RT with a copy of one of the databases."""
    folder = _new_folder()
    port = _free_port()
    for path in (*prepared.glob("*.token"), prepared / "ids.json"):
        shutil.copy(path, folder)
    shutil.copy(prepared / database, folder / "rt.db")
    _configure(folder, port)
    _hand_over(folder)
    server = RealRt(folder, port)
    try:
        server.wait_until_up()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def prepared() -> Iterator[Path]:
    """Two databases: `bare.db` has the fields and two accounts, `rt.db` all accounts and the town."""
    folder = _new_folder()
    _configure(folder, 1)
    (folder / "data.pl").write_text(DATA.format(folder=folder), encoding="ascii")
    (folder / "town.json").write_text(json.dumps(TOWN), encoding="ascii")
    _hand_over(folder)
    for action in (["--action", "init"], ["--action", "insert", "--datafile", str(folder / "data.pl")]):
        done = subprocess.run(
            [SETUP, "--skip-create", *action],
            env=_environment(folder),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            user=_ordinary_user(),
        )
        assert done.returncode == 0, done.stdout + done.stderr
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def rt(prepared: Path) -> Iterator[RealRt]:
    """A fresh RT with the town, for a module."""
    with _running(prepared, "rt.db") as server:
        yield server


@pytest.fixture(scope="session")
def office(prepared: Path) -> Iterator[Office]:
    """An RT where nobody is but its accounts; tests share it, and each begins with `reset`."""
    with _running(prepared, "bare.db") as server, closing(Office(server)) as people:
        yield people
