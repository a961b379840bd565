"""The project of the site stands in the cloud, and somebody changes it from outside."""

from collections.abc import Iterator

import pytest

from contrib.sandbox.control import RunningSandbox
from contrib.testing.clouds import SandboxSite
from quotas.models import ProjectHandle
from quotas.tests.drift.outside import Outside, work
from quotas.tests.site import GIB, Site
from quotas.tests.test_decide import ask, grant


@pytest.fixture
def standing(site: Site, cloud: RunningSandbox) -> Iterator[Site]:
    """The project is in the cloud with 128 cores and 10 GiB; gone again afterwards."""
    grant(site, ask(site, {site.vcpu.slug: 128, site.space.slug: 10 * GIB}))
    work(site, "keystone", "nova-geneva", "cinder-geneva")
    yield site
    for handle in ProjectHandle.objects.all():
        try:
            cloud.delete_project(handle.external_id)
        except ValueError:
            pass  # the test deleted it


@pytest.fixture
def outside(sandbox_site: SandboxSite, standing: Site) -> "Outside":
    return Outside(sandbox_site.plain)
