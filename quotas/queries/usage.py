"""The use of one limit over time, from the peak of each day: figures and their geometry.

The plot is `WIDTH` by `HEIGHT` units that the page stretches; labels stand outside it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from projects.models import Project
from quotas.models import Region, UsagePeak

from .figures import LimitRow, RegionFigures

WIDTH, HEIGHT = 1000, 448
PLOT_PX, ROOM_ABOVE = 196, 0.14
DAYS = (30, 90, 365)


@dataclass(frozen=True)
class Day:
    """The highest use of a day and the limit then, in base units."""

    day: date
    used: int
    limit: int | None


@dataclass(frozen=True)
class Week:
    """A line of the table behind the chart."""

    starts_on: date
    mean: int
    peak: int
    limit: int | None


@dataclass(frozen=True)
class Usage:
    """One limit's days, oldest first, at least two of them."""

    row: LimitRow
    region: Region
    day_count: int
    days: tuple[Day, ...]

    @property
    def peak(self) -> Day:
        return max(self.days, key=lambda each: each.used)

    @property
    def last(self) -> Day:
        return self.days[-1]

    @property
    def top(self) -> int:
        """The amount of the highest grid line: the highest limit, or use beyond it."""
        return max(1, *(each.used for each in self.days), *(each.limit or 0 for each in self.days))

    @property
    def marks(self) -> list[tuple[str, int]]:
        """[(y of the label in px, amount)] for nothing, a half and all of the top."""
        return [
            (f"{self._y(amount) / HEIGHT * PLOT_PX + 4:.1f}", amount)
            for amount in (self.top, self.top // 2, 0)
        ]

    @property
    def grid_path(self) -> str:
        return "".join(f"M0 {self._y(amount)}H{WIDTH}" for amount in (self.top, self.top // 2))

    @property
    def used_path(self) -> str:
        return "M" + "L".join(f"{self._x(each.day)} {self._y(each.used)}" for each in self.days)

    @property
    def area_path(self) -> str:
        return f"{self.used_path}V{HEIGHT}H{self._x(self.days[0].day)}Z"

    @property
    def quota_path(self) -> str:
        """Steps; a day on which the limit was not known breaks the line."""
        path, before = "", None
        for each in self.days:
            if each.limit is None or each.limit < 0:
                before = None
                continue
            x, y = self._x(each.day), self._y(each.limit)
            path += f"M{x} {y}" if before is None else f"H{x}V{y}"
            before = y
        return path

    @property
    def ticks(self) -> list[tuple[str, str, date]]:
        """[(x in per cent, text-anchor, day)] along the foot."""
        first, last = self.days[0].day, self.days[-1].day
        middle = first + (last - first) / 2
        return [("0%", "start", first), ("50%", "middle", middle), ("100%", "end", last)]

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

    def _x(self, day: date) -> int:
        span = (self.days[-1].day - self.days[0].day).days
        return round(WIDTH * (day - self.days[0].day).days / span)

    def _y(self, amount: int) -> int:
        return round(HEIGHT * (1 - (1 - ROOM_ABOVE) * amount / self.top))


def _week(starts_on: date, days: Sequence[Day]) -> Week:
    used = [each.used for each in days]
    return Week(starts_on, sum(used) // len(used), max(used), days[-1].limit)


def usage_of(
    project: Project, regions: Iterable[RegionFigures], *, limit: str, day_count: int, today: date
) -> Usage | None:
    """The days of a limit, by its id as text, or of the first that has any; None: too few."""
    peaks = UsagePeak.objects.filter(
        target__project=project, day__gt=today - timedelta(days=day_count)
    )
    known = set(peaks.values_list("limit", flat=True).distinct())
    rows = [(each.region, row) for each in regions for row in each.rows if row.limit.pk in known]
    if not rows:
        return None
    region, row = next((pair for pair in rows if str(pair[1].limit.pk) == limit), rows[0])
    days = tuple(
        Day(*each)
        for each in peaks.filter(limit=row.limit)
        .order_by("day")
        .values_list("day", "used", "limit_seen")
    )
    return Usage(row, region, day_count, days) if len(days) > 1 else None
