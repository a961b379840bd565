"""The client library itself, unchanged, on the sandbox: so close is it to a real cloud."""

from typing import Any

import openstack
import pytest
from openstack.exceptions import BadRequestException

from contrib.testing.clouds import SandboxSite
from quotas.backends import IdentityProject

# What the library says of itself, which is nothing about us.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The (ignore_missing parameter|_compute_attributes method|'service_type' parameter)"
)


def test_openstacksdk_works_with_the_sandbox(
    sandbox_site: SandboxSite, bench_project: IdentityProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(sandbox_site.clouds_yaml))
    cloud: Any = openstack.connect(cloud="sandbox", region_name="prevessin")
    with cloud:
        found = cloud.identity.find_project(bench_project.name)
        assert found.id == bench_project.external_id
        cloud.compute.update_quota_set(found, cores=77)
        assert cloud.compute.get_quota_set(found, usage=True).cores == 77
        cloud.block_storage.update_quota_set(found, gigabytes=88)
        assert cloud.block_storage.get_quota_set(found, usage=True).gigabytes == 88
        assert [kind.name for kind in cloud.block_storage.types()] == [*sandbox_site.volume_types]
        assert cloud.compute.get_endpoint_data().max_microversion == (2, 103)
        with pytest.raises(BadRequestException, match="is not a valid project"):
            cloud.compute.update_quota_set("nobody", cores=1)
