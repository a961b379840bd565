"""Readings of Nova at the site's project, and what its plan says of a limit."""

from typing import Any

from django.urls import reverse
from django.utils import timezone

from quotas.models import Limit, Reading, Target
from quotas.queries.plan import PlanLimit, Show, plan_of
from quotas.queries.plan_words import warnings_of
from quotas.tests.site import Site

PLAN = reverse("endpoint_plan", args=["nova-geneva"])


def target_of(site: Site, endpoint: str = "nova-geneva") -> Target:
    return Target.objects.select_related("project__unit", "endpoint__identity").get(
        project=site.project, endpoint__slug=endpoint
    )


def seen(site: Site, **figures: tuple[int | None, int]) -> None:
    """The last reading of Nova: {key: (limit, used)}; others of its keys were not named."""
    target, read_at = target_of(site), timezone.now()
    for key, (limit, used) in figures.items():
        row = Limit.objects.get(endpoint=target.endpoint, key=key)
        Reading.objects.update_or_create(
            target=target,
            limit=row,
            defaults={"limit_seen": limit, "used": used, "reserved": 0, "read_at": read_at},
        )
    Target.objects.filter(pk=target.pk).update(observed_at=read_at, looked_at=read_at)


def put(site: Site, **fields: Any) -> Target:
    Target.objects.filter(pk=target_of(site).pk).update(**fields)
    return target_of(site)


def limit_of(site: Site, key: str = "cores") -> PlanLimit:
    (row,) = plan_of([target_of(site)], Show.ALL)
    return next(each for each in row.limits if each.limit.key == key)


def words(site: Site, key: str = "cores") -> list[str]:
    return [each.code for each in warnings_of(limit_of(site, key), target_of(site))]
