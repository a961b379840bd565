"""What the ledger's changes mean for the clouds: which targets must become true again.

A decision never calls a cloud: it raises generations here, and workers do the rest.
"""

from collections.abc import Collection, Iterable
from functools import partial
from itertools import islice

from django.db import transaction
from django.db.models import Case, Count, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Now

from portal.lib.locks import lock, lock_ids
from portal.lib.wake import wake
from projects.models import Project
from projects.states import ProjectState
from quotas.models import Contribution, DecisionLine, Delivery, Endpoint, Target
from quotas.states import TARGET_MOVES, TargetState

APPLY_TASK = "quotas.tasks.apply_target"
# More at once than workers begin on. Each sets off work on what is due at its endpoint; the
# sweep takes the others, at its own pace.
HINTS_AT_ONCE = 50


def ensure_targets(projects: Iterable[Project]) -> None:
    """Give every active project a target at every endpoint.

    Also where it has no quota: there its limits are written as 0, so that no service's
    default is left in force.
    """
    endpoint_ids = list(Endpoint.objects.values_list("pk", flat=True))
    Target.objects.bulk_create(
        [
            Target(project=project, endpoint_id=endpoint_id, next_try_at=Now())
            for project in projects
            if project.state == ProjectState.ACTIVE
            for endpoint_id in endpoint_ids
        ],
        ignore_conflicts=True,
        batch_size=2000,
    )


def touch(project: Project, offering_ids: Collection[int]) -> dict[int, list[Target]]:
    """Raise the generation of each target that these offerings feed, and wake workers.

    Returns {offering id: its targets, with the generation that must become true}.
    The caller holds the project's lock.
    """
    feeds = _lock_fed(project, offering_ids)
    if feeds is None:
        # Without a target a grant would count as applied where nobody ever writes it.
        ensure_targets([project])
        feeds = _lock_fed(project, offering_ids) or {}
    targets = list({target.pk: target for each in feeds.values() for target in each}.values())
    ids = [target.pk for target in targets]
    Target.objects.filter(pk__in=ids).update(
        generation=F("generation") + 1, failure_count=0, **_due_now()
    )
    for target in targets:
        target.generation += 1
    wake_after_commit(ids)
    return feeds


def _lock_fed(project: Project, offering_ids: Collection[int]) -> dict[int, list[Target]] | None:
    """{offering id: the targets that it feeds}, locked; None where one is missing. One query.

    Also one query more for an offering that feeds nothing, which few do.
    """
    fed = Contribution.objects.filter(offering=OuterRef("offering")).order_by()
    counted = fed.values("offering").annotate(n=Count("limit__endpoint", distinct=True)).values("n")
    rows = (
        Target.objects.filter(project=project)
        .annotate(offering=F("endpoint__limits__contributions__offering"))
        .filter(offering__in=offering_ids)
        .annotate(wanted=Subquery(counted))
    )
    targets: dict[int, Target] = {}
    found: dict[int, dict[int, Target]] = {offering_id: {} for offering_id in offering_ids}
    wanted: dict[int, int] = {}
    for row in lock(rows):
        target = targets.setdefault(row.pk, row)
        found[row.offering][row.pk] = target  # type: ignore[attr-defined]  # annotated
        wanted[row.offering] = row.wanted  # type: ignore[attr-defined]  # annotated
    unfed = [offering_id for offering_id, each in found.items() if not each]
    is_missing = any(len(found[each]) < count for each, count in wanted.items())
    if is_missing or (unfed and Contribution.objects.filter(offering__in=unfed).exists()):
        return None
    return {offering_id: list(each.values()) for offering_id, each in found.items()}


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
    held = Q(state__in=[TargetState.LEASED, TargetState.DIRTY])
    return {
        "state": Case(When(held, then=F("state")), default=Value(TargetState.DUE)),
        "next_try_at": Case(When(state=TargetState.DIRTY, then=F("next_try_at")), default=Now()),
        "skip_reason": "",
    }


def deliver(lines: Iterable[DecisionLine], targets: dict[int, list[Target]]) -> None:
    """Note for each granted line what must become true before it counts as applied.

    targets: {offering id: targets}, as `touch` returns them.
    """
    Delivery.objects.bulk_create(
        [
            Delivery(decision_line=line, target=target, generation=target.generation)
            for line in lines
            for target in targets.get(line.line.offering_id, [])
        ]
    )


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
