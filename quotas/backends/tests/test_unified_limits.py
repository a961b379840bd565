"""A real Nova that keeps its limits in Keystone: what it says to who writes to itself, and that it
enforces what the driver for Keystone's limits writes.
"""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from contrib.testing import openstack
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
    """With limits registered for servers, cores and memory."""
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
    driver = KeystoneLimitsDriver(config(openstack_site, "keystone_limits", unified))
    inside = keystone.inside(project)
    cloud = yaml.safe_load(unified.read_text())["clouds"][openstack_site.cloud]
    inside._endpoints["compute", keystone.region] = cloud["compute_endpoint_override"]
    flavor = new_flavor(keystone)

    driver.write(project, {"servers": 1, "class:VCPU": 4, "class:MEMORY_MB": 1024}, timeout=TIMEOUT)
    assert [refused_a_server(inside, keystone.region, flavor) for _ in range(2)] == ["", "servers"]
    driver.write(project, {"servers": 9, "class:VCPU": 0}, timeout=TIMEOUT)
    assert refused_a_server(inside, keystone.region, flavor) == "class:VCPU"
    driver.write(project, {"class:VCPU": 4}, timeout=TIMEOUT)
    assert refused_a_server(inside, keystone.region, flavor) == ""

    found = driver.read(project, ["servers"], timeout=TIMEOUT)
    assert found == {"servers": Figure(9, 2, 0)}


def new_flavor(keystone: KeystoneLimitsSubject) -> str:
    body = {"flavor": {"name": uuid.uuid4().hex, "ram": 64, "vcpus": 1, "disk": 0}}
    made = keystone.plain.done("POST", "compute", "/flavors", body, region=keystone.region)
    return str(made["flavor"]["id"])


def refused_a_server(inside: PlainClient, region: str, flavor: str) -> str:
    """Of what there would be too much; empty where Nova takes it. Nobody builds it.

    From a volume, as there are no images.
    """
    volume = {"volume": {"size": 1, "volume_type": openstack.VOLUME_TYPES[0]}}
    made = inside.done("POST", "volumev3", "/volumes", volume, region=region)["volume"]["id"]
    # What an agent would say of it.
    told = [{"os-reset_status": {"status": "available"}}, {"os-set_bootable": {"bootable": True}}]
    for action in told:
        inside.done("POST", "volumev3", f"/volumes/{made}/action", action, region=region)
    disk = {
        "uuid": made, "boot_index": 0, "source_type": "volume", "destination_type": "volume",
    }  # fmt: skip
    server = {"name": "s", "flavorRef": flavor, "networks": "none"}
    inside.headers["X-OpenStack-Nova-API-Version"] = "2.37"
    body = {"server": {**server, "block_device_mapping_v2": [disk]}}
    reply = inside.call("POST", "compute", "/servers", body, region=region)
    if reply.status == 202:
        return ""
    found = re.search(r"Resource (\S+) is over limit", str(reply.body))
    assert found is not None, reply
    return found[1]
