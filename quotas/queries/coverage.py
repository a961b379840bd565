"""Where deciders are missing, or soon will be: for those who oversee a subtree.

A fixed number of queries for any number of units; each list is cut and says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Least
from django.utils.translation import gettext as _

from portal.lib.errors import Forbidden
from portal.lib.lookups import is_among, is_the
from projects.models import Delegation, GroupMembership, Membership, Project, User, in_force
from projects.queries.viewers import Viewer, in_units_below, live_delegations
from projects.rules import may_oversee, oversees
from projects.states import ROLES_ABOVE_READER
from quotas.models import Assignment, Policy, RequestLine
from quotas.states import AssignmentKind, LineState, PolicyState

from .coverage_units import ThinUnit, thin_units
from .deciders import deciders_of
from .left_authority import left_as_links, unended
from .waiting_for import nobody_words, why_nobody

SOON = timedelta(days=30)
ROOT_SOON = timedelta(days=60)
AWAY = timedelta(days=60)
MOST = 50
Row = TypeVar("Row")


@dataclass(frozen=True)
class Found(Generic[Row]):
    """The first rows of a list, and whether there are more."""

    rows: Sequence[Row]
    has_more: bool = False

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Ending:
    """A delegation that ends soon: by its dates, or because its end was fixed already."""

    delegation: Delegation
    over_at: datetime


@dataclass(frozen=True)
class Left:
    """Authority by which others hold something, though its holder has left: nobody uses it."""

    delegation: Delegation
    left_at: datetime
    below_count: int


@dataclass(frozen=True)
class Absent:
    """Somebody who has not signed in for long while things wait for them."""

    person: User
    waiting_count: int


@dataclass(frozen=True)
class Grown:
    """A group that has more members now than when it was given its delegation."""

    delegation: Delegation
    before: int
    now: int


@dataclass(frozen=True)
class Stranded:
    """An open line that nobody can decide, with the reason and what would help."""

    line: RequestLine
    reason: str
    sentence: str


@dataclass(frozen=True)
class Coverage:
    """Everything that whoever oversees these units should look at."""

    thin: Found[ThinUnit]
    stranded: Found[Stranded]
    unanswered: Found[RequestLine]
    roots: Found[Ending]
    ending: Found[Ending]
    left: Found[Left]
    absent: Found[Absent]
    grown: Found[Grown]
    policies: Found[Policy]

    @property
    def is_clear(self) -> bool:
        return not any(
            len(each)
            for each in (
                self.thin, self.stranded, self.unanswered, self.roots, self.ending, self.left,
                self.absent, self.grown, self.policies,
            )
        )  # fmt: skip


def overseen(viewer: Viewer) -> list[str] | None:
    """The paths of the subtrees that the person oversees; None: everything.

    Who audits there, or decides and can hand that on. Raises Forbidden for anybody else.
    """
    if not may_oversee(viewer):
        raise Forbidden(_("You oversee no unit: you hold nothing there that can be handed on."))
    if viewer.sees_everything:
        return None
    return viewer.clipped(each for each in viewer.delegations if oversees(each))


def coverage_of(viewer: Viewer) -> Coverage:
    """Raises Forbidden for who oversees nothing."""
    paths, now = overseen(viewer), viewer.now
    return Coverage(
        thin=_cut(thin_units(paths, now)),
        stranded=stranded_lines(paths, now),
        unanswered=_cut(_unanswered(paths, now)),
        roots=_cut(_endings(paths, now, ROOT_SOON, is_root=True)),
        ending=_cut(_endings(paths, now, SOON, is_root=False)),
        left=_left(paths, now),
        absent=_absent(paths, now),
        grown=_grown(paths, now),
        policies=_cut(_policies(paths, now)[: MOST + 1]),
    )


def _there(paths: Sequence[str] | None) -> Q:
    """The condition that a row's unit lies in one of these subtrees; None: anywhere."""
    return Q() if paths is None else in_units_below(paths)


def _of(column: str, rows: QuerySet[Any], paths: Sequence[str] | None) -> Q:
    """The same of a row's project or delegation; rows: of that model."""
    if paths is None:
        return Q()
    return Q(is_among(column, rows.filter(in_units_below(paths)).values("pk")))


def ending_delegations(now: datetime, soon: timedelta, *, is_root: bool) -> QuerySet[Delegation]:
    """Those in force that are over before `soon` has passed; not deputies, who are for a time.

    `over_at`: the earlier of the end and of a revocation to come.
    """
    return (
        live_delegations(now)
        .annotate(over_at=Least("ends_at", "revoked_at"))
        .filter(over_at__lte=now + soon, parent__isnull=is_root, is_deputy=False)
        .select_related("user", "group", "unit", "grantor")
        .order_by("over_at", "pk")
    )


def _endings(
    paths: Sequence[str] | None, now: datetime, soon: timedelta, *, is_root: bool
) -> list[Ending]:
    rows = ending_delegations(now, soon, is_root=is_root).filter(_there(paths))
    return [Ending(each, each.over_at) for each in rows[: MOST + 1]]  # type: ignore[attr-defined]  # annotated


