"""How many calls an endpoint gets at once, and how fast, from all workers of all machines.

The database alone keeps count: each call holds a slot and, where the endpoint has a pace, has
a moment of its own. What a killed worker held comes back by itself, by when its call has
certainly ended.
"""

import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from quotas.models import Endpoint
from quotas.states import TargetState

from .statements import fetch

# How long a call waits for its turn at most; of a short lease, a tenth.
PATIENCE_SECONDS = 5.0
OBSERVERS_PATIENCE_SECONDS = 0.5
# Beyond the call's own timeout, for what comes before and after it.
MARGIN_SECONDS = 5.0
# A service that asks for patience is asked again by one call after so long, whatever it said.
HOLD_CAP_SECONDS = 60.0
# When to come back where all slots are taken: others are at work there all the time.
AGAIN_SECONDS = 1.0
_POLL_SECONDS = (0.02, 0.25)

# Around every call, so neither waits for the disk: of a database that crashed right afterwards, a
# slot may count as free while its call still ends, or as held until `held_until`.
AT_ONCE = "set_config('synchronous_commit', 'off', true)"

_IS_FREE = "(holder IS NULL OR held_until <= statement_timestamp())"
_HELD = "held_until = statement_timestamp() + make_interval(secs => %(held_for)s)"
# While the service has asked for patience.
_MAY_BEGIN = """NOT EXISTS (
    SELECT 1 FROM {pace} WHERE endpoint_id = %(endpoint)s
        AND next_at > statement_timestamp() + make_interval(secs => %(slack)s)
)"""

# With the state that the endpoint has by then: one may have waited.
TAKE = f"""
UPDATE {{slot}} SET holder = %(holder)s, {_HELD}
WHERE {_IS_FREE} AND id = (
    SELECT id FROM {{slot}}
    WHERE endpoint_id = %(endpoint)s AND number >= %(first)s AND number < %(behind)s
        AND {_IS_FREE} AND {_MAY_BEGIN}
    ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, (SELECT state FROM {{endpoint}} WHERE id = %(endpoint)s), {AT_ONCE}
"""  # noqa: S608 - nobody's words

# For the next call of whoever has just called there; not behind what the endpoint now gets at once.
KEEP = f"""
UPDATE {{slot}} SET {_HELD}
WHERE id = %(slot_id)s AND holder = %(held_by)s AND number >= %(first)s AND number < %(behind)s
    AND {_MAY_BEGIN}
RETURNING id, (SELECT state FROM {{endpoint}} WHERE id = %(endpoint)s), {AT_ONCE}
"""  # noqa: S608 - nobody's words

GIVE_BACK = f"""
UPDATE {{slot}} SET holder = NULL, held_until = NULL
WHERE id = %(slot_id)s AND holder = %(holder)s
RETURNING {AT_ONCE}
"""  # noqa: S608 - nobody's words


class Busy(Exception):
    """No call may begin at the endpoint now; coming back in `seconds` makes sense."""

    def __init__(self, endpoint: Endpoint, seconds: float) -> None:
        super().__init__(f"no call to {endpoint.slug} may begin for {seconds:.1f} s")
        self.seconds = seconds


