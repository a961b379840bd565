"""How do the sweeps and audits grow with the site, and when is one longer than its interval?

Each is done as a worker does it, in a transaction that is undone; seconds are of a core, of worker
and database together. What they would take on a site of ten and a hundred times the largest
lies between the power by which they grew last and growth in proportion to the site.
"""

import math
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from bench.harness.cpu import Cpu

from .ground import SCALES, read_site, say
from .results import Cell, Found, load, shown

TURNS = 3
PROOFS = 1_000
STORED = 1_000
_AS_GOOD_AS_ONE = 0.05
# As many on any site.
STORING = f"a survey's answer stored, {STORED:,} projects"
PROVING = f"verify_decisions, {PROOFS:,} decisions"
Work = Callable[[], int | None]
"""How much there was to do; None: what is looked at is all there is."""


class _Undone(Exception):
    """What was done is measured and not wanted."""


def run(scale: str) -> Found:
    """Measure on this scale; the table is of all scales that were measured so far."""
    seconds, counts = {}, {}
    with read_site(scale):
        works = _works()
        for name, (work, _interval, turns) in works.items():
            seconds[name], counts[name] = _best(work, turns)
            say(f"{name}: {seconds[name]:.3f} s for {counts[name]}")
    facts: dict[str, Any] = dict(load().get("sweeps", {}).get("facts", {}))
    done = {name: "all" if count is None else count for name, count in counts.items()}
    facts[scale] = {"seconds": seconds, "done": done}
    facts["intervals"] = {name: interval for name, (_work, interval, _turns) in works.items()}
    measured = [each for each in SCALES if each in facts]
    rows = [_row(name, facts, measured, interval) for name, interval in facts["intervals"].items()]
    columns = ["", "at most", *(f"{each}, s" for each in measured), "how many there were",
               "grew by the power", "ten times the last, s", "a hundred times, s"]  # fmt: skip
    return Found(columns, rows, facts)


def _row(name: str, facts: Any, measured: list[str], interval: float | None) -> list[Cell]:
    found = [facts[each]["seconds"].get(name) for each in measured]
    counts = [facts[each]["done"][name] for each in measured if name in facts[each]["done"]]
    count = counts[-1] if counts else None
    power = _power(found)
    at_most = f"every {interval:,.0f} s" if interval else None
    if count == 0:
        # What a question costs that finds nothing tells nothing of one that does.
        return [name, at_most, *found, "nothing due", None, None, None]
    further: list[Cell] = [None, None]
    if power is not None and name in (STORING, PROVING):
        further = [found[-1] * 10**power, found[-1] * 100**power]
    elif power is not None:
        further = [_range(found[-1], power, 10), _range(found[-1], power, 100)]
    return [name, at_most, *found, count, power, *further]


def _power(found: list[float | None]) -> float | None:
    """By the last two: what is small is mostly a round trip."""
    if len(found) < 2 or not found[-1] or not found[-2]:
        return None
    return round(max(0.0, math.log10(found[-1] / found[-2])), 2)


def _range(last: float, power: float, times: int) -> str:
    """Two measurements are no law: from what they say to growth in proportion, or the reverse."""
    low, high = sorted((last * times**power, last * float(times)))
    return shown(low) if abs(power - 1) < _AS_GOOD_AS_ONE else f"{shown(low)} to {shown(high)}"


def _best(work: Work, turns: int) -> tuple[float, int | None]:
    """(seconds, how many)."""
    from django.db import transaction

    best, cpu, count = math.inf, Cpu(), None
    for _turn in range(turns):
        began = cpu.now()
        try:
            with transaction.atomic():
                count = work()
                best = min(best, cpu.now() - began)
                raise _Undone
        except _Undone:
            pass
    return best, count


def _works() -> dict[str, tuple[Work, float | None, int]]:
    """{name: (what is done, every so many seconds, how often it is measured)}."""
    from django.conf import settings
    from django.db.models import Exists
    from django.utils import timezone

    from projects.models import Project
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
    from quotas.models import Loan
    from quotas.queries.accounts import audit
    from quotas.queries.orphans import ownerless, past_owners

    now = timezone.now()
    observing = settings.OBSERVE_SWEEP_SECONDS
    calendar = settings.CALENDAR_SECONDS

    # What these two return is how far they came.
    closing = Project.objects.filter(state="closing", closes_on__isnull=True).count()
    lent = Loan.objects.filter(outstanding__gt=0, ends_at__lte=now).count()
    lost = ownerless(now).filter(Exists(past_owners(now))).count()

    def due() -> int:
        return len(leases.due_in_turn(500))

    def look() -> int:
        return len(observe.stale_in_turn(observe.batch_size(observing)))

    def routes() -> int:
        return len(unrouted(now))

    def waiting() -> int:
        return remind_due(now) + escalate_due(now)

    def days() -> int:
        return warn_of_project_ends(now) + warn_of_loan_ends(now) + end_projects(now)

    def emptying() -> int:
        empty_closing(now, 0)
        end_loans(now, 0)
        return closing + lent

    def owners() -> int:
        offer_orphans(now)
        return lost

    def day() -> None:
        add_up(now.date() - timedelta(days=1))

    def ledger() -> None:
        audit()

    return {
        "due targets": (due, settings.SWEEP_SECONDS, TURNS),
        "feeding webhooks": (partial(feeding.write_all, now), settings.SWEEP_SECONDS, TURNS),
        "notices into letters": (partial(write_letters, now), settings.SWEEP_SECONDS, TURNS),
        "stale targets": (look, observing, TURNS),
        "lines that wait for nobody": (routes, 30.0, TURNS),
        "reminders and escalation": (waiting, 60.0, TURNS),
        "strays among roles": (roles.wake_strays, 300.0, TURNS),
        "authority that ends": (partial(warn_of_ends, now), 21_600.0, TURNS),
        "calendar of projects and loans": (days, calendar, TURNS),
        "what can be taken back": (emptying, calendar, TURNS),
        "projects without an owner": (owners, calendar, TURNS),
        STORING: (
            _storing(), settings.OBSERVE_SECONDS, TURNS),
        "a day of use added up": (day, 900.0, 1),
        "audit_ledger": (ledger, None, 1),
        PROVING: (_proofs, None, 1),
    }  # fmt: skip


def _proofs() -> int:
    from quotas.models import Decision
    from quotas.queries.verifying import verify

    moments = Decision.objects.order_by("-at").values_list("at", flat=True)
    for _finding in verify(since=moments[min(PROOFS, moments.count()) - 1]):
        pass
    return PROOFS


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

    def work() -> int:
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
        return len(targets)

    return work
