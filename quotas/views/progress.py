"""How far a request is: the part that refreshes itself until everything is read back."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from projects.rules import may_read_operations
from projects.views.viewer import viewer_of
from quotas.queries.delivery import progress_of
from quotas.queries.requests import states_of

from .pages import visible_request
from .requests import request_detail


@shows("project")
@require_safe
def request_progress(request: HttpRequest, number: int) -> HttpResponse:
    """The part for htmx; the whole page for everybody else."""
    if not request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return request_detail(request, number)
    viewer = viewer_of(request)
    asked = visible_request(viewer, number)
    context = {
        "asked": asked,
        "state": states_of([asked])[asked.pk],
        "progress": progress_of(asked),
        "has_own_words": may_read_operations(viewer),
        "is_part": True,
    }
    return render(request, "requests/_progress.html", context)
