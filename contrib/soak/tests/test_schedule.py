"""The schedule of a soak: repeated by its seed, and a minute holds every kind."""

import pytest

from contrib.soak.schedule import FAULTS, KILLS, Fault, Kill, NewProject, schedule


def test_a_seed_repeats_its_schedule_and_another_one_does_not() -> None:
    assert schedule(7, 120, regions=2) == schedule(7, 120, regions=2)
    assert schedule(7, 120, regions=2) != schedule(8, 120, regions=2)


@pytest.mark.parametrize("seed", range(20))
def test_a_minute_holds_every_kind(seed: int) -> None:
    acts = schedule(seed, 60, regions=2)
    assert {act.what for act in acts if isinstance(act, Kill)} == set(KILLS)
    assert {act.kind for act in acts if isinstance(act, Fault)} == set(FAULTS)
    assert any(isinstance(act, NewProject) for act in acts)


def test_acts_come_in_the_order_of_time() -> None:
    times = [act.at for act in schedule(3, 300, regions=2)]
    assert times == sorted(times)
    assert times[-1] < 300
