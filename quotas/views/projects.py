"""Projects: the list, and everything about one."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from portal.jinja import draw
from portal.lib.access import shows
from projects.rules import has_an_interest, may_ask, may_ask_for_others, may_decide_in
from projects.states import ProjectState
from projects.views.viewer import viewer_of
from quotas.queries.figures import figures_of
from quotas.queries.home import project_rows
from quotas.queries.project_pages import project_list_of, rooms_in_words
from quotas.queries.project_reading import read_project
from quotas.queries.proposals import standing_of
from quotas.queries.repairers import Repairs
from quotas.queries.usage import DAYS, day_count_of

from .drift_rows import project_rows as drift_rows
from .pages import choice_of, page_of, seen_with_roles, visible_project
from .quota_tables import QuotaTables

MAX_FIND = 100
UNUSED_SHOWN = 3
# What of what is read the page of a project draws as it is.
DRAWN = (
    "chart", "crossings", "loans", "unused", "hold", "changes", "entries", "requests", "members",
    "missing_holders", "deciders", "external_ids",
)  # fmt: skip


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
    project, roles = seen_with_roles(viewer, slug)
    page = read_project(
        viewer,
        project,
        limit=request.GET.get("limit", ""),
        day_count=day_count_of(request.GET.get("days", "")),
    )
    asks = may_ask(roles)
    is_active = project.state == ProjectState.ACTIVE
    repairs = Repairs(viewer)
    tables = QuotaTables(project, viewer.now)
    context = {
        **{name: getattr(page, name) for name in DRAWN},
        "project": project,
        "regions": [(each, tables.of(each)) for each in page.regions if not each.is_empty],
        "empty_regions": [each.region for each in page.regions if each.is_empty],
        "day_choices": DAYS,
        "choices": [
            (row.limit.pk, f"{row.name}, {each.region.name}")
            for each in page.regions
            for row in each.rows
            if not row.is_empty
        ],
        "loan_rows": draw("projects/_loan_rows.jinja", loans=page.loans, now=viewer.now),
        "unused_first": page.unused[:UNUSED_SHOWN],
        "may_lend": may_decide_in(viewer, project) and not has_an_interest(roles),
        "now": viewer.now,
        "drift_rows": drift_rows(viewer, project, page.drifts, roles, repairs),
        "may_ask": asks and is_active,
        "proposal": standing_of(viewer, project, may_ask=asks, targets=page.targets),
        "may_ask_for_others": may_ask_for_others(viewer, project) and is_active,
        "repairs": repairs,
        "here": "projects",
    }
    return render(request, "projects/detail.html", context)


@shows("project")
@require_safe
@vary_on_headers("HX-Request")
def project_room(request: HttpRequest, slug: str) -> HttpResponse:
    """Whether there is room for more of what it has: a page, or the part of the project's own.

    How full an envelope is takes adding up all that lies below it, which few readers wait for.
    """
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    context = {
        "project": project,
        "rooms": rooms_in_words(viewer, project, figures_of(project)),
        "here": "projects",
    }
    is_part = request.htmx  # type: ignore[attr-defined]  # set by django_htmx's middleware
    name = "projects/_room.html" if is_part else "projects/room.html"
    return render(request, name, context)
