"""Calls of an import to a cloud: in turn with workers, tried again, and counted."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Final, TypeVar

from django.conf import settings

from quotas.backends.errors import BackendError, Kind
from quotas.delivery.calling import calling
from quotas.delivery.permits import HOLD_CAP_SECONDS, Busy
from quotas.delivery.turns import run_of_calls
from quotas.models import Endpoint

Answer = TypeVar("Answer")

TRIES: Final = 4
# Others' work comes first; whoever runs an import waits for a turn so long.
PATIENCE_SECONDS: Final = 300.0
# Lists of everything take their time: a service may need minutes for a hundred thousand rows.
LIST_SECONDS: Final = 120.0
MOST_FAILURES: Final = 3


class Asking:
    """Calls to the endpoints of an import; `calls` counts them by endpoints' slugs.

    A service that failed some of them in a row, however often each was tried, is given up for
    the run: else a dead one were waited for with every project.
    """

    def __init__(self, tries: int = TRIES) -> None:
        self.tries = tries
        self.calls: Counter[str] = Counter()
        self.failures: Counter[int] = Counter()

    def ask(
        self, endpoint: Endpoint, work: Callable[[], Answer], *, writing: bool = False
    ) -> Answer:
        """What the call answers. Raises BackendError after several tries, and Busy."""

        def call() -> Answer:
            with calling(endpoint, observing=not writing, writing=writing):
                self.calls[endpoint.slug] += 1
                return work()

        return self._ask(endpoint, call)

    def survey(self, endpoint: Endpoint, work: Callable[[float], Answer]) -> Answer:
        """What many calls say together, in so many seconds: each in its turn, and counted.

        Raises BackendError after several tries, and Busy.
        """
        seconds = settings.SURVEY_TIMEOUT_SECONDS

        def calls() -> Answer:
            with run_of_calls(endpoint, seconds=seconds) as run:
                try:
                    return work(seconds)
                finally:
                    self.calls[endpoint.slug] += run.call_count

        return self._ask(endpoint, calls)

    def _ask(self, endpoint: Endpoint, attempt: Callable[[], Answer]) -> Answer:
        if self.failures[endpoint.pk] >= MOST_FAILURES:
            words = f"{endpoint.slug} was given up, as it did not answer {MOST_FAILURES} in a row"
            raise BackendError(Kind.UNREACHABLE, "no_connection", words)
        try:
            answer = self._tried(attempt)
        except (Busy, BackendError) as error:
            self.failures[endpoint.pk] = self.failures[endpoint.pk] + 1 if is_away(error) else 0
            raise
        self.failures[endpoint.pk] = 0
        return answer

    def _tried(self, attempt: Callable[[], Answer]) -> Answer:
        ends = time.monotonic() + PATIENCE_SECONDS
        tries = 0
        while True:
            try:
                return attempt()
            except Busy as busy:
                if time.monotonic() + busy.seconds > ends:
                    raise
                time.sleep(busy.seconds)
            except BackendError as error:
                tries += 1
                if error.kind is Kind.REFUSED or tries >= self.tries:
                    raise
                time.sleep(pause_after(error, tries))


def is_away(error: Busy | BackendError) -> bool:
    """Whether a failure is about the service, not about the project that was asked for."""
    if isinstance(error, Busy):
        return True
    return error.kind is Kind.UNREACHABLE or error.code in ("rate_limited", "unavailable")


def pause_after(error: BackendError, tries: int) -> float:
    """Seconds before the next try: what the service asks for, within bounds."""
    return min(error.retry_after or 0.5 * 2**tries, HOLD_CAP_SECONDS)
