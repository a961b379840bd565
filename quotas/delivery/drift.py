"""What a reading says of drift: which differences there are, since when, and what has ended.

A difference is drift only where what is wanted was once true there; one that a decision
made and delivery has not yet carried out is none. Called after every look and at the end of
every attempt, under the lock of the target, so that each difference has one open row.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from portal.lib.columns import columns_of, instance_of, width_of
from portal.lib.locks import lock
from projects.actions.events import record
from projects.models import Project
from quotas.actions.targets import wake_targets
from quotas.backends.base import Figure, IdentityProject
from quotas.models import Drift, Endpoint, KeptLimit, ProjectHandle, Reading, Target
from quotas.states import (
    RESTORED_BY_POLICY,
    DriftEnd,
    DriftKind,
    DriftPolicy,
    TargetState,
)

from .differences import CHANGED, Difference, Key, limit_differences, project_differences
from .leases import Lease
from .statements import fetch
from .wanted import Wanted

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """How a target stood before it was read; what was read counts only if it still does.

    last_seen: {limit id: the limit at the last reading, in base units}; name: what its project
    was called. as_of: when a reading of all projects began, which is stored long after: one of
    this target that is newer counts in its place. is_noted: some drift may be open; False: none
    was, which of a target that is held cannot change, and of another is found at its next look.
    """

    target_id: int
    mark: tuple[Any, ...]
    is_true: bool
    last_seen: Mapping[int, int | None]
    name: str
    as_of: datetime | None = None
    is_noted: bool = True

    def was_true(self, wanted: Wanted) -> bool:
        """Whether a limit was once read back as what is wanted now."""
        return self.is_true or self.last_seen.get(wanted.limit.pk) == wanted.amount


def _mark(target: Target) -> tuple[Any, ...]:
    # Each attempt moves one of these, even one that ends where the last one did.
    return (
        target.state, target.generation, target.lease_token, target.applied_at, target.error_at
    )  # fmt: skip


def standing(target: Target) -> Standing:
    """How a target stands, to be asked right before it is read; two queries."""
    found = Target.objects.select_related("project").get(pk=target.pk)
    rows = Reading.objects.filter(target=target.pk).values_list("limit", "limit_seen")
    return Standing(
        target_id=found.pk,
        mark=_mark(found),
        is_true=found.generation == found.applied_generation,
        last_seen=dict(rows),
        name=found.project.name,
    )


def stood(
    target: Target, last_seen: Mapping[int, int | None], as_of: datetime | None = None
) -> Standing:
    """How a target stood as this row of it was fetched, with its project; no query."""
    is_true = target.generation == target.applied_generation
    return Standing(target.pk, _mark(target), is_true, last_seen, target.project.name, as_of)


def held(lease: Lease, wanted: Iterable[Wanted]) -> Standing:
    """How a target stood when its lease was taken; wanted: of all its limits, since then."""
    target = lease.target
    is_true = target.generation == target.applied_generation
    last_seen = {each.limit.pk: each.last_seen for each in wanted}
    is_noted = any(each.is_noted for each in wanted)
    return Standing(
        target.pk, _held_mark(lease), is_true, last_seen, target.project.name, is_noted=is_noted
    )


def held_project(lease: Lease) -> Standing:
    """`held` for the target of an identity endpoint; no query."""
    target = lease.target
    return Standing(target.pk, _held_mark(lease), True, {}, target.project.name)


def _held_mark(lease: Lease) -> tuple[Any, ...]:
    target = lease.target
    return (
        TargetState.LEASED, target.generation, lease.token, target.applied_at, target.error_at
    )  # fmt: skip


IDENTITY = """
SELECT {target}, {handle}, EXISTS (
    SELECT 1 FROM quotas_drift
    WHERE target_id = target.id AND limit_id IS NULL AND ended_at IS NULL
)
FROM (SELECT %(project)s::bigint AS project_id, %(identity)s::bigint AS identity_id) asked
LEFT JOIN quotas_target target
    ON target.project_id = asked.project_id AND target.endpoint_id = asked.identity_id
LEFT JOIN quotas_projecthandle handle
    ON handle.project_id = asked.project_id AND handle.identity_id = asked.identity_id
