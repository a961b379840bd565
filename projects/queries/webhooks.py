"""Which webhooks are somebody's own, and how their calls went."""

from collections.abc import Collection, Iterable
from datetime import datetime

from django.db.models import Count, Min, Prefetch, Q, QuerySet
from django.utils import timezone
from prometheus_client.metrics_core import Metric

from portal.lib.metrics import gauge
from projects.models import Membership, Webhook, WebhookAttempt, WebhookCall
from projects.states import ROLES_THAT_ASK, CallState, Power, WebhookState

from .events import visible_events
from .viewers import Viewer, below

# Who decides, funds or audits in a unit may have a webhook for it.
LISTENING = (Power.DECIDE_QUOTA, Power.MANAGE_ENVELOPES, Power.AUDIT)


def own_webhooks(viewer: Viewer) -> QuerySet[Webhook]:
    """The person's, the newest first. By a service account's token those of its place alone."""
    rows = Webhook.objects.filter(owner=viewer.user, deleted_at__isnull=True)
    place = viewer.place
    if place is not None:
        here = Q(project__isnull=False) & place.projects("project__")
        if place.project_id is None:
            here |= Q(unit__path__startswith=place.unit_path)
        rows = rows.filter(here)
    return rows.select_related("owner", "project__unit", "unit").order_by("-pk")


def others_webhooks(viewer: Viewer) -> QuerySet[Webhook]:
    """Those of others that the person could have too, and so take over; the newest first.

    Of projects that they own or manage, of units in which they decide, fund or audit. No
    program looks after them.
    """
    rows = Webhook.objects.filter(deleted_at__isnull=True).exclude(owner=viewer.user)
    if viewer.user.token is not None:
        return rows.none()
    mine = Membership.objects.live(viewer.now).filter(viewer.own(), role__in=ROLES_THAT_ASK)
    here = Q(project__in=mine.values("project"))
    here |= below(viewer.paths(*LISTENING), "unit__path")
    return rows.filter(here).select_related("owner", "project__unit", "unit").order_by("-pk")


def calls_of(webhook: Webhook) -> QuerySet[WebhookCall]:
    """The log: the newest first, each with its tries."""
    tries = WebhookAttempt.objects.order_by("-pk")
    return (
        WebhookCall.objects.filter(webhook=webhook)
        .select_related("event__actor", "event__project", "event__unit")
        .prefetch_related(Prefetch("tries", queryset=tries))
        .order_by("-pk")
    )


def seen_in(calls: Collection[WebhookCall], viewer: Viewer) -> set[int]:
    """The ids of the events of these calls that the person may see now; one query."""
    ids = [each.event_id for each in calls if each.event_id is not None]
    if not ids:
        return set()
    return set(visible_events(viewer).filter(pk__in=ids).values_list("pk", flat=True))


def due_counts(webhooks: Collection[Webhook]) -> dict[int, int]:
    """{webhook id: how many calls wait for it}; one query."""
    rows = WebhookCall.objects.filter(webhook__in=webhooks, state=CallState.DUE)
    return dict(rows.order_by().values_list("webhook").annotate(Count("pk")))


def collect_webhooks() -> Iterable[Metric]:
    """Calls that wait, how long the oldest has, and webhooks by state."""
    now = timezone.now()
    due = WebhookCall.objects.filter(
        state=CallState.DUE, webhook__state=WebhookState.ON, webhook__deleted_at__isnull=True
    )
    found = due.aggregate(count=Count("pk"), oldest=Min("created_at"))
    yield gauge("remit_webhook_calls_due", "Calls that wait", {(): float(found["count"])})
    yield gauge(
        "remit_webhook_oldest_call_seconds",
        "Age of the call that waits for longest",
        {(): _age(found["oldest"], now)},
    )
    states = Webhook.objects.filter(deleted_at__isnull=True).order_by().values_list("state")
    yield gauge(
        "remit_webhooks",
        "Webhooks by state",
        {(state,): float(count) for state, count in states.annotate(Count("pk"))},
        "state",
    )


def _age(oldest: datetime | None, now: datetime) -> float:
    return (now - oldest).total_seconds() if oldest else 0.0
