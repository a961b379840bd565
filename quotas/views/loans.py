"""Loans of a project at its page: left longer or for good, by who may, or asked for."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.lib.access import shows
from portal.lib.errors import Conflict, DomainError, Invalid, NotVisible, Stale
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

from .life_forms import LoanForm
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
    form = LoanForm(request.POST, loan=pk, is_for_good="for_good" in request.POST)

    def act(loan: Loan, sent: dict[str, Any]) -> None:
        until_on, reason = sent["until_on"], sent["reason"]
        ask_loan(loan=loan, until_on=until_on, reason=reason, actor=viewer.user, now=viewer.now)

    said = _("Asked; it waits for a yes.")
    return _act(request, viewer, project, form, pk, act) or _done(request, project, said)


@shows("decide")
@require_POST
def loan_extend(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    return _lend(request, slug, LoanForm(request.POST, loan=pk), pk, _("It goes back later."))


@shows("decide")
@require_POST
def loan_keep(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    form = LoanForm(request.POST, loan=pk, is_for_good=True)
    return _lend(request, slug, form, pk, _("It goes back no more."))


def _lend(request: HttpRequest, slug: str, form: LoanForm, pk: int, said: str) -> HttpResponse:
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    verbs.may_change_loans(viewer, project)

    def act(loan: Loan, sent: dict[str, Any]) -> None:
        # A page without the figure saw none that could be right.
        seen = -1 if sent["seen"] is None else sent["seen"]
        told: dict[str, Any] = {"loan": loan, "seen": seen, "reason": sent["reason"]}
        if form.is_for_good:
            verbs.make_permanent(**told, actor=viewer.user, now=viewer.now)
        else:
            told["until_on"] = sent["until_on"]
            verbs.extend_loan(**told, actor=viewer.user, now=viewer.now)

    return _act(request, viewer, project, form, pk, act) or _done(request, project, said)


def _act(
    request: HttpRequest, viewer: Viewer, project: Project, form: LoanForm, pk: int,
    act: Callable[[Loan, dict[str, Any]], None],
) -> HttpResponse | None:  # fmt: skip
    """Do it; if it was not done the page, with what was typed and why."""
    found = _loan(project, pk)
    if not form.is_valid():
        return _show(request, viewer, project, (pk, form))
    try:
        act(found, form.cleaned_data)
    except Invalid as error:
        for sentence in take_errors(form, error.errors).values():
            form.add_error(None, sentence)
        return _show(request, viewer, project, (pk, form))
    except (Conflict, Stale) as error:
        return _show(request, viewer, project, (pk, form), error)
    return None


def _done(request: HttpRequest, project: Project, said: str) -> HttpResponse:
    messages.success(request, said)
    return redirect("loan_list", slug=project.slug)


def _loan(project: Project, pk: int) -> Loan:
    found = Loan.objects.filter(account__project=project, pk=pk).first()
    if found is None:
        raise NotVisible(_("There is no such loan."))
    return found


def _show(
    request: HttpRequest, viewer: Viewer, project: Project,
    bound: tuple[int, LoanForm] | None = None, refused: DomainError | None = None,
) -> HttpResponse:  # fmt: skip
    """The page; bound: the loan whose form was sent, and it."""
    forms = dict([bound]) if bound else {}
    roles = roles_in(viewer, project)
    works = project.state in verbs.WORKS
    waiting = {each.loan: each for each in open_changes(project) if each.loan is not None}
    context = {
        "here": "projects",
        "project": project,
        "loans": [
            (each, waiting.get(each.pk), forms.get(each.pk) or LoanForm(loan=each.pk))
            for each in open_loans([project])
        ],
        "now": viewer.now,
        "may_lend": works and may_decide_in(viewer, project) and not has_an_interest(roles),
        "may_ask": works and may_ask(roles),
        "error_form": bound[1] if bound else None,
        "error": refused,
    }
    wrong = 422 if bound else 200
    status = refused.status if refused is not None else wrong
    return render(request, "projects/loans.html", context, status=status)
