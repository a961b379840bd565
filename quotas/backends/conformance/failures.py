"""What a driver makes of a service that fails: sorted, on time, sent once."""

import time

import pytest

from quotas.backends import BackendError, Kind, QuotaDriver
from quotas.backends.conformance.relay import (
    Relay,
    Reply,
    Trouble,
    another_service,
    failure,
    nobody,
    web_page,
)
from quotas.backends.conformance.subject import Subject
from quotas.backends.conformance.suite import PATIENCE, Suite, limits_read, refusal

HURRY = 0.5
"""Seconds for a call that is to run out of time."""

SLACK = 3.0
"""Seconds that a busy machine may add to the end of a call."""


def _named(value: object) -> str | None:
    if isinstance(value, Trouble):
        return value.name.lower()
    return f"{value.status}-{value.headers['Content-Type']}" if isinstance(value, Reply) else None


TROUBLES: list[tuple[Trouble | Reply, tuple[Kind, str], bool]] = [
    # What happens, what it is sorted into, and whether a write may have been done.
    (Trouble.SILENT, (Kind.UNREACHABLE, "timeout"), True),
    (Trouble.SILENT_AFTER, (Kind.UNREACHABLE, "timeout"), True),
    (Trouble.DROPPED, (Kind.UNREACHABLE, "dropped"), True),
    (Trouble.DROPPED_AFTER, (Kind.UNREACHABLE, "dropped"), True),
    (failure(503, retry_after=7), (Kind.TRANSIENT, "unavailable"), True),
    (failure(500), (Kind.TRANSIENT, "server_error"), True),
    (failure(429, retry_after=7), (Kind.TRANSIENT, "rate_limited"), False),
    (web_page(), (Kind.TRANSIENT, "broken_answer"), True),
    (another_service(), (Kind.TRANSIENT, "broken_answer"), True),
]


class FailureConformance(Suite):
    """What a driver makes of a service that fails: sorted, on time, sent once."""

    def test_nobody_there_is_unreachable_and_nothing_was_done(self, subject: Subject) -> None:
        project = subject.new_project()
        with nobody() as address:
            driver = subject.driver(address)
            with pytest.raises(BackendError) as read:
                driver.read(project, subject.keys, timeout=PATIENCE)
            with pytest.raises(BackendError) as written:
                driver.write(project, {subject.keys[0]: 1}, timeout=PATIENCE)
        assert refusal(read.value) == (Kind.UNREACHABLE, "no_connection")
        assert refusal(written.value) == (Kind.UNREACHABLE, "no_connection")
        assert not written.value.uncertain

    @pytest.mark.parametrize(("what", "sorted_as", "is_uncertain"), TROUBLES, ids=_named)
    def test_a_call_that_fails_is_sorted_in_time_and_sent_once(
        self,
        driver: QuotaDriver,
        subject: Subject,
        project: str,
        relay: Relay,
        what: Trouble | Reply,
        sorted_as: tuple[Kind, str],
        is_uncertain: bool,
    ) -> None:
        key = subject.keys[0]
        # Signed in, and versions asked for: what follows is the call itself.
        driver.read(project, [key], timeout=PATIENCE)
        timeout = HURRY if sorted_as[1] == "timeout" else PATIENCE
        wanted = {key: subject.amounts(driver, key)[0]}
        for is_write in (False, True):
            relay.forget()
            began = time.monotonic()
            with relay.trouble(what, writes=is_write), pytest.raises(BackendError) as excinfo:
                if is_write:
                    driver.write(project, wanted, timeout=timeout)
                else:
                    driver.read(project, [key], timeout=timeout)
            if timeout == HURRY:
                assert time.monotonic() - began < HURRY + SLACK
            assert refusal(excinfo.value) == sorted_as
            assert excinfo.value.uncertain is (is_write and is_uncertain)
            # What met trouble is the last that is sent: nothing again, and nothing after it.
            troubled = [call for call in relay.calls if call.is_write is is_write]
            assert len(troubled) == 1
            assert relay.calls[-1] is troubled[0]
            if isinstance(what, Reply) and "Retry-After" in what.headers:
                assert excinfo.value.retry_after == 7
            assert len(relay.writes()) == int(is_write)
        # Whatever it was, the next call is as good as any, and the last one does not come late.
        relay.forget()
        driver.write(project, wanted, timeout=PATIENCE)
        assert limits_read(driver, project, [key]) == wanted
        assert len(relay.writes()) <= 1
