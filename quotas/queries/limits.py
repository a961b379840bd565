"""What each limit of a project should be and what it was last seen to be, key by key."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from projects.models import Project
from quotas.models import Contribution, Limit, Reading

from .accounts import balances


@dataclass(frozen=True)
class LimitState:
    """Four values, never one: promised by the ledger, written, seen in force, used."""

    limit: Limit
    promised: int
    reading: Reading | None


def limit_states(project: Project) -> list[LimitState]:
    """Every managed limit, by endpoint and key; one that no account feeds is promised 0."""
    return states_of_limits(project, list(Limit.objects.select_related("endpoint")))


def states_of_limits(project: Project, limits: Sequence[Limit]) -> list[LimitState]:
    """As `limit_states`, of these limits in their order; three queries for any number."""
    held = balances(project)
    promised: dict[int, int] = defaultdict(int)
    feeding = Contribution.objects.filter(limit__in=limits)
    for limit_id, offering_id, factor in feeding.values_list("limit", "offering", "factor"):
        promised[limit_id] += held.get(offering_id, 0) * factor
    readings = {
        reading.limit_id: reading
        for reading in Reading.objects.filter(target__project=project, limit__in=limits)
    }
    return [LimitState(limit, promised[limit.pk], readings.get(limit.pk)) for limit in limits]
