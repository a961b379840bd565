"""The verbs on drift for those who repair: restore what was wanted, or ignore it for a while.

Neither calls a cloud. A restore wakes the target, and convergence writes what is wanted by
then; what stays ignored is neither restored by policy nor counted.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Invalid, NotVisible
from portal.lib.locks import lock
from projects.actions.events import record
from projects.models import User
from quotas.models import Drift, Target
from quotas.queries.drift import drifts
from quotas.queries.drift_words import ended_words, why_not_restore

from .repairs import check_retry, held_viewer
from .targets import wake_targets
from .wishes import clean_text

MOST_DAYS = 366


def restore(*, drift: Drift, actor: User, now: datetime) -> Drift:
    """Have what is wanted put in force again; the target is due now.

    Raises Forbidden with the zone or unit that is not the person's, and Conflict with what
    helps instead where nothing can be restored or the drift has ended.
    """
    with transaction.atomic():
        found = _take(drift, actor, now, why_not_restore)
        found.restore_asked_at, found.restore_asked_by = now, actor
        found.ignored_until, found.ignored_by, found.ignore_reason = None, None, ""
        found.save(
            update_fields=[
                "restore_asked_at", "restore_asked_by", "ignored_until", "ignored_by",
                "ignore_reason",
            ]
        )  # fmt: skip
        # One that a worker holds reads anew before it is called applied; the next look
        # wakes what was missed.
        wake_targets([found.target])
        _record("drift_restore", found, actor, now)
    return found


def ignore(
    *, drift: Drift, until_on: date | None, reason: str, actor: User, now: datetime
) -> Drift:
    """Leave the drift as it is until the end of a day, in the site's zone.

    Raises Forbidden, Conflict where it has ended, and Invalid for a day that is over or too
    far away. Today as the day ends an earlier word.
    """
    with transaction.atomic():
        found = _take(drift, actor, now, _why_not_ignore)
        errors: dict[str, list[str]] = {}
        until = _end_of_day(until_on, now, errors)
        try:
            cleaned = clean_text(reason, field="reason", required=True, most=500)
        except Invalid as error:
            errors.update(error.errors)
        if errors or until is None:
            raise Invalid(errors)
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


def _take(drift: Drift, actor: User, now: datetime, why_not: Callable[[Drift], str]) -> Drift:
    """The drift under its target's lock, once the actor may repair it and the verb applies."""
    viewer = held_viewer(actor, now)
    lock(Target.objects.filter(pk=drift.target_id))
    found = drifts().filter(pk=drift.pk).first()
    if found is None:
        raise NotVisible(_("There is no such drift."))
    check_retry(viewer, found.target)
    if sentence := why_not(found):
        raise Conflict(sentence, drift=found.pk, kind=found.kind)
    return found


def _end_of_day(day: date | None, now: datetime, errors: dict[str, list[str]]) -> datetime | None:
    zone = timezone.get_default_timezone()
    today = timezone.localdate(now, zone)
    if day is None:
        errors["until_on"] = [_("Say until which day.")]
    elif day < today:
        errors["until_on"] = [_("That day is over; choose today or a later day.")]
    elif day > today + timedelta(days=MOST_DAYS):
        errors["until_on"] = [_("A year is the longest; look at it again by then.")]
    else:
        return timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min), zone)
    return None


def _record(verb: str, drift: Drift, actor: User, now: datetime, **data: Any) -> None:
    record(
        verb, actor=actor, now=now, project=drift.target.project, subject_kind="drift",
        subject_id=drift.pk, endpoint=drift.target.endpoint.slug, kind=drift.kind, **data,
    )  # fmt: skip
