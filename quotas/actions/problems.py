"""The verbs on what is not well: skip a target with a reason, apply a known problem's remedy.

To have something tried again is `operations.retry_target`. Each verb is of one target; many
at once are a job of the kinds registered here.
"""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.errors import Conflict, NotVisible
from portal.lib.locks import lock
from projects.actions.events import record
from projects.models import Event, Project, User
from projects.queries.viewers import Viewer, visible_projects
from quotas.models import Endpoint, Job, JobItem, Target
from quotas.problems import Problem, Remedy
from quotas.queries.problems import problem_of
from quotas.queries.repairers import readable_targets
from quotas.states import TARGET_MOVES, TargetState

from .jobs import job_kind, start_job
from .keys import leave_out_keys
from .operations import retry_target
from .project_adoption import recreate_project
from .repairs import check_retry, check_retry_at, held_viewer
from .targets import wake_targets
from .wishes import clean_text

MAX_REASON = 500
SKIPPABLE = tuple(state for state, verb in TARGET_MOVES if verb == "skip")


def skip_target(*, target_id: int, reason: str, actor: User, now: datetime) -> Target:
    """Leave a target as it is in the cloud until the ledger changes again.

    Raises Invalid without a reason, Forbidden with the zone that is not the person's, and
    Conflict where it is in work, applied or skipped already.
    """
    text = clean_text(reason, field="reason", required=True, most=MAX_REASON)
    with transaction.atomic():
        target = _repairable(target_id, actor, now)
        if not Target.objects.filter(pk=target.pk, state__in=SKIPPABLE).update(
            state=TargetState.SKIPPED, skip_reason=text, next_try_at=None
        ):
            raise Conflict(
                _("Nothing to skip: this target is %(state)s.")
                % {"state": target.get_state_display()},
                state=target.state,
            )
        _record("skipped", target, actor, now, error=target.error_id)
        target.refresh_from_db(fields=["state", "skip_reason", "next_try_at"])
    return target


def apply_remedy(*, target_id: int, cause: str = "", actor: User, now: datetime) -> Target:
    """Do what helps against the known problem that a target has.

    cause: the id of the problem that the person saw; another one by now is a Conflict, as is
    a problem without a remedy from here. Raises Forbidden as `skip_target` does, and for a
    limit that is to be left out for everybody who is no operator.
    """
    with transaction.atomic():
        target = _repairable(target_id, actor, now)
        problem = problem_of(target)
        if problem is None or (cause and problem.id != cause):
            raise Conflict(
                _("This target has another trouble by now, or none: look at it again."),
                state=target.state,
            )
        _apply(target, problem, actor, now)
        target.refresh_from_db(fields=["state", "next_try_at"])
    return target


def apply_automatic(*, target_id: int, now: datetime) -> bool:
    """Do it by the word of the site, where the known problem says so; once for each error.

    Whether it was done. A remedy that is refused counts as tried: the work list keeps it.
    """
    with transaction.atomic():
        # One at a time: the sweeps of two workers may have found the same error.
        lock(Project.objects.filter(targets=target_id))
        target = _rows().filter(pk=target_id).first()
        problem = problem_of(target) if target is not None else None
        if (
            target is None
            or problem is None
            or target.state != TargetState.REFUSED
            or not problem.automatic
            or problem.remedy not in APPLIED
            or tried(target)
        ):
            return False
        try:
            with transaction.atomic():
                _apply(target, problem, None, now)
        except Conflict:
            _record_remedy(target, problem, None, now, done=False)
            return False
    return True


def tried(target: Target) -> bool:
    """Whether a remedy was applied to the error that the target has now."""
    return Event.objects.filter(
        subject_kind="target", subject_id=target.pk, verb="remedied", data__error=target.error_id
    ).exists()


def _apply(target: Target, problem: Problem, actor: User | None, now: datetime) -> None:
    act = APPLIED.get(problem.remedy)
    if act is None:
        raise Conflict(
            _("Nothing can be done about this from here. %(fix)s") % {"fix": problem.fix}
        )
    act(target, problem, actor, now)
    _record_remedy(target, problem, actor, now, done=True)


