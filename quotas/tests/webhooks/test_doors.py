"""Webhooks through both doors: the same rows after each verb, the same refusals."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F
from django.db.models.lookups import IsNull
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.actions import webhooks
from projects.actions.webhooks import Terms
from projects.models import (
    Event,
    Membership,
    ServiceAccount,
    Webhook,
    WebhookCall,
)
from projects.outgoing.feeding import may_have
from projects.queries.viewers import Viewer
from projects.queries.webhooks import own_webhooks
from projects.states import CallState, Role, WebhookState
from quotas.tests.counting import assert_all_flat
from quotas.tests.site import Site
from quotas.tests.test_tokens import calling, token_for

DONE = 200
URL = "https://tickets.example.org/in"


@dataclass(frozen=True)
class Act:
    """A verb of a person on Alice's webhook, or a new one for a project, a unit or themselves."""

    verb: str
    person: str = "alice"
    url: str = URL
    name: str = "Tickets"
    types: tuple[str, ...] = ("request.submitted",)
    version: int = 1
    more: dict[str, Any] = field(default_factory=dict)


def terms_of(act: Act) -> dict[str, Any]:
    return {"name": act.name, "url": act.url, "types": list(act.types)}


def by_page(client: Client, act: Act, webhook: Webhook | None) -> int:
    names = {"on": "switch_on", "off": "switch_off", "make": "new"}
    name = f"webhook_{names.get(act.verb, act.verb)}"
    form: dict[str, Any] = dict(act.more)
    if act.verb in ("make", "change"):
        form |= terms_of(act) | {"version": act.version}
    if "missed" in form:
        form["missed"] = "yes" if form["missed"] else "no"
    answer = client.post(reverse(name, kwargs=_at(webhook, act)), form)
    shows_secret = answer.status_code == 200 and b"whsec_" in answer.content
    return DONE if answer.status_code == 302 or shows_secret else answer.status_code


def by_api(client: Client, act: Act, webhook: Webhook | None) -> int:
    names = {"make": "s", "change": "", "delete": "", "on": "_switch_on", "off": "_switch_off"}
    method = {"change": "PUT", "delete": "DELETE"}.get(act.verb, "POST")
    body: dict[str, Any] = dict(act.more)
    if act.verb in ("make", "change"):
        body |= terms_of(act)
    if act.verb == "change":
        body["version"] = act.version
    url = reverse(f"api_webhook{names.get(act.verb, '_' + act.verb)}", kwargs=_at(webhook, act))
    answer = client.generic(method, url, json.dumps(body), "application/json")
    return DONE if answer.status_code < 300 else answer.status_code


def _at(webhook: Webhook | None, act: Act) -> dict[str, Any]:
    return {} if act.verb == "make" or webhook is None else {"public_id": webhook.public_id}


DOORS: dict[str, Callable[[Client, Act, Webhook | None], int]] = {"page": by_page, "api": by_api}


def rows() -> dict[str, Any]:
    """Everything that a verb could change, but secrets and places of the feed."""
    return {
        "webhooks": list(
            Webhook.objects.order_by("pk").values_list(
                "name", "url", "owner__subject", "project__slug", "unit__slug", "verbs", "state",
                "version", "failure_count", IsNull(F("old_secret"), True),
                IsNull(F("deleted_at"), True),
                "after_id",
            )
        ),
        "calls": list(WebhookCall.objects.order_by("pk").values_list("state", "event")),
        "events": list(
            Event.objects.order_by("pk").values_list(
                "verb", "actor__subject", "project__slug", "unit__slug"
            )
        ),
    }  # fmt: skip


def prepare(site: Site, state: str) -> Webhook | None:
    if not state:
        return None
    before = timezone.now() - timedelta(hours=1)
    viewer = Viewer.of(site.alice, before)
    made, _secret = webhooks.make(terms=Terms("CI", URL), project=site.project, viewer=viewer)
    # So that a replay has somewhere to go back to: all of a test is one transaction.
    Webhook.objects.filter(pk=made.pk).update(after_id=F("after_id") + 1000)
    if state in ("off", "disabled"):
        WebhookCall.objects.create(webhook=made, due_at=before, created_at=before)
        Webhook.objects.filter(pk=made.pk).update(
            state=WebhookState.OFF if state == "off" else WebhookState.DISABLED,
            failure_count=7, failing_since=before,
        )  # fmt: skip
    if state == "tested":
        webhooks.ping(webhook=made, viewer=viewer)
    if state == "of dana":
        Webhook.objects.filter(pk=made.pk).update(
            owner=site.dana, project=None, unit=site.units["atlas"]
        )
    if state == "left":
        Membership.objects.filter(user=site.alice).update(ends_at=before + timedelta(seconds=1))
    return made


def at(site: Site, door: str, state: str, act: Act) -> tuple[int, dict[str, Any], bool]:
    with transaction.atomic():
        webhook = prepare(site, state)
        before = rows()
        client = Client()
        client.force_login(site.people[act.person])
        status = DOORS[door](client, act, webhook)
        after = rows()
        transaction.set_rollback(True)
    return status, after, before == after


