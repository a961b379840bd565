"""Projects whose owners have left are offered: to the unit's steward, then to the supervisor.

An offer has a deadline and is accepted or declined like any other (project_changes). When nobody
is left to ask, whoever decides projects there, or an operator, offers it to somebody.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, Invalid
from portal.lib.locks import lock
from projects.models import Project, ProjectChange, User
from projects.queries.viewers import Viewer
from projects.states import ChangeKind, ChangeState, Power
from quotas.queries.orphans import (
    candidates_of,
    ownerless,
    past_owners,
    with_last_owner,
)

from .change_rows import note_change, settle_change
from .project_desk import deciding_projects, take_project
from .wishes import clean_text

MAX_REASON = 500
BATCH = 100


def offer_orphans(now: datetime, after: int = 0, most: int = BATCH) -> int:
    """Offer projects that lost their owners to who is next; up to which id it looked, 0: the last.

    Only what somebody owned before: what never had an owner is on the page, and left to people.
    """
    waiting = ProjectChange.objects.filter(
        project=OuterRef("pk"), kind=ChangeKind.HAND_OVER, state=ChangeState.OPEN
    )
    lost = ownerless(now).filter(Exists(past_owners(now)), pk__gt=after).exclude(Exists(waiting))
    rows = with_last_owner(lost, now).select_related("unit").order_by("pk")[:most]
    projects = list(rows)
    for project_id, wanted in candidates_of(projects).items():
        if wanted:
            _offer_next(project_id, wanted[0].user, now)
    return projects[-1].pk if len(projects) == most else 0


def offer_orphan(
    *, project: Project, user: User, reason: str = "", version: int | None = None,
    actor: User, now: datetime,
) -> ProjectChange:  # fmt: skip
    """Offer a project without an owner to somebody, in place of whom it is offered to now.

    By operators and who decides projects for its unit. Raises NotVisible, Forbidden, Conflict
    where it has an owner, Stale, Invalid.
    """
    with transaction.atomic():
        desk = take_project(project, actor, now)
        if not may_offer(desk.viewer, desk.project):
            raise _not_theirs(desk.project)
        desk.check_version(version)
        _check_ownerless(desk.project, now)
        said = clean_text(reason, field="reason", required=False, most=MAX_REASON)
        if not user.is_here:
            raise Invalid({"user": [_("%(name)s is not here any more.") % {"name": user}]})
        for each in _open_offers(desk.project):
            if each.to_user_id == user.pk:
                raise Conflict(_("It is offered to %(name)s already.") % {"name": user})
            lapse_offer(each, now, verb="withdraw", actor=actor)
        return _offer(desk.project, user, said, actor, now)


def may_offer(viewer: Viewer, project: Project) -> bool:
    """Operators, and who decides projects for its unit without a part in it."""
    return viewer.is_operator or bool(deciding_projects(viewer, project, project.unit.path))


def may_offer_somewhere(viewer: Viewer) -> bool:
    """Whether the list of orphans is one to act upon; an auditor reads it."""
    return viewer.is_operator or bool(viewer.paths(Power.DECIDE_PROJECTS))


def check_offers(viewer: Viewer, project: Project) -> None:
    """Raise Forbidden or Conflict where the person cannot offer it: asked before any lock."""
    if not may_offer(viewer, project):
        raise _not_theirs(project)
    _check_ownerless(project, viewer.now)


def _not_theirs(project: Project) -> Forbidden:
    words = {"unit": project.unit.label}
    sentence = _("Operators can do that, and who decides projects for %(unit)s without a part.")
    return Forbidden(sentence % words, unit=project.unit.slug)


def _check_ownerless(project: Project, now: datetime) -> None:
    if not ownerless(now).filter(pk=project.pk).exists():
        words = {"project": project.name}
        raise Conflict(_("%(project)s has an owner, or is not in use: see its page.") % words)


def lapse_offer(
    change: ProjectChange, now: datetime, *, verb: str = "lapse", actor: User | None = None
) -> None:
    """End an offer that is of no use any more. Its project is locked."""
    held = lock(ProjectChange.objects.filter(pk=change.pk).select_related("project__unit"))[0]
    if held.state == ChangeState.OPEN:
        settle_change(held, verb, "", actor, now)
        told = "change withdrawn" if verb == "withdraw" else "change lapsed"
        note_change(held, told, actor, now)


def _offer_next(project_id: int, user: User, now: datetime) -> None:
    """Unless it got an owner, or was offered, while we waited for it."""
    with transaction.atomic():
        rows = lock(Project.objects.filter(pk=project_id).select_related("unit"))
        is_lost = ownerless(now).filter(pk=project_id).exists()
        if rows and is_lost and not _open_offers(rows[0]):
            _offer(rows[0], user, "", None, now)


def _open_offers(project: Project) -> list[ProjectChange]:
    rows = ProjectChange.objects.filter(
        project=project, kind=ChangeKind.HAND_OVER, state=ChangeState.OPEN
    )
    return list(rows.select_related("project__unit").order_by("pk"))


def _offer(
    project: Project, user: User, reason: str, actor: User | None, now: datetime
) -> ProjectChange:
    """The site asks, whoever had it do so: nobody's role depends on the answer."""
    made = ProjectChange.objects.create(
        project=project, kind=ChangeKind.HAND_OVER, to_user=user, reason=reason, created_at=now,
        expires_at=now + timedelta(days=settings.PROJECT_OFFER_DAYS),
    )  # fmt: skip
    note_change(made, "change asked", actor, now)
    return made
