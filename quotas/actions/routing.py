"""Who a request waits for, and the marks by which a change of authority reaches requests.

Who asks routes the one request. Who changes an authority, a unit, a group or a role locks no
request: a mark says where to look, and is worked off after the commit.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import partial

from django.db import transaction

from portal.lib.wake import wake
from projects.models import Delegation, Membership, Project, Unit, in_force
from projects.states import ROLES_ABOVE_READER, Power
from quotas.models import QuotaRequest, RequestLine, RouteMark
from quotas.states import LineState

from .assigning import assign
from .rerouting import REROUTE_TASK, work_off_at_once

MARKS_AT_ONCE = 5


def route(quota_request: QuotaRequest, now: datetime) -> None:
    """Assign each open line of a request; the caller holds its project and place."""
    assign([quota_request], now)


def mark_unit(unit: Unit, now: datetime) -> None:
    """Whatever is open below a unit is to be routed anew, once the transaction is committed."""
    mark_places(units=[unit.pk], now=now)


def mark_project(project: Project, now: datetime) -> None:
    """Whatever is open in a project is to be routed anew, once the transaction is committed."""
    mark_places(projects=[project.pk], now=now)


def mark_delegation(delegation: Delegation, now: datetime) -> None:
    """`mark_unit` for what a new delegation changes: now, or as it begins, and as it ends."""
    if Power.DECIDE_QUOTA not in delegation.powers:
        return
    begins = max(delegation.starts_at, now)
    ends = [delegation.ends_at] if delegation.ends_at is not None else []
    _mark([RouteMark(unit_id=delegation.unit_id, due_at=each) for each in (begins, *ends)], now)


def mark_groups(*, groups: Collection[int], now: datetime) -> None:
    """Others are in these groups now: mark what they decide for, and what they have a role in.

    A step of settings.GROUP_STEPS: whoever changes groups knows nothing of routes.
    """
    decides_for = Delegation.objects.filter(
        in_force(now), group__in=groups, revoked_at__isnull=True,
        powers__contains=[Power.DECIDE_QUOTA],
    )  # fmt: skip
    works_in = Membership.objects.filter(
        in_force(now), group__in=groups, role__in=ROLES_ABOVE_READER,
        project__in=RequestLine.objects.filter(state=LineState.OPEN).values("project"),
    )  # fmt: skip
    mark_places(
        units=decides_for.values_list("unit", flat=True),
        projects=works_in.values_list("project", flat=True),
        now=now,
    )


def mark_places(*, units: Iterable[int] = (), projects: Iterable[int] = (), now: datetime) -> None:
    """`mark_unit` and `mark_project` for many, by their ids."""
    marks = [RouteMark(unit_id=each, due_at=now) for each in sorted(set(units))]
    marks += [RouteMark(project_id=each, due_at=now) for each in sorted(set(projects))]
    _mark(marks, now)


def _mark(marks: list[RouteMark], now: datetime) -> None:
    due = [each.pk for each in RouteMark.objects.bulk_create(marks) if each.due_at <= now]
    if due:
        transaction.on_commit(partial(_after_commit, due, now), robust=True)


def _after_commit(mark_ids: list[int], now: datetime) -> None:
    """A small site sees the change at once; what is more than that is a worker's."""
    done = [work_off_at_once(each, now) for each in mark_ids[:MARKS_AT_ONCE]]
    if len(mark_ids) > MARKS_AT_ONCE or not all(done):
        wake(REROUTE_TASK)
