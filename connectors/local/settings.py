"""What the admin may say about the folder."""

from __future__ import annotations

from pathlib import Path

from pydantic import field_validator

from syncd.connector import Settings


class LocalSettings(Settings):
    """`path`: the folder that holds companies.csv and contacts.csv; a relative one is taken as given."""

    path: str | Path

    @field_validator("path")
    @classmethod
    def _names_a_folder(cls, path: str | Path) -> str | Path:
        if not str(path).strip() or "\0" in str(path):
            raise ValueError("must name the folder that holds companies.csv and contacts.csv")
        return path

    @property
    def folder(self) -> Path:
        """The folder."""
        return Path(self.path)
