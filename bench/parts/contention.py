"""Decisions a second on one envelope, and on one total, beside the same spread over several.

On a made site, by the people of its cast: three decide at once, each a process of its own, about
projects of their own, so that they meet at the envelope, or at the total, alone. Then an envelope
with room for a few is fought over, and ledger and proofs are checked.
"""

import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from bench.harness.places import ROOT
from bench.harness.report import Report, Site
from bench.harness.rows import Figure
from bench.harness.sites import SITES
from bench.site.cast import VCPU, Cast, cast
from bench.site.numbers import HEAD, Numbers, offerings_of, resource_of
from bench.site.sizes import SCALES, Scale

from .working.plans import Decided, Plan

AT_ONCE = 3
# Decisions of each person in a round.
EACH = int(os.environ.get("EACH") or 6)
ROUNDS = int(os.environ.get("ROUNDS") or 4)  # each case is first once
ENVELOPES, ENVELOPE = "spread envelopes", "one envelope"
HEADS, TOTAL = "heads of their own", "one total"
SIZE = f"{AT_ONCE} at once"
# vCPUs of the envelope that is fought over.
ROOM = 20


def run(site: Site, report: Report) -> list[Figure]:
    """Rates by the median of rounds, of which each begins with another case; ratios of what is
    hot to what is spread, round by round; what went beyond an envelope or a total."""
    from django.utils import timezone

    scale = _scale(site.scale)
    numbers, found = Numbers(scale), cast(scale)
    people = cases(numbers, found)
    began, before = timezone.now(), _held(found)
    rates: dict[str, list[float]] = {case: [] for case in people}
    for number in range(ROUNDS):
        order = list(people)
        for case in order[number % len(order) :] + order[: number % len(order)]:
            done = _decide([next(each) for each in people[case]], site)
            if done.refused:
                raise RuntimeError(f"{len(done.refused)} were refused: {done.refused[0]}")
            rates[case].append(done.granted / done.seconds)
            report.say(f"{case}: {rates[case][-1]:.1f} decisions a second")
    over = _overdrawn(before, _held(found)) + _fight(site, numbers, found)
    _audit(began)
    report.keep("rates", rates)
    figures = [
        Figure(f"decisions, {case}", SIZE, value=statistics.median(each), unit="decisions/s")
        for case, each in rates.items()
    ]
    for hot, spread in ((ENVELOPE, ENVELOPES), (TOTAL, HEADS)):
        pairs = [mine / its for mine, its in zip(rates[hot], rates[spread], strict=True)]
        figures.append(Figure(f"contention, {hot}", SIZE, ratio=statistics.median(pairs)))
    figures.append(Figure("contention, beyond envelope or total", SIZE, value=over, unit="vCPUs"))
    for figure in figures:
        report.tell(figure)
    return figures


def cases(numbers: Numbers, found: Cast) -> Mapping[str, Sequence[Iterator[Plan]]]:
    """{case: for each of who decides at once, what they decide round by round}.

    Nobody decides about a project, or in a zone, of who decides beside them, but where they are to
    meet; those of one envelope and of several, and those of one total and of none, are alike.
    """
    spread = found.spread_requests[:AT_ONCE]
    heads: dict[int, list[int]] = defaultdict(list)
    for request, head in found.approvals:
        heads[head].append(request)
    # Nobody's requests are decided in two cases.
    ours = {request for requests, _root in spread for request in requests}
    others = [
        ([each for each in requests if each not in ours], head)
        for head, requests in heads.items() if head != found.hot_head
    ]  # fmt: skip
    in_total = [each for each in found.total_requests if each not in ours]
    hot, half = found.hot_requests, len(found.hot_requests) // 2
    return {
        ENVELOPES: [
            # The hot envelope's second half is for the case where all meet there.
            _rounds(requests[half:] if requests is hot else requests, root)
            for requests, root in spread
        ],
        ENVELOPE: [_rounds(hot[:half][place::AT_ONCE], found.root) for place in range(AT_ONCE)],
        HEADS: [
            _rounds(_apart(numbers, requests, place), head)
            for place, (requests, head) in enumerate(others[:AT_ONCE])
        ],
        TOTAL: [
            _rounds(_apart(numbers, in_total, place), found.hot_head) for place in range(AT_ONCE)
        ],
    }


