"""What the ledger's changes mean for the clouds: which targets must become true again.

A decision never calls a cloud: it raises generations here, and workers do the rest.
"""

from collections.abc import Collection, Iterable
from functools import partial
from itertools import islice

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Now

from portal.lib.locks import lock_ids
from portal.lib.prepared import Prepared
from portal.lib.wake import wake
from projects.models import Project
from projects.states import STANDING
from quotas.models import DecisionLine, Endpoint, Target
from quotas.states import TARGET_MOVES, TargetState

APPLY_TASK = "quotas.tasks.apply_target"
# More at once than workers begin on. Each sets off work on what is due at its endpoint; the
# sweep takes the others, at its own pace.
HINTS_AT_ONCE = 50
# Whoever has one of these, or had it lately, sees to what is due next.
HELD = (TargetState.LEASED, TargetState.DIRTY)


def ensure_targets(projects: Iterable[Project]) -> None:
    """Give every project that stands in the clouds a target at every endpoint.

    Also where it has no quota: there its limits are written as 0, so that no service's
    default is left in force.
    """
    endpoint_ids = list(Endpoint.objects.values_list("pk", flat=True))
    Target.objects.bulk_create(
        [
            Target(project=project, endpoint_id=endpoint_id, next_try_at=Now())
            for project in projects
            if project.state in STANDING
            for endpoint_id in endpoint_ids
        ],
        ignore_conflicts=True,
        batch_size=2000,
    )


# Locks first, by id; an UPDATE by itself takes rows in no order. Nothing is written where a
# target is missing: the last column says so.
DELIVER = """
WITH granted AS (
    SELECT *
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
        AS line(id, project_id, offering_id)
), fed AS (
    SELECT DISTINCT granted.project_id, feeds.offering_id, lim.endpoint_id
    FROM granted
    JOIN quotas_contribution feeds USING (offering_id)
    JOIN quotas_limit lim ON lim.id = feeds.limit_id
), held AS (
    SELECT id, project_id, endpoint_id
    FROM quotas_target
    WHERE (project_id, endpoint_id) IN (SELECT project_id, endpoint_id FROM fed)
    ORDER BY id
    FOR NO KEY UPDATE
), missing AS (
    SELECT count(*) AS count
    FROM fed LEFT JOIN held USING (project_id, endpoint_id) WHERE held.id IS NULL
), raised AS (
    UPDATE quotas_target target
    SET generation = target.generation + 1, failure_count = 0, skip_reason = '',
        -- As in _due_now.
        state = CASE WHEN target.state = ANY(%s) THEN target.state ELSE %s END,
        next_try_at = CASE WHEN target.state = %s THEN target.next_try_at
                           ELSE statement_timestamp() END
    FROM held, missing
    WHERE target.id = held.id AND missing.count = 0
    RETURNING target.id, target.project_id, target.endpoint_id, target.generation
), noted AS (
    INSERT INTO quotas_delivery (decision_line_id, target_id, generation)
    SELECT granted.id, raised.id, raised.generation
    FROM granted
    JOIN fed USING (project_id, offering_id)
    JOIN raised USING (project_id, endpoint_id)
)
SELECT ARRAY(SELECT id FROM raised ORDER BY id), missing.count FROM missing
"""

# The states stand in its text.
_DELIVER = Prepared(
    DELIVER,
    [None, None, None, [str(each) for each in HELD], str(TargetState.DUE), str(TargetState.DIRTY)],
    ["lines", "projects", "offerings", None, None, None],
)


def deliver(lines: Collection[DecisionLine]) -> None:
    """Raise the generation of each target that granted lines feed, and wake workers.

    And note for each line what must become true before it counts as applied. One query. The
    caller holds the locks of their projects, which are at hand.
    """
    if not _deliver(lines):
        # Without a target a grant would count as applied where nobody ever writes it.
        ensure_targets({each.line.project for each in lines})
        _deliver(lines)


def _deliver(lines: Collection[DecisionLine]) -> bool:
    """Whether all targets were there; else nothing was done."""
    ((ids, missing_count),) = _DELIVER.rows({
        "lines": [each.pk for each in lines],
        "projects": [each.line.project_id for each in lines],
        "offerings": [each.line.offering_id for each in lines],
    })  # fmt: skip
    wake_after_commit(ids)
    return not missing_count


def touch_endpoints(endpoint_ids: Collection[int]) -> int:
    """Raise the generation of every target there; returns how many there are.

    For when the catalogue changed what these endpoints enforce.
    """
    return touch_targets(Target.objects.filter(endpoint__in=endpoint_ids))


def touch_targets(targets: QuerySet[Target]) -> int:
    """Raise the generation of these; returns how many there are.

    Nobody is woken: there may be thousands, and the sweep takes them at its own pace.
    """
    with transaction.atomic():
        ids = lock_ids(targets)
        return Target.objects.filter(pk__in=ids).update(
            generation=F("generation") + 1, failure_count=0, **_due_now()
        )


def _due_now() -> dict[str, object]:
    """The update that makes a target due.

    One that a worker holds stays leased: its holder sees the new generation and leaves
    it due. A dirty one keeps its time: until then a former holder may still write.
    """
    held = Q(state__in=HELD)
    return {
        "state": Case(When(held, then=F("state")), default=Value(TargetState.DUE)),
        "next_try_at": Case(When(state=TargetState.DIRTY, then=F("next_try_at")), default=Now()),
        "skip_reason": "",
    }


def services_behind(identity: Target) -> QuerySet[Target]:
    """The targets of the same project at the services of an identity endpoint.

    Without what somebody skipped: that stays so until the ledger changes.
    """
    return Target.objects.filter(
        project=identity.project_id, endpoint__identity=identity.endpoint_id
    ).exclude(state=TargetState.SKIPPED)


def wake_targets(targets: Collection[Target], *, only_in: Collection[str] | None = None) -> int:
    """Make targets due now, as far as their state allows; returns how many were woken.

    One that a worker holds is left due by it, with a generation more: it may have looked
    before whatever we wake it for. only_in: states that they must still be in.
    """
    allowed = [state for state, verb in TARGET_MOVES if verb == "wake"]
    if only_in is not None:
        allowed = [state for state in allowed if state in only_in]
    ids = [target.pk for target in targets]
    with transaction.atomic():
        lock_ids(Target.objects.filter(pk__in=ids))
        if only_in is None:
            Target.objects.filter(pk__in=ids, state=TargetState.LEASED).update(
                generation=F("generation") + 1
            )
        woken = (
            Target.objects.filter(pk__in=ids, state__in=allowed)
            .exclude(state=TargetState.DIRTY)
            .update(state=TargetState.DUE, next_try_at=Now(), skip_reason="")
        )
    wake_after_commit(ids)
    return woken


def wake_after_commit(target_ids: Iterable[int]) -> None:
    """Hint to workers once the rows are there, for the first of many; the sweep finds the rest."""
    for target_id in islice(target_ids, HINTS_AT_ONCE):
        transaction.on_commit(partial(wake, APPLY_TASK, target_id=target_id), robust=True)
