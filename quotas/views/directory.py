"""What the directory said and when, for those who run the site; parts that were not believed."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from projects.queries.directory import directory_standing, run_rows, runs
from projects.views.viewer import viewer_of

from .pages import page_of
from .people import people_reader


@shows("people")
@require_safe
def directory_state(request: HttpRequest) -> HttpResponse:
    people_reader(viewer_of(request))
    page = page_of(request, runs())
    context = {
        "here": "endpoints",
        "tab": "people",
        "directory": directory_standing(),
        "page": page,
        "rows": run_rows(page.rows),
    }
    return render(request, "people/directory.html", context)
