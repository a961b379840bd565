"""When things happened: three years up to `now`, divided evenly among requests."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

DAY = 86_400
HISTORY_DAYS = 1_095
# Before the first request the site was set up: one act every few seconds.
SET_UP_DAYS = 5
IN_FLIGHT_DAYS = 2  # from a request to its decision
ENDS_BEFORE = timedelta(hours=1)
DEPUTIES_END = timedelta(days=60)
Clock = Callable[[], datetime]  # the next moment of setting up


@dataclass(frozen=True)
class Times:
    """now: whole seconds, in UTC. Moments are seconds since `start`."""

    now: datetime
    requests: int

    @cached_property
    def start(self) -> datetime:
        return self.now - ENDS_BEFORE - timedelta(days=HISTORY_DAYS)

    @property
    def set_up(self) -> datetime:
        return self.start - timedelta(days=SET_UP_DAYS)

    def second(self, request: int) -> int:
        """When a request was sent."""
        return HISTORY_DAYS * DAY * request // self.requests

    def moment(self, second: int) -> datetime:
        return self.start + timedelta(seconds=second)

    @cached_property
    def last_second(self) -> int:
        """Of `now`."""
        return int((self.now - self.start).total_seconds())

    @cached_property
    def in_flight(self) -> int:
        """How many requests are sent until one is decided."""
        return max(1, self.requests * IN_FLIGHT_DAYS // HISTORY_DAYS)
