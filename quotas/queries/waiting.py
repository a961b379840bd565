"""What waits for a person: narrowed, put in an order, page by page, and who is next to it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import ExpressionWrapper, F, FloatField, Max, Q, QuerySet

from projects.models import Unit
from projects.queries.viewers import Viewer
from quotas.models import QuotaRequest, RequestLine, Zone
from quotas.queries.requests import assigned_lines, queue

PAGE = 50
# Nobody pages further; beyond it counts are said as "1,000+".
COUNTED = 1000
OLDEST, LARGEST = "oldest", "largest"


@dataclass(frozen=True)
class Wanted:
    """How somebody wants to see a queue: a unit's slug, a zone's id, an order, a page."""

    unit: str = ""
    zone: int | None = None
    order: str = OLDEST
    page: int = 1

    @classmethod
    def read(cls, query: Any) -> "Wanted":
        """From an address; what makes no sense there is as if it were not."""
        unit, zone, page = (str(query.get(each, "")) for each in ("unit", "zone", "page"))
        return cls(
            unit=unit if unit.isascii() and unit.isprintable() else "",
            zone=_number(zone),
            order=LARGEST if query.get("order") == LARGEST else OLDEST,
            page=min(max(_number(page) or 1, 1), COUNTED // PAGE + 1),
        )

    def query(self, **changes: Any) -> str:
        """The same as an address's query, changed in places: "?unit=atlas" or ""."""
        now = {"unit": self.unit, "zone": self.zone, "order": self.order, "page": self.page}
        usual = {"unit": "", "zone": None, "order": OLDEST, "page": 1}
        said = {key: value for key, value in (now | changes).items() if value != usual[key]}
        return f"?{urlencode(said)}" if said else ""

    @property
    def is_narrowed(self) -> bool:
        return bool(self.unit) or self.zone is not None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def waiting(viewer: Viewer, wanted: Wanted) -> QuerySet[QuotaRequest]:
    """The requests that wait for the person, as wanted, not yet cut into pages."""
    rows = queue(viewer)
    mine = assigned_lines(viewer)
    if wanted.zone is not None:
        rows = rows.filter(pk__in=mine.filter(offering__zone=wanted.zone).values("request"))
    if wanted.unit:
        below = Unit.objects.filter(slug=wanted.unit).values("path")[:1]
        rows = rows.filter(project__unit__path__startswith=below)
    if wanted.order == LARGEST:
        # Resources differ; steps of each are the one measure that they share.
        steps = ExpressionWrapper(
            (F("lines__wanted") - F("lines__balance_seen")) * 1.0
            / F("lines__offering__resource__step"),
            output_field=FloatField(),
        )  # fmt: skip
        rows = rows.annotate(size=Max(steps, filter=Q(lines__state="open")))
        rows = rows.order_by("-size", "submitted_at", "pk")
    return rows


@dataclass(frozen=True)
class QueuePage:
    """One page; `count` stops at COUNTED + 1."""

    requests: list[QuotaRequest]
    first: int
    count: int
    has_next: bool

    @property
    def last(self) -> int:
        return self.first + len(self.requests) - 1


def queue_page(viewer: Viewer, wanted: Wanted) -> QueuePage:
    """The page that was wanted; two queries."""
    rows = waiting(viewer, wanted)
    start = (wanted.page - 1) * PAGE
    found = list(rows[start : start + PAGE + 1])
    return QueuePage(
        requests=found[:PAGE],
        first=start + 1,
        count=rows.order_by()[: COUNTED + 1].count(),
        has_next=len(found) > PAGE,
    )


def lines_of_page(viewer: Viewer, requests: list[QuotaRequest]) -> list[RequestLine]:
    """The lines of these requests that wait for the person."""
    rows = assigned_lines(viewer).filter(request__in=[each.pk for each in requests])
    return list(
        rows.select_related(
            "project__unit", "request", "offering__resource", "offering__zone__region"
        )
    )


def unit_choices(viewer: Viewer) -> list[Unit]:
    """The units whose projects wait for the person."""
    return list(
        Unit.objects.filter(projects__in=queue(viewer).order_by().values("project"))
        .distinct()
        .order_by("path")[:200]
    )


def zone_choices(viewer: Viewer) -> list[Zone]:
    """The zones that somebody who waits asks for."""
    zones = assigned_lines(viewer).order_by().values("offering__zone")
    return list(Zone.objects.filter(pk__in=zones).select_related("region"))


@dataclass(frozen=True)
class Place:
    """Where a request stands in a queue, and its neighbours' numbers."""

    position: int | None
    count: int
    previous: int | None
    next: int | None


def place_in_queue(viewer: Viewer, wanted: Wanted, number: int) -> Place:
    """One query. A request that is not in the queue has the first one as its next."""
    numbers = list(waiting(viewer, wanted).values_list("pk", flat=True)[: COUNTED + 1])
    if number not in numbers:
        return Place(None, len(numbers), None, numbers[0] if numbers else None)
    here = numbers.index(number)
    return Place(
        position=here + 1,
        count=len(numbers),
        previous=numbers[here - 1] if here else None,
        next=numbers[here + 1] if here + 1 < len(numbers) else None,
    )
