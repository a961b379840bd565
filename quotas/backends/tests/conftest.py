"""Drivers as tests want them: made for a site and a region, with a project to work on."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from contrib.testing.clouds import SandboxSite, Site
from quotas.backends import EndpointConfig, IdentityProject, Registry
from quotas.backends.cinder import CinderDriver
from quotas.backends.keystone import KeystoneDriver
from quotas.backends.nova import NovaDriver

# Its checks are asserts outside of test files.
pytest.register_assert_rewrite("quotas.backends.conformance")

TIMEOUT = 30.0  # the first call after a start of the real services takes its time

REGISTRY = Registry(
    {
        "keystone": "quotas.backends.keystone:KeystoneDriver",
        "nova": "quotas.backends.nova:NovaDriver",
        "cinder": "quotas.backends.cinder:CinderDriver",
    }
)


@dataclass(frozen=True)
class Region:
    """One region of one site, and its drivers."""

    site: Site
    name: str
    identity: KeystoneDriver
    nova: NovaDriver
    cinder: CinderDriver

    @property
    def volume_type(self) -> str:
        return self.site.volume_types[0]


def region_of(site: Site, name: str) -> Region:
    def config(driver: str) -> EndpointConfig:
        return EndpointConfig(
            slug=f"{driver}-{name}",
            driver=driver,
            cloud=site.cloud,
            region_name=name,
            clouds_file=str(site.clouds_yaml),
        )

    return Region(
        site=site,
        name=name,
        identity=REGISTRY.identity(config("keystone")),  # type: ignore[arg-type]  # by its name
        nova=REGISTRY.quota(config("nova")),  # type: ignore[arg-type]  # by its name
        cinder=REGISTRY.quota(config("cinder")),  # type: ignore[arg-type]  # by its name
    )


@pytest.fixture(params=[0, 1], ids=["xena", "2026.1"])
def region(site: Site, request: pytest.FixtureRequest) -> Region:
    """Each region of both sites."""
    return region_of(site, site.regions[request.param])


@pytest.fixture
def bench_region(sandbox_site: SandboxSite) -> Region:
    """A region of the sandbox alone, for faults."""
    return region_of(sandbox_site, "geneva")


def make_project(region: Region, tag: str) -> IdentityProject:
    return region.identity.create(
        name=f"p-{tag[-12:]}", description="for a test", tag=tag, timeout=TIMEOUT
    )


def tenth_of_projects(site: Site) -> int:
    """The size of pages in which all projects are about ten: others' tests leave hundreds."""
    return max(1, len(site.plain.projects()) // 10)


@pytest.fixture
def project(region: Region, new_tag: str) -> IdentityProject:
    return make_project(region, new_tag)


@pytest.fixture
def bench_project(bench_region: Region, new_tag: str) -> IdentityProject:
    return make_project(bench_region, new_tag)


@pytest.fixture
def delete_behind(region: Region) -> Callable[[IdentityProject], None]:
    """Delete a project without the drivers."""

    def delete(project: IdentityProject) -> None:
        region.site.plain.done("DELETE", "identity", f"/projects/{project.external_id}")

    return delete
