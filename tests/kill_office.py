"""The PSAs of the crash matrix: the desks of the contract suite, which can also be put back to how they were."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

from desk_connectwise import ConnectWiseDesk
from desks import CONSENT, OPT_IN, AutotaskDesk, LocalDesk

from syncd.model import Consent
from syncd.sandbox.exchange import Request
from syncd.testing import Desk

# What a stand-in knows, and what it counts, such as calls of the last hour; everything else of it is the wire.
AUTOTASK = ("contacts", "companies", "writes", "_next_ids", "_usage", "_used")
CONNECTWISE = ("records", "writes", "_next_ids", "_next_item", "_calls")


class Office:
    """A PSA with its people. `records` is all that it holds, every field of every record."""

    connector = ""
    desk: Desk
    kept: tuple[str, ...] = ()

    def save(self) -> Any:
        """All that it holds, to be put back."""
        return copy.deepcopy({name: getattr(self.desk.wire, name) for name in self.kept})

    def load(self, saved: Any) -> None:
        """Put it back."""
        for name, value in copy.deepcopy(saved).items():
            setattr(self.desk.wire, name, value)

    def records(self) -> Any:
        """Everything, without dates: those of a second try are its own."""
        raise NotImplementedError

    def wanted(self, request: Request) -> tuple[str, Consent | None]:
        """The contact that a writing request is for, and the value that it sets."""
        raise NotImplementedError


class AutotaskOffice(Office):
    """The stand-in for Autotask."""

    connector = "autotask"
    kept = AUTOTASK

    def __init__(self, folder: Path) -> None:
        self.desk = AutotaskDesk()

    def records(self) -> Any:
        return self.desk.server.snapshot(without=["createDate"])

    def wanted(self, request: Request) -> tuple[str, Consent | None]:
        sent = request.json()
        [field] = sent["userDefinedFields"]
        word = self.desk.server.contacts.udfs[OPT_IN.lower()].label_of(field["value"])
        return str(sent["id"]), CONSENT[word]


class ConnectWiseOffice(Office):
    """The stand-in for ConnectWise PSA."""

    connector = "connectwise"
    kept = CONNECTWISE

    def __init__(self, folder: Path) -> None:
        self.desk = ConnectWiseDesk()

    def records(self) -> Any:
        return self.desk.server.snapshot()

    def wanted(self, request: Request) -> tuple[str, Consent | None]:
        ours = self.desk.server.field("Contacts", OPT_IN).id
        [operation] = request.json()
        [word] = [field["value"] for field in operation["value"] if field["id"] == ours]
        return request.path.rpartition("/")[2], CONSENT[word]


class LocalOffice(Office):
    """Two CSV files below the folder whose file operations are counted."""

    connector = "local"

    def __init__(self, folder: Path) -> None:
        self.desk = _LocalDeskIn(folder / "psa")

    def save(self) -> Any:
        return self.desk._last  # the files lie in the folder that is saved as a whole

    def load(self, saved: Any) -> None:
        self.desk._last = saved

    def records(self) -> Any:
        return {path.name: path.read_text(encoding="utf-8") for path in sorted(self.desk.folder.iterdir())}


class _LocalDeskIn(LocalDesk):
    def __init__(self, folder: Path) -> None:
        self._wanted = folder

    def start(self) -> None:
        super().start()
        shutil.move(self.folder, self._wanted)
        self.folder = self._wanted
        self._companies, self._contacts = (self.folder / name for name in ("companies.csv", "contacts.csv"))


OFFICES: dict[str, type[Office]] = {
    office.connector: office for office in (AutotaskOffice, LocalOffice, ConnectWiseOffice)
}
