"""Who works in a project: added, given another role, removed, leaving; always with an owner.

Owners name everybody, managers everybody but owners, and whoever manages members for the unit
both. Nobody is made an owner without their yes: that is offered (project_changes).
"""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, Invalid, Stale
from projects.actions.project_acts import hold_authority
from projects.actions.projects import set_role
from projects.models import Event, Group, Membership, Project, User
from projects.outgoing.notices import tell
from projects.queries.viewers import Viewer, roles_in
from projects.rules import may_ask
from projects.states import NoticeKind, Power, ProjectState, Role
from quotas.queries.orphans import owning

from .lives import wake_identities
from .project_desk import ProjectDesk, take_project
from .routing import mark_project

OVER = (ProjectState.CLOSED, ProjectState.DROPPED)
MOST_MEMBERS = 1000


def set_member(
    *,
    project: Project,
    role: Role | None,
    user: User | None = None,
    group: Group | None = None,
    seen: str | None = None,
    actor: User,
    now: datetime,
) -> bool:
    """Give a person or a group a role in a project, or none; False where it was so already.

    seen: the role that the actor saw them have, "" for none; None: they saw nothing.
    Raises NotVisible, Forbidden, Conflict where no owner would be left, Stale, Invalid.
    """
    with transaction.atomic():
        desk = take_project(project, actor, now)
        held = _held(desk.project, user, group)
        _check_may(desk, [each for each in (held, role) if each])
        _check_standing(desk.project)
        if seen is not None and seen != held:
            said = _("They have another role by now. Look again.")
            raise Stale(said, seen=seen or None, now=held or None)
        _check_holder(desk, user, group, role, held)
        return change_role(desk.project, role, user=user, group=group, actor=actor, now=now)


def leave(*, project: Project, actor: User, now: datetime) -> None:
    """Give up one's own role. Raises Conflict for the last owner, Forbidden where one has none."""
    with transaction.atomic():
        desk = take_project(project, actor, now)
        if not _held(desk.project, actor, None):
            through = desk.roles and _("You work in %(project)s through a group: leave that.")
            words = {"project": desk.project.name}
            raise Forbidden((through or _("You have no role in %(project)s.")) % words)
        change_role(desk.project, None, user=actor, group=None, actor=actor, now=now)


def change_role(
    project: Project, role: Role | None, *, user: User | None, group: Group | None,
    actor: User | None, now: datetime,
) -> bool:  # fmt: skip
    """Change it, see to it that an owner is left, and to all that follows. project: locked."""
    was_owner = _held(project, user, group) == Role.OWNER
    changed = set_role(project=project, role=role, user=user, group=group, actor=actor, now=now)
    if not changed:
        return False
    if was_owner:
        # One whose owners left the site goes on until somebody else takes it over.
        _check_owner_left(project, now)
    mark_project(project, now)
    wake_identities(project)
    if user is not None:
        event = Event.objects.filter(
            project=project, subject_kind="user", subject_id=user.pk, at=now
        ).latest("pk")
        tell(event, [user.pk], NoticeKind.ROLE)
    return True


def _check_owner_left(project: Project, now: datetime) -> None:
    if not owning(now).filter(project=project).exists():
        raise Conflict(
            _("%(project)s needs an owner: offer it to somebody first.") % {"project": project.name}
        )


def _held(project: Project, user: User | None, group: Group | None) -> str:
    rows = Membership.objects.filter(project=project, ends_at__isnull=True)
    found = rows.filter(user=user, group=group).values_list("role", flat=True).first()
    return found or ""


def _may_as_member(desk: ProjectDesk, role: str) -> bool:
    """Whether the actor gives, and takes, this role by the one that they have."""
    return desk.is_owner or (desk.is_manager and role != Role.OWNER)


def manages_members(viewer: Viewer, project: Project) -> bool:
    """Holds the power for the project's unit."""
    return viewer.holds(Power.MANAGE_MEMBERS, project.unit.path)


def check_names_people(viewer: Viewer, project: Project) -> None:
    """Raise Forbidden for who names nobody here: asked before what they sent is judged."""
    roles = roles_in(viewer, project)
    if not (may_ask(roles) or manages_members(viewer, project)):
        raise Forbidden(_("Only an owner or a manager of the project can do that."))


def _check_may(desk: ProjectDesk, roles: Collection[str]) -> None:
    """Raise Forbidden for who names nobody of these roles; what they do it by is held."""
    if all(_may_as_member(desk, each) for each in roles):
        return
    if held := desk.viewer.over(Power.MANAGE_MEMBERS, desk.project.unit.path):
        hold_authority(held[:1])
        return
    if desk.is_manager:
        raise Forbidden(_("A manager changes nothing about owners; an owner can."))
    raise Forbidden(_("Only an owner or a manager of the project can do that."))


def _check_standing(project: Project) -> None:
    if project.state in OVER:
        words = {"project": project.name, "state": project.get_state_display()}
        raise Conflict(_("%(project)s is %(state)s; nobody joins or leaves it any more.") % words)


def _check_holder(
    desk: ProjectDesk, user: User | None, group: Group | None, role: Role | None, held: str
) -> None:
    if (user is None) == (group is None):
        raise Invalid({"user": [_("Name a person or a group, one of the two.")]})
    if role is None:
        return
    if user is not None and not user.is_here:
        raise Invalid({"user": [_("%(name)s is not here any more.") % {"name": user}]})
    if group is not None and group.gone_at is not None:
        raise Invalid({"group": [_("%(name)s is not there any more.") % {"name": group}]})
    if user is not None and role == Role.OWNER and user != desk.viewer.user:
        raise Invalid(
            {"role": [_("Nobody is made an owner without their yes: offer the project to them.")]}
        )
    in_group = group is not None and group.pk in desk.viewer.group_ids and not desk.is_owner
    if (user == desk.viewer.user or in_group) and role == Role.OWNER and held != Role.OWNER:
        raise Forbidden(_("Nobody makes themselves an owner."))
    count = Membership.objects.filter(project=desk.project, ends_at__isnull=True).count()
    if not held and count >= MOST_MEMBERS:
        words = {"most": MOST_MEMBERS}
        raise Conflict(_("A project has at most %(most)s members: add a group instead.") % words)
