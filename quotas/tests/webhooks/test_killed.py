"""Workers are killed with a call in their hands, or as they read the record: nothing is lost.

Beside that: who waits for a slow receiver keeps nobody from reading the record.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from portal.celery import CALL, WORK
from portal.lib.servers.process import Child
from portal.testing.processes import RunningSite, running_site
from portal.testing.servers import DatabaseCopy
from portal.testing.waiting import wait_until
from projects.models import Event, Webhook, WebhookAttempt, WebhookCall
from projects.states import CallState
from quotas.tests.site import Site
from quotas.tests.webhooks.conftest import make_webhook
from quotas.tests.webhooks.receiver import HOST, Receiver, answers, hangs

EVENTS = 12
MOST_SECONDS = 60
SETTINGS = {
    "WEBHOOK_ALLOW_PRIVATE": f"{HOST}/32",
    "WEBHOOK_ALLOW_HTTP": "on",
    "WEBHOOK_TIMEOUT_SECONDS": "60",
    "WEBHOOK_CONCURRENCY": "1",
}


@pytest.fixture
def running(
    committed_site: Site, database_copy: DatabaseCopy, tmp_path: Path
) -> Iterator[RunningSite]:
    with running_site(database_copy, tmp_path / "none.yaml", **SETTINGS) as found:
        yield found


def reader_of(running: RunningSite, name: str) -> Child:
    return running.start_worker(1, name=name, queues=",".join(WORK))


def caller_of(running: RunningSite, name: str) -> Child:
    return running.start_worker(1, name=name, queues=CALL)


def listening(site: Site, receiver: Receiver) -> Webhook:
    url = f"http://{HOST}:{receiver.port}/"
    return make_webhook(site.alice, url, project=site.project, types=["request.commented"])


def act(site: Site, count: int = EVENTS) -> list[int]:
    found = [
        Event.objects.create(
            at=timezone.now(), verb="commented", project=site.project, subject_kind="request"
        )
        for _each in range(count)
    ]
    return [each.pk for each in found]


def called(webhook: Webhook) -> list[int | None]:
    """The events that have a call, each as often as it has one."""
    found = WebhookCall.objects.filter(webhook=webhook).order_by("event")
    return list(found.values_list("event", flat=True))


def all_taken(webhook: Webhook, count: int) -> bool:
    taken = WebhookCall.objects.filter(webhook=webhook, state=CallState.TAKEN)
    return taken.count() == count


def test_a_caller_that_is_killed_between_sending_and_recording(
    committed_site: Site, receiver: Receiver, running: RunningSite
) -> None:
    webhook, events = listening(committed_site, receiver), act(committed_site)
    receiver.manner = hangs(receiver)
    reader_of(running, "reader")
    victim = caller_of(running, "victim")
    running.start_beat()
    assert receiver.hangs.wait(MOST_SECONDS), running.log("victim")
    # All places of this caller wait for the receiver; whoever reads the record goes on.
    events += act(committed_site)
    wait_until(lambda: called(webhook) == events, MOST_SECONDS, "the record is read on")
    held = WebhookCall.objects.get(lease__isnull=False)
    victim.kill()
    assert WebhookAttempt.objects.count() == 0, "it came whole, and nobody wrote that down"

    receiver.manner = answers(204)
    receiver.may_go.set()
    # As if the time of its lease had passed.
    WebhookCall.objects.filter(pk=held.pk).update(lease_until=Now())
    caller_of(running, "saviour")
    wait_until(lambda: all_taken(webhook, len(events)), MOST_SECONDS, "all calls are taken")
    assert called(webhook) == events
    times = Counter(each.headers["webhook-id"] for each in receiver.calls)
    ids = {each.message_id for each in WebhookCall.objects.all()}
    assert times == dict.fromkeys(ids, 1) | {held.message_id: 2}
    told = {each.told["data"]["id"] for each in receiver.calls}
    assert told == set(events)


@contextmanager
def nobody_writes_calls() -> Iterator[None]:
    """Whoever writes a call waits in the middle of it, until the block ends."""
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("LOCK TABLE projects_webhookcall IN SHARE MODE")
        yield
    finally:
        other.close()


def is_writing() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO \"projects_webhookcall\"%'"
        )
        return bool(cursor.fetchone()[0])


def test_a_worker_that_is_killed_as_it_reads_the_record(
    committed_site: Site, receiver: Receiver, running: RunningSite
) -> None:
    webhook, events = listening(committed_site, receiver), act(committed_site)
    place = Webhook.objects.values_list("after_xid", "after_id").get()
    running.start_beat()
    with nobody_writes_calls():
        victim = reader_of(running, "victim")
        wait_until(is_writing, MOST_SECONDS, "it writes calls")
        victim.kill()
    wait_until(lambda: not is_writing(), MOST_SECONDS, "its statement is over")
    assert called(webhook) == []
    assert Webhook.objects.values_list("after_xid", "after_id").get() == place
    events += act(committed_site)
    reader_of(running, "saviour")
    caller_of(running, "caller")
    wait_until(lambda: all_taken(webhook, len(events)), MOST_SECONDS, "all calls are taken")
    assert called(webhook) == events
    ids = [each.headers["webhook-id"] for each in receiver.calls]
    assert len(ids) == len(set(ids)) == len(events)
