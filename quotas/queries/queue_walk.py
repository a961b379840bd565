"""What waits for somebody, walked in its order as far as a page, a count or a choice needs it.

Each assignment has beside it when its request was asked for, so whoever holds it has their queue
lying in order along an index, their own and that of each group. Of these as many requests are
taken as are needed, and merged: what comes after them is not looked at, however much that is.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import BigIntegerField, F, Func, Window
from django.db.models.expressions import RawSQL
from django.db.models.functions import DenseRank

from portal.lib.lookups import IsAnyOf
from portal.lib.together import Named, Stated
from projects.states import ROLES_ABOVE_READER

from .requests import Asker, lines_for

# What triggers keep true from there on (migration `waiting_along`).
MARK = """
UPDATE quotas_assignment assignment
SET asked_number = request.id, asked_at = request.submitted_at
FROM quotas_requestline line
JOIN quotas_quotarequest request ON request.id = line.request_id
WHERE line.id = assignment.line_id AND line.state = 'open'
  AND (assignment.ends_at > %s) IS NOT FALSE
"""

# In the order of a queue, or by number; each is that of an index.
OLDEST = "asked_at, number"
OLDEST_BACK = "asked_at DESC, number DESC"
BY_NUMBER = "number"
BY_NUMBER_BACK = "number DESC"
# What is grouped by that is one of the index's columns, so that it is met in order.
GROUPED = {
    OLDEST: {"keys": "asked_at, asked_number", "moment": "asked_at"},
    BY_NUMBER: {"keys": "asked_number", "moment": "min(asked_at)"},
}
ROLES = ", ".join(f"'{each}'" for each in ROLES_ABOVE_READER)

# `assigned_lines` of one holder, by requests. Sets are subqueries that are no conditions by
# themselves: made joins of, they would not keep the order. What is grouped is told its order as
# well: else it is met from the first on, and who goes back sorts all that lies before.
ALONG = """
SELECT along.asked_at, along.number, request.project_id, along.lines
FROM (
    SELECT {moment} AS asked_at, asked_number AS number, array_agg(line_id) AS lines
    FROM quotas_assignment
    WHERE {of} AND asked_number IS NOT NULL{from_one}
      AND starts_at <= :now AND (ends_at IS NULL OR ends_at > :now)
      AND (delegation_id IN (SELECT unnest(:held ::bigint[]))) IS TRUE
    GROUP BY {keys} ORDER BY {in_order}
) along
JOIN quotas_quotarequest request ON request.id = along.number
WHERE request.requester_id <> :user
  AND (request.asked_by_id IS NULL OR request.asked_by_id <> :user)
  AND (request.project_id IN (SELECT project_id FROM involved)) IS NOT TRUE
ORDER BY {order} LIMIT {most}
"""
WALK = """
WITH involved AS MATERIALIZED (
    SELECT project_id FROM projects_membership
    WHERE (user_id = :user OR group_id = ANY(:groups ::bigint[])) AND role IN ({roles})
      AND starts_at <= :now AND (ends_at IS NULL OR ends_at > :now)
)
SELECT number, project_id, lines, place FROM (
    SELECT number, project_id, lines, dense_rank() OVER (ORDER BY {order}) AS place FROM (
        ({own}) UNION ALL (
            SELECT along.* FROM unnest(:groups ::bigint[]) membership(id)
            CROSS JOIN LATERAL ({of_group}) along
        )
    ) either
) merged WHERE place <= {most}
"""
# From one of the requests on, or back; in the order in which the index has them.
FROM_ONE = " AND (asked_at, asked_number) {} (:since, :number)"
COUNT = "SELECT coalesce(max(place), 0) FROM walked"
NUMBERS = "SELECT number FROM {walk} GROUP BY number, place ORDER BY place"
# A request that one holds by several ways is there as often, each with lines of its own.
WALKED = ("number", "project", "lines", "place")
_IDS = ArrayField(BigIntegerField())
_VALUE = re.compile(r"(?<!:):([a-z]+)")


def walk_part(order: str, most: int, values: Mapping[str, Any], name: str = "walked") -> Named:
    """`walked`: the first requests that wait for somebody in that order, with what does of each.

    values: as `values_of`, or slots for them; of a walk by age that begins at a request also its
    `number` and `since` when it was asked for.
    Rows are (number, project, ids of lines, place from 1).
    """
    is_back = order.endswith(" DESC")
    told = {
        "order": order, "most": most, "in_order": order.replace("number", "asked_number"),
        "from_one": FROM_ONE.format("<=" if is_back else ">=") if "since" in values else "",
        **GROUPED[order.replace(" DESC", "")],
    }  # fmt: skip
    sql = WALK.format(
        own=ALONG.format(of="user_id = :user", **told),
        of_group=ALONG.format(of="group_id = membership.id", **told),
        order=order, most=most, roles=ROLES,
    )  # fmt: skip
    names = _VALUE.findall(sql)
    return Named(name, WALKED, Stated(_VALUE.sub("%s", sql), [values[each] for each in names]))


def walked(asker: Asker, most: int) -> Named:
    """The lines that wait for the asker, of the first requests in the order of a queue."""
    if not asker.here:
        return walk_part(OLDEST, most, asker.values)
    lines = (
        lines_for(asker)
        .order_by()
        .annotate(
            place=Window(DenseRank(), order_by=["request__submitted_at", "request"]),
            lines=Func(F("pk"), template="ARRAY[%(expressions)s]", output_field=_IDS),
        )
    )
    return Named("walked", WALKED, lines, ["request", "project", "lines", "place"])


def is_walked(start: Any, end: Any) -> IsAnyOf:
    """The condition on a request that it is of these places of `walked`, the first being 0.

    Numbers, or slots for them.
    """
    places = "ARRAY(SELECT number FROM walked WHERE place > %s AND place <= %s)"
    array = RawSQL(places, (start, end), _IDS)  # noqa: S611 - no text of anybody's
    return IsAnyOf(F("pk"), array)


# Two looks at what waits, however much was decided.
MISPLACED = """
SELECT assignment.id, request.id FROM quotas_assignment assignment
JOIN quotas_requestline line ON line.id = assignment.line_id
JOIN quotas_quotarequest request ON request.id = line.request_id
WHERE assignment.asked_number IS NOT NULL AND (
    line.state <> 'open'
    OR (assignment.asked_number, assignment.asked_at)
        IS DISTINCT FROM (request.id, request.submitted_at)
)
UNION ALL
SELECT assignment.id, line.request_id FROM quotas_requestline line
JOIN quotas_assignment assignment ON assignment.line_id = line.id
WHERE line.state = 'open' AND assignment.asked_number IS NULL
  AND (assignment.ends_at > %s) IS NOT FALSE
ORDER BY 1
"""


# Whoever ended one may have a clock that is ahead.
SKEW = timedelta(minutes=5)


def misplaced(now: datetime) -> list[tuple[int, int]]:
    """(assignment, request) of whatever a queue would show elsewhere than it stands, or not."""
    with connection.cursor() as cursor:
        cursor.execute(MISPLACED, [now + SKEW])
        return list(cursor.fetchall())


def mark_waiting(now: datetime) -> None:
    """Put what waits in its order where rows were written past the triggers, as for made sites."""
    with connection.cursor() as cursor:
        cursor.execute(MARK, [now])
