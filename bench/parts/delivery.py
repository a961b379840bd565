"""How fast workers make decisions true, beside a bare client that makes the same calls.

On the sandbox with a fixed latency, and on real Nova and Cinder of two releases. Decisions are
booked while the endpoints are paused; the clock of each runs from the release of the first change
to the end of the last one, its being called applied or its last answer. The bare client works on
other projects, by as many processes as there are of workers; rounds take turns, each first as often
as the other. Both are seen to make the same calls, or it fails.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.harness.report import Report, Site
from bench.harness.rows import Figure
from contrib.proxy.control import running_proxy
from contrib.sandbox.bench_client import BenchClient
from contrib.sandbox.control import running_sandbox
from contrib.testing import openstack

from .working import bare
from .working.recorded import Shape, as_call, filled, shape
from .working.stack import ROOT, Cloud, Stack, sandbox_cloud, standing

SERVICES = ("compute", "volume")
LATENCY_SECONDS = 0.05
AT_ONCE = int(os.environ.get("AT_ONCE") or 4)
# Each has a target of each service of each region: four changes a round, which is so long that its
# first and last moments, with fewer than that at once, are little of it.
PROJECTS = int(os.environ.get("PROJECTS") or 40)
ROUNDS = int(os.environ.get("ROUNDS") or 6)
MADE_SECONDS, ROUND_SECONDS = 600.0, 600.0
# Nobody looks at targets while it is measured: the bare client would not.
REST = {"OBSERVE_SECONDS": "3600", "OBSERVE_EACH_SECONDS": "86400"}
STUB, REAL = "many changes on a stub", "many changes on real OpenStack"
Calls = Mapping[str, Sequence[bare.Call]]
"""{service: the calls of one change there}."""


@dataclass(frozen=True)
class Round:
    """rate: changes a second; cpu_ms: of a change, of whoever makes them, without the cloud's. Of
    Remit workers, beat, database and broker."""

    rate: float
    cpu_ms: float


def run(site: Site, report: Report) -> list[Figure]:
    """The share, by the median of all pairs of rounds; and the rates themselves."""
    figures = on_stub(report)
    if openstack.INSTALLED.exists():
        with openstack.running():
            figures += on_openstack(report)
    else:
        reason = "OpenStack is not installed here (make cloud)"
        figures.append(Figure(REAL, "real OpenStack", unit="%", reason=reason))
    for figure in figures:
        report.tell(figure)
    return figures


def on_stub(report: Report) -> list[Figure]:
    """Calls are counted in every round, as the stub tells them in any case."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_sandbox(Path(folder)) as sandbox,
        standing(sandbox_cloud(sandbox), 2 * PROJECTS, **REST) as stack,
    ):
        stack.start_worker(AT_ONCE)
        stack.start_beat()
        stack.wait_until_applied(MADE_SECONDS)
        calls = _recorded(stack, sandbox)
        each = statistics.mean(len(found) for found in calls.values())
        for service in ("identity", *SERVICES):
            sandbox.set_latency(service, LATENCY_SECONDS)
        size = f"sandbox, {1000 * LATENCY_SECONDS:.0f} ms a call, {AT_ONCE} at once"
        return [
            Figure("calls of a change", "sandbox", value=each, unit="calls"),
            *_shares(STUB, size, stack, calls, report, sandbox),
        ]


def on_openstack(report: Report) -> list[Figure]:
    """Calls are counted once, through a proxy; what is measured meets the services themselves."""
    real = Cloud(
        openstack.CLOUDS_YAML, openstack.CLOUD, openstack.REGIONS, openstack.VOLUME_TYPES[:2]
    )
    prefix = f"bench-{int(time.time()):08x}"
    with (
        tempfile.TemporaryDirectory() as folder,
        standing(real, 2 * PROJECTS, prefix=prefix, **REST) as stack,
    ):
        with running_proxy(Path(folder), real.clouds_yaml, real.name) as proxy:
            stack.cloud = replace(real, clouds_yaml=proxy.clouds_yaml)
            worker = stack.start_worker(AT_ONCE, "counted")
            stack.start_beat()
            stack.wait_until_applied(MADE_SECONDS)
            calls = _recorded(stack, proxy)
            known = _external_ids(stack)
            acts = (lambda: _deliver(stack, 1), lambda: _replay(stack, calls, known[-1:], 0))
            _by_turns(acts, 0, proxy, known)
            worker.kill()
        stack.cloud = real
        stack.start_worker(AT_ONCE)
        size = f"Xena and 2026.1, {AT_ONCE} at once"
        return _shares(REAL, size, stack, calls, report)


def _recorded(stack: Stack, cloud: BenchClient) -> Calls:
    """What Remit calls for a change of each service."""
    found = {}
    region = stack.cloud.regions[0]
    external_id = _external_ids(stack)[0]
    for service in SERVICES:
        cloud.forget_calls()
        _deliver(stack, 1, [region], [service])
        found[service] = [
            as_call(each, external_id) for each in cloud.calls() if external_id in each["path"]
        ]
    return found


