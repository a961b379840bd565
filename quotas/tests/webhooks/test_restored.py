"""The database was restored on a server whose count of transactions is another: all goes on.

In these tests the record was written far ahead of this server's count, as a dump would be.
"""

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from projects.models import Era, Event, Webhook
from projects.queries.eras import MarkerGone, begin_where_moved, check_stands
from projects.queries.events import Place, horizon
from quotas.tests.site import NOW, Site
from quotas.tests.webhooks.acting import ask, grant, of_project, send_all
from quotas.tests.webhooks.receiver import Receiver

AHEAD = 50_000_000


def restore() -> None:
    """The dump names the server that it was made on, and all come back to this one."""
    Era.objects.update(lead=0, cluster="another")
    connection.close()


@pytest.fixture
def reader(committed_site: Site, settings: Settings) -> Client:
    Era.objects.update(lead=AHEAD)
    client = Client()
    client.force_login(committed_site.otto)
    return client


def told_after(reader: Client, after: str) -> tuple[list[int], str]:
    """The ids of what follows a place, and where the reader stands then."""
    answer = reader.get(f"/api/v1/events/?page_size=200&after={after}").json()
    return [each["id"] for each in answer["results"]], answer["after"]


def test_who_follows_the_record_misses_nothing_and_is_told_nothing_twice(
    committed_site: Site, receiver: Receiver, reader: Client
) -> None:
    site = committed_site
    of_project(site, receiver.url)
    asked = ask(site, NOW)
    before, marker = told_after(reader, "0.0")
    assert Place.read(marker).xid > AHEAD
    assert send_all(NOW) == 1
    restore()
    grant(site, asked, NOW)
    ids = list(Event.objects.order_by("pk").values_list("pk", flat=True))
    after, end = told_after(reader, marker)
    assert [*before, *after] == ids
    assert told_after(reader, "0.0")[0] == ids, "whoever begins anew reads the same order"
    assert told_after(reader, end) == ([], end)
    assert send_all(NOW) == 1
    assert receiver.verbs == ["request.submitted", "request.approved"]
    assert Webhook.objects.get().after_xid >= Place.read(end).xid


def test_a_marker_of_what_is_lost_is_gone(committed_site: Site, reader: Client) -> None:
    ask(committed_site, NOW)
    last = Event.objects.latest("pk")
    marker = reader.get("/api/v1/requests/?updated_since=2026-01-01T00:00:00Z").json()
    # Recorded after the dump was made, and read by somebody.
    lost = Place(last.xid + 3, last.pk + 7)
    restore()
    for path in (f"events/?after={lost}", f"requests/?updated_since={marker['updated_until']}"):
        answer = reader.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (410, "marker_gone")
    check_stands(Place(last.xid, last.pk))
    anew = reader.get("/api/v1/requests/?updated_since=2026-01-01T00:00:00Z").json()
    again = reader.get(f"/api/v1/requests/?updated_since={anew['updated_until']}")
    assert (again.status_code, again.json()["results"]) == (200, [])


def test_another_era_begins_once_and_only_where_the_count_is_another(reader: Client) -> None:
    begin_where_moved()
    assert Era.objects.count() == 1
    restore()
    assert Era.objects.count() == 2
    connection.close()
    begin_where_moved()
    first, second = Era.objects.order_by("pk")
    assert horizon().xid > second.gone_until > second.last_xid > first.last_xid
    with pytest.raises(MarkerGone):
        check_stands(Place(horizon().xid + 1_000_000, 0))
