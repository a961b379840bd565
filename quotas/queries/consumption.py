"""How much of the bounds of mandates is consumed: windows from decisions, totals from their rows.

One query for any number of mandates, projects and offerings; none where no bound needs it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Case, F, Q, When

from portal.lib.compiled import compiled
from portal.lib.lookups import IsAnyOf, is_among
from portal.lib.together import Part, Values
from projects.models import Delegation, Project, Unit
from projects.states import Power
from quotas.models import (
    Account,
    BoundUse,
    DecisionLine,
    DelegationBound,
    EnvelopeAct,
    EnvelopeActKind,
    Offering,
    Transfer,
)

from .authority import Mandate
from .bounds import Used, is_about, period_of

Links = Mapping[int, tuple[Delegation, tuple[DelegationBound, ...]]]
# Rows as the database answers: the fields of Act, the moment as a text; and (bound id, period,
# consumed).
Acts = Iterable[Sequence[Any]]
Uses = Iterable[Sequence[int]]


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
    """`used_by` for many holders at once: {holder id: Used}; one query all together.

    wanted: (holder id, offering id); a holder that is not named has nothing in the answer but
    the totals, which are the same for all.
    """
    links = links_of(mandates)
    keys = window_keys(links, wanted, now) | periods_of(links, now)
    if not keys["holders"] and not keys["bounds"]:
        return used_from(links, wanted, now, [], [])
    acts, uses = _used(power, **keys)
    return used_from(links, wanted, now, acts, uses)


@compiled
def _used(
    power: Power, /, *, holders: Any, offerings: Any, since: Any, bounds: Any, periods: Any
) -> list[Part]:
    return [acts_part(power, holders, offerings, since), uses_part(power, bounds, periods)]


def used_from(
    links: Links, wanted: Collection[tuple[int, int]], now: datetime, acts: Acts, uses: Uses
) -> dict[int, Used]:
    """`used_by_many` from the answers to `acts_part` and `uses_part`."""
    totals = _totals(links, now, uses)
    windows = windows_from(links, wanted, now, acts)
    found: dict[int, Used] = defaultdict(lambda: Used(now, {}, totals))
    for holder_id in {holder_id for holder_id, _offering in wanted}:
        found[holder_id] = Used(now, windows.get(holder_id, {}), totals)
    return found


def links_of(mandates: Iterable[Mandate]) -> Links:
    """{delegation id: (the delegation, its bounds)} of every link of the mandates."""
    return {
        link_id: (link, mandate.bounds[link_id])
        for mandate in mandates
        for link_id, link in mandate.links
    }


def periods_of(links: Links, now: datetime) -> dict[str, Any]:
    """The arrays that `uses_part` asks by."""
    periods = _periods(links, now)
    return {"bounds": sorted(periods), "periods": sorted(set(periods.values()))}


def uses_part(power: Power, bounds: Any, periods: Any) -> Values:
    """What asks for the uses of totals in their periods of now."""
    uses = BoundUse.objects.filter(
        IsAnyOf(F("bound"), bounds), IsAnyOf(F("period"), periods), power=power
    )
    return Values(uses, ["bound", "period", "used"])


def _periods(links: Links, now: datetime) -> dict[int, int]:
    """{bound id: its period of now} of all that have a total."""
    return {
        row.pk: period_of(link, row, now)
        for link, rows in links.values()
        for row in rows
        if row.total is not None
    }


def _totals(links: Links, now: datetime, uses: Uses) -> dict[int, int]:
    """{bound id: consumed of its total in the period of now}."""
    periods = _periods(links, now)
    return {bound_id: used for bound_id, period, used in uses if periods[bound_id] == period}


def window_keys(links: Links, wanted: Collection[tuple[int, int]], now: datetime) -> dict[str, Any]:
    """What `acts_part` asks by: arrays that are empty where no bound has a window.

    Not only up to `now`: who waited for a lock may have an earlier moment than who had it.
    """
    days = [
        row.window_days
        for _link, rows in links.values()
        for row in rows
        if row.per_decision is not None
    ]
    asked = wanted if days else ()
    return {
        "holders": sorted({holder_id for holder_id, _offering in asked}),
        "offerings": sorted({offering_id for _holder, offering_id in asked}),
        "since": now - timedelta(days=max(days, default=0)),
    }


def acts_part(power: Power, holders: Any, offerings: Any, since: Any) -> Values:
    """What asks for all acts that the longest window looks at. holders, offerings: arrays."""
    is_funded = power == Power.MANAGE_ENVELOPES
    return (_funded if is_funded else _decided)(holders, offerings, since)


def windows_from(
    links: Links, wanted: Collection[tuple[int, int]], now: datetime, acts: Acts
) -> dict[int, dict[tuple[int, int], int]]:
    """{holder id: {(bound id, offering id): net increase in the bound's window}}."""
    found: dict[int, dict[tuple[int, int], int]] = defaultdict(lambda: defaultdict(int))
    asked, counted_by = set(wanted), _counted_by(links)
    for *values, at in acts:
        act = Act._make([*values, datetime.fromisoformat(at)])
        if (act.holder_id, act.offering_id) not in asked:
            continue
        used = [act.delegation_id, *act.above]
        for link_id in {each for pk in used for each in counted_by.get(pk, ())}:
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


def _counted_by(links: Links) -> dict[int, list[int]]:
    """{delegation id: the links in whose windows its acts count}: itself, and what replaces it."""
    found: dict[int, list[int]] = defaultdict(list)
    for link, _rows in links.values():
        for pk in link.line_ids:
            found[pk].append(link.pk)
    return found


def _decided(holders: Any, offerings: Any, since: Any) -> Values:
    """Found by what was moved since: of the requests of a project most were decided long ago, and
    a decision that moved nothing adds nothing."""
    accounts = Account.objects.filter(
        IsAnyOf(F("project"), holders), IsAnyOf(F("offering"), offerings)
    ).values("pk")
    moved = Transfer.objects.filter(at__gt=since, decision_line__isnull=False)
    given = moved.filter(is_among("credit", accounts)).values("decision_line")
    returned = moved.filter(is_among("debit", accounts)).values("decision_line")
    rows = DecisionLine.objects.filter(
        Q(is_among("pk", given)) | Q(is_among("pk", returned)),
        granted__isnull=False,
        decision__at__gt=since,
    )
    return Values(
        rows.annotate(net=F("granted") - F("before")),
        ["delegation", "delegation__ancestors", "line__project", "line__offering",
         "line__offering__resource", "line__offering__zone", "net", "decision__at"],
    )  # fmt: skip


def _funded(holders: Any, offerings: Any, since: Any) -> Values:
    rows = EnvelopeAct.objects.filter(
        IsAnyOf(F("unit"), holders),
        IsAnyOf(F("offering"), offerings),
        kind__in=[EnvelopeActKind.FUND, EnvelopeActKind.TAKE_BACK],
        delegation__isnull=False,
        at__gt=since,
    )
    net = Case(When(kind=EnvelopeActKind.FUND, then=F("amount")), default=-F("amount"))
    return Values(
        rows.annotate(net=net),
        ["delegation", "delegation__ancestors", "unit", "offering",
         "offering__resource", "offering__zone", "net", "at"],
    )  # fmt: skip
