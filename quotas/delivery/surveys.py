"""All projects of an endpoint read in one go: whose turn it is, the run, and what it leaves.

One run at a time for each endpoint, each in a moment of its own within OBSERVE_SECONDS, and few
at once for the whole site. A row says who is at it, so a killed worker's run begins anew once its
lease is over; what it had stored by then stays.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.db.models import DateTimeField, ExpressionWrapper, F, Q
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Greatest, Now

from quotas.backends.base import GapDriver, Survey, SurveyDriver
from quotas.backends.errors import BackendError
from quotas.backends.registry import UnknownDriver
from quotas.models import Endpoint, Limit, SurveyRun

from . import thresholds
from .clouds import quota_driver, registry
from .comparing import Surveyed, judge_slice, known_readings, surveyed_targets
from .gaps import keep_gaps
from .leases import READABLE, in_seconds, may_call
from .listing import list_and_look
from .permits import Busy
from .storing import store_many
from .told import told_of_project, told_target
from .turns import run_of_calls

logger = logging.getLogger(__name__)

# What is allowed beyond the calls, for storing what they told.
STORE_SECONDS = 120.0
# So many targets are held at once, while what was read of them is stored.
SLICE = 200
# Whoever found no room tries again soon.
AGAIN_SECONDS = 30.0
# A way to spread any number of endpoints evenly, each in the widest gap that the others left.
_GOLDEN = 0.6180339887


@dataclass(frozen=True)
class _Turn:
    """The right to survey an endpoint. began_at: by the database's clock."""

    endpoint: Endpoint
    token: uuid.UUID
    began_at: datetime


@dataclass(frozen=True)
class _Done:
    """What a run came to; project_count None: nothing was read but what is missing."""

    call_count: int
    project_count: int | None


def plan_surveys() -> None:
    """Give each endpoint that can be read in one go a moment of its own; one query where all have.

    What cannot be any more, as its driver is another one, is planned no longer.
    """
    planned = set(SurveyRun.objects.values_list("endpoint", flat=True))
    endpoints = list(Endpoint.objects.filter(_can_be_surveyed()))
    SurveyRun.objects.bulk_create(
        [
            SurveyRun(
                endpoint=each,
                next_at=in_seconds(each.pk * _GOLDEN % 1 * settings.OBSERVE_SECONDS),
            )
            for each in endpoints
            if each.pk not in planned
        ],
        ignore_conflicts=True,
    )
    gone = planned - {each.pk for each in endpoints}
    SurveyRun.objects.filter(endpoint__in=gone).delete()
    # Nobody would ever say that these are over.
    Endpoint.objects.filter(pk__in=gone, gaps_since__isnull=False).update(gaps=[], gaps_since=None)


def _can_be_surveyed() -> Q:
    able = []
    for name in registry().names():
        try:
            driver = registry().driver_class(name)
        except UnknownDriver:
            # Not known to be unable, and perhaps only this process cannot load it: told by each
            # of its endpoints, when it is its turn.
            able.append(name)
            continue
        if any(hasattr(driver, verb) for verb in ("survey", "gaps")):
            able.append(name)
    return Q(identity__isnull=True) | Q(driver__in=able)


def due_surveys() -> list[int]:
    """Ids of the endpoints whose moment has come, as many as there is room for, oldest first."""
    room = settings.SURVEYS_AT_ONCE - SurveyRun.objects.filter(lease_until__gt=Now()).count()
    if room <= 0:
        return []
    due = SurveyRun.objects.filter(_is_free(), next_at__lte=Now()).order_by("next_at", "pk")
    return list(due.values_list("pk", flat=True)[:room])


def _is_free() -> Q:
    return Q(token__isnull=True) | Q(lease_until__lte=Now())


def survey(endpoint_id: int) -> None:
    """Read all projects of an endpoint, if its moment has come; what came of it is in the row."""
    turn = _take(endpoint_id)
    if turn is None:
        return
    if not may_call(turn.endpoint, *READABLE):
        _end(turn, again=settings.OBSERVE_SECONDS)
        return
    try:
        done = _list(turn) if turn.endpoint.identity_id is None else _survey(turn)
    except Busy as busy:
        # Others are at work there, and looking comes after that.
        _end(turn, again=max(busy.seconds, min(AGAIN_SECONDS, settings.OBSERVE_SECONDS)))
    except BackendError as error:
        _fail(turn, error.code, error.words)
    except UnknownDriver as error:
        _fail(turn, "configuration", str(error))
    except Exception as error:
        # A mistake of ours about one endpoint must not end the sweep, nor pass for a reading.
        logger.exception("endpoint could not be surveyed", extra={"endpoint": turn.endpoint.slug})
        _fail(turn, "internal", type(error).__name__)
    else:
        _succeed(turn, done)


