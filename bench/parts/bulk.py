"""A hundred requests approved at once, beside the same person who approves such one by one.

One client on one clock: a single approval lasts from the press of its button to the answer, the
hundred from the press of theirs until their job is seen to have ended. Singles are done before and
after; all are open requests of the site's own, of the same units one after the other.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median

from bench.harness.client import Client, check
from bench.harness.people import Who, sign_in
from bench.harness.places import CACHE, HOST, ROOT
from bench.harness.report import Site
from bench.harness.rows import Figure
from portal.celery import NOTIFY, WORKER_ARGUMENTS
from portal.lib.servers.process import Child
from portal.testing.waiting import wait_until
from quotas.models import Job, QuotaRequest
from quotas.states import JobState, LineState

from .chosen import shown_of

SINGLES = 10
BULK_SECONDS = 300.0
# Looking takes from who works: the job's page is read this often, its row by the client's clock.
PROGRESS_SECONDS = 0.1
LOOK_SECONDS = 0.05


def bulk_figures(site: Site, who: Who, port: int) -> list[Figure]:
    """The ratio to the median of the singles, and how often progress was told; [] on a small site.

    Raises AssertionError where not all of the hundred, or too few singles, are open.
    """
    if not who.bulk or len(who.alone) < 2 * SINGLES:
        return []
    check_open([*who.bulk, *who.alone])
    root = Client(HOST, port, sign_in(who.root))
    with worker(site.environment):
        singles = [_approve(root, each) for each in who.alone[:SINGLES]]
        seconds, told = _together(root, shown_of(who.bulk))
        singles += [_approve(root, each) for each in who.alone[SINGLES : 2 * SINGLES]]
    alone = median(singles)
    return [
        Figure("bulk of 100", site.scale, ratio=seconds / alone, value=seconds, unit="s"),
        Figure("bulk of 100, one alone", site.scale, value=1000 * alone, unit="ms"),
        Figure("bulk of 100, progress", site.scale, value=told, unit="steps seen"),
    ]


def check_open(numbers: Sequence[int]) -> None:
    """Raise AssertionError unless each of these requests waits."""
    waiting = QuotaRequest.objects.filter(pk__in=numbers, lines__state=LineState.OPEN).distinct()
    if (count := waiting.count()) != len(numbers):
        raise AssertionError(f"{count} of the {len(numbers)} requests to be decided are open")


def _approve(root: Client, number: int) -> float:
    """Seconds of one approval as asked, as from its row in the queue."""
    (shown,) = shown_of([number])
    address = f"/decide/{number}/approve/"
    answer = check(root.post(address, {"shown": shown, "do": "asked"}), address, 302)
    _check_decided(number)
    return answer.seconds


def _check_decided(number: int) -> None:
    if QuotaRequest.objects.filter(pk=number, lines__state=LineState.OPEN).exists():
        raise AssertionError(f"#{number} was not approved, which takes no time")


def _together(root: Client, shown: list[str]) -> tuple[float, int]:
    """Seconds until the last is decided, and how many different states its page told."""
    began = time.monotonic()
    answer = check(
        root.post("/decide/many/", {"do": "approve", "confirmed": "yes", "request": shown}),
        "/decide/many/", 302,
    )  # fmt: skip
    address = f"{answer.location}progress/"
    job = Job.objects.get(pk=int(answer.location.rstrip("/").rpartition("/")[2]))
    told: set[bytes] = set()
    read_at = began

    def has_ended() -> bool:
        nonlocal read_at
        if Job.objects.filter(pk=job.pk, state=JobState.ENDED).exists():
            return True
        if time.monotonic() - read_at > PROGRESS_SECONDS:
            told.add(_head(check(root.get(address), address, 200).body))
            read_at = time.monotonic()
        return False

    wait_until(has_ended, BULK_SECONDS, "the job has ended", every=LOOK_SECONDS)
    seconds = time.monotonic() - began
    told.add(_head(check(root.get(address), address, 200).body))
    refused = job.items.exclude(state="done").count()
    if refused:
        raise AssertionError(f"{refused} of {len(shown)} were refused, which takes no time")
    return seconds, len(told)


def _head(body: bytes) -> bytes:
    """What the page says of how far it is."""
    return body.partition(b'id="progress-head"')[2].partition(b"</h2>")[0]


@contextmanager
def worker(environment: Mapping[str, str]) -> Iterator[Child]:
    """A worker of the queue that jobs are in, for as long as the block lasts."""
    log = CACHE / f"worker-{os.getpid()}.log"
    child = Child(
        [sys.executable, "-m", "celery", "--app", "portal", *WORKER_ARGUMENTS,
         f"--queues={NOTIFY}", "--concurrency=1"],
        log=log, cwd=ROOT, env=os.environ | dict(environment),
    )  # fmt: skip
    try:
        wait_until(lambda: b" ready." in log.read_bytes(), 60, "the worker is ready")
        yield child
    finally:
        child.kill()
        log.unlink(missing_ok=True)
