"""Receivers that are slow, wrong, redirecting, away for a day, private or change their DNS answer.

None of them delays a decision, nor a call to anybody else.
"""

import threading
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from portal.testing.waiting import wait_until
from projects import tasks
from projects.actions.calling import call_next
from projects.models import Notice, User, Webhook, WebhookAttempt, WebhookCall
from projects.outgoing import calls, feeding
from projects.states import CallState, NoticeKind, WebhookState
from quotas.actions import decide, requests
from quotas.actions.wishes import Wish
from quotas.models import QuotaRequest
from quotas.tests.site import NOW, Site
from quotas.tests.webhooks.conftest import at_loopback, make_webhook
from quotas.tests.webhooks.receiver import (
    HOST,
    Receiver,
    answers,
    drips,
    hangs,
    receiving,
    says,
)

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


def test_a_private_address_is_not_connected_to(
    committed_site: Site, receiver: Receiver, settings: Settings
) -> None:
    of_project(committed_site, receiver.url)
    settings.WEBHOOK_ALLOW_PRIVATE = []
    ask(committed_site, NOW)
    assert send_all(NOW) == 1
    assert receiver.calls == []
    sentence = "hooks.test leads to 127.0.0.1, which this site does not call."
    assert (last_try().status, last_try().words) == (None, sentence)


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
    assert last_try().words.startswith("hooks.test leads to 127.0.0.2,")


def test_decisions_and_other_webhooks_go_on_while_a_receiver_hangs(
    committed_site: Site, receiver: Receiver, settings: Settings
) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS, settings.WEBHOOK_CONCURRENCY = 30, 1
    site = committed_site
    receiver.manner = hangs(receiver)
    of_project(site, receiver.url)
    ask(site, NOW, site.space.slug)
    feeding.write_all(NOW)
    worker = threading.Thread(target=_call_in_thread)
    worker.start()
    try:
        assert receiver.hangs.wait(10)
        with receiving() as other:
            of_project(site, other.url)
            grant(site, asked := ask(site, NOW), NOW)
            assert asked.lines.get().state == "granted"
            feeding.write_all(NOW)
            wait_until(
                lambda: call_next(NOW, at_loopback) and len(other.calls) == 2, 10,
                "the other receiver has both",
            )  # fmt: skip
        assert worker.is_alive(), "the first call still hangs"
    finally:
        receiver.may_go.set()
        worker.join(20)


def _call_in_thread() -> None:
    try:
        call_next(NOW, at_loopback)
    finally:
        connection.close()


def test_one_webhook_takes_so_many_places_and_no_more(
    committed_site: Site, receiver: Receiver, settings: Settings
) -> None:
    settings.WEBHOOK_CONCURRENCY = 2
    site = committed_site
    slow, other = of_project(site, receiver.url), of_project(site, receiver.url)
    for offering in site.offerings.values():
        ask(site, NOW, offering.slug)
    feeding.write_all(NOW)
    held = [taken.call.webhook for _turn in range(6) if (taken := calls.take(NOW)) is not None]
    assert held == [slow, other, slow, other]


def test_a_lease_that_ran_out_is_taken_by_another(committed_site: Site, receiver: Receiver) -> None:
    webhook = of_project(committed_site, receiver.url)
    ask(committed_site, NOW)
    feeding.write_all(NOW)
    lost = calls.take(NOW)
    assert lost is not None
    assert calls.take(NOW) is None
    WebhookCall.objects.update(lease_until=NOW - 365 * DAY)
    assert call_next(NOW, at_loopback)
    assert the_call(webhook).state == CallState.TAKEN
    assert calls.withhold(lost, NOW) is False, "who lost the lease writes nothing"


def test_what_its_owner_may_not_see_any_more_is_not_sent(
    committed_site: Site, receiver: Receiver
) -> None:
    webhook = of_project(committed_site, receiver.url)
    grant(committed_site, ask(committed_site, NOW), NOW)
    feeding.write_all(NOW)
    committed_site.project.memberships.filter(user=committed_site.alice).update(
        ends_at=NOW + SECOND
    )
    while call_next(NOW + 2 * SECOND, at_loopback):
        pass
    states = WebhookCall.objects.filter(webhook=webhook).values_list("state", flat=True)
    assert (list(states), receiver.calls) == ([CallState.WITHHELD] * 2, [])
    # Nor does the log tell of others' acts, by either door; the page says that nothing is sent.
    client = Client()
    client.force_login(committed_site.alice)
    log = client.get(f"/api/v1/webhooks/{webhook.public_id}/calls/").json()["results"]
    assert [each["type"] for each in log] == ["", "request.submitted"]
    assert log[0]["event"] is None
    page = client.get(f"/me/webhooks/{webhook.public_id}/").content.decode()
    assert "request.submitted</code> <" not in page
    assert "Something that you may no longer see" in page
    assert "Nothing is sent any more" in page


def test_who_left_is_told_nothing(committed_site: Site, receiver: Receiver) -> None:
    of_project(committed_site, receiver.url)
    User.objects.filter(subject="alice").update(is_active=False)
    ask(committed_site, NOW)
    assert send_all(NOW) == 0


def test_the_doors_of_the_workers(committed_site: Site, receiver: Receiver, broker: object) -> None:
    """The sweep reads the record and hints, a hint sends what is due, and the log ends by age."""
    webhook = of_project(committed_site, f"http://{HOST}:{receiver.port}/")
    ask(committed_site, NOW)
    tasks.sweep_webhooks()
    assert the_call(webhook).state == CallState.DUE
    tasks.call_webhooks()
    assert (the_call(webhook).state, receiver.verbs) == (CallState.TAKEN, ["request.submitted"])
    ended = the_call(webhook)
    WebhookCall.objects.filter(pk=ended.pk).update(ended_at=NOW - 31 * DAY)
    tasks.sweep_old_calls()
    assert not WebhookCall.objects.exists()
