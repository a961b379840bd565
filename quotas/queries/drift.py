"""Which clouds differ from what was applied there, how many, and how much of them was read.

What did not answer is never counted as fine: coverage says how old each endpoint's readings
are and how many of its targets could not be read at all.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, F, Min, OuterRef, Q, QuerySet

from projects.queries.viewers import Viewer, visible_projects
from quotas.models import Account, Contribution, Drift, Endpoint, KeptLimit, Offering, Target
from quotas.states import DriftKind, EndpointState

from .accounts import balances, sources
from .surveyed import is_surveyed

# A target that was not read for so many rounds of looking is not up to date.
FRESH_ROUNDS = 2
SHOWN, IGNORED, ENDED = "open", "ignored", "ended"


def drifts() -> QuerySet[Drift]:
    """All, with what their sentences name; `is_kept`: an import found it so and keeps it."""
    kept = KeptLimit.objects.filter(target=OuterRef("target"), limit=OuterRef("limit"))
    return Drift.objects.select_related(
        "target__project__unit", "target__endpoint", "limit", "ignored_by", "restore_asked_by"
    ).annotate(is_kept=Exists(kept))


def visible_drifts(viewer: Viewer) -> QuerySet[Drift]:
    """Those of the projects that a person may see: a limit is part of the project's quota."""
    return drifts().filter(target__project__in=visible_projects(viewer))


def shown_as(show: str, now: Any) -> Q:
    """The condition of one list: open, ignored for now, or ended."""
    if show == ENDED:
        return Q(ended_at__isnull=False)
    is_ignored = Q(ignored_until__isnull=False, ignored_until__gt=now)
    return Q(ended_at__isnull=True) & (is_ignored if show == IGNORED else ~is_ignored)


def drift_counts(endpoints: Iterable[Endpoint], now: datetime) -> dict[int, int]:
    """{endpoint id: how much open drift it has}; what is ignored for now does not count."""
    rows = (
        Drift.objects.filter(
            shown_as(SHOWN, now), target__endpoint__in=[each.pk for each in endpoints]
        )
        .order_by()
        .values_list("target__endpoint")
        .annotate(count=Count("pk"))
    )
    return defaultdict(int, dict(rows))


def kind_counts(rows: QuerySet[Drift]) -> dict[str, int]:
    """{kind: count} in the order of the kinds; kinds without a row are left out."""
    counts = dict(rows.order_by().values_list("kind").annotate(count=Count("pk")))
    return {kind: counts[kind] for kind in DriftKind.values if kind in counts}


def open_drifts(project: Any, now: Any) -> QuerySet[Drift]:
    """Of a project, the oldest first, but for what is ignored for now; project: it, or a slot."""
    return drifts().filter(shown_as(SHOWN, now), target__project=project)


# --- Adopting ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """An offering that could take the difference of an adopted limit; in base units.

    `granted` is what its quota would become, None where that cannot be said in its steps.
    """

    offering: Offering
    factor: int
    balance: int
    granted: int | None
    source: Account | None

    @property
    def change(self) -> int:
        return 0 if self.granted is None else self.granted - self.balance

    @property
    def shortfall(self) -> int:
        """By how much the source is too small; 0 where there is room."""
        if self.source is None:
            return max(self.change, 0)
        return max(self.change - self.source.balance, 0)


def choices_of(drift: Drift) -> list[Choice]:
    """The offerings that feed a drifted limit, with what adopting would make of each."""
    rows = list(
        Contribution.objects.filter(limit=drift.limit)
        .select_related("offering__resource", "offering__zone__region")
        .order_by("offering__zone__slug", "offering__resource__order")
    )
    ids = [each.offering_id for each in rows]
    project = drift.target.project
    held = balances(project, ids)
    above = sources(ids, project.unit.path)
    return [
        Choice(
            offering=each.offering,
            factor=each.factor,
            balance=held.get(each.offering_id, 0),
            granted=_granted(drift, each, held.get(each.offering_id, 0)),
            source=next(iter(above.get(each.offering_id, [])), None),
        )
        for each in rows
    ]


def wanted_by(choices: Iterable[Choice]) -> int:
    """The limit that the quotas of now make together."""
    return sum(each.balance * each.factor for each in choices)


def _granted(drift: Drift, feed: Contribution, balance: int) -> int | None:
    """The quota that makes the limit what was seen; None: not in steps, or below zero."""
    if drift.seen is None or drift.seen < 0 or drift.wanted is None:
        return None
    change, rest = divmod(drift.seen - drift.wanted, feed.factor)
    granted = balance + change
    if rest or granted < 0 or granted % feed.offering.resource.step:
        return None
    return granted


# --- Coverage ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Coverage:
    """How much of an endpoint was looked at: counts of targets, and the oldest reading.

    fresh: read within FRESH_ROUNDS rounds; gone: nothing to read there, as the project is gone
    or disabled; unread: never; unanswered: the last look saw nothing. Whatever is not fresh is
    not known to be fine.
    """

    endpoint: Endpoint
    target_count: int
    fresh_count: int
    gone_count: int
    unread_count: int
    unanswered_count: int
    oldest_at: datetime | None
    drift_count: int

    @property
    def stale_count(self) -> int:
        return self.target_count - self.fresh_count - self.gone_count

    @property
    def is_complete(self) -> bool:
        return self.target_count > 0 and self.stale_count == 0

    @property
    def is_held(self) -> bool:
        """Not looked at, by somebody's word."""
        return self.endpoint.state == EndpointState.PAUSED


