"""The life of a project at its page: until when, in which unit, suspended, closing, held."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.lib.access import shows
from portal.lib.errors import Conflict, DomainError, Invalid, Stale
from portal.lib.moments import full_day_words
from projects.models import Project, Unit
from projects.queries.viewers import Viewer, roles_in
from projects.rules import may_ask
from projects.states import Power, ProjectState, Role
from projects.views.viewer import viewer_of
from quotas.actions import lives, project_changes, project_holds
from quotas.actions.project_desk import renewable_until
from quotas.forms import take_errors
from quotas.queries.lives import acts_of, going_back, hold_on, open_changes, redraws

from .life_forms import (
    CloseForm,
    ExtendForm,
    HoldForm,
    KeepForm,
    LifeForm,
    MoveForm,
    ResumeForm,
    SuspendForm,
)
from .pages import is_slug, visible_project

WORKS = (ProjectState.ACTIVE, ProjectState.SUSPENDED)
ACTS_SHOWN = 30


@shows("project")
@require_safe
def project_life(request: HttpRequest, slug: str) -> HttpResponse:
    """All that one may do about its life; `?unit=` shows what a move there would do."""
    viewer = viewer_of(request)
    return _show(request, viewer, visible_project(viewer, slug))


@shows("change project")
@require_POST
def project_extend(request: HttpRequest, slug: str) -> HttpResponse:
    def act(viewer: Viewer, project: Project, sent: dict[str, Any]) -> str:
        asked = project_changes.ask_extension(
            project=project, **sent, actor=viewer.user, now=viewer.now
        )
        if asked is not None:
            return _("Asked; it waits for a yes.")
        return _("Its last day is %(day)s now.") % {"day": full_day_words(sent["until_on"])}

    return _act(request, slug, ExtendForm(request.POST), act)


@shows("change project")
@require_POST
def project_move(request: HttpRequest, slug: str) -> HttpResponse:
    def act(viewer: Viewer, project: Project, sent: dict[str, Any]) -> str:
        unit = Unit.objects.filter(slug=sent.pop("unit")).first()
        if unit is None:
            raise Invalid({"unit": [_("There is no such unit.")]})
        asked = project_changes.ask_move(
            project=project, unit=unit, **sent, actor=viewer.user, now=viewer.now
        )
        words = {"unit": unit.label}
        if asked is None:
            return _("It is in %(unit)s now.") % words
        return _("Asked; who decides projects for %(unit)s says yes or no.") % words

    return _act(request, slug, MoveForm(request.POST), act)


@shows("halt project")
@require_POST
def project_suspend(request: HttpRequest, slug: str) -> HttpResponse:
    return _act(
        request, slug, SuspendForm(request.POST),
        _verb(lives.suspend, _("It is suspended: nobody works in it in the clouds.")),
    )  # fmt: skip


@shows("halt project")
@require_POST
def project_resume(request: HttpRequest, slug: str) -> HttpResponse:
    return _act(
        request, slug, ResumeForm(request.POST), _verb(lives.resume, _("It works on."))
    )  # fmt: skip


@shows("end project")
@require_POST
def project_close(request: HttpRequest, slug: str) -> HttpResponse:
    return _act(
        request, slug, CloseForm(request.POST),
        _verb(lives.close, _("Its countdown has begun; until its end it can be kept.")),
    )  # fmt: skip


@shows("end project")
@require_POST
def project_keep(request: HttpRequest, slug: str) -> HttpResponse:
    return _act(request, slug, KeepForm(request.POST), _verb(lives.keep, _("It is kept.")))


@shows("hold project")
@require_POST
def project_hold(request: HttpRequest, slug: str) -> HttpResponse:
    return _act(
        request, slug, HoldForm(request.POST),
        _verb(project_holds.hold, _("It does not end as long as it is held.")),
    )  # fmt: skip


@shows("hold project")
@require_POST
def project_release(request: HttpRequest, slug: str) -> HttpResponse:
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    project_holds.release(project=project, actor=viewer.user, now=viewer.now)
    messages.success(request, _("It ends when its day comes."))
    return redirect("project_life", slug=slug)


Done = Callable[[Viewer, Project, dict[str, Any]], str]


def _verb(verb: Callable[..., Any], said: str) -> Done:
    def act(viewer: Viewer, project: Project, sent: dict[str, Any]) -> str:
        verb(project=project, **sent, actor=viewer.user, now=viewer.now)
        return said

    return act


def _act(request: HttpRequest, slug: str, form: LifeForm, act: Done) -> HttpResponse:
    """Do it, or show the page again with what was typed and what is wrong with it."""
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    refused: DomainError | None = None
    if form.is_valid():
        try:
            said = act(viewer, project, form.cleaned_data | _version(request, form))
        except Invalid as error:
            for sentence in take_errors(form, error.errors).values():
                form.add_error(None, sentence)
        except (Conflict, Stale) as error:
            refused = error
            project.refresh_from_db()
        else:
            messages.success(request, said)
            return redirect("project_life", slug=slug)
    return _show(request, viewer, project, form, refused)


def _version(request: HttpRequest, form: LifeForm) -> dict[str, int]:
    """The version that the page was made from; a hold has none."""
    text = request.POST.get("version", "")
    if isinstance(form, HoldForm) or not (text.isascii() and text.isdigit() and len(text) < 10):
        return {}
    return {"version": int(text)}


def _show(
    request: HttpRequest, viewer: Viewer, project: Project, bound: LifeForm | None = None,
    refused: DomainError | None = None,
) -> HttpResponse:  # fmt: skip
    """The page; with what was typed, and why it was not done."""
    roles = roles_in(viewer, project)
    decides = viewer.holds(Power.DECIDE_PROJECTS, project.unit.path)
    may_change = (may_ask(roles) or decides) and project.state in WORKS
    is_owner = Role.OWNER in roles
    may_end = is_owner or decides or viewer.is_operator
    back = going_back(project) if may_end else []
    until = renewable_until(viewer.now)
    context: dict[str, Any] = {
        "here": "projects",
        "project": project,
        "hold": hold_on(project),
        "changes": open_changes(project),
        "may_withdraw": may_ask(roles),
        "acts": acts_of(project)[:ACTS_SHOWN],
        "going_back": back,
        "in_use_count": sum(1 for each in back if each.stays),
        "renewable_until": until,
        "may_change": may_change,
        # What has no end, or a later one, would last shorter by it.
        "may_renew": (is_owner or decides)
        and project.ends_on is not None
        and project.ends_on < until,
        "may_close": may_end and project.state in WORKS,
        "may_keep": may_end and project.closes_on is not None,
        "may_halt": decides or viewer.is_operator,
        "forms": _forms(bound),
        "error_form": bound,
        "error": refused,
    }
    if may_change:
        context |= _move(request, project, bound)
    wrong = 422 if bound is not None else 200
    status = refused.status if refused is not None else wrong
    return render(request, "projects/life.html", context, status=status)


def _forms(bound: LifeForm | None) -> dict[str, forms.Form]:
    kinds = (ExtendForm, CloseForm, KeepForm, SuspendForm, ResumeForm, HoldForm, MoveForm)
    found: dict[str, forms.Form] = {each.verb: each() for each in kinds}
    return found | ({bound.verb: bound} if bound is not None else {})


def _move(request: HttpRequest, project: Project, bound: LifeForm | None) -> dict[str, Any]:
    """The units to choose from, and what a move into the chosen one would do."""
    slug = request.GET.get("unit", "") or (request.POST.get("unit", "") if bound else "")
    units = Unit.objects.filter(retired_at__isnull=True).exclude(pk=project.unit_id)
    chosen = units.filter(slug=slug).first() if is_slug(slug) else None
    drawn = redraws(project, chosen) if chosen else []
    return {
        "units": units.order_by("path"),
        "chosen": chosen,
        "redraws": drawn,
        "short_count": sum(1 for each in drawn if each.short),
    }
