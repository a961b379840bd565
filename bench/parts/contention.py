"""Decisions a second on one envelope, and on one total, beside the same spread over several.

Three people decide at once, each a process of its own, about projects of their own: so they meet
at the envelope, or at the total, alone. Afterwards an envelope with room for a few is fought over,
and ledger and proofs are checked.
"""

import json
import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.harness.report import Report, Site
from bench.harness.rows import Figure
from contrib.sandbox.control import running_sandbox
from contrib.soak.site import DECIDERS, UNITS

from .working.stack import Stack, sandbox_cloud, standing

ALONE, TOGETHER = ("jane", "karl", "lena"), ("gina", "hugo", "ines")
SPREAD = ("geneva.compute-a.vcpu", "geneva.compute-b.vcpu", "prevessin.compute-a.vcpu")
HOT = (SPREAD[0],) * 3
SCARCE, ROOM = "prevessin.compute-b.vcpu", 4
# Decisions of each person in a round.
EACH = int(os.environ.get("EACH") or 20)
ROUNDS = int(os.environ.get("ROUNDS") or 5)
# {case: (who decides, about which offering each)}
CASES: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "spread envelopes": (DECIDERS, SPREAD),
    "one envelope": (DECIDERS, HOT),
    "spread totals": (ALONE, SPREAD),
    "one total": (TOGETHER, SPREAD),
}


def run(site: Site, report: Report) -> list[Figure]:
    """Rates by the median of rounds that take turns; ratios of what is hot to what is spread."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_sandbox(Path(folder)) as sandbox,
        # Half of the projects are of the unit that is asked for; no worker runs.
        standing(sandbox_cloud(sandbox), 2 * 3 * EACH) as stack,
    ):
        stack.run("bench.parts.working.contenders", "people")
        rates: dict[str, list[float]] = {case: [] for case in CASES}
        for _ in range(ROUNDS):
            for case, (people, offerings) in CASES.items():
                rates[case].append(_decide(stack, people, offerings))
                report.say(f"{case}: {rates[case][-1]:.1f} decisions a second")
        over = _fight(stack)
        stack.run("django", "audit_ledger")
        stack.run("django", "verify_decisions")
    report.keep("rates", rates)
    medians = {case: statistics.median(found) for case, found in rates.items()}
    figures = [
        Figure(f"decisions, {case}", "3 at once", value=found, unit="decisions/s")
        for case, found in medians.items()
    ]
    for hot, spread in (("one envelope", "spread envelopes"), ("one total", "spread totals")):
        pairs = [mine / its for mine, its in zip(rates[hot], rates[spread], strict=True)]
        share = statistics.median(pairs)
        figures.append(Figure(f"contention, {hot}", "3 at once", ratio=share))
    figures.append(
        Figure("contention, granted beyond the room", "3 at once", value=over, unit="decisions")
    )
    for figure in figures:
        report.tell(figure)
    return figures


def _decide(stack: Stack, people: Sequence[str], offerings: Sequence[str]) -> float:
    found = _decided(stack, people, offerings, UNITS[0], EACH)
    if found["refused"]:
        raise RuntimeError(f"{found['refused']} decisions were refused")
    return found["granted"] / found["seconds"]


def _fight(stack: Stack) -> int:
    """So many more were granted than an envelope had room for: none. Raises where fewer were."""
    stack.run("django", "fund", "--unit", UNITS[1], f"{SCARCE}={ROOM}")
    found = _decided(stack, DECIDERS, (SCARCE,) * 3, UNITS[1], ROOM)
    over = int(found["granted"]) - ROOM
    if over < 0:
        raise RuntimeError(f"only {found['granted']} of {ROOM} could be granted")
    return over


def _decided(
    stack: Stack, people: Sequence[str], offerings: Sequence[str], unit: str, each: int
) -> Mapping[str, float]:
    asked = json.loads(
        stack.run(
            "bench.parts.working.contenders", "ask", "--unit", unit, "--each", str(each),
            "--offerings", *offerings,
        )
    )  # fmt: skip
    plan = json.dumps(dict(zip(people, asked, strict=True)))
    found: Mapping[str, float] = json.loads(stack.run("bench.parts.working.deciding", plan))
    return found