def _by_turns(
    acts: Sequence[Callable[[], Round]], first: int, counting: BenchClient | None,
    external_ids: Sequence[str],
) -> list[Round]:  # fmt: skip
    """What both return: Remit's and the bare client's.

    first: the place of who begins; counting: a cloud that tells what was called. Raises
    RuntimeError where one called what the other did not.
    """
    rounds, seen = [Round(0, 0), Round(0, 0)], [Counter[Shape](), Counter[Shape]()]
    for place in (first, 1 - first):
        if counting is not None:
            counting.forget_calls()
        rounds[place] = acts[place]()
        if counting is not None:
            seen[place] = shape(counting.take_calls(), external_ids)
    if seen[0] != seen[1]:
        raise RuntimeError(
            f"Remit called {dict(seen[0] - seen[1])} more, the bare client"
            f" {dict(seen[1] - seen[0])}"
        )
    return rounds


def _shares(
    work: str, size: str, stack: Stack, calls: Calls, report: Report,
    counting: BenchClient | None = None,
) -> list[Figure]:  # fmt: skip
    """Rounds of Remit and of the bare client by turns, on two halves of the projects.

    counting: a cloud that tells what was called.
    """
    everybody = _external_ids(stack)
    theirs = everybody[PROJECTS:]
    _deliver(stack, PROJECTS)  # processes sign in, as the bare client's do before its clock
    ours, bares = [], []
    for number in range(1, ROUNDS + 1):

        def replay(more: int = number) -> Round:
            return _replay(stack, calls, theirs, more)

        acts = (lambda: _deliver(stack, PROJECTS), replay)
        pair = _by_turns(acts, number % 2, counting, everybody)
        ours.append(pair[0])
        bares.append(pair[1])
        report.say(f"{work}: {pair[0].rate:.2f} a second, a bare client {pair[1].rate:.2f}")
    kept = {"remit": ours, "bare": bares}
    report.keep(work, {who: [each.rate for each in rounds] for who, rounds in kept.items()})
    shares = [100 * mine.rate / its.rate for mine, its in zip(ours, bares, strict=True)]
    figures = [
        Figure(work, size, value=statistics.median(shares), unit="%"),
        Figure(f"{work}, best", size, value=max(shares), unit="%"),
    ]
    for who, rounds in {"Remit": ours, "bare client": bares}.items():
        rate = statistics.median(each.rate for each in rounds)
        cpu = statistics.median(each.cpu_ms for each in rounds)
        figures += [
            Figure(f"{work}, {who}", size, value=rate, unit="changes/s"),
            Figure(f"{work}, CPU of {who}", size, value=cpu, unit="ms a change"),
        ]
    return figures


def _deliver(
    stack: Stack, projects: int, regions: Sequence[str] = (), services: Sequence[str] = SERVICES
) -> Round:
    """Book, let go, wait: how many changes were applied a second, from the release on."""
    booked = _act(
        stack, "book", "--projects", str(projects), "--regions",
        *(regions or stack.cloud.regions), "--services", *services,
    )  # fmt: skip
    count, spent = int(booked["changes"]), stack.cpu_seconds()
    began = float(_act(stack, "release")["began"])
    stack.wait_until_applied(ROUND_SECONDS)
    spent = stack.cpu_seconds() - spent
    with stack.connect() as database:
        row = database.execute(
            "SELECT extract(epoch FROM max(applied_at)) FROM"
            " (SELECT applied_at FROM quotas_delivery ORDER BY id DESC LIMIT %s) AS newest",
            [count],
        ).fetchone()
    if row is None or row[0] is None:
        raise RuntimeError("nothing was delivered")
    return Round(count / (float(row[0]) - began), 1000 * spent / count)


def _act(stack: Stack, *arguments: str) -> dict[str, Any]:
    return dict(json.loads(stack.run("bench.parts.working.acts", *arguments)))


def _replay(stack: Stack, calls: Calls, external_ids: Sequence[str], more: int) -> Round:
    """How many changes a bare client makes a second, of each project at each service and region.

    more: than what was recorded is set, so that it is a change.
    """
    cloud = stack.cloud
    types = dict(zip(("storage-a", "storage-b"), cloud.volume_types, strict=True))
    changes = [
        filled(calls[service], region=region, external_id=each, names=types, more=more)
        for each in external_ids
        for region in cloud.regions
        for service in SERVICES
    ]
    work = bare.Work(str(cloud.clouds_yaml), cloud.name, AT_ONCE, changes)
    done = subprocess.run(
        [sys.executable, "-m", "bench.parts.working.bare"],
        cwd=ROOT, input=json.dumps(asdict(work)), stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    told = bare.Done(**json.loads(done.stdout))
    if told.refused:
        raise RuntimeError(f"{told.refused} of {told.calls} calls of the bare client were refused")
    return Round(len(changes) / told.seconds, 1000 * told.cpu_seconds / len(changes))


def _external_ids(stack: Stack) -> list[str]:
    with stack.connect() as database:
        rows = database.execute(
            "SELECT external_id FROM quotas_projecthandle ORDER BY project_id"
        ).fetchall()
    return [str(row[0]) for row in rows]
