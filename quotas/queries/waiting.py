"""What waits for a person: narrowed, put in an order, page by page, and who is next to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import (
    Count,
    Exists,
    ExpressionWrapper,
    F,
    FloatField,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    Window,
)
from django.db.models.functions import Coalesce

from portal.lib.lookups import is_among
from portal.lib.together import Rows, Values, together
from projects.models import Unit, ancestor_paths
from projects.queries.viewers import Viewer
from quotas.models import Account, DecisionLine, QuotaRequest, RequestLine
from quotas.queries.requests import assigned_lines, own_assignments, queue
from quotas.states import AssignmentKind, Direction, LineState

from .authority import Mandate, chain_parts, mandates_from
from .queue_wishes import COUNTED, PAGE, Order, Wanted

MOST_CHOICES = 500
# A page's frame says no more than "99+".
FRAMED = 100


def waiting(viewer: Viewer, wanted: Wanted) -> QuerySet[QuotaRequest]:
    """The requests that wait for the person, as wanted, not yet cut into pages."""
    lines = _lines(viewer, wanted)
    rows = QuotaRequest.objects.filter(is_among("pk", lines.values("request"))).select_related(
        "project__unit", "requester", "asked_by"
    )
    if wanted.unit:
        below = Unit.objects.filter(slug=wanted.unit).values("path")[:1]
        rows = rows.filter(project__unit__path__startswith=below)
    if wanted.kind:
        rows = rows.filter(project__kind=wanted.kind)
    if wanted.days is not None:
        rows = rows.filter(submitted_at__lte=viewer.now - timedelta(days=wanted.days))
    if wanted.text:
        rows = rows.filter(_about(wanted.text))
    return _ordered(rows, wanted.order)


def _lines(viewer: Viewer, wanted: Wanted) -> QuerySet[RequestLine]:
    """The lines that wait for the person; a request is shown for any one of them."""
    lines = assigned_lines(viewer, wanted.task)
    if wanted.zone is not None:
        lines = lines.filter(offering__zone=wanted.zone)
    if wanted.resource:
        lines = lines.filter(offering__resource__slug=wanted.resource)
    if wanted.direction == Direction.INCREASE:
        lines = lines.filter(wanted__gt=F("balance_seen"))
    elif wanted.direction == Direction.DECREASE:
        lines = lines.filter(wanted__lt=F("balance_seen"))
    if wanted.endorsed:
        is_endorsed = Exists(
            DecisionLine.objects.filter(line=OuterRef("pk"), endorsed__isnull=False)
        )
        lines = lines.filter(is_endorsed if wanted.endorsed == "yes" else ~is_endorsed)
    return lines


def _about(text: str) -> Q:
    number = text.removeprefix("#")
    if number.isascii() and number.isdigit() and len(number) < 19:
        return Q(pk=int(number)) | Q(project__name__icontains=text)
    return (
        Q(project__name__icontains=text)
        | Q(project__slug__icontains=text)
        | Q(requester__name__icontains=text)
        | Q(requester__subject=text)
    )


def _ordered(rows: QuerySet[QuotaRequest], order: str) -> QuerySet[QuotaRequest]:
    """In that order, the oldest first where it leaves a choice."""
    then = ("submitted_at", "pk")
    is_open = Q(lines__state=LineState.OPEN)
    if order == Order.LARGEST:
        # Resources differ; steps of each are the one measure that they share.
        steps = ExpressionWrapper(
            (F("lines__wanted") - F("lines__balance_seen")) * 1.0
            / F("lines__offering__resource__step"),
            output_field=FloatField(),
        )  # fmt: skip
        return rows.annotate(size=Max(steps, filter=is_open)).order_by("-size", *then)
    if order == Order.ESCALATES:
        rows = rows.annotate(next_up=Min("lines__escalate_at", filter=is_open))
        return rows.order_by(F("next_up").asc(nulls_last=True), *then)
    if order == Order.ENDS:
        return rows.order_by(F("until_on").asc(nulls_last=True), *then)
    if order == Order.PROJECT:
        return rows.order_by("project__name", *then)
    return rows.order_by(*then)


@dataclass
class Choices:
    """What a queue can be narrowed to: of what waits in it, whatever it is narrowed to now.

    {what stands in an address: what people read} of each kind.
    """

    units: dict[str, str] = field(default_factory=dict)
    zones: dict[int, str] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class QueuePage:
    """One page of a queue; beyond COUNTED a count is said as "1,000+".

    waiting_count: what waits for the person without any narrowing, counted up to `FRAMED`.
    """

    requests: list[QuotaRequest]
    first: int
    count: int
    has_next: bool
    waiting_count: int
    choices: Choices

    @property
    def last(self) -> int:
        return self.first + len(self.requests) - 1


def queue_page(viewer: Viewer, wanted: Wanted) -> QueuePage:
    """The page that was wanted, the number of all, and what there is to choose: one query."""
    start = (wanted.page - 1) * PAGE
    rows = waiting(viewer, wanted).annotate(found_count=Window(Count("*")))
    found, choices, all_waiting = together(
        Rows(
            rows[start : start + PAGE + 1],
            ["project", "project__unit", "requester", "asked_by"],
            ["found_count"],
        ),
        _choices_part(viewer),
        Values(queue(viewer).order_by()[:FRAMED], ["pk"]),
    )
    return QueuePage(
        requests=found[:PAGE],
        first=start + 1,
        count=found[0].found_count if found else 0,
        has_next=len(found) > PAGE,
        waiting_count=len(all_waiting),
        choices=_choices(choices),
    )


def _choices_part(viewer: Viewer) -> Values:
    rows = assigned_lines(viewer).order_by(
        "project__unit__path", "offering__zone__region__order", "offering__zone__order",
        "offering__resource__order",
    )  # fmt: skip
    names = ["project__unit__path", "project__unit__slug", "offering__zone",
             "offering__zone__region__name", "offering__zone__name",
             "offering__resource__slug", "offering__resource__name"]  # fmt: skip
    return Values(rows.values_list(*names).distinct()[:MOST_CHOICES], names)


def _choices(rows: Iterable[Sequence[Any]]) -> Choices:
    found = Choices()
    for path, unit, zone, region_name, zone_name, resource, resource_name in rows:
        found.units[unit] = Unit(path=path).label
        found.zones[zone] = f"{region_name} {zone_name}"
        found.resources[resource] = resource_name
    return found


def lines_of_page(
    viewer: Viewer, requests: list[QuotaRequest]
) -> tuple[list[RequestLine], list[Mandate]]:
    """The lines of these requests that wait for the person, and the mandates of theirs there.

    Lines with `quota`, the balance of now; `is_to_decide`, or else to endorse; `endorsed`, the
    absolute limit that somebody endorsed last, None where nobody did. One query.
    """
    quota = Account.objects.filter(project=OuterRef("project"), offering=OuterRef("offering"))
    to_decide = own_assignments(viewer, AssignmentKind.DECIDE).filter(line=OuterRef("pk"))
    endorsed = DecisionLine.objects.filter(line=OuterRef("pk"), endorsed__isnull=False)
    rows = assigned_lines(viewer).filter(request__in=[each.pk for each in requests])
    paths = {above for each in requests for above in ancestor_paths(each.project.unit.path)}
    held = [each for each in viewer.delegations if each.unit.path in paths]
    lines, *chains = together(
        Rows(
            rows.annotate(
                quota=Coalesce(Subquery(quota.values("balance")[:1]), Value(0)),
                is_to_decide=Exists(to_decide),
                endorsed=Subquery(endorsed.order_by("-pk").values("endorsed")[:1]),
            ),
            ["project", "project__unit", "request", "offering", "offering__resource",
             "offering__zone", "offering__zone__region"],
            ["quota", "is_to_decide", "endorsed"],
        ),
        *chain_parts(held),
    )  # fmt: skip
    return lines, mandates_from(held, *chains)


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
