"""Autotask PSA by its REST API: companies and contacts by query, one user-defined field of contacts by PATCH."""

from connectors.autotask.connector import Autotask

__all__ = ["Autotask"]
