"""The command line client of Remit. It knows the REST API, and nothing of the portal's code."""

__version__ = "0.1.0"
