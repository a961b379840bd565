"""The rows of changes that wait for somebody's yes: asked, settled once, and told about.

What a yes does, and who may say it, is for `project_changes`; the project is locked.
"""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from projects.actions.events import record
from projects.models import GroupMembership, Project, ProjectChange, User
from projects.outgoing.notices import tell
from projects.states import CHANGE_MOVES, ChangeKind, ChangeState, NoticeKind, Power
from quotas.models import Loan
from quotas.queries.authority import Mandate, mandates_for, nearest
from quotas.queries.free_holders import interested, with_free_holder

from .project_desk import ProjectDesk


def ask_change(desk: ProjectDesk, kind: ChangeKind, reason: str, **what: object) -> ProjectChange:
    """Write down what is asked for, and tell whom it waits for; raises Conflict for a second."""
    actor, now = desk.viewer.user, desk.viewer.now
    try:
        with transaction.atomic():
            asked = ProjectChange.objects.create(
                project=desk.project, kind=kind, asked_by=actor, reason=reason, created_at=now,
                **what,
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict(_("The same waits for an answer already: withdraw that first.")) from error
    asked.project = desk.project
    note_change(asked, "change asked", actor, now)
    return asked


def settle_change(
    change: ProjectChange, verb: str, answer: str, actor: User | None, now: datetime
) -> None:
    """Move it by compare-and-set; raises Conflict where somebody was first."""
    after = CHANGE_MOVES[ChangeState.OPEN, verb]
    moved = ProjectChange.objects.filter(pk=change.pk, state=ChangeState.OPEN).update(
        state=after, answer=answer, answered_by=actor, answered_at=now, version=F("version") + 1
    )
    if not moved:
        raise Conflict(_("Somebody else was first. Look again."))
    change.refresh_from_db(fields=["state", "answer", "answered_by", "answered_at", "version"])


def lapse_wishes(loan: Loan, now: datetime) -> None:
    """End what is asked about a loan that is there no more."""
    for each in _open_ones(loan=loan.pk):
        settle_change(each, "lapse", "", None, now)
        note_change(each, "change lapsed", None, now)


def withdraw_wishes(project: Project, actor: User | None, now: datetime) -> None:
    """End all that is asked about a project that begins to close."""
    for each in _open_ones(project=project):
        settle_change(each, "withdraw", "", actor, now)
        note_change(each, "change withdrawn", actor, now)


def agree_to_fulfilled(project: Project, actor: User | None, now: datetime) -> None:
    """Call agreed what was asked for and is so by now: the project lasts as long, or is there."""
    for each in _open_ones(project=project):
        lasts = each.kind == ChangeKind.EXTEND and (
            project.ends_on is None or (each.until_on or project.ends_on) <= project.ends_on
        )
        if lasts or (each.kind == ChangeKind.MOVE and each.to_unit_id == project.unit_id):
            settle_change(each, "accept", "", actor, now)
            note_change(each, "change accepted", actor, now)


def _open_ones(**of: object) -> list[ProjectChange]:
    rows = ProjectChange.objects.filter(state=ChangeState.OPEN, **of)
    return list(rows.select_related("project__unit").order_by("pk"))


def note_change(change: ProjectChange, verb: str, actor: User | None, now: datetime) -> None:
    """Record it, and tell whom it waits for, or who waited."""
    event = record(
        verb, actor=actor, now=now, project=change.project, unit=change.project.unit,
        subject_kind="project_change", subject_id=change.pk, kind=change.kind,
    )  # fmt: skip
    if change.state == ChangeState.OPEN:
        tell(event, _whom(change, now), NoticeKind.CHANGE_ASKED)
    elif change.asked_by_id is not None:
        tell(event, [change.asked_by_id], NoticeKind.CHANGE_ANSWERED)


def place_of(change: ProjectChange) -> str:
    """The path of the unit in which it is decided."""
    return change.to_unit.path if change.to_unit is not None else change.project.unit.path


def _whom(change: ProjectChange, now: datetime) -> list[int]:
    """Ids of those who can answer: of deciders the nearest level."""
    if change.to_user_id is not None:
        return [change.to_user_id]
    asked = _nearest(change, now)
    groups = [each.delegation.group_id for each in asked if each.delegation.group_id]
    members = GroupMembership.objects.live(now).filter(group__in=groups)
    people = {each.delegation.user_id for each in asked if each.delegation.user_id}
    people.update(members.values_list("user", flat=True))
    return sorted(people - interested(people, change.project, now) - {change.asked_by_id})


def _nearest(change: ProjectChange, now: datetime) -> list[Mandate]:
    """Of a loan the nearest whose bounds allow as much; else the nearest at all."""
    power = Power.DECIDE_QUOTA if change.loan is not None else Power.DECIDE_PROJECTS
    there = [
        each
        for each in mandates_for(place_of(change), power, now)
        if change.asked_by_id not in each.effective_people
    ]
    held = with_free_holder(there, change.project, now)
    if change.loan is not None and held:
        loan = Loan.objects.select_related("account__offering").get(pk=change.loan)
        return nearest(held, loan.account.offering, loan.outstanding)
    return [each for each in held if each.nearness == held[0].nearness]
