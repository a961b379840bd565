"""Which events a webhook is told of: of its place, of its types, its owner's to see; and again."""

import ast
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from portal.lib import metrics
from portal.lib.errors import Invalid
from projects.actions import webhooks
from projects.actions.calling import call_next
from projects.actions.people import set_operator
from projects.models import Event, Webhook, WebhookAttempt, WebhookCall
from projects.outgoing import calls, feeding
from projects.outgoing.event_types import TYPES, type_of
from projects.queries.events import Place
from projects.queries.viewers import Viewer
from projects.states import CallState
from quotas.tests.site import NOW, Site, make_project
from quotas.tests.webhooks.acting import ask, grant, send_all
from quotas.tests.webhooks.conftest import at_loopback, make_webhook
from quotas.tests.webhooks.receiver import Receiver

ROOT = Path(__file__).resolve().parents[3]
HOUR = timedelta(hours=1)


def told(webhook: Webhook) -> list[str]:
    found = WebhookCall.objects.filter(webhook=webhook).order_by("event__xid", "event_id")
    return [type_of(each.event) for each in found if each.event]


def test_each_is_told_of_its_own_place(committed_site: Site, receiver: Receiver) -> None:
    site = committed_site
    other = make_project(site, "web-prod", "it", NOW)
    project = make_webhook(site.alice, receiver.url, project=site.project)
    unit = make_webhook(site.dana, receiver.url, unit=site.units["atlas"])
    above = make_webhook(site.audrey, receiver.url, unit=site.units["org"])
    own = make_webhook(site.alice, receiver.url)
    strange = make_webhook(site.mallory, receiver.url)
    some = make_webhook(site.alice, receiver.url, project=site.project, types=["request.approved"])
    grant(site, ask(site, NOW), NOW)
    Event.objects.create(at=NOW, verb="project made", project=other, subject_kind="project")
    feeding.write_all(NOW)
    story = ["request.submitted", "request.approved"]
    # Of what is made for the project after it, its owner is told too.
    assert told(project) == ["webhook.made", "webhook.made", *story]
    assert [each for each in told(unit) if each.startswith("request")] == story
    assert told(above)[-3:] == [*story, "project.made"]
    assert told(own) == ["request.approved"], "what stands on one's first page"
    assert told(strange) == []
    assert told(some) == ["request.approved"]


def test_what_is_committed_late_is_not_missed(committed_site: Site, receiver: Receiver) -> None:
    """An event of a transaction that began before others were committed."""
    site = committed_site
    webhook = make_webhook(
        site.alice, receiver.url, project=site.project, types=["request.commented"]
    )
    late = connection.copy()
    try:
        late.set_autocommit(False)
        with late.cursor() as cursor:
            cursor.execute(
                "INSERT INTO projects_event (at, verb, project_id, subject_kind, data) "
                "VALUES (now(), 'commented', %s, 'request', '{}')",
                [site.project.pk],
            )
        Event.objects.create(at=NOW, verb="commented", project=site.project, subject_kind="request")
        assert feeding.write_all(NOW) == 0, "above the horizon nothing is read"
        late.commit()
    finally:
        late.close()
    assert feeding.write_all(NOW) == 2
    assert feeding.write_all(NOW) == 0
    assert len(told(webhook)) == 2


