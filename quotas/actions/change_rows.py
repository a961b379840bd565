"""The rows of changes that wait for somebody's yes: asked, settled once, and told about.

What a yes does, and who may say it, is for `project_changes`; the project is locked.
"""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from projects.actions.events import record
from projects.models import GroupMembership, ProjectChange, User
from projects.outgoing.notices import tell
from projects.states import CHANGE_MOVES, ChangeKind, ChangeState, NoticeKind, Power
from quotas.models import Loan
from quotas.queries.authority import Mandate, mandates_for, nearest, with_free_holder

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
    asked = ProjectChange.objects.filter(loan=loan.pk, state=ChangeState.OPEN)
    for each in asked.select_related("project__unit"):
        settle_change(each, "lapse", "", None, now)
        note_change(each, "change lapsed", None, now)


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
    return sorted(people | set(members.values_list("user", flat=True)))


def _nearest(change: ProjectChange, now: datetime) -> list[Mandate]:
    """Of a loan the nearest whose bounds allow as much; else the nearest at all."""
    power = Power.DECIDE_QUOTA if change.loan is not None else Power.DECIDE_PROJECTS
    held = with_free_holder(mandates_for(place_of(change), power, now), change.project, now)
    if change.loan is not None and held:
        loan = Loan.objects.select_related("account__offering").get(pk=change.loan)
        return nearest(held, loan.account.offering, loan.outstanding)
    return [each for each in held if each.nearness == held[0].nearness]
