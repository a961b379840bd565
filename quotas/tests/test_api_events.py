"""The feed of events: complete, in order, nothing twice, also while others write."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from portal.lib.prepared import PreparedCursor
from projects.actions.events import record
from projects.models import Event
from projects.queries.events import Place, feed, place_before
from quotas.tests.api import caller, refusal, submit
from quotas.tests.counting import assert_flat
from quotas.tests.site import Site, make_project, make_site


@pytest.fixture
def site(database_copy: object) -> Site:
    """Committed: an event of a transaction in progress is in nobody's feed."""
    return make_site(timezone.now() - timedelta(days=1))


@pytest.fixture
def other(database_copy: object) -> Iterator[psycopg.Connection]:
    """Somebody else's connection, whose transaction stays open until the test ends it."""
    with psycopg.connect(database_copy.url) as connection:  # type: ignore[attr-defined]
        yield connection


def read(site: Site, name: str, after: str = "", **query: str) -> tuple[list[int], str]:
    """The ids of a page of the feed, and where to read on."""
    asked = ({"after": after} if after else {}) | query
    answer = caller(site, name).get("events/", **asked)
    assert answer.status_code == 200, answer.content
    page = answer.json()
    return [each["id"] for each in page["results"]], page["after"]


def write(site: Site, count: int = 1) -> list[int]:
    return [
        record("tested", actor=site.alice, now=timezone.now(), project=site.project).pk
        for _each in range(count)
    ]


def test_the_feed_is_read_page_by_page(site: Site) -> None:
    __, start = read(site, "otto", page_size="200")
    written = write(site, 5)
    first, after = read(site, "otto", start, page_size="3")
    second, end = read(site, "otto", after, page_size="3")
    assert first + second == written
    assert read(site, "otto", end) == ([], end)


def test_an_event_tells_what_was_done_by_ids(site: Site) -> None:
    asked = submit(site)
    found = caller(site, "bob").get("events/", request=asked.pk).json()["results"]
    assert [(each["verb"], each["actor"], each["project"]) for each in found] == [
        ("submitted", str(site.alice.public_id), "atlas-reco")
    ]
    assert found[0]["place"].endswith(f".{found[0]['id']}")


def test_events_are_of_what_one_may_see(site: Site) -> None:
    elsewhere = make_project(site, "it-tools", "it", timezone.now())
    foreign = record("tested", actor=site.erin, now=timezone.now(), project=elsewhere).pk
    own = write(site)[0]
    for name, sees_own, sees_foreign in (
        ("alice", True, False), ("rita", True, False), ("dana", True, False),
        ("erin", True, True), ("otto", True, True), ("audrey", True, True),
        ("mallory", False, False),
    ):  # fmt: skip
        found, __ = read(site, name, page_size="200")
        assert (own in found, foreign in found) == (sees_own, sees_foreign), name


def test_the_feed_is_narrowed_by_verb_unit_and_moment(site: Site) -> None:
    asked, before = submit(site), timezone.now()
    caller(site, "alice").post(f"requests/{asked.pk}/comment/", {"text": "Please"})
    first, second = Event.objects.filter(subject_kind="request").order_by("pk")
    for query, found in (
        ({"verb": "submitted"}, [first.pk]),
        ({"verb": "commented,submitted"}, [first.pk, second.pk]),
        ({"verb": "declined"}, []), ({"unit": "ep"}, [first.pk, second.pk]), ({"unit": "it"}, []),
        ({"since": before.isoformat()}, [second.pk]),
    ):  # fmt: skip
        told, _after = read(site, "erin", page_size="200", request=str(asked.pk), **query)
        assert told == found, query


def test_the_feed_is_a_sheet_of_all_there_is_that_says_where_to_read_on(site: Site) -> None:
    """More than a page of it, by what was chosen; what comes later is read from its end."""
    events = [
        Event(at=timezone.now(), verb="commented", project=site.project, data={"n": number})
        for number in range(401)
    ]
    written = [each.pk for each in Event.objects.bulk_create(events)]
    client = caller(site, "otto").client
    answer = client.get("/api/v1/events/?format=csv&verb=commented&fields=id,data&page_size=3")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    assert [(int(each["id"]), each["data"]) for each in rows] == [
        (pk, json.dumps({"n": number})) for number, pk in enumerate(written)
    ]
    later = write(site)
    assert read(site, "otto", answer["After"])[0] == later
    assert refusal(client.get("/api/v1/events/?format=csv&fields=x")) == (422, "invalid")


@pytest.mark.parametrize("query", [{"verb": "submited"}, {"verb": ""}, {"since": "2020"}])
def test_a_verb_that_is_none_is_refused(site_today: Site, query: dict[str, str]) -> None:
    assert refusal(caller(site_today, "erin").get("events/", **query)) == (422, "invalid")


def test_the_fields_of_an_event_are_chosen(site: Site) -> None:
    write(site)
    answer = caller(site, "alice").get("events/", fields="verb,place")
    assert set(answer.json()) == {"results", "after"}
    assert all(set(each) == {"verb", "place"} for each in answer.json()["results"])


def test_nothing_is_missed_while_others_write(site: Site, other: psycopg.Connection) -> None:
    _seen, start = read(site, "otto", page_size="200")
    # The other one takes its transaction's id and its event's first, and commits last.
    held = other.execute(
        "INSERT INTO projects_event (at, verb, subject_kind, data, actor_id)"
        " VALUES (now(), 'tested', '', '{}', %s) RETURNING id",
        [site.otto.pk],
    ).fetchone()
    assert held is not None
    written = write(site)
    assert read(site, "otto", start) == ([], start)
    other.commit()
    found, _after = read(site, "otto", start)
    assert found == [held[0], *written]
    assert Event.objects.filter(pk__in=found).count() == 2


def test_the_feed_costs_the_same_for_few_and_for_many(site: Site) -> None:
    alice = caller(site, "alice")
    write(site, 3)
    assert_flat("api events/", lambda: alice.get("events/"), lambda: write(site, 50))


@pytest.mark.parametrize("after", ["x", "1", "1.", ".1", "-1.1", "1.1.1", "9" * 30 + ".1", "١.1"])
def test_a_place_that_is_none_is_refused(site_today: Site, after: str) -> None:
    answer = caller(site_today, "alice").get("events/", after=after)
    assert refusal(answer) == (422, "invalid")


def test_a_moment_is_the_place_before_all_that_began_then_or_later(site: Site) -> None:
    now = timezone.now()

    def began(minutes: int) -> int:
        at = now + timedelta(minutes=minutes)
        return record("commented", actor=site.alice, now=at, project=site.project).pk

    def since(place: Place) -> list[int]:
        return [each.pk for each in feed(Event.objects.all(), place, 10)]

    began(-120)
    # Whoever began first may be recorded last.
    told = [began(20), began(0), began(10)]
    assert since(place_before(now)) == told
    to_come = place_before(now + timedelta(days=1))
    assert since(to_come) == []
    assert [began(5)] == since(to_come)


def test_who_sees_some_of_the_record_is_not_read_to_by_a_plan_for_all(site_today: Site) -> None:
    """Such a plan would gather all of the record after their place, at each page."""
    planned: dict[str, bool] = {}

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "projects_event" in sql and "LIMIT" in sql:
            planned[name] = isinstance(context["cursor"].cursor, PreparedCursor)
        return execute(sql, params, many, context)

    for name in ("alice", "otto"):
        with connection.execute_wrapper(look):
            assert caller(site_today, name).get("events/").status_code == 200
    assert planned == {"alice": False, "otto": True}
