"""A project's place in an identity service: adopt the one that has the name, or have one made."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.lib.access import shows
from portal.lib.errors import Forbidden, NotVisible
from projects.queries.viewers import Viewer
from projects.rules import may_operate
from quotas.actions import project_adoption as verbs
from quotas.actions.repairs import check_retry
from quotas.models import Target
from quotas.queries.repairers import readable_targets

from .operations import endpoint_of, reader_of


@shows("operators")
@require_http_methods(["GET", "HEAD", "POST"])
def target_adopt(request: HttpRequest, slug: str, target_id: int) -> HttpResponse:
    """Which project has the name, and what adopting it does; then the adoption."""
    viewer = reader_of(request)
    if not may_operate(viewer):
        raise Forbidden(_("Only operators can adopt a project."))
    target = _target(viewer, slug, target_id)
    if request.method == "POST":
        verbs.adopt_project(
            target=target,
            external_id=request.POST.get("external_id", ""),
            actor=viewer.user,
            now=viewer.now,
        )
        words = {"project": target.project.name}
        messages.success(request, _("A worker adopts %(project)s now.") % words)
        return redirect("endpoint_detail", slug=slug)
    context = {
        "here": "endpoints",
        "target": target,
        "theirs": target.name_taken_by,
        "why_not": verbs.why_not_adopt(target),
    }
    return render(request, "operations/target_adopt.html", context)


@shows("operate")
@require_http_methods(["GET", "HEAD", "POST"])
def target_recreate(request: HttpRequest, slug: str, target_id: int) -> HttpResponse:
    """What making a deleted project anew does; then the wish for it."""
    viewer = reader_of(request)
    target = _target(viewer, slug, target_id)
    if request.method == "POST":
        verbs.recreate_project(target=target, actor=viewer.user, now=viewer.now)
        words = {"project": target.project.name}
        messages.success(
            request, _("%(project)s is made anew, if it still is gone from the cloud.") % words
        )
        return redirect("endpoint_detail", slug=slug)
    identity = verbs.identity_target(target)
    check_retry(viewer, identity)
    context = {
        "here": "endpoints",
        "target": target,
        "identity": identity.endpoint,
        "why_not": verbs.why_not_recreate(identity),
    }
    return render(request, "operations/target_recreate.html", context)


def _target(viewer: Viewer, slug: str, target_id: int) -> Target:
    endpoint = endpoint_of(viewer, slug)
    found = (
        readable_targets(viewer)
        .select_related("project__unit", "endpoint__identity")
        .filter(endpoint=endpoint, pk=target_id)
        .first()
    )
    if found is None:
        raise NotVisible(_("There is no such target."))
    return found
