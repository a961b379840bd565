"""Who decides for some projects, with all that a decision asks of them, in one statement."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import BigIntegerField, F, Q
from django.db.models.expressions import RawSQL

from portal.lib.compiled import compiled
from portal.lib.lookups import IsAnyOf, is_among
from portal.lib.together import Part, Values
from projects.models import (
    Delegation,
    GroupMembership,
    Membership,
    Project,
    User,
    ancestor_paths,
    in_force,
)
from projects.queries.viewers import Viewer, named_standing_parts
from projects.states import ROLES_ABOVE_READER, Power

from .authority import Mandate, chain_parts_of, deciding_for, mandates_from


@dataclass(frozen=True)
class Standing:
    """Who decides, and by what: {project id: mandates, the nearest first}; with_role: {project id:
    people with a role above reader}, of the person and of whoever is deputised by a link.

    viewer: with their delegations over these projects alone, so it may not be asked about others.
    """

    viewer: Viewer
    mandates: Mapping[int, list[Mandate]]
    with_role: Mapping[int, set[int]]


def standing_over(user: User, projects: Collection[Project], now: datetime) -> Standing:
    """Who somebody is at a moment, and by what they decide for these projects; one query.

    projects: with their units as they stand.
    """
    paths = {path for each in projects for path in ancestor_paths(each.unit.path)}
    _mine, memberships, delegations, links, bounds, roles, members = _standing_over(
        Power.DECIDE_QUOTA, user=user.pk, projects=sorted(each.pk for each in projects),
        paths=sorted(paths), now=now,
    )  # fmt: skip
    viewer = Viewer.standing(user, now, memberships, delegations)
    over = {each.pk: viewer.over(Power.DECIDE_QUOTA, each.unit.path) for each in projects}
    held = {each.pk: each for found in over.values() for each in found}
    mandates = {each.delegation.pk: each for each in mandates_from(held.values(), links, bounds)}
    return Standing(
        viewer,
        {
            each.pk: deciding_for([mandates[one.pk] for one in over[each.pk]], each)
            for each in projects
        },
        _with_role(over, roles, members),
    )


def _with_role(
    projects: Iterable[int], roles: Iterable[Sequence[Any]], members: Iterable[Sequence[Any]]
) -> dict[int, set[int]]:
    """From the last two answers to `_standing_over`."""
    of_group: dict[int, set[int]] = defaultdict(set)
    for group_id, user_id in members:
        of_group[group_id].add(user_id)
    found: dict[int, set[int]] = {each: set() for each in projects}
    for project_id, user_id, group_id in roles:
        found[project_id] |= {user_id} if group_id is None else of_group[group_id]
    return found


# The links of the person's chains over these units.
CHAINS = """
ARRAY(
    SELECT DISTINCT unnest(held.ancestors || held.id)
    FROM mine
    JOIN projects_delegation held ON held.id = mine.id
    WHERE held.powers @> ARRAY[%s]::varchar[]
)
"""


@compiled
def _standing_over(
    power: Power, /, *, user: Any, projects: Any, paths: Any, now: Any
) -> list[Part]:
    ids = RawSQL(CHAINS, (str(power),), ArrayField(BigIntegerField()))  # noqa: S611 - a constant
    deputies = Delegation.objects.filter(IsAnyOf(F("pk"), ids), is_deputy=True)
    themselves = User.objects.filter(pk=user).values("pk")
    either = themselves.union(deputies.values("grantor"))
    members = GroupMembership.objects.filter(in_force(now), is_among("user", either))
    held = Membership.objects.filter(
        IsAnyOf(F("project"), projects), in_force(now), role__in=ROLES_ABOVE_READER
    )
    roles = held.filter(is_among("user", either) | Q(is_among("group", members.values("group"))))
    return [
        *named_standing_parts(user=user, now=now, paths=paths),
        *chain_parts_of(ids=ids),
        Values(roles.order_by(), ["project", "user", "group"]),
        Values(members.order_by(), ["group", "user"]),
    ]
