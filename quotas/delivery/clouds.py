"""From an endpoint's row to the driver that speaks to it. Workers only."""

from contextlib import suppress
from functools import lru_cache

from django.conf import settings

from quotas.backends.base import EndpointConfig, IdentityDriver, QuotaDriver
from quotas.backends.registry import Registry, UnknownDriver
from quotas.models import Endpoint


@lru_cache(maxsize=1)
def registry() -> Registry:
    """The drivers of this installation: settings.QUOTA_DRIVERS, then installed packages."""
    return Registry(settings.QUOTA_DRIVERS)


def load_drivers() -> None:
    """Load the code of every driver, and no more: no file is read and nobody is called.

    One that cannot be loaded is told by each of its endpoints, when it is its turn.
    """
    for name in registry().names():
        with suppress(UnknownDriver):
            registry().driver_class(name)


def quota_driver(endpoint: Endpoint) -> QuotaDriver:
    """The driver of a service endpoint."""
    return registry().quota(config_of(endpoint))


def identity_driver(endpoint: Endpoint) -> IdentityDriver:
    """The driver of an identity endpoint."""
    return registry().identity(config_of(endpoint))


def config_of(endpoint: Endpoint) -> EndpointConfig:
    """What a driver is told about an endpoint."""
    return EndpointConfig(
        slug=endpoint.slug,
        driver=endpoint.driver,
        cloud=endpoint.cloud,
        region_name=endpoint.region_name or None,
        options=endpoint.options,
        clouds_file=settings.CLOUDS_YAML or None,
    )
