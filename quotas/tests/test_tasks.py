"""What the sweeps find, what is shown of it, and limits that a service lacks, on the sandbox."""

import base64
import json
import subprocess
import sys
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from contrib.sandbox.control import RunningSandbox
from portal.celery import APPLY
from portal.testing.servers import DatabaseCopy
from quotas import tasks
from quotas.delivery import leases
from quotas.delivery.leases import due
from quotas.delivery.permits import permit
from quotas.models import Delivery, Endpoint, Limit, Target
from quotas.states import EndpointState, TargetState
from quotas.tasks import apply_target, sweep_due
from quotas.tests.site import NOW, Site, make_project
from quotas.tests.test_converge import limits, standing, target_at, work
from quotas.tests.test_decide import ask, grant

__all__ = ["standing"]


def test_a_pause_that_is_over_is_ended_by_the_sweep(site: Site, broker: object) -> None:
    nova = site.endpoints["nova-geneva"]
    past = timezone.now() - timedelta(minutes=1)
    Endpoint.objects.filter(pk=nova.pk).update(
        state=EndpointState.PAUSED, state_reason="upgrade", state_until=past
    )
    assert not due().filter(endpoint=nova).exists()
    sweep_due()
    assert Endpoint.objects.get(pk=nova.pk).state == EndpointState.OPEN
    assert due().filter(endpoint=nova).exists()


def test_a_hint_for_what_is_done_takes_what_waits_longest_beside_it(
    standing: Site, cloud: RunningSandbox, broker: object
) -> None:
    done = target_at("nova-geneva", standing)
    work(standing, "nova-geneva")
    other = make_project(standing, "atlas-trigger", "atlas", NOW)
    waits = Target.objects.get(project=other, endpoint=done.endpoint)
    apply_target(target_id=done.pk)
    waits.refresh_from_db()
    assert waits.state == TargetState.WAITING


@pytest.fixture
def backlog(site: Site) -> list[Target]:
    """Three due at Nova, then two at Cinder: of projects that are nowhere yet, so that each is
    looked at once and waits."""
    for number in range(2):
        make_project(site, f"more-{number}", "atlas", NOW)
    kept = Target.objects.filter(endpoint__slug__startswith="nova").order_by("pk")
    others = Target.objects.filter(endpoint__slug__startswith="cinder").order_by("pk")
    found = [*kept, *others[:2]]
    Target.objects.exclude(pk__in=[each.pk for each in found]).update(
        state=TargetState.SKIPPED, next_try_at=None
    )
    for number, each in enumerate(found):
        Target.objects.filter(pk=each.pk).update(next_try_at=Now() - timedelta(hours=9 - number))
    return found


def looked_at(backlog: list[Target]) -> list[int]:
    """The places of those that were worked on, in that order."""
    places = {each.pk: place for place, each in enumerate(backlog)}
    worked = Target.objects.filter(pk__in=places, state=TargetState.WAITING)
    return [places[pk] for pk in worked.order_by("next_try_at").values_list("pk", flat=True)]


@pytest.mark.parametrize(
    ("turn", "leased", "order"),
    [
        (60.0, None, [0, 3, 4, 1, 2]),
        (0.0, None, [0, 3, 1, 4, 2]),
        (0.0, 3, [0, 1, 2]),
    ],
    ids=["within a turn", "after each turn", "somebody is at work there"],
)
def test_what_waits_where_nobody_is_at_work_comes_between(
    backlog: list[Target], monkeypatch: pytest.MonkeyPatch, turn: float, leased: int | None,
    order: list[int],
) -> None:  # fmt: skip
    monkeypatch.setattr(tasks, "APPLY_TURN_SECONDS", turn)
    monkeypatch.setattr(tasks, "APPLY_SLICE_SECONDS", 60.0)
    if leased is not None:
        assert leases.take(backlog[leased].pk) is not None
    apply_target(target_id=backlog[0].pk)
    assert looked_at(backlog) == order


