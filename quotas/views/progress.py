"""How far a request is: the part that refreshes itself until everything is read back."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from portal.lib.access import shows
from projects.views.viewer import viewer_of

from .pages import visible_request
from .requests import Typed, request_context, request_detail


@shows("project")
@require_safe
@vary_on_headers("HX-Request")
def request_progress(request: HttpRequest, number: int) -> HttpResponse:
    """The part for htmx; the whole page for everybody else."""
    if not request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return request_detail(request, number)
    viewer = viewer_of(request)
    asked = visible_request(viewer, number)
    context = request_context(viewer, asked, Typed())
    # The rest of the page follows only what happened since: a proof that is open stays open.
    is_news = request.GET.get("seen") != str(len(context["entries"]))
    context |= {"is_part": True, "is_news": is_news}
    return render(request, "requests/_progress.html", context)
