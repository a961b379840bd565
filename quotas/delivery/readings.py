"""Keeping what a service said: the last reading of each limit, and the day's peak."""

import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Value
from django.db.models.functions import Now
from django.utils import timezone

from quotas.backends.base import UNLIMITED, Figure
from quotas.models import Crossing, Limit, Reading, Target, UnitUsage, UsagePeak

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
    seen = [(each, figures[each.key]) for each in limits if each.key in figures]
    # Always in the same order: two who store at once must not wait for each other.
    seen.sort(key=lambda pair: pair[0].pk)
    with transaction.atomic():
        own = Target.objects.filter(pk=target.pk)
        # First, for the order of locks: targets, then what was read of them.
        own.update(observed_at=Now())
        ago = timedelta(seconds=time.monotonic() - began)
        read_at = own.values_list(Now() - Value(ago), flat=True).get()
        _store_last(target, seen, read_at, written or {})
        _store_peaks(target, seen, read_at)


def _store_last(
    target: Target,
    seen: list[tuple[Limit, Figure]],
    read_at: datetime,
    written: Mapping[str, int],
) -> None:
    rows = [
        {
            "target": target.pk,
            "limit": limit.pk,
            "written": in_base_units(written.get(limit.key), limit),
            "written_at": read_at if limit.key in written else None,
            "limit_seen": in_base_units(figure.limit, limit),
            "used": in_base_units(figure.used, limit),
            "reserved": in_base_units(figure.reserved, limit),
            "read_at": read_at,
        }
        for limit, figure in seen
    ]
    table = connection.ops.quote_name(Reading._meta.db_table)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"""
            INSERT INTO {table} AS known (
                target_id, limit_id, written, written_at, limit_seen, used, reserved, read_at
            ) VALUES (
                %(target)s, %(limit)s, %(written)s, %(written_at)s, %(limit_seen)s, %(used)s,
                %(reserved)s, %(read_at)s
            )
            ON CONFLICT (target_id, limit_id) DO UPDATE
                SET written = COALESCE(EXCLUDED.written, known.written),
                    written_at = COALESCE(EXCLUDED.written_at, known.written_at),
                    limit_seen = EXCLUDED.limit_seen, used = EXCLUDED.used,
                    reserved = EXCLUDED.reserved, read_at = EXCLUDED.read_at
                WHERE known.read_at <= EXCLUDED.read_at
                  AND (known.surveyed_at IS NULL OR known.surveyed_at <= EXCLUDED.read_at)
            """,  # noqa: S608 - a table's own name
            rows,
        )


def in_base_units(units: int | None, limit: Limit) -> int | None:
    """The service's units in base units; "unlimited" stays −1, unheard-of sizes are capped."""
    if units is None:
        return None
    if units <= UNLIMITED:
        return Reading.UNLIMITED
    return min(units * limit.step, _LARGEST)


def _store_peaks(target: Target, seen: list[tuple[Limit, Figure]], read_at: datetime) -> None:
    """Raise the day's peak; as high again, it takes the limit of now. The day is the site's."""
    rows = [
        (target.pk, limit.pk, timezone.localdate(read_at), used, in_base_units(figure.limit, limit))
        for limit, figure in seen
        if (used := in_base_units(figure.used, limit)) is not None
    ]
    table = connection.ops.quote_name(UsagePeak._meta.db_table)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"""
            INSERT INTO {table} (target_id, limit_id, day, used, limit_seen)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (target_id, limit_id, day) DO UPDATE
                SET used = EXCLUDED.used, limit_seen = EXCLUDED.limit_seen
                WHERE EXCLUDED.used >= {table}.used
            """,  # noqa: S608 - a table's own name
            rows,
        )


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
