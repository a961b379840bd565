"""Every kind of drift made by hand in real OpenStack at once, found by one sweep, and mended.

One by one and with all their words, on the sandbox: `test_drift_by_hand.py`.
"""

import uuid
from collections.abc import Iterator

import pytest
from django.utils import timezone
from pytest_django import Settings

from contrib.testing.clouds import OpenstackSite
from portal.lib.errors import Conflict
from quotas.models import Drift, Limit
from quotas.queries.drift_words import sentence_of
from quotas.states import DriftEnd, DriftKind, TargetState
from quotas.tests.reliability.places import Place, ends, placed
from quotas.tests.reliability.scenes import CINDER, KEYSTONE, NOVA
from quotas.tests.site import GIB, Site

pytestmark = pytest.mark.needs("openstack")

APPLIED = {TargetState.APPLIED}
CHANGED, UNLIMITED = DriftKind.LIMIT_CHANGED, DriftKind.UNLIMITED
OVER, MISSING = DriftKind.USAGE_ABOVE, DriftKind.KEY_MISSING


@pytest.fixture
def new_region(site: Site, openstack_site: OpenstackSite, settings: Settings) -> Iterator[Place]:
    with placed(site, openstack_site, openstack_site.regions[1], settings) as found:
        yield found


@pytest.fixture(params=[0, 1], ids=["xena", "2026.1"])
def place(
    request: pytest.FixtureRequest, site: Site, openstack_site: OpenstackSite, settings: Settings
) -> Iterator[Place]:
    with placed(site, openstack_site, openstack_site.regions[request.param], settings) as found:
        yield found


def found_by_a_sweep(place: Place, *endpoints: str) -> dict[tuple[str, str], Drift]:
    """{(kind, key): its open drift}, after one look at each endpoint."""
    place.look(*endpoints)
    rows = Drift.objects.filter(ended_at__isnull=True).select_related("limit")
    return {(row.kind, row.limit.key if row.limit else ""): row for row in rows}


def test_limits_changed_by_hand_are_found_by_one_sweep_restored_and_adopted(place: Place) -> None:
    first = place.cloud.volume_types[0]
    by_type, gone = f"gigabytes_{first}", place.add_limit_of_new_type()
    place.cloud.set_instances(place.region, place.external_id, 5)
    place.set_limits(NOVA, cores=3, ram=-1, force=True)
    place.cloud.set_volumes(place.region, place.external_id, 2, gib=10, volume_type=first)
    # Without a row of its own Cinder compares nothing and says yes; by type it then has no limit.
    place.forget_limits(CINDER)
    place.set_limits(CINDER, gigabytes=5)
    place.remove_type(gone)

    found = found_by_a_sweep(place, NOVA, CINDER)
    assert {key: (row.wanted, row.seen) for key, row in found.items()} == {
        (CHANGED, "cores"): (64, 3),
        (OVER, "cores"): (3, 5),
        (UNLIMITED, "ram"): (64 * GIB, -1),
        (CHANGED, "gigabytes"): (30 * GIB, 5 * GIB),
        (OVER, "gigabytes"): (5 * GIB, 20 * GIB),
        (UNLIMITED, by_type): (30 * GIB, -1),
        (MISSING, gone): (30 * GIB, None),
    }
    assert sentence_of(found[OVER, "cores"]) == (
        "Nova geneva counts 5 of cores in use, above its limit of 3."
    )
    refuse_what_cannot_be(place, found, gone)

    # What cannot be set is left out; the rest is as it was granted, and all drift is over.
    Limit.objects.filter(key=gone).update(left_out_at=timezone.now())
    for kind, key in ((CHANGED, "cores"), (UNLIMITED, "ram"), (CHANGED, "gigabytes")):
        place.restore(found[kind, key])
    assert place.work(NOVA, CINDER) == APPLIED
    assert (place.limit(NOVA, "cores"), place.limit(NOVA, "ram")) == (64, 64 * 1024)
    assert (place.limit(CINDER, "gigabytes"), place.limit(CINDER, by_type)) == (30, 30)
    assert found_by_a_sweep(place, NOVA, CINDER) == {}

    adopt_what_was_set(place, by_type)
    place.cloud.set_instances(place.region, place.external_id, 0)
    place.cloud.set_volumes(place.region, place.external_id, 0, gib=10, volume_type=first)


