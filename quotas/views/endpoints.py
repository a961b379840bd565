"""The life of an endpoint at its pages: pause, read-only, resume, and what each holds up."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from portal.lib.access import shows
from portal.lib.errors import Invalid, Stale
from projects.queries.viewers import Viewer
from quotas.actions import endpoints as verbs
from quotas.actions.repairs import check_pause
from quotas.forms import CloseForm, take_errors
from quotas.models import Endpoint
from quotas.queries.operations import EndpointRow, held_up_by
from quotas.queries.repairers import Repairs, zones_served

from .operations import endpoint_of, reader_of

Verb = Callable[..., Endpoint]


@shows("operate")
@require_http_methods(["GET", "HEAD", "POST"])
def endpoint_pause(request: HttpRequest, slug: str) -> HttpResponse:
    """What a pause holds up, why and until when; then the pause."""
    return _close(request, slug, "pause", verbs.pause)


@shows("operate")
@require_http_methods(["GET", "HEAD", "POST"])
def endpoint_restrict(request: HttpRequest, slug: str) -> HttpResponse:
    """The same for read-only."""
    return _close(request, slug, "restrict", verbs.restrict)


@shows("operate")
@require_POST
def endpoint_resume(request: HttpRequest, slug: str) -> HttpResponse:
    """Open it again; nothing is destroyed by that, so nothing is asked before."""
    viewer = reader_of(request)
    endpoint = endpoint_of(viewer, slug)
    verbs.resume(endpoint=endpoint, actor=viewer.user, now=viewer.now)
    waiting = _row(viewer, endpoint).waiting_count
    said = ngettext(
        "%(name)s is open again; %(count)s change goes on.",
        "%(name)s is open again; %(count)s changes go on in order.",
        waiting,
    )
    words = {"name": endpoint.name, "count": waiting}
    messages.success(request, said % words if waiting else _("%(name)s is open again.") % words)
    return redirect("endpoint_detail", slug=slug)


def _close(request: HttpRequest, slug: str, name: str, verb: Verb) -> HttpResponse:
    viewer = reader_of(request)
    endpoint = endpoint_of(viewer, slug)
    check_pause(viewer, endpoint)
    if request.method != "POST":
        return _show(request, viewer, endpoint, name, CloseForm(initial=_terms(endpoint, name)))
    form = CloseForm(request.POST)
    if not form.is_valid():
        return _show(request, viewer, endpoint, name, form, status=422)
    try:
        verb(endpoint=endpoint, **form.cleaned_data, actor=viewer.user, now=viewer.now)
    except Invalid as error:
        take_errors(form, error.errors)
        return _show(request, viewer, endpoint, name, form, status=error.status)
    except Stale as error:
        # What was typed stays, beside what is said by now; sent once more, it is meant.
        endpoint.refresh_from_db()
        form = CloseForm({**request.POST.dict(), "seen": error.facts["seen"]})
        form.add_error(None, error.sentence)
        return _show(request, viewer, endpoint, name, form, status=error.status)
    said = _("%(name)s is %(state)s now. Changes wait until it is resumed.")
    words = {"name": endpoint.name, "state": endpoint.get_state_display()}
    messages.success(request, said % words)
    return redirect("endpoint_detail", slug=slug)


def _terms(endpoint: Endpoint, verb: str) -> dict[str, Any]:
    """What is changed where an endpoint is closed in that way already; else nothing."""
    if endpoint.state != verbs.state_after(verb) or (last := endpoint.words.first()) is None:
        return {}
    return {"reason": endpoint.state_reason, "until": endpoint.state_until, "seen": last.pk}


def _show(
    request: HttpRequest,
    viewer: Viewer,
    endpoint: Endpoint,
    verb: str,
    form: CloseForm,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "here": "endpoints",
        "endpoint": endpoint,
        "verb": verb,
        "is_pause": verb == "pause",
        "is_change": endpoint.state == verbs.state_after(verb),
        "form": form,
        "held_up": held_up_by(endpoint, Repairs(viewer)),
        "zones": zones_served(endpoint),
    }
    return render(request, "operations/endpoint_close.html", context, status=status)


def _row(viewer: Viewer, endpoint: Endpoint) -> EndpointRow:
    return held_up_by(endpoint, Repairs(viewer)).rows[0]
