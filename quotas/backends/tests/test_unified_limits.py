"""A real Nova that keeps its limits in Keystone: what it says to who writes to itself, and that it
enforces what the driver for Keystone's limits writes.
"""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from contrib.testing.clouds import OpenstackSite
from contrib.testing.plain import PlainClient
from contrib.testing.unified import unified_nova
from quotas.backends import EndpointConfig, Figure
from quotas.backends.keystone_limits import KeystoneLimitsDriver
from quotas.backends.tests.capabilities import KeystoneLimitsSubject
from quotas.backends.tests.conftest import REGISTRY, TIMEOUT

pytestmark = pytest.mark.needs("openstack")
REGION = 1  # of the newer release


@pytest.fixture(scope="module")
def unified(
    openstack_site: OpenstackSite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    with unified_nova(tmp_path_factory.mktemp("unified")) as clouds_yaml:
        yield clouds_yaml


@pytest.fixture
def keystone(openstack_site: OpenstackSite, tmp_path: Path) -> KeystoneLimitsSubject:
    """With limits registered for servers, cores, memory and groups of servers."""
    return KeystoneLimitsSubject(openstack_site, REGION, tmp_path)


def config(site: OpenstackSite, driver: str, clouds_yaml: Path) -> EndpointConfig:
    return EndpointConfig(
        slug=driver,
        driver=driver,
        cloud=site.cloud,
        region_name=site.regions[REGION],
        clouds_file=str(clouds_yaml),
    )


def test_openstack_nova_with_unified_limits_says_yes_and_changes_nothing(
    openstack_site: OpenstackSite, unified: Path, keystone: KeystoneLimitsSubject
) -> None:
    """Seen by reading back; its neighbour on the same databases knows nothing of it either."""
    project = keystone.new_project()
    nova = REGISTRY.quota(config(openstack_site, "nova", unified))
    wanted = {"cores": 5, "ram": 512}
    before = nova.read(project, wanted, timeout=TIMEOUT)
    nova.write(project, wanted, timeout=TIMEOUT)
    assert nova.read(project, wanted, timeout=TIMEOUT) == before
    assert {key: figure.limit for key, figure in before.items()} != wanted
    region = openstack_site.regions[REGION]
    assert openstack_site.plain.compute_limits(region, project)["cores"] != 5


def test_openstack_nova_enforces_what_is_written_to_keystone(
    openstack_site: OpenstackSite, unified: Path, keystone: KeystoneLimitsSubject
) -> None:
    project = keystone.new_project()
    region = openstack_site.regions[REGION]
    driver = KeystoneLimitsDriver(config(openstack_site, "keystone_limits", unified))
    inside = keystone.inside(project)
    cloud = yaml.safe_load(unified.read_text())["clouds"][openstack_site.cloud]
    inside._endpoints["compute", region] = cloud["compute_endpoint_override"]

    driver.write(project, {"server_groups": 1, "servers": 3}, timeout=TIMEOUT)
    assert [made_a_group(inside, region) for _ in range(2)] == [200, 403]
    driver.write(project, {"server_groups": 2}, timeout=TIMEOUT)
    assert [made_a_group(inside, region) for _ in range(2)] == [200, 403]
    driver.write(project, {"server_groups": 0}, timeout=TIMEOUT)
    assert made_a_group(inside, region) == 403

    openstack_site.set_instances(region, project, 2)
    found = driver.read(project, ["servers", "server_groups"], timeout=TIMEOUT)
    assert found == {"servers": Figure(3, 2, 0), "server_groups": Figure(0)}


def made_a_group(inside: PlainClient, region: str) -> int:
    """The status of making a group of servers: what Nova counts and nobody has to place."""
    body = {"server_group": {"name": uuid.uuid4().hex, "policies": ["affinity"]}}
    reply = inside.call("POST", "compute", "/os-server-groups", body, region=region)
    assert reply.status == 200 or "uota" in str(reply.body), reply
    return reply.status
