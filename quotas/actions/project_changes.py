"""Changes of a project that somebody else agrees to: another end, unit or owner, a longer loan.

Asked for by who owns or manages it; decided by who decides projects where it is to be, of an offer
by whom it is made to, of a loan by who could lend as much. Who may decide it at once asks nobody.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, Invalid, Stale
from portal.lib.locks import lock
from projects.actions.project_acts import hold_authority
from projects.actions.units import hold_path
from projects.models import Project, ProjectChange, Unit, User
from projects.queries.viewers import Viewer, roles_in
from projects.states import ChangeKind, ChangeState, ProjectState, Role
from quotas.models import Loan
from quotas.queries.authority import Mandate

from . import loans
from .change_rows import ask_change, note_change, place_of, settle_change
from .changing import extend, hand_over, move
from .one_by_one import one_of_many
from .project_desk import ProjectDesk, deciding_projects, renewable_until, take_project
from .proposing import end_errors
from .warrants import Warrant
from .wishes import clean_text

MAX_REASON = 500
WORKS = (ProjectState.ACTIVE, ProjectState.SUSPENDED)


def ask_extension(
    *, project: Project, until_on: date, reason: str = "", version: int | None = None,
    decides: bool = True, actor: User, now: datetime,
) -> ProjectChange | None:  # fmt: skip
    """Let a project last until another day: at once for an owner within the site's bound, or for
    who decides projects; else it is asked for. None: it is done.

    decides: whether the actor uses what authority they have; else they ask like anybody.
    """
    with transaction.atomic():
        desk = _desk(project, version, actor, now, decides=decides)
        said = clean_text(reason, field="reason", required=False, most=MAX_REASON)
        if errors := end_errors(until_on, now):
            raise Invalid({"until_on": errors["ends_on"]})
        if until_on == desk.project.ends_on:
            raise Invalid({"until_on": [_("It lasts until that day already.")]})
        if desk.mandates or (desk.is_owner and until_on <= renewable_until(now)):
            warrant = desk.warrant
            extend(desk.project, until_on, actor=actor, warrant=warrant, reason=said, now=now)
            return None
        return ask_change(desk, ChangeKind.EXTEND, said, until_on=until_on)


def ask_move(
    *, project: Project, unit: Unit, reason: str = "", version: int | None = None,
    decides: bool = True, actor: User, now: datetime,
) -> ProjectChange | None:  # fmt: skip
    """Ask for a project to be put into another unit; None: who decides for both has done it."""
    with transaction.atomic():
        desk = _desk(project, version, actor, now, decides=decides)
        said = clean_text(reason, field="reason", required=False, most=MAX_REASON)
        unit = hold_path(unit)
        if unit.retired_at is not None:
            raise Invalid({"unit": [_("%(unit)s is retired.") % {"unit": unit.label}]})
        if unit.pk == desk.project.unit_id:
            raise Invalid({"unit": [_("It is in %(unit)s already.") % {"unit": unit.label}]})
        there = deciding_projects(desk.viewer, desk.project, unit.path)
        if desk.mandates and there:
            left = desk.warrant_by(desk.mandates, desk.project.unit)
            warrant = Warrant(desk.viewer, there[0], desk.project, unit, left=left)
            move(desk.project, unit, actor=actor, warrant=warrant, reason=said, now=now)
            return None
        return ask_change(desk, ChangeKind.MOVE, said, to_unit=unit)


def offer(
    *, project: Project, user: User, then: str = "", reason: str = "",
    version: int | None = None, actor: User, now: datetime,
) -> ProjectChange:  # fmt: skip
    """Offer a project to a new owner, who accepts or declines.

    then: the role that the actor has afterwards, "" for none; an owner who stays one shares it.
    """
    with transaction.atomic():
        desk = take_project(project, actor, now)
        if not desk.is_owner:
            raise Forbidden(_("Only an owner can offer the project to somebody."))
        desk.check_version(version)
        desk.check_state(*WORKS, ProjectState.CLOSING)
        said = clean_text(reason, field="reason", required=False, most=MAX_REASON)
        if not user.is_here:
            raise Invalid({"user": [_("%(name)s is not here any more.") % {"name": user}]})
        if user == actor:
            raise Invalid({"user": [_("You own it already.")]})
        if then not in ("", *Role.values):
            raise Invalid({"then": [_("There is no such role.")]})
        expires_at = now + timedelta(days=settings.PROJECT_OFFER_DAYS)
        return ask_change(desk, ChangeKind.HAND_OVER, said, to_user=user, then_role=then,
                    expires_at=expires_at)  # fmt: skip


def ask_loan(
    *, loan: Loan, until_on: date | None, reason: str = "", actor: User, now: datetime
) -> ProjectChange:
    """Ask for a loan of one's project to last until another day; None: to have it for good.

    Raises NotVisible, Forbidden, Invalid, Conflict where it is paid back or asked for already.
    """
    with transaction.atomic():
        desk = take_project(loans.project_of(loan), actor, now)
        if not desk.is_manager:
            raise Forbidden(_("Only an owner or a manager of the project can do that."))
        desk.check_state(*WORKS)
        held = loans.lock_loan(loan.pk)
        said = clean_text(reason, field="reason", required=False, most=MAX_REASON)
        if until_on is not None:
            loans.check_later(held, until_on, now)
        return ask_change(desk, ChangeKind.LOAN, said, loan=held.pk, until_on=until_on)


def accept(
    *, change: ProjectChange, answer: str = "", version: int, actor: User, now: datetime
) -> Project:
    """Say yes, which does it. Raises Conflict, NoRoom where a unit's envelopes lack it."""
    with transaction.atomic():
        desk, held = _take(change, actor, now)
        mandates = check_answers(desk.viewer, held)
        _check_open(held, version, now)
        said = clean_text(answer, field="answer", required=False, most=MAX_REASON)
        desk.check_state(*WORKS, ProjectState.CLOSING)
        # First the answer: what it does must not find it waiting any more.
        settle_change(held, "accept", said, actor, now)
        _do(desk, held, mandates, said)
        note_change(held, "change accepted", actor, now)
    return desk.project


