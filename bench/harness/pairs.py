"""Two acts by turns, so that whatever else the machine does falls on both: A B, B A, A B …"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

WARM_UP = 8
LEAST, MOST = 15, 200
SECONDS = 20.0


@dataclass(frozen=True)
class Took:
    """What one act took: its time as the client sees it, and the server's CPU."""

    seconds: float
    cpu_ms: float | None = None


Act = Callable[[], Took]


@dataclass(frozen=True)
class Pairs:
    """How long both took, pair by pair."""

    ours: Sequence[Took]
    floor: Sequence[Took]

    @property
    def ratio(self) -> float:
        """Of the medians: one slow call of either moves neither."""
        return self.median_ms / self.floor_ms

    @property
    def best_ratio(self) -> float:
        """Of the quickest of each: what is left when the machine does nothing else."""
        return self.best_ms / min(each.seconds for each in self.floor) / 1000

    @property
    def cpu_ratio(self) -> float | None:
        """The same of the server's CPU, which others at work on the machine move less."""
        besides = _median_cpu(self.floor)
        return self.cpu_ms / besides if self.cpu_ms is not None and besides else None

    @property
    def median_ms(self) -> float:
        return 1000 * median(each.seconds for each in self.ours)

    @property
    def best_ms(self) -> float:
        return 1000 * min(each.seconds for each in self.ours)

    @property
    def floor_ms(self) -> float:
        return 1000 * median(each.seconds for each in self.floor)

    @property
    def cpu_ms(self) -> float | None:
        """Of ours; None where nobody said."""
        return _median_cpu(self.ours)


def _median_cpu(acts: Sequence[Took]) -> float | None:
    known = [each.cpu_ms for each in acts if each.cpu_ms is not None]
    return median(known) if known else None


def interleaved(
    ours: Act,
    floor: Act,
    *,
    most: int = MOST,
    least: int = LEAST,
    seconds: float = SECONDS,
    warm_up: int = WARM_UP,
    clock: Callable[[], float] = time.monotonic,
) -> Pairs:
    """Do both by turns, each first as often as the other, until the time or `most` is reached.

    warm_up: pairs before that which do not count. `least` are done whatever they take.
    """
    for _each in range(warm_up):
        ours(), floor()
    ended = clock() + seconds
    found: list[tuple[Took, Took]] = []
    for is_first in _turns(most):
        if len(found) >= least and clock() > ended:
            break
        if is_first:
            took = ours()
            found.append((took, floor()))
        else:
            besides = floor()
            found.append((ours(), besides))
    return Pairs([each for each, _ in found], [each for _, each in found])


def _turns(most: int) -> Iterator[bool]:
    yield from (number % 2 == 0 for number in range(most))
