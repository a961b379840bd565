"""How far a request is: requested, granted, applied, observed; four values, never one.

A line counts as applied only where every one of its deliveries was read back, but for those
that were left out: these are told to be not enforced, and are no check mark by themselves.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Count

from quotas.models import (
    Contribution,
    DecisionLine,
    Delivery,
    Limit,
    QuotaRequest,
    Reading,
    RequestLine,
    Target,
)
from quotas.states import DECIDED, LineState, TargetState

from .accounts import balances
from .troubles import held_by

TROUBLE = (TargetState.RETRYING, TargetState.REFUSED, TargetState.SKIPPED, TargetState.WAITING)


@dataclass(frozen=True)
class Observed:
    """What the narrowest limit that a line feeds was when last read."""

    limit: Limit
    value: int
    read_at: datetime
    is_shared: bool

    @property
    def is_unlimited(self) -> bool:
        return self.value == Reading.UNLIMITED


@dataclass(frozen=True)
class LineProgress:
    """One line with its four values; amounts in base units, None where there is none."""

    line: RequestLine
    balance: int
    decided: DecisionLine | None
    deliveries: tuple[Delivery, ...]
    observed: Observed | None

    @property
    def unit(self) -> str:
        return self.line.offering.resource.quota_unit

    @property
    def before(self) -> int:
        """The quota that the decision met, or the one of now."""
        if self.decided is not None and self.decided.before is not None:
            return self.decided.before
        return self.balance

    @property
    def granted(self) -> int | None:
        return self.decided.granted if self.decided else None

    @property
    def less(self) -> int:
        """By how much less (above zero) than asked for was granted."""
        return 0 if self.granted is None else abs(self.line.wanted - self.granted)

    @property
    def applied_at(self) -> datetime | None:
        """When the last of its deliveries was read back; None while one is missing.

        What was left out is not waited for, and alone it is never applied.
        """
        moments = [each.applied_at for each in self.deliveries if each.left_out_at is None]
        known = [moment for moment in moments if moment is not None]
        return max(known) if known and len(known) == len(moments) else None

    @property
    def waiting(self) -> list[Delivery]:
        return [
            each for each in self.deliveries if each.applied_at is None and each.left_out_at is None
        ]

    @property
    def left_out(self) -> list[Target]:
        """The targets where nothing enforces it, as the service lacks its limits."""
        return [each.target for each in self.deliveries if each.left_out_at is not None]

    @property
    def slowest(self) -> Target | None:
        """The target that a line waits for; one in trouble first."""
        targets = [each.target for each in self.waiting]
        return next(
            (each for each in targets if is_troubled(each)), targets[0] if targets else None
        )


@dataclass(frozen=True)
class Progress:
    """The delivery of a whole request; `left_out` are the limits that are not enforced."""

    lines: tuple[LineProgress, ...]
    left_out: tuple[Limit, ...] = ()

    @property
    def deliveries(self) -> list[Delivery]:
        return [each for line in self.lines for each in line.deliveries]

    @property
    def has_regions(self) -> bool:
        """Whether the lines are of more than one region."""
        return len({line.line.offering.zone.region_id for line in self.lines}) > 1

    @property
    def is_settled(self) -> bool:
        """No line waits for anybody any more."""
        return all(line.line.state in DECIDED for line in self.lines)

    @property
    def total(self) -> int:
        """How many lines have something to deliver, and not left it out."""
        return sum(len(line.deliveries) > len(line.left_out) for line in self.lines)

    @property
    def done(self) -> int:
        return sum(line.applied_at is not None for line in self.lines)

    @property
    def is_done(self) -> bool:
        """Nothing here changes by itself: no line waits for a decision or for a service."""
        waits = any(line.line.state == LineState.OPEN for line in self.lines)
        return not waits and self.done == self.total

    @property
    def troubles(self) -> list[Target]:
        """The targets that somebody should know about, each once."""
        found = {each.target.pk: each.target for line in self.lines for each in line.waiting}
        return [target for target in found.values() if is_troubled(target)]


def is_troubled(target: Target) -> bool:
    """Whether a target will not simply be true in a moment. target: with both its endpoints."""
    return target.state in TROUBLE or held_by(target.endpoint) is not None


def progress_of(quota_request: QuotaRequest) -> Progress:
    """The four values of every line of a request, in a fixed number of queries."""
    lines = list(
        RequestLine.objects.filter(request=quota_request).select_related(
            "offering__resource", "offering__zone__region"
        )
    )
    offering_ids = [line.offering_id for line in lines]
    decided = {
        each.line_id: each
        for each in DecisionLine.objects.filter(
            line__in=lines, granted__isnull=False
        ).select_related("decision", "source__unit")
    }
    deliveries: dict[int, list[Delivery]] = defaultdict(list)
    for delivery in (
        Delivery.objects.filter(decision_line__in=[each.pk for each in decided.values()])
        .select_related("target__endpoint__state_by", "target__endpoint__identity__state_by")
        .order_by("target__endpoint__slug")
    ):
        deliveries[delivery.decision_line_id].append(delivery)
    held = balances(quota_request.project, offering_ids)
    observed = _observed(quota_request, offering_ids)
    progress = Progress(
        tuple(
            LineProgress(
                line=line,
                balance=held.get(line.offering_id, 0),
                decided=decided.get(line.pk),
                deliveries=tuple(deliveries[decided[line.pk].pk]) if line.pk in decided else (),
                observed=observed.get(line.offering_id),
            )
            for line in lines
        )
    )
    return replace(progress, left_out=tuple(_left_out(progress)))


def _left_out(progress: Progress) -> Iterable[Limit]:
    """The limits that the request's lines feed and that were left out; one query if any."""
    by_offering = {
        line.line.offering_id: [target.endpoint_id for target in line.left_out]
        for line in progress.lines
        if line.left_out
    }
    if not by_offering:
        return []
    found = Contribution.objects.filter(
        offering__in=by_offering, limit__left_out_at__isnull=False
    ).select_related("limit__endpoint")
    limits = {
        row.limit_id: row.limit
        for row in found.order_by("limit__endpoint__slug", "limit__key")
        if row.limit.endpoint_id in by_offering[row.offering_id]
    }
    return limits.values()


def _observed(quota_request: QuotaRequest, offering_ids: Sequence[int]) -> dict[int, Observed]:
    """{offering id: the reading of the narrowest limit that it feeds}."""
    rows = (
        Contribution.objects.filter(offering__in=offering_ids)
        .annotate(feeders=Count("limit__contributions"))
        .select_related("limit__endpoint")
        .order_by("feeders", "factor", "-limit__order", "limit__key")
    )
    narrowest: dict[int, tuple[Limit, int]] = {}
    for row in rows:
        narrowest.setdefault(row.offering_id, (row.limit, row.feeders))
    readings = {
        reading.limit_id: reading
        for reading in Reading.objects.filter(
            target__project=quota_request.project_id,
            limit__in=[limit.pk for limit, _feeders in narrowest.values()],
            limit_seen__isnull=False,
        )
    }
    return {
        offering_id: Observed(
            limit, readings[limit.pk].limit_seen or 0, readings[limit.pk].read_at, feeders > 1
        )
        for offering_id, (limit, feeders) in narrowest.items()
        if limit.pk in readings
    }


@dataclass(frozen=True)
class Done:
    """How many of a request's services are done, for lists."""

    done: int
    total: int
