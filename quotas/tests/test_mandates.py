"""Whether a mandate allows something is said quickly, and as its bounds say it one by one."""

import random
from datetime import timedelta

from projects.models import Delegation, Unit
from projects.states import Power
from quotas.models import DelegationBound, Offering
from quotas.queries.authority import Mandate, usable
from quotas.queries.bounds import Used
from quotas.queries.queue_figures import ByUnit
from quotas.tests.site import NOW

OFFERING = Offering(pk=1, resource_id=1, zone_id=1)


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
    unit = Unit(pk=1, path="cern/")
    outcomes = set()
    for _each in range(3000):
        links = [
            Delegation(pk=pk, unit=unit, starts_at=NOW - timedelta(days=9), ancestors=[])
            for pk in range(1, chance.randint(2, 4))
        ]
        bounds = {
            link.pk: tuple(
                some_bound(chance, link, 10 * link.pk + place)
                for place in range(chance.randint(0, 3))
            )
            for link in links
        }
        mandate = Mandate(links[-1], tuple(links), bounds)
        rows = [row for own in bounds.values() for row in own]
        used = Used(
            NOW,
            {(row.pk, OFFERING.pk): chance.randint(0, 6) for row in rows if chance.random() < 0.6},
            {row.pk: chance.randint(0, 6) for row in rows if chance.random() < 0.6},
        )
        increase = chance.choice([-1, 0, 1, 4, 5, 9])
        for known in (used, None):
            assert mandate.most_amount(OFFERING, known) == mandate.most(OFFERING, known).amount
            slowly = mandate.reaches(OFFERING) and (
                increase <= 0 or mandate.most(OFFERING, known).covers(increase)
            )
            assert mandate.allows(OFFERING, increase, known) is slowly
            outcomes.add(slowly)
    assert outcomes == {True, False}


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
                lengths.add(len(found))
    assert {0, 1, 2, 3, 4} <= lengths


def _some_mandate(chance: random.Random, paths: list[str], pk: int) -> Mandate:
    both, one = [Power.DECIDE_QUOTA, Power.DECIDE_PROJECTS], [Power.DECIDE_QUOTA]
    last = chance.choice(paths)
    above = [path for path in paths if last.startswith(path)]
    places = [*sorted(chance.choices(above, k=chance.randint(0, 2)), key=len), last]
    links = [
        Delegation(
            pk=pk + place, unit=Unit(path=path), powers=chance.choice([both, both, one]),
            is_deputy=place > 0 and chance.random() < 0.3, ancestors=[],
        )
        for place, path in enumerate(places)
    ]  # fmt: skip
    return Mandate(links[-1], tuple(links), {})
