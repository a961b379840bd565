"""What a growing catalogue means for projects that were taken over: their limits stay as they are.

A limit that is managed since today has had a value in the cloud all the time. Of a project that
Remit made it is Remit's to say; of one that was there before, the next import reads it and asks.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import connection

from projects.states import ProjectActKind
from quotas.states import KeptWhy

# Any number that no other advisory lock of ours has.
_CATALOGUE = 7_301_004

# In the clouds where a project was taken over: what workers made, also in the place of one that
# was lost, had nothing before.
KEEP = """
INSERT INTO quotas_keptlimit (target_id, limit_id, why, kept_at)
SELECT target.id, lim.id, %(why)s, %(now)s
FROM quotas_limit lim
JOIN quotas_endpoint endpoint ON endpoint.id = lim.endpoint_id
JOIN quotas_endpoint identity ON identity.id = endpoint.identity_id
JOIN quotas_target target ON target.endpoint_id = endpoint.id
JOIN quotas_projecthandle handle
    ON handle.project_id = target.project_id AND handle.identity_id = identity.id
WHERE lim.id = ANY(%(limits)s) AND EXISTS (
    SELECT FROM projects_projectact act
    WHERE act.project_id = target.project_id AND act.kind = %(kind)s
        AND act.data ->> identity.slug = handle.external_id
)
ORDER BY target.id, lim.id
ON CONFLICT DO NOTHING
"""


def hold_catalogue() -> None:
    """Until the transaction ends no limit comes to be managed: a load waits for it.

    Before every other lock. Lasts as long as a project takes to be taken over.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_CATALOGUE])


def change_catalogue() -> None:
    """Until the transaction ends no project is taken over by what the catalogue was before.

    Before every other lock.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CATALOGUE])


def keep_new_limits(limit_ids: Collection[int], now: datetime) -> int:
    """Keep limits that were not managed before, of projects that an import took over; how many.

    The targets are there already. In the transaction that makes the limits: else a worker could
    write what the ledger has of them, which is nothing.
    """
    if not limit_ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            KEEP,
            {
                "why": str(KeptWhy.NEW), "now": now, "limits": list(limit_ids),
                "kind": str(ProjectActKind.IMPORT),
            },
        )  # fmt: skip
        return int(cursor.rowcount)
