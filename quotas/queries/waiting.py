"""What waits for a person: narrowed, put in an order, page by page, and who is next to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
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

from portal.lib.compiled import Answers, compiled
from portal.lib.lookups import is_among, is_of, is_one_of_many
from portal.lib.related import hang
from portal.lib.together import Part, Rows, Stated, together
from projects.models import Delegation, Unit, ancestor_paths, label_of_path
from projects.queries.viewers import Viewer
from quotas.models import (
    Account,
    DecisionLine,
    DelegationBound,
    Offering,
    QuotaRequest,
    RequestLine,
)
from quotas.queries.requests import Asker, assignments_of, lines_among, lines_for, values_of
from quotas.states import AssignmentKind, Direction, LineState

from .authority import Mandate, mandates_from
from .queue_walk import COUNT, is_walked, walked
from .queue_wishes import COUNTED, LAST_PAGE, PAGE, Order, Wanted

MOST_CHOICES = 500
# A page's frame says no more than "99+".
FRAMED = 100


def waiting(viewer: Viewer, wanted: Wanted) -> QuerySet[QuotaRequest]:
    """The requests that wait for the person, as wanted, not yet cut into pages."""
    return waiting_for(Asker.of(viewer), wanted)


def waiting_for(asker: Asker, wanted: Wanted) -> QuerySet[QuotaRequest]:
    lines = _lines(asker, wanted)
    rows = QuotaRequest.objects.filter(is_among("pk", lines.values("request"))).select_related(
        "project__unit", "requester", "asked_by"
    )
    if wanted.unit:
        below = Unit.objects.filter(slug=wanted.unit).values("path")[:1]
        rows = rows.filter(project__unit__path__startswith=below)
    if wanted.kind:
        rows = rows.filter(project__kind=wanted.kind)
    if wanted.days is not None:
        rows = rows.filter(submitted_at__lte=asker.now - timedelta(days=wanted.days))
    if wanted.text:
        rows = rows.filter(_about(wanted.text))
    return ordered(rows, wanted.order)


def _lines(asker: Asker, wanted: Wanted) -> QuerySet[RequestLine]:
    """The lines that wait for the person; a request is shown for any one of them."""
    lines = lines_for(asker, wanted.task)
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


def ordered(rows: QuerySet[QuotaRequest], order: str) -> QuerySet[QuotaRequest]:
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

    Where more waits than is counted, the units of the first, and all zones and resources.

    {what stands in an address: what people read} of each kind. has_more_units: what waits behind
    the first may be of others.
    """

    units: dict[str, str] = field(default_factory=dict)
    zones: dict[int, str] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)
    has_more_units: bool = False


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
    # As it is looked at all day its SQL is made once; narrowed in one of many ways, each time.
    is_plain = viewer.place is None and not wanted.is_narrowed
    _walked, found, units, offerings, ((waiting_count,),) = (
        _asked_plainly(viewer, wanted)
        if is_plain
        else together(*_page_parts(Asker.of(viewer), wanted, is_walked(*_places(wanted))))
    )
    start = (wanted.page - 1) * PAGE
    all_count = min(waiting_count, COUNTED + 1)
    if wanted.is_narrowed:
        all_count = found[0].found_count if found else 0
    return QueuePage(
        requests=found[:PAGE],
        first=start + 1,
        count=all_count,
        has_next=len(found) > PAGE,
        waiting_count=min(waiting_count, FRAMED),
        choices=_choices(units, offerings, has_more_units=waiting_count > COUNTED),
    )


def _asked_plainly(viewer: Viewer, wanted: Wanted) -> Answers:
    start, end = _places(wanted)
    shape = wanted
    if wanted.order == Order.OLDEST and wanted.page < LAST_PAGE:
        # As far as is counted all pages are one statement; in another order each is one.
        shape = replace(wanted, page=1)
    return _plain_page(shape, **values_of(viewer), start=start, end=end)


@compiled
def _plain_page(
    wanted: Wanted, /, *, user: Any, groups: Any, held: Any, now: Any, start: Any, end: Any
) -> list[Part]:
    asker = Asker.slots(user=user, groups=groups, held=held, now=now)
    return _page_parts(asker, wanted, is_walked(start, end))


def _places(wanted: Wanted) -> tuple[int, int]:
    """From where (0 first) to where a page goes, with one that says whether there is another."""
    start = (wanted.page - 1) * PAGE
    return start, start + PAGE + 1


def _page_parts(asker: Asker, wanted: Wanted, is_shown: Any) -> list[Part]:
    """What waits is walked no further than it is shown, as `walked`: rows, choices and counts are
    read from it. Only in another order, or narrowed, is all of it looked at for the rows."""
    start, end = _places(wanted)
    counted = []
    rows: QuerySet[Any]
    if wanted.is_narrowed:
        rows = waiting_for(asker, wanted).annotate(found_count=Window(Count("*")))[start:end]
        counted = ["found_count"]
    elif wanted.order == Order.OLDEST:
        rows = ordered(QuotaRequest.objects.filter(is_shown), wanted.order)
    else:
        # Of all only the order is looked at; who asked for what is read of those of the page.
        cut = waiting_for(asker, wanted).values("pk")[start:end]
        rows = ordered(QuotaRequest.objects.filter(is_among("pk", cut)), wanted.order)
    return [
        walked(asker, max(end, COUNTED + 1)),
        Rows(rows, RELATED, counted, SHOWN),
        Stated(UNITS),
        Stated(OFFERINGS),
        Stated(COUNT),
    ]


