"""The first page: what waits for the reader, what they asked for and what they have."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from projects.rules import asks_for_others
from projects.views.viewer import viewer_of
from quotas.queries.ask import askable_projects
from quotas.queries.home import amiss_of, home_of
from quotas.queries.lives import waiting_changes
from quotas.queries.loan_changes import with_loans
from quotas.queries.notices import SHOWN, notices_of
from quotas.views.notices import notice_items


@shows("own")
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    viewer = viewer_of(request)
    told = list(notices_of(viewer, is_unread=True)[: SHOWN + 1])
    found = home_of(viewer)
    context = {
        "home": found,
        # What the frame would ask for by itself.
        "queue_count": found.waiting_count,
        "changes": with_loans(waiting_changes(viewer)[:SHOWN]),
        "amiss": amiss_of(viewer),
        "notices": notice_items(told[:SHOWN], viewer),
        "has_more_notices": len(told) > SHOWN,
        "may_ask": bool(askable_projects(viewer)),
        "asks_for_others": asks_for_others(viewer),
        "here": "home",
    }
    return render(request, "home.html", context)
