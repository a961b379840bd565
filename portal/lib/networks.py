"""Networks as the settings name them."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

Network = IPv4Network | IPv6Network


def networks_from(texts: Iterable[str]) -> list[Network]:
    """Read "10.1.0.0/16" and the like; raises ValueError with the item that is none."""
    found: list[Network] = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError:
            raise ValueError(text) from None
    return found
