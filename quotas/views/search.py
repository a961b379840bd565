"""The search box of the frame: a request's number, a project, a person, a unit."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from projects.views.viewer import viewer_of
from quotas.queries.search import MAX_TEXT, number_in
from quotas.queries.search import find as find_things


@shows("own")
@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """What was found; a request's number leads straight there."""
    text = "".join(each for each in request.GET.get("q", "") if each.isprintable())[:MAX_TEXT]
    found = find_things(viewer_of(request), text) if text.strip() else None
    if found is not None and found.requests and number_in(text) is not None:
        return redirect("request_detail", number=found.requests[0].pk)
    return render(request, "find.html", {"here": "find", "find_text": text, "found": found})
