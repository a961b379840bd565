"""What was read of a project as it is taken over, kept at once: readings, and drift of what stays.

By the rules of any look (`readings`, `differences`), with few statements however many services
there are; the project is new at them, so there is nothing to compare with.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from projects.actions.events import record_many
from projects.models import Project
from quotas.backends.base import Figure
from quotas.delivery.differences import Difference, limit_differences
from quotas.delivery.readings import in_base_units
from quotas.delivery.storing import store_many
from quotas.delivery.told import Told, ToldTarget
from quotas.delivery.wanted import Wanted
from quotas.models import Drift, Limit, Target

from .scanning import Read
from .shape import Managed

# Readings that are this close are dated by the first of them.
TOGETHER_SECONDS = 60.0


@dataclass(frozen=True)
class Seen:
    """A target, its managed limits, and their figures in the service's units."""

    target: Target
    managed: Collection[Managed]
    figures: Mapping[str, Figure]


def store_readings(seen: Iterable[Seen], read: Read) -> None:
    """Keep the figures, dated by the database's clock as they were read."""
    groups: list[tuple[float, list[Seen]]] = []
    for each in sorted(seen, key=lambda one: read.moments[one.target.endpoint_id]):
        moment = read.moments[each.target.endpoint_id]
        if not groups or moment - groups[-1][0] > TOGETHER_SECONDS:
            groups.append((moment, []))
        groups[-1][1].append(each)
    for moment, some in groups:
        age = timedelta(seconds=max(0.0, time.time() - moment))
        store_many([_told(each) for each in some], _now() - age)


def _told(seen: Seen) -> ToldTarget:
    limits = [each.limit for each in seen.managed if each.limit.key in seen.figures]
    told = tuple(_told_of(limit, seen.figures[limit.key]) for limit in limits)
    return ToldTarget(seen.target.pk, told, is_whole=True)


def _told_of(limit: Limit, figure: Figure) -> Told:
    return Told(
        limit, in_base_units(figure.limit, limit), in_base_units(figure.used, limit),
        in_base_units(figure.reserved, limit), None,
    )  # fmt: skip


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def open_drift(
    project: Project, seen: Iterable[Seen], wanted: Mapping[int, int], kept: Collection[int],
    now: datetime,
) -> None:  # fmt: skip
    """Have what is kept shown as drift, and use above a limit, as any look would.

    wanted: {limit id: what the ledger says}; kept: ids of limits.
    """
    rows = [
        Drift(
            target=each.target, kind=found.kind, limit=found.limit, wanted=found.wanted,
            seen=found.seen, found_at=now, confirmed_at=now,
        )
        for each in seen
        for found in _differences(each, wanted, kept)
    ]  # fmt: skip
    made = Drift.objects.bulk_create(rows)
    record_many(
        "drift_found", now=now, subject_kind="drift",
        facts={
            row.pk: {
                "endpoint": row.target.endpoint.slug, "kind": row.kind, "wanted": row.wanted,
                "seen": row.seen, "limit": row.limit.key if row.limit else "",
            }
            for row in made
        },
        projects=dict.fromkeys((row.pk for row in made), project),
    )  # fmt: skip


def _differences(seen: Seen, wanted: Mapping[int, int], kept: Collection[int]) -> list[Difference]:
    rows = [
        Wanted(each.limit, wanted[each.limit.pk], was_kept=each.limit.pk in kept)
        for each in seen.managed
    ]
    # Beside what is kept nothing differs: else the target were to be worked on.
    return limit_differences(rows, seen.figures, lambda _wanted: False, {})
