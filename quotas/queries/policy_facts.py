"""The figures that rules judge lines on, for all lines of a request in a few queries.

Only what some rule asks for is looked up.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from django.db.models import F, Max
from django.utils import timezone

from projects.models import Project
from quotas.models import Contribution, DecisionLine, Offering, PolicyVersion, Reading, UsagePeak

from .accounts import Fill, balances, envelope_fills, sources, zone_fills
from .conditions import Facts

# Use counts at its highest in so many days, as warning W12 has it.
PEAK_DAYS = 30
# What a service said longer ago says nothing about now.
STALE = timedelta(days=1)


def facts_of(
    project: Project,
    wanted: Mapping[Offering, int],
    versions: Collection[PolicyVersion],
    now: datetime,
) -> dict[int, Facts]:
    """{offering id: the facts of a wish for so much}; at most nine queries.

    project: with its unit; wanted: absolute limits in base units.
    """
    ids = [offering.pk for offering in wanted]
    held = balances(project)
    envelopes: Mapping[int, Fill | None] = {}
    zones: Mapping[int, Fill | None] = {}
    uses: Mapping[int, tuple[int, int]] = {}
    last: Mapping[int, datetime] = {}
    if any(each.envelope_left_percent is not None for each in versions):
        envelopes = envelopes_of(ids, project.unit.path)
    if any(each.zone_left_percent is not None for each in versions):
        zones = zone_fills(ids, timezone.localdate(now))
    if any(each.usage_above_percent is not None for each in versions):
        uses = _uses(project, ids, held, now)
    if any(each.every_days is not None for each in versions):
        last = _last_grants(project, ids)
    found = {}
    for offering, amount in wanted.items():
        used, used_of = uses.get(offering.pk, (None, None))
        found[offering.pk] = Facts(
            offering=offering,
            project_kind=project.kind,
            balance=held.get(offering.pk, 0),
            wanted=amount,
            now=now,
            envelope=envelopes.get(offering.pk),
            zone=zones.get(offering.pk),
            used=used,
            used_of=used_of,
            last_at=last.get(offering.pk),
        )
    return found


def envelopes_of(offering_ids: Collection[int], unit_path: str) -> dict[int, Fill | None]:
    """{offering id: how full the nearest source is}; two queries."""
    nearest = {pk: accounts[0] for pk, accounts in sources(offering_ids, unit_path).items()}
    fills = envelope_fills(list(nearest.values()))
    return {pk: fills.get(account.pk) for pk, account in nearest.items()}


def feeding(offering_ids: Collection[int]) -> dict[int, list[Contribution]]:
    """{offering id: all that feeds the limit closest to it}; one query.

    The closest is fed by the fewest: a volume type's own limit before the project's total.
    """
    rows: dict[int, list[Contribution]] = defaultdict(list)
    touched = Contribution.objects.filter(offering__in=offering_ids).values("limit")
    found = Contribution.objects.filter(limit__in=touched).order_by("limit__order", "limit", "pk")
    for row in found:
        rows[row.limit_id].append(row)
    closest: dict[int, list[Contribution]] = {}
    for feeders in sorted(rows.values(), key=len):
        for row in feeders:
            if row.offering_id in offering_ids:
                closest.setdefault(row.offering_id, feeders)
    return closest


def _uses(
    project: Project, offering_ids: Collection[int], held: Mapping[int, int], now: datetime
) -> dict[int, tuple[int, int]]:
    """{offering id: (the highest use, the quota behind it)} where use is known; three queries."""
    closest = feeding(offering_ids)
    limits = {feeders[0].limit_id for feeders in closest.values()}
    fresh = Reading.objects.filter(
        target__project=project, limit__in=limits, used__isnull=False, read_at__gt=now - STALE
    )
    readings = dict(fresh.values_list("limit", "used"))
    since = timezone.localdate(now) - timedelta(days=PEAK_DAYS)
    peaks = dict(
        UsagePeak.objects.filter(target__project=project, limit__in=limits, day__gte=since)
        .values_list("limit")
        .annotate(peak=Max("used"))
    )
    found = {}
    for offering_id, feeders in closest.items():
        limit_id = feeders[0].limit_id
        used = readings.get(limit_id)
        if used is not None:
            quota = sum(held.get(row.offering_id, 0) * row.factor for row in feeders)
            found[offering_id] = (max(used, peaks.get(limit_id, 0)), quota)
    return found


def _last_grants(project: Project, offering_ids: Collection[int]) -> dict[int, datetime]:
    """{offering id: when a rule, whichever, last gave the project more of it}."""
    rows = DecisionLine.objects.filter(
        line__project=project, line__offering__in=offering_ids,
        decision__policy_version__isnull=False, granted__gt=F("before"),
    )  # fmt: skip
    return dict(rows.order_by().values_list("line__offering").annotate(at=Max("decision__at")))
