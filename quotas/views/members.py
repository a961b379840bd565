"""The people of a project: who is in it by what, added, changed, removed, leaving, offered to."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.lib.access import shows
from portal.lib.errors import Conflict, DomainError, Invalid, Stale
from projects.models import Project, User
from projects.queries.directory import directory_standing
from projects.queries.viewers import Viewer, roles_in
from projects.states import Role
from projects.views.viewer import viewer_of
from quotas.actions import members as verbs
from quotas.actions.project_changes import offer
from quotas.forms import take_errors
from quotas.queries.delegates import delegate_of_key, find_delegates
from quotas.queries.holders import missing_holders
from quotas.queries.lives import open_changes
from quotas.queries.project_pages import members_of

from .life_forms import LifeForm, MemberForm, OfferForm
from .pages import visible_project

MAX_FIND = 100


@shows("project")
@require_safe
def project_people(request: HttpRequest, slug: str) -> HttpResponse:
    """Who works in it; `?q=` finds others by name."""
    viewer = viewer_of(request)
    return _show(request, viewer, visible_project(viewer, slug))


@shows("ask")
@require_POST
def member_set(request: HttpRequest, slug: str) -> HttpResponse:
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    verbs.check_names_people(viewer, project)
    form = MemberForm(request.POST)
    refused: DomainError | None = None
    if form.is_valid():
        found = delegate_of_key(form.cleaned_data["holder"], viewer.now)
        try:
            if found is None:
                raise Invalid({"holder": [_("There is no such person or group.")]})
            verbs.set_member(
                project=project, role=Role(form.cleaned_data["role"]), **_holder(found.holder),
                seen=form.cleaned_data["seen"], actor=viewer.user, now=viewer.now,
            )  # fmt: skip
        except Invalid as error:
            _take(form, error)
        except (Conflict, Stale) as error:
            refused = error
        else:
            words = {"name": found.holder, "role": Role(form.cleaned_data["role"]).label}
            messages.success(request, _("%(name)s is %(role)s now.") % words)
            return redirect("project_people", slug=slug)
    return _show(request, viewer, project, form, refused)


@shows("ask")
@require_POST
def member_remove(request: HttpRequest, slug: str) -> HttpResponse:
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    verbs.check_names_people(viewer, project)
    found = delegate_of_key(request.POST.get("holder", ""), viewer.now)
    try:
        if found is None:
            raise Conflict(_("There is no such person or group."))
        verbs.set_member(
            project=project, role=None, **_holder(found.holder),
            seen=request.POST.get("seen", ""), actor=viewer.user, now=viewer.now,
        )  # fmt: skip
    except (Conflict, Stale) as error:
        return _show(request, viewer, project, refused=error)
    messages.success(request, _("%(name)s has no role here any more.") % {"name": found.holder})
    return redirect("project_people", slug=slug)


@shows("leave")
@require_POST
def project_leave(request: HttpRequest, slug: str) -> HttpResponse:
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    verbs.leave(project=project, actor=viewer.user, now=viewer.now)
    messages.success(request, _("You left %(project)s.") % {"project": project.name})
    return redirect("project_list")


@shows("offer")
@require_POST
def project_offer(request: HttpRequest, slug: str) -> HttpResponse:
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    form = OfferForm(request.POST)
    refused: DomainError | None = None
    if form.is_valid():
        sent = form.cleaned_data
        found = delegate_of_key(sent["holder"], viewer.now)
        try:
            if found is None or not isinstance(found.holder, User):
                raise Invalid({"holder": [_("There is no such person.")]})
            offer(
                project=project, user=found.holder, then=sent["then"], reason=sent["reason"],
                actor=viewer.user, now=viewer.now,
            )  # fmt: skip
        except Invalid as error:
            _take(form, error)
        except (Conflict, Stale) as error:
            refused = error
        else:
            words = {"name": found.holder}
            messages.success(request, _("Offered; %(name)s accepts or declines.") % words)
            return redirect("project_people", slug=slug)
    return _show(request, viewer, project, form, refused)


def _holder(holder: Any) -> dict[str, Any]:
    is_person = isinstance(holder, User)
    return {"user": holder if is_person else None, "group": None if is_person else holder}


def _take(form: LifeForm, error: Invalid) -> None:
    """What is wrong at its field; at the top what has none that is seen."""
    for sentence in take_errors(form, error.errors).values():
        form.add_error(None, sentence)


def _show(
    request: HttpRequest, viewer: Viewer, project: Project, bound: LifeForm | None = None,
    refused: DomainError | None = None,
) -> HttpResponse:  # fmt: skip
    """The page; with what was typed, and why it was not done."""
    roles = roles_in(viewer, project)
    is_owner = Role.OWNER in roles
    may_name = is_owner or verbs.manages_members(viewer, project)
    may_manage = may_name or Role.MANAGER in roles
    members = members_of(project, viewer.now)
    text = (request.POST or request.GET).get("q", "").strip()[:MAX_FIND].replace("\0", "")
    held = {each.user_id for each in members if each.user_id}
    owners = [each for each in members if each.role == Role.OWNER and each.holder_is_here]
    found = find_delegates(text, viewer.now) if may_manage and text else []
    context: dict[str, Any] = {
        "here": "projects",
        "project": project,
        "members": members,
        # Taken from whom, it would be nobody's.
        "last_owner": owners[0] if len(owners) == 1 else None,
        "is_last_owner": len(owners) == 1 and owners[0].user_id == viewer.user.pk,
        "own": any(each.user_id == viewer.user.pk for each in members),
        "missing_holders": missing_holders(project, viewer.now),
        "directory": directory_standing() if settings.DIRECTORY else None,
        "changes": [each for each in open_changes(project) if each.to_user_id],
        "may_manage": may_manage,
        "may_name": may_name,
        "is_owner": is_owner,
        "text": text,
        "found": [each for each in found if each.kind == "group" or each.holder.pk not in held],
        "others": found,
        "roles": [each for each in Role if each != Role.OWNER],
        "offer_form": bound if isinstance(bound, OfferForm) else OfferForm(),
        "error_form": bound,
        "error": refused,
        # Whose form stays open, with what was typed.
        "offered": bound["holder"].value() if isinstance(bound, OfferForm) else "",
    }
    wrong = 422 if bound is not None else 200
    status = refused.status if refused is not None else wrong
    return render(request, "projects/people.html", context, status=status)
