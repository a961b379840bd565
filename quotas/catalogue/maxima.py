"""The most that a service takes of a key: asked of its driver when a file is loaded.

Web processes, which load no driver, find it in the row.
"""

from functools import cache

from django.conf import settings

from quotas.backends.registry import Registry, UnknownDriver

# The largest that a column of ours holds.
_LARGEST = 2**63 - 1


def maximum_of(driver: str, key: str, step: int) -> int | None:
    """In base units; None where the driver names no bound, or is not installed here."""
    bound = _bound(driver, key)
    return None if bound is None else min(bound * step, _LARGEST)


@cache
def _bound(driver: str, key: str) -> int | None:
    try:
        found = Registry(settings.QUOTA_DRIVERS).driver_class(driver)
    except UnknownDriver:
        return None
    spec = found.spec(key) if hasattr(found, "spec") else None
    return getattr(spec, "maximum", None)
