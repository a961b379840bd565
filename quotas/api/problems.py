"""What is not applied, by cause, and the verbs that mend it: one at once, many as a job."""

from typing import Any

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import Conflict
from projects.queries.viewers import Viewer, visible_projects
from quotas.actions import keys, problems
from quotas.actions.repairs import check_retry_at
from quotas.models import Endpoint, Limit, Target
from quotas.queries.problems import group_of, targets_of, work_list
from quotas.queries.repairers import readable_targets, repairable_targets

from .asked import body, filters, one, viewer_in
from .describe import LIST, operation
from .doors import api_view
from .jobs import answer_started
from .operations import ACT, endpoint_for, reader_of
from .pages import answer_page, page_of
from .shapes.jobs import JobSerializer
from .shapes.operations import TargetSerializer
from .shapes.problems import (
    LeftOutSerializer,
    ManyInput,
    ManyWithReasonInput,
    ReasonInput,
    WorkListSerializer,
)
from .shapes.requests import NothingInput

TAG = "problems"
STARTED = (
    "Done as a job: follow the address in Location. Each target's refusal is its item's words."
)


@shows("operations")
@operation(
    "list_problems", "List what is not applied, by cause", answers=WorkListSerializer,
    refuses=(*LIST, 403), tag=TAG,
)  # fmt: skip
@api_view(["GET"])
def problem_list(request: Request) -> Response:
    filters(request)
    viewer = reader_of(viewer_in(request))
    found = work_list(readable_targets(viewer), viewer.now)
    return Response(WorkListSerializer(found).data)


@shows("operations")
@operation(
    "list_problem_targets", "List the targets that have a cause",
    answers=page_of(TargetSerializer, "id", "-id"), refuses=(*LIST, 403, 404), tag=TAG,
)  # fmt: skip
@api_view(["GET"])
def problem_targets(request: Request, cause: str, slug: str) -> HttpResponseBase:
    filters(request)
    viewer = viewer_in(request)
    endpoint = endpoint_for(viewer, slug)
    readable = readable_targets(viewer)
    group = group_of(readable, endpoint, cause, viewer.now)
    rows = targets_of(group, readable, viewer.now) if group else Target.objects.none()
    return answer_page(request, rows.select_related("project", "endpoint"), TargetSerializer)


@shows("operate")
@operation(
    "retry_problem", "Try the targets of a cause again", method="POST", body=ManyInput,
    status=202, answers=JobSerializer, refuses=ACT, tag=TAG, about=STARTED,
)  # fmt: skip
@api_view(["POST"])
def problem_retry(request: Request, cause: str, slug: str) -> Response:
    return _start(request, "retry", cause, slug)


@shows("operate")
@operation(
    "skip_problem", "Skip the targets of a cause until the next change", method="POST",
    body=ManyWithReasonInput, status=202, answers=JobSerializer, refuses=ACT, tag=TAG,
    about=STARTED,
)  # fmt: skip
@api_view(["POST"])
def problem_skip(request: Request, cause: str, slug: str) -> Response:
    return _start(request, "skip", cause, slug)


@shows("operate")
@operation(
    "remedy_problem", "Do to the targets of a cause what helps against it", method="POST",
    body=ManyInput, status=202, answers=JobSerializer, refuses=ACT, tag=TAG, about=STARTED,
)  # fmt: skip
@api_view(["POST"])
def problem_remedy(request: Request, cause: str, slug: str) -> Response:
    return _start(request, "remedy", cause, slug)


@shows("operate")
@operation(
    "skip_target", "Skip a target until the next change", method="POST", body=ReasonInput,
    answers=TargetSerializer, refuses=ACT, tag=TAG, about="409 where it is in work or applied.",
)  # fmt: skip
@api_view(["POST"])
def target_skip(request: Request, pk: int) -> Response:
    viewer = _repairer(request, pk)
    reason = body(request, ReasonInput)["reason"]
    problems.skip_target(target_id=pk, reason=reason, actor=viewer.user, now=viewer.now)
    return _target(viewer, pk)


@shows("operate")
@operation(
    "remedy_target", "Do to a target what helps against its problem", method="POST",
    body=NothingInput, answers=TargetSerializer, refuses=ACT, tag=TAG,
    about="409 where nothing can be done from here.",
)  # fmt: skip
@api_view(["POST"])
def target_remedy(request: Request, pk: int) -> Response:
    viewer = _repairer(request, pk)
    body(request, NothingInput)
    problems.apply_remedy(target_id=pk, actor=viewer.user, now=viewer.now)
    return _target(viewer, pk)


@shows("operators")
@operation(
    "leave_limit_out", "Leave a limit out at a service that lacks it", method="POST",
    body=ReasonInput, answers=LeftOutSerializer, refuses=ACT, tag=TAG,
    about="For every project there; what it would enforce is told to be not enforced.",
)  # fmt: skip
@api_view(["POST"])
def limit_leave_out(request: Request, slug: str, key: str) -> Response:
    viewer, limit = _limit(request, slug, key)
    reason = body(request, ReasonInput)["reason"]
    left = keys.leave_out(limit=limit, reason=reason, actor=viewer.user, now=viewer.now)
    return Response(LeftOutSerializer(left).data)


@shows("operators")
@operation(
    "take_limit_in", "Write a limit again that was left out", method="POST", body=NothingInput,
    answers=LeftOutSerializer, refuses=ACT, tag=TAG,
)  # fmt: skip
@api_view(["POST"])
def limit_take_in(request: Request, slug: str, key: str) -> Response:
    viewer, limit = _limit(request, slug, key)
    body(request, NothingInput)
    taken = keys.take_in(limit=limit, actor=viewer.user, now=viewer.now)
    return Response(LeftOutSerializer(taken).data)


def _start(request: Request, kind: str, cause: str, slug: str) -> Response:
    viewer = viewer_in(request)
    endpoint = endpoint_for(viewer, slug)
    check_retry_at(viewer, endpoint)
    sent: dict[str, Any] = body(request, ManyWithReasonInput if kind == "skip" else ManyInput)
    ids = sent["targets"] if "targets" in sent else _all_ids(viewer, endpoint, cause)
    job = problems.start(
        kind=kind, endpoint=endpoint, target_ids=ids, reason=sent.get("reason", ""), cause=cause,
        actor=viewer.user, now=viewer.now,
    )  # fmt: skip
    return answer_started(request, viewer, job)


def _all_ids(viewer: Viewer, endpoint: Endpoint, cause: str) -> list[int]:
    group = group_of(readable_targets(viewer), endpoint, cause, viewer.now)
    if group is None:
        raise Conflict(_("Nothing has this trouble any more."))
    rows = targets_of(group, repairable_targets(viewer), viewer.now)
    return list(rows.values_list("pk", flat=True))


def _repairer(request: Request, target_id: int) -> Viewer:
    """The caller, once they may repair at the target's endpoint: asked before the body is."""
    viewer = reader_of(viewer_in(request))
    rows = Target.objects.filter(project__in=visible_projects(viewer))
    target = one(rows.select_related("endpoint"), pk=target_id)
    check_retry_at(viewer, target.endpoint)
    return viewer


def _limit(request: Request, slug: str, key: str) -> tuple[Viewer, Limit]:
    viewer = viewer_in(request)
    endpoint = endpoint_for(viewer, slug)
    keys.check_operator(viewer)
    return viewer, one(Limit.objects.select_related("endpoint"), endpoint=endpoint, key=key)


def _target(viewer: Viewer, target_id: int) -> Response:
    rows = readable_targets(viewer).select_related("project", "endpoint")
    return Response(TargetSerializer(one(rows, pk=target_id)).data)