def _reread(target: Target, problem: Problem, actor: User | None, now: datetime) -> None:
    if not wake_targets([target]):
        raise Conflict(
            _("Nothing to try again: this target is %(state)s.")
            % {"state": target.get_state_display()},
            state=target.state,
        )


def _skip_key(target: Target, problem: Problem, actor: User | None, now: datetime) -> None:
    leave_out_keys(
        endpoint=target.endpoint,
        keys=problem.keys_in(target.error_words),
        reason=problem.title,
        actor=actor,
        now=now,
    )
    wake_targets([target])


def _recreate(target: Target, problem: Problem, actor: User | None, now: datetime) -> None:
    recreate_project(target=target, actor=actor, now=now)


def start(
    *,
    kind: str,
    endpoint: Endpoint,
    target_ids: Collection[int],
    reason: str = "",
    cause: str = "",
    actor: User,
    now: datetime,
) -> Job:
    """Do it to many targets of an endpoint, as a job: kind "retry", "skip" or "remedy".

    reason: for "skip"; cause: the problem that the person saw, for "remedy". Raises Forbidden
    for who may repair nothing there, Invalid by field; each target's own refusal becomes the
    words of its item. Targets of another endpoint, and those of which the person may not
    read, are passed over.
    """
    viewer = Viewer.of(actor, now)
    check_retry_at(viewer, endpoint)
    arguments = {}
    if kind == "skip":
        arguments["reason"] = clean_text(reason, field="reason", required=True, most=MAX_REASON)
    elif kind == "remedy":
        arguments["cause"] = cause
    # Nothing of others comes into the job by its number: its items name their projects.
    readable = readable_targets(viewer).filter(endpoint=endpoint, pk__in=target_ids)
    known = set(readable.values_list("pk", flat=True))
    subjects = [each for each in target_ids if each in known]
    return start_job(kind=kind, subjects=subjects, arguments=arguments, actor=actor, now=now)


Act = Callable[[Target, Problem, User | None, datetime], None]
# What does something; `wait` and `none` do nothing, `adopt` is decided one by one.
APPLIED: dict[Remedy, Act] = {
    Remedy.REREAD: _reread,
    Remedy.SKIP_KEY: _skip_key,
    Remedy.RECREATE: _recreate,
}


def _repairable(target_id: int, actor: User, now: datetime) -> Target:
    """The target, once the person may repair it.

    Not locked: each verb changes its state by compare-and-set, and what a remedy locks
    stands before targets in the order of locks.
    """
    viewer = held_viewer(actor, now)
    target = _rows().filter(pk=target_id, project__in=visible_projects(viewer)).first()
    if target is None:
        raise NotVisible(_("There is no such target."))
    check_retry(viewer, target)
    return target


def _rows() -> QuerySet[Target]:
    return Target.objects.select_related("endpoint__identity", "project__unit")


def _record(verb: str, target: Target, actor: User | None, now: datetime, **data: Any) -> None:
    record(
        verb, actor=actor, now=now, project=target.project, subject_kind="target",
        subject_id=target.pk, endpoint=target.endpoint.slug, **data,
    )  # fmt: skip


def _record_remedy(
    target: Target, problem: Problem, actor: User | None, now: datetime, *, done: bool
) -> None:
    _record(
        "remedied", target, actor, now, error=target.error_id, problem=problem.id,
        remedy=problem.remedy.value, done=done,
    )  # fmt: skip


@job_kind("retry", subject="target", title=gettext_lazy("Try again"))
def _retry_item(item: JobItem, job: Job, now: datetime) -> None:
    target = Target.objects.select_related("endpoint").filter(pk=item.subject_id).first()
    if target is None:
        raise NotVisible(_("There is no such target."))
    retry_target(endpoint=target.endpoint, target_id=target.pk, actor=job.actor, now=now)


@job_kind("skip", subject="target", title=gettext_lazy("Skip until the next change"))
def _skip_item(item: JobItem, job: Job, now: datetime) -> None:
    skip_target(target_id=item.subject_id, reason=job.arguments["reason"], actor=job.actor, now=now)


@job_kind("remedy", subject="target", title=gettext_lazy("Do what helps"))
def _remedy_item(item: JobItem, job: Job, now: datetime) -> None:
    cause = job.arguments.get("cause", "")
    apply_remedy(target_id=item.subject_id, cause=cause, actor=job.actor, now=now)
