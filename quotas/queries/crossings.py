"""What of a project's use is close to its limits now, as its people were told."""

from dataclasses import dataclass
from datetime import datetime

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
    highest: dict[int, CrossingRow] = {}
    rows = Crossing.objects.filter(target__project=project, ended_at__isnull=True)
    for row in rows.select_related("limit__endpoint__region").order_by("percent", "pk"):
        highest[row.limit_id] = CrossingRow(
            row.limit, row.percent, row.used, row.bound, row.crossed_at
        )
    return sorted(highest.values(), key=lambda each: (-each.percent, each.limit.pk))
