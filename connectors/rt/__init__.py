"""Request Tracker 5 by REST 2.0: groups are companies, users are contacts, one custom field is kept."""

from connectors.rt.connector import Rt

__all__ = ["Rt"]
