"""The ground of the walk through authority: its site, its clock, and what must hold at any moment.

Everything that Remit answers is compared with quotas.tests.slow_authority.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

import hypothesis.strategies as st
from django.db import transaction
from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from portal.lib.errors import DomainError
from projects.models import Delegation, Group, Project, Unit, UnitPlacement, User, in_force
from projects.queries.viewers import Viewer
from projects.states import Power, Role
from quotas.actions.ledger import issue
from quotas.actions.rerouting import work_off
from quotas.actions.routing import mark_places
from quotas.models import (
    Assignment,
    BoundUse,
    Decision,
    DecisionLine,
    DelegationBound,
    Offering,
    RequestLine,
    Zone,
)
from quotas.queries.accounts import audit
from quotas.queries.authority import Mandate, mandate_of, mandates_for
from quotas.queries.consumption import used_by
from quotas.queries.coverage import stranded_lines
from quotas.queries.requests import assigned_lines
from quotas.queries.verifying import verify
from quotas.tests.site import NOW, Site, join, make_group, make_project, make_site
from quotas.tests.slow_authority import DECIDE, Act, Row, Slow

Some = TypeVar("Some")
Turns = dict[tuple[int, int], tuple[str, int, Any]]
STEP = timedelta(seconds=1)
NUMBERS = st.integers(0, 23)
# What is dear is asked once in so many steps, and at the end.
SELDOM = 10


Method = TypeVar("Method", bound=Callable[..., None])


def step(times: int = 1, **drawn: st.SearchStrategy[Any]) -> Callable[[Method], Method]:
    """A step of the walk with what is drawn for it; times: how often it comes among the others.

    Hypothesis would leave many rules out of each of few examples: all are steps of one rule.
    """

    def mark(method: Method) -> Method:
        method.step = (times, st.fixed_dictionaries(drawn))  # type: ignore[attr-defined]  # read below
        return method

    return mark


def pick(rows: Sequence[Some], number: int) -> Some:
    return rows[number % len(rows)]


def make_ground() -> Site:
    """The site with two more units, projects, zones of vCPU, and two groups."""
    site = make_site(NOW - timedelta(days=1))
    for name, parent in (("trigger", "atlas"), ("daq", "atlas")):
        above = site.units[parent]
        site.units[name] = Unit.objects.create(
            slug=name, name=name, parent=above, path=f"{above.path}{name}/"
        )
    for unit in site.units.values():
        UnitPlacement.objects.create(
            unit=unit, parent=unit.parent, starts_at=NOW - timedelta(days=200)
        )
    zone = Zone.objects.create(
        region=site.vcpu.zone.region, slug="compute-b", name="compute-b", kind="compute"
    )
    slug = "geneva.compute-b.vcpu"
    site.offerings[slug] = Offering.objects.create(
        slug=slug, zone=zone, resource=site.vcpu.resource
    )
    since = NOW - timedelta(days=1)
    issue(offering=site.offerings[slug], amount=5000, actor=None, now=since)
    for depth, name in enumerate(("dana", "erin", "otto"), 3):
        Delegation.objects.filter(pk=site.delegations[name].pk).update(depth=depth)
    for project, place in (("p-two", "it"), ("p-three", "trigger")):
        made = make_project(site, project, place, since)
        join(made, site.alice, Role.OWNER, since)
    _give_to_groups(site, since)
    return site


def _give_to_groups(site: Site, since: datetime) -> None:
    """Coordinators, of whom there is one, decide for ATLAS like Dana; the board works in it."""
    coordinators = make_group("coordinators", site.mallory, since=since)
    join(site.project, make_group("board", site.audrey, since=since), Role.MEMBER, since)
    erin = site.delegations["erin"]
    made = Delegation.objects.create(
        parent=erin, ancestors=erin.chain_ids, grantor=site.erin, group=coordinators,
        powers=[Power.DECIDE_QUOTA], unit=site.units["atlas"], depth=3, starts_at=since,
        created_at=since,
    )  # fmt: skip
    DelegationBound.objects.create(
        delegation=made, resource=site.vcpu.resource, per_decision=60, total=150, period_days=10
    )


class AuthorityGround(RuleBasedStateMachine):
    """What the steps walk on; an example is undone at its end."""

    site: ClassVar[Site]
    # How often what was done and refused, over all examples.
    outcomes: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        self.clock = NOW
        self.count = 0
        self.checked: set[tuple[str, int]] = set()
        # Time, or something else that no mark is made for, changed who may decide.
        self.is_unmarked = False
        self.is_sound = True

    def teardown(self) -> None:
        try:
            if self.is_sound:
                self.history_agrees()
        finally:
            transaction.set_rollback(True)
            self.outer.__exit__(None, None, None)

    @rule(data=st.data())
    def goes_on(self, data: st.DataObject) -> None:
        """Any step, with anything that is drawn for it."""
        marked = {
            name: found[0]
            for name in dir(type(self))
            if (found := getattr(getattr(type(self), name), "step", None))
        }
        # What is drawn leans to the first ones: these are the steps that come most.
        often = sorted(marked, key=lambda name: (-marked[name], name))
        names = [name for name in often for _time in range(marked[name])]
        name = data.draw(st.sampled_from(names), label="step")
        _times, drawn = getattr(self, name).step
        getattr(self, name)(**data.draw(drawn, label=name))

    # --- what steps use --------------------------------------------------------------------

    def slow(self) -> Slow:
        """What holds at the moment of the next act."""
        return Slow(self.clock + STEP)

    def try_(
        self,
        act: Callable[..., Some],
        *,
        allowed: bool | None = None,
        unless: tuple[type[DomainError], ...] = (),
        **arguments: Any,
    ) -> Some | None:
        """Do it; allowed: what must come of it (None: either), but for refusals of `unless`."""
        self.clock += STEP
        try:
            done = act(now=self.clock, **arguments)
        except DomainError as refusal:
            self.outcomes[f"{act.__name__} refused"] += 1
            note(f"   refused: {refusal.code} {refusal.sentence} {refusal.facts}")
            if allowed and not isinstance(refusal, unless):
                raise AssertionError("it is allowed, and was refused") from refusal
            return None
        self.outcomes[f"{act.__name__} done"] += 1
        assert allowed is not False, f"done, but not allowed: {done}"
        return done

    def people(self) -> list[User]:
        return list(User.objects.filter(is_active=True).order_by("pk"))

    def units(self) -> list[Unit]:
        return list(Unit.objects.order_by("pk"))

    def groups(self) -> list[Group]:
        return list(Group.objects.order_by("pk"))

    def projects(self) -> list[Project]:
        return list(Project.objects.select_related("unit").order_by("pk"))

    def delegations(self) -> list[Delegation]:
        return list(Delegation.objects.select_related("unit").order_by("-pk"))

    def likely(self, holders: Iterable[int], number: int) -> User:
        """Mostly one of those who might, sometimes anybody."""
        active = {each.pk: each for each in self.people()}
        able = [active[each] for each in sorted(set(holders)) if each in active]
        if able and number % 4:
            return pick(able, number)
        return pick(list(active.values()), number)

    def sweep(self) -> None:
        """What the workers do: every open line is looked at again."""
        tops = Unit.objects.filter(parent=None).values_list("pk", flat=True)
        mark_places(units=tops, now=self.clock)
        work_off(self.clock)
        self.is_unmarked = False

    # --- what must hold --------------------------------------------------------------------

    @invariant()
    def everything_agrees(self) -> None:
        if self.count == 0 and not RequestLine.objects.exists():
            self.checked = {(act.power, act.pk) for act in Slow(self.clock).acts}
        self.count += 1
        self.is_sound = False
        self.outcomes["steps"] += 1
        work_off(self.clock)
        slow = Slow(self.clock)
        fresh = [act for act in slow.acts if (act.power, act.pk) not in self.checked]
        if fresh or self.is_unmarked:
            # Whoever waits longer learns of it as a total or window is asked, or by the sweep.
            self.sweep()
        self.assignments_agree(slow)
        self.nothing_is_passed(slow, fresh)
        self.mandates_agree(slow)
        self.queue_agrees(slow)
        if self.count % SELDOM == 0:
            self.history_agrees()
        self.is_sound = True

    def assignments_agree(self, slow: Slow) -> None:
        """Each line waits for whom it should, or is told of with the reason."""
        lines = slow.open_lines
        said = self.endorsements(lines)
        expected: Turns = {
            (line["pk"], leaf): turn
            for line in lines
            for leaf, turn in slow.turns(line, said[line["pk"]]).items()
        }
        assert self.assigned() == expected
        nobody = {line["pk"]: why for line in lines if (why := slow.why_nobody(line)) is not None}
        decided = {line for (line, _leaf), turn in expected.items() if turn[0] == "decide"}
        assert decided | nobody.keys() == {line["pk"] for line in lines}
        found = stranded_lines(None, self.clock)
        assert {each.line.pk: each.reason for each in found.rows} == nobody

    def assigned(self) -> Turns:
        rows = Assignment.objects.filter(in_force(self.clock), line__state="open")
        return {
            (line, leaf): (kind, level, until)
            for line, leaf, kind, level, until in rows.values_list(
                "line", "delegation", "kind", "level", "ends_at"
            )
        }

    def endorsements(self, lines: Sequence[Row]) -> dict[int, list[tuple[int, int]]]:
        """{line: (delegation, person) of who endorsed what it asks for now}."""
        wanted = {line["pk"]: line["wanted"] for line in lines}
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        rows = DecisionLine.objects.filter(line__in=wanted, endorsed__isnull=False)
        for line, leaf, person, proof in rows.values_list(
            "line", "delegation", "decision__person", "decision__snapshot"
        ):
            asked = {each["line"]: each["wanted"] for each in proof["lines"]}
            if asked[line] == wanted[line]:
                found[line].append((leaf, person))
        return found

    def nothing_is_passed(self, slow: Slow, fresh: Sequence[Act]) -> None:
        for act in fresh:
            self.checked.add((act.power, act.pk))
            assert act.at == self.clock
            assert slow.is_live(act.leaf)
            assert act.person in slow.holders(act.leaf) & slow.active
            people = {act.person, *slow.stood_in_for(act.leaf)}
            if act.power == DECIDE:
                assert not people & slow.involved[act.holder]
            assert list(slow.passed(act)) == []
        for use in BoundUse.objects.select_related("bound").order_by("pk"):
            link = use.bound.delegation_id
            assert use.used == slow.used_of_total(link, use.bound_id, use.power, use.period, None)

    def mandates_agree(self, slow: Slow) -> None:
        """What anybody may do, in one place after the other, and never more than from above."""
        unit = pick(self.units(), self.count)
        offering = pick(list(self.site.offerings.values()), self.count)
        for power in (Power.DECIDE_QUOTA, Power.MANAGE_ENVELOPES):
            found = {
                each.delegation.pk: each for each in mandates_for(unit.path, power, self.clock)
            }
            assert found.keys() == set(slow.mandates(unit.pk, power))
            holder = pick(self.projects(), self.count) if power == DECIDE else unit
            above = {pk: mandate_of(each.chain[-2]) for pk, each in found.items() if each.chain[1:]}
            used = used_by(
                [*found.values(), *above.values()], holder, [offering], self.clock, power
            )
            for pk, mandate in found.items():
                most = mandate.most(offering, used).amount
                assert most == slow.room(pk, offering.pk, holder.pk, power)
                assert mandate.reaches(offering) == slow.reaches(pk, offering.pk)
                if pk in above:
                    self.lies_within(mandate, above[pk], slow)
                    rest = above[pk].most(offering, used).amount
                    assert rest is None or (most is not None and most <= rest)

    def lies_within(self, mandate: Mandate, above: Mandate, slow: Slow) -> None:
        own, other = mandate.delegation, above.delegation
        assert set(own.powers) <= set(other.powers)
        assert own.depth < other.depth
        assert slow.lies_in(own.unit_id, other.unit_id)
        assert own.starts_at >= other.starts_at
        assert other.ends_at is None or (own.ends_at is not None and own.ends_at <= other.ends_at)

    def queue_agrees(self, slow: Slow) -> None:
        """One person after the other sees what waits for them, and nothing else."""
        person = pick(self.people(), self.count)
        found = set(assigned_lines(Viewer.of(person, self.clock)).values_list("pk", flat=True))
        said = self.endorsements(slow.open_lines)
        assert found == {
            line["pk"]
            for line in slow.open_lines
            if person.pk not in slow.barred(line)
            and any(person.pk in slow.holders(leaf) for leaf in slow.turns(line, said[line["pk"]]))
        }

    def history_agrees(self) -> None:
        assert [str(each) for each in verify()] == []
        assert audit() == []
        assert not Decision.objects.filter(lines__isnull=True).exists()
