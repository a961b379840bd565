"""200 projects that stand in two regions, as an import leaves them, and the cloud that has them."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings

from contrib.scale.cloud import ScaleCloud
from contrib.scale.numbers import REGIONS, limits, project_id, project_name
from projects.models import Project
from projects.states import Role
from quotas.actions.targets import ensure_targets
from quotas.models import (
    Account,
    Contribution,
    Endpoint,
    Limit,
    Offering,
    ProjectHandle,
    Reading,
    Region,
    Resource,
    Target,
    Zone,
)
from quotas.states import TargetState
from quotas.tests.site import GIB, Site, join

COUNT = 200
# {service: (driver, [(key, unit, step)])}
SERVICES = {
    "compute": ("nova", [("cores", "", 1), ("ram", "B", 2**20), ("instances", "", 1)]),
    "volume": ("cinder", [("gigabytes", "B", GIB), ("gigabytes_storage-a", "B", GIB)]),
    "network": ("neutron", [("network", "", 1), ("floatingip", "", 1)]),
}


@pytest.fixture(scope="session")
def scale_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScaleCloud]:
    cloud = ScaleCloud(tmp_path_factory.mktemp("scale"), COUNT)
    cloud.start()
    yield cloud
    cloud.stop()


@pytest.fixture
def crowd(site: Site, scale_cloud: ScaleCloud, settings: Settings) -> Iterator[ScaleCloud]:
    """All of them known here with the quota that their limits are, applied, and never read."""
    settings.CLOUDS_YAML = str(scale_cloud.clouds_yaml)
    scale_cloud.reset()
    make_crowd(site, COUNT)
    yield scale_cloud
    scale_cloud.reset()


def make_crowd(site: Site, count: int) -> None:
    """The site's own catalogue makes room for that of this cloud."""
    Target.objects.all().delete()
    Contribution.objects.all().delete()
    Limit.objects.all().delete()
    Endpoint.objects.filter(identity__isnull=False).delete()
    _make_catalogue(site.endpoints["keystone"])
    now = timezone.now() - timedelta(days=1)
    projects = Project.objects.bulk_create(
        Project(slug=project_name(each), name=project_name(each), unit=site.units["atlas"],
                created_at=now)
        for each in range(1, count + 1)
    )  # fmt: skip
    join(projects[0], site.people["alice"], Role.OWNER, now)
    ProjectHandle.objects.bulk_create(
        ProjectHandle(project=project, identity=site.endpoints["keystone"],
                      external_id=project_id(number), told_name=project.name, created_at=now)
        for number, project in enumerate(projects, 1)
    )  # fmt: skip
    ensure_targets(projects)
    Target.objects.update(
        state=TargetState.APPLIED, applied_generation=1, applied_at=Now(), next_try_at=None,
        looked_at=Now(),
    )  # fmt: skip
    feeds = list(
        Contribution.objects.select_related("limit__endpoint", "offering__zone").order_by("pk")
    )
    Account.objects.bulk_create(
        Account(offering=each.offering, project=project, holder="project",
                balance=_quota(number, each.limit))
        for number, project in enumerate(projects, 1)
        for each in feeds
    )  # fmt: skip
    targets = {(each.project_id, each.endpoint_id): each for each in Target.objects.all()}
    # Where a survey tells use alone, the limits were read when they were set.
    Reading.objects.bulk_create(
        Reading(target=targets[project.pk, each.limit.endpoint_id], limit=each.limit, used=0,
                reserved=0, limit_seen=_quota(number, each.limit), read_at=now)
        for number, project in enumerate(projects, 1)
        for each in feeds
        if each.limit.endpoint.driver != "neutron"
    )  # fmt: skip
    # What came at once, and in a transaction, the planner knows nothing of: it took a table of
    # thousands for an empty one, and minutes for a query.
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _make_catalogue(keystone: Endpoint) -> None:
    for region_name in REGIONS:
        region, _made = Region.objects.get_or_create(
            slug=region_name, defaults={"name": region_name}
        )
        for service, (driver, keys) in SERVICES.items():
            endpoint = Endpoint.objects.create(
                slug=f"{driver}-{region_name}", name=f"{driver} {region_name}", region=region,
                driver=driver, cloud="sandbox", region_name=region_name, identity=keystone,
            )  # fmt: skip
            zone = Zone.objects.create(
                region=region, slug=f"scale-{service}", name=service, kind="compute"
            )
            for key, unit, step in keys:
                limit = Limit.objects.create(
                    endpoint=endpoint, key=key, name=key, unit=unit, step=step
                )
                resource, _made = Resource.objects.get_or_create(
                    slug=f"scale-{service}-{key.replace('_', '-')}",
                    defaults={"name": key, "unit": unit, "step": step},
                )
                offering = Offering.objects.create(
                    slug=f"{region_name}.{zone.slug}.{resource.slug}", zone=zone, resource=resource
                )
                Contribution.objects.create(offering=offering, limit=limit)


def _quota(number: int, limit: Limit) -> int:
    service = {driver: service for service, (driver, _keys) in SERVICES.items()}
    return limits(number, service[limit.endpoint.driver])[limit.key] * limit.step
