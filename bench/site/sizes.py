"""How many there are of each thing on a site of a size. What is counted here is exact."""

from dataclasses import dataclass, replace

REGIONS, COMPUTE_ZONES, STORAGE_ZONES = 5, 3, 3
ZONES = REGIONS * (COMPUTE_ZONES + STORAGE_ZONES)
OFFERINGS = 2 * ZONES
ENDPOINTS = 1 + 2 * REGIONS
DELEGATIONS_OF_A_UNIT = 10


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The figures of a site. levels: units of each depth, the top first.

    The last `open` of all requests wait for a decision. wide_every: of so many projects one has
    all offerings. What the issue does not name: days of usage peaks, of units' usage, and the
    share of requests whose people still have a notice of the decision.
    """

    name: str
    levels: tuple[int, ...]
    projects: int
    people: int
    requests: int
    open: int
    transfers: int
    events: int
    wide_every: int = 100
    peak_days: int = 14
    unit_usage_days: int = 90
    noticed_percent: int = 10

    @property
    def units(self) -> int:
        return sum(self.levels)

    @property
    def delegations(self) -> int:
        return DELEGATIONS_OF_A_UNIT * self.units

    @property
    def decided(self) -> int:
        """How many requests do not wait any more, the first ones."""
        return self.requests - self.open

    @property
    def deciding_groups(self) -> int:
        return max(2, self.units * 2 // 5)

    @property
    def working_groups(self) -> int:
        return self.deciding_groups // 2

    def with_open(self, count: int) -> "Scale":
        """The same site with as many requests, so many of which are open."""
        return replace(self, open=count)


LARGE = Scale(
    name="large", levels=(5, 20, 75, 150, 250), projects=10_000, people=20_000,
    requests=1_000_000, open=10_000, transfers=3_000_000, events=5_000_000,
)  # fmt: skip
TENTH = Scale(
    name="tenth", levels=(1, 3, 8, 14, 24), projects=1_000, people=2_000,
    requests=100_000, open=1_000, transfers=300_000, events=500_000,
)  # fmt: skip
SMALL = Scale(
    name="small", levels=(1, 1, 1, 1, 1), projects=100, people=200,
    requests=10_000, open=100, transfers=30_000, events=50_000,
)  # fmt: skip
SCALES = {each.name: each for each in (SMALL, TENTH, LARGE)}