RELATED = ("project", "project__unit", "requester", "asked_by")
# What of these a row of the queue says: people have seventeen columns.
SHOWN = (
    "project__name", "project__state", "project__unit_id", "project__unit__path",
    "requester__name", "requester__subject", "asked_by__name", "asked_by__subject",
)  # fmt: skip
UNITS = f"""
SELECT unit.path AS path, unit.slug AS slug FROM projects_unit unit
WHERE unit.id = ANY(ARRAY(
    SELECT DISTINCT unit_id FROM projects_project
    WHERE id = ANY(ARRAY(SELECT project FROM walked))
)) ORDER BY unit.path LIMIT {MOST_CHOICES}
"""  # noqa: S608 - constants
# Of more than is counted only the first are walked, and others may wait elsewhere: then it is the
# whole catalogue, with what is retired, as of that lines may still wait. PostgreSQL works out the
# branch that it needs and not the other.
OFFERINGS = f"""
SELECT zone.id AS zone, region.name AS region_name, zone.name AS zone_name,
       resource.slug AS resource, resource.name AS resource_name
FROM quotas_offering offering
JOIN quotas_resource resource ON resource.id = offering.resource_id
JOIN quotas_zone zone ON zone.id = offering.zone_id
JOIN quotas_region region ON region.id = zone.region_id
WHERE offering.id = ANY(CASE
    WHEN (SELECT max(place) FROM walked) > {COUNTED} THEN ARRAY(SELECT id FROM quotas_offering)
    ELSE ARRAY(
        SELECT line.offering_id FROM walked
        JOIN quotas_requestline line ON line.request_id = walked.number AND line.state = 'open'
        WHERE line.id = ANY(walked.lines)
    )
END) ORDER BY region."order", zone."order", resource."order"
"""  # noqa: S608 - a constant


def _choices(
    units: Iterable[Sequence[Any]], offerings: Iterable[Sequence[Any]], *, has_more_units: bool
) -> Choices:
    named = {slug: label_of_path(path) for path, slug in units}
    found = Choices(named, has_more_units=has_more_units)
    for zone, region_name, zone_name, resource, resource_name in offerings:
        found.zones[zone] = f"{region_name} {zone_name}"
        found.resources[resource] = resource_name
    return found


def lines_of_page(
    viewer: Viewer, requests: list[QuotaRequest]
) -> tuple[list[RequestLine], list[Mandate]]:
    """The lines of these requests that wait for the person, and the mandates of theirs there, as
    far as these are about what the requests ask for.

    Lines with `quota`, the balance of now; `is_to_decide`, or else to endorse; `endorsed`, the
    absolute limit that somebody endorsed last, None where nobody did. One query. The requests are
    of a queue of theirs.
    """
    by_number = {each.pk: each for each in requests}
    paths = {above for each in requests for above in ancestor_paths(each.project.unit.path)}
    held = [each for each in viewer.delegations if each.unit.path in paths]
    links = {each for one in held for each in one.chain_ids}
    # Most links are what they hold themselves, and were read as it was asked who they are.
    known = {each.pk: each for each in viewer.delegations if each.pk in links}
    lines, offerings, above, bounds = _lines_of(
        **values_of(viewer),
        requests=sorted(by_number), links=sorted(links), above=sorted(links - known.keys()),
    )  # fmt: skip
    by_id = {each.pk: each for each in offerings}
    for line in lines:
        request = by_number[line.request_id]
        hang(line, "request", request)
        hang(line, "project", request.project)
        hang(line, "offering", by_id[line.offering_id])
    return lines, mandates_from(held, [*known.values(), *above], bounds)


def _bare_chains(links: Any, above: Any, offerings: QuerySet[Offering]) -> list[Part]:
    """As `chain_parts_of`, with the bounds on these offerings alone, and where nobody reads who
    they are: to judge by, not to tell. above: those of the links that are still to be read."""
    bounds = DelegationBound.objects.filter(
        is_one_of_many("delegation", links),
        Q(resource=None) | Q(is_among("resource", offerings.values("resource"))),
        Q(zone=None) | Q(is_among("zone", offerings.values("zone"))),
    )
    return [
        Rows(Delegation.objects.filter(is_one_of_many("pk", above)), ["unit"]),
        Rows(bounds.order_by("pk")),
    ]


@compiled
def _lines_of(
    *, user: Any, groups: Any, held: Any, now: Any, requests: Any, links: Any, above: Any
) -> list[Part]:
    asker = Asker.slots(user=user, groups=groups, held=held, now=now)
    quota = Account.objects.filter(project=OuterRef("project"), offering=OuterRef("offering"))
    to_decide = assignments_of(asker, AssignmentKind.DECIDE).filter(line=OuterRef("pk"))
    endorsed = DecisionLine.objects.filter(line=OuterRef("pk"), endorsed__isnull=False)
    rows = lines_among(asker, requests).annotate(
        quota=Coalesce(Subquery(quota.values("balance")[:1]), Value(0)),
        is_to_decide=Exists(to_decide),
        endorsed=Subquery(endorsed.order_by("-pk").values("endorsed")[:1]),
    )
    wanted = RequestLine.objects.filter(is_of("request", requests)).order_by().values("offering")
    offerings = Offering.objects.filter(is_among("pk", wanted)).order_by()
    return [
        Rows(rows, (), ["quota", "is_to_decide", "endorsed"]),
        Rows(offerings, ["resource", "zone", "zone__region"]),
        *_bare_chains(links, above, offerings),
    ]
