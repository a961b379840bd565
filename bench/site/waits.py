"""When those who decide are reminded, when a request goes up, and when loans end."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from projects.queries.patience import site_calendar

from .organisation import ESCALATE_AFTER_DAYS, REMIND_AFTER_DAYS


class WaitingClock:
    """Moments as COPY reads them; the calendar is asked once for each day."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._calendar = site_calendar()
        self._zone = ZoneInfo(settings.TIME_ZONE)
        self._ends: dict[date, str] = {}
        self._days: dict[tuple[date, int], date] = {}

    def last_day(self, request: int) -> str:
        """Of what is wanted until a day: a month to four from now."""
        return (
            self._now.astimezone(self._zone).date() + timedelta(days=30 + request % 90)
        ).isoformat()

    def end(self, request: int) -> str:
        """When a loan until that day ends."""
        day = date.fromisoformat(self.last_day(request)) + timedelta(days=1)
        if day not in self._ends:
            midnight = datetime.combine(day, time.min, self._zone)
            self._ends[day] = midnight.astimezone(UTC).isoformat()
        return self._ends[day]

    def waits(self, sent: datetime) -> tuple[str, str]:
        """(remind_at, escalate_at)."""
        return self._after(sent, REMIND_AFTER_DAYS), self._after(sent, ESCALATE_AFTER_DAYS)

    def _after(self, sent: datetime, days: int) -> str:
        wall = sent.astimezone(self._zone)
        if not self._calendar.works_on(wall.date()):
            return self._calendar.after(sent, days).isoformat()
        key = wall.date(), days
        if key not in self._days:
            midnight = datetime.combine(wall.date(), time.min, self._zone)
            after = self._calendar.after(midnight, days)
            self._days[key] = after.astimezone(self._zone).date()
        found = datetime.combine(self._days[key], wall.time(), self._zone)
        return found.astimezone(UTC).isoformat()
