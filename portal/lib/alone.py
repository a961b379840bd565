"""One of a kind at a time on the whole site: a lock that goes with whoever holds it.

It lies in a transaction of a connection of its own, so it also holds behind a pooler that hands
out connections by transaction. That transaction reads and writes no row: no vacuum, and no reader
of the record, waits for it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from portal.lib.errors import Conflict

_POLL_SECONDS = 0.5


@contextmanager
def alone(number: int, *, refusal: str, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock of this number, that no other advisory lock of ours has.

    Raises Conflict(refusal) where somebody else holds it for longer than `patience` seconds.
    """
    own = connection.copy()
    try:
        own.set_autocommit(False)
        _take(own, number, refusal, patience)
        yield
    finally:
        _end(own)


def _take(own: BaseDatabaseWrapper, number: int, refusal: str, patience: float) -> None:
    ends = time.monotonic() + patience
    with own.cursor() as cursor:
        # Whoever holds it works elsewhere, for however long that takes.
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        while True:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
            if cursor.fetchone()[0]:
                return
            if time.monotonic() >= ends:
                raise Conflict(refusal)
            time.sleep(_POLL_SECONDS)


def _end(own: BaseDatabaseWrapper) -> None:
    try:
        own.rollback()
    except DatabaseError:
        pass  # the connection is lost already, and the lock with it
    finally:
        own.close()
