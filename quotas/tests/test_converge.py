"""One target made true against the sandbox cloud, and what is said when it cannot be."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from contrib.sandbox.control import RunningSandbox
from projects.actions.events import event_of
from projects.models import Event
from quotas.actions.targets import touch_targets, wake_targets
from quotas.delivery import leases
from quotas.delivery.converge import converge
from quotas.delivery.observe import BATCH, batch_size, observe
from quotas.delivery.wanted import wanted_limits
from quotas.models import (
    Account,
    Contribution,
    Delivery,
    Endpoint,
    Limit,
    ProjectHandle,
    Reading,
    Target,
    UsagePeak,
)
from quotas.queries.requests import states_of
from quotas.queries.troubles import sentence_of
from quotas.states import EndpointState, RequestState, TargetState
from quotas.tests.counting import count_queries
from quotas.tests.site import GIB, Site
from quotas.tests.test_decide import ask, grant


def target_at(endpoint: str, site: Site) -> Target:
    return Target.objects.get(project=site.project, endpoint__slug=endpoint)


def work(site: Site, *endpoints: str) -> list[str]:
    """Make each target due and converge it; returns the states they end in."""
    for slug in endpoints or ("keystone", "nova-geneva", "cinder-geneva"):
        target = target_at(slug, site)
        wake_targets([target])
        converge(target.pk)
    return [target_at(slug, site).state for slug in endpoints] if endpoints else []


@pytest.fixture
def standing(site: Site, cloud: RunningSandbox) -> Iterator[Site]:
    """The site with its project in the cloud; it is gone again afterwards."""
    work(site, "keystone")
    yield site
    for handle in ProjectHandle.objects.all():
        try:
            cloud.delete_project(handle.external_id)
        except ValueError:
            pass  # the test deleted it


def limits(cloud: RunningSandbox, service: str) -> dict[str, int]:
    return cloud.limits(ProjectHandle.objects.get().external_id, "geneva", service)


def test_a_project_is_made_once_and_its_handle_kept(standing: Site, cloud: RunningSandbox) -> None:
    assert work(standing, "keystone") == [TargetState.APPLIED]
    made = [call for call in cloud.calls(service="identity", method="POST")
            if call["path"].endswith("/projects")]  # fmt: skip
    assert len(made) == 1
    assert ProjectHandle.objects.count() == 1


def test_services_wait_for_the_project_without_failing(site: Site, cloud: RunningSandbox) -> None:
    assert work(site, "nova-geneva") == [TargetState.WAITING]
    assert target_at("nova-geneva", site).failure_count == 0
    assert cloud.calls(service="compute") == []


def test_the_arrival_of_the_project_wakes_the_services(site: Site, cloud: RunningSandbox) -> None:
    work(site, "nova-geneva")
    work(site, "keystone")
    assert target_at("nova-geneva", site).state == TargetState.DUE
    cloud.delete_project(ProjectHandle.objects.get().external_id)


def test_a_grant_is_written_read_back_and_marked_applied(
    standing: Site, cloud: RunningSandbox
) -> None:
    grant(standing, ask(standing, {standing.vcpu.slug: 64, standing.space.slug: 10 * GIB}))
    assert Delivery.objects.filter(applied_at__isnull=True).count() == 2
    states = work(standing, "nova-geneva", "cinder-geneva")
    assert states == [TargetState.APPLIED, TargetState.APPLIED]
    assert limits(cloud, "compute")["cores"] == 64
    assert {key: limits(cloud, "volume")[key] for key in ("gigabytes", "gigabytes_storage-a")} == {
        "gigabytes": 10, "gigabytes_storage-a": 10,
    }  # fmt: skip
    assert Delivery.objects.filter(applied_at__isnull=True).count() == 0
    reading = Reading.objects.get(limit__key="cores")
    assert (reading.written, reading.limit_seen, reading.used) == (64, 64, 0)


def test_what_was_read_is_kept_where_what_was_written_cannot_be_read_back(
    standing: Site, cloud: RunningSandbox
) -> None:
    grant(standing, ask(standing))
    fault = {"service": "compute", "method": "GET", "path": "os-quota-sets", "status": 503}
    with cloud.add_fault("status", **fault, skip=1):
        assert work(standing, "nova-geneva") == [TargetState.RETRYING]
    assert limits(cloud, "compute")["cores"] == 100
    assert Reading.objects.get(limit__key="cores").limit_seen not in (None, 100)


def test_limits_that_nothing_feeds_are_written_as_zero(
    standing: Site, cloud: RunningSandbox
) -> None:
    work(standing, "nova-geneva")
    assert {limits(cloud, "compute")[key] for key in ("cores", "ram")} == {0}


def test_only_what_differs_is_written(standing: Site, cloud: RunningSandbox) -> None:
    work(standing, "nova-geneva")
    cloud.forget_calls()
    grant(standing, ask(standing))
    work(standing, "nova-geneva")
    written = [call["body"] for call in cloud.calls(service="compute", method="PUT")]
    assert written == [{"quota_set": {"cores": 100}}]
    cloud.forget_calls()
    work(standing, "nova-geneva")
    assert cloud.calls(service="compute", method="PUT") == []


def test_below_usage_is_refused_with_the_figures_and_heals(
    standing: Site, cloud: RunningSandbox
) -> None:
    grant(standing, ask(standing, {standing.space.slug: 20 * GIB}))
    work(standing, "cinder-geneva")
    project = ProjectHandle.objects.get().external_id
    cloud.set_usage(project, "geneva", "volume", {"gigabytes_storage-a": 15})
    grant(standing, ask(standing, {standing.space.slug: 10 * GIB}))
    cloud.forget_calls()
    assert work(standing, "cinder-geneva") == [TargetState.REFUSED]
    target = target_at("cinder-geneva", standing)
    assert target.error_code == "below_usage"
    assert "15 GiB in use, 10 GiB granted" in target.error_words.replace("\u202f", " ")
    assert cloud.calls(service="volume", method="PUT") == []
    cloud.set_usage(project, "geneva", "volume", {"gigabytes_storage-a": 4})
    Target.objects.update(looked_at=None)
    observe(target.pk)
    assert target_at("cinder-geneva", standing).state == TargetState.DUE
    assert work(standing, "cinder-geneva") == [TargetState.APPLIED]
    assert limits(cloud, "volume")["gigabytes"] == 10


def test_a_deleted_project_is_refused_everywhere_and_nothing_applied(
    standing: Site, cloud: RunningSandbox
) -> None:
    work(standing, "nova-geneva", "cinder-geneva")
    cloud.delete_project(ProjectHandle.objects.get().external_id)
    grant(standing, ask(standing, {standing.space.slug: 10 * GIB}))
    cloud.forget_calls()
    states = work(standing, "cinder-geneva", "nova-geneva", "keystone")
    assert states == [TargetState.REFUSED] * 3
    assert "deleted outside Remit" in target_at("cinder-geneva", standing).error_words
    assert cloud.calls(service="volume", method="PUT") == []
    assert Delivery.objects.filter(applied_at__isnull=True).count() == 1


def test_finding_a_project_gone_wakes_the_targets_that_were_applied(
    standing: Site, cloud: RunningSandbox
) -> None:
    work(standing, "nova-geneva", "cinder-geneva")
    cloud.delete_project(ProjectHandle.objects.get().external_id)
    work(standing, "nova-geneva")
    assert target_at("cinder-geneva", standing).state == TargetState.DUE


def test_a_service_that_says_yes_and_does_nothing_is_found_out(
    standing: Site, cloud: RunningSandbox
) -> None:
    grant(standing, ask(standing))
    with cloud.add_fault("ignore", service="compute", method="PUT"):
        assert work(standing, "nova-geneva") == [TargetState.REFUSED]
    assert target_at("nova-geneva", standing).error_code == "not_taken"
    assert Delivery.objects.get().applied_at is None


def test_a_transient_error_is_kept_in_the_services_own_words(
    standing: Site, cloud: RunningSandbox
) -> None:
    with cloud.add_fault("status", service="compute", status=503, message="Try later, please."):
        assert work(standing, "nova-geneva") == [TargetState.RETRYING]
    target = target_at("nova-geneva", standing)
    assert (target.error_kind, target.error_words, target.failure_count) == (
        "transient", "Try later, please.", 1,
    )  # fmt: skip
    assert target.next_try_at is not None
    assert work(standing, "nova-geneva") == [TargetState.APPLIED]
    assert target_at("nova-geneva", standing).error_words == ""


def test_retry_after_is_heeded(standing: Site, cloud: RunningSandbox) -> None:
    with cloud.add_fault("status", service="compute", status=429, retry_after=120):
        work(standing, "nova-geneva")
    soon = Target.objects.filter(next_try_at__lte=Now() + timedelta(seconds=100))
    assert target_at("nova-geneva", standing) not in soon


def test_a_write_of_unknown_fate_leaves_the_target_dirty(
    standing: Site, cloud: RunningSandbox
) -> None:
    grant(standing, ask(standing))
    with cloud.add_fault("drop_after", service="compute", method="PUT"):
        assert work(standing, "nova-geneva") == [TargetState.DIRTY]
    target = target_at("nova-geneva", standing)
    assert target.dirty_until is not None
    assert Delivery.objects.get().applied_at is None


def test_a_silent_endpoint_is_left_alone_and_comes_back(
    standing: Site, cloud: RunningSandbox, settings: Settings
) -> None:
    settings.CALL_TIMEOUT_SECONDS = 0.3
    with cloud.add_fault("hang", service="compute"):
        for _ in range(3):
            work(standing, "nova-geneva")
        assert Endpoint.objects.get(slug="nova-geneva").state == EndpointState.UNREACHABLE
        cloud.forget_calls()
        work(standing, "nova-geneva")
        assert cloud.calls(service="compute") == []
        assert work(standing, "cinder-geneva") == [TargetState.APPLIED]
    Endpoint.objects.update(next_probe_at=Now())
    assert work(standing, "nova-geneva") == [TargetState.APPLIED]
    assert Endpoint.objects.get(slug="nova-geneva").state == EndpointState.OPEN


def test_a_key_the_service_lacks_is_said_not_invented(
    standing: Site, cloud: RunningSandbox
) -> None:
    Limit.objects.filter(key="cores").update(key="wishes")
    grant(standing, ask(standing))
    assert work(standing, "nova-geneva") == [TargetState.REFUSED]
    assert "wishes" in target_at("nova-geneva", standing).error_words


def test_a_newer_generation_leaves_the_target_due(standing: Site, cloud: RunningSandbox) -> None:
    grant(standing, ask(standing))
    target = target_at("nova-geneva", standing)
    wake_targets([target])
    lease = leases.take(target.pk)
    assert lease is not None
    touch_targets(Target.objects.filter(pk=target.pk))
    assert leases.finish_applied(lease)
    target.refresh_from_db()
    assert (target.state, target.applied_generation) == (TargetState.DUE, lease.generation)


def test_a_lease_that_ran_out_is_dirty_and_its_late_holder_applies_nothing(
    standing: Site, cloud: RunningSandbox
) -> None:
    target = target_at("nova-geneva", standing)
    wake_targets([target])
    lease = leases.take(target.pk)
    assert lease is not None
    assert leases.take(target.pk) is None
    Target.objects.filter(pk=target.pk).update(lease_until=Now())
    assert leases.expire() == 1
    with pytest.raises(leases.LeaseLost):
        leases.finish_applied(lease)
    target.refresh_from_db()
    assert (target.state, target.applied_generation) == (TargetState.DIRTY, 0)


def test_while_a_former_holder_may_write_nothing_is_called_applied(
    standing: Site, cloud: RunningSandbox
) -> None:
    target = target_at("nova-geneva", standing)
    wake_targets([target])
    lease = leases.take(target.pk)
    assert lease is not None
    leases.mark_dirty(target.pk)
    assert leases.finish_applied(lease) is None
    target.refresh_from_db()
    assert (target.state, target.applied_generation) == (TargetState.DIRTY, 0)


def test_the_days_peak_is_kept(standing: Site, cloud: RunningSandbox) -> None:
    project = ProjectHandle.objects.get().external_id
    for used in (5, 9, 2):
        cloud.set_usage(project, "geneva", "compute", {"cores": used})
        Target.objects.update(looked_at=None, state=TargetState.SKIPPED)
        observe(target_at("nova-geneva", standing).pk)
    assert UsagePeak.objects.get(limit__key="cores").used == 9
    assert Reading.objects.get(limit__key="cores").used == 2


def test_news_is_recorded_once(standing: Site, cloud: RunningSandbox) -> None:
    with cloud.add_fault("status", service="compute", status=503):
        work(standing, "nova-geneva")
        work(standing, "nova-geneva")
    work(standing, "nova-geneva")
    target = target_at("nova-geneva", standing)
    events = Event.objects.filter(subject_kind="target", subject_id=target.pk).order_by("id")
    assert [event.verb for event in events] == ["retrying", "applied"]
    assert Account.objects.exists()


def test_what_is_applied_is_recorded_as_everything_else(
    standing: Site, cloud: RunningSandbox
) -> None:
    """Its line is written by hand."""
    work(standing, "nova-geneva")
    target = target_at("nova-geneva", standing)
    event = Event.objects.get(verb="applied", subject_id=target.pk)
    assert target.applied_at is not None
    like = event_of(
        "applied", actor=None, now=target.applied_at, project=target.project,
        subject_kind="target", subject_id=target.pk, endpoint="nova-geneva",
        generation=target.generation,
    )  # fmt: skip
    names = [each.attname for each in Event._meta.concrete_fields if each.name not in ("id", "xid")]
    assert [getattr(event, each) for each in names] == [getattr(like, each) for each in names]
    assert event.xid is not None


def test_a_change_costs_eleven_statements(standing: Site, cloud: RunningSandbox) -> None:
    work(standing, "nova-geneva")
    grant(standing, ask(standing, {standing.vcpu.slug: 12}))
    target = target_at("nova-geneva", standing)
    count, said = count_queries(lambda: converge(target.pk))
    assert target_at("nova-geneva", standing).applied_generation == target.generation
    assert count == 11, said


def test_nothing_is_recorded_of_what_may_not_be_said(standing: Site, cloud: RunningSandbox) -> None:
    target = target_at("nova-geneva", standing)
    lease = leases.take(target.pk)
    assert lease is not None
    Target.objects.filter(pk=target.pk).update(dirty_until=Now() + timedelta(minutes=1))
    assert leases.finish_applied(lease) is None
    with pytest.raises(leases.LeaseLost):
        leases.finish_applied(lease)
    assert not Event.objects.filter(verb="applied", subject_id=target.pk).exists()


def test_a_peak_as_high_again_takes_the_limit_of_now(standing: Site, cloud: RunningSandbox) -> None:
    work(standing, "nova-geneva")
    grant(standing, ask(standing))
    work(standing, "nova-geneva")
    assert UsagePeak.objects.get(limit__key="cores").limit_seen == 100


def test_a_factor_never_carries_a_quota_out_of_what_a_column_holds(site: Site) -> None:
    Account.objects.filter(offering=site.vcpu, unit=site.units["atlas"]).update(balance=0)
    Account.objects.create(
        offering=site.vcpu, project=site.project, holder="project", balance=2**62
    )
    Contribution.objects.filter(offering=site.vcpu).update(factor=2000)
    wanted = {each.limit.key: each.amount for each in wanted_limits(target_at("nova-geneva", site))}
    assert wanted["cores"] == 2**62 * 2000


def test_a_sweep_looks_at_enough_to_see_all_in_time(site: Site, settings: Settings) -> None:
    targets = Target.objects.count()
    assert batch_size(30) == BATCH
    settings.OBSERVE_SECONDS = 0.1
    assert batch_size(30) == targets * 300


def test_one_limit_that_cannot_be_true_holds_up_no_line_that_does_not_feed_it(
    standing: Site, cloud: RunningSandbox
) -> None:
    ram = standing.offerings["geneva.compute-a.ram"]
    grant(standing, ask(standing, {standing.vcpu.slug: 50, ram.slug: 8 * GIB}))
    work(standing, "nova-geneva")
    cloud.set_usage(ProjectHandle.objects.get().external_id, "geneva", "compute", {"cores": 40})
    grant(standing, ask(standing, {standing.vcpu.slug: 20}))
    grant(standing, ask(standing, {ram.slug: 16 * GIB}))
    assert work(standing, "nova-geneva") == [TargetState.REFUSED]
    assert limits(cloud, "compute")["ram"] == 16 * 1024
    waiting = Delivery.objects.filter(applied_at__isnull=True)
    assert [each.decision_line.line.offering for each in waiting] == [standing.vcpu]


def test_a_request_that_the_cloud_refused_says_so(standing: Site, cloud: RunningSandbox) -> None:
    grant(standing, ask(standing, {standing.vcpu.slug: 50}))
    work(standing, "nova-geneva")
    cloud.set_usage(ProjectHandle.objects.get().external_id, "geneva", "compute", {"cores": 40})
    asked = ask(standing, {standing.vcpu.slug: 20})
    grant(standing, asked)
    assert states_of([asked]) == {asked.pk: RequestState.APPLYING}
    work(standing, "nova-geneva")
    assert states_of([asked]) == {asked.pk: RequestState.REFUSED}
    assert "40 in use, 20 granted" in sentence_of(target_at("nova-geneva", standing))
