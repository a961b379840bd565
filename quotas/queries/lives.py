"""The life of a project as pages and API show it: what waits, what holds it, what would go back."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from projects.models import (
    GroupMembership,
    Membership,
    Project,
    ProjectAct,
    ProjectChange,
    ProjectHold,
    Unit,
)
from projects.queries.viewers import Viewer, below, visible_projects
from projects.states import ROLES_ABOVE_READER, ChangeKind, ChangeState, Power
from quotas.models import Account, Offering

from .accounts import nearest_sources
from .authority import by_effective_people
from .leftovers import leftovers_of
from .loan_changes import agreeable, with_loans

DECIDES = Power.DECIDE_PROJECTS


def visible_changes(viewer: Viewer) -> QuerySet[ProjectChange]:
    """The changes that a person may see: of projects they see, those they are asked about, and
    those they asked for: who gave a project away hears that it was taken."""
    there = below(viewer.paths(DECIDES), "to_unit__path")
    own = Q(to_user=viewer.user) | Q(asked_by=viewer.user)
    mine = own if viewer.place is None else Q(pk__in=[])
    seen = Q(project__in=visible_projects(viewer).values("pk"))
    return _with_names(ProjectChange.objects.filter(seen | mine | there))


def waiting_changes(viewer: Viewer) -> QuerySet[ProjectChange]:
    """The open ones that wait for this person's answer, the oldest first.

    Offers made to them, and what they decide: not of projects in which they, or whom they stand
    in for, have a part, nor what one of these asked for.
    """
    asked = Q(to_user=viewer.user) if viewer.place is None else Q(pk__in=[])
    loans = agreeable(viewer)
    for people, delegations in by_effective_people(viewer).items():
        paths = viewer.clipped(each for each in delegations if DECIDES in each.powers)
        here = below(paths, "project__unit__path") & Q(kind=ChangeKind.EXTEND)
        there = below(paths, "to_unit__path") & Q(kind=ChangeKind.MOVE)
        wide_enough = Q(pk__in={pk for each in delegations for pk in loans.get(each.pk, ())})
        is_barred = Q(Exists(_parts_of(people, viewer.now))) | Q(asked_by__in=people)
        asked |= (here | there | wide_enough) & ~is_barred
    is_over = Q(expires_at__lte=viewer.now)
    rows = ProjectChange.objects.filter(asked, ~is_over, state=ChangeState.OPEN)
    return _with_names(rows).order_by("created_at", "pk")


def _parts_of(people: Collection[int], now: datetime) -> QuerySet[Membership]:
    """By which one of them has a part in the project of a change, directly or through a group."""
    groups = GroupMembership.objects.live(now).filter(user__in=people).values("group")
    return Membership.objects.live(now).filter(
        Q(user__in=people) | Q(group__in=groups),
        project=OuterRef("project"), role__in=ROLES_ABOVE_READER,
    )  # fmt: skip


def open_changes(project: Project) -> list[ProjectChange]:
    """What of a project waits for somebody's yes."""
    return with_loans(_with_names(open_change_rows(project)))


def open_change_rows(project: Any) -> QuerySet[ProjectChange]:
    """project: it, its id or a slot for that."""
    return ProjectChange.objects.filter(project=project, state=ChangeState.OPEN).order_by("pk")


def _with_names(rows: QuerySet[ProjectChange]) -> QuerySet[ProjectChange]:
    return rows.select_related("project__unit", "asked_by", "to_user", "to_unit", "answered_by")


def hold_on(project: Project) -> ProjectHold | None:
    """What keeps it from ending now."""
    return hold_rows(project).select_related("made_by").first()


def hold_rows(project: Any) -> QuerySet[ProjectHold]:
    """One, if any; project: it, its id or a slot for that."""
    return ProjectHold.objects.filter(project=project, released_at__isnull=True).order_by("pk")


def acts_of(project: Project) -> QuerySet[ProjectAct]:
    """What was done with it, the newest first."""
    rows = ProjectAct.objects.filter(project=project).select_related("actor", "delegation")
    return rows.order_by("-pk")


@dataclass(frozen=True)
class GoingBack:
    """What a project has of an offering, and how much of it is in use; amounts in base units."""

    account: Account
    free: int

    @property
    def offering(self) -> Offering:
        return self.account.offering

    @property
    def stays(self) -> int:
        """What use holds: it goes back as that falls."""
        return self.account.balance - self.free


def going_back(project: Project) -> list[GoingBack]:
    """What would go back today, were the countdown over; six queries."""
    accounts = list(
        Account.objects.filter(project=project, balance__gt=0)
        .select_related("offering__resource", "offering__zone__region")
        .order_by("offering__zone__region__slug", "offering__zone__slug", "offering__slug")
    )
    left = leftovers_of(project.pk, accounts) if accounts else None
    return [GoingBack(each, left.take(each, each.balance) if left else 0) for each in accounts]


@dataclass(frozen=True)
class Redraw:
    """What a move means for one offering: from which account it is drawn, and from which then."""

    account: Account
    before: Account
    after: Account

    @property
    def offering(self) -> Offering:
        return self.account.offering

    @property
    def is_same(self) -> bool:
        """Both units draw from one account: nothing moves."""
        return self.before.pk == self.after.pk

    @property
    def short(self) -> int:
        """By how much the envelope there has too little."""
        return 0 if self.is_same else max(self.account.balance - self.after.balance, 0)


def redraws(project: Project, unit: Unit) -> list[Redraw]:
    """What a project would draw from where in another unit; three queries."""
    accounts = list(
        Account.objects.filter(project=project, balance__gt=0)
        .select_related("offering__resource", "offering__zone__region")
        .order_by("offering__slug")
    )
    ids = [each.offering_id for each in accounts]
    before, after = _paying(ids, project.unit), _paying(ids, unit)
    return [Redraw(each, before[each.offering_id], after[each.offering_id]) for each in accounts]


def _paying(offering_ids: Collection[int], unit: Unit) -> dict[int, Account]:
    rows = nearest_sources(offering_ids, unit.path).select_related("unit", "project")
    return {each.offering_id: each for each in rows}
