"""Two acts by turns, and what is made of what they took."""

from itertools import count

from bench.harness.memory import slope
from bench.harness.pairs import Pairs, Took, interleaved


def test_each_is_first_as_often_as_the_other_and_warming_up_does_not_count() -> None:
    done: list[str] = []

    def ours() -> Took:
        done.append("A")
        return Took(2.0)

    def floor() -> Took:
        done.append("B")
        return Took(1.0)

    found = interleaved(ours, floor, most=4, warm_up=1)

    assert "".join(done) == "AB" + "ABBAABBA"
    assert len(found.ours) == len(found.floor) == 4


def test_pairs_end_with_the_time_but_not_before_the_least() -> None:
    ticks = count(0, 10)

    def clock() -> float:
        return float(next(ticks))

    took = Took(1.0)
    enough = interleaved(lambda: took, lambda: took, seconds=35, least=2, warm_up=0, clock=clock)
    late = interleaved(lambda: took, lambda: took, seconds=0, least=5, warm_up=0, clock=clock)

    assert (len(enough.ours), len(late.ours)) == (5, 5)


def test_one_slow_call_moves_no_ratio() -> None:
    ours = [Took(0.02, 12.0, 2.0), Took(0.03, 12.0, 6.0), Took(9.0, 900.0, 6.0)]
    floor = [Took(0.01, 4.0, 2.0), Took(0.01, 4.0, 2.0), Took(0.01, 4.0, 2.0)]

    found = Pairs(ours, floor)

    assert (found.ratio, found.best_ratio, found.cpu_ratio) == (3.0, 2.0, 3.0)
    assert (found.median_ms, found.best_ms, found.floor_ms) == (30.0, 20.0, 10.0)
    assert (found.cpu_ms, found.backend_ms) == (12.0, 6.0)
    assert (found.floor_cpu_ms, found.floor_backend_ms) == (4.0, 2.0)


def test_work_that_the_database_did_not_tell_is_not_left_out_in_silence() -> None:
    found = Pairs([Took(0.02, 12.0)], [Took(0.01, 4.0, 2.0)])

    assert (found.cpu_ms, found.backend_ms, found.cpu_ratio) == (12.0, None, None)


def test_growth_is_what_a_straight_line_through_the_samples_climbs() -> None:
    assert slope([(0, 100), (1, 102), (2, 104)]) == 2.0
    assert slope([(0, 100), (1, 101), (2, 100), (3, 101)]) == 0.2
    assert slope([(0, 100)]) is None
