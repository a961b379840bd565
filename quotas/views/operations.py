"""The endpoints for those who run the cloud: how each is, what failed there, try again."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from portal.lib.access import shows
from portal.lib.errors import Forbidden, NotVisible
from projects.queries.viewers import Viewer
from projects.rules import may_operate, may_read_operations
from projects.views.viewer import viewer_of
from quotas.actions import operations as verbs
from quotas.models import Endpoint
from quotas.queries.operations import (
    EndpointRow,
    endpoint_rows,
    target_counts,
    unapplied_targets,
)
from quotas.states import TargetState
from quotas.views.pages import page_of


@shows("operations")
@require_safe
def endpoint_list(request: HttpRequest) -> HttpResponse:
    """Every endpoint with its state and its targets counted."""
    viewer = _reader(request)
    context = {
        "here": "endpoints",
        "rows": endpoint_rows(),
        "may_operate": may_operate(viewer),
    }
    return render(request, "operations/endpoint_list.html", context)


@shows("operations")
@require_safe
def endpoint_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One endpoint and the targets that are not true there, in the service's own words."""
    viewer = _reader(request)
    endpoint = _endpoint(slug)
    state = request.GET.get("state", "")
    chosen = state if state in TargetState.values else ""
    row = EndpointRow(endpoint, target_counts([endpoint])[endpoint.pk])
    context = {
        "here": "endpoints",
        "row": row,
        "endpoint": endpoint,
        "state": chosen,
        "page": page_of(request, unapplied_targets(endpoint, chosen)),
        "may_operate": may_operate(viewer),
        "has_failed": any(row.counts.get(each) for each in verbs.FAILED),
        # What is due or in work is tried without being told.
        "retried": (*verbs.FAILED, TargetState.SKIPPED),
    }
    return render(request, "operations/endpoint_detail.html", context)


@shows("operate")
@require_POST
def endpoint_retry(request: HttpRequest, slug: str) -> HttpResponse:
    """Have everything that failed at the endpoint tried again."""
    viewer = _reader(request)
    count = verbs.retry_endpoint(endpoint=_endpoint(slug), actor=viewer.user, now=viewer.now)
    said = ngettext(
        "%(count)s target is tried again now.", "%(count)s targets are tried again now.", count
    )
    messages.success(request, said % {"count": count})
    return redirect("endpoint_detail", slug=slug)


@shows("operate")
@require_POST
def target_retry(request: HttpRequest, slug: str, target_id: int) -> HttpResponse:
    """Have one target tried again."""
    viewer = _reader(request)
    target = verbs.retry_target(
        endpoint=_endpoint(slug), target_id=target_id, actor=viewer.user, now=viewer.now
    )
    words = {"project": target.project.name}
    messages.success(request, _("%(project)s is tried again now.") % words)
    return redirect("endpoint_detail", slug=slug)


def _reader(request: HttpRequest) -> Viewer:
    viewer = viewer_of(request)
    if not may_read_operations(viewer):
        raise Forbidden(_("Endpoints are for operators and auditors."))
    return viewer


def _endpoint(slug: str) -> Endpoint:
    found = Endpoint.objects.select_related("region", "identity", "state_by").filter(slug=slug)
    endpoint = found.first()
    if endpoint is None:
        raise NotVisible(_("There is no such endpoint."))
    return endpoint
