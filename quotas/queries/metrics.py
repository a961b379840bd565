"""The numbers of delivery at /metrics: what is not true yet, and what is under way."""

from collections.abc import Iterable

from django.db.models import Count, Q
from django.db.models.functions import Now
from prometheus_client.metrics_core import Metric

from portal.lib.metrics import gauge
from quotas.models import CallSlot, Endpoint, SurveyRun, Target
from quotas.states import TAKEABLE


def collect_delivery() -> Iterable[Metric]:
    """Targets by state, those that are due, and calls under way, each by endpoint."""
    states = Target.objects.order_by().values_list("endpoint__slug", "state")
    yield gauge(
        "remit_targets",
        "Targets by endpoint and state",
        {(slug, state): float(count) for slug, state, count in states.annotate(Count("pk"))},
        "endpoint",
        "state",
    )
    is_due = Q(targets__state__in=TAKEABLE, targets__next_try_at__lte=Now())
    due = Endpoint.objects.order_by("slug").annotate(count=Count("targets", filter=is_due))
    yield gauge(
        "remit_targets_due",
        "Targets that wait for a worker, or for their endpoint",
        {(slug,): float(count) for slug, count in due.values_list("slug", "count")},
        "endpoint",
    )
    yield gauge(
        "remit_endpoint_gaps",
        "Parts of a service that cannot be looked into: use is told too low",
        {(slug,): float(len(gaps)) for slug, gaps in due.values_list("slug", "gaps")},
        "endpoint",
    )
    surveys = SurveyRun.objects.filter(ended_at__isnull=False).values_list(
        "endpoint__slug", "ended_at"
    )
    yield gauge(
        "remit_survey_ended_seconds",
        "When all projects of an endpoint were last read in one go, as a Unix time",
        {(slug,): ended_at.timestamp() for slug, ended_at in surveys if ended_at is not None},
        "endpoint",
    )
    held = CallSlot.objects.filter(held_until__gt=Now()).order_by()
    counts = held.values_list("endpoint__slug").annotate(Count("pk"))
    yield gauge(
        "remit_calls_under_way",
        "Slots of calls that are held, by live workers or until they are over",
        {(slug,): float(count) for slug, count in counts},
        "endpoint",
    )
