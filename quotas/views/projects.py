"""Projects: the list, and everything about one."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from projects.queries.viewers import roles_in
from projects.rules import has_an_interest, may_ask, may_ask_for_others, may_decide_in
from projects.states import ProjectState
from projects.views.viewer import viewer_of
from quotas.queries.crossings import open_crossings
from quotas.queries.figures import figures_of, open_loans
from quotas.queries.holders import missing_holders
from quotas.queries.home import project_rows
from quotas.queries.lives import hold_on, open_changes
from quotas.queries.project_pages import (
    external_ids,
    members_of,
    open_requests,
    project_list_of,
    rooms_in_words,
    who_decides,
)
from quotas.queries.proposals import standing_of
from quotas.queries.repairers import Repairs
from quotas.queries.timeline import project_timeline
from quotas.queries.unused_lists import unused_at_hand
from quotas.queries.usage import DAYS, day_count_of, usage_of

from .drift_rows import project_rows as drift_rows
from .pages import choice_of, page_of, visible_project

MAX_FIND = 100
UNUSED_SHOWN = 3


@shows("own")
@require_safe
def project_list(request: HttpRequest) -> HttpResponse:
    """Own projects first; `?q=` filters by name, `?state=` by state."""
    viewer = viewer_of(request)
    text = request.GET.get("q", "").strip()[:MAX_FIND].replace("\0", "")
    state = choice_of(request.GET, "state", ProjectState, "")
    page = page_of(request, project_list_of(viewer, text, state))
    context = {
        "page": page,
        "rows": project_rows(page.rows, count=1),
        "own_ids": {project.pk for project in page.rows if getattr(project, "is_own", False)},
        "text": text,
        "state": state,
        "states": ProjectState.choices,
        "here": "projects",
    }
    return render(request, "projects/list.html", context)


@shows("project")
@require_safe
def project_detail(request: HttpRequest, slug: str) -> HttpResponse:
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    regions = figures_of(project)
    roles = roles_in(viewer, project)
    asks = may_ask(roles)
    unused = unused_at_hand(project)
    context = {
        "project": project,
        "regions": [each for each in regions if not each.is_empty],
        "empty_regions": [each.region for each in regions if each.is_empty],
        "chart": usage_of(
            project,
            regions,
            limit=request.GET.get("limit", ""),
            day_count=day_count_of(request.GET.get("days", "")),
            today=viewer.site_day,
        ),
        "day_choices": DAYS,
        "choices": [
            (row.limit.pk, f"{row.name}, {each.region.name}")
            for each in regions
            for row in each.rows
            if not row.is_empty
        ],
        "crossings": open_crossings(project),
        "loans": open_loans([project]),
        "unused": unused,
        "unused_first": unused[:UNUSED_SHOWN],
        "may_lend": may_decide_in(viewer, project) and not has_an_interest(roles),
        "hold": hold_on(project),
        "changes": open_changes(project),
        "now": viewer.now,
        "entries": project_timeline(project),
        "requests": open_requests(viewer, project),
        "members": members_of(project, viewer.now),
        "missing_holders": missing_holders(project, viewer.now),
        "deciders": who_decides(project, viewer.now),
        "rooms": rooms_in_words(viewer, project, regions),
        "external_ids": external_ids(project),
        "drift_rows": drift_rows(viewer, project),
        "may_ask": asks and project.state == ProjectState.ACTIVE,
        "proposal": standing_of(viewer, project, may_ask=asks),
        "may_ask_for_others": may_ask_for_others(viewer, project)
        and project.state == ProjectState.ACTIVE,
        "repairs": Repairs(viewer),
        "here": "projects",
    }
    return render(request, "projects/detail.html", context)
