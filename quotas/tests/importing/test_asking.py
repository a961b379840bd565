"""A service that is away is given up, and none is waited for as long as it likes."""

import pytest

from quotas.backends.errors import BackendError, Kind
from quotas.delivery.permits import HOLD_CAP_SECONDS
from quotas.importing.asking import MOST_FAILURES, Asking, pause_after
from quotas.models import Endpoint

pytestmark = pytest.mark.django_db


def test_a_service_that_is_away_is_given_up_and_one_that_stumbles_is_not() -> None:
    rows = [
        Endpoint.objects.create(slug=slug, name=slug, driver="nova", cloud="x")
        for slug in ("away", "odd")
    ]
    asking = Asking(tries=1)

    def ask(endpoint: Endpoint, kind: Kind, code: str) -> str:
        def fail() -> None:
            raise BackendError(kind, code, "no")

        with pytest.raises(BackendError) as refused:
            asking.ask(endpoint, fail)
        return refused.value.words

    said = [ask(rows[0], Kind.UNREACHABLE, "timeout") for _turn in range(MOST_FAILURES + 2)]
    assert ["given up" in words for words in said] == [False] * MOST_FAILURES + [True] * 2
    for _turn in range(MOST_FAILURES + 2):
        assert ask(rows[1], Kind.TRANSIENT, "server_error") == "no"
    assert asking.ask(rows[1], lambda: 7) == 7
    assert asking.calls == {"away": MOST_FAILURES, "odd": MOST_FAILURES + 3}


def test_a_wish_for_patience_has_bounds() -> None:
    rude = BackendError(Kind.TRANSIENT, "rate_limited", "later", retry_after=10**30)
    assert pause_after(rude, 1) == HOLD_CAP_SECONDS
