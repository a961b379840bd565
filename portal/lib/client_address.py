"""Where does a call come from? Behind proxies that the site trusts, as these say.

Anybody can write X-Forwarded-For. What counts is what the last proxy that is ours added: the
list is read from its end, and the first address that is none of our proxies is the client.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from django.conf import settings

Address = IPv4Address | IPv6Address


def client_address(meta: Mapping[str, Any]) -> Address | None:
    """The address of whoever called; None where it cannot be told. meta: of the request."""
    here = str(meta.get("REMOTE_ADDR", ""))
    address = _read(here)
    # A server on a socket of the file system sees no address: who can open it is the proxy.
    is_socket = not here and settings.TRUSTED_UNIX_SOCKET
    if not is_socket and not _is_trusted(address):
        return address
    header = str(meta.get("HTTP_X_FORWARDED_FOR", ""))
    for text in reversed(header.split(",") if header.strip() else []):
        address = _read(text.strip())
        if not _is_trusted(address):
            return address
    return address


def _is_trusted(address: Address | None) -> bool:
    return address is not None and any(address in each for each in settings.TRUSTED_PROXIES)


def _read(text: str) -> Address | None:
    """An address as proxies write it: some add the port. IPv4 within IPv6 is IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found
