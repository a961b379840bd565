"""As test_kills_life, on real Keystone."""

from collections.abc import Iterator

import pytest

from contrib.testing.clouds import FaultySite
from portal.testing.servers import DatabaseCopy
from quotas.tests.reliability.test_kills_life import POINTS, Killing, Point, _killing, check

pytestmark = pytest.mark.needs("openstack")
SAMPLE = [
    point
    for point in POINTS
    if (point.act, point.when, point.step.name)
    in {("leave", "after", "take back"), ("suspend", "before", "disable"),
        ("close", "after", "disable"), ("close", "before", "delete")}
]  # fmt: skip


@pytest.fixture(scope="module")
def killing(proxied_openstack: FaultySite, module_database: DatabaseCopy) -> Iterator[Killing]:
    yield from _killing(proxied_openstack, module_database, SAMPLE)


@pytest.mark.parametrize("point", SAMPLE, ids=str)
def test_a_worker_killed_at_a_call_leaves_what_was_decided(killing: Killing, point: Point) -> None:
    check(killing, point)
