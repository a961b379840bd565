"""What it would mean if a person left the site now, or came back: shown before it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet, Value

from projects.models import (
    Absence,
    Delegation,
    Membership,
    Project,
    ProjectChange,
    ProjectKind,
    ServiceAccount,
    User,
)
from projects.queries.tokens import tokens_in_force
from projects.states import STANDING, ProjectState, Role

from .left_authority import deputies_named_by, parted
from .orphans import WORKS, Candidate, candidates_of, open_offers, owning

OVER = (ProjectState.CLOSED, ProjectState.DROPPED)
# What becomes of a project that nobody would own any more.
OFFERED, UNPLACED, CLOSES, DROPPED = "offered", "unplaced", "closes", "dropped"
FATES = (OFFERED, UNPLACED, CLOSES, DROPPED)


@dataclass(frozen=True)
class LeftAlone:
    """A project without another owner, and what becomes of it.

    fate: `offered` to `candidate` first; `unplaced`: there is nobody to offer it to, it waits on
    the page of orphans; `closes`: it is personal; `dropped`: it was only asked for.
    """

    project: Project
    fate: str
    candidate: Candidate | None = None


@dataclass(frozen=True)
class Leaving:
    """What ends with a person, what goes on, and what they leave behind.

    ending, links: what they hold, revoked or kept as a link by which others hold something.
    deputies: whom they let act for them. offers: of projects, made to them.
    """

    roles: Sequence[Membership]
    alone: Sequence[LeftAlone]
    ending: Sequence[Delegation]
    links: Sequence[Delegation]
    deputies: Sequence[Delegation]
    offers: Sequence[ProjectChange]
    accounts: Sequence[ServiceAccount]
    token_count: int
    is_operator: bool


def leaving_of(user: User, now: datetime) -> Leaving:
    """As it would be now; some fifteen queries for any number of rows."""
    ending, links = parted(user, now)
    theirs = Q(user=user) | Q(service_account__owner=user)
    accounts = ServiceAccount.objects.filter(owner=user, closed_at__isnull=True)
    return Leaving(
        roles=list(held_roles(user)),
        alone=_left_alone(user, now),
        ending=ending,
        links=links,
        deputies=list(_named(deputies_named_by(user, now))),
        offers=list(open_offers().filter(to_user=user).order_by("pk")),
        accounts=list(accounts.select_related("project", "unit").order_by("name", "pk")),
        token_count=tokens_in_force(now).filter(theirs).count(),
        is_operator=user.is_operator,
    )


def _named(rows: QuerySet[Delegation]) -> QuerySet[Delegation]:
    return rows.select_related("user", "group", "unit").order_by("pk")


def held_roles(user: User) -> QuerySet[Membership]:
    """The person's own roles, in projects that are not over; not those through a group."""
    rows = Membership.objects.filter(user=user, ends_at__isnull=True)
    rows = rows.exclude(project__state__in=OVER)
    return rows.select_related("project__unit").order_by("project__name", "pk")


def open_absence(user: User) -> Absence | None:
    """Since when the person is away, and who said so; None: they are here."""
    rows = Absence.objects.filter(user=user, ends_at__isnull=True)
    return rows.select_related("left_by").first()


def roles_given_back(absence: Absence | None, now: datetime) -> list[Membership]:
    """The roles that ended as a person left and that they have again if they are back now.

    None after an absence of more than LEAVER_RETURN_DAYS, and none in projects that are over.
    """
    days = timedelta(days=settings.LEAVER_RETURN_DAYS)
    if absence is None or now - absence.starts_at > days:
        return []
    rows = Membership.objects.filter(
        user=absence.user_id, ends_at=absence.starts_at, project__state__in=STANDING
    )
    return list(rows.select_related("project").order_by("project", "pk"))


def _left_alone(user: User, now: datetime) -> list[LeftAlone]:
    own = Membership.objects.filter(
        user=user, role=Role.OWNER, ends_at__isnull=True, project=OuterRef("pk")
    )
    others = owning(now).filter(project=OuterRef("pk")).exclude(user=user)
    rows = (
        Project.objects.filter(Exists(own), state__in=(ProjectState.PROPOSED, *WORKS))
        .exclude(Exists(others))
        # As it will be: they are its last owner from then on.
        .annotate(last_owner_id=Value(user.pk), owned_until=Value(now))
        .select_related("unit")
        .order_by("name", "pk")
    )
    projects = list(rows)
    shared = [each for each in projects if _is_offered(each)]
    wanted = candidates_of(shared, without=user.pk)
    return [_fate(each, wanted.get(each.pk, [])) for each in projects]


def _is_offered(project: Project) -> bool:
    return project.state in WORKS and project.kind == ProjectKind.SHARED


def _fate(project: Project, candidates: Sequence[Candidate]) -> LeftAlone:
    if project.state == ProjectState.PROPOSED:
        return LeftAlone(project, DROPPED)
    if project.kind != ProjectKind.SHARED:
        return LeftAlone(project, CLOSES)
    if candidates:
        return LeftAlone(project, OFFERED, candidates[0])
    return LeftAlone(project, UNPLACED)
