"""Looking at one project without touching it: in turn, never ahead of writes.

What a reading of all projects at once tells (`surveys`) is not asked for again here: of an endpoint
that is read so, one is looked at for the rest now and then.
"""

import logging
import math
import time
from datetime import timedelta

from django.conf import settings
from django.db.models import F, Q, QuerySet, Window
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now, RowNumber
from django.utils import timezone

from quotas.actions.targets import wake_targets
from quotas.backends.base import IdentityProject
from quotas.backends.errors import BackendError
from quotas.backends.registry import UnknownDriver
from quotas.models import ProjectHandle, Target
from quotas.queries.surveyed import SURVEY_ROUNDS, is_surveyed
from quotas.states import TargetState

from . import drift, kept, readings, thresholds
from .calling import calling
from .clouds import identity_driver, quota_driver
from .differences import is_disabled_outside
from .leases import READABLE, callable_now, may_call
from .mending import needs_mending
from .permits import Busy
from .wanted import compare, wanted_limits

logger = logging.getLogger(__name__)

BATCH = 200
# Those in work look for themselves.
LOOKED_AT = (TargetState.APPLIED, TargetState.REFUSED, TargetState.SKIPPED)


def batch_size(sweep_seconds: float) -> int:
    """How many to send each sweep, so that all are looked at once in OBSERVE_SECONDS."""
    share = math.ceil(Target.objects.count() * sweep_seconds / settings.OBSERVE_SECONDS)
    return max(BATCH, share)


def stale() -> QuerySet[Target]:
    """Targets not looked at for a while, the longest first."""
    return (
        Target.objects.annotate(is_surveyed=is_surveyed())
        .filter(
            Q(looked_at__isnull=True)
            | Q(is_surveyed=False, looked_at__lte=_ago(settings.OBSERVE_SECONDS))
            | Q(is_surveyed=True, looked_at__lte=_ago(settings.OBSERVE_EACH_SECONDS)),
            # A silent one too, when it is due for a probe: perhaps nothing else would ask.
            callable_now(*READABLE),
            state__in=LOOKED_AT,
        )
        .select_related("project", "endpoint__identity")
        .order_by(F("looked_at").asc(nulls_first=True))
    )


def _ago(seconds: float) -> CombinedExpression:
    return Now() - timedelta(seconds=seconds)


def stale_in_turn(most: int) -> list[int]:
    """Ids of stale targets, the longest unread of each endpoint first; endpoints take turns.

    One that gets few calls, and where looks find no room, takes nobody's place.
    """
    oldest_first = F("looked_at").asc(nulls_first=True)
    place = Window(RowNumber(), partition_by="endpoint", order_by=oldest_first)
    ranked = stale().annotate(place=place).order_by("place", oldest_first)
    return list(ranked.values_list("pk", flat=True)[:most])


def observe(target_id: int) -> None:
    """Look at a target, unless somebody else just did; every end of it is in the row.

    What did not answer is named there, so that it is never counted as fine.
    """
    target = stale().filter(pk=target_id).first()
    if target is None or not Target.objects.filter(pk=target_id, looked_at=target.looked_at).update(
        looked_at=Now()
    ):
        return
    if not (may_call(target.endpoint, *READABLE) and may_call(target.endpoint.identity, *READABLE)):
        return
    try:
        needs_work = _look(target)
    except Busy:
        # Others are at work there, and looking comes after that: soon again, before the rest.
        Target.objects.filter(pk=target_id).update(looked_at=target.looked_at)
        return
    except BackendError as error:
        _saw_nothing(target, error.code, error.words)
        return
    except UnknownDriver as error:
        _saw_nothing(target, "configuration", str(error))
        return
    except Exception as error:
        # A mistake of ours about one project must not end the sweep, nor pass for a look.
        logger.exception("target could not be looked at", extra={"target": target_id})
        _saw_nothing(target, "internal", type(error).__name__)
        return
    Target.objects.filter(pk=target_id).update(look_error_code="", look_error_words="")
    if needs_work:
        # Unless somebody said otherwise meanwhile, as by skipping it.
        wake_targets([target], only_in=[target.state])


def _saw_nothing(target: Target, code: str, words: str) -> None:
    logger.warning("observation failed", extra={"target": target.pk, "error": f"{code}: {words}"})
    Target.objects.filter(pk=target.pk).update(
        look_error_code=code[:60], look_error_words=words[:1000]
    )


def _look(target: Target) -> bool:
    """Read; True where the state in the row is no longer what is seen."""
    endpoint = target.endpoint
    identity = endpoint.identity or endpoint
    is_identity = endpoint.identity is None
    # Before the handle: what is said of a project that is replaced since is no news of the new.
    stood: drift.Standing | None
    if is_identity:
        stood = drift.standing(target)
        handle = ProjectHandle.objects.filter(project=target.project, identity=identity).first()
    else:
        stood, handle = drift.project_standing(target.project, identity)
    if handle is None:
        return False
    if not is_identity and _is_listed(handle):
        return _read_limits(target, handle)
    with calling(identity, observing=True):
        found = identity_driver(identity).get(
            handle.external_id, timeout=settings.CALL_TIMEOUT_SECONDS
        )
    drift.note_project(stood, found)
    if not is_identity and is_living(target, handle, found):
        return _read_limits(target, handle)
    Target.objects.filter(pk=target.pk).update(observed_at=Now())
    return needs_work(target, handle, found)


def _is_listed(handle: ProjectHandle) -> bool:
    """Whether the list of all projects showed it lately, enabled: nobody need ask once more."""
    lately = _ago(SURVEY_ROUNDS * settings.OBSERVE_SECONDS)
    return ProjectHandle.objects.filter(pk=handle.pk, listed_at__gt=lately).exists()


def is_living(target: Target, handle: ProjectHandle, found: IdentityProject | None) -> bool:
    """Whether a project is in its identity service, and not disabled by others."""
    return found is not None and (
        found.is_enabled or not is_disabled_outside(target.project, handle)
    )


def needs_work(target: Target, handle: ProjectHandle, found: IdentityProject | None) -> bool:
    """Whether the state in the row is no longer what is seen of the project."""
    is_alive = is_living(target, handle, found)
    if target.state == (TargetState.REFUSED if is_alive else TargetState.APPLIED):
        return True
    is_identity = target.endpoint.identity_id is None
    return is_identity and found is not None and needs_mending(target, handle, found)


def _read_limits(target: Target, handle: ProjectHandle) -> bool:
    stood = drift.standing(target)
    wanted = wanted_limits(target)
    began = time.monotonic()
    with calling(target.endpoint, observing=True):
        figures = quota_driver(target.endpoint).read(
            handle.external_id,
            [each.limit.key for each in wanted],
            timeout=settings.CALL_TIMEOUT_SECONDS,
        )
    readings.store(target, [each.limit for each in wanted], figures, began=began)
    drift.note_limits(stood, wanted, figures)
    kept.settle(stood, wanted, figures)
    thresholds.look([target.pk], timezone.now())
    # A refusal whose cause has gone, as when use fell below what was granted.
    return target.state == TargetState.REFUSED and not compare(wanted, figures).is_hindered
