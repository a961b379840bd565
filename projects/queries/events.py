"""Which acts a person may read, and how a program follows them without missing one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import connection
from django.db.models import BigIntegerField, BooleanField, F, Func, Q, QuerySet, TextField, Value

from portal.lib.compiled import compiled, compiled_each
from portal.lib.lookups import is_among
from portal.lib.together import Part, Rows
from projects.models import Event

from .sight import Reach, Sight, reach_of, values_of
from .viewers import SEE_PROJECTS, Viewer, lying_below, of_visible_projects


def visible_events(viewer: Viewer) -> QuerySet[Event]:
    """Own acts, and those of the projects and units that the person may see.

    By a service account's token only the latter: its owner's other acts are not its business.
    """
    if viewer.sees_everything:
        return Event.objects.all()
    own = Q(actor=viewer.user) if viewer.place is None else Q(pk__in=[])
    return Event.objects.filter(
        own | of_visible_projects(viewer) | lying_below(viewer.paths(*SEE_PROJECTS))
    )


def events_seen(sight: Sight) -> QuerySet[Event]:
    """As `visible_events`, with slots."""
    if sight.reach == Reach.ALL:
        return Event.objects.all()
    own = Q(actor=sight.user)
    # Said beforehand, as whoever goes along the record passes over all that people did to
    # themselves, thousands in a row where a site began, without a look at what is around it.
    is_about = Q(project__isnull=False) | Q(unit__isnull=False)
    return Event.objects.filter(own | is_about).filter(own | sight.of_projects_or_below)


@dataclass(frozen=True, order=True)
class Place:
    """Where a reader of the feed stands: after the event of this transaction and id."""

    xid: int
    id: int

    @classmethod
    def read(cls, text: str) -> "Place":
        """Parse "12.34", as `str` writes it; raises ValueError."""
        xid, __, event_id = text.partition(".")
        for part in (xid, event_id):
            if not (part.isascii() and part.isdigit() and len(part) <= 18):
                raise ValueError(text)
        return cls(int(xid), int(event_id))

    def __str__(self) -> str:
        return f"{self.xid}.{self.id}"


class IsAfter(Func):
    """The condition on an event that it is recorded after a place: rows compare with rows."""

    side = ">"
    output_field = BooleanField()

    def __init__(self, xid: Any, number: Any) -> None:
        super().__init__(F("xid"), F("pk"), xid, number)

    @classmethod
    def of(cls, place: Place) -> Self:
        """With the place's values in it; else with slots for them, the first a text."""
        xid = Value(str(place.xid), TextField())
        return cls(xid, Value(place.id, BigIntegerField()))

    def as_sql(self, compiler: Any, connection: Any, *_args: Any, **_extra: Any) -> Any:
        parts = [compiler.compile(each) for each in self.get_source_expressions()]
        xid, pk, place_xid, place_id = (sql for sql, _values in parts)
        sql = f"({xid}, {pk}) {self.side} ({place_xid}::text::xid8, {place_id})"
        return sql, [value for _sql, values in parts for value in values]


class IsBefore(IsAfter):
    """The condition on an event that it is recorded before a place."""

    side = "<"


class IsOver(Func):
    """The condition on a transaction that it, and all that began before it, are over."""

    template = "(%(expressions)s < (SELECT remit_horizon()))"
    output_field = BooleanField()


# An act is dated when it begins and recorded later: after locks, in a transaction that goes on.
# Nothing takes so long from the one to its end.
LONGEST_ACT = timedelta(hours=1)
# No two clocks of ours are so far apart.
SLACK = timedelta(minutes=1)
# Of the acts since a moment the first by date, and all that may stand before it in the record:
# what was recorded before that one began no later than that one ended. OFFSET 0 keeps the
# planner from walking along the whole record to where they stand.
_FIRST_SINCE = """
    SELECT xid::text::bigint, id FROM (
        SELECT xid, id FROM projects_event WHERE at >= %(moment)s AND at <= (
            SELECT min(at) FROM projects_event WHERE at >= %(moment)s
        ) + make_interval(secs => %(longest)s) OFFSET 0
    ) near ORDER BY xid, id LIMIT 1
"""


@dataclass(frozen=True)
class Window:
    """A part of the record: after a place, or since a moment, up to a place."""

    since: Place | datetime
    until: Place


def horizon() -> Place:
    """Before this place nothing will be recorded any more: all that began there is over."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT remit_horizon()::text")
        return Place(int(cursor.fetchone()[0]), 0)


def place_before(moment: datetime) -> Place:
    """The place after which every event of `moment` and later stands, also those to come."""
    tip = horizon()
    with connection.cursor() as cursor:
        longest = LONGEST_ACT.total_seconds()
        cursor.execute(_FIRST_SINCE, {"moment": moment - SLACK, "longest": longest})
        found = cursor.fetchone()
    return min(tip, Place(found[0], found[1] - 1)) if found else tip


def events_in(window: Window) -> QuerySet[Event]:
    """The events of a part of the record. Since a moment: rather some more than one too few."""
    rows = Event.objects.filter(IsBefore.of(window.until))
    if isinstance(window.since, Place):
        return rows.filter(IsAfter.of(window.since))
    return rows.filter(at__gte=window.since - LONGEST_ACT)


AROUND = ("actor", "project", "unit")


def feed(events: QuerySet[Event], after: Place, count: int) -> list[Event]:
    """The next events in (xid, id) order, none of a transaction that could still be joined.

    Ids are given before a transaction commits: one with a lower id may appear later. So
    only what lies below the oldest transaction in progress is read, and nothing can be
    inserted behind a reader.
    """
    rows = _next(events, IsAfter.of(after), count)
    return list(rows.select_related(*AROUND))


def feed_seen(viewer: Viewer, after: Place, count: int) -> list[Event]:
    """`feed` of all that the person may read. Not of a service account, which has a place."""
    place = {"xid": str(after.xid), "number": after.id}
    reach = reach_of(viewer)
    # Of who sees some, whether the record is walked or their events are gathered depends on where
    # they stand: one plan for all would gather it whole at each page.
    ask = _feed_of_some if reach == Reach.SOME else _feed
    (found,) = ask(reach, count, **values_of(viewer), **place)
    return found


def _feed_parts(
    reach: Reach, count: int, /, *, user: Any, groups: Any, paths: Any, now: Any, xid: Any,
    number: Any,
) -> list[Part]:  # fmt: skip
    seen = events_seen(Sight(reach, user, groups, paths, now))
    return [Rows(_next(seen, IsAfter(xid, number), count), AROUND)]


_feed, _feed_of_some = compiled(_feed_parts), compiled_each(_feed_parts)


def _next(events: QuerySet[Event], is_after: IsAfter, count: int) -> QuerySet[Event]:
    """Chosen by their numbers first: what is around those that are passed over is not looked at."""
    chosen = events.filter(IsOver(F("xid")), is_after).order_by("xid", "id")[:count]
    return Event.objects.filter(is_among("pk", chosen.values("pk"))).order_by("xid", "id")
