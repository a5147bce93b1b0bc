"""HaloPSA by its REST API: clients and users page by page, one custom field of users by POST."""

from connectors.halopsa.connector import HaloPsa

__all__ = ["HaloPsa"]
