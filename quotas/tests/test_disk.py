"""What of an attempt waits for the database's disk: whatever a crash must not take back."""

import time
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from quotas.backends.base import Figure
from quotas.delivery import leases, readings
from quotas.delivery.calling import calling
from quotas.delivery.handing import one_after_another
from quotas.delivery.leases import Lease
from quotas.models import Limit, Target
from quotas.tests.site import Site


def waits(act: Callable[[], object]) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = on")
        act()
        cursor.execute("SHOW synchronous_commit")
        return bool(cursor.fetchone()[0] == "on")


@pytest.fixture
def lease(site: Site) -> Lease:
    target = Target.objects.get(project=site.project, endpoint__slug="nova-geneva")
    found: list[Lease | None] = []
    assert waits(lambda: found.append(leases.take(target.pk)))
    assert found[0] is not None
    return found[0]


def test_what_is_called_applied_is_on_disk(lease: Lease) -> None:
    assert waits(lambda: leases.finish_applied(lease))


def test_so_is_what_an_attempt_ended_with(lease: Lease) -> None:
    assert waits(lambda: leases.give_back(lease))


def test_a_reading_waits_for_what_follows_it(lease: Lease) -> None:
    limits = list(Limit.objects.filter(endpoint=lease.target.endpoint_id).order_by("pk"))
    figures = {each.key: Figure(1, 0) for each in limits}
    assert not waits(
        lambda: readings.store(lease.target, limits, figures, began=time.monotonic())
    )  # fmt: skip


def test_neither_does_a_call(site: Site) -> None:
    nova, keystone = site.endpoints["nova-geneva"], site.endpoints["keystone"]

    def calls() -> None:
        with one_after_another():
            for each in (nova, nova, keystone):
                with calling(each):
                    pass

    def call() -> None:
        with calling(nova):
            pass

    for act in (call, calls, call):
        assert not waits(act)
