"""The plan of delivery at a service, and asking for readings."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from quotas.actions.refresh import refresh_target, refresh_targets
from quotas.models import Target
from quotas.queries.plan import Show, plan_of, planned_targets
from quotas.queries.repairers import readable_targets

from .asked import body, filters, one, viewer_in
from .describe import LIST, operation
from .doors import api_view
from .fields import Filters, Slug
from .operations import ACT, TAG, endpoint_for, reader_of
from .pages import answer_page, page_of
from .shapes.plan import AskedSerializer, PlanTargetSerializer, RefreshInput
from .shapes.requests import NothingInput


class PlanFilters(Filters):
    show = serializers.ChoiceField(
        choices=Show.values, required=False, help_text="`open`: what changes or warns (default)."
    )
    project = Slug(required=False)


@shows("operations")
@operation(
    "list_plan", "Show what will be written at a service", tag=TAG,
    answers=page_of(PlanTargetSerializer, "id", "-id"),
    refuses=(*LIST, 403, 404), filters=[PlanFilters],
    about="By the last readings: what is observed, what is granted, what each limit will become, "
    "and what stands in its way. Nothing here asks the service.",
)  # fmt: skip
@api_view(["GET"])
def endpoint_plan(request: Request, slug: str) -> HttpResponseBase:
    viewer = viewer_in(request)
    endpoint = endpoint_for(viewer, slug)
    asked = filters(request, PlanFilters)
    show = Show(asked.get("show", Show.OPEN))
    scope = readable_targets(viewer).filter(endpoint=endpoint)
    if "project" in asked:
        scope = scope.filter(project__slug=asked["project"])

    def plans(page: Sequence[Target]) -> dict[str, Any]:
        rows = plan_of(page, show)
        return {"plans": {row.target.pk: row for row in rows}, "now": viewer.now}

    return answer_page(request, planned_targets(scope, show), PlanTargetSerializer, context=plans)


@shows("operate")
@operation(
    "refresh_endpoint", "Ask for readings of several targets", method="POST", body=RefreshInput,
    answers=AskedSerializer, refuses=ACT, tag=TAG, sent={"targets": [17, 18]},
    about="Those that were just read or are in work are passed over; 409 where none is left.",
)  # fmt: skip
@api_view(["POST"])
def endpoint_refresh(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    endpoint = endpoint_for(viewer, slug)
    sent = body(request, RefreshInput)
    asked = refresh_targets(
        endpoint=endpoint, target_ids=sent["targets"], actor=viewer.user, now=viewer.now
    )
    return Response(AskedSerializer(asked).data)


@shows("operate")
@operation(
    "refresh_target", "Ask for a reading of a target", method="POST", body=NothingInput,
    answers=AskedSerializer, refuses=ACT, tag=TAG,
    about="It is read next, by a worker. 409 where it was just read, where it is in work anyway, "
    "and while its service is paused or does not answer.",
)  # fmt: skip
@api_view(["POST"])
def target_refresh(request: Request, pk: int) -> Response:
    body(request, NothingInput)
    viewer = reader_of(viewer_in(request))
    rows = readable_targets(viewer).select_related("endpoint__identity", "project__unit")
    asked = refresh_target(target=one(rows, pk=pk), actor=viewer.user, now=viewer.now)
    return Response(AskedSerializer(asked).data)
