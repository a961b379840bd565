"""People for those who run the site: who is here, and saying that somebody left or is back."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.lib.access import shows
from portal.lib.errors import Invalid, NotVisible
from projects.models import User
from projects.queries.directory import directory_standing
from projects.queries.viewers import Viewer
from projects.rules import may_operate
from projects.views.viewer import viewer_of
from quotas.actions.leaving import (
    check_may_close,
    check_reads_people,
    check_says_who_left,
    leave_site,
    return_to_site,
)
from quotas.forms import take_errors
from quotas.queries.leaving import leaving_of, open_absence, roles_given_back
from quotas.queries.persons import held_by, people

from .life_forms import PersonLeaveForm
from .pages import page_of

MAX_FIND = 100


@shows("people")
@require_safe
def person_list(request: HttpRequest) -> HttpResponse:
    """`?q=` finds people by name; without it who has left, the last one first."""
    people_reader(viewer_of(request))
    text = request.GET.get("q", "").strip()[:MAX_FIND].replace("\0", "")
    rows = people(text=text) if text else people(has_left=True).order_by("-left_at", "pk")
    context = {"text": text, "page": page_of(request, rows)}
    return render(request, "people/list.html", _framed(context))


@shows("people")
@require_safe
def person_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    viewer = people_reader(viewer_of(request))
    person = _person(public_id)
    context = {
        "who": person,
        "held": held_by(person, viewer.now),
        "may_close": may_operate(viewer) and person != viewer.user,
    }
    return render(request, "people/detail.html", _framed(context))


@shows("operators")
@require_http_methods(["GET", "HEAD", "POST"])
def person_leave(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """What ends as somebody leaves, and what becomes of what they leave behind; then that."""
    viewer, person = _operator(request, public_id)
    form = PersonLeaveForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            leave_site(user=person, **form.cleaned_data, actor=viewer.user, now=viewer.now)
        except Invalid as error:
            for sentence in take_errors(form, error.errors).values():
                form.add_error(None, sentence)
        else:
            messages.success(request, _("%(name)s has left.") % {"name": person})
            return redirect("person_detail", public_id=public_id)
    context = {"who": person, "form": form, "leaving": leaving_of(person, viewer.now)}
    status = 422 if form.is_bound else 200
    return render(request, "people/leave.html", _framed(context), status=status)


@shows("operators")
@require_http_methods(["GET", "HEAD", "POST"])
def person_return(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """What somebody has again as they are back; then that."""
    viewer, person = _operator(request, public_id)
    if request.method == "POST":
        return_to_site(user=person, actor=viewer.user, now=viewer.now)
        messages.success(request, _("%(name)s is back.") % {"name": person})
        return redirect("person_detail", public_id=public_id)
    absence = open_absence(person)
    context = {
        "who": person,
        "absence": absence,
        "roles": roles_given_back(absence, viewer.now),
    }
    return render(request, "people/return.html", _framed(context))


def people_reader(viewer: Viewer) -> Viewer:
    """Who may read about people and the directory; raises Forbidden."""
    check_reads_people(viewer)
    return viewer


def _operator(request: HttpRequest, public_id: UUID) -> tuple[Viewer, User]:
    viewer = viewer_of(request)
    check_says_who_left(viewer)
    person = _person(public_id)
    check_may_close(viewer.user, person, viewer.now)
    return viewer, person


def _person(public_id: UUID) -> User:
    found = User.objects.select_related("supervisor").filter(public_id=public_id).first()
    if found is None:
        raise NotVisible(_("There is no such person."))
    return found


def _framed(context: dict[str, Any]) -> dict[str, Any]:
    """With what all these pages show: where they stand, and how old the directory's word is."""
    return {"here": "endpoints", "tab": "people", "directory": directory_standing(), **context}
