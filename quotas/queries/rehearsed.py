"""What an action on a request did, read before it is undone: lines, whom they wait for, limits.

Asked inside the transaction of the action, against a `Ground` that was read before it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from projects.models import Project
from projects.queries.viewers import Viewer
from quotas.models import (
    Account,
    Contribution,
    Decision,
    DecisionLine,
    Limit,
    QuotaRequest,
    RequestLine,
    Target,
)
from quotas.states import LineState, RequestState

from .accounts import balances, nearest_sources
from .plan import PlanLimit, Show, Verdict, plan_of
from .requests import states_of
from .waiting_for import LineWait, waiting_of

# Of lines that were over before, an action says nothing.
NOT_OVER = (LineState.DRAFT, LineState.OPEN, LineState.RETURNED)


@dataclass(frozen=True)
class Ground:
    """What was so before. balances: {offering id: quota}; generations: {target id: number};
    decision_id: of the newest decision on the request, 0: of none."""

    balances: Mapping[int, int]
    generations: Mapping[int, int]
    decision_id: int


@dataclass(frozen=True)
class RehearsedLine:
    """What became of one line. before: the quota then; source: what pays, or would.

    decided: what was decided about it by the action; waits: why it still waits, if it is open.
    """

    line: RequestLine
    before: int
    source: Account | None
    decided: DecisionLine | None
    waits: LineWait | None

    @property
    def asked(self) -> int:
        """By how much the quota changes, or would if it were granted as asked."""
        granted = self.decided.granted if self.decided is not None else None
        return (self.line.wanted if granted is None else granted) - self.before


@dataclass(frozen=True)
class RehearsedLimit:
    """One limit that the lines feed, in base units.

    promised: what the ledger said before, after: what it says now, if_granted: what it would say
    once the open lines are granted as asked. plan: what delivery makes of it, by the last
    reading; None: the project has no target there. is_raised: whether the action sets delivery
    off there.
    """

    limit: Limit
    promised: int
    after: int
    if_granted: int
    plan: PlanLimit | None
    is_raised: bool

    @property
    def is_touched(self) -> bool:
        """Whether it changes, would change, or is written on the way."""
        is_written = self.plan is not None and self.plan.verdict == Verdict.WRITE
        return not self.promised == self.after == self.if_granted or (self.is_raised and is_written)


@dataclass(frozen=True)
class Rehearsed:
    """What an action made of a request: its lines that were not over before it, and limits.

    It is automatic where rules granted all of these.
    """

    state: RequestState
    lines: tuple[RehearsedLine, ...]
    limits: tuple[RehearsedLimit, ...]

    @property
    def is_automatic(self) -> bool:
        return bool(self.lines) and all(
            each.decided is not None and each.decided.decision.policy_version_id is not None
            for each in self.lines
        )


def ground_of(project: Project, quota_request: QuotaRequest | None) -> Ground:
    """Three queries; two for a request that is not there yet. The caller holds the project."""
    targets = Target.objects.filter(project=project).values_list("pk", "generation")
    decided = None
    if quota_request is not None:
        rows = Decision.objects.filter(request=quota_request).order_by("-pk")
        decided = rows.values_list("pk", flat=True).first()
    return Ground(balances(project), dict(targets), decided or 0)


def rehearsed(quota_request: QuotaRequest, ground: Ground, viewer: Viewer) -> Rehearsed:
    """What became of a request, with `project.unit`; a fixed number of queries."""
    lines = _lines(quota_request, ground, viewer)
    return Rehearsed(
        state=states_of([quota_request])[quota_request.pk],
        lines=tuple(lines),
        limits=tuple(_limits(quota_request.project, lines, ground)),
    )


def _lines(quota_request: QuotaRequest, ground: Ground, viewer: Viewer) -> list[RehearsedLine]:
    rows = list(
        RequestLine.objects.filter(request=quota_request)
        .select_related("offering__resource", "offering__zone__region")
        .order_by("pk")
    )
    decided = {
        each.line_id: each
        for each in DecisionLine.objects.filter(
            decision__request=quota_request, decision__gt=ground.decision_id
        ).select_related("decision__person", "decision__policy_version", "source__unit")
    }
    waits = {each.line.pk: each for each in waiting_of(quota_request, viewer).lines}
    path = quota_request.project.unit.path
    paying = nearest_sources([line.offering_id for line in rows], path).select_related("unit")
    sources = {each.offering_id: each for each in paying}
    touched = [line for line in rows if line.pk in decided or line.state in NOT_OVER]
    return [
        RehearsedLine(
            line=line,
            before=ground.balances.get(line.offering_id, 0),
            source=_source(decided.get(line.pk)) or sources.get(line.offering_id),
            decided=decided.get(line.pk),
            waits=waits.get(line.pk),
        )
        for line in touched
    ]


def _source(decided: DecisionLine | None) -> Account | None:
    return decided.source if decided is not None else None


def _limits(
    project: Project, lines: Collection[RehearsedLine], ground: Ground
) -> list[RehearsedLimit]:
    """The limits that the lines feed, and what else is written where delivery is set off."""
    feeds, limits = _feeds([each.line.offering_id for each in lines])
    endpoints = {limit.endpoint_id for limit in limits.values()}
    targets = list(
        Target.objects.filter(project=project, endpoint__in=endpoints).select_related("endpoint")
    )
    raised = {
        each.endpoint_id
        for each in targets
        if each.generation != ground.generations.get(each.pk, 0)
    }
    plans = {row.limit.pk: row for plan in plan_of(targets, Show.ALL) for row in plan.limits}
    also = {
        pk: row.limit
        for pk, row in plans.items()
        if row.limit.endpoint_id in raised and row.verdict == Verdict.WRITE
    }
    more, __ = _feeds_of(set(also) - set(limits))
    feeds, limits = feeds | more, also | limits
    after = balances(project)
    open_change = {
        each.line.offering_id: each.asked
        for each in lines
        if each.line.state in (LineState.OPEN, LineState.DRAFT)
    }
    hoped = {
        pk: after.get(pk, 0) + open_change.get(pk, 0) for pk in after.keys() | open_change.keys()
    }
    found = [
        RehearsedLimit(
            limit=limit,
            promised=_sum(feeds[pk], ground.balances),
            after=_sum(feeds[pk], after),
            if_granted=_sum(feeds[pk], hoped),
            plan=plans.get(pk),
            is_raised=limit.endpoint_id in raised,
        )
        for pk, limit in limits.items()
    ]
    kept = [each for each in found if each.is_touched]
    return sorted(kept, key=_place)


def _place(row: RehearsedLimit) -> tuple[str, int, str]:
    return row.limit.endpoint.slug, row.limit.order, row.limit.key


Feeds = dict[int, list[Contribution]]


def _feeds(offering_ids: Collection[int]) -> tuple[Feeds, dict[int, Limit]]:
    """{limit id: all that feeds it} for every limit that these offerings feed."""
    fed = Contribution.objects.filter(offering__in=offering_ids).values("limit")
    return _feeds_of(fed)


def _feeds_of(limit_ids: Any) -> tuple[Feeds, dict[int, Limit]]:
    feeds: Feeds = defaultdict(list)
    limits: dict[int, Limit] = {}
    rows = Contribution.objects.filter(limit__in=limit_ids).select_related("limit__endpoint")
    for row in rows:
        feeds[row.limit_id].append(row)
        limits[row.limit_id] = row.limit
    return dict(feeds), limits


def _sum(rows: Collection[Contribution], held: Mapping[int, int]) -> int:
    return sum(held.get(row.offering_id, 0) * row.factor for row in rows)
