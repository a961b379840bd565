"""What is consumed of the totals of delegations, in their periods of now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from projects.models import Delegation
from projects.states import GIVING, Power
from quotas.models import BoundUse, DelegationBound
from quotas.queries.bounds import period_of, refills_at


@dataclass(frozen=True)
class Total:
    """How much of one total is consumed in its period of now, base units."""

    bound: DelegationBound
    power: str
    used: int
    refills_at: datetime | None

    @property
    def is_funding(self) -> bool:
        return self.power == Power.MANAGE_ENVELOPES

    @property
    def most(self) -> int:
        return self.bound.total or 0

    @property
    def left(self) -> int:
        return self.most - self.used

    @property
    def unit(self) -> str:
        return self.bound.resource.unit if self.bound.resource else ""


def worth_showing(totals: Sequence[Total]) -> list[Total]:
    """One for each bound, and what else is used: funding is counted apart, mostly not at all."""
    seen: set[int] = set()
    found = []
    for each in totals:
        if each.used or each.bound.pk not in seen:
            found.append(each)
        seen.add(each.bound.pk)
    return found


def totals_of(
    delegations: Sequence[Delegation], powers: Sequence[str] | None, now: datetime
) -> dict[int, list[Total]]:
    """{delegation id: its totals}; of every power that gives, or of these alone. Two queries."""
    by_pk = {each.pk: each for each in delegations}
    rows = list(
        DelegationBound.objects.filter(delegation__in=by_pk, total__isnull=False)
        .select_related("resource", "zone__region").order_by("pk")
    )  # fmt: skip
    return totals_of_rows(rows, by_pk, powers, now)


def totals_of_rows(
    rows: Sequence[DelegationBound],
    delegations: dict[int, Delegation],
    powers: Sequence[str] | None,
    now: datetime,
) -> dict[int, list[Total]]:
    """`totals_of` where the rows are there already; one query."""
    bounded = [row for row in rows if row.total is not None]
    used: dict[tuple[int, str, int], int] = {}
    uses = BoundUse.objects.filter(bound__in=[row.pk for row in bounded])
    for bound, power, period, amount in uses.values_list("bound", "power", "period", "used"):
        used[bound, power, period] = amount
    found: dict[int, list[Total]] = {}
    for row in bounded:
        link = delegations[row.delegation_id]
        period = period_of(link, row, now)
        asked = link.powers if powers is None else powers
        for power in (each for each in GIVING if each in asked and each in link.powers):
            consumed = used.get((row.pk, power, period), 0)
            refills = refills_at(link, row, now)
            if refills and link.ends_at and refills >= link.ends_at:
                refills = None  # it ends before
            found.setdefault(link.pk, []).append(Total(row, power, consumed, refills))
    return found
