"""Several people at the same moment: threads with a database connection each."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection

from portal.lib.errors import DomainError

BUSY_SECONDS = 20


def at_once(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Do all acts at the same moment; what each returned, or the refusal it met."""
    barrier = threading.Barrier(len(acts))
    results: list[Any] = [None] * len(acts)
    crashes: list[BaseException] = []

    def run(place: int) -> None:
        try:
            # The connection is made before the start, so that all begin together.
            connection.ensure_connection()
            barrier.wait(timeout=20)
            results[place] = acts[place]()
        except DomainError as refusal:
            results[place] = refusal
        except BaseException as crash:  # noqa: BLE001 - told to the test below
            crashes.append(crash)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    if crashes:
        raise crashes[0]
    return [result for result in results if result is not None]


def until_it_waits(other: threading.Thread) -> None:
    """Return once the thread waits for a lock of the database, or has ended."""
    deadline = time.monotonic() + BUSY_SECONDS
    with connection.cursor() as cursor:
        while other.is_alive() and time.monotonic() < deadline:
            cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
            if cursor.fetchone() == (True,):
                return
    assert not other.is_alive(), "it neither waits nor ends"
