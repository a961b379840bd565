"""Making projects, and who holds which role in them."""

from datetime import date, datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Invalid
from portal.lib.locks import lock
from projects.models import (
    Group,
    Membership,
    Project,
    ProjectKind,
    ProjectPlacement,
    Unit,
    User,
)
from projects.states import ProjectActKind, ProjectState, Role

from .events import record
from .project_acts import act
from .units import hold_path


def make_project(
    *,
    slug: str,
    unit: Unit,
    name: str = "",
    description: str = "",
    purpose: str = "",
    kind: ProjectKind = ProjectKind.SHARED,
    ends_on: date | None = None,
    is_proposed: bool = False,
    actor: User | None,
    now: datetime,
) -> Project:
    """Open a project in a living unit, or propose one; `name` is what the clouds call it.

    The caller gives an active one targets (quotas.actions.targets.ensure_targets).
    """
    with transaction.atomic():
        # Held, so that it is not retired at the same moment.
        unit = hold_path(unit)
        if unit.retired_at is not None:
            raise Conflict(
                _("%(unit)s is retired; no project is opened in it.") % {"unit": unit.label}
            )
        project = Project.objects.create(
            slug=slug,
            name=name or slug,
            description=description,
            purpose=purpose,
            unit=unit,
            kind=kind,
            state=ProjectState.PROPOSED if is_proposed else ProjectState.ACTIVE,
            ends_on=ends_on,
            created_at=now,
        )
        ProjectPlacement.objects.create(project=project, unit=unit, starts_at=now)
        if is_proposed:
            act(project, ProjectActKind.PROPOSE, actor=actor, now=now)
        record(
            "project proposed" if is_proposed else "project made",
            actor=actor, now=now, project=project, unit=unit,
            subject_kind="project", subject_id=project.pk,
        )  # fmt: skip
    return project


def describe_project(
    *, project: Project, description: str, actor: User | None, now: datetime
) -> None:
    """Write another description."""
    with transaction.atomic():
        Project.objects.filter(pk=project.pk).update(
            description=description, version=F("version") + 1
        )
        record(
            "project described", actor=actor, now=now, project=project,
            subject_kind="project", subject_id=project.pk,
        )  # fmt: skip
    project.refresh_from_db(fields=["description", "version"])


def place_project(*, project: Project, unit: Unit, actor: User | None, now: datetime) -> None:
    """Put a project into another unit, from `now` on.

    Says nothing about quota: what the project holds is the caller's to look after.
    """
    with transaction.atomic():
        locked = lock(Project.objects.filter(pk=project.pk))[0]
        if locked.unit_id == unit.pk:
            return
        unit = hold_path(unit)
        if unit.retired_at is not None:
            raise Conflict(
                _("%(unit)s is retired; no project is put into it.") % {"unit": unit.label}
            )
        before = locked.unit_id
        Project.objects.filter(pk=project.pk).update(unit=unit, version=F("version") + 1)
        held = ProjectPlacement.objects.filter(project=project, ends_at__isnull=True)
        held.filter(starts_at__gte=now).delete()  # a period that never held
        held.update(ends_at=now)
        ProjectPlacement.objects.create(project=project, unit=unit, starts_at=now)
        record(
            "project moved", actor=actor, now=now, project=project, unit=unit,
            subject_kind="project", subject_id=project.pk, before=before, after=unit.pk,
        )  # fmt: skip
    project.refresh_from_db(fields=["unit", "version"])


def set_role(
    *,
    project: Project,
    role: Role | None,
    user: User | None = None,
    group: Group | None = None,
    actor: User | None,
    now: datetime,
) -> bool:
    """Give a person or a group one role in a project from `now` on; None ends what they hold.

    False where it was so already; nothing is recorded then.
    """
    if (user is None) == (group is None):
        raise Invalid({"user": [_("Name a person or a group, one of the two.")]})
    with transaction.atomic():
        lock(Project.objects.filter(pk=project.pk))
        held = Membership.objects.filter(
            project=project, user=user, group=group, ends_at__isnull=True
        ).first()
        if (held.role if held else None) == role:
            return False
        if held is not None:
            _end(held, now)
        if role is not None:
            Membership.objects.create(
                project=project, user=user, group=group, role=role, starts_at=now
            )
        record(
            "role ended" if role is None else "role given",
            actor=actor, now=now, project=project,
            subject_kind="user" if user else "group", subject_id=(user or group).pk,  # type: ignore[union-attr]  # one of the two, above
            role=role or (held.role if held else ""),
        )  # fmt: skip
    return True


def _end(membership: Membership, now: datetime) -> None:
    if membership.starts_at >= now:
        membership.delete()  # a period that never held
        return
    membership.ends_at = now
    membership.save(update_fields=["ends_at"])
