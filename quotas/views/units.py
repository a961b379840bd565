"""The organisation's tree, and one unit: its projects, its envelopes, who decides."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from portal.lib.errors import NotVisible
from projects.models import Unit
from projects.rules import may_see_figures
from projects.views.viewer import viewer_of
from quotas.queries.units import deciders_of, envelopes_of, projects_of, unit_tree
from quotas.views.pages import page_of


@shows("catalogue")
@require_safe
def unit_list(request: HttpRequest) -> HttpResponse:
    """Every living unit as a tree."""
    context = {"here": "units", "roots": unit_tree(viewer_of(request))}
    return render(request, "units/unit_list.html", context)


@shows("catalogue")
@require_safe
def unit_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One unit; its envelopes as a word, for those who decide there as figures."""
    viewer = viewer_of(request)
    unit = Unit.objects.filter(slug=slug).first()
    if unit is None:
        raise NotVisible(_("There is no such unit."))
    has_figures = may_see_figures(viewer, unit.path)
    context = {
        "here": "units",
        "unit": unit,
        "above": [each for each in Unit.objects.above(unit.path) if each.pk != unit.pk],
        "children": Unit.objects.filter(parent=unit, retired_at__isnull=True).order_by("name"),
        "page": page_of(request, projects_of(viewer, unit)),
        "envelopes": envelopes_of(unit),
        "has_figures": has_figures,
        "deciders": deciders_of(viewer, unit, is_nearest_only=not has_figures),
    }
    return render(request, "units/unit_detail.html", context)
