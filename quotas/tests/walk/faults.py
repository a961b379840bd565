"""Faults that a walk must notice: each breaks one rule of authority on purpose.

What no walk notices, a walk does not show.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db.models import BooleanField, Exists, OuterRef, Q, Value

from projects.actions import delegations as chain
from projects.models import Delegation, Membership, in_force
from projects.queries import viewers
from projects.states import ROLES_ABOVE_READER
from quotas.actions import bounds, reissue, routing, unit_changes
from quotas.queries import authority, consumption, deciders, free_holders
from quotas.queries import bounds as rooms
from quotas.states import AssignmentKind

Fault = Callable[[pytest.MonkeyPatch], None]
FAULTS: dict[str, Fault] = {}


def fault(breaks: Fault) -> Fault:
    FAULTS[breaks.__name__] = breaks
    return breaks


def everywhere(patch: pytest.MonkeyPatch, old: object, new: object) -> None:
    """Put `new` wherever a module of ours has `old`."""
    found = 0
    for module in list(sys.modules.values()):
        if module.__name__.startswith(("projects.", "quotas.")) and module.__name__ != __name__:
            for name, value in list(vars(module).items()):
                if value is old:
                    patch.setattr(module, name, new)
                    found += 1
    assert found, f"{old} is nowhere"


def nothing(*_given: Any, **_named: Any) -> None:
    """What a verb does that was forgotten."""


# --- whom a line waits for ---------------------------------------------------------------------


@fault
def a_change_of_a_group_reaches_no_line(patch: pytest.MonkeyPatch) -> None:
    everywhere(patch, routing.mark_groups, nothing)


@fault
def a_change_of_a_role_reaches_no_line(patch: pytest.MonkeyPatch) -> None:
    everywhere(patch, routing.mark_project, nothing)


@fault
def a_new_delegation_reaches_no_line(patch: pytest.MonkeyPatch) -> None:
    everywhere(patch, routing.mark_delegation, nothing)


@fault
def what_ends_or_moves_reaches_no_line(patch: pytest.MonkeyPatch) -> None:
    everywhere(patch, routing.mark_unit, nothing)


@fault
def escalation_takes_the_line_from_the_nearer(patch: pytest.MonkeyPatch) -> None:
    def turns(self: deciders.Deciders, level: int) -> list[deciders.Turn]:
        levels = list(enumerate(self.levels))[level : level + 1]
        found = [
            deciders.Turn(each, AssignmentKind.DECIDE, number)
            for number, mandates in levels
            for each in mandates
        ]
        return found + [deciders.Turn(each, AssignmentKind.ENDORSE, 0) for each in self.endorsers]

    patch.setattr(deciders.Deciders, "turns", turns)


@fault
def routing_knows_no_roles_of_groups(patch: pytest.MonkeyPatch) -> None:
    real = deciders._interests

    def of_people(roles: Any, *rest: Any) -> Any:
        return real([each for each in roles if each[1] is not None], *rest)

    patch.setattr(deciders, "_interests", of_people)


# --- who holds what ----------------------------------------------------------------------------


@fault
def a_unit_takes_what_was_given_over_it_along(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(viewers, "StartsWith", lambda *_: Value(True, output_field=BooleanField()))


@fault
def revoking_leaves_what_hangs_below(patch: pytest.MonkeyPatch) -> None:
    everywhere(
        patch,
        viewers.live_delegations,
        lambda now: Delegation.objects.exclude(viewers._not_in_force(now)),
    )


@fault
def a_deputy_outlives_what_the_grantor_holds(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(viewers, "stands_in_for_nobody", lambda _now: Q(pk__in=[]))


@fault
def retiring_a_unit_leaves_authority_over_it(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(unit_changes, "_end_delegations", nothing)


@fault
def a_deputy_decides_for_the_grantors_project(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(authority.Mandate, "deputised", property(lambda _self: ()))


@fault
def the_project_of_a_group_is_decided_by_its_members(patch: pytest.MonkeyPatch) -> None:
    def uninvolved(project: Any, person: str, now: Any) -> Any:
        held = Membership.objects.filter(
            in_force(now), project=project, role__in=ROLES_ABOVE_READER
        )
        return ~Exists(held.filter(user=OuterRef(person)))

    patch.setattr(free_holders, "_uninvolved", uninvolved)


@fault
def more_is_handed_on_than_one_has(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(chain, "beyond_parent", lambda *_: [])


@fault
def wider_bounds_are_handed_on_than_one_has(patch: pytest.MonkeyPatch) -> None:
    everywhere(patch, bounds.problems_of, lambda *_: [])


# --- how much ----------------------------------------------------------------------------------


@fault
def a_window_looks_at_one_decision(patch: pytest.MonkeyPatch) -> None:
    everywhere(patch, consumption.windows_from, lambda *_: {})


@fault
def a_window_forgets_who_hands_on(patch: pytest.MonkeyPatch) -> None:
    real = consumption.windows_from

    def of_the_leaf(links: Any, wanted: Any, now: Any, acts: Sequence[Any]) -> Any:
        return real(links, wanted, now, [(each[0], [], *each[2:]) for each in acts])

    everywhere(patch, consumption.windows_from, of_the_leaf)


@fault
def a_window_forgets_what_was_replaced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Delegation, "line_ids", property(lambda self: frozenset({self.pk})))


@fault
def a_total_forgets_what_was_replaced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reissue, "_carry_over", nothing)


@fault
def a_total_never_refills(patch: pytest.MonkeyPatch) -> None:
    everywhere(patch, rooms.period_of, lambda *_: 0)


@fault
def a_total_forgets_who_hands_on(patch: pytest.MonkeyPatch) -> None:
    def bounds_on(self: authority.Mandate, offering: Any) -> list[Any]:
        own = self.bounds[self.delegation.pk]
        return [row for row in own if rooms.matches(row, offering)]

    patch.setattr(authority.Mandate, "bounds_on", bounds_on)
