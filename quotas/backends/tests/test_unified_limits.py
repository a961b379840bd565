"""A Nova that keeps its limits in Keystone: it says yes, changes nothing, and reads 0."""

from pathlib import Path

import pytest

from contrib.testing.clouds import OpenstackSite
from contrib.testing.unified import unified_nova
from quotas.backends import EndpointConfig, Figure
from quotas.backends.tests.conftest import REGISTRY, TIMEOUT, make_project, region_of


@pytest.mark.needs("openstack")
def test_openstack_nova_with_unified_limits_is_seen_by_reading_back(
    openstack_site: OpenstackSite, tmp_path: Path, new_tag: str
) -> None:
    region = openstack_site.regions[1]
    project = make_project(region_of(openstack_site, region), new_tag)
    with unified_nova(tmp_path) as clouds_yaml:
        config = EndpointConfig(
            slug="nova-unified",
            driver="nova",
            cloud=openstack_site.cloud,
            region_name=region,
            clouds_file=str(clouds_yaml),
        )
        nova = REGISTRY.quota(config)
        nova.write(project.external_id, {"cores": 5, "ram": 512}, timeout=TIMEOUT)
        found = nova.read(project.external_id, ["cores", "ram"], timeout=TIMEOUT)
    assert found == {"cores": Figure(0, 0, 0), "ram": Figure(0, 0, 0)}
    # Its neighbour on the same databases knows nothing of it either.
    assert openstack_site.plain.compute_limits(region, project.external_id)["cores"] != 5
