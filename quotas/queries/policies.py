"""Which rules there are: those in force for a place, those of a unit, and how each stands."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet

from portal.lib.compiled import compiled
from portal.lib.lookups import IsAnyOf
from portal.lib.together import Part, Rows
from projects.models import Delegation, GroupMembership, Unit, ancestor_paths
from projects.queries.viewers import Viewer, live_delegations, visible_projects
from projects.states import Power
from quotas.models import DecisionLine, Policy, PolicyVersion, RequestLine
from quotas.states import PolicyState

LATELY = 20
RULE_AND_PLACE = (
    "policy", "policy__unit", "policy__person", "policy__delegation", "resource", "zone",
)  # fmt: skip


def rules_on(unit_path: str) -> list[PolicyVersion]:
    """What the rules that are on say for a place now, the nearest unit's first; one query.

    None of whoever has left. Whether the authority of each still stands is asked when it is used.
    """
    (found,) = _rules_on(paths=ancestor_paths(unit_path))
    return nearest_first(found)


@compiled
def _rules_on(*, paths: Any) -> list[Part]:
    return [rules_part(paths)]


def rules_part(paths: Any) -> Rows:
    """What asks for `rules_on`, in no order. paths: of a place and all above it, as an array."""
    rows = PolicyVersion.objects.filter(
        IsAnyOf(F("policy__unit__path"), paths),
        policy__state=PolicyState.ON,
        policy__person__is_active=True,
        number=F("policy__version"),
    )
    return Rows(rows.order_by(), RULE_AND_PLACE)


def nearest_first(versions: Iterable[PolicyVersion]) -> list[PolicyVersion]:
    """In the order in which they are asked."""
    return sorted(versions, key=lambda each: (-len(each.policy.unit.path), each.policy_id))


def left_to_people(lines: Collection[RequestLine]) -> set[int]:
    """Ids of those that a person asked back about, or endorsed: no rule grants them."""
    rows = DecisionLine.objects.filter(line__in=lines, decision__policy_version__isnull=True)
    return set(rows.values_list("line", flat=True))


def newest_versions(policies: Collection[Policy]) -> dict[int, PolicyVersion]:
    """{policy id: its version of now}; one query."""
    rows = PolicyVersion.objects.filter(policy__in=policies, number=F("policy__version"))
    found = {}
    by_id = {each.pk: each for each in policies}
    for row in rows.select_related("resource", "zone__region", "made_by"):
        row.policy = by_id[row.policy_id]
        found[row.policy_id] = row
    return found


@dataclass(frozen=True)
class Rule:
    """A rule as lists show it. `standing`: "draft", "on", "off", or "ended": on, but without
    the authority that it stands on, and so without effect."""

    policy: Policy
    version: PolicyVersion
    standing: str


def all_policies() -> QuerySet[Policy]:
    return Policy.objects.select_related("unit", "person", "delegation__unit")


def rules(policies: Iterable[Policy], now: datetime) -> list[Rule]:
    """How each stands; three queries for any number of them."""
    found = list(policies)
    newest = newest_versions(found)
    standing = standings(found, now)
    return [Rule(each, newest[each.pk], standing[each.pk]) for each in found]


def rules_of_unit(unit: Unit, now: datetime) -> list[Rule]:
    """The rules of a unit and of those above, which hold in it too, the nearest first."""
    rows = all_policies().filter(unit__path__in=ancestor_paths(unit.path))
    found = sorted(rows, key=lambda each: (-len(each.unit.path), each.pk))
    return rules(found, now)


def standings(policies: Collection[Policy], now: datetime) -> dict[int, str]:
    """{policy id: its standing}; at most two queries."""
    on = [each for each in policies if each.state == PolicyState.ON]
    live: dict[int, int | None] = {}
    if on:
        named = live_delegations(now).filter(pk__in=[each.delegation_id for each in on])
        live = {each.pk: each.group_id for each in named}
    members: set[tuple[int, int]] = set()
    groups = {group for group in live.values() if group is not None}
    if groups:
        rows = GroupMembership.objects.live(now).filter(group__in=groups)
        members = set(rows.values_list("group", "user"))
    found = {}
    for each in policies:
        stands = each.state != PolicyState.ON or _holds(each, live, members)
        found[each.pk] = each.state if stands else "ended"
    return found


def _holds(
    policy: Policy, live: Mapping[int, int | None], members: Collection[tuple[int, int]]
) -> bool:
    """Whether its person still holds the delegation, which is in force."""
    if policy.delegation_id not in live or not policy.person.is_active:
        return False
    group = live[policy.delegation_id]
    return group is None or (group, policy.person_id) in members


def standing_delegations(viewer: Viewer, unit: Unit) -> list[Delegation]:
    """What a rule of the person's for a unit can stand on, the nearest first."""
    if not viewer.reaches(unit.path):
        return []
    held = [
        each
        for each in viewer.delegations
        if Power.DECIDE_QUOTA in each.powers and unit.path.startswith(each.unit.path)
    ]
    return sorted(held, key=lambda each: (-len(each.unit.path), -len(each.ancestors), each.pk))


def granted_lately(viewer: Viewer, policy: Policy) -> list[DecisionLine]:
    """The last lines that it granted in projects that the reader may see."""
    rows = DecisionLine.objects.filter(
        decision__policy_version__policy=policy, line__project__in=visible_projects(viewer)
    ).select_related(
        "decision__policy_version", "decision__request", "line__project",
        "line__offering__resource", "line__offering__zone",
    )  # fmt: skip
    return list(rows.order_by("-decision__at", "-pk")[:LATELY])
