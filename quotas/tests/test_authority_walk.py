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
from hypothesis.stateful import rule, run_state_machine_as_test

from portal.lib.errors import Invalid, NoRoom
from projects.actions.people import set_group_members
from projects.actions.projects import place_project, set_role
from projects.models import Delegation, Group, GroupMembership, Membership, User
from projects.states import Power, Role
from quotas.actions import decide, endorse, policies, requests
from quotas.actions.delegations import (
    Bound,
    delegate,
    delegate_root,
    name_deputy,
    revoke,
    revoke_root,
)
from quotas.actions.envelopes import change
from quotas.actions.escalation import escalate_due, remind_due
from quotas.actions.funding import Seen
from quotas.actions.reissue import reissue
from quotas.actions.rerouting import work_off
from quotas.actions.routing import mark_group, mark_project
from quotas.actions.unit_changes import move_unit, retire_unit
from quotas.actions.wishes import Wish
from quotas.models import Policy, RequestLine
from quotas.queries.envelopes import standings
from quotas.queries.hanging import seen_of
from quotas.tests.authority_walk import AuthorityGround, make_ground, pick
from quotas.tests.slow_authority import DECIDE, MANAGE, Row, Slow
from quotas.tests.slow_bounds import Limits, within

DAY = timedelta(days=1)
NUMBERS = st.integers(0, 23)
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


