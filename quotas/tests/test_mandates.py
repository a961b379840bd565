"""Whether a mandate allows something is said quickly, and as its bounds say it one by one."""

import random
from datetime import timedelta

from projects.models import Delegation, Unit
from projects.states import Power
from quotas.models import Account, DelegationBound, Offering, RequestLine, Resource
from quotas.queries.authority import Known, Mandate, usable
from quotas.queries.bounds import Used
from quotas.queries.decision_figures import LineFigures
from quotas.queries.queue_figures import ByUnit
from quotas.tests.site import NOW

OFFERING = Offering(pk=1, resource=Resource(pk=1, step=1), zone_id=1)


def some_bound(chance: random.Random, link: Delegation, pk: int) -> DelegationBound:
    def amount() -> int | None:
        return chance.choice([None, 0, 1, 5, 10])

    return DelegationBound(
        pk=pk, delegation=link, resource_id=chance.choice([None, 1, 2]),
        zone_id=chance.choice([None, 1, 2]), per_decision=amount(), total=amount(),
        window_days=30, period_days=chance.choice([None, 7]),
    )  # fmt: skip


def test_what_is_allowed_is_what_the_tightest_bound_covers() -> None:
    chance = random.Random(4)
    outcomes = set()
    for _each in range(3000):
        mandate = _bounded_mandate(chance, 1)
        used = _some_use(chance, [mandate])
        increase = chance.choice([-1, 0, 1, 4, 5, 9])
        for known in (used, None):
            assert mandate.most_amount(OFFERING, known) == mandate.most(OFFERING, known).amount
            slowly = mandate.reaches(OFFERING) and (
                increase <= 0 or mandate.most(OFFERING, known).covers(increase)
            )
            assert mandate.allows(OFFERING, increase, known) is slowly
            outcomes.add(slowly)
    assert outcomes == {True, False}


def test_chains_that_begin_alike_and_were_read_together_say_what_each_says_alone() -> None:
    chance = random.Random(7)
    for _each in range(300):
        whole, known = _bounded_mandate(chance, 1), Known()
        ends = list(range(len(whole.chain)))
        chance.shuffle(ends)
        for end in ends:
            chain = whole.chain[: end + 1]
            alone = Mandate(chain[-1], chain, whole.bounds)
            together = Mandate(chain[-1], chain, whole.bounds, known)
            assert together.reaches(OFFERING) is alone.reaches(OFFERING)
            assert together.most(OFFERING) == alone.most(OFFERING)


def test_a_line_is_beyond_what_is_held_where_it_adds_more_than_the_widest_leaves() -> None:
    chance = random.Random(6)
    outcomes = set()
    for _each in range(2000):
        mandates = [_bounded_mandate(chance, 100 * at) for at in range(chance.randint(0, 3))]
        balance, source = 3, Account(balance=chance.choice([0, 2, 20]))
        figures = LineFigures(
            line=RequestLine(wanted=balance + chance.choice([-1, 0, 1, 4, 9]), offering=OFFERING),
            balance=balance, sources=(source,), envelope=None, zone=None, use=None,
            mandates=tuple(mandates), used=_some_use(chance, mandates),
        )  # fmt: skip
        widest = figures.widest
        assert figures.bound == widest.amount
        assert figures.is_beyond_bound is not widest.covers(figures.change)
        most = figures.line.wanted
        if figures.change > 0:
            most = min(most, balance + source.balance)
            most = most if widest.amount is None else min(most, balance + widest.amount)
        assert figures.most == most
        outcomes.add((figures.change > 0, figures.is_beyond_bound, figures.most > balance))
    assert {(True, True, True), (True, True, False), (True, False, True)} <= outcomes


def _bounded_mandate(chance: random.Random, begin: int) -> Mandate:
    unit = Unit(pk=1, path="cern/")
    links = [
        Delegation(pk=begin + place, unit=unit, starts_at=NOW - timedelta(days=9), ancestors=[])
        for place in range(1, chance.randint(2, 4))
    ]
    bounds = {
        link.pk: tuple(
            some_bound(chance, link, 10 * link.pk + place) for place in range(chance.randint(0, 3))
        )
        for link in links
    }
    return Mandate(links[-1], tuple(links), bounds)


def _some_use(chance: random.Random, mandates: list[Mandate]) -> Used:
    rows = [row for each in mandates for own in each.bounds.values() for row in own]
    return Used(
        NOW,
        {(row.pk, OFFERING.pk): chance.randint(0, 6) for row in rows if chance.random() < 0.6},
        {row.pk: chance.randint(0, 6) for row in rows if chance.random() < 0.6},
    )


def test_of_many_mandates_those_above_a_unit_are_found_as_among_all_and_in_their_order() -> None:
    chance = random.Random(5)
    paths = [
        "cern/",
        "cern/it/",
        "cern/it/cm/",
        "cern/it/db/",
        "cern/items/",
        "cern/ep/",
        "cern-x/",
    ]
    lengths = set()
    for _each in range(300):
        mandates = [_some_mandate(chance, paths, pk) for pk in range(10, 90, 10)]
        by_unit = ByUnit(mandates)
        for path in paths:
            for powers in ((Power.DECIDE_QUOTA,), (Power.DECIDE_QUOTA, Power.DECIDE_PROJECTS)):
                found = [each.delegation.pk for each in by_unit.usable(path, *powers)]
                among_all = usable(mandates, path, *powers)
                assert found == [each.delegation.pk for each in among_all]
                assert set(found) == {
                    each.delegation.pk for each in mandates if _holds(each, path, powers)
                }
                lengths.add(len(found))
    assert {0, 1, 2, 3, 4} <= lengths


def _holds(mandate: Mandate, path: str, powers: tuple[Power, ...]) -> bool:
    return all(
        path.startswith(link.unit.path) and set(powers) <= set(link.powers)
        for link in mandate.chain
    )


def _some_mandate(chance: random.Random, paths: list[str], pk: int) -> Mandate:
    both, one = [Power.DECIDE_QUOTA, Power.DECIDE_PROJECTS], [Power.DECIDE_QUOTA]
    last = chance.choice(paths)
    # Seldom one that its last link does not lie below: it holds for nothing.
    above = [path for path in paths if last.startswith(path) or chance.random() < 0.05]
    places = [*sorted(chance.choices(above, k=chance.randint(0, 2)), key=len), last]
    links = [
        Delegation(
            pk=pk + place, unit=Unit(path=path), powers=chance.choice([both, both, one]),
            is_deputy=place > 0 and chance.random() < 0.3, ancestors=[],
        )
        for place, path in enumerate(places)
    ]  # fmt: skip
    return Mandate(links[-1], tuple(links), {})