OF_PROJECT, OF_ATLAS, OF_EP = {"project": "atlas-reco"}, {"unit": "atlas"}, {"unit": "ep"}

DONE_ACTS = [
    ("", Act("make")),
    ("", Act("make", "mallory", types=())),
    ("", Act("make", more=OF_PROJECT)),
    ("", Act("make", "dana", more=OF_ATLAS)),
    ("", Act("make", "audrey", more=OF_EP)),
    ("on", Act("change", name="Other", url="https://other.example.org:8443/")),
    ("on", Act("rotate")),
    ("on", Act("ping")),
    ("on", Act("replay", more={"after": "1.1"})),
    ("on", Act("off")),
    ("off", Act("on")),
    ("off", Act("on", more={"missed": True})),
    ("disabled", Act("on")),
    ("on", Act("delete")),
    ("off", Act("delete")),
    ("of dana", Act("take_over", "erin")),
    ("of dana", Act("take_over", "audrey")),
    ("left", Act("off")),
    ("left", Act("delete")),
]

REFUSED_ACTS = [
    (403, "", Act("make", "bob", more=OF_PROJECT)),
    (403, "", Act("make", "dana", more=OF_PROJECT)),
    (404, "", Act("make", "mallory", more=OF_PROJECT)),
    (404, "", Act("make", more={"project": "nowhere"})),
    (404, "", Act("make", more={"unit": "nowhere"})),
    (403, "", Act("make", more=OF_ATLAS)),
    (403, "", Act("make", "dana", more=OF_EP)),
    (422, "", Act("make", "alice", more=OF_PROJECT | OF_ATLAS)),
    (422, "", Act("make", url="http://tickets.example.org/")),
    (422, "", Act("make", url="https://127.0.0.1/")),
    (422, "", Act("make", url="https://u:p@tickets.example.org/")),
    (422, "", Act("make", name="")),
    (422, "", Act("make", name="x" * 101)),
    (422, "", Act("make", name="a\x07b")),
    (422, "", Act("make", types=("request.eaten",))),
    (404, "on", Act("change", "bob")),
    (412, "on", Act("change", version=2)),
    (422, "on", Act("change", url="https://10.0.0.1/")),
    (404, "on", Act("rotate", "mallory")),
    (404, "on", Act("ping", "otto")),
    (409, "tested", Act("ping")),
    (409, "off", Act("ping")),
    (409, "off", Act("replay", more={"after": "1.1"})),
    (422, "on", Act("replay")),
    (422, "on", Act("replay", more={"after": "soon"})),
    (422, "on", Act("replay", more={"since": "2001-01-01T00:00"})),
    (409, "on", Act("on")),
    (409, "off", Act("off")),
    (404, "on", Act("delete", "dana")),
    (404, "of dana", Act("take_over")),
    (404, "of dana", Act("take_over", "dana")),
    (404, "of dana", Act("take_over", "mallory")),
    (404, "on", Act("take_over", "bob")),
    (404, "left", Act("take_over", "erin")),
    (403, "left", Act("change")),
    (403, "left", Act("rotate")),
    (403, "left", Act("ping")),
]


@pytest.mark.parametrize(("state", "act"), DONE_ACTS)
def test_both_doors_leave_equal_rows(site_today: Site, state: str, act: Act) -> None:
    page, page_rows, is_same = at(site_today, "page", state, act)
    api, api_rows, _is_same = at(site_today, "api", state, act)
    assert (page, api, is_same) == (DONE, DONE, False)
    assert page_rows == api_rows


@pytest.mark.parametrize(("status", "state", "act"), REFUSED_ACTS)
def test_both_doors_refuse_alike(site_today: Site, status: int, state: str, act: Act) -> None:
    for door in DOORS:
        assert at(site_today, door, state, act)[::2] == (status, True), door


def test_a_person_has_twenty_at_most(site_today: Site) -> None:
    viewer = Viewer.of(site_today.alice, timezone.now())
    for number in range(webhooks.MOST_WEBHOOKS):
        webhooks.make(terms=Terms(f"W{number}", URL), viewer=viewer)
    for door in DOORS:
        assert at(site_today, door, "", Act("make"))[::2] == (409, True)
    webhooks.delete(webhook=Webhook.objects.latest("pk"), viewer=viewer)
    assert at(site_today, "api", "", Act("make"))[0] == DONE


