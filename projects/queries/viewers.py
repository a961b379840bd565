"""What a person is, and may do, at a moment: the start of every rule and every queryset.

Authority is computed here from half-open periods at `now` and never stored.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet, TextField
from django.db.models.expressions import RawSQL
from django.db.models.lookups import StartsWith
from django.utils import timezone

from portal.lib.compiled import compiled
from portal.lib.lookups import IsAnyOf, is_among, is_of
from portal.lib.together import Named, Part, Rows, Values
from projects.models import (
    Delegation,
    GroupMembership,
    Membership,
    Project,
    Unit,
    User,
    ancestor_paths,
    in_force,
)
from projects.states import REPAIRING, Power


def _not_in_force(now: datetime) -> Q:
    return ~in_force(now) | Q(revoked_at__lte=now)


def stands_in_for_nobody(now: datetime) -> Q:
    """The condition on a deputy that their grantor has left, or does not hold any more what they
    stand in by."""
    is_member = GroupMembership.objects.live(now).filter(
        group=OuterRef("group"), user=OuterRef(OuterRef("grantor"))
    )
    held = Delegation.objects.filter(
        Q(user=OuterRef("grantor")) | Exists(is_member), pk=OuterRef("parent")
    )
    is_here = User.objects.filter(pk=OuterRef("grantor"), is_active=True)
    # First what the row itself tells: PostgreSQL asks in the order in which it is written.
    return Q(is_deputy=True) & (~Exists(held) | ~Exists(is_here))


def live_delegations(now: datetime) -> QuerySet[Delegation]:
    """Delegations in force at `now` with every link above them in force too.

    A unit that was moved out of a grantor's subtree takes nothing of the grant with it, and a
    deputy decides only as long as whom they stand in for could.
    """
    is_over = _not_in_force(now) | stands_in_for_nobody(now)
    lies_below = StartsWith(OuterRef("unit__path"), F("unit__path"))
    broken_link = Delegation.objects.filter(
        is_over | ~Q(lies_below), IsAnyOf(F("pk"), OuterRef("ancestors"))
    )
    return Delegation.objects.exclude(is_over).exclude(Exists(broken_link))


@dataclass(frozen=True)
class Place:
    """Where a service account acts: in one project, or in a unit and what is below it."""

    account_id: int
    project_id: int | None
    unit_path: str

    @classmethod
    def of(cls, user: User) -> "Place | None":
        """The place of the service account by whose token somebody acts; None: no bounds."""
        account = user.token.service_account if user.token else None
        if account is None:
            return None
        unit = account.unit or account.project.unit  # type: ignore[union-attr]  # has one of them
        return cls(account.pk, account.project_id, unit.path)

    def projects(self, prefix: str = "") -> Q:
        """The condition on a row that leads to a project by `prefix` that it lies here."""
        if self.project_id is not None:
            return Q(**{f"{prefix}pk": self.project_id})
        return Q(**{f"{prefix}unit__path__startswith": self.unit_path})

    def holds(self, project: Project) -> bool:
        """Whether a project, with its unit, lies here: as `projects` says it."""
        if self.project_id is not None:
            return project.pk == self.project_id
        return project.unit.path.startswith(self.unit_path)

    @property
    def unit_paths(self) -> list[str]:
        """Below which one acts for whole units: nowhere, in a project."""
        return [] if self.project_id is not None else [self.unit_path]

    def clip(self, path: str) -> str | None:
        """The part of a subtree that lies here; a project is no part of anybody's subtree."""
        if self.project_id is not None:
            return None
        if path.startswith(self.unit_path):
            return path
        return self.unit_path if self.unit_path.startswith(path) else None


