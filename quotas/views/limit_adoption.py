"""Adopting a limit that was set outside: what it would mean, and the decision."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.lib.access import shows
from portal.lib.errors import DomainError, Invalid, NotVisible, Stale
from projects.queries.viewers import Viewer
from projects.views.viewer import viewer_of
from quotas.actions import limit_adoption as verbs
from quotas.forms import AdoptForm, take_errors
from quotas.models import Drift
from quotas.queries.drift import Choice, choices_of, drifts
from quotas.queries.drift_words import sentence_of, why_not_adopt

from .pages import visible_project


@shows("decide")
@require_http_methods(["GET", "HEAD", "POST"])
def drift_adopt(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The quota before and after, and who pays; then the decision."""
    viewer, drift = _adoptable(request, slug, pk)
    if request.method != "POST":
        return _page(request, drift, AdoptForm())
    form = AdoptForm(request.POST)
    if not form.is_valid():
        return _page(request, drift, form, status=422)
    sent = form.cleaned_data
    try:
        decision = verbs.adopt(
            drift=drift,
            offering=sent["offering"],
            # A page without the figure saw none that could be right.
            seen=-1 if sent["seen"] is None else sent["seen"],
            reason=sent["reason"],
            actor=viewer.user,
            now=viewer.now,
        )
    except Invalid as error:
        take_errors(form, error.errors)
        return _page(request, drift, form, status=error.status)
    except DomainError as error:
        if isinstance(error, Stale):
            drift = drifts().get(pk=drift.pk)
        return _page(request, drift, form, error, status=error.status)
    words = {"number": decision.request_id, "name": drift.target.endpoint.name}
    said = _("Adopted as #%(number)s: what %(name)s says is the quota now.")
    messages.success(request, said % words)
    return redirect("project_detail", slug=slug)


def _adoptable(request: HttpRequest, slug: str, pk: int) -> tuple[Viewer, Drift]:
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    drift = drifts().filter(pk=pk, target__project=project).first()
    if drift is None:
        raise NotVisible(_("There is no such drift."))
    verbs.may_adopt(viewer, project)
    return viewer, drift


def _likely(choices: list[Choice]) -> str:
    """The one that the project has already, where it is the only one; others are a choice."""
    able = [each for each in choices if each.granted is not None]
    held = [each for each in able if each.balance] or able
    return held[0].offering.slug if len(held) == 1 else ""


def _page(
    request: HttpRequest,
    drift: Drift,
    form: AdoptForm,
    refused: DomainError | None = None,
    status: int = 200,
) -> HttpResponse:
    why_not = why_not_adopt(drift)
    choices = [] if why_not else choices_of(drift)
    context: dict[str, Any] = {
        "here": "projects",
        "project": drift.target.project,
        "drift": drift,
        "sentence": sentence_of(drift),
        "why_not": why_not,
        "choices": choices,
        "chosen": form["offering"].value() or _likely(choices),
        "form": form,
        "refused": refused,
    }
    return render(request, "projects/adopt.html", context, status=status)
