"""A receiver on loopback, which this site may call, and what webhooks are told of."""

from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_network
from typing import Any

import pytest
from pytest_django import Settings

from projects.actions import webhooks
from projects.actions.webhooks import Terms
from projects.models import User, Webhook
from projects.queries.viewers import Viewer
from quotas.tests.site import NOW
from quotas.tests.webhooks.receiver import HOST, Receiver, receiving


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOW_PRIVATE = [ip_network(f"{HOST}/32")]
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_TIMEOUT_SECONDS = 0.5
    with receiving() as found:
        yield found


def at_loopback(host: str, port: int) -> list[str]:
    """What DNS says of every name in these tests, unless a test says otherwise."""
    return [HOST]


def make_webhook(owner: User, url: str, now: datetime = NOW, **more: Any) -> Webhook:
    types = more.pop("types", ())
    made, _secret = webhooks.make(
        terms=Terms("Tickets", url, types), viewer=Viewer.of(owner, now), **more
    )
    return made
