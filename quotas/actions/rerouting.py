"""Working marks off: whatever is open below a unit or in a project is routed anew.

In batches, one transaction each, that go on where the last one ended: who is killed loses
what it did not commit, and nothing else. Marks are taken with SKIP LOCKED, so that several
workers share them and none waits for another.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from portal.lib.locks import lock
from projects.actions.events import record_each
from projects.actions.units import hold_places
from projects.models import Membership, Project, Unit, in_force
from projects.states import ROLES_ABOVE_READER
from quotas.models import Assignment, QuotaRequest, RequestLine, RouteMark
from quotas.states import AssignmentKind, LineState

from .assigning import assign

logger = logging.getLogger(__name__)

REROUTE_TASK = "quotas.tasks.sweep_marks"
BATCH = 100
# So many are routed by the process that made the mark, right after its commit.
AT_ONCE = 50


def work_off(now: datetime, most: int | None = None) -> bool:
    """Work off the marks that are due, at most `most` requests; whether any are left over.

    What somebody else works on at the moment counts as theirs, not as left over.
    """
    seen = 0
    while most is None or seen < most:
        size = BATCH if most is None else min(BATCH, most - seen)
        count = _batch(due_marks(now), now, size)
        if count is None:
            return False
        seen += count
    return due_marks(now).exists()


def work_off_at_once(mark_id: int, now: datetime) -> bool:
    """Route what one mark is about, if that is little; whether the mark is worked off.

    Whatever goes wrong stays with the mark, which a worker finds: the verb that made it is
    committed and has not failed.
    """
    try:
        first = _batch(RouteMark.objects.filter(pk=mark_id), now, AT_ONCE)
    except Exception:
        logger.exception("routing after a commit failed, left to the workers")
        return False
    return first is not None and not RouteMark.objects.filter(pk=mark_id).exists()


def due_marks(now: datetime) -> QuerySet[RouteMark]:
    return RouteMark.objects.filter(due_at__lte=now)


def route_again(requests: Sequence[int], now: datetime) -> None:
    """Route requests, by their ids, in a transaction of their own for each hundred."""
    for start in range(0, len(requests), BATCH):
        with transaction.atomic():
            _route(requests[start : start + BATCH], now)


def _batch(marks: QuerySet[RouteMark], now: datetime, size: int) -> int | None:
    """Go on with the oldest free mark; how many requests were routed, None without a mark."""
    mark_id = _begin(marks)
    if mark_id is None:
        return None
    with transaction.atomic():
        mark = _take(RouteMark.objects.filter(pk=mark_id))
        if mark is None:
            return 0  # somebody else took it in between
        ids = _waiting(mark)[:size]
        found = list(ids)
        _route(found, now)
        if len(found) < size:
            mark.delete()
        else:
            mark.after_id = found[-1]
            mark.save(update_fields=["after_id"])
    return len(found)


def _begin(marks: QuerySet[RouteMark]) -> int | None:
    """Choose a mark; before its first request, wait for the verbs that began before it.

    A verb that routes holds its unit's path FOR SHARE, or its project. Once the mark's own
    place was locked, whoever read the old authority has committed what they routed by it.
    """
    with transaction.atomic():
        mark = _take(marks)
        if mark is None:
            return None
        if mark.after_id == 0:
            # Seen before the barrier, so what they announce is seen after it too.
            others = RouteMark.objects.filter(
                unit=mark.unit_id, project=mark.project_id, after_id=0, due_at__lte=mark.due_at
            ).exclude(pk=mark.pk)
            folded = list(
                others.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True)
            )
            if mark.unit_id is not None:
                lock(Unit.objects.filter(pk=mark.unit_id))
            if mark.project_id is not None:
                lock(Project.objects.filter(pk=mark.project_id))
            RouteMark.objects.filter(pk__in=folded).delete()
    return mark.pk


def _take(marks: QuerySet[RouteMark]) -> RouteMark | None:
    return marks.select_for_update(skip_locked=True, no_key=True).order_by("pk").first()


def _waiting(mark: RouteMark) -> QuerySet[RequestLine, int]:
    """Ids of the requests below the mark that are still to be routed, in order."""
    lines = RequestLine.objects.filter(state=LineState.OPEN, request__gt=mark.after_id)
    if mark.unit_id is not None:
        path = Unit.objects.values_list("path", flat=True).get(pk=mark.unit_id)
        lines = lines.filter(project__unit__path__startswith=path)
    else:
        lines = lines.filter(project=mark.project_id)
    return lines.order_by("request").values_list("request", flat=True).distinct()


def _route(ids: Sequence[int], now: datetime) -> None:
    """Route these requests, under the locks of a verb: their projects, then their places."""
    if not ids:
        return
    projects = {
        each.pk: each
        for each in lock(
            Project.objects.filter(pk__in=QuotaRequest.objects.filter(pk__in=ids).values("project"))
        )
    }
    hold_places(projects.values())
    requests = list(QuotaRequest.objects.filter(pk__in=ids))
    for each in requests:
        each.project = projects[each.project_id]
    changed = assign(requests, now)
    record_each(
        "rerouted", now=now, subject_kind="request",
        subjects={each.pk: each.project for each in requests if each.pk in changed},
    )  # fmt: skip


def unrouted(now: datetime, most: int = 500) -> list[int]:
    """Ids of requests with an open line that nobody in force can decide; a sweep routes them."""
    # Asked line by line: few lines are open, but assignments of decided ones are kept.
    roles = Membership.objects.filter(
        in_force(now), role__in=ROLES_ABOVE_READER, project=OuterRef("line__project")
    )
    involved = roles.filter(user=OuterRef("user"))
    stands_in_for = roles.filter(user=OuterRef("delegation__grantor"))
    live = (
        Assignment.objects.filter(in_force(now), line=OuterRef("pk"), kind=AssignmentKind.DECIDE)
        .exclude(delegation__revoked_at__lte=now)
        .exclude(user__is_active=False)
        .exclude(Exists(involved))
        .exclude(Exists(stands_in_for), delegation__is_deputy=True)
    )
    lines = RequestLine.objects.filter(state=LineState.OPEN).exclude(Exists(live))
    # Nobody may be able to decide some of them for long: they must not stand before the rest.
    requests = QuotaRequest.objects.filter(pk__in=lines.values("request")).order_by("?")
    return list(requests.values_list("pk", flat=True)[:most])
