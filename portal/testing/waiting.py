"""Wait for a state, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], seconds: float, what: str, *, every: float = 0.02) -> T:
    """The first true value of `predicate`; fails with `what` after so many seconds.

    every: seconds between two looks; more where looking takes from those who are waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:g} s still not so: {what} (last: {value!r})")
        time.sleep(every)
