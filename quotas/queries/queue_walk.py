"""What waits for somebody, walked in its order as far as a page, a count or a choice needs it.

Each assignment has beside it when its request was asked for, so whoever holds it has their queue
lying in order along an index, their own and that of each group. Of these as many requests are
taken as are needed, and merged: what comes after them is not looked at, however much that is.
"""

from datetime import datetime

from django.db import connection

# What triggers keep true from there on (migration `waiting_along`).
MARK = """
UPDATE quotas_assignment assignment
SET asked_number = request.id, asked_at = request.submitted_at
FROM quotas_requestline line
JOIN quotas_quotarequest request ON request.id = line.request_id
WHERE line.id = assignment.line_id AND line.state = 'open'
  AND (assignment.ends_at > %s) IS NOT FALSE
"""


def mark_waiting(now: datetime) -> None:
    """Put what waits in its order where rows were written past the triggers, as for made sites."""
    with connection.cursor() as cursor:
        cursor.execute(MARK, [now])
