"""Deputies left behind: whom they stand in for does not hold what they stand in by any more."""

from collections.abc import Collection
from datetime import datetime

from projects.models import Delegation

from .viewers import stands_in_for_nobody


def left_behind(delegations: Collection[Delegation], now: datetime) -> set[int]:
    """Ids of those of these that are deputies of nobody; one query, none without a deputy."""
    deputies = [each.pk for each in delegations if each.is_deputy]
    if not deputies:
        return set()
    rows = Delegation.objects.filter(stands_in_for_nobody(now), pk__in=deputies)
    return set(rows.values_list("pk", flat=True))
