"""Endpoints and targets in the services' own words, for those who run them."""

from collections.abc import Callable, Collection
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import Forbidden
from projects.queries.viewers import Viewer
from projects.rules import may_read_operations
from quotas.actions.endpoints import last_word, pause, restrict, resume
from quotas.actions.operations import retry_endpoint, retry_target
from quotas.actions.repairs import check_pause, check_read
from quotas.models import Endpoint, Target
from quotas.queries.changes import changed_targets
from quotas.queries.operations import rows_of
from quotas.queries.repairers import Repairs, readable_endpoints, readable_targets
from quotas.states import TargetState

from .asked import body, filters, one, viewer_in
from .describe import LIST, READ, Etag, operation
from .doors import api_view
from .fields import Filters, Slug
from .pages import answer_page, page_of
from .shapes.operations import (
    CloseInput,
    EndpointSerializer,
    EndpointWordSerializer,
    RetriedSerializer,
    TargetSerializer,
)
from .shapes.requests import NothingInput
from .versions import check_match, tagged

TAG = "operations"
ACT = (400, 401, 403, 404, 406, 409, 413, 415, 422, 503)

CLOSE_EXAMPLE = {"reason": "Database upgrade, #4711", "until": "2027-03-31T14:00:00Z"}


class TargetFilters(Filters):
    project = Slug(required=False)
    endpoint = Slug(required=False)
    state = serializers.ChoiceField(choices=TargetState.values, required=False)


@shows("operations")
@operation(
    "list_endpoints", "List the services", about="A repairer sees those that serve a zone of "
    "theirs.", answers=page_of(EndpointSerializer, "slug", "-slug"), refuses=(*LIST, 403),
    tag=TAG,
)  # fmt: skip
@api_view(["GET"])
def endpoint_list(request: Request) -> HttpResponseBase:
    filters(request)
    viewer = viewer_in(request)
    rows = readable_endpoints(reader_of(viewer)).select_related(
        "region", "identity", "state_by", "survey_run"
    )
    return answer_page(
        request, rows, EndpointSerializer,
        context=lambda page: _with_rows(viewer, page),
    )  # fmt: skip


