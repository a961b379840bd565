"""Around every call to an endpoint: its turn, and what its answer or silence means for others."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings

from quotas.backends.errors import BackendError, Kind
from quotas.models import Endpoint
from quotas.states import EndpointState

from . import breaker, handing
from .permits import AGAIN_SECONDS, Busy, Permit, calls_per_second, hold_back, permit


@contextmanager
def calling(
    endpoint: Endpoint,
    *,
    observing: bool = False,
    writing: bool = False,
    lease: tuple[int, uuid.UUID] | None = None,
) -> Iterator[Permit]:
    """Around one call, of CALL_TIMEOUT_SECONDS at most: take its timeout from the lease inside.

    Waits shortly for a slot that holds across all workers, and for the endpoint's pace; raises
    permits.Busy where none is to be had, and where somebody paused the endpoint since the
    target was taken. observing: the call only looks, so it leaves room for writes; writing: it
    changes something, and so does not begin where the endpoint was made read-only. lease: id of its
    target and token; what is left of it may be told with the turn. Tells the endpoint's breaker
    whether somebody answered, and keeps the calls of others back where the service asked for
    patience.
    """
    closed = (EndpointState.PAUSED, EndpointState.READ_ONLY) if writing else (EndpointState.PAUSED,)
    with told_of_failure(endpoint):
        taken = handing.taken(endpoint, observing=observing, lease=lease)
        with permit(endpoint, observing=observing, taken=taken) as held:
            if _state(endpoint, held) in closed:
                raise Busy(endpoint, AGAIN_SECONDS)
            yield held
            handing.answered(endpoint, held)


def _state(endpoint: Endpoint, held: Permit) -> str:
    """As it is with the turn in hand: one may have waited for it."""
    if not calls_per_second(endpoint):
        return held.state
    return str(Endpoint.objects.values_list("state", flat=True).get(pk=endpoint.pk))


@contextmanager
def told_of_failure(
    endpoint: Endpoint, has_answered: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """`told_of` where whoever calls tells themselves what was answered."""
    try:
        yield
    except BackendError as error:
        if error.kind is not Kind.UNREACHABLE:
            if error.http_status is not None:
                breaker.answered(endpoint)
        elif not has_answered():
            breaker.silent(endpoint, error.words)
        if error.retry_after is not None:
            hold_back(endpoint, error.retry_after)
        elif error.code == "rate_limited":
            hold_back(endpoint, settings.RETRY_BASE_SECONDS)
        raise


@contextmanager
def told_of(endpoint: Endpoint, has_answered: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Around calls that have their turn: what their end says of the endpoint to all others.

    has_answered: asked after a silence; one of several calls that took too long is none, where
    others before it were answered.
    """
    with told_of_failure(endpoint, has_answered):
        yield
    breaker.answered(endpoint)
