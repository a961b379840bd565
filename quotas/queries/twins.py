"""Is the same handed on already? A form that is sent twice must not give twice as much."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import Q

from projects.models import Delegation
from quotas.models import DelegationBound

# What two people call "from now", or one who sends a form twice, lies within this.
AT_ONCE = timedelta(minutes=1)

# (resource id, zone id, per decision, window, total, period) of one bound.
Row = tuple[int | None, int | None, int | None, int, int | None, int | None]


def twin_of(wanted: Delegation, bounds: Collection[Row], now: datetime) -> Delegation | None:
    """One in force or to come, from the same parent, with the same holder and terms; or None.

    wanted: stored or not. What has begun, or begins at once, begins together. What it is for
    makes no difference, but for a deputy in whose stead. Two queries, one where nobody holds
    anything like it.
    """
    in_whose_stead = {"grantor": wanted.grantor_id} if wanted.is_deputy else {}
    rows = Delegation.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=now), revoked_at__isnull=True,
        parent=wanted.parent_id, user=wanted.user_id, group=wanted.group_id, unit=wanted.unit_id,
        powers=wanted.powers, depth=wanted.depth, is_deputy=wanted.is_deputy,
        **in_whose_stead,
    ).exclude(pk=wanted.pk)  # fmt: skip
    alike = [
        each
        for each in rows.order_by("pk")
        if each.ends_at == wanted.ends_at and _begin_together(each, wanted, now)
    ]
    held = _rows_of(alike)
    return next((each for each in alike if held[each.pk] == Counter(bounds)), None)


def _begin_together(one: Delegation, other: Delegation, now: datetime) -> bool:
    at_once = now + AT_ONCE
    return one.starts_at == other.starts_at or max(one.starts_at, other.starts_at) <= at_once


def _rows_of(delegations: Collection[Delegation]) -> dict[int, Counter[Row]]:
    found: dict[int, Counter[Row]] = {each.pk: Counter() for each in delegations}
    rows = DelegationBound.objects.filter(delegation__in=found) if found else ()
    for each in rows:
        found[each.delegation_id][row_of(each)] += 1
    return found


def row_of(bound: DelegationBound) -> Row:
    return (
        bound.resource_id, bound.zone_id, bound.per_decision, bound.window_days, bound.total,
        bound.period_days,
    )  # fmt: skip
