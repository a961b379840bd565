"""The calls of an attempt follow one another: the slot of one goes, and that of the next comes, by
one statement, which also tells that the service of the first answered.

So a slot is held a little longer than its call, for what happens between two of them; never while
its holder waits for another slot.
"""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from quotas.models import Endpoint

from . import breaker
from .breaker import TELL, WAS_SILENT
from .permits import AT_ONCE, KEEP, LEFT, TAKE, Asker, Left, Permit, calls_per_second
from .statements import fetch

# Neither waits: a slot that somebody else has in hand is not ours any more, however late we are.
_BACK = f"""
    UPDATE {{slot}} SET holder = NULL, held_until = NULL
    WHERE id = (
        SELECT id FROM {{slot}} WHERE id = %(slot_id)s AND holder = %(held_by)s
        FOR NO KEY UPDATE SKIP LOCKED
    )
    RETURNING {AT_ONCE}
"""  # noqa: S608 - nobody's words
_WHAT_CAME = f"""
SELECT EXISTS (SELECT 1 FROM told), {WAS_SILENT}, taken.id, taken.state, {{left}}
FROM (SELECT 1) once LEFT JOIN taken ON TRUE
"""  # noqa: S608 - nobody's words
# To another endpoint.
_ONWARD = f"""
WITH told AS ({TELL}), back AS ({_BACK}), taken AS ({TAKE})
{_WHAT_CAME.replace("{left}", "NULL")}
"""
# To the same one, by the same slot.
_AGAIN = f"""
WITH told AS ({TELL}), taken AS ({KEEP})
{_WHAT_CAME.replace("{left}", "NULL")}
"""
# And to write there: as the last thing before it, whose the lease is.
_AND_WRITE = f"""
WITH told AS ({TELL}), taken AS ({KEEP})
{_WHAT_CAME.replace("{left}", f"({LEFT})")}
"""


@dataclass
class _Run:
    """left: the endpoint that was called last, and the slot of that call."""

    left: tuple[Endpoint, Permit] | None = None


_here = threading.local()


@contextmanager
def one_after_another() -> Iterator[None]:
    """Around calls of this thread that follow one another with little between them."""
    run = _here.run = _Run()
    try:
        yield
    finally:
        _here.run = None
        if run.left is not None:
            breaker.answered(*run.left)


def answered(endpoint: Endpoint, permit: Permit) -> None:
    """`breaker.answered`; of calls that follow one another by what comes after this one."""
    run: _Run | None = getattr(_here, "run", None)
    if run is None:
        breaker.answered(endpoint, permit)
    else:
        permit.is_back = True
        run.left = (endpoint, permit)


def taken(
    endpoint: Endpoint, *, observing: bool = False, lease: tuple[int, uuid.UUID] | None = None
) -> Permit | None:
    """The slot of the next call, if calls follow one another and one is free; the last one's is
    given back in any case.

    lease: id of its target and token, of who writes next; what is left of it is told with the slot
    where that is the same one, and nothing is to be waited for any more.
    """
    run: _Run | None = getattr(_here, "run", None)
    if run is None or run.left is None:
        return None
    (before, last), run.left = run.left, None
    is_same = before.pk == endpoint.pk
    statement = _AGAIN if is_same else _ONWARD
    values = Asker(endpoint, observing).values()
    values |= {"slot_id": last.slot_id, "held_by": last.holder, **breaker.values_of(before)}
    # Not where a moment is still to come: it would be old by then.
    asks = is_same and lease is not None and not calls_per_second(endpoint)
    if asks and lease is not None:
        statement = _AND_WRITE
        values |= Left.values(*lease)
    asked = time.monotonic()
    is_told, was_silent, slot_id, state, seconds = _one(fetch(statement, values))
    if is_same and slot_id is None:
        last.is_back = False
        last.give_back()
    breaker.close(before, is_told=is_told, was_silent=was_silent)
    if slot_id is None:
        return None
    left = Left(asked, None if seconds is None else float(seconds)) if asks else None
    return Permit(slot_id, last.holder if is_same else values["holder"], state, left=left)


def _one(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if row is None:  # pragma: no cover - it is of nothing that may be missing
        raise AssertionError("no row")
    return row