def _do(desk: ProjectDesk, change: ProjectChange, mandates: Sequence[Mandate], said: str) -> None:
    """What was agreed to."""
    actor, now = desk.viewer.user, desk.viewer.now
    warrant = desk.warrant_by(mandates, change.to_unit or desk.project.unit)
    if change.loan is not None:
        loan = loans.lock_loan(change.loan)
        loans.lend_on(desk, loan, change.until_on, mandate=mandates[0], reason=said)
    elif change.kind == ChangeKind.EXTEND and change.until_on is not None:
        if errors := end_errors(change.until_on, now):
            raise Conflict(errors["ends_on"][0])
        extend(desk.project, change.until_on, actor=actor, warrant=warrant, reason=said, now=now)
    elif change.kind == ChangeKind.MOVE and change.to_unit is not None:
        move(desk.project, change.to_unit, actor=actor, warrant=warrant, reason=said, now=now)
    else:
        _check_offers_yet(change, now)
        hand_over(desk.project, change, now=now)


def decline(
    *, change: ProjectChange, answer: str, version: int, actor: User, now: datetime
) -> None:
    """Say no, with a reason for who asked."""
    with transaction.atomic():
        desk, held = _take(change, actor, now)
        mandates = check_answers(desk.viewer, held)
        _check_open(held, version, now)
        said = clean_text(answer, field="answer", required=True, most=MAX_REASON)
        hold_authority(each.delegation for each in mandates[:1])
        settle_change(held, "decline", said, actor, now)
        note_change(held, "change declined", actor, now)


def withdraw_change(*, change: ProjectChange, version: int, actor: User, now: datetime) -> None:
    """Ask for it no more; by an owner or a manager of the project."""
    with transaction.atomic():
        desk, held = _take(change, actor, now)
        if not desk.is_manager:
            raise Forbidden(_("Only an owner or a manager of the project can do that."))
        _check_open(held, version, now)
        settle_change(held, "withdraw", "", actor, now)
        note_change(held, "change withdrawn", actor, now)


