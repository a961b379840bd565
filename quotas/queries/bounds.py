"""What a bound still allows, given what is consumed of it: arithmetic, no queries.

`per_decision` holds for the net increase of one project (or envelope) and offering in a rolling
window, `total` for all that is given through a delegation in one period. Returns refund nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from projects.models import Delegation
from quotas.models import DelegationBound, Offering


@dataclass(frozen=True)
class Used:
    """What is consumed of bounds at a moment, for one project or one envelope; base units.

    windows: {(bound id, offering id): net increase in the bound's window, never below 0};
    totals: {bound id: consumed in its period of `now`}. What is not named is untouched.
    """

    now: datetime
    windows: Mapping[tuple[int, int], int] = field(default_factory=dict)
    totals: Mapping[int, int] = field(default_factory=dict)

    def in_window(self, bound: DelegationBound, offering: Offering) -> int:
        return self.windows.get((bound.pk, offering.pk), 0) if self.windows else 0

    def of_total(self, bound: DelegationBound) -> int:
        return self.totals.get(bound.pk, 0)

    def plus(self, bounds: Iterable[DelegationBound], offering: Offering, increase: int) -> "Used":
        """With an increase of the offering added to each of these bounds, all of which match.

        For the lines of one decision, which may share a bound.
        """
        if increase <= 0:
            return self
        windows, totals = dict(self.windows), dict(self.totals)
        for bound in bounds:
            windows[bound.pk, offering.pk] = self.in_window(bound, offering) + increase
            totals[bound.pk] = self.of_total(bound) + increase
        return replace(self, windows=windows, totals=totals)


class Most(NamedTuple):
    """The most that one decision may add by a mandate, and the bound that says so.

    amount: in base units; None: any amount. dimension: "per_decision" (its rolling window),
    "total", "bounds" (the link says nothing about the offering, so `bound` is None), or ""
    where nothing bounds it. used: what is consumed of that bound.
    """

    amount: int | None
    dimension: str = ""
    bound: DelegationBound | None = None
    link: Delegation | None = None
    used: int = 0
    refills_at: datetime | None = None

    @property
    def written(self) -> int | None:
        """The bound as written, before anything was consumed."""
        if self.bound is None:
            return None if self.amount is None else 0
        return self.bound.total if self.dimension == "total" else self.bound.per_decision

    def covers(self, increase: int) -> bool:
        return self.amount is None or increase <= self.amount

    @property
    def facts(self) -> dict[str, Any]:
        """The figures as JSON values: bound (the dimension), left, used, written, and where."""
        found: dict[str, Any] = {
            "bound": self.dimension,
            "left": self.amount,
            "used": self.used,
            "written": self.written,
            "delegation": self.link.pk if self.link else None,
        }
        if self.bound is not None and self.dimension == "per_decision":
            found["window_days"] = self.bound.window_days
        if self.refills_at is not None:
            found["refills_at"] = self.refills_at.isoformat()
        return found


def matches(bound: DelegationBound, offering: Offering) -> bool:
    """Whether the bound is about the offering."""
    return is_about(bound, offering.resource_id, offering.zone_id)


def is_about(bound: DelegationBound, resource_id: int, zone_id: int) -> bool:
    """`matches`, for who knows the offering by its columns only."""
    return bound.resource_id in (None, resource_id) and bound.zone_id in (None, zone_id)


def rooms(
    link: Delegation, bounds: Iterable[DelegationBound], offering: Offering, used: Used | None
) -> list[Most]:
    """What each bound of a link leaves for one more decision on the offering.

    used: None for the bounds as written. A link none of whose rows match leaves nothing.
    """
    return rooms_of([row for row in bounds if matches(row, offering)], link, offering, used)


def rooms_of(
    rows: Sequence[DelegationBound], link: Delegation, offering: Offering, used: Used | None
) -> list[Most]:
    """`rooms`, by the bounds of the link that match."""
    if not rows:
        return [Most(0, "bounds", None, link)]
    found = []
    for row in rows:
        if row.per_decision is not None:
            consumed = used.in_window(row, offering) if used else 0
            left = max(row.per_decision - consumed, 0)
            found.append(Most(left, "per_decision", row, link, consumed))
        if row.total is not None:
            consumed = used.of_total(row) if used else 0
            refills = refills_at(link, row, used.now) if used else None
            found.append(
                Most(max(row.total - consumed, 0), "total", row, link, consumed, refills)
            )  # fmt: skip
    return found


def left_of(rows: Sequence[DelegationBound], offering: Offering, used: Used | None) -> int | None:
    """The least that `rooms_of` finds, without saying by what; None: any amount."""
    if not rows:
        return 0
    least = None
    for row in rows:
        if row.per_decision is not None:
            left = row.per_decision - (used.in_window(row, offering) if used else 0)
            least = left if least is None or left < least else least
        if row.total is not None:
            left = row.total - (used.of_total(row) if used else 0)
            least = left if least is None or left < least else least
    return None if least is None else max(least, 0)


def fits(bound: DelegationBound, offering: Offering, increase: int, used: Used | None) -> bool:
    """Whether a bound that is about the offering leaves so much, as `rooms` would say.

    increase: above zero.
    """
    if bound.per_decision is not None:
        consumed = used.in_window(bound, offering) if used else 0
        if increase > bound.per_decision - consumed:
            return False
    if bound.total is None:
        return True
    return increase <= bound.total - (used.of_total(bound) if used else 0)


def tightest(found: Iterable[Most]) -> Most:
    """The one that leaves least; of equal ones that nearest to the root."""
    bounded = [each for each in found if each.amount is not None]
    return min(bounded, key=lambda each: each.amount or 0, default=Most(None))


def period_of(link: Delegation, bound: DelegationBound, now: datetime) -> int:
    """Which period of a total `now` lies in: whole periods since the delegation began."""
    if bound.period_days is None:
        return 0
    return max((now - link.starts_at) // timedelta(days=bound.period_days), 0)


def refills_at(link: Delegation, bound: DelegationBound, now: datetime) -> datetime | None:
    """When the total's next period begins; None: it never refills."""
    if bound.period_days is None:
        return None
    periods = period_of(link, bound, now) + 1
    return link.starts_at + periods * timedelta(days=bound.period_days)
