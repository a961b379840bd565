"""Who sends which call next, and what becomes of it: leases, back-off, fairness.

A worker takes the webhook that was not called for longest, and of its calls the one that is due
for longest; so a slow receiver takes a few places and no more. Leases are compared by the
database's clock; no transaction is open while a call is under way.
"""

import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Value
from django.db.models.functions import Greatest, Now

from projects.models import Webhook, WebhookAttempt, WebhookCall
from projects.states import CallState, WebhookState

from .sending import Answer

# After the first failure, the second, …; the last one until it is given up.
BACK_OFF_SECONDS = (5, 30, 300, 1_800, 7_200, 18_000, 36_000, 57_600, 86_400)
# For how long a webhook that failed is left alone: doubled from the first to the last.
HOLD_SECONDS, MOST_HOLD_SECONDS = 5, 600
MOST_PATIENCE_SECONDS = 21_600
# After an outage of so long everything that failed is tried again as soon as one call is taken.
OUTAGE = timedelta(minutes=10)
# Beside the call itself: reading what is to be sent, and writing what came of it.
LEASE_SLACK_SECONDS = 30
GONE = 410


@dataclass(frozen=True)
class Taken:
    """A call that this worker holds. since: when the webhook was called before, if ever."""

    call: WebhookCall
    token: uuid.UUID
    since: datetime | None


def due_calls(now: datetime) -> QuerySet[WebhookCall]:
    """Calls that are due and that no live worker holds, whatever their webhook says."""
    return _free().filter(due_at__lte=now)


def _free() -> QuerySet[WebhookCall]:
    is_free = Q(lease_until__isnull=True) | Q(lease_until__lte=Now())
    return WebhookCall.objects.filter(is_free, state=CallState.DUE)


def callable_webhooks(now: datetime) -> QuerySet[Webhook]:
    """Webhooks that have a call to send now, the longest uncalled first."""
    return Webhook.objects.filter(
        state=WebhookState.ON, deleted_at__isnull=True, pk__in=_callable(now).values("webhook")
    ).order_by(F("called_at").asc(nulls_first=True), "pk")


def _callable(now: datetime) -> QuerySet[WebhookCall]:
    """Due calls of webhooks that are not left alone after a failure; and of any a new test.

    Who asks for a test looks at it now; what else waits is not hurried by it.
    """
    is_free = Q(webhook__held_until__isnull=True) | Q(webhook__held_until__lte=now)
    return due_calls(now).filter(is_free | Q(event__isnull=True, attempts=0))


def take(now: datetime) -> Taken | None:
    """The next call to send; None: nothing is due, or others are at it."""
    held = Q(calls__state=CallState.DUE, calls__lease_until__gt=Now())
    busy = (
        Webhook.objects.filter(held)
        .annotate(count=Count("calls"))
        .filter(Q(count__gte=settings.WEBHOOK_CONCURRENCY) | Q(failure_count__gt=0))
    )
    with transaction.atomic():
        webhook = (
            callable_webhooks(now)
            .exclude(pk__in=busy.values("pk"))
            .select_for_update(of=("self",), no_key=True, skip_locked=True)
            .first()
        )
        if webhook is None or _is_busy(webhook):
            return None
        call = (
            _callable(now)
            .select_related("webhook__owner", "webhook__project__unit", "webhook__unit")
            .select_related("event__actor", "event__project", "event__unit")
            .filter(webhook=webhook)
            .order_by("due_at", "pk")
            .first()
        )
        if call is None:
            return None
        token = uuid.uuid4()
        seconds = settings.WEBHOOK_TIMEOUT_SECONDS + LEASE_SLACK_SECONDS
        WebhookCall.objects.filter(pk=call.pk).update(
            lease=token, lease_until=Now() + timedelta(seconds=seconds)
        )
        Webhook.objects.filter(pk=webhook.pk).update(called_at=now)
    return Taken(call, token, webhook.called_at)


def _is_busy(webhook: Webhook) -> bool:
    """Counted anew under its lock, which everybody takes who takes one of its calls.

    One that fails is tried with one call at a time.
    """
    held = WebhookCall.objects.filter(
        webhook=webhook, state=CallState.DUE, lease_until__gt=Now()
    ).count()
    most = 1 if webhook.failure_count else settings.WEBHOOK_CONCURRENCY
    return held >= most


