"""What becomes of a proposed project: the first grant opens it; without any it is dropped."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, NotVisible, Stale
from portal.lib.locks import lock
from projects.actions.events import record
from projects.actions.project_acts import act, move_project
from projects.actions.project_names import (
    clean_name,
    slug_with,
    taken,
    taken_meanwhile,
)
from projects.models import Delegation, Membership, Project, User
from projects.outgoing.notices import tell_all_of
from projects.queries.viewers import Viewer, roles_in, visible_projects
from projects.rules import may_ask
from projects.states import NoticeKind, ProjectActKind, ProjectState
from quotas.models import Decision, RequestLine, Target
from quotas.queries.proposals import clashes
from quotas.states import PENDING, LineState

from .cloud_names import refuse_name
from .targets import wake_targets


def open_proposed(
    project: Project, decision: Decision, delegation: Delegation, *, now: datetime
) -> None:
    """Open a project that a decision has just granted the first quota to.

    project: locked. The decision's proof is the proof of this act too.
    """
    move_project(project, "open")
    act(
        project, ProjectActKind.OPEN, actor=decision.actor, now=now, delegation=delegation,
        snapshot={"decision": decision.pk},
    )  # fmt: skip
    event = record(
        "project opened", actor=decision.actor, now=now, project=project, unit=project.unit,
        subject_kind="project", subject_id=project.pk, decision=decision.pk,
    )  # fmt: skip
    people = Membership.objects.live(now).filter(project=project, user__isnull=False)
    requester = decision.request.requester_id
    tell_all_of(event, people.exclude(user=requester).values("user"), NoticeKind.PROJECT)


def drop_if_over(project: Project, *, actor: User | None, now: datetime) -> None:
    """Drop a proposed project of which nothing was granted and nothing waits any more.

    project: locked. Its name and its address are free again.
    """
    if project.state != ProjectState.PROPOSED:
        return
    hopeful = (*PENDING, LineState.GRANTED)
    if RequestLine.objects.filter(project=project, state__in=hopeful).exists():
        return
    move_project(project, "drop", slug=slug_with(project.slug, str(project.pk)))
    act(project, ProjectActKind.DROP, actor=actor, now=now)
    record(
        "project dropped", actor=actor, now=now, project=project, unit=project.unit,
        subject_kind="project", subject_id=project.pk,
    )  # fmt: skip


def rename(*, project: Project, name: str, version: int, actor: User, now: datetime) -> None:
    """Give a project another name while no cloud has it under this one.

    By its owners and managers while it is proposed, or while a cloud says that the name is
    taken. Raises NotVisible, Forbidden, Conflict, Stale, Invalid.
    """
    with transaction.atomic():
        rows = lock(Project.objects.filter(pk=project.pk).select_related("unit"))
        viewer = Viewer.of(actor, now)
        if not rows or not visible_projects(viewer).filter(pk=project.pk).exists():
            raise NotVisible(_("There is no such project."))
        if not may_ask(roles_in(viewer, rows[0])):
            raise Forbidden(_("Only an owner or a manager of the project can do that."))
        _rename(rows[0], clean_name(name), version, actor, now)
    project.refresh_from_db()


def _rename(project: Project, name: str, version: int, actor: User, now: datetime) -> None:
    if project.version != version:
        raise Stale(_("The project has changed since you opened it. Look again."))
    refused = clashes(project)
    if project.state != ProjectState.PROPOSED and not refused:
        words = {"project": project.name}
        raise Conflict(_("The clouds know %(project)s by this name; it stays.") % words)
    if name == project.name:
        raise taken(name)
    refuse_name(name, now, but=project)
    before = project.name
    try:
        with transaction.atomic():
            project.name = name
            project.version += 1
            project.save(update_fields=["name", "version"])
    except IntegrityError as error:
        raise taken_meanwhile(name, error) from error
    # Names are no secret of a person, but events hold none of anything.
    act(
        project, ProjectActKind.RENAME, actor=actor, now=now, data={"before": before, "after": name}
    )
    record(
        "project renamed", actor=actor, now=now, project=project,
        subject_kind="project", subject_id=project.pk,
    )  # fmt: skip
    identities = Target.objects.filter(project=project, endpoint__identity__isnull=True)
    wake_targets(list(identities))
