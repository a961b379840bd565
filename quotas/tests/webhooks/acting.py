"""What tests of webhooks do: something happens, and workers call whoever is told of it."""

from datetime import datetime, timedelta

from projects.actions.calling import call_next
from projects.models import Webhook, WebhookAttempt, WebhookCall
from projects.outgoing import feeding
from quotas.actions import decide, requests
from quotas.actions.wishes import Wish
from quotas.models import QuotaRequest
from quotas.tests.site import Site
from quotas.tests.webhooks.conftest import at_loopback, make_webhook

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def ask(site: Site, now: datetime, offering: str = "") -> QuotaRequest:
    slug = offering or site.vcpu.slug
    wish = Wish({slug: 10 * site.offerings[slug].resource.step}, "tests")
    return requests.submit(project=site.project, wish=wish, actor=site.alice, now=now)


def grant(site: Site, asked: QuotaRequest, now: datetime) -> None:
    line = asked.lines.get()
    seen = site.quota(line.offering)
    decide.approve(
        quota_request=asked, granted={line.pk: line.wanted}, seen={line.pk: seen},
        version=asked.version, actor=site.dana, now=now,
    )  # fmt: skip


def send_all(now: datetime) -> int:
    """What the workers do at a moment: read the record, and call until nothing is due."""
    feeding.write_all(now)
    count = 0
    while call_next(now, at_loopback):
        count += 1
    return count


def the_call(webhook: Webhook) -> WebhookCall:
    return WebhookCall.objects.get(webhook=webhook)


def last_try() -> WebhookAttempt:
    return WebhookAttempt.objects.latest("pk")


def of_project(site: Site, url: str) -> Webhook:
    return make_webhook(
        site.alice, url, project=site.project, types=["request.submitted", "request.approved"]
    )
