"""Long work: how far it is, what became of each thing, and where to find it again."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from portal.lib.access import shows
from portal.lib.errors import NotVisible
from projects.queries.viewers import Viewer
from projects.rules import may_read_operations
from projects.views.viewer import viewer_of
from quotas.actions.jobs import KINDS
from quotas.models import Job
from quotas.problems import known
from quotas.queries.jobs import JobRow, item_rows, items_of, job_rows, visible_jobs
from quotas.states import ItemState

from .pages import choice_of, page_of


@shows("own")
@require_safe
def job_list(request: HttpRequest) -> HttpResponse:
    """The jobs of the reader; for operators those of all."""
    viewer = viewer_of(request)
    page = page_of(request, visible_jobs(viewer))
    context = _frame(viewer) | {"page": page, "rows": _titled(job_rows(page.rows, viewer.now))}
    return render(request, "jobs/list.html", context)


@shows("job")
@require_safe
def job_detail(request: HttpRequest, number: int) -> HttpResponse:
    """One job with its items; what was not done comes first."""
    viewer = viewer_of(request)
    job = _job(viewer, number)
    state = choice_of(request.GET, "state", ItemState, None)
    page = page_of(request, items_of(job, state or ""))
    context = _frame(viewer) | _progress(viewer, job)
    context |= {"page": page, "items": item_rows(page.rows, viewer), "state": state or ""}
    return render(request, "jobs/detail.html", context)


@shows("job")
@require_safe
@vary_on_headers("HX-Request")
def job_progress(request: HttpRequest, number: int) -> HttpResponse:
    """The part for htmx; the whole page for everybody else."""
    if not request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return job_detail(request, number)
    viewer = viewer_of(request)
    context = _progress(viewer, _job(viewer, number)) | {"is_part": True}
    return render(request, "jobs/_progress.html", context)


def title_of(job: Job) -> str:
    """What a job does, as a heading; of a remedy, against what."""
    kind = KINDS.get(job.kind)
    title = str(kind.title) if kind else job.kind
    problem = known().by_id(str(job.arguments.get("cause", "")))
    if problem is None:
        return title
    return _("%(label)s: %(words)s") % {"label": title, "words": problem.title}


def _titled(rows: list[JobRow]) -> list[tuple[str, JobRow]]:
    return [(title_of(row.job), row) for row in rows]


def _progress(viewer: Viewer, job: Job) -> dict[str, Any]:
    (row,) = job_rows([job], viewer.now)
    return {"job": job, "row": row, "title": title_of(job)}


def _frame(viewer: Viewer) -> dict[str, Any]:
    """Who repairs finds it among the operators' pages, everybody else below home."""
    is_repairing = may_read_operations(viewer)
    return {"here": "endpoints" if is_repairing else "home", "tab": "jobs",
            "has_operations": is_repairing}  # fmt: skip


def _job(viewer: Viewer, number: int) -> Job:
    job = visible_jobs(viewer).filter(pk=number).first()
    if job is None:
        raise NotVisible(_("There is no such job, or it is not for you to see."))
    return job
