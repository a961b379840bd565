"""pytest plugin: `sandbox_site` and `openstack_site`, two clouds with the same handles.

A test that takes `site` runs on both; real services need `needs("openstack")`, which
`site` brings along. `faulty` is the same behind the fault proxy.
"""

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from contrib.proxy.control import RunningProxy, running_proxy
from contrib.sandbox.control import RunningSandbox, running_sandbox
from contrib.testing import openstack
from contrib.testing.plain import PlainClient


class Site(Protocol):
    """A cloud as tests handle it. Regions go from the older release to the newer."""

    name: str
    clouds_yaml: Path
    cloud: str
    regions: tuple[str, ...]
    volume_types: tuple[str, ...]
    plain: PlainClient

    def set_instances(self, region: str, project_id: str, count: int, *, ram: int = 512) -> None:
        """The project has so many instances, each of one core and `ram` MiB."""

    def set_volumes(
        self, region: str, project_id: str, count: int, *, gib: int, volume_type: str
    ) -> None:
        """The project has so many volumes of the type, each of `gib`, and no others of it."""


class SandboxSite:
    name = "sandbox"
    cloud = "sandbox"
    regions: tuple[str, ...] = ("geneva", "prevessin")
    volume_types: tuple[str, ...] = ("storage-a", "storage-b", "storage-c")

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox = sandbox
        self.clouds_yaml = sandbox.clouds_yaml
        self.plain = PlainClient(self.clouds_yaml, self.cloud)

    def set_instances(self, region: str, project_id: str, count: int, *, ram: int = 512) -> None:
        used = {"instances": count, "cores": count, "ram": count * ram}
        self.sandbox.set_usage(project_id, region, "compute", used)

    def set_volumes(
        self, region: str, project_id: str, count: int, *, gib: int, volume_type: str
    ) -> None:
        used = {f"volumes_{volume_type}": count, f"gigabytes_{volume_type}": count * gib}
        self.sandbox.set_usage(project_id, region, "volume", used)


class OpenstackSite:
    name = "openstack"
    cloud = openstack.CLOUD
    regions: tuple[str, ...] = openstack.REGIONS
    volume_types: tuple[str, ...] = openstack.VOLUME_TYPES

    def __init__(self) -> None:
        self.clouds_yaml = openstack.CLOUDS_YAML
        self.plain = PlainClient(self.clouds_yaml, self.cloud)
        roles = self.plain.done("GET", "identity", "/roles")["roles"]
        self._admin_role = next(role["id"] for role in roles if role["name"] == "admin")
        self._instances: dict[str, openstack.Instances] = {}

    def set_instances(self, region: str, project_id: str, count: int, *, ram: int = 512) -> None:
        if region not in self._instances:
            self._instances[region] = openstack.Instances(region)
        self._instances[region].make(project_id, count, ram=ram)

    def close(self) -> None:
        for each in self._instances.values():
            each.close()

    def set_volumes(
        self, region: str, project_id: str, count: int, *, gib: int, volume_type: str
    ) -> None:
        # Volumes are made and removed in their project. No agent ever places them, so they
        # stay "creating", count, and are gone at once when deleted.
        grant = f"/projects/{project_id}/users/{self.plain.user_id}/roles/{self._admin_role}"
        self.plain.done("PUT", "identity", grant)
        inside = PlainClient(self.clouds_yaml, self.cloud, project_id=project_id)
        rows = inside.done("GET", "volumev3", "/volumes/detail", region=region)["volumes"]
        for row in rows:
            if row["volume_type"] == volume_type:
                inside.done("DELETE", "volumev3", f"/volumes/{row['id']}", region=region)
        for _ in range(count):
            body = {"volume": {"size": gib, "volume_type": volume_type}}
            inside.done("POST", "volumev3", "/volumes", body, region=region)


@pytest.fixture(scope="session")
def sandbox_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxSite]:
    """A sandbox cloud for the whole run; tests make projects of their own in it."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield SandboxSite(sandbox)


@pytest.fixture(scope="session")
def openstack_site() -> Iterator[OpenstackSite]:
    """Real services; mark the test `needs("openstack")`."""
    with openstack.running(), contextlib.closing(OpenstackSite()) as site:
        yield site


@pytest.fixture(
    params=["sandbox", pytest.param("openstack", marks=pytest.mark.needs("openstack"))],
    scope="session",
)
def site(request: pytest.FixtureRequest) -> Site:
    """Both clouds, one after the other."""
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


@dataclass(frozen=True)
class FaultySite:
    """A cloud whose clients go through the fault proxy; `plain` goes past it."""

    site: Site
    proxy: RunningProxy

    @property
    def clouds_yaml(self) -> Path:
        return self.proxy.clouds_yaml

    def __getattr__(self, name: str) -> Any:
        return getattr(self.site, name)


def _behind_proxy(site: Site, folder: Path) -> Iterator[FaultySite]:
    with running_proxy(folder, site.clouds_yaml, site.cloud) as proxy:
        yield FaultySite(site, proxy)


@pytest.fixture(scope="session")
def proxied_sandbox(
    sandbox_site: SandboxSite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FaultySite]:
    """The sandbox behind the fault proxy, where each service has a port that can refuse."""
    yield from _behind_proxy(sandbox_site, tmp_path_factory.mktemp("proxy"))


@pytest.fixture(scope="session")
def proxied_openstack(
    openstack_site: OpenstackSite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FaultySite]:
    """Real services behind the fault proxy; mark the test `needs("openstack")`."""
    yield from _behind_proxy(openstack_site, tmp_path_factory.mktemp("proxy"))


@pytest.fixture(params=["sandbox", pytest.param("openstack", marks=pytest.mark.needs("openstack"))])
def faulty(request: pytest.FixtureRequest) -> Iterator[FaultySite]:
    """Both clouds behind the proxy, one after the other; without faults before and after."""
    found: FaultySite = request.getfixturevalue(f"proxied_{request.param}")
    found.proxy.reset()
    yield found
    found.proxy.reset()


@pytest.fixture
def sandbox(sandbox_site: SandboxSite) -> Iterator[RunningSandbox]:
    """The sandbox itself, for faults; they are gone afterwards."""
    sandbox_site.sandbox.reset()
    yield sandbox_site.sandbox
    sandbox_site.sandbox.reset()


@pytest.fixture
def new_tag() -> str:
    """A tag that nobody has; its last eight characters make a name, too."""
    return f"remit:{uuid.uuid4()}"
