"""Random histories of authority: handed on, taken back, used up, moved, and looked at by time.

Whatever anybody may do is computed once more by quotas.tests.slow_authority, before an act and
after it. HYPOTHESIS_PROFILE=long walks for minutes, from another place each time.
"""

import os
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from projects.actions.people import set_group_members
from projects.actions.projects import place_project, set_role
from projects.models import Delegation, Group, GroupMembership, Membership, User
from projects.states import Power, Role
from quotas.actions.delegations import (
    Bound,
    delegate,
    delegate_root,
    name_deputy,
    revoke,
    revoke_root,
)
from quotas.actions.escalation import escalate_due, remind_due
from quotas.actions.reissue import reissue
from quotas.actions.routing import mark_group, mark_project
from quotas.actions.unit_changes import move_unit, retire_unit
from quotas.queries.hanging import seen_of
from quotas.tests.authority_walk import NUMBERS, make_ground, pick, step
from quotas.tests.request_steps import RequestSteps
from quotas.tests.slow_authority import DECIDE, Slow
from quotas.tests.slow_bounds import Limits, within

DAY = timedelta(days=1)
POWERS = ([Power.DECIDE_QUOTA], [Power.DECIDE_QUOTA, Power.MANAGE_ENVELOPES])
# (resource, zone, per decision, days of its window, total, days of its period); the first of
# each delegation is handed on most.
ROWS = (
    ("vcpu", None, 40, 30, None, None),
    ("vcpu", None, 100, 30, 150, None),
    ("vcpu", None, None, 30, 90, 10),
    ("vcpu", "compute-a", 60, 7, None, None),
    ("vcpu", "compute-b", None, 30, 60, 30),
    ("space", None, None, 30, None, None),
    (None, None, None, 30, None, None),
)
BOUNDS = st.lists(st.sampled_from(ROWS), min_size=1, max_size=3, unique_by=lambda row: row[:2])


