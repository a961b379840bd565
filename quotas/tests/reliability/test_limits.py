"""Two processes answer, and count the calls of a token together: not one more gets through."""

import os
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from portal.testing.processes import RunningSite, running_site
from portal.testing.servers import DatabaseCopy
from portal.testing.waiting import wait_until
from quotas.tests.reliability.test_once_killed import workers_of
from quotas.tests.site import make_site
from quotas.tests.test_tokens import token_for

BURST, THREADS = 40, 8
# At one a minute none comes back while this runs, unless it takes a minute.
SETTINGS = {
    "API_RATE_PER_MINUTE": "1", "API_RATE_BURST": str(BURST),
    "GUNICORN_CMD_ARGS": "--workers 2", "LIMITS_SOCKET_TIMEOUT": "1",
}  # fmt: skip


def call(running: RunningSite, token: str) -> tuple[int, str]:
    """The status, and what "RateLimit" says is left."""
    request = urllib.request.Request(
        f"{running.url}/api/v1/me/", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers["RateLimit"].split(";")[1]
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers["RateLimit"].split(";")[1]


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_two_processes_count_as_one(database_copy: DatabaseCopy, tmp_path: Path) -> None:
    now = timezone.now()
    site = make_site(now - timedelta(days=1))
    _token, text = token_for(site.alice)
    with running_site(database_copy, tmp_path / "none.yaml", **SETTINGS) as running:
        web = running.start_web()
        wait_until(lambda: len(workers_of(web)) == 2, 30, "both are there")
        first, second = workers_of(web)
        with stopped(first):
            told = [call(running, text) for _each in range(5)]
        with stopped(second):
            told += [call(running, text) for _each in range(5)]
        assert told == [(200, f"r={BURST - 1 - number}") for number in range(10)]

        def run() -> None:
            for _each in range(BURST // THREADS):
                told.append(call(running, text))

        threads = [threading.Thread(target=run) for _each in range(THREADS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(timeout=60)
    more = int((timezone.now() - now).total_seconds() // 60)
    allowed = [left for status, left in told if status == 200]
    assert len(told) == BURST + 10
    assert BURST <= len(allowed) <= BURST + more
    assert {status for status, _left in told} == {200, 429}
    if not more:
        assert len(set(allowed)) == BURST, "no two calls were given the same place"
