"""The chart of a project's page by itself, of the parts of which the page reads it."""

from collections.abc import Iterable
from datetime import date, timedelta

from projects.models import Project
from quotas.queries.figures import RegionFigures
from quotas.queries.usage import Chart, chart_from, known_limits, limit_drawn, peak_rows


def chart_of(
    project: Project, regions: Iterable[RegionFigures], *, limit: str, day_count: int, today: date
) -> Chart | None:
    """The days of a limit, by its id as text, or of the first that has two; None: too few."""
    since = today - timedelta(days=day_count)
    known = set(known_limits(project, since).values_list("limit", flat=True))
    drawn = limit_drawn(regions, known, limit)
    if drawn is None:
        return None
    days = peak_rows(project, drawn[1].limit.pk, since).values_list("day", "used", "limit_seen")
    return chart_from(drawn, day_count, days)
