"""Figures of many targets stored at once: one statement each for readings and peaks.

By the same rules as one target's (`readings`): an older reading never replaces a newer one, and
a day's peak only rises.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from portal.lib.locks import lock_ids
from quotas.models import Reading, Target, UsagePeak

from .told import Told, ToldTarget

# What did not change is dated anew no more often: most of what is read is the same each time.
REDATE = timedelta(minutes=10)

# As a whole: whatever was there before.
_WHOLE = """
INSERT INTO {reading} AS known (target_id, limit_id, limit_seen, used, reserved, read_at)
SELECT target_id, limit_id, bound, used, reserved, %(moment)s
FROM unnest(%(targets)s::bigint[], %(limits)s::bigint[], %(bounds)s::bigint[],
            %(used)s::bigint[], %(reserved)s::bigint[])
    AS told(target_id, limit_id, bound, used, reserved)
ON CONFLICT (target_id, limit_id) DO UPDATE
    SET limit_seen = EXCLUDED.limit_seen, used = EXCLUDED.used, reserved = EXCLUDED.reserved,
        read_at = EXCLUDED.read_at
    WHERE known.read_at <= EXCLUDED.read_at
      AND (known.surveyed_at IS NULL OR known.surveyed_at <= EXCLUDED.read_at)
"""
# Only what was told; of a target that was never read whole there is nothing to add to.
_PART = """
UPDATE {reading} AS known
SET limit_seen = COALESCE(told.bound, known.limit_seen),
    used = COALESCE(told.used, known.used),
    reserved = CASE WHEN told.used IS NULL THEN known.reserved ELSE told.reserved END,
    surveyed_at = %(moment)s
FROM unnest(%(targets)s::bigint[], %(limits)s::bigint[], %(bounds)s::bigint[],
            %(used)s::bigint[], %(reserved)s::bigint[])
    AS told(target_id, limit_id, bound, used, reserved)
WHERE known.target_id = told.target_id AND known.limit_id = told.limit_id
  AND known.read_at <= %(moment)s
  AND (known.surveyed_at IS NULL OR known.surveyed_at <= %(moment)s)
"""
# What is as high already is not touched: nearly all of it, nearly always.
_PEAKS = """
INSERT INTO {peak} AS known (target_id, limit_id, day, used, limit_seen)
SELECT told.target_id, told.limit_id, %(day)s, told.used, told.bound
FROM unnest(%(targets)s::bigint[], %(limits)s::bigint[], %(bounds)s::bigint[],
            %(used)s::bigint[]) AS told(target_id, limit_id, bound, used)
LEFT JOIN {peak} AS higher
    ON higher.target_id = told.target_id AND higher.limit_id = told.limit_id
   AND higher.day = %(day)s
   AND (higher.used > told.used
        OR (higher.used = told.used AND higher.limit_seen IS NOT DISTINCT FROM told.bound))
WHERE higher.id IS NULL
ON CONFLICT (target_id, limit_id, day) DO UPDATE
    SET used = EXCLUDED.used, limit_seen = EXCLUDED.limit_seen
    WHERE EXCLUDED.used >= known.used
"""


def store_many(targets: Collection[ToldTarget], moment: datetime) -> int:
    """Store what a survey told of these, in one short transaction; how many figures were written.

    moment: when the survey began, by the database's clock.
    """
    old = moment - REDATE
    to_store = {each: each.to_store(old) for each in targets}
    whole = [(each, one) for each, some in to_store.items() if each.is_whole for one in some]
    parts = [(each, one) for each, some in to_store.items() if not each.is_whole for one in some]
    peaks = [(each, one) for each in targets for one in each.told if one.used is not None]
    with transaction.atomic():
        # First, for the order of locks: targets, then what was read of them.
        _date(targets, moment)
        _run(_WHOLE, sorted(whole, key=_place), moment)
        _run(_PART, sorted(parts, key=_place), moment)
        _run(_PEAKS, sorted(peaks, key=_place), moment, is_peak=True)
    return len(whole) + len(parts)


def _place(row: tuple[ToldTarget, Told]) -> tuple[int, int]:
    return row[0].target_id, row[1].limit.pk


def _date(targets: Collection[ToldTarget], moment: datetime) -> None:
    lock_ids(Target.objects.filter(pk__in=[each.target_id for each in targets]))
    whole = [each.target_id for each in targets if each.is_whole]
    # GREATEST passes over what is null.
    Target.objects.filter(pk__in=whole).update(observed_at=Greatest(F("observed_at"), moment))
    # Not one that somebody asked to have looked at since: null.
    Target.objects.filter(pk__in=whole, looked_at__lt=moment).update(
        looked_at=moment, look_error_code="", look_error_words=""
    )


def _run(
    statement: str,
    rows: Sequence[tuple[ToldTarget, Told]],
    moment: datetime,
    *,
    is_peak: bool = False,
) -> None:
    if not rows:
        return
    quote = connection.ops.quote_name
    tables = {"reading": quote(Reading._meta.db_table), "peak": quote(UsagePeak._meta.db_table)}
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(**tables),
            {
                "moment": moment,
                "day": timezone.localdate(moment),
                "targets": [target.target_id for target, _told in rows],
                "limits": [told.limit.pk for _target, told in rows],
                "bounds": [told.bound_now if is_peak else told.bound for _target, told in rows],
                "used": [told.used for _target, told in rows],
                "reserved": [told.reserved for _target, told in rows],
            },
        )
