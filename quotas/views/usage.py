"""Use against quota over time, of a unit and of a zone; a project's stands on its own page."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from portal.lib.errors import Forbidden, NotVisible
from projects.models import Unit
from projects.queries.viewers import Viewer
from projects.rules import may_see_figures
from projects.views.viewer import viewer_of
from quotas.models import Zone
from quotas.queries.catalogue import rows_of_zone
from quotas.queries.incomplete import incomplete_in
from quotas.queries.unit_usage import Drawable, Drawing, drawables, drawables_of, drawing_of
from quotas.queries.usage import DAYS, day_count_of
from quotas.rules import may_see_zone_fill

from .envelopes import unit_of
from .pages import is_slug


@shows("figures")
@require_safe
def unit_usage(request: HttpRequest, slug: str) -> HttpResponse:
    """What the projects of a unit and of all below it use, and were promised."""
    viewer, unit = viewer_of(request), unit_of(slug)
    if not may_see_figures(viewer, unit.path):
        words = {"unit": unit.label}
        raise Forbidden(_("The figures of %(unit)s are for those who decide there.") % words)
    drawing = _drawing(request, viewer, unit, drawables())
    endpoint = drawing.drawn.limit.endpoint if drawing.drawn else None
    context = {
        "here": "units",
        "unit": unit,
        "endpoint": endpoint if endpoint is not None and endpoint.gaps_since else None,
        **_drawn(drawing),
    }
    return render(request, "units/usage.html", context)


@shows("catalogue")
@require_safe
def zone_detail(request: HttpRequest, zone_id: str) -> HttpResponse:
    """What is offered in a zone, and how much room there is; use over time for who sees figures."""
    viewer, zone = viewer_of(request), _zone(zone_id)
    has_figures = may_see_zone_fill(viewer)
    context: dict[str, Any] = {
        "here": "catalogue",
        "zone": zone,
        "zone_id": zone_id,
        "rows": rows_of_zone(zone, viewer.site_day),
        "has_figures": has_figures,
        "incomplete": incomplete_in(zone),
    }
    if has_figures:
        drawing = _drawing(request, viewer, None, drawables_of(zone))
        others = drawing.drawn.zones if drawing.drawn else []
        context |= _drawn(drawing) | {"others": [each for each in others if each.pk != zone.pk]}
    return render(request, "catalogue/zone.html", context)


def _drawing(
    request: HttpRequest, viewer: Viewer, unit: Unit | None, things: Sequence[Drawable]
) -> Drawing:
    return drawing_of(
        unit, things,
        limit=request.GET.get("limit", ""),
        day_count=day_count_of(request.GET.get("days", "")),
        today=viewer.site_day,
    )  # fmt: skip


def _drawn(drawing: Drawing) -> dict[str, Any]:
    return {
        "chart": drawing.chart,
        "day_choices": DAYS,
        "choices": [
            (each.limit.pk, f"{each.name}, {each.place}") for each in drawing.choices
        ],
    }  # fmt: skip


def _zone(zone_id: str) -> Zone:
    """The zone that is known by both slugs, "geneva.compute-a"."""
    region, _dot, slug = zone_id.partition(".")
    rows = Zone.objects.select_related("region").filter(region__slug=region, slug=slug)
    found = rows.first() if is_slug(zone_id) else None
    if found is None:
        raise NotVisible(_("There is no such zone; the catalogue lists what there is."))
    return found
