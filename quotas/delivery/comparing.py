"""What a survey says of many targets, beside what the ledger wants of them.

Nearly all are as they should be, or differ as they did before: for these a few queries for all of
them are enough. Only the others are judged one by one, by what judges a reading of one target.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import DecimalField, F, QuerySet, Sum
from django.db.models.functions import Cast, Greatest

from portal.lib.locks import lock_ids
from quotas.actions.targets import wake_targets
from quotas.backends.base import Figure
from quotas.models import Contribution, Drift, Endpoint, KeptLimit, Limit, Reading, Target
from quotas.states import DriftKind, DriftPolicy, TargetState

from . import drift, kept
from .differences import Key, limit_differences
from .observe import LOOKED_AT
from .storing import REDATE
from .told import Told, ToldTarget
from .wanted import Wanted, compare, wanted_limits

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
    noted, kept_ids = _noted(ids), _kept(ids)
    count = 0
    confirmed: list[Drift] = []
    for each in some:
        target = each.target
        it = told[target.pk].told
        rows, kept_here = noted.get(target.pk, {}), kept_ids.get(target.pk, set())
        about = [_wanted(target, one, wanted, kept_here) for one in it]
        differs = any(_differs(one, its.amount) for one, its in zip(it, about, strict=True))
        is_refused = target.state == TargetState.REFUSED
        if not (differs or rows or kept_here or is_refused):
            continue
        count += 1
        last = known.get(target.pk, {})
        if is_refused or not _is_noted(_stood(target, last, moment), it, about, rows, target):
            _judge(target, it, last, moment)
        else:
            confirmed += _of(rows, it).values()
    _confirm(confirmed, moment)
    return count


def _wanted(
    target: Target, told: Told, wanted: Mapping[tuple[int, int], int], kept_ids: Collection[int]
) -> Wanted:
    limit = told.limit
    amount = wanted.get((target.project_id, limit.pk), 0)
    return Wanted(limit, amount, was_kept=limit.pk in kept_ids)


def _noted(target_ids: Collection[int]) -> Mapping[int, dict[Key, Drift]]:
    """{target id: the open drift of its limits}; one query."""
    found: dict[int, dict[Key, Drift]] = defaultdict(dict)
    for row in Drift.objects.filter(
        target__in=target_ids, ended_at__isnull=True, limit__isnull=False
    ):
        found[row.target_id][DriftKind(row.kind), row.limit_id] = row
    return found


def _kept(target_ids: Collection[int]) -> Mapping[int, set[int]]:
    """{target id: ids of the limits that an import keeps}; one query."""
    found: dict[int, set[int]] = defaultdict(set)
    rows = KeptLimit.objects.filter(target__in=target_ids)
    for target, limit in rows.values_list("target", "limit"):
        found[target].add(limit)
    return found


def _of(rows: Mapping[Key, Drift], told: Collection[Told]) -> dict[Key, Drift]:
    heard = {each.limit.pk for each in told}
    return {key: row for key, row in rows.items() if row.limit_id in heard}


def _is_noted(
    stood: drift.Standing,
    told: Collection[Told],
    about: Collection[Wanted],
    rows: Mapping[Key, Drift],
    target: Target,
) -> bool:
    """Whether all that differs was noted just so before, and nothing follows from it now."""
    own = _of(rows, told)
    figures = {each.limit.key: each.figure() for each in told}
    found = limit_differences(about, figures, stood.was_true, own)
    if {each.key: (each.wanted, each.seen) for each in found} != {
        key: (row.wanted, row.seen) for key, row in own.items()
    }:
        return False
    kept_ids = {each.limit.pk for each in about if each.was_kept}
    is_restoring = target.endpoint.drift_policy == DriftPolicy.RESTORE
    return not (
        kept.over(about, _bounds(told))
        or any(row.restore_asked_at is not None for row in own.values())
        # The policy may ask for it, now or once it is ignored no longer.
        or (is_restoring and any(row.limit_id not in kept_ids for row in own.values()))
    )


def _confirm(rows: Collection[Drift], moment: datetime) -> None:
    """Date what was found just as before; no more often than readings are."""
    old = [each for each in rows if each.confirmed_at < moment - REDATE]
    if not old:
        return
    with transaction.atomic():
        lock_ids(Target.objects.filter(pk__in={each.target_id for each in old}))
        Drift.objects.filter(pk__in=[each.pk for each in old], ended_at__isnull=True).update(
            confirmed_at=Greatest(F("confirmed_at"), moment)
        )


def _differs(told: Told, wanted: int) -> bool:
    if told.bound is not None and told.bound != wanted - wanted % told.limit.step:
        return True
    bound, used = told.bound_now, told.used
    taken = None if used is None else used + (told.reserved or 0)
    return bound is not None and taken is not None and 0 <= bound < taken


def _stood(target: Target, known: Mapping[int, Reading], moment: datetime) -> drift.Standing:
    last_seen = {limit: each.limit_seen for limit, each in known.items()}
    return drift.stood(target, last_seen, as_of=moment)


def _bounds(told: Collection[Told]) -> dict[str, Figure]:
    """What was told of limits themselves, {key: Figure} in the service's units."""
    return {each.limit.key: each.figure() for each in told if each.bound is not None}


def _judge(
    target: Target, told: Collection[Told], known: Mapping[int, Reading], moment: datetime
) -> None:
    stood = _stood(target, known, moment)
    wanted = wanted_limits(target)
    heard = {each.limit.pk for each in told}
    about = [each for each in wanted if each.limit.pk in heard]
    figures = {each.limit.key: each.figure() for each in told}
    drift.note_limits(stood, about, figures, only=heard)
    kept.settle(stood, about, _bounds(told))
    # A refusal whose cause has gone, where a survey can tell.
    is_told = len(heard) == len(wanted) and not target.endpoint.gaps
    is_refused = target.state == TargetState.REFUSED
    if is_refused and is_told and not compare(wanted, figures).is_hindered:
        wake_targets([target], only_in=[TargetState.REFUSED])
