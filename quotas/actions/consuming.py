"""What funding consumes of the totals of a chain: rows locked, judged by, and added to.

Deciding is counted apart (`power`), so that these rows are never those of a decision.
"""

from collections.abc import Collection
from datetime import datetime

from django.db.models import F

from portal.lib.locks import lock_ids
from projects.states import Power
from quotas.models import BoundUse, DelegationBound, Offering
from quotas.queries.authority import Mandate
from quotas.queries.bounds import matches, period_of


def hold_uses(
    mandates: Collection[Mandate], offerings: Collection[Offering], power: Power, now: datetime
) -> None:
    """Lock what is consumed of every total that one of these mandates could be judged by.

    The caller holds the delegations; what it reads from here on stays as it is.
    """
    found = {
        key: row
        for mandate in mandates
        for offering in offerings
        for key, row in _totals(mandate, offering, now).items()
    }
    if not found:
        return
    BoundUse.objects.bulk_create(
        [
            BoundUse(bound=row, power=power, period=period, most=row.total or 0)
            for (_bound, period), row in sorted(found.items())
        ],
        ignore_conflicts=True,
    )
    lock_ids(
        BoundUse.objects.filter(
            bound__in=[bound for bound, _period in found],
            period__in={period for _bound, period in found},
            power=power,
        )
    )


def consume(mandate: Mandate, offering: Offering, amount: int, power: Power, now: datetime) -> None:
    """Add an increase to every total of the chain that is about the offering."""
    if amount <= 0:
        return
    for bound, period in _totals(mandate, offering, now):
        BoundUse.objects.filter(bound=bound, period=period, power=power).update(
            used=F("used") + amount
        )


def _totals(
    mandate: Mandate, offering: Offering, now: datetime
) -> dict[tuple[int, int], DelegationBound]:
    """{(bound id, period): the bound} of the totals that an increase would be counted in."""
    return {
        (row.pk, period_of(link, row, now)): row
        for link in mandate.chain
        for row in mandate.bounds[link.pk]
        if row.total is not None and matches(row, offering)
    }
