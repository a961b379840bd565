"""What people do: submit, approve, approve and see the queue again, a hundred approved at once.

Each request is asked for and approved here, over and over, so that a site of any size has enough
of them; the hundred are taken from what waits.
"""

import os
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from bench.harness.client import Answer, Client, check
from bench.harness.looks import getting
from bench.harness.pairs import Took, interleaved
from bench.harness.people import sign_in
from bench.harness.places import CACHE, HOST, ROOT
from bench.harness.report import Report, Site
from bench.harness.rows import Figure
from bench.harness.web import web
from portal.celery import NOTIFY, WORKER_ARGUMENTS
from portal.lib.servers.process import Child
from portal.testing.waiting import wait_until
from quotas.models import Job, RequestLine
from quotas.states import JobState, LineState

from .chosen import Asking, askings, shown_of
from .works import FIFTY, Who, who_is_who

PAIRS, LEAST = 60, 15
SECONDS = 40.0
# Enough that each has a decision or two.
PROJECTS = 120
BULK_SECONDS = 300.0
Fields = Mapping[str, str | list[str]]


@dataclass
class Desk:
    """Who asks and who decides, on connections of their own, and what is asked for in turn."""

    askings: deque[tuple[Asking, Client]]
    decider: Client
    floor: Client
    # Who asked last, and the request that it became.
    asker: Client
    number: int = 0

    @classmethod
    def of(cls, who: Who, port: int) -> "Desk":
        found = askings(who, PROJECTS)
        if not found:
            raise AssertionError("Nobody can ask for anything that waits for the decider")
        clients = [Client(HOST, port, sign_in(each.asker)) for each in found]
        key = sign_in(who.decider)
        turns = deque(zip(found, clients, strict=True))
        return cls(turns, Client(HOST, port, key), Client(HOST, port, key), clients[0])

    def submit(self, *, is_counted: bool = False) -> Answer:
        """Ask for one step more in the next project, and be led to the request.

        Where a rule grants it at once, the next project is asked for instead.
        """
        while True:
            about, self.asker = self.askings[0]
            fields: Fields = {
                "do": "send", "project": about.project, "region": about.region,
                f"amount-{about.offering}": "+" + about.step, "reason": "More for the next run",
            }  # fmt: skip
            answer = check(
                self.asker.post("/requests/new/", fields, is_counted=is_counted), "submit", 302
            )
            self.number = int(answer.location.strip("/").rpartition("/")[2])
            if self._open_line() is not None:
                self.askings.rotate(-1)
                return answer
            self.askings.popleft()

    def _open_line(self) -> RequestLine | None:
        rows = RequestLine.objects.select_related("request")
        return rows.filter(request=self.number, state=LineState.OPEN).first()

    def withdraw(self) -> None:
        address = f"/requests/{self.number}/withdraw/"
        check(self.asker.post(address, {}), address, 302)

    def decline_by_job(self) -> None:
        """Have a worker say no to what was asked for last."""
        fields: Fields = {
            "do": "decline", "confirmed": "yes", "reason": "Not now",
            "request": shown_of([self.number]),
        }  # fmt: skip
        check(self.decider.post("/decide/many/", fields), "/decide/many/", 302)

    def approve(self, *, then: str = "", is_counted: bool = False) -> Answer:
        """What was asked for last, as asked; then: "queue" leads back to it."""
        line = self._open_line()
        assert line is not None  # noqa: S101 - it was submitted, and no rule granted it
        fields: Fields = {
            "version": str(line.request.version), "line": str(line.pk), "do": "asked",
            f"seen-{line.pk}": str(line.balance_seen), "then": then,
        }  # fmt: skip
        address = f"/decide/{self.number}/approve/"
        return check(self.decider.post(address, fields, is_counted=is_counted), address, 302)

    def write(self) -> Took:
        """The floor of a change, about the request that was made last."""
        address = f"/floor/write/{self.number}/"
        answer = check(self.floor.post(address, {"text": "More"}), address, 302)
        return Took(answer.seconds, answer.cpu_ms)


