"""Which people a line waits for: assignments, computed from live delegations.

An assignment never outlives its delegation, and the queue asks again at `now`; so a
stale row shows nothing it should not, and this code only has to add what is missing.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from portal.lib.locks import lock
from projects.actions.units import hold_place
from projects.models import Membership, Project, in_force
from projects.states import ROLES_ABOVE_READER, Power
from quotas.models import Assignment, QuotaRequest, RequestLine
from quotas.queries.accounts import balances
from quotas.queries.authority import Mandate, mandates_for, nearest, with_free_holder
from quotas.states import LineState


def route(quota_request: QuotaRequest, now: datetime) -> None:
    """Assign each open line of a request to the nearest delegates who may decide it."""
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


def route_again(quota_request: QuotaRequest, now: datetime) -> None:
    """Route on the sweep's behalf, under the same locks as the verbs."""
    with transaction.atomic():
        quota_request.project = lock(Project.objects.filter(pk=quota_request.project_id))[0]
        hold_place(quota_request.project)
        route(quota_request, now)


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


def unrouted(now: datetime) -> list[QuotaRequest]:
    """Requests with an open line that waits for nobody in force; the sweep routes them."""
    # Asked line by line: few lines are open, but assignments of decided ones are kept.
    involved = Membership.objects.filter(
        in_force(now), role__in=ROLES_ABOVE_READER, user=OuterRef("user"),
        project=OuterRef("line__project"),
    )  # fmt: skip
    live = (
        Assignment.objects.filter(in_force(now), line=OuterRef("pk"))
        .exclude(delegation__revoked_at__lte=now)
        .exclude(user__is_active=False)
        .exclude(Exists(involved))
    )
    lines = RequestLine.objects.filter(state=LineState.OPEN).exclude(Exists(live))
    # Nobody may be able to decide some of them for long: they must not stand before the rest.
    return list(QuotaRequest.objects.filter(pk__in=lines.values("request")).order_by("?")[:500])
