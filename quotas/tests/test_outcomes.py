"""What becomes of an attempt, and when an endpoint is asked again, without a cloud."""

import time
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from quotas.actions.targets import touch_targets, wake_targets
from quotas.backends.errors import BackendError, Kind
from quotas.delivery import breaker, leases, observe, outcomes
from quotas.delivery.permits import Busy
from quotas.models import Contribution, Delivery, Endpoint, Target
from quotas.states import EndpointState, ErrorKind, TargetState
from quotas.tests.site import NOW, Site, make_project
from quotas.tests.test_decide import ask, grant
from quotas.tests.threads import at_once


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
        touch_targets(Target.objects.filter(endpoint=site.endpoints["nova-geneva"]))
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


def refused_before(site: Site) -> Target:
    """A refused target whose time has come again."""
    outcomes.refused(take(site), outcomes.Refusal("below_usage", "4 in use, 2 granted"))
    Target.objects.filter(state=TargetState.REFUSED).update(next_try_at=Now())
    return Target.objects.get(state=TargetState.REFUSED)


def unleased(target: Target) -> tuple[object, ...]:
    return (
        target.state, target.next_try_at, target.error_id, target.error_words,
        target.failure_count, target.dirty_until, target.lease_token,
    )  # fmt: skip


@pytest.mark.parametrize("state", [TargetState.REFUSED, TargetState.DIRTY])
def test_a_target_that_is_given_back_is_what_it_was(site: Site, state: TargetState) -> None:
    before = refused_before(site)
    Target.objects.filter(pk=before.pk).update(state=state, dirty_until=Now())
    before.refresh_from_db()
    lease = leases.take(before.pk)
    assert lease is not None
    assert leases.give_back(lease)
    assert unleased(Target.objects.get(pk=before.pk)) == unleased(before)


def test_of_many_who_want_to_probe_one_does_and_the_others_leave_no_trace(
    committed_site: Site,
) -> None:
    nova = committed_site.endpoints["nova-geneva"]
    for number in range(5):
        make_project(committed_site, f"project-{number}", "atlas", NOW)
    at_nova = Target.objects.filter(endpoint=nova)
    at_nova.update(state=TargetState.REFUSED, error_id="ABC234", next_try_at=Now())
    Endpoint.objects.filter(pk=nova.pk).update(
        state=EndpointState.UNREACHABLE, next_probe_at=Now(), failure_count=3
    )
    before = {each.pk: unleased(each) for each in at_nova}
    got = at_once([partial(leases.take, pk) for pk in before])
    assert len(got) == 1
    after = {each.pk: unleased(each) for each in at_nova.exclude(pk=got[0].target.pk)}
    assert after == {pk: before[pk] for pk in after}
    assert len(after) == 5


def test_where_no_call_can_begin_nothing_failed(site: Site) -> None:
    before = refused_before(site)
    lease = leases.take(before.pk)
    assert lease is not None
    outcomes.busy(lease, Busy(before.endpoint, 20))
    after = Target.objects.get(pk=before.pk)
    assert (after.state, after.error_id, after.failure_count) == (
        TargetState.REFUSED, before.error_id, before.failure_count,
    )  # fmt: skip
    soon = Target.objects.filter(next_try_at__lte=Now() + timedelta(seconds=22))
    assert soon.filter(pk=before.pk).exists()
    assert not Target.objects.filter(next_try_at__lte=Now() + timedelta(seconds=19)).filter(
        pk=before.pk
    )


def test_a_decision_while_no_call_could_begin_is_due(site: Site) -> None:
    lease = leases.take(refused_before(site).pk)
    assert lease is not None
    touch_targets(Target.objects.filter(endpoint=site.endpoints["nova-geneva"]))
    outcomes.busy(lease, Busy(lease.target.endpoint, 0))
    assert state_of(lease) == TargetState.DUE


def test_a_write_of_unknown_fate_is_dirty_in_the_same_moment_as_it_failed(site: Site) -> None:
    lease = take(site)
    touch_targets(Target.objects.filter(endpoint=site.endpoints["nova-geneva"]))
    outcomes.failed(lease, BackendError(Kind.UNREACHABLE, "dropped", "gone", uncertain=True))
    target = Target.objects.get(pk=lease.target.pk)
    assert (target.state, target.error_kind) == (TargetState.DIRTY, ErrorKind.UNREACHABLE)
    assert target.dirty_until is not None
    assert not leases.due().filter(pk=target.pk).exists()


def test_a_decision_does_not_come_sooner_than_a_service_asked_for(
    site: Site, settings: Settings
) -> None:
    settings.RETRY_CAP_SECONDS = 600
    lease = take(site)
    touch_targets(Target.objects.filter(endpoint=site.endpoints["nova-geneva"]))
    error = BackendError(Kind.TRANSIENT, "unavailable", "at lunch", retry_after=90)
    outcomes.failed(lease, error)
    sooner = Target.objects.filter(next_try_at__lte=Now() + timedelta(seconds=80))
    assert not sooner.filter(pk=lease.target.pk).exists()


