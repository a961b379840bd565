"""Receivers that are slow, wrong, away for a day, private, redirect or change their DNS answer."""

from datetime import timedelta
from ipaddress import ip_network

import pytest
from django.test import Client
from pytest_django import Settings

from projects.actions import webhooks
from projects.actions.calling import call_next
from projects.models import Notice, Webhook, WebhookCall
from projects.outgoing import calls, feeding
from projects.queries.viewers import Viewer
from projects.states import CallState, NoticeKind, WebhookState
from quotas.actions import requests
from quotas.tests.site import NOW, Site
from quotas.tests.webhooks.acting import (
    DAY,
    SECOND,
    ask,
    grant,
    last_try,
    of_project,
    send_all,
    the_call,
)
from quotas.tests.webhooks.conftest import make_webhook
from quotas.tests.webhooks.receiver import (
    HOST,
    Receiver,
    answers,
    drips,
    hangs,
    receiving,
    says,
)


def test_what_happens_is_told_once_and_in_order(committed_site: Site, receiver: Receiver) -> None:
    webhook = of_project(committed_site, receiver.url)
    grant(committed_site, asked := ask(committed_site, NOW), NOW)
    assert send_all(NOW) == 2
    assert receiver.verbs == ["request.submitted", "request.approved"]
    told = receiver.calls[0].told
    assert told["data"]["subject_id"] == asked.pk
    assert told["data"]["project"] == "atlas-reco"
    assert "Alice" not in receiver.calls[0].body.decode()
    assert receiver.calls[0].headers["Host"] == f"hooks.test:{receiver.port}"
    assert (receiver.calls[0].path, "Cookie" in receiver.calls[0].headers) == (
        "/in?from=remit", False,
    )  # fmt: skip
    assert send_all(NOW + DAY) == 0
    states = WebhookCall.objects.filter(webhook=webhook).values_list("state", "attempts")
    assert set(states) == {(CallState.TAKEN, 1)}


@pytest.mark.parametrize("manner", [hangs, drips])
def test_a_slow_receiver_has_so_much_time_and_no_more(
    committed_site: Site, receiver: Receiver, manner: object
) -> None:
    webhook = of_project(committed_site, receiver.url)
    receiver.manner = manner(receiver)  # type: ignore[operator]  # one of the two above
    ask(committed_site, NOW)
    assert send_all(NOW) == 1
    assert last_try().words == "No answer within 0.5 s."
    assert 400 <= last_try().took_ms < 3000
    call = the_call(webhook)
    assert (call.state, call.attempts, call.lease) == (CallState.DUE, 1, None)
    assert NOW < call.due_at < NOW + 10 * SECOND


@pytest.mark.parametrize(
    ("manner", "status", "words"),
    [
        (answers(500), 500, ""),
        (answers(404), 404, ""),
        (says(b"hello\r\n\r\n"), None, "It does not speak HTTP."),
        (says(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70_000), None, "It does not speak HTTP."),
        (says(b""), None, "It closed the connection without an answer."),
    ],
)
def test_a_wrong_receiver_is_tried_again(
    committed_site: Site, receiver: Receiver, manner: object, status: int | None, words: str
) -> None:
    webhook = of_project(committed_site, receiver.url)
    receiver.manner = manner  # type: ignore[assignment]  # one of those above
    ask(committed_site, NOW)
    assert send_all(NOW) == 1
    assert (last_try().status, last_try().words) == (status, words)
    receiver.manner = answers(200)
    assert send_all(NOW + 10 * SECOND) == 1
    ids = {each.headers["webhook-id"] for each in receiver.calls}
    assert len(ids) == 1, "the same call has the same id at each try"
    assert the_call(webhook).state == CallState.TAKEN


def test_a_redirect_is_not_followed(committed_site: Site, receiver: Receiver) -> None:
    of_project(committed_site, receiver.url)
    receiver.manner = answers(307, Location=f"http://{HOST}:{receiver.port}/elsewhere")
    ask(committed_site, NOW)
    assert send_all(NOW) == 1
    assert [each.path for each in receiver.calls] == ["/in?from=remit"]
    assert last_try().status == 307
    assert last_try().words == "It redirects, and redirects are not followed."


def test_a_receiver_that_was_down_for_a_day_gets_everything_once(
    committed_site: Site, receiver: Receiver
) -> None:
    with receiving() as down:
        port = down.port
    webhook = of_project(committed_site, f"http://hooks.test:{port}/")
    asked = ask(committed_site, NOW)
    now, tries = NOW, 0
    while now < NOW + DAY:
        tries += send_all(now)
        now += timedelta(minutes=20)
    grant(committed_site, asked, now)
    tries += send_all(now)
    assert 5 <= tries <= 20, "a receiver that is away is tried now and then"
    assert Webhook.objects.get(pk=webhook.pk).failing_since == NOW
    with receiving(port=port) as up:
        # One call finds that it is back; what failed meanwhile follows at once.
        for _look in range(80):
            send_all(now)
            now += timedelta(minutes=20)
            if len(up.calls) == 2:
                break
        assert sorted(up.verbs) == ["request.approved", "request.submitted"]
    webhook.refresh_from_db()
    assert (webhook.state, webhook.failing_since, webhook.failure_count) == ("on", None, 0)


