"""Whether bounds lie within others, said once more and simply: cell by cell, no code of ours."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Limits:
    """One row of bounds: of which resource, in which zone (None: any), and how much."""

    resource: int | None
    zone: int | None
    per_decision: int | None
    window_days: int
    total: int | None
    period_days: int | None

    @classmethod
    def of(cls, row: dict[str, Any]) -> "Limits":
        return cls(
            row["resource_id"], row["zone_id"], row["per_decision"], row["window_days"],
            row["total"], row["period_days"],
        )  # fmt: skip

    def is_about(self, resource: int | None, zone: int | None) -> bool:
        return self.resource in (None, resource) and self.zone in (None, zone)


def within(given: Collection[Limits], held: Collection[Limits]) -> bool:
    """Whether bounds lie within others wherever both speak, cell by cell; None: any other."""
    resources = {each.resource for each in (*given, *held)} | {None}
    zones = {each.zone for each in (*given, *held)} | {None}
    for resource in resources:
        for zone in zones:
            mine = [each for each in held if each.is_about(resource, zone)]
            theirs = [each for each in given if each.is_about(resource, zone)]
            if theirs and not (mine and all(_keeps(theirs, each) for each in mine)):
                return False
    return True


def _keeps(given: Collection[Limits], mine: Limits) -> bool:
    """Whether one of the given rows is as strict as one of the holder's own, in each respect."""
    keeps_window = mine.per_decision is None or any(
        each.per_decision is not None
        and each.per_decision <= mine.per_decision
        and each.window_days >= mine.window_days
        for each in given
    )
    keeps_total = mine.total is None or any(
        each.total is not None
        and each.total <= mine.total
        and (
            each.period_days is None
            or (mine.period_days is not None and each.period_days >= mine.period_days)
        )
        for each in given
    )
    return keeps_window and keeps_total
