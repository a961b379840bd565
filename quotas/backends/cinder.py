"""Cinder's quotas: volumes, gigabytes and snapshots, in total and per volume type.

Two things that Cinder does not do, as seen on Xena and 2026.1: it stores limits for
projects that do not exist, and it refuses a limit below usage only where the project
had a limit of its own for that key before. Both are for the caller to look after.
No options.
"""

from collections.abc import Mapping
from typing import ClassVar

from quotas.backends.base import KeySpec
from quotas.backends.counting import LARGEST
from quotas.backends.quotasets import QuotaSets
from quotas.backends.sorting import Rule


class CinderDriver(QuotaSets):
    """The quota driver for Cinder. Gigabytes are GiB; `*` is a volume type's name."""

    SERVICE = "Cinder"
    SERVICE_TYPE = "block-storage"
    SPECS = (
        KeySpec("volumes", "", 1, LARGEST),
        KeySpec("gigabytes", "B", 2**30, LARGEST),
        KeySpec("snapshots", "", 1, LARGEST),
        KeySpec("volumes_*", "", 1, LARGEST),
        KeySpec("gigabytes_*", "B", 2**30, LARGEST),
        KeySpec("snapshots_*", "", 1, LARGEST),
    )
    RULES = (
        Rule(400, "equal or greater than existing resources", "below_usage"),
        Rule(400, r"must be <= \d+", "above_maximum"),
        Rule(400, r"bad key\(s\)", "unknown_key"),
    )
    DETAIL_QUERY: ClassVar[Mapping[str, str]] = {"usage": "True"}
