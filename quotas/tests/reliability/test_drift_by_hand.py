"""Each kind of drift made by hand in the sandbox: found, explained, mended by restore and adopt.

All at once and in real OpenStack: `test_drift_openstack.py`.
"""

import uuid
from collections.abc import Iterator

import pytest
from django.utils import timezone
from pytest_django import Settings

from contrib.testing.clouds import SandboxSite
from portal.lib.errors import Conflict
from quotas.models import Drift, Limit
from quotas.queries.accounts import audit
from quotas.queries.drift_words import sentence_of
from quotas.states import DriftEnd, DriftKind, TargetState
from quotas.tests.reliability.places import Place, ends, placed
from quotas.tests.reliability.scenes import CINDER, KEYSTONE, NOVA
from quotas.tests.site import GIB, Site

CHANGED, OVER = DriftKind.LIMIT_CHANGED, DriftKind.USAGE_ABOVE


@pytest.fixture(params=[0, 1], ids=["xena", "2026.1"])
def place(
    request: pytest.FixtureRequest, site: Site, sandbox_site: SandboxSite, settings: Settings
) -> Iterator[Place]:
    with placed(site, sandbox_site, sandbox_site.regions[request.param], settings) as found:
        yield found


def test_a_limit_changed_outside_is_restored(place: Place) -> None:
    place.set_limits(NOVA, cores=100)
    found = place.look(NOVA)[CHANGED]
    assert sentence_of(found) == "Nova geneva says 100 for cores instead of 64."
    place.restore(found)
    assert place.work(NOVA) == {TargetState.APPLIED}
    assert (place.limit(NOVA, "cores"), ends()) == (64, {(CHANGED, DriftEnd.RESTORED)})


def test_a_limit_changed_outside_is_adopted_and_not_written(place: Place) -> None:
    place.set_limits(NOVA, cores=100)
    place.adopt(place.look(NOVA)[CHANGED])
    assert place.site.quota(place.site.vcpu) == 100
    assert audit() == []
    assert place.work(NOVA) == {TargetState.APPLIED}
    reading = place.target(NOVA).readings.get(limit__key="cores")
    assert (reading.limit_seen, reading.written) == (100, 64)
    assert place.look(NOVA) == {}
    assert (place.limit(NOVA, "cores"), ends()) == (100, {(CHANGED, DriftEnd.ADOPTED)})


def test_space_changed_by_type_and_in_all_is_adopted_by_one_decision(place: Place) -> None:
    by_type = f"gigabytes_{place.cloud.volume_types[0]}"
    place.set_limits(CINDER, **{by_type: 50, "gigabytes": 50})
    place.look(CINDER)
    place.adopt(Drift.objects.get(limit__key=by_type))
    assert place.site.quota(place.site.space) == 50 * GIB
    assert place.work(CINDER) == {TargetState.APPLIED}
    assert place.look(CINDER) == {}
    assert ends() == {(CHANGED, DriftEnd.ADOPTED)}


@pytest.mark.parametrize(("endpoint", "key"), [(NOVA, "cores"), (CINDER, "gigabytes")])
def test_no_limit_at_all_is_found_never_adopted_and_restored(
    place: Place, endpoint: str, key: str
) -> None:
    before = place.limit(endpoint, key)
    place.set_limits(endpoint, **{key: -1})
    found = place.look(endpoint)[DriftKind.UNLIMITED]
    assert "sets no limit" in sentence_of(found)
    with pytest.raises(Conflict, match="Unlimited is no amount"):
        place.adopt(found)
    place.restore(found)
    assert place.work(endpoint) == {TargetState.APPLIED}
    assert (place.limit(endpoint, key), place.look(endpoint)) == (before, {})


def test_use_above_a_limit_that_was_forced_down_is_found_and_ends_with_its_restore(
    place: Place,
) -> None:
    place.cloud.set_instances(place.region, place.external_id, 5)
    place.set_limits(NOVA, cores=3, force=True)
    found = place.look(NOVA)
    assert sentence_of(found[OVER]) == (
        "Nova geneva counts 5 of cores in use, above its limit of 3."
    )
    with pytest.raises(Conflict, match="Nothing is deleted"):
        place.restore(found[OVER])
    place.restore(found[CHANGED])
    assert place.work(NOVA) == {TargetState.APPLIED}
    assert ends() == {(CHANGED, DriftEnd.RESTORED), (OVER, DriftEnd.GONE)}
    place.cloud.set_instances(place.region, place.external_id, 0)


