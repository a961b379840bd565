"""Announcements at their pages: who reads them, and how operators write, preview and send them."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.lib.access import shows
from portal.lib.errors import DomainError, Invalid, NotVisible
from projects.queries.viewers import Viewer
from projects.rules import may_operate
from projects.states import Role
from projects.views.viewer import viewer_of
from quotas.actions import announcements as verbs
from quotas.forms import take_errors, version_in
from quotas.models import Announcement, Zone
from quotas.queries.announcements import (
    Audience,
    Reach,
    reach_of,
    told_count,
    visible_announcements,
)
from quotas.queries.jobs import job_rows
from quotas.states import AnnouncementState

from .announcement_form import AnnouncementForm, ScheduleForm, initial_of
from .pages import page_of

UNSENT = (AnnouncementState.DRAFT, AnnouncementState.SCHEDULED)


@shows("catalogue")
@require_safe
def announcement_list(request: HttpRequest) -> HttpResponse:
    """What was announced, the newest first; for operators also what is not sent yet."""
    viewer = viewer_of(request)
    context = _frame(viewer) | {"page": page_of(request, visible_announcements(viewer))}
    return render(request, "announcements/list.html", context)


@shows("catalogue")
@require_safe
def announcement_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One announcement; for operators with whom it reaches, its verbs, and how far it is."""
    viewer = viewer_of(request)
    return _show(request, viewer, _announcement(viewer, pk))


@shows("operators")
@require_http_methods(["GET", "HEAD", "POST"])
def announcement_new(request: HttpRequest) -> HttpResponse:
    """A draft; Enter in a field is the preview."""
    viewer = _operator(request)
    if request.method != "POST":
        return _form(request, viewer, AnnouncementForm())
    form = AnnouncementForm(request.POST)
    if not form.is_valid() or request.POST.get("do") != "save":
        return _form(request, viewer, form, status=422 if form.errors else 200)
    try:
        made = verbs.make(words=form.words(), actor=viewer.user, now=viewer.now)
    except Invalid as error:
        take_errors(form, error.errors)
        return _form(request, viewer, form, status=error.status)
    messages.success(request, _("It is a draft: nobody is told yet."))
    return redirect("announcement_detail", pk=made.pk)


@shows("operators")
@require_http_methods(["GET", "HEAD", "POST"])
def announcement_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """The same form, as long as nobody was told."""
    viewer = _operator(request)
    announcement = _announcement(viewer, pk)
    if request.method != "POST":
        form = AnnouncementForm(initial=initial_of(announcement))
        return _form(request, viewer, form, announcement)
    form = AnnouncementForm(request.POST)
    if not form.is_valid() or request.POST.get("do") != "save":
        return _form(request, viewer, form, announcement, status=422 if form.errors else 200)
    try:
        verbs.change(
            announcement=announcement, words=form.words(), version=version_in(request.POST),
            actor=viewer.user, now=viewer.now,
        )  # fmt: skip
    except DomainError as error:
        if isinstance(error, Invalid):
            take_errors(form, error.errors)
        else:
            # What was typed stays; sent once more, it is meant.
            form.add_error(None, error.sentence)
        return _form(request, viewer, form, announcement, status=error.status)
    messages.success(request, _("It is changed."))
    return redirect("announcement_detail", pk=pk)


@shows("operators")
@require_POST
def announcement_preview(request: HttpRequest) -> HttpResponse:
    """Whom the form would reach: the part for htmx, while it is filled in."""
    viewer = _operator(request)
    form = AnnouncementForm(request.POST)
    form.is_valid()
    return render(request, "announcements/_reach.html", _reach_of_form(form, viewer))


@shows("operators")
@require_POST
def announcement_schedule(request: HttpRequest, pk: int) -> HttpResponse:
    """`do` "now", or anything else: at the moment that the form names."""
    viewer = _operator(request)
    announcement = _announcement(viewer, pk)
    form = ScheduleForm(request.POST)
    is_now = request.POST.get("do") == "now"
    if form.is_valid() and (is_now or form.cleaned_data["starts_at"]):
        try:
            verbs.schedule(
                announcement=announcement, version=version_in(request.POST), actor=viewer.user,
                starts_at=None if is_now else form.cleaned_data["starts_at"], now=viewer.now,
            )  # fmt: skip
        except Invalid as error:
            for sentence in take_errors(form, error.errors).values():
                form.add_error(None, sentence)
        else:
            said = _("People are being told.") if is_now else _("It is sent at that moment.")
            messages.success(request, said)
            return redirect("announcement_detail", pk=pk)
    elif not form.errors:
        form.add_error("starts_at", _("Choose when."))
    return _show(request, viewer, announcement, form, status=422)


