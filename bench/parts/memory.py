"""What web and workers hold over an hour of load.

Four people at once use the large site, so that each thread of the web worker has work: three read
all pages in turn, the fourth asks, and withdraws it or has a job decline it. Meanwhile a site of
its own on the sandbox decides and delivers, by a worker that loads drivers. Its figures are no
times, so that it may run beside other things. The first sixth is the warm-up: caches fill, each
page is compiled once. `PACE` is the seconds between two acts of one person (1).
"""

import json
import os
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path

from bench.harness.client import Client, check
from bench.harness.limits import AN_HOUR, HOUR_MINUTES, LARGE
from bench.harness.looks import Look
from bench.harness.memory import pss_mb, slope
from bench.harness.people import sign_in
from bench.harness.places import CACHE, HOST
from bench.harness.report import Report, Site
from bench.harness.rows import Figure
from bench.harness.web import web
from contrib.sandbox.control import running_sandbox

from .bulk import worker
from .idle import change, signed_in
from .verbs import Desk
from .working.stack import ASKER, DECIDER, Stack, sandbox_cloud, standing
from .works import looks, who_is_who

SAMPLE_SECONDS = 30.0
WARM_SHARE = 1 / 6
READERS = 3
PROJECTS = 4
SO_FAR = CACHE / "memory.json"
Act = tuple[str, Callable[[], object]]
Samples = dict[str, list[tuple[float, float]]]
WEB, DELIVERING, JOBS = "web worker", "Celery worker", "Celery worker of jobs"


def run(site: Site, report: Report) -> list[Figure]:
    """The most that each held, and by how much it grew an hour after the warm-up."""
    who = who_is_who(site.scale)
    named = looks(who)
    with ExitStack() as stack:
        server = stack.enter_context(web(site.environment))
        jobs = stack.enter_context(worker(site.environment))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sandbox = stack.enter_context(running_sandbox(folder))
        clouds = stack.enter_context(standing(sandbox_cloud(sandbox), PROJECTS))
        clouds.start_web()
        delivering = clouds.start_worker(1)
        clouds.start_beat()
        clouds.wait_until_applied(180)
        people = [_reads(named, server.port, number) for number in range(READERS)]
        people += [_changes(Desk.of(who, server.port)), _deliveries(clouds)]
        samples, done = watch(
            people, site.minutes * 60, float(os.environ.get("PACE") or 1),
            {
                WEB: lambda: max(map(pss_mb, server.workers)),
                "web master": lambda: pss_mb(server.master.pid),
                DELIVERING: lambda: max(map(pss_mb, delivering.descendants())),
                JOBS: lambda: max(map(pss_mb, jobs.descendants())),
            },
        )  # fmt: skip
    report.keep("samples", {name: samples[name] for name in (WEB, DELIVERING, JOBS)})
    report.keep("masters", {"web master": samples["web master"]})
    report.keep("acts", done)
    report.keep("minutes", site.minutes)
    size = size_of(site.scale, site.minutes)
    found = [
        each
        for name in (WEB, DELIVERING, JOBS)
        for each in figures(name, size, samples[name], site.minutes)
    ]
    for each in found:
        report.tell(each)
    return found


def size_of(scale: str, minutes: float) -> str:
    """With how long it was watched: only an hour of the large site is what the limit is of."""
    if scale == LARGE and minutes >= HOUR_MINUTES:
        return AN_HOUR
    return f"{scale}, {minutes:g} minutes"


def figures(
    name: str, size: str, samples: Sequence[tuple[float, float]], minutes: float
) -> list[Figure]:
    """samples: [(minutes since the start, MB)]. No growth is told of too few of them."""
    warm = [each for each in samples if each[0] >= minutes * WARM_SHARE]
    found = [Figure(name, size, value=max(amount for _, amount in samples), unit="MB")]
    growth = slope(warm)
    if growth is not None:
        found.append(Figure(f"{name}, growth", size, value=60 * growth, unit="MB an hour"))
    return found


def _reads(named: Mapping[str, Look], port: int, number: int) -> Iterator[Act]:
    """All pages in turn, each as who looks at it; readers begin at different ones."""
    clients = {each.person: Client(HOST, port, sign_in(each.person)) for each in named.values()}
    first = number * len(named) // READERS
    for at in islice(cycle(named.values()), first, None):
        yield "reads", partial(_read, clients[at.person], at)


def _changes(desk: Desk) -> Iterator[Act]:
    """A request, and its end: by who asked, or by a job of one, so that its worker has a share."""
    for end in cycle((desk.withdraw, desk.decline_by_job)):
        yield "requests", desk.submit
        yield "ends of requests", end


def _deliveries(stack: Stack) -> Iterator[Act]:
    """Changes that are decided, and applied to the cloud before the next one."""
    asker, decider = signed_in(stack, ASKER), signed_in(stack, DECIDER)
    for number in count():
        yield "deliveries", partial(change, stack, asker, decider, number)


def _read(client: Client, at: Look) -> None:
    if at.posts is None:
        check(client.get(at.address, headers=at.headers), at.address, 200)
    else:
        check(client.post(at.address, at.posts, headers=at.headers), at.address, 200)


def watch(
    people: Sequence[Iterator[Act]], seconds: float, pace: float,
    gauges: Mapping[str, Callable[[], float]],
) -> tuple[Samples, Counter[str]]:  # fmt: skip
    """All act at once until the time is over; samples, and how often each act was done.

    Raises what an act raised.
    """
    began = time.monotonic()
    samples: Samples = defaultdict(list)
    done: Counter[str] = Counter()
    over, failed = threading.Event(), list[BaseException]()

    def live(acts: Iterator[Act]) -> None:
        try:
            for name, act in acts:
                if over.is_set():
                    return
                act()
                done[name] += 1
                over.wait(pace)
        except BaseException as error:  # noqa: BLE001 - told by the one who waits
            failed.append(error)
            over.set()

    threads = [threading.Thread(target=live, args=(each,), daemon=True) for each in people]
    for each in threads:
        each.start()
    while not over.is_set() and time.monotonic() < began + seconds:
        for name, gauge in gauges.items():
            minutes = (time.monotonic() - began) / 60
            samples[name].append((round(minutes, 2), round(gauge(), 2)))
        # An hour that is broken off has told something too.
        SO_FAR.write_text(json.dumps(samples))
        over.wait(min(SAMPLE_SECONDS, max(0.0, began + seconds - time.monotonic())))
    over.set()
    for each in threads:
        each.join()
    if failed:
        raise failed[0]
    return samples, done