def withhold(taken: Taken, now: datetime) -> bool:
    """Its owner may not see the event any more: it is never sent."""
    return _end(taken, CallState.WITHHELD, now)


def was_taken(taken: Taken, answer: Answer, now: datetime) -> bool:
    """The receiver took it; what waited for the end of an outage is due at once."""
    webhook = taken.call.webhook
    with transaction.atomic():
        if not _end(taken, CallState.TAKEN, now, attempts=F("attempts") + 1):
            return False
        _log(taken, answer, now)
        before = Webhook.objects.select_for_update(no_key=True).get(pk=webhook.pk)
        if before.failing_since is None:
            return True
        Webhook.objects.filter(pk=webhook.pk).update(
            failing_since=None, failure_count=0, held_until=None
        )
        if before.failing_since <= now - OUTAGE:
            WebhookCall.objects.filter(
                webhook=webhook, state=CallState.DUE, attempts__gt=0, due_at__gt=now
            ).update(due_at=now)
    return True


def has_failed(taken: Taken, answer: Answer, now: datetime) -> Webhook | None:
    """It is tried again later; the webhook as it stands then, None where the lease was lost."""
    call = taken.call
    patience = min(answer.retry_after or 0, MOST_PATIENCE_SECONDS)
    place = min(call.attempts, len(BACK_OFF_SECONDS) - 1)
    later = now + timedelta(seconds=max(_jittered(BACK_OFF_SECONDS[place]), patience))
    with transaction.atomic():
        kept = _held(taken).update(
            attempts=F("attempts") + 1, due_at=later, lease=None, lease_until=None
        )
        if not kept:
            return None
        _log(taken, answer, now)
        webhook = Webhook.objects.select_for_update(no_key=True).get(pk=call.webhook_id)
        hold = min(HOLD_SECONDS * 2 ** min(webhook.failure_count, 10), MOST_HOLD_SECONDS)
        until = now + timedelta(seconds=max(_jittered(hold), patience))
        # A failure long after the last call is the first of its own.
        is_anew = webhook.failing_since is None or (
            taken.since is not None and taken.since < now - 2 * _back_off_end()
        )
        Webhook.objects.filter(pk=webhook.pk).update(
            failing_since=now if is_anew else F("failing_since"),
            failure_count=Value(1) if is_anew else F("failure_count") + 1,
            # PostgreSQL passes over what is null.
            held_until=Greatest(F("held_until"), Value(until)),
        )
        webhook.refresh_from_db()
    return webhook


def _back_off_end() -> timedelta:
    return timedelta(seconds=BACK_OFF_SECONDS[-1])


def give_up(now: datetime) -> int:
    """End the calls that were tried for days, and those of webhooks that are gone."""
    old = Q(created_at__lte=now - timedelta(days=settings.WEBHOOK_GIVE_UP_DAYS))
    gone = Q(webhook__deleted_at__isnull=False)
    ids = _free().filter(old | gone).values("pk")
    return WebhookCall.objects.filter(pk__in=ids, state=CallState.DUE).update(
        state=CallState.GIVEN_UP, ended_at=now, lease=None, lease_until=None
    )


def clean(now: datetime) -> int:
    """Remove what ended long ago, with its tries, and secrets that are over."""
    Webhook.objects.filter(old_secret_until__lte=now).update(old_secret=None, old_secret_until=None)
    before = now - timedelta(days=settings.WEBHOOK_LOG_DAYS)
    ids = list(
        WebhookCall.objects.filter(ended_at__lte=before).values_list("pk", flat=True)[:5_000]
    )
    WebhookAttempt.objects.filter(call__in=ids).delete()
    return WebhookCall.objects.filter(pk__in=ids).delete()[0]


def _held(taken: Taken) -> QuerySet[WebhookCall]:
    return WebhookCall.objects.filter(pk=taken.call.pk, lease=taken.token, state=CallState.DUE)


def _end(taken: Taken, state: CallState, now: datetime, **more: object) -> bool:
    return bool(
        _held(taken).update(state=state, ended_at=now, lease=None, lease_until=None, **more)
    )


def _log(taken: Taken, answer: Answer, now: datetime) -> None:
    WebhookAttempt.objects.create(
        call=taken.call, at=now, status=answer.status, words=answer.words, took_ms=answer.took_ms
    )


def _jittered(seconds: float) -> float:
    """Spread over a fifth, so that what failed together does not come back together."""
    return seconds * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
