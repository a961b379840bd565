"""A person leaves the site, or comes back: the directory says so, or an operator.

What they held ends, what they owned alone is offered to somebody else (orphans), and nothing
that they did is forgotten. Each person is one transaction; what is killed is done again.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden
from portal.lib.locks import lock
from projects.actions.events import record
from projects.actions.people import set_operator
from projects.actions.projects import set_role
from projects.actions.tokens import end_all_of_person
from projects.actions.units import hold_places
from projects.models import (
    Absence,
    Delegation,
    Membership,
    Project,
    ProjectChange,
    ProjectKind,
    User,
)
from projects.queries.viewers import Viewer
from projects.rules import may_operate, may_read_people
from projects.states import ChangeKind, ChangeState, ProjectState, Role
from quotas.queries.leaving import OVER, held_roles, open_absence, roles_given_back
from quotas.queries.left_authority import relied_upon
from quotas.queries.orphans import owning

from .calendar import site_day
from .ended_authority import end_authority
from .lives import begin_closing, wake_identities
from .one_by_one import one_of_many
from .opening import drop_if_over
from .orphans import lapse_offer
from .routing import mark_places
from .wishes import clean_text
from .withdrawing import withdraw_all

MAX_REASON = 500
BATCH = 50
ENDING = (ProjectState.ACTIVE, ProjectState.SUSPENDED)


def leave_site(*, user: User, reason: str = "", actor: User | None, now: datetime) -> bool:
    """End all that a person may do here. actor: an operator; None: the directory says so.

    False where they had left already as the directory says so; an operator is told (Conflict).
    Raises Forbidden, Invalid.
    """
    if actor is not None:
        check_may_close(actor, user, now)
    said = clean_text(reason, field="reason", required=actor is not None, most=MAX_REASON)
    with transaction.atomic():
        _let_go(user, actor, now)
        if not _close_account(user, actor, now):
            return _changed_nothing(actor, _("%(name)s has left already."), user)
        Absence.objects.create(user=user, starts_at=now, reason=said, left_by=actor)
        record("person left", actor=actor, now=now, subject_kind="user", subject_id=user.pk)
    user.refresh_from_db()
    return True


def return_to_site(*, user: User, reason: str = "", actor: User | None, now: datetime) -> bool:
    """Let a person who had left sign in again.

    After a short absence (LEAVER_RETURN_DAYS), which mostly was a mistake, they have the roles
    again that ended with it. Tokens and delegations are made anew, by whoever would. False, or
    Conflict, where they were here, as in `leave_site`.
    """
    if actor is not None:
        check_may_close(actor, user, now)
    clean_text(reason, field="reason", required=False, most=MAX_REASON)
    with transaction.atomic():
        back = roles_given_back(open_absence(user), now)
        projects = _hold_projects({each.project_id for each in back})
        changed = User.objects.filter(pk=user.pk, left_at__isnull=False).update(
            is_active=True, left_at=None
        )
        if not changed:
            return _changed_nothing(actor, _("%(name)s has not left."), user)
        Absence.objects.filter(user=user, ends_at__isnull=True).update(ends_at=now, back_by=actor)
        for each in back:
            _give_back(projects[each.project_id], each, user, actor, now)
        _wake(projects.values(), now)
        record(
            "person returned", actor=actor, now=now, subject_kind="user", subject_id=user.pk,
            roles=len(back),
        )  # fmt: skip
    user.refresh_from_db()
    return True


def finish_leaving(now: datetime, most: int = BATCH) -> int:
    """Let go of what people who left hold all the same, as somebody gave it meanwhile; how many.

    Also of authority on which nobody else relies any more.
    """
    people = list(_still_holding(now)[:most])
    for each in people:
        with one_of_many("person", each.pk):
            _let_go(each, None, now)
    return len(people)


def _changed_nothing(actor: User | None, sentence: str, user: User) -> bool:
    """False for a sweep, which comes again; raises Conflict for a person, who should know."""
    if actor is not None:
        raise Conflict(sentence % {"name": user})
    return False


def check_reads_people(viewer: Viewer) -> None:
    """Raise Forbidden for who may not read about people and the directory."""
    if not may_read_people(viewer):
        raise Forbidden(_("Who is at the site is for operators and auditors."))


def check_says_who_left(viewer: Viewer) -> None:
    """Raise Forbidden but for operators: asked before anybody is looked for."""
    if not may_operate(viewer):
        raise Forbidden(_("Only an operator says who has left, and who is back."))


def check_may_close(actor: User, user: User, now: datetime) -> None:
    """Raise Forbidden where the actor says of this person neither that they left nor returned."""
    check_says_who_left(Viewer.of(actor, now))
    if actor == user:
        raise Forbidden(_("Nobody closes their own account: ask another operator."))


def _close_account(user: User, actor: User | None, now: datetime) -> bool:
    """By compare-and-set, after all else: who signs in holds the person, and then groups."""
    changed = User.objects.filter(pk=user.pk, left_at__isnull=True).update(
        is_active=False, left_at=now, signed_out_at=now
    )
    if not changed:
        return False
    set_operator(user=user, is_operator=False, actor=actor, now=now)
    end_all_of_person(user, actor, now)
    return True


def _let_go(user: User, actor: User | None, now: datetime) -> None:
    """End their roles and authority, and see to what they leave behind. May run twice."""
    offered = ProjectChange.objects.filter(to_user=user, state=ChangeState.OPEN)
    held = held_roles(user).order_by().values_list("project", flat=True)
    ids = {*held, *offered.values_list("project", flat=True)}
    projects = _hold_projects(ids)
    for project in projects.values():
        set_role(project=project, role=None, user=user, actor=actor, now=now)
    for change in offered.select_related("project__unit").order_by("pk"):
        lapse_offer(change, now)
    # What they offered goes on; they get no role by it any more.
    ProjectChange.objects.filter(
        asked_by=user, kind=ChangeKind.HAND_OVER, state=ChangeState.OPEN
    ).exclude(then_role="").update(then_role="", version=F("version") + 1)
    for project in projects.values():
        if not owning(now).filter(project=project).exists():
            _left_alone(project, now)
    end_authority(user, now)
    _wake(projects.values(), now)


def _hold_projects(ids: Collection[int]) -> dict[int, Project]:
    """The projects, locked, with their places."""
    rows = lock(Project.objects.filter(pk__in=ids).select_related("unit"))
    hold_places(rows)
    return {each.pk: each for each in rows}


def _left_alone(project: Project, now: datetime) -> None:
    """Nobody owns it any more. A shared one is offered by the next sweep (orphans)."""
    if project.state == ProjectState.PROPOSED:
        withdraw_all(project, actor=None, now=now)
        drop_if_over(project, actor=None, now=now)
    elif project.kind == ProjectKind.PERSONAL and project.state in ENDING:
        begin_closing(project, site_day(now), reason="", desk=None, now=now)


def _wake(projects: Collection[Project], now: datetime) -> None:
    for each in projects:
        wake_identities(each)
    mark_places(projects=[each.pk for each in projects], now=now)


def _give_back(
    project: Project, ended: Membership, user: User, actor: User | None, now: datetime
) -> None:
    if not Membership.objects.filter(project=project, user=user, ends_at__isnull=True).exists():
        set_role(project=project, role=Role(ended.role), user=user, actor=actor, now=now)
    if ended.role == Role.OWNER:
        offers = ProjectChange.objects.filter(
            project=project, kind=ChangeKind.HAND_OVER, state=ChangeState.OPEN,
            asked_by__isnull=True,
        )  # fmt: skip
        for each in offers.select_related("project__unit"):
            lapse_offer(each, now, verb="withdraw")


def _still_holding(now: datetime) -> QuerySet[User]:
    roles = Membership.objects.filter(user=OuterRef("pk"), ends_at__isnull=True).exclude(
        project__state__in=OVER
    )
    held = Delegation.objects.filter(
        Q(user=OuterRef("pk")) | Q(grantor=OuterRef("pk"), is_deputy=True),
        Q(ends_at__isnull=True) | Q(ends_at__gt=now), revoked_at__isnull=True,
    ).exclude(relied_upon(now))  # fmt: skip
    offered = ProjectChange.objects.filter(to_user=OuterRef("pk"), state=ChangeState.OPEN)
    return User.objects.filter(
        Exists(roles) | Exists(held) | Exists(offered), left_at__isnull=False
    ).order_by("pk")
