"""What drivers say of a file's limits: whether they count them, in which steps, how many at most.

Asked when a file is loaded. Web processes, which load no driver, find the most that a service
takes in the limit's row.
"""

from functools import cache
from typing import Any

from django.conf import settings

from portal.lib.amounts import format_amount
from quotas.backends.registry import Registry, UnknownDriver

from .problems import Problems
from .site import Limit, Offering, Site

# The largest that a column of ours holds.
_LARGEST = 2**63 - 1
# What the limits of Keystone that Nova enforces are called in Nova's own quota.
_IN_NOVA = {"servers": "instances", "class:VCPU": "cores", "class:MEMORY_MB": "ram"}


def maximum_of(driver: str, key: str, step: int) -> int | None:
    """In base units; None where the driver names no bound, or is not installed here."""
    found = _class_of(driver)
    bound = getattr(_spec_of(found, key), "maximum", None)
    return None if bound is None else min(bound * step, _LARGEST)


def check_drivers(site: Site, problems: Problems) -> None:
    """Adds what no driver could make true. Says nothing of drivers that are not installed here."""
    for limit in site.limits.values():
        _check_limit(limit, site.endpoints[limit.endpoint].driver, problems)
    for offering in site.offerings.values():
        _check_access(offering, site, problems)
    _check_enforced_once(site, problems)


def _check_limit(limit: Limit, driver: str, problems: Problems) -> None:
    """A step that is not the service's own would write a multiple of what was granted."""
    found = _class_of(driver)
    if found is None:
        return
    spec = _spec_of(found, limit.key)
    if spec is None:
        problems.add(limit.line, f"{driver} counts no {limit.key}.")
    elif (spec.unit, spec.step) != (limit.unit, limit.step):
        own = format_amount(spec.step, spec.unit) if spec.unit else str(spec.step)
        unit = f"unit: {spec.unit}, " if spec.unit else ""
        problems.add(
            limit.line,
            f"{driver} counts {limit.key} in steps of {own}: write "
            f"{{{unit}step: {own.replace(chr(0x202F), '')}}}.",
        )


def _check_access(offering: Offering, site: Site, problems: Problems) -> None:
    """What is granted or not feeds limits of at most one, each alone; nothing else does."""
    resource = site.resources[offering.resource]
    for feed in offering.feeds:
        limit = site.limits[feed.endpoint, feed.key]
        driver = site.endpoints[feed.endpoint].driver
        if _class_of(driver) is None:
            continue
        is_access = maximum_of(driver, feed.key, limit.step) == 1
        if is_access != resource.is_access:
            problems.add(
                feed.line,
                f"{feed.key} is granted or not: {resource.slug} must have unit: access."
                if is_access
                else f"{resource.slug} is granted or not, and {feed.key} is counted.",
            )
        elif is_access and feed.factor != 1:
            problems.add(feed.line, f"{feed.key} is granted or not: a factor makes no sense.")
        elif is_access and (others := _others(offering, feed.endpoint, feed.key, site)):
            problems.add(
                feed.line,
                f"{offering.slug} and {others[0]} grant the same {feed.key}: leave one out.",
            )


def _others(offering: Offering, endpoint: str, key: str, site: Site) -> list[str]:
    """The offerings before this one that feed the same limit."""
    found = []
    for other in site.offerings.values():
        if other.slug == offering.slug:
            break
        if any((feed.endpoint, feed.key) == (endpoint, key) for feed in other.feeds):
            found.append(other.slug)
    return found


def _check_enforced_once(site: Site, problems: Problems) -> None:
    """Nova enforces its own quota or Keystone's limits; the other would be written in vain."""
    own = {
        (site.endpoints[limit.endpoint].region, limit.key): limit
        for limit in site.limits.values()
        if site.endpoints[limit.endpoint].driver == "nova"
    }
    for limit in site.limits.values():
        endpoint = site.endpoints[limit.endpoint]
        is_nova = endpoint.options.get("service", "compute") == "compute"
        if endpoint.driver != "keystone_limits" or not is_nova:
            continue
        twin = own.get((endpoint.region, _IN_NOVA.get(limit.key, "")))
        if twin is not None:
            problems.add(
                limit.line,
                f"{limit.key} of {limit.endpoint} limits the same as {twin.key} of "
                f"{twin.endpoint}: keep the one that Nova enforces there.",
            )


@cache
def _class_of(driver: str) -> Any:
    """The driver's class; None where it is not installed here."""
    try:
        found = Registry(settings.QUOTA_DRIVERS).driver_class(driver)
    except UnknownDriver:
        return None
    return found if hasattr(found, "spec") else None


def _spec_of(found: Any, key: str) -> Any:
    return None if found is None else found.spec(key)
