"""Which addresses a webhook may have, as it is written and as a name resolves at connect time.

What is written is checked when it is typed; where it leads is checked at each connection, on the
very address that is then connected to. It never looks anything up.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from portal.lib.networks import Network

MAX_URL = 500
# Ports below are of services that are no web servers: mail, shells, directories.
FIRST_FREE_PORT = 1024
WEB_PORTS = (80, 443)
_HOST = re.compile(r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9-]{1,63}", re.I)
# IPv4 addresses in other forms that a resolver would read: 2130706433, 0x7f.1, 127.1, 010.0.0.1.
_NUMBERS = re.compile(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+))*", re.I)
# IPv6 that carries IPv4: translated (RFC 6052), and compatible, which nobody uses any more.
_CARRYING = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
# Translation within a site (RFC 8215): where it leads is the site's own business.
_LOCAL_TRANSLATION = IPv6Network("64:ff9b:1::/48")


@dataclass(frozen=True)
class Reach:
    """What a site says of networks beside the public addresses, which are called by default.

    allowed: called though private; refused: not called though public, which counts for more.
    """

    allowed: Collection[Network] = ()
    refused: Collection[Network] = ()


PUBLIC = Reach()


class WrongUrl(ValueError):
    """An address that no webhook may have, with the sentence that says why."""


@dataclass(frozen=True)
class Address:
    """Where a webhook calls, taken apart. host: a name, or an IP address without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """What the Host header says; without the port of the scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_secure else 80) else f"{host}:{self.port}"


def parse(url: str, *, may_be_plain: bool, reach: Reach = PUBLIC) -> Address:
    """Take an address apart; raises WrongUrl. may_be_plain: http is allowed on this site."""
    if not url or len(url) > MAX_URL:
        raise WrongUrl(_("Give an address of up to %(most)s characters.") % {"most": MAX_URL})
    if not (url.isascii() and url.isprintable()) or set(url) & set(' "<>\\^`{|}'):
        raise WrongUrl(_("Write it in ASCII, without spaces; names of hosts as xn--…."))
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        raise WrongUrl(_("That is no address: write https://host/path.")) from None
    if parts.scheme not in ("https", "http") or not host:
        raise WrongUrl(_("That is no address: write https://host/path."))
    if parts.scheme == "http" and not may_be_plain:
        raise WrongUrl(_("Only https is allowed here."))
    if "@" in parts.netloc:
        raise WrongUrl(_("Leave name and password out: calls are signed instead."))
    if "#" in url:
        raise WrongUrl(_("Leave out what stands after “#”: it is never sent."))
    port = (443 if parts.scheme == "https" else 80) if port is None else port
    if port not in WEB_PORTS and not FIRST_FREE_PORT <= port <= 65535:
        words = {"first": FIRST_FREE_PORT}
        raise WrongUrl(_("Use port 443, 80, or one from %(first)s on.") % words)
    if "[" in parts.netloc and ":" not in host:
        raise WrongUrl(_("Only an IPv6 address stands in brackets."))
    _check_host(host, reach)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(parts.scheme, host, port, path)


def _check_host(host: str, reach: Reach) -> None:
    try:
        literal = ip_address(host)
    except ValueError:
        if _NUMBERS.fullmatch(host) or not _HOST.fullmatch(host):
            raise WrongUrl(_("“%(host)s” is no name of a host.") % {"host": host[:80]}) from None
        return
    if not may_reach(str(literal), reach):
        raise WrongUrl(_("%(host)s is an address which this site does not call.") % {
            "host": host
        })  # fmt: skip


def may_reach(text: str, reach: Reach = PUBLIC) -> bool:
    """Whether an IP address may be connected to: a public one, or one that the site allows.

    An IPv6 address that carries an IPv4 one is judged by that one too. Anything that is no
    plain address, as one with a scope, may not.
    """
    try:
        found = ip_address(text)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.scope_id:
        return False
    inner = _carried(found)
    for each in (found, inner) if inner is not None else (found,):
        if any(each in network for network in reach.refused):
            return False
        if any(each in network for network in reach.allowed):
            continue
        # The address that only carries another one is as good as what it carries.
        if each is found and inner is not None:
            continue
        if not each.is_global or each.is_multicast or each.is_reserved or each.is_unspecified:
            return False
        if isinstance(each, IPv6Address) and (each.is_site_local or each in _LOCAL_TRANSLATION):
            return False
    return True


def _carried(found: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to: mapped, compatible, 6to4, Teredo, NAT64."""
    if isinstance(found, IPv4Address):
        return None
    if found.ipv4_mapped is not None:
        return found.ipv4_mapped
    if found.sixtofour is not None:
        return found.sixtofour
    if found.teredo is not None:
        return found.teredo[1]
    if any(found in network for network in _CARRYING):
        return IPv4Address(int(found) & 0xFFFFFFFF)
    return None
