"""The figures that rules judge lines on, for all lines of a request in one query.

Only what some rule asks for is looked up.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import F, Max, QuerySet
from django.utils import timezone

from portal.lib.together import Part, Rows, Values, together
from projects.models import Project
from quotas.models import (
    Account,
    Contribution,
    DecisionLine,
    Offering,
    PolicyVersion,
    Reading,
    UsagePeak,
)

from .accounts import Fill, fills_from, fills_part, nearest_sources, zone_fills_from, zone_parts
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
    """{offering id: the facts of a wish for so much}; one query.

    project: with its unit; wanted: absolute limits in base units.
    """
    ids = [offering.pk for offering in wanted]
    quotas, envelopes, totals, capacities, feeders, readings, peaks, last = together(
        Values(Account.objects.filter(project=project), ["offering", "balance"]),
        _if_any(versions, "envelope_left_percent", _envelopes_part(ids, project.unit.path)),
        *(
            _if_any(versions, "zone_left_percent", part)
            for part in zone_parts(ids, timezone.localdate(now))
        ),
        *(
            _if_any(versions, "usage_above_percent", part)
            for part in (feeding_part(ids), *_use_parts(project, ids, now))
        ),
        _if_any(versions, "every_days", _last_grants_part(project, ids)),
    )
    held = dict(quotas)
    fills = {offering_id: fill for _account, offering_id, fill in fills_from(envelopes)}
    zones = zone_fills_from(ids, totals, capacities)
    uses = _uses(closest(feeders, ids), held, dict(readings), dict(peaks))
    last_at = {offering_id: datetime.fromisoformat(at) for offering_id, at in last}
    found = {}
    for offering, amount in wanted.items():
        used, used_of = uses.get(offering.pk, (None, None))
        found[offering.pk] = Facts(
            offering=offering,
            project_kind=project.kind,
            balance=held.get(offering.pk, 0),
            wanted=amount,
            now=now,
            envelope=fills.get(offering.pk),
            zone=zones.get(offering.pk),
            used=used,
            used_of=used_of,
            last_at=last_at.get(offering.pk),
        )
    return found


def _if_any(versions: Collection[PolicyVersion], condition: str, part: Part) -> Part:
    """The part, or one that finds nothing, where no rule looks at that."""
    if any(getattr(each, condition) is not None for each in versions):
        return part
    return Values(Account.objects.none(), ["pk"])


def envelopes_of(offering_ids: Collection[int], unit_path: str) -> dict[int, Fill]:
    """{offering id: how full the nearest source is}; one query."""
    rows = together(_envelopes_part(offering_ids, unit_path))[0]
    return {offering_id: fill for _account, offering_id, fill in fills_from(rows)}


def _envelopes_part(offering_ids: Collection[int], unit_path: str) -> Part:
    return fills_part(nearest_sources(offering_ids, unit_path))


def feeding(offering_ids: Collection[int]) -> dict[int, list[Contribution]]:
    """{offering id: all that feeds the limit closest to it}; one query.

    The closest is fed by the fewest: a volume type's own limit before the project's total.
    """
    return closest(together(feeding_part(offering_ids))[0], offering_ids)


def feeding_part(offering_ids: Collection[int]) -> Rows:
    """What asks for all that feeds what these offerings feed; see `closest`."""
    rows = Contribution.objects.filter(limit__in=_limits_of(offering_ids))
    return Rows(rows.order_by("limit__order", "limit", "pk"))


def closest(
    feeders: Iterable[Contribution], offering_ids: Collection[int]
) -> dict[int, list[Contribution]]:
    """`feeding` from the answer to `feeding_part`."""
    by_limit: dict[int, list[Contribution]] = defaultdict(list)
    for row in feeders:
        by_limit[row.limit_id].append(row)
    found: dict[int, list[Contribution]] = {}
    for rows in sorted(by_limit.values(), key=len):
        for row in rows:
            if row.offering_id in offering_ids:
                found.setdefault(row.offering_id, rows)
    return found


def _limits_of(offering_ids: Collection[int]) -> QuerySet[Contribution, int]:
    return Contribution.objects.filter(offering__in=offering_ids).values_list("limit", flat=True)


def _use_parts(
    project: Project, offering_ids: Collection[int], now: datetime
) -> tuple[Values, Values]:
    """What asks for (limit id, use): the newest that is fresh, and the highest of late."""
    fresh = Reading.objects.filter(
        target__project=project, limit__in=_limits_of(offering_ids), used__isnull=False,
        read_at__gt=now - STALE, limit__endpoint__gaps_since__isnull=True,
    )  # fmt: skip
    since = timezone.localdate(now) - timedelta(days=PEAK_DAYS)
    lately = UsagePeak.objects.filter(
        target__project=project, limit__in=_limits_of(offering_ids), day__gte=since
    )
    peaks = lately.order_by().values("limit").annotate(peak=Max("used"))
    return Values(fresh, ["limit", "used"]), Values(peaks, ["limit", "peak"])


def _uses(
    feeders_of: Mapping[int, Sequence[Contribution]],
    held: Mapping[int, int],
    readings: Mapping[int, int],
    peaks: Mapping[int, int],
) -> dict[int, tuple[int, int]]:
    """{offering id: (the highest use, the quota behind it)} where use is known."""
    found = {}
    for offering_id, feeders in feeders_of.items():
        limit_id = feeders[0].limit_id
        used = readings.get(limit_id)
        if used is not None:
            quota = sum(held.get(row.offering_id, 0) * row.factor for row in feeders)
            found[offering_id] = (max(used, peaks.get(limit_id, 0)), quota)
    return found


def _last_grants_part(project: Project, offering_ids: Collection[int]) -> Values:
    """What asks for (offering id, when a rule, whichever, last gave the project more of it)."""
    rows = DecisionLine.objects.filter(
        line__project=project, line__offering__in=offering_ids,
        decision__policy_version__isnull=False, granted__gt=F("before"),
    )  # fmt: skip
    last = rows.order_by().values("line__offering").annotate(at=Max("decision__at"))
    return Values(last, ["line__offering", "at"])
