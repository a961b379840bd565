"""Which driver a name stands for."""

import importlib.metadata
import subprocess
import sys

import pytest

from quotas.backends import EndpointConfig, KeySpec, Registry
from quotas.backends.cinder import CinderDriver
from quotas.backends.counting import LARGEST
from quotas.backends.nova import NovaDriver
from quotas.backends.registry import GROUP, UnknownDriver
from quotas.backends.tests.conftest import REGISTRY


def offer(monkeypatch: pytest.MonkeyPatch, **drivers: str) -> None:
    """As if an installed package offered them."""
    entries = [importlib.metadata.EntryPoint(name, value, GROUP) for name, value in drivers.items()]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: entries)


def test_names_are_built_in_and_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, alien="quotas.backends.nova:NovaDriver")
    registry = Registry({"nova": "quotas.backends.nova:NovaDriver"})
    assert registry.names() == ["alien", "nova"]
    assert registry.driver_class("alien") is NovaDriver


def test_one_name_for_two_drivers_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, nova="elsewhere:Driver")
    with pytest.raises(UnknownDriver, match="two drivers are called 'nova'"):
        Registry({"nova": "quotas.backends.nova:NovaDriver"})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("swift", "no driver is called 'swift'; there are cinder, keystone, nova"),
        ("", "no driver is called ''"),
    ],
)
def test_an_unknown_name_names_the_known(name: str, words: str) -> None:
    with pytest.raises(UnknownDriver, match=words):
        REGISTRY.driver_class(name)


@pytest.mark.parametrize("target", ["no.such.module:Driver", "quotas.backends.nova:Nothing"])
def test_a_driver_that_cannot_be_loaded_is_named(target: str) -> None:
    with pytest.raises(UnknownDriver, match="driver 'broken' cannot be loaded"):
        Registry({"broken": target}).driver_class("broken")


def test_an_identity_driver_is_no_quota_driver() -> None:
    with pytest.raises(UnknownDriver, match="driver 'keystone' cannot specs, spec, read, write"):
        REGISTRY.quota(EndpointConfig("k", "keystone", "nowhere"))


def test_a_spec_fills_in_its_family() -> None:
    assert CinderDriver.spec("gigabytes_zone_b") == KeySpec("gigabytes_zone_b", "B", 2**30, LARGEST)
    assert CinderDriver.spec("gigabytes") == KeySpec("gigabytes", "B", 2**30, LARGEST)
    assert NovaDriver.spec("ram") == KeySpec("ram", "B", 2**20, LARGEST)


@pytest.mark.parametrize("key", ["gigabytes_", "gigabytes_*", "per_volume_gigabytes", "", "cores"])
def test_a_key_that_is_not_counted_has_no_spec(key: str) -> None:
    assert CinderDriver.spec(key) is None


def test_the_package_alone_loads_no_client_library() -> None:
    """Web processes may import it; openstacksdk is for workers."""
    program = (
        "import sys, quotas.backends;"
        "sys.exit(bool({'openstack', 'keystoneauth1', 'requests', 'django'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert done.returncode == 0
