"""Calls at once and calls a second, for all workers together, by the database alone."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from pytest_django import Settings

from portal.lib.locks import lock
from quotas.backends.errors import BackendError, Kind
from quotas.delivery import leases, permits
from quotas.delivery.calling import calling
from quotas.delivery.permits import Busy, hold_back, permit
from quotas.models import CallPace, CallSlot, Endpoint, Target
from quotas.states import EndpointState
from quotas.tests.site import Site
from quotas.tests.threads import BUSY_SECONDS, at_once, until_it_waits


@pytest.fixture(autouse=True)
def impatient(settings: Settings) -> None:
    """A call waits a fifth of a second for its turn."""
    settings.LEASE_SECONDS, settings.CALL_TIMEOUT_SECONDS = 2, 1


def nova_with(site: Site, **limits: int) -> Endpoint:
    nova = site.endpoints["nova-geneva"]
    Endpoint.objects.filter(pk=nova.pk).update(**limits)
    nova.refresh_from_db()
    return nova


def enter(stack: ExitStack, endpoint: Endpoint, times: int, *, observing: bool = False) -> None:
    for _ in range(times):
        stack.enter_context(permit(endpoint, observing=observing))


def test_an_endpoint_gets_as_many_calls_at_once_as_it_may(site: Site) -> None:
    nova = nova_with(site, concurrency=2)
    with ExitStack() as stack:
        enter(stack, nova, 2)
        with pytest.raises(Busy), permit(nova):
            pass
        with permit(site.endpoints["cinder-geneva"]):
            pass  # others are not concerned
    assert CallSlot.objects.filter(holder__isnull=False).count() == 0
    with ExitStack() as stack:
        enter(stack, nova, 2)


def test_a_call_that_fails_gives_its_slot_back(site: Site) -> None:
    nova = nova_with(site, concurrency=1)
    with pytest.raises(LookupError), permit(nova):
        raise LookupError
    with permit(nova):
        pass


def test_more_calls_at_once_are_allowed_by_the_setting_at_once(site: Site) -> None:
    nova = nova_with(site, concurrency=1)
    with ExitStack() as stack:
        enter(stack, nova, 1)
        enter(stack, nova_with(site, concurrency=3), 2)
        with pytest.raises(Busy):
            enter(stack, nova_with(site, concurrency=2), 1)


def test_a_killed_workers_slot_comes_back_when_its_call_has_ended(site: Site) -> None:
    nova = nova_with(site, concurrency=1)
    dead = permit(nova)
    dead.__enter__()
    over = Now() + timedelta(seconds=1)
    assert not CallSlot.objects.filter(holder__isnull=False, held_until__lte=over).exists()
    CallSlot.objects.filter(holder__isnull=False).update(held_until=Now())
    with permit(nova):
        # It was not dead, only slow: what it gives back is no longer its own.
        dead.__exit__(None, None, None)
        with pytest.raises(Busy), permit(nova):
            pass


@pytest.mark.parametrize(("count", "observers"), [(8, 4), (3, 1), (2, 1), (1, 1)])
def test_who_only_looks_leaves_room_for_writes(site: Site, count: int, observers: int) -> None:
    nova = nova_with(site, concurrency=count)
    with ExitStack() as stack:
        enter(stack, nova, observers, observing=True)
        with pytest.raises(Busy):
            enter(stack, nova, 1, observing=True)
        enter(stack, nova, count - observers)
        with pytest.raises(Busy):
            enter(stack, nova, 1)


def test_writes_take_their_own_slots_first(site: Site) -> None:
    nova = nova_with(site, concurrency=4)
    with ExitStack() as stack:
        enter(stack, nova, 2)
        enter(stack, nova, 2, observing=True)


def test_many_workers_never_have_more_calls_under_way_than_allowed(
    committed_site: Site, settings: Settings
) -> None:
    settings.LEASE_SECONDS = 60
    nova = nova_with(committed_site, concurrency=3)
    counting, inside, most = threading.Lock(), 0, 0
    # The calls come in threes, and no three end before they are all there.
    three = threading.Barrier(3)

    def call() -> None:
        nonlocal inside, most
        with permit(nova):
            with counting:
                inside += 1
                most = max(most, inside)
            three.wait(timeout=20)
            with counting:
                inside -= 1

    acts: list[Callable[[], None]] = [call] * 9
    at_once(acts)
    assert (inside, most) == (0, 3)
    assert CallSlot.objects.filter(endpoint=nova).count() == 3


def test_a_pace_spaces_calls(site: Site) -> None:
    nova = nova_with(site, calls_per_second=1)
    with permit(nova):
        pass
    with pytest.raises(Busy), permit(nova):
        pass
    assert CallSlot.objects.filter(holder__isnull=False).count() == 0
    CallPace.objects.update(next_at=Now())
    with permit(nova):
        pass


def test_calls_within_the_pace_wait_for_their_moment(site: Site) -> None:
    nova = nova_with(site, calls_per_second=50)
    for _ in range(3):
        with permit(nova):
            assert CallPace.objects.filter(next_at__lte=Now() + timedelta(seconds=0.02)).exists()


def test_a_service_that_asks_for_patience_is_left_in_peace_by_all(site: Site) -> None:
    nova = site.endpoints["nova-geneva"]
    assert leases.due().filter(endpoint=nova).exists()
    error = BackendError(Kind.TRANSIENT, "rate_limited", "slowly", retry_after=30, http_status=429)
    with pytest.raises(BackendError), calling(nova):
        raise error
    with pytest.raises(Busy) as busy, calling(nova):
        pass
    assert 25 < busy.value.seconds <= 30
    assert not leases.due().filter(endpoint=nova).exists()
    assert leases.due().filter(endpoint__slug="cinder-geneva").exists()
    CallPace.objects.update(next_at=Now())
    assert leases.due().filter(endpoint=nova).exists()


def test_an_identity_service_that_asks_for_patience_is_left_in_peace_too(site: Site) -> None:
    hold_back(site.endpoints["keystone"], 30)
    assert not leases.due().exists()


def test_no_service_is_left_in_peace_for_longer_than_the_cap(site: Site) -> None:
    hold_back(site.endpoints["nova-geneva"], 10**9)
    capped = Now() + timedelta(seconds=permits.HOLD_CAP_SECONDS)
    assert CallPace.objects.filter(next_at__lte=capped).exists()


def test_a_shorter_wish_for_patience_does_not_end_a_longer_one(site: Site) -> None:
    nova = site.endpoints["nova-geneva"]
    hold_back(nova, 50)
    hold_back(nova, 5)
    assert CallPace.objects.filter(next_at__gt=Now() + timedelta(seconds=40)).exists()


def test_targets_stay_as_they_are_while_their_endpoint_is_left_in_peace(site: Site) -> None:
    target = Target.objects.get(project=site.project, endpoint__slug="nova-geneva")
    hold_back(target.endpoint, 30)
    assert leases.take(target.pk) is None
    assert Target.objects.get(pk=target.pk).state == target.state


def called(endpoint: Endpoint) -> threading.Thread:
    """A call that is answered, by a worker of its own."""

    def run() -> None:
        try:
            with calling(endpoint):
                pass
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_slot_is_given_back_whoever_holds_its_endpoint(committed_site: Site) -> None:
    nova = nova_with(committed_site, concurrency=1)
    with transaction.atomic():
        lock(Endpoint.objects.filter(pk=nova.pk))
        called(nova).join(BUSY_SECONDS)
    nova.refresh_from_db()
    assert not CallSlot.objects.filter(holder__isnull=False).exists()
    assert nova.answered_at is None

    Endpoint.objects.filter(pk=nova.pk).update(state=EndpointState.UNREACHABLE, failure_count=3)
    with transaction.atomic():
        lock(Endpoint.objects.filter(pk=nova.pk))
        worker = called(nova)
        until_it_waits(worker)
        assert not CallSlot.objects.filter(holder__isnull=False).exists()
    worker.join(BUSY_SECONDS)
    nova.refresh_from_db()
    assert (nova.state, nova.failure_count) == (EndpointState.OPEN, 0)
