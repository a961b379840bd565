"""Moving and retiring a unit at its pages: what it would mean, then the act."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.lib.access import shows
from portal.lib.errors import DomainError, Invalid, NotVisible, Stale
from projects.models import Unit
from projects.queries.viewers import Viewer, below
from projects.views.viewer import viewer_of
from quotas.actions import unit_changes as verbs
from quotas.actions.funding import POWER, check_holder
from quotas.forms import PassingForm, take_errors
from quotas.queries.unit_changes import move_of, retirement_of

from .envelopes import unit_of
from .pages import is_slug

PARENTS_SHOWN = 500


@shows("fund")
@require_http_methods(["GET", "HEAD", "POST"])
def unit_move(request: HttpRequest, slug: str) -> HttpResponse:
    """`?parent=` says where to; then what goes along, what changes for whom, and the act."""
    viewer, unit = viewer_of(request), unit_of(slug)
    check_holder(viewer, unit)
    data = request.POST if request.method == "POST" else request.GET
    name = data.get("parent", "")
    if not name:
        return _choose(request, viewer, unit)
    parent = unit_of(name) if is_slug(name) else None
    if parent is None:
        raise NotVisible(_("There is no such unit."))
    verbs.check_move(viewer, unit, parent)
    if request.method != "POST":
        return _show_move(request, viewer, unit, parent)
    try:
        verbs.move_unit(
            unit=unit, parent=parent, seen=data.get("seen", ""), actor=viewer.user, now=viewer.now
        )
    except DomainError as error:
        if not isinstance(error, Stale):
            raise
        unit = unit_of(slug)
        return _show_move(request, viewer, unit, parent, error, status=error.status)
    messages.success(request, _("It is %(unit)s now.") % {"unit": unit.label})
    return redirect("unit_detail", slug=slug)


@shows("fund")
@require_http_methods(["GET", "HEAD", "POST"])
def unit_retire(request: HttpRequest, slug: str) -> HttpResponse:
    """Where everything goes and what ends; then the act, which is for good."""
    viewer, unit = viewer_of(request), unit_of(slug)
    verbs.check_retire(viewer, unit)
    if request.method != "POST":
        return _show_retire(request, viewer, unit, PassingForm())
    form = PassingForm(request.POST)
    if not form.is_valid():
        return _show_retire(request, viewer, unit, form, status=422)
    try:
        done = verbs.retire_unit(
            unit=unit, seen=request.POST.get("seen", ""), reason=form.cleaned_data["reason"],
            actor=viewer.user, now=viewer.now,
        )  # fmt: skip
    except Invalid as error:
        take_errors(form, error.errors)
        return _show_retire(request, viewer, unit, form, status=error.status)
    except Stale as error:
        return _show_retire(request, viewer, unit_of(slug), form, error, status=error.status)
    words = {"unit": unit.label, "heir": done.heir.label if done.heir else ""}
    messages.success(request, _("%(unit)s is retired; %(heir)s has what it held.") % words)
    return redirect("unit_detail", slug=done.heir.slug if done.heir else slug)


def _choose(request: HttpRequest, viewer: Viewer, unit: Unit) -> HttpResponse:
    """The units below which the person may put it."""
    parents = (
        Unit.objects.filter(below(viewer.paths(POWER), "path"), retired_at__isnull=True)
        .exclude(path__startswith=unit.path)
        .exclude(pk=unit.parent_id or unit.pk)
        .order_by("path")[:PARENTS_SHOWN]
    )
    context = {"here": "units", "unit": unit, "parents": parents}
    return render(request, "units/move_choose.html", context)


def _show_move(
    request: HttpRequest,
    viewer: Viewer,
    unit: Unit,
    parent: Unit,
    error: DomainError | None = None,
    status: int = 200,
) -> HttpResponse:
    move = move_of(unit, parent, viewer.now)
    context: dict[str, Any] = {
        "here": "units",
        "unit": unit,
        "parent": parent,
        "move": move,
        "figures": move.shifts,
        "error": error,
    }
    return render(request, "units/move.html", context, status=status)


def _show_retire(
    request: HttpRequest,
    viewer: Viewer,
    unit: Unit,
    form: PassingForm,
    error: DomainError | None = None,
    status: int = 200,
) -> HttpResponse:
    retirement = retirement_of(unit, viewer.now)
    context: dict[str, Any] = {
        "here": "units",
        "unit": unit,
        "retirement": retirement,
        "figures": retirement.swept,
        "form": form,
        "error": error,
    }
    return render(request, "units/retire.html", context, status=status)