def test_nobody_is_sent_elsewhere_than_where_nobody_is_at_work(backlog: list[Target]) -> None:
    mine = leases.take(backlog[0].pk)
    other = leases.take_elsewhere(backlog[0].pk)
    assert mine is not None
    assert other is not None
    assert other.target.pk == backlog[3].pk
    # Both have somebody now; and its own is none of the others, also where nobody is left there.
    assert leases.take_elsewhere(backlog[0].pk) is None
    assert leases.give_back(mine)
    assert leases.take_elsewhere(backlog[0].pk) is None


def test_a_slice_that_is_over_leaves_one_hint(
    backlog: list[Target], monkeypatch: pytest.MonkeyPatch, broker: object
) -> None:
    monkeypatch.setattr(tasks, "APPLY_SLICE_SECONDS", 0.0)
    apply_target(target_id=backlog[0].pk)
    assert looked_at(backlog) == [0]
    assert hinted() == [backlog[1].pk]


def hinted() -> list[int]:
    """The targets of the hints that the broker holds."""
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as client:
        bodies = [json.loads(each)["body"] for each in client.lrange(APPLY, 0, -1)]
    return [json.loads(base64.b64decode(each))[1]["target_id"] for each in bodies]


def test_a_limit_that_is_left_out_holds_up_nothing_and_is_managed_when_it_appears(
    standing: Site, cloud: RunningSandbox
) -> None:
    ram = standing.offerings["geneva.compute-a.ram"]
    grant(standing, ask(standing, {standing.vcpu.slug: 12, ram.slug: 2**30}))
    cores = Limit.objects.filter(key="cores")
    cores.update(key="wishes", left_out_at=Now(), left_out_reason="not in this release")
    assert work(standing, "nova-geneva") == [TargetState.APPLIED]
    delivery = Delivery.objects.get(decision_line__line__offering=standing.vcpu)
    assert (delivery.applied_at, delivery.left_out_at is None) == (None, False)
    assert Delivery.objects.get(decision_line__line__offering=ram).applied_at is not None
    Limit.objects.filter(key="wishes").update(key="cores")
    assert work(standing, "nova-geneva") == [TargetState.APPLIED]
    assert limits(cloud, "compute")["cores"] == 12
    assert Delivery.objects.filter(applied_at__isnull=True).count() == 0


def test_who_writes_has_looked(standing: Site, cloud: RunningSandbox, settings: Settings) -> None:
    work(standing, "nova-geneva")
    target = target_at("nova-geneva", standing)
    assert target.looked_at is not None
    assert target.looked_at == target.observed_at


def test_the_numbers_of_delivery_are_shown_by_endpoint(site: Site, client: Client) -> None:
    with permit(site.endpoints["keystone"]):
        page = client.get("/metrics").content.decode()
    assert 'remit_targets{endpoint="nova-geneva",state="due"} 1.0' in page
    assert 'remit_targets_due{endpoint="nova-geneva"} 1.0' in page
    assert 'remit_calls_under_way{endpoint="keystone"} 1.0' in page
    assert 'remit_calls_under_way{endpoint="nova-geneva"}' not in page


AS_A_WORKER_STARTS = """
import json, os, sys, threading
from celery.signals import worker_init
from portal.celery import app

def sockets():
    folder = "/proc/self/fd"
    return [link for link in map(lambda fd: os.path.realpath(f"{folder}/{fd}"), os.listdir(folder))
            if "socket" in link]

app.loader.import_default_modules()
before = "openstack" in sys.modules
worker_init.send(sender=None)
print(json.dumps([before, "openstack" in sys.modules, threading.active_count(), sockets()]))
"""


def test_drivers_are_loaded_before_a_worker_forks_and_nothing_is_open_or_running_by_that(
    database_copy: DatabaseCopy,
) -> None:
    said = subprocess.run(
        [sys.executable, "-c", AS_A_WORKER_STARTS], env=database_copy.environment,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert json.loads(said) == [False, True, 1, []]
