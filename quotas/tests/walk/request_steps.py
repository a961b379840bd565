"""Steps of the walk through authority: asking, answering, funding, and rules that grant at once."""

from typing import Any

import hypothesis.strategies as st

from portal.lib.errors import Invalid, NoRoom
from projects.models import Project, User
from projects.states import Role
from quotas.actions import decide, endorse, policies, requests
from quotas.actions.envelopes import change
from quotas.actions.funding import Seen
from quotas.actions.proposing import Proposal, propose
from quotas.actions.rerouting import work_off
from quotas.actions.wishes import Wish
from quotas.models import Policy, RequestLine
from quotas.queries.envelopes import standings
from quotas.tests.walk.invariants import Invariants
from quotas.tests.walk.machine import NUMBERS, pick, step
from quotas.tests.walk.slow_authority import Slow
from quotas.tests.walk.slow_chains import DECIDE, MANAGE, Row


class RequestSteps(Invariants):
    """What is asked, and what becomes of it."""

    @step(
        times=2, project=NUMBERS,
        wanted=st.lists(st.tuples(NUMBERS, st.integers(0, 260)), min_size=1,
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

    @step(
        times=5, project=NUMBERS, which=NUMBERS, more=st.integers(1, 90), by=NUMBERS,
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

    @step(
        times=3, unit=NUMBERS, which=NUMBERS, steps=st.integers(1, 90), by=NUMBERS, member=NUMBERS,
    )  # fmt: skip
    def proposes_and_is_answered(
        self, unit: int, which: int, steps: int, by: int, member: int
    ) -> None:
        """A project with somebody in it, who must not be the one to open it."""
        offering = pick([self.site.vcpu, *self.site.offerings.values()], which)
        proposal = Proposal(
            name=f"walk {Project.objects.count()}", purpose="walk", unit=pick(self.units(), unit),
            users={pick(self.people(), member): Role.MEMBER},
        )  # fmt: skip
        asked = self.try_(
            propose, proposal=proposal, actor=self.site.alice,
            wish=Wish({offering.slug: steps * offering.resource.step}, "walk"),
        )  # fmt: skip
        if asked is not None:
            work_off(self.clock)
            rows = self.lines("open")
            self.decides([each for each in rows if each.request_id == asked.pk], 0, by, 0)

    @step(which=NUMBERS, wanted=st.integers(0, 260))
    def amends(self, which: int, wanted: int) -> None:
        line = self.line("open", which)
        if line is not None:
            step = line.offering.resource.step
            self.try_(
                requests.amend, quota_request=line.request, wanted={line.pk: wanted * step},
                reason="walk", version=line.request.version, actor=self.site.alice,
            )  # fmt: skip

    @step(which=NUMBERS)
    def withdraws(self, which: int) -> None:
        line = self.line("open", which)
        if line is not None:
            self.try_(requests.withdraw, quota_request=line.request, actor=self.site.alice)

    @step(which=NUMBERS)
    def answers(self, which: int) -> None:
        line = self.line("returned", which)
        if line is not None:
            self.try_(
                requests.answer, quota_request=line.request, text="walk", wanted={},
                version=line.request.version, actor=self.site.alice,
            )  # fmt: skip

    @step(times=2, which=NUMBERS, by=NUMBERS, trim=st.integers(0, 3))
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

    @step(which=NUMBERS, by=NUMBERS, returns=st.booleans())
    def declines_or_returns(self, which: int, by: int, returns: bool) -> None:
        line = self.line("open", which)
        if line is None:
            return
        slow = self.slow()
        row = self.row(slow, line)
        actor = self.decider(slow, row, by)
        words: dict[str, Any] = {"question": "Why?"} if returns else {"reason": "No."}
        self.try_(
            decide.return_ if returns else decide.decline,
            allowed=slow.may_decide(actor.pk, row, None), quota_request=line.request,
            line_ids=[line.pk], version=line.request.version, actor=actor, **words,
        )  # fmt: skip

    @step(times=2, which=NUMBERS, by=NUMBERS)
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
        return next(each for each in slow.stored.open_lines if each["pk"] == line.pk)

    def decider(self, slow: Slow, row: Row, by: int) -> User:
        """Mostly somebody who may, and now and then one who could but for a part in the matter."""
        held = slow.deciding(row)
        able = {each for leaf in held for each in slow.holders(leaf)}
        free = {each for leaf in held for each in slow.free(leaf, row)}
        return self.likely(able - free if by % 5 == 2 else able, by)

    # --- envelopes and rules ---------------------------------------------------------------

    @step(times=2, unit=NUMBERS, which=NUMBERS, steps=st.integers(-80, 160), by=NUMBERS)
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
            if (each, offering) in slow.stored.envelopes:
                return False
        return False

    @step(unit=NUMBERS, by=NUMBERS, most=st.sampled_from([5, 50, 200]))
    def makes_a_rule(self, unit: int, by: int, most: int) -> None:
        slow = self.slow()
        chosen = pick(self.units(), unit)
        held = slow.mandates(chosen.pk, DECIDE)
        actor = self.likely({each for leaf in held for each in slow.holders(leaf)}, by)
        terms = policies.Terms(resource=self.site.vcpu.resource, most_amount=most)
        made = self.try_(policies.make, unit=chosen, name="walk", terms=terms, actor=actor)
        if made is not None:
            self.try_(policies.switch_on, policy=made, version=1, actor=actor)

    @step(which=NUMBERS, by=NUMBERS)
    def switches_a_rule_off(self, which: int, by: int) -> None:
        rules = list(Policy.objects.filter(state="on").order_by("pk"))
        if rules:
            chosen = pick(rules, which)
            self.try_(policies.switch_off, policy=chosen, actor=self.likely([chosen.person_id], by))
