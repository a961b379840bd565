"""Quota that is not used: where it is, returning it, having it again, asking for it."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import Forbidden, Invalid
from projects.models import Unit
from projects.queries.viewers import Viewer, roles_in
from projects.states import TokenScope
from quotas.actions.return_undos import undo_return
from quotas.actions.returns import check_owns, return_quota
from quotas.actions.unused import ask_back, check_asks_back
from quotas.models import Offering, UnusedQuota
from quotas.queries.unused import unused_of
from quotas.queries.unused_lists import freed, may_see_unused, narrowed, returns_of, unused_rows

from .asked import body, filters, one, viewer_in, visible_project
from .describe import LIST, READ, WRITE, operation
from .doors import api_view
from .fields import Filters, Slug
from .pages import answer_page, page_of
from .scopes import needs
from .shapes.lives import ProjectActSerializer
from .shapes.usage import (
    AskBackInput,
    FreedSerializer,
    QuotaReturnSerializer,
    ReturnInput,
    SuggestionSerializer,
    UndoInput,
    UnusedSerializer,
)

TAG = "projects"
CHANGE = (*WRITE, 412)


class UnusedFilters(Filters):
    unit = Slug(required=False, help_text="And all below it.")
    region = Slug(required=False)
    resource = Slug(required=False)


@shows("figures")
@operation(
    "list_unused", "List quota that is not used", tag=TAG,
    answers=page_of(UnusedSerializer, "-amount", "amount", "id"), refuses=(*LIST, 403),
    filters=[UnusedFilters],
    about="Of the projects where you see figures, as they were last looked at. Amounts of "
    "different resources are not to be compared: filter by `resource`.",
)  # fmt: skip
@api_view(["GET"])
def unused_list(request: Request) -> HttpResponseBase:
    return answer_page(request, _rows(request), UnusedSerializer)


@shows("figures")
@operation(
    "list_unused_sums", "Show how much could be returned of each offering", tag=TAG,
    answers=FreedSerializer(many=True), refuses=(*READ, 403), filters=[UnusedFilters],
)  # fmt: skip
@api_view(["GET"])
def unused_sums(request: Request) -> Response:
    return Response(FreedSerializer(freed(_rows(request)), many=True).data)


def _rows(request: Request) -> QuerySet[UnusedQuota]:
    asked, viewer = filters(request, UnusedFilters), viewer_in(request)
    if not may_see_unused(viewer):
        raise Forbidden(_("What is not used is for those who decide, fund or audit."))
    slug, rows = asked.pop("unit", None), unused_rows(viewer)
    unit = Unit.objects.filter(slug=slug).first() if slug is not None else None
    if slug is not None and unit is None:
        return rows.none()
    return narrowed(rows, unit=unit, **asked)


@shows("project")
@operation(
    "get_unused", "Show what a project could return", tag=TAG,
    answers=SuggestionSerializer(many=True), refuses=READ,
    about="By the use of 90 days, as of now; return_quota takes it.",
)  # fmt: skip
@api_view(["GET"])
def project_unused(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    found = unused_of([project], viewer.now).get(project.pk, [])
    return Response(SuggestionSerializer(found, many=True).data)


@needs(TokenScope.ASK)
@shows("project")
@operation(
    "list_returns", "List what a project returned", tag=TAG,
    answers=page_of(QuotaReturnSerializer, "-id", "id"), refuses=(*LIST, 404),
)  # fmt: skip
@operation(
    "return_quota", "Return quota that a project does not use", method="POST", tag=TAG,
    body=ReturnInput, answers=QuotaReturnSerializer, status=201, refuses=CHANGE,
    sent={"offering": "geneva.compute-a.vcpu", "amount": 64, "seen": 192},
    about="By its owners and managers. Any amount of which nothing is in use: 409 says how much "
    "is not. What is on loan goes back first.",
)  # fmt: skip
@api_view(["GET", "POST"])
def return_list(request: Request, slug: str) -> HttpResponseBase:
    if request.method == "POST":
        return _return(request, slug)
    filters(request)
    project = visible_project(viewer_in(request), slug)
    return answer_page(request, returns_of(project), QuotaReturnSerializer)


def _return(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    check_owns(roles_in(viewer, project), project)
    sent = body(request, ReturnInput)
    offering = Offering.objects.filter(slug=sent["offering"]).select_related("resource").first()
    if offering is None:
        raise Invalid({"offering": [_("There is no such offering.")]})
    made = return_quota(
        project=project, offering=offering, amount=sent["amount"], seen=sent["seen"],
        actor=viewer.user, now=viewer.now,
    )  # fmt: skip
    return _answer(viewer, slug, made.pk, status=201)


@shows("ask")
@operation(
    "undo_return", "Have again what a project returned", method="POST", tag=TAG, body=UndoInput,
    answers=QuotaReturnSerializer, refuses=WRITE,
    about="Once, until `undo_until`, from where it went: 409 `no_room` says whether some of it "
    "is there, which `as_much` takes. Loans last until the day that they had.",
)  # fmt: skip
@api_view(["POST"])
def return_undo(request: Request, slug: str, pk: int) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    check_owns(roles_in(viewer, project), project)
    found = one(returns_of(project), pk=pk)
    sent = body(request, UndoInput)
    undo_return(quota_return=found, **sent, actor=viewer.user, now=viewer.now)
    return _answer(viewer, slug, pk)


@shows("ask back")
@needs(TokenScope.DECIDE)
@operation(
    "ask_back", "Ask a project's owners to return what it does not use", method="POST", tag=TAG,
    body=AskBackInput, answers=ProjectActSerializer, status=201, refuses=WRITE,
    about="By operators and who decides quota for its unit; now and then: 409 `too_soon` says "
    "when again.",
)  # fmt: skip
@api_view(["POST"])
def return_ask(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    check_asks_back(viewer, project)
    sent = body(request, AskBackInput)
    done = ask_back(project=project, **sent, actor=viewer.user, now=viewer.now)
    return Response(ProjectActSerializer(done).data, status=201)


def _answer(viewer: Viewer, slug: str, pk: int, **options: Any) -> Response:
    found = one(returns_of(visible_project(viewer, slug)), pk=pk)
    return Response(QuotaReturnSerializer(found).data, **options)
