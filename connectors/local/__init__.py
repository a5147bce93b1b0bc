"""Companies and contacts in two CSV files of a folder: for a small shop, a trial and the demo."""

from connectors.local.connector import Local

__all__ = ["Local"]