@dataclass(frozen=True)
class Asker:
    """A call that asks to be let in."""

    endpoint: Endpoint
    is_observer: bool

    @property
    def patience(self) -> float:
        """Seconds to wait at most; an observer never stands in the way of writes for long."""
        longest = OBSERVERS_PATIENCE_SECONDS if self.is_observer else PATIENCE_SECONDS
        return min(longest, settings.LEASE_SECONDS / 10)

    @property
    def numbers(self) -> tuple[int, int]:
        """Its slots: first, and behind the last. Observers have half of them, at least one."""
        count = concurrency(self.endpoint)
        return (count - max(1, count // 2) if self.is_observer else 0), count

    def values(self) -> dict[str, Any]:
        """For TAKE and KEEP, with a holder of its own."""
        first, behind = self.numbers
        return {
            "holder": uuid.uuid4(),
            "held_for": settings.CALL_TIMEOUT_SECONDS + self.patience + MARGIN_SECONDS,
            "endpoint": self.endpoint.pk, "first": first, "behind": behind,
            # A pace keeps its next moment in the same row: so near it is no wish of the service's.
            "slack": self.patience if calls_per_second(self.endpoint) else 0.0,
        }  # fmt: skip


def concurrency(endpoint: Endpoint) -> int:
    """How many calls at once the endpoint gets."""
    own = endpoint.concurrency
    return int(settings.ENDPOINT_CONCURRENCY) if own is None else own


def calls_per_second(endpoint: Endpoint) -> int:
    """How many calls a second the endpoint gets; 0: as many as it answers."""
    own = endpoint.calls_per_second
    return int(settings.ENDPOINT_CALLS_PER_SECOND) if own is None else own


# How long a lease still holds by the database's clock, for who writes; no row: it is lost.
LEFT = """
    SELECT extract(epoch FROM lease_until - statement_timestamp()) FROM quotas_target
    WHERE id = %(target)s AND lease_token = %(token)s AND state = %(leased)s
"""


@dataclass(frozen=True)
class Left:
    """How many seconds are left of a lease, None where it is lost; asked: by time.monotonic()."""

    asked: float
    seconds: float | None

    @classmethod
    def of(cls, target_id: int, token: uuid.UUID) -> "Left":
        asked = time.monotonic()
        row = fetch(LEFT, cls.values(target_id, token))
        return cls(asked, None if row is None else float(row[0]))

    @staticmethod
    def values(target_id: int, token: uuid.UUID) -> dict[str, Any]:
        return {"target": target_id, "token": token, "leased": TargetState.LEASED.value}


@dataclass
class Permit:
    """The right to one call: a slot, until it is given back. state: of the endpoint, as the slot
    was taken, with the moment of its pace still to come; left: of the lease that it is for, if it
    was asked for then, and no moment is to come."""

    slot_id: int
    holder: uuid.UUID
    state: str
    is_back: bool = False
    left: Left | None = None

    def give_back(self) -> None:
        """Only what is still ours: one that was held for too long went to somebody else."""
        if not self.is_back:
            self.is_back = True
            fetch(GIVE_BACK, {"slot_id": self.slot_id, "holder": self.holder})


@contextmanager
def permit(
    endpoint: Endpoint, *, observing: bool = False, taken: Permit | None = None
) -> Iterator[Permit]:
    """The right to one call, of CALL_TIMEOUT_SECONDS at most, inside. Raises Busy.

    Waits for a turn, though not for long. Observers use the upper half of the slots, so that
    some are always left for writes; of a single slot they have what writes leave. taken: the slot
    of this call, where it has one already (handing).
    """
    asker = Asker(endpoint, observing)
    permit = taken or _wait_for_slot(asker)
    try:
        _wait_for_pace(asker)
        yield permit
    finally:
        permit.give_back()


def hold_back(endpoint: Endpoint, seconds: float) -> None:
    """No call begins for so long, by any worker: the service asked for patience."""
    fetch(
        """
        INSERT INTO {pace} AS pace (endpoint_id, next_at)
        VALUES (%(endpoint)s, statement_timestamp() + make_interval(secs => %(seconds)s))
        ON CONFLICT (endpoint_id) DO UPDATE
            SET next_at = GREATEST(pace.next_at, EXCLUDED.next_at)
        RETURNING 1
        """,
        {"endpoint": endpoint.pk, "seconds": min(seconds, HOLD_CAP_SECONDS)},
    )


def _wait_for_slot(asker: Asker) -> Permit:
    ends = time.monotonic() + asker.patience
    pause, longest = _POLL_SECONDS
    while True:
        taken = _take_slot(asker)
        if taken is not None:
            return taken
        if _make_slots(asker.endpoint):
            continue
        left, held_back = ends - time.monotonic(), _held_back(asker.endpoint)
        if left <= 0 or held_back > left:
            raise Busy(asker.endpoint, max(held_back, AGAIN_SECONDS))
        # Spread, so that those who wait do not ask together; no secret.
        time.sleep(min(left, pause * random.uniform(0.5, 1)))  # noqa: S311
        pause = min(longest, pause * 1.5)


def _take_slot(asker: Asker) -> Permit | None:
    """The lowest free slot, taken; none while the service has asked for patience."""
    values = asker.values()
    row = fetch(TAKE, values)
    return None if row is None else Permit(row[0], values["holder"], row[1])


def _make_slots(endpoint: Endpoint) -> bool:
    """Make the rows that are missing; whether there were any."""
    made = fetch(
        """
        INSERT INTO {slot} (endpoint_id, number)
        SELECT %(endpoint)s, number FROM generate_series(0, %(last)s) AS number
        WHERE NOT EXISTS (
            SELECT 1 FROM {slot} AS known
            WHERE known.endpoint_id = %(endpoint)s AND known.number = number.number
        )
        ON CONFLICT DO NOTHING
        RETURNING 1
        """,
        {"endpoint": endpoint.pk, "last": concurrency(endpoint) - 1},
    )
    return made is not None


def _held_back(endpoint: Endpoint) -> float:
    """Seconds until the next call may begin, as far as the pace's row says; 0: now."""
    row = fetch(
        "SELECT extract(epoch FROM next_at - statement_timestamp()) FROM {pace}"
        " WHERE endpoint_id = %(endpoint)s",
        {"endpoint": endpoint.pk},
    )
    return max(0.0, float(row[0])) if row is not None else 0.0


def _wait_for_pace(asker: Asker) -> None:
    """Take the next moment of the endpoint's pace and wait for it, if that is soon."""
    rate = calls_per_second(asker.endpoint)
    if not rate:
        return
    row = fetch(
        """
        INSERT INTO {pace} AS pace (endpoint_id, next_at)
        VALUES (%(endpoint)s, statement_timestamp() + make_interval(secs => %(between)s))
        ON CONFLICT (endpoint_id) DO UPDATE
            SET next_at = GREATEST(pace.next_at, statement_timestamp())
                + make_interval(secs => %(between)s)
            WHERE pace.next_at <= statement_timestamp() + make_interval(secs => %(patience)s)
        RETURNING extract(epoch FROM
            next_at - make_interval(secs => %(between)s) - clock_timestamp())
        """,
        {"endpoint": asker.endpoint.pk, "between": 1 / rate, "patience": asker.patience},
    )
    if row is None:
        raise Busy(asker.endpoint, max(_held_back(asker.endpoint), AGAIN_SECONDS))
    time.sleep(max(0.0, float(row[0])))
