"""Does the database's role carry what Remit sets for a session where no pooler stands between?

A pooler that hands out connections by transaction takes no options at the start of a session. A
`lock_timeout` that is missing would be noticed only once a lock is waited for without end.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import connections


def check_sessions(databases: Sequence[str] | None = None, **_: Any) -> Iterable[CheckMessage]:
    """Django's check of databases, as `migrate` and `check --database default` ask."""
    if not settings.DATABASE_POOLED:
        return
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            for name, wanted in settings.DATABASE_SESSION.items():
                # As the server's own catalogue has it: without units.
                cursor.execute("SELECT setting FROM pg_settings WHERE name = %s", [name])
                if float(cursor.fetchone()[0]) != wanted:
                    yield Error(
                        f"{name} is not {wanted} in sessions behind the pooler.",
                        hint=f"ALTER ROLE … SET {name} = {wanted}; then RECONNECT in PgBouncer.",
                        id="portal.E001",
                    )
