"""Looks take turns, and one that saw nothing is never counted as fine."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings

from contrib.sandbox.control import RunningSandbox
from quotas.delivery.observe import observe, stale_in_turn
from quotas.models import Endpoint, ProjectHandle, Target
from quotas.queries.drift import coverage, unanswered
from quotas.states import EndpointState, TargetState
from quotas.tests.drift.outside import Outside, look, rows, target_at
from quotas.tests.site import Site, make_project


def test_a_look_that_saw_nothing_is_named_and_never_counted_as_fine(
    standing: Site, outside: Outside, cloud: RunningSandbox, settings: Settings
) -> None:
    look(standing)
    nova = target_at("nova-geneva", standing).endpoint
    # Read long ago by now.
    settings.OBSERVE_SECONDS = 0.001
    with cloud.add_fault("status", service="compute", status=503, message="Not now."):
        look(standing)
    found = coverage([nova], timezone.now())[0]
    assert (found.target_count, found.fresh_count, found.unanswered_count) == (1, 0, 1)
    assert [each.look_error_words for each in unanswered(Target.objects.all())] == ["Not now."]
    settings.OBSERVE_SECONDS = 300
    look(standing)
    found = coverage([nova], timezone.now())[0]
    assert (found.fresh_count, found.unanswered_count, found.is_complete) == (1, 0, True)


@pytest.mark.parametrize("change", [None, {"enabled": False}])
def test_what_has_no_project_to_read_is_named_apart_and_not_counted_as_read(
    standing: Site, outside: Outside, cloud: RunningSandbox, change: dict[str, Any] | None
) -> None:
    if change is None:
        cloud.delete_project(outside.project)
    else:
        outside.change_project(**change)
    look(standing, "keystone", "nova-geneva")
    found = coverage([target_at("nova-geneva", standing).endpoint], timezone.now())[0]
    assert (found.fresh_count, found.gone_count, found.stale_count) == (0, 1, 0)
    # The identity service itself was read.
    found = coverage([target_at("keystone", standing).endpoint], timezone.now())[0]
    assert (found.fresh_count, found.gone_count) == (1, 0)


def test_endpoints_take_turns_at_being_looked_at(site: Site) -> None:
    """One where looks find no room keeps the oldest readings and must not keep all places."""
    for number in range(4):
        make_project(site, f"p{number}", "atlas", timezone.now())
    now = timezone.now()
    Target.objects.update(state=TargetState.APPLIED, next_try_at=None, looked_at=now)
    Target.objects.filter(endpoint__slug="nova-geneva").update(looked_at=None)
    day_ago = now - timedelta(days=1)
    Target.objects.filter(endpoint__slug="cinder-geneva").update(looked_at=day_ago)
    sent = Target.objects.filter(pk__in=stale_in_turn(4)).values_list("endpoint__slug", flat=True)
    assert sorted(sent) == ["cinder-geneva"] * 2 + ["nova-geneva"] * 2


def test_one_broken_project_is_named_and_the_others_are_looked_at(
    standing: Site, outside: Outside
) -> None:
    other = make_project(standing, "broken", "atlas", timezone.now())
    keystone = standing.endpoints["keystone"]
    # What nobody foresaw: an id that is no id.
    ProjectHandle.objects.create(
        project=other, identity=keystone, external_id="../../x", created_at=timezone.now()
    )
    broken = Target.objects.get(project=other, endpoint__slug="nova-geneva")
    Target.objects.filter(pk=broken.pk).update(state=TargetState.APPLIED, next_try_at=None)
    Target.objects.update(looked_at=None, observed_at=None)
    observe(broken.pk)
    observe(target_at("nova-geneva", standing).pk)
    broken.refresh_from_db()
    assert broken.look_error_code != ""
    assert broken.observed_at is None
    assert target_at("nova-geneva", standing).observed_at is not None


def test_a_paused_endpoint_is_not_looked_at_and_says_so(standing: Site, outside: Outside) -> None:
    outside.set_limits(cores=200)
    Endpoint.objects.filter(slug="nova-geneva").update(
        state=EndpointState.PAUSED, state_since=Now()
    )
    look(standing)
    assert rows() == []
    nova = target_at("nova-geneva", standing).endpoint
    assert coverage([nova], timezone.now())[0].is_held
