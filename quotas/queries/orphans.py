"""Projects that nobody owns any more, and to whom each can be offered."""

from collections.abc import Collection, Iterable
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
    """Shared projects in use of which no owner is here: no person, no group that exists."""
    owners = Membership.objects.live(now).filter(
        Q(user__is_active=True, user__left_at__isnull=True)
        | Q(group__isnull=False, group__gone_at__isnull=True),
        project=OuterRef("pk"), role=Role.OWNER,
    )  # fmt: skip
    rows = Project.objects.filter(state__in=WORKS, kind=ProjectKind.SHARED)
    return rows.exclude(Exists(owners))


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


def candidates_of(projects: Collection[Project]) -> dict[int, list[Candidate]]:
    """{project id: to whom the site offers it, in that order}; four queries for any number.

    The steward that the nearest unit names who is here, then the last owner's supervisor; but
    who declined since, or did not answer. projects: from `with_last_owner`, with their units.
    """
    stewards = _stewards({each.unit.path for each in projects})
    owners = User.objects.select_related("supervisor").in_bulk(
        {each.last_owner_id for each in projects if each.last_owner_id}  # type: ignore[attr-defined]  # annotated
    )
    said_no = _said_no(projects)
    found: dict[int, list[Candidate]] = {}
    for each in projects:
        owner = owners.get(each.last_owner_id or 0)  # type: ignore[attr-defined]  # annotated
        tried = said_no.get(each.pk, set())
        wanted = [Candidate(one, True) for one in _nearest(stewards, each.unit.path)]
        if owner is not None and owner.supervisor is not None and is_here(owner.supervisor):
            wanted.append(Candidate(owner.supervisor, False))
        found[each.pk] = _once(each for each in wanted if each.user.pk not in tried)
    return found


def is_here(person: User) -> bool:
    """Whether somebody can be offered anything."""
    return person.is_active and person.left_at is None


def _stewards(paths: Iterable[str]) -> dict[str, User]:
    above = {path for each in paths for path in ancestor_paths(each)}
    units = Unit.objects.filter(path__in=above, steward__isnull=False).select_related("steward")
    return {
        each.path: each.steward
        for each in units
        if each.steward is not None and is_here(each.steward)
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
