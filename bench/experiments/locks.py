"""Where is the knee of a hot envelope, a hot total and a root, and what moves it?

A simulation: web processes that decide, each holding what it holds for as long as `holding`
measured. Who does not get a lock within LOCK_TIMEOUT_MS is refused, as in Remit.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .results import Cell, Found, facts_of
from .simulator import Actor, Resource, Simulator, Take

LOCK_SECONDS = 5.0
SIMULATED_SECONDS = 300.0
# A rate holds as long as hardly anybody is refused and one in a hundred waits for longer than this.
LONGEST_WAIT, MOST_REFUSED = 1.0, 0.001
MOST = 2_000.0
# Decisions of one moment differ in their lines: as spread as those that were measured.
_SPREAD = 0.3


@dataclass(frozen=True)
class Design:
    """Which share of decisions meets which row.

    envelopes: share of decisions that draw from each of the hottest; totals: of those that are
    counted by each of the hottest rows of totals, the uppermost first. The rest meets nobody.
    """

    name: str
    envelopes: Sequence[float] = ()
    totals: Sequence[float] = ()


@dataclass(frozen=True)
class Held:
    """Seconds, as measured: before the accounts, with them alone, with the totals too."""

    before: float
    accounts: float
    totals: float


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
    Design("a tenth in one envelope, a total for each", envelopes=(0.1,), totals=(0.1,)),
    Design("the root's total in 8 parts", totals=(1 / 8,) * 8),
    Design("the pool in 8 parts", envelopes=(1 / 8,) * 8),
    Design("an envelope for each of 20 units at the top", envelopes=(1 / 20,) * 20),
)


def run() -> Found:
    measured = facts_of("holding")
    held = _held(measured)
    rows: list[Sequence[Cell]] = []
    facts = {}
    for design in DESIGNS:
        knee = _knee(design, held)
        late = _simulated(design, held, knee * 1.3)
        facts[design.name] = knee
        rows.append((design.name, knee, late.p99, 100 * late.refused_share))
    return Found(
        ["what decisions share", "decisions a second that it carries",
         "at 1.3 times that: 1 in 100 waits, s", "refused, %"], rows, facts,
    )  # fmt: skip


def _held(measured: Mapping[str, float]) -> Held:
    whole, accounts = measured["whole_ms"], measured["accounts_held_ms"]
    # They are taken after the accounts; where none was met, as if right after.
    totals = measured["totals_held_ms"] or accounts
    return Held((whole - accounts) / 1000, (accounts - totals) / 1000, totals / 1000)


def _knee(design: Design, held: Held) -> float:
    """The highest rate that holds, to a twentieth; MOST where none is too high."""
    low, high = 0.0, MOST
    if _holds(_simulated(design, held, high, seconds=5.0)):
        return high
    while high - low > max(0.2, low / 20):
        middle = (low + high) / 2
        if _holds(_simulated(design, held, middle)):
            low = middle
        else:
            high = middle
    return round(low, 1)


def _holds(tally: _Tally) -> bool:
    return tally.p99 <= LONGEST_WAIT and tally.refused_share <= MOST_REFUSED


def _simulated(
    design: Design, held: Held, rate: float, seconds: float = SIMULATED_SECONDS
) -> _Tally:
    """So many decisions a second, come at random; as many processes as it takes."""
    chance = random.Random(8)  # noqa: S311 - the same each time, and no secret
    # So many say what one in a hundred waits.
    seconds = min(seconds, 10_000 / rate)
    simulator, tally = Simulator(), _Tally()
    envelopes = [Resource(simulator) for _share in design.envelopes]
    totals = [Resource(simulator) for _share in design.totals]
    moment = 0.0
    while (moment := moment + chance.expovariate(rate)) < seconds:
        envelope = _met(design.envelopes, envelopes, chance)
        total = _met(design.totals, totals, chance)
        simulator.start(_decide(simulator, tally, held, envelope, total, chance), moment)
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
    simulator: Simulator, tally: _Tally, held: Held, envelope: Resource | None,
    total: Resource | None, chance: random.Random,
) -> Actor:  # fmt: skip
    taken: list[Resource] = []
    waited = 0.0
    for seconds, resource in ((held.before, envelope), (held.accounts, total), (held.totals, None)):
        yield seconds * chance.lognormvariate(0, _SPREAD)
        if resource is None:
            continue
        asked = simulator.now
        if not (yield Take(resource, LOCK_SECONDS)):
            tally.refused += 1
            break
        waited += simulator.now - asked
        taken.append(resource)
    else:
        tally.waits.append(waited)
    for resource in taken:
        resource.free()
