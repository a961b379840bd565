"""The simulator waits as theory says, and tables of experiments leave the page's text alone."""

import random
from pathlib import Path

import pytest

from bench.experiments import results
from bench.experiments.results import Found
from bench.experiments.simulator import Actor, Resource, Simulator, Take


def test_a_row_that_is_held_for_a_fixed_time_is_waited_for_as_theory_says() -> None:
    simulator, chance = Simulator(), random.Random(1)
    row, waits = Resource(simulator), []

    def act() -> Actor:
        asked = simulator.now
        yield Take(row)
        waits.append(simulator.now - asked)
        yield 0.01
        row.free()

    moment = 0.0
    for _actor in range(40_000):
        moment += chance.expovariate(60.0)
        simulator.start(act(), moment)
    simulator.run()
    # Pollaczek and Khinchine, for a fixed time and a row that is held 60 % of the time.
    assert sum(waits) / len(waits) == pytest.approx(0.6 * 0.01 / (2 * 0.4), rel=0.05)


def test_who_gave_up_is_not_served_later() -> None:
    simulator = Simulator()
    row, served = Resource(simulator), []

    def act(name: str, seconds: float, patience: float) -> Actor:
        if (yield Take(row, patience)):
            served.append((name, simulator.now))
            yield seconds
            row.free()

    for order, (name, patience) in enumerate([("first", 9), ("hasty", 2), ("patient", 9)]):
        simulator.start(act(name, 5, patience), order / 10)
    simulator.run()
    assert served == [("first", 0.0), ("patient", 5.0)]
    assert row.held == 0


def test_a_table_replaces_itself_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "scale.md"
    page.write_text("Before.\n\n<!-- tried -->\nold\n<!-- end -->\n\nAfter.\n")
    monkeypatch.setattr(results, "PAGE", page)
    monkeypatch.setattr(results, "FILE", tmp_path / "results" / "experiments.json")
    results.keep("tried", Found(["what", "ms"], [["a hint", 1.2345], ["none", None]], {"n": 1}))
    assert results.facts_of("tried") == {"n": 1}
    table = "| what | ms |\n| --- | --- |\n| a hint | 1.23 |\n| none | – |"
    assert page.read_text() == f"Before.\n\n<!-- tried -->\n{table}\n<!-- end -->\n\nAfter.\n"