class AuthorityWalk(AuthorityGround):
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

    @rule(who=NUMBERS, unit=st.sampled_from(["org", "ep"]), rows=BOUNDS, days=st.none() | NUMBERS)
    def a_root_is_granted(self, who: int, unit: str, rows: Any, days: int | None) -> None:
        self.try_(
            delegate_root, users=[pick(self.people(), who)], units=[self.site.units[unit]],
            powers=POWERS[1], depth=3, bounds=self.bounds_of(rows),
            ends_at=None if days is None else self.clock + days * DAY,
        )  # fmt: skip

    @rule(
        parent=NUMBERS, by=NUMBERS, to=NUMBERS, unit=NUMBERS, rows=st.none() | BOUNDS,
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
        return pick(live if live and number % 6 else rows, number)

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

    @rule(holder=NUMBERS, deputy=NUMBERS, days=st.integers(1, 20))
    def names_a_deputy(self, holder: int, deputy: int, days: int) -> None:
        slow = self.slow()
        held = {each for leaf in slow.links if slow.is_live(leaf) for each in slow.holders(leaf)}
        self.try_(
            name_deputy, holder=self.likely(held, holder), user=pick(self.people(), deputy),
            starts_at=slow.now, ends_at=slow.now + days * DAY,
        )  # fmt: skip

    @rule(which=NUMBERS, by=NUMBERS)
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

    @rule(which=NUMBERS, parent=NUMBERS, by=NUMBERS, trims=st.booleans())
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

    @rule(group=NUMBERS, who=NUMBERS)
    def somebody_joins_or_leaves_a_group(self, group: int, who: int) -> None:
        chosen, person = pick(self.groups(), group), pick(self.people(), who)
        rows = GroupMembership.objects.filter(group=chosen, ends_at__isnull=True)
        users = set(User.objects.filter(pk__in=rows.values("user"))) ^ {person}

        def join_or_leave(now: Any) -> None:
            with transaction.atomic():
                set_group_members(group=chosen, users=users, now=now)
                mark_group(chosen, now)

        self.try_(join_or_leave, allowed=True)

    @rule(
        project=NUMBERS, who=NUMBERS,
        role=st.sampled_from([None, Role.READER, Role.MEMBER, Role.MANAGER]),
    )  # fmt: skip
    def a_role_is_given_or_ended(self, project: int, who: int, role: Role | None) -> None:
        chosen = pick(self.projects(), project)
        holder = pick([*self.people(), *self.groups()], who)
        if holder == self.site.alice:
            return
        named = {"user" if isinstance(holder, User) else "group": holder}
        if role is None:
            held = Membership.objects.filter(ends_at__isnull=True).exclude(user=self.site.alice)
            row = pick(list(held.order_by("pk")), who)
            chosen, named = row.project, {"user": row.user, "group": row.group}

        def give_or_end(now: Any) -> None:
            with transaction.atomic():
                if set_role(project=chosen, role=role, actor=None, now=now, **named):
                    mark_project(chosen, now)

        self.try_(give_or_end, allowed=True)

    @rule(who=NUMBERS)
    def an_account_is_closed_or_opened(self, who: int) -> None:
        """Nobody's verb: what it changes is found by the sweeps."""
        closed = list(User.objects.filter(is_active=False).order_by("pk"))
        person = pick(closed, who) if closed and who % 2 else pick(self.people(), who)
        if person != self.site.alice:
            User.objects.filter(pk=person.pk).update(is_active=not person.is_active)
            self.is_unmarked = True

    @rule(unit=NUMBERS, parent=NUMBERS, retires=st.integers(0, 7))
    def a_unit_moves_or_is_retired(self, unit: int, parent: int, retires: int) -> None:
        units = [each for each in self.units() if each.retired_at is None or unit % 8 == 0]
        chosen = pick(units, unit)
        if retires == 0:
            self.try_(retire_unit, unit=chosen, is_command=True)
        else:
            self.try_(move_unit, unit=chosen, parent=pick(units, parent), is_command=True)

    @rule(project=NUMBERS, unit=NUMBERS)
    def a_project_moves(self, project: int, unit: int) -> None:
        chosen, place = pick(self.projects(), project), pick(self.units(), unit)

        def move_project(now: Any) -> None:
            with transaction.atomic():
                place_project(project=chosen, unit=place, actor=None, now=now)
                mark_project(chosen, now)

        self.try_(move_project)

    # --- requests --------------------------------------------------------------------------

    @rule(
        project=NUMBERS, wanted=st.lists(st.tuples(NUMBERS, st.integers(0, 260)), min_size=1,
                                         max_size=2, unique_by=lambda each: each[0] % 4),
    )  # fmt: skip
    def asks(self, project: int, wanted: list[tuple[int, int]]) -> None:
        offerings = list(self.site.offerings.values())
        wish = {}
        for which, steps in wanted:
            offering = pick(offerings, which)
            wish[offering.slug] = steps * offering.resource.step
        self.try_(
            requests.submit, project=pick(self.projects(), project), wish=Wish(wish, "walk"),
            actor=self.site.alice,
        )  # fmt: skip

    @rule(
        project=NUMBERS, which=NUMBERS, more=st.integers(1, 90), by=NUMBERS,
        trim=st.sampled_from([0, 0, 2]),
    )  # fmt: skip
    def asks_and_is_answered(self, project: int, which: int, more: int, by: int, trim: int) -> None:
        """Most of what is consumed."""
        offering = pick([self.site.vcpu, *self.site.offerings.values()], which)
        chosen = pick(self.projects(), project)
        wanted = self.site.quota(offering, chosen) + more * offering.resource.step
        asked = self.try_(
            requests.submit, project=chosen, wish=Wish({offering.slug: wanted}, "walk"),
            actor=self.site.alice,
        )  # fmt: skip
        if asked is not None:
            work_off(self.clock)
            rows = self.lines("open")
            self.decides([each for each in rows if each.request_id == asked.pk], 0, by, trim)

    @rule(which=NUMBERS, wanted=st.integers(0, 260))
    def amends(self, which: int, wanted: int) -> None:
        line = self.line("open", which)
        if line is not None:
            step = line.offering.resource.step
            self.try_(
                requests.amend, quota_request=line.request, wanted={line.pk: wanted * step},
                reason="walk", version=line.request.version, actor=self.site.alice,
            )  # fmt: skip

    @rule(which=NUMBERS)
    def withdraws(self, which: int) -> None:
        line = self.line("open", which)
        if line is not None:
            self.try_(requests.withdraw, quota_request=line.request, actor=self.site.alice)

    @rule(which=NUMBERS)
    def answers(self, which: int) -> None:
        line = self.line("returned", which)
        if line is not None:
            self.try_(
                requests.answer, quota_request=line.request, text="walk", wanted={},
                version=line.request.version, actor=self.site.alice,
            )  # fmt: skip

    @rule(which=NUMBERS, by=NUMBERS, trim=st.integers(0, 3))
    def approves(self, which: int, by: int, trim: int) -> None:
        self.decides(self.lines("open"), which, by, trim)

    def decides(self, lines: list[RequestLine], which: int, by: int, trim: int) -> None:
        """As asked, or some quarters less."""
        if not lines:
            return
        line, slow = pick(lines, which), self.slow()
        row = self.row(slow, line)
        balance = self.site.quota(line.offering, line.request.project)
        parts = (line.wanted - balance) // line.offering.resource.step
        granted = line.wanted - (parts * trim // 4) * line.offering.resource.step
        if granted == balance:
            return
        actor = self.decider(slow, row, by)
        self.try_(
            decide.approve, allowed=slow.may_decide(actor.pk, row, granted - balance),
            unless=(NoRoom,), quota_request=line.request, granted={line.pk: granted},
            seen={line.pk: balance}, version=line.request.version, actor=actor,
        )  # fmt: skip

    @rule(which=NUMBERS, by=NUMBERS, returns=st.booleans())
    def declines_or_returns(self, which: int, by: int, returns: bool) -> None:
        line = self.line("open", which)
        if line is None:
            return
        slow = self.slow()
        row = self.row(slow, line)
        actor = self.decider(slow, row, by)
        words = {"question": "Why?"} if returns else {"reason": "No."}
        self.try_(
            decide.return_ if returns else decide.decline,
            allowed=slow.may_decide(actor.pk, row, None), quota_request=line.request,
            line_ids=[line.pk], version=line.request.version, actor=actor, **words,
        )  # fmt: skip

    @rule(which=NUMBERS, by=NUMBERS)
    def endorses(self, which: int, by: int) -> None:
        line = self.line("open", which)
        if line is None:
            return
        slow = self.slow()
        row = self.row(slow, line)
        increase, actor = slow.increase(row), self.decider(slow, row, by)
        said = {person for _leaf, person in self.endorsements([row])[line.pk]}
        allowed = (
            increase > 0
            and actor.pk not in said
            and slow.may_decide(actor.pk, row, None)
            and not slow.may_decide(actor.pk, row, increase)
        )
        self.try_(
            endorse.endorse, allowed=allowed, quota_request=line.request,
            endorsed={line.pk: line.wanted}, version=line.request.version, actor=actor,
        )  # fmt: skip

    def lines(self, state: str) -> list[RequestLine]:
        rows = RequestLine.objects.filter(state=state).select_related(
            "request__project__unit", "offering__resource", "offering__zone"
        )
        return list(rows.order_by("pk"))

    def line(self, state: str, which: int) -> RequestLine | None:
        found = self.lines(state)
        return pick(found, which) if found else None

    def row(self, slow: Slow, line: RequestLine) -> Row:
        return next(each for each in slow.open_lines if each["pk"] == line.pk)

    def decider(self, slow: Slow, row: Row, by: int) -> User:
        held = slow.mandates(slow.unit_of(row), DECIDE)
        return self.likely({each for leaf in held for each in slow.holders(leaf)}, by)

    # --- envelopes and rules ---------------------------------------------------------------

    @rule(unit=NUMBERS, which=NUMBERS, steps=st.integers(-80, 160), by=NUMBERS)
    def funds(self, unit: int, which: int, steps: int, by: int) -> None:
        chosen = pick(self.units(), unit)
        offering = pick(list(self.site.offerings.values()), which)
        amount = steps * offering.resource.step
        slow = self.slow()
        held = slow.mandates(chosen.pk, MANAGE)
        actor = self.likely({each for leaf in held for each in slow.holders(leaf)}, by)
        standing = standings(chosen, [offering])[offering.pk]
        allowed = self.may_fund(slow, actor, chosen.pk, standing, amount)
        self.try_(
            change, allowed=allowed and chosen.retired_at is None, unless=(NoRoom, Invalid),
            unit=chosen, changes={offering.slug: amount},
            seen={offering.slug: Seen.of(standing)}, actor=actor,
        )  # fmt: skip

    def may_fund(self, slow: Slow, actor: User, unit: int, standing: Any, amount: int) -> bool:
        """By one delegation over the unit that reaches its source; the pool is of all tops."""
        offering = standing.offering.pk
        source = standing.source.unit_id if standing.source else None
        places = [unit] if amount == 0 else [unit, source or slow.above(unit)[-1]]
        tops = [
            pk for pk, row in slow.units.items() if not row["parent_id"] and not row["retired_at"]
        ]
        if amount and source is None and not all(slow.held(actor.pk, e, MANAGE) for e in tops):
            return False
        if amount == 0 and standing.account is not None:
            return False
        if amount < 0 and standing.account is None:
            return False
        theirs = [pk for pk in slow.projects if self.draws_from(slow, pk, unit, offering)]
        return any(
            all(slow.lies_in(each, slow.links[leaf]["unit_id"]) for each in places)
            and slow.allows(leaf, offering, unit, MANAGE, amount)
            and not (
                amount > 0
                and any(
                    ({actor.pk} | slow.stood_in_for(leaf)) & slow.involved[each] for each in theirs
                )
            )
            for leaf in slow.held(actor.pk, unit, MANAGE)
        )

    def draws_from(self, slow: Slow, project: int, unit: int, offering: int) -> bool:
        """Whether the unit's envelope is, or would be, the nearest above a project."""
        for each in slow.above(slow.projects[project]["unit_id"]):
            if each == unit:
                return True
            if (each, offering) in slow.envelopes:
                return False
        return False

    @rule(unit=NUMBERS, by=NUMBERS, most=st.sampled_from([5, 50, 200]))
    def makes_a_rule(self, unit: int, by: int, most: int) -> None:
        slow = self.slow()
        chosen = pick(self.units(), unit)
        held = slow.mandates(chosen.pk, DECIDE)
        actor = self.likely({each for leaf in held for each in slow.holders(leaf)}, by)
        terms = policies.Terms(resource=self.site.vcpu.resource, most_amount=most)
        made = self.try_(policies.make, unit=chosen, name="walk", terms=terms, actor=actor)
        if made is not None:
            self.try_(policies.switch_on, policy=made, version=1, actor=actor)

    @rule(which=NUMBERS, by=NUMBERS)
    def switches_a_rule_off(self, which: int, by: int) -> None:
        rules = list(Policy.objects.filter(state="on").order_by("pk"))
        if rules:
            chosen = pick(rules, which)
            self.try_(policies.switch_off, policy=chosen, actor=self.likely([chosen.person_id], by))

    # --- time ------------------------------------------------------------------------------

    @rule(days=st.sampled_from([0, 1, 3, 7, 11, 32]), minutes=st.integers(1, 59))
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


PROFILES = {
    "default": settings(max_examples=10, stateful_step_count=45, derandomize=True, database=None),
    "long": settings(max_examples=60, stateful_step_count=120, database=None),
}


@pytest.mark.django_db
def test_authority_holds_through_any_history() -> None:
    AuthorityWalk.site = make_ground()
    profile = PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "default")]
    run_state_machine_as_test(
        AuthorityWalk,
        settings=settings(
            profile, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
        ),
    )
    print(dict(sorted(AuthorityWalk.outcomes.items())))