@shows("operations")
@operation(
    "get_endpoint", "Show a service", answers=EndpointSerializer, refuses=(*READ, 403), tag=TAG,
    etag=Etag.GIVES,
)  # fmt: skip
@api_view(["GET"])
def endpoint_detail(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    return _answer(viewer, endpoint_for(viewer, slug))


@shows("operations")
@operation(
    "list_endpoint_words", "List who closed a service when and why",
    answers=page_of(EndpointWordSerializer, "-id", "id"), refuses=(*LIST, 403, 404), tag=TAG,
    about="The newest first; it is the one in force.",
)  # fmt: skip
@api_view(["GET"])
def endpoint_words(request: Request, slug: str) -> HttpResponseBase:
    filters(request)
    rows = endpoint_for(viewer_in(request), slug).words.select_related("actor")
    return answer_page(request, rows, EndpointWordSerializer)


@shows("operate")
@operation(
    "pause_endpoint", "Pause a service: nothing is called there", method="POST",
    body=CloseInput, answers=EndpointSerializer, refuses=ACT, tag=TAG, etag=Etag.CHECKS,
    about="Changes wait and go on in order when it is resumed. 403 names the zone that is not "
    "the caller's. With `seen` the reason and the end of a pause are changed; 412 where "
    "somebody else did so meanwhile.", sent=CLOSE_EXAMPLE,
)  # fmt: skip
@api_view(["POST"])
def endpoint_pause(request: Request, slug: str) -> Response:
    return _close(request, slug, pause)


@shows("operate")
@operation(
    "restrict_endpoint", "Make a service read-only: it is looked at, not written", method="POST",
    body=CloseInput, answers=EndpointSerializer, refuses=ACT, tag=TAG, etag=Etag.CHECKS,
    about="As pausing it, but its figures stay fresh.", sent=CLOSE_EXAMPLE,
)  # fmt: skip
@api_view(["POST"])
def endpoint_restrict(request: Request, slug: str) -> Response:
    return _close(request, slug, restrict)


@shows("operate")
@operation(
    "resume_endpoint", "Open a service again", method="POST", body=NothingInput,
    answers=EndpointSerializer, refuses=ACT, tag=TAG, etag=Etag.CHECKS,
    about="409 where it is neither paused nor read-only.",
)  # fmt: skip
@api_view(["POST"])
def endpoint_resume(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    found = endpoint_for(viewer, slug)
    check_pause(viewer, found)
    body(request, NothingInput)
    resume(endpoint=found, last=_last_seen(request, found), actor=viewer.user, now=viewer.now)
    return _answer(viewer, endpoint_for(viewer, slug))


@shows("operate")
@operation(
    "retry_endpoint", "Try everything that failed at a service again", method="POST",
    body=NothingInput, answers=RetriedSerializer, refuses=ACT, tag=TAG,
)  # fmt: skip
@api_view(["POST"])
def endpoint_retry(request: Request, slug: str) -> Response:
    body(request, NothingInput)
    viewer = viewer_in(request)
    found = endpoint_for(viewer, slug)
    woken = retry_endpoint(endpoint=found, actor=viewer.user, now=viewer.now)
    return Response(RetriedSerializer({"count": woken}).data)


@shows("operations")
@operation(
    "list_targets", "List what must become true where",
    answers=page_of(TargetSerializer, "id", "-id", changed=changed_targets),
    about="In the services' own words. A repairer sees the projects of their units, at services "
    "all of whose zones are theirs.",
    refuses=(*LIST, 403), tag=TAG, filters=[TargetFilters],
)  # fmt: skip
@api_view(["GET"])
def target_list(request: Request) -> HttpResponseBase:
    asked, rows = filters(request, TargetFilters), _targets(viewer_in(request))
    if "project" in asked:
        rows = rows.filter(project__slug=asked["project"])
    if "endpoint" in asked:
        rows = rows.filter(endpoint__slug=asked["endpoint"])
    if "state" in asked:
        rows = rows.filter(state=asked["state"])
    return answer_page(request, rows, TargetSerializer)


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
    reader_of(viewer)
    found = one(Target.objects.select_related("endpoint"), pk=pk)
    retry_target(endpoint=found.endpoint, target_id=pk, actor=viewer.user, now=viewer.now)
    return Response(TargetSerializer(one(_targets(viewer), pk=pk)).data)


def _close(request: Request, slug: str, verb: Callable[..., Endpoint]) -> Response:
    viewer = viewer_in(request)
    found = endpoint_for(viewer, slug)
    check_pause(viewer, found)
    asked = {"until": None} | body(request, CloseInput)
    last = _last_seen(request, found)
    verb(endpoint=found, **asked, last=last, actor=viewer.user, now=viewer.now)
    return _answer(viewer, endpoint_for(viewer, slug))


def _last_seen(request: Request, endpoint: Endpoint) -> int | None:
    """The number of the last word that If-Match names; the action asks whether it still is."""
    last = last_word(endpoint)
    return last if check_match(request, last, _("Somebody else was here meanwhile.")) else None


def _answer(viewer: Viewer, endpoint: Endpoint) -> Response:
    shown = EndpointSerializer(endpoint, context=_with_rows(viewer, [endpoint])).data
    return tagged(shown, last_word(endpoint))


def _with_rows(viewer: Viewer, page: Collection[Endpoint]) -> dict[str, Any]:
    """What the shape of an endpoint needs beside its row: two queries, whatever the page."""
    return {"rows": {row.endpoint.pk: row for row in rows_of(page, Repairs(viewer))}}


def reader_of(viewer: Viewer) -> Viewer:
    """The viewer, if they read about operations at all; else Forbidden."""
    if not may_read_operations(viewer):
        raise Forbidden(_("This is for operators, auditors and those who repair."))
    return viewer


def endpoint_for(viewer: Viewer, slug: str) -> Endpoint:
    """The endpoint, or NotVisible; Forbidden where a repairer has nothing to do with it."""
    reader_of(viewer)
    found = one(
        Endpoint.objects.select_related("region", "identity", "state_by", "survey_run"), slug=slug
    )
    check_read(viewer, found)
    return found


def _targets(viewer: Viewer) -> QuerySet[Target]:
    return readable_targets(reader_of(viewer)).select_related("project", "endpoint")
