"""Drift made by hand in the services themselves: found, explained, mended by restore and adopt.

On the sandbox and, release by release, on real OpenStack. Afterwards the ledger adds up.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from contrib.testing.clouds import Site as CloudSite
from portal.lib.errors import Conflict
from projects.models import Project
from quotas.actions.adopting import adopt
from quotas.actions.drift import restore
from quotas.actions.targets import touch_endpoints, wake_targets
from quotas.delivery.converge import converge
from quotas.delivery.observe import observe
from quotas.models import Contribution, Drift, Endpoint, Limit, ProjectHandle, Target
from quotas.queries.accounts import audit
from quotas.queries.drift_words import sentence_of
from quotas.states import DriftEnd, DriftKind, TargetState
from quotas.tests.site import GIB, Site
from quotas.tests.test_decide import ask, grant

KEYSTONE, NOVA, CINDER = "keystone", "nova-geneva", "cinder-geneva"
SERVICES = {NOVA: "compute", CINDER: "volumev3"}
CHANGED, OVER = DriftKind.LIMIT_CHANGED, DriftKind.USAGE_ABOVE


@dataclass
class Place:
    """The project of the small site in one region of a cloud, and who meddles with it there."""

    site: Site
    cloud: CloudSite
    region: str
    types_made: list[str] = field(default_factory=list)

    @property
    def project(self) -> Project:
        return self.site.project

    @property
    def external_id(self) -> str:
        return ProjectHandle.objects.get().external_id

    def target(self, endpoint: str) -> Target:
        return Target.objects.get(project=self.project, endpoint__slug=endpoint)

    def work(self, *endpoints: str) -> set[str]:
        """Converge each, whatever it waits for; the states that they end in."""
        for slug in endpoints or (KEYSTONE, NOVA, CINDER):
            wake_targets([self.target(slug)])
            converge(self.target(slug).pk)
        return {self.target(slug).state for slug in endpoints or (KEYSTONE, NOVA, CINDER)}

    def look(self, *endpoints: str) -> dict[str, Drift]:
        """Look at each as the sweep does; {kind: its open drift}."""
        for slug in endpoints:
            Target.objects.update(looked_at=None)
            observe(self.target(slug).pk)
        assert not Target.objects.exclude(look_error_code="").exists()
        return {row.kind: row for row in Drift.objects.filter(ended_at__isnull=True)}

    def restore(self, drift: Drift) -> None:
        restore(drift=drift, actor=self.site.otto, now=timezone.now())

    def adopt(self, drift: Drift) -> None:
        adopt(drift=drift, seen=drift.seen or 0, actor=self.site.dana, now=timezone.now())

    # --- behind Remit's back

    def call(self, method: str, endpoint: str, path: str, body: Any = None) -> Any:
        service = SERVICES.get(endpoint, "identity")
        region = self.region if endpoint in SERVICES else ""
        return self.cloud.plain.done(method, service, path, body, region=region)

    def set_limits(self, endpoint: str, **limits: int | bool) -> None:
        path = f"/os-quota-sets/{self.external_id}"
        self.call("PUT", endpoint, path, {"quota_set": limits})

    def forget_limits(self, endpoint: str) -> None:
        self.call("DELETE", endpoint, f"/os-quota-sets/{self.external_id}")

    def change_project(self, **values: Any) -> None:
        self.call("PATCH", KEYSTONE, f"/projects/{self.external_id}", {"project": values})

    def limit(self, endpoint: str, key: str) -> int:
        path = f"/os-quota-sets/{self.external_id}"
        found: int = self.call("GET", endpoint, path)["quota_set"][key]
        return found

    def make_type(self) -> str:
        """A volume type of the test's own; the sandbox has its fixed three."""
        if self.cloud.name == "sandbox":
            return self.cloud.volume_types[2]
        name = f"drift-{uuid.uuid4().hex[:8]}"
        made = self.call("POST", CINDER, "/types", {"volume_type": {"name": name}})
        self.types_made.append(made["volume_type"]["id"])
        return name

    def remove_type(self, key: str) -> None:
        if self.cloud.name == "sandbox":
            Limit.objects.filter(key=key).update(key=f"{key}-gone")
        else:
            self.call("DELETE", CINDER, f"/types/{self.types_made.pop()}")

    def clear(self) -> None:
        """Leave the shared services as they were."""
        for handle in ProjectHandle.objects.all():
            reply = self.cloud.plain.call("DELETE", "identity", f"/projects/{handle.external_id}")
            assert reply.status in (204, 404)
        for made in self.types_made:
            self.call("DELETE", CINDER, f"/types/{made}")


@pytest.fixture(params=["sandbox", pytest.param("openstack", marks=pytest.mark.needs("openstack"))])
def cloud(request: pytest.FixtureRequest) -> CloudSite:
    found: CloudSite = request.getfixturevalue(f"{request.param}_site")
    return found


@pytest.fixture(params=[0, 1], ids=["xena", "2026.1"])
def place(
    request: pytest.FixtureRequest, site: Site, cloud: CloudSite, settings: Settings
) -> Iterator[Place]:
    """64 cores and 30 GiB are granted, and true in the cloud."""
    settings.CLOUDS_YAML = str(cloud.clouds_yaml)
    region = cloud.regions[request.param]
    Endpoint.objects.update(cloud=cloud.cloud)
    Endpoint.objects.exclude(region=None).update(region_name=region)
    Limit.objects.filter(key="gigabytes_storage-a").update(key=f"gigabytes_{cloud.volume_types[0]}")
    project = site.project
    Project.objects.filter(pk=project.pk).update(name=f"drift-{project.public_id.hex[:10]}")
    found = Place(site, cloud, region)
    ram = site.offerings["geneva.compute-a.ram"]
    granted = {site.vcpu.slug: 64, ram.slug: 64 * GIB, site.space.slug: 30 * GIB}
    grant(site, ask(site, granted))
    assert found.work() == {TargetState.APPLIED}
    yield found
    found.clear()
    assert audit() == []


def ends() -> set[tuple[str, str]]:
    return set(Drift.objects.values_list("kind", "end"))


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
    key = f"gigabytes_{place.make_type()}"
    cinder = place.target(CINDER).endpoint
    limit = Limit.objects.create(endpoint=cinder, key=key, name=key, unit="B", step=GIB)
    Contribution.objects.create(offering=place.site.space, limit=limit)
    touch_endpoints([cinder.pk])
    assert place.work(CINDER) == {TargetState.APPLIED}
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
