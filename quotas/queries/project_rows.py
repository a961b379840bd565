"""Rows of a project's page that are made of plain figures and the kept catalogue."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from projects.models import Unit
from quotas.models import Limit, Offering

from .figures import Figures, last_day


@dataclass(frozen=True, slots=True)
class LoanRow:
    """Quota given until a moment. last_on: its last day; source: who lent it; empty: the pool."""

    offering: Offering
    outstanding: int
    ends_at: datetime
    last_on: date
    source: str


@dataclass(frozen=True, slots=True)
class UnusedRow:
    """Quota that is not used, as it was last found: see `UnusedQuota`."""

    offering: Offering
    amount: int
    balance: int
    limit: Limit
    peak: int
    promised: int
    peak_on: date


def loan_rows(figures: Figures) -> list[LoanRow]:
    """The first end first."""
    offerings = figures.catalogue.offerings
    return [
        LoanRow(
            offerings[each.offering_id], each.outstanding, each.ends_at, last_day(each.ends_at),
            Unit(path=each.unit_path).label if each.unit_path else "",
        )
        for each in figures.lent
    ]  # fmt: skip


def unused_from(
    rows: Iterable[tuple[int, int, int, int, int, int, str]], figures: Figures
) -> list[UnusedRow]:
    """The largest part of a quota first.

    rows: offering, amount, balance, limit, peak, promised and the day of the peak.
    """
    offerings, limits = figures.catalogue.offerings, figures.limits
    found = [
        UnusedRow(
            offerings[offering], amount, balance, limits[limit], peak, promised,
            date.fromisoformat(peak_on),
        )
        for offering, amount, balance, limit, peak, promised, peak_on in rows
    ]  # fmt: skip
    return sorted(found, key=lambda each: -each.amount / each.balance)