def lapse_changes(now: datetime, most: int = 100) -> int:
    """End what nobody answered in time, or asks about a loan that is paid back; how many."""
    owed = Loan.objects.filter(pk=OuterRef("loan"), outstanding__gt=0)
    due = ProjectChange.objects.filter(
        Q(expires_at__lte=now) | Q(kind=ChangeKind.LOAN) & ~Exists(owed), state=ChangeState.OPEN
    )
    ids = list(due.order_by("expires_at", "pk").values_list("pk", flat=True)[:most])
    for pk in ids:
        with one_of_many("project change", pk):
            held = lock(ProjectChange.objects.filter(pk=pk).select_related("project"))[0]
            if held.state == ChangeState.OPEN:
                settle_change(held, "lapse", "", None, now)
                note_change(held, "change lapsed", None, now)
    return len(ids)


def _desk(
    project: Project, version: int | None, actor: User, now: datetime, *, decides: bool
) -> ProjectDesk:
    desk = take_project(project, actor, now, decides=decides)
    desk.require(manager=True)
    desk.check_version(version)
    desk.check_state(*WORKS)
    return desk


def _take(change: ProjectChange, actor: User, now: datetime) -> tuple[ProjectDesk, ProjectChange]:
    """The project locked, then the change. To whom it is offered need not see the project."""
    viewer = Viewer.of(actor, now)
    desk = take_project(change.project, actor, now, sees=may_answer(viewer, change))
    to_unit = hold_path(change.to_unit) if change.to_unit is not None else None
    held = lock(
        ProjectChange.objects.filter(pk=change.pk).select_related("to_user", "to_unit", "asked_by")
    )[0]
    held.project, held.to_unit = desk.project, to_unit
    return desk, held


def may_answer(viewer: Viewer, change: ProjectChange) -> bool:
    """Whether the person is whom it waits for."""
    try:
        check_answers(viewer, change)
    except Forbidden:
        return False
    return True


def check_answers(viewer: Viewer, change: ProjectChange) -> list[Mandate]:
    """By what the person answers it, nothing for an offer; raises Forbidden for all others.

    Nobody answers what they asked for, nor does who stands in for them: also once they have
    left the project.
    """
    if change.kind == ChangeKind.HAND_OVER:
        if change.to_user_id != viewer.user.pk or viewer.place is not None:
            raise Forbidden(_("It is offered to %(name)s.") % {"name": change.to_user})
        return []
    asked_by = change.asked_by_id
    if asked_by == viewer.user.pk:
        raise Forbidden(_("You asked for it: somebody else must answer."))
    if change.loan is not None:
        loan = Loan.objects.get(pk=change.loan)
        return [loans.mandate_over(viewer, change.project, loan, asked_by=asked_by)]
    found = deciding_projects(viewer, change.project, place_of(change))
    mandates = [each for each in found if asked_by not in each.deputised]
    if not mandates:
        words = {"unit": change.to_unit.label if change.to_unit else change.project.unit.label}
        raise Forbidden(_("Only who decides projects for %(unit)s can answer that.") % words)
    return mandates


def _check_offers_yet(change: ProjectChange, now: datetime) -> None:
    """Raise Conflict where who offers a project was made to give it up since.

    What somebody offered who left the site goes on.
    """
    who = change.asked_by
    if who is None or who.left_at is not None:
        return
    if Role.OWNER not in roles_in(Viewer.of(who, now), change.project):
        raise Conflict(_("%(name)s offered it, and owns it no more.") % {"name": who})


def _check_open(change: ProjectChange, version: int, now: datetime) -> None:
    state = ChangeState(change.state)
    if state == ChangeState.OPEN and change.expires_at is not None and change.expires_at <= now:
        state = ChangeState.LAPSED
    if state != ChangeState.OPEN:
        raise Conflict(_("It is %(state)s already.") % {"state": state.label}, state=state)
    if change.version != version:
        raise Stale(_("It has changed since you opened it. Look again."), version=change.version)
