"""A project that is in the cloud, somebody who works there behind Remit's back, and a look."""

from typing import Any

from contrib.testing.plain import PlainClient
from quotas.actions.targets import wake_targets
from quotas.delivery.converge import converge
from quotas.delivery.observe import observe
from quotas.models import Drift, ProjectHandle, Target
from quotas.tests.site import Site

SERVICES = {"nova-geneva": "compute", "cinder-geneva": "volumev3"}


def target_at(endpoint: str, site: Site) -> Target:
    return Target.objects.select_related("endpoint", "project__unit").get(
        project=site.project, endpoint__slug=endpoint
    )


def work(site: Site, *endpoints: str) -> None:
    """Have each target made true, whatever state it is in."""
    for slug in endpoints:
        target = target_at(slug, site)
        wake_targets([target])
        converge(target.pk)


def look(site: Site, *endpoints: str) -> None:
    """Look at each target, however lately that was done."""
    for slug in endpoints or ("nova-geneva",):
        Target.objects.update(looked_at=None)
        observe(target_at(slug, site).pk)


class Outside:
    """Somebody who works in the cloud behind Remit's back."""

    def __init__(self, plain: PlainClient) -> None:
        self.plain = plain

    @property
    def project(self) -> str:
        return ProjectHandle.objects.get().external_id

    def set_limits(self, endpoint: str = "nova-geneva", **limits: int) -> None:
        body = {"quota_set": limits}
        path = f"/os-quota-sets/{self.project}"
        self.plain.done("PUT", SERVICES[endpoint], path, body, region="geneva")

    def cores(self) -> int:
        return self.plain.compute_limits("geneva", self.project)["cores"]

    def change_project(self, **values: Any) -> None:
        body = {"project": values}
        self.plain.done("PATCH", "identity", f"/projects/{self.project}", body)


def rows() -> list[tuple[str, str, int | None, int | None]]:
    """The open drift: kind, key, wanted, seen."""
    found = Drift.objects.filter(ended_at__isnull=True).order_by("kind", "limit__key")
    return [(row.kind, row.limit.key if row.limit else "", row.wanted, row.seen) for row in found]


CHANGED = [("limit changed", "cores", 128, 200)]
