"""How long a request may wait below a unit: working days until a reminder, until it goes up.

A unit that says nothing waits as long as the nearest one above that does; the site's settings
speak for those that nobody above speaks for.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypedDict
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q

from portal.lib.working_days import Calendar
from projects.models import Holiday, Unit, ancestor_paths


@dataclass(frozen=True)
class Patience:
    """In working days; remind_after 0: no reminder. The units that say so; None: the site."""

    remind_after: int
    escalate_after: int
    remind_said_by: Unit | None = None
    escalate_said_by: Unit | None = None


class Clock(TypedDict):
    """What a line knows of its waiting, as columns of RequestLine."""

    waits_since: datetime | None
    remind_at: datetime | None
    escalate_at: datetime | None


# Of a line that waits for nobody.
STOPPED: Clock = {"waits_since": None, "remind_at": None, "escalate_at": None}


def site_calendar(holidays: Collection[date] | None = None) -> Calendar:
    """The working days of the site; one query, unless the holidays are known."""
    if holidays is None:
        holidays = list(Holiday.objects.values_list("on", flat=True))
    return Calendar(
        zone=ZoneInfo(settings.TIME_ZONE),
        weekend=frozenset(settings.WEEKEND),
        holidays=frozenset(holidays),
    )


def patience_of(paths: Collection[str]) -> dict[str, Patience]:
    """{unit path: how long one waits there}; one query for any number of units."""
    above = {each for path in paths for each in ancestor_paths(path)}
    rows = Unit.objects.filter(path__in=above).filter(
        Q(remind_after_days__isnull=False) | Q(escalate_after_days__isnull=False)
    )
    by_path = {each.path: each for each in rows}
    return {
        path: _nearest([by_path[each] for each in ancestor_paths(path) if each in by_path])
        for path in paths
    }


def start_clock(patience: Patience, calendar: Calendar, now: datetime) -> Clock:
    """What a line that begins to wait now is given."""
    return {
        "waits_since": now,
        "remind_at": remind_at(patience, calendar, now),
        "escalate_at": calendar.after(now, patience.escalate_after),
    }


def clock_at(unit: Unit, now: datetime, holidays: Collection[date] | None = None) -> Clock:
    """`start_clock` for a line of a project in this unit; one query if its path is held.

    None where the holidays are known as well.
    """
    lineage = unit.lineage
    patience = patience_of([unit.path])[unit.path] if lineage is None else _nearest(lineage)
    return start_clock(patience, site_calendar(holidays), now)


def remind_at(patience: Patience, calendar: Calendar, since: datetime) -> datetime | None:
    """When deciders are reminded; None where they are not, or it would go up by then anyway."""
    if not 0 < patience.remind_after < patience.escalate_after:
        return None
    return calendar.after(since, patience.remind_after)


def _nearest(above: Collection[Unit]) -> Patience:
    """above: units that say something, or nothing, root first."""
    found = Patience(settings.REMIND_AFTER_DAYS, settings.ESCALATE_AFTER_DAYS)
    for unit in above:
        if unit.remind_after_days is not None:
            found = Patience(
                unit.remind_after_days, found.escalate_after, unit, found.escalate_said_by
            )
        if unit.escalate_after_days is not None:
            found = Patience(
                found.remind_after, unit.escalate_after_days, found.remind_said_by, unit
            )
    return found
