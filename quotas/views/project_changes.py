"""What of projects waits for somebody's yes: the list, and the answer."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.lib.access import shows
from portal.lib.errors import Conflict, DomainError, Invalid, NotVisible, Stale
from projects.models import ProjectChange
from projects.queries.viewers import Viewer, visible_projects
from projects.states import ChangeKind
from projects.views.viewer import viewer_of
from quotas.actions import project_changes as verbs
from quotas.forms import version_in
from quotas.queries.lives import redraws, visible_changes, waiting_changes
from quotas.queries.loan_changes import with_loans

MOST = 50


@shows("own")
@require_safe
def change_list(request: HttpRequest) -> HttpResponse:
    """What waits for the reader."""
    viewer = viewer_of(request)
    context = {"here": "home", "changes": with_loans(waiting_changes(viewer)[:MOST])}
    return render(request, "projects/changes.html", context)


@shows("project")
@require_safe
def change_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """What is asked, what a yes would do, and the answer."""
    viewer = viewer_of(request)
    return _show(request, viewer, _change(viewer, pk))


def _show(
    request: HttpRequest, viewer: Viewer, change: ProjectChange, refused: DomainError | None = None
) -> HttpResponse:
    """The page; with the answer as it was typed, and why it does not go out."""
    wrong = refused.errors.get("answer", []) if isinstance(refused, Invalid) else []
    is_move = change.kind == ChangeKind.MOVE and change.to_unit is not None
    answers = verbs.may_answer(viewer, change)
    context: dict[str, Any] = {
        "here": "home",
        "change": change,
        "may_answer": answers and change.state == "open",
        "sees_project": visible_projects(viewer).filter(pk=change.project_id).exists(),
        "redraws": redraws(change.project, change.to_unit) if is_move and answers else [],  # type: ignore[arg-type]  # a move has one
        "error": refused if not wrong else None,
        "wrong": wrong,
        "errors": [("answer", each) for each in wrong],
        "answer": request.POST.get("answer", ""),
    }
    status = refused.status if refused is not None else 200
    return render(request, "projects/change.html", context, status=status)


@shows("decide")
@require_POST
def change_accept(request: HttpRequest, pk: int) -> HttpResponse:
    return _answer(request, pk, verbs.accept, _("Agreed, and done."))


@shows("decide")
@require_POST
def change_decline(request: HttpRequest, pk: int) -> HttpResponse:
    return _answer(request, pk, verbs.decline, _("Declined."))


@shows("ask")
@require_POST
def change_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    viewer = viewer_of(request)
    change = _change(viewer, pk)
    verbs.withdraw_change(
        change=change, version=version_in(request.POST), actor=viewer.user, now=viewer.now
    )
    messages.success(request, _("It is asked for no more."))
    return redirect("project_life", slug=change.project.slug)


def _answer(
    request: HttpRequest, pk: int, verb: Callable[..., Any], said: str
) -> HttpResponse:  # fmt: skip
    viewer = viewer_of(request)
    change = _change(viewer, pk)
    try:
        verb(
            change=change, answer=request.POST.get("answer", ""), version=version_in(request.POST),
            actor=viewer.user, now=viewer.now,
        )  # fmt: skip
    except (Conflict, Invalid, Stale) as error:
        return _show(request, viewer, _change(viewer, pk), error)
    messages.success(request, said)
    return redirect("change_list")


def _change(viewer: Viewer, pk: int) -> ProjectChange:
    found = visible_changes(viewer).filter(pk=pk).first()
    if found is None:
        raise NotVisible(_("There is no such change, or it is not for you to see."))
    return with_loans([found])[0]
