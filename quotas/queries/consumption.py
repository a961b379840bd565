"""How much of the bounds of mandates is consumed: windows from decisions, totals from their rows.

Two queries for any number of mandates, projects and offerings; none for what no bound needs.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Case, F, When

from projects.models import Delegation, Project, Unit
from projects.states import Power
from quotas.models import (
    BoundUse,
    DecisionLine,
    DelegationBound,
    EnvelopeAct,
    EnvelopeActKind,
    Offering,
)

from .authority import Mandate
from .bounds import Used, is_about, period_of

Links = Mapping[int, tuple[Delegation, tuple[DelegationBound, ...]]]


class Act(NamedTuple):
    """What one decision or funding added (or gave back, below zero), and through whom."""

    delegation_id: int
    above: list[int]
    holder_id: int
    offering_id: int
    resource_id: int
    zone_id: int
    net: int
    at: datetime


def used_by(
    mandates: Collection[Mandate],
    holder: Project | Unit,
    offerings: Collection[Offering],
    now: datetime,
    power: Power = Power.DECIDE_QUOTA,
) -> Used:
    """What is consumed of these mandates' bounds, as far as `holder` and `offerings` need it.

    holder: the project that is decided for, or the unit whose envelope is funded (then power
    is `manage envelopes`).
    """
    wanted = [(holder.pk, offering.pk) for offering in offerings]
    return used_by_many(mandates, wanted, now, power)[holder.pk]


def used_by_many(
    mandates: Collection[Mandate],
    wanted: Collection[tuple[int, int]],
    now: datetime,
    power: Power = Power.DECIDE_QUOTA,
) -> dict[int, Used]:
    """`used_by` for many holders at once: {holder id: Used}; two queries all together.

    wanted: (holder id, offering id); a holder that is not named has nothing in the answer but
    the totals, which are the same for all.
    """
    links = links_of(mandates)
    totals = _totals(links, now, power)
    windows = _windows(links, wanted, now, power)
    found: dict[int, Used] = defaultdict(lambda: Used(now, {}, totals))
    for holder_id in {holder_id for holder_id, _offering in wanted}:
        found[holder_id] = Used(now, windows.get(holder_id, {}), totals)
    return found


def windows_of(
    mandates: Collection[Mandate],
    holder: Project | Unit,
    offerings: Collection[Offering],
    now: datetime,
    power: Power = Power.DECIDE_QUOTA,
) -> dict[tuple[int, int], int]:
    """`Used.windows` alone, for who holds the totals' rows and so knows them; one query."""
    wanted = [(holder.pk, offering.pk) for offering in offerings]
    return _windows(links_of(mandates), wanted, now, power).get(holder.pk, {})


def links_of(mandates: Iterable[Mandate]) -> Links:
    """{delegation id: (the delegation, its bounds)} of every link of the mandates."""
    return {
        link.pk: (link, mandate.bounds[link.pk]) for mandate in mandates for link in mandate.chain
    }


def _totals(links: Links, now: datetime, power: Power) -> dict[int, int]:
    """{bound id: consumed of its total in the period of now}."""
    periods = {
        row.pk: period_of(link, row, now)
        for link, rows in links.values()
        for row in rows
        if row.total is not None
    }
    if not periods:
        return {}
    uses = BoundUse.objects.filter(bound__in=periods, period__in=set(periods.values()), power=power)
    return {
        bound_id: used
        for bound_id, period, used in uses.values_list("bound", "period", "used")
        if periods[bound_id] == period
    }


def _windows(
    links: Links, wanted: Collection[tuple[int, int]], now: datetime, power: Power
) -> dict[int, dict[tuple[int, int], int]]:
    """{holder id: {(bound id, offering id): net increase in the bound's window}}."""
    days = [
        row.window_days
        for _link, rows in links.values()
        for row in rows
        if row.per_decision is not None
    ]
    if not days or not wanted:
        return {}
    # Not only up to `now`: who waited for a lock may have an earlier moment than who had it.
    since = now - timedelta(days=max(days))
    acts = _funded(wanted, since) if power == Power.MANAGE_ENVELOPES else _decided(wanted, since)
    found: dict[int, dict[tuple[int, int], int]] = defaultdict(lambda: defaultdict(int))
    asked = set(wanted)
    for act in acts:
        if (act.holder_id, act.offering_id) not in asked:
            continue
        for link_id in links.keys() & {act.delegation_id, *act.above}:
            for row in links[link_id][1]:
                if (
                    row.per_decision is not None
                    and is_about(row, act.resource_id, act.zone_id)
                    and act.at > now - timedelta(days=row.window_days)
                ):
                    found[act.holder_id][row.pk, act.offering_id] += act.net
    return {
        holder_id: {key: max(net, 0) for key, net in nets.items()}
        for holder_id, nets in found.items()
    }


def _decided(wanted: Collection[tuple[int, int]], since: datetime) -> Iterable[Act]:
    rows = DecisionLine.objects.filter(
        line__project__in={holder_id for holder_id, _offering in wanted},
        line__offering__in={offering_id for _holder, offering_id in wanted},
        granted__isnull=False,
        decision__at__gt=since,
    )
    values = rows.annotate(net=F("granted") - F("before")).values_list(
        "delegation", "delegation__ancestors", "line__project", "line__offering",
        "line__offering__resource", "line__offering__zone", "net", "decision__at",
    )  # fmt: skip
    return (Act(*each) for each in values)


def _funded(wanted: Collection[tuple[int, int]], since: datetime) -> Iterable[Act]:
    rows = EnvelopeAct.objects.filter(
        kind__in=[EnvelopeActKind.FUND, EnvelopeActKind.TAKE_BACK],
        unit__in={holder_id for holder_id, _offering in wanted},
        offering__in={offering_id for _holder, offering_id in wanted},
        delegation__isnull=False,
        at__gt=since,
    )
    net = Case(When(kind=EnvelopeActKind.FUND, then=F("amount")), default=-F("amount"))
    values = rows.annotate(net=net).values_list(
        "delegation", "delegation__ancestors", "unit", "offering",
        "offering__resource", "offering__zone", "net", "at",
    )  # fmt: skip
    return (Act(*each) for each in values)
