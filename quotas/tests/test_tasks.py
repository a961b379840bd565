"""What the sweeps find, what is shown of it, and limits that a service lacks, on the sandbox."""

import json
import subprocess
import sys
from datetime import timedelta

from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from contrib.sandbox.control import RunningSandbox
from portal.testing.servers import DatabaseCopy
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
