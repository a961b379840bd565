"""The verbs of operators on deliveries: to have something tried again now."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, NotVisible
from projects.actions.events import record
from projects.models import User
from projects.queries.viewers import Viewer
from projects.rules import may_operate
from quotas.models import Endpoint, Target
from quotas.states import TargetState

from .targets import wake_targets

# What a retry of the whole endpoint wakes. Skipped ones were left out by somebody, with a
# reason; a dirty or leased one is in work.
FAILED = (TargetState.RETRYING, TargetState.REFUSED, TargetState.WAITING)


def retry_target(*, endpoint: Endpoint, target_id: int, actor: User, now: datetime) -> Target:
    """Make one target due now. Raises Conflict where it is in work or applied already."""
    with transaction.atomic():
        _operator(actor, now)
        target = Target.objects.filter(endpoint=endpoint, pk=target_id).first()
        if target is None:
            raise NotVisible(_("There is no such target."))
        if target.state == TargetState.APPLIED or not wake_targets([target]):
            raise Conflict(
                _("Nothing to try again: this target is %(state)s.")
                % {"state": target.get_state_display()},
                state=target.state,
            )
        _record(endpoint, [target], actor, now)
    return target


def retry_endpoint(*, endpoint: Endpoint, actor: User, now: datetime) -> int:
    """Make everything that failed or waits at an endpoint due now; returns how many."""
    with transaction.atomic():
        _operator(actor, now)
        targets = list(Target.objects.filter(endpoint=endpoint, state__in=FAILED))
        if not targets:
            raise Conflict(_("Nothing at %(name)s has failed.") % {"name": endpoint.name})
        woken = wake_targets(targets)
        _record(endpoint, targets, actor, now)
    return woken


def _operator(actor: User, now: datetime) -> None:
    if not may_operate(Viewer.of(actor, now)):
        raise Forbidden(_("Only operators can have deliveries tried again."))


def _record(endpoint: Endpoint, targets: list[Target], actor: User, now: datetime) -> None:
    record(
        "retried",
        actor=actor,
        now=now,
        project=targets[0].project if len(targets) == 1 else None,
        subject_kind="endpoint",
        subject_id=endpoint.pk,
        targets=[each.pk for each in targets],
    )
