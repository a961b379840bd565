"""What becomes of an attempt, and when an endpoint is asked again, without a cloud."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from quotas.actions.targets import touch, wake_targets
from quotas.backends.errors import BackendError, Kind
from quotas.delivery import breaker, leases, observe, outcomes
from quotas.models import Endpoint, Target
from quotas.states import EndpointState, TargetState
from quotas.tests.site import Site


def take(site: Site) -> leases.Lease:
    """The lease of the project's target at Nova, whatever state it is in."""
    target = Target.objects.get(project=site.project, endpoint__slug="nova-geneva")
    wake_targets([target])
    lease = leases.take(target.pk)
    assert lease is not None
    return lease


def state_of(lease: leases.Lease) -> str:
    return Target.objects.get(pk=lease.target.pk).state


def test_a_late_write_without_time_to_read_back_leaves_the_target_dirty(site: Site) -> None:
    late = take(site)
    Target.objects.filter(pk=late.target.pk).update(lease_until=Now())
    leases.expire()
    Target.objects.filter(pk=late.target.pk).update(dirty_until=Now(), next_try_at=Now())
    second = leases.take(late.target.pk)
    assert second is not None
    outcomes.applied(second)
    assert state_of(late) == TargetState.APPLIED
    outcomes.ran_out(late)
    assert state_of(late) == TargetState.DIRTY


def test_no_call_begins_in_the_last_moments_of_a_lease(site: Site, settings: Settings) -> None:
    settings.LEASE_SECONDS, settings.CALL_TIMEOUT_SECONDS = 60, 20
    lease = take(site)
    assert lease.timeout() == 20
    nearly_over = replace(lease, ends=time.monotonic() + leases.MARGIN_SECONDS + 1)
    with pytest.raises(leases.LeaseOver):
        nearly_over.timeout()


def test_a_decision_during_an_attempt_that_fails_does_not_wait(site: Site) -> None:
    refusal = outcomes.Refusal("below_usage", "4 in use, 2 granted")
    for end in (
        lambda lease: outcomes.refused(lease, refusal),
        lambda lease: outcomes.failed(lease, BackendError(Kind.TRANSIENT, "unavailable", "later")),
    ):
        lease = take(site)
        touch(site.project, [site.vcpu.pk])
        end(lease)
        assert state_of(lease) == TargetState.DUE
        assert leases.due().filter(pk=lease.target.pk).exists()


@pytest.mark.parametrize("seconds", [31_536_000, 10**12])
def test_no_service_parks_a_target_for_longer_than_the_cap(
    site: Site, settings: Settings, seconds: int
) -> None:
    settings.RETRY_CAP_SECONDS = 600
    lease = take(site)
    error = BackendError(Kind.TRANSIENT, "rate_limited", "later", retry_after=seconds)
    outcomes.failed(lease, error)
    soon = Target.objects.filter(next_try_at__lte=Now() + timedelta(seconds=600))
    assert soon.filter(pk=lease.target.pk).exists()


def test_calls_that_were_under_way_together_count_as_one_outage(
    site: Site, settings: Settings
) -> None:
    settings.RETRY_BASE_SECONDS, settings.RETRY_CAP_SECONDS = 5, 600
    nova = site.endpoints["nova-geneva"]
    for _ in range(20):
        breaker.silent(nova, "no answer")
    nova.refresh_from_db()
    assert nova.state == EndpointState.UNREACHABLE
    base = Endpoint.objects.filter(next_probe_at__lte=Now() + timedelta(seconds=5))
    assert base.filter(pk=nova.pk).exists()
    Endpoint.objects.filter(pk=nova.pk).update(next_probe_at=Now())
    assert leases.may_call(nova)
    breaker.silent(nova, "no answer")
    assert not base.filter(pk=nova.pk).exists()


def test_a_silent_endpoint_where_nothing_is_due_is_asked_by_an_observer(site: Site) -> None:
    nova = site.endpoints["nova-geneva"]
    Target.objects.update(state=TargetState.APPLIED, next_try_at=None)
    for _ in range(breaker.OPEN_AFTER):
        breaker.silent(nova, "no answer")
    assert not observe.stale().filter(endpoint=nova).exists()
    Endpoint.objects.filter(pk=nova.pk).update(next_probe_at=Now())
    assert observe.stale().filter(endpoint=nova).exists()


@pytest.mark.parametrize("state", [EndpointState.PAUSED, EndpointState.UNREACHABLE])
def test_nobody_observes_behind_an_identity_that_is_not_to_be_called(
    site: Site, state: EndpointState
) -> None:
    Target.objects.update(state=TargetState.APPLIED, next_try_at=None)
    Endpoint.objects.filter(slug="keystone").update(state=state)
    assert not observe.stale().exists()


def test_a_target_that_waits_for_its_project_takes_no_probe(site: Site) -> None:
    nova = site.endpoints["nova-geneva"]
    Endpoint.objects.filter(pk=nova.pk).update(state=EndpointState.UNREACHABLE, next_probe_at=Now())
    assert leases.due().filter(endpoint=nova).exists()
    Target.objects.filter(endpoint=nova).update(state=TargetState.WAITING)
    assert not leases.due().filter(endpoint=nova).exists()
