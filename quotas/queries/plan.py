"""What delivery would do at which limit, and what stands in its way: from readings alone.

The same comparison as delivery's own (quotas/delivery/wanted.py), said in SQL so that ten
thousand targets can be filtered, counted and paged without being loaded. A test holds the
two together. Nothing here calls a cloud; how old a reading is stands beside it.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, models
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext_lazy as _

from quotas.models import (
    Account,
    Contribution,
    Drift,
    Endpoint,
    KeptLimit,
    Limit,
    Reading,
    Target,
)
from quotas.states import DriftPolicy, TargetState


class Verdict(models.TextChoices):
    """What will become of one limit of a target."""

    SAME = "same", _("stays as it is")
    WRITE = "write", _("will be written")
    UNREAD = "unread", _("not read yet")
    LEFT_OUT = "left out", _("left out")
    MISSING = "missing", _("the service has no such limit")
    ABOVE = "above", _("above what the service takes")
    PUBLIC = "public", _("everybody has it")
    BELOW = "below", _("below what is in use")
    SKIPPED = "skipped", _("skipped")
    DRIFT = "drift", _("changed outside")


class Show(models.TextChoices):
    """Which limits a plan shows."""

    OPEN = "open", _("Changes and warnings")
    CHANGES = "changes", _("Changes")
    WARNINGS = "warnings", _("Warnings")
    ALL = "all", _("All")


_SHOWN = {
    Show.OPEN: "FROM plan WHERE verdict = 'write' OR is_warned",
    Show.CHANGES: "FROM plan WHERE verdict = 'write'",
    Show.WARNINGS: "FROM plan WHERE is_warned",
    Show.ALL: "FROM plan",
}

# One row for each limit of each target in scope. A reading that is older than the newest one
# of its target is of a key that the service no longer names.
_ROWS = """
WITH scope AS MATERIALIZED (
    SELECT id, project_id, endpoint_id, state FROM {target} WHERE id IN ({scope})
), wanted AS (
    SELECT account.project_id, feed.limit_id,
           SUM(account.balance::numeric * feed.factor) AS amount
    FROM {contribution} feed
    JOIN {limit} fed ON fed.id = feed.limit_id
    JOIN {account} account ON account.offering_id = feed.offering_id
    WHERE fed.endpoint_id IN (SELECT endpoint_id FROM scope)
      AND account.project_id IN (SELECT project_id FROM scope)
    GROUP BY account.project_id, feed.limit_id
), newest AS (
    SELECT target_id, MAX(read_at) AS read_at FROM {reading}
    WHERE target_id IN (SELECT id FROM scope) GROUP BY target_id
), drifted AS (
    SELECT target_id, limit_id, MIN(kind) AS kind FROM {drift}
    WHERE ended_at IS NULL AND (ignored_until IS NULL OR ignored_until <= now())
      AND target_id IN (SELECT id FROM scope)
    GROUP BY target_id, limit_id
), faced AS (
    SELECT scope.id AS target_id, lim.id AS limit_id, scope.state, endpoint.drift_policy,
           lim.left_out_at, lim.maximum, lim.step,
           COALESCE(wanted.amount, 0) AS granted,
           reading.id AS reading_id, reading.limit_seen, reading.used, reading.reserved,
           reading.read_at, newest.read_at AS newest_at, drifted.kind AS drift_kind,
           reading.id IS NOT NULL AND reading.read_at = newest.read_at AS is_current,
           -- An import found it so, and nobody asked to have it restored.
           EXISTS (SELECT FROM {kept} kept
                   WHERE kept.target_id = scope.id AND kept.limit_id = lim.id)
           AND NOT EXISTS (SELECT FROM {drift} asked
                           WHERE asked.target_id = scope.id AND asked.limit_id = lim.id
                             AND asked.ended_at IS NULL AND asked.restore_asked_at IS NOT NULL)
           AS is_kept
    FROM scope
    JOIN {endpoint} endpoint ON endpoint.id = scope.endpoint_id
    JOIN {limit} lim ON lim.endpoint_id = scope.endpoint_id
    LEFT JOIN wanted ON wanted.project_id = scope.project_id AND wanted.limit_id = lim.id
    LEFT JOIN {reading} reading ON reading.target_id = scope.id AND reading.limit_id = lim.id
    LEFT JOIN newest ON newest.target_id = scope.id
    LEFT JOIN drifted ON drifted.target_id = scope.id AND drifted.limit_id = lim.id
), judged AS (
    SELECT faced.*, CASE
        WHEN left_out_at IS NOT NULL THEN 'left out'
        WHEN newest_at IS NULL THEN 'unread'
        -- New in the catalogue, and the target was not looked at since.
        WHEN reading_id IS NULL AND state NOT IN {settled} THEN 'unread'
        WHEN NOT is_current THEN CASE WHEN granted = 0 THEN 'same' ELSE 'missing' END
        WHEN limit_seen = granted - MOD(granted, step) THEN 'same'
        WHEN is_kept THEN 'drift'
        WHEN granted > maximum THEN 'above'
        WHEN limit_seen = {unlimited} AND maximum = 1 THEN 'public'
        WHEN granted < used + COALESCE(reserved, 0) THEN 'below'
        WHEN state = '{skipped}' THEN 'skipped'
        WHEN state = '{applied}' AND drift_policy = '{report}' THEN 'drift'
        ELSE 'write'
    END AS verdict
    FROM faced
), plan AS (
    SELECT judged.*,
        -- What an operator left out is said once for all targets, not again at each.
        verdict NOT IN ('same', 'write', 'left out')
        OR (is_current AND limit_seen = {unlimited})
        OR drift_kind IS NOT NULL AS is_warned
    FROM judged
)
"""


def _tables() -> dict[str, str]:
    named = {
        "target": Target, "contribution": Contribution, "limit": Limit, "account": Account,
        "reading": Reading, "drift": Drift, "endpoint": Endpoint, "kept": KeptLimit,
    }  # fmt: skip
    settled = (TargetState.APPLIED, TargetState.REFUSED, TargetState.SKIPPED)
    return {
        name: connection.ops.quote_name(model._meta.db_table) for name, model in named.items()
    } | {
        "settled": "({})".format(", ".join(f"'{state.value}'" for state in settled)),
        "skipped": TargetState.SKIPPED.value,
        "applied": TargetState.APPLIED.value,
        "report": DriftPolicy.REPORT.value,
        "unlimited": str(Reading.UNLIMITED),
    }


def _sql(scope: QuerySet[Target], rest: str) -> tuple[str, tuple[Any, ...]]:
    """The rows of the targets in `scope`, and what is asked of them; with its parameters."""
    query = scope.order_by().values("pk").query
    # Nobody's targets are a scope too; the compiler would rather give up than write that.
    inner, params = query.get_compiler(connection=connection, elide_empty=False).as_sql()
    return _ROWS.format(**_tables(), scope=inner) + rest, tuple(params)


@dataclass(frozen=True)
class PlanLimit:
    """One limit of a target, in base units: observed, granted, and what it will become.

    `seen` −1 is the service's word for unlimited, None that it is not known; `read_at` says
    how old `seen`, `used` and `reserved` are. `becomes`: None where it cannot be known.
    """

    limit: Limit
    granted: int
    seen: int | None
    used: int | None
    reserved: int | None
    read_at: datetime | None
    verdict: Verdict
    is_warned: bool
    drift_kind: str
    # An import found it so, and it stays until somebody says what it is to be.
    is_kept: bool = False

    @property
    def will_change(self) -> bool:
        return self.verdict == Verdict.WRITE

    @property
    def is_unlimited(self) -> bool:
        return self.seen == Reading.UNLIMITED

    @property
    def becomes(self) -> int | None:
        return self.granted if self.will_change else self.seen

    @property
    def change(self) -> int | None:
        """Of the limit; None where the one of now is no number."""
        if self.becomes is None or self.seen is None or self.is_unlimited:
            return None
        return self.becomes - self.seen

    @property
    def taken(self) -> int | None:
        """In use and reserved; None where the service did not say."""
        if self.used is None:
            return None
        return self.used if self.reserved is None else self.used + self.reserved


@dataclass(frozen=True)
class PlanTarget:
    """A target with those of its limits that are shown; `drifts` concern its whole project."""

    target: Target
    limits: tuple[PlanLimit, ...]
    drifts: tuple[str, ...]


@dataclass(frozen=True)
class Totals:
    """A plan in figures; `oldest_at` is the reading that is oldest among the targets read."""

    target_count: int
    changing_count: int
    change_count: int
    warning_count: int
    unread_count: int
    oldest_at: datetime | None


def totals(scope: QuerySet[Target]) -> Totals:
    """All targets in scope together; one query."""
    sql, params = _sql(
        scope,
        """
        SELECT (SELECT count(*) FROM scope),
               count(DISTINCT target_id) FILTER (WHERE verdict = 'write'),
               count(*) FILTER (WHERE verdict = 'write'),
               count(*) FILTER (WHERE is_warned),
               count(DISTINCT target_id) FILTER (WHERE newest_at IS NULL),
               min(newest_at)
        FROM plan
        """,
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return Totals(*cursor.fetchone())


def planned_targets(scope: QuerySet[Target], show: Show) -> QuerySet[Target]:
    """The targets in scope with a limit to show, as a queryset: to be ordered and paged."""
    sql, params = _sql(scope, "SELECT target_id " + _SHOWN[show])
    found = Target.objects.filter(pk__in=RawSQL(sql, params))  # noqa: S611 - of our own parts
    return found.select_related("project__unit", "endpoint__identity", "endpoint__region")


def plan_of(targets: Collection[Target], show: Show) -> list[PlanTarget]:
    """The limits of these targets, in the same order; three queries, however many there are.

    targets: with their endpoints.
    """
    scope = Target.objects.filter(pk__in=[each.pk for each in targets])
    endpoint_ids = {each.endpoint_id for each in targets}
    limits = {each.pk: each for each in Limit.objects.filter(endpoint__in=endpoint_ids)}
    found: dict[int, list[PlanLimit]] = defaultdict(list)
    sql, params = _sql(scope, _COLUMNS + _SHOWN[show])
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        for target_id, limit_id, *values in cursor.fetchall():
            found[target_id].append(_limit_of(limits[limit_id], *values))
    drifts = _project_drifts(targets)
    return [
        PlanTarget(
            each,
            tuple(sorted(found[each.pk], key=lambda row: (row.limit.order, row.limit.key))),
            tuple(drifts[each.pk]),
        )
        for each in targets
    ]


_COLUMNS = """
SELECT target_id, limit_id, granted, limit_seen, used, reserved, read_at, verdict, is_warned,
       COALESCE(drift_kind, ''), is_kept
"""


def _limit_of(limit: Limit, granted: Any, *values: Any) -> PlanLimit:
    """From a row of `_COLUMNS`; sums come as numerics."""
    seen, used, reserved, read_at, verdict, is_warned, drift_kind, is_kept = values
    return PlanLimit(
        limit, int(granted), seen, used, reserved, read_at, Verdict(verdict), is_warned, drift_kind,
        is_kept,
    )  # fmt: skip


def _project_drifts(targets: Collection[Target]) -> dict[int, list[str]]:
    """{target id: kinds} of what is amiss with whole projects, at their identity service."""
    at = {
        each.pk: (each.project_id, each.endpoint.identity_id or each.endpoint_id)
        for each in targets
    }
    rows = Drift.objects.filter(
        limit=None,
        ended_at=None,
        target__project__in={project for project, _endpoint in at.values()},
        target__endpoint__in={endpoint for _project, endpoint in at.values()},
    )
    found: dict[tuple[int, int], list[str]] = defaultdict(list)
    for project_id, endpoint_id, kind in rows.order_by("kind").values_list(
        "target__project", "target__endpoint", "kind"
    ):
        found[project_id, endpoint_id].append(kind)
    return {target_id: found.get(where, []) for target_id, where in at.items()}
