"""The catalogue: regions, zones, what is offered there, presets, and how much room there is."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from projects.views.viewer import viewer_of
from quotas.queries.catalogue import catalogue as rows_of_catalogue
from quotas.rules import may_see_zone_fill


@shows("catalogue")
@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """Everything that can be asked for; room as a word, for deciders as figures."""
    viewer = viewer_of(request)
    context = {
        "here": "catalogue",
        "regions": rows_of_catalogue(timezone.localdate(viewer.now)),
        "has_figures": may_see_zone_fill(viewer),
    }
    return render(request, "catalogue/catalogue.html", context)
