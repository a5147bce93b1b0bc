"""Find connectors: every installed distribution may offer some under the entry point group `syncd.connectors`.

Those that come with syncd are found in the same way. One that cannot be used never stands in another's way.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from syncd.connector import Connector, Settings
from syncd.errors import ConfigProblem

GROUP = "syncd.connectors"


@dataclass(frozen=True, slots=True)
class Offer:
    """A connector by its name, and who offers it. `connector` is None where `problem` says why it is unusable."""

    name: str
    distribution: str
    connector: type[Connector] | None
    problem: str = ""


def available() -> dict[str, Offer]:
    """Every connector that is installed, usable or not, sorted by name."""
    return {name: _offer(name, points) for name, points in sorted(_by_name().items())}


def find(name: str) -> type[Connector]:
    """The connector of that name, loading no other; ConfigProblem if there is none or it cannot be used."""
    points = _by_name()
    if name not in points:
        raise ConfigProblem(_unknown(name, sorted(points)))
    offer = _offer(name, points[name])
    if offer.connector is None:
        raise ConfigProblem(offer.problem)
    return offer.connector


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.strip().lower(), known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    listed = ", ".join(known) or "none; install syncd as a package"
    return f"there is no connector {name[:60]!a}; {hint}installed: {listed}"


def _by_name() -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, []).append(point)
    return found


def _offer(name: str, points: list[EntryPoint]) -> Offer:
    sources = _sources(points)
    if len(points) > 1:
        return Offer(name, sources, None, f"the connector {name!r} is offered by {sources}; uninstall one of them")
    try:
        loaded = points[0].load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  it is somebody else's code
        why = f"{type(error).__name__}: {error}"[:300]
        return Offer(name, sources, None, f"the connector {name!r} of {sources} cannot be loaded ({why})")
    if not _is_connector(loaded):
        return Offer(
            name, sources, None, f"{points[0].value!r} of {sources} is not a connector for this version of syncd"
        )
    return Offer(name, sources, loaded)


def _is_connector(loaded: object) -> bool:
    if not (isinstance(loaded, type) and issubclass(loaded, Connector)):
        return False
    model = getattr(loaded, "settings_model", None)
    return isinstance(model, type) and issubclass(model, Settings)


def _sources(points: Iterable[EntryPoint]) -> str:
    """The distributions with their versions, as `pip list` shows them."""
    names = {f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package" for point in points}
    return " and ".join(sorted(names))
