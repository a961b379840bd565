"""The plans of dry runs: what the real verb did, told as it is undone."""

from collections.abc import Callable, Collection
from typing import Any

from django.db.models import Model
from rest_framework import serializers
from rest_framework.response import Response

from portal.lib.locks import lock
from projects.models import Delegation, Project, User
from projects.queries.viewers import Viewer
from projects.states import Power
from quotas.actions.handing_up import HandedUp
from quotas.models import EnvelopeAct, Offering, QuotaRequest, RequestLine
from quotas.queries.preview import Warn, preview
from quotas.queries.rehearsed import Rehearsed, ground_of, rehearsed
from quotas.states import LineState

from .rehearsals import rehearse
from .shapes.dry_run import RequestPlan

# What is asked for already, and what nobody may decide, is no news to who decides it.
NOT_FOR_DECIDERS = ("W02", "W20")
# The wish itself, once it waits.
NOT_FOR_ASKERS = ("W02",)


def plan_of_asking(
    viewer: Viewer, project: Project, act: Callable[[], QuotaRequest], *,
    asked: QuotaRequest | None = None, requester: User | None = None,
) -> Response:  # fmt: skip
    """What sending or changing a request would do. asked: the request; None: it makes one."""
    found = _rehearsed(viewer, project, asked, act)
    wanted = {each.line.offering: each.line.wanted for each in found.lines}
    warnings = _warnings(viewer, project, wanted, NOT_FOR_ASKERS, requester)
    return _told(found, warnings, is_new=asked is None)


def plan_of_deciding(viewer: Viewer, asked: QuotaRequest, act: Callable[[], Model]) -> Response:
    """What a decision would do."""

    def decide() -> QuotaRequest:
        try:
            act()
        except HandedUp as refusal:
            raise refusal.planned() from None
        return asked

    found = _rehearsed(viewer, asked.project, asked, decide)
    granted = {
        each.line.offering: each.decided.granted
        for each in found.lines
        if each.decided is not None and each.decided.granted is not None
    }
    return _told(found, _warnings(viewer, asked.project, granted, NOT_FOR_DECIDERS), is_new=False)


def _rehearsed(
    viewer: Viewer, project: Project, asked: QuotaRequest | None, act: Callable[[], QuotaRequest]
) -> Rehearsed:
    def run() -> Rehearsed:
        # First in the order of locks: what is read before the act is what the act finds.
        lock(Project.objects.filter(pk=project.pk))
        ground = ground_of(project, asked)
        made = act()
        fresh = QuotaRequest.objects.select_related("project__unit").get(pk=made.pk)
        return rehearsed(fresh, ground, viewer)

    return rehearse(run)


def _warnings(
    viewer: Viewer, project: Project, wanted: dict[Offering, int], without: Collection[str],
    requester: User | None = None,
) -> list[Warn]:  # fmt: skip
    """Asked for once all is as it was, and nothing is locked."""
    if not wanted:
        return []
    found = preview(viewer, project, wanted, requester=requester).warnings
    return [each for each in found if each.code not in without]


def _told(found: Rehearsed, warnings: Collection[Warn], *, is_new: bool) -> Response:
    plan = {
        "state": found.state.value, "is_automatic": found.is_automatic, "lines": found.lines,
        "limits": found.limits, "warnings": warnings,
    }  # fmt: skip
    return Response(RequestPlan(plan, context={"is_new": is_new}).data)


def open_count(delegations: Collection[Delegation]) -> int:
    """How many open lines lie where these decide: they are routed anew."""
    places = {each.unit.path for each in delegations if Power.DECIDE_QUOTA in each.powers}
    rows = RequestLine.objects.filter(state=LineState.OPEN)
    found: set[int] = set()
    for path in places:
        found.update(rows.filter(project__unit__path__startswith=path).values_list("pk", flat=True))
    return len(found)


def acts_at_hand(acts: Collection[EnvelopeAct]) -> list[EnvelopeAct]:
    """With all that their shape tells, while they are there."""
    rows = EnvelopeAct.objects.filter(pk__in=[each.pk for each in acts]).order_by("pk")
    return list(rows.select_related("unit", "offering", "actor"))


def told(shape: type[serializers.Serializer[Any]], plan: Any, **context: Any) -> Response:
    """A plan in its shape."""
    return Response(shape(plan, context=context).data)
