"""As test_kills, at a sample of the points, on real Keystone, Nova and Cinder."""

from collections.abc import Iterator

import pytest

from contrib.testing.clouds import FaultySite
from portal.testing.servers import DatabaseCopy
from quotas.queries.accounts import audit
from quotas.tests.reliability.test_kills import SAMPLE, Killing, Point, _killing, check

pytestmark = pytest.mark.needs("openstack")


@pytest.fixture(scope="module")
def killing(proxied_openstack: FaultySite, module_database: DatabaseCopy) -> Iterator[Killing]:
    yield from _killing(proxied_openstack, module_database, SAMPLE)


@pytest.mark.parametrize("point", SAMPLE, ids=str)
def test_a_worker_killed_at_a_call_leaves_one_project_and_the_right_values(
    killing: Killing, point: Point
) -> None:
    check(killing, point)


def test_the_ledger_is_clean(killing: Killing) -> None:
    assert audit() == []
