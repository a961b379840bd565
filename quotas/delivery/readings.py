"""Keeping what a service said: the last reading of each limit, and the day's peak."""

import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache

from django.conf import settings
from django.db import connection
from django.utils import timezone

from quotas.backends.base import UNLIMITED, Figure
from quotas.models import Crossing, Limit, Reading, Target, UnitUsage, UsagePeak

from .permits import AT_ONCE
from .statements import fetch_all

# Beyond what a bigint column holds: said by nobody in earnest, but it must not break us.
_LARGEST = 2**63 - 1


def store(
    target: Target,
    limits: Iterable[Limit],
    figures: Mapping[str, Figure],
    *,
    began: float,
    written: Mapping[str, int] | None = None,
) -> None:
    """Store what was read of these limits, {key: Figure} in the service's units, as base units.

    began: when the reading did, by time.monotonic(). The database's clock dates it, as those
    of workers may differ: an older reading never replaces a newer one. written: {key: units}
    just written.
    """
    # Always in the same order: two who store at once must not wait for each other.
    seen = sorted(
        ((each, figures[each.key]) for each in limits if each.key in figures),
        key=lambda pair: pair[0].pk,
    )
    units = written or {}
    fetch_all(
        _store_statement(),
        {
            "target": target.pk,
            "ago": time.monotonic() - began,
            "zone": timezone.get_current_timezone_name(),
            "limits": [limit.pk for limit, _figure in seen],
            "written": [in_base_units(units.get(limit.key), limit) for limit, _ in seen],
            "seen": [in_base_units(figure.limit, limit) for limit, figure in seen],
            "used": [in_base_units(figure.used, limit) for limit, figure in seen],
            "reserved": [in_base_units(figure.reserved, limit) for limit, figure in seen],
        },
    )


@cache
def _store_statement() -> str:
    """For the order of locks the target comes first, then what was read of it, which is written
    for rows of it; of a day's peak, as high again, it takes the limit of now. The day is the
    site's. It waits for no disk: what a crash of the database takes back is read again, and what is
    called applied afterwards is only once this is on disk, too, as that comes behind it."""
    quote = connection.ops.quote_name
    target, reading, peak = (quote(model._meta.db_table) for model in (Target, Reading, UsagePeak))
    return f"""
        WITH own AS (
            UPDATE {target} SET observed_at = statement_timestamp() WHERE id = %(target)s
            RETURNING id, statement_timestamp() - make_interval(secs => %(ago)s) AS read_at,
                {AT_ONCE}
        ), told AS (
            SELECT own.id AS target_id, own.read_at, told.*
            FROM own, unnest(
                %(limits)s::bigint[], %(written)s::bigint[], %(seen)s::bigint[],
                %(used)s::bigint[], %(reserved)s::bigint[]
            ) WITH ORDINALITY AS told(limit_id, written, limit_seen, used, reserved, place)
            ORDER BY place
        ), peaks AS (
            INSERT INTO {peak} AS known (target_id, limit_id, day, used, limit_seen)
            SELECT target_id, limit_id, (read_at AT TIME ZONE %(zone)s)::date, used, limit_seen
            FROM told WHERE used IS NOT NULL
            ON CONFLICT (target_id, limit_id, day) DO UPDATE
                SET used = EXCLUDED.used, limit_seen = EXCLUDED.limit_seen
                WHERE EXCLUDED.used >= known.used
        )
        INSERT INTO {reading} AS known (
            target_id, limit_id, written, written_at, limit_seen, used, reserved, read_at
        )
        SELECT target_id, limit_id, written, CASE WHEN written IS NOT NULL THEN read_at END,
            limit_seen, used, reserved, read_at
        FROM told
        ON CONFLICT (target_id, limit_id) DO UPDATE
            SET written = COALESCE(EXCLUDED.written, known.written),
                written_at = COALESCE(EXCLUDED.written_at, known.written_at),
                limit_seen = EXCLUDED.limit_seen, used = EXCLUDED.used,
                reserved = EXCLUDED.reserved, read_at = EXCLUDED.read_at
            WHERE known.read_at <= EXCLUDED.read_at
              AND (known.surveyed_at IS NULL OR known.surveyed_at <= EXCLUDED.read_at)
        """  # noqa: S608 - tables' own names


def in_base_units(units: int | None, limit: Limit) -> int | None:
    """The service's units in base units; "unlimited" stays −1, unheard-of sizes are capped."""
    if units is None:
        return None
    if units <= UNLIMITED:
        return Reading.UNLIMITED
    return min(units * limit.step, _LARGEST)


def forget_old_usage(now: datetime, most: int = 5_000) -> int:
    """Forget peaks, what was added up of them, and crossings that ended, after PEAK_DAYS.

    most: so many rows of each. How many went altogether is returned.
    """
    first = timezone.localdate(now) - timedelta(days=settings.PEAK_DAYS)
    count = 0
    for rows in (
        UsagePeak.objects.filter(day__lt=first),
        UnitUsage.objects.filter(day__lt=first),
        Crossing.objects.filter(ended_at__lt=now - timedelta(days=settings.PEAK_DAYS)),
    ):
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[:most])
        count += rows.filter(pk__in=ids).delete()[0]
    return count
