"""How do the sweeps and audits grow with the site, and when is one longer than its interval?

Each is done as a worker does it, in a transaction that is undone; seconds are of a core, of worker
and database together. What they would take at ten and a hundred times the largest site that was
measured follows from the power by which they grew from the one before.
"""

import math
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from bench.harness.cpu import Cpu

from .ground import SCALES, made_site, say
from .results import Cell, Found, load

TURNS = 3
PROOFS = 1_000
STORED = 1_000
Work = Callable[[], object]


class _Undone(Exception):
    """What was done is measured and not wanted."""


def run(scale: str) -> Found:
    """Measure on this scale; the table is of all scales that were measured so far."""
    with made_site(scale, is_shared=True):
        seconds = {}
        for name, (work, _interval, turns) in _works().items():
            seconds[name] = _best(work, turns)
            say(f"{name}: {seconds[name]:.3f} s")
        intervals = {name: interval for name, (_work, interval, _turns) in _works().items()}
    facts: dict[str, Any] = dict(load().get("sweeps", {}).get("facts", {}))
    facts[scale] = seconds
    facts["intervals"] = intervals
    measured = [each for each in SCALES if each in facts]
    rows = [_row(name, facts, measured, intervals[name]) for name in intervals]
    columns = ["", "at most", *(f"{each}, s" for each in measured), "grows by the power",
               "ten times the last, s", "a hundred times, s"]  # fmt: skip
    return Found(columns, rows, facts)


def _row(name: str, facts: Any, measured: list[str], interval: float | None) -> list[Cell]:
    found = [facts[each].get(name) for each in measured]
    last = found[-1]
    power = _power(found)
    further: list[Cell] = [None, None]
    if power is not None and last is not None:
        further = [last * 10**power, last * 100**power]
    at_most = f"every {interval:,.0f} s" if interval else "–"
    return [name, at_most, *found, power, *further]


def _power(found: list[float | None]) -> float | None:
    """By the last two: what is small is mostly a round trip."""
    if len(found) < 2 or not found[-1] or not found[-2]:
        return None
    return round(max(0.0, math.log10(found[-1] / found[-2])), 2)


def _best(work: Work, turns: int) -> float:
    from django.db import transaction

    best, cpu = math.inf, Cpu()
    for _turn in range(turns):
        began = cpu.now()
        try:
            with transaction.atomic():
                work()
                best = min(best, cpu.now() - began)
                raise _Undone
        except _Undone:
            pass
    return best


def _works() -> dict[str, tuple[Work, float | None, int]]:
    """{name: (what is done, every so many seconds, how often it is measured)}."""
    from django.conf import settings
    from django.utils import timezone

    from projects.outgoing import feeding
    from projects.outgoing.letters import write_letters
    from quotas.actions.calendar import end_projects, warn_of_loan_ends, warn_of_project_ends
    from quotas.actions.emptying import empty_closing, end_loans
    from quotas.actions.ends import warn_of_ends
    from quotas.actions.escalation import escalate_due, remind_due
    from quotas.actions.orphans import offer_orphans
    from quotas.actions.rerouting import unrouted
    from quotas.actions.usage_days import add_up
    from quotas.delivery import leases, observe, roles
    from quotas.queries.accounts import audit

    now = timezone.now()
    observing = settings.OBSERVE_SWEEP_SECONDS
    calendar = settings.CALENDAR_SECONDS

    def look() -> None:
        observe.stale_in_turn(observe.batch_size(observing))

    def routes() -> None:
        list(unrouted(now))

    def waiting() -> None:
        remind_due(now)
        escalate_due(now)

    def days() -> None:
        warn_of_project_ends(now)
        warn_of_loan_ends(now)
        end_projects(now)

    def emptying() -> None:
        empty_closing(now, 0)
        end_loans(now, 0)

    return {
        "due targets": (partial(leases.due_in_turn, 500), settings.SWEEP_SECONDS, TURNS),
        "feeding webhooks": (partial(feeding.write_all, now), settings.SWEEP_SECONDS, TURNS),
        "notices into letters": (partial(write_letters, now), settings.SWEEP_SECONDS, TURNS),
        "stale targets": (look, observing, TURNS),
        "lines that wait for nobody": (routes, 30.0, TURNS),
        "reminders and escalation": (waiting, 60.0, TURNS),
        "strays among roles": (roles.wake_strays, 300.0, TURNS),
        "authority that ends": (partial(warn_of_ends, now), 21_600.0, TURNS),
        "calendar of projects and loans": (days, calendar, TURNS),
        "what can be taken back": (emptying, calendar, TURNS),
        "projects without an owner": (partial(offer_orphans, now), calendar, TURNS),
        f"a survey's answer stored, {STORED:,} projects": (
            _storing(), settings.OBSERVE_SECONDS, TURNS),
        "a day of use added up": (partial(add_up, now.date() - timedelta(days=1)), 900.0, 1),
        "audit_ledger": (audit, None, 1),
        f"verify_decisions, {PROOFS:,} decisions": (_proofs, None, 1),
    }  # fmt: skip


def _proofs() -> None:
    from quotas.models import Decision
    from quotas.queries.verifying import verify

    moments = Decision.objects.order_by("-at").values_list("at", flat=True)
    for _finding in verify(since=moments[min(PROOFS, moments.count()) - 1]):
        pass


def _storing() -> Work:
    """Put what a survey of one endpoint told beside its targets, a half of it news."""
    from django.utils import timezone

    from quotas.backends.base import Figure, Survey
    from quotas.delivery import surveys
    from quotas.delivery.comparing import Surveyed, known_readings, wanted_of
    from quotas.models import Endpoint, Limit, Target

    endpoint = Endpoint.objects.filter(identity__isnull=False).order_by("pk")[0]
    limits = list(Limit.objects.filter(endpoint=endpoint).order_by("pk"))
    rows = list(
        Target.objects.filter(endpoint=endpoint).select_related("project").order_by("pk")[:5_000]
    )
    # Those that are as they should be, as nearly all are.
    wanted = wanted_of(limits, [each.project_id for each in rows])
    known = known_readings([each.pk for each in rows])
    targets: list[Surveyed] = []
    for row in rows:
        seen = {key: reading.limit_seen for key, reading in known.get(row.pk, {}).items()}
        if len(targets) < STORED and all(
            seen.get(each.pk) == wanted.get((row.project_id, each.pk), 0) for each in limits
        ):
            row.endpoint = endpoint
            targets.append(Surveyed(row, str(row.pk)))
    say(f"{len(targets):,} targets are as they should be")
    keys = frozenset(each.key for each in limits)

    def has(each: Surveyed, limit: Limit) -> bool:
        return wanted.get((each.target.project_id, limit.pk), 0) >= limit.step

    def work() -> None:
        # Never above a limit: that would be drift.
        drawn = time.time_ns() % 2
        figures = {
            each.external_id: {
                limit.key: Figure(None, drawn * has(each, limit), 0) for limit in limits
            }
            for each in targets
        }
        found = Survey(figures, counted=keys, bounded=frozenset())
        for start in range(0, len(targets), surveys.SLICE):
            surveys._keep(
                targets[start : start + surveys.SLICE], found, limits, timezone.now()
            )  # fmt: skip

    return work
