"""Scenes: the small site on the sandbox, and on real services, both behind the fault proxy."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from contrib.testing.clouds import FaultySite
from quotas.states import TargetState
from quotas.tests.reliability.scenes import CINDER, KEYSTONE, NOVA, Scene, set_scene
from quotas.tests.site import Site


@pytest.fixture
def _quick(settings: Settings) -> None:
    settings.LEASE_SECONDS = 6
    settings.CALL_TIMEOUT_SECONDS = 1.5
    settings.RETRY_BASE_SECONDS = 0.1
    settings.RETRY_CAP_SECONDS = 1


def _set(site: Site, cloud: FaultySite, region: str, settings: Settings) -> Iterator[Scene]:
    settings.CLOUDS_YAML = str(cloud.clouds_yaml)
    cloud.proxy.reset()
    yield set_scene(site, cloud, region)
    cloud.proxy.reset()


@pytest.fixture
def bare(
    site: Site, proxied_sandbox: FaultySite, settings: Settings, _quick: None
) -> Iterator[Scene]:
    """The sandbox; nothing was done there yet."""
    yield from _set(site, proxied_sandbox, proxied_sandbox.regions[0], settings)


@pytest.fixture
def scene(bare: Scene) -> Scene:
    """The sandbox; the project stands and every limit was written once."""
    return _standing(bare)


@pytest.fixture(params=[0, 1], ids=["openstack-xena", "openstack-2026.1"])
def real_scene(
    request: pytest.FixtureRequest,
    site: Site,
    proxied_openstack: FaultySite,
    settings: Settings,
    _quick: None,
) -> Iterator[Scene]:
    """Real services of both releases, as `scene`; mark the test `needs("openstack")`."""
    region = proxied_openstack.regions[request.param]
    for bare in _set(site, proxied_openstack, region, settings):
        yield _standing(bare)


def _standing(scene: Scene) -> Scene:
    states = [scene.work(slug) for slug in (KEYSTONE, NOVA, CINDER)]
    assert states == [TargetState.APPLIED] * 3, scene.cloud.proxy.calls()
    scene.cloud.proxy.forget_calls()
    return scene
