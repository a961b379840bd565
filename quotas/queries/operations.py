"""What operators look at: how the endpoints are, and what is not applied there."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Min, Q, QuerySet

from quotas.models import Endpoint, Target
from quotas.states import EndpointState, TargetState


@dataclass(frozen=True)
class Clouds:
    """All services together; `answered_at` is the oldest of their last answers."""

    count: int
    silent_count: int
    unread_count: int
    answered_at: datetime | None


def clouds_now() -> Clouds:
    """How many services there are, how many do not answer, and how old that knowledge is."""
    found = Endpoint.objects.aggregate(
        count=Count("pk"),
        silent_count=Count("pk", filter=Q(state=EndpointState.UNREACHABLE)),
        unread_count=Count("pk", filter=Q(answered_at__isnull=True)),
        answered_at=Min("answered_at"),
    )
    return Clouds(**found)


@dataclass(frozen=True)
class EndpointRow:
    """An endpoint with {state: how many of its targets are in it}, in the order of the states."""

    endpoint: Endpoint
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def target_count(self) -> int:
        return sum(self.counts.values())

    @property
    def unapplied(self) -> dict[str, int]:
        """Only the states in which something is still to be made true."""
        return {state: n for state, n in self.counts.items() if state != TargetState.APPLIED}


def endpoint_rows() -> list[EndpointRow]:
    """Every endpoint with its targets counted; two queries."""
    endpoints = list(Endpoint.objects.select_related("region", "identity", "state_by"))
    counts = target_counts(endpoints)
    return [EndpointRow(each, counts[each.pk]) for each in endpoints]


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


def unapplied_targets(endpoint: Endpoint, state: str = "") -> QuerySet[Target]:
    """The targets of an endpoint that are not true: what somebody must do first."""
    rows = Target.objects.filter(endpoint=endpoint).exclude(state=TargetState.APPLIED)
    if state:
        rows = rows.filter(state=state)
    return rows.select_related("project__unit").order_by("error_at", "next_try_at", "pk")
