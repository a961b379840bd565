"""Drift as a look leaves it, for tests that are not about looking."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from projects.models import Project
from quotas.models import Drift, Limit, Target
from quotas.states import DriftKind
from quotas.tests.site import Site


def make_drift(
    site: Site,
    key: str = "",
    *,
    endpoint: str = "keystone",
    kind: DriftKind = DriftKind.LIMIT_CHANGED,
    project: Project | None = None,
    now: datetime | None = None,
    **values: Any,
) -> Drift:
    """A drift found at `now`, of the limit `key` or of the whole project. values: wanted, seen."""
    moment = now or timezone.now()
    limit = Limit.objects.get(key=key) if key else None
    target = Target.objects.get(
        project=project or site.project,
        endpoint__slug=limit.endpoint.slug if limit else endpoint,
    )
    return Drift.objects.create(
        target=target, limit=limit, kind=kind, found_at=moment, confirmed_at=moment, **values
    )
