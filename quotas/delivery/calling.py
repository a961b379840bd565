"""Around every call to an endpoint: what its answer, or its silence, means for others."""

from collections.abc import Iterator
from contextlib import contextmanager

from quotas.backends.errors import BackendError, Kind
from quotas.models import Endpoint

from . import breaker


@contextmanager
def calling(endpoint: Endpoint) -> Iterator[None]:
    """Around a call: tells the endpoint's breaker whether somebody answered."""
    try:
        yield
    except BackendError as error:
        if error.kind is Kind.UNREACHABLE:
            breaker.silent(endpoint, error.words)
        elif error.http_status is not None:
            breaker.answered(endpoint)
        raise
    breaker.answered(endpoint)
