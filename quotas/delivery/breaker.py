"""Whether an endpoint answers: its breaker opens after a few silences and probes by itself."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from portal.lib.locks import lock_ids
from quotas.models import Endpoint, Target
from quotas.states import EndpointState, ErrorKind, TargetState

from .leases import in_seconds
from .permits import GIVE_BACK, Permit
from .statements import fetch

# So many calls in a row without an answer, and other targets need not find out by themselves.
OPEN_AFTER = 3
ANSWERED_EVERY_SECONDS = 10


# Every call of every worker comes by here: so the endpoint is written now and then only, and
# waits for nobody: whoever holds its row would hold up all of its calls. What the breaker goes by,
# that there were silences or that it is open, is answered as well, and told afterwards, without the
# slot; so only the moment of an answer may remain untold, until the next call.
TELL = """
    UPDATE {endpoint} SET failure_count = 0, failing_since = NULL,
        answered_at = statement_timestamp()
    WHERE id = (
        SELECT id FROM {endpoint} WHERE id = %(answered)s AND (
            failure_count > 0 OR answered_at IS NULL OR state = %(unreachable)s
            OR answered_at <= statement_timestamp() - make_interval(secs => %(every)s)
        )
        FOR NO KEY UPDATE SKIP LOCKED
    )
    RETURNING 1
"""
WAS_SILENT = """EXISTS (
    SELECT 1 FROM {endpoint}
    WHERE id = %(answered)s AND (failure_count > 0 OR state = %(unreachable)s)
)"""
# The slot of the call is given back by the same statement.
ANSWERED = f"""
WITH back AS ({GIVE_BACK}), told AS ({TELL})
SELECT EXISTS (SELECT 1 FROM told), {WAS_SILENT}, (SELECT count(*) FROM back)
"""  # noqa: S608 - nobody's words


def values_of(endpoint: Endpoint) -> dict[str, Any]:
    """For TELL and WAS_SILENT."""
    return {
        "answered": endpoint.pk,
        "unreachable": EndpointState.UNREACHABLE.value,
        "every": ANSWERED_EVERY_SECONDS,
    }


def answered(endpoint: Endpoint, permit: Permit | None = None) -> None:
    """The service spoke, whatever it said: close the breaker and let its targets go on.

    permit: of the call that was answered, to be given back.
    """
    row = fetch(
        ANSWERED,
        {
            "slot_id": permit.slot_id if permit else None,
            "holder": permit.holder if permit else None,
            **values_of(endpoint),
        },
    )
    if permit is not None:
        permit.is_back = True
    if row is not None:
        close(endpoint, is_told=row[0], was_silent=row[1])


def close(endpoint: Endpoint, *, is_told: bool, was_silent: bool) -> None:
    """What is left to do of an answer: nearly always nothing.

    is_told: it was, by TELL; was_silent: the breaker went by silences.
    """
    if was_silent and not is_told:
        Endpoint.objects.filter(pk=endpoint.pk).update(
            failure_count=0, failing_since=None, answered_at=Now()
        )
    elif not is_told:
        return
    reopened = Endpoint.objects.filter(pk=endpoint.pk, state=EndpointState.UNREACHABLE).update(
        state=EndpointState.OPEN, next_probe_at=None, state_reason=""
    )
    if reopened:
        silenced = Target.objects.filter(
            Q(endpoint=endpoint) | Q(endpoint__identity=endpoint),
            state=TargetState.RETRYING,
            error_kind=ErrorKind.UNREACHABLE,
        )
        with transaction.atomic():
            silenced.filter(pk__in=lock_ids(silenced)).update(next_try_at=Now())


def silent(endpoint: Endpoint, words: str) -> None:
    """No answer: after a few of them the endpoint is left alone but for one probe at a time.

    Each probe counts once more when it begins (leases.may_call) and so doubles the pause. The
    calls of many workers that were under way together do not: they are one outage.
    """
    Endpoint.objects.filter(pk=endpoint.pk, failure_count__lt=OPEN_AFTER).update(
        failure_count=F("failure_count") + 1
    )
    Endpoint.objects.filter(pk=endpoint.pk, failing_since__isnull=True).update(failing_since=Now())
    known = Endpoint.objects.get(pk=endpoint.pk)
    if known.failure_count < OPEN_AFTER:
        return
    seconds = min(
        settings.RETRY_CAP_SECONDS,
        settings.RETRY_BASE_SECONDS * 2 ** min(known.failure_count - OPEN_AFTER, 20),
    )
    Endpoint.objects.filter(
        pk=endpoint.pk, state__in=[EndpointState.OPEN, EndpointState.UNREACHABLE]
    ).update(
        state=EndpointState.UNREACHABLE,
        next_probe_at=in_seconds(seconds),
        state_reason=words[:500],
    )
