"""syncd keeps texting consent true in the PSA of a managed service provider."""

__version__ = "0.1.0"
