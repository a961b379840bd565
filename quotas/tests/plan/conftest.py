"""A project with 100 vCPU, never read, or read an hour ago as it should be."""

from datetime import timedelta

import pytest
from django.utils import timezone

from quotas.states import TargetState
from quotas.tests.pages.acting import ask, grant
from quotas.tests.plan.readings import put, seen
from quotas.tests.site import Site


@pytest.fixture
def site(site_today: Site) -> Site:
    """100 vCPU granted to the project, whose Nova target was never read."""
    grant(site_today, ask(site_today, {site_today.vcpu.slug: 100}))
    return site_today


@pytest.fixture
def standing(site: Site) -> Site:
    """Read an hour ago, as it should be."""
    seen(site, cores=(100, 5), ram=(0, 0))
    before = timezone.now() - timedelta(hours=1)
    put(site, state=TargetState.APPLIED, next_try_at=None, observed_at=before, looked_at=before)
    return site