@dataclass(frozen=True)
class Viewer:
    """A person at a moment, with their groups and the delegations they hold.

    `place`: by a service account's token they see and do nothing outside of it, and are
    neither operator nor auditor of the site.
    """

    user: User
    now: datetime
    group_ids: frozenset[int]
    delegations: tuple[Delegation, ...] = field(repr=False)
    # Holds the power `audit` over the whole tree, however many tops it has.
    is_auditor: bool
    # The rows by which the person is in these groups: what a proof cites.
    memberships: tuple[GroupMembership, ...] = field(default=(), repr=False)
    place: Place | None = None

    @property
    def site_day(self) -> date:
        """The site's day, by which use and calendars go, wherever the person is."""
        return timezone.localdate(self.now, timezone.get_default_timezone())

    @classmethod
    def of(cls, user: User, now: datetime) -> "Viewer":
        """One query: the groups, and the live delegations of the person and of these.

        One more for those who hold the power `audit` over a top unit.
        """
        return cls.standing(user, now, *_standing(user=user.pk, now=now))

    @classmethod
    def standing(
        cls, user: User, now: datetime, memberships: Iterable[GroupMembership],
        held: Iterable[Delegation],
    ) -> "Viewer":  # fmt: skip
        """`of` from the answers to `standing_parts`."""
        group_ids = frozenset(each.group_id for each in memberships)
        place = Place.of(user)
        delegations = tuple(
            each for each in held if place is None or place.clip(each.unit.path) is not None
        )
        is_auditor = place is None and _covers_everything(delegations)
        return cls(user, now, group_ids, delegations, is_auditor, tuple(memberships), place)

    @property
    def is_operator(self) -> bool:
        return self.user.is_operator and self.place is None

    @property
    def sees_everything(self) -> bool:
        return self.is_operator or self.is_auditor

    def paths(self, *powers: Power) -> list[str]:
        """The units' paths below which the person holds one of `powers`."""
        wanted = set(powers)
        return self.clipped(each for each in self.delegations if wanted & set(each.powers))

    def clipped(self, delegations: Iterable[Delegation]) -> list[str]:
        """The units' paths that these are over, as far as one may act there."""
        found = {each.unit.path for each in delegations}
        if self.place is not None:
            found = {path for each in found if (path := self.place.clip(each)) is not None}
        return sorted(found)

    def holds(self, power: Power, unit_path: str) -> bool:
        """Whether the person holds the power for that unit."""
        return any(unit_path.startswith(path) for path in self.paths(power))

    def over(self, power: Power, unit_path: str) -> list[Delegation]:
        """Their delegations that hold the power for that unit."""
        if not self.reaches(unit_path):
            return []
        return [
            each
            for each in self.delegations
            if power in each.powers and unit_path.startswith(each.unit.path)
        ]

    def reaches(self, unit_path: str) -> bool:
        """Whether one may act for a whole unit, as far as the place of a token goes."""
        return self.place is None or self.place.clip(unit_path) == unit_path

    def own(self) -> Q:
        """The condition on a row with `user` and `group` that it names this person."""
        return Q(user=self.user) | Q(group__in=self.group_ids)

    def here(self, prefix: str = "") -> Q:
        """The condition on a row that leads to a project by `prefix` that one may act there."""
        return Q() if self.place is None else self.place.projects(prefix)


def standing_parts(*, user: Any, now: Any) -> list[Part]:
    """The person's groups, and the live delegations of theirs and of these, each with its unit."""
    member, held = _standing_of(user, now)
    return [Rows(member.order_by("pk")), Rows(held.order_by("pk"), ["unit"])]


def named_standing_parts(*, user: Any, now: Any, paths: Any) -> list[Part]:
    """`standing_parts` of units with these paths alone, an array; the delegations' ids first, as a
    table `mine` that other parts read."""
    member, held = _standing_of(user, now)
    held = held.filter(is_of("unit__path", paths, TextField()))
    mine = RawSQL("ARRAY(SELECT id FROM mine)", (), ArrayField(BigIntegerField()))
    rows = Delegation.objects.filter(IsAnyOf(F("pk"), mine))
    return [
        Named("mine", ["id"], held.order_by(), ["pk"]),
        Rows(member.order_by("pk")),
        Rows(rows.order_by("pk"), ["unit"]),
    ]


def _standing_of(user: Any, now: Any) -> tuple[QuerySet[GroupMembership], QuerySet[Delegation]]:
    member = GroupMembership.objects.live(now).filter(user=user)
    mine = Delegation.objects.filter(user=user).values("pk")
    # Two looks into indexes; either the one or the other would be a look at all of them.
    ours = Delegation.objects.filter(group__in=member.values("group")).values("pk")
    return member, live_delegations(now).filter(pk__in=mine.union(ours))


_standing = compiled(standing_parts)


def _covers_everything(delegations: Iterable[Delegation]) -> bool:
    tops = [each.unit_id for each in delegations if Power.AUDIT in each.powers]
    if not tops:
        return False
    others = Unit.objects.filter(parent__isnull=True, retired_at__isnull=True)
    return not others.exclude(pk__in=tops).exists()


