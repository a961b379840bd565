"""Acts that begin together are clocked from there, whoever took how long to get ready."""

import time
from collections.abc import Callable
from functools import partial

from bench.parts.working.at_once import at_once

READY_SECONDS = 0.4


def _ready(seconds: float) -> Callable[[], float]:
    time.sleep(seconds)
    ready = time.monotonic()

    def act() -> float:
        began = time.monotonic()
        while time.process_time() < 0.05 or time.monotonic() - began < 0.05:
            pass
        return began - ready

    return act


def test_all_begin_once_the_last_one_is_ready_and_only_then_the_clock_starts() -> None:
    done = at_once([partial(_ready, 0.0), partial(_ready, READY_SECONDS)])
    waited = sorted(done.told)
    assert len(waited) == 2
    assert waited[1] > READY_SECONDS / 2
    assert done.seconds < READY_SECONDS
    assert 0 < done.cpu_seconds < 2 * READY_SECONDS
