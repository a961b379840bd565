"""Calls that follow one another: one statement gives back the slot of one and takes the next's."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from quotas.backends.errors import BackendError, Kind
from quotas.delivery.calling import calling
from quotas.delivery.handing import one_after_another
from quotas.delivery.leases import Lease, LeaseLost, LeaseOver, take
from quotas.delivery.permits import Busy, hold_back, permit
from quotas.models import CallSlot, Endpoint, Target
from quotas.states import EndpointState
from quotas.tests.counting import count_queries
from quotas.tests.site import Site


@pytest.fixture(autouse=True)
def impatient(settings: Settings) -> None:
    """A call waits a fifth of a second for its turn."""
    settings.LEASE_SECONDS, settings.CALL_TIMEOUT_SECONDS = 2, 1


@pytest.fixture
def nova(site: Site) -> Endpoint:
    return site.endpoints["nova-geneva"]


@pytest.fixture
def keystone(site: Site) -> Endpoint:
    return site.endpoints["keystone"]


def held() -> list[str]:
    """The endpoints of the slots that somebody holds."""
    rows = CallSlot.objects.filter(holder__isnull=False).order_by("endpoint__slug")
    return list(rows.values_list("endpoint__slug", flat=True))


def call(endpoint: Endpoint, *, writing: bool = False) -> list[str]:
    """What is held during a call that is answered."""
    with calling(endpoint, writing=writing):
        return held()


def limit_to(endpoint: Endpoint, concurrency: int) -> None:
    Endpoint.objects.filter(pk=endpoint.pk).update(concurrency=concurrency)
    endpoint.refresh_from_db()


@contextmanager
def another_call(endpoint: Endpoint) -> Iterator[None]:
    with permit(endpoint):
        yield


def test_each_call_has_its_own_slot_and_none_is_left(nova: Endpoint, keystone: Endpoint) -> None:
    with one_after_another():
        assert call(keystone) == ["keystone"]
        assert held() == ["keystone"]
        assert call(nova) == ["nova-geneva"]
        assert call(nova, writing=True) == ["nova-geneva"]
        assert call(keystone) == ["keystone"]
    assert held() == []


def test_a_statement_for_each_call_and_one_for_the_end(nova: Endpoint, keystone: Endpoint) -> None:
    for each in (nova, keystone):
        call(each)

    def attempt() -> None:
        with one_after_another():
            for each in (keystone, nova, nova, keystone, nova):
                with calling(each):
                    pass

    count, said = count_queries(attempt)
    assert count == 6, said


def test_the_only_slot_is_kept_for_the_next_call_there(nova: Endpoint) -> None:
    limit_to(nova, 1)
    with one_after_another():
        for _ in range(3):
            assert call(nova) == ["nova-geneva"]
            with pytest.raises(Busy), permit(nova):
                pass
    assert held() == []


def test_no_slot_is_held_while_another_is_waited_for(nova: Endpoint, keystone: Endpoint) -> None:
    limit_to(nova, 1)
    with another_call(nova), one_after_another():
        call(keystone)
        with pytest.raises(Busy):
            call(nova)
        assert held() == ["nova-geneva"]  # the other's
    assert held() == []


def test_a_slot_that_went_to_somebody_else_is_neither_kept_nor_given_back(
    nova: Endpoint, keystone: Endpoint
) -> None:
    """Whoever was asleep between two calls finds it taken, as it is then free for all."""
    limit_to(nova, 1)
    for following in (nova, keystone):
        with one_after_another():
            call(nova)
            CallSlot.objects.filter(endpoint=nova).update(held_until=Now() - timedelta(seconds=1))
            with another_call(nova):
                theirs = CallSlot.objects.get(endpoint=nova).holder
                if following == nova:
                    with pytest.raises(Busy):
                        call(nova)
                else:
                    call(keystone)
                assert CallSlot.objects.get(endpoint=nova).holder == theirs
    assert held() == []


@pytest.mark.parametrize("state", [EndpointState.PAUSED, EndpointState.READ_ONLY])
def test_no_write_begins_at_what_was_closed_since_it_was_read(nova: Endpoint, state: str) -> None:
    with one_after_another():
        call(nova)
        Endpoint.objects.filter(pk=nova.pk).update(state=state)
        with pytest.raises(Busy):
            call(nova, writing=True)
    assert held() == []


def test_patience_that_was_asked_for_meanwhile_is_heeded(
    nova: Endpoint, keystone: Endpoint
) -> None:
    for before in (nova, keystone):
        with one_after_another():
            call(before)
            hold_back(nova, 30)
            with pytest.raises(Busy) as busy:
                call(nova)
            assert busy.value.seconds > 20
        assert held() == []


def test_a_slot_beyond_what_the_endpoint_gets_now_is_not_kept(nova: Endpoint) -> None:
    limit_to(nova, 2)
    with another_call(nova), one_after_another():
        call(nova)
        limit_to(nova, 1)
        with pytest.raises(Busy):
            call(nova)
    assert held() == []


def test_a_pace_holds_for_calls_that_follow_one_another(nova: Endpoint, keystone: Endpoint) -> None:
    Endpoint.objects.filter(pk=nova.pk).update(calls_per_second=1)
    nova.refresh_from_db()
    with one_after_another():
        call(nova)
        with pytest.raises(Busy):
            call(nova)
    assert held() == []


def test_what_fails_gives_everything_back_and_counts_as_ever(
    nova: Endpoint, keystone: Endpoint
) -> None:
    with pytest.raises(BackendError), one_after_another():
        call(keystone)
        with calling(nova):
            raise BackendError(Kind.UNREACHABLE, "no_answer", "nobody")
    assert held() == []
    nova.refresh_from_db()
    keystone.refresh_from_db()
    assert nova.failure_count == 1
    assert keystone.answered_at is not None


@pytest.mark.parametrize("following", ["the same", "another", "none"])
def test_an_answer_closes_the_breaker(nova: Endpoint, keystone: Endpoint, following: str) -> None:
    call(nova)
    Endpoint.objects.filter(pk=nova.pk).update(state=EndpointState.UNREACHABLE, failure_count=3)
    with one_after_another():
        call(nova)
        if following != "none":
            call(nova if following == "the same" else keystone)
            nova.refresh_from_db()
            assert (nova.state, nova.failure_count) == (EndpointState.OPEN, 0)
    nova.refresh_from_db()
    assert (nova.state, nova.failure_count) == (EndpointState.OPEN, 0)


def leased(site: Site) -> Lease:
    lease = take(Target.objects.get(project=site.project, endpoint__slug="nova-geneva").pk)
    assert lease is not None
    return lease


@pytest.mark.parametrize("is_taken_over", [False, True])
@pytest.mark.parametrize("pace", [None, 1000])
def test_who_writes_after_reading_is_told_whose_the_lease_is(
    site: Site, nova: Endpoint, is_taken_over: bool, pace: int | None
) -> None:
    """With the turn, where nothing is waited for any more; else it is asked for by itself."""
    Endpoint.objects.filter(pk=nova.pk).update(calls_per_second=pace)
    nova.refresh_from_db()
    lease = leased(site)
    mine = (lease.target.pk, lease.token)
    with one_after_another():
        call(nova)
        until = Now() + timedelta(seconds=1.5)
        Target.objects.filter(pk=lease.target.pk).update(lease_until=until)
        if is_taken_over:
            Target.objects.filter(pk=lease.target.pk).update(lease_token=uuid.uuid4())
        with calling(nova, writing=True, lease=mine) as held:
            assert (held.left is None) == (pace is not None)
            if is_taken_over:
                with pytest.raises(LeaseLost):
                    lease.write_timeout(held.left)
            else:
                assert 0 < lease.write_timeout(held.left) < 0.51
                assert lease.has_written


def test_a_lease_that_is_nearly_over_writes_nothing(site: Site, nova: Endpoint) -> None:
    lease = leased(site)
    with one_after_another():
        call(nova)
        Target.objects.filter(pk=lease.target.pk).update(lease_until=Now())
        with (
            calling(nova, writing=True, lease=(lease.target.pk, lease.token)) as held,
            pytest.raises(LeaseOver),
        ):
            lease.write_timeout(held.left)


def test_a_slot_is_held_anew_for_each_call(nova: Endpoint) -> None:
    """Else one that is kept for long would be free before its last call ends."""
    second = timedelta(seconds=1)
    with one_after_another():
        call(nova)
        CallSlot.objects.filter(holder__isnull=False).update(held_until=Now() + second)
        call(nova)
        assert not CallSlot.objects.filter(held_until__lte=Now() + 2 * second).exists()
