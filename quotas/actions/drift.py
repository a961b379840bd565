"""The verbs on drift for those who repair: restore what was wanted, or ignore it for a while.

Neither calls a cloud. A restore wakes the target, and convergence writes what is wanted by
then; what stays ignored is neither restored by policy nor counted.
"""

from collections.abc import Callable, Collection
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from portal.lib.errors import Conflict, Forbidden, Invalid, NotVisible, Stale
from portal.lib.locks import lock
from projects.actions.events import record
from projects.models import User
from projects.queries.viewers import Viewer
from projects.states import Power
from quotas.models import Drift, Job, JobItem, KeptLimit, Target
from quotas.queries.drift import visible_drifts
from quotas.queries.drift_words import ended_words, why_not_restore
from quotas.states import DriftKind

from .jobs import job_kind, start_job
from .project_adoption import want_new_project
from .repairs import check_retry, held_viewer
from .targets import wake_targets
from .wishes import clean_text

MOST_DAYS = 366
MAX_REASON = 500


def restore(*, drift: Drift, version: str | None = None, actor: User, now: datetime) -> Drift:
    """Have what is wanted put in force again; the target is due now.

    Raises Forbidden with the zone or unit that is not the person's, and Conflict with what
    helps instead where nothing can be restored or the drift has ended; Stale where `version`
    was seen and is not what it is now.
    """
    with transaction.atomic():
        found = _take(drift, version, actor, now, why_not_restore)
        found.restore_asked_at, found.restore_asked_by = now, actor
        found.ignored_until, found.ignored_by, found.ignore_reason = None, None, ""
        found.save(
            update_fields=[
                "restore_asked_at", "restore_asked_by", "ignored_until", "ignored_by",
                "ignore_reason",
            ]
        )  # fmt: skip
        if found.kind == DriftKind.PROJECT_MISSING:
            want_new_project(found.target)
        # One that a worker holds reads anew before it is called applied; the next look
        # wakes what was missed.
        wake_targets([found.target])
        _record("drift_restore", found, actor, now)
    return found


def ignore(
    *,
    drift: Drift,
    until_on: date | None,
    reason: str,
    version: str | None = None,
    actor: User,
    now: datetime,
) -> Drift:
    """Leave the drift as it is until the end of a day, in the site's zone.

    Raises Forbidden, Conflict where it has ended, and Invalid for a day that is over or too
    far away; Stale where `version` was seen and is not what it is now. Today as the day ends an
    earlier word.
    """
    with transaction.atomic():
        found = _take(drift, version, actor, now, _why_not_ignore)
        until, cleaned = _read(until_on, reason, now)
        found.ignored_until, found.ignored_by, found.ignore_reason = until, actor, cleaned
        found.restore_asked_at, found.restore_asked_by = None, None
        found.save(
            update_fields=[
                "ignored_until", "ignored_by", "ignore_reason", "restore_asked_at",
                "restore_asked_by",
            ]
        )  # fmt: skip
        _record("drift_ignored", found, actor, now, until=until.isoformat())
    return found


def _why_not_ignore(drift: Drift) -> str:
    return ended_words(drift) if drift.ended_at is not None else ""


def _take(
    drift: Drift, version: str | None, actor: User, now: datetime, why_not: Callable[[Drift], str]
) -> Drift:
    """The drift under its target's lock, once the actor may repair it and the verb applies."""
    viewer = held_viewer(actor, now)
    lock(Target.objects.filter(pk=drift.target_id))
    found = visible_drifts(viewer).filter(pk=drift.pk).first()
    if found is None:
        raise NotVisible(_("There is no such drift."))
    check_retry(viewer, found.target)
    if version is not None and version != found.version:
        raise Stale(_("It is not as you saw it any more."), version=found.version)
    if sentence := why_not(found):
        raise Conflict(sentence, drift=found.pk, kind=found.kind)
    return found


def _read(until_on: date | None, reason: str, now: datetime) -> tuple[datetime, str]:
    """The moment at which the day ends in the site's zone, and the reason. Raises Invalid."""
    errors: dict[str, list[str]] = {}
    cleaned = ""
    zone = timezone.get_default_timezone()
    today = timezone.localdate(now, zone)
    if until_on is None:
        errors["until_on"] = [_("Say until which day.")]
    elif until_on < today:
        errors["until_on"] = [_("That day is over; choose today or a later day.")]
    elif until_on > today + timedelta(days=MOST_DAYS):
        errors["until_on"] = [_("A year is the longest; look at it again by then.")]
    try:
        cleaned = clean_text(reason, field="reason", required=True, most=MAX_REASON)
    except Invalid as error:
        errors.update(error.errors)
    if errors or until_on is None:
        raise Invalid(errors)
    return timezone.make_aware(
        datetime.combine(until_on + timedelta(days=1), time.min), zone
    ), cleaned


def _record(verb: str, drift: Drift, actor: User, now: datetime, **data: Any) -> None:
    record(
        verb, actor=actor, now=now, project=drift.target.project, subject_kind="drift",
        subject_id=drift.pk, endpoint=drift.target.endpoint.slug, kind=drift.kind, **data,
    )  # fmt: skip


@job_kind("drift_restore", subject="drift", title=_lazy("Restore drift"))
def _restore_item(item: JobItem, job: Job, now: datetime) -> None:
    drift = _drift_of(item)
    if KeptLimit.objects.filter(target=drift.target_id, limit=drift.limit_id).exists():
        # It was never ours, and nobody has said what it is to be: not by the hundred.
        raise Conflict(
            _(
                "An import kept this limit as it was: restore it by itself, or answer it in "
                "another import."
            )
        )
    restore(drift=drift, actor=job.actor, now=now)


@job_kind("drift_ignore", subject="drift", title=_lazy("Ignore drift"))
def _ignore_item(item: JobItem, job: Job, now: datetime) -> None:
    ignore(
        drift=_drift_of(item),
        until_on=date.fromisoformat(job.arguments["until_on"]),
        reason=job.arguments["reason"],
        actor=job.actor,
        now=now,
    )


def _drift_of(item: JobItem) -> Drift:
    found = Drift.objects.filter(pk=item.subject_id).first()
    if found is None:
        raise NotVisible(_("There is no such drift."))
    return found


def check_repairer(viewer: Viewer) -> None:
    """Raise Forbidden for who may have nothing at all tried again."""
    if not viewer.is_operator and not viewer.paths(Power.RETRY_DELIVERIES):
        raise Forbidden(
            _("Only operators, and those who hold the power to retry deliveries, can do this.")
        )


def restore_many(*, drift_ids: Collection[int], actor: User, now: datetime) -> Job:
    """A job that restores each; who may do which is asked one by one.

    Raises Forbidden for who repairs nothing at all, and Invalid.
    """
    check_repairer(Viewer.of(actor, now))
    return start_job(kind="drift_restore", subjects=drift_ids, actor=actor, now=now)


def ignore_many(
    *, drift_ids: Collection[int], until_on: date | None, reason: str, actor: User, now: datetime
) -> Job:
    """A job that ignores each until the end of a day. Raises Forbidden, Invalid."""
    check_repairer(Viewer.of(actor, now))
    _until, cleaned = _read(until_on, reason, now)
    arguments = {"until_on": until_on.isoformat() if until_on else "", "reason": cleaned}
    return start_job(
        kind="drift_ignore", subjects=drift_ids, arguments=arguments, actor=actor, now=now
    )
