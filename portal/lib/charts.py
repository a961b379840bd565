"""Where a chart of days draws its lines: geometry alone, for server-side SVG.

The plot is `WIDTH` by `HEIGHT` units that the page stretches; labels stand outside it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

WIDTH, HEIGHT = 1000, 448
PLOT_PX, ROOM_ABOVE = 196, 0.14
# So many days without a figure are a gap in a line; fewer are drawn over.
GAP = timedelta(days=4)

# A day and the amount on it, None: not known.
Point = tuple[date, int | None]


@dataclass(frozen=True)
class Plot:
    """A span of days, and the amount of the highest grid line."""

    first: date
    last: date
    top: int

    @classmethod
    def of(cls, *lines: Sequence[Point]) -> "Plot":
        """The span and the height of these lines; at least two days high by one."""
        days = [day for line in lines for day, _amount in line]
        amounts = [amount for line in lines for _day, amount in line if amount is not None]
        first, last = min(days), max(days)
        return cls(first, max(last, first + timedelta(days=1)), max(1, *amounts, 1))

    def line(self, points: Sequence[Point]) -> str:
        """Straight from day to day, broken where nothing is known for days; a day alone: a dot."""
        return "".join(
            "M" + "L".join(self._at(each) for each in run) + ("h0" if len(run) == 1 else "")
            for run in _runs(points)
        )

    def area(self, points: Sequence[Point]) -> str:
        """What lies below the line."""
        return "".join(
            "M" + "L".join(self._at(each) for each in run)
            + f"V{HEIGHT}H{self._x(run[0][0])}Z"
            for run in _runs(points)
        )  # fmt: skip

    def steps(self, points: Iterable[Point]) -> str:
        """From one height to the next at once; a day on which none is known breaks the line."""
        path, before = "", None
        for day, amount in points:
            if amount is None:
                before = None
                continue
            x, y = self._x(day), self._y(amount)
            path += f"M{x} {y}" if before is None else f"H{x}V{y}"
            before = y
        return path

    @property
    def grid(self) -> str:
        return "".join(f"M0 {self._y(amount)}H{WIDTH}" for amount in (self.top, self.top // 2))

    @property
    def marks(self) -> list[tuple[str, int]]:
        """[(y of the label in px, amount)] for nothing, a half and all of the top."""
        return [
            (f"{self._y(amount) / HEIGHT * PLOT_PX + 4:.1f}", amount)
            for amount in (self.top, self.top // 2, 0)
        ]

    @property
    def ticks(self) -> list[tuple[str, str, date]]:
        """[(x in per cent, text-anchor, day)] along the foot."""
        middle = self.first + (self.last - self.first) / 2
        return [
            ("0%", "start", self.first), ("50%", "middle", middle), ("100%", "end", self.last)
        ]  # fmt: skip

    def _at(self, point: tuple[date, int]) -> str:
        return f"{self._x(point[0])} {self._y(point[1])}"

    def _x(self, day: date) -> int:
        return round(WIDTH * (day - self.first).days / (self.last - self.first).days)

    def _y(self, amount: int) -> int:
        return round(HEIGHT * (1 - (1 - ROOM_ABOVE) * amount / self.top))


def _runs(points: Sequence[Point]) -> Iterator[list[tuple[date, int]]]:
    """The known points, in parts between which nothing is known for days."""
    run: list[tuple[date, int]] = []
    for day, amount in points:
        if amount is None:
            continue
        if run and day - run[-1][0] >= GAP:
            yield run
            run = []
        run.append((day, amount))
    if run:
        yield run
