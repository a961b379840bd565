"""Loans of a project at its page: left longer, or for good."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.lib.access import shows
from portal.lib.errors import Invalid, NotVisible
from projects.models import Project
from projects.queries.viewers import Viewer
from projects.views.viewer import viewer_of
from quotas.actions import loans as verbs
from quotas.forms import take_errors
from quotas.models import Loan
from quotas.queries.figures import open_loans

from .life_forms import LifeForm, LoanExtendForm, LoanKeepForm
from .pages import visible_project


@shows("decide")
@require_safe
def loan_list(request: HttpRequest, slug: str) -> HttpResponse:
    """What the project has on loan, and what can be done about each."""
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    verbs.may_change_loans(viewer, project)
    return _show(request, viewer, project)


@shows("decide")
@require_POST
def loan_extend(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    said = _("It goes back later.")
    return _act(request, slug, pk, LoanExtendForm(request.POST), verbs.extend_loan, said)


@shows("decide")
@require_POST
def loan_keep(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    said = _("It goes back no more.")
    return _act(request, slug, pk, LoanKeepForm(request.POST), verbs.make_permanent, said)


def _act(
    request: HttpRequest, slug: str, pk: int, form: LifeForm, verb: Callable[..., Any], said: str
) -> HttpResponse:  # fmt: skip
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    verbs.may_change_loans(viewer, project)
    found = Loan.objects.filter(account__project=project, pk=pk).first()
    if found is None:
        raise NotVisible(_("There is no such loan."))
    if form.is_valid():
        sent: dict[str, Any] = dict(form.cleaned_data)
        # A page without the figure saw none that could be right.
        sent["seen"] = -1 if sent["seen"] is None else sent["seen"]
        try:
            verb(loan=found, **sent, actor=viewer.user, now=viewer.now)
        except Invalid as error:
            for sentence in take_errors(form, error.errors).values():
                form.add_error(None, sentence)
        else:
            messages.success(request, said)
            return redirect("project_detail", slug=slug)
    return _show(request, viewer, project, form, status=422)


def _show(
    request: HttpRequest, viewer: Viewer, project: Project, bound: LifeForm | None = None,
    status: int = 200,
) -> HttpResponse:  # fmt: skip
    context = {
        "here": "projects",
        "project": project,
        "loans": open_loans([project]),
        "now": viewer.now,
        "error_form": bound,
    }
    return render(request, "projects/loans.html", context, status=status)
