"""How fast workers make decisions true, beside a bare client that makes the same calls.

On the sandbox with a fixed latency, and on real Nova and Cinder of two releases. Decisions are
booked while the endpoints are paused, then workers begin; the rate is that of the moments at which
changes were called applied. The bare client makes the calls that were seen of Remit, for other
projects, by as many processes as there are of workers; rounds take turns.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.harness.report import Report, Site
from bench.harness.rows import Figure
from contrib.sandbox.control import RunningSandbox, running_sandbox
from contrib.testing import openstack

from .working import bare
from .working.recorded import as_call, filled
from .working.stack import ROOT, Cloud, Stack, sandbox_cloud, standing

SERVICES = ("compute", "volume")
LATENCY_SECONDS = 0.05
AT_ONCE = int(os.environ.get("AT_ONCE") or 4)
# Each has a target of each service of each region: four changes a round.
PROJECTS = int(os.environ.get("PROJECTS") or 12)
ROUNDS = int(os.environ.get("ROUNDS") or 5)
MADE_SECONDS, ROUND_SECONDS = 600.0, 600.0
REAL = "many changes on real OpenStack"
Calls = Mapping[str, Sequence[bare.Call]]
"""{service: the calls of one change there}."""


def run(site: Site, report: Report) -> list[Figure]:
    """The share, by the median of all pairs of rounds; and the rates themselves."""
    figures = []
    with tempfile.TemporaryDirectory() as folder, running_sandbox(Path(folder)) as sandbox:
        cloud = sandbox_cloud(sandbox)
        with standing(cloud, 2 * PROJECTS) as stack:
            _make_projects(stack)
            calls = _recorded(stack, sandbox)
            each = statistics.mean(len(found) for found in calls.values())
            figures.append(Figure("calls of a change", "sandbox", value=each, unit="calls"))
            for service in ("identity", *SERVICES):
                sandbox.set_latency(service, LATENCY_SECONDS)
            size = f"sandbox, {1000 * LATENCY_SECONDS:.0f} ms a call, {AT_ONCE} at once"
            figures += _shares("many changes on a stub", size, stack, calls, report)
    if openstack.INSTALLED.exists():
        with openstack.running():
            real = Cloud(
                openstack.CLOUDS_YAML, openstack.CLOUD, openstack.REGIONS,
                openstack.VOLUME_TYPES[:2],
            )  # fmt: skip
            prefix = f"bench-{int(time.time()):08x}"
            with standing(real, 2 * PROJECTS, prefix=prefix) as stack:
                _make_projects(stack)
                size = f"Xena and 2026.1, {AT_ONCE} at once"
                figures += _shares(REAL, size, stack, calls, report)
    else:
        reason = "OpenStack is not installed here (make cloud)"
        figures.append(Figure(REAL, "real OpenStack", unit="%", reason=reason))
    for figure in figures:
        report.tell(figure)
    return figures


def _make_projects(stack: Stack) -> None:
    stack.start_worker(AT_ONCE)
    stack.start_beat()
    stack.wait_until_applied(MADE_SECONDS)


def _recorded(stack: Stack, sandbox: RunningSandbox) -> Calls:
    """What Remit calls for a change of each service."""
    found = {}
    region = stack.cloud.regions[0]
    external_id = _external_ids(stack)[0]
    for service in SERVICES:
        sandbox.forget_calls()
        _deliver(stack, 1, [region], [service])
        found[service] = [
            as_call(each, external_id)
            for each in sandbox.calls()
            if external_id in each["path"]
        ]  # fmt: skip
    return found


def _shares(work: str, size: str, stack: Stack, calls: Calls, report: Report) -> list[Figure]:
    """Rounds of Remit and of the bare client by turns, on two halves of the projects."""
    theirs = _external_ids(stack)[PROJECTS:]
    types = dict(zip(("storage-a", "storage-b"), stack.cloud.volume_types, strict=True))
    ours, bares = [], []
    for number in range(ROUNDS):
        ours.append(_deliver(stack, PROJECTS, stack.cloud.regions, SERVICES))
        changes = [
            filled(
                calls[service], region=region, external_id=each, names=types, more=number + 1
            )
            for each in theirs
            for region in stack.cloud.regions
            for service in SERVICES
        ]  # fmt: skip
        bares.append(_replay(stack.cloud, changes))
        report.say(f"{work}: {ours[-1]:.2f} a second, a bare client {bares[-1]:.2f}")
    report.keep(work, {"remit": ours, "bare": bares})
    shares = [100 * mine / its for mine, its in zip(ours, bares, strict=True)]
    return [
        Figure(work, size, value=statistics.median(shares), unit="%"),
        Figure(f"{work}, best", size, value=max(shares), unit="%"),
        Figure(f"{work}, Remit", size, value=statistics.median(ours), unit="changes/s"),
        Figure(f"{work}, bare client", size, value=statistics.median(bares), unit="changes/s"),
    ]


def _deliver(stack: Stack, projects: int, regions: Sequence[str], services: Sequence[str]) -> float:
    """Book, let go, wait: how many changes were applied a second, from the first one on."""
    acts = "bench.parts.working.acts"
    told = stack.run(
        acts, "book", "--projects", str(projects), "--regions", *regions, "--services", *services
    )
    count = int(json.loads(told)["changes"])
    stack.run(acts, "release")
    stack.wait_until_applied(ROUND_SECONDS)
    with stack.connect() as database:
        row = database.execute(
            "SELECT extract(epoch FROM max(applied_at) - min(applied_at)) FROM"
            " (SELECT applied_at FROM quotas_delivery ORDER BY id DESC LIMIT %s) AS newest",
            [count],
        ).fetchone()
    seconds = float(row[0]) if row else 0.0
    return (count - 1) / seconds if seconds else 0.0


def _replay(cloud: Cloud, changes: list[list[bare.Call]]) -> float:
    """How many changes a bare client makes a second."""
    work = bare.Work(str(cloud.clouds_yaml), cloud.name, AT_ONCE, changes)
    done = subprocess.run(
        [sys.executable, "-m", "bench.parts.working.bare"],
        cwd=ROOT, input=json.dumps(asdict(work)), stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    told = bare.Done(**json.loads(done.stdout))
    if told.refused:
        raise RuntimeError(f"{told.refused} of {told.calls} calls of the bare client were refused")
    return len(changes) / told.seconds


def _external_ids(stack: Stack) -> list[str]:
    with stack.connect() as database:
        rows = database.execute(
            "SELECT external_id FROM quotas_projecthandle ORDER BY project_id"
        ).fetchall()
    return [str(row[0]) for row in rows]
