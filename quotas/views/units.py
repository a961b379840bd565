"""The organisation's tree, and one unit: its projects, its envelopes, who decides."""

from dataclasses import dataclass
from itertools import groupby

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from projects.models import Unit
from projects.queries.patience import patience_of
from projects.rules import may_listen_to_unit, may_oversee, may_see_figures
from projects.states import Power
from projects.views.viewer import viewer_of
from quotas.models import Region
from quotas.queries.envelopes import acts_of
from quotas.queries.policies import rules_of_unit, standing_delegations
from quotas.queries.units import (
    Envelope,
    children_of,
    deciders_of,
    envelopes_of,
    projects_of,
    unit_tree,
)
from quotas.views.envelopes import may_fund, unit_of
from quotas.views.pages import page_of

ACTS_SHOWN = 5


@dataclass(frozen=True)
class RegionEnvelopes:
    """A unit's envelopes in one region, and how many of them have little left."""

    region: Region
    rows: list[Envelope]

    @property
    def tight_count(self) -> int:
        return sum(each.room == "tight" for each in self.rows)

    @property
    def empty_count(self) -> int:
        return sum(each.room == "none" for each in self.rows)


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
    unit = unit_of(slug)
    has_figures = may_see_figures(viewer, unit.path)
    context = {
        "here": "units",
        "unit": unit,
        "above": [each for each in Unit.objects.above(unit.path) if each.pk != unit.pk],
        "children": children_of(unit),
        "page": page_of(request, projects_of(viewer, unit)),
        "envelopes": by_region(envelopes_of(unit)),
        "has_figures": has_figures,
        "may_listen": may_listen_to_unit(viewer, unit.path),
        "deciders": deciders_of(viewer, unit, is_nearest_only=not has_figures),
        "acts": acts_of(unit)[:ACTS_SHOWN] if has_figures else [],
        "may_fund": may_fund(viewer, unit),
        "may_rehome": unit.parent is not None and may_fund(viewer, unit.parent),
        "rules": rules_of_unit(unit, viewer.now),
        "may_make_rule": bool(standing_delegations(viewer, unit)),
        "patience": patience_of([unit.path])[unit.path],
        "may_oversee": may_oversee(viewer),
        "may_name_steward": viewer.holds(Power.DECIDE_PROJECTS, unit.path)
        and unit.retired_at is None,
        "may_set_waiting": viewer.holds(Power.DECIDE_QUOTA, unit.path),
    }
    return render(request, "units/unit_detail.html", context)


def by_region(envelopes: list[Envelope]) -> list[RegionEnvelopes]:
    """The envelopes, which come in the order of their regions, in a part for each."""
    regions = groupby(envelopes, lambda each: each.account.offering.zone.region)
    return [RegionEnvelopes(region, list(rows)) for region, rows in regions]
