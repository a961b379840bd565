"""What must hold after each step of a walk, wherever it leads.

Everything that Remit answers is compared with quotas.tests.walk.slow_authority.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from hypothesis.stateful import invariant

from projects.models import Unit, in_force
from projects.queries.viewers import Viewer, live_delegations
from projects.states import Power
from quotas.actions.rerouting import work_off
from quotas.actions.routing import mark_places
from quotas.models import Account, Assignment, BoundUse, Decision, DecisionLine
from quotas.queries.accounts import audit, envelope_fills
from quotas.queries.authority import Mandate, mandates_for, mandates_over, usable
from quotas.queries.bounds import Used
from quotas.queries.consumption import used_by_many
from quotas.queries.coverage import stranded_lines
from quotas.queries.requests import assigned_lines
from quotas.queries.verifying import verify
from quotas.tests.walk.machine import Machine, pick
from quotas.tests.walk.slow_authority import Slow
from quotas.tests.walk.slow_chains import DECIDE, Act, Row, Stored

Turns = dict[tuple[int, int], tuple[str, int, Any]]
POWERS = (Power.DECIDE_QUOTA, Power.MANAGE_ENVELOPES)
# What is dear is asked once in so many steps, and at the end.
SELDOM = 12
SOMETIMES = 4


class Invariants(Machine):
    """Looks after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.checked: set[tuple[str, int]] = set()
        # Something that no mark is made for changed who may decide.
        self.is_unmarked = False
        self.is_sound = True

    def teardown(self) -> None:
        try:
            if self.is_sound:
                self.history_agrees()
        finally:
            super().teardown()

    @invariant()
    def everything_agrees(self) -> None:
        self.count += 1
        self.is_sound = False
        self.outcomes["steps"] += 1
        work_off(self.clock)
        self.stored = Stored()
        slow = Slow(self.clock, self.stored)
        acts = self.stored.acts
        fresh = [act for act in acts if (act.power, act.pk) not in self.checked]
        self.checked |= {(act.power, act.pk) for act in fresh}
        if self.count == 1:
            fresh = []  # what happened before the walk
        self.somebody_sees_each_line(slow)
        if fresh or self.is_unmarked:
            # Whoever waits longer learns of it as a total or window is asked, or by the sweep.
            self.sweep()
        self.assignments_agree(slow)
        self.nothing_is_passed(slow, fresh)
        self.totals_agree(slow)
        self.mandates_agree(slow, fresh)
        if self.count % 2:
            self.what_people_see_agrees(slow)
        if self.count % SELDOM == 0:
            self.history_agrees()
        self.is_sound = True

    def sweep(self) -> None:
        """What the workers do: every open line is looked at again."""
        tops = Unit.objects.filter(parent=None).values_list("pk", flat=True)
        mark_places(units=tops, now=self.clock)
        work_off(self.clock)
        self.is_unmarked = False

    # --- who decides what waits ------------------------------------------------------------

    def somebody_sees_each_line(self, slow: Slow) -> None:
        """Before any sweep: whoever may decide a line, it waits for one of them."""
        if self.is_unmarked:
            return
        turns = self.assigned()
        for line in slow.stored.open_lines:
            deciding = [
                leaf for (pk, leaf), turn in turns.items()
                if pk == line["pk"] and turn[0] == "decide"
            ]  # fmt: skip
            assert slow.why_nobody(line) or any(
                slow.is_live(leaf) and slow.free(leaf, line) for leaf in deciding
            ), f"line {line['pk']} waits for nobody"

    def assignments_agree(self, slow: Slow) -> None:
        """Each line waits for whom it should, or is told of with the reason."""
        lines = slow.stored.open_lines
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
        if nobody or self.count % SOMETIMES == 0:
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

    def what_people_see_agrees(self, slow: Slow) -> None:
        """One person after the other holds what they hold, and sees what waits for them."""
        person = pick(self.people(), self.count // 2)
        viewer = Viewer.of(person, self.clock)
        assert {each.pk for each in viewer.delegations} == {
            leaf for leaf in slow.live() if person.pk in slow.holders(leaf)
        }
        lines = slow.stored.open_lines
        said = self.endorsements(lines)
        assert set(assigned_lines(viewer).values_list("pk", flat=True)) == {
            line["pk"]
            for line in lines
            if person.pk not in slow.barred(line)
            and any(person.pk in slow.holders(leaf) for leaf in slow.turns(line, said[line["pk"]]))
        }

    # --- how much --------------------------------------------------------------------------

    def nothing_is_passed(self, slow: Slow, fresh: Sequence[Act]) -> None:
        for act in fresh:
            assert act.at == self.clock
            assert slow.is_live(act.leaf)
            assert act.person in slow.holders(act.leaf) & slow.active
            people = {act.person, *slow.stood_in_for(act.leaf)}
            if act.power == DECIDE:
                assert not people & slow.involved[act.holder]
            assert list(slow.passed(act)) == []

    def totals_agree(self, slow: Slow) -> None:
        """Every period of a total that was begun, and each that runs now."""
        stored = {
            (bound, power, period): used
            for bound, power, period, used in BoundUse.objects.values_list(
                "bound", "power", "period", "used"
            )
        }
        totals = {
            row["id"]: (link, row)
            for link, rows in slow.bounds.items()
            for row in rows
            if row["total"] is not None
        }
        running = {
            (row["id"], power.value, slow.period(link, row, self.clock))
            for link, row in totals.values()
            for power in POWERS
        }
        for bound, power, period in stored.keys() | running:
            used = slow.used_of_total(totals[bound][0], bound, power, period, None)
            assert stored.get((bound, power, period), 0) == used

    def mandates_agree(self, slow: Slow, fresh: Sequence[Act]) -> None:
        """What anybody may do anywhere, and never more than from above."""
        live = live_delegations(self.clock).values_list("pk", flat=True)
        assert set(live) == slow.live()
        places = {slow.links[leaf]["unit_id"] for leaf in slow.live()}
        assert not any(slow.units[each]["retired_at"] for each in places)
        # One power after the other, but at once the one that something was given by.
        power = Power(fresh[-1].power) if fresh else pick(POWERS, self.count)
        units = self.units()
        mandates = mandates_over([unit.path for unit in units], power, self.clock)
        for unit in units:
            found = {each.delegation.pk for each in usable(mandates, unit.path, power)}
            assert found == set(slow.mandates(unit.pk, power))
        self.rooms_agree(slow, mandates, power, fresh)
        self.each_lies_within(mandates, slow)
        if self.count % SOMETIMES == 0:
            one = pick(units, self.count // SOMETIMES)
            found = {each.delegation.pk for each in mandates_for(one.path, power, self.clock)}
            assert found == set(slow.mandates(one.pk, power))

    def rooms_agree(
        self, slow: Slow, mandates: Collection[Mandate], power: Power, fresh: Sequence[Act]
    ) -> None:
        """For one offering after the other, and for that of which was given just now."""
        given = {act.offering for act in fresh}
        rows = list(self.site.offerings.values())
        offerings = [row for row in rows if row.pk in given or row == pick(rows, self.count)]
        places = (
            {pk: row["unit_id"] for pk, row in slow.projects.items()}
            if power == DECIDE
            else {pk: pk for pk in slow.units}
        )
        wanted = [(holder, offering.pk) for holder in places for offering in offerings]
        used = used_by_many(mandates, wanted, self.clock, power)
        by_leaf = {each.delegation.pk: each for each in mandates}
        for offering in offerings:
            for leaf, mandate in by_leaf.items():
                assert mandate.reaches(offering) == slow.reaches(leaf, offering.pk)
                above = by_leaf.get(slow.links[leaf]["parent_id"] or 0)
                for holder, place in places.items():
                    if not slow.lies_in(place, slow.links[leaf]["unit_id"]):
                        continue
                    most = mandate.most(offering, used[holder]).amount
                    assert most == slow.room(leaf, offering.pk, holder, power)
                    self.is_no_more(most, above, offering, used[holder])
                    self.uses_agree(slow, mandate, used[holder], (offering, holder, power))

    def uses_agree(
        self, slow: Slow, mandate: Mandate, used: Used, of: tuple[Any, int, Power]
    ) -> None:
        """What is consumed of each bound, whether it is the tightest or not."""
        offering, holder, power = of
        for row in mandate.bounds_on(offering):
            link = row.delegation_id
            if row.total is not None:
                period = slow.period(link, {"period_days": row.period_days}, slow.now)
                expected = slow.used_of_total(link, row.pk, power, period, None)
                assert used.of_total(row) == expected
            if row.per_decision is not None:
                assert used.in_window(row, offering) == slow.in_window(
                    link, row.window_days, offering.pk, holder, power, slow.now, None
                )

    def is_no_more(
        self, most: int | None, above: Mandate | None, offering: Any, used: Used
    ) -> None:
        rest = above.most(offering, used).amount if above else None
        assert rest is None or (most is not None and most <= rest)

    def each_lies_within(self, mandates: Collection[Mandate], slow: Slow) -> None:
        for mandate in mandates:
            if not mandate.chain[1:]:
                continue
            own, other = mandate.chain[-1], mandate.chain[-2]
            assert set(own.powers) <= set(other.powers)
            assert own.depth < other.depth
            assert slow.lies_in(own.unit_id, other.unit_id)
            assert own.starts_at >= other.starts_at
            assert other.ends_at is None or (
                own.ends_at is not None and own.ends_at <= other.ends_at
            )

    def history_agrees(self) -> None:
        assert [str(each) for each in verify()] == []
        assert audit() == []
        self.envelopes_add_up()
        assert not Decision.objects.filter(lines__isnull=True).exists()

    def envelopes_add_up(self) -> None:
        """What a page reads of them is what lies below, wherever projects and units went."""
        rows = Account.objects.select_related("unit", "project__unit").order_by("pk")
        held = [(each, each.unit or (each.project and each.project.unit)) for each in rows]
        sizes = {
            source.pk: sum(
                each.balance for each, place in held
                if place and each.offering_id == source.offering_id
                and place.path.startswith(source.unit.path)
            )
            for source, _place in held if source.unit
        }  # fmt: skip
        fills = envelope_fills([each for each, _place in held if each.unit])
        assert {pk: fill.size for pk, fill in fills.items()} == sizes
