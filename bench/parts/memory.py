"""What web and worker hold over an hour of mixed load at a modest pace.

Its figures are no times, so that it may run beside other things. The first sixth is the warm-up:
caches fill, each page is compiled once. `PACE` is the seconds between two acts (1).
"""

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle

from bench.harness.client import Client, check
from bench.harness.memory import pss_mb, slope
from bench.harness.people import sign_in
from bench.harness.places import CACHE, HOST
from bench.harness.report import Report, Site
from bench.harness.rows import Figure
from bench.harness.web import web

from .verbs import Desk, worker
from .works import Look, looks, who_is_who

SAMPLE_SECONDS = 30.0
WARM_SHARE = 1 / 6
# Of ten acts so many change something.
READS = 4
SO_FAR = CACHE / "memory.json"
Samples = dict[str, list[tuple[float, float]]]


def run(site: Site, report: Report) -> list[Figure]:
    """The most that each held, and by how much it grew an hour after the warm-up."""
    who = who_is_who(site.scale)
    pace = float(os.environ.get("PACE") or 1)
    with web(site.environment) as server, worker(site.environment) as celery:
        acts = _acts(looks(who), Desk.of(who, server.port), server.port)
        samples, done = _watch(
            acts, site.minutes * 60, pace,
            {
                "web worker": lambda: max(map(pss_mb, server.workers)),
                "web master": lambda: pss_mb(server.master.pid),
                "Celery worker": lambda: max(map(pss_mb, celery.descendants())),
                "Celery master": lambda: pss_mb(celery.pid),
            },
        )  # fmt: skip
    report.keep("samples", {name: samples[name] for name in ("web worker", "Celery worker")})
    report.keep("masters", {name: samples[name] for name in ("web master", "Celery master")})
    report.keep("acts", done)
    report.keep("minutes", site.minutes)
    found = []
    for name in ("web worker", "Celery worker"):
        found += figures(name, site.scale, samples[name], site.minutes)
    for each in found:
        report.tell(each)
    return found


def figures(
    name: str, size: str, samples: list[tuple[float, float]], minutes: float
) -> list[Figure]:
    """samples: [(minutes since the start, MB)]."""
    warm = [each for each in samples if each[0] >= minutes * WARM_SHARE]
    most = max(amount for _, amount in samples)
    return [
        Figure(name, size, value=most, unit="MB"),
        Figure(f"{name}, growth", size, value=60 * slope(warm), unit="MB an hour"),
    ]


def _acts(named: dict[str, Look], desk: Desk, port: int) -> Iterator[Callable[[], object]]:
    """Reads of all pages in turn, between them a request that is withdrawn or declined.

    Declined by a job of one, so that the worker has its share.
    """
    clients = {each.person: Client(HOST, port, sign_in(each.person)) for each in named.values()}
    reads, ends = cycle(named.values()), cycle((desk.withdraw, desk.decline_by_job))
    while True:
        for _each in range(READS):
            at = next(reads)
            yield partial(_read, clients[at.person], at)
        yield desk.submit
        yield next(ends)


def _read(client: Client, at: Look) -> None:
    if at.posts is None:
        check(client.get(at.address, headers=at.headers), at.address, 200)
    else:
        check(client.post(at.address, at.posts, headers=at.headers), at.address, 200)


def _watch(
    acts: Iterator[Callable[[], object]], seconds: float, pace: float,
    gauges: dict[str, Callable[[], float]],
) -> tuple[Samples, int]:  # fmt: skip
    """Act by act until the time is over, and a sample now and then; and how many acts it were."""
    began = time.monotonic()
    samples: Samples = defaultdict(list)
    next_sample, done = began, 0
    while (now := time.monotonic()) < began + seconds:
        if now >= next_sample:
            next_sample += SAMPLE_SECONDS
            for name, gauge in gauges.items():
                samples[name].append((round((now - began) / 60, 2), round(gauge(), 2)))
            # An hour that is broken off has told something too.
            SO_FAR.write_text(json.dumps(samples))
        next(acts)()
        done += 1
        time.sleep(max(0.0, pace - (time.monotonic() - now)))
    return samples, done
