"""Steps of the walk through authority: roots, hand-ons, deputies, taking back and taking over."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st

from projects.models import Delegation, Group, User
from projects.states import Power
from quotas.actions.delegations import (
    Bound,
    delegate,
    name_deputy,
    revoke,
)
from quotas.actions.reissue import reissue
from quotas.actions.roots import delegate_root, revoke_root
from quotas.queries.hanging import seen_of
from quotas.tests.walk.machine import NUMBERS, pick, step
from quotas.tests.walk.request_steps import RequestSteps
from quotas.tests.walk.slow_authority import Slow
from quotas.tests.walk.slow_bounds import Limits, within
from quotas.tests.walk.slow_chains import DECIDE

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


class DelegationSteps(RequestSteps):
    """What is handed on, and what becomes of it."""

    def bounds_of(self, rows: list[tuple[Any, ...]]) -> list[Bound]:
        offerings = list(self.site.offerings.values())
        resources = {each.resource.slug: each.resource for each in offerings}
        zones = {each.zone.slug: each.zone for each in offerings}
        return [
            Bound(resources[resource] if resource else None, zones[zone] if zone else None, *rest)
            for resource, zone, *rest in rows
        ]

    @step(who=NUMBERS, unit=st.sampled_from(["org", "ep"]), rows=BOUNDS, days=st.none() | NUMBERS)
    def a_root_is_granted(self, who: int, unit: str, rows: Any, days: int | None) -> None:
        self.try_(
            delegate_root, users=[pick(self.people(), who)], units=[self.site.units[unit]],
            powers=POWERS[1], depth=3, bounds=self.bounds_of(rows),
            ends_at=None if days is None else self.clock + days * DAY,
        )  # fmt: skip

    @step(
        times=4, parent=NUMBERS, by=NUMBERS, to=NUMBERS, unit=NUMBERS,
        part=st.sampled_from([1, 1, 2, 3]) | BOUNDS, powers=st.sampled_from([None, *POWERS]),
        less=st.sampled_from([1, 1, 1, 1, 2, 0]), begins=st.sampled_from([0, 0, 0, 0, 0, 1, -1]),
        days=st.sampled_from([None, None, None, 0, 2, 8, 40]),
    )  # fmt: skip
    def hands_on(
        self, parent: int, by: int, to: int, unit: int, part: Any, powers: Any, less: int,
        begins: int, days: int | None,
    ) -> None:  # fmt: skip
        """part: bounds of its own, or into how many parts those of the parent are divided."""
        slow = self.slow()
        above = self.delegation(slow, parent)
        receiver = pick([*self.people(), *self.groups()], to)
        below = [each for each in self.units() if slow.lies_in(each.pk, above.unit_id)]
        bounds = self.part_of(above, part) if isinstance(part, int) else self.bounds_of(part)
        terms: dict[str, Any] = {
            "unit": pick(below if unit % 6 else self.units(), unit),
            "powers": powers or above.powers,
            "depth": max(above.depth - less, 0), "starts_at": slow.now + begins * DAY,
            "ends_at": above.ends_at if days is None else self.clock + days * DAY,
            "user": receiver if isinstance(receiver, User) else None,
            "group": receiver if isinstance(receiver, Group) else None,
        }  # fmt: skip
        grantor = self.likely(slow.holders(above.pk), by)
        allowed = self.accepts(slow, above, grantor, terms, bounds)
        allowed = allowed and not self.is_held_already(slow, above, terms, bounds)
        self.try_(
            delegate, allowed=allowed, parent=above, grantor=grantor,
            bounds=bounds, **terms,
        )  # fmt: skip

    def delegation(self, slow: Slow, number: int) -> Delegation:
        """Mostly one that is in force."""
        rows = self.delegations()
        live = [each for each in rows if slow.is_live(each.pk) and DECIDE in each.powers]
        return pick(live if live and number % 4 else rows, number)

    def part_of(self, above: Delegation, parts: int) -> list[Bound]:
        """As in the parent, or tighter by so much."""
        rows = above.bounds.select_related("resource", "zone__region").order_by("pk")
        return [
            replace(
                bound,
                per_decision=bound.per_decision and max(bound.per_decision // parts, 1),
                total=bound.total and max(bound.total // parts, 1),
            )
            for bound in map(Bound.of, rows)
        ]

    def limits(self, bounds: list[Bound]) -> list[Limits]:
        return [
            Limits(
                each.resource.pk if each.resource else None, each.zone.pk if each.zone else None,
                each.per_decision, each.window_days, each.total, each.period_days,
            )
            for each in bounds
        ]  # fmt: skip

    def is_held_already(
        self, slow: Slow, above: Delegation, terms: dict[str, Any], bounds: list[Bound]
    ) -> bool:
        """Whether the very same was handed on before, and is not over; a second is refused."""
        given, at_once = Counter(self.limits(bounds)), slow.now + timedelta(minutes=1)
        same = {
            "parent_id": above.pk, "unit_id": terms["unit"].pk, "depth": terms["depth"],
            "user_id": terms["user"] and terms["user"].pk,
            "group_id": terms["group"] and terms["group"].pk,
            "ends_at": terms["ends_at"], "is_deputy": False, "revoked_at": None,
        }  # fmt: skip
        return any(
            same.items() <= row.items()
            and set(row["powers"]) == set(terms["powers"])
            and (row["ends_at"] is None or row["ends_at"] > slow.now)
            and (
                row["starts_at"] == terms["starts_at"]
                or max(row["starts_at"], terms["starts_at"]) <= at_once
            )
            and Counter(map(Limits.of, slow.bounds[pk])) == given
            for pk, row in slow.links.items()
        )

    def accepts(
        self,
        slow: Slow,
        above: Delegation,
        grantor: User,
        terms: dict[str, Any],
        bounds: list[Bound],
    ) -> bool:
        """Whether a part of a delegation may be handed on like this."""
        ends_at, unit, given = terms["ends_at"], terms["unit"], self.limits(bounds)
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
        fit = [
            each for each in own
            if slow.lies_in(chosen.unit_id, each.unit_id) and chosen.pk not in slow.chain(each.pk)
        ]  # fmt: skip
        self.try_(
            reissue, delegation=chosen, parent=pick(fit if fit and parent % 6 else own, parent),
            actor=actor, why="walk",
            trim=list(below.values_list("pk", flat=True)) if trims else [],
            seen=seen_of(chosen, self.clock),
        )  # fmt: skip
