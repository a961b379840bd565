"""Several people at the same moment: threads with a database connection each."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection

from portal.lib.errors import DomainError


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