def test_cinder_takes_a_limit_below_use_without_force_and_it_is_found(place: Place) -> None:
    first = place.cloud.volume_types[0]
    place.cloud.set_volumes(place.region, place.external_id, 2, gib=10, volume_type=first)
    # Without a row of its own Cinder compares nothing and says yes.
    place.forget_limits(CINDER)
    place.set_limits(CINDER, gigabytes=5)
    place.look(CINDER)
    over = Drift.objects.get(kind=OVER)
    assert (over.wanted, over.seen) == (5 * GIB, 20 * GIB)
    place.restore(Drift.objects.get(kind=CHANGED, limit__key="gigabytes"))
    assert place.work(CINDER) == {TargetState.APPLIED}
    assert (place.limit(CINDER, "gigabytes"), place.look(CINDER)) == (30, {})
    place.cloud.set_volumes(place.region, place.external_id, 0, gib=10, volume_type=first)


def test_a_deleted_project_is_made_anew_with_its_limits_and_only_once(place: Place) -> None:
    gone = place.external_id
    place.call("DELETE", KEYSTONE, f"/projects/{gone}")
    found = place.look(CINDER, NOVA, KEYSTONE)
    assert list(found) == [DriftKind.PROJECT_MISSING]
    with pytest.raises(Conflict, match="Restore it first"):
        place.adopt(found[DriftKind.PROJECT_MISSING])
    assert place.work() == {TargetState.REFUSED}
    place.restore(found[DriftKind.PROJECT_MISSING])
    assert place.work() == {TargetState.APPLIED}
    assert place.external_id != gone
    made = place.cloud.plain.projects_with(place.project.tag)
    assert [each["id"] for each in made] == [place.external_id]
    assert (place.limit(NOVA, "cores"), place.limit(CINDER, "gigabytes")) == (64, 30)
    assert ends() == {(DriftKind.PROJECT_MISSING, DriftEnd.RESTORED)}


def test_a_disabled_project_is_enabled_again(place: Place) -> None:
    place.change_project(enabled=False)
    found = place.look(NOVA)[DriftKind.PROJECT_DISABLED]
    assert sentence_of(found) == "The project is disabled in Keystone."
    assert place.work() == {TargetState.REFUSED}
    place.restore(found)
    assert place.work() == {TargetState.APPLIED}
    project = place.cloud.plain.project(place.external_id)
    assert project is not None
    assert (project["enabled"], ends()) == (
        True, {(DriftKind.PROJECT_DISABLED, DriftEnd.RESTORED)},
    )  # fmt: skip


def test_a_renamed_project_is_called_as_before(place: Place) -> None:
    other = f"mine-{uuid.uuid4().hex[:8]}"
    place.change_project(name=other)
    found = place.look(KEYSTONE)[DriftKind.PROJECT_RENAMED]
    assert sentence_of(found) == f"Keystone calls the project {other}."
    place.restore(found)
    assert place.work(KEYSTONE) == {TargetState.APPLIED}
    project = place.cloud.plain.project(place.external_id)
    assert project is not None
    assert (project["name"], place.look(KEYSTONE)) == (place.project.name, {})


def test_a_key_that_went_with_its_volume_type_is_found_and_explained(place: Place) -> None:
    key = place.add_limit_of_new_type()
    place.remove_type(key)
    found = place.look(CINDER)[DriftKind.KEY_MISSING]
    assert found.wanted == 30 * GIB
    with pytest.raises(Conflict, match="leave the limit out"):
        place.restore(found)
    with pytest.raises(Conflict, match="There is no limit"):
        place.adopt(found)
    Limit.objects.filter(drifts=found).update(left_out_at=timezone.now())
    assert place.look(CINDER) == {}
    assert place.work(CINDER) == {TargetState.APPLIED}
    assert ends() == {(DriftKind.KEY_MISSING, DriftEnd.GONE)}
