"""The turns of a run of many calls, as a survey: each waits for its own, behind all writes.

A run holds nothing between two calls, so whoever writes waits for one of them at most.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.db.models import Q

from quotas.backends.deadline import taking_turns
from quotas.models import Endpoint, Target
from quotas.states import EndpointState, TargetState

from .calling import told_of
from .permits import AGAIN_SECONDS, PATIENCE_SECONDS, Busy, concurrency, permit

_POLL_SECONDS = 0.1


@dataclass
class Run:
    """How many calls a run made, and until when, by time.monotonic(), the next may begin."""

    endpoint: Endpoint
    ends: float
    call_count: int = 0


@contextmanager
def run_of_calls(endpoint: Endpoint, *, seconds: float) -> Iterator[Run]:
    """Around a driver's call that makes many, all within `seconds`.

    Raises permits.Busy where the endpoint is paused meanwhile, or no turn came in time.
    """
    run = Run(endpoint, time.monotonic() + seconds)
    longest = settings.CALL_TIMEOUT_SECONDS
    with told_of(endpoint, lambda: run.call_count > 1), taking_turns(partial(_turn, run), longest):
        yield run


@contextmanager
def _turn(run: Run) -> Iterator[None]:
    _let_writes_pass(run)
    with _permit(run):
        run.call_count += 1
        yield


@contextmanager
def _permit(run: Run) -> Iterator[None]:
    while True:
        _check(run)
        turn = permit(run.endpoint, observing=True)
        try:
            turn.__enter__()
        except Busy as busy:
            left = run.ends - time.monotonic()
            time.sleep(max(0.0, min(busy.seconds, left)))
            continue
        break
    try:
        yield
    finally:
        turn.__exit__(None, None, None)


def _check(run: Run) -> None:
    is_paused = Endpoint.objects.filter(pk=run.endpoint.pk, state=EndpointState.PAUSED).exists()
    # One that is begun has its whole time: it would else end by our own doing.
    is_late = time.monotonic() + settings.CALL_TIMEOUT_SECONDS > run.ends
    if is_paused or is_late:
        raise Busy(run.endpoint, AGAIN_SECONDS)


def _let_writes_pass(run: Run) -> None:
    """Of a single slot observers would have all that writers do not happen to ask for just then.

    Not for ever: somebody may always be at work there.
    """
    if concurrency(run.endpoint) > 1:
        return
    at_work = Target.objects.filter(
        Q(endpoint=run.endpoint) | Q(endpoint__identity=run.endpoint), state=TargetState.LEASED
    )
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends and at_work.exists():
        time.sleep(_POLL_SECONDS)
