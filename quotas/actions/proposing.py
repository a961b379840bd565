"""Asking for a new project: the project, its people and its first quota in one request.

The project stands there as proposed, with its people; its request is routed and decided like any
other, by those who decide quota *and* projects for its unit. The first grant opens it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.lib.errors import Conflict, Forbidden, Invalid, NotVisible
from projects.actions.project_names import (
    clean_name,
    free_slug,
    taken_meanwhile,
)
from projects.actions.projects import make_project, set_role
from projects.models import Group, Project, ProjectKind, Unit, User
from projects.queries.viewers import Viewer
from projects.states import ProjectState, Role
from quotas.models import Offering, QuotaRequest

from .asking import look
from .cloud_names import refuse_name
from .sending import request_of, send_new, write_sent
from .wishes import MAX_DAYS, Wish, check_wish, clean_text

MAX_DESCRIPTION = 500
MAX_PEOPLE = 200


@dataclass(frozen=True)
class Proposal:
    """What somebody wants a new project to be; who asks becomes its owner.

    ends_on: its last day, None where it stays; users, groups: the others who will work in it.
    """

    name: str
    purpose: str
    unit: Unit
    description: str = ""
    kind: ProjectKind = ProjectKind.SHARED
    ends_on: date | None = None
    users: Mapping[User, Role] = field(default_factory=dict)
    groups: Mapping[Group, Role] = field(default_factory=dict)


def propose(*, proposal: Proposal, wish: Wish, actor: User, now: datetime) -> QuotaRequest:
    """Ask for a project together with its first quota.

    A wish without a reason has the project's purpose for one. Raises Invalid with every error of
    both, Forbidden for a service account that acts elsewhere, and Conflict for who has as many
    proposals waiting as the site allows.
    """
    viewer = Viewer.of(actor, now)
    _check_place(viewer, proposal.unit)
    with transaction.atomic():
        _check_count(actor)
        if not wish.reason.strip():
            wish = replace(wish, reason=proposal.purpose)
        cleaned, lines = _checked(proposal, wish, now)
        project = _make(cleaned, actor, now)
        quota_request = request_of(project, wish, actor, now)
        desk = look(project, actor, now)
        send_new(quota_request, write_sent(quota_request, lines, desk), desk)
    return quota_request


def check_proposal(proposal: Proposal, now: datetime) -> Proposal:
    """The proposal with its texts trimmed; raises Invalid with every error of it."""
    errors: dict[str, list[str]] = {}
    name = description = purpose = ""
    try:
        name = check_name(proposal.name, now)
    except Invalid as error:
        errors.update(error.errors)
    try:
        purpose = clean_text(proposal.purpose, field="purpose", required=True)
    except Invalid as error:
        errors.update(error.errors)
    try:
        description = clean_description(proposal.description)
    except Invalid as error:
        errors.update(error.errors)
    if proposal.unit.retired_at is not None:
        words = {"unit": proposal.unit.label}
        errors["unit"] = [_("%(unit)s is retired; choose another unit.") % words]
    errors.update(_people_errors(proposal))
    errors.update(end_errors(proposal.ends_on, now))
    if errors:
        raise Invalid(errors)
    return Proposal(
        name=name, purpose=purpose, unit=proposal.unit, description=description,
        kind=proposal.kind, ends_on=proposal.ends_on, users=proposal.users, groups=proposal.groups,
    )  # fmt: skip


def check_name(name: str, now: datetime) -> str:
    """The name as a new project would have it; raises Invalid for one that it cannot have."""
    name = clean_name(name)
    refuse_name(name, now)
    return name


def clean_description(text: str) -> str:
    """One line for the clouds; raises Invalid for `description`."""
    cleaned = clean_text(text, field="description", required=False, most=MAX_DESCRIPTION)
    return " ".join(cleaned.split())


def end_errors(ends_on: date | None, now: datetime) -> dict[str, list[str]]:
    """What is wrong with the last day of a project, by its field."""
    today = timezone.localdate(now, timezone.get_default_timezone())
    if ends_on is None:
        if settings.PROJECTS_MUST_END:
            return {"ends_on": [_("Say until when the project is needed; it can be extended.")]}
        return {}
    if ends_on < today:
        return {"ends_on": [_("That day is over; choose today or a later day.")]}
    if ends_on > today + timedelta(days=MAX_DAYS):
        return {"ends_on": [_("Ten years is the longest; it can be extended later.")]}
    return {}


def _check_place(viewer: Viewer, unit: Unit) -> None:
    """A service account asks for projects in its own unit only."""
    if not viewer.user.is_active:
        raise Forbidden(_("The account of %(name)s is closed.") % {"name": viewer.user})
    place = viewer.place
    if place is None:
        return
    if place.project_id is not None:
        raise Forbidden(_("A service account of a project asks for no other project."))
    if place.clip(unit.path) != unit.path:
        raise NotVisible(_("There is no such unit."))


def _check_count(actor: User) -> None:
    most = settings.PROPOSALS_AT_ONCE
    waiting = QuotaRequest.objects.filter(requester=actor, project__state=ProjectState.PROPOSED)
    count = waiting.count()
    if count >= most:
        sentence = ngettext(
            "%(count)s project that you asked for waits for a decision; that is the most at once.",
            "%(count)s projects that you asked for wait for a decision; that is the most at once.",
            count,
        )
        raise Conflict(sentence % {"count": count}, most=most)


def _checked(proposal: Proposal, wish: Wish, now: datetime) -> tuple[Proposal, dict[Offering, int]]:
    """Both without errors; else one Invalid with those of both."""
    errors: dict[str, list[str]] = {}
    cleaned, lines = proposal, {}
    try:
        cleaned = check_proposal(proposal, now)
    except Invalid as error:
        errors.update(error.errors)
    try:
        lines = check_wish(wish, balances={}, now=now)
    except Invalid as error:
        errors.update(error.errors)
    if wish.reason == proposal.purpose and "purpose" in errors:
        # The same text; said once.
        errors.pop("reason", None)
    if errors:
        raise Invalid(errors)
    return cleaned, lines


def _people_errors(proposal: Proposal) -> dict[str, list[str]]:
    if len(proposal.users) + len(proposal.groups) > MAX_PEOPLE:
        return {"members": [_("%(most)s people and groups at most.") % {"most": MAX_PEOPLE}]}
    gone = [str(each) for each in proposal.users if not each.is_active]
    gone += [str(each) for each in proposal.groups if each.gone_at is not None]
    if gone:
        words = {"names": ", ".join(gone)}
        return {"members": [_("No longer here: %(names)s.") % words]}
    return {}


def _make(proposal: Proposal, actor: User, now: datetime) -> Project:
    try:
        with transaction.atomic():
            project = make_project(
                slug=free_slug(proposal.name), name=proposal.name, unit=proposal.unit,
                description=proposal.description, purpose=proposal.purpose, kind=proposal.kind,
                ends_on=proposal.ends_on, is_proposed=True, actor=actor, now=now,
            )  # fmt: skip
    except IntegrityError as error:
        raise taken_meanwhile(proposal.name, error) from error
    set_role(project=project, role=Role.OWNER, user=actor, actor=actor, now=now)
    for user, role in proposal.users.items():
        if user != actor:
            set_role(project=project, role=role, user=user, actor=actor, now=now)
    for group, role in proposal.groups.items():
        set_role(project=project, role=role, group=group, actor=actor, now=now)
    return project
