"""What of projects waits for somebody's yes: another end, unit or owner, a longer loan."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from projects.models import ProjectChange
from projects.states import ChangeKind, ChangeState
from quotas.actions import project_changes
from quotas.queries.changes import changed_changes
from quotas.queries.lives import visible_changes, waiting_changes
from quotas.queries.loan_changes import with_loans

from .asked import body, filters, one, viewer_in
from .describe import LIST, READ, WRITE, Etag, operation
from .doors import api_view
from .fields import Filters, Slug, YesNoInAddress
from .pages import answer_page, page_of
from .shapes.lives import AnswerChangeInput, ChangeSerializer, SeenInput
from .versions import tagged, version_seen

TAG = "projects"


class ChangeFilters(Filters):
    project = Slug(required=False)
    kind = serializers.ChoiceField(choices=ChangeKind.values, required=False)
    state = serializers.ChoiceField(choices=ChangeState.values, required=False)
    mine = YesNoInAddress(default=False, help_text="`true`: those that wait for your answer.")


@shows("own")
@operation(
    "list_changes", "List what of projects waits for a yes",
    answers=page_of(ChangeSerializer, "-id", "id", changed=changed_changes), refuses=LIST,
    tag=TAG, filters=[ChangeFilters],
)  # fmt: skip
@api_view(["GET"])
def change_list(request: Request) -> HttpResponseBase:
    asked, viewer = filters(request, ChangeFilters), viewer_in(request)
    rows = waiting_changes(viewer) if asked["mine"] else visible_changes(viewer)
    for name, column in (("project", "project__slug"), ("kind", "kind"), ("state", "state")):
        if name in asked:
            rows = rows.filter(**{column: asked[name]})
    return answer_page(request, rows, ChangeSerializer, made=with_loans)


@shows("project")
@operation(
    "get_change", "Show a change of a project", answers=ChangeSerializer, refuses=READ, tag=TAG,
    etag=Etag.GIVES,
)  # fmt: skip
@api_view(["GET"])
def change_detail(request: Request, pk: int) -> Response:
    return _answer(one(visible_changes(viewer_in(request)), pk=pk))


@shows("decide")
@operation(
    "accept_change", "Agree to a change of a project", method="POST", body=AnswerChangeInput,
    answers=ChangeSerializer, refuses=WRITE, tag=TAG, etag=Etag.NEEDS,
    about="Which does it. By who decides projects there; an offer by whom it is made to, a "
    "loan by who could lend as much at once. 409 `no_room` where an envelope has too little for "
    "a move.",
)  # fmt: skip
@api_view(["POST"])
def change_accept(request: Request, pk: int) -> Response:
    return _answered(request, pk, project_changes.accept)


@shows("decide")
@operation(
    "decline_change", "Say no to a change of a project", method="POST", body=AnswerChangeInput,
    answers=ChangeSerializer, refuses=WRITE, tag=TAG, etag=Etag.NEEDS,
)  # fmt: skip
@api_view(["POST"])
def change_decline(request: Request, pk: int) -> Response:
    return _answered(request, pk, project_changes.decline)


@shows("ask")
@operation(
    "withdraw_change", "Ask for a change no more", method="POST", body=SeenInput,
    answers=ChangeSerializer, refuses=WRITE, tag=TAG, etag=Etag.NEEDS,
)  # fmt: skip
@api_view(["POST"])
def change_withdraw(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = one(visible_changes(viewer), pk=pk)
    sent = body(request, SeenInput)
    project_changes.withdraw_change(
        change=found, version=version_seen(request, sent.get("version"), found.version),
        actor=viewer.user, now=viewer.now,
    )  # fmt: skip
    return _again(found)


def _answered(request: Request, pk: int, verb: Callable[..., Any]) -> Response:
    viewer = viewer_in(request)
    found = one(visible_changes(viewer), pk=pk)
    project_changes.check_answers(viewer, found)
    sent = body(request, AnswerChangeInput)
    verb(
        change=found, answer=sent["answer"], actor=viewer.user, now=viewer.now,
        version=version_seen(request, sent.get("version"), found.version),
    )  # fmt: skip
    return _again(found)


def _again(change: ProjectChange) -> Response:
    """As it is now; who answered may see no more of the project than before."""
    names = ("project", "asked_by", "to_user", "to_unit", "answered_by")
    return _answer(ProjectChange.objects.select_related(*names).get(pk=change.pk))


def _answer(change: ProjectChange) -> Response:
    return tagged(ChangeSerializer(*with_loans([change])).data, change.version)