def _left(paths: Sequence[str] | None, now: datetime) -> Found[Left]:
    below = (
        unended(now)
        .filter(parent=OuterRef("pk"), is_deputy=False)
        .order_by()
        .values("parent")
        .annotate(count=Count("pk"))
        .values("count")
    )
    rows = (
        left_as_links(now)
        .filter(_there(paths))
        .annotate(
            left_at=F("user__left_at"),
            below_count=Coalesce(Subquery(below, output_field=IntegerField()), 0),
        )
        .select_related("user", "group", "unit", "grantor")
        .order_by("left_at", "pk")
    )
    return _cut([Left(each, each.left_at, each.below_count) for each in rows[: MOST + 1]])


def _decidable(now: datetime) -> Exists:
    """The condition on a line that somebody is asked to decide it who can, as far as is seen."""
    involved = Membership.objects.filter(
        in_force(now), role__in=ROLES_ABOVE_READER, user=OuterRef("user"),
        project=OuterRef(OuterRef("project")),
    )  # fmt: skip
    # Asked line by line: few lines are open, of all that there ever were.
    return Exists(
        Assignment.objects.filter(
            is_the("line", OuterRef("pk")), in_force(now), kind=AssignmentKind.DECIDE
        )
        .filter(delegation__in=live_delegations(now).values("pk"))
        .exclude(user__is_active=False)
        .exclude(Exists(involved))
    )


def _open_lines(paths: Sequence[str] | None) -> QuerySet[RequestLine]:
    return RequestLine.objects.filter(
        _of("project", Project.objects.all(), paths), state=LineState.OPEN
    )


def _first_of(rows: QuerySet[RequestLine], *order: str | Combinable) -> QuerySet[RequestLine]:
    """The first lines, with all that is shown of them: what is around is read of these alone."""
    first = RequestLine.objects.filter(
        is_among("pk", rows.order_by(*order).values("pk")[: MOST + 1])
    )
    return first.order_by(*order).select_related(
        "request__project__unit", "project__unit", "offering__resource", "offering__zone__region"
    )


def _unanswered(paths: Sequence[str] | None, now: datetime) -> QuerySet[RequestLine]:
    """Lines that went up to the top and were decided there by nobody either, the oldest first."""
    rows = _open_lines(paths).filter(_decidable(now), escalate_at__isnull=True)
    return _first_of(rows, "waits_since", "pk")


def stranded_lines(paths: Sequence[str] | None, now: datetime) -> Found[Stranded]:
    """Open lines that nobody can decide; lines that are about to be routed are none."""
    rows = _open_lines(paths).exclude(_decidable(now))
    # Not "pk": along its index lie all lines that ever were.
    lines = list(_first_of(rows, F("pk") + 0))
    deciders = deciders_of(lines, now)
    found = []
    for line in lines:
        why = why_nobody(deciders[line.pk])
        if why is not None:
            found.append(Stranded(line, why.value, nobody_words(why, line, line.project)))
    return Found(found[:MOST], len(lines) > MOST)


def _absent(paths: Sequence[str] | None, now: datetime) -> Found[Absent]:
    long_ago = now - AWAY
    gone = Q(user__last_login__lt=long_ago) | Q(
        user__last_login__isnull=True, user__joined_at__lt=long_ago
    )
    rows = (
        Assignment.objects.filter(
            _of("delegation", Delegation.objects.all(), paths), in_force(now),
            in_force(now, "delegation__"), gone, line__state=LineState.OPEN,
            kind=AssignmentKind.DECIDE, user__is_active=True,
        )
        .exclude(delegation__revoked_at__lte=now)
        .order_by()
        .values("user")
        .annotate(count=Count("line", distinct=True))
        .order_by("-count", "user")[: MOST + 1]
    )  # fmt: skip
    counts = {each["user"]: each["count"] for each in rows}
    people = User.objects.in_bulk(counts)
    return _cut([Absent(people[pk], count) for pk, count in counts.items()])


def _grown(paths: Sequence[str] | None, now: datetime) -> Found[Grown]:
    def members(at: object) -> Coalesce:
        rows = GroupMembership.objects.filter(
            Q(ends_at__isnull=True) | Q(ends_at__gt=at), group=OuterRef("group"),
            starts_at__lte=at, user__is_active=True,
        )  # fmt: skip
        counted = rows.order_by().values("group").annotate(count=Count("pk")).values("count")
        return Coalesce(Subquery(counted, output_field=IntegerField()), 0)

    rows = (
        live_delegations(now)
        .filter(_there(paths), group__isnull=False)
        .annotate(before=members(OuterRef("created_at")), members=members(now))
        .filter(members__gt=F("before"))
        .select_related("group", "unit", "grantor")
        .order_by("-members", "pk")
    )
    return _cut([Grown(each, each.before, each.members) for each in rows[: MOST + 1]])


def _policies(paths: Sequence[str] | None, now: datetime) -> QuerySet[Policy]:
    """Rules that are on and grant nothing any more: nobody stands behind them."""
    member = GroupMembership.objects.filter(
        in_force(now), group=OuterRef("delegation__group"), user=OuterRef("person")
    )
    live = live_delegations(now).filter(is_the("pk", OuterRef("delegation")))
    stands = Q(Exists(live), person__is_active=True) & (
        Q(delegation__user=F("person")) | Exists(member)
    )
    return (
        Policy.objects.filter(_there(paths), state=PolicyState.ON)
        .exclude(stands)
        .select_related("unit", "person", "delegation")
        .order_by("pk")
    )


def _cut(rows: Iterable[Row]) -> Found[Row]:
    found = list(rows)
    return Found(found[:MOST], len(found) > MOST)