def test_who_takes_one_over_is_told_what_they_may_see(site_today: Site) -> None:
    """Also for what its owner was not told of any more, by a replay."""
    site, now = site_today, timezone.now()
    Membership.objects.filter(user=site.bob).update(role=Role.MANAGER)
    webhook = prepare(site, "left")
    assert webhook is not None
    secret = bytes(webhook.secret)
    client = Client()
    client.force_login(site.bob)
    (row,) = client.get("/api/v1/webhooks/?others=true").json()["results"]
    assert (row["owner"]["name"], row["may_have"]) == ("Alice", True)
    page = client.get(reverse("webhook_others")).content.decode()
    assert reverse("webhook_take_over", args=[webhook.public_id]) in page
    stale = {"If-Match": '"7.0"'}
    path = f"/api/v1/webhooks/{webhook.public_id}/take-over/"
    assert client.post(path, {}, "application/json", headers=stale).status_code == 412
    taken = client.post(path, {}, "application/json")
    assert (taken.status_code, taken.json()["owner"]["name"]) == (200, "Bob")
    webhook.refresh_from_db()
    assert (webhook.owner, bytes(webhook.secret), webhook.version) == (site.bob, secret, 2)
    event = Event.objects.get(verb="webhook taken over")
    assert (event.project, event.data) == (site.project, {"before": site.alice.pk})
    assert may_have(Viewer.of(site.bob, timezone.now()), webhook)
    assert own_webhooks(Viewer.of(site.alice, now)).count() == 0
    program = calling(token_for(site.alice)[1])
    assert program.get("/api/v1/webhooks/?others=true").json()["results"] == []


def test_who_has_as_many_as_there_can_be_takes_none_over(site_today: Site) -> None:
    viewer = Viewer.of(site_today.erin, timezone.now())
    for number in range(webhooks.MOST_WEBHOOKS):
        webhooks.make(terms=Terms(f"W{number}", URL), viewer=viewer)
    for door in DOORS:
        assert at(site_today, door, "of dana", Act("take_over", "erin"))[::2] == (409, True)


def test_a_secret_is_told_once(site_today: Site) -> None:
    client = Client()
    client.force_login(site_today.alice)
    body, key = {"name": "CI", "url": URL}, {"Idempotency-Key": "once"}
    first = client.post("/api/v1/webhooks/", body, "application/json", headers=key)
    again = client.post("/api/v1/webhooks/", body, "application/json", headers=key)
    assert first.json()["secret"].startswith("whsec_")
    assert (again.json()["id"], again.json()["secret"]) == (first.json()["id"], None)
    shown = client.get(f"/api/v1/webhooks/{first.json()['id']}/")
    assert "whsec_" not in shown.content.decode()
    assert first.headers["ETag"].startswith('"1.')


def test_lists_and_the_log_cost_the_same_for_many(site_today: Site) -> None:
    site, now = site_today, timezone.now()
    client = Client()
    client.force_login(site.alice)
    viewer = Viewer.of(site.alice, now)
    webhook, _secret = webhooks.make(terms=Terms("CI", URL), project=site.project, viewer=viewer)
    Membership.objects.filter(user=site.bob).update(role=Role.MANAGER)
    other = Viewer.of(site.bob, now)
    webhooks.make(terms=Terms("CI", URL), project=site.project, viewer=other)

    def call() -> None:
        event = Event.objects.create(at=now, verb="submitted", project=site.project)
        WebhookCall.objects.create(
            webhook=webhook, event=event, state=CallState.TAKEN, due_at=now, created_at=now,
            ended_at=now,
        ).tries.create(at=now, status=204, took_ms=1)  # fmt: skip

    def grow() -> None:
        for number in range(8):
            terms = Terms(f"W{number}", URL)
            webhooks.make(terms=terms, project=site.project, viewer=viewer)
            webhooks.make(terms=terms, project=site.project, viewer=other)
            call()

    call()
    paths = {
        "webhook_list": reverse("webhook_list"),
        "webhook_detail": reverse("webhook_detail", args=[webhook.public_id]),
        "webhook_others": reverse("webhook_others"),
        "api_webhooks": reverse("api_webhooks"),
        "api_webhooks_of_others": reverse("api_webhooks") + "?others=true",
        "api_webhook_calls": reverse("api_webhook_calls", args=[webhook.public_id]),
    }
    loads = {
        name: lambda path=path: _ok(client.get(path).status_code) for name, path in paths.items()
    }
    assert_all_flat(loads, grow)


def _ok(status: int) -> None:
    assert status == 200


def test_a_service_account_has_webhooks_of_its_place_alone(site_today: Site) -> None:
    site, now = site_today, timezone.now()
    own, _secret = webhooks.make(terms=Terms("Own", URL), viewer=Viewer.of(site.alice, now))
    client = _program_of(site)
    assert client.get("/api/v1/webhooks/").json()["results"] == []
    assert client.get(f"/api/v1/webhooks/{own.public_id}/").status_code == 404
    body = {"name": "CI", "url": URL}
    answer = client.post("/api/v1/webhooks/", body, "application/json")
    assert answer.status_code == 403
    answer = client.post("/api/v1/webhooks/", body | OF_PROJECT, "application/json")
    assert answer.status_code == 201
    found = client.get("/api/v1/webhooks/").json()["results"]
    assert [each["project"] for each in found] == ["atlas-reco"]


def _program_of(site: Site) -> Client:
    account = ServiceAccount.objects.create(
        project=site.project, name="ci", owner=site.alice, created_by=site.alice,
        created_at=timezone.now(),
    )  # fmt: skip
    _token, text = token_for(None, account=account)
    return calling(text)
