"""What is the most here, and why: everything that bounds one offering in one project."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from projects.views.viewer import viewer_of
from quotas.queries.explain import explain

from .pages import known_offering, visible_project


@shows("project")
@require_safe
def quota_explain(request: HttpRequest, slug: str, offering: str) -> HttpResponse:
    """For who decides, what they may grant; for others, what stands before their asking."""
    viewer = viewer_of(request)
    project, found = visible_project(viewer, slug), known_offering(offering)
    context = {
        "here": "projects",
        "project": project,
        "offering": found,
        "explanation": explain(viewer, project, found),
    }
    return render(request, "projects/explain.html", context)
