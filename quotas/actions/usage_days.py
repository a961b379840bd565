"""Adding up, day by day, what projects used and were promised in each unit and on the whole site.

Done over and over for the day of now, so that it is right as the day ends; a day that is over
is added up once more on the next. A day that was missed is made up for.
"""

import time
from datetime import date, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Max, Min
from django.utils import timezone

from quotas.models import UnitUsage, UsagePeak

from .calendar import end_of

# What was not seen on a day counts as it was last seen, for at most so many days.
CARRIED_DAYS = 3
# How far back a site that never added up begins: no chart shows more.
FIRST_DAYS = 365
SLICE_SECONDS = 20.0
LOCK = "usage days"
# What a column holds: services were heard to say more than that altogether.
MOST = 2**63 - 1


def add_up_usage(now: datetime, slice_seconds: float = SLICE_SECONDS) -> bool:
    """Add up the days since the last one that was, the oldest first; whether more are left."""
    ends = time.monotonic() + slice_seconds
    today = timezone.localdate(now, timezone.get_default_timezone())
    first = day = _first_day(today)
    while first is not None and day is not None and day <= today:
        add_up(day)
        # The first was perhaps added up before: each slice gets on by a day at least.
        is_enough = day > first and time.monotonic() >= ends
        day += timedelta(days=1)
        if is_enough:
            return day <= today
    return False


def _first_day(today: date) -> date | None:
    """The last day that was added up, which may not have been over; None: nothing to add up."""
    last = UnitUsage.objects.filter(unit=None).aggregate(day=Max("day"))
    if last["day"] is None:
        since = today - timedelta(days=FIRST_DAYS)
        last = UsagePeak.objects.filter(day__gte=since).aggregate(day=Min("day"))
    found: date | None = last["day"]
    return None if found is None else min(found, today)


def add_up(day: date) -> None:
    """Write what was used and promised on a day anew, by the tree of units as it stands."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [LOCK])
        UnitUsage.objects.filter(day=day).delete()
        cursor.execute(
            ADD_UP,
            {
                "day": day,
                "since": day - timedelta(days=CARRIED_DAYS),
                "ends_at": end_of(day),
                "most": MOST,
            },
        )


# held: what each project was promised of a limit as the day ended, which is what it has now
# without what moved since. peak: what was last seen of its use, which was not seen whole where the
# service could not look into all of itself. above: each unit with all that
# it lies in, and null for the site.
ADD_UP = """
    INSERT INTO quotas_unitusage
        (unit_id, limit_id, day, used, quota, seen_count, known_count, project_count)
    WITH RECURSIVE moved AS (
        SELECT account_id, sum(amount) AS amount FROM (
            SELECT credit_id AS account_id, amount FROM quotas_transfer WHERE at >= %(ends_at)s
            UNION ALL
            SELECT debit_id, -amount FROM quotas_transfer WHERE at >= %(ends_at)s
        ) AS since GROUP BY account_id
    ), held AS (
        SELECT a.project_id, c.limit_id,
               sum((a.balance - COALESCE(moved.amount, 0)) * c.factor) AS quota
        FROM quotas_account a
        JOIN quotas_contribution c ON c.offering_id = a.offering_id
        LEFT JOIN moved ON moved.account_id = a.id
        WHERE a.project_id IS NOT NULL
        GROUP BY a.project_id, c.limit_id
    ), peak AS (
        SELECT DISTINCT ON (p.target_id, p.limit_id)
               t.project_id, p.limit_id, p.used,
               p.day = %(day)s AND COALESCE(e.gaps_since >= %(ends_at)s, true) AS is_seen
        FROM quotas_usagepeak p
        JOIN quotas_target t ON t.id = p.target_id
        JOIN quotas_endpoint e ON e.id = t.endpoint_id
        WHERE p.day BETWEEN %(since)s AND %(day)s
        ORDER BY p.target_id, p.limit_id, p.day DESC
    ), each AS (
        SELECT project_id, limit_id, COALESCE(held.quota, 0) AS quota, peak.used, peak.is_seen
        FROM held FULL JOIN peak USING (project_id, limit_id)
        WHERE held.quota > 0 OR peak.used > 0
    ), above (unit_id, above_id, next_id) AS (
        SELECT id, id, parent_id FROM projects_unit
        UNION ALL
        SELECT above.unit_id, u.id, u.parent_id
        FROM above JOIN projects_unit u ON u.id = above.next_id
    ), places AS (
        SELECT unit_id, above_id FROM above
        UNION ALL
        SELECT id, NULL FROM projects_unit
    )
    SELECT places.above_id, each.limit_id, %(day)s, LEAST(COALESCE(sum(each.used), 0), %(most)s),
           LEAST(sum(each.quota), %(most)s),
           count(*) FILTER (WHERE each.is_seen), count(each.used), count(*)
    FROM each
    JOIN projects_project ON projects_project.id = each.project_id
    JOIN places ON places.unit_id = projects_project.unit_id
    GROUP BY places.above_id, each.limit_id
"""
