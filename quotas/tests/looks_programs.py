"""Rows of the demo site for the pages of programs: tokens, service accounts, webhooks."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from projects.actions import service_accounts, tokens, webhooks
from projects.models import (
    ApiToken,
    Event,
    Project,
    ServiceAccount,
    Unit,
    User,
    Webhook,
    WebhookAttempt,
    WebhookCall,
)
from projects.queries.viewers import Viewer
from projects.states import CallState

# What an address needs, found in the demo's rows.
Facts = Callable[[], dict[str, Any]]


def some_programs() -> dict[str, Any]:
    """Tokens of Alice's and of a program of Atlas' and of its unit, one of them revoked."""
    now, alice = timezone.now(), User.objects.get(subject="alice")
    if not ServiceAccount.objects.exists():
        project = Project.objects.select_related("unit").get(slug="atlas-reco")
        account = service_accounts.make(
            place=project, name="nightly", purpose="Asks for what the next campaign needs",
            actor=alice, now=now,
        )  # fmt: skip
        service_accounts.make(
            place=Unit.objects.get(slug="atlas"), name="ticket-bot",
            purpose="Decides small requests from tickets",
            actor=User.objects.get(subject="dana"), now=now,
        )  # fmt: skip
        common: dict[str, Any] = {"actor": alice, "now": now - timedelta(days=3)}
        tokens.make(name="laptop", scopes=["read", "ask"], **common)
        lost, _text = tokens.make(name="lost phone", scopes=["read"], **common)
        tokens.revoke(token=lost, actor=alice, now=now - timedelta(days=1))
        pipeline, _text = tokens.make(
            name="pipeline", scopes=["read", "ask"], networks=["192.0.2.0/24"],
            account=account, **common,
        )  # fmt: skip
        ApiToken.objects.filter(pk=pipeline.pk).update(last_used_at=now - timedelta(minutes=4))
    return {}


def a_token() -> dict[str, Any]:
    some_programs()
    return {"public_id": ApiToken.objects.get(name="pipeline").public_id}


def a_program(name: str) -> Facts:
    def find() -> dict[str, Any]:
        some_programs()
        return {"public_id": ServiceAccount.objects.get(name=name).public_id}

    return find


def a_webhook() -> dict[str, Any]:
    """Of Alice, with calls that were taken, wait and were given up."""
    alice = User.objects.get(subject="alice")
    found = Webhook.objects.filter(owner=alice).first()
    if found is None:
        now = timezone.now()
        found, _secret = webhooks.make(
            terms=webhooks.Terms("Tickets", "https://tickets.example.org/hooks/remit?team=atlas"),
            project=Project.objects.get(slug="atlas-reco"), viewer=Viewer.of(alice, now),
        )  # fmt: skip
        events = list(Event.objects.filter(project__slug="atlas-reco").order_by("-pk")[:3])
        states = (CallState.DUE, CallState.TAKEN, CallState.GIVEN_UP)
        for event, state in zip(events, states, strict=False):
            call = WebhookCall.objects.create(
                webhook=found, event=event, state=state, attempts=1, due_at=now, created_at=now,
                ended_at=None if state == CallState.DUE else now,
            )  # fmt: skip
            status = 204 if state == CallState.TAKEN else 503
            WebhookAttempt.objects.create(call=call, at=now, status=status, took_ms=84)
        # Nobody calls it while it is looked at.
        later = now + timedelta(days=1)
        Webhook.objects.filter(pk=found.pk).update(failing_since=now, held_until=later)
        found.calls.filter(state=CallState.DUE).update(due_at=later)
    return {"public_id": found.public_id}


def anothers_webhook() -> dict[str, Any]:
    """Of somebody else, in a project of Alice's."""
    own = Webhook.objects.get(public_id=a_webhook()["public_id"])
    found, _is_new = Webhook.objects.get_or_create(
        name="Chat", owner=User.objects.get(subject="bob"), project=own.project,
        defaults={
            "url": "https://chat.example.org/hooks/atlas", "secret": b"",
            "created_at": timezone.now(),
            "after_xid": own.after_xid, "after_id": own.after_id,
        },
    )  # fmt: skip
    return {"public_id": found.public_id}


def webhooks_of_others() -> dict[str, Any]:
    anothers_webhook()
    return {}


def any_webhook() -> dict[str, Any]:
    a_webhook()
    return {}
