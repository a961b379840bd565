"""Calls are limited exactly, by one count for all, and by none where Redis is away or hangs."""

import threading
import time
from collections.abc import Iterator

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from portal.health import collect_limits
from portal.lib import pace
from portal.lib.client_address import client_address
from portal.lib.networks import networks_from
from portal.lib.servers.valkey import Valkey


@pytest.fixture
def limited(broker: Valkey, settings: Settings) -> Iterator[Valkey]:
    """Ten at once, and one a second in the long run."""
    settings.LIMITS_URL = broker.url
    settings.API_RATE_PER_MINUTE = 60
    settings.API_RATE_BURST = 10
    pace.forget_failure()
    yield broker
    pace.forget_failure()


def is_shown_up() -> float:
    (family,) = collect_limits()
    (sample,) = family.samples
    return sample.value


def test_a_burst_is_let_through_and_the_next_call_waits(limited: Valkey) -> None:
    found = [pace.take("token:1") for _number in range(11)]
    assert [each.is_allowed for each in found if each] == [True] * 10 + [False]
    assert [each.left for each in found if each] == [*range(9, -1, -1), 0]
    refused = found[-1]
    assert refused is not None
    assert 0 < refused.wait_seconds <= 1
    # A refused call takes nothing, and another caller has a bucket of their own.
    again, other = pace.take("token:1"), pace.take("person:1")
    assert again is not None
    assert again.wait_seconds <= refused.wait_seconds
    assert other is not None
    assert other.left == 9


def test_what_is_left_fills_again_with_time(limited: Valkey, settings: Settings) -> None:
    settings.API_RATE_PER_MINUTE = 60_000
    settings.API_RATE_BURST = 1
    allowed = 0
    started = time.monotonic()
    while time.monotonic() - started < 0.2:
        found = pace.take("token:1")
        allowed += found is not None and found.is_allowed
    elapsed = time.monotonic() - started
    assert 2 <= allowed <= elapsed * 1000 + 2


def test_the_headers_are_those_of_the_draft(limited: Valkey) -> None:
    found = pace.take("token:1")
    assert found is not None
    assert found.headers() == {
        "RateLimit-Policy": '"api";q=10;w=10', "RateLimit": '"api";r=9;t=1',
    }  # fmt: skip


def test_many_threads_share_one_count(limited: Valkey) -> None:
    results: list[bool] = []
    barrier = threading.Barrier(8)

    def call() -> None:
        barrier.wait(timeout=20)
        for _number in range(10):
            found = pace.take("token:1")
            results.append(found is not None and found.is_allowed)

    threads = [threading.Thread(target=call) for _number in range(8)]
    started = time.monotonic()
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert 10 <= sum(results) <= 10 + int(time.monotonic() - started) + 1


@pytest.mark.parametrize("how", ["stopped", "hanging"])
def test_without_redis_nobody_is_limited_and_one_call_waits(limited: Valkey, how: str) -> None:
    assert pace.take("token:1") is not None
    assert is_shown_up() == 1
    if how == "stopped":
        limited.kill()
    else:
        limited.suspend()
    started = time.monotonic()
    assert [pace.take("token:1") for _number in range(200)] == [None] * 200
    # One timeout of 50 ms, shared by all of them.
    assert time.monotonic() - started < 1
    assert is_shown_up() == 0
    if how == "stopped":
        limited.start()
    else:
        limited.resume()
    pace.forget_failure()
    assert pace.take("token:1") is not None
    assert is_shown_up() == 1


def test_while_it_is_away_only_one_call_in_a_while_tries(
    limited: Valkey, settings: Settings
) -> None:
    limited.kill()
    settings.BROKER_PAUSE_SECONDS = 300
    assert pace.take("token:1") is None
    limited.start()
    assert pace.take("token:1") is None
    settings.BROKER_PAUSE_SECONDS = 0
    assert pace.take("token:1") is not None


def test_another_broker_than_redis_limits_nobody_and_says_so(settings: Settings) -> None:
    settings.LIMITS_URL = ""
    settings.API_RATE_PER_MINUTE = 60
    assert pace.take("token:1") is None
    assert is_shown_up() == 0


def test_a_site_without_limits_is_not_degraded(settings: Settings) -> None:
    settings.API_RATE_PER_MINUTE = 0
    assert pace.take("token:1") is None
    (family,) = collect_limits()
    assert family.samples == []


ADDRESSES = [
    # Without a trusted proxy the header is anybody's invention.
    ([], "192.0.2.9", "10.0.0.1", "192.0.2.9"),
    (["10.0.0.0/8"], "192.0.2.9", "10.0.0.1", "192.0.2.9"),
    # What the proxy added last counts; what the client sent before it does not.
    (["10.0.0.0/8"], "10.0.0.1", "198.51.100.7", "198.51.100.7"),
    (["10.0.0.0/8"], "10.0.0.1", "203.0.113.5, 198.51.100.7", "198.51.100.7"),
    (["10.0.0.0/8"], "10.0.0.1", "203.0.113.5, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
    (["10.0.0.0/8"], "10.0.0.1", "10.9.9.9", "10.9.9.9"),
    (["10.0.0.0/8"], "10.0.0.1", "", "10.0.0.1"),
    # Not to be read: nobody knows.
    (["10.0.0.0/8"], "10.0.0.1", "198.51.100.7, unknown", None),
    (["10.0.0.0/8"], "10.0.0.1", "198.51.100.7,", None),
    (["10.0.0.0/8"], "10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
    (["2001:db8::/32"], "2001:db8::1", "[2001:db9::7]:443", "2001:db9::7"),
    (["10.0.0.0/8"], "::ffff:10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
    ([], "", "198.51.100.7", None),
    (["unix"], "", "203.0.113.5, 198.51.100.7", "198.51.100.7"),
    (["unix"], "192.0.2.9", "198.51.100.7", "192.0.2.9"),
]


@pytest.mark.parametrize(("trusted", "here", "forwarded", "expected"), ADDRESSES)
def test_where_a_call_comes_from(
    settings: Settings, trusted: list[str], here: str, forwarded: str, expected: str | None
) -> None:
    settings.TRUSTED_UNIX_SOCKET = "unix" in trusted
    settings.TRUSTED_PROXIES = networks_from(each for each in trusted if each != "unix")
    request = RequestFactory().get("/", REMOTE_ADDR=here, headers={"X-Forwarded-For": forwarded})
    found = client_address(request.META)
    assert (None if found is None else str(found)) == expected
