"""What differs in a cloud: found once, kept while it lasts, ended."""

from typing import Any

import pytest
from django.utils import timezone

from contrib.sandbox.control import RunningSandbox
from projects.models import Event
from quotas.backends.base import Figure
from quotas.delivery import drift as noting
from quotas.delivery.wanted import wanted_limits
from quotas.models import Drift, Limit, Reading, Target
from quotas.queries.drift_words import sentence_of
from quotas.states import DriftEnd, TargetState
from quotas.tests.drift.outside import CHANGED, Outside, look, rows, target_at, work
from quotas.tests.site import GIB, Site
from quotas.tests.test_decide import ask, grant


def test_a_limit_that_was_changed_outside_is_found_once(standing: Site, outside: Outside) -> None:
    outside.set_limits(cores=200)
    look(standing)
    first = Drift.objects.get()
    assert rows() == CHANGED
    assert sentence_of(first) == "Nova geneva says 200 for cores instead of 128."
    look(standing)
    again = Drift.objects.get()
    assert again.found_at == first.found_at
    assert again.confirmed_at > first.confirmed_at
    assert target_at("nova-geneva", standing).state == TargetState.APPLIED
    assert outside.cores() == 200
    found = Event.objects.get(verb="drift_found")
    assert (found.data["endpoint"], found.data["limit"], found.data["seen"]) == (
        "nova-geneva", "cores", 200,
    )  # fmt: skip


def test_a_limit_that_is_right_again_ends_its_drift(standing: Site, outside: Outside) -> None:
    outside.set_limits(cores=200)
    look(standing)
    outside.set_limits(cores=128)
    look(standing)
    assert [each.end for each in Drift.objects.all()] == [DriftEnd.GONE]
    outside.set_limits(cores=64)
    look(standing)
    assert rows() == [("limit changed", "cores", 128, 64)]
    assert Drift.objects.count() == 2


def test_what_a_decision_changed_and_nobody_delivered_is_no_drift(
    standing: Site, outside: Outside
) -> None:
    target = target_at("nova-geneva", standing)
    before = noting.standing(target)
    grant(standing, ask(standing, {standing.vcpu.slug: 20}))
    wanted = noting_of(target)
    noting.note_limits(before, *wanted)
    assert rows() == []
    # The same figures without the decision are none either: the ledger says what they say.
    look(standing)
    assert rows() == []


def noting_of(target: Target) -> Any:
    """What is wanted by now, and the figures that the last reading kept."""
    seen = {
        each.limit.key: Figure((each.limit_seen or 0) // each.limit.step, each.used, each.reserved)
        for each in Reading.objects.filter(target=target).select_related("limit")
    }
    return wanted_limits(target), seen


def test_no_limit_at_all_is_a_kind_of_its_own(standing: Site, outside: Outside) -> None:
    outside.set_limits(cores=-1)
    look(standing)
    assert rows() == [("unlimited", "cores", 128, -1)]
    outside.set_limits(cores=300)
    look(standing)
    assert rows() == [("limit changed", "cores", 128, 300)]


def test_use_above_a_limit_is_found_beside_the_limit_that_was_lowered(
    standing: Site, outside: Outside, cloud: RunningSandbox
) -> None:
    cloud.set_usage(outside.project, "geneva", "compute", {"cores": 6}, reserved={"cores": 2})
    outside.plain.done(
        "PUT", "compute", f"/os-quota-sets/{outside.project}",
        {"quota_set": {"cores": 5, "force": True}}, region="geneva",
    )  # fmt: skip
    look(standing)
    assert rows() == [("limit changed", "cores", 128, 5), ("usage above", "cores", 5, 8)]
    cloud.set_usage(outside.project, "geneva", "compute", {"cores": 1})
    look(standing)
    assert rows() == [("limit changed", "cores", 128, 5)]


def test_a_key_that_is_gone_is_missing_until_it_is_left_out(
    standing: Site, outside: Outside
) -> None:
    Limit.objects.filter(key="cores").update(key="wishes")
    look(standing)
    assert rows() == [("key missing", "wishes", 128, None)]
    Limit.objects.filter(key="wishes").update(left_out_at=timezone.now())
    look(standing)
    assert rows() == []


@pytest.mark.parametrize(
    ("change", "kind", "sentence"),
    [
        ({"enabled": False}, "project disabled", "The project is disabled in Keystone."),
        ({"name": "mine-now"}, "project renamed", "Keystone calls the project mine-now."),
        (None, "project missing", "The project is gone from Keystone."),
    ],
)
def test_what_happened_to_the_project_is_found_at_its_identity_service_once(
    standing: Site, outside: Outside, change: dict[str, Any] | None, kind: str, sentence: str
) -> None:
    if change is None:
        outside.plain.done("DELETE", "identity", f"/projects/{outside.project}")
    else:
        outside.change_project(**change)
    look(standing, "nova-geneva", "cinder-geneva", "keystone")
    found = Drift.objects.get(ended_at__isnull=True)
    assert (found.kind, found.target.endpoint.slug) == (kind, "keystone")
    assert sentence_of(found) == sentence
    if change is not None:
        outside.change_project(enabled=True, name=standing.project.name)
        work(standing, "keystone")
        assert rows() == []


def test_a_refused_target_is_looked_at_for_the_limits_that_were_true(
    standing: Site, outside: Outside, cloud: RunningSandbox
) -> None:
    cloud.set_usage(outside.project, "geneva", "compute", {"cores": 50})
    ram = standing.offerings["geneva.compute-a.ram"]
    grant(standing, ask(standing, {ram.slug: 8 * GIB}))
    work(standing, "nova-geneva")
    grant(standing, ask(standing, {standing.vcpu.slug: 20}))
    work(standing, "nova-geneva")
    assert target_at("nova-geneva", standing).state == TargetState.REFUSED
    assert rows() == []
    outside.set_limits(ram=99)
    look(standing)
    assert rows() == [("limit changed", "ram", 8 * GIB, 99 * 2**20)]


def test_an_attempt_that_finds_a_limit_changed_and_cannot_write_it_says_so(
    standing: Site, outside: Outside, cloud: RunningSandbox
) -> None:
    outside.set_limits(cores=200)
    cloud.set_usage(outside.project, "geneva", "compute", {"cores": 150})
    work(standing, "nova-geneva")
    assert target_at("nova-geneva", standing).error_code == "below_usage"
    assert rows() == CHANGED
