"""Two at one thing at the same moment: what must hold whoever comes first."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings

from contrib.sandbox.control import RunningSandbox
from contrib.testing.plain import PlainClient
from portal.lib.locks import lock
from quotas.actions import problems
from quotas.actions.targets import wake_targets
from quotas.backends.base import Figure, IdentityProject
from quotas.delivery import identity, leases, outcomes, readings
from quotas.delivery.converge import converge
from quotas.delivery.observe import observe
from quotas.delivery.wanted import wanted_limits
from quotas.models import Delivery, Drift, Endpoint, ProjectHandle, Reading, Target
from quotas.states import DriftKind, TargetState
from quotas.tests.site import Site
from quotas.tests.test_decide import ask, grant
from quotas.tests.threads import until_it_waits


@pytest.fixture
def cloud(sandbox: RunningSandbox, settings: Settings) -> RunningSandbox:
    settings.CLOUDS_YAML = str(sandbox.clouds_yaml)
    settings.CALL_TIMEOUT_SECONDS = 20
    return sandbox


def at(site: Site, endpoint: str) -> Target:
    return Target.objects.select_related("endpoint__identity", "project").get(
        project=site.project, endpoint__slug=endpoint
    )


def run(site: Site, endpoint: str) -> Target:
    """Have the target worked on now; how it ends."""
    target = at(site, endpoint)
    wake_targets([target])
    converge(target.pk)
    return at(site, endpoint)


@pytest.fixture
def standing(committed_site: Site, cloud: RunningSandbox, plain: PlainClient) -> Iterator[Site]:
    """The project is in the cloud with 64 cores; nothing of its name is left behind."""
    site = committed_site
    grant(site, ask(site, {site.vcpu.slug: 64}))
    assert [run(site, each).state for each in ("keystone", "nova-geneva")] == ["applied"] * 2
    yield site
    for row in plain.done("GET", "identity", f"/projects?name={site.project.name}")["projects"]:
        cloud.delete_project(row["id"])


@contextmanager
def meanwhile(act: Callable[[], Any]) -> Iterator[threading.Thread]:
    """Do it in a thread of its own, which has ended when the block has; raises what it raised."""
    crashes: list[BaseException] = []

    def run_it() -> None:
        try:
            act()
        except BaseException as crash:  # noqa: BLE001 - told to the test below
            crashes.append(crash)
        finally:
            connection.close()

    thread = threading.Thread(target=run_it)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(timeout=60)
    assert not thread.is_alive()
    if crashes:
        raise crashes[0]


# --- a project that is made anew --------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "when"),
    [("GET", "/os-quota-sets/.*/detail", "after"), ("PUT", "/os-quota-sets/", "before")],
)
def test_what_was_written_to_a_deleted_project_is_not_applied_to_the_new_one(
    standing: Site, cloud: RunningSandbox, method: str, path: str, when: str
) -> None:
    old = ProjectHandle.objects.get().external_id
    grant(standing, ask(standing, {standing.vcpu.slug: 96}))
    delivery = Delivery.objects.latest("pk")
    skip = 1 if method == "GET" else 0
    pause = cloud.pause(when, service="compute", method=method, path=path, skip=skip)
    with pause, meanwhile(lambda: converge(at(standing, "nova-geneva").pk)):
        pause.wait_until_held()
        cloud.delete_project(old)
        Target.objects.filter(endpoint__slug="keystone").update(recreate_external_id=old)
        assert run(standing, "keystone").state == TargetState.APPLIED
        assert ProjectHandle.objects.get().external_id != old
        pause.release()
    delivery.refresh_from_db()
    target = at(standing, "nova-geneva")
    assert delivery.applied_at is None
    assert target.applied_generation < delivery.generation
    assert target.state in (TargetState.DUE, TargetState.DIRTY)
    Target.objects.update(dirty_until=None)
    Target.objects.filter(pk=target.pk).update(state=TargetState.DUE, next_try_at=Now())
    assert run(standing, "nova-geneva").state == TargetState.APPLIED
    assert cloud.limits(ProjectHandle.objects.get().external_id, "geneva", "compute")["cores"] == 96


# --- the order of locks -----------------------------------------------------------------


def is_free(target: Target) -> bool:
    """Whether nobody holds the row."""
    try:
        with transaction.atomic():
            list(Target.objects.select_for_update(nowait=True, no_key=True).filter(pk=target.pk))
    except OperationalError:
        return False
    return True


def test_the_handle_is_kept_under_locks_in_the_order_of_ids(committed_site: Site) -> None:
    """Whoever waits for one target holds none with a higher id, or two would wait for ever."""
    site = committed_site
    # The catalogue may name the identity endpoint last.
    first, last = Target.objects.order_by("pk").first(), Target.objects.order_by("pk").last()
    assert first is not None
    assert last is not None
    Endpoint.objects.filter(pk=first.endpoint_id).update(identity=last.endpoint_id)
    Endpoint.objects.exclude(pk=first.endpoint_id).update(identity=None)
    Target.objects.filter(pk=last.pk).update(state=TargetState.DUE, next_try_at=Now())
    lease = leases.take(last.pk)
    assert lease is not None
    found = IdentityProject("e1", site.project.name, "", True, frozenset())
    with transaction.atomic():
        lock(Target.objects.filter(pk=first.pk))
        waiting = meanwhile(lambda: identity._keep_handle(lease, found))
        thread = waiting.__enter__()
        until_it_waits(thread)
        assert is_free(last)
    waiting.__exit__(None, None, None)
    assert ProjectHandle.objects.get().external_id == "e1"


def test_figures_are_stored_in_the_order_in_which_a_new_project_forgets_them(
    committed_site: Site,
) -> None:
    """The target first, then its readings: so does adopting.drop_handle."""
    target = at(committed_site, "nova-geneva")
    figures = {"cores": Figure(1, 0, 0)}
    limits = [each.limit for each in wanted_limits(target)]

    def store() -> None:
        readings.store(target, limits, figures, began=time.monotonic())

    store()
    waiting = meanwhile(store)
    with transaction.atomic():
        lock(Target.objects.filter(pk=target.pk))
        thread = waiting.__enter__()
        until_it_waits(thread)
        assert Reading.objects.filter(target=target).delete()[0] == 1
    waiting.__exit__(None, None, None)


# --- what is asked for while a worker holds the target -----------------------------------


def test_what_is_woken_while_a_worker_holds_it_is_looked_at_again(site: Site) -> None:
    target = at(site, "nova-geneva")
    Target.objects.filter(pk=target.pk).update(next_try_at=Now())
    lease = leases.take(target.pk)
    assert lease is not None
    wake_targets([target])
    assert leases.finish_applied(lease)
    assert at(site, "nova-geneva").state == TargetState.DUE


def test_a_handle_that_came_while_a_worker_looked_for_it_is_not_waited_for(site: Site) -> None:
    target = at(site, "nova-geneva")
    Target.objects.filter(pk=target.pk).update(next_try_at=Now())
    lease = leases.take(target.pk)
    assert lease is not None
    ProjectHandle.objects.create(
        project=site.project, identity=site.endpoints["keystone"], external_id="e1",
        created_at=timezone.now(),
    )  # fmt: skip
    outcomes.wait(lease)
    assert leases.due().filter(pk=target.pk).exists()


def test_an_observer_does_not_undo_a_skip(standing: Site, cloud: RunningSandbox) -> None:
    target = at(standing, "nova-geneva")
    Target.objects.filter(pk=target.pk).update(
        state=TargetState.REFUSED, next_try_at=Now() + timedelta(hours=1), looked_at=None
    )
    pause = cloud.pause("before", service="compute", method="GET")
    with pause, meanwhile(lambda: observe(target.pk)):
        pause.wait_until_held()
        problems.skip_target(
            target_id=target.pk, reason="Moving house.", actor=standing.otto, now=timezone.now()
        )
        pause.release()
    assert at(standing, "nova-geneva").state == TargetState.SKIPPED


# --- an outside agent that works against us ----------------------------------------------


def test_a_project_that_is_disabled_again_and_again_is_restored_at_a_bounded_rate(
    standing: Site, plain: PlainClient
) -> None:
    Endpoint.objects.filter(slug="keystone").update(drift_policy="restore")
    project = ProjectHandle.objects.get().external_id
    enabled = 0
    for _round in range(4):
        plain.done("PATCH", "identity", f"/projects/{project}", {"project": {"enabled": False}})
        run(standing, "nova-geneva")
        run(standing, "keystone")
        row = plain.done("GET", "identity", f"/projects/{project}")["project"]
        enabled += row["enabled"]
    assert enabled == 1
    assert at(standing, "keystone").error_code == "project_disabled"


def test_drift_is_noted_where_writing_is_refused(
    standing: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    """As the write that would put it right never happened."""
    project = ProjectHandle.objects.get().external_id
    body = {"quota_set": {"cores": 50}}
    plain.done("PUT", "compute", f"/os-quota-sets/{project}", body, region="geneva")
    with cloud.add_fault("status", service="compute", method="PUT", status=403, message="No."):
        assert run(standing, "nova-geneva").error_code == "forbidden"
    assert list(Drift.objects.order_by("pk").values_list("kind", "wanted", "seen")) == [
        (DriftKind.LIMIT_CHANGED, 64, 50)
    ]


# --- clocks -----------------------------------------------------------------------------


def test_the_databases_clock_dates_a_reading(site: Site) -> None:
    """Else a worker whose clock is ahead would keep newer readings of others out."""
    target = at(site, "nova-geneva")
    limits = [each.limit for each in wanted_limits(target)]
    minute_ago = time.monotonic() - 60
    readings.store(target, limits, {"cores": Figure(2, 0, 0)}, began=time.monotonic())
    readings.store(target, limits, {"cores": Figure(1, 0, 0)}, began=minute_ago)
    readings.store(target, limits, {"ram": Figure(1, 0, 0)}, began=minute_ago)
    assert Reading.objects.get(limit__key="cores").limit_seen == 2
    day_ago, then = Now() - timedelta(days=1), Now() - timedelta(seconds=60)
    assert Reading.objects.filter(limit__key="ram", read_at__range=(day_ago, then)).exists()


# --- a value that is neither what was there nor what was written --------------------------


def test_a_third_value_after_a_write_is_anothers_late_write(
    standing: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    project = ProjectHandle.objects.get().external_id
    grant(standing, ask(standing, {standing.vcpu.slug: 96}))
    # Between our write and what is read back.
    pause = cloud.pause("before", service="identity", method="GET", path="/projects/", skip=1)
    with pause, meanwhile(lambda: converge(at(standing, "nova-geneva").pk)):
        pause.wait_until_held()
        body = {"quota_set": {"cores": 77}}
        plain.done("PUT", "compute", f"/os-quota-sets/{project}", body, region="geneva")
        pause.release()
    target = at(standing, "nova-geneva")
    assert (target.state, target.error_code) == (TargetState.DIRTY, "overwritten")
    assert "96 set, 77 read" in target.error_words
