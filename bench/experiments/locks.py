"""Where is the knee of a hot envelope, a hot total and a root, and what moves it?

A simulation: web processes that decide, each holding what it holds for as long as `holding`
measured, and working on as many cores as there are for them and the database together; a commit's
wait takes none. Who does not get a lock within LOCK_TIMEOUT_MS is refused, as in Remit.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .results import Cell, Found, source
from .simulator import Actor, Resource, Simulator, Take

LOCK_SECONDS = 5.0
SIMULATED_SECONDS = 300.0
# A rate holds as long as hardly anybody is refused and one in a hundred waits for longer than this.
LONGEST_WAIT, MOST_REFUSED = 1.0, 0.001
MOST = 2_000.0
CORES = (16, 64)
# Decisions of one moment differ in their lines: as spread as those that were measured.
_SPREAD = 0.3


@dataclass(frozen=True)
class Design:
    """Which share of decisions meets which row.

    envelopes: share of decisions that draw from each of the hottest; totals: of those that are
    counted by each of the hottest totals, whichever envelope they draw from. The rest meets nobody.
    """

    name: str
    envelopes: Sequence[float] = ()
    totals: Sequence[float] = ()


@dataclass(frozen=True)
class Held:
    """Seconds, as measured: before the accounts, with them alone, with the totals too, of which
    the last ones wait for the commit."""

    before: float
    accounts: float
    totals: float
    commit: float


@dataclass
class _Tally:
    waits: list[float] = field(default_factory=list)
    refused: int = 0

    @property
    def p99(self) -> float:
        return sorted(self.waits)[int(len(self.waits) * 0.99)] if self.waits else 0.0

    @property
    def refused_share(self) -> float:
        return self.refused / max(1, self.refused + len(self.waits))


DESIGNS = (
    Design("spread: nobody shares a row"),
    Design("one total above all (a root's)", totals=(1.0,)),
    Design("one envelope for all (the pool)", envelopes=(1.0,)),
    Design("a tenth draws from one envelope, a tenth counts in one total",
           envelopes=(0.1,), totals=(0.1,)),
    Design("the root's total in 8 parts", totals=(1 / 8,) * 8),
    Design("the pool in 8 parts", envelopes=(1 / 8,) * 8),
    Design("an envelope for each of 20 units at the top", envelopes=(1 / 20,) * 20),
)  # fmt: skip


def run() -> Found:
    measured, sources = source("holding")
    held = _held(measured)
    rows: list[Sequence[Cell]] = []
    facts: dict[str, float | None] = {}
    for design in DESIGNS:
        cells: list[Cell] = [design.name]
        for cores in CORES:
            knee = _knee(design, held, cores)
            facts[f"{design.name}, {cores} cores"] = knee
            cells.append(f"> {MOST:,.0f}" if knee is None else knee)
        if knee is None:
            rows.append((*cells, None, None))
        else:
            late = _simulated(design, held, knee * 1.3, cores)
            rows.append((*cells, late.p99, 100 * late.refused_share))
    return Found(
        ["what decisions share", *(f"carried a second by {cores} cores" for cores in CORES),
         "at 1.3 times the last: 1 in 100 waits, s", "refused, %"], rows, facts, sources,
    )  # fmt: skip


def _held(measured: Mapping[str, Any]) -> Held:
    whole, accounts, commit = (
        measured["whole_ms"], measured["accounts_held_ms"], measured["commit_ms"]
    )  # fmt: skip
    totals = measured.get("totals_held_ms")
    if totals is None:
        raise LookupError("No approval of `holding` met a total: run it again.")
    return Held(
        (whole - accounts) / 1000, (accounts - totals) / 1000, (totals - commit) / 1000,
        commit / 1000,
    )  # fmt: skip


def _knee(design: Design, held: Held, cores: int) -> float | None:
    """The highest rate that holds, to a twentieth; None: even MOST does."""
    low, high = 0.0, MOST
    if _holds(_simulated(design, held, high, cores)):
        return None
    while high - low > max(0.2, low / 20):
        middle = (low + high) / 2
        if _holds(_simulated(design, held, middle, cores)):
            low = middle
        else:
            high = middle
    return round(low, 1)


def _holds(tally: _Tally) -> bool:
    return tally.p99 <= LONGEST_WAIT and tally.refused_share <= MOST_REFUSED


def _simulated(design: Design, held: Held, rate: float, cores: int) -> _Tally:
    """So many decisions a second, come at random; as many processes as it takes."""
    chance = random.Random(8)  # noqa: S311 - the same each time, and no secret
    # So many say what one in a hundred waits.
    seconds = min(SIMULATED_SECONDS, 10_000 / rate)
    simulator, tally = Simulator(), _Tally()
    working = Resource(simulator, cores)
    envelopes = [Resource(simulator) for _share in design.envelopes]
    totals = [Resource(simulator) for _share in design.totals]
    moment = 0.0
    while (moment := moment + chance.expovariate(rate)) < seconds:
        envelope = _met(design.envelopes, envelopes, chance)
        total = _met(design.totals, totals, chance)
        simulator.start(_decide(simulator, tally, held, working, envelope, total, chance), moment)
    simulator.run(until=seconds + 2 * LOCK_SECONDS)
    return tally


def _met(
    shares: Sequence[float], resources: Sequence[Resource], chance: random.Random
) -> Resource | None:
    drawn = chance.random()
    for share, resource in zip(shares, resources, strict=True):
        drawn -= share
        if drawn < 0:
            return resource
    return None


def _decide(
    simulator: Simulator, tally: _Tally, held: Held, working: Resource, envelope: Resource | None,
    total: Resource | None, chance: random.Random,
) -> Actor:  # fmt: skip
    taken: list[Resource] = []
    came, worked = simulator.now, 0.0
    for seconds, resource in ((held.before, envelope), (held.accounts, total), (held.totals, None)):
        lasts = seconds * chance.lognormvariate(0, _SPREAD)
        yield Take(working)
        yield lasts
        working.free()
        worked += lasts
        if resource is None:
            continue
        if not (yield Take(resource, LOCK_SECONDS)):
            tally.refused += 1
            break
        taken.append(resource)
    else:
        yield held.commit
        tally.waits.append(simulator.now - came - worked - held.commit)
    for resource in taken:
        resource.free()
