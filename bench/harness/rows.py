"""What was measured, and the rows that it makes: one for each limit, or one without any."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .limits import LIMITS, Limit
from .pairs import Pairs


@dataclass(frozen=True)
class Figure:
    """What one work took beside its floor; what was not measured is None.

    size: the scale, and what else tells how large its site is. compressed: bytes as a site's proxy
    packs them. rows: of the page and of its floor. value, unit: of what is no ratio to a floor.
    reason: why nothing could be measured here.
    """

    work: str
    size: str
    pairs: Pairs | None = None
    ratio: float | None = None
    queries: int | None = None
    bytes: int | None = None
    compressed: int | None = None
    cpu_ms: float | None = None
    value: float | None = None
    unit: str | None = None
    rows: int | None = None
    reason: str | None = None

    @property
    def measures(self) -> dict[str, float | int | None]:
        """By the names that limits use."""
        return {
            "ratio": self.pairs.ratio if self.pairs is not None else self.ratio,
            "queries": self.queries,
            "bytes": self.bytes,
            "compressed": self.compressed,
            "value": self.value,
        }


Row = dict[str, Any]


def rows_of(figures: Iterable[Figure], limits: Sequence[Limit] = LIMITS) -> list[Row]:
    """One for each limit of a figure, or one without any."""
    found = []
    for figure in figures:
        own = [each for each in limits if each.is_of(figure.work, figure.size)]
        found += [_row(figure, each) for each in own] or [_row(figure, None)]
    return found


def explained(
    rows: Iterable[Row], places: Mapping[str, str], limits: Sequence[Limit] = LIMITS
) -> list[Row]:
    """The rows; those that miss their limit carry where it is said why, if it is said.

    places: {name of a limit: where in docs/performance.md}.
    """
    names = {(each.work, each.words): each.name for each in limits}
    found = []
    for row in rows:
        place = places.get(names.get((row["work"], row["limit"]), ""))
        is_missed = row["holds"] is False and place is not None
        found.append({**row, "explained": place} if is_missed else row)
    return found


def _row(figure: Figure, limit: Limit | None) -> Row:
    pairs, measures = figure.pairs, figure.measures
    row: Row = {
        "work": figure.work,
        "size": figure.size,
        "ratio": _short(measures["ratio"]),
        "queries": figure.queries,
        "bytes": figure.bytes,
        "cpu_ms": _short(figure.cpu_ms),
        "limit": None,
        "holds": None,
        "compressed": figure.compressed,
        "rows": figure.rows,
        "value": _short(figure.value),
        "unit": figure.unit,
        "median_ms": _short(pairs.median_ms if pairs else None),
        "best_ms": _short(pairs.best_ms if pairs else None),
        "floor_ms": _short(pairs.floor_ms if pairs else None),
        "backend_ms": _short(pairs.backend_ms if pairs else None),
        "floor_cpu_ms": _short(pairs.floor_cpu_ms if pairs else None),
        "floor_backend_ms": _short(pairs.floor_backend_ms if pairs else None),
        "best_ratio": _short(pairs.best_ratio if pairs else None),
        "cpu_ratio": _short(pairs.cpu_ratio if pairs else None),
        "pairs": len(pairs.ours) if pairs is not None else None,
    }
    if figure.reason is not None:
        row["reason"] = figure.reason
    if limit is None:
        return row
    found = measures[limit.measure]
    if found is None and figure.reason is not None:
        row["limit"] = limit.words
        return row
    if found is None:
        raise ValueError(f"{figure.work}, {figure.size}: {limit.measure} was not measured")
    row["limit"], row["holds"] = limit.words, limit.holds(found)
    return row


def _short(found: float | None) -> float | None:
    """Four digits: no figure here is better than that."""
    return None if found is None else float(f"{found:.4g}")
