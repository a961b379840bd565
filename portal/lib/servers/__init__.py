"""Embedded PostgreSQL and Valkey: one supervisor owns both, everybody else reads an address.

Made for trying Remit out and for tests; production names its own by DATABASE_URL and
BROKER_URL. No Django here: the settings read these addresses.
"""

from portal.lib.servers.account import ServersError
from portal.lib.servers.supervisor import (
    Addresses,
    Servers,
    embedded_servers,
    read_addresses,
)

__all__ = ["Addresses", "Servers", "ServersError", "embedded_servers", "read_addresses"]
