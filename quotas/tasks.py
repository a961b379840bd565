"""The doors of the workers. A task is a hint: it takes ids, may run twice, loses nothing."""

from celery import current_app, shared_task
from django.conf import settings
from django.utils import timezone

from quotas.actions.routing import route_again, unrouted
from quotas.delivery import leases, observe
from quotas.delivery.converge import converge

SWEEP_BATCH = 500
# What the sweep sends is sent again by the next ones as long as the row is due.
HINT_SECONDS = 30


@shared_task
def apply_target(*, target_id: int) -> None:
    """Make one target true, if it is due."""
    converge(target_id)


@shared_task
def sweep_due() -> None:
    """Find what is due, whoever forgot it, and what a lost worker held."""
    leases.expire()
    due = leases.due().order_by("next_try_at").values_list("pk", flat=True)[:SWEEP_BATCH]
    for target_id in list(due):
        _hint("quotas.tasks.apply_target", target_id)


@shared_task
def observe_target(*, target_id: int) -> None:
    """Refresh the readings of one target, if they are old."""
    observe.observe(target_id)


@shared_task
def sweep_observe() -> None:
    """Send the targets with the oldest readings to be looked at."""
    count = observe.batch_size(settings.OBSERVE_SWEEP_SECONDS)
    for target_id in list(observe.stale().values_list("pk", flat=True)[:count]):
        _hint("quotas.tasks.observe_target", target_id)


@shared_task
def sweep_routes() -> None:
    """Give open lines that wait for nobody in force to those who can decide them now."""
    now = timezone.now()
    for quota_request in unrouted(now):
        route_again(quota_request, now)


def _hint(task: str, target_id: int) -> None:
    current_app.send_task(task, kwargs={"target_id": target_id}, expires=HINT_SECONDS)
