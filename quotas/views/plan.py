"""The plan: what will be written where, what stands in its way, and asking for readings."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from portal.lib.access import shows
from portal.lib.errors import Conflict, NotVisible
from projects.queries.viewers import Viewer
from quotas.actions.refresh import refresh_target, refresh_targets
from quotas.models import Endpoint, Target
from quotas.queries.plan import Show, plan_of, planned_targets, totals
from quotas.queries.plan_words import endpoint_warning, is_asked, no_reading
from quotas.queries.repairers import Repairs, readable_targets

from .operations import endpoint_of, reader_of
from .pages import choice_of, ids_in, is_slug, page_of, visible_project

PAGE_SIZE = 20
MOST_SENT = 100
# A row that waits for its reading looks so often, every two seconds, then leaves it to people.
MOST_LOOKS = 30


@shows("operations")
@require_safe
def endpoint_plan(request: HttpRequest, slug: str) -> HttpResponse:
    """What will become of each limit at an endpoint; what changes or warns, unless all is asked."""
    viewer = reader_of(request)
    endpoint = endpoint_of(viewer, slug)
    project = request.GET.get("project", "").strip()
    scope = readable_targets(viewer).filter(endpoint=endpoint)
    if project:
        scope = scope.filter(project__slug=project) if is_slug(project) else scope.none()
    context = {
        "here": "endpoints",
        "tab": "endpoints",
        "endpoint": endpoint,
        "project_slug": project,
        "held_up": endpoint_warning(endpoint),
        "left_out": endpoint.limits.filter(left_out_at__isnull=False).select_related("left_out_by"),
    }
    return _page(request, viewer, scope, context, "operations/plan.html", "project__slug")


@shows("operations")
@require_safe
def project_plan(request: HttpRequest, slug: str) -> HttpResponse:
    """What will become of each limit of a project, at every endpoint that the reader may see."""
    viewer = reader_of(request)
    project = visible_project(viewer, slug)
    scope = readable_targets(viewer).filter(project=project, endpoint__identity__isnull=False)
    context: dict[str, object] = {"here": "projects", "project": project}
    return _page(request, viewer, scope, context, "operations/plan_project.html", "endpoint__slug")


@shows("operations")
@require_safe
@vary_on_headers("HX-Request")
def target_plan(request: HttpRequest, slug: str, target_id: int) -> HttpResponse:
    """The rows of one target, for htmx; the plan of its project for everybody else."""
    viewer = reader_of(request)
    target = _target(viewer, endpoint_of(viewer, slug), target_id)
    if not request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return redirect(_address(target))
    return _rows(request, viewer, target)


@shows("operate")
@require_POST
def target_refresh(request: HttpRequest, slug: str, target_id: int) -> HttpResponse:
    """Have one target read again."""
    viewer = reader_of(request)
    target = _target(viewer, endpoint_of(viewer, slug), target_id)
    is_part = request.htmx  # type: ignore[attr-defined]  # as above
    try:
        refresh_target(target=target, actor=viewer.user, now=viewer.now)
    except Conflict as refusal:
        if not is_part:
            raise
        return _rows(request, viewer, target, said=refusal.sentence)
    if is_part:
        return _rows(request, viewer, _target(viewer, target.endpoint, target.pk))
    messages.success(request, _("A reading of %(name)s comes.") % {"name": target.project.name})
    return redirect(_address(target))


@shows("operate")
@require_POST
def endpoint_refresh(request: HttpRequest, slug: str) -> HttpResponse:
    """Have the targets shown on a page of the plan read again."""
    viewer = reader_of(request)
    endpoint = endpoint_of(viewer, slug)
    asked = refresh_targets(
        endpoint=endpoint,
        target_ids=ids_in(request.POST, "target", MOST_SENT),
        actor=viewer.user,
        now=viewer.now,
    )
    said = ngettext("%(count)s reading comes.", "%(count)s readings come.", len(asked.target_ids))
    messages.success(request, said % {"count": len(asked.target_ids)})
    address = reverse("endpoint_plan", args=[slug])
    return redirect(f"{address}?{_kept(request.POST).urlencode()}")


def _page(
    request: HttpRequest,
    viewer: Viewer,
    scope: QuerySet[Target],
    context: dict[str, object],
    template: str,
    order: str,
) -> HttpResponse:
    show = choice_of(request.GET, "show", Show, Show.OPEN)
    page = page_of(request, planned_targets(scope, show).order_by(order, "pk"), PAGE_SIZE)
    context |= _table(viewer, page.rows, show) | {
        "page": page,
        "totals": totals(scope),
        "choices": Show,
        "kept": _kept(request.GET),
    }
    return render(request, template, context)


def _table(viewer: Viewer, targets: list[Target], show: Show) -> dict[str, Any]:
    """What the rows of a plan need."""
    repairs = Repairs(viewer)
    readable = {each.pk for each in targets if not no_reading(each)}
    return {
        "show": show,
        "rows": plan_of(targets, show),
        "asked": {each.pk for each in targets if is_asked(each, viewer.now)},
        "refreshable": {
            each.pk for each in targets if each.pk in readable and repairs.may_retry(each)
        },
        "looks": 0,
        "most_looks": MOST_LOOKS,
        "said": "",
    }


def _rows(request: HttpRequest, viewer: Viewer, target: Target, *, said: str = "") -> HttpResponse:
    """The rows of one target as htmx swaps them, with all that it has: it was asked about."""
    text = request.GET.get("looks", "0")
    looks = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    show = choice_of(request.GET, "show", Show, Show.OPEN)
    of_project = request.GET.get("of") == "project"
    # The head's figures are of the page that asked; told once the reading has come.
    scope = readable_targets(viewer)
    if of_project:
        scope = scope.filter(project=target.project, endpoint__identity__isnull=False)
    else:
        scope = scope.filter(endpoint=target.endpoint)
    is_narrowed = request.GET.get("project") == target.project.slug
    if is_narrowed:
        scope = scope.filter(project=target.project)
    context = _table(viewer, [target], show)
    context |= {
        "endpoint": target.endpoint,
        "project": target.project if of_project else None,
        "project_slug": target.project.slug if is_narrowed else "",
        "totals": None if target.pk in context["asked"] else totals(scope),
        "looks": looks + 1,
        "said": said,
        "is_part": True,
    }
    return render(request, "operations/_plan_table.html", context)


def _target(viewer: Viewer, endpoint: Endpoint, target_id: int) -> Target:
    rows = readable_targets(viewer).select_related("project__unit", "endpoint__identity")
    found = rows.filter(endpoint=endpoint, pk=target_id).first()
    if found is None:
        raise NotVisible(_("There is no such target, or it is not for you to see."))
    return found


def _address(target: Target) -> str:
    address = reverse("endpoint_plan", args=[target.endpoint.slug])
    return f"{address}?show=all&project={target.project.slug}"


def _kept(sent: QueryDict) -> QueryDict:
    """What of an address stays when something else of it changes."""
    kept = QueryDict(mutable=True)
    for name in ("show", "project", "page"):
        if value := sent.get(name):
            kept[name] = str(value)
    return kept
