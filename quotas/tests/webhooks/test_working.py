"""How workers share what is to be called, and what is looked at again before it is sent."""

import threading

from django.db import connection
from django.test import Client
from pytest_django import Settings

from portal.testing.waiting import wait_until
from projects import tasks
from projects.actions.calling import call_next
from projects.models import User, WebhookCall
from projects.outgoing import calls, feeding
from projects.states import CallState
from quotas.tests.site import NOW, Site
from quotas.tests.webhooks.acting import (
    DAY,
    SECOND,
    ask,
    grant,
    of_project,
    send_all,
    the_call,
)
from quotas.tests.webhooks.conftest import at_loopback
from quotas.tests.webhooks.receiver import (
    HOST,
    Receiver,
    hangs,
    receiving,
)


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
