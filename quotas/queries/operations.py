"""What operators and repairers look at: how the endpoints are, and what is not applied there."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, QuerySet
from django.db.models.functions import Now

from portal.lib.together import Values
from projects.queries.viewers import Viewer
from quotas.models import CallPace, CallSlot, Endpoint, Target
from quotas.states import EndpointState, TargetState

from .drift import drift_counts
from .repairers import Repairs, readable_endpoints, readable_targets

# Nothing is left to be made true, or somebody left it out.
SETTLED = (TargetState.APPLIED, TargetState.SKIPPED)
# A limit per second puts the next call off by less than this; what is further away, the service
# asked for.
TURN = timedelta(seconds=5)


@dataclass(frozen=True)
class Clouds:
    """All services together; `answered_at` is the oldest of their last answers."""

    count: int
    silent_count: int
    unread_count: int
    answered_at: datetime | None


def all_clouds() -> Values:
    """How each service is, as a part of a statement: there are some dozens of them."""
    return Values(Endpoint.objects.order_by(), ("state", "answered_at"))


def clouds_of(rows: Collection[tuple[str, str | None]]) -> Clouds:
    """What `all_clouds` found: how many do not answer, and how old that knowledge is."""
    answered = [datetime.fromisoformat(at) for _state, at in rows if at is not None]
    return Clouds(
        count=len(rows),
        silent_count=sum(state == EndpointState.UNREACHABLE for state, _at in rows),
        unread_count=len(rows) - len(answered),
        answered_at=min(answered, default=None),
    )


@dataclass(frozen=True)
class EndpointRow:
    """An endpoint, its targets and its calls.

    counts: {state: how many of its targets are in it}, in the order of the states.
    calls: how many are under way now. reads_words: whether the reader sees what the
    service said, in its own words. drift_count and patient_until (no call begins before, as
    the service asked for patience) stand in the rows of `with_news` only.
    """

    endpoint: Endpoint
    counts: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    reads_words: bool = False
    drift_count: int = 0
    patient_until: datetime | None = None

    @property
    def target_count(self) -> int:
        return sum(self.counts.values())

    @property
    def unapplied(self) -> dict[str, int]:
        """Only the states in which something is still to be made true."""
        return {state: n for state, n in self.counts.items() if state != TargetState.APPLIED}

    @property
    def waiting_count(self) -> int:
        """How many projects' changes wait to be made true."""
        return sum(n for state, n in self.counts.items() if state not in SETTLED)

    @property
    def calls_at_once(self) -> int:
        """The most calls under way, all workers together."""
        return self.endpoint.concurrency or settings.ENDPOINT_CONCURRENCY

    @property
    def calls_per_second(self) -> int:
        """The most calls begun in a second, all workers together; 0: no limit."""
        return self.endpoint.calls_per_second or settings.ENDPOINT_CALLS_PER_SECOND

    @property
    def is_closed(self) -> bool:
        """Whether a person has paused it or made it read-only."""
        return self.endpoint.state in (EndpointState.PAUSED, EndpointState.READ_ONLY)


def endpoint_rows(viewer: Viewer) -> list[EndpointRow]:
    """The endpoints that the person reads, with their targets counted; three queries.

    A repairer's mandates and zones take three more.
    """
    rows = readable_endpoints(viewer).select_related(
        "region", "identity", "state_by", "call_pace", "survey_run"
    )
    return rows_of(list(rows), Repairs(viewer))


def rows_of(endpoints: Collection[Endpoint], repairs: Repairs) -> list[EndpointRow]:
    """The rows of some endpoints for one reader; two queries."""
    counts, calls = target_counts(endpoints), calls_under_way(endpoints)
    return [
        EndpointRow(each, counts[each.pk], calls.get(each.pk, 0), repairs.may_read_words_of(each))
        for each in endpoints
    ]


def with_news(rows: Collection[EndpointRow], now: datetime) -> list[EndpointRow]:
    """The rows with what differs there, and until when the service is left in peace.

    One query; the endpoints come with their `call_pace`.
    """
    counts = drift_counts([row.endpoint for row in rows], now)
    return [
        replace(
            row,
            drift_count=counts[row.endpoint.pk],
            patient_until=_patient_until(row.endpoint, now),
        )
        for row in rows
    ]


def _patient_until(endpoint: Endpoint, now: datetime) -> datetime | None:
    pace: CallPace | None = getattr(endpoint, "call_pace", None)  # most have none
    return pace.next_at if pace is not None and pace.next_at > now + TURN else None


def target_counts(endpoints: Iterable[Endpoint]) -> dict[int, dict[str, int]]:
    """{endpoint id: {state: count}}; states without a target are left out."""
    rows = (
        Target.objects.filter(endpoint__in=[each.pk for each in endpoints])
        .values_list("endpoint", "state")
        .annotate(count=Count("pk"))
        .order_by()
    )
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for endpoint_id, state, count in rows:
        found[endpoint_id][state] = count
    order = TargetState.values
    ordered = {
        endpoint_id: {state: counts[state] for state in order if state in counts}
        for endpoint_id, counts in found.items()
    }
    return defaultdict(dict, ordered)


def calls_under_way(endpoints: Iterable[Endpoint]) -> dict[int, int]:
    """{endpoint id: how many calls hold a slot now}; those without one are left out."""
    rows = (
        CallSlot.objects.filter(
            endpoint__in=[each.pk for each in endpoints], held_until__gt=Now()
        )
        .values_list("endpoint")
        .annotate(count=Count("pk"))
        .order_by()
    )  # fmt: skip
    return dict(rows)


def unapplied_targets(viewer: Viewer, endpoint: Endpoint, state: str = "") -> QuerySet[Target]:
    """The targets of an endpoint that are not true, as far as the person reads of them."""
    rows = readable_targets(viewer).filter(endpoint=endpoint).exclude(state=TargetState.APPLIED)
    if state:
        rows = rows.filter(state=state)
    return rows.select_related("project__unit").order_by("error_at", "next_try_at", "pk")


@dataclass(frozen=True)
class HeldUp:
    """What stops when an endpoint is paused: it and the services behind it, row by row."""

    rows: list[EndpointRow]
    project_count: int

    @property
    def waiting_count(self) -> int:
        return sum(row.waiting_count for row in self.rows)

    @property
    def behind(self) -> list[EndpointRow]:
        """The services behind it; none, where it is no identity endpoint."""
        return self.rows[1:]


def held_up_by(endpoint: Endpoint, repairs: Repairs) -> HeldUp:
    """What a pause of an endpoint would hold up, and how many projects it concerns."""
    behind = endpoint.services.select_related("region").order_by("region__order", "slug")
    stopped = [endpoint, *behind]
    projects = Target.objects.filter(endpoint__in=stopped).order_by()
    return HeldUp(
        rows=rows_of(stopped, repairs),
        project_count=projects.values("project").distinct().count(),
    )
