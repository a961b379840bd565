"""Calls of an import to a cloud: in turn with workers, tried again, and counted."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Final, TypeVar

from quotas.backends.errors import BackendError, Kind
from quotas.delivery.calling import calling
from quotas.delivery.permits import Busy
from quotas.models import Endpoint

Answer = TypeVar("Answer")

TRIES: Final = 4
# Others' work comes first; whoever runs an import waits for a turn so long.
PATIENCE_SECONDS: Final = 300.0
# Lists of everything take their time: a service may need minutes for a hundred thousand rows.
LIST_SECONDS: Final = 120.0


class Asking:
    """Calls to the endpoints of an import; `calls` counts them by endpoints' slugs."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def ask(
        self, endpoint: Endpoint, work: Callable[[], Answer], *, writing: bool = False
    ) -> Answer:
        """What the call answers. Raises BackendError after several tries, and Busy."""
        ends = time.monotonic() + PATIENCE_SECONDS
        tries = 0
        while True:
            try:
                with calling(endpoint, observing=not writing, writing=writing):
                    self.calls[endpoint.slug] += 1
                    return work()
            except Busy as busy:
                if time.monotonic() + busy.seconds > ends:
                    raise
                time.sleep(busy.seconds)
            except BackendError as error:
                tries += 1
                if error.kind is Kind.REFUSED or tries >= TRIES:
                    raise
                time.sleep(error.retry_after or 0.5 * 2**tries)