def below(paths: Iterable[str], field_name: str) -> Q:
    """The condition that a path lies in one of these subtrees; none of them: never."""
    condition = Q(pk__in=[])
    for path in paths:
        condition |= Q(**{f"{field_name}__startswith": path})
    return condition


SEE_DELEGATIONS = (
    Power.DECIDE_QUOTA,
    Power.DECIDE_PROJECTS,
    Power.MANAGE_ENVELOPES,
    Power.AUDIT,
)
# Who repairs, or asks for others, must see what of, but not who decides there.
SEE_PROJECTS = (*SEE_DELEGATIONS, *REPAIRING, Power.ASK_FOR_OTHERS)


def visible_projects(viewer: Viewer) -> QuerySet[Project]:
    """The projects whose quota, usage, requests and timeline the person may see."""
    if viewer.sees_everything:
        return Project.objects.all()
    return Project.objects.filter(is_among("pk", _visible_ids(viewer)))


def of_visible_projects(viewer: Viewer) -> Q:
    """The condition on rows of a long list that the person may see their project; `lying_below`."""
    if viewer.sees_everything:
        return Q()
    paths = viewer.paths(*SEE_PROJECTS)
    if not is_much(paths):
        return Q(is_among("project", _visible_ids(viewer)))
    return Q(project__in=own_projects(viewer).values("pk")) | below(paths, "project__unit__path")


def lying_below(paths: Collection[str]) -> Q:
    """The condition on rows of a long list, which is shown page by page, that their unit is below.

    Below a top unit there is so much that a page is soon found along the list; below any other
    the rows are found by their units.
    """
    return below(paths, "unit__path") if is_much(paths) else in_units_below(paths)


def in_units_below(paths: Iterable[str]) -> Q:
    """The condition on a row that its unit lies in one of these subtrees, for lists read whole."""
    return Q(is_among("unit", Unit.objects.filter(below(paths, "path")).values("pk")))


def is_much(paths: Iterable[str]) -> bool:
    """Whether one of them is a top unit's."""
    return any(len(ancestor_paths(path)) == 1 for path in paths)


def _visible_ids(viewer: Viewer) -> QuerySet[Any, Any]:
    is_mine = viewer.own() & viewer.here("project__")
    return ids_seen(is_mine, in_units_below(viewer.paths(*SEE_PROJECTS)), viewer.now)


def ids_seen(is_mine: Q, is_there: Q, now: Any) -> QuerySet[Any, Any]:
    """Two looks into indexes; either the one or the other would be a look at all projects."""
    own = Membership.objects.live(now).filter(is_mine).values("project")
    return own.union(Project.objects.filter(is_there).values("pk"))


def own_projects(viewer: Viewer) -> QuerySet[Project]:
    """The projects in which the person has a role, directly or through a group."""
    own = Membership.objects.live(viewer.now).filter(viewer.own()).values("project")
    return Project.objects.filter(viewer.here(), pk__in=own)


def roles_in(viewer: Viewer, project: Project) -> frozenset[str]:
    """The roles that the person has in a project, directly or through groups."""
    return frozenset(roles_by_project(viewer, [project]).get(project.pk, ()))


def roles_held(viewer: Viewer, project: Project) -> QuerySet[Membership]:
    """The memberships by which the person has roles in a project."""
    return Membership.objects.live(viewer.now).filter(
        viewer.own(), viewer.here("project__"), project=project
    )


def roles_by_project(viewer: Viewer, projects: Collection[Project]) -> dict[int, set[str]]:
    """{project id: the roles that the person has in it}; one query for any number."""
    found: dict[int, set[str]] = defaultdict(set)
    if not projects:
        return found
    if viewer.place is None:
        (rows,) = _roles(
            projects=[each.pk for each in projects], user=viewer.user.pk,
            groups=sorted(viewer.group_ids), now=viewer.now,
        )  # fmt: skip
    else:
        here = Membership.objects.live(viewer.now).filter(
            viewer.own(), viewer.here("project__"), project__in=projects
        )
        rows = list(here.values_list("project", "role").order_by("pk"))
    for project_id, role in rows:
        found[project_id].add(role)
    return found


@compiled
def _roles(*, projects: Any, user: Any, groups: Any, now: Any) -> list[Part]:
    own = Q(user=user) | Q(is_of("group", groups))
    rows = Membership.objects.live(now).filter(own, is_of("project", projects))
    return [Values(rows.order_by("pk"), ["project", "role"])]
