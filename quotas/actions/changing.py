"""Doing what was agreed to: another end, another unit, another owner. The project is locked."""

from datetime import date, datetime

from django.db.models import F

from portal.lib.errors import Conflict
from projects.actions.events import record
from projects.actions.project_acts import act, hold_authority
from projects.actions.projects import place_project
from projects.models import Project, ProjectChange, Unit, User
from projects.states import ProjectActKind, Role

from .change_rows import agree_to_fulfilled
from .holdings import lock_holdings, take_along
from .members import change_role
from .routing import mark_project
from .warrants import Warrant, shown


def extend(
    project: Project, until_on: date | None, *, actor: User | None,
    warrant: Warrant | None, reason: str, now: datetime,
) -> None:  # fmt: skip
    """Let it last until another day; None: it stays."""
    before = project.ends_on
    Project.objects.filter(pk=project.pk).update(ends_on=until_on, version=F("version") + 1)
    project.refresh_from_db(fields=["ends_on", "version"])
    act(
        project, ProjectActKind.EXTEND, actor=actor, now=now, reason=reason,
        data={"before": before, "after": until_on}, **shown(warrant),
    )  # fmt: skip
    record(
        "project extended", actor=actor, now=now, project=project, unit=project.unit,
        subject_kind="project", subject_id=project.pk,
    )  # fmt: skip
    agree_to_fulfilled(project, actor, now)


def move(
    project: Project, unit: Unit, *, actor: User | None, warrant: Warrant | None,
    reason: str, now: datetime,
) -> None:  # fmt: skip
    """Put it into another unit, and let it draw all that it has from there. Raises NoRoom.

    unit: held; warrant: over it.
    """
    before = project.unit_id
    holdings = lock_holdings(project, unit=unit)
    if warrant is not None:
        hold_authority(warrant.delegations)
    done = act(
        project, ProjectActKind.MOVE, actor=actor, now=now, reason=reason,
        data={"before": before, "after": unit.pk}, **shown(warrant),
    )  # fmt: skip
    take_along(holdings, done)
    place_project(project=project, unit=unit, actor=actor, now=now)
    mark_project(project, now)
    agree_to_fulfilled(project, actor, now)


def hand_over(project: Project, change: ProjectChange, *, now: datetime) -> None:
    """Make whom it was offered to an owner; who offered it has the role that they chose."""
    if change.to_user is None:  # pragma: no cover - the constraint projectchange_says_what
        raise Conflict("offered to nobody")
    change_role(project, Role.OWNER, user=change.to_user, group=None, actor=change.to_user, now=now)
    if change.asked_by is not None and change.then_role != Role.OWNER:
        role = Role(change.then_role) if change.then_role else None
        change_role(project, role, user=change.asked_by, group=None, actor=change.asked_by, now=now)
    act(
        project, ProjectActKind.HAND_OVER, actor=change.to_user, now=now,
        data={"before": change.asked_by_id, "after": change.to_user_id},
    )  # fmt: skip
