"""Working days: weekends, holidays, and clocks that jump."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from portal.lib.working_days import Calendar

GENEVA = ZoneInfo("Europe/Zurich")
CALENDAR = Calendar(GENEVA, frozenset({5, 6}), frozenset({date(2026, 12, 24), date(2026, 12, 25)}))


def at(text: str, zone: ZoneInfo = GENEVA) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


AFTER = {
    "a Monday and two days": ("2026-11-16 09:30", 2, "2026-11-18 09:30"),
    "over a weekend": ("2026-11-20 16:00", 1, "2026-11-23 16:00"),
    "from a Saturday it counts from Monday": ("2026-11-21 11:00", 1, "2026-11-24 00:00"),
    "half a day ends the same day": ("2026-11-16 08:00", 0.5, "2026-11-16 20:00"),
    "half a day before a weekend": ("2026-11-20 18:00", 0.5, "2026-11-23 06:00"),
    "over holidays and the weekend behind them": ("2026-12-23 10:00", 1, "2026-12-28 10:00"),
    "from a holiday": ("2026-12-24 10:00", 2, "2026-12-30 00:00"),
    "exactly to midnight is the next working day's": ("2026-11-20 12:00", 0.5, "2026-11-23 00:00"),
    "over the night in which summer time begins": ("2026-03-27 09:00", 1, "2026-03-30 09:00"),
    "over the night in which it ends": ("2026-10-23 09:00", 1, "2026-10-26 09:00"),
    "nothing at all, in working time": ("2026-11-16 09:30", 0, "2026-11-16 09:30"),
}


@pytest.mark.parametrize(("start", "days", "end"), AFTER.values(), ids=AFTER.keys())
def test_after(start: str, days: float, end: str) -> None:
    assert CALENDAR.after(at(start), days) == at(end)


BETWEEN = {
    "within a day": ("2026-11-16 09:00", "2026-11-16 12:00", timedelta(hours=3)),
    "a weekend counts nothing": ("2026-11-20 18:00", "2026-11-23 06:00", timedelta(hours=12)),
    "a holiday neither": ("2026-12-23 12:00", "2026-12-28 12:00", timedelta(days=1)),
    "summer time begins": ("2026-03-27 09:00", "2026-03-30 09:00", timedelta(days=1)),
    "within days off": ("2026-11-21 09:00", "2026-11-22 09:00", timedelta(0)),
    "backwards": ("2026-11-18 09:00", "2026-11-16 09:00", timedelta(0)),
}


@pytest.mark.parametrize(("start", "end", "span"), BETWEEN.values(), ids=BETWEEN.keys())
def test_between(start: str, end: str, span: timedelta) -> None:
    assert CALENDAR.between(at(start), at(end)) == span


def test_a_working_night_with_a_jump_of_the_clock_is_still_a_day() -> None:
    """Where people work on Sundays: 02:30 is skipped on 29 March, and shown as 03:30."""
    calendar = Calendar(GENEVA)
    assert calendar.after(at("2026-03-28 02:30"), 1) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_what_is_given_in_another_zone_counts_in_the_sites() -> None:
    """Friday 23:30 in UTC is Saturday in Geneva."""
    moment = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    assert CALENDAR.after(moment, 1) == at("2026-11-24 00:00")


def test_after_is_where_as_much_lies_between() -> None:
    """Whatever the moment and however long: an independent count comes to the same."""
    for hours in range(0, 24 * 60, 7):
        moment = at("2026-12-01 00:00") + timedelta(hours=hours)
        for days in (0, 0.3, 1, 4.5, 60):
            end = CALENDAR.after(moment, days)
            assert CALENDAR.works_on(end.astimezone(GENEVA).date())
            assert CALENDAR.between(moment, end) == timedelta(days=days)
