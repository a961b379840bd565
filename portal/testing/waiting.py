"""Wait for a state, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
FIRST_SECONDS, GROWTH = 0.01, 1.3


def wait_until(predicate: Callable[[], T], seconds: float, what: str, *, every: float = 0.05) -> T:
    """The first true value of `predicate`; fails with `what` after so many seconds.

    every: the most seconds between two looks, of which the first follow one another closer;
    more where looking takes from those who are waited for.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_SECONDS
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:g} s still not so: {what} (last: {value!r})")
        time.sleep(pause)
        pause = min(pause * GROWTH, every)
