"""The verbs of operators and repairers on deliveries: to have something tried again now."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, NotVisible
from projects.actions.events import record
from projects.models import Project, User
from projects.queries.viewers import visible_projects
from quotas.models import Endpoint, Target
from quotas.queries.repairers import repairable_targets
from quotas.states import TargetState

from .repairs import check_retry, check_retry_at, held_viewer
from .targets import wake_targets

# What a retry of the whole endpoint wakes. Skipped ones were left out by somebody, with a
# reason; a dirty or leased one is in work.
FAILED = (TargetState.RETRYING, TargetState.REFUSED, TargetState.WAITING)
# An event tells how many there were, and which as far as one would ever look at.
IDS_KEPT = 50


def retry_target(*, endpoint: Endpoint, target_id: int, actor: User, now: datetime) -> Target:
    """Make one target due now.

    Raises Forbidden with the zone or unit that is not the person's, and Conflict where the
    target is in work or applied already.
    """
    with transaction.atomic():
        viewer = held_viewer(actor, now)
        rows = Target.objects.select_related("endpoint", "project__unit")
        target = rows.filter(
            endpoint=endpoint, pk=target_id, project__in=visible_projects(viewer)
        ).first()
        if target is None:
            raise NotVisible(_("There is no such target."))
        check_retry(viewer, target)
        if target.state == TargetState.APPLIED or not wake_targets([target]):
            raise Conflict(
                _("Nothing to try again: this target is %(state)s.")
                % {"state": target.get_state_display()},
                state=target.state,
            )
        _record(endpoint, [target.pk], actor, now, project=target.project)
    return target


def retry_endpoint(*, endpoint: Endpoint, actor: User, now: datetime) -> int:
    """Make all that failed or waits at an endpoint due now, as far as the person may; how many.

    Raises Forbidden with the zone that is not the person's, and Conflict where nothing failed.
    """
    with transaction.atomic():
        viewer = held_viewer(actor, now)
        check_retry_at(viewer, endpoint)
        rows = repairable_targets(viewer).filter(endpoint=endpoint, state__in=FAILED)
        targets = list(rows.only("pk").order_by("next_try_at", "pk"))
        woken = wake_targets(targets)
        if not woken:
            raise Conflict(_("Nothing at %(name)s has failed.") % {"name": endpoint.name})
        _record(endpoint, [each.pk for each in targets], actor, now)
    return woken


def _record(
    endpoint: Endpoint,
    ids: Sequence[int],
    actor: User,
    now: datetime,
    project: Project | None = None,
) -> None:
    record(
        "retried",
        actor=actor,
        now=now,
        project=project,
        subject_kind="endpoint",
        subject_id=endpoint.pk,
        endpoint=endpoint.slug,
        count=len(ids),
        targets=list(ids[:IDS_KEPT]),
    )
