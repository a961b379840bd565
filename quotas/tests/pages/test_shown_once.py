"""A page that shows a secret once: a reload posts again, and neither makes nor ends anything."""

import re
import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.actions import service_accounts, tokens, webhooks
from projects.actions.webhooks import Terms
from projects.models import ApiToken, Event, Webhook
from projects.queries.viewers import Viewer
from projects.states import TokenScope
from quotas.tests.site import Site

FORMS = ["token", "new secret", "service account", "webhook", "webhook's secret"]
TERMS = {"name": "CI", "scopes": ["read"]}


def form_of(site: Site, what: str) -> tuple[str, str, dict[str, Any]]:
    """The page that has it, where it is sent, and what is typed."""
    now, alice = timezone.now(), site.alice
    if what == "token":
        page, typed = reverse("token_list"), TERMS
    elif what == "new secret":
        token, _text = tokens.make(name="CI", scopes=[TokenScope.READ], actor=alice, now=now)
        page, typed = reverse("token_rotate", args=[token.public_id]), {"overlap": "24"}
    elif what == "service account":
        account = service_accounts.make(place=site.project, name="bot", actor=alice, now=now)
        page, typed = reverse("service_account", args=[account.public_id]), TERMS
        return page, reverse("service_account_token", args=[account.public_id]), typed
    elif what == "webhook":
        page, typed = reverse("webhook_new"), {"name": "CI", "url": "https://ci.example.org/"}
    else:
        terms = Terms("CI", "https://ci.example.org/")
        webhook, _secret = webhooks.make(terms=terms, viewer=Viewer.of(alice, now))
        page, typed = reverse("webhook_rotate", args=[webhook.public_id]), {}
    return page, page, typed


def rows() -> list[Any]:
    return [
        list(ApiToken.objects.order_by("pk").values_list("public_id", "ends_at", "revoked_at")),
        list(Webhook.objects.order_by("pk").values_list("public_id", "secret", "version")),
        Event.objects.count(),
    ]


@pytest.mark.parametrize("what", FORMS)
def test_a_reload_makes_nothing_again(site_today: Site, what: str) -> None:
    client = Client()
    client.force_login(site_today.alice)
    page, action, typed = form_of(site_today, what)
    shown = client.get(page).content.decode()
    (key,) = re.findall(r'name="once" value="([^"]+)"', shown)
    before = rows()
    first = client.post(action, typed | {"once": key})
    assert (first.status_code, b'id="secret"' in first.content) == (200, True)
    after = rows()
    assert before != after
    again = client.post(action, typed | {"once": key}, follow=True)
    assert again.redirect_chain
    assert (again.status_code, b'id="secret"' in again.content) == (200, False)
    assert "This was done already, and nothing was made again" in again.content.decode()
    assert rows() == after
    # Who comes from the form anew does it anew.
    other = client.post(action, typed | {"once": key + "x"})
    assert other.status_code == 200
    assert rows() != after


def test_what_was_refused_can_be_sent_again(site_today: Site) -> None:
    client = Client()
    client.force_login(site_today.alice)
    form = {"name": "", "scopes": ["read"], "once": "key"}
    assert client.post(reverse("token_list"), form).status_code == 422
    assert client.post(reverse("token_list"), form | {"name": "CI"}).status_code == 200
    assert ApiToken.objects.count() == 1


def test_who_clicks_twice_makes_one(committed_site: Site) -> None:
    barrier, told = threading.Barrier(2), []

    def click() -> None:
        client = Client()
        client.force_login(committed_site.alice)
        barrier.wait(timeout=20)
        try:
            answer = client.post(reverse("token_list"), TERMS | {"once": "key"})
            told.append((answer.status_code, answer.headers.get("Location")))
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _each in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=30)
    token = ApiToken.objects.get()
    assert sorted(told) == [(200, None), (302, reverse("token_detail", args=[token.public_id]))]
