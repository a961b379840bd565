"""Where deciders are missing, or soon will be, with what to do about each."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from projects.rules import may_hand_on, may_see_orphans
from projects.views.viewer import viewer_of
from quotas.queries.coverage import AWAY, MOST, ROOT_SOON, SOON, coverage_of


@shows("coverage")
@require_safe
def coverage(request: HttpRequest) -> HttpResponse:
    """For those who audit a subtree, or decide there and can hand that on; for operators all."""
    viewer = viewer_of(request)
    context = {
        "here": "remit",
        "coverage": coverage_of(viewer),
        "may_hand_on": may_hand_on(viewer),
        "sees_orphans": may_see_orphans(viewer),
        "is_whole": viewer.sees_everything,
        "most": MOST,
        "soon_days": SOON.days,
        "root_days": ROOT_SOON.days,
        "away_days": AWAY.days,
    }
    return render(request, "coverage/coverage.html", context)