"""


def project_standing(
    project: Project, identity: Endpoint
) -> tuple[Standing | None, ProjectHandle | None]:
    """How a project stands in its identity service, None while somebody works on just that; and
    what it is called there. For those who ask for the project on the way to another service.

    One query: so the handle is none that came since.
    """
    width = width_of(Target)
    row = fetch(
        IDENTITY.format(
            target=columns_of(Target, "target"), handle=columns_of(ProjectHandle, "handle")
        ),
        {"project": project.pk, "identity": identity.pk},
    )
    if row is None:  # pragma: no cover - it is of what is asked
        raise AssertionError("no row")
    target = instance_of(Target, row[:width])
    handle = instance_of(ProjectHandle, row[width:-1])
    if target is None or target.state == TargetState.LEASED:
        return None, handle
    standing = Standing(target.pk, _mark(target), True, {}, project.name, is_noted=row[-1])
    return standing, handle


def note_limits(
    before: Standing,
    wanted: list[Wanted],
    figures: Mapping[str, Figure],
    *,
    only: Collection[int] | None = None,
) -> None:
    """Keep what the figures of a service, {key: Figure} in its units, say of drift.

    only: ids of the limits that were read, where others were not: of those nothing is said.
    """
    rows = _open_rows(before, is_of_limit=True, only=only) if before.is_noted else {}
    if not rows and not limit_differences(wanted, figures, before.was_true, rows):
        return  # by far the most often: nothing to keep, so nothing to lock
    with transaction.atomic():
        target = unmoved(before)
        if target is None:
            return
        rows = _open_rows(before, is_of_limit=True, only=only)
        found = limit_differences(wanted, figures, before.was_true, rows)
        _keep(target, rows, found)
        true_ids = {
            each.limit.pk
            for each in wanted
            if (figure := figures.get(each.limit.key)) and figure.limit == each.units
        }
        _end(target, rows, found, true_ids)


def note_project(before: Standing | None, found: IdentityProject | None) -> None:
    """Keep what an identity service says of a project; None: that it is not there."""
    if before is None:
        return
    is_as_wanted = found is not None and found.is_enabled and found.name == before.name
    if is_as_wanted and not (before.is_noted and _open_rows(before, is_of_limit=False)):
        return
    with transaction.atomic():
        target = unmoved(before)
        if target is None:
            return
        handle = ProjectHandle.objects.filter(
            project=target.project, identity=target.endpoint
        ).first()
        differences = project_differences(target.project, handle, found)
        rows = _open_rows(before, is_of_limit=False)
        _keep(target, rows, differences)
        _end(target, rows, differences, set())


def unmoved(before: Standing) -> Target | None:
    """The target, locked; None where it moved on while it was read: others read it anew.

    In a transaction. `moment` is the database's clock.
    """
    rows = Target.objects.filter(pk=before.target_id).annotate(moment=Now())
    target = next(iter(lock(rows.select_related("endpoint", "project"))), None)
    if target is None or _mark(target) != before.mark or _is_overtaken(before):
        return None
    return target


def _is_overtaken(before: Standing) -> bool:
    if before.as_of is None:
        return False
    newer = Q(read_at__gt=before.as_of) | Q(surveyed_at__gt=before.as_of)
    return Reading.objects.filter(newer, target=before.target_id).exists()


def _open_rows(
    before: Standing, *, is_of_limit: bool, only: Collection[int] | None = None
) -> dict[Key, Drift]:
    rows = Drift.objects.filter(
        target=before.target_id, ended_at__isnull=True, limit__isnull=not is_of_limit
    ).select_related("limit")
    if only is not None:
        rows = rows.filter(limit__in=only)
    return {(DriftKind(row.kind), row.limit_id): row for row in rows}


def _keep(target: Target, rows: Mapping[Key, Drift], found: Iterable[Difference]) -> None:
    """Open or confirm a row for each difference, and have restored what shall be."""
    must_wake = False
    for each in found:
        row = rows.get(each.key) or Drift(
            target=target, kind=each.kind, limit=each.limit, found_at=_moment(target)
        )
        if _is_another(row, each):
            row.ignored_until, row.ignored_by, row.ignore_reason = None, None, ""
        row.wanted, row.seen, row.seen_name = each.wanted, each.seen, each.name
        row.confirmed_at = _moment(target)
        asks_now = _policy_asks(target, row)
        if asks_now:
            row.restore_asked_at = _moment(target)
        is_new = row.pk is None
        row.save(
            update_fields=None
            if is_new
            else [
                "wanted",
                "seen",
                "seen_name",
                "confirmed_at",
                "restore_asked_at",
                "ignored_until",
                "ignored_by",
                "ignore_reason",
            ]
        )
        if is_new:
            _record("drift_found", target, row)
        # Asked for already, and yet taken for true: whoever was to do it did not.
        is_left = row.restore_asked_at is not None and target.state == TargetState.APPLIED
        must_wake |= asks_now or is_left
    # Who holds the target restores what differs in the same attempt.
    if must_wake and target.state != TargetState.LEASED:
        wake_targets([target])


def _is_another(row: Drift, found: Difference) -> bool:
    """Whether it is not what somebody agreed to leave; use moves by itself and stays so."""
    is_ignored = row.ignored_until is not None and row.kind != DriftKind.USAGE_ABOVE
    return is_ignored and (row.seen, row.seen_name) != (found.seen, found.name)


def _policy_asks(target: Target, row: Drift) -> bool:
    return (
        target.endpoint.drift_policy == DriftPolicy.RESTORE
        and row.kind in RESTORED_BY_POLICY
        and row.restore_asked_at is None
        and (row.ignored_until is None or row.ignored_until <= _moment(target))
        # Somebody left this out, and said why.
        and target.state != TargetState.SKIPPED
        # An import found it so: it was never as we would write it.
        and not KeptLimit.objects.filter(target=target, limit=row.limit_id).exists()
        and not _lately_restored(target, row)
    )


def _lately_restored(target: Target, row: Drift) -> bool:
    """Whether the same was put right a moment ago: somebody outside works against us.

    Asked for again at a later look, so that it is fought over at a bounded rate.
    """
    since = _moment(target) - timedelta(seconds=settings.REFUSED_RECHECK_SECONDS)
    return Drift.objects.filter(
        target=target, kind=row.kind, limit=row.limit_id, end=DriftEnd.RESTORED,
        ended_at__isnull=False, restore_asked_at__gt=since,
    ).exists()  # fmt: skip


def _end(
    target: Target, rows: Mapping[Key, Drift], found: Iterable[Difference], true_ids: set[int]
) -> None:
    """End the rows that no longer hold. true_ids: limits that are as wanted now."""
    still = {each.key for each in found}
    # While a part of the service is down, use that is not seen may be there all the same.
    hidden = (DriftKind.USAGE_ABOVE,) if target.endpoint.gaps else ()
    over = [row for key, row in rows.items() if key not in still and row.kind not in hidden]
    if not over:
        return
    written_at = dict(
        Reading.objects.filter(target=target, written_at__isnull=False).values_list(
            "limit", "written_at"
        )
    )
    for row in over:
        row.ended_at, row.end = _moment(target), _end_of(row, written_at, true_ids)
        row.save(update_fields=["ended_at", "end"])
        _record("drift_ended", target, row, end=row.end)


def _end_of(row: Drift, written_at: Mapping[int, datetime | None], true_ids: set[int]) -> DriftEnd:
    if row.limit_id is None:
        return DriftEnd.RESTORED if row.restore_asked_at else DriftEnd.GONE
    if row.kind not in CHANGED or row.limit_id not in true_ids:
        return DriftEnd.GONE
    # Also where nobody asked: delivery of a later change writes every key that differs.
    written = written_at.get(row.limit_id)
    is_ours = row.restore_asked_at is not None or (written is not None and written >= row.found_at)
    return DriftEnd.RESTORED if is_ours else DriftEnd.GONE


def _moment(target: Target) -> datetime:
    moment: datetime = target.moment  # type: ignore[attr-defined]  # annotated by unmoved
    return moment


def _record(verb: str, target: Target, row: Drift, **data: Any) -> None:
    if row.limit is not None:
        data["limit"] = row.limit.key
    record(
        verb, actor=None, now=_moment(target), project=target.project, subject_kind="drift",
        subject_id=row.pk, endpoint=target.endpoint.slug, kind=row.kind, wanted=row.wanted,
        seen=row.seen, **data,
    )  # fmt: skip
    logger.info(verb.replace("_", " "), extra={"drift": row.pk, "kind": row.kind})
