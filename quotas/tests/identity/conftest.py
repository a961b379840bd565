"""No project of the site is left behind in the cloud."""

from collections.abc import Iterator

import pytest

from contrib.sandbox.control import RunningSandbox
from contrib.testing.plain import PlainClient
from quotas.tests.site import Site


@pytest.fixture(autouse=True)
def _clean_cloud(site: Site, cloud: RunningSandbox, plain: PlainClient) -> Iterator[None]:
    """No project of this name is left behind."""
    yield
    for row in plain.done("GET", "identity", f"/projects?name={site.project.name}")["projects"]:
        cloud.delete_project(row["id"])