class AuthorityWalk(RequestSteps):
    """Everybody does anything, in any order, at any time."""

    def bounds_of(self, rows: list[tuple[Any, ...]]) -> list[Bound]:
        offerings = list(self.site.offerings.values())
        resources = {each.resource.slug: each.resource for each in offerings}
        zones = {each.zone.slug: each.zone for each in offerings}
        return [
            Bound(resources[resource] if resource else None, zones[zone] if zone else None, *rest)
            for resource, zone, *rest in rows
        ]

    # --- authority -------------------------------------------------------------------------

    @step(who=NUMBERS, unit=st.sampled_from(["org", "ep"]), rows=BOUNDS, days=st.none() | NUMBERS)
    def a_root_is_granted(self, who: int, unit: str, rows: Any, days: int | None) -> None:
        self.try_(
            delegate_root, users=[pick(self.people(), who)], units=[self.site.units[unit]],
            powers=POWERS[1], depth=3, bounds=self.bounds_of(rows),
            ends_at=None if days is None else self.clock + days * DAY,
        )  # fmt: skip

    @step(
        times=5, parent=NUMBERS, by=NUMBERS, to=NUMBERS, unit=NUMBERS, rows=st.none() | BOUNDS,
        powers=st.sampled_from(POWERS), less=st.sampled_from([1, 1, 1, 2, 0]),
        begins=st.sampled_from([0, 0, 0, 1, -1]), days=st.none() | st.integers(0, 40),
    )  # fmt: skip
    def hands_on(
        self, parent: int, by: int, to: int, unit: int, rows: Any, powers: Any, less: int,
        begins: int, days: int | None,
    ) -> None:  # fmt: skip
        slow = self.slow()
        above = self.delegation(slow, parent)
        receiver = pick([*self.people(), *self.groups()], to)
        below = [each for each in self.units() if slow.lies_in(each.pk, above.unit_id)]
        bounds = self.bounds_of(rows) if rows else self.as_in(above)
        terms: dict[str, Any] = {
            "unit": pick(below if unit % 6 else self.units(), unit), "powers": powers,
            "depth": max(above.depth - less, 0), "starts_at": slow.now + begins * DAY,
            "ends_at": above.ends_at if days is None else self.clock + days * DAY,
            "user": receiver if isinstance(receiver, User) else None,
            "group": receiver if isinstance(receiver, Group) else None,
        }  # fmt: skip
        grantor = self.likely(slow.holders(above.pk), by)
        allowed = self.accepts(slow, above, grantor, terms, bounds)
        self.try_(
            delegate, allowed=allowed, parent=above, grantor=grantor, bounds=bounds, **terms
        )  # fmt: skip

    def delegation(self, slow: Slow, number: int) -> Delegation:
        """Mostly one that is in force."""
        rows = self.delegations()
        live = [each for each in rows if slow.is_live(each.pk) and DECIDE in each.powers]
        return pick(live if live and number % 4 else rows, number)

    def as_in(self, above: Delegation) -> list[Bound]:
        rows = above.bounds.select_related("resource", "zone__region").order_by("pk")
        return [Bound.of(each) for each in rows]

    def accepts(
        self, slow: Slow, above: Delegation, grantor: User, terms: dict[str, Any], bounds: Any
    ) -> bool:
        """Whether a part of a delegation may be handed on like this."""
        ends_at, unit = terms["ends_at"], terms["unit"]
        given = [
            Limits(
                each.resource.pk if each.resource else None, each.zone.pk if each.zone else None,
                each.per_decision, each.window_days, each.total, each.period_days,
            )
            for each in bounds
        ]  # fmt: skip
        return (
            slow.is_live(above.pk)
            and grantor.pk in slow.holders(above.pk)
            and terms["user"] != grantor
            and set(terms["powers"]) <= set(above.powers)
            and slow.lies_in(unit.pk, above.unit_id)
            and unit.retired_at is None
            and terms["depth"] < above.depth
            and terms["starts_at"] >= max(above.starts_at, slow.now)
            and (ends_at is None or ends_at > terms["starts_at"])
            and (above.ends_at is None or (ends_at is not None and ends_at <= above.ends_at))
            and bool(given)
            and within(given, [Limits.of(each) for each in slow.bounds[above.pk]])
        )

    @step(times=2, holder=NUMBERS, deputy=NUMBERS, days=st.integers(1, 20))
    def names_a_deputy(self, holder: int, deputy: int, days: int) -> None:
        slow = self.slow()
        held = {each for leaf in slow.links if slow.is_live(leaf) for each in slow.holders(leaf)}
        self.try_(
            name_deputy, holder=self.likely(held, holder), user=pick(self.people(), deputy),
            starts_at=slow.now, ends_at=slow.now + days * DAY,
        )  # fmt: skip

    @step(times=2, which=NUMBERS, by=NUMBERS)
    def takes_back(self, which: int, by: int) -> None:
        slow = self.slow()
        chosen = self.delegation(slow, which)
        if chosen.parent_id is None and by % 3 == 0:
            self.try_(revoke_root, root=chosen)
            return
        above = [each for each in slow.chain(chosen.pk)[:-1] if slow.is_live(each)]
        able = {each for leaf in above for each in slow.holders(leaf)}
        able |= {chosen.grantor_id} if chosen.grantor_id else set()
        actor = self.likely(able, by)
        allowed = chosen.revoked_at is None and actor.pk in able
        self.try_(revoke, allowed=allowed, delegation=chosen, actor=actor, why="walk")

    @step(times=2, which=NUMBERS, parent=NUMBERS, by=NUMBERS, trims=st.booleans())
    def takes_over(self, which: int, parent: int, by: int, trims: bool) -> None:
        slow = self.slow()
        with_some = [
            each for each in self.delegations()
            if each.revoked_at is None and each.parent_id and each.children.exists()
        ]  # fmt: skip
        if not with_some:
            return
        chosen = pick(with_some, which)
        above = [each for each in slow.chain(chosen.pk)[:-1] if slow.is_live(each)]
        actor = self.likely({each for leaf in above for each in slow.holders(leaf)}, by)
        own = [
            each for each in self.delegations()
            if actor.pk in slow.holders(each.pk) and each.revoked_at is None
        ]  # fmt: skip
        if not own:
            return
        below = Delegation.objects.filter(ancestors__contains=[chosen.pk])
        self.try_(
            reissue, delegation=chosen, parent=pick(own, parent), actor=actor, why="walk",
            trim=list(below.values_list("pk", flat=True)) if trims else [],
            seen=seen_of(chosen, self.clock),
        )  # fmt: skip

    # --- people, units, projects -----------------------------------------------------------

    @step(times=2, group=NUMBERS, who=NUMBERS)
    def somebody_joins_or_leaves_a_group(self, group: int, who: int) -> None:
        chosen = pick(self.groups(), group)
        rows = GroupMembership.objects.filter(group=chosen, ends_at__isnull=True)
        person = self.likely(rows.values_list("user", flat=True) if who % 2 else (), who)
        users = set(User.objects.filter(pk__in=rows.values("user"))) ^ {person}

        def join_or_leave(now: Any) -> None:
            with transaction.atomic():
                set_group_members(group=chosen, users=users, now=now)
                mark_group(chosen, now)

        self.try_(join_or_leave, allowed=True)

    @step(
        project=NUMBERS, who=NUMBERS,
        role=st.sampled_from([None, Role.READER, Role.MEMBER, Role.MANAGER]),
    )  # fmt: skip
    def a_role_is_given_or_ended(self, project: int, who: int, role: Role | None) -> None:
        chosen = pick(self.projects(), project)
        holder = pick([*self.people(), *self.groups()], who)
        if holder == self.site.alice:
            return
        named: dict[str, Any] = {"user" if isinstance(holder, User) else "group": holder}
        if role is None:
            held = Membership.objects.filter(ends_at__isnull=True).exclude(user=self.site.alice)
            row = pick(list(held.order_by("pk")), who)
            chosen, named = row.project, {"user": row.user, "group": row.group}

        def give_or_end(now: Any) -> None:
            with transaction.atomic():
                if set_role(project=chosen, role=role, actor=None, now=now, **named):
                    mark_project(chosen, now)

        self.try_(give_or_end, allowed=True)

    @step(who=NUMBERS)
    def an_account_is_closed_or_opened(self, who: int) -> None:
        """Nobody's verb: what it changes is found by the sweeps."""
        closed = list(User.objects.filter(is_active=False).order_by("pk"))
        person = pick(closed, who) if closed and who % 2 else pick(self.people(), who)
        if person != self.site.alice:
            User.objects.filter(pk=person.pk).update(is_active=not person.is_active)
            self.is_unmarked = True

    @step(times=2, unit=NUMBERS, parent=NUMBERS, retires=st.integers(0, 7))
    def a_unit_moves_or_is_retired(self, unit: int, parent: int, retires: int) -> None:
        units = [each for each in self.units() if each.retired_at is None or unit % 8 == 0]
        chosen = pick(units, unit)
        if retires == 0:
            self.try_(retire_unit, unit=chosen, is_command=True)
        else:
            self.try_(move_unit, unit=chosen, parent=pick(units, parent), is_command=True)

    @step(project=NUMBERS, unit=NUMBERS)
    def a_project_moves(self, project: int, unit: int) -> None:
        chosen, place = pick(self.projects(), project), pick(self.units(), unit)

        def move_project(now: Any) -> None:
            with transaction.atomic():
                place_project(project=chosen, unit=place, actor=None, now=now)
                mark_project(chosen, now)

        self.try_(move_project)

    # --- time ------------------------------------------------------------------------------

    @step(times=2, days=st.sampled_from([0, 1, 3, 7, 11, 32]), minutes=st.integers(1, 59))
    def time_passes(self, days: int, minutes: int) -> None:
        """Windows roll on, periods refill, terms begin and end; then what waits goes up."""
        self.clock += timedelta(days=days, minutes=minutes, seconds=0.5)
        work_before = self.before_escalation()
        remind_due(self.clock)
        escalate_due(self.clock)
        assert work_before.keys() <= self.assigned().keys()

    def before_escalation(self) -> dict[tuple[int, int], Any]:
        self.sweep()
        return {key: turn for key, turn in self.assigned().items() if turn[0] == "decide"}


MUST_HAPPEN = (
    "approve", "change", "delegate", "delegate_root", "give_or_end", "join_or_leave", "move_unit",
    "name_deputy", "revoke", "submit", "switch_on",
)  # fmt: skip
# How far: to be quick in `make test`, and to be thorough.
PROFILES = {
    "default": settings(
        max_examples=9, stateful_step_count=45, derandomize=True, database=None,
        report_multiple_bugs=False,
    ),
    "long": settings(max_examples=100, stateful_step_count=100, database=None),
}  # fmt: skip


@pytest.mark.django_db
def test_authority_holds_through_any_history() -> None:
    AuthorityWalk.site = make_ground()
    AuthorityWalk.outcomes.clear()
    profile = PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "default")]
    run_state_machine_as_test(
        AuthorityWalk,
        settings=settings(profile, deadline=None, suppress_health_check=list(HealthCheck)),
    )
    print(dict(sorted(AuthorityWalk.outcomes.items())))
    # A walk that is refused at every turn would prove nothing.
    assert [verb for verb in MUST_HAPPEN if not AuthorityWalk.outcomes[f"{verb} done"]] == []
