"""Looking without touching: readings are refreshed in turn, never ahead of writes."""

import logging
import math
from datetime import timedelta

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from quotas.actions.targets import wake_targets
from quotas.backends.errors import BackendError
from quotas.backends.registry import UnknownDriver
from quotas.models import ProjectHandle, Target
from quotas.states import TargetState

from . import readings
from .calling import calling
from .clouds import identity_driver, quota_driver
from .leases import READABLE, callable_now, may_call
from .wanted import compare, wanted_limits

logger = logging.getLogger(__name__)

BATCH = 200


def batch_size(sweep_seconds: float) -> int:
    """How many to send each sweep, so that all are looked at once in OBSERVE_SECONDS."""
    share = math.ceil(Target.objects.count() * sweep_seconds / settings.OBSERVE_SECONDS)
    return max(BATCH, share)


def stale() -> QuerySet[Target]:
    """Targets not looked at for a while, the longest first; those in work look for themselves."""
    long_ago = Now() - timedelta(seconds=settings.OBSERVE_SECONDS)
    return (
        Target.objects.filter(
            Q(looked_at__isnull=True) | Q(looked_at__lte=long_ago),
            # A silent one too, when it is due for a probe: perhaps nothing else would ask.
            callable_now(*READABLE),
            state__in=[TargetState.APPLIED, TargetState.REFUSED, TargetState.SKIPPED],
        )
        .select_related("project", "endpoint__identity")
        .order_by(F("looked_at").asc(nulls_first=True))
    )


def observe(target_id: int) -> None:
    """Refresh the readings of a target, unless somebody else just did."""
    target = stale().filter(pk=target_id).first()
    if target is None or not Target.objects.filter(pk=target_id, looked_at=target.looked_at).update(
        looked_at=Now()
    ):
        return
    if not (may_call(target.endpoint, *READABLE) and may_call(target.endpoint.identity, *READABLE)):
        return
    try:
        needs_work = _look(target)
    except (BackendError, UnknownDriver) as error:
        logger.warning("observation failed", extra={"target": target_id, "error": str(error)})
        return
    if needs_work:
        wake_targets([target])


def _look(target: Target) -> bool:
    """Read; True where the state in the row is no longer what is seen."""
    identity = target.endpoint.identity or target.endpoint
    handle = ProjectHandle.objects.filter(project=target.project, identity=identity).first()
    if handle is None:
        return False
    timeout = settings.CALL_TIMEOUT_SECONDS
    with calling(identity):
        found = identity_driver(identity).get(handle.external_id, timeout=timeout)
    if found is None or not found.is_enabled:
        Target.objects.filter(pk=target.pk).update(observed_at=Now())
        return target.state == TargetState.APPLIED
    if target.endpoint.identity is None:
        Target.objects.filter(pk=target.pk).update(observed_at=Now())
        return target.state == TargetState.REFUSED
    wanted = wanted_limits(target)
    read_at = timezone.now()
    with calling(target.endpoint):
        figures = quota_driver(target.endpoint).read(
            handle.external_id, [each.limit.key for each in wanted], timeout=timeout
        )
    readings.store(target, figures, read_at=read_at)
    plan = compare(wanted, figures)
    # A refusal whose cause has gone, as when use fell below what was granted.
    return target.state == TargetState.REFUSED and not plan.is_hindered
