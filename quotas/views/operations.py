"""The endpoints for those who run and repair the cloud: how each is, what failed, try again."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from portal.lib import pace
from portal.lib.access import shows
from portal.lib.errors import Forbidden, NotVisible
from projects.queries.directory import directory_standing
from projects.queries.viewers import Viewer
from projects.rules import may_operate, may_read_operations
from projects.states import Power
from projects.views.viewer import viewer_of
from quotas.actions import operations as verbs
from quotas.actions.repairs import check_read
from quotas.models import Endpoint
from quotas.queries.operations import endpoint_rows, rows_of, unapplied_targets, with_news
from quotas.queries.repairers import Repairs, zones_served
from quotas.states import EndpointState, TargetState
from quotas.views.pages import page_of

# Of who closed an endpoint and why; the API lists all.
WORDS_SHOWN = 10


@shows("operations")
@require_safe
def endpoint_list(request: HttpRequest) -> HttpResponse:
    """Every endpoint that the person reads, with its state and its targets counted."""
    viewer = reader_of(request)
    context = {
        "here": "endpoints",
        "tab": "endpoints",
        "rows": with_news(endpoint_rows(viewer), viewer.now),
        "sees_all": viewer.sees_everything,
        "directory": directory_standing()
        if settings.DIRECTORY and viewer.sees_everything
        else None,
        "is_unlimited": viewer.sees_everything and pace.is_on() and not pace.is_up(),
    }
    return render(request, "operations/endpoint_list.html", context)


@shows("operations")
@require_safe
def endpoint_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One endpoint and the targets that are not true there, in the service's own words."""
    viewer = reader_of(request)
    endpoint = endpoint_of(viewer, slug)
    state = request.GET.get("state", "")
    chosen = state if state in TargetState.values else ""
    repairs = Repairs(viewer)
    (row,) = with_news(rows_of([endpoint], repairs), viewer.now)
    page = page_of(request, unapplied_targets(viewer, endpoint, chosen))
    zones = zones_served(endpoint)
    may_retry_here = viewer.is_operator or repairs.covers(endpoint, Power.RETRY_DELIVERIES)
    context = {
        "here": "endpoints",
        "tab": "endpoints",
        "row": row,
        "endpoint": endpoint,
        "zones": zones,
        "outside": [] if row.reads_words else repairs.unrepaired(zones),
        "held_by_identity": (EndpointState.PAUSED, EndpointState.UNREACHABLE),
        "state": chosen,
        "page": page,
        "words": endpoint.words.select_related("actor")[:WORDS_SHOWN],
        "may_pause": repairs.may_pause(endpoint),
        "may_retry": may_retry_here,
        "may_adopt": may_operate(viewer),
        "has_failed": any(row.counts.get(each) for each in verbs.FAILED),
        # What is due or in work is tried without being told.
        "retried": {
            target.pk
            for target in page.rows
            if target.state in (*verbs.FAILED, TargetState.SKIPPED) and repairs.may_retry(target)
        },
    }
    return render(request, "operations/endpoint_detail.html", context)


@shows("operate")
@require_POST
def endpoint_retry(request: HttpRequest, slug: str) -> HttpResponse:
    """Have everything that failed at the endpoint tried again."""
    viewer = reader_of(request)
    endpoint = endpoint_of(viewer, slug)
    count = verbs.retry_endpoint(endpoint=endpoint, actor=viewer.user, now=viewer.now)
    said = ngettext(
        "%(count)s target is tried again now.", "%(count)s targets are tried again now.", count
    )
    messages.success(request, said % {"count": count})
    return redirect("endpoint_detail", slug=slug)


@shows("operate")
@require_POST
def target_retry(request: HttpRequest, slug: str, target_id: int) -> HttpResponse:
    """Have one target tried again."""
    viewer = reader_of(request)
    target = verbs.retry_target(
        endpoint=endpoint_of(viewer, slug),
        target_id=target_id,
        actor=viewer.user,
        now=viewer.now,
    )
    words = {"project": target.project.name}
    messages.success(request, _("%(project)s is tried again now.") % words)
    return redirect("endpoint_detail", slug=slug)


def reader_of(request: HttpRequest) -> Viewer:
    """Somebody who reads about operations at all; raises Forbidden."""
    viewer = viewer_of(request)
    if not may_read_operations(viewer):
        raise Forbidden(_("Endpoints are for operators, auditors and those who repair."))
    return viewer


def endpoint_of(viewer: Viewer, slug: str) -> Endpoint:
    """The endpoint, or NotVisible; Forbidden where it serves no zone of a repairer's.

    That it exists is no secret: the catalogue and the pages of projects name it.
    """
    found = Endpoint.objects.select_related(
        "region", "identity", "state_by", "call_pace", "survey_run"
    )
    endpoint = found.filter(slug=slug).first()
    if endpoint is None:
        raise NotVisible(_("There is no such endpoint."))
    check_read(viewer, endpoint)
    return endpoint
