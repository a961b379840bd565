"""What a survey says of many targets, beside what the ledger wants of them.

Nearly all are as they should be, and for these a few queries for all of them are enough. Only
those that are not are judged one by one, by what judges a reading of one target.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import DecimalField, F, QuerySet, Sum
from django.db.models.functions import Cast

from quotas.actions.targets import wake_targets
from quotas.models import Contribution, Drift, Endpoint, KeptLimit, Limit, Reading, Target
from quotas.states import TargetState

from . import drift, kept
from .observe import LOOKED_AT
from .told import Told, ToldTarget
from .wanted import compare, wanted_limits

_WHOLE = DecimalField(max_digits=60, decimal_places=0)
Readings = Mapping[int, Mapping[int, Reading]]


@dataclass(frozen=True)
class Surveyed:
    """A target as it stood before the survey, and what the cloud calls its project."""

    target: Target
    external_id: str


def surveyed_targets(endpoint: Endpoint) -> list[Surveyed]:
    """The targets that a survey looks at, with what their projects are called there.

    To be asked before the survey begins: what moves meanwhile was read by others.
    """
    rows = (
        Target.objects.filter(
            endpoint=endpoint,
            state__in=LOOKED_AT,
            project__handles__identity=endpoint.identity_id,
        )
        .select_related("project")
        .annotate(external_id=F("project__handles__external_id"))
        .order_by("pk")
    )
    for each in rows:
        each.endpoint = endpoint
    return [Surveyed(each, each.external_id) for each in rows]


def known_readings(target_ids: Collection[int]) -> Readings:
    """{target id: {limit id: its last reading}}; one query."""
    found: dict[int, dict[int, Reading]] = defaultdict(dict)
    for reading in Reading.objects.filter(target__in=target_ids):
        found[reading.target_id][reading.limit_id] = reading
    return found


def wanted_of(limits: Iterable[Limit], project_ids: Collection[int]) -> dict[tuple[int, int], int]:
    """{(project id, limit id): Σ quota × factor}; absent where nothing feeds it. One query."""
    balance = Cast("offering__accounts__balance", _WHOLE)
    rows: QuerySet[Contribution, tuple[int, int, int]] = (
        Contribution.objects.filter(limit__in=limits, offering__accounts__project__in=project_ids)
        .order_by()
        .values_list("offering__accounts__project", "limit")
        .annotate(amount=Sum(balance * F("factor"), output_field=_WHOLE))
    )
    return {(project, limit): int(amount) for project, limit, amount in rows}


def judge_slice(
    some: Collection[Surveyed],
    told: Mapping[int, ToldTarget],
    known: Readings,
    limits: Collection[Limit],
    moment: datetime,
) -> int:
    """Keep what the survey says of drift, and wake what is refused no longer; how many differ.

    known: the readings before this one was stored; moment: when the survey began, by the
    database's clock. What was read since is judged by whoever read it.
    """
    wanted = wanted_of(limits, {each.target.project_id for each in some})
    ids = [each.target.pk for each in some]
    has_more = {
        *Drift.objects.filter(
            target__in=ids, ended_at__isnull=True, limit__isnull=False
        ).values_list("target", flat=True),
        *KeptLimit.objects.filter(target__in=ids).values_list("target", flat=True),
    }
    count = 0
    for each in some:
        target = each.target
        it = told[target.pk].told
        differs = any(_differs(one, wanted.get((target.project_id, one.limit.pk), 0)) for one in it)
        if differs or target.pk in has_more or target.state == TargetState.REFUSED:
            _judge(target, it, known.get(target.pk, {}), moment)
            count += 1
    return count


def _differs(told: Told, wanted: int) -> bool:
    if told.bound is not None and told.bound != wanted - wanted % told.limit.step:
        return True
    bound, used = told.bound_now, told.used
    taken = None if used is None else used + (told.reserved or 0)
    return bound is not None and taken is not None and 0 <= bound < taken


def _judge(
    target: Target, told: Collection[Told], known: Mapping[int, Reading], moment: datetime
) -> None:
    last_seen = {limit: each.limit_seen for limit, each in known.items()}
    stood = drift.stood(target, last_seen, as_of=moment)
    wanted = wanted_limits(target)
    heard = {each.limit.pk for each in told}
    about = [each for each in wanted if each.limit.pk in heard]
    figures = {each.limit.key: each.figure() for each in told}
    drift.note_limits(stood, about, figures, only=heard)
    bounds = {each.limit.key: each.figure() for each in told if each.bound is not None}
    kept.settle(stood, about, bounds)
    # A refusal whose cause has gone, where a survey can tell.
    is_told = len(heard) == len(wanted) and not target.endpoint.gaps
    is_refused = target.state == TargetState.REFUSED
    if is_refused and is_told and not compare(wanted, figures).is_hindered:
        wake_targets([target], only_in=[TargetState.REFUSED])
