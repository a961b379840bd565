"""Who directs an endpoint: zones of those who repair, and whose deliveries they retry."""

from typing import Any

import pytest

from portal.lib.errors import Forbidden, NotVisible
from projects.models import Delegation, Event, User
from projects.states import REPAIRING, Power
from quotas.actions import endpoints, operations
from quotas.models import DelegationBound, Endpoint, Target, Zone
from quotas.queries.repairers import (
    readable_endpoints,
    readable_targets,
    repairable_targets,
    zones_outside,
)
from quotas.states import EndpointState, TargetState
from quotas.tests.endpoints.steps import HOUR, close, nova, repairer, share_nova, viewer
from quotas.tests.site import NOW, Site, make_project

# --- zones ------------------------------------------------------------------------------


def test_a_repairer_pauses_what_serves_their_zone_alone(site: Site) -> None:
    rosa = repairer(site, "compute-a")
    close(site, actor=rosa)
    assert nova(site).state_by == rosa


def test_a_shared_endpoint_is_refused_naming_the_zone_outside(site: Site) -> None:
    share_nova(site)
    rosa = repairer(site, "compute-a")

    with pytest.raises(Forbidden) as refused:
        close(site, actor=rosa)

    assert refused.value.sentence == (
        "Nova geneva also serves compute-b in geneva, which you do not repair: operators can do "
        "this."
    )
    assert refused.value.facts["zones"] == ["geneva.compute-b"]
    assert nova(site).state == EndpointState.OPEN
    with pytest.raises(Forbidden):
        close(site, "restrict", actor=rosa)
    with pytest.raises(Forbidden):
        endpoints.resume(endpoint=nova(site), actor=rosa, now=NOW)


def test_mandates_for_two_zones_together_reach_what_serves_both(site: Site) -> None:
    share_nova(site)
    repairer(site, "compute-a")
    rosa = repairer(site, "compute-b", unit="it")
    close(site, actor=rosa)
    assert nova(site).state == EndpointState.PAUSED


def test_an_identity_endpoint_serves_the_zones_of_all_its_services(site: Site) -> None:
    rosa = repairer(site, "compute-a")
    outside = zones_outside(viewer(rosa), Power.PAUSE_ENDPOINT, site.endpoints["keystone"])
    assert [zone.slug for zone in outside] == ["storage-a"]
    with pytest.raises(Forbidden, match="storage-a"):
        close(site, name="keystone", actor=rosa)


def test_zones_of_a_chain_are_those_that_every_link_names(site: Site) -> None:
    parent = Delegation.objects.create(
        user=site.erin, powers=list(REPAIRING), unit=site.units["org"], depth=2,
        starts_at=NOW - HOUR, created_at=NOW,
    )  # fmt: skip
    DelegationBound.objects.create(delegation=parent, zone=Zone.objects.get(slug="storage-a"))
    rosa = repairer(site, "compute-a", "storage-a", parent=parent)

    with pytest.raises(Forbidden, match="compute-a"):
        close(site, actor=rosa)
    close(site, name="cinder-geneva", actor=rosa)
    read = readable_endpoints(viewer(rosa)).values_list("slug", flat=True)
    assert set(read) == {"keystone", "cinder-geneva"}


def test_a_revoked_mandate_repairs_nothing(site: Site) -> None:
    rosa = repairer(site)
    Delegation.objects.filter(user=rosa).update(revoked_at=NOW)
    with pytest.raises(Forbidden):
        close(site, actor=rosa)


def test_the_power_to_retry_does_not_pause_nor_the_other_way_round(site: Site) -> None:
    rosa = repairer(site, powers=[Power.RETRY_DELIVERIES])
    target = fail(site)
    with pytest.raises(Forbidden, match="power to pause"):
        close(site, actor=rosa)
    retry(target, rosa)
    Delegation.objects.filter(user=rosa).update(powers=[Power.PAUSE_ENDPOINT])
    fail(site)
    with pytest.raises(Forbidden, match="power to retry"):
        retry(target, rosa)
    close(site, actor=rosa)


def test_an_endpoint_that_serves_no_zone_is_for_operators(site: Site) -> None:
    lone = Endpoint.objects.create(slug="lone", name="Lone", driver="nova", cloud="sandbox")
    rosa = repairer(site)
    with pytest.raises(Forbidden, match="no zone"):
        close(site, endpoint=lone, actor=rosa)
    close(site, endpoint=lone)
    assert lone.state == EndpointState.PAUSED


# --- retries ----------------------------------------------------------------------------


def fail(site: Site, slug: str = "atlas-reco", endpoint: str = "nova-geneva") -> Target:
    target = Target.objects.get(project__slug=slug, endpoint__slug=endpoint)
    Target.objects.filter(pk=target.pk).update(
        state=TargetState.REFUSED, next_try_at=NOW + HOUR, error_words="no"
    )
    return target


def retry(target: Target, person: User) -> Target:
    return operations.retry_target(
        endpoint=target.endpoint, target_id=target.pk, actor=person, now=NOW
    )


def test_a_repairer_retries_projects_of_their_units_in_their_zones_alone(site: Site) -> None:
    make_project(site, "other", "it", NOW)
    targets = [fail(site), fail(site, "other"), fail(site, endpoint="cinder-geneva")]
    rosa = repairer(site, "compute-a", unit="ep")

    assert [each.pk for each in repairable_targets(viewer(rosa))] == [targets[0].pk]
    assert [each.pk for each in readable_targets(viewer(rosa))] == [targets[0].pk]
    retry(targets[0], rosa)
    with pytest.raises(NotVisible):
        retry(targets[1], rosa)
    with pytest.raises(Forbidden, match="storage-a"):
        retry(targets[2], rosa)


def test_a_retry_of_an_endpoint_leaves_the_projects_of_others(site: Site) -> None:
    make_project(site, "other", "it", NOW)
    own, others = fail(site), fail(site, "other")
    rosa = repairer(site, unit="ep")

    count = operations.retry_endpoint(endpoint=nova(site), actor=rosa, now=NOW)

    assert count == 1
    states = dict(Target.objects.filter(pk__in=[own.pk, others.pk]).values_list("pk", "state"))
    assert states == {own.pk: TargetState.DUE, others.pk: TargetState.REFUSED}


def test_a_retry_of_very_many_keeps_few_ids_and_sends_few_hints(
    site: Site, django_capture_on_commit_callbacks: Any
) -> None:
    total = 3 * operations.IDS_KEPT
    for number in range(total):
        make_project(site, f"many-{number}", "atlas", NOW)
    Target.objects.filter(endpoint__slug="nova-geneva", project__slug__startswith="many").update(
        state=TargetState.REFUSED
    )

    with django_capture_on_commit_callbacks() as hints:
        count = operations.retry_endpoint(endpoint=nova(site), actor=site.otto, now=NOW)

    event = Event.objects.latest("pk")
    assert (count, event.data["count"]) == (total, total)
    assert len(event.data["targets"]) == operations.IDS_KEPT
    assert len(hints) <= operations.IDS_KEPT
