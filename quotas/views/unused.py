"""Quota that is not used: the list for who decides; one project's, to return and to undo."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.lib.access import shows
from portal.lib.errors import Conflict, DomainError, Forbidden, Invalid, NotVisible, Stale
from projects.models import Project, Unit
from projects.queries.viewers import Viewer, roles_in
from projects.rules import may_ask
from projects.views.viewer import viewer_of
from quotas.actions.return_undos import NONE, there_of, undo_return
from quotas.actions.returns import check_owns, return_quota
from quotas.actions.unused import ask_back, check_asks_back, may_ask_back
from quotas.forms import take_errors
from quotas.models import Offering, Region, Resource
from quotas.queries.unused import LEFT_ALONE_DAYS, WINDOW_DAYS, WORKS, unused_of
from quotas.queries.unused_lists import (
    asked_back_at,
    freed,
    may_be_asked_at,
    may_see_unused,
    narrowed,
    returns_of,
    returns_shown,
    unused_rows,
)

from .life_forms import AskBackForm
from .pages import is_slug, page_of, visible_project

MAX_DIGITS = 18


class ReturnForm(forms.Form):
    """What a button sends: an offering, how much of it, and the quota that its page showed."""

    offering = forms.CharField(max_length=125)
    amount = forms.IntegerField(min_value=1)
    seen = forms.IntegerField(min_value=0)


@shows("figures")
@require_safe
def unused_list(request: HttpRequest) -> HttpResponse:
    """Where quota is not used, the most of a resource first; `?unit=`, `?region=`, `?resource=`.

    `?sums=yes` adds all of it up, which takes as long as there is of it.
    """
    viewer = viewer_of(request)
    if not may_see_unused(viewer):
        raise Forbidden(_("What is not used is for those who decide, fund or audit."))
    chosen = {name: _slug(request, name) for name in ("unit", "region", "resource")}
    unit = Unit.objects.filter(slug=chosen["unit"]).first() if chosen["unit"] else None
    rows = narrowed(
        unused_rows(viewer), unit=unit, region=chosen["region"], resource=chosen["resource"]
    )
    order = ("-amount", "-pk") if chosen["resource"] else ("account",)
    context = {
        "here": "endpoints" if viewer.sees_everything else "remit",
        "page": page_of(request, rows.order_by(*order)),
        "sums": freed(rows) if request.GET.get("sums") == "yes" else None,
        "sums_url": f"?{urlencode({**chosen, 'sums': 'yes'})}",
        "unit": unit,
        "chosen": chosen,
        "regions": Region.objects.order_by("order", "slug"),
        "resources": Resource.objects.filter(is_access=False).order_by("order", "slug"),
        "days": WINDOW_DAYS,
    }
    return render(request, "projects/unused_list.html", context)


@shows("project")
@require_safe
def project_unused(request: HttpRequest, slug: str) -> HttpResponse:
    """What one project could return, as of now, and what it returned."""
    viewer = viewer_of(request)
    return _show(request, viewer, visible_project(viewer, slug))


@shows("ask")
@require_POST
def quota_return(request: HttpRequest, slug: str) -> HttpResponse:
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    check_owns(roles_in(viewer, project), project)
    form = ReturnForm(request.POST)
    if not form.is_valid():
        return _show(request, viewer, project, _unreadable())
    sent = form.cleaned_data
    offering = Offering.objects.filter(slug=sent["offering"]).select_related("resource").first()
    if offering is None:
        raise NotVisible(_("There is no such offering; the catalogue lists what there is."))
    try:
        return_quota(
            project=project, offering=offering, amount=sent["amount"], seen=sent["seen"],
            actor=viewer.user, now=viewer.now,
        )  # fmt: skip
    except (Conflict, Stale, Invalid) as error:
        return _show(request, viewer, project, error)
    messages.success(request, _("Returned. You can have it again for some days."))
    return redirect("project_unused", slug=slug)


@shows("ask")
@require_POST
def return_undo(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """All of a return, or `amount` of it; with `as_much` what of that is there."""
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    check_owns(roles_in(viewer, project), project)
    found = returns_of(project).filter(pk=pk).first()
    if found is None:
        raise NotVisible(_("There is no such return."))
    text = request.POST.get("amount", "")
    if text and not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        return _show(request, viewer, project, _unreadable())
    try:
        undo_return(
            quota_return=found, amount=int(text) if text else None,
            as_much=request.POST.get("as_much") == "yes", actor=viewer.user, now=viewer.now,
        )  # fmt: skip
    except (Conflict, Invalid) as error:
        return _show(request, viewer, project, error)
    messages.success(request, _("The project has it again."))
    return redirect("project_unused", slug=slug)


@shows("ask back")
@require_POST
def return_ask(request: HttpRequest, slug: str) -> HttpResponse:
    """By who decides there, and operators: the owners are told."""
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    check_asks_back(viewer, project)
    form = AskBackForm(request.POST)
    if not form.is_valid():
        return _show(request, viewer, project, bound=form)
    try:
        ask_back(
            project=project, reason=form.cleaned_data["reason"], actor=viewer.user, now=viewer.now
        )
    except Invalid as error:
        for sentence in take_errors(form, error.errors).values():
            form.add_error(None, sentence)
        return _show(request, viewer, project, bound=form)
    except Conflict as error:
        return _show(request, viewer, project, error)
    messages.success(request, _("Its owners and managers are told."))
    return redirect("project_unused", slug=slug)


def _show(
    request: HttpRequest, viewer: Viewer, project: Project, refused: DomainError | None = None,
    bound: AskBackForm | None = None,
) -> HttpResponse:  # fmt: skip
    works = project.state in WORKS
    may_return = works and may_ask(roles_in(viewer, project))
    asked_at = asked_back_at(project)
    again_at = may_be_asked_at(asked_at)
    context: dict[str, Any] = {
        "here": "projects",
        "project": project,
        "rows": unused_of([project], viewer.now).get(project.pk, []),
        "returns": _return_rows(viewer, project, may_return),
        "may_return": may_return,
        "may_ask_back": works and may_ask_back(viewer, project),
        "asked_at": asked_at,
        "again_at": again_at if again_at is not None and again_at > viewer.now else None,
        "form": bound or AskBackForm(),
        "days": WINDOW_DAYS,
        "left_alone_days": LEFT_ALONE_DAYS,
        "error_form": bound,
        "error": refused,
    }
    wrong = 422 if bound is not None else 200
    status = refused.status if refused is not None else wrong
    return render(request, "projects/unused.html", context, status=status)


def _return_rows(viewer: Viewer, project: Project, may_return: bool) -> list[dict[str, Any]]:
    """Returns, and how much of each can be had again and is there."""
    rows = returns_shown(project, viewer.now)
    found = there_of(project, rows if may_return else [], viewer.now)
    return [
        {"row": each, "whole": whole, "there": there}
        for each in rows
        for whole, there in [found.get(each.pk, (0, NONE))]
    ]


def _slug(request: HttpRequest, name: str) -> str:
    text = request.GET.get(name, "")
    return text if is_slug(text) else ""


def _unreadable() -> Invalid:
    return Invalid({"amount": [_("That is no amount that can be returned. Look again.")]})