def _apart(numbers: Numbers, requests: Sequence[int], place: int) -> list[int]:
    """Those of projects, and in zones, that are this person's alone."""
    projects = sorted({numbers.project_of(each) for each in requests})
    own = set(projects[place::AT_ONCE])
    return [
        each for each in requests
        if numbers.project_of(each) in own and numbers.open_zone(each) % AT_ONCE == place
    ]  # fmt: skip


def _rounds(requests: Sequence[int], person: int) -> Iterator[Plan]:
    """As many in each round; raises LookupError where there are not enough."""
    if len(requests) < EACH * ROUNDS:
        raise LookupError(f"{len(requests)} requests are too few for {ROUNDS} rounds of {EACH}")
    for number in range(ROUNDS):
        yield Plan(person, tuple(requests[number * EACH : (number + 1) * EACH]))


def _scale(name: str) -> Scale:
    order = SITES[name]
    scale = SCALES[order.scale]
    return scale if order.open is None else scale.with_open(order.open)


def _decide(plans: Sequence[Plan], site: Site) -> Decided:
    told = subprocess.run(
        [sys.executable, "-m", "bench.parts.working.deciding"], cwd=ROOT, env=site.environment,
        input=json.dumps([asdict(each) for each in plans]), stdout=subprocess.PIPE, text=True,
        check=True,
    )  # fmt: skip
    return Decided(**json.loads(told.stdout))


def _fight(site: Site, numbers: Numbers, found: Cast) -> int:
    """vCPUs that three grant beyond what an envelope has, which has too little for all: none.

    It is made for one unit; raises RuntimeError where nobody got anything, or nobody was refused.
    """
    from django.core.management import call_command

    from projects.models import Unit
    from quotas.models import Account, Offering

    zones: dict[tuple[int, int], list[int]] = defaultdict(list)
    for request, _head in found.approvals:
        zone = numbers.open_zone(request)
        if resource_of(offerings_of(zone)[0]) == VCPU and request not in found.total_requests:
            zones[numbers.unit_of(numbers.project_of(request)), zone].append(request)
    (unit_id, zone), asked = max(zones.items(), key=lambda each: len(each[1]))
    unit, offering = Unit.objects.get(pk=unit_id), offerings_of(zone)[0]
    slug = Offering.objects.get(pk=offering).slug
    call_command("fund", f"{slug}={ROOM}", unit=unit.slug)
    root = numbers.holder(numbers.lineage(unit_id)[0], HEAD)
    left = [each for each in asked if _is_open(each)]
    done = _decide([Plan(root, left[place::AT_ONCE]) for place in range(AT_ONCE)], site)
    if not done.granted or not done.refused:
        raise RuntimeError(f"{done.granted} were granted, {len(done.refused)} refused: no fight")
    return max(0, -Account.objects.get(unit=unit, offering=offering).balance)


def _is_open(request: int) -> bool:
    """Whether nobody has decided it yet."""
    from quotas.models import RequestLine

    return RequestLine.objects.filter(request=request, state="open").exists()


def _held(found: Cast) -> tuple[int, int, int | None]:
    """(what is left in the hot envelope, what the hot total has counted, what it is)."""
    from django.db.models import Sum

    from quotas.models import Account, BoundUse, DelegationBound

    used = BoundUse.objects.filter(bound=found.hot_bound).aggregate(used=Sum("used"))["used"]
    balance = Account.objects.get(pk=found.hot_envelope).balance
    return balance, used or 0, DelegationBound.objects.get(pk=found.hot_bound).total


def _overdrawn(before: tuple[int, int, int | None], after: tuple[int, int, int | None]) -> int:
    """vCPUs below zero or above the total: none. Raises where neither was touched at all."""
    (left_before, used_before, _total), (left, used, total) = before, after
    if left >= left_before or used <= used_before:
        raise RuntimeError("the decisions did not meet at the envelope and the total")
    return max(0, -left) + max(0, used - (total or 0))


def _audit(since: datetime) -> None:
    """The ledger as a whole, and the proofs of what was decided here; raises CommandError."""
    from django.core.management import call_command

    call_command("audit_ledger", quiet=True)
    call_command("verify_decisions", since=since)
