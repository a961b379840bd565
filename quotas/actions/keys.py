"""Leaving a limit out at a service that does not have it, with notice, and taking it in again.

A limit that is left out is written by nobody. A line that feeds nothing else there is told
to be not enforced: never applied.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden
from portal.lib.locks import lock
from projects.actions.events import record
from projects.models import User
from projects.queries.viewers import Viewer
from projects.rules import may_operate
from quotas.models import Delivery, Endpoint, Limit, Target
from quotas.states import TargetState

from .targets import touch_endpoints, wake_targets
from .wishes import clean_text

MAX_REASON = 500
# The refusals that a limit which is left out no longer causes.
LACKING = ("key_missing", "unknown_key")


def leave_out(*, limit: Limit, reason: str, actor: User, now: datetime) -> Limit:
    """Leave one limit out at its endpoint, for every project.

    Raises Invalid without a reason, Forbidden for others than operators, Conflict where it
    is left out already.
    """
    text = clean_text(reason, field="reason", required=True, most=MAX_REASON)
    with transaction.atomic():
        check_operator(Viewer.of(actor, now))
        if not _leave_out([limit.pk], text, actor, now):
            raise Conflict(_("%(key)s is left out already.") % {"key": limit.key})
        _wake(limit.endpoint)
    limit.refresh_from_db()
    return limit


def leave_out_keys(
    *, endpoint: Endpoint, keys: Collection[str], reason: str, actor: User | None, now: datetime
) -> None:
    """Leave out the limits that a service said it lacks; those that are so already stay so.

    actor: None where the site's own file says that it goes without a click. Raises Conflict
    where none of the keys is one of ours.
    """
    if actor is not None:
        check_operator(Viewer.of(actor, now))
    ids = list(Limit.objects.filter(endpoint=endpoint, key__in=keys).values_list("pk", flat=True))
    if not ids:
        raise Conflict(_("The service named no limit that Remit manages there."))
    if _leave_out(ids, reason, actor, now):
        _wake(endpoint)


def take_in(*, limit: Limit, actor: User, now: datetime) -> Limit:
    """Write a limit again that was left out; what was not enforced there waits to be applied.

    Raises Forbidden for others than operators, Conflict where it is not left out.
    """
    with transaction.atomic():
        check_operator(Viewer.of(actor, now))
        if not Limit.objects.filter(pk=limit.pk, left_out_at__isnull=False).update(
            left_out_at=None, left_out_by=None, left_out_reason=""
        ):
            raise Conflict(_("%(key)s is not left out.") % {"key": limit.key})
        # Targets first: a worker holds its target as it writes what became of deliveries.
        touch_endpoints([limit.endpoint_id])
        Delivery.objects.filter(
            target__endpoint=limit.endpoint_id,
            left_out_at__isnull=False,
            decision_line__line__offering__contributions__limit=limit,
        ).update(left_out_at=None)
        _record("limit taken in", limit, actor, now)
    limit.refresh_from_db()
    return limit


def _leave_out(ids: Collection[int], reason: str, actor: User | None, now: datetime) -> int:
    limits = lock(Limit.objects.filter(pk__in=ids, left_out_at__isnull=True))
    for limit in limits:
        _record("limit left out", limit, actor, now)
    return Limit.objects.filter(pk__in=[each.pk for each in limits]).update(
        left_out_at=now, left_out_by=actor, left_out_reason=reason[:MAX_REASON]
    )


def _wake(endpoint: Endpoint) -> None:
    """Only what was refused for want of a limit; all else is as it was."""
    wake_targets(
        list(
            Target.objects.filter(
                endpoint=endpoint, state=TargetState.REFUSED, error_code__in=LACKING
            ).only("pk")
        )
    )


def check_operator(viewer: Viewer) -> None:
    """Raise Forbidden for everybody who is no operator."""
    if not may_operate(viewer):
        raise Forbidden(
            _("A limit is left out for every project at the service: only operators can do this.")
        )


def _record(verb: str, limit: Limit, actor: User | None, now: datetime) -> None:
    record(
        verb, actor=actor, now=now, subject_kind="limit", subject_id=limit.pk,
        endpoint=limit.endpoint.slug, key=limit.key,
    )  # fmt: skip
