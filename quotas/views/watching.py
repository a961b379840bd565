"""Following a request: be told of what happens to it, or no more."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.lib.access import shows
from projects.queries.viewers import Viewer
from projects.views.viewer import viewer_of
from quotas.actions.watching import unwatch, watch
from quotas.models import QuotaRequest, Watcher

from .pages import visible_request


def watching_context(
    viewer: Viewer, asked: QuotaRequest, writers: frozenset[int]
) -> dict[str, Any]:
    """What the page of a request says about it. writers: ids of who wrote on it.

    Who asked and who wrote is told anyway, so there is nothing to choose.
    """
    person = viewer.user.pk
    is_told_anyway = person in {asked.requester_id, asked.asked_by_id, *writers}
    is_draft = asked.submitted_at is None
    return {
        "is_told_anyway": is_told_anyway and not is_draft,
        "may_watch": not is_told_anyway and not is_draft,
        "is_watching": not is_told_anyway
        and Watcher.objects.filter(request=asked, person=viewer.user).exists(),
    }


@shows("project")
@require_POST
def request_watch(request: HttpRequest, number: int) -> HttpResponse:
    viewer = viewer_of(request)
    asked = visible_request(viewer, number)
    watch(quota_request=asked, actor=viewer.user, now=viewer.now)
    messages.success(request, _("You are told of what happens to it, on your first page."))
    return redirect("request_detail", number=number)


@shows("project")
@require_POST
def request_unwatch(request: HttpRequest, number: int) -> HttpResponse:
    viewer = viewer_of(request)
    asked = visible_request(viewer, number)
    unwatch(quota_request=asked, actor=viewer.user)
    return redirect("request_detail", number=number)
