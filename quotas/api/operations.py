"""Endpoints and targets in the services' own words, for those who run them."""

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import Forbidden
from projects.queries.viewers import Viewer
from projects.rules import may_read_operations
from quotas.actions.operations import retry_endpoint, retry_target
from quotas.models import Endpoint, Target
from quotas.queries.operations import target_counts
from quotas.states import TargetState

from .asked import body, filters, one, viewer_in
from .describe import LIST, READ, operation
from .fields import Filters
from .pages import answer_page, page_of
from .shapes.operations import EndpointSerializer, RetriedSerializer, TargetSerializer
from .shapes.requests import NothingInput

TAG = "operations"
ACT = (400, 401, 403, 404, 406, 409, 413, 415, 422, 503)


class TargetFilters(Filters):
    project = serializers.SlugField(required=False)
    endpoint = serializers.SlugField(required=False)
    state = serializers.ChoiceField(choices=TargetState.values, required=False)


@shows("operations")
@operation(
    "list_endpoints", "List the services",
    answers=page_of(EndpointSerializer), refuses=(*LIST, 403),
    tag=TAG,
)  # fmt: skip
@api_view(["GET"])
def endpoint_list(request: Request) -> Response:
    filters(request)
    rows = _endpoints(viewer_in(request))
    return answer_page(
        request, rows, EndpointSerializer, ordering="slug",
        context=lambda page: {"counts": target_counts(page)},
    )  # fmt: skip


@shows("operations")
@operation(
    "get_endpoint", "Show a service", answers=EndpointSerializer, refuses=(*READ, 403), tag=TAG
)
@api_view(["GET"])
def endpoint_detail(request: Request, slug: str) -> Response:
    found = one(_endpoints(viewer_in(request)), slug=slug)
    return Response(EndpointSerializer(found, context={"counts": target_counts([found])}).data)


@shows("operate")
@operation(
    "retry_endpoint", "Try everything that failed at a service again", method="POST",
    body=NothingInput, answers=RetriedSerializer, refuses=ACT, tag=TAG,
)  # fmt: skip
@api_view(["POST"])
def endpoint_retry(request: Request, slug: str) -> Response:
    body(request, NothingInput)
    viewer = viewer_in(request)
    found = one(_endpoints(viewer), slug=slug)
    woken = retry_endpoint(endpoint=found, actor=viewer.user, now=viewer.now)
    return Response(RetriedSerializer({"count": woken}).data)


@shows("operations")
@operation(
    "list_targets", "List what must become true where", answers=page_of(TargetSerializer),
    refuses=(*LIST, 403), tag=TAG, filters=[TargetFilters],
)  # fmt: skip
@api_view(["GET"])
def target_list(request: Request) -> Response:
    asked, rows = filters(request, TargetFilters), _targets(viewer_in(request))
    if "project" in asked:
        rows = rows.filter(project__slug=asked["project"])
    if "endpoint" in asked:
        rows = rows.filter(endpoint__slug=asked["endpoint"])
    if "state" in asked:
        rows = rows.filter(state=asked["state"])
    return answer_page(request, rows, TargetSerializer, ordering="id")


@shows("operations")
@operation("get_target", "Show a target", answers=TargetSerializer, refuses=(*READ, 403), tag=TAG)
@api_view(["GET"])
def target_detail(request: Request, pk: int) -> Response:
    return Response(TargetSerializer(one(_targets(viewer_in(request)), pk=pk)).data)


@shows("operate")
@operation(
    "retry_target", "Try a target again now", method="POST", body=NothingInput,
    answers=TargetSerializer, refuses=ACT, tag=TAG, about="409 where it is in work or applied.",
)  # fmt: skip
@api_view(["POST"])
def target_retry(request: Request, pk: int) -> Response:
    body(request, NothingInput)
    viewer = viewer_in(request)
    found = one(_targets(viewer), pk=pk)
    retry_target(endpoint=found.endpoint, target_id=pk, actor=viewer.user, now=viewer.now)
    return Response(TargetSerializer(one(_targets(viewer), pk=pk)).data)


def _may_read(viewer: Viewer) -> None:
    if not may_read_operations(viewer):
        raise Forbidden(_("This is for operators and auditors."))


def _endpoints(viewer: Viewer) -> QuerySet[Endpoint]:
    _may_read(viewer)
    return Endpoint.objects.select_related("region", "identity")


def _targets(viewer: Viewer) -> QuerySet[Target]:
    _may_read(viewer)
    return Target.objects.select_related("project", "endpoint")
