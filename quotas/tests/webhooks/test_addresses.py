"""Which addresses a webhook may have, as written and as resolved: one table each."""

from ipaddress import ip_network

import pytest

from projects.outgoing.addresses import Reach, WrongUrl, may_reach, parse

OURS = [ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")]

REACHED = {
    "93.184.216.34": True,
    "2606:2800:220:1::1": True,
    # Private, loopback, unspecified, link-local (the metadata address too), shared, broadcast.
    "10.0.0.1": False,
    "172.16.5.4": False,
    "192.168.1.1": False,
    "127.0.0.1": False,
    "127.9.9.9": False,
    "0.0.0.0": False,
    "169.254.169.254": False,
    "100.64.0.1": False,
    "255.255.255.255": False,
    "224.0.0.1": False,
    "240.0.0.1": False,
    "192.0.2.1": False,
    "198.18.0.1": False,
    "::": False,
    "::1": False,
    "fe80::1": False,
    "fe80::1%eth0": False,
    "fec0::1": False,
    "fc00::1": False,
    "fd12:3456::1": False,
    "ff02::1": False,
    "2001:db8::1": False,
    # IPv4 inside of IPv6 is judged by what it carries.
    "::ffff:127.0.0.1": False,
    "::ffff:169.254.169.254": False,
    "::ffff:93.184.216.34": True,
    "::127.0.0.1": False,
    "64:ff9b::7f00:1": False,
    "64:ff9b::a9fe:a9fe": False,
    "64:ff9b:1::5db8:d822": False,
    "2002:7f00:1::1": False,
    "2002:a9fe:a9fe::1": False,
    # No addresses at all, though a resolver would read them.
    "2130706433": False,
    "0x7f000001": False,
    "127.1": False,
    "": False,
}

# Of networks that the site allows, and of their neighbours.
ALLOWED = {
    "10.1.2.3": True,
    "10.2.0.1": False,
    "::ffff:10.1.2.3": True,
    "::ffff:10.2.0.1": False,
    "fd00:1::5": True,
    "fd00:2::5": False,
    "127.0.0.1": False,
}

WRITTEN = {
    "https://hooks.example.org/in": True,
    "https://hooks.example.org./in?a=b": True,
    "https://hooks.example.org:8443/": True,
    "https://HOOKS.example.org": True,
    "https://xn--bcher-kva.example/": True,
    "https://[2606:2800:220:1::1]:443/": True,
    "https://93.184.216.34/": True,
    "http://hooks.example.org/": False,
    "ftp://hooks.example.org/": False,
    "file:///etc/passwd": False,
    "//hooks.example.org/": False,
    "hooks.example.org": False,
    "": False,
    "https://": False,
    "https://:443/": False,
    "https://./": False,
    "https://user@hooks.example.org/": False,
    "https://user:secret@hooks.example.org/": False,
    "https://hooks.example.org@127.0.0.1/": False,
    "https://hooks.example.org\\@127.0.0.1/": False,
    "https://hooks.example.org/#part": False,
    "https://hooks.example.org/a b": False,
    "https://hooks.example.org/\r\nHost: x": False,
    "https://bücher.example/": False,
    "https://hooks.example.org:0/": False,
    "https://hooks.example.org:25/": False,
    "https://hooks.example.org:22/": False,
    "https://hooks.example.org:70000/": False,
    "https://hooks.example.org:abc/": False,
    "https://127.0.0.1/": False,
    "https://[::1]/": False,
    "https://[::ffff:10.0.0.1]/": False,
    "https://[fe80::1%25eth0]/": False,
    "https://169.254.169.254/latest/meta-data/": False,
    "https://2130706433/": False,
    "https://0x7f.0.0.1/": False,
    "https://0x7f000001/": False,
    "https://127.1/": False,
    "https://0177.0.0.1/": False,
    "https://256.1.1.1/": False,
    "https://exa%6dple.org/": False,
    "https://" + "a" * 64 + ".org/": False,
    "https://hooks.example.org/" + "x" * 500: False,
}


@pytest.mark.parametrize(("text", "is_reached"), REACHED.items())
def test_only_public_addresses_are_reached(text: str, is_reached: bool) -> None:
    assert may_reach(text) is is_reached


@pytest.mark.parametrize(("text", "is_reached"), ALLOWED.items())
def test_a_site_may_allow_networks(text: str, is_reached: bool) -> None:
    assert may_reach(text, Reach(OURS)) is is_reached


@pytest.mark.parametrize(("url", "is_taken"), WRITTEN.items())
def test_an_address_is_taken_or_refused_as_it_is_written(url: str, is_taken: bool) -> None:
    if is_taken:
        assert parse(url, may_be_plain=False).is_secure
        return
    with pytest.raises(WrongUrl, match=r"\.$"):
        parse(url, may_be_plain=False)


def test_http_is_for_sites_that_allow_it() -> None:
    found = parse("http://hooks.example.org/in?x=1", may_be_plain=True)
    assert (found.port, found.target, found.authority) == (80, "/in?x=1", "hooks.example.org")
    assert parse(
        "http://[::ffff:10.1.0.9]:8080", may_be_plain=True, reach=Reach(OURS)
    ).authority == ("[::ffff:10.1.0.9]:8080")


def test_a_site_refuses_public_networks_of_its_own_and_that_counts_for_more() -> None:
    own = Reach(allowed=[ip_network("188.184.7.0/24")], refused=[ip_network("188.184.0.0/15")])
    assert not may_reach("188.184.1.1", own)
    assert not may_reach("188.184.7.1", own)
    assert not may_reach("::ffff:188.184.1.1", own)
    assert may_reach("8.8.8.8", own)


def test_only_ipv6_stands_in_brackets() -> None:
    with pytest.raises(WrongUrl, match="brackets"):
        parse("https://[v1.x]/", may_be_plain=False)
