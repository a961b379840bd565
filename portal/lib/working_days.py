"""Days on which people are expected to act: what comes so many of them after a moment.

All arithmetic is on the clock on the wall of one zone, so that "three days later" is the same
time of day when summer time begins or ends in between. No database, no settings.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Calendar:
    """weekend: days of the week, Monday is 0, never all seven; holidays: dates, few and finite."""

    zone: ZoneInfo
    weekend: frozenset[int] = frozenset()
    holidays: frozenset[date] = frozenset()

    def works_on(self, day: date) -> bool:
        return day.weekday() not in self.weekend and day not in self.holidays

    def after(self, moment: datetime, days: float) -> datetime:
        """The moment after so many working days; what lies in other days does not count.

        From within a day off it counts from the start of the next working day.
        """
        wall = self._wall(moment)
        day, left = wall.date(), timedelta(days=days)
        if self.works_on(day):
            left += wall - _midnight(wall)
        # As if it had begun with that day.
        whole, rest = divmod(left, DAY)
        while True:
            if self.works_on(day):
                if whole == 0:
                    return self._moment(datetime.combine(day, time.min) + rest)
                whole -= 1
            day += DAY

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The time from one moment to another that lies in working days; never below zero."""
        wall, last = self._wall(start), self._wall(end)
        total = timedelta(0)
        while wall < last:
            until = min(_midnight(wall) + DAY, last)
            if self.works_on(wall.date()):
                total += until - wall
            wall = until
        return total

    def _wall(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone).replace(tzinfo=None, fold=0)

    def _moment(self, wall: datetime) -> datetime:
        """A time that the clock skips is what it shows after the jump."""
        return wall.replace(tzinfo=self.zone).astimezone(UTC)


def _midnight(wall: datetime) -> datetime:
    return datetime.combine(wall.date(), time.min)
