"""Units for which fewer than two people decide; sets in memory, whatever the number of units."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from portal.lib.lookups import is_among
from projects.models import (
    GroupMembership,
    Membership,
    Project,
    Unit,
    User,
    ancestor_paths,
    in_force,
)
from projects.queries.viewers import below, live_delegations
from projects.states import ROLES_ABOVE_READER, Power, ProjectState

ENOUGH = 2


@dataclass(frozen=True)
class ThinUnit:
    """A unit with too few deciders, who they are, and for how many units below that is so too.

    Below: where the same people decide and nobody else; such units are not listed again.
    """

    unit: Unit
    people: tuple[User, ...]
    below_count: int


def thin_units(paths: Sequence[str] | None, now: datetime) -> list[ThinUnit]:
    """The fewest first. paths: of the subtrees to look at; None: all.

    Who counts: people whose account is in use and who are not barred from every project of
    the unit; of a group each member. Those who decide for a unit above decide here too.
    """
    units = Unit.objects.filter(retired_at__isnull=True).order_by("path")
    if paths is not None:
        units = units.filter(below(paths, "path"))
    deciding = _deciding(paths, now)
    barred = _barred({each for people in deciding.values() for each in people}, paths, now)
    everybody: dict[str, frozenset[int]] = {}
    found: dict[str, tuple[Unit, frozenset[int]]] = {}
    hidden: dict[str, int] = defaultdict(int)
    stands_for: dict[str, str] = {}
    for unit in units:
        above = ancestor_paths(unit.path)[:-1]
        parent = above[-1] if above else ""
        inherited = everybody.get(parent)
        if inherited is None:
            inherited = frozenset().union(*(deciding.get(each, set()) for each in above))
        everybody[unit.path] = inherited | deciding.get(unit.path, set())
        people = everybody[unit.path] - barred.get(unit.pk, set())
        if len(people) >= ENOUGH:
            continue
        listed = stands_for.get(parent, "")
        if listed and found[listed][1] == people:
            hidden[listed] += 1
            stands_for[unit.path] = listed
        else:
            found[unit.path] = (unit, people)
            stands_for[unit.path] = unit.path
    users = User.objects.in_bulk({each for _unit, people in found.values() for each in people})
    rows = [
        ThinUnit(unit, tuple(users[each] for each in sorted(people)), hidden[unit.path])
        for unit, people in found.values()
    ]
    return sorted(rows, key=lambda each: (len(each.people), each.unit.path))


def _units(paths: Sequence[str]) -> QuerySet[Unit, Any]:
    """The ids of the units in these subtrees."""
    return Unit.objects.filter(below(paths, "path")).values("pk")


def _deciding(paths: Sequence[str] | None, now: datetime) -> dict[str, set[int]]:
    """{unit path: who holds a delegation there, or is in a group that does}; two queries."""
    held = live_delegations(now).filter(powers__contains=[Power.DECIDE_QUOTA])
    if paths is not None:
        above = Unit.objects.filter(path__in={a for path in paths for a in ancestor_paths(path)})
        held = held.filter(is_among("unit", _units(paths).union(above.values("pk"))))
    rows: list[tuple[str, int | None, int | None, bool | None]] = list(
        held.values_list("unit__path", "user", "group", "user__is_active")
    )
    members: dict[int, set[int]] = defaultdict(set)
    groups = {group_id for _path, _user, group_id, _active in rows if group_id is not None}
    live = GroupMembership.objects.filter(
        is_among("group", groups), in_force(now), user__is_active=True
    )
    for of_group, member in live.values_list("group", "user"):
        members[of_group].add(member)
    found: dict[str, set[int]] = defaultdict(set)
    for path, user_id, group_id, is_active in rows:
        if user_id is None:
            found[path] |= members[group_id or 0]
        elif is_active:
            found[path].add(user_id)
    return found


def _barred(
    people: Collection[int], paths: Sequence[str] | None, now: datetime
) -> dict[int, set[int]]:
    """{unit id: who holds a role above reader in every project of it}; three queries."""
    projects = Project.objects.exclude(state=ProjectState.CLOSED)
    roles = Membership.objects.filter(in_force(now), role__in=ROLES_ABOVE_READER)
    if paths is not None:
        projects = projects.filter(is_among("unit", _units(paths)))
        roles = roles.filter(is_among("project", projects.values("pk")))
    counts = dict(projects.order_by().values_list("unit").annotate(count=Count("pk")))
    in_groups: dict[int, set[int]] = defaultdict(set)
    live = GroupMembership.objects.filter(is_among("user", people), in_force(now))
    for of_group, member in live.values_list("group", "user"):
        in_groups[of_group].add(member)
    held: dict[tuple[int, int], set[int]] = defaultdict(set)
    roles = roles.filter(Q(user__in=people) | Q(group__in=in_groups)).exclude(
        project__state=ProjectState.CLOSED
    )
    rows: list[tuple[int, int, int | None, int | None]] = list(
        roles.values_list("project__unit", "project", "user", "group")
    )
    for unit_id, project_id, user_id, group_id in rows:
        for each in {user_id} if user_id is not None else in_groups[group_id or 0]:
            held[unit_id, each].add(project_id)
    found: dict[int, set[int]] = defaultdict(set)
    for (unit_id, user_id), projects_held in held.items():
        if len(projects_held) == counts.get(unit_id):
            found[unit_id].add(user_id)
    return found
