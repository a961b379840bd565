"""How much of its quota a project does not use: what 90 days showed, and what it could return.

Use exists per limit, quota per offering: what a limit that several offerings feed leaves over
is left over once, and shared out among them. Nothing is said where use is not known whole.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from projects.models import Project
from projects.states import DRAWING_ANEW, ProjectState
from quotas.models import (
    Account,
    Contribution,
    Limit,
    Offering,
    Reading,
    RequestLine,
    Transfer,
    TransferKind,
)
from quotas.states import PENDING

WINDOW_DAYS = 90
# What was given to a project so lately is left alone: it may not have come to use it.
LEFT_ALONE_DAYS = 30
# What was not read for so long may be used by now.
FRESH = timedelta(days=3)
# Less than so many per cent of a quota is not worth anybody's time.
LEAST_PERCENT = 10
WORKS = (ProjectState.ACTIVE, ProjectState.SUSPENDED)


@dataclass(frozen=True)
class Evidence:
    """What was seen of the use of a limit: its highest, the one of now, on how many days.

    Base units; `taken`: in use or reserved by the last reading. `promised`: what the project has
    of the limit, in all zones that it counts.
    """

    limit: Limit
    peak: int
    peak_on: date
    day_count: int
    taken: int
    promised: int = 0

    @property
    def keep(self) -> int:
        """What the project should keep of the limit."""
        most = Decimal(max(self.peak, self.taken)) * Decimal(str(settings.RECLAIM_HEADROOM))
        return int(most.to_integral_value(ROUND_CEILING))


@dataclass(frozen=True)
class Unused:
    """What a project could return of one quota, in base units, and what says so."""

    account: Account
    amount: int
    evidence: Evidence

    @property
    def offering(self) -> Offering:
        return self.account.offering

    @property
    def left(self) -> int:
        """What would remain."""
        return self.account.balance - self.amount


@dataclass(frozen=True)
class Held:
    """A quota as the rule sees it: what it feeds, [(limit id, factor)], and its steps."""

    balance: int
    step: int
    feeds: Sequence[tuple[int, int]]


def to_return(held: Mapping[int, Held], free: Mapping[int, int | None]) -> dict[int, int]:
    """{key: how much of it could be returned}, only what is worth it; keys as in `held`.

    free: {limit id: what use leaves over of it}, None where that is not known. Together no more
    of a limit than it leaves over: where its offerings could give more, each gives its share.
    """
    most = {key: _most(each, free) for key, each in held.items()}
    feeding: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for key, each in held.items():
        for limit_id, factor in each.feeds:
            feeding[limit_id].append((key, factor))
    for limit_id, parts in sorted(feeding.items()):
        total = sum(most[key] * factor for key, factor in parts)
        room = max(free[limit_id] or 0, 0)
        if total > room:
            for key, _factor in parts:
                most[key] = most[key] * room // total
    found = {key: _in_steps(held[key], amount) for key, amount in most.items()}
    return {key: amount for key, amount in found.items() if _is_worth_it(held[key], amount)}


def _most(held: Held, free: Mapping[int, int | None]) -> int:
    """What its limits leave over of one quota, were it alone; nothing where one is not known."""
    found = held.balance if held.feeds else 0
    for limit_id, factor in held.feeds:
        room = free[limit_id]
        found = 0 if room is None else min(found, max(room, 0) // factor)
    return found


def _in_steps(held: Held, amount: int) -> int:
    return amount if amount == held.balance else amount // held.step * held.step


def _is_worth_it(held: Held, amount: int) -> bool:
    return amount > 0 and amount * 100 >= held.balance * LEAST_PERCENT


def unused_of(projects: Collection[Project], now: datetime) -> dict[int, list[Unused]]:
    """{project id: what it could return}, for any number of projects; four queries."""
    ids = sorted(each.pk for each in projects if each.state in WORKS)
    accounts = list(_accounts(ids, now))
    feeds = _feeds()
    limits = {limit.pk: limit for parts in feeds.values() for limit, _factor in parts}
    evidence = _evidence(ids, limits, now) if ids else {}
    by_project: dict[int, list[Account]] = defaultdict(list)
    for each in accounts:
        by_project[each.project_id or 0].append(each)
    found = {
        project_id: _unused(project_id, theirs, feeds, evidence)
        for project_id, theirs in by_project.items()
    }
    return {project_id: rows for project_id, rows in found.items() if rows}


def _unused(
    project_id: int,
    accounts: Sequence[Account],
    feeds: Mapping[int, Sequence[tuple[Limit, int]]],
    evidence: Mapping[tuple[int, int], Evidence],
) -> list[Unused]:
    wanted: dict[int, int] = defaultdict(int)
    for each in accounts:
        for limit, factor in feeds.get(each.offering_id, ()):
            wanted[limit.pk] += each.balance * factor
    seen = {limit_id: evidence.get((project_id, limit_id)) for limit_id in wanted}
    free = {
        limit_id: None if (known := seen[limit_id]) is None else amount - known.keep
        for limit_id, amount in wanted.items()
    }
    held = {
        each.pk: Held(
            each.balance,
            each.offering.resource.step,
            [(limit.pk, factor) for limit, factor in feeds.get(each.offering_id, ())],
        )
        for each in accounts
        if not each.is_left_alone  # type: ignore[attr-defined]  # annotated
    }
    amounts = to_return(held, free)
    rows = []
    for each in accounts:
        if each.pk in amounts:
            narrow = min(held[each.pk].feeds, key=lambda part: (free[part[0]] or 0) // part[1])
            known = seen[narrow[0]]
            if known is not None:
                known = replace(known, promised=wanted[narrow[0]])
                rows.append(Unused(each, amounts[each.pk], known))
    return rows


def _accounts(project_ids: Collection[int], now: datetime) -> QuerySet[Account]:
    """Quotas, with whether each is left alone: given to lately, or more is asked for."""
    lately = Transfer.objects.filter(
        credit=OuterRef("pk"), kind__in=(TransferKind.GRANT, TransferKind.LOAN),
        at__gt=now - timedelta(days=LEFT_ALONE_DAYS),
    ).exclude(project_act__kind__in=DRAWING_ANEW)  # fmt: skip
    asked = RequestLine.objects.filter(
        project=OuterRef("project"), offering=OuterRef("offering"), state__in=PENDING
    )
    rows = Account.objects.filter(project__in=project_ids, balance__gt=0)
    rows = rows.filter(offering__resource__is_access=False)
    return (
        rows.annotate(is_left_alone=Exists(lately) | Exists(asked))
        .select_related("offering__resource", "offering__zone__region")
        .order_by(
            "offering__zone__region__order", "offering__zone__order", "offering__zone__slug",
            "offering__resource__order", "pk",
        )
    )  # fmt: skip


def _feeds() -> dict[int, list[tuple[Limit, int]]]:
    """{offering id: what it feeds}; what is enforced nowhere is left out."""
    found: dict[int, list[tuple[Limit, int]]] = defaultdict(list)
    rows = Contribution.objects.filter(limit__left_out_at__isnull=True)
    for each in rows.select_related("limit__endpoint").order_by("pk"):
        found[each.offering_id].append((each.limit, each.factor))
    return found


def _evidence(
    project_ids: Sequence[int], limits: Mapping[int, Limit], now: datetime
) -> dict[tuple[int, int], Evidence]:
    """{(project id, limit id): what was seen}, where that is enough to go by.

    Not where use was seen on too few days, where the last reading is old, and where the service
    cannot look into all that it has at the moment.
    """
    taken = _taken(project_ids, limits, now)
    found = {}
    for project_id, limit_id, peak, peak_on, day_count in _peaks(project_ids, now):
        limit, key = limits.get(limit_id), (project_id, limit_id)
        if limit is None or key not in taken or limit.endpoint.gaps_since is not None:
            continue
        if day_count >= settings.RECLAIM_EVIDENCE_DAYS:
            found[key] = Evidence(limit, peak, peak_on, day_count, taken[key])
    return found


def _taken(
    project_ids: Sequence[int], limits: Mapping[int, Limit], now: datetime
) -> dict[tuple[int, int], int]:
    """{(project id, limit id): in use or reserved}, as lately read.

    A service that has no word for what is reserved reserves nothing.
    """
    rows = Reading.objects.filter(
        target__project__in=project_ids, limit__in=limits, used__isnull=False
    ).select_related("target")
    return {
        (each.target.project_id, each.limit_id): (each.used or 0) + (each.reserved or 0)
        for each in rows
        if each.used_at > now - FRESH
    }


def _peaks(project_ids: Sequence[int], now: datetime) -> Iterable[tuple[int, int, int, date, int]]:
    """(project, limit, highest use, its last day, number of days) within the window."""
    today = timezone.localdate(now, timezone.get_default_timezone())
    with connection.cursor() as cursor:
        cursor.execute(PEAKS, [list(project_ids), today - timedelta(days=WINDOW_DAYS), today])
        return list(cursor.fetchall())


PEAKS = """
    SELECT t.project_id, p.limit_id, max(p.used),
           (array_agg(p.day ORDER BY p.used DESC, p.day DESC))[1], count(*)
    FROM quotas_target t JOIN quotas_usagepeak p ON p.target_id = t.id
    WHERE t.project_id = ANY(%s) AND p.day > %s AND p.day <= %s
    GROUP BY t.project_id, p.limit_id
"""
