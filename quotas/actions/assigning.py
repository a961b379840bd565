"""Which people a line waits for: assignments, computed from live delegations.

An assignment never outlives its delegation, and the queue asks again at `now`; so a
stale row shows nothing it should not, and this code only has to add what is missing.
"""

from collections.abc import Collection
from datetime import datetime

from projects.models import in_force
from projects.states import Power
from quotas.models import Assignment, QuotaRequest, RequestLine
from quotas.queries.accounts import balances
from quotas.queries.authority import Mandate, mandates_for, nearest, with_free_holder
from quotas.states import LineState


def assign(requests: Collection[QuotaRequest], now: datetime) -> None:
    """Assign each open line of these requests to those who may decide it.

    requests: with `project.unit` as it stands now. The caller is in a transaction and holds
    their projects and places.
    """
    for quota_request in requests:
        _assign_one(quota_request, now)


def _assign_one(quota_request: QuotaRequest, now: datetime) -> None:
    project = quota_request.project
    lines = list(
        RequestLine.objects.filter(request=quota_request, state=LineState.OPEN).select_related(
            "offering"
        )
    )
    held_by_all = mandates_for(project.unit.path, Power.DECIDE_QUOTA, now)
    mandates = with_free_holder(held_by_all, project, now)
    held = balances(project, [line.offering_id for line in lines])
    wanted: dict[int, list[Mandate]] = {
        line.pk: nearest(mandates, line.offering, line.wanted - held.get(line.offering_id, 0))
        for line in lines
    }
    _end_others(wanted, now)
    Assignment.objects.bulk_create(
        (
            Assignment(
                line_id=line_id,
                delegation=mandate.delegation,
                user_id=mandate.delegation.user_id,
                group_id=mandate.delegation.group_id,
                starts_at=now,
                ends_at=chain_end(mandate),
            )
            for line_id, mandates_of_line in wanted.items()
            for mandate in mandates_of_line
        ),
        update_conflicts=True,
        unique_fields=["line", "delegation"],
        update_fields=["ends_at"],
    )


def chain_end(mandate: Mandate) -> datetime | None:
    """When the first link of the chain ends by its dates; None: never."""
    ends = [link.ends_at for link in mandate.chain if link.ends_at is not None]
    return min(ends) if ends else None


def _end_others(wanted: dict[int, list[Mandate]], now: datetime) -> None:
    kept = {
        (line_id, mandate.delegation.pk)
        for line_id, mandates in wanted.items()
        for mandate in mandates
    }
    live = Assignment.objects.filter(in_force(now), line__in=list(wanted))
    rows = live.values_list("pk", "line", "delegation")
    over = [pk for pk, line_id, delegation_id in rows if (line_id, delegation_id) not in kept]
    if over:
        Assignment.objects.filter(pk__in=over).update(ends_at=now)
