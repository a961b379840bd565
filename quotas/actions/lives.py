"""Suspending a project and resuming it; closing it after a countdown, or keeping it after all.

A suspended project keeps its quota and its people, asks for nothing, and nobody works in it in
the clouds. A closing one works on until its countdown is over; then what is free goes back, and
the rest as its use falls.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Invalid
from portal.lib.moments import full_day_words
from projects.actions.events import record
from projects.actions.project_acts import act, move_project
from projects.models import Membership, Project, User
from projects.outgoing.notices import tell_all_of
from projects.states import NoticeKind, ProjectActKind, ProjectState
from quotas.models import Target

from .change_rows import withdraw_wishes
from .project_desk import ProjectDesk, renewable_until, take_project
from .proposing import end_errors
from .targets import wake_targets
from .warrants import shown
from .wishes import clean_text
from .withdrawing import withdraw_all

MAX_REASON = 500


def suspend(
    *, project: Project, reason: str, version: int | None = None, actor: User, now: datetime
) -> Project:
    """Stop all work in a project, with its reason; quota and people stay as they are."""
    with transaction.atomic():
        desk = _taken(project, version, actor, now, operator=True)
        said = clean_text(reason, field="reason", required=True, most=MAX_REASON)
        move_project(desk.project, "suspend", suspended_at=now)
        _note(desk, ProjectActKind.SUSPEND, "project suspended", said)
        wake_identities(desk.project)
    return desk.project


def resume(
    *, project: Project, reason: str = "", version: int | None = None, actor: User, now: datetime
) -> Project:
    """Let a suspended project work on."""
    with transaction.atomic():
        desk = _taken(project, version, actor, now, operator=True)
        said = clean_text(reason, field="reason", required=False, most=MAX_REASON)
        move_project(desk.project, "resume", suspended_at=None)
        _note(desk, ProjectActKind.RESUME, "project resumed", said)
        wake_identities(desk.project)
    return desk.project


def close(
    *, project: Project, reason: str = "", version: int | None = None, decides: bool = True,
    actor: User, now: datetime,
) -> Project:  # fmt: skip
    """Begin the countdown to a project's end; what it asks for is withdrawn.

    By its owners, by who decides projects there, and by operators. decides: see `take_project`.
    """
    with transaction.atomic():
        desk = _taken(project, version, actor, now, owner=True, operator=True, decides=decides)
        said = clean_text(reason, field="reason", required=False, most=MAX_REASON)
        begin_closing(desk.project, desk.today, reason=said, desk=desk, now=now)
    return desk.project


def begin_closing(
    project: Project, today: date, *, reason: str, desk: ProjectDesk | None, now: datetime
) -> None:
    """The countdown, begun by somebody or (without a desk) by the calendar. project: locked."""
    closes_on = today + timedelta(days=settings.PROJECT_GRACE_DAYS)
    move_project(project, "close", closes_on=closes_on)
    actor = desk.viewer.user if desk else None
    withdraw_all(project, actor=actor, now=now)
    withdraw_wishes(project, actor, now)
    act(
        project, ProjectActKind.CLOSE, actor=actor, now=now, reason=reason,
        data={"closes_on": closes_on}, **shown(desk.warrant if desk else None),
    )  # fmt: skip
    tell_people("project closing", project, actor, now)


def keep(
    *,
    project: Project,
    ends_on: date | None,
    reason: str = "",
    version: int | None = None,
    decides: bool = True,
    actor: User,
    now: datetime,
) -> Project:
    """Keep a closing project after all, until another last day; within its countdown only.

    An owner no longer than they could have extended it to without anybody's yes.
    """
    with transaction.atomic():
        desk = _taken(project, version, actor, now, owner=True, operator=True, decides=decides)
        desk.check_state(ProjectState.CLOSING)
        if desk.project.closes_on is None or desk.project.closes_on < desk.today:
            raise Conflict(_("Its countdown is over; what it had is going back."))
        if errors := end_errors(ends_on, now) or _beyond_an_owner(desk, ends_on):
            raise Invalid(errors)
        said = clean_text(reason, field="reason", required=False, most=MAX_REASON)
        before = desk.project.ends_on
        # Closing is no way out of a suspension: only who may resume it ends that.
        verb = "keep" if desk.project.suspended_at is None else "keep suspended"
        move_project(desk.project, verb, closes_on=None, ends_on=ends_on)
        _note(
            desk,
            ProjectActKind.KEEP,
            "project kept",
            said,
            data={"before": before, "after": ends_on},
        )
    return desk.project


def _beyond_an_owner(desk: ProjectDesk, ends_on: date | None) -> dict[str, list[str]]:
    """What is wrong with a later end than an owner could give it: closing is no way to one."""
    before = desk.project.ends_on
    others_may = desk.mandates or (desk.viewer.is_operator and not desk.is_manager)
    if others_may or before is None:
        return {}
    last = max(before, renewable_until(desk.viewer.now))
    if ends_on is not None and ends_on <= last:
        return {}
    words = {"day": full_day_words(last)}
    return {"ends_on": [_("Choose %(day)s at the latest; you can ask for more then.") % words]}


def wake_identities(project: Project) -> None:
    """Have the project's identity services looked at: its state, name or people are others."""
    wake_targets(list(Target.objects.filter(project=project, endpoint__identity__isnull=True)))


def _taken(
    project: Project, version: int | None, actor: User, now: datetime,
    *, owner: bool = False, operator: bool = False, decides: bool = True,
) -> ProjectDesk:  # fmt: skip
    desk = take_project(project, actor, now, decides=decides)
    desk.require(owner=owner, operator=operator)
    desk.check_version(version)
    return desk


def _note(
    desk: ProjectDesk,
    kind: ProjectActKind,
    verb: str,
    reason: str,
    data: Mapping[str, object] | None = None,
) -> None:
    actor, now = desk.viewer.user, desk.viewer.now
    act(
        desk.project, kind, actor=actor, now=now, reason=reason, data=data, **shown(desk.warrant)
    )  # fmt: skip
    tell_people(verb, desk.project, actor, now)


def tell_people(verb: str, project: Project, actor: User | None, now: datetime) -> None:
    """Record it, and tell everybody who works in the project by name."""
    event = record(
        verb, actor=actor, now=now, project=project, unit=project.unit,
        subject_kind="project", subject_id=project.pk,
    )  # fmt: skip
    people = Membership.objects.live(now).filter(project=project, user__isnull=False)
    tell_all_of(event, people.values("user"), NoticeKind.PROJECT)
