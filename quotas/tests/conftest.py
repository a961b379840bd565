"""The small site as fixtures: `site` inside one transaction, `committed_site` for threads.

`cloud` is the sandbox as workers see it, `plain` somebody else who works there.
"""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from contrib.sandbox.control import RunningSandbox
from contrib.testing.clouds import SandboxSite
from contrib.testing.plain import PlainClient
from projects.models import Project
from projects.states import Role
from quotas.tests.site import NOW, Site, join, make_project, make_site


@pytest.fixture
def site(db: None) -> Site:
    return make_site(NOW)


@pytest.fixture
def site_today(db: None) -> Site:
    """The site for HTTP requests: their moment is the clock's, so everything began before."""
    return make_site(timezone.now() - timedelta(days=1))


@pytest.fixture
def alices_projects(site_today: Site) -> list[str]:
    """Slugs of the projects that Alice sees, made at one moment."""
    now = timezone.now() - timedelta(hours=1)
    for number in range(5):
        join(
            make_project(site_today, f"p{number}", "atlas", now), site_today.alice, Role.OWNER, now
        )
    return sorted(Project.objects.values_list("slug", flat=True))


@pytest.fixture
def committed_site(database_copy: object) -> Site:
    """The site in a database of the test's own, seen by other threads and processes."""
    return make_site(NOW)


@pytest.fixture
def cloud(sandbox: RunningSandbox, settings: Settings) -> RunningSandbox:
    """The sandbox as the workers see it, without faults."""
    settings.CLOUDS_YAML = str(sandbox.clouds_yaml)
    settings.CALL_TIMEOUT_SECONDS = 2
    return sandbox


@pytest.fixture
def plain(sandbox_site: SandboxSite) -> PlainClient:
    return sandbox_site.plain
