"""Use over time, from the peak of each day: what a chart and the table behind it show.

Of one project here; of units and zones in `unit_usage`. Where its lines run: portal.lib.charts.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import groupby
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from portal.lib.charts import Plot, Point
from quotas.models import Limit, Reading, Region, UsagePeak

from .figures import LimitRow, RegionFigures

DAYS = (30, 90, 365)


@dataclass(frozen=True)
class Day:
    """The highest use of a day, and the quota then, in base units; None: not known.

    quota: of a project the limit in force, of many what was promised. capacity: how much could
    be promised. Of many projects: of how many their use is known, of those how many were seen
    on the day itself, and how many there are.
    """

    day: date
    used: int | None
    quota: int | None
    capacity: int | None = None
    known: int | None = None
    seen: int | None = None
    projects: int | None = None


@dataclass(frozen=True)
class Week:
    """A line of the table behind the chart; of the projects the day with the fewest seen."""

    starts_on: date
    mean: int | None
    peak: int | None
    quota: int | None
    capacity: int | None
    seen: int | None
    projects: int | None


@dataclass(frozen=True)
class Chart:
    """One limit's days, oldest first, at least two of them. place: the region's name."""

    limit: Limit
    name: str
    place: str
    day_count: int
    days: tuple[Day, ...]

    @property
    def unit(self) -> str:
        return self.limit.unit

    @property
    def peak(self) -> Day:
        """The day with the highest use; of days as high the last."""
        return max(self.days, key=lambda each: (-1 if each.used is None else each.used, each.day))

    @property
    def last(self) -> Day:
        """The last day of which use is known, or just the last."""
        return next((each for each in self.days[::-1] if each.used is not None), self.days[-1])

    @property
    def has_capacity(self) -> bool:
        return any(each.capacity is not None for each in self.days)

    @property
    def has_projects(self) -> bool:
        return self.days[-1].projects is not None

    @property
    def least_seen(self) -> Day:
        """The day on which the smallest part of the projects was seen."""
        return min(self.days, key=lambda each: (each.seen or 0) / max(each.projects or 0, 1))

    @cached_property
    def plot(self) -> Plot:
        return Plot.of(self._used, self._quota, self._capacity)

    @property
    def used_path(self) -> str:
        return self.plot.line(self._used)

    @property
    def area_path(self) -> str:
        return self.plot.area(self._used)

    @property
    def quota_path(self) -> str:
        return self.plot.steps(self._quota)

    @property
    def capacity_path(self) -> str:
        return self.plot.steps(self._capacity)

    @property
    def weeks(self) -> list[Week]:
        """The same as a table, the newest week first."""
        found = [
            _week(starts_on, list(days))
            for starts_on, days in groupby(
                self.days, key=lambda each: each.day - timedelta(days=each.day.weekday())
            )
        ]
        return found[::-1]

    @property
    def _used(self) -> list[Point]:
        return [(each.day, each.used) for each in self.days]

    @property
    def _quota(self) -> list[Point]:
        return [(each.day, each.quota) for each in self.days]

    @property
    def _capacity(self) -> list[Point]:
        return [(each.day, each.capacity) for each in self.days]


def _week(starts_on: date, days: Sequence[Day]) -> Week:
    used = [each.used for each in days if each.used is not None]
    least = min(days, key=lambda each: (each.seen or 0) / max(each.projects or 0, 1))
    return Week(
        starts_on=starts_on,
        mean=sum(used) // len(used) if used else None,
        peak=max(used) if used else None,
        quota=days[-1].quota,
        capacity=days[-1].capacity,
        seen=least.seen,
        projects=least.projects,
    )


def day_count_of(text: str) -> int:
    """How far back a chart goes; what is no choice is the middle one."""
    return int(text) if text in {str(days) for days in DAYS} else DAYS[1]


def limit_drawn(
    regions: Iterable[RegionFigures], known: Collection[int], limit: str
) -> tuple[Region, LimitRow] | None:
    """The one that is asked for by its id, or the first; known: ids of those with two days."""
    rows = [(each.region, row) for each in regions for row in each.rows if row.limit.pk in known]
    return next((pair for pair in rows if str(pair[1].limit.pk) == limit), next(iter(rows), None))


def known_limits(project: Any, since: Any) -> QuerySet[Reading]:
    """Readings of the project's limits that have two days; by ids or slots.

    Of each the second is looked up, as all days of all limits would be thousands.
    """
    second = peak_rows(OuterRef("target__project"), OuterRef("limit"), since)
    second = second.filter(target=OuterRef("target")).order_by()[1:2]
    return Reading.objects.filter(Exists(second), target__project=project).order_by("pk")


def peak_rows(project: Any, limit: Any, since: Any) -> QuerySet[UsagePeak]:
    """The days of a limit after one day; by ids or slots."""
    rows = UsagePeak.objects.filter(target__project=project, limit=limit, day__gt=since)
    return rows.order_by("day")


def chart_from(
    drawn: tuple[Region, LimitRow], day_count: int, seen: Iterable[tuple[date, int, int | None]]
) -> Chart:
    """seen: day, highest use and limit of each day."""
    region, row = drawn
    days = tuple(Day(day, used, _known(bound)) for day, used, bound in seen)
    return Chart(row.limit, row.name, region.name, day_count, days)


def _known(limit_seen: int | None) -> int | None:
    """A service that bounds nothing has no limit to draw."""
    return None if limit_seen is None or limit_seen < 0 else limit_seen
