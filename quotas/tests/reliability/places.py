"""The project of the small site in one region of a cloud, and who meddles with it there."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from pytest_django import Settings

from contrib.testing.clouds import Site as CloudSite
from projects.models import Project
from quotas.actions.drift import restore
from quotas.actions.limit_adoption import adopt
from quotas.actions.targets import touch_endpoints, wake_targets
from quotas.delivery.converge import converge
from quotas.delivery.observe import observe
from quotas.models import Contribution, Drift, Endpoint, Limit, ProjectHandle, Target
from quotas.queries.accounts import audit
from quotas.states import TargetState
from quotas.tests.reliability.scenes import CINDER, KEYSTONE, NOVA
from quotas.tests.site import GIB, Site
from quotas.tests.test_decide import ask, grant

SERVICES = {NOVA: "compute", CINDER: "volumev3"}


@dataclass
class Place:
    """What Remit does there, what is true there, and what somebody changes by hand."""

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

    def add_limit_of_new_type(self) -> str:
        """Space counts for a volume type of the test's own, too; its key."""
        key = f"gigabytes_{self.make_type()}"
        cinder = self.target(CINDER).endpoint
        limit = Limit.objects.create(endpoint=cinder, key=key, name=key, unit="B", step=GIB)
        Contribution.objects.create(offering=self.site.space, limit=limit)
        touch_endpoints([cinder.pk])
        assert self.work(CINDER) == {TargetState.APPLIED}
        return key


@contextmanager
def placed(site: Site, cloud: CloudSite, region: str, settings: Settings) -> Iterator[Place]:
    """64 cores and 30 GiB are granted, and true in the cloud. At the end the ledger adds up."""
    settings.CLOUDS_YAML = str(cloud.clouds_yaml)
    Endpoint.objects.update(cloud=cloud.cloud)
    Endpoint.objects.exclude(region=None).update(region_name=region)
    Limit.objects.filter(key="gigabytes_storage-a").update(key=f"gigabytes_{cloud.volume_types[0]}")
    project = site.project
    Project.objects.filter(pk=project.pk).update(name=f"drift-{project.public_id.hex[:10]}")
    found = Place(site, cloud, region)
    ram = site.offerings["geneva.compute-a.ram"]
    granted = {site.vcpu.slug: 64, ram.slug: 64 * GIB, site.space.slug: 30 * GIB}
    grant(site, ask(site, granted))
    try:
        assert found.work() == {TargetState.APPLIED}
        yield found
    finally:
        found.clear()
    assert audit() == []


def ends() -> set[tuple[str, str]]:
    return set(Drift.objects.values_list("kind", "end"))
