"""Who holds what from whom: the delegations in force as a tree, or as a list that a filter leaves.

A tree shows three levels, and so many nodes at most: what lies deeper is a count and a link.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from projects.models import Delegation, Unit
from projects.queries.delegations import visible_in_force, with_people
from projects.queries.viewers import Viewer
from projects.states import Power

LEVELS = 3
MOST_NODES = 300


@dataclass
class Node:
    """A delegation with those below it that are shown; `hidden`: how many are not."""

    delegation: Delegation
    children: list["Node"] = field(default_factory=list)
    below_count: int = 0
    level: int = 0

    @property
    def hidden_count(self) -> int:
        return self.below_count - sum(1 + each.below_count for each in self.children)


@dataclass(frozen=True)
class Chained:
    """A delegation with those above it, root first."""

    delegation: Delegation
    above: list[Delegation]


def tree_of(viewer: Viewer, top: Delegation | None = None) -> list[Node]:
    """The forest that the person sees, or what hangs from one; two queries for any size."""
    rows = visible_in_force(viewer)
    if top is not None:
        rows = rows.filter(Q(pk=top.pk) | Q(ancestors__contains=[top.pk]))
    parents = dict(rows.order_by("unit__path", "pk").values_list("pk", "parent"))
    below: dict[int | None, list[int]] = defaultdict(list)
    for pk, parent in parents.items():
        is_top = pk == top.pk if top is not None else parent not in parents
        below[None if is_top else parent].append(pk)
    counts = _counts(parents)
    levels = _shown(below)
    ids = [pk for level in levels for pk in level]
    shown = with_people(Delegation.objects.filter(pk__in=ids)).in_bulk()
    nodes: dict[int, Node] = {}
    roots: list[Node] = []
    for depth, level in enumerate(levels):
        for pk in level:
            if pk not in shown:
                continue
            nodes[pk] = Node(shown[pk], below_count=counts[pk], level=depth)
            above = nodes.get(parents[pk] or 0) if depth else None
            (above.children if above else roots).append(nodes[pk])
    return roots


def find_in_force(
    viewer: Viewer, *, text: str = "", unit: Unit | None = None, power: str = ""
) -> QuerySet[Delegation]:
    """Those in force that match: the name of who holds it, a unit's subtree, a power."""
    rows = visible_in_force(viewer)
    for word in text.split()[:5]:
        rows = rows.filter(
            Q(user__name__icontains=word)
            | Q(user__subject__icontains=word)
            | Q(group__name__icontains=word)
        )
    if unit is not None:
        rows = rows.filter(unit__path__startswith=unit.path)
    if power in Power.values:
        rows = rows.filter(powers__contains=[power])
    return rows.order_by("unit__path", "pk")


def with_chains(delegations: Sequence[Delegation]) -> list[Chained]:
    """Each with the delegations above it; one query."""
    ids = {pk for each in delegations for pk in each.ancestors}
    links = Delegation.objects.select_related("user", "group", "unit").in_bulk(ids)
    return [Chained(each, [links[pk] for pk in each.ancestors]) for each in delegations]


def _counts(parents: dict[int, int | None]) -> dict[int, int]:
    """{delegation id: how many hang from it, at any depth}."""
    counts = dict.fromkeys(parents, 0)
    for pk in parents:
        above = parents[pk]
        while above in counts:
            counts[above] += 1
            above = parents[above]
    return counts


def _shown(below: dict[int | None, list[int]]) -> list[list[int]]:
    """The ids of each level to show: whole families only, so that a count says what is missing."""
    levels = [below[None][:MOST_NODES]]
    room = MOST_NODES - len(levels[0])
    while len(levels) < LEVELS:
        found: list[int] = []
        for pk in levels[-1]:
            family = below.get(pk, [])
            if len(family) <= room:
                found += family
                room -= len(family)
        if not found:
            break
        levels.append(found)
    return levels
