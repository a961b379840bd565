"""Projects that nobody owns any more, and to whom each can be offered."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from projects.models import Membership, Project, ProjectChange, ProjectKind, Unit, User
from projects.models.units import ancestor_paths
from projects.queries.viewers import Viewer, below
from projects.states import ChangeKind, ChangeState, Power, ProjectState, Role

# A closing one ends by itself; what was never opened is dropped.
WORKS = (ProjectState.ACTIVE, ProjectState.SUSPENDED)


def ownerless(now: datetime) -> QuerySet[Project]:
    """Shared projects in use of which no owner is here."""
    rows = Project.objects.filter(state__in=WORKS, kind=ProjectKind.SHARED)
    return rows.exclude(Exists(owning(now).filter(project=OuterRef("pk"))))


def owning(now: datetime) -> QuerySet[Membership]:
    """By which projects are owned: by people who are here, and by groups that exist."""
    return Membership.objects.live(now).filter(
        Q(user__is_active=True, user__left_at__isnull=True)
        | Q(group__isnull=False, group__gone_at__isnull=True),
        role=Role.OWNER,
    )  # fmt: skip


def orphans_of(viewer: Viewer) -> QuerySet[Project]:
    """Those that the person may see on the page of orphans: all, or where they decide projects."""
    rows = ownerless(viewer.now)
    if viewer.sees_everything:
        return rows
    return rows.filter(below(viewer.paths(Power.DECIDE_PROJECTS), "unit__path"))


def past_owners(now: datetime) -> QuerySet[Membership]:
    """By which people owned a project (OuterRef "pk") once; the last one first."""
    rows = Membership.objects.filter(
        project=OuterRef("pk"), role=Role.OWNER, user__isnull=False, ends_at__lte=now
    )
    return rows.order_by("-ends_at", "-pk")


def with_last_owner(rows: QuerySet[Project], now: datetime) -> QuerySet[Project]:
    """The projects with `last_owner_id` and `owned_until`; None where nobody ever owned it."""
    last = past_owners(now)
    return rows.annotate(
        last_owner_id=Subquery(last.values("user")[:1]),
        owned_until=Subquery(last.values("ends_at")[:1]),
    )


@dataclass(frozen=True)
class Candidate:
    """Somebody to whom a project can be offered, and what they are to it."""

    user: User
    is_steward: bool


def candidates_of(
    projects: Collection[Project], *, without: int | None = None
) -> dict[int, list[Candidate]]:
    """{project id: to whom the site offers it, in that order}; four queries for any number.

    The steward that the nearest unit names who is here, then the last owner's supervisor; but
    who declined since, or did not answer. projects: from `with_last_owner`, with their units.
    without: the id of somebody who is about to leave.
    """
    stewards = _stewards({each.unit.path for each in projects}, without)
    owners = User.objects.select_related("supervisor").in_bulk(
        {each.last_owner_id for each in projects if each.last_owner_id}  # type: ignore[attr-defined]  # annotated
    )
    said_no = _said_no(projects)
    found: dict[int, list[Candidate]] = {}
    for each in projects:
        owner = owners.get(each.last_owner_id or 0)  # type: ignore[attr-defined]  # annotated
        tried = said_no.get(each.pk, set())
        wanted = [Candidate(one, True) for one in _nearest(stewards, each.unit.path)]
        if owner is not None and owner.supervisor is not None and owner.supervisor.is_here:
            wanted.append(Candidate(owner.supervisor, False))
        found[each.pk] = _once(each for each in wanted if each.user.pk not in tried)
    return found


@dataclass(frozen=True)
class Orphan:
    """A project that nobody owns, who did last, and to whom it is, or can be, offered.

    offer: the open one; candidates: to whom the site offers it next, none: people must.
    """

    project: Project
    last_owner: User | None
    owned_until: datetime | None
    offer: ProjectChange | None
    candidates: Sequence[Candidate]


def orphan_rows(projects: Sequence[Project]) -> list[Orphan]:
    """Each with what stands beside it; projects: from `with_last_owner`, with their units."""
    owners = User.objects.in_bulk({each.last_owner_id for each in projects if each.last_owner_id})  # type: ignore[attr-defined]  # annotated
    offers = {
        each.project_id: each
        for each in open_offers().filter(project__in=[each.pk for each in projects])
    }
    candidates = candidates_of(projects)
    return [
        Orphan(
            project=each,
            last_owner=owners.get(each.last_owner_id or 0),  # type: ignore[attr-defined]  # annotated
            owned_until=each.owned_until,  # type: ignore[attr-defined]  # annotated
            offer=offers.get(each.pk),
            candidates=[
                one
                for one in candidates[each.pk]
                if each.pk not in offers or offers[each.pk].to_user_id != one.user.pk
            ],
        )
        for each in projects
    ]


def open_offers() -> QuerySet[ProjectChange]:
    """What is offered to somebody and waits for an answer, with the names beside it."""
    rows = ProjectChange.objects.filter(kind=ChangeKind.HAND_OVER, state=ChangeState.OPEN)
    return rows.select_related("project__unit", "asked_by", "to_user", "to_unit", "answered_by")


def offered(rows: QuerySet[Project], *, is_offered: bool) -> QuerySet[Project]:
    """Those of the projects that are, or are not, offered to somebody now."""
    waits = Exists(open_offers().filter(project=OuterRef("pk")).select_related(None))
    return rows.filter(waits) if is_offered else rows.exclude(waits)


def _stewards(paths: Iterable[str], without: int | None) -> dict[str, User]:
    above = {path for each in paths for path in ancestor_paths(each)}
    units = Unit.objects.filter(path__in=above, steward__isnull=False).select_related("steward")
    if without is not None:
        units = units.exclude(steward=without)
    return {
        each.path: each.steward
        for each in units
        if each.steward is not None and each.steward.is_here
    }


def _nearest(stewards: dict[str, User], path: str) -> list[User]:
    for each in reversed(ancestor_paths(path)):
        if each in stewards:
            return [stewards[each]]
    return []


def _said_no(projects: Collection[Project]) -> dict[int, set[int | None]]:
    """{project id: whom it was offered to in vain since its last owner left}."""
    rows = ProjectChange.objects.filter(
        project__in=[each.pk for each in projects], kind=ChangeKind.HAND_OVER,
        state__in=[ChangeState.DECLINED, ChangeState.LAPSED],
    )  # fmt: skip
    until = {each.pk: each.owned_until for each in projects}  # type: ignore[attr-defined]  # annotated
    found: dict[int, set[int | None]] = {}
    for project_id, person, at in rows.values_list("project", "to_user", "created_at"):
        since = until[project_id]
        if since is None or at >= since:
            found.setdefault(project_id, set()).add(person)
    return found


def _once(candidates: Iterable[Candidate]) -> list[Candidate]:
    return list({each.user.pk: each for each in reversed(list(candidates))}.values())[::-1]