@shows("operators")
@require_POST
def announcement_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Nobody else is told, and its banner is gone."""
    viewer = _operator(request)
    verbs.withdraw(
        announcement=_announcement(viewer, pk), version=version_in(request.POST),
        actor=viewer.user, now=viewer.now,
    )  # fmt: skip
    messages.success(request, _("It is withdrawn."))
    return redirect("announcement_detail", pk=pk)


def _operator(request: HttpRequest) -> Viewer:
    """Who asks, once they operate: asked before what it is about."""
    viewer = viewer_of(request)
    verbs.check_operator(viewer)
    return viewer


def _announcement(viewer: Viewer, pk: int) -> Announcement:
    found = visible_announcements(viewer).select_related("job").filter(pk=pk).first()
    if found is None:
        raise NotVisible(_("There is no such announcement, or it is not for you to see."))
    return found


def _frame(viewer: Viewer) -> dict[str, Any]:
    """Who keeps the site in order finds it among the operators' pages."""
    sees = viewer.sees_everything
    return {
        "here": "endpoints" if sees else "home", "tab": "announcements", "has_operations": sees,
        "may_write": may_operate(viewer),
    }  # fmt: skip


def _show(
    request: HttpRequest,
    viewer: Viewer,
    announcement: Announcement,
    form: ScheduleForm | None = None,
    status: int = 200,
) -> HttpResponse:
    context = _frame(viewer) | {"announcement": announcement}
    if context["may_write"]:
        context |= _desk(viewer, announcement)
        context["form"] = form or ScheduleForm(initial={"starts_at": announcement.starts_at})
    return render(request, "announcements/detail.html", context, status=status)


def _desk(viewer: Viewer, announcement: Announcement) -> dict[str, Any]:
    """What only operators are told: whom it would reach, or how many were told."""
    if announcement.state in UNSENT:
        reach = reach_of(Audience.of(announcement), viewer.now, viewer.user)
        return {"is_unsent": True, **_reach(reach, list(announcement.zones.all()))}
    job = announcement.job
    return {
        "is_unsent": False,
        "told": told_count(announcement),
        "row": job_rows([job], viewer.now)[0] if job is not None else None,
    }


def _form(
    request: HttpRequest,
    viewer: Viewer,
    form: AnnouncementForm,
    announcement: Announcement | None = None,
    status: int = 200,
) -> HttpResponse:
    context = _frame(viewer) | {"form": form, "announcement": announcement}
    if announcement is not None and not form.is_bound:
        reach = reach_of(Audience.of(announcement), viewer.now, viewer.user)
        context |= _reach(reach, list(announcement.zones.all()))
    else:
        context |= _reach_of_form(form, viewer)
    return render(request, "announcements/form.html", context, status=status)


def _reach_of_form(form: AnnouncementForm, viewer: Viewer) -> dict[str, Any]:
    """Whom it would reach, or what is missing to know; of a form not filled in yet, nothing."""
    if not form.is_bound:
        return {"reach": None}
    try:
        audience = verbs.check_audience(form.words())
    except Invalid as error:
        return {"reach": None, "problems": [each[0] for each in error.errors.values()]}
    zones = Zone.objects.filter(pk__in=audience.zone_ids).select_related("region")
    return _reach(reach_of(audience, viewer.now, viewer.user), list(zones))


def _reach(reach: Reach, zones: list[Zone]) -> dict[str, Any]:
    return {
        "reach": reach,
        "by_role": [(Role(role).label, count) for role, count in reach.by_role.items()],
        "by_zone": [
            (f"{each.name} ({each.region.name})", reach.by_zone.get(each.pk, 0)) for each in zones
        ],
    }