def test_it_is_told_again_since_a_moment_or_a_place(
    committed_site: Site, receiver: Receiver
) -> None:
    site = committed_site
    webhook = make_webhook(
        site.alice, receiver.url, project=site.project,
        types=["request.submitted", "request.approved"],
    )  # fmt: skip
    asked = ask(site, NOW)
    grant(site, asked, NOW + HOUR)
    assert send_all(NOW + HOUR) == 2
    first, second = receiver.calls
    viewer = Viewer.of(site.alice, NOW + 2 * HOUR)
    webhooks.replay(webhook=webhook, since=NOW + HOUR / 2, viewer=viewer)
    assert send_all(NOW + 2 * HOUR) == 1
    again = receiver.calls[2]
    assert (again.body, again.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    place = Place.read(first.told["data"]["place"])
    webhooks.replay(webhook=webhook, after=place, viewer=viewer)
    assert send_all(NOW + 2 * HOUR) == 1
    webhooks.replay(webhook=webhook, since=NOW - HOUR, viewer=viewer)
    assert send_all(NOW + 2 * HOUR) == 2
    assert WebhookCall.objects.count() == 2
    for moment in (NOW + 3 * HOUR, NOW - timedelta(days=31)):
        with pytest.raises(Invalid):
            webhooks.replay(webhook=webhook, since=moment, viewer=viewer)


def test_switched_on_again_with_what_it_missed_or_without(
    committed_site: Site, receiver: Receiver
) -> None:
    site = committed_site
    missing, fresh = (
        make_webhook(site.alice, receiver.url, project=site.project, types=["request.submitted"])
        for _each in range(2)
    )
    viewer = Viewer.of(site.alice, NOW)
    for each in (missing, fresh):
        webhooks.switch_off(webhook=each, viewer=viewer)
    ask(site, NOW)
    assert send_all(NOW) == 0
    webhooks.switch_on(webhook=missing, missed=True, viewer=viewer)
    webhooks.switch_on(webhook=fresh, viewer=viewer)
    assert send_all(NOW) == 1
    assert (told(missing), told(fresh)) == (["request.submitted"], [])


def test_a_receiver_that_is_away_has_so_many_calls_before_it(
    committed_site: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "MOST_DUE", 2)
    site = committed_site
    webhook = make_webhook(site.alice, receiver.url, project=site.project, types=["project.made"])
    for _each in range(5):
        Event.objects.create(at=NOW, verb="project made", project=site.project,
                             subject_kind="project")  # fmt: skip
    for _look in range(3):
        feeding.write_all(NOW)
    assert WebhookCall.objects.filter(webhook=webhook).count() == 2
    while send_all(NOW):
        pass
    assert len(receiver.calls) == 5, "the record keeps the rest"


def test_what_ended_long_ago_is_forgotten(committed_site: Site, receiver: Receiver) -> None:
    site = committed_site
    webhook = make_webhook(site.alice, receiver.url, project=site.project)
    webhooks.rotate(webhook=webhook, viewer=Viewer.of(site.alice, NOW))
    ask(site, NOW)
    assert send_all(NOW) >= 1
    calls.clean(NOW + timedelta(days=29))
    assert WebhookAttempt.objects.exists()
    calls.clean(NOW + timedelta(days=31))
    assert not WebhookAttempt.objects.exists()
    assert not WebhookCall.objects.exists()
    assert Webhook.objects.get(pk=webhook.pk).old_secret is None


def test_the_metrics_tell_how_much_waits_and_for_how_long(
    committed_site: Site, receiver: Receiver
) -> None:
    make_webhook(
        committed_site.alice, receiver.url, project=committed_site.project,
        types=["request.submitted"],
    )  # fmt: skip
    ask(committed_site, NOW)
    feeding.write_all(NOW)
    said = metrics.exposition().decode()
    assert "remit_webhook_calls_due 1.0" in said
    assert 'remit_webhooks{state="on"} 1.0' in said
    oldest = next(x for x in said.splitlines() if x.startswith("remit_webhook_oldest_call_seconds"))
    assert float(oldest.split()[1]) > 0
    assert call_next(NOW, at_loopback)
    assert "remit_webhook_calls_due 0.0" in metrics.exposition().decode()


def test_what_concerns_nobody_s_place_is_told_to_nobody(
    committed_site: Site, receiver: Receiver
) -> None:
    """An act on the whole site is in the record, and in no project, unit or list of notices."""
    site = committed_site
    own = make_webhook(site.otto, receiver.url)
    set_operator(user=site.bob, is_operator=True, actor=site.otto, now=NOW)
    feeding.write_all(NOW)
    assert told(own) == []
    assert not WebhookCall.objects.exclude(state=CallState.DUE).exists()


def test_every_verb_that_the_code_names_as_it_is_has_a_type() -> None:
    """The first argument of whatever writes the record, where it is a text."""
    writers = {"record", "note", "_record", "_note"}
    said = set()
    for path in (*ROOT.glob("projects/a*/*.py"), *ROOT.glob("quotas/[ad]*/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                texts = [x for x in node.args[:2] if isinstance(x, ast.Constant)]
                if node.func.id in writers and texts:
                    said.add(str(texts[0].value))
    verbs = {verb for _kind, verb in TYPES.values()}
    assert len(said) > 20
    assert said - verbs == SITE_WIDE


# Acts of those who operate, or on groups, in no project and no unit; "resume" is told as
# another word.
SITE_WIDE = {
    "job started", "issued", "letter sent again", "resume", "limit taken in", "limit left out",
    "group made", "group renamed", "group changed", "person arrived", "person changed",
    "person left", "person returned",
}  # fmt: skip


def test_one_that_cannot_be_fed_keeps_none_of_the_others_waiting(
    committed_site: Site, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    site = committed_site
    older = make_webhook(site.alice, receiver.url, project=site.project)
    other = make_webhook(site.alice, receiver.url, project=site.project)
    # As a release that knew another type has left it.
    Webhook.objects.filter(pk=older.pk).update(verbs=["request.forgotten"])
    ask(site, NOW)
    assert feeding.write_all(NOW) == len(told(other)) == 2
    assert told(older) == []
    failed = [vars(each) for each in caplog.records if each.levelname == "ERROR"]
    assert [each["webhook"] for each in failed] == [older.pk]
