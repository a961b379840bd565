"""The simulator waits as theory says, and tables of experiments leave the page's text alone."""

import random
from pathlib import Path

import pytest

from bench.experiments import locks, results
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


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of docs/scale.md, with a place for `tried`."""
    found = tmp_path / "scale.md"
    places = "".join(
        f"<!-- made: {each} -->\nold\n<!-- end: {each} -->\n\n" for each in ("tried", "measured")
    )
    found.write_text(f"Before.\n\n{places}After.\n")
    monkeypatch.setattr(results, "PAGE", found)
    monkeypatch.setattr(results, "FILE", tmp_path / "results" / "experiments.json")
    return found


def test_a_table_replaces_itself_and_nothing_else(page: Path) -> None:
    results.keep("tried", Found(["what", "ms"], [["a hint", 1.2345], ["none", None]], {"n": 1}))
    assert results.source("tried")[0] == {"n": 1}
    table = "| what | ms |\n| --- | --- |\n| a hint | 1.23 |\n| none | – |"
    made = f"Before.\n\n<!-- made: tried -->\n{table}\n<!-- end: tried -->\n\n"
    assert page.read_text().startswith(made)
    assert page.read_text().endswith("<!-- end: measured -->\n\nAfter.\n")


def test_a_table_without_a_place_is_not_lost_in_silence(page: Path) -> None:
    with pytest.raises(LookupError, match="no place for elsewhere"):
        results.keep("elsewhere", Found(["what"], [["a hint"]]))


def test_what_was_calculated_from_older_figures_is_named(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(["first", "then", "again"])
    monkeypatch.setattr(
        results, "machine",
        lambda: {"at": next(moments), "commit": "c", "load_at_start": [], "cores": 2,
                 "postgresql": "16"},
    )  # fmt: skip
    page.write_text(page.read_text().replace("Before.", "<!-- made: by -->\n<!-- end: by -->\n"))
    results.keep("tried", Found(["ms"], [[1.0]]))
    results.keep("by", Found(["ms"], [[2.0]], sources=results.source("tried")[1]))
    assert results.outdated() == []
    results.keep("tried", Found(["ms"], [[3.0]]))
    assert results.outdated() == [
        "`by` was calculated from `tried` of first; that was measured anew: run it again."
    ]


def test_what_is_committed_was_calculated_from_what_is_committed() -> None:
    assert results.outdated() == []


def test_cores_bound_decisions_that_share_nothing() -> None:
    held = locks.Held(before=0.01, accounts=0.005, totals=0.005, commit=0.002)
    spread = locks.DESIGNS[0]
    # Ten cores and 20 ms of work each; a fifth below where nobody would ever wait less.
    assert locks._knee(spread, held, 10) == pytest.approx(500, rel=0.2)


def test_nothing_is_said_of_totals_that_no_approval_met() -> None:
    with pytest.raises(LookupError, match="No approval"):
        locks._held({"whole_ms": 20.0, "accounts_held_ms": 15.0, "commit_ms": 2.0})