def test_long_failure_disables_and_tells_the_owner(
    committed_site: Site, receiver: Receiver
) -> None:
    site = committed_site
    webhook = make_webhook(site.alice, receiver.url, project=site.project)
    receiver.manner = answers(503)
    asked = ask(site, NOW)
    for day in range(6):
        now = NOW + day * DAY
        requests.comment(quota_request=asked, text="Any news?", actor=site.bob, now=now)
        for hour in range(0, 24, 4):
            send_all(now + timedelta(hours=hour))
        calls.give_up(now + DAY)
    webhook.refresh_from_db()
    assert webhook.state == WebhookState.DISABLED
    assert webhook.state_why == "Every call failed for 5 days."
    notice = Notice.objects.get(kind=NoticeKind.WEBHOOK_DISABLED)
    assert (notice.person, notice.event.subject_id) == (site.alice, webhook.pk)
    given_up = WebhookCall.objects.filter(webhook=webhook, state=CallState.GIVEN_UP)
    assert given_up.exists(), "a call is tried for three days"
    count = len(receiver.calls)
    assert send_all(NOW + 30 * DAY) == 0
    assert len(receiver.calls) == count


def test_a_receiver_that_is_gone_is_not_called_again(
    committed_site: Site, receiver: Receiver
) -> None:
    webhook = of_project(committed_site, receiver.url)
    receiver.manner = answers(410)
    ask(committed_site, NOW)
    assert send_all(NOW) == 1
    assert Webhook.objects.get(pk=webhook.pk).state == WebhookState.DISABLED
    assert send_all(NOW + DAY) == 0


def test_its_owner_is_told_once_that_it_was_disabled(
    committed_site: Site, receiver: Receiver
) -> None:
    webhook = of_project(committed_site, receiver.url)
    receiver.manner = answers(410)
    grant(committed_site, ask(committed_site, NOW), NOW)
    assert send_all(NOW) == 1
    assert webhooks.disable(webhook_id=webhook.pk, why="Again", now=NOW) is False
    client = Client()
    client.force_login(committed_site.alice)
    told = client.get("/api/v1/notices/").json()["results"]
    (notice,) = [each for each in told if each["kind"] == NoticeKind.WEBHOOK_DISABLED]
    assert notice["sentence"] == "Your webhook “Tickets” was disabled: it is called no more"
    assert notice["subject"] == {"kind": "webhook", "id": str(webhook.public_id)}
    page = client.get(f"/me/webhooks/{webhook.public_id}/").content.decode()
    assert "Its receiver says that it is gone (410)." in page
    # Whoever is told of a second time was called in between.
    viewer = Viewer.of(committed_site.alice, NOW)
    webhooks.switch_on(webhook=webhook, missed=True, viewer=viewer)
    assert send_all(NOW + DAY) == 1
    assert Notice.objects.filter(kind=NoticeKind.WEBHOOK_DISABLED).count() == 2


def test_a_receiver_that_asks_for_patience_gets_it(
    committed_site: Site, receiver: Receiver
) -> None:
    webhook = of_project(committed_site, receiver.url)
    receiver.manner = answers(429, Retry_After="3600")
    grant(committed_site, ask(committed_site, NOW), NOW)
    assert send_all(NOW) == 1, "what asks for patience is left alone with all that waits"
    receiver.manner = answers(429, Retry_After="99999999")
    assert send_all(NOW + timedelta(minutes=59)) == 0
    assert send_all(NOW + timedelta(minutes=61)) == 1
    held = Webhook.objects.get(pk=webhook.pk).held_until
    assert held is not None
    assert held < NOW + timedelta(hours=8), "but not for ever"


def test_a_test_waits_for_no_pause_and_ends_none(committed_site: Site, receiver: Receiver) -> None:
    webhook = of_project(committed_site, receiver.url)
    receiver.manner = answers(503, Retry_After="3600")
    grant(committed_site, ask(committed_site, NOW), NOW)
    assert send_all(NOW) == 1
    later = NOW + timedelta(minutes=1)
    webhooks.ping(webhook=webhook, viewer=Viewer.of(committed_site.alice, later))
    assert send_all(later) == 1
    assert send_all(later + timedelta(minutes=1)) == 0, "the test that failed waits as all do"
    assert [each.told["type"] for each in receiver.calls] == ["request.submitted", "ping"]
    receiver.manner = answers(204)
    assert send_all(NOW + timedelta(hours=3)) == 3


def test_a_private_address_is_not_connected_to(
    committed_site: Site, receiver: Receiver, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever made it is not told either what names mean inside of the site."""
    caplog.set_level("INFO", "projects.outgoing")
    of_project(committed_site, receiver.url)
    settings.WEBHOOK_ALLOW_PRIVATE = []
    ask(committed_site, NOW)
    assert send_all(NOW) == 1
    assert receiver.calls == []
    sentence = "hooks.test leads to a private address, which this site does not call."
    assert (last_try().status, last_try().words) == (None, sentence)
    logged = [each for each in caplog.records if each.name == "projects.outgoing.sending"]
    assert [vars(each)["ip"] for each in logged] == [HOST]


def test_an_answer_of_dns_that_changes_after_the_check_changes_nothing(
    committed_site: Site, receiver: Receiver, settings: Settings
) -> None:
    """Allowed is 127.0.0.1 alone; what is private to this site is 127.0.0.2."""
    settings.WEBHOOK_ALLOW_PRIVATE = [ip_network("127.0.0.1/32")]
    said: list[str] = []

    def changing(host: str, port: int) -> list[str]:
        said.append("127.0.0.2" if said else "127.0.0.1")
        return said[-1:]

    with receiving(host="127.0.0.2", port=receiver.port) as private:
        of_project(committed_site, receiver.url)
        grant(committed_site, ask(committed_site, NOW), NOW)
        feeding.write_all(NOW)
        assert call_next(NOW, changing)
        assert (said, len(receiver.calls)) == (["127.0.0.1"], 1)
        assert call_next(NOW, changing)
        assert said == ["127.0.0.1", "127.0.0.2"]
        assert (len(receiver.calls), private.calls) == (1, [])
    assert last_try().words.startswith("hooks.test leads to a private address,")
