"""One call of a webhook, from its lease to what became of it. By workers alone."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _

from projects.models import Event, Webhook
from projects.outgoing import calls
from projects.outgoing.feeding import may_have
from projects.outgoing.payloads import body_of
from projects.outgoing.sending import Answer, Limits, Resolve, call, resolve
from projects.outgoing.signing import SecretLost, opened, signed_headers
from projects.queries.events import visible_events
from projects.queries.viewers import Viewer

from .webhooks import disable, site_reach


def call_next(now: datetime, resolve: Resolve = resolve) -> bool:
    """Send the call that is next, if there is one; whether there was.

    Its owner's sight is asked again at this moment: what they may not see is not sent.
    """
    taken = calls.take(now)
    if taken is None:
        return False
    webhook = taken.call.webhook
    if not _may_be_sent(webhook, taken.call.event, now):
        calls.withhold(taken, now)
        return True
    try:
        keys = _secrets(webhook, now)
    except SecretLost:
        disable(webhook_id=webhook.pk, why=_("Its secret cannot be read: rotate it."), now=now)
        answer = Answer(None, _("Not sent: its secret cannot be read."), 0)
        calls.has_failed(taken, answer, now)
        return True
    body = body_of(taken.call)
    headers = signed_headers(message_id=taken.call.message_id, at=now, body=body, secrets_now=keys)
    limits = Limits(
        settings.WEBHOOK_TIMEOUT_SECONDS, settings.WEBHOOK_ALLOW_HTTP,
        site_reach(),
    )  # fmt: skip
    answer = call(webhook.url, body, headers, limits, resolve)
    if answer.is_taken:
        calls.was_taken(taken, answer, now)
    else:
        _has_failed(taken, answer, now)
    return True


def _has_failed(taken: calls.Taken, answer: Answer, now: datetime) -> None:
    webhook = calls.has_failed(taken, answer, now)
    if webhook is None:
        return
    if answer.status == calls.GONE:
        disable(webhook_id=webhook.pk, why=_("Its receiver says that it is gone (410)."), now=now)
    days = settings.WEBHOOK_DISABLE_DAYS
    if webhook.failing_since and webhook.failing_since <= now - timedelta(days=days):
        why = _("Every call failed for %(days)s days.") % {"days": days}
        disable(webhook_id=webhook.pk, why=why, now=now)


def _may_be_sent(webhook: Webhook, event: Event | None, now: datetime) -> bool:
    viewer = Viewer.of(webhook.owner, now)
    if not may_have(viewer, webhook):
        return False
    return event is None or visible_events(viewer).filter(pk=event.pk).exists()


def _secrets(webhook: Webhook, now: datetime) -> list[str]:
    """The secrets that sign at a moment; raises SecretLost."""
    found = [opened(bytes(webhook.secret))]
    until = webhook.old_secret_until
    if webhook.old_secret is not None and until is not None and until > now:
        found.append(opened(bytes(webhook.old_secret)))
    return found
