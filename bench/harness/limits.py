"""What each figure may be at most, as data: the table of docs/performance.md.

A limit is of one measure of one work. `sizes` are those that it is for; None: any.
"""

from collections.abc import Iterable
from dataclasses import dataclass

LARGE = "large"
# What is watched over time is so for an hour: less has a size of its own, and no limit.
HOUR_MINUTES = 60
AN_HOUR = "large, an hour"
MANY_OPEN = "large, 100,000 open"
# More than this is what two runs of the same code differ by.
FLAT = 1.15
# What is counted is the same in every run of the same code; what else holds by less of its bound
# than this may be missed by the next.
COUNTED, NEAR = ("queries", "bytes", "compressed"), 0.05
# Of memory, by least squares over the hour after it is warm.
FLAT_MB_AN_HOUR = 3.0


@dataclass(frozen=True)
class Limit:
    """measure: a key of a row; `compressed` is bytes as a site's proxy sends them (gzip -6).

    is_least: the figure is to be so much or more. unit: of a value that is no ratio.
    """

    work: str
    measure: str
    bound: float
    sizes: tuple[str, ...] | None = None
    is_least: bool = False
    unit: str = ""

    @property
    def name(self) -> str:
        """What tells it from all others: what an explanation goes by."""
        return f"{self.work}: {self.measure}"

    @property
    def words(self) -> str:
        """As a row carries it: "queries <= 6"."""
        sign = ">=" if self.is_least else "<="
        return f"{self.measure} {sign} {self.bound:g} {self.unit}".strip()

    def is_of(self, work: str, size: str) -> bool:
        return work == self.work and (self.sizes is None or size in self.sizes)

    def holds(self, found: float) -> bool:
        return found >= self.bound if self.is_least else found <= self.bound

    def is_near(self, found: float) -> bool:
        return self.measure not in COUNTED and abs(found - self.bound) < NEAR * self.bound


QUEUES = (LARGE, MANY_OPEN)
# Each list of the API that is measured has the limits of "API list of 50".
API_LISTS = ("queue", "requests", "projects", "events", "transfers")


def _api_limits() -> Iterable[Limit]:
    for each in API_LISTS:
        yield Limit(f"API list of 50: {each}", "queries", 5, (LARGE,))
        yield Limit(f"API list of 50: {each}", "ratio", 2, (LARGE,))


LIMITS: tuple[Limit, ...] = (
    Limit("queue", "queries", 6, QUEUES),
    Limit("queue", "bytes", 100_000, QUEUES),
    Limit("queue", "compressed", 12_000, QUEUES),
    Limit("queue", "ratio", 2, QUEUES),
    # All CPU of the page with 100,000 open, by that with 10,000 (growth.py).
    Limit("queue, flat in the number of requests", "value", FLAT, unit="times"),
    Limit("project page", "queries", 8, (LARGE,)),
    Limit("project page", "ratio", 2.5, (LARGE,)),
    Limit("submit", "queries", 12, (LARGE,)),
    Limit("submit", "ratio", 3, (LARGE,)),
    Limit("approve", "queries", 16, (LARGE,)),
    Limit("approve", "ratio", 4, (LARGE,)),
    Limit("approve and back to the queue", "ratio", 5, (LARGE,)),
    # By one approval, alone and done by the same means.
    Limit("bulk of 100", "ratio", 60, (LARGE,)),
    # How often its page told of another number done while it ran.
    Limit("bulk of 100, progress", "value", 3, (LARGE,), is_least=True, unit="steps seen"),
    *_api_limits(),
    Limit("decision to applied", "value", 0.5, unit="s"),
    Limit("many changes on real OpenStack", "value", 90, is_least=True, unit="%"),
    Limit("web worker", "value", 110, (AN_HOUR,), unit="MB"),
    Limit("web worker, growth", "value", FLAT_MB_AN_HOUR, (AN_HOUR,), unit="MB an hour"),
    Limit("audit_ledger", "value", 10, (LARGE,), unit="CPU s"),
)
