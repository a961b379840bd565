"""Requests: what was asked, by whom, how far it is, and what was said and decided."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from portal.lib.access import shows
from portal.lib.errors import Invalid
from projects.queries.viewers import Viewer
from projects.rules import may_see_figures
from projects.states import TokenScope
from quotas.actions import drafts, requests
from quotas.actions.wishes import Wish
from quotas.models import Comment, Decision, DecisionLine, QuotaRequest
from quotas.queries.changes import changed_decisions, changed_requests
from quotas.queries.lines import Lines
from quotas.queries.request_lists import Scope, Stage, find_requests
from quotas.queries.requests import visible_requests

from .asked import (
    askable_project,
    body,
    filters,
    named_requester,
    one,
    own_draft,
    viewer_in,
    visible_project,
    visible_request,
)
from .describe import LIST, READ, WRITE, Etag, operation
from .doors import api_view
from .dry_run import plan_of_asking
from .examples import REQUEST, SUBMIT, WISH
from .fields import Filters, NumberInAddress, PublicId, Slug
from .pages import answer_page, page_of
from .rehearsals import wants_plan
from .scopes import needs
from .shapes.dry_run import RequestPlan
from .shapes.requests import (
    CommentSerializer,
    DecisionSerializer,
    NewRequestInput,
    QuotaRequestSerializer,
    WishInput,
)
from .versions import tagged, version_matched

TAG = "requests"


class RequestFilters(Filters):
    project = Slug(required=False)
    requester = PublicId(required=False, help_text="A person's id.")
    scope = serializers.ChoiceField(choices=Scope.values, default=Scope.ALL)
    stage = serializers.ChoiceField(choices=Stage.values, default=Stage.ANY)


class DecisionFilters(Filters):
    request = NumberInAddress(required=False, min_value=1, max_value=2**63 - 1)


@needs(TokenScope.ASK)
@shows("own")
@operation(
    "list_requests", "List the requests you may see",
    answers=page_of(QuotaRequestSerializer, "-id", "id", changed=changed_requests),
    refuses=LIST, tag=TAG, filters=[RequestFilters], about="The newest first; drafts only yours.",
)  # fmt: skip
@operation(
    "create_request", "Ask for quota", method="POST", body=NewRequestInput, status=201,
    answers=QuotaRequestSerializer, refuses=WRITE, tag=TAG, sent=SUBMIT, answered=REQUEST,
    plan=RequestPlan,
    about="Sends a wish to those who decide, or keeps it with `draft`. 409 where a line for "
    "the same offering waits already.",
)  # fmt: skip
@api_view(["GET", "POST"])
def request_list(request: Request) -> HttpResponseBase:
    return _submit(request) if request.method == "POST" else _list(request)


def _list(request: Request) -> HttpResponseBase:
    asked, viewer = filters(request, RequestFilters), viewer_in(request)
    rows = find_requests(viewer, Scope(asked["scope"]), Stage(asked["stage"]))
    if "project" in asked:
        rows = rows.filter(project__slug=asked["project"])
    if "requester" in asked:
        rows = rows.filter(requester__public_id=asked["requester"])
    return answer_page(
        request,
        rows,
        QuotaRequestSerializer,
        context=lambda page: lines_for(viewer, page),
    )


def _submit(request: Request) -> Response:
    viewer = viewer_in(request)
    askable_project(request, viewer)
    sent = body(request, NewRequestInput)
    project, wish = visible_project(viewer, sent["project"]), wish_of(sent)
    common: dict[str, Any] = {
        "project": project, "wish": wish, "actor": viewer.user, "now": viewer.now,
    }  # fmt: skip
    requester = named_requester(sent["requester"], project, viewer)
    if sent["draft"] and requester is not None:
        sentence = _("A draft is its writer's alone: send it, or keep it as your own.")
        raise Invalid({"requester": [sentence]})

    def act() -> QuotaRequest:
        if sent["draft"]:
            return drafts.save(**common)
        return requests.submit(requester=requester, **common)

    if wants_plan(request):
        return plan_of_asking(viewer, project, act, requester=requester)
    made = act()
    where = reverse("api_request", [made.pk], request=request)
    return answer_request(viewer, made.pk, status=201, headers={"Location": where})


@needs(TokenScope.ASK)
@shows("project")
@operation(
    "get_request",
    "Show a request",
    answers=QuotaRequestSerializer,
    refuses=READ,
    tag=TAG,
    answered=REQUEST,
    etag=Etag.GIVES,
)
@operation(
    "replace_draft", "Write a draft anew", method="PUT", body=WishInput,
    answers=QuotaRequestSerializer,
    refuses=WRITE, tag=TAG, sent=WISH, about="Only its writer; 409 once it was sent.",
    etag=Etag.CHECKS,
)  # fmt: skip
@operation(
    "discard_draft", "Throw a draft away", method="DELETE", answers=None, status=204,
    refuses=(401, 403, 404, 406, 409, 503), tag=TAG, about="Only its writer; 409 once it was sent.",
    etag=Etag.CHECKS,
)  # fmt: skip
@api_view(["GET", "PUT", "DELETE"])
def request_detail(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    if request.method == "DELETE":
        draft = own_draft(viewer, pk)
        seen = version_matched(request, draft.version)
        drafts.discard(draft=draft, version=seen, actor=viewer.user, now=viewer.now)
        return Response(status=204)
    if request.method == "PUT":
        draft = own_draft(viewer, pk)
        wish = wish_of(body(request, WishInput))
        drafts.save(
            project=draft.project, wish=wish, actor=viewer.user, now=viewer.now, draft=draft,
            version=version_matched(request, draft.version),
        )  # fmt: skip
    return answer_request(viewer, pk)


@shows("project")
@operation(
    "list_comments", "List what was said about a request",
    answers=page_of(CommentSerializer, "id", "-id"),
    refuses=(*LIST, 404), tag=TAG,
)  # fmt: skip
@api_view(["GET"])
def comment_list(request: Request, pk: int) -> HttpResponseBase:
    filters(request)
    rows = Comment.objects.filter(request=visible_request(viewer_in(request), pk))
    return answer_page(request, rows.select_related("author"), CommentSerializer)


@shows("own")
@operation(
    "list_decisions", "List the decisions you may see",
    answers=page_of(DecisionSerializer, "-id", "id", changed=changed_decisions),
    refuses=LIST, tag="decisions", filters=[DecisionFilters],
)  # fmt: skip
@api_view(["GET"])
def decision_list(request: Request) -> HttpResponseBase:
    asked, viewer = filters(request, DecisionFilters), viewer_in(request)
    rows = visible_decisions(viewer)
    if "request" in asked:
        rows = rows.filter(request=asked["request"])
    return answer_page(request, rows, DecisionSerializer, context=lambda _page: proof_for(viewer))


@shows("project")
@operation(
    "get_decision", "Show a decision with its proof", answers=DecisionSerializer, refuses=READ,
    tag="decisions",
)  # fmt: skip
@api_view(["GET"])
def decision_detail(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = one(visible_decisions(viewer), pk=pk)
    return Response(DecisionSerializer(found, context=proof_for(viewer)).data)


def visible_decisions(viewer: Viewer) -> QuerySet[Decision]:
    """The decisions on the requests that the person may see, with what their shape tells."""
    return (
        Decision.objects.filter(request__in=visible_requests(viewer))
        .select_related("actor", "person", "policy_version", "request__project__unit")
        .prefetch_related(Prefetch("lines", DecisionLine.objects.select_related("line__offering")))
    )


def proof_for(viewer: Viewer) -> dict[str, Any]:
    """Figures of the unit stand in a proof: it is for those who may see them."""
    return {
        "may_see_proof": lambda decision: may_see_figures(
            viewer, decision.request.project.unit.path
        )
    }


def wish_of(sent: dict[str, Any]) -> Wish:
    """The wish that a body holds."""
    return Wish(sent["lines"], sent["reason"], sent["until_on"], sent["all_or_nothing"])


def answer_request(
    viewer: Viewer, pk: int, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """A request as it is now, after whatever was done with it."""
    found = visible_request(viewer, pk)
    shape = QuotaRequestSerializer(found, context=lines_for(viewer, [found]))
    return tagged(shape.data, found.version, status=status, headers=headers)


def lines_for(viewer: Viewer, page: Sequence[QuotaRequest]) -> dict[str, Any]:
    """What the shape of a request needs beside the request."""
    return {"lines": Lines(page, viewer.now)}