def test_a_write_begins_only_under_a_lease_that_is_still_ours(site: Site) -> None:
    lease = take(site)
    assert lease.write_timeout() > 0
    assert lease.has_written
    Target.objects.filter(pk=lease.target.pk).update(lease_until=Now())
    leases.expire()
    with pytest.raises(leases.LeaseLost):
        lease.write_timeout()


def test_the_databases_clock_ends_a_lease_whatever_ours_says(site: Site) -> None:
    lease = take(site)
    slept = replace(lease, ends=time.monotonic() + 10_000)
    Target.objects.filter(pk=lease.target.pk).update(lease_until=Now())
    with pytest.raises(leases.LeaseOver):
        slept.write_timeout()
    assert not slept.has_written


def test_no_more_targets_are_in_work_than_the_endpoint_gets_calls(site: Site) -> None:
    for number in range(3):
        make_project(site, f"project-{number}", "atlas", NOW)
    nova = site.endpoints["nova-geneva"]
    Endpoint.objects.filter(pk=nova.pk).update(concurrency=2)
    ids = list(Target.objects.filter(endpoint=nova).order_by("pk").values_list("pk", flat=True))
    taken = [leases.take(each) for each in ids]
    assert [lease is not None for lease in taken] == [True, True, False, False]
    assert leases.take_beside(ids[0]) is None
    cinder = Target.objects.filter(endpoint__slug="cinder-geneva").first()
    assert cinder is not None
    assert leases.take(cinder.pk) is not None


def test_what_gathered_at_an_endpoint_is_taken_in_the_order_of_its_time(site: Site) -> None:
    for number in range(3):
        make_project(site, f"project-{number}", "atlas", NOW)
    nova = site.endpoints["nova-geneva"]
    ids = list(Target.objects.filter(endpoint=nova).order_by("pk").values_list("pk", flat=True))
    for seconds, target_id in enumerate(reversed(ids)):
        ago = Now() - timedelta(seconds=100 - seconds)
        Target.objects.filter(pk=target_id).update(next_try_at=ago)
    drained = []
    while (following := leases.next_due(nova.pk)) is not None:
        lease = leases.take_beside(ids[0])
        assert lease is not None
        assert lease.target.pk == following
        drained.append(following)
        outcomes.applied(lease)
    assert drained == list(reversed(ids))


def test_an_endpoint_with_many_due_targets_leaves_their_place_to_others(site: Site) -> None:
    nova, cinder = site.endpoints["nova-geneva"], site.endpoints["cinder-geneva"]
    for number in range(12):
        make_project(site, f"project-{number}", "atlas", NOW)
    Target.objects.filter(endpoint=nova).update(next_try_at=Now() - timedelta(hours=1))
    Endpoint.objects.filter(pk=nova.pk).update(concurrency=6)
    sent = leases.due_in_turn(9)
    endpoints = Target.objects.in_bulk(sent)
    counts = {
        slug: sum(endpoints[each].endpoint.slug == slug for each in sent)
        for slug in (nova.slug, cinder.slug, "keystone")
    }
    assert counts == {nova.slug: 3, cinder.slug: 3, "keystone": 3}
    assert sum(
        each.endpoint_id == nova.pk for each in Target.objects.filter(pk__in=leases.due_in_turn(99))
    ) == 6  # fmt: skip


def test_a_line_that_feeds_only_what_is_left_out_is_not_called_applied(site: Site) -> None:
    ram = site.offerings["geneva.compute-a.ram"]
    grant(site, ask(site, {site.vcpu.slug: 8, ram.slug: 2**30}))
    cores = Contribution.objects.get(offering=site.vcpu).limit_id
    outcomes.applied(take(site), [cores])
    lacking, true = (
        Delivery.objects.get(decision_line__line__offering=each) for each in (site.vcpu, ram)
    )
    assert (lacking.applied_at, true.left_out_at) == (None, None)
    assert lacking.left_out_at is not None
    assert true.applied_at is not None
    outcomes.applied(take(site))
    managed = Delivery.objects.get(pk=lacking.pk)
    assert managed.left_out_at is None
    assert managed.applied_at is not None


def test_a_line_that_also_feeds_what_is_there_is_applied(site: Site) -> None:
    grant(site, ask(site, {site.space.slug: 2**30}))
    by_type = Contribution.objects.get(limit__key="gigabytes_storage-a").limit_id
    target = Target.objects.get(project=site.project, endpoint__slug="cinder-geneva")
    lease = leases.take(target.pk)
    assert lease is not None
    outcomes.applied(lease, [by_type])
    assert Delivery.objects.get().applied_at is not None
