"""The work list of those who run the clouds: what is not well, by cause, and what to do."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from portal.lib.access import shows
from portal.lib.errors import Conflict, Invalid, NotVisible
from projects.queries.viewers import Viewer
from projects.rules import may_operate
from quotas.actions import keys, problems
from quotas.actions.operations import retry_target
from quotas.models import Endpoint, Limit
from quotas.problems import Problem, Remedy, known
from quotas.queries.incomplete import incomplete_services
from quotas.queries.problems import Group, group_of, left_out_limits, targets_of, work_list
from quotas.queries.repairers import (
    Repairs,
    readable_targets,
    repairable_targets,
)

from .operations import endpoint_of, reader_of
from .pages import ids_in, page_of

SHOWN = 50
MAX_IDS = 200
REMEDY_WORDS = {
    Remedy.REREAD: gettext_lazy("Look again now"),
    Remedy.RECREATE: gettext_lazy("Make the project anew"),
    Remedy.SKIP_KEY: gettext_lazy("Leave the limit out"),
}


@shows("operations")
@require_safe
def problem_list(request: HttpRequest) -> HttpResponse:
    """Every cause with how many it holds up, the largest first; narrowed to an endpoint."""
    viewer = reader_of(request)
    everything = work_list(readable_targets(viewer), viewer.now)
    chosen = request.GET.get("endpoint", "")
    groups = [each for each in everything.groups if chosen in ("", each.endpoint.slug)]
    counts: dict[Endpoint, int] = {}
    for each in everything.groups:
        counts[each.endpoint] = counts.get(each.endpoint, 0) + each.count
    context = _frame(viewer) | {
        "work": everything,
        "rows": [_row(each, viewer) for each in groups[:SHOWN]],
        "more_count": max(0, len(groups) - SHOWN),
        "endpoints": counts,
        "chosen": chosen,
        "incomplete": incomplete_services(),
        "left_out": left_out_limits() if viewer.sees_everything else [],
    }
    return render(request, "operations/problems.html", context)


@shows("operations")
@require_safe
def problem_detail(request: HttpRequest, cause: str, slug: str) -> HttpResponse:
    """One cause at one endpoint: what it means, what fixes it, and its targets."""
    viewer = reader_of(request)
    return _detail(request, viewer, cause, endpoint_of(viewer, slug))


@shows("operate")
@require_POST
def problem_retry(request: HttpRequest, cause: str, slug: str) -> HttpResponse:
    """Have one, the chosen ones or all tried again."""
    return _act(request, "retry", cause, slug)


@shows("operate")
@require_POST
def problem_skip(request: HttpRequest, cause: str, slug: str) -> HttpResponse:
    """Skip one, the chosen ones or all, with a reason."""
    return _act(request, "skip", cause, slug)


@shows("operate")
@require_POST
def problem_remedy(request: HttpRequest, cause: str, slug: str) -> HttpResponse:
    """Do to one, the chosen ones or all what helps against the problem."""
    return _act(request, "remedy", cause, slug)


@shows("operators")
@require_POST
def limit_take_in(request: HttpRequest, slug: str, limit_id: int) -> HttpResponse:
    """Write a limit again that was left out."""
    viewer = reader_of(request)
    limit = _limit(slug, limit_id)
    keys.take_in(limit=limit, actor=viewer.user, now=viewer.now)
    words = {"key": limit.key, "name": limit.endpoint.name}
    messages.success(request, _("%(key)s is written at %(name)s again.") % words)
    return redirect("problem_list")


@shows("operators")
@require_POST
def limit_leave_out(request: HttpRequest, slug: str, limit_id: int) -> HttpResponse:
    """Leave a limit out at its endpoint, with a reason that people read."""
    viewer = reader_of(request)
    limit = _limit(slug, limit_id)
    reason = request.POST.get("reason", "")
    keys.leave_out(limit=limit, reason=reason, actor=viewer.user, now=viewer.now)
    words = {"key": limit.key, "name": limit.endpoint.name}
    messages.success(request, _("%(key)s is left out at %(name)s.") % words)
    return redirect("problem_list")


def _act(request: HttpRequest, kind: str, cause: str, slug: str) -> HttpResponse:
    """One target at once, several as a job; a reason that is missing shows the page again."""
    viewer = reader_of(request)
    endpoint = endpoint_of(viewer, slug)
    reason = request.POST.get("reason", "")
    common: dict[str, Any] = {"actor": viewer.user, "now": viewer.now}
    one = ids_in(request.POST, "only", 1)
    try:
        if one:
            _act_on(kind, endpoint, one[0], cause, reason, common)
            messages.success(request, _("Done; the workers go on from here."))
            return redirect("problem_detail", cause=cause, slug=slug)
        ids = ids_in(request.POST, "target", MAX_IDS)
        if "all" in request.POST:
            ids = _all_ids(viewer, endpoint, cause)
        job = problems.start(
            kind=kind, endpoint=endpoint, target_ids=ids, reason=reason, cause=cause, **common
        )
    except Invalid as refusal:
        return _detail(request, viewer, cause, endpoint, refusal)
    return redirect("job_detail", number=job.pk)


def _act_on(
    kind: str, endpoint: Endpoint, target_id: int, cause: str, reason: str, common: dict[str, Any]
) -> None:
    if kind == "retry":
        retry_target(endpoint=endpoint, target_id=target_id, **common)
    elif kind == "skip":
        problems.skip_target(target_id=target_id, reason=reason, **common)
    else:
        problems.apply_remedy(target_id=target_id, cause=cause, **common)


def _all_ids(viewer: Viewer, endpoint: Endpoint, cause: str) -> list[int]:
    """Every target of the cause that the person may repair."""
    group = group_of(readable_targets(viewer), endpoint, cause, viewer.now)
    if group is None:
        raise Conflict(_("Nothing has this trouble any more."))
    rows = targets_of(group, repairable_targets(viewer), viewer.now)
    return list(rows.values_list("pk", flat=True))


def _detail(
    request: HttpRequest,
    viewer: Viewer,
    cause: str,
    endpoint: Endpoint,
    refusal: Invalid | None = None,
) -> HttpResponse:
    readable = readable_targets(viewer)
    group = group_of(readable, endpoint, cause, viewer.now)
    problem = group.problem if group else known().by_id(cause)
    if problem is None:
        raise NotVisible(_("There is no such problem."))
    page = page_of(request, targets_of(group, readable, viewer.now)) if group else None
    repairs = Repairs(viewer)
    context = _frame(viewer) | {
        "problem": problem,
        "for_people": problem.for_people % {"name": endpoint.name},
        "endpoint": endpoint,
        "row": _row(group, viewer) if group else None,
        "page": page,
        "mine": {each.pk for each in page.rows if repairs.may_retry(each)} if page else set(),
        "errors": [("", text) for texts in refusal.errors.values() for text in texts]
        if refusal
        else [],
        "reason": request.POST.get("reason", ""),
        "chosen": ids_in(request.POST, "target", MAX_IDS),
    }
    return render(request, "operations/problem.html", context, status=422 if refusal else 200)


def _row(group: Group, viewer: Viewer) -> dict[str, Any]:
    """A group with what may be done about it; a limit is left out by operators alone."""
    problem: Problem = group.problem
    is_offered = problem.remedy in problems.APPLIED and problem.remedy in REMEDY_WORDS
    if problem.remedy is Remedy.SKIP_KEY and not may_operate(viewer):
        is_offered = False
    return {"group": group, "remedy": REMEDY_WORDS[problem.remedy] if is_offered else ""}


def _frame(viewer: Viewer) -> dict[str, Any]:
    return {
        "here": "endpoints",
        "tab": "problems",
        "may_repair": may_operate(viewer) or not viewer.sees_everything,
        "may_operate": may_operate(viewer),
    }


def _limit(slug: str, limit_id: int) -> Limit:
    rows = Limit.objects.select_related("endpoint")
    limit = rows.filter(endpoint__slug=slug, pk=limit_id).first()
    if limit is None:
        raise NotVisible(_("There is no such limit."))
    return limit
