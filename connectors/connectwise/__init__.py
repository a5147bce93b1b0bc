"""ConnectWise PSA by its REST API: companies and contacts page by page, one custom field of contacts by PATCH."""

from connectors.connectwise.connector import ConnectWise

__all__ = ["ConnectWise"]
