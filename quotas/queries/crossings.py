"""What of a project's use is close to its limits now, as its people were told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from projects.models import Project
from quotas.models import Crossing, Limit


@dataclass(frozen=True)
class CrossingRow:
    """A limit that is close: the highest share that was reached, and since when.

    Amounts in base units, as they were when the share was reached; used: with what is reserved.
    """

    limit: Limit
    percent: int
    used: int
    bound: int
    crossed_at: datetime


def open_crossings(project: Project) -> list[CrossingRow]:
    """The limits that are close to full, the fullest first; one query."""
    rows = crossing_rows(project).select_related("limit__endpoint__region")
    return crossings_from(rows, {row.limit_id: row.limit for row in rows})


def crossing_rows(project: Any) -> QuerySet[Crossing]:
    """What `crossings_from` is made of; project: it, its id or a slot for that."""
    rows = Crossing.objects.filter(target__project=project, ended_at__isnull=True)
    return rows.order_by("percent", "pk")


def crossings_from(rows: Iterable[Crossing], limits: Mapping[int, Limit]) -> list[CrossingRow]:
    """The highest of each limit, the fullest first."""
    highest = {
        row.limit_id: CrossingRow(
            limits[row.limit_id], row.percent, row.used, row.bound, row.crossed_at
        )
        for row in rows
    }
    return sorted(highest.values(), key=lambda each: (-each.percent, each.limit.pk))
