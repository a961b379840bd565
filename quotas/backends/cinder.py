"""Cinder's quotas: volumes, gigabytes and snapshots, in total and per volume type.

Two things that Cinder does not do, as seen on Xena and 2026.1: it stores limits for
projects that do not exist, and it refuses a limit below usage only where the project
had a limit of its own for that key before. Both are for the caller to look after.

Use of one project is one call. For all projects at once it is counted from the lists of volumes and
snapshots, without those that Cinder makes for itself, as while one is migrated (told since 3.65).
Option `no_snapshot_gb_quota: true` where Cinder is told so: snapshots take no space of the quota.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from quotas.backends.base import EndpointConfig, Figure, KeySpec, Survey
from quotas.backends.counting import LARGEST
from quotas.backends.deadline import TimeLeft
from quotas.backends.quotasets import QuotaSets, use_of_one
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
    # Quota sets are the same in all of them.
    MICROVERSIONS = ((3, 0), (3, 65))

    def __init__(self, config: EndpointConfig) -> None:
        super().__init__(config)
        self._snapshots_take_space = not config.options.get("no_snapshot_gb_quota", False)

    def survey(self, keys: Iterable[str] | None = None, *, timeout: float) -> Survey:
        left = TimeLeft(timeout)
        counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
        types: dict[str, str | None] = {}
        for row in self._rows_of_all("volumes", left):
            types[str(row["id"])] = its_type = row.get("volume_type")
            use = use_of_one("volumes", "gigabytes", row.get("size"), its_type)
            counted[str(row.get("os-vol-tenant-attr:tenant_id"))].update(use)
        for row in self._rows_of_all("snapshots", left):
            its_type = types.get(str(row.get("volume_id")))
            space = row.get("size") if self._snapshots_take_space else 0
            use = use_of_one("snapshots", "gigabytes", space, its_type)
            counted[str(row.get("os-extended-snapshot-attributes:project_id"))].update(use)
        totals = {each.key for each in self.SPECS if "*" not in each.key}
        seen = totals | {key for use in counted.values() for key in use}
        asked = seen if keys is None else {key for key in keys if self.spec(key) is not None}
        figures = {
            project: {key: Figure(None, use[key]) for key in asked}
            for project, use in counted.items()
        }
        return Survey(figures, counted=frozenset(asked), bounded=frozenset())

    def _rows_of_all(self, what: str, left: TimeLeft) -> Iterator[dict[str, Any]]:
        """Volumes or snapshots of all projects that count."""
        everywhere = {"all_tenants": "1"}
        for row in self._service.rows(f"/{what}/detail", what, left, query=everywhere):
            if row.get("consumes_quota") is not False:
                yield row
