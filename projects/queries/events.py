"""Which acts a person may read, and how a program follows them without missing one."""

from dataclasses import dataclass

from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL

from projects.models import Event

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


def feed(events: QuerySet[Event], after: Place | None, count: int) -> list[Event]:
    """The next events in (xid, id) order, none of a transaction that could still be joined.

    Ids are given before a transaction commits: one with a lower id may appear later. So
    only what lies below the oldest transaction in progress is read, and nothing can be
    inserted behind a reader.
    """
    rows = events.filter(_is_so("projects_event.xid < pg_snapshot_xmin(pg_current_snapshot())"))
    if after is not None:
        rows = rows.filter(
            _is_so(
                "(projects_event.xid, projects_event.id) > (%s::text::xid8, %s)",
                str(after.xid),
                after.id,
            )
        )
    return list(rows.select_related("actor", "project", "unit").order_by("xid", "id")[:count])


def _is_so(condition: str, *values: object) -> RawSQL:
    """Rows compare with rows, and xid8 with xid8, in words that Django's lookups lack."""
    return RawSQL(condition, values, output_field=BooleanField())  # noqa: S611 - values are bound
