"""Steps of the walk through authority: people, groups, roles, units, projects, and time."""

from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
from django.db import transaction

from projects.actions.people import set_group_members
from projects.actions.projects import place_project, set_role
from projects.models import GroupMembership, Membership, User
from projects.states import Role
from quotas.actions.escalation import escalate_due, remind_due
from quotas.actions.rerouting import work_off
from quotas.actions.routing import mark_groups, mark_project
from quotas.actions.unit_changes import move_unit, retire_unit
from quotas.tests.walk.delegation_steps import DelegationSteps
from quotas.tests.walk.machine import NUMBERS, pick, step
from quotas.tests.walk.slow_authority import Slow
from quotas.tests.walk.slow_chains import Stored


class SiteSteps(DelegationSteps):
    """What changes around those who decide."""

    @step(times=2, group=NUMBERS, who=NUMBERS)
    def somebody_joins_or_leaves_a_group(self, group: int, who: int) -> None:
        chosen = pick(self.groups(), group)
        rows = GroupMembership.objects.filter(group=chosen, ends_at__isnull=True)
        person = self.likely(rows.values_list("user", flat=True) if who % 2 else (), who)
        users = set(User.objects.filter(pk__in=rows.values("user"))) ^ {person}

        def join_or_leave(now: Any) -> None:
            with transaction.atomic():
                set_group_members(group=chosen, users=users, now=now)
                mark_groups(groups=[chosen.pk], now=now)

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
        chosen, slow = pick(units, unit), self.slow()
        if retires == 0:
            self.try_(retire_unit, unit=chosen, is_command=True)
            return
        able = [
            each for each in units
            if not slow.lies_in(each.pk, chosen.pk) and each.pk != chosen.parent_id
        ]  # fmt: skip
        to = pick(able if able and parent % 6 else units, parent)
        self.try_(move_unit, unit=chosen, parent=to, is_command=True)

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
        self.stored = None
        self.outcomes["time_passes done"] += 1
        work_off(self.clock)
        self.somebody_sees_each_line(Slow(self.clock, Stored()))
        work_before = self.before_escalation()
        remind_due(self.clock)
        escalate_due(self.clock)
        assert work_before.keys() <= self.assigned().keys()

    def before_escalation(self) -> dict[tuple[int, int], Any]:
        self.sweep()
        return {key: turn for key, turn in self.assigned().items() if turn[0] == "decide"}
