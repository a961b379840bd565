"""The doors of the workers that call webhooks. A task is a hint: it may run twice or never."""

import time

from celery import current_app, shared_task
from django.core.management import call_command
from django.utils import timezone

from portal.lib.wake import wake
from projects.actions.calling import call_next
from projects.actions.webhooks import CALL_TASK
from projects.outgoing import calls, feeding

HINT_SECONDS = 30
MOST_HINTS = 50
SLICE_SECONDS = 5.0


@shared_task
def sweep_webhooks() -> None:
    """Read the record for webhooks, and send a hint for each that has a call to send."""
    now = timezone.now()
    feeding.write_all(now)
    for _hint in range(calls.callable_webhooks(now)[:MOST_HINTS].count()):
        current_app.send_task(CALL_TASK, expires=HINT_SECONDS)


@shared_task
def call_webhooks() -> None:
    """Send what is due for a few seconds; what is left waits behind what others were hinted at."""
    ends = time.monotonic() + SLICE_SECONDS
    while call_next(timezone.now()):
        if time.monotonic() >= ends:
            wake(CALL_TASK)
            return


@shared_task
def sweep_old_calls() -> None:
    """Give up what was tried for days, and forget what ended long ago."""
    now = timezone.now()
    calls.give_up(now)
    calls.clean(now)


@shared_task
def sweep_sessions() -> None:
    """Forget sessions that are over; they hold nobody in either way."""
    call_command("clearsessions")
