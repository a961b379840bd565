"""Why a project has so much of an offering, and why a decision was allowed."""

from datetime import date

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from portal.lib.errors import Invalid, NotVisible
from projects.views.viewer import viewer_of
from quotas.queries.proofs import visible_decisions, why_allowed
from quotas.queries.why import FIRST_DAY, end_of_day, why

from .pages import known_offering, visible_project


@shows("project")
@require_safe
def quota_why(request: HttpRequest, slug: str, offering: str) -> HttpResponse:
    """`?as_of=YYYY-MM-DD`: as it was at the end of that day in the reader's zone."""
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    found = known_offering(offering)
    text, status, error, day = request.GET.get("as_of", ""), 200, "", None
    try:
        day = _day(text, timezone.localdate(viewer.now))
    except Invalid as refusal:
        status, error = refusal.status, refusal.sentence
    context = {
        "project": project,
        "offering": found,
        "why": why(project, found, end_of_day(day) if day else None),
        "day": day,
        "text": text,
        "error": error,
        "error_rows": [("as_of", error)] if error else [],
        "here": "projects",
    }
    return render(request, "projects/why.html", context, status=status)


def _day(text: str, today: date) -> date | None:
    """The day that was typed, None for none; raises Invalid."""
    if not text:
        return None
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None:
        raise Invalid({"as_of": [_("That is no day. Write it as 2026-11-20.")]})
    if not FIRST_DAY <= day <= today:
        raise Invalid({"as_of": [_("Choose a day that has been; today is the last.")]})
    return day


@shows("project")
@require_safe
def decision_why(request: HttpRequest, pk: int) -> HttpResponse:
    """The proof of one decision, and whether it still agrees with history."""
    viewer = viewer_of(request)
    decision = visible_decisions(viewer).filter(pk=pk).first()
    if decision is None:
        raise NotVisible(_("There is no such decision, or it is not for you to see."))
    context = {
        "here": "requests",
        "why": why_allowed(viewer, decision),
        "decision": decision,
        "asked": decision.request,
        "project": decision.request.project,
    }
    return render(request, "decide/why_allowed.html", context)
