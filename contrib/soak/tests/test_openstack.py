"""On real services a soak changes what is in use, and leaves nothing there."""

import uuid
from collections import Counter
from pathlib import Path

import pytest

from contrib.soak.clouds import OpenstackCloud
from contrib.soak.schedule import Use
from contrib.testing.clouds import OpenstackSite

pytestmark = pytest.mark.needs("openstack")


@pytest.fixture
def cloud(openstack_site: OpenstackSite, tmp_path: Path) -> OpenstackCloud:
    return OpenstackCloud(tmp_path, Counter(), Counter())


def make_project(site: OpenstackSite, name: str) -> str:
    body = {"project": {"name": name, "domain_id": "default"}}
    return str(site.plain.done("POST", "identity", "/projects", body)["project"]["id"])


def test_a_soak_uses_real_openstack_and_leaves_what_is_not_its_own(
    openstack_site: OpenstackSite, cloud: OpenstackCloud
) -> None:
    plain, region = openstack_site.plain, cloud.regions[0]
    own = make_project(openstack_site, f"{cloud.prefix}-000")
    other = make_project(openstack_site, f"p-{uuid.uuid4().hex[:8]}")

    for service in ("compute", "volume"):
        cloud.use(f"{cloud.prefix}-000", Use(0, service, region=0, pick=0, share=0.05))
        cloud.settle_use()

    cores = plain.done("GET", "compute", f"/os-quota-sets/{own}/detail", region=region)
    space = plain.done("GET", "volumev3", f"/os-quota-sets/{own}?usage=True", region=region)
    assert cores["quota_set"]["cores"]["in_use"] == 15
    assert space["quota_set"][f"gigabytes_{cloud.volume_types[0]}"]["in_use"] == 75

    assert cloud.clear_away() == []

    assert plain.project(own) is None
    assert plain.project(other) is not None
    plain.done("DELETE", "identity", f"/projects/{other}")
