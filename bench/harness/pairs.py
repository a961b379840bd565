"""Two acts by turns, so that whatever else the machine does falls on both: A B, B A, A B …"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from .client import Answer

WARM_UP = 8
LEAST, MOST = 15, 200
SECONDS = 20.0


@dataclass(frozen=True)
class Took:
    """What one act took: its time as the client sees it, and CPU of worker and PostgreSQL."""

    seconds: float
    cpu_ms: float | None = None
    backend_ms: float | None = None

    @classmethod
    def of(cls, *answers: Answer) -> "Took":
        """Of one answer, or of several that make one act."""
        behind = [each.backend_ms for each in answers]
        known = [each for each in behind if each is not None]
        return cls(
            sum(each.seconds for each in answers),
            sum(each.cpu_ms for each in answers),
            sum(known) if len(known) == len(behind) else None,
        )

    @property
    def work_ms(self) -> float | None:
        """Of both together: what an act costs, wherever it is done; None unless both are known."""
        if self.cpu_ms is None or self.backend_ms is None:
            return None
        return self.cpu_ms + self.backend_ms


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
        """The same of all CPU, which others at work on the machine move less."""
        ours, besides = _median(self.ours, "work_ms"), _median(self.floor, "work_ms")
        return ours / besides if ours is not None and besides else None

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
        """Of ours in the worker; None where nobody said. The next three likewise."""
        return _median(self.ours, "cpu_ms")

    @property
    def backend_ms(self) -> float | None:
        return _median(self.ours, "backend_ms")

    @property
    def floor_cpu_ms(self) -> float | None:
        return _median(self.floor, "cpu_ms")

    @property
    def floor_backend_ms(self) -> float | None:
        return _median(self.floor, "backend_ms")


def _median(acts: Sequence[Took], name: str) -> float | None:
    known = [found for each in acts if (found := getattr(each, name)) is not None]
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