def run(site: Site, report: Report) -> list[Figure]:
    """Four works; a hundred at once only where a hundred wait."""
    who = who_is_who(site.scale)
    found = []
    with web(site.environment) as server:
        desk = Desk.of(who, server.port)
        for measure in (submitting, approving, back_to_the_queue):
            found.append(measure(desk, site.scale))
            report.tell(found[-1])
        if who.bulk:
            root = Client(HOST, server.port, sign_in(who.root))
            alone = found[1].pairs
            assert alone is not None  # noqa: S101 - approving has them
            with worker(site.environment):
                bulk = in_bulk(root, shown_of(who.bulk), alone.median_ms / 1000, site.scale)
            found += bulk
            for each in bulk:
                report.tell(each)
    return found


def submitting(desk: Desk, size: str) -> Figure:
    """What is asked for is withdrawn again, which is not counted: it makes room for the next."""

    def submit() -> Took:
        answer = desk.submit()
        desk.withdraw()
        return Took(answer.seconds, answer.cpu_ms)

    submit()
    counted = desk.submit(is_counted=True)
    desk.withdraw()
    pairs = interleaved(submit, desk.write, most=PAIRS, least=LEAST, seconds=SECONDS)
    return Figure("submit", size, pairs, queries=counted.queries, cpu_ms=pairs.cpu_ms)


def approving(desk: Desk, size: str) -> Figure:
    def approve() -> Took:
        desk.submit()
        answer = desk.approve()
        return Took(answer.seconds, answer.cpu_ms)

    desk.submit()
    counted = desk.approve(is_counted=True)
    pairs = interleaved(approve, desk.write, most=PAIRS, least=LEAST, seconds=SECONDS)
    return Figure("approve", size, pairs, queries=counted.queries, cpu_ms=pairs.cpu_ms)


def back_to_the_queue(desk: Desk, size: str) -> Figure:
    """The decision, and the page that its answer leads to, beside one list."""

    def there_and_back() -> Took:
        desk.submit()
        decided = desk.approve(then="queue")
        page = check(desk.decider.get(decided.location), decided.location, 200)
        return Took(decided.seconds + page.seconds, decided.cpu_ms + page.cpu_ms)

    desk.submit()
    counted = desk.approve(then="queue", is_counted=True)
    page = check(desk.decider.get(counted.location, is_counted=True), counted.location, 200)
    pairs = interleaved(
        there_and_back, getting(desk.floor, FIFTY), most=PAIRS, least=LEAST, seconds=SECONDS
    )
    return Figure(
        "approve and back to the queue", size, pairs, queries=counted.queries + page.queries,
        bytes=len(page.body), cpu_ms=pairs.cpu_ms,
    )  # fmt: skip


def in_bulk(decider: Client, shown: list[str], alone: float, size: str) -> list[Figure]:
    """From the press of the button until the last is decided. alone: seconds of one approval."""
    began = time.monotonic()
    answer = check(
        decider.post("/decide/many/", {"do": "approve", "confirmed": "yes", "request": shown}),
        "/decide/many/", 302,
    )  # fmt: skip
    address = f"{answer.location}progress/"
    job = Job.objects.get(pk=int(answer.location.rstrip("/").rpartition("/")[2]))
    told: set[bytes] = set()

    def has_ended() -> bool:
        told.add(_head(check(decider.get(address), address, 200).body))
        return Job.objects.filter(pk=job.pk, state=JobState.ENDED).exists()

    # Looking takes from who works.
    wait_until(has_ended, BULK_SECONDS, "the job has ended", every=0.3)
    job.refresh_from_db()
    assert job.ended_at is not None  # noqa: S101 - its state says so
    refused = job.items.exclude(state="done").count()
    if refused:
        raise AssertionError(f"{refused} of {len(shown)} were refused, which takes no time")
    seconds = (job.ended_at - job.created_at).total_seconds()
    seconds = min(seconds, time.monotonic() - began)
    return [
        Figure("bulk of 100", size, ratio=seconds / alone, value=seconds, unit="s"),
        Figure("bulk of 100, progress", size, value=len(told), unit="steps seen"),
    ]


def _head(body: bytes) -> bytes:
    """What the page says of how far it is."""
    return body.partition(b'id="progress-head"')[2].partition(b"</h2>")[0]


@contextmanager
def worker(environment: Mapping[str, str]) -> Iterator[Child]:
    """A worker of the queue that jobs are in, for as long as the block lasts."""
    log = CACHE / "worker.log"
    log.unlink(missing_ok=True)
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
