"""How long is a round of looks or of deliveries on a cloud of 100,000 and 1,000,000 projects?

A simulation of one service: workers who take one target after the other, half of its slots for
those who only look, its pace, and calls that last as long as a service takes. What a target costs a
worker beside its calls is measured by `python -m contrib.scale`, on a cloud that answers at once.
"""

import math
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contrib.scale.__main__ import run as scaled
from contrib.scale.numbers import least_to_survey

from .ground import say
from .results import Cell, Found
from .simulator import Actor, Resource, Simulator, Take

PROJECTS = 200
SIZES = (10_000, 100_000, 1_000_000)
# Remit's own settings, as they stand by default.
SLOTS, LOOK_SECONDS, SURVEY_SECONDS, ROUND_SECONDS = 8, 3_600.0, 600.0, 300.0
# Assumed: calls of a service under load, and of one far away; a page of a thousand rows.
CALLS = (0.1, 0.4)
PAGE_SECONDS = 2.0
# So many targets are simulated; a round of more goes on at the same rate.
SIMULATED = 20_000
STEP_LOOK, STEP_DELIVER = "one by one, 500 of Nova's", "all targets of 200"


@dataclass(frozen=True)
class Case:
    """workers: processes for this service; pace: calls a second, 0 where it has none."""

    workers: int
    slots: int
    pace: float
    call_seconds: float
    calls: float
    worker_seconds: float


def run() -> Found:
    measured = _measured()
    look, deliver = measured["look_ms"] / 1000, measured["deliver_ms"] / 1000
    rows: list[Sequence[Cell]] = []
    facts: dict[str, object] = dict(measured)
    for what, calls, cost, slots in (
        ("looks at one service", 1.0, look, SLOTS // 2),
        ("deliveries to one service", measured["deliver_calls"], deliver, SLOTS),
    ):
        for workers, pace, seconds in ((4, 0, CALLS[0]), (16, 0, CALLS[0]), (16, 0, CALLS[1]),
                                       (16, 20, CALLS[0])):  # fmt: skip
            rate = _rate(Case(workers, slots, pace, seconds, calls, cost))
            named = f"{what}: {workers} processes, assumed {seconds:g} s a call"
            named += f", {pace} calls a second" if pace else ""
            facts[named] = rate
            rows.append((named, rate, *(_span(size / rate) for size in SIZES),
                         int(rate * LOOK_SECONDS) if slots < SLOTS else None))  # fmt: skip
    for service in ("compute", "volume", "network"):
        rows.append(_survey(service))
    return Found(
        ["round", "targets a second", *(f"{size:,} projects" for size in SIZES),
         "most within the hour of OBSERVE_EACH_SECONDS"], rows, facts,
    )  # fmt: skip


def _measured() -> dict[str, float]:
    """Milliseconds of a worker for each target, and its calls; the cloud answers at once."""
    with tempfile.TemporaryDirectory(prefix="remit-scale-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        took = {each.name: each for each in scaled(PROJECTS, folder)}
    look, deliver = took[STEP_LOOK], took[STEP_DELIVER]
    say(f"looks {look.seconds:.0f} s, deliveries {deliver.seconds:.0f} s")
    looked, delivered = look.calls["compute"], 7 * PROJECTS
    return {
        "look_ms": round(1000 * look.seconds / looked, 1),
        "deliver_ms": round(1000 * deliver.seconds / delivered, 1),
        "deliver_calls": round(deliver.calls.total() / delivered, 2),
    }


def _rate(case: Case) -> float:
    """Targets a second in the long run."""
    simulator, chance = Simulator(), random.Random(8)  # noqa: S311 - the same each time
    slots, done = Resource(simulator, case.slots), [0]
    turn = [0.0]
    for _worker in range(case.workers):
        simulator.start(_work(simulator, case, slots, turn, done, chance), 0.0)
    simulator.run()
    return round(done[0] / simulator.now, 1)


def _work(
    simulator: Simulator, case: Case, slots: Resource, turn: list[float], done: list[int],
    chance: random.Random,
) -> Actor:  # fmt: skip
    while done[0] < SIMULATED:
        done[0] += 1
        yield case.worker_seconds
        calls = int(case.calls) + (chance.random() < case.calls % 1)
        for _call in range(calls):
            yield Take(slots)
            if case.pace:
                turn[0] = max(turn[0], simulator.now) + 1 / case.pace
                yield turn[0] - simulator.now
            yield case.call_seconds * chance.lognormvariate(-0.125, 0.5)
            slots.free()


def _survey(service: str) -> Sequence[Cell]:
    """One call after the other, each as long as a page of a thousand takes."""
    calls = [least_to_survey(size)[service] for size in SIZES]
    most = int(SIZES[-1] * (SURVEY_SECONDS / PAGE_SECONDS) / calls[-1])
    named = f"survey of one region's {service}, assumed {PAGE_SECONDS:g} s a page of 1,000"
    shown = [f"{_span(count * PAGE_SECONDS)} ({count:,} calls)" for count in calls]
    return (named, None, *shown, f"{most:,} within SURVEY_TIMEOUT_SECONDS")


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{math.ceil(minutes / 6) / 10:g} h"