def refuse_what_cannot_be(place: Place, found: dict[tuple[str, str], Drift], gone: str) -> None:
    for kind, key, words in (
        (UNLIMITED, "ram", "Unlimited is no amount"),
        (MISSING, gone, "There is no limit"),
    ):
        with pytest.raises(Conflict, match=words):
            place.adopt(found[kind, key])
    for kind, key, words in (
        (OVER, "gigabytes", "Nothing is deleted"),
        (MISSING, gone, "leave the limit out"),
    ):
        with pytest.raises(Conflict, match=words):
            place.restore(found[kind, key])


def adopt_what_was_set(place: Place, by_type: str) -> None:
    """Quota follows what is true in the cloud, where nothing is written."""
    place.set_limits(NOVA, cores=100)
    place.set_limits(CINDER, **{by_type: 50, "gigabytes": 50})
    found = found_by_a_sweep(place, NOVA, CINDER)
    assert set(found) == {(CHANGED, "cores"), (CHANGED, "gigabytes"), (CHANGED, by_type)}
    place.adopt(found[CHANGED, "cores"])
    place.adopt(found[CHANGED, by_type])
    assert place.site.quota(place.site.vcpu) == 100
    assert place.site.quota(place.site.space) == 50 * GIB
    assert place.work(NOVA, CINDER) == APPLIED
    reading = place.target(NOVA).readings.get(limit__key="cores")
    assert (reading.limit_seen, reading.written) == (100, 64)
    assert found_by_a_sweep(place, NOVA, CINDER) == {}
    assert (place.limit(NOVA, "cores"), place.limit(CINDER, "gigabytes")) == (100, 50)
    assert (CHANGED, DriftEnd.ADOPTED) in ends()


def test_a_project_renamed_disabled_and_deleted_by_hand_is_found_and_restored(
    new_region: Place,
) -> None:
    # Once: the two releases share one Keystone.
    place = new_region
    other = f"mine-{uuid.uuid4().hex[:8]}"
    place.change_project(name=other, enabled=False)
    found = place.look(NOVA, KEYSTONE)
    assert set(found) == {DriftKind.PROJECT_DISABLED, DriftKind.PROJECT_RENAMED}
    assert sentence_of(found[DriftKind.PROJECT_RENAMED]) == f"Keystone calls the project {other}."
    assert place.work() == {TargetState.REFUSED}
    for drift in found.values():
        place.restore(drift)
    assert place.work() == APPLIED
    project = place.cloud.plain.project(place.external_id)
    assert project is not None
    assert (project["name"], project["enabled"]) == (place.project.name, True)

    gone = place.external_id
    place.call("DELETE", KEYSTONE, f"/projects/{gone}")
    found = place.look(CINDER, NOVA, KEYSTONE)
    assert list(found) == [DriftKind.PROJECT_MISSING]
    with pytest.raises(Conflict, match="Restore it first"):
        place.adopt(found[DriftKind.PROJECT_MISSING])
    assert place.work() == {TargetState.REFUSED}
    place.restore(found[DriftKind.PROJECT_MISSING])
    assert place.work() == APPLIED
    assert place.external_id != gone
    made = place.cloud.plain.projects_with(place.project.tag)
    assert [each["id"] for each in made] == [place.external_id]
    assert (place.limit(NOVA, "cores"), place.limit(CINDER, "gigabytes")) == (64, 30)
    kinds = (DriftKind.PROJECT_DISABLED, DriftKind.PROJECT_RENAMED, DriftKind.PROJECT_MISSING)
    assert ends() == {(kind, DriftEnd.RESTORED) for kind in kinds}
