"""Loans of a project at its page: left longer or for good, by who may, or asked for."""

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
from projects.queries.viewers import Viewer, roles_in
from projects.rules import has_an_interest, may_ask, may_decide_in
from projects.views.viewer import viewer_of
from quotas.actions import loans as verbs
from quotas.actions.project_changes import ask_loan
from quotas.forms import take_errors
from quotas.models import Loan
from quotas.queries.figures import open_loans
from quotas.queries.lives import open_changes

from .life_forms import LifeForm, LoanAskForm, LoanExtendForm, LoanKeepForm
from .pages import visible_project


@shows("project")
@require_safe
def loan_list(request: HttpRequest, slug: str) -> HttpResponse:
    """What the project has on loan, and what can be done about each."""
    viewer = viewer_of(request)
    return _show(request, viewer, visible_project(viewer, slug))


@shows("ask")
@require_POST
def loan_ask(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """By its owners and managers: who could lend as much says yes or no."""
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    found = _loan(project, pk)
    form = LoanAskForm(request.POST)
    if form.is_valid():
        try:
            ask_loan(loan=found, **form.cleaned_data, actor=viewer.user, now=viewer.now)
        except Invalid as error:
            for sentence in take_errors(form, error.errors).values():
                form.add_error(None, sentence)
        else:
            messages.success(request, _("Asked; it waits for a yes."))
            return redirect("loan_list", slug=slug)
    return _show(request, viewer, project, form, status=422)


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
    found = _loan(project, pk)
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


def _loan(project: Project, pk: int) -> Loan:
    found = Loan.objects.filter(account__project=project, pk=pk).first()
    if found is None:
        raise NotVisible(_("There is no such loan."))
    return found


def _show(
    request: HttpRequest, viewer: Viewer, project: Project, bound: LifeForm | None = None,
    status: int = 200,
) -> HttpResponse:  # fmt: skip
    roles = roles_in(viewer, project)
    works = project.state in verbs.WORKS
    waiting = {each.loan: each for each in open_changes(project) if each.loan is not None}
    context = {
        "here": "projects",
        "project": project,
        "loans": [(each, waiting.get(each.pk)) for each in open_loans([project])],
        "now": viewer.now,
        "may_lend": works and may_decide_in(viewer, project) and not has_an_interest(roles),
        "may_ask": works and may_ask(roles),
        "error_form": bound,
    }
    return render(request, "projects/loans.html", context, status=status)
