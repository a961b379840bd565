"""From an endpoint's row to the driver that speaks to it. Workers only."""

from functools import lru_cache

from django.conf import settings

from quotas.backends.base import EndpointConfig, IdentityDriver, QuotaDriver
from quotas.backends.registry import Registry
from quotas.models import Endpoint


@lru_cache(maxsize=1)
def registry() -> Registry:
    """The drivers of this installation: settings.QUOTA_DRIVERS, then installed packages."""
    return Registry(settings.QUOTA_DRIVERS)


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