def _take(endpoint_id: int) -> _Turn | None:
    token = uuid.uuid4()
    lasts = settings.SURVEY_TIMEOUT_SECONDS + settings.CALL_TIMEOUT_SECONDS + STORE_SECONDS
    taken = SurveyRun.objects.filter(_is_free(), pk=endpoint_id, next_at__lte=Now()).update(
        token=token,
        lease_until=in_seconds(lasts),
        began_at=Now(),
        next_at=in_seconds(settings.OBSERVE_SECONDS),
    )
    if not taken:
        return None
    run = SurveyRun.objects.select_related("endpoint").get(pk=endpoint_id)
    return _Turn(run.endpoint, token, cast(datetime, run.began_at))


def _list(turn: _Turn) -> _Done:
    with run_of_calls(turn.endpoint, seconds=settings.SURVEY_TIMEOUT_SECONDS) as run:
        count = list_and_look(turn.endpoint, turn.began_at)
    return _Done(run.call_count, count)


def _survey(turn: _Turn) -> _Done:
    endpoint = turn.endpoint
    # Before anything is asked for: what moves from here on is read by others.
    targets = surveyed_targets(endpoint)
    limits = list(Limit.objects.filter(endpoint=endpoint))
    driver = quota_driver(endpoint)
    has_survey = hasattr(driver, "survey")
    with run_of_calls(endpoint, seconds=settings.SURVEY_TIMEOUT_SECONDS) as run:
        if has_survey:
            found: Survey = cast(SurveyDriver, driver).survey(
                [each.key for each in limits], timeout=settings.SURVEY_TIMEOUT_SECONDS
            )
            gaps = found.gaps
        else:
            gaps = cast(GapDriver, driver).gaps(timeout=settings.SURVEY_TIMEOUT_SECONDS)
    keep_gaps(endpoint, gaps, turn.began_at)
    if not has_survey:
        return _Done(run.call_count, project_count=None)
    for start in range(0, len(targets), SLICE):
        _keep(targets[start : start + SLICE], found, limits, turn.began_at)
    return _Done(run.call_count, len(targets))


def _keep(
    some: Sequence[Surveyed], found: Survey, limits: Sequence[Limit], moment: datetime
) -> None:
    """Store what was told of some targets, and see what follows from it."""
    ids = [each.target.pk for each in some]
    known = known_readings(ids)
    told = {
        each.target.pk: told_target(
            each.target.pk,
            told_of_project(found, each.external_id, limits, known.get(each.target.pk, {})),
            limits,
        )
        for each in some
    }
    store_many(told.values(), moment)
    judge_slice(some, told, known, limits, moment)
    thresholds.look(ids, moment)


def _succeed(turn: _Turn, done: _Done) -> None:
    fields: dict[str, Any] = {"error_code": "", "error_words": "", "call_count": done.call_count}
    if done.project_count is not None:
        fields |= {"ended_at": Now(), "project_count": done.project_count}
    _release(turn, **fields)
    logger.info(
        "endpoint was surveyed",
        extra={"endpoint": turn.endpoint.slug, "calls": done.call_count,
               "projects": done.project_count},
    )  # fmt: skip


def _fail(turn: _Turn, code: str, words: str) -> None:
    logger.warning(
        "survey failed", extra={"endpoint": turn.endpoint.slug, "error": f"{code}: {words}"}
    )
    _release(turn, failed_at=Now(), error_code=code[:60], error_words=words[:1000])


def _end(turn: _Turn, *, again: float) -> None:
    _release(turn, again=in_seconds(again))


def _release(turn: _Turn, *, again: CombinedExpression | None = None, **fields: Any) -> None:
    # Never at it for more than half of the time, however long it takes and whatever it comes to.
    pause = ExpressionWrapper(Now() + (Now() - F("began_at")), output_field=DateTimeField())
    next_at = Greatest(F("next_at") if again is None else again, pause)
    SurveyRun.objects.filter(pk=turn.endpoint.pk, token=turn.token).update(
        token=None, lease_until=None, next_at=next_at, **fields
    )