def coverage(endpoints: Collection[Endpoint], now: datetime) -> list[Coverage]:
    """The coverage of each endpoint; two queries."""
    fresh_from = now - timedelta(seconds=FRESH_ROUNDS * settings.OBSERVE_SECONDS)
    # Of what is read in one go only use is told each time: the limits as often as one is read.
    each_from = fresh_from - timedelta(seconds=settings.OBSERVE_EACH_SECONDS)
    is_gone = Q(pk__in=_without_project())
    is_fresh = Q(observed_at__gte=fresh_from) | Q(is_surveyed=True, observed_at__gte=each_from)
    rows: dict[int, Mapping[str, Any]] = {
        row["endpoint"]: row
        for row in Target.objects.filter(endpoint__in=[each.pk for each in endpoints])
        .order_by()
        .alias(is_surveyed=is_surveyed())
        .values("endpoint")
        .annotate(
            target_count=Count("pk"),
            fresh_count=Count("pk", filter=is_fresh & ~is_gone),
            gone_count=Count("pk", filter=is_gone),
            unread_count=Count("pk", filter=Q(observed_at__isnull=True)),
            unanswered_count=Count("pk", filter=_unanswered()),
            oldest_at=Min("observed_at"),
        )
    }
    counts = drift_counts(endpoints, now)
    return [_coverage_of(each, rows.get(each.pk), counts[each.pk]) for each in endpoints]


def _coverage_of(endpoint: Endpoint, row: Mapping[str, Any] | None, drift_count: int) -> Coverage:
    found: Mapping[str, Any] = row or {}
    return Coverage(
        endpoint=endpoint,
        target_count=found.get("target_count", 0),
        fresh_count=found.get("fresh_count", 0),
        gone_count=found.get("gone_count", 0),
        unread_count=found.get("unread_count", 0),
        unanswered_count=found.get("unanswered_count", 0),
        oldest_at=found.get("oldest_at"),
        drift_count=drift_count,
    )


def _without_project() -> QuerySet[Target]:
    """Targets at services whose project is gone from its identity service, or disabled there."""
    missing = Drift.objects.filter(
        kind__in=[DriftKind.PROJECT_MISSING, DriftKind.PROJECT_DISABLED], ended_at__isnull=True
    ).values("target")
    return Target.objects.filter(
        project__targets__in=missing, project__targets__endpoint=F("endpoint__identity")
    )


@dataclass(frozen=True)
class Covered:
    """All endpoints together."""

    target_count: int
    fresh_count: int
    gone_count: int
    unanswered_count: int
    oldest_at: datetime | None
    needs_a_look: bool


def together(rows: Collection[Coverage]) -> Covered:
    """The sum; `needs_a_look` where an endpoint is not as it should be."""
    moments = [each.oldest_at for each in rows if each.oldest_at is not None]
    return Covered(
        target_count=sum(each.target_count for each in rows),
        fresh_count=sum(each.fresh_count for each in rows),
        gone_count=sum(each.gone_count for each in rows),
        unanswered_count=sum(each.unanswered_count for each in rows),
        oldest_at=min(moments, default=None),
        needs_a_look=any(
            each.unanswered_count or each.endpoint.state != EndpointState.OPEN for each in rows
        ),
    )


def unanswered(targets: QuerySet[Target]) -> QuerySet[Target]:
    """Those whose last look saw nothing, with what was said; the longest unread first."""
    return (
        targets.filter(_unanswered())
        .select_related("project__unit", "endpoint")
        .order_by(F("observed_at").asc(nulls_first=True), "pk")
    )


def _unanswered() -> Q:
    # An attempt may have read it since.
    is_unread = Q(observed_at__isnull=True) | Q(observed_at__lt=F("looked_at"))
    return ~Q(look_error_code="") & is_unread
