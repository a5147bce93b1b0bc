"""What is deployed: exactly the files that `requirements.lock` names, and no more of them than are needed."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")

# A package, where it is needed, and its hashes, as one logical line.
_ENTRY = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>[0-9][\w.]*)(?: ; (?P<marker>[^\\]+?))?(?P<hashes>(?: --hash=\S+)+)"
)


def logical_lines() -> list[str]:
    """The file without its comments, continued lines joined."""
    kept = "\n".join(line for line in LOCK.splitlines() if not line.lstrip().startswith("#"))
    return [re.sub(r"\s+", " ", line).strip() for line in re.sub(r"\\\n", " ", kept).splitlines() if line.strip()]


@cache
def locked() -> dict[str, re.Match[str]]:
    found = {}
    for line in logical_lines():
        entry = _ENTRY.fullmatch(line)
        assert entry, line
        assert entry["name"] not in found, f"{entry['name']} is locked twice"
        found[entry["name"]] = entry
    return found


def wanted() -> list[Requirement]:
    """What pyproject.toml asks for, to build syncd and to run it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [
        Requirement(one) for one in (*project["project"]["dependencies"], *project["build-system"]["requires"])
    ]


def test_every_line_is_one_version_with_its_hashes() -> None:
    assert len(locked()) >= len(wanted())
    for name, entry in locked().items():
        hashes = entry["hashes"].split()
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes), name
        assert len(set(hashes)) == len(hashes), name


def test_it_names_no_place_to_get_them_from() -> None:
    """That is for the machine to say; a place in here would overrule it."""
    assert not re.search(
        r"://|--index|--extra-index|--find-links|--trusted|(^|\s)(-i|-f|-e|-r|-c)\s|@ ", LOCK, re.MULTILINE
    )


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_it_satisfies_what_is_asked_for(requirement: Requirement) -> None:
    entry = locked().get(canonicalize_name(requirement.name))
    assert entry, "lock it: the command stands at the top of requirements.lock"
    assert entry["marker"] is None, "needed everywhere"
    assert requirement.specifier.contains(entry["version"])


@pytest.mark.parametrize("name", sorted(locked()))
def test_what_they_need_themselves_is_locked_too(name: str) -> None:
    """As far as the packages that are installed here can tell; pip refuses a lock that is not complete."""
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        pytest.skip("not installed here")
    if installed.version != locked()[name]["version"]:
        pytest.skip(f"another version is installed here: {installed.version}")
    for text in installed.requires or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not applies(requirement.marker):
            continue
        entry = locked().get(canonicalize_name(requirement.name))
        assert entry, f"{name} needs {requirement}"
        assert requirement.specifier.contains(Version(entry["version"])), f"{name} needs {requirement}"


def applies(marker: Marker) -> bool:
    """Whether it holds on Linux for a Python that we support, without extras."""
    here = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "extra": ""}
    return any(
        marker.evaluate(here | {"python_version": version, "python_full_version": f"{version}.9"})
        for version in SUPPORTED
    )


def test_nothing_is_locked_that_nobody_asks_for() -> None:
    """`# via` says who does; each chain must end in pyproject.toml."""
    askers: dict[str, set[str]] = {}
    name = ""
    for line in LOCK.splitlines():
        if entry := re.match(r"([a-z0-9-]+)==", line):
            name = entry[1]
            askers[name] = set()
        elif comment := re.match(r"\s+#\s+(?:via\s+)?(\S.*)", line):
            askers[name].add(comment[1])
    roots = {canonicalize_name(one.name) for one in wanted()}
    reached, before = set(roots), set[str]()
    while reached != before:
        before = set(reached)
        reached |= {one for one, by in askers.items() if by & reached}
    assert set(askers) == reached


def test_the_page_on_security_says_why_each_of_them_is_there() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    table = page.split("\n## What is installed", 1)[1].split("\n## ", 1)[0]
    explained = {
        name
        for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    }
    assert {canonicalize_name(one) for one in explained} == {canonicalize_name(one.name) for one in wanted()}
